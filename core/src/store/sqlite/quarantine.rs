//! Items that could not be read or told: kept, listed, asked for again with growing pauses.

use super::fault::Outcome;
use super::{all, exists, first, run, word};
use crate::model::QuarantineKind;
use crate::store::{PageBatch, QuarantineRow, Quarantined, pause_ms};
use crate::store::words::Word;
use rusqlite::{Connection, Row};
use std::collections::HashMap;

/// How often each of the items that a page sets aside was asked for before.
pub fn tries(c: &Connection, b: &PageBatch) -> Outcome<HashMap<String, u32>> {
    let mut tries = HashMap::new();
    for id in b.quarantined.iter().filter_map(|item| item.graph_id.as_ref()) {
        let known = first(c, "SELECT MAX(tries) FROM quarantine WHERE account_id = ?1 AND graph_id = ?2", (&b.account_id, id), |row| Ok(row.get::<_, Option<u32>>(0)?))?;
        tries.insert(id.clone(), known.flatten().unwrap_or(0));
    }
    Ok(tries)
}

pub fn put(c: &Connection, b: &PageBatch, tries: &HashMap<String, u32>) -> Outcome<()> {
    if b.quarantined.is_empty() {
        return Ok(());
    }
    let version = b.cursor.as_ref().map_or(0, |cursor| cursor.version);
    run(
        c,
        "DELETE FROM quarantine WHERE account_id = ?1 AND folder_id = ?2 AND graph_id IS NULL AND page_version = ?3",
        (&b.account_id, &b.folder_id, version),
    )?;
    let nameless = first(c, "SELECT nameless_tries FROM folders WHERE account_id = ?1 AND graph_id = ?2", (&b.account_id, &b.folder_id), |row| Ok(row.get::<_, u32>(0)?))?;
    for Quarantined { graph_id, raw, place, reason, kind } in &b.quarantined {
        let before = match graph_id {
            Some(id) => tries.get(id).copied().unwrap_or(0),
            // A day at the least, since the whole folder has to be read anew.
            None => nameless.unwrap_or(0) + 10,
        };
        run(c, "DELETE FROM quarantine WHERE account_id = ?1 AND graph_id = ?2", (&b.account_id, graph_id))?;
        run(
            c,
            "INSERT INTO quarantine (account_id, folder_id, graph_id, page_version, raw, place, kind, reason, noted_at, tries, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            rusqlite::params![&b.account_id, &b.folder_id, graph_id, version, raw.as_bytes(), place, kind.word(), reason, b.now, before + 1, b.now.saturating_add(pause_ms(before + 1))],
        )?;
    }
    Ok(())
}

/// What is attached to this message is listed.
pub fn drop_list(c: &Connection, account_id: &str, graph_id: &str) -> Outcome<()> {
    run(c, "DELETE FROM quarantine WHERE account_id = ?1 AND graph_id = ?2 AND kind = ?3", (account_id, graph_id, QuarantineKind::Attachments.word()))?;
    Ok(())
}

/// A list of attachments that could not be read, once more.
pub fn put_list(c: &Connection, account_id: &str, folder_id: &str, graph_id: &str, item: &Quarantined, now: i64) -> Outcome<()> {
    let sql = "SELECT MAX(tries) FROM quarantine WHERE account_id = ?1 AND graph_id = ?2 AND kind = ?3";
    let before = first(c, sql, (account_id, graph_id, item.kind.word()), |row| Ok(row.get::<_, Option<u32>>(0)?))?;
    let tries = before.flatten().unwrap_or(0) + 1;
    drop_list(c, account_id, graph_id)?;
    run(
        c,
        "INSERT INTO quarantine (account_id, folder_id, graph_id, page_version, raw, place, kind, reason, noted_at, tries, next_at)
         VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        rusqlite::params![account_id, folder_id, graph_id, item.raw.as_bytes(), item.place, item.kind.word(), item.reason, now, tries, now.saturating_add(pause_ms(tries))],
    )?;
    Ok(())
}

fn row(row: &Row<'_>) -> Outcome<QuarantineRow> {
    Ok(QuarantineRow {
        graph_id: row.get(0)?,
        folder_id: row.get(1)?,
        kind: word(row, 2)?,
        reason: row.get(3)?,
        tries: row.get(4)?,
        since: row.get(5)?,
        next_at: row.get(6)?,
    })
}

