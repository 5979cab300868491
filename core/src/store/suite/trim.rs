//! What is older than is kept is erased, and nothing else.

use super::*;
use crate::store::Kept;

const DAY: i64 = 86_400_000;

fn kept(now: i64) -> Kept {
    Kept { now, changes_since: now - 30 * DAY, most_changes: 1_000, sends_since: now - 60 * DAY, senders_since: 0 }
}

async fn all_of(s: &dyn Store, kept: &Kept) -> u32 {
    let mut steps = 1;
    while s.trim(kept, 2).await.unwrap() {
        steps += 1;
    }
    steps
}

pub async fn old_changes_go_and_their_readers_are_told(s: &dyn Store) {
    let lease = mailbox(s).await;
    let accounts = ["a".to_owned()];
    apply(s, &lease, ["m1", "m2", "m3"].map(|id| message(id, "in", 1)).to_vec(), |b| b.now = DAY).await;
    let old = last(s).await;
    apply(s, &lease, vec![message("m4", "in", 1)], |b| b.now = 40 * DAY).await;
    assert!(!s.is_missed(&accounts, 1).await.unwrap());
    all_of(s, &kept(50 * DAY)).await;
    let left = changes(s, 0);
    assert_eq!(left.await.iter().map(|c| c.subject_id.as_deref()).collect::<Vec<_>>(), [Some("msg_m4")]);
    assert!(s.is_missed(&accounts, old - 1).await.unwrap() && !s.is_missed(&accounts, old).await.unwrap() && !s.is_missed(&["b".to_owned()], 1).await.unwrap());
    assert_eq!(s.messages(&window()).await.unwrap().rows.len(), 4, "the mail itself stays");
    // Twice is once.
    assert_eq!(all_of(s, &kept(50 * DAY)).await, 1);
    assert_eq!(changes(s, 0).await.len(), 1);
}

/// A row that was written while the clock stood ahead keeps nobody's place for ever.
pub async fn a_change_from_the_future_holds_nothing_up(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("ahead", "in", 1)], |b| b.now = 400 * DAY).await;
    apply(s, &lease, vec![message("old", "in", 1)], |b| b.now = DAY).await;
    apply(s, &lease, vec![message("new", "in", 1)], |b| b.now = 45 * DAY).await;
    all_of(s, &kept(50 * DAY)).await;
    assert_eq!(changes(s, 0).await.iter().map(|c| c.subject_id.as_deref()).collect::<Vec<_>>(), [Some("msg_new")]);
}

pub async fn of_too_many_changes_the_last_stay(s: &dyn Store) {
    let lease = mailbox(s).await;
    for n in 0..10 {
        apply(s, &lease, vec![message(&format!("m{n}"), "in", 1)], |b| b.now = 49 * DAY).await;
    }
    let before = changes(s, 0);
    let few = Kept { most_changes: 4, changes_since: 0, ..kept(50 * DAY) };
    all_of(s, &few).await;
    assert_eq!(changes(s, 0).await.iter().map(|c| c.id).collect::<Vec<_>>(), before.await.iter().rev().take(4).rev().map(|c| c.id).collect::<Vec<_>>());
    assert_eq!(all_of(s, &few).await, 1);
}

pub async fn tombstones_and_settled_sends_go(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, ["gone", "late", "stays"].map(|id| message(id, "in", 1)).to_vec(), |_| {}).await;
    for (id, at) in [("gone", DAY), ("late", 49 * DAY)] {
        apply(s, &lease, vec![], |b| b.pending_removals = vec![id.into()]).await;
        s.settle("a", 1, &lease, Question::PendingRemovals, &Settled { gone: &[id.into()], there: &[], later: &[] }, at).await.unwrap();
    }
    let mut sends: Vec<String> = Vec::new();
    for n in 0..4 {
        sends.push(enqueue(s, "a", &format!("lane {n}"), Some(&format!("key {n}"))).await);
    }
    for (n, (state, at)) in [(ItemState::Sent, DAY), (ItemState::Failed, DAY), (ItemState::Unknown, 65 * DAY)].into_iter().enumerate() {
        let claimed = s.claim(at, 100, &[]).await.unwrap().unwrap();
        assert_eq!(claimed.id, sends[n]);
        assert!(s.step(&claimed.id, claimed.fence, &step(state), at).await.unwrap().is_some());
    }
    all_of(s, &kept(70 * DAY)).await;
    assert!(s.known("a", &["gone"]).await.unwrap().is_empty() && s.known("a", &["late", "stays"]).await.unwrap().len() == 2);
    let mut left: Vec<bool> = Vec::new();
    for id in &sends {
        left.push(s.item(id, None).await.unwrap().is_some());
    }
    assert_eq!(left, [false, false, true, true], "what is younger stays, and what is not settled whatever its age");
    // Its key may be used anew.
    assert!(matches!(s.put(&item_of("a", "lane", Some("key 0")), &content()).await.unwrap(), Enqueued::New(_)));
    assert!(matches!(s.put(&item_of("a", "lane", Some("key 3")), &content()).await.unwrap(), Enqueued::Known { .. }));
}

/// A send that is tried again is open, and no longer as old as its first end.
pub async fn a_send_that_was_opened_again_is_kept(s: &dyn Store) {
    mailbox(s).await;
    let id = enqueue(s, "a", "lane", None).await;
    let claimed = s.claim(DAY, 100, &[]).await.unwrap().unwrap();
    assert!(s.step(&id, claimed.fence, &step(ItemState::Failed), DAY).await.unwrap().is_some());
    let seen = s.item(&id, None).await.unwrap().unwrap();
    assert!(s.reopen(&Reopened { seen: &seen, state: ItemState::Queued, progress: sealed("progress") }, 2 * DAY).await.unwrap());
    all_of(s, &kept(99 * DAY)).await;
    assert!(s.item(&id, None).await.unwrap().is_some());
    assert!(s.cancel(&id, "no", 98 * DAY).await.unwrap());
    all_of(s, &kept(99 * DAY)).await;
    assert!(s.item(&id, None).await.unwrap().is_some(), "counted from when it was taken back");
}
