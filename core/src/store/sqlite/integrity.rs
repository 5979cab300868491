//! The check of a store that was not closed properly, or whose files are not as they were left.

use super::fault::{Fault, Outcome, explain};
use super::{all, exists, first, keys};
use crate::error::{Error, ErrorKind, Result};
use crate::store::KeyPurpose;
use crate::store::words::Word;
use rusqlite::Connection;
use std::time::{Duration, Instant};

/// The whole of a file up to this size is compared, indexes with tables; of a larger one its structure.
const COMPARED_UP_TO: i64 = 64 << 20;
/// A check that takes longer goes on no further: a store that was only cut off in its work must open.
const LONGEST: Duration = Duration::from_secs(30);
const DAMAGE: &str = "damage";
const TOLD_EVERY: Duration = Duration::from_secs(2);
/// Steps of SQLite's between two looks at the time.
const STEPS: i32 = 100_000;

/// What is asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// That SQLite can read all of it. What its rows say to each other is logged at the most: its stamps prove that the files belong together.
    Structure,
    /// That its rows fit together as well.
    Sense,
}

/// Refuses a store that holds together badly. Reads only.
pub fn check(connection: &Connection, why: &'static str, depth: Depth) -> Result<()> {
    let started = Instant::now();
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).map_err(explain)?;
    let size: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(explain)?;
    let bytes = pages.saturating_mul(size);
    tracing::info!(target: "tidings::store", why, bytes, "the store is checked before it is opened");
    let mut told = started;
    let limit = move || {
        let now = Instant::now();
        if now.duration_since(told) >= TOLD_EVERY {
            told = now;
            tracing::info!(target: "tidings::store", seconds = now.duration_since(started).as_secs(), bytes, "still checking the store");
        }
        now.duration_since(started) >= LONGEST
    };
    connection.progress_handler(STEPS, Some(limit)).map_err(explain)?;
    let found = holds_together(connection, bytes);
    connection.progress_handler(0, None::<fn() -> bool>).map_err(explain)?;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match found {
        Ok(None) => tracing::info!(target: "tidings::store", ms, "the store is sound"),
        Ok(Some(what)) if what != DAMAGE && depth == Depth::Structure => tracing::warn!(target: "tidings::store", ms, what, "the store can be read, but holds something odd"),
        Ok(Some(what)) => {
            tracing::error!(target: "tidings::store", what, "the store is damaged");
            return Err(damaged(why, what));
        }
        Err(Fault::Sql(e)) if e.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => {
            tracing::warn!(target: "tidings::store", ms, bytes, "the check of the store took too long and was not ended; so far nothing was wrong");
        }
        Err(Fault::Sql(e)) => {
            let error = explain(e);
            return Err(if error.kind() == ErrorKind::Corrupt { damaged(why, "pages that cannot be read").with_source(error) } else { error });
        }
        Err(Fault::Ours(e)) => return Err(e),
    }
    Ok(())
}

fn damaged(why: &str, what: &str) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        format!("{why}, and the check of the store found {what}. It was left as it is; keep a copy of the folder and restore the whole folder from a backup."),
    )
}

/// What is wrong, if anything.
fn holds_together(c: &Connection, bytes: i64) -> Outcome<Option<&'static str>> {
    let structure = if bytes <= COMPARED_UP_TO { "PRAGMA integrity_check(1)" } else { "PRAGMA quick_check(1)" };
    if first(c, structure, [], |row| Ok(row.get::<_, String>(0)?))?.is_none_or(|answer| answer != "ok") {
        return Ok(Some(DAMAGE));
    }
    if exists(c, "PRAGMA foreign_key_check", [])? {
        return Ok(Some("rows whose account or message is missing"));
    }
    let is_made = |table: &str| exists(c, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", [table]);
    if !ids_only_grow(c)? {
        return Ok(Some("ids that were given out and are not counted"));
    }
    if is_made("audit")? && !audit_ends(c)? {
        return Ok(Some("an audit log that does not end where it was signed"));
    }
    if is_made("keys")? && exists(c, "SELECT 1 FROM keys WHERE purpose = ?1", [KeyPurpose::Store.word()])? && keys::meta(c, keys::CANARY)?.is_none() {
        return Ok(Some("keys without their proof"));
    }
    Ok(None)
}

/// SQLite's own note of the highest id is at least the highest there is.
fn ids_only_grow(c: &Connection) -> Outcome<bool> {
    if !exists(c, "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'", [])? {
        return Ok(true);
    }
    let counted = all(c, "SELECT name, seq FROM sqlite_sequence", [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    for (table, counted) in counted {
        // A name of the schema, which was compared with ours.
        let sql = format!("SELECT MAX(rowid) FROM \"{}\"", table.replace('"', "\"\""));
        let highest: Option<i64> = c.query_row(&sql, [], |row| row.get(0))?;
        if highest.is_some_and(|highest| highest > counted) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Without the key: the record that the signed end names is the last, and has the hash it names.
fn audit_ends(c: &Connection) -> Outcome<bool> {
    if !exists(c, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit_chains'", [])? {
        // Of a version that had one chain for everybody.
        let Some(end) = keys::meta(c, "audit_end")? else { return Ok(!exists(c, "SELECT 1 FROM audit", [])?) };
        let last = first(c, "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        return Ok(last.is_none_or(|last| is_named(&end, last)));
    }
    let last = "SELECT c.signed_end, r.number, r.hash FROM audit_chains AS c JOIN audit AS r ON r.chain = c.id AND r.number = (SELECT MAX(number) FROM audit WHERE chain = c.id)";
    let ends = all(c, last, [], |row| Ok((row.get::<_, Option<Vec<u8>>>(0)?, (row.get(1)?, row.get(2)?))))?;
    Ok(ends.into_iter().all(|(end, last)| end.is_some_and(|end| is_named(&end, last))) && !exists(c, "SELECT 1 FROM audit WHERE chain NOT IN (SELECT id FROM audit_chains)", [])?)
}

fn is_named(end: &[u8], (number, hash): (i64, Vec<u8>)) -> bool {
    end.split_first_chunk::<8>().is_some_and(|(named, rest)| i64::from_be_bytes(*named) == number && rest.starts_with(&hash))
}
