use super::draft::Address;
use super::rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    Mail,
    Reply,
    Forward,
    Chat,
    ChannelPost,
    Workflow,
    Bot,
    /// Of a whole that went to several endpoints.
    ToEndpoint,
}

/// The route of one send, as the outbox keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SendRoute {
    Mail,
    Reply,
    Forward,
    Chat,
    ChannelPost,
    Workflow,
    Bot,
}

impl From<SendRoute> for Route {
    fn from(route: SendRoute) -> Self {
        match route {
            SendRoute::Mail => Self::Mail,
            SendRoute::Reply => Self::Reply,
            SendRoute::Forward => Self::Forward,
            SendRoute::Chat => Self::Chat,
            SendRoute::ChannelPost => Self::ChannelPost,
            SendRoute::Workflow => Self::Workflow,
            SendRoute::Bot => Self::Bot,
        }
    }
}

impl Route {
    /// None: a whole has none.
    pub(crate) fn of_send(self) -> Option<SendRoute> {
        Some(match self {
            Self::Mail => SendRoute::Mail,
            Self::Reply => SendRoute::Reply,
            Self::Forward => SendRoute::Forward,
            Self::Chat => SendRoute::Chat,
            Self::ChannelPost => SendRoute::ChannelPost,
            Self::Workflow => SendRoute::Workflow,
            Self::Bot => SendRoute::Bot,
            Self::ToEndpoint => return None,
        })
    }
}

/// `Queued`: stored, not sent. `Sending`: under way. `Sent`: Microsoft has it. `Unknown`: it may have been sent; it is never repeated by itself.
/// `Failed`: it was not sent. `Cancelled`: taken back before it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendState {
    Queued,
    Sending,
    Sent,
    Unknown,
    Failed,
    Cancelled,
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub id: String,
    /// The account it leaves from, or the workflow it goes to. Empty for a whole.
    pub account_id: String,
    pub route: Route,
    pub state: SendState,
    pub key: Option<String>,
    /// As in its draft.
    #[serde(default)]
    pub link: Option<String>,
    /// Times it was tried with a request that may have had an effect, or whose process ended with it. Waiting for the network, a limit or a sign-in is no attempt.
    pub attempts: u32,
    /// Why it is not sent, or not yet, and what to do.
    pub reason: Option<String>,
    /// Message-ID header of a mail (RFC 5322).
    pub internet_message_id: Option<String>,
    /// Microsoft's id of the sent copy or chat message, and of the chat.
    pub graph_id: Option<String>,
    pub chat_id: Option<String>,
    /// The conversation of a sent mail, as in `conversation_id` of messages; none where Microsoft did not tell.
    pub conversation_id: Option<String>,
    #[serde(with = "rfc3339")]
    pub created_at: SystemTime,
    #[serde(with = "rfc3339::option")]
    pub sent_at: Option<SystemTime>,
    /// When it will be tried, or tried again.
    #[serde(with = "rfc3339::option")]
    pub next_attempt_at: Option<SystemTime>,
    /// It was open when the store was copied or restored, and waits for the host.
    #[serde(default)]
    pub is_parked: bool,
    /// What mail systems reported of a mail that did not arrive, or not yet, oldest first. Known once the reports are synced.
    #[serde(default)]
    pub bounces: Vec<Bounce>,
    /// Answers that no person wrote: out of office and the like, oldest first. Known once they are synced.
    #[serde(default)]
    pub automatic_replies: Vec<AutomaticReply>,
    /// The endpoint it goes to; None: it goes to none.
    #[serde(default)]
    pub endpoint_id: Option<String>,
    /// Id of the receipt of the whole it is a part of.
    #[serde(default)]
    pub whole_id: Option<String>,
    /// Of a whole: what became of each part, in the order in which the endpoints were made. Its own state is `Queued` while none has begun, `Sending` while one is open,
    /// then `Sent` if all were; else `Unknown` or `Failed` if one is, and `Cancelled` if all are.
    #[serde(default)]
    pub parts: Vec<SendPart>,
}

/// A part of a whole that was sent to endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendPart {
    pub endpoint_id: String,
    /// Its own receipt. None: it was refused as it was handed in, and nothing of it was stored.
    pub receipt_id: Option<String>,
    pub state: SendState,
    pub reason: Option<String>,
}

/// What a mail system reported of one recipient of a sent mail (RFC 3464).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounce {
    pub recipient: String,
    /// Status code as in RFC 3463: `5.1.10`.
    pub status: String,
    /// What the mail system said, in its own words and language; foreign text, 500 characters at the most.
    pub reason: Option<String>,
    pub kind: BounceKind,
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    /// The message that reports it, as in `Message.id`.
    pub message_id: String,
}

/// `Permanent`: given up, it will not arrive. `Temporary`: late, and still being tried; nothing has failed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BounceKind {
    Permanent,
    Temporary,
}

/// An answer to a sent mail that no person wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutomaticReply {
    pub from_address: Option<Address>,
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    /// The answer, as in `Message.id`.
    pub message_id: String,
}

/// The account and the From that an owner used last in a context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSender {
    pub account_id: String,
    /// None: the account's own address.
    pub from_address: Option<Address>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutboxFilter {
    /// Sends of all accounts and workflows of this owner. One of `owner` and `account_id` is needed.
    pub owner: Option<String>,
    /// Id of an account or of a workflow.
    pub account_id: Option<String>,
    pub state: Option<SendState>,
    /// Newest first, at most this many, 1 to 1000.
    pub limit: u32,
}

impl Default for OutboxFilter {
    fn default() -> Self {
        Self { owner: None, account_id: None, state: None, limit: 100 }
    }
}
