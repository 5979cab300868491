#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::error::ErrorKind;
use crate::model::{AccountState, Feature};
use crate::runtime::block_on;
use crate::seal::{AadContext, Sealed};
use crate::store::{AccountRow, Shorthand, SqliteStore, TokenRow, tamper};
use std::path::Path;
use std::time::Duration;

const SECRET: &[u8] = b"eyJhbGciOi-this-is-the-refresh-token";
const SUBJECT: &[u8] = b"Interview with Ms. Example on Monday";

pub fn root(seed: u8) -> Arc<RootKey> {
    Arc::new(RootKey::raw((seed..seed + 32).collect()).unwrap())
}

pub fn store(dir: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(dir, Duration::from_secs(60)).unwrap())
}

async fn open(dir: &Path) -> (Arc<dyn Store>, Vault) {
    let store = store(dir);
    let vault = Vault::open(store.clone(), root(1), 1).await.unwrap();
    ready(&vault).await;
    (store, vault)
}

/// Uses of the store key for what is sealed without `with_current_keys`. None are left of one that is worn.
pub async fn ready(vault: &Vault) {
    vault.store_key().ready().await;
}

/// The keys of an account, with uses for what is sealed without `with_current_keys`.
pub async fn keys(vault: &Vault, account: &str) -> (DataKey, DataKey) {
    (vault.content(account).await.unwrap().ready().await, vault.secrets(account).await.unwrap().ready().await)
}

pub fn profile(account: &str) -> AadContext<'_> {
    AadContext { table: "accounts", column: "profile", account_id: account, row: account, version: 1 }
}

pub fn token_place(account: &str) -> AadContext<'_> {
    AadContext { table: "tokens", column: "sealed", account_id: account, row: account, version: 1 }
}

pub async fn connect(store: &dyn Store, vault: &Vault, id: &str, with_content: bool) -> Vec<NewKey> {
    ready(vault).await;
    let keys = vault.new_account_keys(id, with_content, 1).unwrap();
    let handles = vault.adopt(id, &keys).await.unwrap();
    handles.content.clone().ready().await;
    let account = AccountRow {
        tenant_id: "tenant".into(),
        user_id: id.to_owned(),
        state: AccountState::Connected,
        features: vec![Feature::MailSync],
        scopes: vec!["Mail.Read".into()],
        generation: store.account(id).await.unwrap().map_or(1, |row| row.generation + 1),
        ..AccountRow::new(id, "owner", handles.content.seal(profile(id), SUBJECT).unwrap(), 1)
    };
    let token = TokenRow { account_id: id.to_owned(), version: 1, sealed: handles.secrets.seal(token_place(id), SECRET).unwrap(), expires_at: 9, refreshed_at: 1 };
    store.store_account(&account, Some(&token), &keys, None, 1).await.unwrap();
    keys
}

#[tokio::test]
async fn keys_come_back_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (store, vault) = open(dir.path()).await;
        connect(&*store, &vault, "a", true).await;
        assert!(Arc::strong_count(&store) > 1);
        std::mem::forget(vault); // as if the process had been killed: nothing is closed
    }
    let (store, vault) = open(dir.path()).await;
    let token = store.token("a").await.unwrap().unwrap();
    assert_eq!(vault.secrets("a").await.unwrap().open(token_place("a"), &token.sealed).unwrap().as_slice(), SECRET);
    let account = store.account("a").await.unwrap().unwrap();
    assert_eq!(vault.content("a").await.unwrap().open(profile("a"), &account.profile).unwrap().as_slice(), SUBJECT);
    // A handle of one class opens nothing of the other.
    let foreign = vault.with_current_keys(async || vault.content("a").await?.open(token_place("a"), &token.sealed)).await;
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(vault.content("nobody").await.unwrap_err().kind(), ErrorKind::NotConnected);
}

#[tokio::test]
async fn a_wrong_key_is_not_damage() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).await);
    let wrong = Vault::open(store(dir.path()), root(2), 1).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::WrongKey);
    // The right key still opens it: the failed attempt changed nothing.
    drop(open(dir.path()).await);
}

