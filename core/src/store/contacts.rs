//! Contacts of mailboxes.

use super::Lease;
use crate::error::Result;
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;
use std::collections::HashMap;

/// How far a folder of contacts is.
#[derive(Debug, Clone)]
pub struct ContactFolderRow {
    pub graph_id: String,
    /// Under the secrets key, for its [`contact_cursor_place`].
    pub link: Option<Sealed>,
    pub link_version: i64,
    pub enumeration: i64,
}

/// What is here of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownContact {
    pub graph_id: String,
    pub folder_id: String,
    pub change_key: String,
    pub version: i64,
}

#[derive(Debug, Clone)]
pub struct NewContact {
    /// Of a contact that is not here yet.
    pub public_id: String,
    pub graph_id: String,
    pub change_key: String,
    /// One more than what is here; 1 of one that is not.
    pub version: i64,
    /// Under the content key, for its [`contact_place`].
    pub sealed: Sealed,
    /// Keyed hashes of its addresses.
    pub addresses: Vec<[u8; 32]>,
}

/// A page of a folder.
#[derive(Debug, Clone)]
pub struct ContactBatch {
    pub account_id: String,
    pub generation: i64,
    pub lease: Lease,
    pub folder_id: String,
    pub enumeration: i64,
    pub put: Vec<NewContact>,
    /// Shown, and as they are here; and where they were before, if elsewhere.
    pub same: Vec<String>,
    /// Removed from this folder.
    pub gone: Vec<String>,
    pub link: Sealed,
    pub link_version: i64,
    /// The folder was shown whole: what this enumeration did not show is not in it.
    pub is_delta: bool,
    pub now: i64,
}

#[derive(Debug, Clone)]
pub struct ContactRow {
    pub row_id: i64,
    pub public_id: String,
    pub account_id: String,
    pub graph_id: String,
    pub folder_id: String,
    pub version: i64,
    pub sealed: Sealed,
}

#[derive(Debug, Clone, Default)]
pub struct ContactWindow {
    pub account_ids: Vec<String>,
    /// Hash of an address, by account.
    pub address: Option<HashMap<String, [u8; 32]>>,
    pub after: i64,
    pub limit: u32,
}

pub fn contact_place<'a>(account_id: &'a str, graph_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "contacts", column: "sealed", account_id, row: graph_id, version }
}

pub fn contact_cursor_place<'a>(account_id: &'a str, folder_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "contact_folders", column: "link", account_id, row: folder_id, version }
}

#[async_trait]
pub trait ContactStore {
    async fn contact_folders(&self, account_id: &str) -> Result<Vec<ContactFolderRow>>;
    /// The folder is read from its beginning. Answers the enumeration; none: the account changed, or somebody else has the lease.
    async fn begin_contacts(&self, account_id: &str, generation: i64, lease: &Lease, folder_id: &str) -> Result<Option<i64>>;
    async fn known_contacts(&self, account_id: &str, graph_ids: &[String]) -> Result<Vec<KnownContact>>;
    /// Page and link in one transaction. None: the account changed, or somebody else has the lease, and nothing was written. Answers how many changed.
    async fn store_contacts(&self, batch: ContactBatch) -> Result<Option<u32>>;
    /// All folders were read: those that are not among them are gone with what is in them, and what was removed from a folder and is in no other is gone.
    /// None: as above. Answers how many are gone.
    async fn settle_contacts(&self, account_id: &str, generation: i64, lease: &Lease, folders: &[String], now: i64) -> Result<Option<u32>>;
    /// The oldest first, one more than `limit` if there are.
    async fn contacts(&self, window: &ContactWindow) -> Result<Vec<ContactRow>>;
}
