//! What every commit leaves in the file: which store, which generation of it, which commit. By it the main file, the write-ahead log and the mark beside
//! them are known to belong together.

use super::fault::{Outcome, corrupt};
use super::{first, run};
use rusqlite::Connection;
use std::path::Path;

const MAGIC: &[u8; 16] = b"tidings-commit:1";
const LENGTH: usize = 72;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The store, for its life; a copy has the same.
    pub store: [u8; 16],
    /// The generation.
    pub mark: [u8; 16],
    /// The generation it was begun on.
    pub base: [u8; 16],
    pub commits: u64,
}

impl Stamp {
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<16>()?;
        let (store, rest) = rest.split_first_chunk::<16>()?;
        let (mark, rest) = rest.split_first_chunk::<16>()?;
        let (base, rest) = rest.split_first_chunk::<16>()?;
        let commits = u64::from_be_bytes(rest.try_into().ok()?);
        (magic == MAGIC).then_some(Self { store: *store, mark: *mark, base: *base, commits })
    }

    fn bytes(&self) -> Vec<u8> {
        [MAGIC.as_slice(), &self.store, &self.mark, &self.base, &self.commits.to_be_bytes()].concat()
    }

    /// This commit may come right after `before`.
    fn follows(&self, before: &Self) -> bool {
        self.store == before.store && self.commits == before.commits + 1 && (self.mark == before.mark || self.base == before.mark)
    }
}

/// The row of the generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    pub number: i64,
    pub file: Option<String>,
    pub stamp: Stamp,
}

pub fn read(c: &Connection) -> Outcome<Generation> {
    let row = first(c, "SELECT number, file, stamp FROM generation WHERE id = 1", [], |row| {
        let stamp = Stamp::parse(&row.get::<_, Vec<u8>>(2)?).ok_or_else(|| corrupt("a stamp"))?;
        Ok(Generation { number: row.get(0)?, file: row.get(1)?, stamp })
    })?;
    Ok(row.ok_or_else(|| corrupt("no generation"))?)
}

/// Counts a commit; part of every transaction that changed something.
pub fn advance(c: &Connection) -> Outcome<Stamp> {
    let mut stamp = read(c)?.stamp;
    stamp.commits += 1;
    run(c, "UPDATE generation SET stamp = ?1 WHERE id = 1", [stamp.bytes()])?;
    Ok(stamp)
}

/// Begins a generation.
pub fn begin(c: &Connection, number: i64, mark: [u8; 16], file: &str) -> Outcome<Stamp> {
    let before = read(c)?.stamp;
    let stamp = Stamp { mark, base: before.mark, commits: before.commits + 1, ..before };
    run(c, "UPDATE generation SET number = ?1, file = ?2, stamp = ?3 WHERE id = 1", (number, file, stamp.bytes()))?;
    Ok(stamp)
}

/// What a write-ahead log holds: the stamps of its commits, in order.
#[derive(Debug, Default)]
pub struct Log(pub Vec<Stamp>);

impl Log {
    /// Reads the log as a file of bytes. No lock of SQLite's stands on it, so opening and closing it takes none away (POSIX).
    pub fn read(file: &Path) -> std::io::Result<Self> {
        use std::io::Read;
        let mut found = Self::default();
        let log = match std::fs::File::open(file) {
            Ok(log) => log,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            Err(e) => return Err(e),
        };
        let mut log = std::io::BufReader::with_capacity(1 << 16, log);
        let mut header = [0; 32];
        if log.read_exact(&mut header).is_err() {
            return Ok(found);
        }
        let word = |bytes: &[u8], at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
        let page = match word(&header, 8) {
            1 => 65_536,
            size @ 512..=65_536 => size as usize,
            _ => return Ok(found),
        };
        let mut frame = vec![0; 24 + page];
        while log.read_exact(&mut frame).is_ok() && frame.get(8..16) == header.get(16..24) {
            if let Some(stamp) = frame.len().checked_sub(LENGTH).and_then(|at| frame.get(at..)).and_then(Stamp::parse) {
                found.0.push(stamp);
            }
        }
        Ok(found)
    }

    /// The log was begun on `main`, or what is in `main` is one of its commits. `seen` is what SQLite makes of both, `frames` how many it takes from the log.
    pub fn belongs(&self, main: &Stamp, seen: &Stamp, frames: u64) -> bool {
        if frames == 0 {
            return main == seen;
        }
        // What comes later was torn off at the end, or is left from an earlier round.
        let mut stamps = self.0.iter().filter(|stamp| stamp.commits <= seen.commits);
        stamps.clone().next().is_some_and(|first| first.follows(main)) || stamps.any(|stamp| stamp == main)
    }
}

#[cfg(test)]
#[path = "stamp_tests.rs"]
mod tests;