#[tokio::test]
async fn damage_is_not_a_wrong_key() {
    for statement in [
        "UPDATE keys SET wrapped = CAST(substr(wrapped, 1, 30) || x'0102030405' || substr(wrapped, 36) AS BLOB)",
        "UPDATE meta SET value = CAST(substr(value, 1, 30) || x'0102030405060708' AS BLOB) WHERE name = 'canary'",
        "DELETE FROM meta WHERE name = 'canary'",
        "DELETE FROM keys",
        "UPDATE keys SET wrapped = NULL",
    ] {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()).await);
        tamper(dir.path(), statement);
        assert_eq!(Vault::open(store(dir.path()), root(1), 1).await.unwrap_err().kind(), ErrorKind::Corrupt, "{statement}");
    }
}

#[tokio::test]
async fn keys_cannot_be_swapped() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path()).await;
    connect(&*store, &vault, "a", true).await;
    drop((store, vault));
    tamper(
        dir.path(),
        "UPDATE keys SET is_active = 0; UPDATE keys SET is_active = 1 WHERE purpose IN ('store', 'audit'); DELETE FROM keys WHERE purpose = 'secrets';
         UPDATE keys SET purpose = 'secrets', is_active = 1 WHERE purpose = 'content'",
    );
    let (_store, vault) = open(dir.path()).await;
    assert_eq!(vault.secrets("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn many_open_a_new_store_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let sealed: Vec<Sealed> = std::thread::scope(|s| {
        let threads: Vec<_> = (0..6).map(|_| s.spawn(|| block_on(open(dir.path())).1.store_key().seal(profile(""), b"one").unwrap())).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let (_store, vault) = open(dir.path()).await;
    for one in sealed {
        assert_eq!(vault.store_key().open(profile(""), &one).unwrap().as_slice(), b"one");
    }
}

#[tokio::test]
async fn another_process_s_disconnect_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (first, here) = open(dir.path()).await;
    let (second, there) = open(dir.path()).await;
    connect(&*first, &here, "a", true).await;
    there.secrets("a").await.unwrap();
    first.disconnect_account("a", "by hand", 2).await.unwrap();
    assert_eq!(there.secrets("a").await.unwrap_err().kind(), ErrorKind::NotConnected);
    there.content("a").await.unwrap();
    // Connected again: the new key is used, the content key is still the old one.
    connect(&*second, &there, "a", false).await;
    let token = first.token("a").await.unwrap().unwrap();
    assert_eq!(here.secrets("a").await.unwrap().open(token_place("a"), &token.sealed).unwrap().as_slice(), SECRET);
    assert_eq!(there.hashes("a").await.unwrap().of("p", &[b"x"]).unwrap(), here.hashes("a").await.unwrap().of("p", &[b"x"]).unwrap());
}

#[tokio::test]
async fn a_key_that_has_sealed_enough_is_replaced_on_the_spot() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    let limits = Limits { due: 5_000, most: 20_000, age: i64::MAX, ..Limits::USUAL };
    let vault = Vault::open_with(store.clone(), &root(1), 1, limits).await.unwrap();
    connect(&*store, &vault, "a", true).await;
    let key = vault.content("a").await.unwrap();
    let (first, hash) = (key.active_id(), vault.hashes("a").await.unwrap().of("p", &[b"x"]).unwrap());
    let seal = async || vault.with_current_keys(async || key.seal(profile("a"), b"x")).await;
    let early = seal().await.unwrap();
    for _ in 0..30_000 {
        seal().await.unwrap();
    }
    assert_ne!(key.active_id(), first);
    // 4,096 belong to whoever made the key.
    assert!(store.key(first).await.unwrap().unwrap().uses < 20_000);
    assert_eq!(key.open(profile("a"), &early).unwrap().as_slice(), b"x");
    vault.forget("a");
    assert_eq!(vault.hashes("a").await.unwrap().of("p", &[b"x"]).unwrap(), hash);
    // Where it cannot be replaced, inside a transaction, it ends before it is unsafe.
    let dir = tempfile::tempdir().unwrap();
    let store = self::store(dir.path());
    let limits = Limits { due: i64::MAX, most: 5_000, age: i64::MAX, ..Limits::USUAL };
    let vault = Vault::open_with(store.clone(), &root(1), 1, limits).await.unwrap();
    connect(&*store, &vault, "b", true).await;
    let key = vault.content("b").await.unwrap();
    let mut made = 0;
    let refused = loop {
        match vault.with_current_keys(async || key.seal(profile("b"), b"x")).await {
            Ok(_) => made += 1,
            Err(e) => break e,
        }
    };
    assert_eq!((made, refused.kind()), (5_000 - 4_096, ErrorKind::LimitExceeded));
}

