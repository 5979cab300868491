//! Replacing keys while the store is in use. Each step is durable before the next begins, and every step can be done again: whoever is killed leaves keys
//! that open and no longer seal, and the next rotation goes on from there.
//!
//! Of each key: the new one is stored and the old one seals no more, in one step; what the old one sealed is sealed anew, a batch at a time; when nothing
//! needs it any more it is destroyed. The store refuses to write what an old key sealed, so that nothing can come after the last look.
//!
//! What cannot be opened keeps its old key, and holds up no other: the rotation goes on, and says so at its end.

use super::base::{Wrapper, place};
use super::ring::DataKey;
use super::root::Root;
use super::{Vault, base};
use crate::clock::{Clock, to_ms, real_time};
use crate::error::{Error, ErrorKind, Result};
use crate::model::RotationReport;
use crate::random;
use crate::runtime::{Stop, blocking};
use crate::seal::Sealed;
use crate::secret::RootKey;
use crate::store::{KeyFate, KeyPurpose, LEASE_MS, Lease, NewRoot, Retired, RingKey, SealedValue, is_outdated};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const LEASE: &str = "rotate_keys";
pub(super) const MARK: &str = "key_rotation";

/// Values sealed anew in one transaction.
const BATCH: u32 = 200;
/// Rounds in a row without a value sealed anew, after which a key is left as it is.
const IDLE: u32 = 2;
const BREATH: Duration = Duration::from_millis(3);

/// How long another rotation is waited for: longer than a killed one is missed.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(100);

/// What to replace.
#[derive(Debug, Clone, Default)]
pub struct Order {
    pub new_root: Option<Arc<RootKey>>,
    pub store_key: bool,
    pub data_keys: bool,
    /// Data keys of this account only.
    pub account_id: Option<String>,
}

/// What a rotation has set out to do: keys that are to be replaced by its end. A later one reads it and replaces none twice.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Mark {
    account_id: Option<String>,
    pub(super) data: Option<Vec<i64>>,
    pub(super) store: Option<i64>,
}

/// What became of a key that was to be emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emptied {
    Destroyed,
    /// It was gone already, or is left because of what could not be opened.
    Otherwise,
    /// The slice ended before.
    Cut,
}

pub(super) struct Job<'a> {
    pub(super) vault: &'a Vault,
    clock: &'a dyn Clock,
    stop: Option<&'a Stop>,
    lease: Lease,
    pub(super) report: RotationReport,
    /// A slice: it ends after so much.
    pub(super) is_paced: bool,
    /// Data keys that got a successor.
    pub(super) begun: u32,
    /// Keys that could not be replaced or destroyed because of damage, and whose account that is.
    damaged: Vec<(i64, String)>,
}

impl Vault {
    /// `StoreBusy` when another rotation runs for half a minute more; stops between two steps when told to.
    pub async fn rotate(&self, order: &Order, clock: &dyn Clock, stop: Option<&Stop>) -> Result<RotationReport> {
        self.rotate_within(PATIENCE, order, clock, stop).await
    }

    pub(super) async fn rotate_within(&self, patience: Duration, order: &Order, clock: &dyn Clock, stop: Option<&Stop>) -> Result<RotationReport> {
        if !order.data_keys && order.account_id.is_some() {
            return Err(Error::invalid("account_id chooses among data keys, but data_keys is off. Turn it on, or leave account_id out."));
        }
        if !order.data_keys && !order.store_key && order.new_root.is_none() {
            return Err(Error::invalid("There is nothing to rotate. Turn on store_key or data_keys, or pass new_root_key."));
        }
        if let Some(id) = &order.account_id
            && self.0.base.store.sender_state(id).await?.is_none()
        {
            return Err(Error::new(ErrorKind::NotFound, "There is no account with this id.").on_account(id.as_str()));
        }
        // Told before anything is begun: a store key wrapped by a root key that is gone would open for nobody.
        if (order.store_key || order.new_root.is_some()) && self.has_older_root().await? {
            return Err(base::older_root());
        }
        let started = clock.elapsed();
        // First, since a passphrase takes its time.
        let root = match &order.new_root {
            Some(key) => Some(Root::fresh(&self.0.base.store_id, key).await?),
            None => None,
        };
        let mut job = self.begin(patience, clock, stop).await?;
        let outcome = job.all(order, root).await;
        let mut report = job.finish(outcome).await?;
        report.duration_ms = u64::try_from(clock.elapsed().saturating_sub(started).as_millis()).unwrap_or(u64::MAX);
        Ok(report)
    }

