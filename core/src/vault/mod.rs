//! The only module with keys: a secret goes in, comes out, is gone; a key never leaves.
//!
//! The root key of the host wraps the store key, the store key wraps two data keys per account: one for secrets, destroyed at disconnect, and one for
//! content. A destroyed key is the deletion of everything sealed with it. Each of them can be replaced while the store is in use (`rotate`).

mod audit;
mod base;
mod handover;
mod cursor;
mod kdf;
mod ring;
mod root;
mod rotate;
mod rows;
mod slices;

#[cfg(all(test, unix))]
mod handover_tests;
#[cfg(all(test, unix))]
mod hindrance_tests;
#[cfg(all(test, unix))]
mod rotate_tests;
#[cfg(all(test, unix))]
mod slices_tests;
#[cfg(all(test, unix))]
mod source_tests;
#[cfg(all(test, unix))]
mod tests;

pub use ring::DataKey;
pub use rotate::Order;
pub use slices::Slice;

use crate::error::{Error, ErrorKind, Result};
use crate::random;
use crate::seal::KeyBytes;
use crate::secret::RootKey;
use crate::store::{AuditSigner, KeyPurpose, NewKey, ROOT_WRAPPED, Store, is_outdated, outdated_key, peek, unready_ring};
use base::{Base, Limits, Wrapper, destroyed, new_id};
use root::RootSlot;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const STORE_ID: &str = "store_id";

/// Times work is done anew because a key was replaced under it: each time a whole rotation has come in between.
const AGAIN: u32 = 30;

/// The open vault of one store.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    base: Arc<Base>,
    root: Arc<RootSlot>,
    store_key: DataKey,
    content: Mutex<HashMap<String, DataKey>>,
    secrets: Mutex<HashMap<String, DataKey>>,
    hashes: Mutex<HashMap<String, Arc<KeyBytes>>>,
    cursors: cursor::Cursors,
    store_hashes: KeyBytes,
    audit_signer: Arc<dyn AuditSigner>,
    /// Durable steps of a rotation after which it fails, as if killed there.
    #[cfg(test)]
    breaks_after: std::sync::atomic::AtomicI64,
}

/// Handles for an account that is about to be stored.
#[derive(Debug, Clone)]
pub struct AccountKeys {
    pub content: DataKey,
    pub secrets: DataKey,
}

impl Vault {
    /// Unlocks the store's keys; makes them when the store is new. `WrongKey` and `Corrupt` are told apart before any other row is read. A passphrase takes
    /// its time.
    pub async fn open(store: Arc<dyn Store>, root: Arc<RootKey>, now: i64) -> Result<Self> {
        Self::open_with(store, &root, now, Limits::USUAL).await
    }

    async fn open_with(store: Arc<dyn Store>, key: &Arc<RootKey>, now: i64, limits: Limits) -> Result<Self> {
        // Two processes that make a store at once agree on the id first, then on the key.
        let store_id = store.meta_or_insert(STORE_ID, &random::array::<16>()?).await?;
        let root = Arc::new(RootSlot::unlock(&*store, &store_id, key, now).await?);
        let base = Arc::new(Base { store, store_id, limits });
        let store_key = DataKey::load(base.clone(), Wrapper::Root(root.clone()), KeyPurpose::Store, "").await?;
        let audit::Lasting { cursors, store_hashes, audit_signer } = Self::set_up_audit(&base, &store_key, now).await?;
        // The hourly look tries again.
        let _ = base.store.drop_expired(now).await;
        Ok(Self(Arc::new(Inner {
            base,
            root,
            store_key,
            content: Mutex::default(),
            secrets: Mutex::default(),
            hashes: Mutex::default(),
            cursors,
            store_hashes,
            audit_signer,
            #[cfg(test)]
            breaks_after: std::sync::atomic::AtomicI64::new(i64::MAX),
        })))
    }

    /// Like `with_current_keys`, before there is a vault.
    async fn set_up_audit(base: &Base, store_key: &DataKey, now: i64) -> Result<audit::Lasting> {
        let wrapper = Wrapper::Store(store_key.clone());
        for _ in 0..AGAIN {
            match audit::set_up(base, &wrapper, now).await {
                Err(e) if is_outdated(&e) => store_key.make_ready(outdated_key(&e).unwrap_or_default(), 1).await?,
                result => return result,
            }
        }
        audit::set_up(base, &wrapper, now).await
    }

