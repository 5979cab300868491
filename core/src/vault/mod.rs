//! The only room with keys: a secret goes in, comes out, is gone; a key never leaves.
//!
//! The root key of the host wraps the store key, the store key wraps two data keys per account: one for secrets, destroyed at disconnect, and one for
//! content. A destroyed key is the deletion of everything sealed with it.

mod audit;
mod data_key;
mod keyring;

#[cfg(all(test, unix))]
mod tests;

pub use data_key::DataKey;

use crate::error::{Error, ErrorKind, Result};
use crate::seal::KeyBytes;
use crate::secret::RootKey;
use crate::store::{KeyPurpose, NewKey, Store};
use keyring::Keyring;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Seals a key may make. Random 96-bit nonces are safe for 2^32 (SP 800-38D); this leaves a wide margin.
const MOST_USES: i64 = 1 << 28;

/// The open vault of one store.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    ring: Keyring,
    store_key: DataKey,
    content: Mutex<HashMap<String, Content>>,
    secrets: Mutex<HashMap<String, DataKey>>,
}

#[derive(Clone)]
struct Content {
    key: DataKey,
    /// Where keyed hashes come from; derived, so that a hash never says anything about the key.
    hashes: Arc<KeyBytes>,
}

/// Handles for an account that is about to be stored.
#[derive(Debug, Clone)]
pub struct AccountKeys {
    pub content: DataKey,
    pub secrets: DataKey,
}

impl Vault {
    /// Unlocks the store's keys; makes them when the store is new. `WrongKey` and `Corrupt` are told apart before any other row is read.
    pub fn open(store: Arc<dyn Store>, root: Arc<RootKey>, now: i64) -> Result<Self> {
        Self::open_with(store, &root, now, MOST_USES)
    }

    fn open_with(store: Arc<dyn Store>, root: &RootKey, now: i64, most_uses: i64) -> Result<Self> {
        let (ring, store_key) = Keyring::unlock(store, root, now, most_uses)?;
        audit::plug(&*ring.store, &ring.store_id, &store_key, now)?;
        Ok(Self(Arc::new(Inner { ring, store_key, content: Mutex::default(), secrets: Mutex::default() })))
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
        let (id, key) = (keyring::new_id()?, KeyBytes::random()?);
        let wrapped = key.expose(|bytes| self.0.store_key.seal(keyring::place(purpose, account_id, &id.to_string()), bytes))?;
        Ok(NewKey { id, purpose, account_id: Some(account_id.to_owned()), wrapped, created_at: now })
    }

    /// Handles for rows that are sealed before `keys` are committed. A key that is not among them comes from the store.
    pub fn adopt(&self, account_id: &str, keys: &[NewKey]) -> Result<AccountKeys> {
        let find = |purpose| keys.iter().find(|k| k.purpose == purpose && k.account_id.as_deref() == Some(account_id));
        let adopt = |key: &NewKey| -> Result<DataKey> {
            let bytes = self.unwrap(key.purpose, account_id, key.id, &key.wrapped)?;
            Ok(self.0.ring.newborn(key.id, &bytes))
        };
        let secrets = find(KeyPurpose::Secrets).map(adopt).unwrap_or_else(|| self.secrets(account_id))?;
        let content = find(KeyPurpose::Content).map(adopt).unwrap_or_else(|| self.content(account_id))?;
        Ok(AccountKeys { content, secrets })
    }

    /// The key of mail, outbox and names; stays usable after a disconnect. `NotConnected` once it is destroyed.
    pub fn content(&self, account_id: &str) -> Result<DataKey> {
        self.content_entry(account_id).map(|entry| entry.key)
    }

    /// The key of tokens and delta links. Looks at the key row each time, since another process may have disconnected the account.
    pub fn secrets(&self, account_id: &str) -> Result<DataKey> {
        let Some(row) = self.0.ring.store.active_key(KeyPurpose::Secrets, Some(account_id))? else {
            lock(&self.0.secrets).remove(account_id);
            return Err(destroyed(account_id));
        };
        if let Some(key) = lock(&self.0.secrets).get(account_id).filter(|key| key.id() == row.id) {
            return Ok(key.clone());
        }
        let wrapped = row.wrapped.ok_or_else(|| destroyed(account_id))?;
        let key = self.0.ring.data_key(row.id, &self.unwrap(KeyPurpose::Secrets, account_id, row.id, &wrapped)?);
        lock(&self.0.secrets).insert(account_id.to_owned(), key.clone());
        Ok(key)
    }

    /// For sign-in attempts, which belong to no account yet: `account_id` is empty in their place.
    pub fn store_key(&self) -> DataKey {
        self.0.store_key.clone()
    }

    /// Drops what is kept of an account in memory.
    pub fn forget(&self, account_id: &str) {
        lock(&self.0.secrets).remove(account_id);
        lock(&self.0.content).remove(account_id);
    }

    /// HMAC-SHA256 of `parts` under a key of this account and purpose: equal content gives equal hashes, and only here.
    pub fn keyed_hash(&self, account_id: &str, purpose: &str, parts: &[&[u8]]) -> Result<[u8; 32]> {
        let entry = self.content_entry(account_id)?;
        entry.hashes.derive(&self.0.ring.store_id, &[b"purpose", purpose.as_bytes()])?.mac(parts)
    }

    /// Looks at the key row each time, since another process may have purged the account.
    fn content_entry(&self, account_id: &str) -> Result<Content> {
        let Some(row) = self.0.ring.store.active_key(KeyPurpose::Content, Some(account_id))? else {
            lock(&self.0.content).remove(account_id);
            return Err(destroyed(account_id));
        };
        if let Some(entry) = lock(&self.0.content).get(account_id).filter(|entry| entry.key.id() == row.id) {
            return Ok(entry.clone());
        }
        let wrapped = row.wrapped.ok_or_else(|| destroyed(account_id))?;
        let bytes = self.unwrap(KeyPurpose::Content, account_id, row.id, &wrapped)?;
        let hashes = Arc::new(bytes.derive(&self.0.ring.store_id, &[b"keyed hash"])?);
        let entry = Content { key: self.0.ring.data_key(row.id, &bytes), hashes };
        // The first one in stays, so that all share one block of uses.
        Ok(lock(&self.0.content).entry(account_id.to_owned()).or_insert(entry).clone())
    }

    fn unwrap(&self, purpose: KeyPurpose, account_id: &str, id: i64, wrapped: &crate::seal::Sealed) -> Result<KeyBytes> {
        let bytes = self.0.store_key.open(keyring::place(purpose, account_id, &id.to_string()), wrapped)?;
        KeyBytes::from_slice(&bytes).ok_or_else(keyring::corrupt)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn destroyed(account_id: &str) -> Error {
    Error::new(ErrorKind::NotConnected, "The account has no key here: it is disconnected or was never connected. Connect it.").on_account(account_id)
}
