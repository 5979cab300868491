//! A store that is not the file it was: copied, or restored from a backup.

use crate::error::Result;
use async_trait::async_trait;

/// What is known of it at an open.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Found at this open, or at one that was cut off.
    pub is_new: bool,
    /// Sends that wait for the host.
    pub parked: u32,
    /// Sends that the host let go with this open.
    pub released: u32,
}

/// What becomes of a parked send.
#[derive(Debug, Clone)]
pub enum Parked {
    /// It goes out, if its account is connected.
    Released,
    /// It ends as `Unknown` for this reason: it leaves from here no more, and the original may have sent it.
    Abandoned(String),
}

#[async_trait]
pub trait CopyStore {
    /// Records that the store is a copy, if that was found, and lets parked sends go if the host says so.
    async fn settle_copy(&self, go: bool, now: i64) -> Result<Copied>;
    /// When the store was last found to be a copy.
    async fn copied_at(&self) -> Result<Option<i64>>;
    /// Decides about one parked send. False: it is not parked, or not any more.
    async fn settle_parked(&self, id: &str, parked: Parked, now: i64) -> Result<bool>;
    /// Sends of this account that wait for the host.
    async fn parked_sends(&self, account_id: &str) -> Result<u32>;
}
