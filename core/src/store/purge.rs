//! Erasing an account for good, and owners who are deleted.

use crate::error::Result;

/// A purge as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeRow {
    pub account_id: String,
    /// Rows erased so far.
    pub erased: u64,
    pub ended_at: Option<i64>,
}

pub trait PurgeStore {
    /// In one step: the accounts disconnected, all their keys destroyed, names and owner gone, a purge noted. From here on nothing of them can be read
    /// or found. Those already gone are passed over. With `owner`, the deletion of that owner is settled with it. Answers the accounts it began with.
    fn begin_purge(&self, account_ids: &[String], owner: Option<&str>, reason: &str, now: i64) -> Result<Vec<String>>;
    /// `begin_purge` of a deleted owner, if that is due still: nothing happens when the deletion was taken back, or made anew, meanwhile.
    fn begin_due_purge(&self, owner: &str, reason: &str, now: i64) -> Result<Vec<String>>;
    fn purge(&self, account_id: &str) -> Result<Option<PurgeRow>>;
    /// Purges not ended yet, oldest first.
    fn open_purges(&self) -> Result<Vec<String>>;
    /// Erases up to `limit` rows of an account whose purge has begun. False: there are none left, the account's own row included.
    fn erase_some(&self, account_id: &str, limit: u32, now: i64) -> Result<bool>;
    /// Rewrites the store if it is small enough to be copied in memory. Erased rows are zeroed, but where the database once moved rows between pages a
    /// copy may lie in a page's unused part; in a large store it lies there until that part is written again. False: it was too large.
    fn rewrite(&self) -> Result<bool>;
    /// Empties the write-ahead log of what was erased. False: others are reading it; try again.
    fn flush_erased(&self) -> Result<bool>;
    /// Records the end, once. Answers the purge as it is then.
    fn end_purge(&self, account_id: &str, now: i64) -> Result<Option<PurgeRow>>;

    /// Disconnects all accounts of the owner and notes when they are due, in one step; a deletion noted before keeps its time. Answers the accounts
    /// and the time. `NotFound` when the owner has no account and was not deleted before.
    fn delete_owner(&self, owner: &str, reason: &str, now: i64, purge_at: i64) -> Result<(Vec<String>, i64)>;
    /// False: there is no such deletion.
    fn restore_owner(&self, owner: &str, now: i64) -> Result<bool>;
    /// Erases sign-ins nobody came back to, a day after they expired: until then whoever comes late is told so.
    fn drop_old_attempts(&self, now: i64) -> Result<()>;
    fn is_deleted(&self, owner: &str) -> Result<bool>;
    /// Deleted owners whose time has come.
    fn due_owners(&self, now: i64) -> Result<Vec<String>>;
}
