//! Whose files these are: the ones that were left here, a copy, or files of different moments. Asked by the first process that opens a store, while
//! nobody else can have it open.

use super::fault::explain;
use super::integrity::Depth;
use super::marks::{self, Keeper, Mark, Marks, State};
use super::stamp::{self, Generation, Log, Stamp};
use super::{exists, files, integrity, open, parked};
use crate::error::{Error, ErrorKind, Result};
use crate::random;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// Why a store is taken for a copy; goes to the log.
type Sign = &'static str;

/// What was found.
enum Found {
    /// As it was left.
    Same { closed: bool },
    Copy(Sign),
}

/// Opens the store for this process, as the first one or beside others. `busy`: how long others are waited for.
pub fn arrive(connection: &mut Connection, file: &Path, busy: Duration) -> Result<Keeper> {
    // The log is opened by the first look; opened for one alone, it would stay that.
    connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(())).map_err(explain)?;
    if !take_alone(connection, busy)? {
        open::migrate(connection)?;
        let number = stamp::read(connection).map_err(Error::from)?.number;
        return Keeper::join(file, number);
    }
    // Whatever fails from here on leaves the files as they are.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(explain)?;
    let keeper = first_one(connection, file)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(explain)?;
    share(connection)?;
    Ok(keeper)
}

/// The last one to leave empties the log and says in the mark that nothing is missing.
pub fn leave(connection: &Connection, keeper: &Keeper) {
    let left = || -> Result<Option<Stamp>> {
        if !take_alone(connection, Duration::ZERO)? {
            return Ok(None);
        }
        let is_blocked = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0)).map_err(explain)?;
        if is_blocked { Ok(None) } else { Ok(Some(stamp::read(connection).map_err(Error::from)?.stamp)) }
    };
    match left() {
        Ok(Some(stamp)) => keeper.close(&stamp),
        Ok(None) => {}
        Err(e) => tracing::debug!(target: "tidings::store", kind = ?e.kind(), "the store was not left tidily and will be checked at the next open"),
    }
}

