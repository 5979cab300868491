//! What a bot knows: its tokens, the people it has seen, and its conversations. Each organisation's account has its own people and conversations.

use super::endpoints::EndpointRow;
use crate::error::Result;
use crate::model::{BotActivityKind, BotPlaceKind, BotPlaceState, ChangeKind};
use crate::seal::{AadContext, Sealed};
use async_trait::async_trait;

/// A token of the bot itself.
#[derive(Debug, Clone)]
pub struct BotTokenRow {
    /// The bot, and where its token is asked.
    pub name: String,
    pub version: i64,
    pub expires_at: i64,
    /// For its [`bot_token_place`].
    pub sealed: Sealed,
}

/// Under the store key.
pub fn bot_token_place(name: &str, version: i64) -> AadContext<'_> {
    AadContext { table: "bot_tokens", column: "sealed", account_id: "", row: name, version }
}

/// Somebody as the bot knows them.
#[derive(Debug, Clone)]
pub struct BotPersonRow {
    pub account_id: String,
    /// `29:…`
    pub teams_user_id: String,
    /// Of Entra, in small letters.
    pub object_id: Option<String>,
    /// Keyed, of the mail address and of the user name.
    pub address_hash: Option<[u8; 32]>,
    pub user_name_hash: Option<[u8; 32]>,
    pub version: i64,
    /// Name, address and user name, for its [`bot_person_place`].
    pub sealed: Sealed,
}

/// Under the content key.
pub fn bot_person_place<'a>(account_id: &'a str, teams_user_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "bot_people", column: "sealed", account_id, row: teams_user_id, version }
}

/// Whom the bot is to write to.
#[derive(Debug, Clone)]
pub enum BotPersonBy {
    /// `29:…`
    TeamsUser(String),
    Object(String),
    /// Keyed, of the mail address or user name.
    Address([u8; 32]),
}

#[derive(Debug, Clone)]
pub struct ConversationRow {
    pub account_id: String,
    pub conversation_id: String,
    pub kind: BotPlaceKind,
    /// With whom, of one with a person.
    pub teams_user_id: Option<String>,
    /// None: nobody has said.
    pub service_url: Option<String>,
    pub state: BotPlaceState,
    pub updated_at: i64,
    /// When something was said or happened there last.
    pub active_at: i64,
    pub version: i64,
    /// Names, for its [`conversation_place`]. None: none are known.
    pub sealed: Option<Sealed>,
}

/// Under the content key.
pub fn conversation_place<'a>(account_id: &'a str, conversation_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "bot_conversations", column: "sealed", account_id, row: conversation_id, version }
}

/// What a bot was told.
#[derive(Debug, Clone)]
pub struct NewActivity {
    pub public_id: String,
    pub account_id: String,
    pub conversation_id: String,
    /// Of Teams: of the message it is, or is about.
    pub activity_id: String,
    pub kind: BotActivityKind,
    /// What tells one that is posted again from another one.
    pub mark: String,
    pub at: i64,
    pub received_at: i64,
    /// For its [`activity_place`].
    pub sealed: Sealed,
}

/// Under the content key.
pub fn activity_place<'a>(account_id: &'a str, public_id: &'a str) -> AadContext<'a> {
    AadContext { table: "bot_activities", column: "sealed", account_id, row: public_id, version: 1 }
}

#[derive(Debug, Clone)]
pub struct ActivityRow {
    pub row_id: i64,
    pub public_id: String,
    pub account_id: String,
    pub conversation_id: String,
    pub activity_id: String,
    pub kind: BotActivityKind,
    pub at: i64,
    pub sealed: Sealed,
}

/// What an activity says, in one transaction.
#[derive(Debug, Clone)]
pub struct ActivityBatch {
    pub person: Option<BotPersonRow>,
    pub conversation: ConversationRow,
    /// None: it only tells where somebody can be reached.
    pub activity: Option<(NewActivity, Option<ChangeKind>)>,
    /// Places the bot may write to again, as endpoints know them.
    pub reachable: Vec<[u8; 32]>,
    /// Of people who installed the app and had linked themselves. One who has an endpoint there keeps it as it is.
    pub endpoints: Vec<EndpointRow>,
}

/// A part of the list of activities or of conversations.
#[derive(Debug, Clone, Default)]
pub struct BotWindow {
    pub account_ids: Vec<String>,
    pub conversation_id: Option<String>,
    /// Time and row of the last one that was shown.
    pub before: Option<(i64, i64)>,
    pub limit: u32,
}

#[async_trait]
pub trait BotStore {
    async fn bot_token(&self, name: &str) -> Result<Option<BotTokenRow>>;
    /// In place of an older one; a newer one stays.
    async fn save_bot_token(&self, row: &BotTokenRow) -> Result<()>;
    /// Notes these people, in one transaction. Those of accounts that have ended are left out.
    async fn keep_bot_people(&self, rows: &[BotPersonRow], now: i64) -> Result<()>;
    async fn bot_person(&self, account_id: &str, by: &BotPersonBy) -> Result<Option<BotPersonRow>>;
    /// Of these `29:…`, the versions of those who are here.
    async fn bot_people_versions(&self, account_id: &str, teams_user_ids: &[String]) -> Result<Vec<(String, i64)>>;
    /// Notes a conversation; where it is, only if it is said. Not of an account that has ended.
    async fn keep_conversation(&self, row: &ConversationRow) -> Result<()>;
    async fn conversation(&self, account_id: &str, conversation_id: &str) -> Result<Option<ConversationRow>>;
    /// The open one with a person that was used last.
    async fn conversation_with(&self, account_id: &str, teams_user_id: &str) -> Result<Option<ConversationRow>>;
    /// Where the Bot Connector is for this organisation, as was said last.
    async fn service_url(&self, account_id: &str) -> Result<Option<String>>;
    /// Who linked themselves as this person: the owners, a few at the most.
    async fn linked_as(&self, tenant_id: &str, object_id: &str) -> Result<Vec<String>>;
    /// Accounts of this organisation that are connected, in the order in which they were connected first.
    async fn organisations(&self, tenant_id: &str) -> Result<Vec<String>>;
    /// Whether it is known of another organisation, and not of this one.
    async fn is_conversation_of_another(&self, conversation_id: &str, tenant_id: &str) -> Result<bool>;
    /// In one transaction. None: the account has ended, and nothing was written. False: it was here already.
    async fn take_activity(&self, batch: &ActivityBatch) -> Result<Option<bool>>;
    /// What the bot said with this mark.
    async fn own_activity(&self, account_id: &str, mark: &str) -> Result<Option<ActivityRow>>;
    /// In place of what is kept of it, if that is there yet.
    async fn change_activity(&self, public_id: &str, kind: BotActivityKind, sealed: &Sealed) -> Result<()>;
    async fn activity(&self, public_id: &str) -> Result<Option<ActivityRow>>;
    /// The newest first, one more than `limit` if there are.
    async fn activities(&self, window: &BotWindow) -> Result<Vec<ActivityRow>>;
    /// The one in which something happened last first, with their rows' numbers; one more than `limit` if there are.
    async fn conversations(&self, window: &BotWindow) -> Result<Vec<(i64, ConversationRow)>>;
    /// Nothing happens if there is no such conversation. Where it is was not said by that, so it is as old as before.
    async fn set_conversation_state(&self, account_id: &str, conversation_id: &str, state: BotPlaceState) -> Result<()>;
}
