//! How far back mail is fetched, and who is at it.

use super::*;
use crate::error::ErrorKind;
use crate::model::BackfillRange;
use crate::store::{BackfillEnd, BackfillPhase, BackfillRow, BackfillStep, BackfillWindow, BackfillWish, NewBackfill, OPEN_LOWER, OPEN_UPPER};

fn wanted(since: Option<i64>, now: i64) -> NewBackfill {
    NewBackfill { account_id: "a".into(), generation: 1, range: BackfillRange::NinetyDays, since, estimated: 10, now }
}

fn part(lower: i64, reached: i64) -> BackfillWindow {
    BackfillWindow { folder_id: "in".into(), lower, reached }
}

async fn begun(s: &dyn Store, since: Option<i64>) -> (Lease, BackfillRow) {
    let lease = mailbox(s).await;
    s.begin_backfill(&wanted(since, 100)).await.unwrap().unwrap();
    (lease, s.claim_backfill(100).await.unwrap().unwrap())
}

fn step(row: &BackfillRow, lower: i64, reached: i64) -> Option<BackfillStep> {
    Some(BackfillStep { turn: row.turn, lower, reached, done: 2, worked_ms: 5 })
}

async fn stored(s: &dyn Store, lease: &Lease, id: &str, step: Option<BackfillStep>) -> Applied {
    apply(s, lease, vec![message(id, "in", 1)], |batch| (batch.cursor, batch.step) = (None, step)).await
}

fn ended(phase: BackfillPhase, next_at: i64) -> BackfillEnd {
    BackfillEnd { phase, next_at, failures: 0, problem: None }
}

pub async fn a_back_fill_is_one_process_s_at_a_time(s: &dyn Store) {
    let (lease, row) = begun(s, Some(0)).await;
    assert_eq!((row.phase, row.wish, row.done), (BackfillPhase::Listing, BackfillWish::Run, 0));
    assert_eq!(s.claim_backfill(101).await.unwrap(), None);
    assert_eq!(s.next_backfill().await.unwrap(), Some(100 + LEASE_MS));
    assert!(s.divide_folders("a", row.turn, &[part(50, OPEN_UPPER), part(0, 50)]).await.unwrap());
    assert_eq!(s.backfill_windows("a").await.unwrap(), [part(50, OPEN_UPPER), part(0, 50)], "the newest first");
    assert!(matches!(stored(s, &lease, "m", step(&row, 50, 70)).await, Applied::Written { .. }));
    assert_eq!(s.backfill_windows("a").await.unwrap(), [part(50, 70), part(0, 50)]);
    // It was dead for too long, and another one goes on.
    let other = s.claim_backfill(100 + LEASE_MS).await.unwrap().unwrap();
    assert_eq!((other.done, other.worked_ms), (2, 5));
    assert!(!s.renew_backfill("a", row.turn, 200).await.unwrap() && s.renew_backfill("a", other.turn, 200).await.unwrap());
    assert_eq!(stored(s, &lease, "n", step(&row, 50, 60)).await, Applied::Refused(Refusal::Stopped));
    assert!(!s.divide_folders("a", row.turn, &[part(-5, 0)]).await.unwrap());
    s.settle_backfill(&row, &ended(BackfillPhase::Done, 7)).await.unwrap();
    assert_eq!(s.backfill("a").await.unwrap().unwrap().phase, BackfillPhase::Listing, "who lost it changes nothing");
    assert!(matches!(stored(s, &lease, "n", step(&other, 50, 50)).await, Applied::Written { .. }));
    assert_eq!(s.backfill_windows("a").await.unwrap(), [part(0, 50)]);
    s.settle_backfill(&other, &ended(BackfillPhase::Done, 7)).await.unwrap();
    assert_eq!((s.backfill("a").await.unwrap().unwrap().phase, s.next_backfill().await.unwrap()), (BackfillPhase::Done, None));
}