/// Keeps all others out, in this process and elsewhere. False: somebody has the store open.
fn take_alone(connection: &Connection, patience: Duration) -> Result<bool> {
    let old = connection.query_row("PRAGMA busy_timeout", [], |row| row.get::<_, u32>(0)).map_err(explain)?;
    connection.busy_timeout(patience.min(PATIENCE)).map_err(explain)?;
    connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(())).map_err(explain)?;
    let taken = connection.execute_batch("BEGIN IMMEDIATE; COMMIT").map_err(explain);
    connection.busy_timeout(Duration::from_millis(u64::from(old))).map_err(explain)?;
    match taken {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == ErrorKind::StoreBusy => {
            connection.pragma_update_and_check(None, "locking_mode", "NORMAL", |_| Ok(())).map_err(explain)?;
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

/// Somebody who only looked in is gone after that.
const PATIENCE: Duration = Duration::from_millis(100);

/// Lets others in again. The lock goes with the end of the next transaction that may write, and no moment lies between it and a reader's lock.
fn share(connection: &Connection) -> Result<()> {
    connection.pragma_update_and_check(None, "locking_mode", "NORMAL", |_| Ok(())).map_err(explain)?;
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT").map_err(explain)
}

fn first_one(connection: &mut Connection, file: &Path) -> Result<Keeper> {
    open::recognise(connection)?;
    let identity = files::identity(file)?;
    let marks = Marks::beside(file)?;
    let frames = frames(connection)?;
    let has_generation = exists(connection, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'generation'", []).map_err(Error::from)?;
    let found = if has_generation {
        let seen = stamp::read(connection).map_err(Error::from)?;
        compare(file, &seen, frames, &marks, &identity)?
    } else {
        unstamped(connection, frames, &marks)?
    };
    match found {
        Found::Same { closed: true } => {}
        Found::Same { closed: false } => integrity::check(connection, "The store was not closed properly", Depth::Structure)?,
        Found::Copy(_) => integrity::check(connection, "The store was copied or restored", Depth::Sense)?,
    }
    open::migrate(connection)?;
    begin(connection, file, &marks, &identity, found)
}

/// A file without a generation: new, or of a version that left none, and then without a mark beside it.
fn unstamped(connection: &Connection, frames: u64, marks: &Marks) -> Result<Found> {
    if marks.found.iter().all(|mark| mark.state == State::New) {
        return Ok(Found::Same { closed: frames == 0 });
    }
    if exists(connection, "SELECT 1 FROM sqlite_schema", []).map_err(Error::from)? {
        return Ok(Found::Copy("a later mark stands beside it"));
    }
    Err(Error::new(
        ErrorKind::Corrupt,
        "The main file of the store, tidings.db, is missing or empty, although the mark beside it tells of a store. The files were left as they are; restore the whole \
         folder from one backup, or remove the files tidings.db-mark-… to begin a new store.",
    ))
}

/// Frames that SQLite takes from the log.
fn frames(connection: &Connection) -> Result<u64> {
    connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get::<_, i64>(1)).map(|n| u64::try_from(n).unwrap_or(0)).map_err(explain)
}

fn compare(file: &Path, seen: &Generation, frames: u64, marks: &Marks, identity: &str) -> Result<Found> {
    let log = Log::read(&files::log(file)).map_err(files::unwritable)?;
    let belongs = match main_only(file)? {
        Main::Of(main) => log.belongs(&main.stamp, &seen.stamp, frames),
        // Then the log must be the one that the table was made in.
        Main::Without => log.0.first().is_some_and(|first| first.commits <= 1),
        Main::Unreadable => true,
    };
    if !belongs {
        return Err(Error::new(
            ErrorKind::Corrupt,
            "The files of the store do not belong together: tidings.db and its write-ahead log tidings.db-wal are of different moments or stores. They were left as they \
             are; restore the whole folder from one backup.",
        ));
    }
    // A mark whose generation was never begun: its maker was cut off.
    let begun = |mark: &&Mark| mark.state != State::New || mark.stamp.mark == seen.stamp.mark;
    let latest = marks.found.iter().find(begun);
    let own = marks.found.iter().find(|mark| mark.stamp.mark == seen.stamp.mark && mark.number == seen.number);
    // A generation that was never closed and is not in the files stood in the log alone. One that was closed stood in the main file, which was replaced.
    let witness = own.or(latest.filter(|latest| latest.state == State::Open && latest.stamp.store == seen.stamp.store));
    if witness.is_some_and(|witness| witness.stamp.commits > seen.stamp.commits) {
        return Err(Error::new(
            ErrorKind::Corrupt,
            "What was written last is missing: the write-ahead log tidings.db-wal is gone, was cut off, or is older than the mark beside it. The files were left as they \
             are; restore the whole folder from one backup. If tidings.db alone is what you have, put it into an empty folder: it opens as of an earlier moment.",
        ));
    }
    let Some(recorded) = &seen.file else { return Ok(Found::Same { closed: frames == 0 }) };
    Ok(match (own, latest) {
        _ if !files::is_same(recorded, identity) => Found::Copy("it is another file than the one last opened"),
        (None, _) => Found::Copy("the mark beside it is missing or of another store or moment"),
        (Some(own), Some(latest)) if own != latest => Found::Copy("a later mark stands beside it"),
        (Some(own), _) => Found::Same { closed: own.state == State::Closed && own.stamp == seen.stamp && frames == 0 },
    })
}

/// What the main file says by itself.
enum Main {
    Of(Generation),
    /// It is from before there were generations.
    Without,
    /// Not without its log: a process or the machine was stopped while the log was copied back.
    Unreadable,
}

/// The generation in the main file by itself, as if there were no log.
fn main_only(file: &Path) -> Result<Main> {
    let path = file.to_str().ok_or_else(|| Error::invalid("data_dir is not valid UTF-8. Name a folder whose path is."))?;
    let uri = format!("file:{}?immutable=1", path.replace('%', "%25").replace('?', "%3f").replace('#', "%23"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let look = || -> Result<Generation> { stamp::read(&Connection::open_with_flags(uri, flags).map_err(explain)?).map_err(Error::from) };
    match look() {
        Ok(found) => Ok(Main::Of(found)),
        Err(e) if e.kind() == ErrorKind::Internal => Ok(Main::Without),
        Err(e) if e.kind() == ErrorKind::Corrupt => Ok(Main::Unreadable),
        Err(e) => Err(e),
    }
}

/// Begins a generation: first its mark, then the row, then the older marks go. Cut off between two of these, the next open finds the store the same.
fn begin(connection: &mut Connection, file: &Path, marks: &Marks, identity: &str, found: Found) -> Result<Keeper> {
    let before = stamp::read(connection).map_err(Error::from)?;
    let mark = random::array::<16>()?;
    let number = before.number.max(marks.highest).saturating_add(1);
    let keeper = Keeper::make(file, number, &Stamp { mark, base: before.stamp.mark, commits: before.stamp.commits + 1, ..before.stamp })?;
    let mut write = || {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stamp = stamp::begin(&transaction, number, mark, identity)?;
        let parked = match found {
            Found::Copy(_) => Some(parked::park(&transaction)?),
            Found::Same { .. } => None,
        };
        transaction.commit()?;
        Ok((stamp, parked))
    };
    let (stamp, parked) = write().map_err(|fault: super::fault::Fault| Error::from(fault))?;
    keeper.note(&stamp);
    let own = marks::path(file, number);
    for old in marks.paths.iter().filter(|path| **path != own) {
        let _ = std::fs::remove_file(old);
    }
    if let (Found::Copy(sign), Some(parked)) = (found, parked) {
        tracing::warn!(target: "tidings::store", sign, parked, "the store was copied or restored; what was waiting to be sent is parked");
    }
    Ok(keeper)
}
