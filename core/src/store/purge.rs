//! Erasing an account for good, and owners who are deleted.

use crate::error::Result;
use async_trait::async_trait;

/// A purge as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeRow {
    pub account_id: String,
    /// Rows erased so far.
    pub erased: u64,
    pub ended_at: Option<i64>,
}

/// Whose accounts are purged.
#[derive(Debug, Clone, Copy)]
pub enum Purged<'a> {
    Account(&'a str),
    /// All of an owner, whose deletion is settled with it.
    Owner(&'a str),
    /// All of a deleted owner whose time has come: none when the deletion was taken back, or made anew, meanwhile.
    DueOwner(&'a str),
}

#[async_trait]
pub trait PurgeStore {
    /// In one step: the accounts disconnected, all their keys destroyed, names and owner gone, a purge noted. From here on nothing of them can be read
    /// or found. Those already gone are passed over. Answers the accounts it began with.
    async fn begin_purge(&self, purged: Purged<'_>, reason: &str, now: i64) -> Result<Vec<String>>;
    async fn purge(&self, account_id: &str) -> Result<Option<PurgeRow>>;
    /// Purges not ended yet, oldest first.
    async fn open_purges(&self) -> Result<Vec<String>>;
    /// Erases up to `limit` rows of an account whose purge has begun. False: there are none left, the account's own row included, and as far as the backend can
    /// tell no copy of them either (see [`finish_erasure`](Self::finish_erasure)).
    async fn erase_some(&self, account_id: &str, limit: u32, now: i64) -> Result<bool>;
    /// Sees to it that no copy of what was erased, or sealed with a key that was destroyed, is left in the backend's own files. False: somebody else keeps older
    /// bytes there; try again.
    async fn finish_erasure(&self) -> Result<bool>;
    /// Records the end, once. Answers the purge as it is then.
    async fn end_purge(&self, account_id: &str, now: i64) -> Result<Option<PurgeRow>>;

    /// Disconnects all accounts of the owner and notes when they are due, in one step; a deletion noted before keeps its time. Answers the accounts
    /// and the time. `NotFound` when the owner has no account and was not deleted before.
    async fn delete_owner(&self, owner: &str, reason: &str, now: i64, purge_at: i64) -> Result<(Vec<String>, i64)>;
    /// False: there is no such deletion.
    async fn restore_owner(&self, owner: &str, now: i64) -> Result<bool>;
    async fn is_deleted(&self, owner: &str) -> Result<bool>;
    /// Deleted owners whose time has come.
    async fn due_owners(&self, now: i64) -> Result<Vec<String>>;
}
