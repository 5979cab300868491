//! Teams, channels, chats and what is said in them, as lists. Source: Graph, user: list joinedTeams, team: list channels, chat: list, chat: list messages.

use super::batch::Item;
use super::wire::{self, ItemBody, Page};
use super::{Caller, Graph, fault, segment};
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use crate::model::{ChannelKind, ChatKind, ChatMember, ChatMessage, Team, TeamChannel, TeamChannels, TeamsChat};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(default, deserialize_with = "lenient::scalar")]
    display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Internal {
    #[serde(default, deserialize_with = "lenient::scalar")]
    internal_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTeam {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_archived: Option<bool>,
}

impl From<WireTeam> for Team {
    fn from(team: WireTeam) -> Self {
        Self { id: team.id, name: team.display_name.unwrap_or_default(), description: team.description, is_archived: team.is_archived.unwrap_or_default() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChannel {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    membership_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_archived: Option<bool>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    web_url: Option<String>,
}

impl WireChannel {
    fn of(self, team_id: &str) -> TeamChannel {
        let kind = match self.membership_type.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("standard") | None => ChannelKind::Standard,
            Some("private") => ChannelKind::Private,
            Some("shared") => ChannelKind::Shared,
            Some(_) => ChannelKind::Other,
        };
        TeamChannel {
            id: self.id,
            team_id: team_id.to_owned(),
            name: self.display_name.unwrap_or_default(),
            description: self.description,
            kind,
            is_archived: self.is_archived.unwrap_or_default(),
            web_url: self.web_url,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChat {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    chat_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    topic: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    last_updated_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    web_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::objects")]
    members: Vec<WireMember>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMember {
    #[serde(default, deserialize_with = "lenient::scalar")]
    user_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    email: Option<String>,
}

impl From<WireChat> for TeamsChat {
    fn from(chat: WireChat) -> Self {
        let kind = match chat.chat_type.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("oneonone") => ChatKind::OneOnOne,
            Some("group") => ChatKind::Group,
            Some("meeting") => ChatKind::Meeting,
            _ => ChatKind::Other,
        };
        let member = |one: WireMember| ChatMember { user_id: one.user_id, name: one.display_name.unwrap_or_default(), address: one.email.filter(|text| !text.is_empty()) };
        Self {
            id: chat.id,
            kind,
            topic: chat.topic,
            members: chat.members.into_iter().map(member).collect(),
            updated_at: chat.last_updated_date_time.as_deref().and_then(wire::time),
            web_url: chat.web_url,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChatMessage {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::object")]
    body: Option<ItemBody>,
    #[serde(default, deserialize_with = "lenient::object")]
    from: Option<WireFrom>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    created_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    last_edited_date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    deleted_date_time: Option<String>,
}

#[derive(Deserialize)]
struct WireFrom {
    #[serde(default, deserialize_with = "lenient::object")]
    user: Option<WireUser>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireUser {
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub(super) display_name: Option<String>,
}

impl WireChatMessage {
    fn of(self, chat_id: &str) -> ChatMessage {
        let at = |text: Option<&String>| text.and_then(|text| wire::time(text));
        let sender = self.from.and_then(|from| from.user).map(|user| ChatMember { user_id: user.id, name: user.display_name.unwrap_or_default(), address: None });
        ChatMessage {
            id: self.id,
            chat_id: chat_id.to_owned(),
            sender,
            body_type: self.body.as_ref().map(ItemBody::kind).unwrap_or_default(),
            is_deleted: self.deleted_date_time.is_some(),
            sent_at: at(self.created_date_time.as_ref()),
            edited_at: at(self.last_edited_date_time.as_ref()),
            body: self.body.and_then(|body| body.content).unwrap_or_default(),
        }
    }
}

const CHANNEL: &str = "id,displayName,description,membershipType,isArchived,webUrl";
/// The most that Graph gives of chats and of their messages in a page.
pub(super) const PAGE: u32 = 50;

fn channels_path(team_id: &str) -> Result<String> {
    Ok(format!("teams/{}/channels", segment(team_id)?))
}

impl Graph {
    /// None: there is no such team.
    pub async fn team_name(&self, caller: &Caller, team_id: &str) -> Result<Option<String>> {
        self.name_of(caller, &format!("teams/{}", segment(team_id)?)).await
    }

    /// None: there is no such channel in the team.
    pub async fn channel_name(&self, caller: &Caller, team_id: &str, channel_id: &str) -> Result<Option<String>> {
        self.name_of(caller, &format!("{}/{}", channels_path(team_id)?, segment(channel_id)?)).await
    }

    async fn name_of(&self, caller: &Caller, path: &str) -> Result<Option<String>> {
        let Some(response) = self.look(self.get(caller, self.url(path, &[("$select", "id,displayName")])?)).await? else { return Ok(None) };
        let name = wire::read::<Named>(&response.body)?.display_name.unwrap_or_default();
        if response.repeats(&name) { Err(wire::repeating()) } else { Ok(Some(name)) }
    }

    /// The team as the Bot Connector names it: its first channel. None: there is no such team, or it is not told. Source: Graph, team (internalId).
    pub async fn team_thread(&self, caller: &Caller, team_id: &str) -> Result<Option<String>> {
        let url = self.url(&format!("teams/{}", segment(team_id)?), &[("$select", "id,internalId")])?;
        let Some(response) = self.look(self.get(caller, url)).await? else { return Ok(None) };
        let thread = wire::read::<Internal>(&response.body)?.internal_id.filter(|id| !id.is_empty());
        match thread {
            Some(id) if response.repeats(&id) => Err(wire::repeating()),
            thread => Ok(thread),
        }
    }

    /// All teams of an organisation, as the application sees them. Source: Graph, teams: list.
    pub async fn teams_of_organisation(&self, caller: &Caller) -> Result<Vec<Team>> {
        let list = self.list::<WireTeam>(caller, self.url("teams", &[("$select", "id,displayName,description")])?).await?;
        Ok(list.map(|list| list.items).unwrap_or_default().into_iter().map(Team::from).collect())
    }

    /// The teams the person belongs to.
    pub async fn teams(&self, caller: &Caller) -> Result<Vec<Team>> {
        let list = self.list::<WireTeam>(caller, self.url("me/joinedTeams", &[])?).await?;
        Ok(list.map(|list| list.items).unwrap_or_default().into_iter().map(Team::from).collect())
    }

    /// The channels of a team that the person sees. None: there is no such team.
    pub async fn channels(&self, caller: &Caller, team_id: &str) -> Result<Option<Vec<TeamChannel>>> {
        let list = self.list::<WireChannel>(caller, self.url(&channels_path(team_id)?, &[("$select", CHANNEL)])?).await?;
        Ok(list.map(|list| list.items.into_iter().map(|one| one.of(team_id)).collect()))
    }

    /// The channels of all these teams, twenty teams a request; what is wrong with one team is told of that one.
    pub async fn channels_of(&self, caller: &Caller, teams: Vec<Team>) -> Result<Vec<TeamChannels>> {
        let paths = teams.iter().map(|team| Ok(format!("/{}?$select={CHANNEL}", channels_path(&team.id)?))).collect::<Result<Vec<_>>>()?;
        let found = self.batch_get(caller, &paths, fault::is_absent).await?;
        let mut all = Vec::with_capacity(teams.len());
        for (team, item) in teams.into_iter().zip(found) {
            let channels = match item {
                Item::Found(body, proofs) if proofs.are_in(&body) => Err(wire::repeating()),
                Item::Found(body, _) => self.whole_channels(caller, &team.id, &body).await,
                Item::Absent => Err(Error::new(ErrorKind::NotFound, "The team is gone, or the person no longer belongs to it.")),
                Item::Failed(error) => Err(error),
            };
            let (channels, problem) = match channels {
                Ok(channels) => (channels, None),
                Err(error) => (Vec::new(), Some(error.reason().to_owned())),
            };
            all.push(TeamChannels { team, channels, problem });
        }
        Ok(all)
    }

    /// The first page came in a batch; a list that goes on, of which there are hardly any, is read anew.
    async fn whole_channels(&self, caller: &Caller, team_id: &str, body: &str) -> Result<Vec<TeamChannel>> {
        let text = json::text(body.as_bytes());
        let mut page: Page<&RawValue> = wire::of_text(&text)?;
        if page.next_link.is_some() {
            return self.channels(caller, team_id).await.map(Option::unwrap_or_default);
        }
        Ok(page.items()?.into_iter().filter_map(|raw| wire::item::<WireChannel>(raw.get())).map(|one| one.of(team_id)).collect())
    }

    /// The person's chats, the one with the newest message first.
    pub async fn chats(&self, caller: &Caller, limit: u32) -> Result<Vec<TeamsChat>> {
        let top = limit.min(PAGE).to_string();
        let url = self.url("me/chats", &[("$expand", "members"), ("$orderby", "lastMessagePreview/createdDateTime desc"), ("$top", &top)])?;
        let list = self.list_some::<WireChat>(caller, url, limit as usize).await?;
        Ok(list.map(|list| list.items).unwrap_or_default().into_iter().map(TeamsChat::from).collect())
    }

    /// What was said in a chat, the newest first. None: there is no such chat, or the person is not in it.
    pub async fn chat_messages(&self, caller: &Caller, chat_id: &str, limit: u32) -> Result<Option<Vec<ChatMessage>>> {
        let top = limit.min(PAGE).to_string();
        let url = self.url(&format!("chats/{}/messages", segment(chat_id)?), &[("$orderby", "createdDateTime desc"), ("$top", &top)])?;
        let list = self.list_some::<WireChatMessage>(caller, url, limit as usize).await?;
        Ok(list.map(|list| list.items.into_iter().map(|one| one.of(chat_id)).collect()))
    }
}
