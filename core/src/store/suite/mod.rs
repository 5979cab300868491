//! What every backend must do. `store_suite!` makes a test of each function; a backend hands in how to make an empty store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod accounts;
mod answers;
mod audit;
mod backfills;
mod bots;
mod cache;
mod chats;
mod calendar;
mod teams_messages;
mod contacts;
mod delegates;
mod edits;
mod endpoints;
mod health;
mod last_senders;
mod links;
mod mail;
mod outbox;
mod waiting;
mod paces;
mod parts;
mod polls;
mod purge;
mod rules;
mod search;
mod signatures;
mod staging;
mod threads;
mod subscriptions;
mod throttles;
mod trim;
mod workflows;

pub use accounts::*;
pub use answers::*;
pub use audit::*;
pub use backfills::*;
pub use bots::*;
pub use cache::*;
pub use chats::*;
pub use calendar::*;
pub use teams_messages::*;
pub use contacts::*;
pub use delegates::*;
pub use edits::*;
pub use endpoints::*;
pub use health::*;
pub use last_senders::*;
pub use links::*;
pub use mail::*;
pub use outbox::*;
pub use waiting::*;
pub use paces::*;
pub use parts::*;
pub use polls::*;
pub use purge::*;
pub use rules::*;
pub use search::*;
pub use signatures::*;
pub use staging::*;
pub use threads::*;
pub use subscriptions::*;
pub use throttles::*;
pub use trim::*;
pub use workflows::*;

use super::*;
use crate::error::Result;
use crate::model::{AccountState, ChangeKind, Feature, QuarantineKind, SendRoute};
use crate::seal::{Cipher, KeyBytes, AadContext, Sealed};

macro_rules! store_suite {
    ($make:expr, [$($name:ident),+ $(,)?]) => {
        $(#[tokio::test]
        async fn $name() {
            let made = $make();
            $crate::store::suite::$name(&made.store).await;
        })+
    };
}
pub(super) use store_suite;

/// Under key 2, the content key of the first account that is connected.
pub fn sealed(text: &str) -> Sealed {
    sealed_by(2, text)
}

fn sealed_by(key_id: i64, text: &str) -> Sealed {
    let key = KeyBytes::from_slice(&[7; 32]).unwrap();
    Cipher::new(b"suite", key_id, &key).seal(AadContext { table: "t", column: "c", account_id: "", row: "", version: 1 }, text.as_bytes()).unwrap()
}

/// Signs with a key everybody knows.
pub struct Clerk;

impl AuditSigner for Clerk {
    fn sign(&self, parts: &[&[u8]]) -> crate::error::Result<[u8; 32]> {
        KeyBytes::from_slice(&[3; 32]).unwrap().mac(parts)
    }
    fn owner(&self, owner: &str) -> crate::error::Result<String> {
        Ok(format!("own_{}", owner.len()))
    }
}

/// The log, as the vault makes it at open.
pub async fn with_log(s: &dyn Store) {
    let key = NewKey { id: i64::MAX, purpose: KeyPurpose::Audit, account_id: None, wrapped: sealed("key"), created_at: 1 };
    s.begin_audit(&key, Arc::new(Clerk), 1).await.unwrap();
    s.set_audit_signer(Arc::new(Clerk));
}

/// Steps of a store with what tests usually say to them.
#[async_trait::async_trait]
pub trait Shorthand {
    fn store(&self) -> &dyn Store;

    /// One of some owner.
    async fn insert_attempt(&self, attempt: &NewAttempt) -> Result<()> {
        self.store().leave_attempt(attempt, "owner", None).await
    }

    async fn store_account(&self, account: &AccountRow, token: Option<&TokenRow>, keys: &[NewKey], replaces: Option<&str>, now: i64) -> Result<AccountRow> {
        AccountStore::connect_account(self.store(), NewConnection { attempt: None, account, token, keys, replaces, endpoint: None }, now).await
    }

    async fn finish_attempt(&self, state_hash: &[u8], account: &AccountRow, token: Option<&TokenRow>, keys: &[NewKey], now: i64) -> Result<AccountRow> {
        AccountStore::connect_account(self.store(), NewConnection { attempt: Some(state_hash), account, token, keys, replaces: None, endpoint: None }, now).await
    }

    async fn find_account(&self, owner: &str, tenant_id: &str, user_id: &str) -> Result<Option<AccountRow>> {
        Ok(self.store().accounts(AccountQuery::Person { owner, tenant_id, user_id }).await?.pop())
    }

    async fn set_account_state(&self, id: &str, generation: i64, state: AccountState, problem: Option<&str>, now: i64) -> Result<bool> {
        self.store().change_account(id, Some(generation), AccountChange::State { state, problem: problem.map(str::to_owned) }, now).await
    }
}

impl Shorthand for dyn Store + '_ {
    fn store(&self) -> &dyn Store {
        self
    }
}

impl Shorthand for SqliteStore {
    fn store(&self) -> &dyn Store {
        self
    }
}

fn key(id: i64, purpose: KeyPurpose, account: &str) -> NewKey {
    NewKey { id, purpose, account_id: Some(account.to_owned()), wrapped: sealed("key"), created_at: 1 }
}

pub fn account(id: &str) -> AccountRow {
    AccountRow {
        tenant_id: "t".into(),
        user_id: format!("user-{id}"),
        state: AccountState::Connected,
        features: vec![Feature::Chat, Feature::MailSync],
        scopes: vec!["Mail.Read".into(), "Chat.ReadWrite".into()],
        ..AccountRow::new(id, "owner", sealed("profile"), 5)
    }
}

fn token(id: &str, version: i64) -> TokenRow {
    TokenRow { account_id: id.to_owned(), version, sealed: sealed("token"), expires_at: 100, refreshed_at: 1 }
}

