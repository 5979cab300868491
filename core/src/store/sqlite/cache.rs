//! The cache of attachments. What is to go loses its message at once, so that nobody is served it, and its pieces a few at a time.

use super::fault::Outcome;
use super::{SqliteStore, all, exists, first, keys, run, sealed};
use crate::error::Result;
use crate::seal::Sealed;
use crate::store::{CACHE_STALE_MS, CachePlace, CacheStore, CacheSweep, CachedPiece, CachedRow, NewPiece};
use async_trait::async_trait;
use rusqlite::Connection;

/// Pieces erased in one transaction, and bytes of them: each is zeroed, and others wait for the writer meanwhile.
const MOST_ERASED: usize = 256;
const MOST_ERASED_BYTES: i64 = 8 << 20;
/// Pieces of one content erased by one statement.
const ERASED_AT_ONCE: usize = 16;
/// How exactly it is known when a content was used last.
const USED_WITHIN_MS: i64 = 60_000;

/// What is still erased in this transaction.
struct Budget {
    pieces: usize,
    bytes: i64,
}

impl Budget {
    fn new() -> Self {
        Self { pieces: MOST_ERASED, bytes: MOST_ERASED_BYTES }
    }

    fn is_spent(&self) -> bool {
        self.pieces == 0 || self.bytes <= 0
    }
}

/// The message is removed. Also for one that became a draft.
pub fn forget_message(c: &Connection, message: i64) -> Outcome<()> {
    run(c, "UPDATE cached_attachments SET message_id = NULL, is_complete = 0, used_at = 0 WHERE message_id = ?1", [message])?;
    Ok(())
}

fn forget(c: &Connection, id: i64) -> Outcome<()> {
    run(c, "UPDATE cached_attachments SET message_id = NULL, is_complete = 0, used_at = 0 WHERE id = ?1", [id])?;
    Ok(())
}

fn total(c: &Connection) -> Outcome<i64> {
    Ok(first(c, "SELECT SUM(stored) FROM cached_attachments INDEXED BY cached_attachments_used", [], |row| Ok(row.get::<_, Option<i64>>(0)?))?.flatten().unwrap_or(0))
}

/// Some pieces of one content, and its row once they are all gone.
fn erase(c: &Connection, id: i64, budget: &mut Budget) -> Outcome<()> {
    forget(c, id)?;
    let limit = budget.pieces.min(ERASED_AT_ONCE);
    let sql = "DELETE FROM cached_pieces WHERE id IN (SELECT id FROM cached_pieces WHERE cached_id = ?1 LIMIT ?2) RETURNING length(sealed)";
    let sizes: Vec<i64> = all(c, sql, (id, i64::try_from(limit).unwrap_or(1)), |row| Ok(row.get(0)?))?;
    let bytes: i64 = sizes.iter().sum();
    // A content without a piece costs something as well.
    budget.pieces = budget.pieces.saturating_sub(sizes.len().max(1));
    budget.bytes = budget.bytes.saturating_sub(bytes);
    if exists(c, "SELECT 1 FROM cached_pieces WHERE cached_id = ?1", [id])? {
        run(c, "UPDATE cached_attachments SET stored = stored - ?2 WHERE id = ?1", (id, bytes))?;
    } else {
        run(c, "DELETE FROM cached_attachments WHERE id = ?1", [id])?;
    }
    Ok(())
}

/// The one that was used least recently, those without a message first.
fn oldest(c: &Connection, but: i64) -> Outcome<Option<i64>> {
    first(c, "SELECT id FROM cached_attachments WHERE id <> ?1 ORDER BY used_at, id LIMIT 1", [but], |row| Ok(row.get(0)?))
}

/// A message that is here and whose attachments do not change.
fn message(c: &Connection, place: &CachePlace) -> Outcome<Option<i64>> {
    first(c, "SELECT id FROM messages WHERE account_id = ?1 AND graph_id = ?2 AND is_removed = 0 AND is_draft = 0", (&place.account_id, &place.graph_id), |row| Ok(row.get(0)?))
}

/// The row of a content whose first piece comes. None: it is not wanted.
fn begin(c: &Connection, piece: &NewPiece) -> Outcome<Option<i64>> {
    let NewPiece { id, place, now, .. } = piece;
    if let Some(begun) = open(c, id)? {
        return Ok(Some(begun));
    }
    let Some(message) = message(c, place)? else { return Ok(None) };
    let there = first(
        c,
        "SELECT id, CASE WHEN is_complete = 1 THEN listed_size = ?3 ELSE used_at > ?4 - ?5 AND used_at <= ?4 END FROM cached_attachments WHERE message_id = ?1 AND attachment_id = ?2",
        (message, &place.attachment_id, place.listed_size, now, CACHE_STALE_MS),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)),
    )?;
    match there {
        Some((_, true)) => return Ok(None),
        Some((other, false)) => forget(c, other)?,
        None => {}
    }
    run(
        c,
        "INSERT INTO cached_attachments (public_id, account_id, message_id, attachment_id, listed_size, used_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (id, &place.account_id, message, &place.attachment_id, place.listed_size, now),
    )?;
    Ok(Some(c.last_insert_rowid()))
}

