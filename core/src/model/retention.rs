//! Keys, audit, erasure.

use super::rfc3339;
use crate::secret::RootKey;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::SystemTime;

/// Which keys to replace. Nothing stops meanwhile; a rotation that was cut off goes on with the next one. Processes that have the store open go on with
/// the root key they were opened with: a new store key is also kept under the one it replaces, for two hours, and every process looks for it within the
/// hour. So for two hours the replaced store key still opens the new one, in this file and in copies of it made meanwhile; after that it opens nothing
/// here. A process that slept through these hours gets VaultLocked until it is opened with the new root key.
#[derive(Debug, Clone)]
pub struct KeyRotation {
    /// The new key that opens the store; other processes need it at their next start.
    pub new_root_key: Option<Arc<RootKey>>,
    /// The key between root key and accounts.
    pub store_key: bool,
    /// Keys of tokens and mail; everything sealed with them is sealed anew.
    pub data_keys: bool,
    /// Data keys of this account only.
    pub account_id: Option<String>,
}

impl Default for KeyRotation {
    /// Store key and all data keys; the root key stays.
    fn default() -> Self {
        Self { new_root_key: None, store_key: true, data_keys: true, account_id: None }
    }
}

/// What a rotation did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationReport {
    pub root_key: bool,
    pub store_key: bool,
    /// Data keys replaced.
    pub data_keys: u32,
    /// Values sealed anew.
    pub values: u64,
    pub duration_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    StoreMade,
    SignedIn,
    SignInRefused,
    ApprovalAsked,
    StateChanged,
    Disconnected,
    ContentRead,
    RawRequest,
    SendQueued,
    SendSettled,
    SentChanged,
    KeyRotated,
    KeyDestroyed,
    OwnerDeleted,
    OwnerRestored,
    Purged,
    StoreCopied,
    ChainBegun,
    AuditTrimmed,
    WorkflowAdded,
    WorkflowRemoved,
}

/// One entry of the audit log. Never holds content, addresses or secrets. Every owner has a chain of records; what belongs to no owner, the store and its
/// own keys, has one too, and so has what a version before chains per owner wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// 1, 2, 3 …, without gaps in its chain.
    pub number: u64,
    /// Keyed hash of the owner whose chain it is in; none: the store's own.
    pub owner: Option<String>,
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    pub kind: AuditKind,
    pub account_id: Option<String>,
    /// Id of the message or receipt, or a keyed hash of the owner.
    pub subject: Option<String>,
    /// What happened, in words.
    pub detail: String,
    /// Keyed hash over this record and the hash before it in its chain, in hex.
    pub hash: String,
}

/// Oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    pub items: Vec<AuditRecord>,
    /// Cursor for what comes after; none when there are no records at all.
    pub next: Option<String>,
}

/// The end of one owner's chain at some moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChainHead {
    /// Keyed hash of the owner.
    pub owner: String,
    pub number: u64,
    pub hash: String,
}

/// The end of the log at some moment. Keep it elsewhere: a log cut off behind the store's back shows against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// Of the last record of the store's own chain, or of the one owner who was asked about.
    pub number: u64,
    pub hash: String,
    /// Keyed hash of the one owner who was asked about.
    #[serde(default)]
    pub owner: Option<String>,
    /// Of all owners, when all were asked about.
    #[serde(default)]
    pub chains: Vec<AuditChainHead>,
}

/// `Changed`: a record is not as it was written. `Missing`: one is gone. `Swapped`: one stands in another's place. `TailMissing`: the end is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditFault {
    Changed,
    Missing,
    Swapped,
    TailMissing,
}

/// Whether the log, or one owner's chain, is as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditVerdict {
    pub intact: bool,
    /// How many there are, of all chains that were asked about.
    pub records: u64,
    /// None when there is nothing to note.
    pub head: Option<AuditHead>,
    pub fault: Option<AuditFault>,
    /// Keyed hash of the owner in whose chain the fault is; none: in the store's own.
    pub owner: Option<String>,
    /// Number, in its chain, of the first record that is wrong or gone.
    pub at: Option<u64>,
    pub reason: String,
}

/// What to purge: an account, or everything of an owner. Exactly one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PurgeRequest {
    pub account_id: Option<String>,
    pub owner: Option<String>,
}

/// A purge that has ended; it is also in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeReport {
    pub account_ids: Vec<String>,
    /// Mails, sends and other rows erased.
    pub rows: u64,
    #[serde(with = "rfc3339")]
    pub finished_at: SystemTime,
}

/// An owner who was deleted: all accounts are disconnected, what is held of them is purged at `purge_at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerDeletion {
    pub owner: String,
    pub account_ids: Vec<String>,
    #[serde(with = "rfc3339")]
    pub purge_at: SystemTime,
}
