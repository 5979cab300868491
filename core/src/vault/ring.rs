//! The keys of one account and class: one seals, those before it still open.

use super::AGAIN;
use super::base::{Base, Wrapper, destroyed, new_id, place};
use super::handover;
use crate::error::{Error, ErrorKind, Result};
use crate::seal::{Cipher, KeyBytes, AadContext, Sealed};
use crate::stages::{Stage, timed};
use crate::store::{KeyHandover, KeyPurpose, Lease, NewKey, RingKey, USES_AT_BIRTH, is_outdated, outdated_key, unready, unready_ring};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use zeroize::Zeroizing;

/// Uses asked for at a time; what a crash leaves of a block is lost, not used twice.
pub(super) const BLOCK: i64 = 4_096;
/// With fewer left, more are asked for before somebody needs them.
const FEW: i64 = BLOCK / 4;
/// Ids that are known to be none of ours, of the values met last.
const MOST_FOREIGN: usize = 64;

/// Seals and opens values of one account and class.
#[derive(Clone)]
pub struct DataKey(Arc<Ring>);

struct Ring {
    base: Arc<Base>,
    wrapper: Wrapper,
    purpose: KeyPurpose,
    account_id: String,
    held: RwLock<Held>,
    /// Ids of keys that values were sealed with, and that the store says are none of these.
    foreign: Mutex<VecDeque<i64>>,
}

#[derive(Clone, Default)]
struct Held {
    active: Option<Arc<OneKey>>,
    older: Vec<Arc<OneKey>>,
}

impl Held {
    fn find(&self, id: i64) -> Option<&Arc<OneKey>> {
        self.active.iter().chain(&self.older).find(|key| key.cipher.key_id() == id)
    }
}

struct OneKey {
    cipher: Cipher,
    /// Uses reserved and not yet taken.
    left: AtomicI64,
    /// Uses were asked for: it seals here.
    is_in_use: AtomicBool,
    /// It seals nothing more.
    is_worn: AtomicBool,
}

impl OneKey {
    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then(|| left - 1)).is_ok()
    }
}

impl DataKey {
    /// The keys as they are stored. `NotConnected` when none is active.
    pub(super) async fn load(base: Arc<Base>, wrapper: Wrapper, purpose: KeyPurpose, account_id: &str) -> Result<Self> {
        let ring = Self::of(base, wrapper, purpose, account_id, Held::default());
        ring.reload().await?;
        if ring.held().active.is_some() { Ok(ring) } else { Err(destroyed(account_id)) }
    }

    /// A key that is not stored yet: it begins with the uses it will be stored with.
    pub(super) fn just_made(base: Arc<Base>, wrapper: Wrapper, purpose: KeyPurpose, account_id: &str, id: i64, key: &KeyBytes) -> Self {
        let active = one(&base, id, key, USES_AT_BIRTH.min(base.limits.most));
        Self::of(base, wrapper, purpose, account_id, Held { active: Some(active), older: Vec::new() })
    }

    fn of(base: Arc<Base>, wrapper: Wrapper, purpose: KeyPurpose, account_id: &str, held: Held) -> Self {
        Self(Arc::new(Ring { base, wrapper, purpose, account_id: account_id.to_owned(), held: RwLock::new(held), foreign: Mutex::default() }))
    }

