//! One durable transition of a claimed send, and all that belongs to it.

use super::fault::Outcome;
use super::outbox_end::{drop_content, settled_entry};
use super::{bots, SqliteStore, announce, answers, endpoints, first, keys, links, queues, run};
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::store::{ItemState, Step, Stepped, Tally, is_alone};
use crate::store::words::Word;
use rusqlite::Connection;

// None of these says RETURNING: with it, SQLite copies every page that a statement touches, so as to take it back should it fail halfway. What the row becomes
// is known without reading it again.

/// The claim is kept and holds for long enough yet: nothing that an index is made of is written. ?6 and ?7: when it must end at the earliest and at the
/// latest; one that ends later was made when the clock stood ahead.
pub(super) const KEEP: &str =
    "UPDATE outbox SET state = ?3, progress = COALESCE(?4, progress), progress_version = progress_version + (?4 IS NOT NULL), reason = ?5
     WHERE public_id = ?1 AND fence = ?2 AND is_open = 1 AND lease_until BETWEEN ?6 AND ?7";

const CHANGE: &str =
    "UPDATE outbox SET state = ?2, is_open = ?3, is_head = is_head AND ?3, progress = COALESCE(?4, progress), progress_version = progress_version + (?4 IS NOT NULL),
       reason = ?5, next_at = ?6, sent_at = COALESCE(?7, sent_at), lease_until = COALESCE(?11, 0),
       attempts = attempts - (?8 AND ?9 = 0 AND attempts > 0), crashes = CASE WHEN ?8 AND ?9 < 2 THEN 0 ELSE crashes END,
       waits = waits + (?8 AND ?3), tidy_at = ?10, settled_at = CASE WHEN ?3 THEN NULL ELSE ?12 END
     WHERE id = ?1";
const HELD: &str = "SELECT id, account_id, route, lane, EXISTS (SELECT 1 FROM outbox_parts WHERE item_id = outbox.id) OR EXISTS (SELECT 1 FROM outbox_staged WHERE item_id = outbox.id) FROM outbox WHERE public_id = ?1 AND fence = ?2 AND is_open = 1";

/// A send that is in hand.
struct HeldRow {
    number: i64,
    account_id: String,
    route: String,
    ordering_key: String,
    has_files: bool,
}

impl SqliteStore {
    pub(super) fn step_in(&self, tx: &Connection, id: &str, fence: i64, step: &Step, now: i64) -> Outcome<Option<Stepped>> {
        keys::check_active(tx, step.progress.iter().chain(step.links.iter().map(|link| &link.sealed)).chain(step.said.iter().map(|said| &said.sealed)))?;
        if keep(tx, id, fence, step, now)? {
            let account_id = if step.announce { first(tx, "SELECT account_id FROM outbox WHERE public_id = ?1", [id], |row| Ok(row.get::<_, String>(0)?))? } else { None };
            account_id.map_or(Ok(()), |account_id| announce(tx, ChangeKind::SendChanged, &account_id, Some(id), now))?;
            links::put(tx, &step.links)?;
            answers::put_sent(tx, id, step.sent_mail.as_ref())?;
            return Ok(Some(Stepped { next: None }));
        }
        let held = first(tx, HELD, (id, fence), |row| {
            Ok(HeldRow { number: row.get(0)?, account_id: row.get(1)?, route: row.get(2)?, ordering_key: row.get(3)?, has_files: row.get(4)? })
        })?;
        let Some(held) = held else { return Ok(None) };
        change(tx, held.number, step, now)?;
        step.said.as_ref().map_or(Ok(true), |said| bots::put_activity(tx, said))?;
        links::put(tx, &step.links)?;
        answers::put_sent(tx, id, step.sent_mail.as_ref())?;
        let account_id = &held.account_id;
        let mut next = None;
        if !step.state.is_open() {
            if !is_alone(&held.ordering_key, id) {
                next = step.claim_next_until.map(|until| queues::claim_next(tx, account_id, &held.ordering_key, now, until)).transpose()?.flatten();
                if next.is_none() {
                    queues::lift(tx, account_id, &held.ordering_key)?;
                }
            }
            queues::drop_empty(tx, account_id, &held.route)?;
            if let Some(why) = step.retires {
                endpoints::retire_of(tx, id, why, step.reason.as_deref(), now)?;
            }
            self.note(tx, &[settled_entry(step.state).on(account_id).about(id)], now)?;
        } else if step.claim_until.is_none() {
            let free_at = first(tx, "SELECT free_at FROM outbox WHERE id = ?1", [held.number], |row| Ok(row.get(0)?))?;
            queues::touch(tx, account_id, &held.route, free_at.unwrap_or(0))?;
        }
        if matches!(step.state, ItemState::Sent | ItemState::Cancelled) {
            drop_content(tx, held.number, held.has_files)?;
        }
        if step.announce {
            announce(tx, ChangeKind::SendChanged, account_id, Some(id), now)?;
        }
        Ok(Some(Stepped { next: next.map(Box::new) }))
    }
}

/// False: it is for [`change`] to do.
fn keep(c: &Connection, id: &str, fence: i64, step: &Step, now: i64) -> Outcome<bool> {
    let Some(until) = step.claim_until else { return Ok(false) };
    if !step.state.is_open() || step.next_at.is_some() || step.sent_at.is_some() || step.tidy_at.is_some() {
        return Ok(false);
    }
    // Two thirds of what it would be renewed for; its heartbeat renews it after one.
    let long_enough = until.saturating_sub(until.saturating_sub(now) / 3);
    let progress = step.progress.as_ref().map(Sealed::as_bytes);
    Ok(run(c, KEEP, (id, fence, step.state.word(), progress, &step.reason, long_enough, until))? > 0)
}

fn change(c: &Connection, number: i64, step: &Step, now: i64) -> Outcome<usize> {
    run(
        c,
        CHANGE,
        rusqlite::params![
            number,
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
    )
}
