//! Chats as they are told from one another by what was said last, and what was said in one since. Source: Graph, chat: list, chat: list messages.
//!
//! Delta is for applications alone (chat: getAllMessages), so a person's chats are listed.

use super::list::List;
use super::places::{PAGE, WireUser};
use super::wire::{self, ItemBody};
use super::{Caller, Graph, segment};
use crate::error::Result;
use crate::json::lenient;
use crate::model::{BodyType, ChatImportance, ChatMember, TeamsMessage, TeamsMessageKind, rfc3339};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// A chat, and what tells whether anything happened in it.
#[derive(Debug)]
pub struct ChatState {
    pub id: String,
    /// Another one once something is said, or what was said last is changed.
    pub mark: String,
    /// When something was said last.
    pub last_at: Option<SystemTime>,
}

/// What was said in a chat.
#[derive(Debug)]
pub struct TeamsMessageList {
    pub items: Vec<TeamsMessageItem>,
    /// Messages of no usable form: without an id, or without a time.
    pub unread: usize,
}

/// A message as Microsoft shows it, without what only this store knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphTeamsMessage {
    pub message: TeamsMessage,
    pub body_type: BodyType,
    pub sender_id: Option<String>,
}

#[derive(Debug)]
pub struct TeamsMessageItem {
    pub teams_message: GraphTeamsMessage,
    pub modified_at: SystemTime,
    pub is_deleted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireState {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    last_updated_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    last_message_preview: Option<WirePreview>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePreview {
    #[serde(default, deserialize_with = "lenient::scalar")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    created_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_deleted: Option<bool>,
    #[serde(default, deserialize_with = "lenient::object")]
    body: Option<ItemBody>,
}

impl From<WireState> for ChatState {
    fn from(chat: WireState) -> Self {
        let preview = chat.last_message_preview;
        let text = |text: Option<&String>| text.cloned().unwrap_or_default();
        let last = preview.as_ref();
        let parts = [
            text(chat.last_updated_date_time.as_ref()),
            text(last.and_then(|last| last.id.as_ref())),
            text(last.and_then(|last| last.created_date_time.as_ref())),
            last.and_then(|last| last.is_deleted).unwrap_or_default().to_string(),
            text(last.and_then(|last| last.body.as_ref()).and_then(|body| body.content.as_ref())),
        ];
        // Something was said, even if it is not told when.
        let updated_at = last.and(chat.last_updated_date_time.as_deref());
        let last_at = last.and_then(|last| last.created_date_time.as_deref()).and_then(wire::time).or_else(|| updated_at.and_then(wire::time));
        Self { id: chat.id, mark: parts.join("\n"), last_at }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireTeamsMessage {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    message_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    body: Option<ItemBody>,
    #[serde(default, deserialize_with = "lenient::object")]
    from: Option<WireSpeaker>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    subject: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    importance: Option<String>,
    #[serde(default, deserialize_with = "lenient::objects")]
    mentions: Vec<WireMention>,
    #[serde(default, deserialize_with = "lenient::objects")]
    attachments: Vec<WireAttached>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    created_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    last_modified_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    last_edited_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    deleted_date_time: Option<String>,
}

#[derive(Deserialize)]
struct WireSpeaker {
    #[serde(default, deserialize_with = "lenient::object")]
    user: Option<WireUser>,
    #[serde(default, deserialize_with = "lenient::object")]
    application: Option<WireUser>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMention {
    #[serde(default, deserialize_with = "lenient::scalar")]
    mention_text: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    mentioned: Option<WireSpeaker>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAttached {
    #[serde(default, deserialize_with = "lenient::scalar")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    content_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    name: Option<String>,
}

impl WireTeamsMessage {
    /// None: it has no time.
    pub(super) fn read(self, chat_id: &str) -> Option<TeamsMessageItem> {
        let at = |text: &Option<String>| text.as_deref().and_then(wire::time);
        let sent_at = at(&self.created_date_time).or_else(|| at(&self.last_modified_date_time))?;
        let (user, app) = self.from.map_or((None, None), |from| (from.user, from.application));
        let sender = user.map(|user| ChatMember { user_id: user.id, name: user.display_name.unwrap_or_default(), address: None });
        let mention = |one: WireMention| {
            let user = one.mentioned.and_then(|mentioned| mentioned.user);
            let name = wire::told(one.mention_text).or_else(|| user.as_ref().and_then(|user| user.display_name.clone())).unwrap_or_default();
            ChatMember { user_id: user.and_then(|user| user.id), name, address: None }
        };
        let is_quote = |one: &WireAttached| one.content_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("messageReference"));
        let kind = match self.message_type.as_deref() {
            Some(kind) if !kind.eq_ignore_ascii_case("message") => TeamsMessageKind::System,
            _ => TeamsMessageKind::Message,
        };
        let message = TeamsMessage {
            id: String::new(),
            account_id: String::new(),
            graph_id: self.id,
            chat_id: chat_id.to_owned(),
            kind,
            app_name: app.and_then(|app| app.display_name).filter(|_| sender.is_none()),
            is_own: false,
            subject: wire::told(self.subject),
            importance: match self.importance.as_deref().map(str::to_ascii_lowercase).as_deref() {
                Some("high") => ChatImportance::High,
                Some("urgent") => ChatImportance::Urgent,
                _ => ChatImportance::Normal,
            },
            mentions: self.mentions.into_iter().map(mention).collect(),
            reply_to: self.attachments.iter().find(|one| is_quote(one)).and_then(|one| one.id.clone()),
            attachments: self.attachments.into_iter().filter(|one| !is_quote(one)).filter_map(|one| wire::told(one.name)).collect(),
            sent_at,
            edited_at: at(&self.last_edited_date_time),
            body: String::new(),
            sender,
        };
        let body_type = self.body.as_ref().map(ItemBody::kind).unwrap_or_default();
        let body = self.body.and_then(|body| body.content).unwrap_or_default();
        let sender_id = message.sender.as_ref().and_then(|sender| sender.user_id.clone());
        let modified_at = at(&self.last_modified_date_time).unwrap_or(sent_at);
        Some(TeamsMessageItem { teams_message: GraphTeamsMessage { message: TeamsMessage { body, ..message }, body_type, sender_id }, modified_at, is_deleted: self.deleted_date_time.is_some() })
    }
}

impl Graph {
    /// The person's chats, the one with the newest message first, at most this many.
    pub async fn chat_states(&self, caller: &Caller, most: usize) -> Result<Vec<ChatState>> {
        let url = self.url("me/chats", &[("$expand", "lastMessagePreview"), ("$orderby", "lastMessagePreview/createdDateTime desc"), ("$top", &PAGE.to_string())])?;
        let list = self.list_some::<WireState>(caller, url, most).await?;
        Ok(list.map(|list| list.items).unwrap_or_default().into_iter().map(ChatState::from).collect())
    }

    /// What was said or changed in a chat since then, the newest first, at most this many. None: there is no such chat, or the person is not in it.
    pub async fn teams_messages_since(&self, caller: &Caller, chat_id: &str, since: SystemTime, most: usize) -> Result<Option<TeamsMessageList>> {
        let filter = format!("lastModifiedDateTime gt {}", rfc3339::to_text(since));
        let url = self.url(&format!("chats/{}/messages", segment(chat_id)?), &[("$orderby", "lastModifiedDateTime desc"), ("$filter", &filter), ("$top", &PAGE.to_string())])?;
        let list = self.list_some::<WireTeamsMessage>(caller, url, most).await?;
        let read = |list: List<WireTeamsMessage>| {
            let all = list.unread + list.items.len();
            let items: Vec<TeamsMessageItem> = list.items.into_iter().filter_map(|one| one.read(chat_id)).collect();
            TeamsMessageList { unread: all - items.len(), items }
        };
        Ok(list.map(read))
    }
}

#[cfg(test)]
#[path = "tests/teams_messages.rs"]
mod tests;
