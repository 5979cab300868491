#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::rotate_tests::{everything, fill, live, open, read_all};
use super::tests::{connect, found, profile, root};
use super::*;
use crate::clock::TestClock;
use crate::error::ErrorKind;
use crate::store::HANDOVER_MS;

fn store_key_alone() -> Order {
    Order { store_key: true, ..Order::default() }
}

fn data_keys_alone() -> Order {
    Order { data_keys: true, ..Order::default() }
}

#[tokio::test]
async fn who_is_open_follows_many_key_handovers_and_works_on() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 3).await;
    let (there, other) = open(dir.path(), 1).await;
    let attempt = other.store_key().seal(profile("x"), b"x").unwrap();
    for (n, seed) in [2, 3, 4].into_iter().enumerate() {
        vault.rotate(&everything(Some(seed)), &TestClock::new(10 + n as u64), None).await.unwrap();
    }
    assert_eq!(store.handovers().await.unwrap().len(), 3);
    // It has not looked since, and reads; so does whoever was told nothing of it.
    assert_eq!(read_all(&*there, &other).await.unwrap(), 3);
    assert!(is_outdated(&other.store_key().open(profile("x"), &attempt).unwrap_err()));
    // What it makes opens for the others, at once and at their next start.
    connect(&*there, &other, "b", true).await;
    let account = store.account("b").await.unwrap().unwrap();
    vault.content("b").await.unwrap().open(profile("b"), &account.profile).unwrap();
    assert_eq!(vault.hashes("b").await.unwrap().of("p", &[b"x"]).unwrap(), other.hashes("b").await.unwrap().of("p", &[b"x"]).unwrap());
    // Data keys it may replace, the store key not: the new root key could not open it.
    assert_eq!(other.rotate(&data_keys_alone(), &TestClock::new(20), None).await.unwrap().data_keys, 4);
    assert_eq!(other.rotate_due(&TestClock::new(91 * 86_400_000), None).await.unwrap().report.data_keys, 4);
    for order in [store_key_alone(), everything(Some(5))] {
        let e = other.rotate(&order, &TestClock::new(30), None).await.unwrap_err();
        assert_eq!((e.kind(), e.reason().contains("older root key")), (ErrorKind::VaultLocked, true));
    }
    assert_eq!((read_all(&*store, &vault).await.unwrap(), read_all(&*there, &other).await.unwrap()), (3, 3));
    drop((store, vault, there, other));
    assert_eq!(Vault::open(super::tests::store(dir.path()), root(1), 1).await.unwrap_err().kind(), ErrorKind::WrongKey);
    let (store, vault) = open(dir.path(), 4).await;
    assert_eq!(read_all(&*store, &vault).await.unwrap(), 3);
    vault.content("b").await.unwrap().open(profile("b"), &store.account("b").await.unwrap().unwrap().profile).unwrap();
}

/// What the hourly sweep does.
async fn hourly(store: &dyn Store, vault: &Vault, now: i64) -> Result<()> {
    let followed = vault.keep_up().await;
    store.drop_expired(now).await?;
    followed
}

#[tokio::test]
async fn key_handovers_expire_and_who_missed_them_stays_out() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 2).await;
    let (awake_store, awake) = open(dir.path(), 1).await;
    let (asleep_store, asleep) = open(dir.path(), 1).await;
    vault.rotate(&everything(Some(2)), &TestClock::new(10), None).await.unwrap();
    let handover = store.handovers().await.unwrap().pop().unwrap().sealed;
    assert!(found(dir.path(), handover.as_bytes()));
    hourly(&*awake_store, &awake, 10 + HANDOVER_MS / 2).await.unwrap();
    assert!(found(dir.path(), handover.as_bytes()), "before its time");
    hourly(&*store, &vault, 10 + HANDOVER_MS).await.unwrap();
    assert!(store.handovers().await.unwrap().is_empty());
    store.finish_erasure().await.unwrap();
    assert!(!found(dir.path(), handover.as_bytes()), "a destroyed key could still open the one after it");
    assert_eq!(read_all(&*awake_store, &awake).await.unwrap(), 2);
    for _ in 0..2 {
        let e = read_all(&*asleep_store, &asleep).await.unwrap_err();
        assert_eq!((e.kind(), e.reason().contains("Open it again")), (ErrorKind::VaultLocked, true));
    }
    assert_eq!(hourly(&*asleep_store, &asleep, 20 + HANDOVER_MS).await.unwrap_err().kind(), ErrorKind::VaultLocked);
}

