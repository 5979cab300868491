use super::message::BodyForm;
use super::places::ChatMember;
use super::rfc3339;
use super::teams::ChatImportance;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// `System`: of Teams itself, as when somebody joins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamsMessageKind {
    #[default]
    Message,
    System,
}

/// A message of a chat of the account, as it was at the last sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamsMessage {
    pub id: String,
    pub account_id: String,
    /// Microsoft's id, which is one within its chat.
    pub graph_id: String,
    /// Microsoft's id of the chat.
    pub chat_id: String,
    pub kind: TeamsMessageKind,
    /// Who said it; none for an app or a message of Teams itself.
    pub sender: Option<ChatMember>,
    /// The app that said it.
    pub app_name: Option<String>,
    /// The person of the account said it.
    pub is_own: bool,
    pub subject: Option<String>,
    /// In the form that was asked for.
    pub body: String,
    pub importance: ChatImportance,
    /// Names of those who are mentioned.
    pub mentions: Vec<ChatMember>,
    /// Names of the files; nothing of them is kept here.
    pub attachments: Vec<String>,
    /// Microsoft's id of the message of this chat that it quotes.
    pub reply_to: Option<String>,
    #[serde(with = "rfc3339")]
    pub sent_at: SystemTime,
    #[serde(with = "rfc3339::option")]
    pub edited_at: Option<SystemTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TeamsMessageQuery {
    /// Whose messages: of all accounts of an owner, or of one account. One of them is needed; with both, the account must be the owner's.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    /// Those of this chat, by Microsoft's id.
    pub chat_id: Option<String>,
    /// `Html` is safe to show, `Original` as its sender wrote it.
    pub form: BodyForm,
    /// 1 to 500.
    pub limit: u32,
    /// `next` of the page before; good for the same owner, account and chat.
    pub cursor: Option<String>,
}

impl Default for TeamsMessageQuery {
    fn default() -> Self {
        Self { owner: None, account_id: None, chat_id: None, form: BodyForm::Html, limit: 50, cursor: None }
    }
}

/// The newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamsMessagePage {
    pub items: Vec<TeamsMessage>,
    /// Cursor of the next page; none at the end.
    pub next: Option<String>,
}