    /// Who signs the audit log.
    pub fn audit_signer(&self) -> &Arc<dyn AuditSigner> {
        &self.0.audit_signer
    }

    fn under_store_key(&self) -> Wrapper {
        Wrapper::Store(self.0.store_key.clone())
    }

    /// Random keys of an account, wrapped, for its own transaction. Usable at once through `adopt`.
    pub fn new_account_keys(&self, account_id: &str, with_content: bool, now: i64) -> Result<Vec<NewKey>> {
        let mut keys = vec![self.new_key(KeyPurpose::Secrets, account_id, now)?];
        if with_content {
            keys.push(self.new_key(KeyPurpose::Content, account_id, now)?);
        }
        Ok(keys)
    }

    fn new_key(&self, purpose: KeyPurpose, account_id: &str, now: i64) -> Result<NewKey> {
        let (id, key) = (new_id()?, KeyBytes::random()?);
        let wrapped = self.under_store_key().wrap(purpose, account_id, id, &key)?;
        Ok(NewKey { id, purpose, account_id: Some(account_id.to_owned()), wrapped, created_at: now })
    }

    /// Handles for rows that are sealed before `keys` are committed. A key that is not among them comes from the store.
    pub async fn adopt(&self, account_id: &str, keys: &[NewKey]) -> Result<AccountKeys> {
        let find = |purpose| keys.iter().find(|k| k.purpose == purpose && k.account_id.as_deref() == Some(account_id));
        let secrets = match find(KeyPurpose::Secrets) {
            Some(key) => self.adopted(account_id, key).await?,
            None => self.secrets(account_id).await?,
        };
        let content = match find(KeyPurpose::Content) {
            Some(key) => self.adopted(account_id, key).await?,
            None => self.content(account_id).await?,
        };
        Ok(AccountKeys { content, secrets })
    }

    async fn adopted(&self, account_id: &str, key: &NewKey) -> Result<DataKey> {
        let wrapper = self.under_store_key();
        let bytes = wrapper.open(&self.0.base, key.purpose, account_id, key.id, &key.wrapped).await?;
        Ok(DataKey::just_made(self.0.base.clone(), wrapper, key.purpose, account_id, key.id, &bytes))
    }

    /// The key of mail, outbox and names; stays usable after a disconnect. `NotConnected` once it is destroyed.
    pub async fn content(&self, account_id: &str) -> Result<DataKey> {
        self.current(KeyPurpose::Content, &self.0.content, account_id).await
    }

    /// The same without a look at the store: for what is written right after, since a write refuses what is sealed with a key that was replaced or destroyed.
    /// None: it is not in memory.
    pub fn content_in_memory(&self, account_id: &str) -> Option<DataKey> {
        lock(&self.0.content).get(account_id).cloned()
    }

    /// The key of tokens and delta links.
    pub async fn secrets(&self, account_id: &str) -> Result<DataKey> {
        self.current(KeyPurpose::Secrets, &self.0.secrets, account_id).await
    }

    /// Looks at the key row each time, since another process may have disconnected or purged the account, or replaced the key.
    async fn current(&self, purpose: KeyPurpose, rings: &Mutex<HashMap<String, DataKey>>, account_id: &str) -> Result<DataKey> {
        let Some(row) = self.0.base.store.active_key(purpose, Some(account_id)).await? else {
            self.forget(account_id);
            return Err(destroyed(account_id));
        };
        let known = lock(rings).get(account_id).cloned();
        let key = match known {
            Some(key) => {
                if key.active_id() != row.id {
                    key.reload().await?;
                }
                key
            }
            None => {
                let key = DataKey::load(self.0.base.clone(), self.under_store_key(), purpose, account_id).await?;
                // The first one in stays, so that all share one block of uses.
                lock(rings).entry(account_id.to_owned()).or_insert(key).clone()
            }
        };
        key.top_up().await;
        Ok(key)
    }

    /// For sign-in attempts, which belong to no account yet: `account_id` is empty in their place.
    pub fn store_key(&self) -> DataKey {
        self.0.store_key.clone()
    }

    /// Does `work`, and does it anew when a key it sealed or read with was replaced meanwhile, or was not ready: a rotation shows nobody an error. Ask for
    /// handles, and read rows, within `work`.
    pub async fn with_current_keys<T, F: Future<Output = Result<T>> + Send>(&self, mut work: impl FnMut() -> F) -> Result<T> {
        for round in 0..AGAIN {
            match work().await {
                Err(e) if is_outdated(&e) => self.catch_up(&e, round).await?,
                result => return result,
            }
        }
        work().await
    }

