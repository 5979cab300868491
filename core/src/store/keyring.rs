//! Keys and everything sealed with them: what it takes to replace a key while the store is in use.

use super::{KeyPurpose, KeyRow, Lease, NewKey};
use crate::error::{Error, ErrorKind, Result};
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;
use std::fmt;

/// A key that still opens values: the active one, or one whose values are being sealed anew.
#[derive(Debug, Clone)]
pub struct RingKey {
    pub id: i64,
    pub purpose: KeyPurpose,
    /// Empty for keys of the whole store.
    pub account_id: String,
    pub wrapped: Sealed,
    pub is_active: bool,
    pub uses: i64,
    pub created_at: i64,
}

/// What is known of a key that may be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFate {
    pub purpose: KeyPurpose,
    pub account_id: String,
    pub is_destroyed: bool,
}

/// How a store key is reached from the one before it: for processes that have the store open with a root key that was replaced since.
#[derive(Debug, Clone)]
pub struct KeyHandover {
    /// The store key it leads to.
    pub key_id: i64,
    pub made_at: i64,
    /// That key, under the one before it; table `meta`, row = key id, version = `made_at`.
    pub sealed: Sealed,
}

/// How long a handover stands: every process that runs has had its hourly look at the keys by then.
pub const HANDOVER_MS: i64 = 2 * 3_600_000;

/// Where a value stands, in the backend's own words: whoever reads it hands it back as it is.
#[derive(Debug, Clone)]
pub struct RowRef(pub Vec<u8>);

/// A sealed value with the place it is valid in.
#[derive(Debug, Clone)]
pub struct SealedValue {
    pub at: RowRef,
    pub table: &'static str,
    pub column: String,
    pub account_id: String,
    pub row: String,
    pub version: i64,
    pub sealed: Sealed,
}

impl SealedValue {
    pub fn place(&self) -> AadContext<'_> {
        AadContext { table: self.table, column: &self.column, account_id: &self.account_id, row: &self.row, version: self.version }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retired {
    Destroyed,
    /// Values still need it.
    Needed,
    /// The lease was lost; nothing was changed.
    Lost,
}

/// What changes with the root key, in one step.
#[derive(Debug, Clone)]
pub struct NewRoot {
    /// The sealed constant as it was under the old root key: if it is another one now, somebody else was here.
    pub old_canary: Sealed,
    pub canary: Sealed,
    /// Every store key that still opens values, wrapped anew.
    pub store_keys: Vec<(i64, Sealed)>,
    /// Salt and costs, if the key is made from a passphrase.
    pub kdf: Option<Vec<u8>>,
    /// The key as the host's KMS wrapped it.
    pub wrapped: Option<Vec<u8>>,
}

pub const ROOT_KDF: &str = "root_kdf";
pub const ROOT_WRAPPED: &str = "root_wrapped";

#[async_trait]
pub trait KeyStore {
    /// The store key and everything that must exist with it, in one step; does nothing if there is one already. `wrapped_root`: the root key as the host's
    /// KMS wrapped it.
    async fn insert_store_key(&self, key: &NewKey, canary: &Sealed, wrapped_root: Option<&[u8]>) -> Result<()>;
    async fn canary(&self) -> Result<Option<Sealed>>;
    /// A key whatever became of it.
    #[cfg(test)]
    async fn key(&self, id: i64) -> Result<Option<KeyRow>>;
    async fn active_key(&self, purpose: KeyPurpose, account_id: Option<&str>) -> Result<Option<KeyRow>>;
    /// Keys of this purpose that still open values, the active one first.
    async fn key_ring(&self, purpose: KeyPurpose, account_id: &str) -> Result<Vec<RingKey>>;
    /// All keys that still open values.
    async fn live_keys(&self) -> Result<Vec<RingKey>>;
    async fn key_fate(&self, id: i64) -> Result<Option<KeyFate>>;
    /// Adds to the durable count of uses, before they happen, and answers the new count.
    async fn reserve_uses(&self, key_id: i64, count: i64) -> Result<i64>;

