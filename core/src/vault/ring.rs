//! The keys of one account and class: one seals, those before it still open.

use super::AGAIN;
use super::base::{Base, Wrapper, destroyed, new_id, place};
use super::handover;
use crate::error::{Error, ErrorKind, Result};
use crate::seal::{Cipher, KeyBytes, AadContext, Sealed};
use crate::stages::{Stage, timed};
use crate::store::{KeyHandover, KeyPurpose, Lease, NewKey, RingKey, USES_AT_BIRTH, is_outdated, outdated};
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// Uses asked for at a time; what a crash leaves of a block is lost, not used twice.
const BLOCK: i64 = 4_096;

/// Seals and opens values of one account and class.
#[derive(Clone)]
pub struct DataKey(Arc<Ring>);

struct Ring {
    base: Arc<Base>,
    wrapper: Wrapper,
    purpose: KeyPurpose,
    account_id: String,
    held: RwLock<Held>,
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
}

impl OneKey {
    fn take(&self) -> bool {
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| (left > 0).then(|| left - 1)).is_ok()
    }
}

impl DataKey {
    /// The keys as they are stored. `NotConnected` when none is active.
    pub(super) fn load(base: Arc<Base>, wrapper: Wrapper, purpose: KeyPurpose, account_id: &str) -> Result<Self> {
        let ring = Self(Arc::new(Ring { base, wrapper, purpose, account_id: account_id.to_owned(), held: RwLock::default() }));
        ring.reload()?;
        if ring.held().active.is_some() { Ok(ring) } else { Err(destroyed(account_id)) }
    }

    /// A key that is not stored yet: it begins with the uses it will be stored with.
    pub(super) fn just_made(base: Arc<Base>, wrapper: Wrapper, purpose: KeyPurpose, account_id: &str, id: i64, key: &KeyBytes) -> Self {
        let active = one(&base, id, key, USES_AT_BIRTH.min(base.limits.most));
        let held = RwLock::new(Held { active: Some(active), older: Vec::new() });
        Self(Arc::new(Ring { base, wrapper, purpose, account_id: account_id.to_owned(), held }))
    }