#[tokio::test]
async fn keys_of_idle_accounts_are_not_kept_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path()).await;
    for id in ["idle", "busy"] {
        connect(&*store, &vault, id, true).await;
    }
    let hash = vault.hashes("idle").await.unwrap().of("test", &[b"x"]).unwrap();
    let sealed = vault.content("idle").await.unwrap().ready().await.seal(profile("idle"), SUBJECT).unwrap();
    vault.secrets("idle").await.unwrap();
    let held = vault.content("busy").await.unwrap();
    vault.keep_up().await.unwrap();
    assert!(lock(&vault.0.content).keys().eq(["busy"]) && lock(&vault.0.secrets).is_empty() && lock(&vault.0.hashes).is_empty());
    assert!(held.is_held());
    // They come back when they are needed.
    assert_eq!(vault.content("idle").await.unwrap().open(profile("idle"), &sealed).unwrap().as_slice(), SUBJECT);
    assert_eq!(vault.hashes("idle").await.unwrap().of("test", &[b"x"]).unwrap(), hash);
}

#[tokio::test]
async fn hashes_depend_on_key_purpose_and_split() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path()).await;
    connect(&*store, &vault, "a", true).await;
    connect(&*store, &vault, "b", true).await;
    let hash = async |account: &str, purpose: &str, parts: &[&[u8]]| vault.hashes(account).await.unwrap().of(purpose, parts).unwrap();
    let one = hash("a", "lane", &[b"x", b"y"]).await;
    assert_eq!(one, hash("a", "lane", &[b"x", b"y"]).await);
    assert_ne!(one, hash("b", "lane", &[b"x", b"y"]).await);
    assert_ne!(one, hash("a", "content", &[b"x", b"y"]).await);
    assert_ne!(one, hash("a", "lane", &[b"xy"]).await);
    vault.forget("a");
    assert_eq!(one, hash("a", "lane", &[b"x", b"y"]).await);
    assert_eq!(format!("{vault:?}{:?}", vault.content("a").await.unwrap()), "Vault(…)DataKey(…)");
}

#[tokio::test]
async fn after_disconnect_no_file_holds_secret_or_key() {
    let dir = tempfile::tempdir().unwrap();
    let (store, vault) = open(dir.path()).await;
    let keys = connect(&*store, &vault, "a", true).await;
    let token = store.token("a").await.unwrap().unwrap().sealed;
    let wrapped = keys.iter().find(|k| k.purpose == KeyPurpose::Secrets).unwrap().wrapped.clone();
    // While connected, envelopes are there and plain text is not.
    assert!(found(dir.path(), wrapped.as_bytes()) && found(dir.path(), token.as_bytes()));
    assert!(!found(dir.path(), SECRET) && !found(dir.path(), SUBJECT));
    store.disconnect_account("a", "by hand", 2).await.unwrap();
    vault.forget("a");
    assert!(!found(dir.path(), wrapped.as_bytes()), "the wrapped key outlived the disconnect");
    assert!(!found(dir.path(), token.as_bytes()), "the token outlived the disconnect");
    assert!(!found(dir.path(), SECRET) && !found(dir.path(), SUBJECT));
    let bytes: Vec<u8> = (1..33).collect();
    assert!(!found(dir.path(), &bytes));
}

/// Any sixteen bytes of the middle of `needle`, in any file of the store.
pub fn found(dir: &Path, needle: &[u8]) -> bool {
    let middle = &needle[needle.len() / 2 - 8..needle.len() / 2 + 8];
    std::fs::read_dir(dir).unwrap().any(|entry| std::fs::read(entry.unwrap().path()).unwrap().windows(middle.len()).any(|w| w == middle))
}
