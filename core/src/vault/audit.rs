//! Who signs the audit log: a key of its own, random, wrapped by the store key like the others.

use super::{DataKey, keyring};
use crate::error::Result;
use crate::seal::KeyBytes;
use crate::store::{KeyPurpose, NewKey, Notary, Store};
use std::sync::Arc;

struct Scribe {
    records: KeyBytes,
    owners: KeyBytes,
}

impl Scribe {
    fn new(key: &KeyBytes, store_id: &[u8]) -> Result<Self> {
        Ok(Self { records: key.derive(store_id, &[b"audit", b"records"])?, owners: key.derive(store_id, &[b"audit", b"owners"])? })
    }
}

impl Notary for Scribe {
    fn sign(&self, parts: &[&[u8]]) -> Result<[u8; 32]> {
        self.records.mac(parts)
    }

    fn owner(&self, owner: &str) -> Result<String> {
        let hash = self.owners.mac(&[owner.as_bytes()])?;
        // Half of it tells owners apart, and reads better.
        let shown: String = hash.iter().take(16).map(|b| format!("{b:02x}")).collect();
        Ok(format!("own_{shown}"))
    }
}

/// Makes the log of a new store, and lets the store write it from now on.
pub fn plug(store: &dyn Store, store_id: &[u8], store_key: &DataKey, now: i64) -> Result<()> {
    if store.active_key(KeyPurpose::Audit, None)?.is_none() {
        let (id, key) = (keyring::new_id()?, KeyBytes::random()?);
        let wrapped = key.expose(|bytes| store_key.seal(keyring::place(KeyPurpose::Audit, "", &id.to_string()), bytes))?;
        let scribe = Scribe::new(&key, store_id)?;
        store.begin_audit(&NewKey { id, purpose: KeyPurpose::Audit, account_id: None, wrapped, created_at: now }, &scribe, now)?;
    }
    // Read back even if just written: another process may have been first.
    let row = store.active_key(KeyPurpose::Audit, None)?.ok_or_else(keyring::corrupt)?;
    let wrapped = row.wrapped.ok_or_else(keyring::corrupt)?;
    let bytes = store_key.open(keyring::place(KeyPurpose::Audit, "", &row.id.to_string()), &wrapped)?;
    let key = KeyBytes::from_slice(&bytes).ok_or_else(keyring::corrupt)?;
    store.plug_notary(Arc::new(Scribe::new(&key, store_id)?));
    Ok(())
}
