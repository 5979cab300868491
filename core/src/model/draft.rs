use super::bot::BotDraft;
use super::endpoint::EndpointDraft;
use super::rfc3339;
use super::teams::{ChannelPostDraft, ChatDraft};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::SystemTime;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyType {
    #[default]
    Text,
    Html,
    Markdown,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    Low,
    #[default]
    Normal,
    High,
}

/// A mail address with an optional display name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    pub address: String,
    pub name: String,
}

/// A file to send with a mail or a message of Teams: its content, below 3 MB, or the id of a content that was staged, of any size that Microsoft takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAttachment {
    pub name: String,
    /// Empty where `staged` says which content it is.
    pub content: Vec<u8>,
    #[serde(default = "octet_stream")]
    pub content_type: String,
    /// It is an image that the HTML body shows, as in `<img src="cid:logo">` with the content id `logo`; in a message of Teams a PNG, JPEG or GIF with a content of
    /// its own, all of them below 2.8 MB. None: it is listed below the mail or message.
    #[serde(default)]
    pub content_id: Option<String>,
    /// Id of a staged content of this account, as `stage_attachment` and the helpers for files and streams give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<String>,
}

/// What an account puts below its mails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signature {
    /// For bodies that are text.
    pub text: String,
    /// For those of HTML and Markdown, as it is; none: the text.
    pub html: String,
    /// What the HTML shows, as in `<img src="cid:logo">` with the content id `logo`. Each has a content of its own.
    pub images: Vec<FileAttachment>,
}

/// A header of a mail that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailHeader {
    pub name: String,
    pub value: String,
}

fn octet_stream() -> String {
    "application/octet-stream".to_owned()
}

/// A new mail. To, cc and bcc together 1 to 500 recipients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MailDraft {
    pub account_id: String,
    /// In whose name it leaves: a shared mailbox, a group or another person, if Exchange lets this account send as it, or on its behalf (recipients then see who
    /// wrote). It needs the feature shared_mailboxes. None: the account's own address, which may be given as well, and needs nothing more. The draft and the
    /// sent copy lie in the account's own mailbox.
    pub from_address: Option<Address>,
    /// What this mail is about to the host, 1 to 200 characters: `last_sender` then tells the account and the From that its owner used last in this context.
    /// Like the deadline it is no part of the content. None: nothing is remembered.
    pub context: Option<String>,
    pub to: Vec<Address>,
    pub subject: String,
    pub body: String,
    pub body_type: BodyType,
    /// Values for the fields of a template: names with dots, as in `candidate.first_name`. None: subject and body are taken to the letter, `{{` included. Some:
    /// both are templates, filled when the draft is handed in; only what they become is stored, compared and sent. `{{ name }}`, the filters `default`, `upper`,
    /// `lower`, `title`, `trim` and `escape`, and `{% if %}` with `and`, `or`, `not`, `==`, `!=` and `is defined`; no loops, and nothing else. Each value is escaped for
    /// where it stands: in HTML, as text; in Markdown, as text; in text, as it is. Every field that is named must be given, but those with `default` or
    /// `is defined`. 100 fields, names of 100 characters, templates and values of 256 KB, and 1 MB filled at the most.
    /// Source: Jinja, Template Designer Documentation.
    #[serde(skip_serializing)]
    pub merge_fields: Option<HashMap<String, String>>,
    /// Puts the account's signature below the body, as `set_signature` gave it: behind a line `-- ` where the body is text, else as HTML, with its images; a body in Markdown
    /// becomes HTML. It is added once the templates are filled, and is none itself. The signature of the moment counts in which the draft is handed in; it is no part of the
    /// content that `key` stands for, though whether there is one is. Errors: InvalidInput, where the account has none, and where an attachment has the content id of an image of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub add_signature: bool,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub reply_to: Vec<Address>,
    pub importance: Importance,
    pub attachments: Vec<FileAttachment>,
    /// Idempotency key, unique per account: the same key and content give the same receipt, other content is a Conflict.
    pub key: Option<String>,
    /// The host's own key for what the mail is about, as a candidate or a ticket, 1 to 200 characters. The sent copy carries it in `links` of its message once it is synced,
    /// and so does every mail that comes into its conversation afterwards; `messages` finds them by it. It is no part of the content, as the deadline is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Not sent after this time: what is provably unsent by then becomes `failed`, anything else `unknown`. None: it waits for as long as it takes. It is
    /// no part of the content: the same key with another deadline gives the send as it was first handed in.
    #[serde(with = "rfc3339::option")]
    pub deadline: Option<SystemTime>,
    /// Mails of one account with the same ordering key leave in the order in which they were handed in. None: this mail waits for no other. 1 to 200
    /// characters. It is no part of the content, as the deadline is none.
    pub ordering_key: Option<String>,
    /// Not sent before this time; until then the receipt is `queued`, and `send` answers at once. It may lie a year ahead. It waits for no other message and
    /// keeps no other waiting, but for those of its order that are to leave at the same time. Like the deadline it is no part of the content.
    #[serde(with = "rfc3339::option")]
    pub send_at: Option<SystemTime>,
    /// Asks the recipients' mail programs to confirm that it was read, and their mail servers that it arrived. Both may ignore it.
    pub read_receipt: bool,
    pub delivery_receipt: bool,
    /// Up to five headers of your own; their names begin with `x-`.
    pub headers: Vec<MailHeader>,
}

