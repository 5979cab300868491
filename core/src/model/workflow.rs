use super::rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// A Teams workflow (Power Automate) that takes posts at a URL. Whoever has the URL can post, so it is a secret: it is stored sealed, and never shown again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// For `WorkflowDraft`; stands where receipts, changes, events and the audit log name an account.
    pub id: String,
    pub owner: String,
    pub name: String,
    /// Its URL without what proves anything: `https://prod-1.westeurope.logic.azure.com/…`.
    pub url: String,
    pub host: String,
    pub context: Option<String>,
    #[serde(with = "rfc3339")]
    pub added_at: SystemTime,
}
