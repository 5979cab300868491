//! Teams, their channels and tags: who may see them, and the lists of them.

use super::{Channel, Team, channels, denied, not_found};
use crate::clock::iso_ms;
use crate::graph::{Caller, bad, not_allowed, page};
use crate::http::{Answer, Call, encode};
use crate::odata::{self, Row};
use crate::query;
use crate::schema::{CHANNEL, TEAM};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

const READ_TEAMS: [&str; 5] = ["Team.ReadBasic.All", "TeamSettings.Read.All", "TeamSettings.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All"];
const READ_FILES: [&str; 8] =
    ["Files.Read.All", "Files.Read", "Files.ReadWrite", "Files.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"];
const READ_CHANNELS: [&str; 5] = ["Channel.ReadBasic.All", "ChannelSettings.Read.All", "ChannelSettings.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All"];

struct TeamRow<'a>(&'a Team);

impl Row for TeamRow<'_> {
    fn get(&self, path: &str) -> odata::Value {
        match path.to_ascii_lowercase().as_str() {
            "id" => odata::Value::Text(self.0.id.clone()),
            "displayname" => odata::Value::Text(self.0.name.clone()),
            "description" => self.0.description.clone().map_or(odata::Value::Null, odata::Value::Text),
            _ => odata::Value::Null,
        }
    }

    fn items(&self, _: &str) -> Vec<Vec<(String, String)>> {
        Vec::new()
    }
}

struct ChannelRow<'a>(&'a Channel);

impl Row for ChannelRow<'_> {
    fn get(&self, path: &str) -> odata::Value {
        match path.to_ascii_lowercase().as_str() {
            "id" => odata::Value::Text(self.0.id.clone()),
            "displayname" => odata::Value::Text(self.0.name.clone()),
            "membershiptype" => odata::Value::Text(self.0.kind.clone()),
            _ => odata::Value::Null,
        }
    }

    fn items(&self, _: &str) -> Vec<Vec<(String, String)>> {
        Vec::new()
    }
}

fn chosen(mut all: Value, select: &[String]) -> Value {
    if !select.is_empty() && let Some(fields) = all.as_object_mut() {
        fields.retain(|name, _| name.contains('@') || name == "id" || select.iter().any(|s| s.eq_ignore_ascii_case(name)));
    }
    all
}

/// What lists show of a team.
fn in_list(world: &World, team: &Team, select: &[String]) -> Value {
    let all = json!({
        "id": team.id, "createdDateTime": null, "displayName": team.name, "description": team.description, "internalId": null, "classification": null,
        "specialization": null, "visibility": null, "webUrl": null, "isArchived": team.archived,
        "tenantId": world.people.tenants[team.tenant].id,
    });
    chosen(all, select)
}

fn in_full(world: &World, team: &Team, select: &[String]) -> Value {
    let tenant = &world.people.tenants[team.tenant].id;
    let general = team.channels.first().map_or("", |c| c.id.as_str());
    let mut all = in_list(world, team, &[]);
    all["internalId"] = json!(general);
    all["visibility"] = json!("private");
    all["webUrl"] = json!(format!("https://teams.microsoft.com/l/team/{}/conversations?groupId={}&tenantId={tenant}", encode(general), team.id));
    chosen(all, select)
}

fn channel_json(world: &World, team: &Team, channel: &Channel, select: &[String]) -> Value {
    let tenant = &world.people.tenants[team.tenant].id;
    let all = json!({
        "id": channel.id, "createdDateTime": iso_ms(channel.created), "displayName": channel.name, "description": channel.description, "isFavoriteByDefault": null,
        "email": "", "tenantId": tenant, "membershipType": channel.kind, "isArchived": channel.archived || team.archived,
        "webUrl": format!("https://teams.microsoft.com/l/channel/{}/{}?groupId={}&tenantId={tenant}", encode(&channel.id), encode(&channel.name), team.id),
    });
    chosen(all, select)
}

fn person_without_teams(world: &World, person: usize) -> Option<Answer> {
    (!world.people.people[person].teams).then(|| {
        Answer::fail(403, "Forbidden", "Failed to get license information for the user. Ensure user has a valid Office365 license assigned to them.")
    })
}

/// `joinedTeams`: only of oneself, and no query options.
pub fn joined(world: &World, caller: &Caller, call: &Call, person: usize) -> Answer {
    if !caller.has(&READ_TEAMS) {
        return denied(caller, &READ_TEAMS.join(", "));
    }
    if caller.person.is_some_and(|me| me != person) {
        return Answer::fail(403, "Forbidden", "Forbidden");
    }
    if let Some(answer) = person_without_teams(world, person) {
        return answer;
    }
    let mine = world.teams.teams.iter().filter(|t| t.members.contains(&person));
    let value: Vec<Value> = mine.map(|t| in_list(world, t, &[])).collect();
    let count = value.len();
    page(format!("{}/$metadata#teams", call.base()), value, None, Some(count))
}