pub fn due(c: &Connection, account_id: &str, now: i64, limit: u32) -> Outcome<Vec<QuarantineRow>> {
    all(
        c,
        "SELECT graph_id, folder_id, kind, reason, tries, noted_at, next_at FROM quarantine
         WHERE account_id = ?1 AND graph_id IS NOT NULL AND next_at <= ?2
           AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.account_id = ?1 AND m.graph_id = quarantine.graph_id AND m.is_unlisted = 1 AND quarantine.kind = ?4)
         ORDER BY id LIMIT ?3",
        (account_id, now, limit, QuarantineKind::Attachments.word()),
        row,
    )
}

pub fn settle(c: &Connection, account_id: &str, gone: &[String], later: &[(String, String)], now: i64) -> Outcome<()> {
    for id in gone {
        run(c, "DELETE FROM quarantine WHERE account_id = ?1 AND graph_id = ?2", (account_id, id))?;
    }
    for (id, reason) in later {
        let tries = first(c, "UPDATE quarantine SET tries = tries + 1, reason = ?3 WHERE account_id = ?1 AND graph_id = ?2 RETURNING tries", (account_id, id, reason), |row| {
            Ok(row.get::<_, u32>(0)?)
        })?;
        let next = now.saturating_add(pause_ms(tries.unwrap_or(1)));
        run(c, "UPDATE quarantine SET next_at = ?3 WHERE account_id = ?1 AND graph_id = ?2", (account_id, id, next))?;
    }
    Ok(())
}

pub fn defer_pending_removals(c: &Connection, account_id: &str, later: &[(String, String)], now: i64) -> Outcome<()> {
    for (id, reason) in later {
        let tries = first(c, "UPDATE suspects SET tries = tries + 1, reason = ?3 WHERE account_id = ?1 AND graph_id = ?2 RETURNING tries", (account_id, id, reason), |row| {
            Ok(row.get::<_, u32>(0)?)
        })?;
        let next = now.saturating_add(pause_ms(tries.unwrap_or(1)));
        run(c, "UPDATE suspects SET next_at = ?3 WHERE account_id = ?1 AND graph_id = ?2", (account_id, id, next))?;
    }
    Ok(())
}

/// Whether items without a usable id are due.
pub fn has_nameless(c: &Connection, account_id: &str, folder_id: &str, now: i64) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM quarantine WHERE account_id = ?1 AND folder_id = ?2 AND graph_id IS NULL AND next_at <= ?3", (account_id, folder_id, now))
}

pub fn take_nameless(c: &Connection, account_id: &str, folder_id: &str, now: i64) -> Outcome<bool> {
    let due = has_nameless(c, account_id, folder_id, now)?;
    if due {
        run(c, "DELETE FROM quarantine WHERE account_id = ?1 AND folder_id = ?2 AND graph_id IS NULL", (account_id, folder_id))?;
        run(c, "UPDATE folders SET nameless_tries = nameless_tries + 1 WHERE account_id = ?1 AND graph_id = ?2", (account_id, folder_id))?;
    }
    Ok(due)
}

pub fn list(c: &Connection, account_id: &str, limit: u32) -> Outcome<Vec<QuarantineRow>> {
    all(
        c,
        "SELECT graph_id, folder_id, kind, reason, tries, noted_at, next_at FROM quarantine WHERE account_id = ?1
         UNION ALL
         SELECT graph_id, folder_id, ?3, COALESCE(reason, ''), tries, noted_at, next_at FROM suspects WHERE account_id = ?1 AND tries > 0
         ORDER BY 6 LIMIT ?2",
        (account_id, limit, QuarantineKind::Removal.word()),
        row,
    )
}

pub fn count(c: &Connection, account_id: &str) -> Outcome<u32> {
    let sum = first(
        c,
        "SELECT (SELECT COUNT(*) FROM quarantine WHERE account_id = ?1) + (SELECT COUNT(*) FROM suspects WHERE account_id = ?1 AND tries > 0)",
        [account_id],
        |row| Ok(row.get(0)?),
    )?;
    Ok(sum.unwrap_or(0))
}
