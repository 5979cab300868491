use super::draft::BodyType;
use super::inbound::HttpResponse;
use super::rfc3339;
use super::teams::{ChatImportance, FileLink, Mention};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::SystemTime;

/// A message of the bot: to one person (`to`), as a new thread in a channel (`channel_id`), as an answer in one (`channel_id` and `reply_to`), or in a conversation
/// the bot was told of (`conversation_id`). Messages to one place leave in the order in which they were handed in, if they name it in the same way: a person's address,
/// object id and `29:…` are three names, and so is the conversation with them. Of one conversation Teams takes 60 messages in 30 seconds and 1,800 in an hour; what is more
/// waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BotDraft {
    /// Id of the account of an organisation, as `connect_tenant` gives it.
    pub account_id: String,
    /// Somebody of the organisation: the id that this bot knows them by (`29:…`, as `roster` shows it), their object id in Entra, or their mail address or user
    /// name. But for the first, they must have been seen: in a roster, or in a team named by `team_id`; by what somebody said to the bot they are known by object id.
    /// With `bot_external_id` nobody has to have been seen. The conversation with them is made once and remembered.
    pub to: String,
    /// Id of a conversation, as receipts show it in `chat_id`.
    pub conversation_id: Option<String>,
    /// Id of a channel, as `channels` shows it.
    pub channel_id: Option<String>,
    /// Id of the message at the head of the thread that is answered, as `graph_id` of its receipt.
    pub reply_to: Option<String>,
    /// The team in which somebody is looked for who was not seen yet, and that a channel is in, for `bot_external_id`: where the bot's app is missing, it is installed
    /// there. Its id as `teams` shows it.
    pub team_id: Option<String>,
    /// Text, HTML or Markdown. HTML is cleaned to what Teams shows. It may be empty beside a card or a file.
    pub body: String,
    pub body_type: BodyType,
    /// Values for the fields of the body, which then is a template; as in `MailDraft`.
    #[serde(skip_serializing)]
    pub merge_fields: Option<HashMap<String, String>>,
    /// Shown where a card cannot be, as in a notification; up to 500 characters.
    pub summary: Option<String>,
    /// `Urgent` counts as `High`: bots have no other.
    pub importance: ChatImportance,
    /// It also appears in the activity feed of whoever gets it.
    pub notify: bool,
    /// People only. They must have been seen, as in `to`.
    pub mentions: Vec<Mention>,
    /// Adaptive Cards as JSON, up to 10.
    pub cards: Vec<String>,
    /// Files that are somewhere already, up to 10; shown as links below the text.
    pub files: Vec<FileLink>,
    /// Idempotency key, as in `MailDraft`.
    pub key: Option<String>,
    /// Not sent after this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub deadline: Option<SystemTime>,
    /// Not sent before this time, as in `MailDraft`.
    #[serde(with = "rfc3339::option")]
    pub send_at: Option<SystemTime>,
}

/// Somebody in a team, as the bot sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterMember {
    /// `29:…`: this bot's own id for them.
    pub id: String,
    /// Of Entra. None: it is not told.
    pub object_id: Option<String>,
    pub name: String,
    /// None: the organisation hides it, or there is none.
    pub address: Option<String>,
    pub user_name: Option<String>,
    pub is_guest: bool,
}

/// Some people of a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterPage {
    pub items: Vec<RosterMember>,
    /// For the next page; none: that was the last.
    pub next: Option<String>,
}

/// `MessageEdited`, `MessageDeleted`: of a message that was there before. `Installed`, `Removed`: the app of the bot, for a person or a team. `CardAction`: a button
/// of a card was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotActivityKind {
    Message,
    MessageEdited,
    MessageDeleted,
    ReactionAdded,
    ReactionRemoved,
    Installed,
    Removed,
    CardAction,
}

/// Where a bot writes, and is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotPlaceKind {
    Personal,
    Group,
    Channel,
}

/// Whether the bot may write there, as it was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotPlaceState {
    Open,
    NotInstalled,
    Blocked,
    Gone,
}

