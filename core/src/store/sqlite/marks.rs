//! The mark beside the main file: which generation the store is in, how many commits it has, whether it was closed. A copy of an earlier moment does not
//! match it. Its name holds the number of the generation, so that an older one that is put back does not replace it.

use super::files::{self, FILE};
use super::stamp::Stamp;
use crate::error::Result;
use crate::hex::hex;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};

const PREFIX: &str = "-mark-";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Made before the generation was begun in the main file.
    New,
    Open,
    /// Nobody had it open any more, and the log was empty.
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub number: i64,
    pub state: State,
    pub stamp: Stamp,
}

/// What stands beside the main file.
#[derive(Debug, Default)]
pub struct Marks {
    /// Those that can be read, the latest first.
    pub found: Vec<Mark>,
    pub paths: Vec<PathBuf>,
    /// The highest number in a name.
    pub highest: i64,
}

/// The mark of a running generation, kept up with it.
#[derive(Debug)]
pub struct Keeper {
    file: File,
    number: i64,
}

pub fn path(main: &Path, number: i64) -> PathBuf {
    main.with_file_name(format!("{FILE}{PREFIX}{number}"))
}

impl Marks {
    pub fn beside(main: &Path) -> Result<Self> {
        let mut marks = Self::default();
        for (path, name) in files::beside(main)? {
            let Some(number) = name.strip_prefix(FILE).and_then(|rest| rest.strip_prefix(PREFIX)).and_then(|n| n.parse::<i64>().ok()) else { continue };
            marks.highest = marks.highest.max(number);
            let text = std::fs::read(&path).unwrap_or_default();
            marks.found.extend(parse(&text).filter(|mark| mark.number == number));
            marks.paths.push(path);
        }
        marks.found.sort_by_key(|mark| std::cmp::Reverse(mark.number));
        Ok(marks)
    }
}

impl Keeper {
    /// Makes the mark of a generation that is about to begin. It is on disk when this returns, so that no crash leaves a generation without its mark.
    pub fn make(main: &Path, number: i64, stamp: &Stamp) -> Result<Self> {
        let path = path(main, number);
        let made = files::private_file().write(true).create(true).truncate(false).open(&path).map_err(files::unwritable)?;
        let keeper = Self { file: made, number };
        keeper.write(State::New, stamp).and_then(|()| keeper.file.sync_all()).and_then(|()| files::sync_dir(main)).map_err(files::unwritable)?;
        Ok(keeper)
    }

    /// That of a generation others have begun.
    pub fn join(main: &Path, number: i64) -> Result<Self> {
        let file = files::private_file().write(true).create(true).truncate(false).open(path(main, number)).map_err(files::unwritable)?;
        Ok(Self { file, number })
    }

    /// After a commit. That it cannot be written costs nothing but a witness.
    pub fn note(&self, stamp: &Stamp) {
        if let Err(e) = self.write(State::Open, stamp) {
            tracing::debug!(target: "tidings::store", error = %e.kind(), "the mark of the store could not be written");
        }
    }

    /// The log is empty and nobody else has the store open.
    pub fn close(&self, stamp: &Stamp) {
        if let Err(e) = self.write(State::Closed, stamp).and_then(|()| self.file.sync_all()) {
            tracing::debug!(target: "tidings::store", error = %e.kind(), "the mark of the store could not be written");
        }
    }

    fn write(&self, state: State, stamp: &Stamp) -> std::io::Result<()> {
        write_at_start(&self.file, &text(self.number, state, stamp))
    }
}

/// Of one length for ever, so that it can be written over in place.
fn text(number: i64, state: State, stamp: &Stamp) -> Vec<u8> {
    let state = match state {
        State::New => "new   ",
        State::Open => "open  ",
        State::Closed => "closed",
    };
    let body = format!("tidings mark 1\n{number:020}\n{state}\n{}\n{}\n{}\n{:020}\n", hex(stamp.store), hex(stamp.mark), hex(stamp.base), stamp.commits);
    let sum = hex(Sha256::digest(body.as_bytes()).get(..8).unwrap_or_default());
    format!("{body}{sum}\n").into_bytes()
}

fn parse(bytes: &[u8]) -> Option<Mark> {
    let lines: Vec<&str> = std::str::from_utf8(bytes).ok()?.lines().collect();
    let [_, number, state, store, mark, base, commits, _] = lines.as_slice() else { return None };
    let id = |hex: &str| -> Option<[u8; 16]> { u128::from_str_radix(hex, 16).ok().map(u128::to_be_bytes) };
    let state = match state.trim_end() {
        "new" => State::New,
        "open" => State::Open,
        "closed" => State::Closed,
        _ => return None,
    };
    let stamp = Stamp { store: id(store)?, mark: id(mark)?, base: id(base)?, commits: commits.parse().ok()? };
    let number = number.parse().ok()?;
    // Written by us, whole.
    (text(number, state, &stamp) == bytes).then_some(Mark { number, state, stamp })
}

#[cfg(unix)]
fn write_at_start(file: &File, bytes: &[u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, 0)
}

#[cfg(windows)]
fn write_at_start(file: &File, bytes: &[u8]) -> std::io::Result<()> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, 0).map(drop)
}

#[cfg(not(any(unix, windows)))]
fn write_at_start(mut file: &File, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::{Seek, Write};
    file.rewind()?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_whole_or_not_at_all() {
        let stamp = Stamp { store: [1; 16], mark: [2; 16], base: [3; 16], commits: 4 };
        for state in [State::New, State::Open, State::Closed] {
            let written = text(7, state, &stamp);
            assert_eq!(written.len(), text(i64::MAX, state, &Stamp { commits: u64::MAX, ..stamp }).len());
            assert_eq!(parse(&written), Some(Mark { number: 7, state, stamp }));
            for at in 0..written.len() {
                let mut torn = written.clone();
                torn[at] ^= 1;
                assert_eq!(parse(&torn), None, "{at}");
                assert_eq!(parse(&written[..at]), None);
            }
        }
    }
}
