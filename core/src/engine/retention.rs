//! Verbs of keys, audit and erasure.

use super::Engine;
use crate::clock::Clock;
use crate::error::Result;
use crate::model::*;
use crate::runtime::Stop;
use crate::vault::{Order, Slice, Vault};
use std::sync::Arc;
use std::time::Duration;

/// How often is looked whether a key is due: it may last for 90 days.
const LOOK_FOR_DUE_KEYS: Duration = Duration::from_secs(24 * 3600);
/// Between two slices of a rotation: others have the store to themselves for most of the time. See the limits of a slice.
const BETWEEN_SLICES: Duration = Duration::from_secs(10 * 60);
/// After a failure: the lease of a rotation that was killed has run out by then.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// Replaces keys that are due and ends rotations that were cut off, a slice at a time, until the engine stops.
pub async fn renew_keys(vault: Vault, clock: Arc<dyn Clock>, stop: Stop) {
    loop {
        let next = until_next_look(&vault.rotate_due(&*clock, Some(&stop)).await);
        tokio::select! { () = clock.deadline(next) => {}, () = stop.wait() => return }
    }
}

pub(super) fn until_next_look(outcome: &Result<Slice>) -> Duration {
    match outcome {
        Ok(slice) if slice.has_more => BETWEEN_SLICES,
        Ok(_) => LOOK_FOR_DUE_KEYS,
        Err(e) => {
            tracing::debug!(target: "tidings::engine", kind = ?e.kind(), "keys could not be replaced now");
            LOOK_AGAIN
        }
    }
}

impl Engine {
    /// Destroys the content key at once, then erases every row, and the same of shared mailboxes that are opened through the account. What was begun is ended at the next open. Errors: InvalidInput, NotFound,
    /// StoreBusy (all is erased, but another process that reads the store keeps older bytes in its log; the purge ends by itself once it is done).
    pub async fn purge(&self, request: PurgeRequest) -> Result<PurgeReport> {
        let purged = self
            .finish(|inner| async move {
                inner.end_subscriptions(request.account_id.as_deref(), request.owner.as_deref()).await;
                inner.retention.purge(request).await
            })
            .await?;
        for account in &purged.account_ids {
            tracing::info!(target: "tidings::engine", account, "purged");
        }
        Ok(purged)
    }

    /// Disconnects all accounts of an owner and purges them in 30 days. Errors: InvalidInput, NotFound (the owner has no account).
    pub async fn delete_owner(&self, owner: String) -> Result<OwnerDeletion> {
        self.finish(|inner| async move {
            inner.end_subscriptions(None, Some(&owner)).await;
            let deletion = inner.retention.delete_owner(owner).await?;
            inner.account_changed();
            Ok(deletion)
        })
        .await
    }

    /// Takes `delete_owner` back, as long as nothing is purged; the accounts stay disconnected. Errors: NotFound.
    pub async fn restore_owner(&self, owner: String) -> Result<()> {
        let retention = self.inner.retention.clone();
        self.inner.runtime.finish(async move { retention.restore_owner(owner).await }).await
    }

    /// Replaces keys while everything goes on. Waits up to 30 s for another rotation to end. Errors: InvalidInput, NotFound, StoreBusy when another rotation
    /// still runs, VaultLocked when the store key or root key is to be replaced and the root key was replaced since this process opened the store.
    /// Corrupt when a value cannot be opened: it is left with its old key, and everything else was replaced.
    pub async fn rotate_keys(&self, rotation: KeyRotation) -> Result<RotationReport> {
        let (vault, clock) = (self.inner.vault.clone(), self.inner.clock.clone());
        let KeyRotation { new_root_key, store_key, data_keys, account_id } = rotation;
        let order = Order { new_root: new_root_key, store_key, data_keys, account_id };
        self.inner.runtime.guard(move |stop| async move { vault.rotate(&order, &*clock, Some(&stop)).await }).await
    }

    /// The audit log after `cursor`, up to `limit` records (1 to 1000), in the order in which they were written. With `owner`, only the chain of this
    /// owner. Errors: InvalidInput (also when the cursor is another list's).
    pub async fn audit(&self, limit: u32, cursor: Option<String>, owner: Option<String>) -> Result<AuditPage> {
        let retention = self.inner.retention.clone();
        self.inner.runtime.finish(async move { retention.audit(limit, cursor, owner).await }).await
    }

    /// Checks the audit log record by record, and its end against `expected` if given. With `owner`, only the chain of this owner, without reading any
    /// other; that a chain is gone as a whole shows when all are checked, or against `expected`. Errors: InvalidInput.
    pub async fn verify_audit(&self, expected: Option<AuditHead>, owner: Option<String>) -> Result<AuditVerdict> {
        let retention = self.inner.retention.clone();
        self.inner.runtime.finish(async move { retention.verify_audit(expected, owner).await }).await
    }

    /// Erases the records up to `exported`, the head of a log that the host has read with `audit` and keeps elsewhere: the rest can still be proven. The log
    /// is checked first, and the call recorded. The store's own chain is kept from the record on that says that the first owner's was begun. Answers how
    /// many records were erased. Durable in pieces: a call that was cut off is taken up by the next one. Errors: InvalidInput, Corrupt (the log is not as it
    /// was written, or does not hold `exported`: nothing is erased).
    pub async fn trim_audit(&self, exported: AuditHead) -> Result<u64> {
        let retention = self.inner.retention.clone();
        self.inner.runtime.finish(async move { retention.trim_audit(exported).await }).await
    }
}
