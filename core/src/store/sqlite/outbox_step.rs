//! One durable transition of a claimed send, and all that belongs to it.

use super::fault::{Fault, Outcome};
use super::outbox::{COLUMNS, by_id, columns, item_row, small_content};
use super::outbox_end::{drop_content, settled_entry};
use super::{SqliteStore, announce, first, keys, queues, run};
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::store::{ItemRow, ItemState, Step, Stepped, Tally};
use crate::store::words::Word;
use rusqlite::Connection;

// None of these says RETURNING: with it, SQLite copies every page that a statement touches, so as to take it back should it fail halfway. The row is read again.

/// The claim is kept and holds for long enough yet: nothing that an index is made of is written. ?6 and ?7: when it must end at the earliest and at the
/// latest; one that ends later was made when the clock stood ahead.
pub(super) const KEEP: &str =
    "UPDATE outbox SET state = ?3, progress = COALESCE(?4, progress), progress_version = progress_version + (?4 IS NOT NULL), reason = ?5
     WHERE public_id = ?1 AND fence = ?2 AND is_open = 1 AND lease_until BETWEEN ?6 AND ?7";

const CHANGE: &str =
    "UPDATE outbox SET state = ?3, is_open = ?4, is_head = is_head AND ?4, progress = COALESCE(?5, progress), progress_version = progress_version + (?5 IS NOT NULL),
       reason = ?6, next_at = ?7, sent_at = COALESCE(?8, sent_at), lease_until = COALESCE(?12, 0),
       attempts = attempts - (?9 AND ?10 = 0 AND attempts > 0), crashes = CASE WHEN ?9 AND ?10 < 2 THEN 0 ELSE crashes END,
       waits = waits + (?9 AND ?4), tidy_at = ?11, settled_at = CASE WHEN ?4 THEN NULL ELSE ?13 END
     WHERE public_id = ?1 AND fence = ?2 AND is_open = 1";
const CHANGED: &str = concat!("SELECT ", columns!(), ", id, lane, free_at FROM outbox WHERE public_id = ?1");

/// A changed row, and where it stands in its queue.
struct Changed {
    row: ItemRow,
    number: i64,
    ordering_key: String,
    free_at: i64,
}

impl SqliteStore {
    pub(super) fn step_in(&self, tx: &Connection, id: &str, fence: i64, step: &Step, now: i64) -> Outcome<Option<Stepped>> {
        if let Some(row) = keep(tx, id, fence, step, now)? {
            keys::check_active(tx, &step.progress)?;
            if step.announce {
                announce(tx, ChangeKind::SendChanged, &row.account_id, Some(id), now)?;
            }
            return Ok(Some(Stepped { row, next: None }));
        }
        let Some(changed) = change(tx, id, fence, step, now)? else { return Ok(None) };
        let account_id = &changed.row.account_id;
        keys::check_active(tx, &step.progress)?;
        let mut next = None;
        if !step.state.is_open() {
            next = step.claim_next_until.map(|until| queues::claim_next(tx, account_id, &changed.ordering_key, now, until)).transpose()?.flatten();
            if next.is_none() {
                queues::lift(tx, account_id, &changed.ordering_key)?;
            }
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
        let next = next.map(|item| Ok::<_, Fault>(Box::new((item.clone(), small_content(tx, &item)?)))).transpose()?;
        Ok(Some(Stepped { row: changed.row, next }))
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
    if run(c, KEEP, (id, fence, step.state.word(), progress, &step.reason, long_enough, until))? == 0 { Ok(None) } else { by_id(c, id) }
}

fn change(c: &Connection, id: &str, fence: i64, step: &Step, now: i64) -> Outcome<Option<Changed>> {
    let is_changed = run(
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
    )? > 0;
    if !is_changed {
        return Ok(None);
    }
    first(c, CHANGED, [id], |row| {
        Ok(Changed { row: item_row(row)?, number: row.get(COLUMNS)?, ordering_key: row.get(COLUMNS + 1)?, free_at: row.get(COLUMNS + 2)? })
    })
}
