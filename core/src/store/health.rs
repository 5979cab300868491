//! Facts that health is judged by.

use crate::error::{ErrorKind, Result};
use async_trait::async_trait;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthRow {
    /// Last complete sync.
    pub last_success_at: Option<i64>,
    /// What failed since then.
    pub error: Option<HealthError>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthError {
    pub at: i64,
    pub kind: ErrorKind,
    /// In our own words.
    pub reason: String,
}

#[async_trait]
pub trait HealthStore {
    /// When a sync was complete, which clears what failed before, or why it failed. Does nothing for an account that is gone.
    async fn note_sync(&self, account_id: &str, outcome: &std::result::Result<i64, HealthError>) -> Result<()>;
    /// An account that nothing happened to has the default.
    async fn health(&self, account_id: &str) -> Result<HealthRow>;
}
