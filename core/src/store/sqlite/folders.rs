//! Folders, their cursors and passes.

use super::fault::Outcome;
use super::{all, first, run, sealed, sealed_opt};
use crate::seal::Sealed;
use crate::store::{Cursor, FolderNews, FolderRow, SyncedFolder};
use rusqlite::{Connection, Row};
use std::collections::HashMap;

fn folder_row(row: &Row<'_>) -> Outcome<SyncedFolder> {
    let cursor = match row.get::<_, Option<Vec<u8>>>(9)? {
        Some(link) => Some(Cursor { link: Sealed::parse(link)?, version: row.get(10)?, is_delta: row.get(11)? }),
        None => None,
    };
    Ok(SyncedFolder {
        row: FolderRow {
            graph_id: row.get(0)?,
            parent_id: row.get(1)?,
            well_known_name: row.get(2)?,
            name: sealed(row, 3)?,
            version: row.get(4)?,
            total: row.get(5)?,
            unread: row.get(6)?,
            is_synced: row.get(7)?,
            is_search: row.get(15)?,
        },
        stored: row.get(8)?,
        cursor,
        enumeration: row.get(12)?,
        page_size: row.get(13)?,
        page_size_at: row.get(14)?,
    })
}

pub fn list(c: &Connection, account_id: &str) -> Outcome<Vec<SyncedFolder>> {
    all(
        c,
        "SELECT graph_id, parent_id, well_known_name, name, version, total, unread, is_synced, stored, link, link_version, link_is_delta, pass, page_size, page_size_at, is_search
         FROM folders WHERE account_id = ?1 AND is_listed = 1 ORDER BY num",
        [account_id],
        folder_row,
    )
}

/// Writes the list. What is no longer on it keeps its row for its enumeration number, loses its cursor, and its messages become questions.
pub fn save(c: &Connection, account_id: &str, news: &FolderNews, now: i64) -> Outcome<()> {
    for f in &news.changed {
        run(
            c,
            "INSERT INTO folders (account_id, graph_id, parent_id, well_known_name, name, version, total, unread, is_synced, is_search, stored)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, (SELECT COUNT(*) FROM messages WHERE account_id = ?1 AND folder_id = ?2 AND is_removed = 0))
             ON CONFLICT (account_id, graph_id) DO UPDATE SET
               parent_id = excluded.parent_id, well_known_name = excluded.well_known_name, name = excluded.name, version = excluded.version,
               total = excluded.total, unread = excluded.unread, is_synced = excluded.is_synced, is_search = excluded.is_search, is_listed = 1",
            rusqlite::params![account_id, f.graph_id, f.parent_id, f.well_known_name, f.name.as_bytes(), f.version, f.total, f.unread, f.is_synced, f.is_search],
        )?;
    }
    for folder in &news.gone {
        let was_listed = run(
            c,
            "UPDATE folders SET is_listed = 0, link = NULL, link_is_delta = 0, pass = pass + 1, was_complete = 0, resync_since = NULL
             WHERE account_id = ?1 AND graph_id = ?2 AND is_listed = 1",
            (account_id, folder),
        )?;
        if was_listed == 0 {
            continue;
        }
        run(
            c,
            "INSERT INTO suspects (account_id, graph_id, folder_id, noted_at)
             SELECT account_id, graph_id, folder_id, ?3 FROM messages WHERE account_id = ?1 AND folder_id = ?2 AND is_removed = 0
             ON CONFLICT (account_id, graph_id) DO UPDATE SET folder_id = excluded.folder_id",
            (account_id, folder, now),
        )?;
    }
    let (link, version) = news.link.as_ref().map_or((None, None), |link| (Some(link.link.as_bytes()), Some(link.version)));
    run(c, "UPDATE accounts SET folder_link = ?2, folder_link_version = COALESCE(?3, folder_link_version) WHERE id = ?1", (account_id, link, version))?;
    Ok(())
}