    /// In one step: `old` opens but seals no more, `new` are there. From then on every write of a value sealed with `old` is refused as
    /// [`outdated`]. False: `old` was not active any more, or the lease was lost. A new store key comes with the canary its maker knows
    /// and the handover that leads to it.
    async fn succeed_key(&self, old: i64, new: &[NewKey], canary: Option<&Sealed>, handover: Option<&KeyHandover>, lease: Option<&Lease>) -> Result<bool>;
    async fn handovers(&self) -> Result<Vec<KeyHandover>>;
    /// Up to `limit` values sealed with this key, without those that are too damaged to be read.
    async fn sealed_with(&self, key_id: i64, limit: u32) -> Result<Vec<SealedValue>>;
    /// Puts the new envelopes in place of the old ones, where these still stand; renews the lease. None: it was lost. Answers how many were replaced.
    async fn reseal(&self, lease: &Lease, values: Vec<(SealedValue, Sealed)>, now: i64) -> Result<Option<u64>>;
    /// Destroys a key that is not active, in a step that first proves that no value needs it.
    async fn retire_key(&self, lease: &Lease, key_id: i64, now: i64) -> Result<Retired>;
    /// False: lease lost, or another root key came between.
    async fn change_root(&self, lease: &Lease, root: NewRoot, now: i64) -> Result<bool>;
    /// Keeps the root key as the KMS wrapped it by now. False, and nothing changed: the store has another root key than the one with this canary.
    async fn keep_wrapped(&self, canary: &Sealed, wrapped: &[u8]) -> Result<bool>;

    /// A mark of the rotation, or none once it has ended. False: the lease was lost.
    async fn mark_rotation(&self, lease: &Lease, mark: Option<&[u8]>) -> Result<bool>;
}

/// Says that a value was sealed or read with a key that was replaced meanwhile: seal, or read, again.
#[derive(Debug)]
struct Outdated {
    /// None: not a key, but a row is another one by now.
    key_id: Option<i64>,
    /// Whose keys are to be read anew. None: those that the key belongs to.
    ring: Option<(KeyPurpose, String)>,
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key was replaced")
    }
}

impl std::error::Error for Outdated {}

pub fn outdated(key_id: i64) -> Error {
    Error::new(ErrorKind::StoreBusy, "A key of the store was replaced at this moment; nothing was changed. Try again.").with_source(Outdated { key_id: Some(key_id), ring: None })
}

/// The keys of this account and purpose that are in memory do not do: none of them has this id, or it has no uses left that were reserved.
pub fn unready(key_id: i64, purpose: KeyPurpose, account_id: &str) -> Error {
    Error::new(ErrorKind::StoreBusy, "The keys of the store were changed at this moment; nothing was changed. Try again.")
        .with_source(Outdated { key_id: Some(key_id), ring: Some((purpose, account_id.to_owned())) })
}

/// A row is no longer the one a step was decided on. Whoever reads it anew may decide otherwise.
pub fn moved_on() -> Error {
    Error::new(ErrorKind::StoreBusy, "The account was changed by another call at this moment; nothing was stored. Try again.").with_source(Outdated { key_id: None, ring: None })
}

pub fn is_outdated(error: &Error) -> bool {
    source_of(error).is_some()
}

/// The key that was replaced, if the error says that one was.
pub fn outdated_key(error: &Error) -> Option<i64> {
    source_of(error)?.key_id
}

/// Whose keys were not ready, if the error says so.
pub fn unready_ring(error: &Error) -> Option<(KeyPurpose, &str)> {
    source_of(error)?.ring.as_ref().map(|(purpose, account_id)| (*purpose, account_id.as_str()))
}

fn source_of(error: &Error) -> Option<&Outdated> {
    std::error::Error::source(error)?.downcast_ref()
}