    /// Waits up to `patience` for another rotation, of this process or another, to end. In real time, since that one works in real time.
    pub(super) async fn begin<'a>(&'a self, patience: Duration, clock: &'a dyn Clock, stop: Option<&'a Stop>) -> Result<Job<'a>> {
        let holder = random::token::<12>()?;
        let mut waited = Duration::ZERO;
        let lease = loop {
            if let Some(lease) = self.0.base.store.take_lease(LEASE, &holder, to_ms(clock.now()), LEASE_MS).await? {
                break lease;
            }
            if waited >= patience {
                return Err(Error::new(ErrorKind::StoreBusy, "Another rotation of keys runs on this store. Try again when it has ended."));
            }
            stop.map_or(Ok(()), Stop::check)?;
            real_time(LOOK).await;
            waited += LOOK;
        };
        Ok(Job { vault: self, clock, stop, lease, report: RotationReport::default(), is_paced: false, begun: 0, damaged: Vec::new() })
    }

    /// This process was opened before the root key was replaced. It may go on, but wraps no store key: nobody could open it.
    async fn has_older_root(&self) -> Result<bool> {
        Ok(self.0.base.store.canary().await?.as_ref() != Some(&self.0.root.canary()))
    }
}

fn is_data(key: &RingKey) -> bool {
    matches!(key.purpose, KeyPurpose::Secrets | KeyPurpose::Content)
}

fn encoded(mark: &Mark) -> Result<Vec<u8>> {
    serde_json::to_vec(mark).map_err(|e| Error::internal("The mark of a rotation could not be written. Please report it.").with_source(e))
}

/// What came of values that were to be sealed anew.
struct Batch {
    renewed: Vec<(SealedValue, Sealed)>,
    /// So many could not be opened.
    unopened: u32,
    /// Whose the last of those is. A wrapped key says more than the store key that wrapped it.
    damaged: Option<String>,
}

