//! Connections that only read: a bounded number, since each holds file handles and a cache of its own. The last used, with the warmest cache, is the next.

use super::closed;
use super::fault::Outcome;
use crate::error::Result;
use rusqlite::Connection;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads at the same time; the next one waits for one of them.
const AT_ONCE: usize = 8;

pub struct Readers {
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Default for Readers {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), idle: Mutex::default() }
    }
}

impl Readers {
    /// A place among those who read, free again when dropped. Closed: `Closed`.
    pub async fn place(&self) -> Result<OwnedSemaphorePermit> {
        self.places.clone().acquire_owned().await.map_err(|_| closed())
    }

    /// Runs `work` on a connection, a new one when none is idle. A connection on which it failed in opening or panicked is not used again.
    pub fn with<T>(&self, open: impl FnOnce() -> Outcome<Connection>, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open()?,
        };
        let result = work(&connection);
        let mut idle = self.idle();
        if result.is_ok() && idle.len() < AT_ONCE && !self.places.is_closed() {
            idle.push(connection);
        }
        result
    }

    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.places.available_permits() == AT_ONCE
    }

    /// Closes what is idle; what is in use closes when it is done.
    pub fn close(&self) {
        self.places.close();
        self.idle().clear();
    }

    /// Without closing them: they belong to the process this one was forked from.
    pub fn forget(&mut self) {
        std::mem::forget(std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner)));
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
