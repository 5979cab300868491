//! What Microsoft tells by itself.
//!
//! A subscription makes Microsoft post to the host's route whenever something changes in a mailbox; the host hands each post to [`receive`](Notify::receive),
//! which believes only what proves to belong to a subscription of this store, and of that only that *something* is new: the account is marked, durably, before
//! the answer, and synced afterwards ([`follow`]). What is in a post is never stored. A subscription lives for days: [`renew`] makes, renews and replaces it.

mod certificates;
mod decrypt;
mod ending;
mod follow;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod known;
mod marks;
mod parse;
mod prove;
mod receive;
mod renew;
#[cfg(test)]
mod tests;

pub use follow::SyncNow;

use crate::clock::{Clock, to_ms};
use crate::error::Result;
use crate::graph::Graph;
use crate::random;
use crate::store::{AccountRow, Store};
use crate::trust::Trust;
use crate::vault::Vault;
use certificates::ContentKeys;
use known::KnownOnes;
use marks::Marks;
use prove::Proofs;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

/// What this needs of the rest.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub graph: Graph,
    pub clock: Arc<dyn Clock>,
    /// Where Microsoft posts to. None: no mailbox is watched, and nothing is received.
    pub notification_url: Option<String>,
    /// The account may be watched.
    pub is_usable: fn(&AccountRow) -> bool,
    /// Contents are to come with notifications, encrypted.
    pub with_content: bool,
    pub trust: Trust,
    /// By the names of applications.
    pub client_ids: HashMap<String, String>,
}

pub struct Notify {
    parts: Parts,
    /// This process, as the marks name it.
    holder: String,
    marks: Marks,
    known: KnownOnes,
    /// Something may be due.
    renewals: tokio::sync::Notify,
    /// Minutes that a subscription is asked to live.
    lifetime: AtomicI64,
    keys: ContentKeys,
    proofs: Proofs,
}

impl Notify {
    pub fn new(parts: Parts) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            parts,
            holder: random::token::<12>()?,
            marks: Marks::default(),
            known: KnownOnes::default(),
            renewals: tokio::sync::Notify::new(),
            lifetime: AtomicI64::new(renew::LIFETIME_MINUTES),
            keys: ContentKeys::default(),
            proofs: Proofs::default(),
        }))
    }

    pub fn is_on(&self) -> bool {
        self.parts.notification_url.is_some()
    }

    /// An account was connected, or is to be watched or not.
    pub fn nudge(&self) {
        self.known.forget();
        self.renewals.notify_one();
    }

    fn now(&self) -> i64 {
        to_ms(self.parts.clock.now())
    }

    /// By which a client state is found and compared.
    fn client_hash(&self, client_state: &str) -> Result<[u8; 32]> {
        self.parts.vault.store_hash("client state", &[client_state.as_bytes()])
    }
}
