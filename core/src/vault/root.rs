//! The root key: what wraps the store key, and what tells a wrong key from damage.

use super::base::{Base, corrupt, new_id, older_root, place};
use super::kdf::Kdf;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::blocking;
use crate::seal::{Cipher, KeyBytes, AadContext, Sealed};
use crate::secret::{RootKey, RootSource};
use crate::store::{KeyPurpose, NewKey, ROOT_KDF, ROOT_WRAPPED, RingKey, Store};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

const CANARY: &[u8] = b"tidings canary 1";
const CANARY_PLACE: AadContext<'_> = AadContext { table: "meta", column: "value", account_id: "", row: "canary", version: 1 };

/// The root key has no row; its envelopes carry this id.
const ROOT_ID: i64 = 0;

/// A root key ready for use, with what the store keeps of it. The key itself is not kept, only what is derived from it.
pub struct Root {
    wrap: Cipher,
    canary: Cipher,
    sealed_canary: Sealed,
    pub kdf: Option<Vec<u8>>,
    pub wrapped: Option<Vec<u8>>,
}

impl Root {
    fn of(store_id: &[u8], key: &KeyBytes, kdf: Option<Vec<u8>>, wrapped: Option<Vec<u8>>) -> Result<Self> {
        let cipher = |purpose: &[u8]| Ok::<_, Error>(Cipher::new(store_id, ROOT_ID, &key.derive(store_id, &[b"root", purpose])?));
        let (wrap, canary) = (cipher(b"wrap")?, cipher(b"canary")?);
        let sealed_canary = canary.seal(CANARY_PLACE, CANARY)?;
        Ok(Self { wrap, canary, sealed_canary, kdf, wrapped })
    }

    /// For a store that is to change over to this key: a passphrase gets a fresh salt.
    pub async fn fresh(store_id: &[u8], key: &Arc<RootKey>) -> Result<Self> {
        let kdf = if is_passphrase(key) { Some(Kdf::fresh()?.encode()?) } else { None };
        Self::derived(store_id, key, kdf).await
    }

    /// For the store as it is, or one that is about to be made.
    async fn existing(store: &dyn Store, store_id: &[u8], key: &Arc<RootKey>, is_new: bool) -> Result<Self> {
        let kdf = match is_passphrase(key) {
            true if is_new => Some(store.meta_or_insert(ROOT_KDF, &Kdf::fresh()?.encode()?).await?),
            // A store without salt was never made with a passphrase.
            true => Some(store.meta(ROOT_KDF).await?.ok_or_else(wrong_key)?),
            false => None,
        };
        Self::derived(store_id, key, kdf).await
    }

    /// `kdf`: how a passphrase becomes a key. That takes its time, so it is done beside what is async.
    async fn derived(store_id: &[u8], key: &Arc<RootKey>, kdf: Option<Vec<u8>>) -> Result<Self> {
        let (store_id, key) = (store_id.to_vec(), key.clone());
        blocking(move || {
            key.lend(|source| match source {
                RootSource::Raw(bytes) => Self::of(&store_id, &bytes_of(bytes)?, None, None),
                RootSource::Unwrapped { key, wrapped } => Self::of(&store_id, &bytes_of(key)?, None, Some(wrapped.to_vec())),
                RootSource::Passphrase(text) => {
                    let kdf = kdf.ok_or_else(wrong_key)?;
                    Self::of(&store_id, &Kdf::parse(&kdf)?.derive(text)?, Some(kdf), None)
                }
            })
        })
        .await
    }

    pub fn canary(&self) -> &Sealed {
        &self.sealed_canary
    }

    pub fn wrap_key(&self, place: AadContext<'_>, key: &[u8]) -> Result<Sealed> {
        self.wrap.seal(place, key)
    }

    fn open_key(&self, place: AadContext<'_>, wrapped: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        self.wrap.open(place, wrapped)
    }
}

