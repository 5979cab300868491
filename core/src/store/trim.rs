//! What is erased because it is older than a store keeps.

use crate::error::Result;
use async_trait::async_trait;

/// What is kept. Times in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    pub now: i64,
    /// Changes, tombstones and what was said to a bot from then on.
    pub changes_since: i64,
    /// As many changes of one account, whatever their age.
    pub most_changes: u32,
    /// Sends settled from then on, and all that are not settled.
    pub sends_since: i64,
    /// Who wrote last in contexts that were used from then on.
    pub senders_since: i64,
}

#[async_trait]
pub trait TrimStore {
    /// Erases at most about `limit` rows of each kind that is not kept. Answers whether there may be more. Changes that nothing but age speaks against are
    /// erased in their order, so that a reader either misses nothing or is told.
    async fn trim(&self, kept: &Kept, limit: u32) -> Result<bool>;
    /// Erases what was for a time only: handovers that have stood for [`HANDOVER_MS`](crate::store::HANDOVER_MS), and sign-ins nobody came back to, a day
    /// after they expired: until then whoever comes late is told so.
    async fn drop_expired(&self, now: i64) -> Result<()>;
}
