//! Staged contents. Whoever needs one is in `outbox_staged`, as long as the send has its payload; `erase_at` says when one goes that nobody needs.

use super::fault::Outcome;
use super::{SqliteStore, all, exists, first, keys, run, sealed};
use crate::error::{Error, ErrorKind, Result};
use crate::seal::Sealed;
use crate::store::{Staged, StagedRow, StagingStore};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

/// Pieces erased in one transaction: each is zeroed, and others wait for the writer meanwhile.
const ERASED_AT_ONCE: u32 = 16;

fn staged_row(row: &Row<'_>) -> Outcome<StagedRow> {
    Ok(StagedRow { id: row.get(0)?, account_id: row.get(1)?, size: row.get::<_, i64>(2)?.unsigned_abs(), digest: row.get(3)?, is_gone: row.get(4)? })
}

fn is_open(c: &Connection, id: &str) -> Outcome<Option<i64>> {
    first(c, "SELECT id FROM staged WHERE public_id = ?1 AND digest IS NULL AND is_gone = 0", [id], |row| Ok(row.get(0)?))
}

/// The send needs these from now on. Errors: NotFound.
pub(super) fn link(c: &Connection, number: i64, account_id: &str, ids: &[String]) -> Outcome<()> {
    for id in ids {
        let found = first(c, "SELECT id FROM staged WHERE public_id = ?1 AND account_id = ?2 AND digest IS NOT NULL AND is_gone = 0", (id, account_id), |row| Ok(row.get::<_, i64>(0)?))?;
        let Some(staged) = found else { return Err(not_staged(account_id).into()) };
        run(c, "INSERT INTO outbox_staged (item_id, staged_id, account_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", (number, staged, account_id))?;
        run(c, "UPDATE staged SET erase_at = NULL WHERE id = ?1", [staged])?;
    }
    Ok(())
}

fn not_staged(account_id: &str) -> Error {
    Error::new(ErrorKind::NotFound, "The content of an attachment is not there any more. Stage it again.").on_account(account_id)
}

/// The send has no payload any more, or is about to lose it. What no other send needs is erased soon; that the send named it stays known.
pub(super) fn unneeded(c: &Connection, number: i64) -> Outcome<()> {
    run(
        c,
        "UPDATE staged SET is_gone = 1, erase_at = 0 WHERE is_gone = 0 AND id IN (SELECT staged_id FROM outbox_staged WHERE item_id = ?1)
           AND NOT EXISTS (SELECT 1 FROM outbox_staged l JOIN outbox_payloads p ON p.item_id = l.item_id WHERE l.staged_id = staged.id AND l.item_id <> ?1)",
        [number],
    )?;
    Ok(())
}

/// The send is erased, or is about to say something else. Answers what it named.
pub(super) fn unlink(c: &Connection, number: i64) -> Outcome<Vec<i64>> {
    all(c, "DELETE FROM outbox_staged WHERE item_id = ?1 RETURNING staged_id", [number], |row| Ok(row.get::<_, i64>(0)?))
}

/// Those of these that no send names any more are erased soon.
pub(super) fn drop_unnamed(c: &Connection, staged: &[i64]) -> Outcome<()> {
    for id in staged {
        run(c, "UPDATE staged SET is_gone = 1, erase_at = 0 WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM outbox_staged WHERE staged_id = ?1)", [id])?;
    }
    Ok(())
}

/// True: there may be more.
fn sweep(c: &Connection, now: i64) -> Outcome<bool> {
    let Some(id) = due(c, now)? else { return Ok(false) };
    run(c, "UPDATE staged SET is_gone = 1, erase_at = 0 WHERE id = ?1", [id])?;
    let erased = run(c, "DELETE FROM staged_parts WHERE id IN (SELECT id FROM staged_parts WHERE staged_id = ?1 LIMIT ?2)", (id, ERASED_AT_ONCE))?;
    if erased < ERASED_AT_ONCE as usize {
        if exists(c, "SELECT 1 FROM outbox_staged WHERE staged_id = ?1", [id])? {
            run(c, "UPDATE staged SET erase_at = NULL WHERE id = ?1", [id])?;
        } else {
            run(c, "DELETE FROM staged WHERE id = ?1", [id])?;
        }
    }
    Ok(true)
}

