//! What Microsoft asked to be left alone, for processes that start later.

use crate::error::Result;

/// The end of a Retry-After, and whose requests it holds. A sign-in's has the account's id as `user_id`, and neither application nor tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThrottleRow {
    pub client_id: String,
    pub tenant_id: String,
    pub user_id: String,
    pub service: String,
    pub until: i64,
}

pub trait ThrottleStore {
    /// Notes them; of two for the same the later one stays. What is of no account that is held here, or not any more, is left out.
    fn keep_throttles(&self, rows: &[ThrottleRow], now: i64, longest_ms: i64) -> Result<()>;
    /// Those that hold now. The others are erased: what is over, and what ends later than `longest_ms` from now (it was noted when the clock stood ahead).
    fn throttles(&self, now: i64, longest_ms: i64) -> Result<Vec<ThrottleRow>>;
}