pub async fn a_back_fill_that_is_paused_or_cancelled_stores_nothing_more(s: &dyn Store) {
    let (lease, row) = begun(s, Some(0)).await;
    let other = BackfillWindow { folder_id: "out".into(), ..part(0, 0) };
    s.divide_folders("a", row.turn, &[part(50, OPEN_UPPER), part(20, 50), part(0, 20), other]).await.unwrap();
    let paused = s.wish_backfill("a", BackfillWish::Pause, 110).await.unwrap().unwrap();
    assert_eq!(paused.wish, BackfillWish::Pause);
    assert_eq!(stored(s, &lease, "m", step(&row, 50, 70)).await, Applied::Refused(Refusal::Stopped));
    s.settle_backfill(&row, &ended(BackfillPhase::Listing, 110)).await.unwrap();
    assert_eq!((s.claim_backfill(1_000).await.unwrap(), s.next_backfill().await.unwrap()), (None, None));
    s.wish_backfill("a", BackfillWish::Run, 120).await.unwrap();
    let row = s.claim_backfill(120).await.unwrap().unwrap();
    // The oldest part came first; its mail stays, but it is beyond a gap.
    stored(s, &lease, "m", step(&row, 0, 0)).await;
    stored(s, &lease, "n", step(&row, 50, 60)).await;
    let cancelled = s.wish_backfill("a", BackfillWish::Cancel, 130).await.unwrap().unwrap();
    assert_eq!((cancelled.phase, cancelled.since), (BackfillPhase::Seeding, Some(60)));
    assert_eq!(stored(s, &lease, "o", step(&row, 50, 50)).await, Applied::Refused(Refusal::Stopped));
    assert_eq!(s.backfill_windows("a").await.unwrap(), []);
    for wish in [BackfillWish::Run, BackfillWish::Pause] {
        assert_eq!(s.wish_backfill("a", wish, 140).await.unwrap().unwrap(), cancelled, "{wish:?}");
    }
    // Another one begins where this one ended.
    s.begin_backfill(&wanted(Some(10), 200)).await.unwrap().unwrap();
    assert_eq!(s.backfill_windows("a").await.unwrap(), [part(10, 60)]);
    assert_eq!(s.wish_backfill("b", BackfillWish::Run, 1).await.unwrap(), None);
}

pub async fn a_larger_range_goes_on_where_the_smaller_one_ended(s: &dyn Store) {
    let (lease, row) = begun(s, Some(50)).await;
    s.divide_folders("a", row.turn, &[part(50, OPEN_UPPER)]).await.unwrap();
    stored(s, &lease, "m", step(&row, 50, 50)).await;
    s.settle_backfill(&row, &ended(BackfillPhase::Done, 0)).await.unwrap();
    let again = s.begin_backfill(&wanted(None, 300)).await.unwrap().unwrap();
    assert_eq!((again.since, again.phase, again.wish), (None, BackfillPhase::Listing, BackfillWish::Run));
    assert_eq!(s.backfill_windows("a").await.unwrap(), [part(OPEN_LOWER, 50)]);
    assert_eq!(again.done, 1, "what is here is done");
    assert!(s.begin_backfill(&NewBackfill { generation: 2, ..wanted(None, 300) }).await.unwrap().is_none());
    assert!(s.begin_backfill(&NewBackfill { account_id: "b".into(), ..wanted(None, 300) }).await.unwrap().is_none());
}

pub async fn a_smaller_range_forgets_what_lies_beyond_a_gap(s: &dyn Store) {
    let (lease, row) = begun(s, Some(0)).await;
    s.divide_folders("a", row.turn, &[part(80, OPEN_UPPER), part(50, 80), part(0, 50)]).await.unwrap();
    for lower in [0, 80] {
        stored(s, &lease, &format!("m{lower}"), step(&row, lower, lower)).await;
    }
    stored(s, &lease, "n", step(&row, 50, 70)).await;
    s.begin_backfill(&wanted(Some(60), 200)).await.unwrap();
    assert_eq!(s.backfill_windows("a").await.unwrap(), [part(60, 70)]);
    s.begin_backfill(&wanted(Some(75), 200)).await.unwrap();
    assert_eq!(s.backfill_windows("a").await.unwrap(), []);
    s.begin_backfill(&wanted(Some(0), 200)).await.unwrap();
    assert_eq!(s.backfill_windows("a").await.unwrap(), [part(0, 75)], "without a gap");
}

