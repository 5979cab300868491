//! Conversations of mailboxes, as lists show them.

use super::mail::{Mailbox, MessageRow};
use crate::error::Result;
use async_trait::async_trait;
use std::collections::HashMap;

/// Which conversations, by the newest of their messages that fit; a message without a conversation is one of its own.
#[derive(Debug, Clone, Default)]
pub struct ThreadWindow {
    pub mailboxes: Vec<Mailbox>,
    /// Unread messages alone fit.
    pub unread_only: bool,
    /// Keyed hashes of the host's key, by account; an account that is not in it has no such message.
    pub link: Option<HashMap<String, [u8; 32]>>,
    /// Keyed hashes of an address, by account, of one of the people.
    pub address: Option<HashMap<String, [u8; 32]>>,
    pub limit: u32,
    pub after: Option<ThreadPlace>,
    /// Messages read of each conversation, the newest ones and the oldest.
    pub most_members: u32,
}

/// Where a walk through the conversations stands. What came since it began counts for the next one: nothing moves under its feet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadPlace {
    pub received_at: i64,
    pub row_id: i64,
    /// Row id of the last message there was when the walk began.
    pub until: i64,
}

#[derive(Debug, Clone)]
pub struct ThreadRow {
    /// The newest that fits.
    pub newest: MessageRow,
    /// Messages of the whole conversation, and unread ones among them.
    pub messages: u32,
    pub unread: u32,
    /// One of them is known to have some.
    pub has_attachments: bool,
    /// Newest first; the last one is the oldest of all.
    pub members: Vec<MessageRow>,
}

#[derive(Debug, Clone, Default)]
pub struct ThreadPage {
    pub rows: Vec<ThreadRow>,
    /// Where the next page begins; None: this is the last one.
    pub next: Option<ThreadPlace>,
}

#[async_trait]
pub trait ThreadStore {
    /// Newest first by (received_at, row_id).
    async fn threads(&self, window: &ThreadWindow) -> Result<ThreadPage>;
}