/// All teams of a tenant.
pub fn all(world: &World, caller: &Caller, call: &Call) -> Answer {
    if !caller.has(&READ_TEAMS) {
        return denied(caller, &READ_TEAMS.join(", "));
    }
    let read = || Ok((query::filter(call, &TEAM)?, query::select(call, &TEAM, "BadRequest")?));
    let (filter, select) = match read() {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let top = call.param("$top").and_then(|t| t.parse::<usize>().ok()).unwrap_or(100).clamp(1, 999);
    let skip = super::skipped(call);
    let fits: Vec<&Team> =
        world.teams.teams.iter().filter(|t| t.tenant == caller.tenant && filter.as_ref().is_none_or(|f| f.holds(&TeamRow(t)))).collect();
    let value: Vec<Value> = fits.iter().skip(skip).take(top).map(|t| in_list(world, t, &select)).collect();
    let next = (skip + top < fits.len()).then(|| odata::relink(call, "$skiptoken", &format!("c{}", skip + top)));
    page(format!("{}/$metadata#teams", call.base()), value, next, Some(fits.len()))
}

/// Everything below a team.
pub fn team(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, id: &str, rest: &[&str]) -> Answer {
    let Some(at) = world.teams.teams.iter().position(|t| t.id.eq_ignore_ascii_case(id) && t.tenant == caller.tenant) else {
        return not_found(&format!("No team found with Group Id {id}"));
    };
    if let Some(me) = caller.person {
        if let Some(answer) = person_without_teams(world, me) {
            return answer;
        }
        if !world.teams.teams[at].members.contains(&me) {
            return Answer::fail(403, "Forbidden", "The caller is not a member of the team.");
        }
    }
    let team = &world.teams.teams[at];
    let context = |what: &str| format!("{}/$metadata#teams('{}'){what}", call.base(), team.id);
    match (call.method.as_str(), rest) {
        ("GET", []) if !caller.has(&READ_TEAMS) => denied(caller, &READ_TEAMS.join(", ")),
        ("GET", []) => match query::select(call, &TEAM, "BadRequest") {
            Ok(select) => {
                let mut shown = in_full(world, team, &select);
                shown["@odata.context"] = json!(format!("{}/$metadata#teams/$entity", call.base()));
                Answer::json(200, &shown)
            }
            Err(answer) => answer,
        },
        ("GET", ["channels" | "allChannels" | "primaryChannel"] | ["channels", _]) if !caller.has(&READ_CHANNELS) => denied(caller, &READ_CHANNELS.join(", ")),
        ("GET", [list @ ("channels" | "allChannels")]) => {
            let read = || Ok((query::filter(call, &CHANNEL)?, query::select(call, &CHANNEL, "BadRequest")?));
            let (filter, select) = match read() {
                Ok(read) => read,
                Err(answer) => return answer,
            };
            let seen = team.channels.iter().filter(|c| channels::sees(c, caller.person) && filter.as_ref().is_none_or(|f| f.holds(&ChannelRow(c))));
            let value: Vec<Value> = seen.map(|c| channel_json(world, team, c, &select)).collect();
            let count = value.len();
            page(context(&format!("/{list}")), value, None, Some(count))
        }
        ("GET", [one @ "primaryChannel"]) | ("GET", ["channels", one]) => {
            let found = if *one == "primaryChannel" { team.channels.first() } else { team.channels.iter().find(|c| c.id == *one && channels::sees(c, caller.person)) };
            match (found, query::select(call, &CHANNEL, "BadRequest")) {
                (_, Err(answer)) => answer,
                (None, _) => not_found("NotFound"),
                (Some(channel), Ok(select)) => {
                    let mut shown = channel_json(world, team, channel, &select);
                    shown["@odata.context"] = json!(context("/channels/$entity"));
                    Answer::json(200, &shown)
                }
            }
        }
        ("GET", ["channels", channel, "filesFolder"]) => {
            if !caller.has(&READ_FILES) {
                return denied(caller, &READ_FILES.join(", "));
            }
            let found = team.channels.iter().position(|c| c.id == *channel && channels::sees(c, caller.person));
            match found {
                Some(channel) => crate::drive::folder(world, call, (at, channel)),
                None => not_found("NotFound"),
            }
        }
        (_, ["channels", channel, "messages", rest @ ..]) => match team.channels.iter().position(|c| c.id == *channel) {
            Some(channel) => channels::messages(world, caller, call, arrival, (at, channel), rest),
            None => not_found("NotFound"),
        },
        (_, ["installedApps", rest @ ..]) => crate::catalogue::below_team(world, caller, call, arrival, at, rest),
        (_, [] | ["channels" | "allChannels" | "primaryChannel", ..]) => not_allowed(),
        (_, [other, ..]) => bad(format!("Resource not found for the segment '{other}'.")),
    }
}