fn due(c: &Connection, now: i64) -> Outcome<Option<i64>> {
    first(c, "SELECT id FROM staged WHERE erase_at <= ?1 ORDER BY erase_at LIMIT 1", [now], |row| Ok(row.get(0)?))
}

#[async_trait]
impl StagingStore for SqliteStore {
    async fn begin_staging(&self, id: &str, account_id: &str, erase_at: i64) -> Result<()> {
        let (id, account_id) = (id.to_owned(), account_id.to_owned());
        self.write(move |tx| {
            if !exists(tx, "SELECT 1 FROM accounts WHERE id = ?1 AND state = 'connected'", [&account_id])? {
                return Err(Error::new(ErrorKind::NotConnected, "The account is not connected, so nothing was accepted. Connect it again.").on_account(&account_id).into());
            }
            run(tx, "INSERT INTO staged (public_id, account_id, erase_at) VALUES (?1, ?2, ?3)", (&id, &account_id, erase_at))?;
            Ok(())
        })
        .await
    }

    async fn stage_part(&self, id: &str, part: u32, sealed: Sealed, erase_at: i64) -> Result<bool> {
        let id = id.to_owned();
        self.write(move |tx| {
            keys::check_active(tx, [&sealed])?;
            let Some(number) = is_open(tx, &id)? else { return Ok(false) };
            run(
                tx,
                "INSERT INTO staged_parts (account_id, staged_id, part, sealed) SELECT account_id, id, ?2, ?3 FROM staged WHERE id = ?1",
                (number, part, sealed.as_bytes()),
            )?;
            run(tx, "UPDATE staged SET erase_at = ?2 WHERE id = ?1", (number, erase_at))?;
            Ok(true)
        })
        .await
    }

    async fn finish_staging(&self, id: &str, staged: Staged, erase_at: i64) -> Result<bool> {
        let id = id.to_owned();
        self.write(move |tx| {
            let Some(number) = is_open(tx, &id)? else { return Ok(false) };
            let size = i64::try_from(staged.size).unwrap_or(i64::MAX);
            run(tx, "UPDATE staged SET size = ?2, digest = ?3, erase_at = ?4 WHERE id = ?1", (number, size, &staged.digest, erase_at))?;
            Ok(true)
        })
        .await
    }

    async fn staged(&self, ids: &[String]) -> Result<Vec<StagedRow>> {
        let ids = super::json(ids)?;
        self.read(move |c| {
            all(c, "SELECT public_id, account_id, size, digest, is_gone FROM staged WHERE public_id IN (SELECT value FROM json_each(?1))", [&ids], staged_row)
        })
        .await
    }

    async fn staged_part(&self, id: &str, part: u32) -> Result<Option<Sealed>> {
        let id = id.to_owned();
        self.read(move |c| {
            first(c, "SELECT p.sealed FROM staged s JOIN staged_parts p ON p.staged_id = s.id WHERE s.public_id = ?1 AND s.is_gone = 0 AND p.part = ?2", (&id, part), |row| sealed(row, 0))
        })
        .await
    }

    async fn drop_staged(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |tx| {
            run(
                tx,
                "UPDATE staged SET is_gone = 1, erase_at = 0 WHERE public_id = ?1 AND NOT EXISTS (SELECT 1 FROM outbox_staged WHERE staged_id = staged.id)",
                [&id],
            )?;
            Ok(())
        })
        .await
    }

    async fn sweep_staged(&self, now: i64) -> Result<bool> {
        // Looked for without the writer's lock first: mostly there is nothing.
        if self.read(move |c| due(c, now)).await?.is_none() {
            return Ok(false);
        }
        self.write(move |tx| sweep(tx, now)).await
    }
}
