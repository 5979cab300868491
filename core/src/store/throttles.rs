//! What is known of the limits of mailboxes, for processes that start later.

use crate::error::Result;
use crate::throttle::Throttle;
use async_trait::async_trait;

#[async_trait]
pub trait ThrottleStore {
    /// Notes them. Of two for the same, the later end of a Retry-After stays, and what was counted later. What is of no account that is held here, or not any
    /// more, is left out.
    async fn keep_throttles(&self, throttles: &[Throttle], now: i64, longest_ms: i64) -> Result<()>;
    /// Those that matter now. The others are erased: what was over or counted `longest_ms` ago, and what is ahead of the clock by more than that.
    async fn throttles(&self, now: i64, longest_ms: i64) -> Result<Vec<Throttle>>;
}