/// One that is being stored.
fn open(c: &Connection, id: &str) -> Outcome<Option<i64>> {
    first(c, "SELECT id FROM cached_attachments WHERE public_id = ?1 AND is_complete = 0 AND message_id IS NOT NULL", [id], |row| Ok(row.get(0)?))
}

fn put(c: &Connection, piece: &NewPiece) -> Outcome<CachedPiece> {
    keys::check_active(c, [&piece.sealed])?;
    let row = if piece.part == 0 { begin(c, piece)? } else { open(c, &piece.id)? };
    let Some(row) = row else { return Ok(CachedPiece::Refused) };
    let (size, most) = (i64::try_from(piece.sealed.as_bytes().len()).unwrap_or(i64::MAX), i64::try_from(piece.most).unwrap_or(i64::MAX));
    let own = first(c, "SELECT stored FROM cached_attachments WHERE id = ?1", [row], |row| Ok(row.get::<_, i64>(0)?))?.unwrap_or(0);
    // Nothing else goes for what does not fit by itself.
    if own.saturating_add(size) > most {
        forget(c, row)?;
        return Ok(CachedPiece::Refused);
    }
    let mut budget = Budget::new();
    while total(c)?.saturating_add(size) > most {
        if budget.is_spent() {
            return Ok(CachedPiece::Again);
        }
        let Some(other) = oldest(c, row)? else { break };
        erase(c, other, &mut budget)?;
    }
    run(c, "INSERT INTO cached_pieces (account_id, cached_id, part, sealed) VALUES (?1, ?2, ?3, ?4)", (&piece.place.account_id, row, piece.part, piece.sealed.as_bytes()))?;
    let whole = piece.whole.map(|size| i64::try_from(size).unwrap_or(i64::MAX));
    run(
        c,
        "UPDATE cached_attachments SET stored = stored + ?2, used_at = ?3, size = COALESCE(?4, size), is_complete = ?4 IS NOT NULL WHERE id = ?1",
        (row, size, piece.now, whole),
    )?;
    Ok(CachedPiece::Stored)
}

/// What the next step of a sweep is about.
fn due(c: &Connection, sweep: CacheSweep) -> Outcome<Option<i64>> {
    let left = "SELECT id FROM cached_attachments INDEXED BY cached_attachments_open WHERE is_complete = 0 AND used_at < ?1 ORDER BY used_at LIMIT 1";
    // Those without a message say 0.
    if let Some(id) = first(c, left, [sweep.stale_before.max(1)], |row| Ok(row.get(0)?))? {
        return Ok(Some(id));
    }
    match sweep.most {
        Some(most) if total(c)? > i64::try_from(most).unwrap_or(i64::MAX) => oldest(c, 0),
        _ => Ok(None),
    }
}

#[async_trait]
impl CacheStore for SqliteStore {
    async fn cached(&self, place: &CachePlace, now: i64) -> Result<Option<CachedRow>> {
        let place = place.clone();
        let found = self
            .read(move |c| {
                let Some(message) = message(c, &place)? else { return Ok(None) };
                first(
                    c,
                    "SELECT id, public_id, size, used_at FROM cached_attachments WHERE message_id = ?1 AND attachment_id = ?2 AND listed_size = ?3 AND is_complete = 1",
                    (message, &place.attachment_id, place.listed_size),
                    |row| Ok((row.get::<_, i64>(0)?, CachedRow { id: row.get(1)?, size: row.get::<_, i64>(2)?.unsigned_abs() }, row.get::<_, i64>(3)?)),
                )
            })
            .await?;
        let Some((id, row, used_at)) = found else { return Ok(None) };
        if used_at > now || now.saturating_sub(used_at) >= USED_WITHIN_MS {
            self.write(move |tx| run(tx, "UPDATE cached_attachments SET used_at = ?2 WHERE id = ?1 AND is_complete = 1", (id, now)).map(drop)).await?;
        }
        Ok(Some(row))
    }

    async fn cached_piece(&self, id: &str, part: u32) -> Result<Option<Sealed>> {
        let id = id.to_owned();
        self.read(move |c| {
            let sql = "SELECT p.sealed FROM cached_attachments a JOIN cached_pieces p ON p.cached_id = a.id WHERE a.public_id = ?1 AND a.is_complete = 1 AND p.part = ?2";
            first(c, sql, (&id, part), |row| sealed(row, 0))
        })
        .await
    }

    async fn cache_piece(&self, piece: &NewPiece) -> Result<CachedPiece> {
        let piece = piece.clone();
        self.write(move |tx| put(tx, &piece)).await
    }

    async fn drop_cached(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |tx| {
            run(tx, "UPDATE cached_attachments SET message_id = NULL, is_complete = 0, used_at = 0 WHERE public_id = ?1", [&id])?;
            Ok(())
        })
        .await
    }

    async fn sweep_cached(&self, sweep: CacheSweep) -> Result<bool> {
        // Looked for without the writer's lock first: mostly there is nothing.
        if self.read(move |c| due(c, sweep)).await?.is_none() {
            return Ok(false);
        }
        self.write(move |tx| {
            let mut budget = Budget::new();
            while !budget.is_spent() {
                let Some(id) = due(tx, sweep)? else { return Ok(false) };
                erase(tx, id, &mut budget)?;
            }
            Ok(true)
        })
        .await
    }
}
