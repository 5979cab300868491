use super::draft::BodyType;
use super::rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// Somebody of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: String,
    pub name: String,
    /// Mail address; none where Microsoft shows none, as for some guests.
    pub address: Option<String>,
    /// Name of sign-in (user principal name).
    pub user_name: Option<String>,
    pub job_title: Option<String>,
    pub is_guest: bool,
}

/// Whom to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeopleQuery {
    pub account_id: String,
    /// Beginning of a name or of a mail address, 1 to 200 characters.
    pub text: String,
    /// 1 to 100.
    #[serde(default = "twenty")]
    pub limit: u32,
    /// Whose the account must be.
    pub owner: Option<String>,
}

fn twenty() -> u32 {
    20
}

/// A team that the person belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// Nothing can be posted in it.
    pub is_archived: bool,
}

/// `Private` and `Shared`: only its own members see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    Standard,
    Private,
    Shared,
    Other,
}

/// A channel of a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamChannel {
    pub id: String,
    pub team_id: String,
    pub name: String,
    pub description: Option<String>,
    pub kind: ChannelKind,
    pub is_archived: bool,
    /// Opens it in Teams.
    pub web_url: Option<String>,
}

/// A team with its channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamChannels {
    pub team: Team,
    pub channels: Vec<TeamChannel>,
    /// Why its channels could not be listed; the other teams are not concerned.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    OneOnOne,
    Group,
    Meeting,
    Other,
}

/// Somebody in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMember {
    /// None for somebody of another organisation whose id is not shown.
    pub user_id: Option<String>,
    pub name: String,
    pub address: Option<String>,
}

/// A chat that the person is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamsChat {
    pub id: String,
    pub kind: ChatKind,
    pub topic: Option<String>,
    /// The person included; of a large chat the first 25.
    pub members: Vec<ChatMember>,
    #[serde(with = "rfc3339::option")]
    pub updated_at: Option<SystemTime>,
    pub web_url: Option<String>,
}

/// What is said in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub id: String,
    pub chat_id: String,
    /// Who said it; none for an app or a message of Teams itself.
    pub sender: Option<ChatMember>,
    pub body: String,
    /// The body as HTML is as its sender wrote it: clean it before you show it.
    pub body_type: BodyType,
    pub is_deleted: bool,
    #[serde(with = "rfc3339::option")]
    pub sent_at: Option<SystemTime>,
    #[serde(with = "rfc3339::option")]
    pub edited_at: Option<SystemTime>,
}
