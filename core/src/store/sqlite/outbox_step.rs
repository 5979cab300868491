//! One durable transition of a claimed send, and all that belongs to it.

use super::fault::Outcome;
use super::outbox::{COLUMNS, columns, item_row};
use super::outbox_end::{drop_content, settled_entry};
use super::{SqliteStore, announce, first, keys, queues};
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::store::{ItemRow, ItemState, Step, Tally};
use crate::store::words::Word;
use rusqlite::Connection;

// `OR FAIL`: with RETURNING, SQLite copies every page it touches, so as to take back a statement that fails halfway. Here the whole step is taken back then.

/// The claim is kept and holds for long enough yet: nothing that an index is made of is written. ?6 and ?7: when it must end at the earliest and at the
/// latest; one that ends later was made when the clock stood ahead.
pub(super) const KEEP: &str = concat!(
    "UPDATE OR FAIL outbox SET state = ?3, progress = COALESCE(?4, progress), progress_version = progress_version + (?4 IS NOT NULL), reason = ?5
     WHERE public_id = ?1 AND fence = ?2 AND is_open = 1 AND lease_until BETWEEN ?6 AND ?7 RETURNING ",
    columns!()
);

const CHANGE: &str = concat!(
    "UPDATE OR FAIL outbox SET state = ?3, is_open = ?4, is_head = is_head AND ?4, progress = COALESCE(?5, progress), progress_version = progress_version + (?5 IS NOT NULL),
       reason = ?6, next_at = ?7, sent_at = COALESCE(?8, sent_at), lease_until = COALESCE(?12, 0),
       attempts = attempts - (?9 AND ?10 = 0 AND attempts > 0), crashes = CASE WHEN ?9 AND ?10 < 2 THEN 0 ELSE crashes END,
       waits = waits + (?9 AND ?4), tidy_at = ?11, settled_at = CASE WHEN ?4 THEN NULL ELSE ?13 END
     WHERE public_id = ?1 AND fence = ?2 AND is_open = 1 RETURNING ",
    columns!(),
    ", id, lane, free_at"
);

/// A changed row, and where it stands in its queue.
struct Changed {
    row: ItemRow,
    number: i64,
    ordering_key: String,
    free_at: i64,
}

impl SqliteStore {
    pub(super) fn step_in(&self, tx: &Connection, id: &str, fence: i64, step: &Step, now: i64) -> Outcome<Option<ItemRow>> {
        if let Some(row) = keep(tx, id, fence, step, now)? {
            keys::check_active(tx, &step.progress)?;
            if step.announce {
                announce(tx, ChangeKind::SendChanged, &row.account_id, Some(id), now)?;
            }
            return Ok(Some(row));
        }
        let Some(changed) = change(tx, id, fence, step, now)? else { return Ok(None) };
        let account_id = &changed.row.account_id;
        keys::check_active(tx, &step.progress)?;
        if !step.state.is_open() {
            queues::lift(tx, account_id, &changed.ordering_key)?;
            queues::drop_empty(tx, account_id, changed.row.route.word())?;
        } else if step.claim_until.is_none() {
            queues::touch(tx, account_id, changed.row.route.word(), changed.free_at)?;
        }
        if matches!(step.state, ItemState::Sent | ItemState::Cancelled) {
            drop_content(tx, changed.number, changed.row.has_files)?;
        }
        if step.announce {
            announce(tx, ChangeKind::SendChanged, account_id, Some(id), now)?;
        }
        if !step.state.is_open() {
            self.note(tx, &[settled_entry(step.state).on(account_id).about(id)], now)?;
        }
        Ok(Some(changed.row))
    }
}

/// None: it is for [`change`] to do.
fn keep(c: &Connection, id: &str, fence: i64, step: &Step, now: i64) -> Outcome<Option<ItemRow>> {
    let Some(until) = step.claim_until else { return Ok(None) };
    if !step.state.is_open() || step.next_at.is_some() || step.sent_at.is_some() || step.tidy_at.is_some() {
        return Ok(None);
    }
    // Two thirds of what it would be renewed for; its heartbeat renews it after one.
    let long_enough = until.saturating_sub(until.saturating_sub(now) / 3);
    let progress = step.progress.as_ref().map(Sealed::as_bytes);
    first(c, KEEP, (id, fence, step.state.word(), progress, &step.reason, long_enough, until), item_row)
}

fn change(c: &Connection, id: &str, fence: i64, step: &Step, now: i64) -> Outcome<Option<Changed>> {
    first(
        c,
        CHANGE,
        rusqlite::params![
            id,
            fence,
            step.state.word(),
            step.state.is_open(),
            step.progress.as_ref().map(Sealed::as_bytes),
            step.reason,
            step.next_at,
            step.sent_at,
            step.claim_until.is_none(),
            match step.tally {
                Tally::None => 0,
                Tally::Attempt => 1,
                Tally::Crash => 2,
            },
            step.tidy_at,
            step.claim_until,
            now,
        ],
        |row| Ok(Changed { row: item_row(row)?, number: row.get(COLUMNS)?, ordering_key: row.get(COLUMNS + 1)?, free_at: row.get(COLUMNS + 2)? }),
    )
}
