//! Emptying the backend's own files of what was erased: the write-ahead log, and the free pages of a small store.

use super::fault::{Outcome, explain};
use super::{ERASURE_PENDING, Opened, closed, exists, stamp};
use crate::error::Result;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OptionalExtension};
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Opened {
    /// Empties the write-ahead log after secrets were destroyed. If others are reading it stays pending, and the next write or open tries again. True:
    /// nothing is pending.
    pub(super) fn erase_pending(&self, wait: Duration) -> bool {
        if !self.must_erase.load(Ordering::SeqCst) {
            return true;
        }
        self.writer.alone().as_ref().is_some_and(|connection| self.erase_on(connection, wait))
    }

    pub(super) fn erase_on(&self, connection: &Connection, wait: Duration) -> bool {
        let _ = connection.busy_timeout(wait);
        let emptied = empty_log(connection).unwrap_or(false);
        let _ = connection.busy_timeout(self.busy);
        if emptied {
            self.must_erase.store(false, Ordering::SeqCst);
        }
        emptied
    }

    /// After a step that destroyed something.
    pub(super) fn erase_now(&self, wait: Duration) -> bool {
        self.must_erase.store(true, Ordering::SeqCst);
        self.erase_pending(wait)
    }

    /// Rewrites a file of up to `most` bytes.
    pub(super) fn vacuum(&self, most: i64) -> Result<bool> {
        self.check()?;
        let writer = self.writer.alone();
        let connection = writer.as_ref().ok_or_else(closed)?;
        let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0)).map_err(explain);
        if number("PRAGMA page_count")?.saturating_mul(number("PRAGMA page_size")?) > most {
            return Ok(false);
        }
        // SQLite attaches the copy it makes.
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 1).map_err(explain)?;
        let rewritten = connection.execute_batch("VACUUM").map_err(explain);
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0).map_err(explain)?;
        rewritten.map(|()| true)
    }

    /// Looks for what other processes left pending.
    pub(super) fn look_for_marks(&self) -> Result<()> {
        if self.read_here(|c| exists(c, "SELECT 1 FROM meta WHERE name = ?1", [ERASURE_PENDING]))? {
            self.must_erase.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// True when the log is empty and no mark is left. A mark that came after this one looked belongs to somebody whose bytes may be in the log again.
fn empty_log(connection: &Connection) -> Outcome<bool> {
    let mark = |c: &Connection| c.query_row("SELECT value FROM meta WHERE name = ?1", [ERASURE_PENDING], |row| row.get::<_, Vec<u8>>(0)).optional();
    let seen = mark(connection)?;
    if connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))? {
        return Ok(false);
    }
    let transaction = connection.unchecked_transaction()?;
    transaction.execute("DELETE FROM meta WHERE name = ?1 AND value = ?2", (ERASURE_PENDING, &seen))?;
    stamp::advance(&transaction)?;
    transaction.commit()?;
    Ok(mark(connection)?.is_none())
}
