//! People, teams, channels and chats, as Microsoft has them now. Nothing of it is kept here.

use super::usable::missing;
use super::{Engine, Inner};
use crate::auth::{allows, has_scope};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Caller;
use crate::model::*;
use crate::outbox::{check_address, check_id};
use crate::pipeline::Priority;
use crate::store::AccountRow;
use std::time::Duration;

/// How long one request may pause in all.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_PEOPLE: u32 = 100;
const MOST_CHATS: u32 = 1000;
const LONGEST_TEXT: usize = 200;
const READS_PEOPLE: &str = "User.ReadBasic.All";
const READS_TEAMS: &str = "Team.ReadBasic.All";
const READS_CHANNELS: &str = "Channel.ReadBasic.All";

impl Engine {
    /// The person of the organisation who has this mail address; none when there is nobody. The account of an organisation needs `User.ReadBasic.All` as a
    /// permission of the application. Errors: InvalidInput; NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing without the feature people or
    /// chat, or the permission; Conflict when more than one person has it. Source: Graph, user: list.
    pub async fn find_person(&self, account_id: String, address: String, owner: Option<String>) -> Result<Option<Person>> {
        check_address("address", &address)?;
        self.finish(|inner| async move {
            let (caller, row) = inner.caller_for_people(&account_id, owner.as_deref()).await?;
            let found = inner.reader.graph.find_person(&caller, &address).await.map_err(|e| missing(&row, e, READS_PEOPLE))?;
            Ok(found.map(Person::from))
        })
        .await
    }

    /// People of the organisation whose name or address begins with a text, by name. Errors: as `find_person`. Source: Graph, $search on users.
    pub async fn people(&self, query: PeopleQuery) -> Result<Vec<Person>> {
        check_people(&query)?;
        self.finish(|inner| async move {
            let (caller, row) = inner.caller_for_people(&query.account_id, query.owner.as_deref()).await?;
            let found = inner.reader.graph.people(&caller, &query.text, query.limit as usize).await.map_err(|e| missing(&row, e, READS_PEOPLE))?;
            Ok(found.into_iter().map(Person::from).collect())
        })
        .await
    }

    /// The teams the person belongs to; with the account of an organisation all its teams, for which the application needs `Team.ReadBasic.All` as its own. Errors:
    /// NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing without the feature channels, or the permission. Source: Graph, user: list joinedTeams, teams: list.
    pub async fn teams(&self, account_id: String, owner: Option<String>) -> Result<Vec<Team>> {
        self.finish(|inner| async move {
            let (caller, row) = inner.caller_for_teams(&account_id, owner.as_deref()).await?;
            inner.teams_of(&caller, &row).await
        })
        .await
    }

    /// The channels of a team that the person sees. Errors: as `teams`; InvalidInput; NotFound and Forbidden for a team that is not the person's.
    /// Source: Graph, channel: list.
    pub async fn channels(&self, account_id: String, team_id: String, owner: Option<String>) -> Result<Vec<TeamChannel>> {
        check_id("team_id", &team_id)?;
        self.finish(|inner| async move {
            let (caller, row) = inner.caller_for_teams(&account_id, owner.as_deref()).await?;
            let none = || Error::new(ErrorKind::NotFound, "There is no team with this id. Pass one as teams shows it.").on_account(&account_id);
            inner.reader.graph.channels(&caller, &team_id).await.map_err(|e| missing(&row, e, READS_CHANNELS))?.ok_or_else(none)
        })
        .await
    }

    /// All teams of the person with their channels, asked for twenty teams at a time. What is wrong with one team is told of that one. Errors: as `teams`.
    pub async fn all_channels(&self, account_id: String, owner: Option<String>) -> Result<Vec<TeamChannels>> {
        self.finish(|inner| async move {
            let (caller, row) = inner.caller_for_teams(&account_id, owner.as_deref()).await?;
            let teams = inner.teams_of(&caller, &row).await?;
            inner.reader.graph.channels_of(&caller, teams).await
        })
        .await
    }

