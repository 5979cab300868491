//! What the engines of this process log, for hosts whose logging is not `tracing`.

use crate::error::{Error, Result};
use crate::model::{LogLevel, LogRecord};
use std::sync::Arc;

/// Log records from the moment it was made. A reader who is too slow loses the oldest.
#[derive(Debug)]
pub struct LogStream {}

impl LogStream {
    /// Waits for the next record. A cancelled wait loses nothing.
    pub async fn next(&self) -> Result<Option<LogRecord>> {
        Err(Error::internal("Not built yet."))
    }
}

/// What the engines of this process log from now on, at this level and above. Never holds secrets, addresses or subjects.
/// Errors: Conflict when the process has a `tracing` subscriber of its own; the records are there then.
pub fn logs(_level: LogLevel) -> Result<Arc<LogStream>> {
    Err(Error::internal("Not built yet."))
}
