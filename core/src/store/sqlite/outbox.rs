//! The outbox: one row per send. A row is open until it is settled; the lowest open row of a lane is its head and the only one that may be claimed.

use super::fault::Outcome;
use super::names::Word;
use super::{SqliteStore, all, announce, first, keys, leases, run, sealed, sealed_opt, word};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AuditKind, ChangeKind, OutboxFilter, SendState};
use crate::seal::Sealed;
use crate::store::{Due, Enqueued, Entry, Hold, ItemRow, ItemState, NewItem, OutboxStore, Step};
use rusqlite::{Connection, Row};

macro_rules! columns {
    () => {
        "id, account_id, route, key, state, attempts, payload, progress, progress_version, reason, created_at, sent_at, next_at, fence, parked"
    };
}

macro_rules! select_item {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM outbox ", $rest)
    };
}

/// Open, not parked, of a connected account, and no earlier such row in its lane.
macro_rules! heads {
    () => {
        "o.is_open = 1 AND o.parked <> 1
         AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = o.account_id AND a.state = 'connected')
         AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.is_open = 1 AND e.parked <> 1 AND e.account_id = o.account_id AND e.lane = o.lane AND e.id < o.id)"
    };
}

/// The oldest that may be claimed at ?1. A claim that ends later than ?2 was made when the clock stood ahead.
macro_rules! oldest_due {
    () => {
        concat!(
            "SELECT o.id FROM outbox o INDEXED BY outbox_order WHERE ",
            heads!(),
            " AND (o.lease_until <= ?1 OR o.lease_until > ?2) AND COALESCE(o.next_at, 0) <= ?1 ORDER BY o.id LIMIT 1"
        )
    };
}

fn item_row(row: &Row<'_>) -> Outcome<ItemRow> {
    Ok(ItemRow {
        id: row.get(0)?,
        account_id: row.get(1)?,
        route: word(row, 2)?,
        key: row.get(3)?,
        state: word(row, 4)?,
        attempts: row.get(5)?,
        payload: sealed(row, 6)?,
        progress: sealed_opt(row, 7)?,
        progress_version: row.get(8)?,
        reason: row.get(9)?,
        created_at: row.get(10)?,
        sent_at: row.get(11)?,
        next_at: row.get(12)?,
        fence: row.get(13)?,
        hold: match row.get(14)? {
            1 => Hold::Parked,
            2 => Hold::Released,
            _ => Hold::None,
        },
    })
}

/// What hosts call an item, for the audit log.
pub fn shown_id(id: i64) -> String {
    format!("snd_{id}")
}

fn settled(state: ItemState) -> &'static str {
    match state {
        ItemState::Sent => "It was sent.",
        ItemState::Failed => "It was not sent.",
        ItemState::Cancelled => "The send was cancelled.",
        _ => "It is unknown whether it was sent.",
    }
}

/// Takes back what nobody outside has seen. A request that may have had an effect keeps its state: it is no longer ours to call unsent.
pub fn cancel_unsent(c: &Connection, account_id: &str, reason: &str) -> Outcome<Vec<i64>> {
    let mut ids = all(
        c,
        "UPDATE outbox SET state = 'cancelled', is_open = 0, reason = ?2, next_at = NULL, lease_until = 0, fence = fence + 1
         WHERE account_id = ?1 AND is_open = 1 AND state IN ('queued', 'claimed', 'prepared', 'retry_wait') RETURNING id",
        (account_id, reason),
        |row| Ok(row.get::<_, i64>(0)?),
    )?;
    ids.sort_unstable();
    Ok(ids)
}

/// What a dead worker left with a request made: nobody will be able to ask about it any more.
pub fn leave_in_doubt(c: &Connection, account_id: &str, now: i64) -> Outcome<Vec<i64>> {
    all(
        c,
        "UPDATE outbox SET state = 'unknown', is_open = 0, next_at = NULL, lease_until = 0, fence = fence + 1,
           reason = 'The account was disconnected before it could be found out whether this was sent. Look into the mailbox before sending it again.'
         WHERE account_id = ?1 AND is_open = 1 AND state IN ('dispatching', 'reconciling') AND lease_until <= ?2 RETURNING id",
        (account_id, now),
        |row| Ok(row.get::<_, i64>(0)?),
    )
}

