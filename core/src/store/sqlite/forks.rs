//! Forks. SQLite keeps in memory which locks the process holds, and its own locks stay locked if a thread held them that did not come along. A child that was
//! forked while a store was open can therefore open none: it would wait for ever, or believe in locks that only the parent has.

use crate::error::Result;
use crate::runtime::forked;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The process that counts, and how many stores it has open. Atomics: a lock could itself be held by a thread that does not come along.
static PROCESS: AtomicU32 = AtomicU32::new(0);
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// A store of this process is open, or about to be.
#[derive(Debug)]
pub struct Opened {
    process: u32,
}

impl Opened {
    /// Errors: Forked.
    pub fn count() -> Result<Self> {
        check()?;
        let process = std::process::id();
        PROCESS.store(process, Ordering::SeqCst);
        OPEN.fetch_add(1, Ordering::SeqCst);
        Ok(Self { process })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            OPEN.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Refuses in the child of a process that had a store open when it was forked.
pub fn check() -> Result<()> {
    let is_copy = OPEN.load(Ordering::SeqCst) > 0 && PROCESS.load(Ordering::SeqCst) != std::process::id();
    if is_copy { Err(forked()) } else { Ok(()) }
}
