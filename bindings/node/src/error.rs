//! How failures cross: as text that the layer of JavaScript turns into one class per kind.

use napi::{Error, Status};
use tidings::{ErrorKind, Remedy};

/// Marks the messages that carry a failure of the engine.
const MARK: &str = "tidings:";

/// The error a promise is rejected with, or a method throws.
pub fn reject(error: &tidings::Error) -> Error {
    let fields = serde_json::json!({
        "kind": error.kind(),
        "reason": error.reason(),
        "accountId": error.account_id(),
        "requestId": error.request_id(),
        "retryAfterMs": error.retry_after_ms(),
        "remedy": error.remedy(),
    });
    Error::new(Status::GenericFailure, format!("{MARK}{fields}"))
}

/// A value of JavaScript that cannot be used, and where it was found.
pub struct Refusal {
    at: String,
    why: String,
}

pub type Read<T> = Result<T, Refusal>;

impl Refusal {
    pub fn new(why: &str) -> Self {
        Self { at: String::new(), why: why.to_owned() }
    }

    /// Puts a step in front of the place: a field, an index.
    pub fn inside(mut self, step: &str) -> Self {
        let dot = if self.at.is_empty() || self.at.starts_with('[') { "" } else { "." };
        self.at = format!("{step}{dot}{}", self.at);
        self
    }
}

impl From<Refusal> for Error {
    fn from(it: Refusal) -> Self {
        let place = if it.at.is_empty() { "This" } else { &it.at };
        reject(&tidings::Error::new(ErrorKind::InvalidInput, format!("{place} {}.", it.why.trim_end_matches('.'))).with_remedy(Remedy::Developer))
    }
}

/// A value that Node itself could not read.
impl From<Error> for Refusal {
    fn from(_: Error) -> Self {
        Self::new("cannot be read")
    }
}
