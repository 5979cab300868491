use super::rfc3339;
use crate::error::ErrorKind;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// How far back mail is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillRange {
    /// None: only mail that comes from now on.
    Nothing,
    ThirtyDays,
    NinetyDays,
    /// 365 days.
    TwelveMonths,
    Everything,
}

/// What a back-fill is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// Mail of the range is fetched, the newest first.
    Listing,
    /// All mail of the range is here. The folders are walked once more for their delta links, which also shows what was missed or removed meanwhile.
    Seeding,
    /// It was told to wait; `resume_backfill` goes on from there.
    Paused,
    /// It was told to end; what is here stays, and nothing older is fetched.
    Cancelled,
    Done,
}

/// How many messages a back-fill would look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillEstimate {
    pub account_id: String,
    pub range: BackfillRange,
    /// Mail received then or later; none for all of it.
    #[serde(with = "rfc3339::option")]
    pub since: Option<SystemTime>,
    /// In the folders that are synced, as Microsoft counts them now.
    pub messages: u32,
    pub folders: u32,
}

/// A back-fill of an account, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    pub account_id: String,
    pub range: BackfillRange,
    pub state: BackfillState,
    /// Mail received then or later; none for all of it.
    #[serde(with = "rfc3339::option")]
    pub since: Option<SystemTime>,
    /// Messages looked at; never less than before.
    pub done: u32,
    /// Messages in the range, as counted when it began; at least `done`.
    pub total: u32,
    /// Messages a minute while it is at work; none until that is known.
    pub rate: Option<u32>,
    /// Milliseconds until all mail of the range is here, at this rate; none unless it is `Listing` and the rate is known.
    pub remaining_ms: Option<u64>,
    #[serde(with = "rfc3339")]
    pub started_at: SystemTime,
    /// Why it does not get on now, if that is so. It tries again by itself, and goes on when the account is connected again.
    pub problem_kind: Option<ErrorKind>,
    pub problem: Option<String>,
}
