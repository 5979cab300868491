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
    #[serde(default)]
    pub kind: AttachmentKind,
}

/// What an attachment is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttachmentKind {
    #[default]
    File,
    /// A mail, contact or event; its content is MIME, a vCard or iCalendar.
    Item,
    /// A link to a file in a drive. Microsoft tells its name here, and neither content nor address: `web_link` of the mail leads to it.
    Reference,
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
    /// Told once it was looked at, in the sync that brings it.
    #[serde(default)]
    pub kind: MessageKind,
}

/// What a message is, by its form. `Bounce`: a mail system reports that a mail did not arrive, or not yet. `AutomaticReply`: no person wrote it (out of office).
/// Its form can be forged: what is proven, and answers a mail that was sent here, stands in that receipt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    #[default]
    Ordinary,
    Bounce,
    AutomaticReply,
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

/// What becomes of pictures that a mail carries itself and shows in its HTML.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InlineImages {
    /// They stay named, as `cid:` and an id, for whoever shows them.
    #[default]
    Keep,
    /// They are read from the mailbox and take their place as `data:`: PNG, JPEG, GIF, WebP and BMP of up to 4 MB, 10 MB together. The others are left out.
    Data,
    LeaveOut,
}

/// What is made of a body beside its forms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct BodyOptions {
    pub inline_images: InlineImages,
    /// Quoted mail and signature are split off, by the marks of the large mail programs: `text` and `html` are what the sender wrote. Nothing is split off where the sender
    /// answered between the lines. A guess: show the rest on request, never drop it.
    pub split: bool,
}

/// Body of a mail, as stored and in both forms; a form that was not asked for is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageBody {
    /// The form Microsoft delivered, and its content unchanged. Unsafe to show as HTML.
    pub body_type: BodyType,
    pub content: String,
    /// Plain text, made from the HTML where need be.
    pub text: String,
    /// HTML that is safe to show: an allow-list of elements, nothing remote.
    pub html: String,
    /// With `split`: the mail below, and the signature, apart from `text` and `html`, in the same forms. Empty: none was found.
    #[serde(default)]
    pub quoted_text: String,
    #[serde(default)]
    pub quoted_html: String,
    #[serde(default)]
    pub signature_text: String,
    #[serde(default)]
    pub signature_html: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageQuery {
    /// Whose mail: all accounts of an owner, or one account. One of them is needed; with both, the account must be the owner's.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    /// Folder by id, well-known name in any case, display name or path (`Inbox/Candidates`); without an account, that folder of all accounts of the owner.
    pub folder: Option<String>,
    pub is_read: Option<bool>,
    pub conversation_id: Option<String>,
    /// One of `links` of a message.
    pub link: Option<String>,
    /// 1 to 500.
    pub limit: u32,
    /// `next` of the page before; good for the same owner, account and filters.
    pub cursor: Option<String>,
    /// With attachments other than inline ones, or without.
    pub has_attachments: Option<bool>,
    /// Received at this time or later.
    #[serde(with = "rfc3339::option")]
    pub received_after: Option<SystemTime>,
    /// Received before this time; so is one without a time.
    #[serde(with = "rfc3339::option")]
    pub received_before: Option<SystemTime>,
    /// With this address: sender, recipient, copy or blind copy. Capital letters do not matter.
    pub address: Option<String>,
}

impl Default for MessageQuery {
    fn default() -> Self {
        Self {
            owner: None,
            account_id: None,
            folder: None,
            is_read: None,
            conversation_id: None,
            link: None,
            limit: 50,
            cursor: None,
            has_attachments: None,
            received_after: None,
            received_before: None,
            address: None,
        }
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

/// Which conversations: those with a mail in the folder, an unread one, one with the link; of several filters, one mail that meets all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ThreadQuery {
    /// As in `MessageQuery`.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    /// Folder by id, well-known name in any case, display name or path (`Inbox/Candidates`); without an account, that folder of all accounts of the owner: `inbox` is the unified inbox.
    pub folder: Option<String>,
    pub unread_only: bool,
    /// One of `links` of a message.
    pub link: Option<String>,
    /// 1 to 200.
    pub limit: u32,
    /// `next` of the page before; good for the same owner, account and filters.
    pub cursor: Option<String>,
    /// With a mail with this address: sender, recipient, copy or blind copy.
    pub address: Option<String>,
}

impl Default for ThreadQuery {
    fn default() -> Self {
        Self { owner: None, account_id: None, folder: None, unread_only: false, link: None, limit: 50, cursor: None, address: None }
    }
}

/// One conversation of one account, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadSummary {
    /// Empty: a mail that belongs to none, and is a thread of its own.
    pub conversation_id: String,
    pub account_id: String,
    /// Of its oldest mail here.
    pub subject: String,
    /// Its newest mail that meets the filters.
    pub newest: Message,
    /// Mails of it that are here, in whatever folder; drafts and deleted ones as well where those folders are synced.
    pub messages: u32,
    /// Unread ones among them.
    pub unread: u32,
    /// Who wrote, the latest first, then who was written to; each once, 100 at the most, of the newest 50 mails and the oldest.
    pub participants: Vec<Address>,
    /// One of its mails has attachments other than inline ones.
    pub has_attachments: bool,
    /// Of the newest 50 mails and the oldest.
    pub links: Vec<String>,
}

/// By the time of `newest`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadPage {
    pub items: Vec<ThreadSummary>,
    /// Cursor of the next page; none at the end.
    pub next: Option<String>,
}

/// Words to look for; all of them must be there. `search` says where.
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