    /// The same for what was read before: `work` gets `row` and, should a key have been replaced since, what `read` finds in its place.
    pub async fn with_current_row<R: Clone, T, F, G>(&self, mut row: R, mut read: impl FnMut(R) -> F, mut work: impl FnMut(R) -> G) -> Result<(R, T)>
    where
        F: Future<Output = Result<Option<R>>> + Send,
        G: Future<Output = Result<T>> + Send,
    {
        for round in 0..AGAIN {
            match work(row.clone()).await {
                Err(e) if is_outdated(&e) => self.catch_up(&e, round).await?,
                result => return result.map(|done| (row, done)),
            }
            row = read(row.clone()).await?.unwrap_or(row);
        }
        let done = work(row.clone()).await?;
        Ok((row, done))
    }

    /// Reads anew what an error says is outdated, and nothing else: with thousands of accounts open, one replaced key must not cost a look at all. A row
    /// that is another one by now is read anew by the work itself. Whoever needs uses gets more of them with every round.
    async fn catch_up(&self, error: &Error, round: u32) -> Result<()> {
        let Some(key_id) = outdated_key(error) else { return Ok(()) };
        if let Some((purpose, account_id)) = unready_ring(error) {
            return self.make_ready(purpose, account_id, key_id, round).await;
        }
        let Some(fate) = self.0.base.store.key_fate(key_id).await? else { return self.refresh().await };
        let Some(ring) = self.known(fate.purpose, &fate.account_id) else { return Ok(()) };
        match ring.reload().await {
            Err(e) if fate.purpose == KeyPurpose::Store => Err(e),
            Err(_) => {
                self.forget(&fate.account_id);
                Ok(())
            }
            Ok(()) => {
                ring.top_up().await;
                Ok(())
            }
        }
    }

