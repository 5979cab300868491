#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::rotate::Order;
use super::tests::{connect, root, store};
use super::*;
use crate::clock::TestClock;
use crate::error::ErrorKind;
use crate::store::{ROOT_KDF, tamper};

const PHRASE: &str = "correct horse battery staple";

fn phrase(text: &str) -> Arc<RootKey> {
    Arc::new(RootKey::passphrase(text.into()).unwrap())
}

fn kms(seed: u8, wrapped: &[u8]) -> Arc<RootKey> {
    Arc::new(RootKey::unwrapped((seed..seed + 32).collect(), wrapped.to_vec()).unwrap())
}

async fn kind(dir: &Path, key: Arc<RootKey>) -> ErrorKind {
    Vault::open(store(dir), key, 1).await.unwrap_err().kind()
}

#[tokio::test]
async fn a_passphrase_opens_its_store_and_nothing_else_does() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = store(dir.path());
        let vault = Vault::open(store.clone(), phrase(PHRASE), 1).await.unwrap();
        connect(&*store, &vault, "a", true).await;
    }
    assert_eq!(kind(dir.path(), phrase("incorrect horse battery staple")).await, ErrorKind::WrongKey);
    assert_eq!(kind(dir.path(), root(1)).await, ErrorKind::WrongKey);
    assert_eq!(kind(dir.path(), kms(1, b"w")).await, ErrorKind::WrongKey);
    let again = Vault::open(store(dir.path()), phrase(PHRASE), 1).await.unwrap();
    again.content("a").await.unwrap();
    assert_eq!(wrapped_root_key(dir.path()).unwrap(), None);
    for name in ["tidings.db", "tidings.db-wal"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap();
        assert!(!bytes.windows(PHRASE.len()).any(|part| part == PHRASE.as_bytes()));
    }
    // A raw store knows no passphrase.
    let raw = tempfile::tempdir().unwrap();
    Vault::open(store(raw.path()), root(1), 1).await.unwrap();
    assert_eq!(kind(raw.path(), phrase(PHRASE)).await, ErrorKind::WrongKey);
}

#[tokio::test]
async fn altered_costs_are_damage_and_never_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    let made = store(dir.path());
    Vault::open(made.clone(), phrase(PHRASE), 1).await.unwrap();
    let good = String::from_utf8(made.meta(ROOT_KDF).await.unwrap().unwrap()).unwrap();
    drop(made);
    for (from, to) in [
        ("\"memory_kib\":65536", "\"memory_kib\":104857600"),
        ("\"memory_kib\":65536", "\"memory_kib\":8"),
        ("\"memory_kib\":65536", "\"memory_kib\":-1"),
        ("\"passes\":3", "\"passes\":0"),
        ("\"passes\":3", "\"passes\":4000000000"),
        ("\"lanes\":4", "\"lanes\":0"),
        ("\"lanes\":4", "\"lanes\":100000"),
        ("argon2id", "argon2d"),
        ("\"salt\":\"", "\"salt\":\"AAAA"),
        ("{", "{\"more\":1,"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        tamper(dir.path(), &format!("UPDATE meta SET value = CAST('{bad}' AS BLOB) WHERE name = 'root_kdf'"));
        assert_eq!(kind(dir.path(), phrase(PHRASE)).await, ErrorKind::Corrupt, "{to}");
    }
    tamper(dir.path(), &format!("UPDATE meta SET value = CAST('{good}' AS BLOB) WHERE name = 'root_kdf'"));
    Vault::open(store(dir.path()), phrase(PHRASE), 1).await.unwrap();
}

