//! The audit log: what is written, and how a record is bound to the one before it.
//!
//! One chain of records per owner, and one of the store's own for what belongs to no owner: whoever writes, verifies or erases one of them waits for no
//! other. An owner's chain begins with a record in the store's own, so that one that is gone as a whole is missed. A log that was written before there
//! were several goes on as the store's own.

use super::NewKey;
use crate::error::Result;
use crate::model::AuditKind;
use async_trait::async_trait;
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
    /// Mark of the owner in whose chain it belongs. None: that of the account's owner; without an account the store's own.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    pub subject: Option<String>,
    pub detail: String,
}

impl Entry {
    pub fn new(kind: AuditKind, detail: impl Into<String>) -> Self {
        Self { kind, owner: None, account_id: None, subject: None, detail: detail.into() }
    }

    /// In the chain of the owner with this mark, and about that owner.
    pub fn of(mut self, owner: impl Into<String>) -> Self {
        let owner = owner.into();
        self.owner = Some(owner.clone());
        self.about(owner)
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
    /// Its place among all records of the store, in the order in which they were written.
    pub position: i64,
    /// Mark of the owner whose chain it is; [`STORE_CHAIN`] for the store's own.
    pub owner: String,
    /// Its place in the chain.
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

/// In the place of an owner's mark: the chain of what belongs to no owner.
pub const STORE_CHAIN: &str = "";

/// What stands before the first record of a chain. An owner's depends on whose it is, so that no chain can pass for another's.
pub fn beginning(audit_signer: &dyn AuditSigner, owner: &str) -> Result<[u8; 32]> {
    if owner == STORE_CHAIN { Ok([0; 32]) } else { audit_signer.sign(&[b"beginning", owner.as_bytes()]) }
}

/// How far a chain goes, signed: without it a chain cut off behind would look whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditEnd {
    pub number: i64,
    pub hash: [u8; 32],
}

impl AuditEnd {
    pub fn to_bytes(self, audit_signer: &dyn AuditSigner, owner: &str) -> Result<Vec<u8>> {
        self.signed(audit_signer, b"end", owner)
    }

    /// None when the bytes are not what was signed.
    pub fn read(audit_signer: &dyn AuditSigner, owner: &str, bytes: &[u8]) -> Result<Option<Self>> {
        Self::verified(audit_signer, b"end", owner, bytes)
    }

    /// The last record that was erased from the start of a chain, signed: the chain goes on from there.
    pub fn to_trimmed(self, audit_signer: &dyn AuditSigner, owner: &str) -> Result<Vec<u8>> {
        self.signed(audit_signer, b"trimmed", owner)
    }

    /// None when the bytes are not what was signed.
    pub fn read_trimmed(audit_signer: &dyn AuditSigner, owner: &str, bytes: &[u8]) -> Result<Option<Self>> {
        Self::verified(audit_signer, b"trimmed", owner, bytes)
    }

    fn signed(self, audit_signer: &dyn AuditSigner, what: &[u8], owner: &str) -> Result<Vec<u8>> {
        let number = self.number.to_be_bytes();
        let signature = Self::signature(audit_signer, what, owner, &number, &self.hash)?;
        Ok([number.as_slice(), &self.hash, &signature].concat())
    }

    fn verified(audit_signer: &dyn AuditSigner, what: &[u8], owner: &str, bytes: &[u8]) -> Result<Option<Self>> {
        let Some((number, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
        let Some((hash, signature)) = rest.split_first_chunk::<32>() else { return Ok(None) };
        let genuine = Self::signature(audit_signer, what, owner, number, hash)?.as_slice() == signature;
        Ok(genuine.then(|| Self { number: i64::from_be_bytes(*number), hash: *hash }))
    }

    /// That of the store's own chain names no owner, as in logs that were written before there were several.
    fn signature(audit_signer: &dyn AuditSigner, what: &[u8], owner: &str, number: &[u8], hash: &[u8]) -> Result<[u8; 32]> {
        if owner == STORE_CHAIN { audit_signer.sign(&[what, number, hash]) } else { audit_signer.sign(&[what, number, hash, owner.as_bytes()]) }
    }
}

/// What is stored of a chain at one moment, beside its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditChain {
    pub owner: String,
    pub records: i64,
    pub last: Option<i64>,
    /// What was erased from its start, signed; unread.
    pub trimmed: Option<Vec<u8>>,
    /// The signed end, unread.
    pub end: Option<Vec<u8>>,
}

impl AuditChain {
    /// One of which there is nothing.
    pub fn missing(owner: impl Into<String>) -> Self {
        Self { owner: owner.into(), records: 0, last: None, trimmed: None, end: None }
    }
}

#[async_trait]
pub trait AuditStore {
    /// Makes the log, its key and its first record in one step; nothing if there is a key already. `Corrupt` when there should be one.
    async fn begin_audit(&self, key: &NewKey, audit_signer: Arc<dyn AuditSigner>, now: i64) -> Result<()>;
    /// Records in a transaction of their own, for what is no step of the store.
    async fn record(&self, entries: &[Entry], now: i64) -> Result<()>;
    /// Of all chains, records after the position `after`, in the order in which they were written; of the chain of one owner, those after the number `after`.
    async fn audit_rows(&self, owner: Option<&str>, after: i64, limit: u32) -> Result<Vec<AuditRow>>;
    /// All chains as they are at one moment, each after those that were begun before it, or the one of this owner. Records that belong to no chain that is
    /// known are one without a signed end.
    async fn audit_chains(&self, owner: Option<&str>) -> Result<Vec<AuditChain>>;
    /// Erases records from the start of a chain up to `upto`, at most `limit`, and leaves the last of them as its signed beginning, so that the rest can be
    /// proven. Of the store's own chain only what comes before the first record of an owner's beginning. Answers how many were erased. `Corrupt` when the
    /// records are not those that `upto` names; nothing is erased then.
    async fn trim_chain(&self, owner: &str, upto: AuditEnd, limit: u32) -> Result<u32>;
}
