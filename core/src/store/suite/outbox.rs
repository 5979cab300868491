//! Keys of submissions, lanes, claims.

use super::*;
use crate::model::{OutboxFilter, SendState};

pub async fn a_key_is_taken_once(s: &dyn Store) {
    connect(s, "a").await;
    connect(s, "b").await;
    let item = item_of("a", "l", Some("k"));
    let first = s.put(&item, &content()).await.unwrap();
    assert!(matches!(first, Enqueued::New(row) if row.id == item.id && row.state == ItemState::Queued && row.key.as_deref() == Some("k")));
    // Whether it is the same content, the caller tells by the hash as it was stored.
    let other = NewItem { content_hash: vec![2], hash_version: 2, ..item_of("a", "l", Some("k")) };
    let again = s.put(&other, &content()).await.unwrap();
    assert!(matches!(again, Enqueued::Known { row, content_hash, hash_version: 1 } if row.id == item.id && content_hash == [1]));
    assert!(s.item(&other.id, None).await.unwrap().is_none() && s.content(&other.id).await.unwrap().is_none());
    enqueue(s, "b", "l", Some("k")).await;
    enqueue(s, "a", "l", Some("K")).await;
    // Sealed with a key that was replaced meanwhile: nothing is left of it.
    let dead = Content { payload: sealed_by(999, "p"), ..content() };
    assert!(s.put(&item_of("a", "l", Some("k2")), &dead).await.is_err());
    let dead = Content { parts: vec![Part { file: 0, part: 0, sealed: sealed_by(999, "p") }], ..content() };
    assert!(s.put(&item_of("a", "l", Some("k2")), &dead).await.is_err());
    let id = enqueue(s, "a", "l", Some("k2")).await;
    assert_eq!(s.item(&id, None).await.unwrap().unwrap().id, id);
}

pub async fn content_comes_back_and_goes_with_the_send(s: &dyn Store) {
    connect(s, "a").await;
    for (end, stays) in [(ItemState::Sent, false), (ItemState::Failed, true), (ItemState::Unknown, true)] {
        let id = enqueue(s, "a", "l", None).await;
        let (row, held) = s.content(&id).await.unwrap().unwrap();
        assert!(row.id == id && row.has_files);
        assert_eq!((held.version, held.parts.iter().map(|p| (p.file, p.part)).collect::<Vec<_>>()), (2, vec![(0, 0), (0, 1)]));
        let claimed = s.claim(1, 100, &[]).await.unwrap().unwrap();
        assert!(s.step(&id, claimed.fence, &step(end), 2).await.unwrap().is_some());
        assert_eq!(s.content(&id).await.unwrap().is_some(), stays, "{end:?}");
    }
    let (one, two) = (enqueue(s, "a", "l", None).await, enqueue(s, "a", "m", None).await);
    assert!(s.cancel(&one, "why", 3).await.unwrap());
    assert!(s.content(&one).await.unwrap().is_none() && s.content(&two).await.unwrap().is_some());
    s.disconnect_account("a", "gone", 4).await.unwrap();
    assert!(s.content(&two).await.unwrap().is_none());
}

pub async fn what_is_given_back_without_an_effect_is_no_attempt(s: &dyn Store) {
    connect(s, "a").await;
    let id = enqueue(s, "a", "l", None).await;
    let round = async |now: i64, tally: Tally| {
        let claimed = s.claim(now, 10, &[]).await.unwrap().unwrap();
        let back = Step { claim_until: None, tally, ..step(ItemState::RetryWait) };
        assert!(s.step(&id, claimed.fence, &back, now).await.unwrap().is_some());
        let row = s.item(&id, None).await.unwrap().unwrap();
        (row.attempts, row.crashes, row.waits)
    };
    assert_eq!(round(1, Tally::None).await, (0, 0, 1));
    assert_eq!(round(2, Tally::None).await, (0, 0, 2));
    assert_eq!(round(3, Tally::Attempt).await, (1, 0, 3));
    assert_eq!(round(4, Tally::Crash).await, (2, 1, 4));
    // Its worker dies twice.
    s.claim(5, 10, &[]).await.unwrap().unwrap();
    let row = s.claim(15, 10, &[]).await.unwrap().unwrap();
    assert_eq!((row.attempts, row.crashes, row.waits), (4, 3, 4));
    assert_eq!(round(25, Tally::None).await, (4, 0, 5));
}

