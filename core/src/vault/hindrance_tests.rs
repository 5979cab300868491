#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::rotate_tests::{everything, fill, live, open};
use super::tests::{connect, profile, root, store, token_place};
use super::*;
use crate::clock::{Clock, TestClock, Wait};
use crate::error::{Error, ErrorKind};
use crate::model::RotationReport;
use crate::seal::Sealed;
use crate::store::tamper;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

fn wrapped(seed: u8, wrapping: &[u8]) -> Arc<RootKey> {
    Arc::new(RootKey::unwrapped((seed..seed + 32).collect(), wrapping.to_vec()).unwrap())
}

#[tokio::test]
async fn the_wrapped_key_passed_at_open_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), 1).await);
    let kept = || wrapped_root_key(dir.path()).unwrap();
    assert_eq!(kept(), None);
    for wrapping in [b"first".as_slice(), b"again"] {
        drop(Vault::open(store(dir.path()), wrapped(1, wrapping), 1).await.unwrap());
        assert_eq!(kept().as_deref(), Some(wrapping));
    }
    // A key that is not the store's leaves nothing, one without a wrapping takes nothing away.
    assert!(Vault::open(store(dir.path()), wrapped(2, b"foreign"), 1).await.is_err());
    let (there, vault) = open(dir.path(), 1).await;
    assert_eq!(kept().as_deref(), Some(b"again".as_slice()));
    // Another root key came between the look and the step.
    let old = vault.0.root.canary();
    let order = Order { new_root: Some(root(2)), ..everything(None) };
    vault.rotate(&order, &TestClock::new(10), None).await.unwrap();
    assert!(!there.keep_wrapped(&old, b"late").await.unwrap());
    assert_eq!(kept(), None);
}

/// Does something when it is looked at for the nth time: in the middle of a rotation.
struct Meddling {
    clock: TestClock,
    left: AtomicI64,
    meddle: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Meddling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meddling")
    }
}

impl Clock for Meddling {
    fn now(&self) -> SystemTime {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            (self.meddle)();
        }
        self.clock.now()
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    fn pause(&self, time: Duration) -> Wait {
        self.clock.pause(time)
    }

    fn deadline(&self, time: Duration) -> Wait {
        self.clock.deadline(time)
    }
}