/// Something that somebody said to the bot, that it was told, or that it said itself: then `kind` is `Message`, `MessageEdited` once its words were changed, or
/// `MessageDeleted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotActivity {
    pub id: String,
    pub account_id: String,
    /// For `conversation_id` of a `BotDraft`; of a thread in a channel it is the thread.
    pub conversation_id: String,
    pub kind: BotActivityKind,
    /// Teams' id of the message it is, or is about.
    pub activity_id: String,
    /// Who did it: the bot's own id for them (`29:…`). None: it is not told.
    pub sender_id: Option<String>,
    /// The same in Entra.
    pub sender_object_id: Option<String>,
    pub sender_name: String,
    /// What was said as plain text, without the mention of the bot. Strangers wrote it. Of what the bot said: the body as it was handed in, else the summary.
    pub text: String,
    /// What a card sends, as JSON; the reactions, separated by commas.
    pub value: Option<String>,
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    /// Which button of a card was pressed, if that has a verb (`Action.Execute`).
    pub verb: Option<String>,
    /// The bot itself said it; `sender_id` is then `28:…`.
    pub is_own: bool,
}

/// Which activities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BotActivityQuery {
    /// Whose: of all organisations of an owner, or of one account. One of them is needed; with both, the account must be the owner's.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    pub conversation_id: Option<String>,
    /// 1 to 500.
    pub limit: u32,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

impl Default for BotActivityQuery {
    fn default() -> Self {
        Self { owner: None, account_id: None, conversation_id: None, limit: 100, cursor: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotActivityPage {
    pub items: Vec<BotActivity>,
    /// For the next page; none: that was the last.
    pub next: Option<String>,
}

/// A conversation of the bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotConversation {
    pub account_id: String,
    /// For `conversation_id` of a `BotDraft`.
    pub id: String,
    pub kind: BotPlaceKind,
    pub state: BotPlaceState,
    /// With whom, of one with a person.
    pub user_id: Option<String>,
    /// Of the person, team or group; empty where it was not told.
    pub name: String,
    /// When something was said or happened there last, as far as the bot was told.
    #[serde(with = "rfc3339")]
    pub active_at: SystemTime,
}

/// Which conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BotConversationQuery {
    /// Whose: of all organisations of an owner, or of one account. One of them is needed; with both, the account must be the owner's.
    pub owner: Option<String>,
    pub account_id: Option<String>,
    /// 1 to 500.
    pub limit: u32,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

impl Default for BotConversationQuery {
    fn default() -> Self {
        Self { owner: None, account_id: None, limit: 100, cursor: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotConversationPage {
    pub items: Vec<BotConversation>,
    /// For the next page; none: that was the last.
    pub next: Option<String>,
}

/// Something that Teams asks the bot and waits for: the host answers it with a `BotAnswer`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotInvoke {
    /// Of the organisation. Where it is connected more than once: the account that was connected first.
    pub account_id: String,
    /// For `conversation_id` of a `BotDraft`.
    pub conversation_id: String,
    /// The same when it is posted again; empty where Teams gives none.
    pub activity_id: String,
    /// Who did it, as in `BotActivity`.
    pub sender_id: Option<String>,
    pub sender_object_id: Option<String>,
    pub sender_name: String,
    /// What is asked: `adaptiveCard/action`, `signin/verifyState`, or another name of Teams.
    pub name: String,
    /// What comes with it, as JSON; none of a `signin/verifyState`. Strangers wrote it.
    pub value: Option<String>,
    /// Of an `adaptiveCard/action`: the verb of the button.
    pub verb: Option<String>,
    /// Of an `adaptiveCard/action`: what the card sends, as JSON.
    pub data: Option<String>,
    /// Of an `adaptiveCard/action`: nobody pressed a button, the card refreshes itself because it is shown.
    pub is_automatic: bool,
    /// Of a `signin/verifyState`: the code that the sign-in page handed over. A secret.
    pub sign_in_state: Option<String>,
    /// Teams' id of the message that it is about, such as the one with the card.
    pub reply_to: Option<String>,
    /// Language of the person, as in `en-US`.
    pub locale: Option<String>,
}

/// What came to the route of a host that answers what Teams asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotReceived {
    /// What to answer with, unless there is something in `invoke` that is answered.
    pub response: HttpResponse,
    /// It is proven, and Teams waits, some ten seconds.
    pub invoke: Option<BotInvoke>,
}

/// What the host answers to a `BotInvoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotAnswer {
    /// To an `adaptiveCard/action`: an Adaptive Card as JSON, shown in place of the one whose button was pressed.
    Card { card: String },
    /// To an `adaptiveCard/action`: a text that is shown to the person.
    Message { text: String },
    /// It did not work. `status`: 400 to 599, as in HTTP; `reason` is shown to the person.
    Failure { status: u32, reason: String },
    /// To anything but an `adaptiveCard/action`: the JSON that Teams documents for it.
    Json { body: String },
    /// It is done, and there is nothing to show.
    Done,
}
