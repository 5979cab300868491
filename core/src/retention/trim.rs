//! Nothing grows without end: changes, tombstones and settled sends that are older than is kept are erased.

use super::Retention;
use crate::error::Result;
use crate::store::{CACHE_STALE_MS, CacheSweep, Kept};

const DAY_MS: i64 = 86_400_000;
/// Changes kept of one account, whatever their age.
const MOST_CHANGES: u32 = 1_000_000;
/// Who wrote last in a context is known for so long after it was used.
const SENDERS_DAYS: u32 = 365;
/// Rows of each kind erased in one transaction: others wait for the writer no longer than that takes.
const CHUNK: u32 = 500;

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct KeptFor {
    pub changes_days: u32,
    pub sends_days: u32,
    /// Bytes of the cache of attachments.
    pub cached: u64,
}

impl Retention {
    /// Every step is whole by itself, so it may end after any of them. Nothing is erased by a clock that may be wrong: it would take receipts and
    /// idempotency keys before their time.
    pub(super) async fn trim(&self) -> Result<()> {
        let is_time_known = (self.is_time_known)();
        let now = self.now();
        // What was given up goes whatever time it is.
        while self.store.sweep_staged(if is_time_known { now } else { 0 }).await? {}
        let sweep = CacheSweep { most: Some(self.kept_for.cached), stale_before: now.saturating_sub(CACHE_STALE_MS) };
        while self.store.sweep_cached(sweep).await? {}
        if !is_time_known {
            return Ok(());
        }
        let since = |days: u32| now.saturating_sub(i64::from(days) * DAY_MS);
        let kept = Kept { now, changes_since: since(self.kept_for.changes_days), most_changes: MOST_CHANGES, sends_since: since(self.kept_for.sends_days), senders_since: since(SENDERS_DAYS) };
        while self.store.trim(&kept, CHUNK).await? {}
        Ok(())
    }
}
