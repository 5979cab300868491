//! Who signs the audit log: a key of its own, random, wrapped by the store key like the others.

use super::base::{Base, Wrapper, corrupt, new_id};
use super::cursor::Cursors;
use crate::error::Result;
use crate::hex::hex;
use crate::seal::KeyBytes;
use crate::store::{KeyPurpose, NewKey, AuditSigner};
use std::sync::Arc;

struct AuditKey {
    records: KeyBytes,
    owners: KeyBytes,
}

impl AuditKey {
    fn new(key: &KeyBytes, store_id: &[u8]) -> Result<Self> {
        Ok(Self { records: key.derive(store_id, &[b"audit", b"records"])?, owners: key.derive(store_id, &[b"audit", b"owners"])? })
    }
}

impl AuditSigner for AuditKey {
    fn sign(&self, parts: &[&[u8]]) -> Result<[u8; 32]> {
        self.records.mac(parts)
    }

    fn owner(&self, owner: &str) -> Result<String> {
        let hash = self.owners.mac(&[owner.as_bytes()])?;
        // Half of it tells owners apart, and reads better.
        Ok(format!("own_{}", hex(hash.get(..16).unwrap_or_default())))
    }
}

/// What comes from the one key of the store that is never replaced: who signs the log, what signs the cursors of lists, since a cursor is kept for as long as its
/// host likes, and what makes hashes that rows are found by.
pub struct Lasting {
    pub cursors: Cursors,
    pub store_hashes: KeyBytes,
    pub audit_signer: Arc<dyn AuditSigner>,
}

/// Makes the log of a new store, and lets the store write it from now on.
pub async fn set_up(base: &Base, store_key: &Wrapper, now: i64) -> Result<Lasting> {
    let store = &base.store;
    if store.active_key(KeyPurpose::Audit, None).await?.is_none() {
        let (id, key) = (new_id()?, KeyBytes::random()?);
        let wrapped = store_key.wrap(KeyPurpose::Audit, "", id, &key)?;
        let audit_key = Arc::new(AuditKey::new(&key, &base.store_id)?);
        store.begin_audit(&NewKey { id, purpose: KeyPurpose::Audit, account_id: None, wrapped, created_at: now }, audit_key, now).await?;
    }
    // Read back even if just written: another process may have been first.
    let row = store.active_key(KeyPurpose::Audit, None).await?.ok_or_else(corrupt)?;
    let wrapped = row.wrapped.ok_or_else(corrupt)?;
    let key = store_key.open(base, KeyPurpose::Audit, "", row.id, &wrapped).await?;
    let audit_signer: Arc<dyn AuditSigner> = Arc::new(AuditKey::new(&key, &base.store_id)?);
    store.set_audit_signer(audit_signer.clone());
    Ok(Lasting { cursors: Cursors::new(&key, &base.store_id)?, store_hashes: key.derive(&base.store_id, &[b"store", b"hashes"])?, audit_signer })
}