    fn held(&self) -> Held {
        self.0.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// By somebody beside the one who asks.
    pub(super) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// 0 when there is none.
    pub(super) fn active_id(&self) -> i64 {
        self.held().active.map_or(0, |key| key.cipher.key_id())
    }

    /// Reads the ring anew: another process may have replaced keys. Keys known already keep their reserved uses.
    pub(super) fn reload(&self) -> Result<()> {
        for _ in 0..AGAIN {
            match self.reload_once() {
                // The key above was replaced between a row and its opening: the row is another one by now.
                Err(e) if is_outdated(&e) => {}
                outcome => return outcome,
            }
        }
        self.reload_once()
    }

    fn reload_once(&self) -> Result<()> {
        let known = self.held();
        let mut held = Held::default();
        for row in self.0.base.store.key_ring(self.0.purpose, &self.0.account_id)? {
            let key = match known.find(row.id) {
                Some(key) => key.clone(),
                None => one(&self.0.base, row.id, &self.unwrap_or_follow(&row, &known)?, 0),
            };
            if row.is_active {
                held.active = Some(key);
            } else {
                held.older.push(key);
            }
        }
        *self.0.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }

    /// A store key under a root key that is not known here is reached from the one before it.
    fn unwrap_or_follow(&self, row: &RingKey, known: &Held) -> Result<KeyBytes> {
        self.unwrap(row).or_else(|locked| {
            if locked.kind() != ErrorKind::VaultLocked || self.0.purpose != KeyPurpose::Store {
                return Err(locked);
            }
            handover::follow(&self.0.base, row.id, &|place, sealed| known.find(sealed.key_id()).map(|key| key.cipher.open(place, sealed)))?.ok_or(locked)
        })
    }

    fn unwrap(&self, row: &RingKey) -> Result<KeyBytes> {
        self.0.wrapper.open(&self.0.base, row.purpose, &row.account_id, row.id, &row.wrapped)
    }

    /// The value can be opened in `place` only.
    pub fn seal(&self, place: AadContext<'_>, plain: &[u8]) -> Result<Sealed> {
        timed(Stage::Seal, || self.counted()?.cipher.seal(place, plain))
    }

    /// Fails with `Corrupt` when the value was changed or belongs elsewhere; as `outdated` when its key was replaced since it was read.
    pub fn open(&self, place: AadContext<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        let find = || self.held().find(sealed.key_id()).cloned();
        if let Some(key) = find() {
            return key.cipher.open(place, sealed);
        }
        self.reload()?;
        if let Some(key) = find() {
            return key.cipher.open(place, sealed);
        }
        let fate = self.0.base.store.key_fate(sealed.key_id())?;
        let was_ours = fate.is_some_and(|fate| fate.is_destroyed && fate.purpose == self.0.purpose && fate.account_id == self.0.account_id);
        match self.held().active {
            None => Err(destroyed(&self.0.account_id)),
            Some(_) if was_ours => Err(outdated(sealed.key_id())),
            // Says what is wrong in the cipher's words.
            Some(key) => key.cipher.open(place, sealed),
        }
    }

    /// Seals again, with the key that is active now, what this handle sealed with one that is not.
    pub fn again(&self, place: AadContext<'_>, sealed: &mut Sealed) -> Result<()> {
        let plain = self.open(place, sealed)?;
        *sealed = self.seal(place, &plain)?;
        Ok(())
    }

    /// The active key, with one use taken. No lock is held while the store is asked: the one who seals may hold the store's writer, and the one who asks
    /// needs it.
    fn counted(&self) -> Result<Arc<OneKey>> {
        let limits = self.0.base.limits;
        loop {
            let key = self.held().active.ok_or_else(|| destroyed(&self.0.account_id))?;
            if key.take() {
                return Ok(key);
            }
            let before = match self.0.base.store.reserve_uses(key.cipher.key_id(), BLOCK) {
                // Replaced and destroyed since it was loaded: another one is active.
                Err(e) if is_outdated(&e) => {
                    self.reload()?;
                    continue;
                }
                reserved => reserved?.saturating_sub(BLOCK),
            };
            let granted = BLOCK.min(limits.most.saturating_sub(before));
            if granted <= 0 {
                return Err(Error::new(ErrorKind::LimitExceeded, "A key of the store has sealed as many values as is safe; nothing was stored. Call rotate_keys."));
            }
            key.left.fetch_add(granted, Ordering::SeqCst);
            // Beyond its due the key is replaced on the spot; where that cannot be done (inside a transaction) it goes on, with a wide margin left.
            if before >= limits.due && self.0.purpose != KeyPurpose::Store {
                let _ = self.succeed(None, 0);
            }
        }
    }

    /// A new key from now on; those before it still open. Answers the id of the one replaced, or none if somebody else was quicker. `now` 0: as old as the
    /// one before.
    pub(super) fn succeed(&self, lease: Option<&Lease>, now: i64) -> Result<Option<i64>> {
        let (base, account) = (&self.0.base, self.0.account_id.as_str());
        let old = base.store.key_ring(self.0.purpose, account)?.into_iter().find(|row| row.is_active).ok_or_else(|| destroyed(account))?;
        let created_at = if now == 0 { old.created_at } else { now };
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
        if self.0.purpose == KeyPurpose::Content && base.store.active_key(KeyPurpose::Hashes, Some(account))?.is_none() {
            new.push(stored(KeyPurpose::Hashes, &hash_key(base, &self.unwrap(&old)?)?)?);
        }
        let canary = self.0.wrapper.canary();
        let handover = if self.0.purpose == KeyPurpose::Store { self.handover(old.id, id, &key, created_at)? } else { None };
        if !base.store.succeed_key(old.id, &new, canary.as_ref(), handover.as_ref(), lease)? {
            self.reload()?;
            return Ok(None);
        }
        let just_made = one(base, id, &key, USES_AT_BIRTH.min(base.limits.most));
        {
            let mut held = self.0.held.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(before) = held.active.replace(just_made) {
                held.older.push(before);
            }
        }
        self.reload()?;
        Ok(Some(old.id))
    }
}

impl DataKey {
    /// The new key under the one it replaces. None when that one seals nothing more: it is replaced all the same, and who has an older root key stays out.
    fn handover(&self, old: i64, new: i64, key: &KeyBytes, made_at: i64) -> Result<Option<KeyHandover>> {
        if self.active_id() != old {
            self.reload()?;
        }
        let before = match self.counted() {
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
    Arc::new(OneKey { cipher: Cipher::new(&base.store_id, id, key), left: AtomicI64::new(left) })
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
