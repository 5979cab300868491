//! Verbs of keys, audit and erasure.

use super::Engine;
use crate::error::{Error, Result};
use crate::model::*;

impl Engine {
    /// Destroys the content key at once, then erases every row. What was begun is ended at the next open. Errors: InvalidInput, NotFound.
    pub async fn purge(&self, request: PurgeRequest) -> Result<PurgeReport> {
        let keeping = self.inner.keeping.clone();
        let purged = self.inner.runtime.finish(async move { keeping.purge(request).await }).await?;
        for account in &purged.account_ids {
            tracing::info!(target: "tidings::engine", account, "purged");
        }
        Ok(purged)
    }

    /// Disconnects all accounts of an owner and purges them in 30 days.
    pub async fn delete_owner(&self, owner: String) -> Result<OwnerDeletion> {
        let inner = self.inner.clone();
        self.inner
            .runtime
            .finish(async move {
                let deletion = inner.keeping.delete_owner(owner).await?;
                inner.account_changed();
                Ok(deletion)
            })
            .await
    }

    /// Takes `delete_owner` back, as long as nothing is purged; the accounts stay disconnected. Errors: NotFound.
    pub async fn restore_owner(&self, owner: String) -> Result<()> {
        let keeping = self.inner.keeping.clone();
        self.inner.runtime.finish(async move { keeping.restore_owner(owner).await }).await
    }

    /// Replaces keys while everything goes on. Errors: InvalidInput, StoreBusy when another rotation runs.
    pub async fn rotate_keys(&self, _rotation: KeyRotation) -> Result<RotationReport> {
        Err(Error::internal("Not built yet."))
    }

    /// The audit log after `cursor`, up to `limit` records (1 to 1000). Errors: InvalidInput.
    pub async fn audit(&self, limit: u32, cursor: Option<String>) -> Result<AuditPage> {
        let keeping = self.inner.keeping.clone();
        self.inner.runtime.finish(async move { keeping.audit(limit, cursor).await }).await
    }

    /// Checks the audit log record by record, and its end against `expected` if given.
    pub async fn verify_audit(&self, expected: Option<AuditHead>) -> Result<AuditVerdict> {
        let keeping = self.inner.keeping.clone();
        self.inner.runtime.finish(async move { keeping.verify_audit(expected).await }).await
    }
}
