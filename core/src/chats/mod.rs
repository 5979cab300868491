//! Messages of the Teams chats of accounts: a chat is asked about only once something happened in it, as the list of chats tells.
//!
//! Microsoft's terms allow nothing of Teams to be polled more than once a day, so what looks by itself looks once a day; a host that calls `sync` answers for
//! how often it does.

mod read;
mod sync;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::graph::Graph;
use crate::store::Store;
use crate::vault::Vault;
use std::sync::Arc;
use tokio::sync::watch;

pub struct Chats {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub graph: Graph,
    pub clock: Arc<dyn Clock>,
    /// Bumped whenever the change feed may have grown.
    pub news: watch::Sender<u64>,
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Corrupt, "A stored chat message cannot be read.").with_source(error)
}
