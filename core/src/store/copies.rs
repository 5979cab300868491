//! A store that is not the file it was: copied, or restored from a backup.

use crate::error::Result;

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

pub trait CopyStore {
    /// Records that the store is a copy, if that was found, and lets parked sends go if the host says so.
    fn settle_copy(&self, go: bool, now: i64) -> Result<Copied>;
    /// When the store was last found to be a copy.
    fn copied_at(&self) -> Result<Option<i64>>;
    /// Lets one parked send of a connected account go. False: it is not parked, or not any more.
    fn release_parked(&self, id: &str, now: i64) -> Result<bool>;
    /// Ends a parked send as `Unknown`: it leaves from here no more, and the original may have sent it. False: it is not parked.
    fn abandon_parked(&self, id: &str, reason: &str, now: i64) -> Result<bool>;
    /// Sends of this account that wait for the host.
    fn parked_sends(&self, account_id: &str) -> Result<u32>;
}
