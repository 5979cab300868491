use super::draft::{Address, BodyType};
use super::rfc3339;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::SystemTime;

/// Kinds of endpoints. `TeamsChannel`: a channel of a team. `TeamsUser`: the bot's own chat with a person. `Workflow`: what was added with `add_workflow`. `Chat`: a chat of
/// a connected person. `Mail`: a mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointKind {
    TeamsChannel,
    TeamsUser,
    Workflow,
    Chat,
    Mail,
}

/// `Retired`: it gets nothing until it is changed; `reason` of it says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    Active,
    Retired,
}

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointTarget {
    /// Ids as `teams` and `channels` show them. Through the account of an organisation the bot writes there, through that of a person the person does.
    TeamsChannel { team_id: String, channel_id: String },
    /// A person of the organisation whose account it goes through, as `to` of a `BotDraft`.
    TeamsUser { user: String },
    /// Id as `add_workflow` gives it.
    Workflow { workflow_id: String },
    /// Either the mail address of a person (`to`), or a chat there is (`chat_id`), as in `ChatDraft`.
    Chat { to: Option<String>, chat_id: Option<String> },
    Mail { address: Address },
}

impl EndpointTarget {
    pub(crate) fn kind(&self) -> EndpointKind {
        match self {
            Self::TeamsChannel { .. } => EndpointKind::TeamsChannel,
            Self::TeamsUser { .. } => EndpointKind::TeamsUser,
            Self::Workflow { .. } => EndpointKind::Workflow,
            Self::Chat { .. } => EndpointKind::Chat,
            Self::Mail { .. } => EndpointKind::Mail,
        }
    }
}

/// An endpoint to add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRequest {
    /// Your own key of who is told something, 1 to 200 characters; it may be the owner of an account.
    pub subscriber: String,
    pub target: EndpointTarget,
    /// The account it goes through; empty for a workflow.
    #[serde(default)]
    pub account_id: String,
    /// What they are told there, as `interviews`: 1 to 200 characters. None: what names no context.
    #[serde(default)]
    pub context: Option<String>,
    /// Whose account or workflow it must be. None: anybody's.
    #[serde(default)]
    pub owner: Option<String>,
}

/// What becomes of an endpoint; what is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointChange {
    /// Where it is from now on, which makes it active.
    pub target: Option<EndpointTarget>,
    /// The account it goes through from now on; given with a target alone.
    pub account_id: Option<String>,
    /// Its context; an empty one takes it away.
    pub context: Option<String>,
    /// False retires it, true makes it active again.
    pub is_active: Option<bool>,
}

/// Where a subscriber is told something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub id: String,
    pub subscriber: String,
    pub context: Option<String>,
    /// The account it goes through, or the workflow.
    pub account_id: String,
    pub kind: EndpointKind,
    pub target: EndpointTarget,
    pub state: EndpointState,
    /// Why it was retired.
    pub reason: Option<String>,
    #[serde(with = "rfc3339")]
    pub created_at: SystemTime,
    #[serde(with = "rfc3339")]
    pub changed_at: SystemTime,
}

/// Which endpoints. One of `owner`, `account_id` and `subscriber` is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointQuery {
    /// Of the accounts and workflows of this owner.
    pub owner: Option<String>,
    /// Of this account or workflow.
    pub account_id: Option<String>,
    pub subscriber: Option<String>,
    /// With `subscriber`. Empty: those without a context.
    pub context: Option<String>,
    pub state: Option<EndpointState>,
    /// 1 to 1000.
    pub limit: u32,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

impl Default for EndpointQuery {
    fn default() -> Self {
        Self { owner: None, account_id: None, subscriber: None, context: None, state: None, limit: 100, cursor: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointPage {
    pub items: Vec<Endpoint>,
    /// For the next page; none: that was the last.
    pub next: Option<String>,
}

/// A message to one endpoint of a subscriber, or to all that are active in a context. Each endpoint gets it by its own route with a receipt of its own, and the receipt that `send`
/// gives stands for the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointDraft {
    pub subscriber: String,
    /// As in `EndpointRequest`: endpoints of this context and no other.
    pub context: Option<String>,
    /// The only endpoint that gets it, one of this subscriber; its context does not matter then. None: all that are active.
    pub endpoint_id: Option<String>,
    /// Of mails, which need one, and of a person's posts in channels.
    pub subject: String,
    /// Text, HTML or Markdown. Mails need one; Teams and workflows take `card` in its place.
    pub body: String,
    pub body_type: BodyType,
    /// Values for the fields of subject and body, which then are templates; as in `MailDraft`.
    #[serde(skip_serializing)]
    pub merge_fields: Option<HashMap<String, String>>,
    /// An Adaptive Card as JSON, shown in Teams and handed to workflows in place of the body. A bot's message shows the body as text where a card cannot be seen, as in a notification.
    pub card: Option<String>,
    /// Idempotency key, unique per subscriber: the same key and content give the same receipt, whatever endpoints there are by then; other content is a Conflict.
    pub key: Option<String>,
    /// Not sent after this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub deadline: Option<SystemTime>,
    /// Not sent before this time, as in `MailDraft`. It goes to the endpoints of the moment in which it is handed in.
    #[serde(with = "rfc3339::option")]
    pub send_at: Option<SystemTime>,
}

/// For whom an endpoint is made once a person has signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscriberLink {
    /// The subscriber. Empty: the owner of the request.
    pub subscriber: String,
    pub context: Option<String>,
    /// The account of the organisation through which the bot writes to them. Empty with `connect_tenant`: it is the one that is connected.
    pub account_id: String,
}
