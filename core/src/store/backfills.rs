//! How far back the mail of an account is fetched: one row per account, and the parts of its folders that are still to be listed.

use crate::error::{ErrorKind, Result};
use crate::model::BackfillRange;
use async_trait::async_trait;

/// What is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillPhase {
    Listing,
    Seeding,
    Done,
}

/// What the host wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillWish {
    Run,
    Pause,
    Cancel,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillRow {
    pub account_id: String,
    pub range: BackfillRange,
    /// Received then or later; None: everything.
    pub since: Option<i64>,
    pub phase: BackfillPhase,
    pub wish: BackfillWish,
    /// Messages.
    pub estimated: u32,
    pub done: u32,
    /// Time at work on them.
    pub worked_ms: i64,
    pub started_at: i64,
    pub problem: Option<(ErrorKind, String)>,
    /// Failures in a row.
    pub failures: u32,
    /// Rises with each that takes it.
    pub turn: i64,
}

/// What is wished for.
#[derive(Debug, Clone)]
pub struct NewBackfill {
    pub account_id: String,
    pub generation: i64,
    pub range: BackfillRange,
    pub since: Option<i64>,
    pub estimated: u32,
    pub now: i64,
}

/// A part of a folder that is still to be listed: received at `lower` or later, and before `reached`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillWindow {
    pub folder_id: String,
    /// [`OPEN_LOWER`]: from the beginning.
    pub lower: i64,
    /// [`OPEN_UPPER`]: to the end.
    pub reached: i64,
}

/// What is further ahead than this was written by a clock that stood ahead, and counts as due.
pub const LONGEST_BACKFILL_PAUSE_MS: i64 = 86_400_000;

pub const OPEN_LOWER: i64 = i64::MIN;
pub const OPEN_UPPER: i64 = i64::MAX;

/// How far a page brings a window; stored with the page, and only while the back-fill is wanted and this process's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillStep {
    pub turn: i64,
    pub lower: i64,
    /// What was received before is still to be listed; `lower` when nothing is left.
    pub reached: i64,
    /// Messages that were not looked at before.
    pub done: u32,
    /// Time at work since the last step.
    pub worked_ms: i64,
}

/// What became of a turn.
#[derive(Debug, Clone)]
pub struct BackfillEnd {
    pub phase: BackfillPhase,
    pub next_at: i64,
    pub failures: u32,
    pub problem: Option<(ErrorKind, String)>,
}

#[async_trait]
pub trait BackfillStore {
    /// Begins a back-fill, or changes how far the account's one goes: what was listed is not listed again, and what is older than the new range is not
    /// listed any more. An account whose folders are all complete and that never had one has everything. None: the account is gone or was connected anew.
    async fn begin_backfill(&self, new: &NewBackfill) -> Result<Option<BackfillRow>>;
    /// Notes what the host wants: only what is at work is paused, what is paused resumed, and what is not done cancelled. A cancelled one reaches as far
    /// back as it has come without a gap. Answers how it is then; None: there is none.
    async fn wish_backfill(&self, account_id: &str, wish: BackfillWish, now: i64) -> Result<Option<BackfillRow>>;
    async fn backfill(&self, account_id: &str) -> Result<Option<BackfillRow>>;
    /// One that is due and nobody has, for `LEASE_MS`: of a connected account, and not paused.
    async fn claim_backfill(&self, now: i64) -> Result<Option<BackfillRow>>;
    /// Has it for as long again. False: somebody else has it by now.
    async fn renew_backfill(&self, account_id: &str, turn: i64, now: i64) -> Result<bool>;
    /// Changes nothing if somebody else has it by now. The phase goes on only while it is what it was claimed with.
    async fn settle_backfill(&self, row: &BackfillRow, end: &BackfillEnd) -> Result<()>;
    /// When the next one is due, as far as nobody has it. None: there is none.
    async fn next_backfill(&self) -> Result<Option<i64>>;
    /// Parts that are still to be listed, the newest first.
    async fn backfill_windows(&self, account_id: &str) -> Result<Vec<BackfillWindow>>;
    /// Folders that are divided already.
    async fn divided_folders(&self, account_id: &str) -> Result<Vec<String>>;
    /// Divides folders that are not divided yet, if the back-fill is this process's and wanted.
    async fn divide_folders(&self, account_id: &str, turn: i64, windows: &[BackfillWindow]) -> Result<bool>;
    /// What is left of a folder that is gone is not listed.
    async fn drop_windows(&self, account_id: &str, folder_id: &str) -> Result<()>;
}
