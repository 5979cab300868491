//! What was changed of messages here, until the mailbox has it.

use crate::error::Result;
use crate::model::ChangeKind;
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;
use std::collections::HashSet;

/// What of a message can be changed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EditedProperty {
    Read,
    Flag,
    Categories,
    /// The folder it lies in.
    Place,
}

/// One change of one property of one message.
#[derive(Debug, Clone)]
pub struct EditRow {
    pub account_id: String,
    pub graph_id: String,
    pub property: EditedProperty,
    /// Of the change. A newer one of the same property has a higher number.
    pub number: i64,
    /// Of what is sealed.
    pub version: i64,
    /// By Microsoft's clock.
    pub edited_at: i64,
    /// It is to be delivered; else it arrived.
    pub is_open: bool,
    /// A request that moves the message may have been made.
    pub is_begun: bool,
    /// Times it was tried in vain.
    pub tries: u32,
    /// Of one that arrived: when the mailbox says that the message changed then.
    pub modified: Option<i64>,
    /// What it is to be, under the content key, for its [`edit_place`].
    pub sealed: Sealed,
}

impl EditRow {
    pub fn ended(&self, end: EditEnd) -> EndedEdit {
        EndedEdit { account_id: self.account_id.clone(), graph_id: self.graph_id.clone(), property: self.property, number: self.number, end }
    }
}

/// Under the content key; `row`: as [`edit_row`] makes it.
pub fn edit_place<'a>(account_id: &'a str, row: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "edits", column: "sealed", account_id, row, version }
}

pub fn edit_row(graph_id: &str, property: EditedProperty) -> String {
    use super::words::Word;
    format!("{graph_id}/{}", property.word())
}

/// A message as it is to be here.
#[derive(Debug, Clone)]
pub struct MessageEdit {
    pub row_id: i64,
    pub account_id: String,
    /// As it was seen; `version + 1` is written.
    pub version: i64,
    /// For `version + 1`.
    pub head: Sealed,
    pub is_read: bool,
    pub folder_id: String,
    /// None: nothing that anybody sees.
    pub change: Option<ChangeKind>,
}

/// What becomes of an edit.
#[derive(Debug, Clone)]
pub enum EditEnd {
    /// The mailbox has it, since then by its own word.
    Arrived { modified: Option<i64> },
    /// It is no more: the mailbox has something newer, or would not take it.
    Dropped,
    /// It is tried again.
    Later { next_at: i64, is_counted: bool },
    /// The same change, over what the mailbox has by now.
    Rebased { sealed: Sealed, version: i64 },
    /// The mailbox has no such message: a question to be proven, and the edits of it are no more.
    Gone,
}

#[derive(Debug, Clone)]
pub struct EndedEdit {
    pub account_id: String,
    pub graph_id: String,
    pub property: EditedProperty,
    /// Nothing becomes of a newer one.
    pub number: i64,
    pub end: EditEnd,
}

/// All of it in one transaction.
#[derive(Debug, Clone, Default)]
pub struct EditBatch {
    pub messages: Vec<MessageEdit>,
    /// New ones, each in place of the older of its message and property, which has this number; None: there is none.
    pub edits: Vec<(EditRow, Option<i64>)>,
    pub ended: Vec<EndedEdit>,
    /// Change keys of messages that only our own change has moved on: account, message, the key that was known, the new one.
    pub change_keys: Vec<(String, String, String, String)>,
    pub now: i64,
}

#[async_trait]
pub trait EditStore {
    /// False: a message or an edit is another one by now, and nothing was written.
    async fn write_edits(&self, batch: EditBatch) -> Result<bool>;
    /// Those of these messages, also such as have arrived.
    async fn edits_of(&self, account_id: &str, graph_ids: &[&str]) -> Result<Vec<EditRow>>;
    /// Connected accounts that have edits to be delivered now.
    async fn accounts_with_edits(&self, now: i64) -> Result<Vec<String>>;
    /// Edits of an account that are due, the oldest first.
    async fn due_edits(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<EditRow>>;
    /// When the next one is due, of connected accounts.
    async fn next_edit_at(&self) -> Result<Option<i64>>;
    /// Notes that these (message, number) are about to be moved.
    async fn begin_moves(&self, account_id: &str, moves: &[(String, i64)]) -> Result<()>;
    /// Which of these messages (by row) have edits that have not arrived.
    async fn waiting_edits(&self, row_ids: &[i64]) -> Result<HashSet<i64>>;
    /// Forgets those that arrived before this time.
    async fn forget_edits(&self, before: i64) -> Result<()>;
}