    /// Chats the person is in, the one with the newest message first; `limit` 1 to 1000. It needs a permission that is not asked for sending: connect with
    /// `Chat.ReadBasic` or `Chat.Read` among the extra scopes. Errors: InvalidInput; NotFound (the account); NotConnected, NeedsReconnect; ConsentMissing.
    /// Source: Graph, chat: list.
    pub async fn chats(&self, account_id: String, limit: u32, owner: Option<String>) -> Result<Vec<TeamsChat>> {
        check_count(limit, MOST_CHATS)?;
        self.finish(|inner| async move {
            let caller = inner.caller_for_chats(&account_id, owner.as_deref(), &["Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite"]).await?;
            inner.reader.graph.chats(&caller, limit).await
        })
        .await
    }

    /// What was said in a chat, the newest first; `limit` 1 to 1000. It needs `Chat.Read` among the extra scopes the account was connected with. Microsoft's
    /// terms allow no chat to be polled more than once a day. Errors: as `chats`; NotFound for a chat the person is not in. Source: Graph, chat: list messages.
    pub async fn chat_messages(&self, account_id: String, chat_id: String, limit: u32, owner: Option<String>) -> Result<Vec<ChatMessage>> {
        check_id("chat_id", &chat_id)?;
        check_count(limit, MOST_CHATS)?;
        self.finish(|inner| async move {
            let caller = inner.caller_for_chats(&account_id, owner.as_deref(), &["Chat.Read", "Chat.ReadWrite"]).await?;
            let none = || Error::new(ErrorKind::NotFound, "There is no chat with this id, or the person is not in it.").on_account(&account_id);
            inner.reader.graph.chat_messages(&caller, &chat_id, limit).await?.ok_or_else(none)
        })
        .await
    }
}

fn check_count(limit: u32, most: u32) -> Result<()> {
    if (1..=most).contains(&limit) { Ok(()) } else { Err(Error::invalid(format!("limit must be 1 to {most}."))) }
}

fn check_people(query: &PeopleQuery) -> Result<()> {
    check_count(query.limit, MOST_PEOPLE)?;
    if query.text.trim().is_empty() || query.text.chars().count() > LONGEST_TEXT || query.text.chars().any(char::is_control) {
        return Err(Error::invalid("The text must have 1 to 200 characters, without control characters."));
    }
    Ok(())
}

impl Inner {
    /// A person who was connected for channels, or an organisation.
    async fn caller_for_teams(&self, account_id: &str, owner: Option<&str>) -> Result<(Caller, AccountRow)> {
        let row = match self.owned(account_id, owner).await?.kind {
            AccountKind::Tenant => self.connected(account_id).await?,
            _ => self.usable(account_id, Feature::Channels).await?,
        };
        Ok((Caller::new(account_id, Priority::Interactive, PATIENCE), row))
    }

    async fn teams_of(&self, caller: &Caller, row: &AccountRow) -> Result<Vec<Team>> {
        let teams = match row.kind {
            AccountKind::Tenant => self.reader.graph.teams_of_organisation(caller).await,
            _ => self.reader.graph.teams(caller).await,
        };
        teams.map_err(|e| missing(row, e, READS_TEAMS))
    }

    /// Both features that name people find them, and so does an organisation.
    async fn caller_for_people(&self, account_id: &str, owner: Option<&str>) -> Result<(Caller, AccountRow)> {
        let row = self.owned(account_id, owner).await?;
        let row = match row.kind {
            AccountKind::Tenant => self.connected(account_id).await?,
            _ if allows(&row, Feature::Chat) => self.usable(account_id, Feature::Chat).await?,
            _ => self.usable(account_id, Feature::People).await?,
        };
        Ok((Caller::new(account_id, Priority::Interactive, PATIENCE), row))
    }

    async fn caller_for_chats(&self, account_id: &str, owner: Option<&str>, any: &[&str]) -> Result<Caller> {
        self.owned(account_id, owner).await?;
        let row = self.usable(account_id, Feature::Chat).await?;
        if any.iter().any(|scope| has_scope(&row, scope)) {
            return Ok(Caller::new(account_id, Priority::Interactive, PATIENCE));
        }
        let least = any.first().copied().unwrap_or_default();
        let reason = format!("Chats are not read with what this account was granted. Connect it again with {least} among the extra scopes.");
        Err(Error::new(ErrorKind::ConsentMissing, reason).on_account(account_id))
    }
}