pub async fn connect(s: &dyn Store, id: &str) -> AccountRow {
    let n = s.key(1).await.unwrap().map_or(1, |_| 1 + crate::runtime::block_on(changes(s, 0)).len() as i64 * 10);
    s.store_account(&account(id), Some(&token(id, 1)), &[key(n, KeyPurpose::Secrets, id), key(n + 1, KeyPurpose::Content, id)], None, 10).await.unwrap()
}

pub fn item_of(account: &str, ordering_key: &str, key: Option<&str>) -> NewItem {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let id = format!("snd_{:016x}{:016x}", std::process::id(), COUNT.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
    NewItem {
        id,
        account_id: account.into(),
        route: SendRoute::Mail,
        ordering_key: ordering_key.into(),
        key: key.map(Into::into),
        content_hash: vec![1],
        hash_version: 1,
        deadline: None,
        send_at: None,
        created_at: 1,
        is_bulk: true,
        progress: None,
        last_sender: None,
        part: None,
    }
}

/// A draft with one file in two pieces.
pub fn content() -> Content {
    let part = |part| Part { file: 0, part, sealed: sealed("part") };
    Content { payload: sealed("payload"), version: 2, parts: vec![part(0), part(1)], staged: Vec::new() }
}

/// A send without a key, in a lane of its account.
#[cfg(unix)]
pub async fn try_enqueue(s: &dyn Store, account: &str) -> crate::error::Result<String> {
    s.put(&item_of(account, "lane", None), &content()).await.map(|enqueued| match enqueued {
        Enqueued::New(row) => row.id,
        other => panic!("{other:?}"),
    })
}

pub async fn enqueue(s: &dyn Store, account: &str, ordering_key: &str, key: Option<&str>) -> String {
    match s.put(&item_of(account, ordering_key, key), &content()).await.unwrap() {
        Enqueued::New(row) => row.id,
        other => panic!("{other:?}"),
    }
}

pub fn step(state: ItemState) -> Step {
    Step { state, progress: None, reason: None, next_at: None, sent_at: None, claim_until: state.is_open().then_some(100), tally: Tally::Attempt, tidy_at: None, claim_next_until: None, announce: true, links: Vec::new(), sent_mail: None, retires: None, said: None }
}

pub async fn lease(s: &dyn Store) -> Lease {
    s.take_lease("sync:a", "me", 0, 1_000_000).await.unwrap().unwrap()
}

pub fn folder(id: &str) -> FolderRow {
    FolderRow { graph_id: id.into(), parent_id: None, well_known_name: None, name: sealed(id), version: 1, total: 3, unread: 1, is_synced: true, is_search: false }
}

pub fn message(id: &str, folder: &str, version: i64) -> NewMessage {
    NewMessage {
        id: format!("msg_{id}"),
        graph_id: id.into(),
        folder_id: folder.into(),
        conversation_id: "c".into(),
        change_key: format!("ck{version}"),
        received_at: Some(1_000),
        is_read: false,
        is_draft: false,
        head: sealed("head"),
        body: Some(sealed("body")),
        search: None,
        version,
        is_unlisted: false,
        has_attachments: false,
        change: Some(if version == 1 { ChangeKind::MessageAdded } else { ChangeKind::MessageChanged }),
    }
}

pub fn page(account_id: &str, lease: &Lease, upserts: Vec<NewMessage>) -> PageBatch {
    PageBatch {
        account_id: account_id.into(),
        folder_id: "in".into(),
        generation: 1,
        lease: lease.clone(),
        enumeration: 1,
        upserts,
        seen: vec![],
        pending_removals: vec![],
        quarantined: vec![],
        edits: vec![],
        links: vec![],
        candidates: vec![],
        cursor: Some(Cursor { link: sealed("link"), version: 1, is_delta: false }),
        step: None,
        page_size: None,
        completes_pass: false,
        now: 100,
    }
}

pub async fn apply(s: &dyn Store, lease: &Lease, upserts: Vec<NewMessage>, change: impl FnOnce(&mut PageBatch)) -> Applied {
    let mut batch = page("a", lease, upserts);
    change(&mut batch);
    s.apply(batch).await.unwrap()
}

/// Folders that are new in the list.
pub fn listed(rows: &[FolderRow]) -> FolderNews {
    FolderNews { changed: rows.to_vec(), ..FolderNews::default() }
}

pub fn window() -> MessageWindow {
    MessageWindow { mailboxes: vec![of_account("a")], limit: 100, ..MessageWindow::default() }
}

pub fn of_account(id: &str) -> Mailbox {
    Mailbox { account_id: id.into(), folder_id: None }
}

pub fn of_folder(id: &str) -> Mailbox {
    Mailbox { folder_id: Some(id.into()), ..of_account("a") }
}

/// The feed of all accounts of these tests.
pub async fn changes(s: &dyn Store, after: i64) -> Vec<ChangeRow> {
    s.changes(&["a", "b", "c", "w", "z"].map(str::to_owned), after, 10_000).await.unwrap()
}

async fn mailbox(s: &dyn Store) -> Lease {
    connect(s, "a").await;
    let lease = lease(s).await;
    assert!(s.save_folders("a", 1, &lease, &listed(&[folder("in"), folder("out")]), 1).await.unwrap());
    lease
}

/// Kinds in the feed after the ones `since`.
async fn told(s: &dyn Store, since: i64) -> Vec<ChangeKind> {
    changes(s, since).await.into_iter().map(|c| c.kind).collect()
}

async fn last(s: &dyn Store) -> i64 {
    changes(s, 0).await.last().map_or(0, |c| c.id)
}

async fn id_of(s: &dyn Store, graph_id: &str) -> i64 {
    s.known("a", &[graph_id]).await.unwrap()[0].row_id
}
