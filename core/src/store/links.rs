//! What a host's own keys are for. A key is for a message, by its immutable id, or for a conversation from some moment on; either may have several. Which messages carry
//! it follows from that when they are read, so it does not matter which came first, the message or the link.

use crate::error::Result;
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;

/// The key of a send.
#[derive(Debug, Clone)]
pub struct NewLink {
    pub account_id: String,
    /// Immutable id of its message.
    pub graph_id: String,
    /// It was sent: its conversation is meant as well. None: it may be sent, and then the mailbox tells.
    pub is_sent: bool,
    /// Where it is known.
    pub conversation_id: Option<String>,
    /// Keyed hash of the host's key.
    pub hash: [u8; 32],
    /// Messages of the conversation that came before are not meant. What was noted of this send first counts.
    pub since: i64,
    /// The host's key, for its [`link_place`].
    pub sealed: Sealed,
}

/// A message that a host gives a key, or takes one from.
#[derive(Debug, Clone)]
pub struct LinkedMessage {
    pub account_id: String,
    pub graph_id: String,
    /// Keyed hash of the host's key.
    pub hash: [u8; 32],
    /// The host's key, for its [`link_place`]. None: it is taken away.
    pub sealed: Option<Sealed>,
}

/// A key that a message carries.
#[derive(Debug, Clone)]
pub struct LinkedRow {
    /// Of the message.
    pub row_id: i64,
    /// The row of its place.
    pub row: String,
    pub sealed: Sealed,
}

/// Under the content key; `row`: the hash as [`hex`](crate::hex::hex). The same for all that one key of the host is for.
pub fn link_place<'a>(account_id: &'a str, row: &'a str) -> AadContext<'a> {
    AadContext { table: "links", column: "sealed", account_id, row, version: 1 }
}

#[async_trait]
pub trait LinkStore {
    /// The keys that these messages carry, in the order in which they were noted; the same one may come twice.
    async fn links(&self, row_ids: &[i64]) -> Result<Vec<LinkedRow>>;
    /// Gives messages a key, and what came into their conversations since, or takes it from them; all in one transaction, with rows in the change feed. A
    /// message it was taken from does not carry it any more, and a conversation of which no message was given it does not either.
    async fn link_messages(&self, messages: Vec<LinkedMessage>, now: i64) -> Result<()>;
}
