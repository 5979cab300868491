//! Messages of the Teams chats of accounts.

use super::Lease;
use crate::error::Result;
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;

/// How far a chat is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatPlaceRow {
    pub chat_id: String,
    pub mark: [u8; 32],
    pub known_to: i64,
}

/// What is here of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTeamsMessage {
    pub graph_id: String,
    pub digest: [u8; 32],
    pub version: i64,
}

#[derive(Debug, Clone)]
pub struct NewTeamsMessage {
    /// Of one that is not here yet.
    pub public_id: String,
    pub graph_id: String,
    pub sent_at: i64,
    pub digest: [u8; 32],
    /// One more than what is here; 1 of one that is not.
    pub version: i64,
    /// Under the content key, for its [`teams_message_place`].
    pub sealed: Sealed,
}

/// What was said or changed in a chat.
#[derive(Debug, Clone)]
pub struct TeamsMessageBatch {
    pub account_id: String,
    pub generation: i64,
    pub lease: Lease,
    pub place: ChatPlaceRow,
    pub put: Vec<NewTeamsMessage>,
    pub gone: Vec<String>,
    pub now: i64,
}

#[derive(Debug, Clone)]
pub struct TeamsMessageRow {
    pub row_id: i64,
    pub public_id: String,
    pub account_id: String,
    pub chat_id: String,
    pub graph_id: String,
    pub sent_at: i64,
    pub version: i64,
    pub sealed: Sealed,
}

#[derive(Debug, Clone, Default)]
pub struct TeamsMessageWindow {
    pub account_ids: Vec<String>,
    pub chat_id: Option<String>,
    /// Time and row of the last one that was shown.
    pub before: Option<(i64, i64)>,
    pub limit: u32,
}

/// `row`: [`teams_message_row`].
pub fn teams_message_place<'a>(account_id: &'a str, row: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "chat_messages", column: "sealed", account_id, row, version }
}

pub fn teams_message_row(chat_id: &str, graph_id: &str) -> String {
    format!("{chat_id}/{graph_id}")
}

#[async_trait]
pub trait TeamsMessageStore {
    /// When the chats of the account were looked at last. None: never.
    async fn chats_looked_at(&self, account_id: &str) -> Result<Option<i64>>;
    /// They were, just now. False: the account changed, or somebody else has the lease.
    async fn chats_were_looked_at(&self, account_id: &str, generation: i64, lease: &Lease, now: i64) -> Result<bool>;
    async fn chat_places(&self, account_id: &str) -> Result<Vec<ChatPlaceRow>>;
    async fn known_teams_messages(&self, account_id: &str, chat_id: &str, graph_ids: &[String]) -> Result<Vec<KnownTeamsMessage>>;
    /// In one transaction with the chat's place. None: the account changed, or somebody else has the lease, and nothing was written. Answers how many messages
    /// are new, changed or gone.
    async fn store_teams_messages(&self, batch: TeamsMessageBatch) -> Result<Option<u32>>;
    /// The newest first, one more than `limit` if there are.
    async fn teams_messages(&self, window: &TeamsMessageWindow) -> Result<Vec<TeamsMessageRow>>;
}