    fn held(&self) -> Held {
        self.0.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// By somebody beside the one who asks.
    pub(super) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// 0 when there is none.
    pub fn active_id(&self) -> i64 {
        self.held().active.map_or(0, |key| key.cipher.key_id())
    }

    /// A key with this id is in memory.
    pub(super) fn holds(&self, key_id: i64) -> bool {
        self.held().find(key_id).is_some()
    }

    fn active(&self) -> Result<Arc<OneKey>> {
        self.held().active.ok_or_else(|| destroyed(&self.0.account_id))
    }

    fn unready(&self, key_id: i64) -> Error {
        unready(key_id, self.0.purpose, &self.0.account_id)
    }

    /// The value can be opened in `place` only. As `unready` when no uses are left that were reserved.
    pub fn seal(&self, place: AadContext<'_>, plain: &[u8]) -> Result<Sealed> {
        timed(Stage::Seal, || {
            let key = self.active()?;
            if key.take() { key.cipher.seal(place, plain) } else { Err(self.unready(key.cipher.key_id())) }
        })
    }

    /// Fails with `Corrupt` when the value was changed or belongs elsewhere; as `unready` when its key is not in memory.
    pub fn open(&self, place: AadContext<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        let held = self.held();
        if let Some(key) = held.find(sealed.key_id()) {
            return key.cipher.open(place, sealed);
        }
        let active = held.active.ok_or_else(|| destroyed(&self.0.account_id))?;
        // Says what is wrong in the cipher's words.
        if self.is_foreign(sealed.key_id()) { active.cipher.open(place, sealed) } else { Err(self.unready(sealed.key_id())) }
    }

    /// Seals again, with the key that is active now, what this handle sealed with one that is not.
    pub fn again(&self, place: AadContext<'_>, sealed: &mut Sealed) -> Result<()> {
        let plain = self.open(place, sealed)?;
        *sealed = self.seal(place, &plain)?;
        Ok(())
    }

    fn is_foreign(&self, key_id: i64) -> bool {
        self.0.foreign.lock().unwrap_or_else(PoisonError::into_inner).contains(&key_id)
    }

    fn note_foreign(&self, key_id: i64) {
        let mut foreign = self.0.foreign.lock().unwrap_or_else(PoisonError::into_inner);
        if foreign.len() >= MOST_FOREIGN {
            foreign.pop_front();
        }
        foreign.push_back(key_id);
    }

    /// Reads the ring anew: another process may have replaced keys. Keys known already keep their reserved uses.
    pub(super) async fn reload(&self) -> Result<()> {
        for _ in 0..AGAIN {
            match self.reload_once().await {
                // The key above was replaced between a row and its opening: the row is another one by now.
                Err(e) if is_outdated(&e) => self.catch_up_above(&e).await?,
                outcome => return outcome,
            }
        }
        self.reload_once().await
    }

    /// The key above, when it is the one that was not ready.
    async fn catch_up_above(&self, error: &Error) -> Result<()> {
        match (&self.0.wrapper, unready_ring(error), outdated_key(error)) {
            (Wrapper::Store(ring), Some((KeyPurpose::Store, _)), Some(key_id)) => Box::pin(ring.make_ready(key_id, 1)).await,
            _ => Ok(()),
        }
    }

    async fn reload_once(&self) -> Result<()> {
        let known = self.held();
        let mut held = Held::default();
        for row in self.0.base.store.key_ring(self.0.purpose, &self.0.account_id).await? {
            let key = match known.find(row.id) {
                Some(key) => key.clone(),
                None => one(&self.0.base, row.id, &self.unwrap_or_follow(&row, &known).await?, 0),
            };
            if row.is_active {
                // Whoever has sealed here goes on with this one.
                if known.active.as_ref().is_some_and(|before| before.is_in_use.load(Ordering::SeqCst)) {
                    key.is_in_use.store(true, Ordering::SeqCst);
                }
                held.active = Some(key);
            } else {
                held.older.push(key);
            }
        }
        *self.0.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }

    /// A store key under a root key that is not known here is reached from the one before it.
    async fn unwrap_or_follow(&self, row: &RingKey, known: &Held) -> Result<KeyBytes> {
        match self.unwrap(row).await {
            Err(locked) if locked.kind() == ErrorKind::VaultLocked && self.0.purpose == KeyPurpose::Store => {
                let handovers = self.0.base.store.handovers().await?;
                let held = |place: AadContext<'_>, sealed: &Sealed| known.find(sealed.key_id()).map(|key| key.cipher.open(place, sealed));
                handover::follow(&self.0.base, handovers, row.id, &held)?.ok_or(locked)
            }
            outcome => outcome,
        }
    }

    async fn unwrap(&self, row: &RingKey) -> Result<KeyBytes> {
        self.0.wrapper.open(&self.0.base, row.purpose, &row.account_id, row.id, &row.wrapped).await
    }

    /// After `unready`: sees to it that this key is in memory, with `uses` reserved if it is the active one, or that it is known to be none of ours.
    pub(super) async fn make_ready(&self, key_id: i64, uses: i64) -> Result<()> {
        self.reload().await?;
        let held = self.held();
        let active = held.active.as_ref().ok_or_else(|| destroyed(&self.0.account_id))?;
        if active.cipher.key_id() == key_id {
            return self.reserve(uses).await;
        }
        if held.find(key_id).is_some() {
            return Ok(());
        }
        // One of ours that was destroyed since the value was read: whoever reads it anew finds another one.
        let fate = self.0.base.store.key_fate(key_id).await?;
        if !fate.is_some_and(|fate| fate.is_destroyed && fate.purpose == self.0.purpose && fate.account_id == self.0.account_id) {
            self.note_foreign(key_id);
        }
        Ok(())
    }

    /// Before somebody seals: so that what has begun to seal need not be interrupted for more.
    pub(super) async fn top_up(&self) {
        if let Ok(key) = self.active()
            && key.is_in_use.load(Ordering::SeqCst)
            && !key.is_worn.load(Ordering::SeqCst)
            && key.left.load(Ordering::SeqCst) < FEW
        {
            // Whoever seals, and finds none, hears why.
            let _ = self.reserve(FEW).await;
        }
    }

    /// Sees to it that at least so many uses are left, as far as the key may be used at all.
    pub(super) async fn reserve(&self, uses: i64) -> Result<()> {
        let limits = self.0.base.limits;
        loop {
            let key = self.active()?;
            if key.left.load(Ordering::SeqCst) >= uses {
                return Ok(());
            }
            let count = uses.max(BLOCK);
            let before = match self.0.base.store.reserve_uses(key.cipher.key_id(), count).await {
                // Replaced and destroyed since it was loaded: another one is active.
                Err(e) if is_outdated(&e) => {
                    self.reload().await?;
                    continue;
                }
                reserved => reserved?.saturating_sub(count),
            };
            let granted = count.min(limits.most.saturating_sub(before));
            if granted <= 0 {
                key.is_worn.store(true, Ordering::SeqCst);
                return Err(Error::new(ErrorKind::LimitExceeded, "A key of the store has sealed as many values as is safe; nothing was stored. Call rotate_keys."));
            }
            key.is_in_use.store(true, Ordering::SeqCst);
            key.left.fetch_add(granted, Ordering::SeqCst);
            // Beyond its due the key is replaced on the spot; where that cannot be done it goes on, with a wide margin left.
            if before >= limits.due && self.0.purpose != KeyPurpose::Store {
                let _ = Box::pin(self.succeed(None, 0)).await;
            }
            return Ok(());
        }
    }

    /// With uses for what tests seal without `with_current_keys`. None are left of a key that is worn.
    #[cfg(test)]
    pub async fn ready(self) -> Self {
        let _ = self.reserve(2_000).await;
        self
    }

    /// The active key, with one use taken.
    async fn counted(&self) -> Result<Arc<OneKey>> {
        loop {
            let key = self.active()?;
            if key.take() {
                return Ok(key);
            }
            self.reserve(1).await?;
        }
    }

    /// A new key from now on; those before it still open. Answers the id of the one replaced, or none if somebody else was quicker. `now` 0: as old as the
    /// one before.
    pub(super) async fn succeed(&self, lease: Option<&Lease>, now: i64) -> Result<Option<i64>> {
        let (base, account) = (&self.0.base, self.0.account_id.as_str());
        let old = base.store.key_ring(self.0.purpose, account).await?.into_iter().find(|row| row.is_active).ok_or_else(|| destroyed(account))?;
        let created_at = if now == 0 { old.created_at } else { now };
        if let Wrapper::Store(ring) = &self.0.wrapper {
            // For the new keys.
            Box::pin(ring.reserve(2)).await?;
        }
        let stored = |purpose, key: &KeyBytes| -> Result<NewKey> {
            let id = new_id()?;
            let wrapped = self.0.wrapper.wrap(purpose, account, id, key)?;
            Ok(NewKey { id, purpose, account_id: (purpose != KeyPurpose::Store).then(|| account.to_owned()), wrapped, created_at })
        };
        let key = KeyBytes::random()?;
        let row = stored(self.0.purpose, &key)?;
        let id = row.id;
        let mut new = vec![row];
        // Without a hash key of its own the account still has its first content key: what its hashes come from is kept now.
        if self.0.purpose == KeyPurpose::Content && base.store.active_key(KeyPurpose::Hashes, Some(account)).await?.is_none() {
            new.push(stored(KeyPurpose::Hashes, &hash_key(base, &self.unwrap(&old).await?)?)?);
        }
        let canary = self.0.wrapper.canary();
        let handover = if self.0.purpose == KeyPurpose::Store { self.handover(old.id, id, &key, created_at).await? } else { None };
        if !base.store.succeed_key(old.id, &new, canary.as_ref(), handover.as_ref(), lease).await? {
            self.reload().await?;
            return Ok(None);
        }
        let just_made = one(base, id, &key, USES_AT_BIRTH.min(base.limits.most));
        {
            let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(before) = held.active.replace(just_made) {
                held.older.push(before);
            }
        }
        self.reload().await?;
        Ok(Some(old.id))
    }

    /// The new key under the one it replaces. None when that one seals nothing more: it is replaced all the same, and who has an older root key stays out.
    async fn handover(&self, old: i64, new: i64, key: &KeyBytes, made_at: i64) -> Result<Option<KeyHandover>> {
        if self.active_id() != old {
            self.reload().await?;
        }
        let before = match self.counted().await {
            Ok(before) if before.cipher.key_id() == old => before,
            Ok(_) => return Ok(None),
            Err(e) if e.kind() == ErrorKind::LimitExceeded => return Ok(None),
            Err(e) => return Err(e),
        };
        let sealed = key.expose(|bytes| before.cipher.seal(handover::place(&new.to_string(), made_at), bytes))?;
        Ok(Some(KeyHandover { key_id: new, made_at, sealed }))
    }
}

fn one(base: &Base, id: i64, key: &KeyBytes, left: i64) -> Arc<OneKey> {
    Arc::new(OneKey { cipher: Cipher::new(&base.store_id, id, key), left: AtomicI64::new(left), is_in_use: AtomicBool::new(left > 0), is_worn: AtomicBool::new(false) })
}

/// Where keyed hashes come from; derived, so that a hash never says anything about the key.
pub(super) fn hash_key(base: &Base, content: &KeyBytes) -> Result<KeyBytes> {
    content.derive(&base.store_id, &[b"keyed hash"])
}

/// Wraps a key that belongs under this ring.
pub(super) fn wrap_under(ring: &DataKey, purpose: KeyPurpose, account_id: &str, id: i64, key: &KeyBytes) -> Result<Sealed> {
    key.expose(|bytes| ring.seal(place(purpose, account_id, &id.to_string()), bytes))
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}
