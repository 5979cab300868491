//! The outbox: one row per send. A row is open until it is settled; the lowest open row of a lane is its head and the only one that may be claimed
//! ([`queues`]).

use super::fault::Outcome;
use super::{SqliteStore, all, announce, awaited, exists, first, keys, leases, queues, run, sealed, sealed_opt, word};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AuditKind, ChangeKind, OutboxFilter, SendState};
use crate::seal::Sealed;
use crate::store::{Awaited, Content, Due, Enqueued, Entry, Hold, ItemRow, ItemState, NewItem, OutboxStore, Part, Reopened, Step, Wanted};
use crate::store::words::Word;
use rusqlite::{Connection, Row};

macro_rules! columns {
    () => {
        "public_id, account_id, route, key, state, attempts, crashes, waits, progress, progress_version, reason, created_at, sent_at, next_at, deadline, fence, settled_at, parked, is_bulk, tidy_until, EXISTS (SELECT 1 FROM outbox_parts WHERE item_id = outbox.id)"
    };
}
pub(super) use columns;

/// How many these are.
pub(super) const COLUMNS: usize = 21;

macro_rules! select_item {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM outbox ", $rest)
    };
}

pub fn item_row(row: &Row<'_>) -> Outcome<ItemRow> {
    Ok(ItemRow {
        id: row.get(0)?,
        account_id: row.get(1)?,
        route: word(row, 2)?,
        key: row.get(3)?,
        state: word(row, 4)?,
        attempts: row.get(5)?,
        crashes: row.get(6)?,
        waits: row.get(7)?,
        progress: sealed_opt(row, 8)?,
        progress_version: row.get(9)?,
        reason: row.get(10)?,
        created_at: row.get(11)?,
        sent_at: row.get(12)?,
        next_at: row.get(13)?,
        deadline: row.get(14)?,
        fence: row.get(15)?,
        settled_at: row.get(16)?,
        hold: match row.get(17)? {
            1 => Hold::Parked,
            2 => Hold::Released,
            _ => Hold::None,
        },
        is_bulk: row.get(18)?,
        tidy_until: row.get(19)?,
        has_files: row.get(20)?,
    })
}

fn by_id(c: &Connection, id: &str) -> Outcome<Option<ItemRow>> {
    first(c, select_item!("WHERE public_id = ?1"), [id], item_row)
}

fn by_key(c: &Connection, item: &NewItem) -> Outcome<Option<Enqueued>> {
    let Some(key) = &item.key else { return Ok(None) };
    let found = first(c, "SELECT public_id, content_hash, hash_version FROM outbox WHERE account_id = ?1 AND key = ?2", (&item.account_id, key), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
    })?;
    let Some((id, content_hash, hash_version)) = found else { return Ok(None) };
    Ok(by_id(c, &id)?.map(|row| Enqueued::Known { row, content_hash, hash_version }))
}

fn check_connected(c: &Connection, account_id: &str) -> Outcome<()> {
    if exists(c, "SELECT 1 FROM accounts WHERE id = ?1 AND state = 'connected'", [account_id])? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NotConnected, "The account is not connected, so nothing was accepted. Connect it again.").on_account(account_id).into())
}

