//! Owners who are deleted: disconnected at once, purged after a month in which it can be taken back. And the sweep that does what is due.

use super::{Retention, check_owner};
use crate::clock::from_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountState, Event, OwnerDeletion};
use crate::runtime::Stop;
use std::time::Duration;

const KEPT_MS: i64 = 30 * 86_400_000;
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

const DELETED: &str = "The owner was deleted. Call restore_owner, then connect the account again.";

impl Retention {
    pub async fn delete_owner(&self, owner: String) -> Result<OwnerDeletion> {
        check_owner(&owner)?;
        let now = self.now();
        let (account_ids, purge_at) = self.store.delete_owner(&owner, DELETED, now, now.saturating_add(KEPT_MS)).await?;
        for id in &account_ids {
            (self.forget)(id);
            self.event_bus.publish(Event::AccountChanged { account_id: id.clone(), state: AccountState::Disconnected });
        }
        self.told();
        Ok(OwnerDeletion { owner, account_ids, purge_at: from_ms(purge_at) })
    }

    pub async fn restore_owner(&self, owner: String) -> Result<()> {
        check_owner(&owner)?;
        if self.store.restore_owner(&owner, self.now()).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, "This owner is not deleted, or everything was purged already."))
    }

    /// Before a sign-in is started for an owner; the store refuses it again at the end.
    pub async fn check_not_deleted(&self, owner: &str) -> Result<()> {
        if self.store.is_deleted(owner).await? {
            return Err(Error::new(ErrorKind::Conflict, "This owner was deleted and is about to be purged. Call restore_owner first, then connect again."));
        }
        Ok(())
    }

    /// At open and every hour: ends purges that were cut off, begins those that are due, empties the log of what others erased.
    /// Before that it looks at the keys, so that every process that runs knows them while there are handovers to follow.
    pub async fn sweep(self, stop: Stop) {
        loop {
            // Counted from before the sweep: what becomes due while it runs is not left for an hour longer.
            let next = self.clock.deadline(SWEEP_EVERY);
            tokio::select! {
                () = self.sweep_once() => {}
                () = stop.wait() => return,
            }
            tokio::select! {
                () = next => {}
                () = stop.wait() => return,
            }
        }
    }

    pub async fn sweep_once(&self) {
        let now = self.now();
        if let Err(error) = (self.keep_up)(now).await {
            tracing::warn!(target: "tidings::keeping", kind = ?error.kind(), "the keys of the store could not be looked at");
        }
        if let Err(error) = self.store.drop_expired(now).await {
            tracing::warn!(target: "tidings::keeping", kind = ?error.kind(), "sign-ins and handovers that are over could not be erased");
        }
        if let Err(error) = self.trim().await {
            tracing::warn!(target: "tidings::keeping", kind = ?error.kind(), "what is older than is kept could not be erased now");
        }
        let due = self.store.due_owners(now).await.unwrap_or_default();
        for owner in due {
            self.tell(self.purge_due(owner).await);
        }
        for id in self.store.open_purges().await.unwrap_or_default() {
            self.tell(self.carry_on(&id).await.map(drop));
        }
        self.tell(self.store.finish_erasure().await.map(drop));
    }

    /// What failed here is tried again an hour later.
    fn tell(&self, outcome: Result<()>) {
        if let Err(error) = outcome {
            tracing::warn!(target: "tidings::keeping", kind = ?error.kind(), "a purge could not be ended yet");
        }
    }
}