fn is_passphrase(key: &RootKey) -> bool {
    key.lend(|source| matches!(source, RootSource::Passphrase(_)))
}

fn bytes_of(bytes: &[u8; 32]) -> Result<KeyBytes> {
    KeyBytes::from_slice(bytes).ok_or_else(corrupt)
}

/// The root key in use; a rotation puts another in its place.
pub struct RootSlot(RwLock<Arc<Root>>);

impl RootSlot {
    /// Finds out whether `key` is the store's; makes the store key when the store is new.
    pub async fn unlock(store: &dyn Store, store_id: &[u8], key: &Arc<RootKey>, now: i64) -> Result<Self> {
        let is_new = store.active_key(KeyPurpose::Store, None).await?.is_none() && store.canary().await?.is_none();
        let mut root = Root::existing(store, store_id, key, is_new).await?;
        if is_new {
            let (id, key) = (new_id()?, KeyBytes::random()?);
            let wrapped = key.expose(|bytes| root.wrap_key(place(KeyPurpose::Store, "", &id.to_string()), bytes))?;
            let key = NewKey { id, purpose: KeyPurpose::Store, account_id: None, wrapped, created_at: now };
            store.insert_store_key(&key, &root.sealed_canary, root.wrapped.as_deref()).await?;
        }
        // Read back even if just written: another process may have been first.
        let (rows, canary) = settled(store).await?;
        let is_active = rows.iter().any(|row| row.is_active);
        let opens = |row: &RingKey| root.open_key(place(KeyPurpose::Store, "", &row.id.to_string()), &row.wrapped).is_ok();
        let opened = rows.iter().filter(|row| opens(row)).count();
        let sings = canary.as_ref().is_some_and(|sealed| root.canary.open(CANARY_PLACE, sealed).is_ok_and(|text| text.as_slice() == CANARY));
        // Values that only the root key opens: a wrong key fails on all, damage on some.
        match canary {
            Some(canary) if sings && is_active && opened == rows.len() => {
                // Wrapped anew by the KMS, or for the first time: the next start needs this one. Not ours any more: the one of the new root key stays.
                if let Some(wrapped) = &root.wrapped
                    && store.meta(ROOT_WRAPPED).await?.as_ref() != Some(wrapped)
                {
                    store.keep_wrapped(&canary, wrapped).await?;
                }
                root.sealed_canary = canary;
                Ok(Self(RwLock::new(Arc::new(root))))
            }
            _ if !sings && is_active && opened == 0 => Err(wrong_key()),
            _ => Err(corrupt()),
        }
    }

    pub fn get(&self) -> Arc<Root> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn put(&self, root: Root) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(root);
    }

    pub fn canary(&self) -> Sealed {
        self.get().sealed_canary.clone()
    }

    /// `VaultLocked` when the store has another root key by now.
    pub async fn open(&self, base: &Base, place: AadContext<'_>, wrapped: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        let root = self.get();
        if let Ok(key) = root.open_key(place, wrapped) {
            return Ok(key);
        }
        Err(match base.store.canary().await? {
            Some(canary) if canary != root.sealed_canary => older_root(),
            _ => corrupt(),
        })
    }

    pub fn wrap(&self, place: AadContext<'_>, key: &KeyBytes) -> Result<Sealed> {
        key.expose(|bytes| self.get().wrap_key(place, bytes))
    }
}

/// Store keys and canary of one moment: between two looks another process may have put in another root key.
async fn settled(store: &dyn Store) -> Result<(Vec<RingKey>, Option<Sealed>)> {
    let mut before = store.canary().await?;
    loop {
        let rows = store.key_ring(KeyPurpose::Store, "").await?;
        let after = store.canary().await?;
        if before == after {
            return Ok((rows, after));
        }
        before = after;
    }
}

fn wrong_key() -> Error {
    Error::new(ErrorKind::WrongKey, "The root key is not the one this store was made with. Open it with that key, or name another folder; nothing was changed.")
}
