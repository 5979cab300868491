//! When mailboxes are looked at, and by which process.

use super::LEASE_MS;
use crate::error::Result;
use async_trait::async_trait;

/// What is further ahead than this was written by a clock that stood ahead, and counts as due.
pub const LONGEST_POLL_PAUSE_MS: i64 = 2 * 86_400_000;

/// Between two looks at a mailbox of which Microsoft tells: a day.
pub const TOLD_PAUSE_MS: i64 = 86_400_000;

/// A mailbox that this process looks at now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    pub account_id: String,
    /// Rises with each that takes it.
    pub turn: i64,
    /// What was waited last.
    pub pause_ms: i64,
}

/// Which are to be taken.
#[derive(Debug, Clone, Copy)]
pub struct PollRequest {
    pub now: i64,
    /// Those that were due then.
    pub due_at: i64,
    pub limit: u32,
}

/// How one is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollState {
    pub next_at: i64,
    pub since: i64,
}

#[async_trait]
pub trait PollStore {
    /// Mailboxes that are connected to be synced and are not looked at yet are due now; and so are those that are hardly looked at because Microsoft tells of
    /// them, where it does so no longer. Answers how many.
    async fn adopt_polls(&self, now: i64) -> Result<u32>;
    /// The earliest of those that are due and nobody has, for [`LEASE_MS`]. What is no longer connected to be synced is dropped.
    async fn claim_polls(&self, request: PollRequest) -> Result<Vec<Poll>>;
    /// Has it for as long again. False: somebody else has it by now.
    async fn renew_poll(&self, poll: &Poll, now: i64) -> Result<bool>;
    /// It is due at `next_at`, or earlier if that was asked for meanwhile. Changes nothing if somebody else has it by now.
    async fn settle_poll(&self, poll: &Poll, next_at: i64, pause_ms: i64) -> Result<()>;
    /// It is due by `at`, whatever was planned.
    async fn poll_by(&self, account_id: &str, at: i64) -> Result<()>;
    /// When the next one is due, as far as nobody has it. None: there is none.
    async fn next_poll(&self) -> Result<Option<i64>>;
    /// None: it is not looked at.
    async fn poll_state(&self, account_id: &str) -> Result<Option<PollState>>;
}

/// Until when one that is taken now is left to who has it.
pub fn poll_lease(now: i64) -> i64 {
    now.saturating_add(LEASE_MS)
}