pub async fn an_account_that_is_left_out_is_not_claimed_from(s: &dyn Store) {
    connect(s, "a").await;
    connect(s, "b").await;
    let (_, b) = (enqueue(s, "a", "l", None).await, enqueue(s, "b", "l", None).await);
    assert!(s.claim(1, 10, &["a".into(), b.clone()]).await.unwrap().is_none(), "nor a send that is named itself");
    assert_eq!(s.next_claim(1, &["a".into(), "b".into()]).await.unwrap(), None);
    assert!(s.claim(1, 10, &["a".into(), of_route("b", SendRoute::Mail)]).await.unwrap().is_none(), "nor what goes the same way from an account");
    assert!(s.next_claim(1, &["a".into(), of_route("b", SendRoute::Chat)]).await.unwrap().is_some());
    assert_eq!(s.claim(1, 10, &["a".into(), of_route("b", SendRoute::Chat)]).await.unwrap().unwrap().id, b);
    assert!(s.claim(1, 10, &["a".into()]).await.unwrap().is_none());
}

pub async fn only_what_is_unsent_is_taken_back(s: &dyn Store) {
    connect(s, "a").await;
    let (waiting, held, flying) = (enqueue(s, "a", "l", None).await, enqueue(s, "a", "m", None).await, enqueue(s, "a", "n", None).await);
    let mut claims: Vec<ItemRow> = Vec::new();
    while let Some(row) = s.claim(1, 1_000, &[]).await.unwrap() {
        claims.push(row);
    }
    let fence = |id: &str| claims.iter().find(|row| row.id == id).unwrap().fence;
    let back = Step { claim_until: None, ..step(ItemState::RetryWait) };
    s.step(&waiting, fence(&waiting), &back, 2).await.unwrap();
    s.step(&held, fence(&held), &Step { progress: Some(sealed("draft")), claim_until: Some(1_001), ..step(ItemState::Prepared) }, 2).await.unwrap();
    s.step(&flying, fence(&flying), &step(ItemState::Dispatching), 2).await.unwrap();
    assert!(s.cancel(&waiting, "why", 5).await.unwrap() && s.cancel(&held, "why", 5).await.unwrap());
    assert!(!s.cancel(&flying, "why", 5).await.unwrap() && !s.cancel(&waiting, "why", 5).await.unwrap() && !s.cancel("snd_x", "why", 5).await.unwrap());
    assert!(s.step(&held, fence(&held), &step(ItemState::Dispatching), 6).await.unwrap().is_none(), "its worker is told before it sends");
    let row = s.item(&held, None).await.unwrap().unwrap();
    assert_eq!((row.state, row.reason.as_deref()), (ItemState::Cancelled, Some("why")));
    // A draft may be on its way into the mailbox; it is looked for once that worker's claim is over.
    assert_eq!(s.next_upkeep().await.unwrap(), Some(1_001));
    assert!(s.claim_tidy(1_000, 10).await.unwrap().is_none());
    let tidy = s.claim_tidy(1_001, 10).await.unwrap().unwrap();
    assert!(tidy.id == held && s.claim_tidy(1_002, 10).await.unwrap().is_none());
    assert!(s.end_tidy(&held, tidy.fence, None, Some(2_000)).await.unwrap());
    let tidy = s.claim_tidy(2_000, 10).await.unwrap().unwrap();
    assert!(s.end_tidy(&held, tidy.fence, None, None).await.unwrap());
    assert!(s.next_upkeep().await.unwrap().is_none() && !s.end_tidy(&held, 0, None, None).await.unwrap());
}

