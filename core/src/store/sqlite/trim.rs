//! Erasing what is older than is kept, a few rows at a time.

use super::fault::Outcome;
use super::outbox_end::drop_content;
use super::ending::mark_erasure;
use super::{ERASE_RETRY_WAIT, SqliteStore, all, answers, endpoints, exists, first, handovers, last_senders, purge, run, search, staging};
use crate::error::Result;
use crate::store::{Kept, TrimStore};
use async_trait::async_trait;
use rusqlite::Connection;

#[async_trait]
impl TrimStore for SqliteStore {
    async fn trim(&self, kept: &Kept, limit: u32) -> Result<bool> {
        let kept = *kept;
        // Looked for without the writer's lock first: mostly there is nothing.
        if !self.read(move |c| is_due(c, &kept)).await? {
            return Ok(false);
        }
        self.write(move |tx| {
            let limit_rows = usize::try_from(limit).unwrap_or(usize::MAX);
            let erased = [old_changes(tx, &kept, limit)?, surplus_changes(tx, &kept, limit)?, tombstones(tx, &kept, limit)?, sends(tx, &kept, limit)?, last_senders::forget_old(tx, kept.senders_since, limit)?, endpoints::forget_old_wholes(tx, kept.sends_since, limit)?, activities(tx, &kept, limit)?, threads(tx, &kept, limit)?];
            Ok(erased.into_iter().any(|rows| rows >= limit_rows))
        })
        .await
    }

    async fn drop_expired(&self, now: i64) -> Result<()> {
        let is_due = move |c: &Connection| Ok(!handovers::due(c, now)?.is_empty() || purge::has_old_attempts(c, now)?);
        if !self.read(is_due).await? {
            return Ok(());
        }
        self.destroying(ERASE_RETRY_WAIT, move |tx| {
            purge::drop_old_attempts(tx, now)?;
            let is_destroyed = !handovers::due(tx, now)?.is_empty();
            if is_destroyed {
                handovers::expire(tx, now)?;
                mark_erasure(tx)?;
            }
            Ok(((), is_destroyed))
        })
        .await
    }
}

/// A change that is stamped with a time to come was written when the clock stood ahead; it is as old as those around it.
const OLDEST_CHANGES: &str = "SELECT id, account_id FROM changes WHERE id < COALESCE(
     (SELECT id FROM (SELECT id, at FROM changes ORDER BY id LIMIT ?3) WHERE at >= ?1 AND at <= ?2 ORDER BY id LIMIT 1), 9223372036854775807)
   ORDER BY id LIMIT ?3";
const CROWDED: &str = "SELECT a.id FROM accounts AS a
   WHERE (SELECT MAX(id) FROM changes WHERE account_id = a.id) - (SELECT MIN(id) FROM changes WHERE account_id = a.id) >= ?1
     AND EXISTS (SELECT 1 FROM changes WHERE account_id = a.id ORDER BY id DESC LIMIT 1 OFFSET ?1)";
const OLD_TOMBSTONES: &str = "SELECT id FROM messages INDEXED BY messages_removed WHERE is_removed = 1 AND removed_at < ?1 LIMIT ?2";
const OLD_SENDS: &str = "SELECT id FROM outbox INDEXED BY outbox_settled WHERE is_open = 0 AND settled_at < ?1 AND tidy_at IS NULL LIMIT ?2";

const OLD_ACTIVITIES: &str = "SELECT id FROM bot_activities INDEXED BY bot_activities_received WHERE received_at < ?1 LIMIT ?2";

const OLD_THREADS: &str = "SELECT id FROM bot_conversations INDEXED BY bot_conversations_threads WHERE instr(conversation_id, ';messageid=') > 0 AND updated_at < ?1 LIMIT ?2";

fn is_due(c: &Connection, kept: &Kept) -> Outcome<bool> {
    Ok(exists(c, "SELECT 1 FROM (SELECT at FROM changes ORDER BY id LIMIT 1) WHERE at < ?1 OR at > ?2", (kept.changes_since, kept.now))?
        || exists(c, CROWDED, [kept.most_changes])?
        || exists(c, OLD_TOMBSTONES, (kept.changes_since, 1))?
        || exists(c, OLD_SENDS, (kept.sends_since, 1))?
        || exists(c, OLD_ACTIVITIES, (kept.changes_since, 1))?
        || exists(c, OLD_THREADS, (kept.changes_since, 1))?
        || endpoints::has_old_wholes(c, kept.sends_since)?
        || last_senders::has_old(c, kept.senders_since)?)
}