#[tokio::test]
async fn the_wrapped_key_is_given_back_and_goes_with_its_root() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(wrapped_root_key(&dir.path().join("none")).unwrap(), None);
    assert_eq!(wrapped_root_key(dir.path()).unwrap(), None);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "asking makes nothing");
    let made = store(dir.path());
    assert_eq!(wrapped_root_key(dir.path()).unwrap(), None, "a store without keys yet");
    let vault = Vault::open(made.clone(), kms(1, b"as the KMS wrapped it"), 1).await.unwrap();
    assert_eq!(wrapped_root_key(dir.path()).unwrap().unwrap(), b"as the KMS wrapped it");
    let to = async |key: Arc<RootKey>| vault.rotate(&Order { new_root: Some(key), ..Order::default() }, &TestClock::new(1), None).await.unwrap();
    to(kms(2, b"another")).await;
    assert_eq!(wrapped_root_key(dir.path()).unwrap().unwrap(), b"another");
    to(phrase(PHRASE)).await;
    assert_eq!(wrapped_root_key(dir.path()).unwrap(), None);
    Vault::open(store(dir.path()), phrase(PHRASE), 1).await.unwrap();
    let salt = made.meta(ROOT_KDF).await.unwrap();
    to(phrase(PHRASE)).await;
    assert_ne!(made.meta(ROOT_KDF).await.unwrap(), salt, "each root key has its own salt");
    to(root(9)).await;
    assert_eq!(made.meta(ROOT_KDF).await.unwrap(), None);
    drop((vault, made));
    Vault::open(store(dir.path()), root(9), 1).await.unwrap();
    // The same checks as for a store that is opened.
    let other = tempfile::tempdir().unwrap();
    let link = other.path().join("link");
    std::os::unix::fs::symlink(dir.path(), &link).unwrap();
    assert_eq!(wrapped_root_key(&link).unwrap_err().kind(), ErrorKind::InvalidInput);
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(dir.path().join("tidings.db"), other.path().join("tidings.db")).unwrap();
    assert_eq!(wrapped_root_key(other.path()).unwrap_err().kind(), ErrorKind::InvalidInput);
    tamper(dir.path(), "INSERT INTO meta (name, value) VALUES ('root_wrapped', zeroblob(20000))");
    assert_eq!(wrapped_root_key(dir.path()).unwrap_err().kind(), ErrorKind::Corrupt);
    std::fs::write(dir.path().join("tidings.db"), "no database, but long enough to be looked at as one").unwrap();
    assert_eq!(wrapped_root_key(dir.path()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn bad_root_keys_are_refused_and_none_is_printed() {
    let refused = |made: Result<RootKey>| assert_eq!(made.unwrap_err().kind(), ErrorKind::InvalidInput);
    refused(RootKey::raw(vec![1; 32]));
    refused(RootKey::raw((0..31).collect()));
    refused(RootKey::passphrase("eleven char".into()));
    refused(RootKey::passphrase("x".repeat(12)));
    refused(RootKey::passphrase("ab".repeat(3_000)));
    refused(RootKey::unwrapped((0..32).collect(), vec![]));
    refused(RootKey::unwrapped((0..32).collect(), vec![7; 16 * 1024 + 1]));
    refused(RootKey::unwrapped((0..32).collect(), (0..40).collect()));
    RootKey::unwrapped((0..32).collect(), vec![7; 16 * 1024]).unwrap();
    // Twelve characters of any script.
    phrase("пароль-пароль");
    let order = Order { new_root: Some(phrase(PHRASE)), ..Order::default() };
    let shown = format!("{:?}{:?}{:?}{order:?}", phrase(PHRASE), root(1), kms(1, b"wrapped"));
    assert!(!shown.contains("horse") && !shown.contains("wrapped\"") && !shown.contains(", 2, 3"), "{shown}");
}

/// There is no Secret Service where tests run.
#[allow(clippy::disallowed_methods)] // looks where it runs
#[test]
fn a_system_without_key_store_is_locked() {
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none() && cfg!(target_os = "linux") {
        let e = RootKey::from_keyring("tidings test".into(), "nobody".into()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::VaultLocked);
        assert!(e.reason().contains("key store"));
    }
}