fn by_key(c: &Connection, item: &NewItem) -> Outcome<Option<Enqueued>> {
    let Some(key) = &item.key else { return Ok(None) };
    let Some((id, hash)) =
        first(c, "SELECT id, content_hash FROM outbox WHERE account_id = ?1 AND key = ?2", (&item.account_id, key), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?
    else {
        return Ok(None);
    };
    if hash != item.content_hash {
        return Ok(Some(Enqueued::Conflict));
    }
    Ok(first(c, select_item!("WHERE id = ?1"), [id], item_row)?.map(Enqueued::Same))
}

impl OutboxStore for SqliteStore {
    fn enqueue(&self, item: &NewItem, seal: &dyn Fn(i64) -> Result<Sealed>) -> Result<Enqueued> {
        let mut unbooked = Vec::new();
        let outcome = self.write(|tx| {
            if let Some(known) = by_key(tx, item)? {
                return Ok(known);
            }
            if !super::exists(tx, "SELECT 1 FROM accounts WHERE id = ?1 AND state = 'connected'", [&item.account_id])? {
                return Err(Error::new(ErrorKind::NotConnected, "The account is not connected, so nothing was accepted. Connect it again.")
                    .on_account(item.account_id.as_str())
                    .into());
            }
            // The id AUTOINCREMENT is about to give: nobody else writes while this transaction is open.
            let id = first(tx, "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'outbox'", [], |row| Ok(row.get::<_, i64>(0)?))?.unwrap_or(1);
            let (payload, reserved) = self.inside.during(|| seal(id));
            unbooked.clone_from(&reserved);
            let payload = payload?;
            keys::check_active(tx, [&payload])?;
            run(
                tx,
                "INSERT INTO outbox (id, account_id, route, lane, key, content_hash, state, payload, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7, ?8)",
                rusqlite::params![id, item.account_id, item.route.word(), item.lane, item.key, item.content_hash, payload.as_bytes(), item.created_at],
            )?;
            for (key, count) in reserved {
                keys::add_uses(tx, key, count)?;
            }
            self.note(tx, &[Entry::new(AuditKind::SendQueued, "A send was accepted.").on(&item.account_id).about(shown_id(id))], item.created_at)?;
            let row = first(tx, select_item!("WHERE id = ?1"), [id], item_row)?;
            Ok(Enqueued::New(row.ok_or_else(|| Error::internal("A row just written could not be read. Please report it."))?))
        });
        if outcome.is_err() {
            // The row is not there, but the uses are spent.
            for (key, count) in unbooked {
                let _ = self.reserve(key, count);
            }
        }
        outcome
    }

    fn claim(&self, now: i64, lease_ms: i64) -> Result<Option<ItemRow>> {
        // Looked for without the writer's lock first: workers ask often and mostly in vain.
        let until = now.saturating_add(lease_ms);
        let too_late = until.saturating_add(leases::SKEW_MS);
        if !self.read(|c| super::exists(c, oldest_due!(), [now, too_late]))? {
            return Ok(None);
        }
        self.write(|tx| {
            first(
                tx,
                concat!(
                    "UPDATE outbox SET attempts = attempts + 1, fence = fence + 1, lease_until = ?3,
                       state = CASE WHEN state IN ('queued', 'retry_wait') THEN 'claimed' ELSE state END
                     WHERE id = (",
                    oldest_due!(),
                    ") RETURNING ",
                    columns!()
                ),
                (now, too_late, until),
                item_row,
            )
        })
    }

    fn step(&self, item_id: i64, fence: i64, step: &Step, now: i64) -> Result<bool> {
        self.write(|tx| {
            let account = first(
                tx,
                "UPDATE outbox SET state = ?3, is_open = ?4, progress = COALESCE(?5, progress), progress_version = progress_version + (?5 IS NOT NULL),
                   reason = ?6, next_at = ?7, sent_at = COALESCE(?8, sent_at), lease_until = CASE WHEN ?9 THEN 0 ELSE lease_until END
                 WHERE id = ?1 AND fence = ?2 AND is_open = 1 RETURNING account_id",
                rusqlite::params![
                    item_id,
                    fence,
                    step.state.word(),
                    step.state.is_open(),
                    step.progress.as_ref().map(Sealed::as_bytes),
                    step.reason,
                    step.next_at,
                    step.sent_at,
                    step.release,
                ],
                |row| Ok(row.get::<_, String>(0)?),
            )?;
            let Some(account) = account else { return Ok(false) };
            keys::check_active(tx, &step.progress)?;
            if step.announce {
                announce(tx, ChangeKind::SendChanged, &account, Some(&shown_id(item_id)), now)?;
            }
            if !step.state.is_open() {
                self.note(tx, &[Entry::new(AuditKind::SendSettled, settled(step.state)).on(account).about(shown_id(item_id))], now)?;
            }
            Ok(true)
        })
    }

    fn renew_claim(&self, item_id: i64, fence: i64, now: i64, lease_ms: i64) -> Result<bool> {
        self.write(|tx| {
            let until = now.saturating_add(lease_ms);
            Ok(run(tx, "UPDATE outbox SET lease_until = ?3 WHERE id = ?1 AND fence = ?2 AND is_open = 1", (item_id, fence, until))? > 0)
        })
    }

    fn item(&self, id: i64) -> Result<Option<ItemRow>> {
        self.read(|c| first(c, select_item!("WHERE id = ?1"), [id], item_row))
    }

    fn items(&self, filter: &OutboxFilter) -> Result<Vec<ItemRow>> {
        let states: Option<Vec<&str>> = filter.state.map(|shown| ItemState::ALL.iter().filter(|s| s.shown() == shown).map(|s| s.word()).collect());
        let states = states.as_deref().map(super::json).transpose()?;
        // A parked send is shown as queued, wherever it stood.
        let parked = filter.state.map(|shown| shown == SendState::Queued);
        self.read(|c| {
            all(
                c,
                select_item!(
                    "WHERE (?1 IS NULL OR account_id = ?1)
                       AND (?2 IS NULL OR CASE WHEN parked = 1 AND is_open = 1 THEN ?4 ELSE state IN (SELECT value FROM json_each(?2)) END) ORDER BY id DESC LIMIT ?3"
                ),
                (&filter.account_id, states, filter.limit, parked),
                item_row,
            )
        })
    }

    fn next_due(&self, now: i64) -> Result<Option<Due>> {
        self.read(|c| next_due(c, now))
    }
}

fn next_due(c: &Connection, now: i64) -> Outcome<Option<Due>> {
    first(
        c,
        concat!(
            "SELECT MAX(COALESCE(o.next_at, 0), o.lease_until), o.lease_until > ?1 AND o.lease_until > COALESCE(o.next_at, 0) FROM outbox o WHERE ",
            heads!(),
            " ORDER BY 1, 2 LIMIT 1"
        ),
        [now],
        |row| Ok(if row.get(1)? { Due::Lapse(row.get(0)?) } else { Due::Retry(row.get(0)?) }),
    )
}
