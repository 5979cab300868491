//! Loops over streams: items that came in one batch are handed out one by one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Items asked for at once.
pub const AHEAD: u32 = 100;

pub struct Ahead<T>(Mutex<VecDeque<T>>);

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }
}

impl<T> Ahead<T> {
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Keeps a batch and gives its first item; none when the stream has ended.
    pub fn fill(&self, batch: impl IntoIterator<Item = T>) -> Option<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(batch);
        kept.pop_front()
    }
}
