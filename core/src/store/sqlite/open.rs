//! Opening: the folder, the file, a connection's settings, the schema.

use super::fault::{Outcome, explain};
use crate::error::{Error, ErrorKind, Result};
use crate::random;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use rusqlite_migration::{M, Migrations, SchemaVersion};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const FILE: &str = "tidings.db";

/// How the files begin that show us who we are; another process may have one at the same moment.
const PROBE: &str = ".tidings-";

const MIGRATIONS: &[M<'static>] = &[M::up(include_str!("../migrations/0001_begin.sql"))];

/// Makes or checks the folder and the file in it, and answers where the file is.
pub fn prepare_files(data_dir: &Path) -> Result<PathBuf> {
    match fs::symlink_metadata(data_dir) {
        Ok(found) if found.is_dir() => {}
        Ok(found) if found.is_symlink() => return Err(Error::invalid("data_dir is a symbolic link. Name the folder itself.")),
        Ok(_) => return Err(Error::invalid("data_dir is not a folder. Name a folder for the store.")),
        Err(_) => make_dir(data_dir)?,
    }
    // From here on without links in the way: SQLite is told to follow none.
    let dir = fs::canonicalize(data_dir).map_err(|e| no_access("The folder of the store could not be found.", e))?;
    let probe = Probe::make(&dir)?;
    check_dir(&dir, probe.me)?;
    let file = dir.join(FILE);
    for name in [FILE, "tidings.db-wal", "tidings.db-shm", "tidings.db-journal"] {
        check_file(&dir.join(name), probe.me)?;
    }
    make_file(&probe, &file)?;
    Ok(file)
}

/// SQLite gives -wal and -shm the mode of the database file, so its mode decides about all three. The file is linked into place closed: closing a
/// descriptor of a database takes away every lock this process holds on it (POSIX), and another engine of ours may just have opened it.
fn make_file(probe: &Probe, file: &Path) -> Result<()> {
    use std::io::ErrorKind::AlreadyExists;
    let linked = fs::hard_link(&probe.path, file).or_else(|e| match e.kind() {
        AlreadyExists => Err(e),
        // Some file systems know no links.
        _ => private_file().write(true).create_new(true).open(file).map(drop),
    });
    match linked {
        Err(e) if e.kind() != AlreadyExists => Err(no_access("The store could not be made.", e)),
        _ => Ok(()),
    }
}

fn no_access(what: &str, e: std::io::Error) -> Error {
    let kind = match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::StoreFull,
        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::InvalidFilename => ErrorKind::InvalidInput,
        _ => ErrorKind::Forbidden,
    };
    Error::new(kind, format!("{what} Check that data_dir can be used by this user.")).with_source(e)
}

#[cfg(unix)]
fn make_dir(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| no_access("The folder of the store could not be made.", e))
}

#[cfg(not(unix))]
fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| no_access("The folder of the store could not be made.", e))
}

#[cfg(unix)]
fn private_file() -> fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options.mode(0o600);
    options
}

#[cfg(not(unix))]
fn private_file() -> fs::OpenOptions {
    fs::OpenOptions::new()
}

/// An empty private file, removed when dropped. Its owner tells who we are: the standard library has no other way to ask.
struct Probe {
    path: PathBuf,
    me: u32,
}

impl Probe {
    fn make(dir: &Path) -> Result<Self> {
        let path = dir.join(format!("{PROBE}{}", random::token::<12>()?));
        let made = private_file().write(true).create_new(true).open(&path).and_then(|file| file.metadata());
        let me = made.map(|found| owner(&found)).map_err(|e| no_access("The folder of the store cannot be written.", e))?;
        Ok(Self { path, me })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(unix)]
fn owner(found: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(found)
}

#[cfg(not(unix))]
fn owner(_: &Metadata) -> u32 {
    0
}

fn check_dir(dir: &Path, me: u32) -> Result<()> {
    let found = fs::symlink_metadata(dir).map_err(|e| no_access("The folder of the store could not be read.", e))?;
    if owner(&found) != me {
        return Err(Error::new(ErrorKind::Forbidden, "data_dir belongs to another user. Name a folder of this user."));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if found.permissions().mode() & 0o077 != 0 {
            // A folder of our own, or an empty one, is closed; one that others use is not ours to close.
            let foreign = fs::read_dir(dir)
                .map_err(|e| no_access("The folder of the store could not be read.", e))?
                .flatten()
                .any(|entry| {
                    let name = entry.file_name();
                    let name = name.to_string_lossy();
                    !name.starts_with(FILE) && !name.starts_with(PROBE)
                });
            if foreign {
                return Err(Error::invalid("data_dir is open to other users and holds other files. Name a folder of its own for the store, or close it (mode 0700)."));
            }
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|e| no_access("The folder of the store could not be closed to others.", e))?;
        }
    }
    Ok(())
}

fn check_file(file: &Path, me: u32) -> Result<()> {
    let found = match fs::symlink_metadata(file) {
        Ok(found) => found,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(no_access("A file of the store could not be read.", e)),
    };
    if !found.is_file() {
        return Err(Error::invalid("A file of the store is a symbolic link or no plain file. Put the store itself into data_dir."));
    }
    if owner(&found) != me {
        return Err(Error::new(ErrorKind::Forbidden, "A file of the store belongs to another user. Give it to this user or name another folder."));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if found.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).map_err(|e| no_access("A file of the store could not be closed to others.", e))?;
        }
    }
    Ok(())
}

/// The one connection that writes; brings a new or older file up to date.
pub fn open_writer(file: &Path, busy: Duration) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(file, flags).map_err(explain)?;
    harden(&connection, busy).map_err(explain)?;
    // Works only on a file without tables; ignored afterwards.
    connection.pragma_update(None, "page_size", 16_384).map_err(explain)?;
    write_ahead(&connection, busy)?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    migrate(&mut connection)?;
    Ok(connection)
}

/// A connection that only reads.
pub fn open_reader(file: &Path, busy: Duration) -> Outcome<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(file, flags)?;
    harden(&connection, busy)?;
    Ok(connection)
}

fn harden(connection: &Connection, busy: Duration) -> rusqlite::Result<()> {
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
        ("cache_size", "-8000"),
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

fn migrate(connection: &mut Connection) -> Result<()> {
    let migrations = Migrations::from_slice(MIGRATIONS);
    let latest = MIGRATIONS.len();
    let version = |c: &Connection| migrations.current_version(c).map_err(unmigrated);
    match version(connection)? {
        SchemaVersion::Outside(_) => return Err(Error::invalid("The store was written by a newer Tidings. Update Tidings; nothing was changed.")),
        SchemaVersion::NoneSet if !schema(connection).map_err(explain)?.is_empty() && version(connection)? == SchemaVersion::NoneSet => {
            return Err(Error::invalid("The file tidings.db in data_dir belongs to another program. Name another folder; nothing was changed."));
        }
        _ => {}
    }
    if let Err(e) = migrations.to_latest(connection) {
        // Another process may have been quicker between our look and our lock.
        if !matches!(version(connection)?, SchemaVersion::Inside(v) if v.get() == latest) {
            return Err(unmigrated(e));
        }
    }
    if schema(connection).map_err(explain)? == known_schema()? {
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

fn known_schema() -> Result<Vec<Table>> {
    let mut blank = Connection::open_in_memory().map_err(explain)?;
    Migrations::from_slice(MIGRATIONS).to_latest(&mut blank).map_err(unmigrated)?;
    schema(&blank).map_err(explain)
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