pub async fn an_account_that_was_synced_whole_has_everything(s: &dyn Store) {
    let lease = mailbox(s).await;
    for folder in ["in", "out"] {
        apply(s, &lease, vec![message(folder, folder, 1)], |batch| {
            batch.folder_id = folder.into();
            batch.completes_pass = true;
            batch.cursor = Some(Cursor { link: sealed("link"), version: 1, is_delta: true });
        })
        .await;
    }
    let row = s.begin_backfill(&wanted(Some(10), 100)).await.unwrap().unwrap();
    assert_eq!((row.phase, row.done), (BackfillPhase::Done, 10));
    assert_eq!(s.claim_backfill(100).await.unwrap(), None);
    assert_eq!(s.begin_backfill(&wanted(Some(20), 100)).await.unwrap().unwrap().phase, BackfillPhase::Done);
    // Mail of before that may have come meanwhile was left out.
    assert_eq!(s.begin_backfill(&wanted(None, 100)).await.unwrap().unwrap().phase, BackfillPhase::Listing);
}

pub async fn a_back_fill_goes_on_when_the_account_is_connected_again(s: &dyn Store) {
    let (_, row) = begun(s, None).await;
    let problem = Some((ErrorKind::NeedsReconnect, "sign in".to_owned()));
    s.settle_backfill(&row, &BackfillEnd { phase: BackfillPhase::Listing, next_at: 3_600_100, failures: 1, problem: problem.clone() }).await.unwrap();
    let row = s.backfill("a").await.unwrap().unwrap();
    assert_eq!((row.problem, row.failures), (problem, 1));
    assert_eq!(s.claim_backfill(101).await.unwrap(), None);
    s.store_account(&AccountRow { generation: 2, ..account("a") }, Some(&token("a", 2)), &[key(903, KeyPurpose::Secrets, "a")], None, 102).await.unwrap();
    assert!(s.claim_backfill(102).await.unwrap().is_some());
    s.disconnect_account("a", "by hand", 103).await.unwrap();
    assert_eq!((s.claim_backfill(i64::MAX / 2).await.unwrap(), s.next_backfill().await.unwrap()), (None, None));
}

pub async fn mail_in_folders_that_are_not_synced_is_asked_about_once_a_day(s: &dyn Store) {
    let lease = mailbox(s).await;
    let ask = async |limit, now| s.suspect_unsynced("a", 1, &lease, 1_000, limit, now).await.unwrap();
    for id in ["m", "n", "o"] {
        apply(s, &lease, vec![message(id, "in", 1)], |batch| batch.cursor = None).await;
    }
    assert_eq!(ask(10, 100).await, Some(0), "they are in a folder that is synced");
    s.save_folders("a", 1, &lease, &listed(&[FolderRow { is_synced: false, version: 2, ..folder("in") }]), 101).await.unwrap();
    assert_eq!((ask(2, 102).await, ask(2, 1_101).await), (Some(0), Some(0)), "they came there just now");
    assert_eq!((ask(2, 1_102).await, ask(2, 1_103).await, ask(2, 1_104).await), (Some(2), Some(1), Some(0)));
    assert_eq!(s.pending_removals("a", 1_105, 10).await.unwrap().len(), 3);
    assert_eq!((ask(10, 2_102).await, ask(10, 2_103).await), (Some(0), Some(3)));
    assert_eq!(s.suspect_unsynced("a", 2, &lease, 1_000, 10, 9_000).await.unwrap(), None);
}
