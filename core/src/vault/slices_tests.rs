#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::base::Limits;
use super::rotate_tests::{everything, fill, live, open, read_all};
use super::tests::{connect, profile, root};
use super::*;
use crate::clock::TestClock;
use crate::error::ErrorKind;
use crate::store::tamper;

const DAY: u64 = 86_400_000;
/// Values sealed anew in one transaction: a slice ends after one of them.
const BATCH: u64 = 200;

async fn paced(store: &Arc<dyn Store>, slice_keys: u32, slice_values: u64) -> Vault {
    Vault::open_with(store.clone(), &root(1), 1, Limits { slice_keys, slice_values, ..Limits::USUAL }).await.unwrap()
}

fn clock(day: u64) -> TestClock {
    TestClock::new(day * DAY)
}

/// An account with `mails` mails, and five more with a name and a token.
async fn filled(dir: &Path, mails: usize) -> (Arc<dyn Store>, Vault) {
    let (store, vault) = open(dir, 1).await;
    fill(&*store, &vault, mails).await;
    for id in ["b", "c", "d", "e", "f"] {
        connect(&*store, &vault, id, true).await;
    }
    (store, vault)
}

/// Of so many slices.
async fn first_failure(vault: &Vault, most: usize) -> Option<Error> {
    for _ in 0..most {
        if let Err(e) = vault.rotate_due(&clock(91), None).await {
            return Some(e);
        }
    }
    None
}

async fn data_keys(store: &dyn Store) -> Vec<i64> {
    let keys = store.live_keys().await.unwrap().into_iter().filter(|key| matches!(key.purpose, KeyPurpose::Secrets | KeyPurpose::Content));
    keys.map(|key| key.id).collect()
}

/// All slices there are, each within its bounds. Answers how many.
async fn all_slices(store: &dyn Store, vault: &Vault, time: &TestClock, slice_keys: usize, slice_values: u64) -> usize {
    for slices in 1..1_000 {
        let before = data_keys(store).await;
        let slice = vault.rotate_due(time, None).await.unwrap();
        let begun = data_keys(store).await.into_iter().filter(|id| !before.contains(id)).count();
        assert!(begun <= slice_keys && slice.report.values <= slice_values + BATCH, "{begun} {slice:?}");
        assert!(begun > 0 || slice.report.values > 0 || slice.report.data_keys > 0, "a slice that does nothing: {slice:?}");
        if !slice.has_more {
            return slices;
        }
    }
    panic!("it has no end");
}