#[tokio::test]
async fn a_disconnect_at_any_moment_ends_no_rotation() {
    for comes_back in [false, true] {
        for nth in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let (store, vault) = open(dir.path(), 1).await;
            for id in ["a", "b", "c"] {
                connect(&*store, &vault, id, true).await;
            }
            let before = live(&*store).await;
            let (there, other) = open(dir.path(), 1).await;
            let meddle = move || {
                crate::runtime::block_on(async {
                    for id in ["a", "b", "c"] {
                        there.disconnect_account(id, "by hand", 5).await.unwrap();
                        if comes_back {
                            // With a new key of its own for the tokens.
                            other.refresh().await.unwrap();
                            connect(&*there, &other, id, false).await;
                        }
                    }
                });
            };
            let clock = Meddling { clock: TestClock::new(1_000), left: AtomicI64::new(nth), meddle: Box::new(meddle) };
            let report = vault.rotate(&everything(None), &clock, None).await;
            assert!(report.is_ok(), "{nth}, {comes_back}: {:?}", report.err());
            assert!(live(&*store).await.iter().all(|id| !before.contains(id)), "{nth}, {comes_back}");
            if clock.left.load(Ordering::SeqCst) > 0 {
                assert!(nth > 10, "only {nth} looks");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_replaced_is_no_success() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    connect(&*store, &vault, "a", true).await;
    // The store key seals nothing more, so it wraps no new key.
    let worn = Vault::open_with(store.clone(), &root(1), 1, base::Limits { due: i64::MAX, most: 1, age: i64::MAX, ..base::Limits::USUAL }).await.unwrap();
    let order = Order { store_key: false, ..everything(None) };
    assert_eq!(worn.rotate(&order, &TestClock::new(10), None).await.unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert!(store.meta("key_rotation").await.unwrap().is_some(), "the next one goes on");
    vault.rotate(&order, &TestClock::new(20), None).await.unwrap();
}

/// Fails when the rotation does not end.
async fn in_time(vault: &Vault, order: Order) -> Result<RotationReport> {
    let clock = TestClock::new(1_000);
    tokio::select! {
        report = vault.rotate(&order, &clock, None) => report,
        () = crate::clock::real_time(Duration::from_secs(60)) => panic!("it does not end"),
    }
}

fn names(e: &Error, account: &str) {
    assert_eq!((e.kind(), e.account_id()), (ErrorKind::Corrupt, Some(account)), "{e:?}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn bent(sealed: &Sealed) -> String {
    let mut bytes = sealed.as_bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    hex(&bytes)
}

#[tokio::test]
async fn a_value_without_its_row_does_not_hold_the_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    connect(&*store, &vault, "a", true).await;
    connect(&*store, &vault, "b", true).await;
    let before = live(&*store).await;
    let old = vault.content("a").await.unwrap().active_id();
    let header = hex(&Sealed::begins(old));
    tamper(dir.path(), &format!("PRAGMA foreign_keys = OFF; INSERT INTO bodies (message_id, version, sealed) VALUES (77, 1, x'{header}00')"));
    names(&in_time(&vault, everything(Some(2))).await.unwrap_err(), "a");
    let left: Vec<_> = live(&*store).await.into_iter().filter(|id| before.contains(id)).collect();
    assert_eq!(left, [old]);
    assert_eq!(store.meta("key_rotation").await.unwrap(), None);
    drop((store, vault));
    let (_store, vault) = open(dir.path(), 2).await;
    names(&in_time(&vault, everything(None)).await.unwrap_err(), "a");
}

#[tokio::test]
async fn values_that_cannot_be_opened_keep_their_key_and_hold_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    fill(&*store, &vault, 450).await;
    connect(&*store, &vault, "b", true).await;
    let before = live(&*store).await;
    let old = [vault.content("a").await.unwrap().active_id(), vault.secrets("b").await.unwrap().active_id()];
    // More than one batch of them, with good ones behind; and one that is no envelope any more.
    tamper(dir.path(), "UPDATE messages SET version = version + 1000 WHERE id <= 250");
    tamper(dir.path(), &format!("UPDATE tokens SET sealed = x'{}' WHERE account_id = 'b'", hex(&Sealed::begins(old[1]))));
    for seed in [2, 3] {
        let e = in_time(&vault, everything(Some(seed))).await.unwrap_err();
        assert!(e.kind() == ErrorKind::Corrupt && e.account_id().is_some() && e.reason().contains("The root key was replaced"), "{e:?}");
        assert_eq!(store.meta("key_rotation").await.unwrap(), None);
        let left: Vec<_> = live(&*store).await.into_iter().filter(|id| before.contains(id)).collect();
        assert!(left.len() == 2 && old.iter().all(|id| left.contains(id)));
        assert_eq!(store.sealed_with(old[0], 10_000).await.unwrap().len(), 250);
    }
    assert!(vault.secrets("b").await.unwrap().active_id() != old[1]);
    drop((store, vault));
    let (store, vault) = open(dir.path(), 3).await;
    vault.secrets("a").await.unwrap().open(token_place("a"), &store.token("a").await.unwrap().unwrap().sealed).unwrap();
    vault.content("b").await.unwrap().open(profile("b"), &store.account("b").await.unwrap().unwrap().profile).unwrap();
    // The damage goes, and its key with it.
    tamper(dir.path(), "UPDATE messages SET version = version - 1000 WHERE id <= 250; DELETE FROM tokens WHERE account_id = 'b'");
    in_time(&vault, everything(None)).await.unwrap();
    assert!(live(&*store).await.iter().all(|id| !before.contains(id)));
}

#[tokio::test]
async fn a_damaged_key_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path(), 1).await;
    connect(&*store, &vault, "a", true).await;
    connect(&*store, &vault, "b", true).await;
    let bad = store.active_key(KeyPurpose::Secrets, Some("a")).await.unwrap().unwrap();
    let good = vault.content("b").await.unwrap().active_id();
    tamper(dir.path(), &format!("UPDATE keys SET wrapped = x'{}' WHERE id = {}", bent(&bad.wrapped.unwrap()), bad.id));
    drop((store, vault));
    let (_store, vault) = open(dir.path(), 1).await;
    names(&in_time(&vault, everything(Some(2))).await.unwrap_err(), "a");
    let (store, vault) = open(dir.path(), 2).await;
    assert!(vault.content("b").await.unwrap().active_id() != good);
    vault.content("b").await.unwrap().open(profile("b"), &store.account("b").await.unwrap().unwrap().profile).unwrap();
}
