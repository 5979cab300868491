//! Verbs of keys, audit and erasure.

use super::Engine;
use crate::error::{Error, Result};
use crate::model::*;
use crate::runtime::blocking;
use crate::vault::Order;

impl Engine {
    /// Destroys the content key at once, then erases every row. What was begun is ended at the next open. Errors: InvalidInput, NotFound.
    pub async fn purge(&self, _request: PurgeRequest) -> Result<PurgeReport> {
        Err(Error::internal("Not built yet."))
    }

    /// Disconnects all accounts of an owner and purges them in 30 days.
    pub async fn delete_owner(&self, _owner: String) -> Result<OwnerDeletion> {
        Err(Error::internal("Not built yet."))
    }

    /// Takes `delete_owner` back, as long as nothing is purged; the accounts stay disconnected. Errors: NotFound.
    pub async fn restore_owner(&self, _owner: String) -> Result<()> {
        Err(Error::internal("Not built yet."))
    }

    /// Replaces keys while everything goes on. Errors: InvalidInput, StoreBusy when another rotation runs.
    pub async fn rotate_keys(&self, rotation: KeyRotation) -> Result<RotationReport> {
        let (vault, clock) = (self.inner.vault.clone(), self.inner.clock.clone());
        let KeyRotation { new_root_key, store_key, data_keys, account_id } = rotation;
        let order = Order { new_root: new_root_key, store_key, data_keys, account_id };
        self.inner.runtime.guard(move |stop| blocking(move || vault.rotate(&order, &*clock, Some(&stop)))).await
    }

    /// The audit log after `cursor`, up to `limit` records (1 to 1000). Errors: InvalidInput.
    pub async fn audit(&self, _limit: u32, _cursor: Option<String>) -> Result<AuditPage> {
        Err(Error::internal("Not built yet."))
    }

    /// Checks the audit log record by record, and its end against `expected` if given.
    pub async fn verify_audit(&self, _expected: Option<AuditHead>) -> Result<AuditVerdict> {
        Err(Error::internal("Not built yet."))
    }
}