fn old_changes(c: &Connection, kept: &Kept, limit: u32) -> Outcome<usize> {
    let rows = all(c, OLDEST_CHANGES, (kept.changes_since, kept.now, limit), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    erase_changes(c, &rows)
}

/// Of accounts that have more than are kept, the oldest.
fn surplus_changes(c: &Connection, kept: &Kept, limit: u32) -> Outcome<usize> {
    let mut erased = 0;
    for account_id in all(c, CROWDED, [kept.most_changes], |row| Ok(row.get::<_, String>(0)?))? {
        let last = first(c, "SELECT id FROM changes WHERE account_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2", (&account_id, kept.most_changes), |row| Ok(row.get::<_, i64>(0)?))?;
        let Some(last) = last else { continue };
        let rows = all(c, "SELECT id, account_id FROM changes WHERE account_id = ?1 AND id <= ?2 ORDER BY id LIMIT ?3", (&account_id, last, limit), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        erased += erase_changes(c, &rows)?;
    }
    Ok(erased)
}

fn erase_changes(c: &Connection, rows: &[(i64, String)]) -> Outcome<usize> {
    for (id, account_id) in rows {
        run(
            c,
            "INSERT INTO feed_horizons (account_id, change_id) VALUES (?1, ?2) ON CONFLICT (account_id) DO UPDATE SET change_id = MAX(change_id, excluded.change_id)",
            (account_id, id),
        )?;
        run(c, "DELETE FROM changes WHERE id = ?1", [id])?;
    }
    Ok(rows.len())
}

/// Late pages that could bring these messages back have come by now.
fn tombstones(c: &Connection, kept: &Kept, limit: u32) -> Outcome<usize> {
    let ids = all(c, OLD_TOMBSTONES, (kept.changes_since, limit), |row| Ok(row.get::<_, i64>(0)?))?;
    for id in &ids {
        search::forget(c, *id)?;
        run(c, "DELETE FROM messages WHERE id = ?1", [id])?;
    }
    Ok(ids.len())
}

fn sends(c: &Connection, kept: &Kept, limit: u32) -> Outcome<usize> {
    let ids = all(c, OLD_SENDS, (kept.sends_since, limit), |row| Ok(row.get::<_, i64>(0)?))?;
    for id in &ids {
        drop_content(c, *id, true)?;
        let named = staging::unlink(c, *id)?;
        staging::drop_unnamed(c, &named)?;
        answers::forget_send(c, *id)?;
        run(c, "DELETE FROM outbox WHERE id = ?1", [id])?;
    }
    Ok(ids.len())
}

/// What was said to a bot goes with the changes that told of it.
fn activities(c: &Connection, kept: &Kept, limit: u32) -> Outcome<usize> {
    let ids = all(c, OLD_ACTIVITIES, (kept.changes_since, limit), |row| Ok(row.get::<_, i64>(0)?))?;
    for id in &ids {
        run(c, "DELETE FROM bot_activities WHERE id = ?1", [id])?;
    }
    Ok(ids.len())
}

/// Threads in which nothing happened since. Who knows channel and message can still answer in one.
fn threads(c: &Connection, kept: &Kept, limit: u32) -> Outcome<usize> {
    let ids = all(c, OLD_THREADS, (kept.changes_since, limit), |row| Ok(row.get::<_, i64>(0)?))?;
    for id in &ids {
        run(c, "DELETE FROM bot_conversations WHERE id = ?1", [id])?;
    }
    Ok(ids.len())
}

/// Somebody who has read up to `after` has missed a change of one of these accounts.
pub fn is_missed(c: &Connection, account_ids: &[String], after: i64) -> Outcome<bool> {
    let ids = super::json(account_ids)?;
    exists(c, "SELECT 1 FROM json_each(?1) AS wanted JOIN feed_horizons AS h ON h.account_id = wanted.value WHERE h.change_id > ?2", (ids, after))
}
