//! From the host's root key to the store key, and how handles are made.

use super::data_key::DataKey;
use crate::error::{Error, ErrorKind, Result};
use crate::random;
use crate::seal::{Cipher, KeyBytes, Place, Sealed};
use crate::secret::RootKey;
use crate::store::{KeyPurpose, NewKey, Store, USES_AT_BIRTH};
use std::sync::Arc;

const STORE_ID: &str = "store_id";
const CANARY: &[u8] = b"tidings canary 1";
const CANARY_PLACE: Place<'_> = Place { table: "meta", column: "value", account_id: "", row: "canary", version: 1 };

/// The root key has no row; its envelopes carry this id.
const ROOT_ID: i64 = 0;

pub struct Keyring {
    pub store: Arc<dyn Store>,
    pub store_id: Vec<u8>,
    most_uses: i64,
}

impl Keyring {
    pub fn unlock(store: Arc<dyn Store>, root: &RootKey, now: i64, most_uses: i64) -> Result<(Self, DataKey)> {
        // Two processes that make a store at once agree on the id first, then on the key.
        let store_id = store.meta_or_insert(STORE_ID, &random::array::<16>()?)?;
        let root = root.expose(|bytes| KeyBytes::from_slice(bytes)).ok_or_else(corrupt)?;
        let witness = |purpose: &[u8]| Ok::<_, Error>(Cipher::new(&store_id, ROOT_ID, &root.derive(&store_id, &[b"root", purpose])?));
        let (wrap, canary) = (witness(b"wrap")?, witness(b"canary")?);
        if store.active_key(KeyPurpose::Store, None)?.is_none() && store.canary()?.is_none() {
            let (id, key) = (new_id()?, KeyBytes::random()?);
            let wrapped = key.expose(|bytes| wrap.seal(place(KeyPurpose::Store, "", &id.to_string()), bytes))?;
            let key = NewKey { id, purpose: KeyPurpose::Store, account_id: None, wrapped, created_at: now };
            store.insert_store_key(&key, &canary.seal(CANARY_PLACE, CANARY)?)?;
        }
        // Read back even if just written: another process may have been first.
        let row = store.active_key(KeyPurpose::Store, None)?;
        let bytes = row.as_ref().and_then(|row| wrap.open(place(KeyPurpose::Store, "", &row.id.to_string()), row.wrapped.as_ref()?).ok());
        let sings = store.canary()?.is_some_and(|sealed: Sealed| canary.open(CANARY_PLACE, &sealed).is_ok_and(|text| text.as_slice() == CANARY));
        // Two values that only the root key opens: a wrong key fails on both, damage on one.
        match (row, bytes) {
            (Some(row), Some(bytes)) if sings => {
                let key = KeyBytes::from_slice(&bytes).ok_or_else(corrupt)?;
                let ring = Self { store, store_id, most_uses };
                let store_key = ring.data_key(row.id, &key);
                Ok((ring, store_key))
            }
            (Some(_), None) if !sings => Err(Error::new(
                ErrorKind::WrongKey,
                "The root key is not the one this store was made with. Open it with that key, or name another folder; nothing was changed.",
            )),
            _ => Err(corrupt()),
        }
    }

    /// A handle on a stored key. It reserves its uses in the store.
    pub fn data_key(&self, id: i64, key: &KeyBytes) -> DataKey {
        DataKey::new(self.store.clone(), Cipher::new(&self.store_id, id, key), 0, self.most_uses)
    }

    /// A handle on a key that is not stored yet: it begins with the uses the key will be stored with.
    pub fn newborn(&self, id: i64, key: &KeyBytes) -> DataKey {
        DataKey::new(self.store.clone(), Cipher::new(&self.store_id, id, key), USES_AT_BIRTH.min(self.most_uses), self.most_uses)
    }
}

/// Where a wrapped key is valid. The purpose is part of it, so that one key cannot pass for another.
pub fn place<'a>(purpose: KeyPurpose, account_id: &'a str, id: &'a str) -> Place<'a> {
    let column = match purpose {
        KeyPurpose::Store => "wrapped store key",
        KeyPurpose::Secrets => "wrapped secrets key",
        KeyPurpose::Content => "wrapped content key",
        KeyPurpose::Audit => "wrapped audit key",
    };
    Place { table: "keys", column, account_id, row: id, version: 1 }
}

/// A random positive number: chosen before the row exists, and never met twice.
pub fn new_id() -> Result<i64> {
    Ok((i64::from_be_bytes(random::array::<8>()?) & i64::MAX).max(1))
}

pub fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "The keys of the store are damaged. It was left as it is; restore it from a backup.")
}