pub async fn a_settled_send_is_looked_at_again_without_its_claim(s: &dyn Store) {
    connect(s, "a").await;
    let id = enqueue(s, "a", "l", None).await;
    let lost = s.claim(0, 10, &[]).await.unwrap().unwrap();
    let heir = s.claim(10, 10, &[]).await.unwrap().unwrap();
    s.tidy_again(&id, 500).await.unwrap();
    assert_eq!(s.next_upkeep().await.unwrap(), None, "it is open: whoever settles it looks");
    assert!(s.step(&id, heir.fence, &step(ItemState::Sent), 20).await.unwrap().is_some() && s.step(&id, lost.fence, &step(ItemState::Prepared), 21).await.unwrap().is_none());
    assert_eq!(s.item(&id, None).await.unwrap().unwrap().settled_at, Some(20));
    s.tidy_again(&id, 500).await.unwrap();
    s.tidy_again(&id, 400).await.unwrap();
    assert_eq!((s.next_upkeep().await.unwrap(), s.item(&id, None).await.unwrap().unwrap().tidy_until), (Some(500), Some(500)), "the later time counts");
    // Who looks while it is asked for has looked too early, and does not end it. What is due already is looked for all the same.
    let early = s.claim_tidy(500, 10).await.unwrap().unwrap();
    s.tidy_again(&id, 700).await.unwrap();
    assert!(!s.end_tidy(&id, early.fence, None, None).await.unwrap());
    let next = s.claim_tidy(511, 10).await.unwrap().unwrap();
    assert_eq!(next.tidy_until, Some(700));
    assert!(s.end_tidy(&id, next.fence, None, Some(700)).await.unwrap() && s.claim_tidy(699, 10).await.unwrap().is_none());
    let last = s.claim_tidy(700, 10).await.unwrap().unwrap();
    assert!(s.end_tidy(&id, last.fence, None, None).await.unwrap() && s.next_upkeep().await.unwrap().is_none());
    s.tidy_again("snd_none", 1).await.unwrap();
}