#[tokio::test]
async fn key_handovers_expire_at_open_after_rotations_and_when_the_clock_was_set_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    connect(&*store, &vault, "a", true).await;
    let begun = 10 * HANDOVER_MS;
    let standing = async || store.handovers().await.unwrap().len();
    let lay = async || {
        vault.rotate(&store_key_alone(), &TestClock::new(begun as u64), None).await.unwrap();
        assert_eq!(standing().await, 1);
    };
    lay().await;
    drop(Vault::open(super::tests::store(dir.path()), root(1), begun + HANDOVER_MS).await.unwrap());
    assert_eq!(standing().await, 0);
    lay().await;
    vault.rotate(&data_keys_alone(), &TestClock::new((begun + HANDOVER_MS) as u64), None).await.unwrap();
    assert_eq!(standing().await, 0);
    lay().await;
    hourly(&*store, &vault, begun - HANDOVER_MS).await.unwrap();
    assert_eq!(standing().await, 0);
}

#[tokio::test]
async fn a_key_handover_opens_nothing_elsewhere() {
    for statement in [
        // A time made later, so that it would stand for longer.
        "UPDATE meta SET value = CAST(x'00000000000f0000' || substr(value, 9) AS BLOB) WHERE name GLOB 'bridge/*'",
        "UPDATE meta SET value = CAST(substr(value, 1, 40) || x'0102030405060708' || substr(value, 49) AS BLOB) WHERE name GLOB 'bridge/*'",
        "UPDATE meta SET name = 'bridge/7' WHERE name GLOB 'bridge/*'",
        "UPDATE meta SET value = x'01' WHERE name GLOB 'bridge/*'",
        "DELETE FROM meta WHERE name GLOB 'bridge/*'",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (store, vault) = open(dir.path(), 1).await;
        fill(&*store, &vault, 1).await;
        let (there, other) = open(dir.path(), 1).await;
        vault.rotate(&everything(Some(2)), &TestClock::new(10), None).await.unwrap();
        crate::store::tamper(dir.path(), statement);
        let e = read_all(&*there, &other).await.unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::VaultLocked | ErrorKind::Corrupt), "{statement}: {e}");
        assert_eq!(read_all(&*store, &vault).await.unwrap(), 1, "{statement}");
    }
}

#[tokio::test]
async fn a_cut_off_rotation_of_the_store_key_is_left_to_who_can_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 1).await;
    let (there, other) = open(dir.path(), 1).await;
    vault.rotate(&everything(Some(2)), &TestClock::new(10), None).await.unwrap();
    let before = live(&*store).await;
    // The mark, and no more.
    vault.break_after(1);
    assert!(vault.rotate(&everything(None), &TestClock::new(20), None).await.is_err());
    vault.break_after(i64::MAX);
    assert_eq!(read_all(&*there, &other).await.unwrap(), 1);
    let report = other.rotate_due(&TestClock::new(30), None).await.unwrap().report;
    assert_eq!((report.data_keys, report.store_key), (2, false));
    let report = other.rotate(&data_keys_alone(), &TestClock::new(40), None).await.unwrap();
    assert_eq!((report.data_keys, report.store_key), (2, false));
    assert_eq!(live(&*store).await.iter().filter(|id| before.contains(id)).count(), 1);
    let report = vault.rotate_due(&TestClock::new(50), None).await.unwrap().report;
    assert_eq!((report.data_keys, report.store_key), (0, true));
    assert_eq!(store.meta("key_rotation").await.unwrap(), None);
    assert_eq!((read_all(&*store, &vault).await.unwrap(), read_all(&*there, &other).await.unwrap()), (1, 1));
}

#[tokio::test]
async fn another_rotation_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    connect(&*store, &vault, "a", true).await;
    let lease = store.take_lease("rotate_keys", "they", 0, 100_000).await.unwrap().unwrap();
    let waiting = tokio::spawn(async move { vault.rotate(&everything(None), &TestClock::new(10), None).await });
    crate::clock::real_time(std::time::Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    store.release_lease(&lease).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().data_keys, 2);
}
