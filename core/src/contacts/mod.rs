//! Contacts of mailboxes: brought here folder by folder, each page with its link in one transaction, and found by address.
//!
//! A contact that was removed from a folder may have been moved to another: it is gone once all folders were read and none of them has it.

mod read;
mod sync;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::store::Store;
use crate::vault::{Hashes, Vault};
use std::sync::Arc;
use tokio::sync::watch;

pub struct Contacts {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub graph: Graph,
    pub clock: Arc<dyn Clock>,
    /// Bumped whenever the change feed may have grown.
    pub news: watch::Sender<u64>,
}

/// What a contact is found by.
fn address_hash(hashes: &Hashes, address: &str) -> Result<[u8; 32]> {
    hashes.of("contact address", &[address.trim().to_lowercase().as_bytes()])
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::new(crate::error::ErrorKind::Corrupt, "A stored contact cannot be read.").with_source(error)
}
