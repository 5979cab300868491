//! Keys of submissions, lanes, claims.

use super::*;
use crate::model::{OutboxFilter, SendState};

pub fn a_key_is_taken_once(s: &dyn Store) {
    connect(s, "a");
    connect(s, "b");
    let seen = std::cell::Cell::new(0);
    let first = s.enqueue(&item_of("a", "l", Some("k")), &|id| { seen.set(id); Ok(sealed("p")) }).unwrap();
    assert!(matches!(first, Enqueued::New(row) if row.id == seen.get() && row.state == ItemState::Queued && row.key.as_deref() == Some("k")));
    let again = s.enqueue(&item_of("a", "l", Some("k")), &|_| panic!("not sealed again")).unwrap();
    assert!(matches!(again, Enqueued::Same(row) if row.id == seen.get()));
    let other = NewItem { content_hash: vec![2], ..item_of("a", "l", Some("k")) };
    assert!(matches!(s.enqueue(&other, &|_| panic!("not sealed")).unwrap(), Enqueued::Conflict));
    enqueue(s, "b", "l", Some("k"));
    enqueue(s, "a", "l", Some("K"));
    // A seal that fails leaves nothing, and the id is not lost to the next.
    assert!(s.enqueue(&item_of("a", "l", Some("k2")), &|_| Err(crate::error::Error::internal("no"))).is_err());
    let id = enqueue(s, "a", "l", Some("k2"));
    assert_eq!(s.item(id).unwrap().unwrap().id, id);
}

pub fn lanes_keep_their_order(s: &dyn Store) {
    connect(s, "a");
    let (one, two, other) = (enqueue(s, "a", "l", None), enqueue(s, "a", "l", None), enqueue(s, "a", "m", None));
    assert_eq!(s.next_due(0).unwrap(), Some(Due::Retry(0)));
    let claimed = s.claim(10, 100).unwrap().unwrap();
    assert_eq!((claimed.id, claimed.attempts, claimed.state), (one, 1, ItemState::Claimed));
    assert_eq!(s.claim(10, 100).unwrap().unwrap().id, other);
    assert!(s.claim(10, 100).unwrap().is_none(), "the second of a lane waits");
    assert_eq!(s.next_due(10).unwrap(), Some(Due::Lapse(110)));
    // A wait keeps the lane waiting too.
    let wait = Step { next_at: Some(500), release: true, ..step(ItemState::RetryWait) };
    assert!(s.step(one, claimed.fence, &wait, 20).unwrap());
    assert!(s.claim(20, 100).unwrap().is_none());
    assert!(s.claim(499, 100).unwrap().is_some_and(|row| row.id == other), "its lease lapsed at 110");
    assert_eq!(s.next_due(499).unwrap(), Some(Due::Retry(500)));
    let again = s.claim(500, 100).unwrap().unwrap();
    assert_eq!((again.id, again.attempts, again.state), (one, 2, ItemState::Claimed));
    // Unknown, failed, sent: the lane goes on.
    assert!(s.step(one, again.fence, &step(ItemState::Unknown), 510).unwrap());
    assert_eq!(s.claim(510, 100).unwrap().unwrap().id, two);
}

pub fn a_lapsed_claim_is_taken_over_where_it_stood(s: &dyn Store) {
    connect(s, "a");
    let id = enqueue(s, "a", "l", None);
    let dead = s.claim(0, 10).unwrap().unwrap();
    let prepared = Step { progress: Some(sealed("draft id")), ..step(ItemState::Prepared) };
    assert!(s.step(id, dead.fence, &prepared, 1).unwrap());
    assert!(s.step(id, dead.fence, &step(ItemState::Dispatching), 2).unwrap());
    assert!(s.renew_claim(id, dead.fence, 5, 10).unwrap());
    assert!(s.claim(14, 10).unwrap().is_none());
    let heir = s.claim(15, 10).unwrap().unwrap();
    assert_eq!((heir.id, heir.state, heir.attempts, heir.progress_version), (id, ItemState::Dispatching, 2, 1));
    assert!(heir.progress.is_some() && heir.fence > dead.fence);
    assert!(!s.step(id, dead.fence, &step(ItemState::Sent), 16).unwrap());
    assert!(!s.renew_claim(id, dead.fence, 16, 10).unwrap());
    let sent = Step { sent_at: Some(17), ..step(ItemState::Sent) };
    assert!(s.step(id, heir.fence, &sent, 17).unwrap());
    assert!(!s.step(id, heir.fence, &step(ItemState::Failed), 18).unwrap(), "settled stays settled");
    let row = s.item(id).unwrap().unwrap();
    assert_eq!((row.state, row.sent_at, row.progress_version), (ItemState::Sent, Some(17), 1));
}

pub fn the_outbox_is_listed_newest_first(s: &dyn Store) {
    connect(s, "a");
    connect(s, "b");
    let ids = [enqueue(s, "a", "l", None), enqueue(s, "a", "l", None), enqueue(s, "b", "l", None)];
    let list = |account: Option<&str>, state, limit| -> Vec<i64> {
        s.items(&OutboxFilter { account_id: account.map(Into::into), state, limit }).unwrap().into_iter().map(|i| i.id).collect()
    };
    assert_eq!(list(None, None, 100), [ids[2], ids[1], ids[0]]);
    assert_eq!(list(None, None, 2), [ids[2], ids[1]]);
    assert_eq!(list(Some("a"), Some(SendState::Queued), 100), [ids[1], ids[0]]);
    s.claim(1, 1).unwrap().unwrap();
    assert_eq!(list(None, Some(SendState::Sending), 100), [ids[0]]);
    assert_eq!(list(None, Some(SendState::Sent), 100), Vec::<i64>::new());
    // An account that must be connected again keeps its sends waiting.
    s.set_account_state("b", 1, AccountState::NeedsReconnect, None, 2).unwrap();
    s.step(ids[0], 1, &step(ItemState::Failed), 2).unwrap();
    s.step(ids[1], s.claim(2, 9).unwrap().unwrap().fence, &step(ItemState::Failed), 2).unwrap();
    assert!(s.claim(2, 9).unwrap().is_none());
}

pub fn a_claim_of_a_clock_that_stood_ahead_is_taken_over(s: &dyn Store) {
    connect(s, "a");
    let id = enqueue(s, "a", "l", None);
    let ahead = s.claim(365 * 86_400_000, 10).unwrap().unwrap();
    let now = s.claim(50, 10).unwrap().expect("the clock was put right");
    assert!(now.id == id && now.fence > ahead.fence);
    assert!(s.claim(40, 10).unwrap().is_none(), "clocks of two processes are never quite the same");
}
