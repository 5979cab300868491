use super::account::AccountState;
use super::rfc3339;
use crate::error::ErrorKind;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// `Healthy`: a success within 25 hours, or it has nothing to sync. `Incomplete`: the same, but something is set aside. `NeverSynced`: nothing was fetched yet. `Stale`: the last success is older. `Error`: it does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Badge {
    Healthy,
    Incomplete,
    NeverSynced,
    Stale,
    Error,
}

/// How news of a mailbox come: `Manual` when the host calls `sync`, `Push` while Microsoft posts to `notification_url`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Manual,
    Polling,
    Push,
}

/// How an account is doing, from recorded facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountHealth {
    pub account_id: String,
    pub badge: Badge,
    pub state: AccountState,
    pub transport: Transport,
    /// Last complete sync.
    #[serde(with = "rfc3339::option")]
    pub last_success_at: Option<SystemTime>,
    /// Last failure since then.
    #[serde(with = "rfc3339::option")]
    pub last_error_at: Option<SystemTime>,
    pub last_error_kind: Option<ErrorKind>,
    pub last_error: Option<String>,
    /// What is set aside because it could not be read or told; `quarantined` lists it.
    pub quarantined: u32,
    /// Sends that wait for the host since the store was copied or restored.
    pub parked_sends: u32,
    /// What to do, in words; empty when there is nothing to do.
    pub next_step: String,
    /// Since when news come that way; none where it is the usual way.
    #[serde(with = "rfc3339::option")]
    pub transport_since: Option<SystemTime>,
}

/// All accounts of an owner; the badge is that of the worst.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub owner: String,
    pub badge: Badge,
    pub accounts: Vec<AccountHealth>,
}

/// Counts since the engine was opened, in this process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// HTTP requests sent, those answered 429, those sent again, those that ended in an error.
    pub requests: u64,
    pub throttled: u64,
    pub retries: u64,
    pub failures: u64,
    pub tokens_renewed: u64,
    pub sends_queued: u64,
    pub sends_sent: u64,
    pub sends_failed: u64,
    pub sends_unknown: u64,
    pub syncs: u64,
    pub pages: u64,
    pub messages_stored: u64,
    /// Sends that were parked when the engine was opened, since the store was copied or restored.
    pub sends_parked: u64,
    /// Notifications that belong to a subscription of the store, and activities of a bot in an organisation that is connected; and those that were dropped: forged, of unknown or
    /// ended subscriptions, of another tenant.
    pub notifications: u64,
    pub notifications_refused: u64,
    pub subscriptions_made: u64,
    pub subscriptions_renewed: u64,
    /// Encrypted contents of notifications that were proven, and those that were dropped: not Microsoft's, for no certificate of the store, changed on the way, or shown twice.
    pub contents_proven: u64,
    pub contents_refused: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogField {
    pub name: String,
    pub value: String,
}

/// One log record, without line breaks or control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    pub level: LogLevel,
    /// Part of the engine, as in `tidings::auth`.
    pub target: String,
    pub message: String,
    pub fields: Vec<LogField>,
}