impl SqliteStore {
    fn enqueue_one(&self, tx: &Connection, item: &NewItem, content: &Content) -> Outcome<Enqueued> {
        if let Some(known) = by_key(tx, item)? {
            if !item.is_bulk {
                // Somebody waits for it now.
                run(tx, "UPDATE outbox SET is_bulk = 0 WHERE account_id = ?1 AND key = ?2 AND is_open = 1 AND is_bulk = 1", (&item.account_id, &item.key))?;
            }
            return Ok(known);
        }
        check_connected(tx, &item.account_id)?;
        keys::check_active(tx, std::iter::once(&content.payload).chain(&item.progress).chain(content.parts.iter().map(|part| &part.sealed)))?;
        // Behind others of its lane it waits for them; the highest number is the last.
        let is_head = queues::is_free(tx, &item.account_id, &item.ordering_key)?;
        let made = first(
            tx,
            concat!(
                "INSERT INTO outbox (public_id, account_id, route, lane, key, content_hash, hash_version, state, deadline, created_at, is_bulk, is_head, progress, progress_version)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?8, ?9, ?10, ?11, ?12, ?12 IS NOT NULL) RETURNING ",
                columns!(),
                ", id, free_at"
            ),
            rusqlite::params![
                item.id,
                item.account_id,
                item.route.word(),
                item.ordering_key,
                item.key,
                item.content_hash,
                item.hash_version,
                item.deadline,
                item.created_at,
                item.is_bulk,
                is_head,
                item.progress.as_ref().map(Sealed::as_bytes)
            ],
            |row| Ok((item_row(row)?, row.get::<_, i64>(COLUMNS)?, row.get::<_, i64>(COLUMNS + 1)?)),
        )?;
        let Some((row, number, free_at)) = made else { return Err(Error::internal("A row just written could not be read. Please report it.").into()) };
        if is_head {
            queues::touch(tx, &item.account_id, item.route.word(), free_at)?;
        }
        run(tx, "INSERT INTO outbox_payloads (item_id, version, sealed) VALUES (?1, ?2, ?3)", (number, content.version, content.payload.as_bytes()))?;
        for part in &content.parts {
            run(
                tx,
                "INSERT INTO outbox_parts (account_id, item_id, file, part, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
                rusqlite::params![item.account_id, number, part.file, part.part, part.sealed.as_bytes()],
            )?;
        }
        self.note(tx, &[Entry::new(AuditKind::SendQueued, "A send was accepted.").on(&item.account_id).about(&item.id)], item.created_at)?;
        Ok(Enqueued::New(ItemRow { has_files: !content.parts.is_empty(), ..row }))
    }
}

impl OutboxStore for SqliteStore {
    fn enqueue(&self, item: &NewItem, content: &Content) -> Result<Enqueued> {
        self.write(|tx| self.enqueue_one(tx, item, content))
    }

    fn enqueue_all(&self, items: &[NewItem], contents: &[Content]) -> Result<Vec<Enqueued>> {
        self.write(|tx| {
            let mut all = Vec::with_capacity(items.len());
            for (number, (item, content)) in items.iter().zip(contents).enumerate() {
                let enqueued = self.enqueue_one(tx, item, content)?;
                if let Enqueued::Known { content_hash, hash_version, .. } = &enqueued
                    && *hash_version == item.hash_version
                    && *content_hash != item.content_hash
                {
                    return Err(Error::new(ErrorKind::Conflict, format!("drafts[{number}]: This idempotency key was used for a message with other content. Use a new key for a new message.")).on_account(&item.account_id).into());
                }
                all.push(enqueued);
            }
            Ok(all)
        })
    }

    fn submitted(&self, item: &NewItem) -> Result<Option<Enqueued>> {
        self.read(|c| by_key(c, item))
    }

    fn claims(&self, now: i64, lease_ms: i64, wanted: &mut Wanted) -> Result<Vec<ItemRow>> {
        // Looked for without the writer's lock first: workers ask often and mostly in vain.
        if !self.read(|c| queues::is_due(c, now, lease_ms, &queues::Except::of(&wanted.except)))? {
            return Ok(Vec::new());
        }
        self.write(|tx| queues::claim(tx, now, lease_ms, wanted))
    }

    fn claim_awaited(&self, now: i64, lease_ms: i64, awaited: &mut Awaited) -> Result<Vec<ItemRow>> {
        if !self.read(|c| awaited::is_due(c, now, awaited))? {
            return Ok(Vec::new());
        }
        self.write(|tx| awaited::claim(tx, now, lease_ms, awaited))
    }

    fn step(&self, id: &str, fence: i64, step: &Step, now: i64) -> Result<Option<ItemRow>> {
        self.write(|tx| self.step_in(tx, id, fence, step, now))
    }

    fn renew_claim(&self, id: &str, fence: i64, now: i64, lease_ms: i64) -> Result<bool> {
        self.write(|tx| {
            let until = now.saturating_add(lease_ms);
            Ok(run(tx, "UPDATE outbox SET lease_until = ?3 WHERE public_id = ?1 AND fence = ?2 AND (is_open = 1 OR lease_until > 0)", (id, fence, until))? > 0)
        })
    }

