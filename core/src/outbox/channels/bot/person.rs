//! Whom a message of the bot is for. A bot knows people by ids of its own, which nobody can compute: they are told in rosters and in what people say.

use super::{Bot, caller, connector, of_preparing};
use crate::bot;
use crate::error::{Error, ErrorKind, Result};
use crate::outbox::check::address;
use crate::outbox::job::{Job, Tools};
use crate::roster::{SeenPeople, by_of};

/// `29:…`, an object id, or an address. Errors: InvalidInput.
pub fn check(to: &str) -> Result<()> {
    if to.starts_with("29:") {
        return match bot::is_teams_user(to) {
            true => Ok(()),
            false => Err(Error::invalid("to is no id of somebody in Teams. Pass one as roster shows it; it looks like 29:1a2b….")),
        };
    }
    if crate::trust::is_guid(to) { Ok(()) } else { address("to", to) }
}

pub fn unknown() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "The bot has not seen this person. Name a team they are in by team_id, read its roster first, or have the app installed for them (install_app).",
    )
}

/// Id and name of somebody who was seen.
pub async fn seen(tools: &Tools, account_id: &str, who: &str) -> Result<Option<(String, String)>> {
    let people = SeenPeople { store: &*tools.store, vault: &tools.vault };
    people.find(account_id, &by_of(&tools.vault, account_id, who).await?).await
}

/// Their id and name: as they were seen, or else by a look into the team.
pub async fn find(job: &Job<Bot>, who: &str, team: Option<&str>) -> Result<(String, String)> {
    let (tools, account_id) = (&job.tools, job.item.account_id.as_str());
    if let Some(found) = seen(tools, account_id, who).await? {
        return Ok(found);
    }
    if bot::is_teams_user(who) {
        return Ok((who.to_owned(), String::new()));
    }
    let Some(team) = team else { return Err(unknown()) };
    let thread = crate::roster::team_thread(&tools.graph, &job.caller(), team).await.map_err(of_preparing)?;
    let member = connector(job)?.member(&caller(job, None).await?, &thread, who).await.map_err(of_preparing)?.ok_or_else(unknown)?;
    let found = member.user_id().map(str::to_owned).ok_or_else(unknown)?;
    let name = member.name.clone().unwrap_or_default();
    SeenPeople { store: &*tools.store, vault: &tools.vault }.keep(account_id, std::slice::from_ref(&member), job.now()).await?;
    Ok((found, name))
}