/// An answer within a conversation, to those who the message that is answered asks to answer to. Microsoft makes subject, recipients and the quoted
/// message below the body, and whether the answered message was read stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplyDraft {
    pub account_id: String,
    /// Id of the message that is answered, as `messages` shows it. It is one of this account.
    pub message_id: String,
    /// As in `MailDraft`.
    pub from_address: Option<Address>,
    pub context: Option<String>,
    pub body: String,
    pub body_type: BodyType,
    /// Values for the fields of the body, which then is a template; as in `MailDraft`.
    #[serde(skip_serializing)]
    pub merge_fields: Option<HashMap<String, String>>,
    /// As in `MailDraft`: it stands below the body and above the quoted message.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub add_signature: bool,
    /// Also to everybody else who got that message.
    pub to_all: bool,
    /// Beside those whom Microsoft fills in.
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub importance: Importance,
    pub attachments: Vec<FileAttachment>,
    /// Idempotency key, as in `MailDraft`.
    pub key: Option<String>,
    /// As in `MailDraft`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Not sent after this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub deadline: Option<SystemTime>,
    /// As in `MailDraft`; mails, replies and forwards share these keys. None: replies to one message leave in the order in which they were handed in.
    pub ordering_key: Option<String>,
    /// Not sent before this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub send_at: Option<SystemTime>,
    /// As in `MailDraft`.
    pub read_receipt: bool,
    pub delivery_receipt: bool,
    pub headers: Vec<MailHeader>,
}

/// A message passed on, with its attachments. Microsoft makes the subject and the quoted message below the body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ForwardDraft {
    pub account_id: String,
    /// Id of the message that is passed on, as `messages` shows it. It is one of this account.
    pub message_id: String,
    /// As in `MailDraft`.
    pub from_address: Option<Address>,
    pub context: Option<String>,
    pub to: Vec<Address>,
    pub body: String,
    pub body_type: BodyType,
    /// Values for the fields of the body, which then is a template; as in `MailDraft`.
    #[serde(skip_serializing)]
    pub merge_fields: Option<HashMap<String, String>>,
    /// As in `MailDraft`: it stands below the body and above the quoted message.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub add_signature: bool,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub importance: Importance,
    pub attachments: Vec<FileAttachment>,
    /// Idempotency key, as in `MailDraft`.
    pub key: Option<String>,
    /// As in `MailDraft`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Not sent after this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub deadline: Option<SystemTime>,
    /// As in `MailDraft`; mails, replies and forwards share these keys.
    pub ordering_key: Option<String>,
    /// Not sent before this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub send_at: Option<SystemTime>,
    /// As in `MailDraft`.
    pub read_receipt: bool,
    pub delivery_receipt: bool,
    pub headers: Vec<MailHeader>,
}

/// A post to a Teams workflow that was registered with `add_workflow`: a text, or an Adaptive Card. Posts to one workflow leave in the order in which they
/// were handed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkflowDraft {
    /// Id of the workflow, as `add_workflow` gives it.
    pub workflow_id: String,
    /// Shown as a card with this text. One of `text` and `card` is needed, not both. What is posted may have 28,000 bytes.
    pub text: Option<String>,
    /// Values for the fields of `text`, which then is a template; as in `MailDraft`.
    #[serde(skip_serializing)]
    pub merge_fields: Option<HashMap<String, String>>,
    /// An Adaptive Card as JSON, version 1.0 to 1.5.
    pub card: Option<String>,
    /// Idempotency key, as in `MailDraft`.
    pub key: Option<String>,
    /// Not sent after this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub deadline: Option<SystemTime>,
    /// Not sent before this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub send_at: Option<SystemTime>,
}

/// Anything that can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Draft {
    Mail { mail: MailDraft },
    Reply { reply: ReplyDraft },
    Forward { forward: ForwardDraft },
    Chat { chat: ChatDraft },
    ChannelPost { channel_post: ChannelPostDraft },
    Workflow { workflow: WorkflowDraft },
    Bot { bot: BotDraft },
    ToEndpoint { to_endpoint: EndpointDraft },
}

