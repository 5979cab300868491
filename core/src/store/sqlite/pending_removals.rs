//! Questions: messages said to have left a folder, until the mailbox itself has answered.

use super::fault::Outcome;
use super::folders::{Tally, current_pass};
use super::{all, announce, apply, edits, exists, first, run};
use crate::model::ChangeKind;
use rusqlite::Connection;

/// A question whose message was removed, or turned up in another folder meanwhile, is answered.
macro_rules! answered {
    () => {
        "NOT EXISTS (SELECT 1 FROM messages m
           WHERE m.account_id = suspects.account_id AND m.graph_id = suspects.graph_id AND m.folder_id = suspects.folder_id AND m.is_removed = 0)"
    };
}

pub fn has_answered(c: &Connection, account_id: &str) -> Outcome<bool> {
    exists(c, concat!("SELECT 1 FROM suspects WHERE account_id = ?1 AND ", answered!()), [account_id])
}

pub fn drop_answered(c: &Connection, account_id: &str) -> Outcome<()> {
    run(c, concat!("DELETE FROM suspects WHERE account_id = ?1 AND ", answered!()), [account_id])?;
    Ok(())
}

pub fn list(c: &Connection, account_id: &str, now: i64, limit: u32) -> Outcome<Vec<(String, String)>> {
    all(
        c,
        concat!("SELECT graph_id, folder_id FROM suspects WHERE account_id = ?1 AND next_at <= ?2 AND NOT (", answered!(), ") ORDER BY id LIMIT ?3"),
        (account_id, now, limit),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Mail that lies in folders that are not synced: whatever happens to it there, no delta tells. Folder by folder, since most mail lies elsewhere.
macro_rules! unsynced_looks {
    () => {
        "FROM folders f CROSS JOIN messages m INDEXED BY messages_by_folder ON m.account_id = f.account_id AND m.folder_id = f.graph_id
         WHERE f.account_id = ?1 AND f.is_synced = 0 AND m.is_removed = 0 AND m.id > ?2"
    };
}

/// They are not asked about yet.
pub fn unsynced_wait(c: &Connection, account_id: &str, every_ms: i64, now: i64) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM unsynced_looks WHERE account_id = ?1 AND next_at > ?2 AND next_at <= ?3", (account_id, now, now.saturating_add(every_ms)))
}

pub(super) const HAS_UNSYNCED: &str = concat!("SELECT 1 ", unsynced_looks!());

pub fn has_unsynced(c: &Connection, account_id: &str) -> Outcome<bool> {
    exists(c, HAS_UNSYNCED, (account_id, 0))
}

pub fn suspect_unsynced(c: &Connection, account_id: &str, every_ms: i64, limit: u32, now: i64) -> Outcome<u32> {
    let Some(after) = first(c, "SELECT after FROM unsynced_looks WHERE account_id = ?1", [account_id], |row| Ok(row.get::<_, i64>(0)?))? else {
        // The first ones came there just now, and where they are is known.
        run(c, "INSERT INTO unsynced_looks (account_id, next_at, after) VALUES (?1, ?2, 0)", (account_id, now.saturating_add(every_ms)))?;
        return Ok(0);
    };
    let found = all(c, concat!("SELECT m.id, m.graph_id, m.folder_id ", unsynced_looks!(), " ORDER BY m.id LIMIT ?3"), (account_id, after, limit), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    for (_, graph_id, folder_id) in &found {
        run(
            c,
            "INSERT INTO suspects (account_id, graph_id, folder_id, noted_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (account_id, graph_id) DO NOTHING",
            (account_id, graph_id, folder_id, now),
        )?;
    }
    let count = u32::try_from(found.len()).unwrap_or(u32::MAX);
    let (next_at, after) = match found.last() {
        Some((row, _, _)) if count == limit => (now, *row),
        _ => (now.saturating_add(every_ms), 0),
    };
    run(c, "UPDATE unsynced_looks SET next_at = ?2, after = ?3 WHERE account_id = ?1", (account_id, next_at, after))?;
    Ok(count)
}

/// The live row a question is about (row, what hosts call it, folder); None when there is no such question any more.
fn asked(c: &Connection, account_id: &str, graph_id: &str) -> Outcome<Option<(i64, String, String)>> {
    first(
        c,
        "SELECT m.id, COALESCE(m.shown_id, 'msg_' || m.id), m.folder_id FROM suspects s
         JOIN messages m ON m.account_id = s.account_id AND m.graph_id = s.graph_id AND m.folder_id = s.folder_id AND m.is_removed = 0
         WHERE s.account_id = ?1 AND s.graph_id = ?2",
        (account_id, graph_id),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

pub fn settle(c: &Connection, account_id: &str, gone: &[String], there: &[(String, String)], now: i64) -> Outcome<(u32, u32)> {
    let (mut removed, mut moved) = (0, 0);
    let mut tally = Tally::default();
    for graph_id in gone {
        if let Some((row_id, id, folder)) = asked(c, account_id, graph_id)? {
            apply::tombstone(c, row_id, now)?;
            tally.left(&folder);
            announce(c, ChangeKind::MessageRemoved, account_id, Some(&id), now)?;
            removed += 1;
        }
        forget(c, account_id, graph_id)?;
    }
    for (graph_id, folder) in there {
        // Where it is shown is where it was moved to here, and the mailbox has yet to hear of it.
        if !edits::is_moving(c, account_id, graph_id)?
            && let Some((row_id, id, old)) = asked(c, account_id, graph_id)?
        {
            // Seen just now, so it counts as listed by the pass that folder is in.
            let pass = current_pass(c, account_id, folder)?;
            run(c, "UPDATE messages SET folder_id = ?2, pass = ?3 WHERE id = ?1", (row_id, folder, pass))?;
            if old != *folder {
                tally.left(&old);
                tally.came(folder);
                announce(c, ChangeKind::MessageMoved, account_id, Some(&id), now)?;
                moved += 1;
            }
        }
        forget(c, account_id, graph_id)?;
    }
    tally.write(c, account_id)?;
    Ok((removed, moved))
}

fn forget(c: &Connection, account_id: &str, graph_id: &str) -> Outcome<()> {
    run(c, "DELETE FROM suspects WHERE account_id = ?1 AND graph_id = ?2", (account_id, graph_id))?;
    Ok(())
}
