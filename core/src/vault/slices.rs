//! A rotation that nobody asked for goes in slices, so that a day on which all keys are due is like any other: each ends after a bounded number of keys and
//! values, and the next one goes on. A value that was sealed anew and a key that was replaced are durable by themselves, so nothing else is kept of how
//! far it came: what was begun is found as a key that opens and no longer seals, and is ended first; then come the oldest of those that are due.

use super::Vault;
use super::rotate::{Job, MARK};
use crate::clock::{Clock, to_ms};
use crate::error::Result;
use crate::model::RotationReport;
use crate::runtime::Stop;
use crate::store::{KeyPurpose, RingKey};
use std::collections::BTreeSet;
use std::time::Duration;

/// What a slice of a rotation that nobody asked for did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slice {
    pub report: RotationReport,
    /// There is more to do: the next slice goes on from here.
    pub has_more: bool,
}

impl Vault {
    /// Ends what an earlier rotation left, then replaces the keys that are due by uses or age, up to the end of a slice. Cheap when there is nothing to do.
    pub async fn rotate_due(&self, clock: &dyn Clock, stop: Option<&Stop>) -> Result<Slice> {
        let (now, limits) = (to_ms(clock.now()), self.0.base.limits);
        let is_due = |key: &RingKey| match key.purpose {
            KeyPurpose::Secrets | KeyPurpose::Content => key.uses >= limits.due || now.saturating_sub(key.created_at) >= limits.age,
            // By uses alone: with a new store key, a process that has an older root key and sleeps for hours must be opened again.
            KeyPurpose::Store => key.uses >= limits.due,
            KeyPurpose::Hashes | KeyPurpose::Audit => false,
        };
        let keys = self.0.base.store.live_keys().await?;
        let left_over = keys.iter().any(|key| !key.is_active) || self.0.base.store.meta(MARK).await?.is_some();
        if !left_over && !keys.iter().any(is_due) {
            return Ok(Slice::default());
        }
        let due = |is_wanted: fn(KeyPurpose) -> bool| keys.iter().filter(|key| key.is_active && is_wanted(key.purpose) && is_due(key)).map(|key| key.id).collect::<Vec<_>>();
        let (data, store) = (due(|purpose| purpose != KeyPurpose::Store), due(|purpose| purpose == KeyPurpose::Store).first().copied());
        // The one that runs does what is due, and the next look finds what it left.
        let mut job = self.begin(Duration::ZERO, clock, stop).await?;
        job.is_paced = true;
        let (outcome, has_more) = match job.slice(data, store).await {
            Ok(is_done) => (Ok(()), !is_done),
            Err(e) => (Err(e), false),
        };
        Ok(Slice { report: job.finish(outcome).await?, has_more })
    }
}

impl Job<'_> {
    /// False: there is more. A mark of a rotation that was cut off stays until all of it is done; what is due is found again by its age.
    async fn slice(&mut self, due: Vec<i64>, due_store: Option<i64>) -> Result<bool> {
        let mark = self.mark().await?;
        let (marked_store, marked) = (mark.as_ref().and_then(|mark| mark.store), mark.is_some());
        let store = marked_store.or(due_store);
        let left = self.left_to_others(store).await?;
        // First: a worn key of the store does not wait for all mail.
        if !self.store_key(if left.is_none() { store } else { None }).await? {
            return Ok(false);
        }
        let wanted: BTreeSet<i64> = mark.and_then(|mark| mark.data).into_iter().flatten().chain(due).collect();
        if !self.data_keys(&wanted).await? {
            return Ok(false);
        }
        if marked {
            self.end(marked_store.and(left)).await?;
        } else {
            self.unharmed()?;
        }
        Ok(true)
    }

    /// Keys, of a slice.
    pub(super) fn has_begun_enough(&self) -> bool {
        self.is_paced && (self.begun >= self.vault.0.base.limits.slice_keys || self.has_sealed_enough())
    }

    /// Values, of a slice. What is damaged does not count, so that it holds up nobody: it is looked at in every slice.
    pub(super) fn has_sealed_enough(&self) -> bool {
        self.is_paced && self.report.values >= self.vault.0.base.limits.slice_values
    }
}
