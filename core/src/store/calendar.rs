//! Events of the default calendars of mailboxes.

use super::Lease;
use crate::error::Result;
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;

/// How far a calendar is.
#[derive(Debug, Clone)]
pub struct CalendarViewRow {
    pub from_at: i64,
    pub to_at: i64,
    /// Under the secrets key, for its [`calendar_cursor_place`].
    pub link: Option<Sealed>,
    pub link_version: i64,
}

/// What is here of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownEvent {
    pub graph_id: String,
    pub is_master: bool,
    pub digest: [u8; 32],
    pub version: i64,
}

#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Of one that is not here yet.
    pub public_id: String,
    pub graph_id: String,
    /// Microsoft's id of its series; empty: it is in none.
    pub series_id: String,
    pub is_master: bool,
    pub start_at: i64,
    pub end_at: i64,
    pub digest: [u8; 32],
    /// One more than what is here; 1 of one that is not.
    pub version: i64,
    /// Under the content key, for its [`event_place`].
    pub sealed: Sealed,
}

/// A page of a view, or what was found out at its end.
#[derive(Debug, Clone)]
pub struct EventBatch {
    pub account_id: String,
    pub generation: i64,
    pub lease: Lease,
    pub put: Vec<NewEvent>,
    /// Shown, and as they are here.
    pub same: Vec<String>,
    /// Proven to be gone: events, and series with all of theirs.
    pub gone: Vec<String>,
    /// Where the view goes on, and the version of that.
    pub link: Option<(Sealed, i64)>,
    /// The round is complete: what is outside of the view is dropped without a word.
    pub is_end: bool,
    pub now: i64,
}

#[derive(Debug, Clone)]
pub struct EventRow {
    pub row_id: i64,
    pub public_id: String,
    pub account_id: String,
    pub start_at: i64,
    pub own: SealedEvent,
    /// Of an occurrence: the master of its series, if that is here.
    pub master: Option<SealedEvent>,
}

#[derive(Debug, Clone)]
pub struct SealedEvent {
    pub graph_id: String,
    pub version: i64,
    pub sealed: Sealed,
}

#[derive(Debug, Clone, Default)]
pub struct EventWindow {
    pub account_ids: Vec<String>,
    /// Not over by then, and begun before.
    pub from_at: i64,
    pub to_at: i64,
    /// Start and row of the last one that was shown.
    pub after: Option<(i64, i64)>,
    pub limit: u32,
}

pub fn event_place<'a>(account_id: &'a str, graph_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "calendar_events", column: "sealed", account_id, row: graph_id, version }
}

pub fn calendar_cursor_place(account_id: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "calendar_views", column: "link", account_id, row: account_id, version }
}

#[async_trait]
pub trait CalendarStore {
    async fn calendar_view(&self, account_id: &str) -> Result<Option<CalendarViewRow>>;
    /// The view is read from its beginning, and may be another one. False: the account changed, or somebody else has the lease.
    async fn begin_calendar(&self, account_id: &str, generation: i64, lease: &Lease, view: (i64, i64)) -> Result<bool>;
    async fn known_events(&self, account_id: &str, graph_ids: &[String]) -> Result<Vec<KnownEvent>>;
    /// In one transaction. None: the account changed, or somebody else has the lease, and nothing was written. Answers how many events are new, changed or gone;
    /// those of a series are when what they have in common is.
    async fn store_events(&self, batch: EventBatch) -> Result<Option<u32>>;
    /// Events within the view that this round should have shown and did not: of a whole one all, else those of a series of which others were shown.
    async fn unshown_events(&self, account_id: &str) -> Result<Vec<String>>;
    /// In order of time, one more than `limit` if there are.
    async fn events(&self, window: &EventWindow) -> Result<Vec<EventRow>>;
}
