//! A back-fill as hosts see it.

use crate::clock::from_ms;
use crate::model::{Backfill, BackfillState};
use crate::store::{BackfillPhase, BackfillRow, BackfillWish};

/// Below this it is not known how quick it is.
const SHORTEST_MS: i64 = 200;

pub fn shown(row: &BackfillRow) -> Backfill {
    let state = match (row.phase, row.wish) {
        (_, BackfillWish::Cancel) => BackfillState::Cancelled,
        (BackfillPhase::Done, _) => BackfillState::Done,
        (_, BackfillWish::Pause) => BackfillState::Paused,
        (BackfillPhase::Listing, _) => BackfillState::Listing,
        (BackfillPhase::Seeding, _) => BackfillState::Seeding,
    };
    // Mail that was removed meanwhile was counted, and never came.
    let is_all_here = row.phase != BackfillPhase::Listing && row.wish != BackfillWish::Cancel;
    let total = if is_all_here { row.done } else { row.estimated.max(row.done) };
    let worked = u64::try_from(row.worked_ms.max(0)).unwrap_or_default();
    let is_known = row.worked_ms >= SHORTEST_MS && row.done > 0;
    let rate = (u64::from(row.done) * 60_000).checked_div(worked).filter(|_| is_known).map(|rate| u32::try_from(rate).unwrap_or(u32::MAX));
    let remaining = u64::from(total - row.done).saturating_mul(worked).checked_div(row.done.into()).filter(|_| is_known && state == BackfillState::Listing);
    Backfill {
        account_id: row.account_id.clone(),
        range: row.range,
        state,
        since: row.since.map(from_ms),
        done: row.done,
        total,
        rate,
        remaining_ms: remaining,
        started_at: from_ms(row.started_at),
        problem_kind: row.problem.as_ref().map(|(kind, _)| *kind),
        problem: row.problem.as_ref().map(|(_, reason)| reason.clone()),
    }
}
