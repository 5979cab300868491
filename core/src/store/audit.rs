//! The audit log: what is written, and how a record is bound to the one before it.

use super::NewKey;
use crate::error::Result;
use crate::model::AuditKind;
use std::sync::Arc;

/// Signs records. The key is the vault's; the store only knows that there is somebody who signs.
pub trait AuditSigner: Send + Sync {
    /// Keyed hash over the parts, each after its length.
    fn sign(&self, parts: &[&[u8]]) -> Result<[u8; 32]>;
    /// What an owner is called in the log.
    fn owner(&self, owner: &str) -> Result<String>;
}

/// Something to be recorded. `detail` is a fixed sentence of ours, with counts at the most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: AuditKind,
    pub account_id: Option<String>,
    pub subject: Option<String>,
    pub detail: String,
}

impl Entry {
    pub fn new(kind: AuditKind, detail: impl Into<String>) -> Self {
        Self { kind, account_id: None, subject: None, detail: detail.into() }
    }

    pub fn on(mut self, account_id: impl Into<String>) -> Self {
        self.account_id = Some(account_id.into());
        self
    }

    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    pub number: i64,
    pub at: i64,
    /// As stored: in a log that was altered it may be no word of ours.
    pub kind: String,
    pub account_id: Option<String>,
    pub subject: Option<String>,
    pub detail: String,
    /// All texts are as stored. False: what is no UTF-8 has replacement characters, and no record of ours looks like that.
    pub legible: bool,
    pub hash: Vec<u8>,
}

impl AuditRow {
    /// The hash this row would have at `number`, after a record with the hash `before`.
    pub fn hash_as(&self, audit_signer: &dyn AuditSigner, number: i64, before: &[u8]) -> Result<[u8; 32]> {
        let (number, at) = (number.to_be_bytes(), self.at.to_be_bytes());
        let given = |field: &Option<String>| [u8::from(field.is_some())];
        audit_signer.sign(&[
            // What was read with replacements is another text than the one stored, so it never has a record's hash.
            if self.legible { b"record".as_slice() } else { b"illegible" },
            &number,
            &at,
            self.kind.as_bytes(),
            &given(&self.account_id),
            self.account_id.as_deref().unwrap_or_default().as_bytes(),
            &given(&self.subject),
            self.subject.as_deref().unwrap_or_default().as_bytes(),
            self.detail.as_bytes(),
            before,
        ])
    }
}

/// What stands before the first record.
pub const BEGINNING: [u8; 32] = [0; 32];

/// The end of the log, signed: without it a log cut off behind would look whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditEnd {
    pub number: i64,
    pub hash: [u8; 32],
}

impl AuditEnd {
    pub fn to_bytes(self, audit_signer: &dyn AuditSigner) -> Result<Vec<u8>> {
        let number = self.number.to_be_bytes();
        let signature = audit_signer.sign(&[b"end", &number, &self.hash])?;
        Ok([number.as_slice(), &self.hash, &signature].concat())
    }

    /// None when the bytes are not what the notary signed.
    pub fn read(audit_signer: &dyn AuditSigner, bytes: &[u8]) -> Result<Option<Self>> {
        let Some((number, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
        let Some((hash, signature)) = rest.split_first_chunk::<32>() else { return Ok(None) };
        let genuine = audit_signer.sign(&[b"end", number, hash])?.as_slice() == signature;
        Ok(genuine.then(|| Self { number: i64::from_be_bytes(*number), hash: *hash }))
    }
}

/// How far the log goes, by what is stored of it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditExtent {
    pub records: i64,
    pub last: Option<i64>,
    /// The signed end, unread.
    pub end: Option<Vec<u8>>,
}

pub trait AuditStore {
    /// Makes the log, its key and its first record in one step; nothing if there is a key already. `Corrupt` when there should be one.
    fn begin_audit(&self, key: &NewKey, audit_signer: &dyn AuditSigner, now: i64) -> Result<()>;
    /// From now on every step of this store that is worth a record writes it in its own transaction, and fails if it cannot. The first one stays.
    fn set_audit_signer(&self, audit_signer: Arc<dyn AuditSigner>);
    fn audit_signer(&self) -> Result<Arc<dyn AuditSigner>>;
    /// Records in a transaction of their own, for what is no step of the store.
    fn record(&self, entries: &[Entry], now: i64) -> Result<()>;
    /// Records after `after`, in order.
    fn audit_rows(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>>;
    fn audit_extent(&self) -> Result<AuditExtent>;
}