#[tokio::test]
async fn keys_that_are_all_due_at_once_are_replaced_in_slices() {
    for (slice_keys, slice_values, at_least) in [(2, 100_000, 6), (100, 300, 3), (1, 1, 12)] {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = filled(dir.path(), 450).await;
        let before = data_keys(&*store).await;
        assert_eq!(before.len(), 12);
        let vault = paced(&store, slice_keys, slice_values).await;
        assert_eq!(vault.rotate_due(&clock(89), None).await.unwrap(), Slice::default());
        let slices = all_slices(&*store, &vault, &clock(91), slice_keys as usize, slice_values).await;
        assert!(slices >= at_least, "{slices}");
        let after = data_keys(&*store).await;
        assert!(after.len() == 12 && after.iter().all(|id| !before.contains(id)));
        assert_eq!(vault.rotate_due(&clock(91), None).await.unwrap(), Slice::default());
        assert_eq!(read_all(&*store, &vault).await.unwrap(), 450);
        for id in ["b", "f"] {
            vault.content(id).await.unwrap().open(profile(id), &store.account(id).await.unwrap().unwrap().profile).unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_begun_is_ended_first_then_the_oldest_come() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 450).await;
    // The mailbox is the newest of them.
    tamper(dir.path(), "UPDATE keys SET created_at = 1000 WHERE account_id = 'a'; UPDATE keys SET created_at = 0 WHERE account_id = 'd'");
    let vault = paced(&store, 1, 100).await;
    let active = async |id: &str| [vault.content(id).await.unwrap().active_id(), vault.secrets(id).await.unwrap().active_id()];
    let (old, others) = (active("d").await, [active("a").await, active("b").await]);
    // Begun, and ended by the next slice that begins another.
    for _ in 0..2 {
        assert!(vault.rotate_due(&clock(91), None).await.unwrap().has_more);
    }
    assert!(active("d").await.iter().all(|id| !old.contains(id)));
    assert_eq!([active("a").await, active("b").await], others);
    while active("a").await == others[0] {
        assert!(vault.rotate_due(&clock(91), None).await.unwrap().has_more);
    }
    // The mailbox is larger than a slice, and is all there is left but one.
    let inactive = async || store.live_keys().await.unwrap().into_iter().filter(|key| !key.is_active && key.account_id == "a").count();
    assert!(inactive().await <= 1);
    while vault.rotate_due(&clock(91), None).await.unwrap().has_more {}
    assert_eq!((inactive().await, read_all(&*store, &vault).await.unwrap()), (0, 450));
}

#[tokio::test]
async fn another_process_goes_on_where_one_was_killed() {
    for steps in 1..30 {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = filled(dir.path(), 5).await;
        let before = data_keys(&*store).await;
        let vault = paced(&store, 3, 5).await;
        vault.break_after(steps);
        let killed = first_failure(&vault, 20).await;
        assert!(killed.is_some() || steps > 20, "{steps}");
        std::mem::forget((store, vault));
        let store = super::tests::store(dir.path());
        let vault = paced(&store, 3, 5).await;
        // A lease that a dead process holds runs out.
        all_slices(&*store, &vault, &clock(92), 3, 5).await;
        assert!(data_keys(&*store).await.iter().all(|id| !before.contains(id)), "{steps}");
        assert_eq!(read_all(&*store, &vault).await.unwrap(), 5, "{steps}");
    }
}


#[tokio::test]
async fn what_was_asked_for_is_done_at_once_and_what_was_cut_off_of_it_in_slices() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 300).await;
    let vault = paced(&store, 2, 100).await;
    let before = live(&*store).await;
    // In the middle of slices: all is replaced, also what they have replaced already.
    vault.rotate_due(&clock(91), None).await.unwrap();
    let now = live(&*store).await;
    let report = vault.rotate(&everything(None), &clock(91), None).await.unwrap();
    assert!(report.data_keys >= 12 && report.store_key, "{report:?}");
    assert!(live(&*store).await.iter().all(|id| !before.contains(id) && !now.contains(id)));
    // Cut off at its mark: the store key, and all data keys though none is due, over several slices.
    let before = live(&*store).await;
    vault.break_after(1);
    assert!(vault.rotate(&everything(None), &clock(92), None).await.is_err());
    vault.break_after(i64::MAX);
    let mut slices = 0;
    while vault.rotate_due(&clock(93), None).await.unwrap().has_more {
        slices += 1;
        assert!(store.meta("key_rotation").await.unwrap().is_some(), "it is not done yet");
    }
    assert!(slices >= 6, "{slices}");
    assert_eq!(store.meta("key_rotation").await.unwrap(), None);
    assert!(live(&*store).await.iter().all(|id| !before.contains(id)));
    assert_eq!(read_all(&*store, &vault).await.unwrap(), 300);
}

#[tokio::test]
async fn damage_holds_up_no_slice() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 450).await;
    tamper(dir.path(), "UPDATE messages SET version = version + 1000 WHERE id <= 250; UPDATE keys SET created_at = 0 WHERE account_id = 'a'");
    let vault = paced(&store, 1, 100).await;
    let before = data_keys(&*store).await;
    let bad = vault.content("a").await.unwrap().active_id();
    let error = first_failure(&vault, 100).await.unwrap();
    assert_eq!((error.kind(), error.account_id()), (ErrorKind::Corrupt, Some("a")));
    let left: Vec<_> = data_keys(&*store).await.into_iter().filter(|id| before.contains(id)).collect();
    assert_eq!(left, [bad]);
}

#[tokio::test]
async fn a_worn_key_of_the_store_does_not_wait_for_the_mail() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = filled(dir.path(), 450).await;
    tamper(dir.path(), "UPDATE keys SET uses = 300000000 WHERE purpose = 'store'");
    let vault = paced(&store, 1, 100).await;
    let worn = vault.store_key().active_id();
    let slice = vault.rotate_due(&clock(91), None).await.unwrap();
    assert!(slice.report.store_key && slice.has_more && vault.store_key().active_id() != worn, "{slice:?}");
    assert_eq!(read_all(&*store, &vault).await.unwrap(), 450);
}
