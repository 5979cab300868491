//! Opening: a connection's settings, the schema.

use super::audit;
use super::fault::{Outcome, explain};
use super::locking::Sharing;
use super::marks::Keeper;
use super::provenance;
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rusqlite_migration::{M, Migrations, SchemaVersion};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;

pub(super) const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../migrations/0001_begin.sql")),
    M::up(include_str!("../migrations/0002_accounts.sql")),
    M::up(include_str!("../migrations/0003_audit.sql")),
    M::up(include_str!("../migrations/0004_health.sql")),
    M::up(include_str!("../migrations/0005_search.sql")),
    M::up(include_str!("../migrations/0006_keys.sql")),
    M::up(include_str!("../migrations/0007_attempts.sql")),
    M::up(include_str!("../migrations/0008_mail_ids.sql")),
    M::up(include_str!("../migrations/0009_outbox.sql")),
    M::up(include_str!("../migrations/0010_sync.sql")),
    M::up(include_str!("../migrations/0011_generation.sql")),
    M::up(include_str!("../migrations/0012_auth.sql")),
    M::up(include_str!("../migrations/0013_queues.sql")),
    M::up(include_str!("../migrations/0014_folders.sql")),
    M::up(include_str!("../migrations/0015_retention.sql")),
    M::up(include_str!("../migrations/0016_attachment_lists.sql")),
    M::up(include_str!("../migrations/0017_throttles.sql")),
    M::up(include_str!("../migrations/0018_payloads.sql")),
    M::up(include_str!("../migrations/0019_late_drafts.sql")),
    M::up(include_str!("../migrations/0020_audit_chains.sql")),
    M::up(include_str!("../migrations/0021_request_windows.sql")),
    M::up(include_str!("../migrations/0022_payloads.sql")),
    M::up(include_str!("../migrations/0023_chats.sql")),
    M::up(include_str!("../migrations/0024_staged.sql")),
    M::up(include_str!("../migrations/0025_paces.sql")),
    M::up(include_str!("../migrations/0026_last_senders.sql")),
    M::up(include_str!("../migrations/0027_signatures.sql")),
    M::up(include_str!("../migrations/0028_links.sql")),
    M::up(include_str!("../migrations/0029_polls.sql")),
    M::up(include_str!("../migrations/0030_contacts.sql")),
    M::up(include_str!("../migrations/0031_reading.sql")),
    M::up(include_str!("../migrations/0032_edits.sql")),
    M::up(include_str!("../migrations/0033_unlinks.sql")),
    M::up(include_str!("../migrations/0034_link_rules.sql")),
    M::up(include_str!("../migrations/0035_subscriptions.sql")),
    M::up(include_str!("../migrations/0036_backfills.sql")),
    M::up(include_str!("../migrations/0037_shared_mailboxes.sql")),
    M::up(include_str!("../migrations/0038_calendar.sql")),
    M::up(include_str!("../migrations/0039_answers.sql")),
    M::up(include_str!("../migrations/0040_certificates.sql")),
    M::up(include_str!("../migrations/0041_chat_messages.sql")),
    M::up(include_str!("../migrations/0042_message_addresses.sql")),
    M::up(include_str!("../migrations/0043_attachment_cache.sql")),
    M::up(include_str!("../migrations/0044_bots.sql")),
    M::up(include_str!("../migrations/0045_endpoints.sql")),
];

/// Pages of 16 KB that a connection keeps in memory. A reader has far fewer than the writer: there are up to eight of them, and what one lacks is in the
/// cache of the operating system. They are counted in pages, not in KB: SQLite turns KB into pages by the page size it knows before it has read the file,
/// which is 4 KB, and then keeps four times as much.
const WRITER_CACHE_PAGES: u32 = 400;
const READER_CACHE_PAGES: u32 = 60;

/// The one connection that writes, and the mark it keeps up; brings a new or older file up to date.
pub fn open_writer(file: &Path, sharing: Sharing, busy: Duration) -> Result<(Connection, Keeper)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = open(file, flags, sharing).map_err(explain)?;
    harden(&connection, busy, WRITER_CACHE_PAGES).map_err(explain)?;
    // Works only on a file without tables; ignored afterwards.
    connection.pragma_update(None, "page_size", 16_384).map_err(explain)?;
    write_ahead(&connection, busy)?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let keeper = provenance::arrive(&mut connection, file, busy)?;
    audit::keep_ends(&connection)?;
    Ok((connection, keeper))
}

/// A connection that only reads.
pub fn open_reader(file: &Path, sharing: Sharing, busy: Duration) -> Outcome<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = open(file, flags, sharing)?;
    harden(&connection, busy, READER_CACHE_PAGES)?;
    Ok(connection)
}

