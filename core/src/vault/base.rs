//! What all keys of a store share, and how a key is wrapped by the one above it.

use super::ring::{DataKey, wrap_under};
use super::root::RootSlot;
use crate::error::{Error, ErrorKind, Result};
use crate::random;
use crate::seal::{KeyBytes, AadContext, Sealed};
use crate::store::{KeyPurpose, Store};
use std::sync::Arc;

pub struct Base {
    pub store: Arc<dyn Store>,
    pub store_id: Vec<u8>,
    pub limits: Limits,
}

/// How much a key may seal.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Uses after which it is replaced.
    pub due: i64,
    /// Uses after which it seals nothing more. Random 96-bit nonces are safe for 2^32 (SP 800-38D).
    pub most: i64,
    /// Age after which it is replaced, in milliseconds.
    pub age: i64,
    /// Data keys replaced in one slice of a rotation that nobody asked for.
    pub slice_keys: u32,
    /// Values sealed anew in one slice: a few seconds of work, that others share the store with. A slice every ten minutes is enough for 200 million values
    /// in the 90 days that a key may last.
    pub slice_values: u64,
}

impl Limits {
    pub const USUAL: Self = Self { due: 1 << 28, most: 1 << 32, age: 90 * 86_400_000, slice_keys: 64, slice_values: 20_000 };
}

/// The key above a ring.
#[derive(Clone)]
pub enum Wrapper {
    Root(Arc<RootSlot>),
    Store(DataKey),
}

impl Wrapper {
    /// As `unready` when the key above is not in memory.
    pub async fn open(&self, base: &Base, purpose: KeyPurpose, account_id: &str, id: i64, wrapped: &Sealed) -> Result<KeyBytes> {
        let id = id.to_string();
        let place = place(purpose, account_id, &id);
        let bytes = match self {
            Self::Root(root) => root.open(base, place, wrapped).await?,
            Self::Store(ring) => ring.open(place, wrapped)?,
        };
        KeyBytes::from_slice(&bytes).ok_or_else(corrupt)
    }

    pub fn wrap(&self, purpose: KeyPurpose, account_id: &str, id: i64, key: &KeyBytes) -> Result<Sealed> {
        match self {
            Self::Root(root) => root.wrap(place(purpose, account_id, &id.to_string()), key),
            Self::Store(ring) => wrap_under(ring, purpose, account_id, id, key),
        }
    }

    /// What proves that the root key known here is still the store's.
    pub fn canary(&self) -> Option<Sealed> {
        match self {
            Self::Root(root) => Some(root.canary()),
            Self::Store(_) => None,
        }
    }
}

/// Where a wrapped key is valid. The purpose is part of it, so that one key cannot pass for another.
pub fn place<'a>(purpose: KeyPurpose, account_id: &'a str, id: &'a str) -> AadContext<'a> {
    let column = match purpose {
        KeyPurpose::Store => "wrapped store key",
        KeyPurpose::Secrets => "wrapped secrets key",
        KeyPurpose::Content => "wrapped content key",
        KeyPurpose::Hashes => "wrapped hashes key",
        KeyPurpose::Audit => "wrapped audit key",
    };
    AadContext { table: "keys", column, account_id, row: id, version: 1 }
}

/// A random positive number: chosen before the row exists, and never met twice.
pub fn new_id() -> Result<i64> {
    Ok((i64::from_be_bytes(random::array::<8>()?) & i64::MAX).max(1))
}

pub fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "The keys of the store are damaged. It was left as it is; restore it from a backup.")
}

pub fn destroyed(account_id: &str) -> Error {
    Error::new(ErrorKind::NotConnected, "The account has no key here: it is disconnected or was never connected. Connect it.").on_account(account_id)
}

pub fn older_root() -> Error {
    Error::new(ErrorKind::VaultLocked, "This store was opened with an older root key, which was replaced since. Open it again with the new one.")
}