pub fn count_held(c: &Connection, account_id: &str, folder_id: &str, since: Option<i64>) -> Outcome<u32> {
    let sql = "SELECT (SELECT count(*) FROM messages WHERE account_id = ?1 AND folder_id = ?2 AND is_removed = 0 AND (?3 IS NULL OR received_at >= ?3))
                    + (SELECT count(*) FROM quarantine WHERE account_id = ?1 AND folder_id = ?2 AND kind = 'message')";
    Ok(first(c, sql, (account_id, folder_id, since), |row| Ok(row.get(0)?))?.unwrap_or(0))
}

pub fn unread(c: &Connection, account_id: &str) -> Outcome<HashMap<String, u32>> {
    let counts = all(
        c,
        "SELECT folder_id, COUNT(*) FROM messages WHERE account_id = ?1 AND is_read = 0 AND is_removed = 0 GROUP BY folder_id",
        [account_id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(counts.into_iter().collect())
}

pub fn link(c: &Connection, account_id: &str) -> Outcome<(Option<Sealed>, i64)> {
    let found = first(c, "SELECT folder_link, folder_link_version FROM accounts WHERE id = ?1", [account_id], |row| Ok((sealed_opt(row, 0)?, row.get(1)?)))?;
    Ok(found.unwrap_or_default())
}

pub fn begin_resync(c: &Connection, account_id: &str, folder_id: &str, now: i64) -> Outcome<bool> {
    let changed = run(
        c,
        "UPDATE folders SET link = NULL, link_is_delta = 0, pass = pass + 1, resync_since = ?3, refusals = 0 WHERE account_id = ?1 AND graph_id = ?2 AND is_listed = 1",
        (account_id, folder_id, now),
    )?;
    // The enumeration finds them again.
    run(c, "DELETE FROM quarantine WHERE account_id = ?1 AND folder_id = ?2 AND graph_id IS NULL", (account_id, folder_id))?;
    Ok(changed > 0)
}

pub fn note_refusal(c: &Connection, account_id: &str, folder_id: &str) -> Outcome<u32> {
    let refusals = first(c, "UPDATE folders SET refusals = refusals + 1 WHERE account_id = ?1 AND graph_id = ?2 RETURNING refusals", (account_id, folder_id), |row| Ok(row.get(0)?))?;
    Ok(refusals.unwrap_or(0))
}

/// The enumeration rows of a folder are marked with now; 0 for a folder that is not known.
pub fn current_pass(c: &Connection, account_id: &str, folder_id: &str) -> Outcome<i64> {
    let enumeration = first(c, "SELECT pass FROM folders WHERE account_id = ?1 AND graph_id = ?2", (account_id, folder_id), |row| Ok(row.get(0)?))?;
    Ok(enumeration.unwrap_or(0))
}

/// Messages that came to and left folders in one transaction. Counting the rows of a large folder at every page would cost more than storing it.
#[derive(Default)]
pub struct Tally(HashMap<String, i64>);

impl Tally {
    pub fn came(&mut self, folder_id: &str) {
        self.add(folder_id, 1);
    }

    pub fn left(&mut self, folder_id: &str) {
        self.add(folder_id, -1);
    }

    fn add(&mut self, folder_id: &str, n: i64) {
        match self.0.get_mut(folder_id) {
            Some(sum) => *sum += n,
            None => {
                self.0.insert(folder_id.to_owned(), n);
            }
        }
    }

    pub fn write(self, c: &Connection, account_id: &str) -> Outcome<()> {
        for (folder, n) in self.0.into_iter().filter(|(_, n)| *n != 0) {
            run(c, "UPDATE folders SET stored = MAX(0, stored + ?3) WHERE account_id = ?1 AND graph_id = ?2", (account_id, folder, n))?;
        }
        Ok(())
    }
}

/// Delta links are sealed with the secrets key, so they go with it; the next pass of each folder is a comparison with what is held.
pub fn drop_cursors(c: &Connection, account_id: &str, now: i64) -> Outcome<()> {
    run(
        c,
        "UPDATE folders SET link = NULL, link_is_delta = 0, pass = pass + 1, resync_since = CASE WHEN was_complete = 1 OR stored > 0 THEN ?2 ELSE resync_since END
         WHERE account_id = ?1 AND link IS NOT NULL",
        (account_id, now),
    )?;
    run(c, "UPDATE accounts SET folder_link = NULL WHERE id = ?1 AND folder_link IS NOT NULL", [account_id])?;
    Ok(())
}