    fn item(&self, id: &str) -> Result<Option<ItemRow>> {
        self.read(|c| by_id(c, id))
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
                    "WHERE (?1 IS NULL OR account_id = ?1) AND (?2 IS NULL OR account_id IN (SELECT id FROM accounts WHERE owner = ?2))
                       AND (?3 IS NULL OR CASE WHEN parked = 1 AND is_open = 1 THEN ?5 ELSE state IN (SELECT value FROM json_each(?3)) END)
                     ORDER BY outbox.id DESC LIMIT ?4"
                ),
                (&filter.account_id, &filter.owner, states, filter.limit, parked),
                item_row,
            )
        })
    }

    fn content(&self, id: &str) -> Result<Option<Content>> {
        self.read(|c| {
            let found = first(
                c,
                "SELECT o.id, p.sealed, p.version, EXISTS (SELECT 1 FROM outbox_parts WHERE item_id = o.id) FROM outbox o JOIN outbox_payloads p ON p.item_id = o.id WHERE o.public_id = ?1",
                [id],
                |row| Ok((row.get::<_, i64>(0)?, sealed(row, 1)?, row.get::<_, i64>(2)?, row.get::<_, bool>(3)?)),
            )?;
            let Some((number, payload, version, has_parts)) = found else { return Ok(None) };
            if !has_parts {
                return Ok(Some(Content { payload, version, parts: Vec::new() }));
            }
            let parts = all(c, "SELECT file, part, sealed FROM outbox_parts WHERE item_id = ?1 ORDER BY file, part", [number], |row| {
                Ok(Part { file: row.get(0)?, part: row.get(1)?, sealed: sealed(row, 2)? })
            })?;
            Ok(Some(Content { payload, version, parts }))
        })
    }

    fn cancel(&self, id: &str, reason: &str, now: i64) -> Result<bool> {
        self.cancel_one(id, reason, now)
    }

    fn reopen(&self, item: &Reopened<'_>, now: i64) -> Result<bool> {
        self.write(|tx| {
            let seen = item.seen;
            check_connected(tx, &seen.account_id)?;
            keys::check_active(tx, [&item.progress])?;
            let ordering_key = first(
                tx,
                "UPDATE outbox SET state = ?4, is_open = 1, progress = ?5, progress_version = progress_version + 1, reason = NULL, next_at = NULL,
                   deadline = NULL, tidy_at = NULL, tidy_until = NULL, settled_at = NULL, crashes = 0, waits = 0, fence = fence + 1, lease_until = 0, parked = CASE parked WHEN 1 THEN 2 ELSE parked END
                 WHERE public_id = ?1 AND state = ?2 AND progress_version = ?3 AND state IN ('failed', 'unknown')
                   AND (lease_until <= ?6 OR lease_until > ?7) RETURNING lane",
                (
                    &seen.id,
                    seen.state.word(),
                    seen.progress_version,
                    item.state.word(),
                    item.progress.as_bytes(),
                    now,
                    now.saturating_add(crate::store::LEASE_MS).saturating_add(leases::SKEW_MS),
                ),
                |row| Ok(row.get::<_, String>(0)?),
            )?;
            let Some(ordering_key) = ordering_key else { return Ok(false) };
            queues::lift(tx, &seen.account_id, &ordering_key)?;
            announce(tx, ChangeKind::SendChanged, &seen.account_id, Some(&seen.id), now)?;
            self.note(tx, &[Entry::new(AuditKind::SendQueued, "A send was asked for again.").on(&seen.account_id).about(&seen.id)], now)?;
            Ok(true)
        })
    }

    fn expire(&self, now: i64) -> Result<Vec<String>> {
        self.expire_all(now)
    }

    fn claim_tidy(&self, now: i64, lease_ms: i64) -> Result<Option<ItemRow>> {
        self.claim_one_tidy(now, lease_ms)
    }

    fn tidied(&self, id: &str, fence: i64, progress: Option<&Sealed>, again_at: Option<i64>) -> Result<bool> {
        self.end_tidy(id, fence, progress, again_at)
    }

    fn tidy_again(&self, id: &str, until: i64) -> Result<()> {
        self.look_again(id, until)
    }

    fn next_due(&self, now: i64, except: &[String]) -> Result<Option<Due>> {
        self.read(|c| queues::next_due(c, now, &queues::Except::of(except)))
    }

    fn next_awaited(&self, now: i64, awaited: &Awaited) -> Result<Option<Due>> {
        self.read(|c| awaited::next_due(c, now, awaited))
    }

    fn next_upkeep(&self) -> Result<Option<i64>> {
        self.read(super::outbox_end::next_upkeep)
    }
}
