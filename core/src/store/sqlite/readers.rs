//! Connections that only read: a bounded number, since each holds file handles and a cache of its own. The last used, with the warmest cache, is the next.

use super::fault::Outcome;
use rusqlite::Connection;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Reads at the same time; the next one waits for one of them.
const AT_ONCE: usize = 8;

#[derive(Default)]
pub struct Readers {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    in_use: usize,
    closed: bool,
}

/// A place among those who read; free again when dropped.
struct InUse<'a>(&'a Readers);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.lock().in_use -= 1;
        self.0.freed.notify_one();
    }
}

impl Readers {
    /// Runs `work` on a connection, a new one when none is idle. A connection on which it failed in opening or panicked is not used again.
    pub fn with<T>(&self, open: impl FnOnce() -> Outcome<Connection>, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
        let mut state = self.lock();
        while state.in_use >= AT_ONCE {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.in_use += 1;
        let idle = state.idle.pop();
        drop(state);
        let _place = InUse(self);
        let connection = match idle {
            Some(connection) => connection,
            None => open()?,
        };
        let result = work(&connection);
        let mut state = self.lock();
        if result.is_ok() && !state.closed {
            state.idle.push(connection);
        }
        result
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.idle.clear();
    }

    /// Without closing them: they belong to the process this one was forked from.
    pub fn forget(&mut self) {
        std::mem::forget(std::mem::take(&mut self.state.get_mut().unwrap_or_else(PoisonError::into_inner).idle));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