pub async fn deadlines_end_what_waits(s: &dyn Store) {
    connect(s, "a").await;
    let with = async |ordering_key: &str, deadline| {
        let item = NewItem { deadline, ..item_of("a", ordering_key, None) };
        s.put(&item, &content()).await.unwrap();
        item.id
    };
    let (open, late, behind) = (with("l", None).await, with("m", Some(100)).await, with("l", Some(100)).await);
    assert_eq!(s.next_upkeep().await.unwrap(), Some(100));
    assert!(s.expire(99).await.unwrap().is_empty());
    // Also of one that nobody may claim, and of an account that waits for its person.
    s.set_account_state("a", 1, AccountState::NeedsReconnect, None, 2).await.unwrap();
    let mut ended = s.expire(100).await.unwrap();
    ended.sort();
    assert_eq!(ended, [late.clone(), behind.clone()].into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    assert_eq!((s.item(&late, None).await.unwrap().unwrap().state, s.item(&open, None).await.unwrap().unwrap().state), (ItemState::Failed, ItemState::Queued));
    assert!(s.item(&behind, None).await.unwrap().unwrap().reason.unwrap().contains("deadline"));
    s.set_account_state("a", 1, AccountState::Connected, None, 3).await.unwrap();
    // What waits is due at its deadline; what a worker holds is the worker's; what is in doubt is asked about, if it can be.
    let doubtful = with("o", Some(300)).await;
    let claimed = loop {
        let row = s.claim(101, 10, &[]).await.unwrap().unwrap();
        if row.id == doubtful {
            break row;
        }
    };
    assert!(s.step(&doubtful, claimed.fence, &Step { next_at: Some(9_000), claim_until: None, ..step(ItemState::Reconciling) }, 102).await.unwrap().is_some());
    assert!(s.claim(299, 10, &[&open].map(|_| "none".to_owned())).await.unwrap().is_some_and(|row| row.id == open));
    assert!(s.expire(300).await.unwrap().is_empty());
    assert_eq!(s.claim(300, 10, &[]).await.unwrap().unwrap().id, doubtful);
    s.set_account_state("a", 1, AccountState::NeedsReconnect, None, 301).await.unwrap();
    assert!(s.expire(305).await.unwrap().is_empty(), "a worker has it in hand");
    assert_eq!(s.expire(311).await.unwrap(), std::slice::from_ref(&doubtful));
    assert_eq!(s.item(&doubtful, None).await.unwrap().unwrap().state, ItemState::Unknown);
}

pub async fn a_settled_send_is_opened_again_as_it_was_seen(s: &dyn Store) {
    connect(s, "a").await;
    let item = NewItem { deadline: Some(50), ..item_of("a", "l", None) };
    s.put(&item, &content()).await.unwrap();
    let claimed = s.claim(1, 10, &[]).await.unwrap().unwrap();
    s.step(&item.id, claimed.fence, &Step { tidy_at: Some(60), ..step(ItemState::Failed) }, 2).await.unwrap();
    let seen = s.item(&item.id, None).await.unwrap().unwrap();
    let again = async |seen: &ItemRow, now| s.reopen(&Reopened { seen, state: ItemState::Queued, progress: sealed("fresh") }, now).await;
    let tidy = s.claim_tidy(60, 10).await.unwrap().unwrap();
    assert!(!again(&seen, 61).await.unwrap(), "its draft is being looked for");
    assert!(s.renew_claim(&item.id, tidy.fence, 65, 10).await.unwrap() && !again(&seen, 74).await.unwrap(), "and goes on being looked for");
    assert!(s.end_tidy(&item.id, tidy.fence, Some(&sealed("tidied")), Some(80)).await.unwrap());
    assert!(!s.renew_claim(&item.id, tidy.fence, 75, 10).await.unwrap(), "it was given back");
    assert!(!again(&seen, 76).await.unwrap(), "it is another one by now");
    let late = s.claim_tidy(80, 10).await.unwrap().unwrap();
    let seen = s.item(&item.id, None).await.unwrap().unwrap();
    assert!(!again(&seen, 89).await.unwrap() && again(&seen, 90).await.unwrap() && !again(&seen, 91).await.unwrap(), "whoever looked for its drafts does so no longer");
    assert!(!s.renew_claim(&item.id, late.fence, 91, 10).await.unwrap() && !s.end_tidy(&item.id, late.fence, Some(&sealed("late")), None).await.unwrap());
    let row = s.claim(1_000, 10, &[]).await.unwrap().unwrap();
    assert_eq!((row.id.as_str(), row.attempts, row.crashes, row.deadline), (item.id.as_str(), 2, 1, None));
    let open = s.item(&item.id, None).await.unwrap().unwrap();
    assert!(!again(&open, 1_001).await.unwrap());
    s.disconnect_account("a", "gone", 1_002).await.unwrap();
    assert_eq!(again(&open, 1_003).await.unwrap_err().kind(), crate::error::ErrorKind::NotConnected);
}

pub async fn lanes_keep_their_order(s: &dyn Store) {
    connect(s, "a").await;
    let (one, two, other) = (enqueue(s, "a", "l", None).await, enqueue(s, "a", "l", None).await, enqueue(s, "a", "m", None).await);
    assert_eq!(s.next_claim(0, &[]).await.unwrap(), Some(Due::Retry(0)));
    let claimed = s.claim(10, 100, &[]).await.unwrap().unwrap();
    assert_eq!((claimed.id, claimed.attempts, claimed.state), (one.clone(), 1, ItemState::Claimed));
    assert_eq!(s.claim(10, 100, &[]).await.unwrap().unwrap().id, other);
    assert!(s.claim(10, 100, &[]).await.unwrap().is_none(), "the second of a lane waits");
    assert_eq!(s.next_claim(10, &[]).await.unwrap(), Some(Due::Lapse(110)));
    // A wait keeps the lane waiting too.
    let wait = Step { next_at: Some(500), claim_until: None, ..step(ItemState::RetryWait) };
    assert!(s.step(&one, claimed.fence, &wait, 20).await.unwrap().is_some());
    assert!(s.claim(20, 100, &[]).await.unwrap().is_none());
    assert!(s.claim(499, 100, &[]).await.unwrap().is_some_and(|row| row.id == other), "its lease lapsed at 110");
    assert_eq!(s.next_claim(499, &[]).await.unwrap(), Some(Due::Retry(500)));
    let again = s.claim(500, 100, &[]).await.unwrap().unwrap();
    assert_eq!((again.id, again.attempts, again.state), (one.clone(), 2, ItemState::Claimed));
    // Unknown, failed, sent: the lane goes on.
    assert!(s.step(&one, again.fence, &step(ItemState::Unknown), 510).await.unwrap().is_some());
    assert_eq!(s.claim(510, 100, &[]).await.unwrap().unwrap().id, two);
}

pub async fn a_lapsed_claim_is_taken_over_where_it_stood(s: &dyn Store) {
    connect(s, "a").await;
    let id = enqueue(s, "a", "l", None).await;
    let dead = s.claim(0, 10, &[]).await.unwrap().unwrap();
    let prepared = Step { progress: Some(sealed("draft id")), ..step(ItemState::Prepared) };
    assert!(s.step(&id, dead.fence, &prepared, 1).await.unwrap().is_some());
    assert!(s.step(&id, dead.fence, &step(ItemState::Dispatching), 2).await.unwrap().is_some());
    assert!(s.renew_claim(&id, dead.fence, 5, 10).await.unwrap());
    assert!(s.claim(14, 10, &[]).await.unwrap().is_none());
    let heir = s.claim(15, 10, &[]).await.unwrap().unwrap();
    assert_eq!((heir.id.as_str(), heir.state, heir.attempts, heir.progress_version), (id.as_str(), ItemState::Dispatching, 2, 1));
    assert!(heir.progress.is_some() && heir.fence > dead.fence);
    assert!(s.step(&id, dead.fence, &step(ItemState::Sent), 16).await.unwrap().is_none());
    assert!(!s.renew_claim(&id, dead.fence, 16, 10).await.unwrap());
    let sent = Step { sent_at: Some(17), ..step(ItemState::Sent) };
    assert!(s.step(&id, heir.fence, &sent, 17).await.unwrap().is_some());
    assert!(s.step(&id, heir.fence, &step(ItemState::Failed), 18).await.unwrap().is_none(), "settled stays settled");
    let row = s.item(&id, None).await.unwrap().unwrap();
    assert_eq!((row.state, row.sent_at, row.progress_version), (ItemState::Sent, Some(17), 1));
}

pub async fn the_outbox_is_listed_newest_first(s: &dyn Store) {
    connect(s, "a").await;
    connect(s, "b").await;
    let ids = [enqueue(s, "a", "l", None).await, enqueue(s, "a", "l", None).await, enqueue(s, "b", "l", None).await];
    let list = async |account: Option<&str>, state, limit| {
        s.items(&OutboxFilter { owner: None, account_id: account.map(Into::into), state, limit }).await.unwrap().into_iter().map(|i| i.id).collect::<Vec<String>>()
    };
    assert_eq!(list(None, None, 100).await, [&*ids[2], &ids[1], &ids[0]]);
    assert_eq!(list(None, None, 2).await, [&*ids[2], &ids[1]]);
    assert_eq!(list(Some("a"), Some(SendState::Queued), 100).await, [&*ids[1], &ids[0]]);
    s.claim(1, 1, &[]).await.unwrap().unwrap();
    assert_eq!(list(None, Some(SendState::Sending), 100).await, [&*ids[0]]);
    assert_eq!(list(None, Some(SendState::Sent), 100).await, Vec::<String>::new());
    let of_owner = async |owner: &str| s.items(&OutboxFilter { owner: Some(owner.into()), account_id: None, state: None, limit: 100 }).await.unwrap().len();
    assert_eq!((of_owner("owner").await, of_owner("other").await), (3, 0));
    // An account that must be connected again keeps its sends waiting.
    s.set_account_state("b", 1, AccountState::NeedsReconnect, None, 2).await.unwrap();
    s.step(&ids[0], 1, &step(ItemState::Failed), 2).await.unwrap();
    s.step(&ids[1], s.claim(2, 9, &[]).await.unwrap().unwrap().fence, &step(ItemState::Failed), 2).await.unwrap();
    assert!(s.claim(2, 9, &[]).await.unwrap().is_none());
}

pub async fn a_claim_of_a_clock_that_stood_ahead_is_taken_over(s: &dyn Store) {
    connect(s, "a").await;
    let id = enqueue(s, "a", "l", None).await;
    let ahead = s.claim(365 * 86_400_000, 10, &[]).await.unwrap().unwrap();
    let now = s.claim(50, 10, &[]).await.unwrap().expect("the clock was put right");
    assert!(now.id == id && now.fence > ahead.fence);
    assert!(s.claim(40, 10, &[]).await.unwrap().is_none(), "clocks of two processes are never quite the same");
}

pub async fn what_somebody_waits_for_is_claimed_beside_the_queues(s: &dyn Store) {
    connect(s, "a").await;
    connect(s, "b").await;
    let bulk = enqueue(s, "a", "l", None).await;
    let mut ids: Vec<String> = Vec::new();
    for lane in ["l", "m", "n", "o"] {
        let item = NewItem { is_bulk: false, ..item_of("a", lane, None) };
        s.put(&item, &content()).await.unwrap();
        ids.push(item.id);
    }
    let awaited = |most| Awaited { ids: [std::slice::from_ref(&bulk), ids.as_slice()].concat(), most, of_one_route: 2, ..Awaited::default() };
    assert_eq!(s.next_awaited(5, &awaited(9)).await.unwrap(), Some(Due::Retry(0)));
    for none in [awaited(0), Awaited { except: vec!["a".into()], ..awaited(9) }, Awaited { in_hand: [(of_route("a", SendRoute::Mail), 2)].into(), ..awaited(9) }] {
        assert!(s.claim_awaited(5, 10, &none).await.unwrap().is_empty() && s.next_awaited(5, &none).await.unwrap().is_none());
    }
    let claimed: Vec<String> = s.claim_awaited(5, 10, &awaited(9)).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(claimed, ids[1..3], "neither bulk, nor what waits for it in its lane, nor more than there is room for");
    let rest = Awaited { in_hand: [(of_route("a", SendRoute::Mail), 1)].into(), ..awaited(9) };
    assert_eq!(s.claim_awaited(5, 10, &rest).await.unwrap().pop().map(|row| row.id), Some(ids[3].clone()));
    assert_eq!(s.next_awaited(5, &rest).await.unwrap(), Some(Due::Lapse(15)));
    assert_eq!(s.claim(5, 10, &[]).await.unwrap().unwrap().id, bulk, "a claim is a claim, whoever made it");
}

pub async fn queues_take_turns_and_who_waits_goes_first(s: &dyn Store) {
    connect(s, "a").await;
    connect(s, "b").await;
    for n in 0..20 {
        enqueue(s, "a", &n.to_string(), None).await;
    }
    let single = NewItem { is_bulk: false, ..item_of("b", "l", None) };
    s.put(&single, &content()).await.unwrap();
    let waited_for = NewItem { is_bulk: false, ..item_of("a", "last", None) };
    s.put(&waited_for, &content()).await.unwrap();
    let wanted = Wanted { most: 6, except: Vec::new(), in_hand: Default::default(), of_one_route: 4 };
    let claimed: Vec<String> = s.claim_wanted(1, 10, &wanted).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(claimed.len(), 5, "four of one account and route");
    assert_eq!(claimed[0], waited_for.id, "what somebody waits for goes first");
    assert!(claimed.contains(&single.id), "a campaign keeps nobody else waiting");
    let in_hand = [(of_route("a", SendRoute::Mail), 4), (of_route("b", SendRoute::Mail), 1)].into();
    assert!(s.claim_wanted(1, 10, &Wanted { most: 1, in_hand, ..wanted }).await.unwrap().is_empty());
    // One at a time, accounts alternate.
    enqueue(s, "b", "m", None).await;
    enqueue(s, "b", "n", None).await;
    let mut order: Vec<String> = Vec::new();
    for _ in 0..4 {
        order.push(s.claim(2, 10, &[]).await.unwrap().unwrap().account_id);
    }
    assert_eq!(order, ["a", "b", "a", "b"]);
}

pub async fn a_claim_that_is_kept_is_renewed_when_it_gets_short(s: &dyn Store) {
    connect(s, "a").await;
    let id = enqueue(s, "a", "l", None).await;
    let claimed = s.claim(0, 90, &[]).await.unwrap().unwrap();
    let keep = |until| Step { claim_until: Some(until), ..step(ItemState::Dispatching) };
    // Of 90, more than 60 are left.
    assert!(s.step(&id, claimed.fence, &keep(110), 20).await.unwrap().is_some());
    let row = s.item(&id, None).await.unwrap().unwrap();
    assert_eq!((row.state, row.attempts, row.progress_version), (ItemState::Dispatching, 1, 0));
    assert_eq!(s.next_claim(20, &[]).await.unwrap(), Some(Due::Lapse(90)));
    let found = Step { progress: Some(sealed("draft")), reason: Some("why".into()), ..keep(130) };
    assert!(s.step(&id, claimed.fence, &found, 40).await.unwrap().is_some());
    let row = s.item(&id, None).await.unwrap().unwrap();
    assert_eq!((row.progress_version, row.progress.is_some(), row.reason.as_deref()), (1, true, Some("why")));
    assert_eq!(s.next_claim(40, &[]).await.unwrap(), Some(Due::Lapse(130)));
    // Of a clock that stood ahead.
    assert!(s.step(&id, claimed.fence, &keep(100), 10).await.unwrap().is_some());
    assert_eq!(s.next_claim(10, &[]).await.unwrap(), Some(Due::Lapse(100)));
    assert!(s.step(&id, claimed.fence + 1, &keep(100), 10).await.unwrap().is_none() && s.step(&id, claimed.fence - 1, &keep(100), 10).await.unwrap().is_none());
    let dead = Step { progress: Some(sealed_by(999, "p")), ..keep(101) };
    assert!(s.step(&id, claimed.fence, &dead, 11).await.is_err(), "sealed with a key that was replaced");
    assert_eq!(s.item(&id, None).await.unwrap().unwrap().progress_version, 1);
}

pub async fn the_step_that_settles_a_send_claims_the_next_of_its_ordering_key(s: &dyn Store) {
    connect(s, "a").await;
    let settle = |state| Step { claim_next_until: Some(500), ..step(state) };
    let ids = [enqueue(s, "a", "l", None).await, enqueue(s, "a", "l", None).await];
    let small = Content { parts: Vec::new(), ..content() };
    let third = item_of("a", "l", None);
    s.put(&third, &small).await.unwrap();
    let alone = enqueue(s, "a", "m", None).await;
    let first = s.claim(1, 100, &[]).await.unwrap().unwrap();
    assert_eq!(first.id, ids[0]);
    // One that stays open is followed by nobody.
    assert!(s.step(&first.id, first.fence, &settle(ItemState::Dispatching), 2).await.unwrap().unwrap().next.is_none());
    let stepped = s.step(&first.id, first.fence, &settle(ItemState::Sent), 3).await.unwrap().unwrap();
    let (second, with) = *stepped.next.unwrap();
    assert_eq!((s.item(&first.id, None).await.unwrap().unwrap().state, second.id.as_str(), second.state, second.attempts, second.crashes, second.fence), (ItemState::Sent, ids[1].as_str(), ItemState::Claimed, 1, 1, 1));
    assert!(with.is_none(), "it has attachments");
    // It is in hand as by a claim: until its end others get what is beside it alone.
    assert_eq!(s.claim(4, 100, &[]).await.unwrap().unwrap().id, alone);
    assert!(s.claim(4, 100, &[]).await.unwrap().is_none());
    assert_eq!(s.claim(500, 100, std::slice::from_ref(&alone)).await.unwrap().unwrap().id, ids[1], "should its worker be dead");
    assert!(s.step(&second.id, second.fence, &settle(ItemState::Sent), 501).await.unwrap().is_none(), "the claim was lost");
    let stepped = s.step(&second.id, second.fence + 1, &settle(ItemState::Failed), 502).await.unwrap().unwrap();
    let (last, with) = *stepped.next.unwrap();
    assert!(last.id == third.id && with.is_some_and(|with| with.payload == small.payload));
    assert!(s.step(&last.id, last.fence, &settle(ItemState::Unknown), 503).await.unwrap().unwrap().next.is_none(), "nothing is left");
}

pub async fn a_step_claims_nothing_that_may_not_be_claimed(s: &dyn Store) {
    connect(s, "a").await;
    let settled = async |ordering_key: &str, claim_next_until: Option<i64>| {
        let (id, next) = (enqueue(s, "a", ordering_key, None).await, enqueue(s, "a", ordering_key, None).await);
        let claimed = s.claim(1, 100, &[]).await.unwrap().unwrap();
        assert_eq!(claimed.id, id);
        (claimed, next, claim_next_until)
    };
    let sent = async |(claimed, next, claim_next_until): (ItemRow, String, Option<i64>)| {
        let stepped = s.step(&claimed.id, claimed.fence, &Step { claim_next_until, ..step(ItemState::Sent) }, 2).await.unwrap().unwrap();
        (stepped.next.map(|next| next.0.id), next)
    };
    // Nobody asked for it.
    let (taken, next) = sent(settled("l", None).await).await;
    assert_eq!(taken, None);
    assert_eq!(s.claim(3, 100, &[]).await.unwrap().unwrap().id, next);
    // It was taken back meanwhile.
    let waiting = settled("m", Some(500)).await;
    assert!(s.cancel(&waiting.1, "why", 1).await.unwrap());
    assert_eq!(sent(waiting).await.0, None);
    // Its account is no longer connected.
    let waiting = settled("n", Some(500)).await;
    assert!(s.change_account("a", None, AccountChange::State { state: AccountState::NeedsReconnect, problem: None }, 1).await.unwrap());
    let (taken, next) = sent(waiting).await;
    assert_eq!(taken, None);
    assert!(s.change_account("a", None, AccountChange::State { state: AccountState::Connected, problem: None }, 3).await.unwrap());
    assert_eq!(s.claim(4, 100, &[]).await.unwrap().unwrap().id, next);
}

pub async fn what_a_step_makes_of_a_row_is_known_without_reading_it(s: &dyn Store) {
    connect(s, "a").await;
    let id = enqueue(s, "a", "l", None).await;
    let plain = step(ItemState::Dispatching);
    let steps = [
        plain.clone(),
        Step { progress: Some(sealed("draft")), reason: Some("why".into()), announce: false, claim_until: Some(1_000), ..plain.clone() },
        Step { claim_until: None, tally: Tally::None, next_at: Some(3), ..step(ItemState::RetryWait) },
        Step { claim_until: None, tally: Tally::Crash, ..step(ItemState::Reconciling) },
        Step { progress: Some(sealed("copy")), sent_at: Some(9), tidy_at: Some(90), ..step(ItemState::Sent) },
    ];
    let mut held = s.claim(1, 100, &[]).await.unwrap().unwrap();
    for (now, step) in (2..).zip(&steps) {
        if held.state == ItemState::RetryWait || held.state == ItemState::Reconciling {
            held = s.claim(now, 100, &[]).await.unwrap().unwrap();
        }
        assert!(s.step(&id, held.fence, step, now).await.unwrap().is_some());
        let row = s.item(&id, None).await.unwrap().unwrap();
        // What is sent has no attachments any more, which tells nobody anything.
        held = ItemRow { has_files: row.has_files, ..held.after(step, now) };
        assert_eq!(format!("{held:?}"), format!("{row:?}"));
    }
}

pub async fn what_follows_by_another_route_is_claimed_again_after_its_lease(s: &dyn Store) {
    connect(s, "a").await;
    let first = item_of("a", "l", None);
    let second = NewItem { route: SendRoute::Forward, ..item_of("a", "l", None) };
    s.put(&first, &content()).await.unwrap();
    s.put(&second, &content()).await.unwrap();
    let claimed = s.claim(1, 100, &[]).await.unwrap().unwrap();
    let stepped = s.step(&claimed.id, claimed.fence, &Step { claim_next_until: Some(50), ..step(ItemState::Sent) }, 2).await.unwrap().unwrap();
    assert_eq!(stepped.next.unwrap().0.id, second.id);
    assert!(s.claim(49, 100, &[]).await.unwrap().is_none());
    assert_eq!(s.claim(50, 100, &[]).await.unwrap().unwrap().id, second.id, "should its worker be dead");
}

pub async fn who_holds_another_store_key_takes_nothing(s: &dyn Store) {
    connect(s, "a").await;
    let id = enqueue(s, "a", "l", None).await;
    let wanted = Wanted { most: 1, except: Vec::new(), in_hand: Default::default(), of_one_route: 4 };
    s.insert_store_key(&NewKey { id: 900, purpose: KeyPurpose::Store, account_id: None, wrapped: sealed("k"), created_at: 1 }, &sealed("canary"), None).await.unwrap();
    let active = s.active_key(KeyPurpose::Store, None).await.unwrap().unwrap().id;
    let ask = async |store_key| s.claims(ClaimRequest { now: 1, lease_ms: 100, store_key, expire: true, wanted: Some(wanted.clone()), ..Default::default() }).await.unwrap();
    let outdated = ask(Some(active + 1)).await;
    assert!(outdated.is_outdated && matches!(outdated.claimed, Claimed::Nothing));
    let current = ask(Some(active)).await;
    assert!(!current.is_outdated && matches!(current.claimed, Claimed::Wanted(items) if items[0].0.id == id));
}
