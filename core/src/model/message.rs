use super::draft::{Address, BodyType, Importance};
use super::rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// A mail folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    pub id: String,
    pub account_id: String,
    pub display_name: String,
    /// `inbox`, `sentitems` …, when it is one of Microsoft's own.
    pub well_known_name: Option<String>,
    /// Chosen for sync.
    pub is_synced: bool,
    /// Messages held here.
    pub stored: u32,
    /// Messages, and unread ones among them: as held here where the folder is synced completely, else as Microsoft told last.
    pub total: u32,
    pub unread: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentInfo {
    pub id: String,
    pub name: String,
    pub content_type: String,
    /// Bytes.
    pub size: u32,
    pub is_inline: bool,
}

/// A mail as it was at the last sync; its body comes from `body`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Stable as long as the mail is in this mailbox, moves included.
    pub id: String,
    pub account_id: String,
    /// Microsoft's immutable id.
    pub graph_id: String,
    pub folder_id: String,
    pub conversation_id: String,
    pub internet_message_id: Option<String>,
    pub subject: String,
    /// First line or two of the text.
    pub preview: String,
    pub from_address: Option<Address>,
    pub sender_address: Option<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub reply_to: Vec<Address>,
    #[serde(with = "rfc3339::option")]
    pub received_at: Option<SystemTime>,
    #[serde(with = "rfc3339::option")]
    pub sent_at: Option<SystemTime>,
    pub is_read: bool,
    pub is_draft: bool,
    pub is_flagged: bool,
    pub importance: Importance,
    pub categories: Vec<String>,
    /// True when it has attachments other than inline ones.
    pub has_attachments: bool,
    /// Inline ones as well, where there are others or the HTML shows them. Listed once the mail is stored; `attachments_pending` of a sync counts those to come.
    pub attachments: Vec<AttachmentInfo>,
    pub web_link: Option<String>,
    /// Microsoft's version of the content (subject, people, body); read state, flag and categories may change under the same one. Empty: not told.
    pub change_key: String,
    /// The host's keys for what it is about: given by `link`, of the send whose copy it is, or of the messages and sends into whose conversation it came.
    #[serde(default)]
    pub links: Vec<String>,
    /// `is_flagged` says the same of `Flagged`.
    #[serde(default)]
    pub flag_status: FlagStatus,
    /// The day a flag is due, as Microsoft keeps it: mostly midnight of it, UTC.
    #[serde(default, with = "rfc3339::option")]
    pub flag_due_at: Option<SystemTime>,
    /// A change made here (`mark_read`, `flag` …) is still on its way to the mailbox.
    #[serde(default)]
    pub is_edit_waiting: bool,
}

/// `Complete`: it was flagged, and is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagStatus {
    #[default]
    NotFlagged,
    Flagged,
    Complete,
}

/// A form in which a body is made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyForm {
    /// As it was delivered, and nothing made of it.
    Original,
    Text,
    Html,
}

/// Body of a mail, as stored and in both forms; a form that was not asked for is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageBody {
    /// The form Microsoft delivered, and its content unchanged. Unsafe to show as HTML.
    pub body_type: BodyType,
    pub content: String,
    /// Plain text, made from the HTML where need be.
    pub text: String,
    /// HTML that is safe to show: an allow-list of elements, nothing remote.
    pub html: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageQuery {
    /// Whose mail: all accounts of an owner, or one account. One of them is needed; with both, the account must be the owner's.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    /// Folder by id or well-known name; without an account, that folder of all accounts of the owner.
    pub folder: Option<String>,
    pub is_read: Option<bool>,
    pub conversation_id: Option<String>,
    /// One of `links` of a message.
    pub link: Option<String>,
    /// 1 to 500.
    pub limit: u32,
    /// `next` of the page before; good for the same owner, account and filters.
    pub cursor: Option<String>,
}

impl Default for MessageQuery {
    fn default() -> Self {
        Self { owner: None, account_id: None, folder: None, is_read: None, conversation_id: None, link: None, limit: 50, cursor: None }
    }
}

/// Newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePage {
    pub items: Vec<Message>,
    /// Cursor of the next page; none at the end.
    pub next: Option<String>,
}

/// All mails of one conversation, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailThread {
    pub conversation_id: String,
    pub account_id: String,
    pub subject: String,
    pub messages: Vec<Message>,
}

/// Words to look for in subjects, names, addresses and bodies; all of them must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchQuery {
    /// 1 to 200 characters.
    pub text: String,
    /// As in `MessageQuery`.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    /// 1 to 500.
    pub limit: u32,
}

impl Default for SearchQuery {
    fn default() -> Self {
        Self { text: String::new(), owner: None, account_id: None, limit: 50 }
    }
}

/// Messages of an owner's accounts get a key of the host's own by who is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkRule {
    pub owner: String,
    /// As in `link`: 1 to 200 characters. One rule of an owner has it.
    pub key: String,
    /// Mail addresses, whatever the case of their letters. With `domains` 1 to 1,000.
    pub addresses: Vec<String>,
    /// As in `contoso.com`, which stands for its subdomains as well.
    pub domains: Vec<String>,
}