fn sealed_anew(ring: &DataKey, values: Vec<SealedValue>) -> Result<Batch> {
    let mut batch = Batch { renewed: Vec::with_capacity(values.len()), unopened: 0, damaged: None };
    for value in values {
        match ring.open(value.place(), &value.sealed) {
            Ok(plain) => {
                let sealed = ring.seal(value.place(), &plain)?;
                batch.renewed.push((value, sealed));
            }
            Err(e) if e.kind() == ErrorKind::Corrupt => {
                batch.unopened += 1;
                batch.damaged = Some(value.account_id);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(batch)
}

impl Job<'_> {
    /// Gives the lease back, whatever came of the work.
    pub(super) async fn finish(self, outcome: Result<()>) -> Result<RotationReport> {
        let store = &self.vault.0.base.store;
        let _ = store.release_lease(&self.lease).await;
        let _ = store.drop_expired(self.now()).await;
        let _ = store.finish_erasure().await;
        outcome.map(|()| self.report)
    }

    pub(super) async fn mark(&self) -> Result<Option<Mark>> {
        let bytes = self.vault.0.base.store.meta(MARK).await?;
        bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(|_| base::corrupt())).transpose()
    }

    async fn all(&mut self, order: &Order, root: Option<Root>) -> Result<()> {
        // Again, since another rotation may have been waited for.
        if (order.store_key || root.is_some()) && self.vault.has_older_root().await? {
            return Err(base::older_root());
        }
        let left = self.mark().await?.unwrap_or_default();
        let keys = self.vault.0.base.store.live_keys().await?;
        let active = |wanted: &dyn Fn(&RingKey) -> bool| keys.iter().filter(|key| key.is_active && wanted(key)).map(|key| key.id).collect::<Vec<_>>();
        // What was cut off goes on; keys it has replaced already are not replaced again.
        let covered = left.data.is_some() && (left.account_id.is_none() || left.account_id == order.account_id);
        let data = match left.data {
            Some(data) if covered || !order.data_keys => Some(data),
            data if order.data_keys => {
                let chosen = |key: &RingKey| {
                    matches!(key.purpose, KeyPurpose::Secrets | KeyPurpose::Content) && order.account_id.as_ref().is_none_or(|id| *id == key.account_id)
                };
                Some(data.into_iter().flatten().chain(active(&chosen)).collect())
            }
            data => data,
        };
        let store = left.store.or_else(|| if order.store_key { active(&|key| key.purpose == KeyPurpose::Store).first().copied() } else { None });
        let account_id = if covered { left.account_id } else { order.account_id.clone() };
        self.run(&Mark { account_id, data, store }, root).await
    }

    async fn run(&mut self, mark: &Mark, root: Option<Root>) -> Result<()> {
        self.ours(self.vault.0.base.store.mark_rotation(&self.lease, Some(&encoded(mark)?)).await?)?;
        self.data_keys(&mark.data.iter().flatten().copied().collect()).await?;
        let left = if root.is_none() { self.left_to_others(mark.store).await? } else { None };
        self.store_key(if left.is_none() { mark.store } else { None }).await?;
        if let Some(root) = root {
            self.root_key(root).await?;
        }
        self.end(left).await
    }

    /// What another rotation has set out to do with the store key is left to a process that can.
    pub(super) async fn left_to_others(&self, store: Option<i64>) -> Result<Option<i64>> {
        match store {
            Some(id) if self.vault.has_older_root().await? => Ok(self.live(|key| key.id == id && key.is_active).await?.pop().map(|key| key.id)),
            _ => Ok(None),
        }
    }

    /// `left`: a store key that is still to be replaced.
    pub(super) async fn end(&mut self, left: Option<i64>) -> Result<()> {
        let left = left.map(|id| Mark { store: Some(id), ..Mark::default() }).map(|mark| encoded(&mark)).transpose()?;
        self.ours(self.vault.0.base.store.mark_rotation(&self.lease, left.as_deref()).await?)?;
        self.unharmed()
    }

    /// The end of a rotation that met damage. The mark is gone by then, so that the next one begins anew.
    pub(super) fn unharmed(&self) -> Result<()> {
        let Some((_, account_id)) = self.damaged.first() else { return Ok(()) };
        let root = if self.report.root_key { " The root key was replaced: open the store with the new one from now on." } else { "" };
        let reason = format!("Something in the store is damaged and cannot be opened. It was left as it is, with its old key; all other keys were replaced as asked.{root}");
        let e = Error::new(ErrorKind::Corrupt, reason);
        Err(if account_id.is_empty() { e } else { e.on_account(account_id.as_str()) })
    }

    fn leave(&mut self, key_id: i64, account_id: &str) {
        if !self.damaged.iter().any(|(id, _)| *id == key_id) {
            self.damaged.push((key_id, account_id.to_owned()));
        }
    }

    /// Gone for good, by a disconnect or a purge; what it had sealed went along.
    async fn is_gone(&self, key_id: i64) -> Result<bool> {
        Ok(self.vault.0.base.store.key_fate(key_id).await?.is_none_or(|fate| fate.is_destroyed))
    }

    /// What came of work with this key. None: the key is gone. Asked only after a failure, since the key may go at any moment.
    async fn unless_gone<T>(&self, key_id: i64, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            // Who connected again meanwhile has another key by now, to which the old one is outdated.
            Err(e) if (e.kind() == ErrorKind::NotConnected || is_outdated(&e)) && self.is_gone(key_id).await? => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    /// After each durable step: may it go on?
    fn ours(&self, held: bool) -> Result<()> {
        if !held {
            return Err(Error::new(ErrorKind::StoreBusy, "Another rotation of keys took over; it goes on from where this one stood."));
        }
        #[cfg(test)]
        if self.vault.0.breaks_after.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) <= 1 {
            return Err(Error::internal("killed here"));
        }
        self.stop.map_or(Ok(()), Stop::check)
    }

    /// False: a slice ended before.
    pub(super) async fn data_keys(&mut self, wanted: &BTreeSet<i64>) -> Result<bool> {
        if !self.replaced_before().await? {
            return Ok(false);
        }
        for key in self.live(|key| is_data(key) && key.is_active && wanted.contains(&key.id)).await? {
            if self.has_begun_enough() {
                return Ok(false);
            }
            // Again, since the store key known here may have been replaced by another process.
            let succeeded = self.vault.with_current_keys(async || self.ring(key.purpose, &key.account_id).await?.succeed(Some(&self.lease), self.now()).await).await;
            match self.unless_gone(key.id, succeeded).await {
                Ok(Some(Some(_))) => {}
                // One that was destroyed or replaced meanwhile needs nothing more.
                Ok(_) => continue,
                Err(e) if e.kind() == ErrorKind::Corrupt => {
                    self.leave(key.id, &key.account_id);
                    continue;
                }
                Err(e) => return Err(e),
            }
            self.begun += 1;
            self.ours(true)?;
            if !self.emptied(key.id).await? {
                return Ok(false);
            }
        }
        // Keys that were replaced meanwhile, because of their uses.
        self.replaced_before().await
    }

    /// What an earlier rotation, or an earlier slice, left behind.
    async fn replaced_before(&mut self) -> Result<bool> {
        for key in self.live(|key| is_data(key) && !key.is_active).await? {
            if !self.damaged.iter().any(|(id, _)| *id == key.id) && !self.emptied(key.id).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Of a data key. False: a slice ended before.
    async fn emptied(&mut self, key_id: i64) -> Result<bool> {
        let emptied = self.empty(key_id).await?;
        self.report.data_keys += u32::from(emptied == Emptied::Destroyed);
        Ok(emptied != Emptied::Cut)
    }

    /// False: a slice ended before.
    pub(super) async fn store_key(&mut self, wanted: Option<i64>) -> Result<bool> {
        let is_store = |key: &RingKey| key.purpose == KeyPurpose::Store;
        let keys = self.live(is_store).await?;
        if let Some(active) = keys.iter().find(|key| key.is_active && Some(key.id) == wanted) {
            if self.vault.0.store_key.succeed(Some(&self.lease), self.now()).await? != Some(active.id) {
                return if self.vault.has_older_root().await? { Err(base::older_root()) } else { self.ours(false).map(|()| true) };
            }
            self.ours(true)?;
        }
        for key in self.live(is_store).await?.iter().filter(|key| !key.is_active) {
            match self.empty(key.id).await? {
                Emptied::Cut => return Ok(false),
                emptied => self.report.store_key |= emptied == Emptied::Destroyed,
            }
        }
        Ok(true)
    }

    /// Seals anew what this key has sealed, then destroys it.
    async fn empty(&mut self, key_id: i64) -> Result<Emptied> {
        let store = self.vault.0.base.store.clone();
        let (mut idle, mut unopened) = (0, 0);
        let mut whose = None;
        while idle < IDLE {
            // Past those that stay, to what may stand behind them.
            let values = store.sealed_with(key_id, BATCH.saturating_add(unopened)).await?;
            if values.is_empty() {
                match store.retire_key(&self.lease, key_id, self.now()).await? {
                    Retired::Destroyed => return self.ours(true).map(|()| Emptied::Destroyed),
                    Retired::Lost => return self.ours(false).map(|()| Emptied::Otherwise),
                    Retired::Needed => {}
                }
            }
            let Some(key) = store.key_fate(key_id).await?.filter(|key| !key.is_destroyed) else { return Ok(Emptied::Otherwise) };
            whose.get_or_insert_with(|| key.account_id.clone());
            if values.is_empty() {
                idle += 1;
                self.ours(true)?;
                continue;
            }
            if self.has_sealed_enough() {
                return Ok(Emptied::Cut);
            }
            let ring = match self.unless_gone(key_id, self.ring_with(&key, key_id, values.len()).await).await {
                Ok(Some(ring)) => ring,
                Ok(None) => return Ok(Emptied::Otherwise),
                Err(e) if e.kind() == ErrorKind::Corrupt => break,
                Err(e) => return Err(e),
            };
            let batch = blocking(move || sealed_anew(&ring, values)).await;
            let renewed = match self.unless_gone(key_id, batch).await {
                Ok(Some(batch)) => {
                    unopened = batch.unopened;
                    whose = batch.damaged.or(whose);
                    batch.renewed
                }
                Ok(None) => return Ok(Emptied::Otherwise),
                // Others took the uses that were reserved, or replaced a key just now.
                Err(e) if is_outdated(&e) => {
                    self.vault.catch_up(&e, 0).await?;
                    self.ours(true)?;
                    continue;
                }
                Err(e) => return Err(e),
            };
            let is_idle = renewed.is_empty();
            match store.reseal(&self.lease, renewed, self.now()).await {
                // The new key was itself replaced, by its uses: the next round seals with the newest.
                Err(e) if is_outdated(&e) => {
                    self.vault.catch_up(&e, 0).await?;
                    self.ours(true)?;
                }
                count => {
                    let count = count?;
                    self.report.values += count.unwrap_or(0);
                    // Only what cannot be opened is left.
                    idle = if is_idle { idle + 1 } else { 0 };
                    // Whoever waits for the store gets a turn: SQLite's queue knows no order.
                    real_time(BREATH).await;
                    self.ours(count.is_some())?;
                }
            }
        }
        if self.is_gone(key_id).await? {
            return Ok(Emptied::Otherwise);
        }
        self.leave(key_id, whose.as_deref().unwrap_or_default());
        Ok(Emptied::Otherwise)
    }

    /// The handle others use too, so that they seal with the new key at once.
    async fn ring(&self, purpose: KeyPurpose, account_id: &str) -> Result<DataKey> {
        match purpose {
            KeyPurpose::Secrets => self.vault.secrets(account_id).await,
            KeyPurpose::Content => self.vault.content(account_id).await,
            KeyPurpose::Store | KeyPurpose::Hashes | KeyPurpose::Audit => Ok(self.vault.store_key()),
        }
    }

    /// The same, ready to seal anew so many values of the key with this id.
    async fn ring_with(&self, key: &KeyFate, key_id: i64, values: usize) -> Result<DataKey> {
        let ring = self.ring(key.purpose, &key.account_id).await?;
        if !ring.holds(key_id) {
            ring.make_ready(key_id, 1).await?;
        }
        ring.reserve(i64::try_from(values).unwrap_or(i64::MAX)).await?;
        Ok(ring)
    }

    /// The oldest first.
    async fn live(&self, wanted: impl Fn(&RingKey) -> bool) -> Result<Vec<RingKey>> {
        let mut keys: Vec<_> = self.vault.0.base.store.live_keys().await?.into_iter().filter(|key| wanted(key)).collect();
        keys.sort_by_key(|key| key.created_at);
        Ok(keys)
    }

    fn now(&self) -> i64 {
        to_ms(self.clock.now())
    }

    /// All that hangs on the root key changes over in one step: before it the old key opens the store, after it the new one.
    async fn root_key(&mut self, root: Root) -> Result<()> {
        let now = self.now();
        let Self { vault, lease, .. } = self;
        let old_canary = vault.0.root.canary();
        let mut store_keys = Vec::new();
        for row in vault.0.base.store.key_ring(KeyPurpose::Store, "").await? {
            let key = Wrapper::Root(vault.0.root.clone()).open(&vault.0.base, KeyPurpose::Store, "", row.id, &row.wrapped).await?;
            store_keys.push((row.id, key.expose(|bytes| root.wrap_key(place(KeyPurpose::Store, "", &row.id.to_string()), bytes))?));
        }
        let new = NewRoot { old_canary, canary: root.canary().clone(), store_keys, kdf: root.kdf.clone(), wrapped: root.wrapped.clone() };
        if !vault.0.base.store.change_root(lease, new, now).await? {
            return if vault.has_older_root().await? { Err(base::older_root()) } else { self.ours(false) };
        }
        vault.0.root.put(root);
        self.report.root_key = true;
        self.ours(true)
    }
}

impl Vault {
    /// A rotation is given up after this many durable steps, as if the process had been killed there.
    #[cfg(test)]
    pub(super) fn break_after(&self, steps: i64) {
        self.0.breaks_after.store(steps, std::sync::atomic::Ordering::SeqCst);
    }
}
