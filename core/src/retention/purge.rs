//! Purge: undecryptable at once, then erased in small transactions that go on at the next open if they are cut off, then the recorded end.

use super::{Retention, check_owner};
use crate::clock::from_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountState, Event, PurgeReport, PurgeRequest};
use crate::store::{LEASE_MS, Lease, LeaseRequest, Purged, hold};
use std::time::Duration;

/// Rows erased in one transaction: others wait for the writer no longer than that takes.
const CHUNK: u32 = 500;
/// How often and how long the end of an erasure is tried while others read what was erased.
const FLUSHES: u32 = 40;
const FLUSH_WAIT: Duration = Duration::from_millis(250);

const PURGED: &str = "The account was purged.";

impl Retention {
    pub async fn purge(&self, request: PurgeRequest) -> Result<PurgeReport> {
        let ids = match (request.account_id, request.owner) {
            (Some(account_id), None) => self.begin_account(account_id).await?,
            (None, Some(owner)) => {
                check_owner(&owner)?;
                self.begin_owner(owner).await?
            }
            _ => return Err(Error::invalid("Name either account_id or owner, not both and not none.")),
        };
        let (mut rows, mut finished_at) = (0u64, self.now());
        for id in &ids {
            let (erased, ended_at) = self.carry_on(id).await?;
            rows = rows.saturating_add(erased);
            finished_at = finished_at.max(ended_at);
        }
        Ok(PurgeReport { account_ids: ids, rows, finished_at: from_ms(finished_at) })
    }

    async fn begin_account(&self, account_id: String) -> Result<Vec<String>> {
        let begun = self.store.begin_purge(Purged::Account(&account_id), PURGED, self.now()).await?;
        if begun.is_empty() {
            // Begun before and cut off: this call ends it.
            return match self.store.purge(&account_id).await? {
                Some(purge) if purge.ended_at.is_none() => Ok(vec![account_id]),
                _ => Err(Error::new(ErrorKind::NotFound, "There is no account with this id.")),
            };
        }
        self.gone(&begun);
        Ok(begun)
    }

    async fn begin_owner(&self, owner: String) -> Result<Vec<String>> {
        let known = self.store.is_deleted(&owner).await? || !self.store.account_ids(&owner, false).await?.is_empty();
        // Sign-ins under way end even where there is no account yet.
        let begun = self.store.begin_purge(Purged::Owner(&owner), PURGED, self.now()).await?;
        if !known && begun.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "There is no account of this owner."));
        }
        self.gone(&begun);
        Ok(begun)
    }

    /// A deleted owner whose time has come. Nothing happens if the deletion was taken back.
    pub(super) async fn purge_due(&self, owner: String) -> Result<()> {
        let begun = self.store.begin_purge(Purged::DueOwner(&owner), PURGED, self.now()).await?;
        self.gone(&begun);
        for id in begun {
            self.carry_on(&id).await?;
        }
        Ok(())
    }

    fn gone(&self, account_ids: &[String]) {
        for id in account_ids {
            (self.forget)(id);
            self.event_bus.publish(Event::AccountChanged { account_id: id.clone(), state: AccountState::Disconnected });
        }
        self.told();
    }

    /// Erases what is left of a purge that has begun, by one process at a time, and records the end. Answers the rows erased and when it ended.
    pub(super) async fn carry_on(&self, account_id: &str) -> Result<(u64, i64)> {
        let request = LeaseRequest::new(&self.store, &self.clock, "purge", LEASE_MS)?;
        loop {
            let purge = self.store.purge(account_id).await?.ok_or_else(|| Error::internal("A purge that was begun is not noted. Please report it."))?;
            if let Some(ended_at) = purge.ended_at {
                return Ok((purge.erased, ended_at));
            }
            let Some(lease) = request.take().await? else {
                request.pause().await;
                continue;
            };
            let ended = self.under(&lease, account_id).await;
            let _ = self.store.release_lease(&lease).await;
            ended?;
        }
    }

    async fn under(&self, lease: &Lease, account_id: &str) -> Result<()> {
        let beat = hold(self.store.clone(), self.clock.clone(), lease.clone());
        // Every step changes nothing when it was done, so one that comes late does no harm.
        tokio::select! {
            ended = self.erase(account_id) => ended,
            () = beat => Ok(()),
        }
    }

    async fn erase(&self, account_id: &str) -> Result<()> {
        while self.store.erase_some(account_id, CHUNK, self.now()).await? {}
        let mut flushes = 0;
        while !self.store.finish_erasure().await? {
            flushes += 1;
            if flushes == FLUSHES {
                return Err(Error::new(
                    ErrorKind::StoreBusy,
                    "Everything is erased, but another process reads the store and keeps older bytes in its log. The purge ends by itself once that process is done; call again to wait for it.",
                ));
            }
            self.clock.pause(FLUSH_WAIT).await;
        }
        self.store.end_purge(account_id, self.now()).await?;
        self.told();
        Ok(())
    }
}
