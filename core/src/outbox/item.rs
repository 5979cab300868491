//! The states of a send, as one table: where it was found, what came of the attempt, what follows.
//!
//! ```text
//! queued ─claim→ claimed ─mark→ prepared ─write→ dispatching ─request→ sent     (only a mail that was stored without a mark, or lost it, needs one)
//!    ↑                │                │                 ├─ cannot have been accepted → retry_wait ─time→ claimed
//!    └── retry_wait ←─┴── cannot have been accepted ─────┤
//!                                                        └─ in doubt → reconciling ─evidence→ sent · dispatching · unknown
//!
//! dispatching ─refused, and something is to be made first→ prepared     (the app of a bot is installed)
//! queued, retry_wait ─edit→ queued
//! queued, claimed, prepared, retry_wait ─cancel→ cancelled      ─deadline→ failed      failed, unknown ─retry→ queued, reconciling
//! ```

use crate::error::{Error, ErrorKind, Remedy};
use crate::store::ItemState;

/// What a worker does next with an item it claimed; the first may be what a crashed worker left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Prepare,
    Dispatch,
    Reconcile,
}

/// Where to take an item up.
pub fn start(found: ItemState) -> Option<Start> {
    match found {
        ItemState::Queued | ItemState::Claimed | ItemState::Prepared | ItemState::RetryWait => Some(Start::Prepare),
        // The request may have been made: ask before anything else.
        ItemState::Dispatching | ItemState::Reconciling => Some(Start::Reconcile),
        ItemState::Sent | ItemState::Unknown | ItemState::Failed | ItemState::Cancelled => None,
    }
}

/// What an error means for the send it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The service cannot have accepted it, or was not even asked; try again later.
    Later,
    /// Nothing was done because something changed in between; read again, then repeat.
    Contested,
    /// It may have been accepted; look for evidence.
    Doubt,
    /// It was refused for good.
    Refused,
    /// A defect of ours; counts like a crash.
    Defect,
}

pub fn verdict(error: &Error) -> Verdict {
    match error.kind() {
        // The application's registration is at fault (an expired secret), not this message.
        ErrorKind::Forbidden if error.remedy() == Remedy::Developer => Verdict::Later,
        // A quota is used up, which ends; a message that is too large stays so.
        ErrorKind::LimitExceeded if error.remedy() == Remedy::User => Verdict::Later,
        ErrorKind::Conflict if error.remedy() == Remedy::Wait => Verdict::Contested,
        // These say that nothing was sent, or that the service turned it away unread.
        ErrorKind::Throttled | ErrorKind::Network | ErrorKind::StoreBusy | ErrorKind::StoreFull => Verdict::Later,
        // A person or an administrator can mend it; the send waits for that.
        ErrorKind::NeedsReconnect | ErrorKind::NotConnected | ErrorKind::ConsentMissing | ErrorKind::TokenRejected => Verdict::Later,
        // Something about this process: another one may be able to.
        ErrorKind::VaultLocked | ErrorKind::WrongKey | ErrorKind::LinkRejected => Verdict::Later,
        ErrorKind::Closed | ErrorKind::Cancelled | ErrorKind::Forked => Verdict::Later,
        ErrorKind::OutcomeUnknown | ErrorKind::Upstream => Verdict::Doubt,
        // No request ends in a place of the change feed.
        ErrorKind::Internal | ErrorKind::CursorExpired => Verdict::Defect,
        ErrorKind::InvalidInput | ErrorKind::LimitExceeded | ErrorKind::Forbidden | ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Corrupt => Verdict::Refused,
        ErrorKind::AppNotInstalled | ErrorKind::BotBlocked | ErrorKind::ConversationGone => Verdict::Refused,
    }
}

/// Crashes in a row after which an item is parked: something about it ends every worker.
pub const MOST_CRASHES: u32 = 50;

/// Conflicts after which one is taken at its word: with the pauses between them, a good hour.
pub const MOST_CONFLICTS: u32 = 12;

/// The wait before the next attempt: 2, 4, 8 … seconds up to 15 minutes, a quarter of it by chance, and no less than Microsoft asked for.
pub fn backoff_ms(waits: u32, asked_ms: Option<u64>, jitter: f64) -> i64 {
    let step = 1_000_i64.saturating_mul(1 << waits.saturating_add(1).min(10)).min(900_000);
    let spread = (step as f64 * 0.25 * jitter) as i64;
    let own = step - step / 4 + spread;
    own.max(asked_ms.map_or(0, |asked| i64::try_from(asked).unwrap_or(i64::MAX)))
}
