//! The states of a send, as one table: where it was found, what came of the attempt, what follows.
//!
//! ```text
//! queued ─claim→ claimed ─prepare→ prepared ─write→ dispatching ─request→ sent
//!    ↑                │                │                 ├─ cannot have been accepted → retry_wait ─time→ claimed
//!    └── retry_wait ←─┴── cannot have been accepted ─────┤
//!                                                        └─ in doubt → reconciling ─evidence→ sent · dispatching · unknown
//! ```

use crate::error::{Error, ErrorKind, Remedy};
use crate::store::ItemState;

/// What a worker does first with an item it claimed: it may be a crashed worker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Prepare,
    Dispatch,
    Reconcile,
}

/// Where to take an item up.
pub fn start(found: ItemState) -> Option<Start> {
    match found {
        ItemState::Queued | ItemState::Claimed | ItemState::RetryWait => Some(Start::Prepare),
        ItemState::Prepared => Some(Start::Dispatch),
        // The request may have been made: ask before anything else.
        ItemState::Dispatching | ItemState::Reconciling => Some(Start::Reconcile),
        ItemState::Sent | ItemState::Unknown | ItemState::Failed | ItemState::Cancelled => None,
    }
}

/// What an error means for the send it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The service cannot have accepted it; try again later.
    Later,
    /// It may have been accepted; look for evidence.
    Doubt,
    /// It was refused for good.
    Refused,
}

pub fn verdict(error: &Error) -> Verdict {
    match error.kind() {
        // The application's registration is at fault (an expired secret), not this message.
        ErrorKind::Forbidden if error.remedy() == Remedy::Developer => Verdict::Later,
        // These say that nothing was sent, or that the service turned it away unread.
        ErrorKind::Throttled | ErrorKind::Network | ErrorKind::StoreBusy | ErrorKind::StoreFull => Verdict::Later,
        // The person can mend it; the send waits for the reconnect.
        ErrorKind::NeedsReconnect | ErrorKind::NotConnected => Verdict::Later,
        ErrorKind::Closed | ErrorKind::Cancelled | ErrorKind::Forked => Verdict::Later,
        ErrorKind::OutcomeUnknown | ErrorKind::Upstream => Verdict::Doubt,
        ErrorKind::InvalidInput
        | ErrorKind::LimitExceeded
        | ErrorKind::ConsentMissing
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::LinkRejected
        | ErrorKind::TokenRejected
        | ErrorKind::VaultLocked
        | ErrorKind::WrongKey
        | ErrorKind::Corrupt
        | ErrorKind::Internal => Verdict::Refused,
    }
}

/// Attempts after which an item is parked: something about it crashes or blocks every worker.
pub const MOST_ATTEMPTS: u32 = 50;

/// The wait before the next attempt: what Microsoft asked for, or 2, 4, 8 … seconds up to 15 minutes, a quarter of it by chance.
pub fn backoff_ms(attempts: u32, asked_ms: Option<u64>, jitter: f64) -> i64 {
    let step = 1_000_i64.saturating_mul(1 << attempts.clamp(1, 10)).min(900_000);
    let spread = (step as f64 * 0.25 * jitter) as i64;
    let own = step - step / 4 + spread;
    asked_ms.map_or(own, |asked| i64::try_from(asked).unwrap_or(i64::MAX))
}
