//! What leaves: one row per send, from the moment it was accepted.

use crate::error::Result;
use crate::model::{OutboxFilter, Route, SendState};
use crate::seal::Sealed;

/// Where a send stands. `Dispatching` is durable before the request that may have an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemState {
    Queued,
    /// A worker holds it; nothing that others could see has happened.
    Claimed,
    /// What the request needs (draft id, chat id) is known and stored.
    Prepared,
    /// The request is on its way, or its answer was lost.
    Dispatching,
    /// Waits for a time; the service cannot have accepted it.
    RetryWait,
    /// The mailbox is being asked what became of it.
    Reconciling,
    Sent,
    Unknown,
    Failed,
    Cancelled,
}

impl ItemState {
    /// Work is left to do.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Sent | Self::Unknown | Self::Failed | Self::Cancelled)
    }

    /// What a receipt calls it.
    pub fn shown(self) -> SendState {
        match self {
            Self::Queued | Self::RetryWait => SendState::Queued,
            Self::Claimed | Self::Prepared | Self::Dispatching | Self::Reconciling => SendState::Sending,
            Self::Sent => SendState::Sent,
            Self::Unknown => SendState::Unknown,
            Self::Failed => SendState::Failed,
            Self::Cancelled => SendState::Cancelled,
        }
    }
}

#[derive(Debug, Clone)]
pub struct NewItem {
    pub account_id: String,
    pub route: Route,
    /// Sends of one lane leave in order.
    pub lane: String,
    pub key: Option<String>,
    /// Keyed hash of the content, to tell the same submission from another one with the same key.
    pub content_hash: Vec<u8>,
    pub created_at: i64,
}

#[derive(Debug, Clone)]
pub struct ItemRow {
    pub id: i64,
    pub account_id: String,
    pub route: Route,
    pub key: Option<String>,
    pub state: ItemState,
    /// Counted before each attempt.
    pub attempts: u32,
    /// The draft as handed in, under the content key. Row version 1.
    pub payload: Sealed,
    /// What is known so far (draft id, Message-ID, chat id, ids of the sent copy), under the content key. Row version `progress_version`.
    pub progress: Option<Sealed>,
    pub progress_version: i64,
    pub reason: Option<String>,
    pub created_at: i64,
    pub sent_at: Option<i64>,
    pub next_at: Option<i64>,
    pub fence: i64,
    pub hold: Hold,
}

/// What the copying of a store means for a send that was open then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    None,
    /// It waits for the host, and nothing waits for it.
    Parked,
    /// The host let it go. What is asked of the mailbox is asked before anything is repeated.
    Released,
}

#[derive(Debug)]
pub enum Enqueued {
    New(ItemRow),
    /// The same key and content were submitted before.
    Same(ItemRow),
    /// The same key with other content.
    Conflict,
}

/// When an item will be free to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Its time comes; `now` or earlier means at once.
    Retry(i64),
    /// Another worker's claim on it lapses, should that worker be dead.
    Lapse(i64),
}

/// One durable transition of a claimed item.
#[derive(Debug, Clone)]
pub struct Step {
    pub state: ItemState,
    /// Sealed for row version `progress_version + 1`, which the row then has. None: as it was.
    pub progress: Option<Sealed>,
    pub reason: Option<String>,
    pub next_at: Option<i64>,
    pub sent_at: Option<i64>,
    /// Give the claim back (terminal states and `RetryWait`).
    pub release: bool,
    /// Write a change-feed row.
    pub announce: bool,
}

pub trait OutboxStore {
    /// `seal` is called inside the transaction with the new row's id, since the payload is bound to it. Fails with `NotConnected` when the account is not
    /// connected at that moment.
    fn enqueue(&self, item: &NewItem, seal: &dyn Fn(i64) -> Result<Sealed>) -> Result<Enqueued>;
    /// The oldest due item of a lane that no earlier unsent item blocks (`Unknown`, `Failed` and `Cancelled` do not block), free or with a lapsed lease,
    /// of a connected account, not parked. Counts the attempt and moves the fence before it answers. The state is left as it was, so that the worker sees where a
    /// crashed one stopped; `Queued` and `RetryWait` become `Claimed`.
    fn claim(&self, now: i64, lease_ms: i64) -> Result<Option<ItemRow>>;
    /// False: the claim was lost, or the item was cancelled; stop.
    fn step(&self, item_id: i64, fence: i64, step: &Step, now: i64) -> Result<bool>;
    fn renew_claim(&self, item_id: i64, fence: i64, now: i64, lease_ms: i64) -> Result<bool>;
    fn item(&self, id: i64) -> Result<Option<ItemRow>>;
    fn items(&self, filter: &OutboxFilter) -> Result<Vec<ItemRow>>;
    /// When there will be something to claim, if ever.
    fn next_due(&self, now: i64) -> Result<Option<Due>>;
}
