//! When mailboxes are looked at, and by whom.

use super::*;
use crate::store::{PollRequest, PollState};

const DAY: i64 = 86_400_000;

async fn claim(s: &dyn Store, now: i64) -> Vec<Poll> {
    s.claim_polls(PollRequest { now, due_at: now, limit: 10 }).await.unwrap()
}

fn ids(polls: &[Poll]) -> Vec<&str> {
    polls.iter().map(|poll| poll.account_id.as_str()).collect()
}

pub async fn a_mailbox_is_looked_at_by_one_at_a_time(s: &dyn Store) {
    for id in ["a", "b"] {
        connect(s, id).await;
    }
    let without = AccountRow { features: vec![Feature::MailSend], ..account("c") };
    s.store_account(&without, None, &[key(901, KeyPurpose::Secrets, "c"), key(902, KeyPurpose::Content, "c")], None, 10).await.unwrap();
    assert_eq!(claim(s, 100).await, [], "nobody said that they are to be looked at");
    assert_eq!((s.adopt_polls(100).await.unwrap(), s.adopt_polls(100).await.unwrap()), (2, 0));
    assert_eq!(s.next_poll().await.unwrap(), Some(100));
    let one = s.claim_polls(PollRequest { now: 100, due_at: 100, limit: 1 }).await.unwrap();
    let other = claim(s, 100).await;
    assert_eq!((one.len(), other.len()), (1, 1));
    assert_ne!(one, other);
    assert_eq!(claim(s, 100 + LEASE_MS - 1).await, []);
    assert!(s.renew_poll(&one[0], 100 + LEASE_MS - 1).await.unwrap());
    // The other one's worker is dead.
    assert_eq!(ids(&claim(s, 100 + LEASE_MS).await), ids(&other));
    assert!(!s.renew_poll(&other[0], 200).await.unwrap());
    s.settle_poll(&other[0], 1, 1).await.unwrap();
    assert!(s.poll_state(&other[0].account_id).await.unwrap().unwrap().next_at > 1, "who lost it changes nothing");
    s.settle_poll(&one[0], 50_000, 7).await.unwrap();
    assert_eq!(s.poll_state(&one[0].account_id).await.unwrap(), Some(PollState { next_at: 50_000, since: 100 }));
    assert_eq!(claim(s, 49_999).await.iter().filter(|poll| poll.account_id == one[0].account_id).count(), 0);
    let again = claim(s, 50_000).await;
    assert_eq!(again.iter().find(|poll| poll.account_id == one[0].account_id).map(|poll| poll.pause_ms), Some(7));
}

pub async fn a_mailbox_that_is_asked_for_is_due_by_then(s: &dyn Store) {
    connect(s, "a").await;
    s.adopt_polls(0).await.unwrap();
    let polls = claim(s, 0).await;
    // Asked for while it is looked at: what is looked at now may have missed why.
    s.poll_by("a", 500).await.unwrap();
    s.poll_by("a", 800).await.unwrap();
    s.settle_poll(&polls[0], 90_000, 1).await.unwrap();
    assert_eq!(s.next_poll().await.unwrap(), Some(500));
    let polls = claim(s, 500).await;
    s.settle_poll(&polls[0], 90_000, 1).await.unwrap();
    assert_eq!(s.next_poll().await.unwrap(), Some(90_000));
    s.poll_by("a", 700).await.unwrap();
    assert_eq!(s.next_poll().await.unwrap(), Some(700));
    s.poll_by("nobody", 700).await.unwrap();
}

pub async fn a_mailbox_that_is_gone_is_not_looked_at(s: &dyn Store) {
    for id in ["a", "b"] {
        connect(s, id).await;
    }
    s.adopt_polls(0).await.unwrap();
    s.disconnect_account("a", "by hand", 6).await.unwrap();
    assert_eq!(ids(&claim(s, 10).await), ["b"]);
    assert_eq!((s.poll_state("a").await.unwrap(), s.adopt_polls(10).await.unwrap()), (None, 0));
    s.begin_purge(Purged::Account("b"), "purged", 7).await.unwrap();
    while s.erase_some("b", 1, 8).await.unwrap() {}
    assert_eq!(s.poll_state("b").await.unwrap(), None);
}

pub async fn a_clock_that_stood_ahead_stops_no_looking(s: &dyn Store) {
    connect(s, "a").await;
    s.adopt_polls(0).await.unwrap();
    claim(s, 400 * DAY).await;
    let polls = claim(s, 10).await;
    assert_eq!(ids(&polls), ["a"], "its lease is further ahead than any");
    assert_eq!(claim(s, 11).await, []);
    s.settle_poll(&polls[0], 401 * DAY, 1).await.unwrap();
    assert_eq!(ids(&claim(s, 12).await), ["a"], "and so is its time");
}

pub async fn since_when_it_is_looked_at_is_known(s: &dyn Store) {
    connect(s, "a").await;
    s.adopt_polls(5).await.unwrap();
    let since = async || s.poll_state("a").await.unwrap().unwrap().since;
    for now in [5, 1_000_005, 2_000_005] {
        let polls = claim(s, now).await;
        s.settle_poll(&polls[0], now + 1_000_000, 1).await.unwrap();
        assert_eq!(since().await, 5);
    }
    claim(s, DAY).await;
    assert_eq!(since().await, DAY, "nobody looked for a day");
}