fn open(file: &Path, flags: OpenFlags, sharing: Sharing) -> rusqlite::Result<Connection> {
    match sharing.layer() {
        Some(layer) => Connection::open_with_flags_and_vfs(file, flags, layer),
        None => Connection::open_with_flags(file, flags),
    }
}

fn harden(connection: &Connection, busy: Duration, cache_pages: u32) -> rusqlite::Result<()> {
    connection.busy_timeout(busy)?;
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        // No trigger, view or string in double quotes is ours.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        // Plans do not depend on the values that are bound. Else a statement that compares one with what a partial index is made of is prepared anew each time.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    ] {
        connection.set_db_config(setting, on)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, 128 << 20),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 10),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    for (name, value) in [
        ("secure_delete", "ON"),
        ("synchronous", "FULL"),
        ("temp_store", "MEMORY"),
        ("foreign_keys", "ON"),
        ("trusted_schema", "OFF"),
        ("mmap_size", "0"),
        ("cell_size_check", "ON"),
        ("cache_size", &cache_pages.to_string()),
    ] {
        // Some of them answer with a row, some do not.
        connection.pragma(None, name, value, |_| Ok(()))?;
    }
    connection.set_prepared_statement_cache_capacity(96);
    Ok(())
}

/// Switching to the write-ahead log does not wait for a lock by itself, so two processes opening a new file at once meet here.
fn write_ahead(connection: &Connection, busy: Duration) -> Result<()> {
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(_) => return Err(Error::new(ErrorKind::Forbidden, "The folder of the store cannot hold a write-ahead log; network drives often cannot. Name a folder on a local disk.")),
            Err(e) => {
                let error = explain(e);
                if error.kind() != ErrorKind::StoreBusy || waited >= busy {
                    return Err(error);
                }
            }
        }
        std::thread::park_timeout(step);
        waited += step;
    }
}

/// Refuses a file that is no store of ours, or a newer one.
pub fn recognise(connection: &Connection) -> Result<()> {
    let version = |c: &Connection| Migrations::from_slice(MIGRATIONS).current_version(c).map_err(unmigrated);
    match version(connection)? {
        SchemaVersion::Outside(_) => return Err(Error::invalid("The store was written by a newer Tidings. Update Tidings; nothing was changed.")),
        SchemaVersion::NoneSet if !schema(connection).map_err(explain)?.is_empty() && version(connection)? == SchemaVersion::NoneSet => {
            return Err(Error::invalid("The file tidings.db in data_dir belongs to another program. Name another folder; nothing was changed."));
        }
        _ => {}
    }
    Ok(())
}

/// Brings the tables up to date and compares them with the known ones.
pub fn migrate(connection: &mut Connection) -> Result<()> {
    recognise(connection)?;
    let migrations = Migrations::from_slice(MIGRATIONS);
    let latest = MIGRATIONS.len();
    let version = |c: &Connection| migrations.current_version(c).map_err(unmigrated);
    if let Err(e) = migrations.to_latest(connection) {
        // Another process may have been quicker between our look and our lock.
        if !matches!(version(connection)?, SchemaVersion::Inside(v) if v.get() == latest) {
            return Err(unmigrated(e));
        }
    }
    if digest(&schema(connection).map_err(explain)?) == SCHEMA {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Corrupt, "The tables of the store are not the ones Tidings made. It was left as it is; restore it from a backup."))
}

type Table = (String, String, String, Option<String>);

fn schema(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut statement = connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}

/// SHA-256 of the tables that all migrations make together; a test says what it must be. Making the tables anew at each open, only to compare, would take
/// longer than everything else there.
const SCHEMA: &str = "fbda3b6446f5313de0f4ee665f1456a75fb52f777b2e4d84de9021eb85101b76";

fn digest(tables: &[Table]) -> String {
    let mut hash = Sha256::new();
    for (kind, name, table, sql) in tables {
        for part in [kind.as_str(), name, table, sql.as_deref().unwrap_or_default()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hex(hash.finalize())
}

fn unmigrated(e: rusqlite_migration::Error) -> Error {
    use rusqlite_migration::Error as Migration;
    match e {
        Migration::RusqliteError { err, .. } => explain(err),
        Migration::InvalidUserVersion => super::fault::corrupt("a version"),
        Migration::MigrationDefinition(rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead) => {
            Error::invalid("The store was written by a newer Tidings. Update Tidings; nothing was changed.")
        }
        other => Error::internal("The store could not be brought up to date; nothing was changed. Please report it.").with_source(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::unwrap_used)]
    fn the_digest_is_that_of_the_tables_which_the_migrations_make() {
        let mut blank = Connection::open_in_memory().unwrap();
        Migrations::from_slice(MIGRATIONS).to_latest(&mut blank).unwrap();
        assert_eq!(digest(&schema(&blank).unwrap()), SCHEMA);
    }
}