impl Draft {
    /// It is to leave later.
    pub(crate) fn is_scheduled(&self) -> bool {
        let send_at = match self {
            Self::Mail { mail } => mail.send_at,
            Self::Reply { reply } => reply.send_at,
            Self::Forward { forward } => forward.send_at,
            Self::Chat { chat } => chat.send_at,
            Self::ChannelPost { channel_post } => channel_post.send_at,
            Self::Workflow { workflow } => workflow.send_at,
            Self::Bot { bot } => bot.send_at,
            Self::ToEndpoint { to_endpoint } => to_endpoint.send_at,
        };
        send_at.is_some()
    }

    /// One to endpoints becomes drafts of their routes, once they are looked up.
    #[allow(clippy::result_large_err)] // taken apart at once by whoever asks
    pub(crate) fn by_route(self) -> std::result::Result<RouteDraft, EndpointDraft> {
        Ok(match self {
            Self::Mail { mail } => mail.into(),
            Self::Reply { reply } => reply.into(),
            Self::Forward { forward } => forward.into(),
            Self::Chat { chat } => chat.into(),
            Self::ChannelPost { channel_post } => channel_post.into(),
            Self::Workflow { workflow } => workflow.into(),
            Self::Bot { bot } => bot.into(),
            Self::ToEndpoint { to_endpoint } => return Err(to_endpoint),
        })
    }
}

/// A draft of one route: what the outbox takes, stores and sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RouteDraft {
    Mail { mail: MailDraft },
    Reply { reply: ReplyDraft },
    Forward { forward: ForwardDraft },
    Chat { chat: ChatDraft },
    ChannelPost { channel_post: ChannelPostDraft },
    Workflow { workflow: WorkflowDraft },
    Bot { bot: BotDraft },
}

impl RouteDraft {
    /// The message it answers or passes on.
    pub(crate) fn original(&self) -> Option<&str> {
        match self {
            Self::Reply { reply } => Some(&reply.message_id),
            Self::Forward { forward } => Some(&forward.message_id),
            Self::Mail { .. } | Self::Chat { .. } | Self::ChannelPost { .. } | Self::Workflow { .. } | Self::Bot { .. } => None,
        }
    }

    /// In whose name it leaves, if the host says so.
    pub(crate) fn named_sender(&self) -> Option<&Address> {
        match self {
            Self::Mail { mail } => mail.from_address.as_ref(),
            Self::Reply { reply } => reply.from_address.as_ref(),
            Self::Forward { forward } => forward.from_address.as_ref(),
            Self::Chat { .. } | Self::ChannelPost { .. } | Self::Workflow { .. } | Self::Bot { .. } => None,
        }
    }

    /// In which its sender is remembered.
    pub(crate) fn context(&self) -> Option<&str> {
        match self {
            Self::Mail { mail } => mail.context.as_deref(),
            Self::Reply { reply } => reply.context.as_deref(),
            Self::Forward { forward } => forward.context.as_deref(),
            Self::Chat { .. } | Self::ChannelPost { .. } | Self::Workflow { .. } | Self::Bot { .. } => None,
        }
    }

    /// The account it leaves from, or the workflow it goes to.
    pub(crate) fn account_id(&self) -> &str {
        match self {
            Self::Mail { mail } => &mail.account_id,
            Self::Reply { reply } => &reply.account_id,
            Self::Forward { forward } => &forward.account_id,
            Self::Chat { chat } => &chat.account_id,
            Self::ChannelPost { channel_post } => &channel_post.account_id,
            Self::Workflow { workflow } => &workflow.workflow_id,
            Self::Bot { bot } => &bot.account_id,
        }
    }
}

macro_rules! from_drafts {
    ($($name:ident { $field:ident: $of:ident }),+) => {
        $(
            impl From<$of> for Draft {
                fn from($field: $of) -> Self {
                    Self::$name { $field }
                }
            }

            impl From<$of> for RouteDraft {
                fn from($field: $of) -> Self {
                    Self::$name { $field }
                }
            }
        )+
    };
}

from_drafts!(
    Mail { mail: MailDraft },
    Reply { reply: ReplyDraft },
    Forward { forward: ForwardDraft },
    Chat { chat: ChatDraft },
    ChannelPost { channel_post: ChannelPostDraft },
    Workflow { workflow: WorkflowDraft },
    Bot { bot: BotDraft }
);

impl From<EndpointDraft> for Draft {
    fn from(to_endpoint: EndpointDraft) -> Self {
        Self::ToEndpoint { to_endpoint }
    }
}

/// What would be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Of a mail or a post in a channel; empty where there is none, and where Microsoft makes it.
    pub subject: String,
    /// Body or text, filled. Empty for a card.
    pub body: String,
    pub body_type: BodyType,
}
