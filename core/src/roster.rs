//! People as a bot sees them, and what is remembered of them, so that they can be written to by address later.

use crate::bot::{BotCaller, Member, is_team_thread, is_teams_user};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Caller, Graph};
use crate::model::RosterMember;
use crate::store::{BotPersonBy, BotPersonRow, ConversationRow, Store, bot_person_place};
use crate::vault::{Hashes, Vault};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What is shown of somebody, under the content key.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Shown {
    name: String,
    address: Option<String>,
    user_name: Option<String>,
}

/// The people that the bot has seen in an organisation.
pub struct SeenPeople<'a> {
    pub store: &'a dyn Store,
    pub vault: &'a Vault,
}

fn hash(hashes: &Hashes, address: &str) -> Result<[u8; 32]> {
    hashes.of("bot person", &[address.to_lowercase().as_bytes()])
}

/// How somebody is looked for.
pub async fn by_of(vault: &Vault, account_id: &str, who: &str) -> Result<BotPersonBy> {
    if is_teams_user(who) {
        return Ok(BotPersonBy::TeamsUser(who.to_owned()));
    }
    if crate::trust::is_guid(who) {
        return Ok(BotPersonBy::Object(who.to_ascii_lowercase()));
    }
    Ok(BotPersonBy::Address(hash(&vault.hashes(account_id).await?, who)?))
}

impl SeenPeople<'_> {
    /// Id and name.
    pub async fn find(&self, account_id: &str, by: &BotPersonBy) -> Result<Option<(String, String)>> {
        let read = async || {
            let Some(row) = self.store.bot_person(account_id, by).await? else { return Ok(None) };
            let plain = self.vault.content(account_id).await?.open(bot_person_place(account_id, &row.teams_user_id, row.version), &row.sealed)?;
            let shown: Shown = serde_json::from_slice(&plain).unwrap_or_default();
            Ok(Some((row.teams_user_id, shown.name)))
        };
        self.vault.with_current_keys(read).await
    }

    /// Notes them, in one transaction. Those whom nobody can write to are left out.
    pub async fn keep(&self, account_id: &str, members: &[Member], now: i64) -> Result<()> {
        // Of one who is there twice, the last word counts.
        let members: HashMap<&str, &Member> = members.iter().filter_map(|member| Some((member.user_id()?, member))).collect();
        let ids: Vec<String> = members.keys().map(|id| (*id).to_owned()).collect();
        let write = async || {
            let (content, hashes) = (self.vault.content(account_id).await?, self.vault.hashes(account_id).await?);
            let versions: HashMap<String, i64> = self.store.bot_people_versions(account_id, &ids).await?.into_iter().collect();
            let mut rows = Vec::with_capacity(members.len());
            for (id, member) in &members {
                let shown = Shown { name: member.name.clone().unwrap_or_default(), address: member.email.clone(), user_name: member.user_principal_name.clone() };
                let text = serde_json::to_vec(&shown).map_err(|e| Error::internal("Somebody cannot be written.").with_source(e))?;
                let version = versions.get(*id).map_or(1, |version| version + 1);
                let hashed = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(|text| hash(&hashes, text)).transpose();
                rows.push(BotPersonRow {
                    account_id: account_id.to_owned(),
                    teams_user_id: (*id).to_owned(),
                    object_id: member.object_id(),
                    address_hash: hashed(&shown.address)?,
                    user_name_hash: hashed(&shown.user_name)?,
                    version,
                    sealed: content.seal(bot_person_place(account_id, id, version), &text)?,
                });
            }
            self.store.keep_bot_people(&rows, now).await
        };
        self.vault.with_current_keys(write).await
    }
}

/// Who asks the Bot Connector, and where: at the address that is known of a conversation, or else where the organisation was heard of last.
pub async fn bot_caller(store: &dyn Store, caller: &Caller, known: Option<&ConversationRow>) -> Result<BotCaller> {
    let heard = store.service_url(&caller.account_id).await?;
    let service_url = known.and_then(|row| row.service_url.clone()).or_else(|| heard.clone());
    let person = known.and_then(|row| row.teams_user_id.clone());
    Ok(BotCaller { account_id: caller.account_id.clone(), service_url, heard, person, priority: caller.priority, max_wait: caller.max_wait })
}

/// The team as the Bot Connector names it: by its first channel. One that is given in that form is taken as it is.
pub async fn team_thread(graph: &Graph, caller: &Caller, team_id: &str) -> Result<String> {
    if is_team_thread(team_id) {
        return Ok(team_id.to_owned());
    }
    graph.team_thread(caller, team_id).await?.filter(|id| is_team_thread(id)).ok_or_else(|| Error::new(ErrorKind::NotFound, "There is no team with this id. Pass one as teams shows it."))
}

/// None: nobody can write to them.
pub fn shown(member: Member) -> Option<RosterMember> {
    let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let (id, object_id) = (member.user_id()?.to_owned(), member.object_id());
    let (address, user_name) = (given(member.email), given(member.user_principal_name));
    let is_guest = member.user_role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("guest") || role.eq_ignore_ascii_case("anonymous"))
        || user_name.as_deref().is_some_and(|name| name.to_ascii_uppercase().contains("#EXT#"));
    let name = given(member.name).or_else(|| user_name.clone()).unwrap_or_default();
    Some(RosterMember { id, object_id, name, address, user_name, is_guest })
}

/// Somebody who did something where the bot is. None: they are known already, and more is known of them than this.
pub async fn seen(people: &SeenPeople<'_>, account_id: &str, teams_user_id: &str, object_id: Option<&str>, name: &str) -> Result<Option<BotPersonRow>> {
    if people.store.bot_person(account_id, &BotPersonBy::TeamsUser(teams_user_id.to_owned())).await?.is_some() {
        return Ok(None);
    }
    let text = serde_json::to_vec(&Shown { name: name.to_owned(), ..Shown::default() }).map_err(|e| Error::internal("Somebody cannot be written.").with_source(e))?;
    Ok(Some(BotPersonRow {
        account_id: account_id.to_owned(),
        teams_user_id: teams_user_id.to_owned(),
        object_id: object_id.map(str::to_owned),
        address_hash: None,
        user_name_hash: None,
        version: 1,
        sealed: people.vault.content(account_id).await?.seal(bot_person_place(account_id, teams_user_id, 1), &text)?,
    }))
}
