//! Answers that no person wrote: reports of mail systems and automatic replies, and the sends that they answer.

use super::Lease;
use crate::error::Result;
use crate::model::{AutomaticReply, Bounce, MessageKind};
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// What a mail that is being sent is known by in its mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMail {
    pub account_id: String,
    /// Immutable id of its copy.
    pub graph_id: String,
    pub conversation_id: Option<String>,
    /// Keyed hash of its Message-ID.
    pub hash: [u8; 32],
}

/// A message that may be an answer that no person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub graph_id: String,
    /// What hosts call it.
    pub id: String,
    pub conversation_id: String,
    pub received_at: Option<i64>,
}

/// What was found out about a candidate.
#[derive(Debug, Clone)]
pub struct LookedAt {
    pub graph_id: String,
    pub looked: Looked,
}

#[derive(Debug, Clone)]
pub enum Looked {
    Known { kind: MessageKind, answer: Option<NewAnswer> },
    /// The mailbox did not tell: it is asked again later, and given up in the end.
    Later,
}

/// What a message says of a send.
#[derive(Debug, Clone)]
pub struct NewAnswer {
    pub send_id: String,
    pub at: i64,
    /// [`SendAnswers`] under the content key, for its [`answer_place`].
    pub sealed: Sealed,
    /// Why the mail will never arrive, if it says so.
    pub given_up: Option<String>,
}

/// What one message says of one send.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SendAnswers {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bounces: Vec<Bounce>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub automatic_replies: Vec<AutomaticReply>,
}

#[derive(Debug, Clone)]
pub struct AnswerRow {
    pub account_id: String,
    pub send_id: String,
    pub graph_id: String,
    pub sealed: Sealed,
}

/// The row of a [`SendAnswers`].
pub fn answer_row(send_id: &str, graph_id: &str) -> String {
    format!("{}/{graph_id}", super::sealed_row(send_id))
}

pub fn answer_place<'a>(account_id: &'a str, row: &'a str) -> AadContext<'a> {
    AadContext { table: "send_answers", column: "sealed", account_id, row, version: 1 }
}

#[async_trait]
pub trait AnswerStore {
    /// Messages that are to be looked at now, the newest first.
    async fn candidates(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<Candidate>>;
    /// Sends of the account with one of these Message-IDs: (hash, id of the send).
    async fn sends_with(&self, account_id: &str, hashes: Vec<[u8; 32]>) -> Result<Vec<([u8; 32], String)>>;
    /// Sends of the account in this conversation, the newest first: (id of the send, immutable id of its copy).
    async fn sends_in(&self, account_id: &str, conversation_id: &str, limit: u32) -> Result<Vec<(String, String)>>;
    /// Writes what was found out, under lease and generation, with rows in the change feed. The same again changes nothing. False: lease or generation lost.
    async fn settle_candidates(&self, account_id: &str, generation: i64, lease: &Lease, looked: Vec<LookedAt>, now: i64) -> Result<bool>;
    /// What answers these sends, in the order in which it came.
    async fn answers(&self, send_ids: &[&str]) -> Result<Vec<AnswerRow>>;
}
