//! Subscriptions to the changes of mailboxes, and the mailboxes that have told of changes.

use crate::error::Result;
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;

/// `Absent`: there is none, and one is to be made unless it is not wanted. `Creating`: it may have been made. `Failed`: the last try failed, another follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    Absent,
    Creating,
    Active,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionRow {
    pub account_id: String,
    pub is_wanted: bool,
    pub state: SubscriptionState,
    pub state_since: i64,
    pub graph_id: Option<String>,
    /// Keyed hash of the client state.
    pub client_hash: Option<[u8; 32]>,
    /// 0: there is none.
    pub expires_at: i64,
    /// When something is to be done about it.
    pub next_at: i64,
    /// Failures in a row.
    pub tries: u32,
    /// Microsoft has asked for it.
    pub must_reauthorize: bool,
    /// Why there is none, in our own words.
    pub problem: Option<String>,
    /// Of the account, when it was last made or renewed.
    pub generation: i64,
    /// Name of the certificate that its contents are encrypted for; none: it brings none.
    pub certificate: Option<String>,
    /// Bumped by every write.
    pub version: i64,
}

/// A certificate that contents of notifications are encrypted for.
#[derive(Debug, Clone)]
pub struct CertificateRow {
    /// What Microsoft calls it; 128 random bits.
    pub name: String,
    /// DER in base64.
    pub certificate: String,
    pub made_at: i64,
    /// Its private key, for its [`certificate_place`].
    pub sealed: Sealed,
}

/// Under the store key.
pub fn certificate_place(name: &str) -> AadContext<'_> {
    AadContext { table: "certificates", column: "sealed", account_id: "", row: name, version: 1 }
}

/// What a notification is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSubscription {
    pub client_hash: [u8; 32],
    pub account_id: String,
    /// None: the answer that names it is not stored yet.
    pub graph_id: Option<String>,
    /// Of the account.
    pub tenant_id: String,
    pub app: String,
}

/// What Microsoft tells of a subscription itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lifecycle {
    MustReauthorize,
    Removed,
}

/// An account of which something new was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsRow {
    pub account_id: String,
    /// The process that was told.
    pub holder: String,
    pub number: i64,
    pub at: i64,
}

#[async_trait]
pub trait SubscriptionStore {
    /// Makes a row for every person's account that is connected for its mail and has none.
    async fn add_subscriptions(&self, now: i64) -> Result<()>;
    /// Of connected accounts those whose time has come, and those that were connected anew since; the longest due first.
    async fn due_subscriptions(&self, now: i64, limit: u32) -> Result<Vec<SubscriptionRow>>;
    /// When the next one of a connected account is due.
    async fn next_subscription(&self) -> Result<Option<i64>>;
    async fn subscription(&self, account_id: &str) -> Result<Option<SubscriptionRow>>;
    /// Replaces the row if it still has the version before. False: it was changed meanwhile, or its account has ended.
    async fn save_subscription(&self, row: &SubscriptionRow) -> Result<bool>;
    /// Whether there is to be one; due at once. False: there is no such account.
    async fn want_subscription(&self, account_id: &str, is_wanted: bool, now: i64) -> Result<bool>;
    /// Those that have one of these client states.
    async fn known_subscriptions(&self, client_hashes: &[[u8; 32]]) -> Result<Vec<KnownSubscription>>;
    /// Makes them due. What was told of one that is not there changes nothing.
    async fn tell_subscriptions(&self, told: &[([u8; 32], Lifecycle)], now: i64) -> Result<()>;

    /// Notes that something of these accounts is new. Those that have ended are left out.
    async fn mark_news(&self, account_ids: &[String], holder: &str, now: i64) -> Result<()>;
    /// All that is noted, the oldest first.
    async fn news(&self) -> Result<Vec<NewsRow>>;
    async fn news_of(&self, account_id: &str, holder: &str) -> Result<Option<NewsRow>>;
    async fn newest_certificate(&self) -> Result<Option<CertificateRow>>;
    async fn certificate(&self, name: &str) -> Result<Option<CertificateRow>>;
    async fn add_certificate(&self, row: &CertificateRow) -> Result<()>;
    /// Notes which ones but the newest no subscription was made with any more, and erases those that were noted before `before`. Answers the names of these.
    async fn drop_certificates(&self, now: i64, before: i64) -> Result<Vec<String>>;

    /// It was synced since. Nothing happens if it was noted again meanwhile.
    async fn clear_news(&self, row: &NewsRow) -> Result<()>;
}