    async fn make_ready(&self, purpose: KeyPurpose, account_id: &str, key_id: i64, round: u32) -> Result<()> {
        // None: a handle of keys that are not stored. The work makes others.
        let Some(ring) = self.known(purpose, account_id) else { return Ok(()) };
        match ring.make_ready(key_id, ring::BLOCK.saturating_mul(i64::from(round) + 1)).await {
            // Gone meanwhile: the work hears it when it asks for the handle.
            Err(e) if e.kind() == ErrorKind::NotConnected => {
                self.forget(account_id);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// The handle that others use too, if there is one.
    fn known(&self, purpose: KeyPurpose, account_id: &str) -> Option<DataKey> {
        match purpose {
            KeyPurpose::Store => Some(self.store_key()),
            KeyPurpose::Content => lock(&self.0.content).get(account_id).cloned(),
            KeyPurpose::Secrets => lock(&self.0.secrets).get(account_id).cloned(),
            KeyPurpose::Hashes | KeyPurpose::Audit => None,
        }
    }

    /// For the hourly sweep: follows what other processes did to the keys, as long as there is a way, and drops those of idle accounts from memory.
    /// `VaultLocked` when this process could not follow.
    pub async fn keep_up(&self) -> Result<()> {
        let followed = self.refresh().await;
        lock(&self.0.hashes).clear();
        followed
    }

    /// Whether this process can open what is sealed now. `VaultLocked` when store key and root key were replaced and it could not follow.
    pub async fn check(&self) -> Result<()> {
        let now = self.0.base.store.active_key(KeyPurpose::Store, None).await?.map(|key| key.id);
        if now == Some(self.0.store_key.active_id()) { Ok(()) } else { self.0.store_key.reload().await }
    }

    /// Looks at the keys as they are stored now. Those that nobody holds are dropped, and read when they are needed next: thousands of accounts would cost
    /// memory and a look each all the time.
    async fn refresh(&self) -> Result<()> {
        self.0.store_key.reload().await?;
        for rings in [&self.0.content, &self.0.secrets] {
            let rings: Vec<(String, DataKey)> = {
                let mut rings = lock(rings);
                // Under the lock, so that nobody takes hold of one meanwhile.
                rings.retain(|_, key| key.is_held());
                rings.shrink_to_fit();
                rings.iter().map(|(id, key)| (id.clone(), key.clone())).collect()
            };
            for (account_id, ring) in rings {
                if ring.reload().await.is_err() {
                    self.forget(&account_id);
                }
            }
        }
        Ok(())
    }

    /// Drops what is kept of an account in memory.
    pub fn forget(&self, account_id: &str) {
        lock(&self.0.secrets).remove(account_id);
        lock(&self.0.content).remove(account_id);
        lock(&self.0.hashes).remove(account_id);
    }

    /// The same without a look at the store, for what is written right after. None: it is not in memory.
    pub fn hashes_in_memory(&self, account_id: &str) -> Option<Hashes> {
        lock(&self.0.hashes).get(account_id).map(|key| Hashes { key: key.clone(), vault: self.clone() })
    }

    /// What makes several keyed hashes of an account with one look at its keys. `NotConnected` once its content key is destroyed.
    pub async fn hashes(&self, account_id: &str) -> Result<Hashes> {
        Ok(Hashes { key: self.hash_key(account_id).await?, vault: self.clone() })
    }

    async fn hash_key(&self, account_id: &str) -> Result<Arc<KeyBytes>> {
        let store = &self.0.base.store;
        if store.active_key(KeyPurpose::Content, Some(account_id)).await?.is_none() {
            self.forget(account_id);
            return Err(destroyed(account_id));
        }
        let known = lock(&self.0.hashes).get(account_id).cloned();
        if let Some(key) = known {
            return Ok(key);
        }
        for round in 0..AGAIN {
            match self.read_hash_key(account_id).await {
                Err(e) if is_outdated(&e) => self.catch_up(&e, round).await?,
                key => return Ok(lock(&self.0.hashes).entry(account_id.to_owned()).or_insert(Arc::new(key?)).clone()),
            }
        }
        Ok(Arc::new(self.read_hash_key(account_id).await?))
    }

    async fn read_hash_key(&self, account_id: &str) -> Result<KeyBytes> {
        let (base, wrapper) = (&self.0.base, self.under_store_key());
        // In this order: as long as there is no hash key, the content key read before is the first one.
        let content = base.store.active_key(KeyPurpose::Content, Some(account_id)).await?.ok_or_else(|| destroyed(account_id))?;
        let hashes = base.store.active_key(KeyPurpose::Hashes, Some(account_id)).await?;
        let (purpose, row) = hashes.map_or((KeyPurpose::Content, content), |row| (KeyPurpose::Hashes, row));
        let key = wrapper.open(base, purpose, account_id, row.id, &row.wrapped.ok_or_else(|| destroyed(account_id))?).await?;
        if purpose == KeyPurpose::Hashes { Ok(key) } else { ring::hash_key(base, &key) }
    }
}

impl Vault {
    /// HMAC-SHA256 of `parts` under a key of this store and purpose: for what goes over several accounts of an owner. Rotations do not change it.
    pub fn store_hash(&self, purpose: &str, parts: &[&[u8]]) -> Result<[u8; 32]> {
        self.0.store_hashes.derive(&self.0.base.store_id, &[b"purpose", purpose.as_bytes()])?.mac(parts)
    }
}

/// Keyed hashes of one account. For one piece of work: whether the account still has its keys was asked when this was made.
pub struct Hashes {
    key: Arc<KeyBytes>,
    vault: Vault,
}

impl Hashes {
    /// HMAC-SHA256 of `parts` under a key of this account and purpose: equal content gives equal hashes, and only here. Rotations do not change it.
    pub fn of(&self, purpose: &str, parts: &[&[u8]]) -> Result<[u8; 32]> {
        self.key.derive(&self.vault.0.base.store_id, &[b"purpose", purpose.as_bytes()])?.mac(parts)
    }
}

/// What a host's own key is found by in the store.
pub fn host_link(hashes: &Hashes, link: &str) -> Result<[u8; 32]> {
    hashes.of("host link", &[link.as_bytes()])
}

/// What a Message-ID is found by in the store. Mail systems change the case of letters, and leave brackets out.
pub fn message_id_hash(hashes: &Hashes, message_id: &str) -> Result<[u8; 32]> {
    hashes.of("message id", &[message_id.trim().trim_matches(['<', '>']).to_lowercase().as_bytes()])
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

/// The wrapped root key left with the store in this folder. Needs no key, changes nothing.
pub fn wrapped_root_key(data_dir: &Path) -> Result<Option<Vec<u8>>> {
    match peek(data_dir, ROOT_WRAPPED)? {
        Some(wrapped) if !(1..=RootKey::MOST_WRAPPED).contains(&wrapped.len()) => Err(base::corrupt()),
        found => Ok(found),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
