//! Whether the file system keeps locks and shares the index of the write-ahead log: tried, never assumed. Where it grants locks to everybody, several
//! processes would write over each other.

use super::fault::explain;
use super::files::PROBE;
use crate::error::Result;
use crate::random;
use rusqlite::{Connection, OpenFlags};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How a store may be opened on its file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// By several processes of this machine.
    Shared,
    /// By one process: locks are not kept, or the index is not shared.
    Alone,
}

impl Sharing {
    /// SQLite's layer to the system. The second keeps the index in memory and is for one process.
    pub fn layer(self) -> Option<&'static str> {
        match self {
            Self::Alone if cfg!(unix) => Some("unix-excl"),
            _ => None,
        }
    }
}

/// Tries it in the folder of the store, once per file system and process.
pub fn prove(dir: &Path) -> Result<Sharing> {
    if !cfg!(unix) {
        // There a lock keeps others from the bytes themselves.
        return Ok(Sharing::Shared);
    }
    static KNOWN: Mutex<Option<HashMap<u64, Sharing>>> = Mutex::new(None);
    let device = device(dir);
    let known = |known: &Option<HashMap<u64, Sharing>>| known.as_ref().and_then(|known| known.get(&device?).copied());
    if let Some(sharing) = known(&KNOWN.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(sharing);
    }
    let probe = Probe(dir.join(format!("{PROBE}{}", random::token::<12>()?)));
    let (sharing, why) = match try_out(&probe.0) {
        Ok(None) => (Sharing::Shared, ""),
        Ok(Some(why)) => (Sharing::Alone, why),
        // A full disk, a folder that cannot be written: opening the store itself says it in its own words.
        Err(_) => return Ok(Sharing::Shared),
    };
    if sharing == Sharing::Alone {
        tracing::warn!(target: "tidings::store", why, "the file system of data_dir does not keep the locks of several processes; the store is opened for this process alone");
    }
    if let Some(device) = device {
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(device, sharing);
    }
    Ok(sharing)
}

/// A small database of its own, removed afterwards: closing a handle of the store itself would take away locks of this process (POSIX).
struct Probe(PathBuf);

impl Drop for Probe {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(beside(&self.0, end));
        }
    }
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// What does not work, if anything. SQLite takes its locks as it does for a store; a second handle of another owner must be refused what it holds, and
/// must find in the file what SQLite wrote through its map.
fn try_out(file: &Path) -> Result<Option<&'static str>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(explain)?;
    let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
    if !mode.is_ok_and(|mode| mode.eq_ignore_ascii_case("wal")) {
        return Ok(Some("a write-ahead log cannot be kept"));
    }
    connection.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE t (x); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").map_err(explain)?;
    let index = beside(file, "-shm");
    // Where SQLite holds a lock now: its readers' part of the main file, its writers' of the index (sqlite.org/fileformat2.html, walformat.html). Each is
    // asked for once: when the second handle is closed, the lock is gone.
    if !refuses(file, 0x4000_0002, 510) || !refuses(&index, 120, 1) {
        return Ok(Some("a lock that is held is granted to others"));
    }
    if !is_written_through(&index) {
        return Ok(Some("the map of the index is not shared"));
    }
    connection.execute_batch("ROLLBACK").map_err(explain)?;
    Ok(None)
}

/// The header of the index, as SQLite writes it: version 3007000 in this machine's order, and at least one frame.
fn is_written_through(index: &Path) -> bool {
    let bytes = std::fs::read(index).unwrap_or_default();
    let word = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_ne_bytes);
    word(0) == 3_007_000 && word(16) > 0
}

/// Another owner does not get a lock there. Locks of an open file conflict with those of the process that opened it, which no second handle does otherwise.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn refuses(file: &Path, start: i64, length: i64) -> bool {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;
    let Ok(handle) = std::fs::File::options().read(true).write(true).open(file) else { return false };
    let wanted = libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: start as _,
        l_len: length as _,
        l_pid: 0,
    };
    matches!(fcntl(&handle, FcntlArg::F_OFD_SETLK(&wanted)), Err(Errno::EAGAIN | Errno::EACCES))
}

/// Elsewhere there is no safe way to ask within one process.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn refuses(_: &Path, _: i64, _: i64) -> bool {
    true
}

#[cfg(unix)]
fn device(dir: &Path) -> Option<u64> {
    std::fs::metadata(dir).ok().map(|found| std::os::unix::fs::MetadataExt::dev(&found))
}

#[cfg(not(unix))]
fn device(_: &Path) -> Option<u64> {
    None
}
