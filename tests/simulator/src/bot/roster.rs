//! Who is in a conversation, and what is known of a team.

use super::conversations::Conversation;
use super::refusals::{argument, refuse, syntax};
use super::{Crowd, Spot, made_up, thread_id, user_id, user_id_of};
use crate::http::{Answer, Call, base64url, unbase64};
use crate::world::World;
use serde_json::{Value, json};

const PAGE: (usize, usize) = (50, 500);
/// The old list ends there.
const OLD_MAX: usize = 10_000;

/// How the object id is called: both are seen.
const IN_LISTS: &str = "objectId";
const ALONE: &str = "aadObjectId";

fn account(world: &mut World, bot: &str, person: usize, object: &str, hides: bool) -> Value {
    let id = user_id(world, bot, person);
    let p = &world.people.people[person];
    let (given, surname) = p.name.split_once(' ').unwrap_or((&p.name, ""));
    let mut out = json!({
        "id": id, "name": p.name, "givenName": given, "surname": surname, "userPrincipalName": p.user_name(), "tenantId": world.people.tenants[p.tenant].id,
        "userRole": if p.guest { "guest" } else { "user" },
    });
    out[object] = json!(p.oid);
    if !hides && let Some(mail) = p.mail() {
        out["email"] = json!(mail);
    }
    out
}

/// Somebody who is in the list alone.
fn extra(world: &World, bot: &str, team: usize, n: usize, hides: bool) -> Value {
    let of = &world.people.tenants[world.teams.teams[team].tenant()];
    let (object, name) = (made_up(world, &world.teams.teams[team].id, n), format!("member{}@{}", n + 1, of.domain));
    let mut out = json!({
        "id": user_id_of(world, bot, &object), "name": format!("Member {}", n + 1), "givenName": "Member", "surname": (n + 1).to_string(), "userPrincipalName": name,
        "tenantId": of.id, "userRole": "user",
    });
    out[IN_LISTS] = json!(object);
    if !hides {
        out["email"] = json!(name);
    }
    out
}

fn people(world: &World, spot: Spot) -> (Vec<usize>, Crowd) {
    match spot {
        Spot::Person(person) => (vec![person], Crowd::default()),
        Spot::Channel(team, _) => (world.teams.teams[team].members.clone(), world.bots.crowds.get(&team).copied().unwrap_or_default()),
    }
}

/// Those from `from` on. Real people come last, so that who looks for them has to turn the pages.
fn part(world: &mut World, bot: &str, spot: Spot, from: usize, most: usize) -> (Vec<Value>, bool) {
    let (real, crowd) = people(world, spot);
    let more = crowd.count.saturating_sub(real.len());
    let total = more + real.len();
    let mut out = Vec::new();
    for n in from..(from + most).min(total) {
        let one = match (spot, real.get(n.wrapping_sub(more))) {
            (Spot::Channel(team, _), _) if n < more => extra(world, bot, team, n, crowd.hides_emails),
            (_, Some(person)) => account(world, bot, *person, IN_LISTS, crowd.hides_emails),
            _ => continue,
        };
        out.push(one);
    }
    if crowd.is_endless && let Spot::Channel(team, _) = spot {
        for n in from.max(total)..from + most {
            out.push(extra(world, bot, team, n, crowd.hides_emails));
        }
    }
    (out, crowd.is_endless || from + most < total)
}

/// GET …/members
pub fn all(world: &mut World, bot: &str, conversation: &Conversation) -> Answer {
    let (members, _) = part(world, bot, conversation.spot, 0, OLD_MAX);
    Answer::json(200, &json!(members))
}

/// GET …/pagedMembers
pub fn paged(world: &mut World, call: &Call, bot: &str, conversation: &Conversation) -> Result<Answer, Answer> {
    let size = match call.param("pageSize") {
        None => PAGE.1,
        Some(text) => text.parse::<usize>().map_err(|_| argument("Bad page size"))?.clamp(PAGE.0, PAGE.1),
    };
    let from = match call.param("continuationToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => {
            let text = unbase64(&token).and_then(|bytes| String::from_utf8(bytes).ok());
            let from = text.as_deref().and_then(|text| text.strip_prefix("roster ")).and_then(|n| n.parse::<usize>().ok());
            from.ok_or_else(|| argument("Bad continuation token"))?
        }
    };
    let (members, goes_on) = part(world, bot, conversation.spot, from, size);
    let mut page = json!({ "members": members });
    if goes_on {
        page["continuationToken"] = json!(base64url(format!("roster {}", from + size).as_bytes()));
    }
    Ok(Answer::json(200, &page))
}

/// GET …/members/{id}: by the bot's id of a person, their object id, or their user name.
pub fn one(world: &mut World, bot: &str, conversation: &Conversation, id: &str) -> Result<Answer, Answer> {
    let unknown = || refuse(404, "MemberNotFoundInConversation", "Member not found in conversation.");
    let person = if id.starts_with("29:") {
        match world.bots.users.get(id) {
            Some((own, person)) if own == bot => *person,
            _ => return Err(argument("Failed to decrypt pairwise id")),
        }
    } else {
        let is = |p: &crate::people::Person| [p.user_name(), p.id.as_str(), p.oid.as_str()].iter().any(|name| name.eq_ignore_ascii_case(id));
        people(world, conversation.spot).0.into_iter().find(|at| is(&world.people.people[*at])).ok_or_else(unknown)?
    };
    let (real, crowd) = people(world, conversation.spot);
    if !real.contains(&person) {
        return Err(unknown());
    }
    Ok(Answer::json(200, &account(world, bot, person, ALONE, crowd.hides_emails)))
}

/// The team of a thread id, by which the Connector calls it.
pub fn team_of(world: &World, id: &str) -> Result<usize, Answer> {
    if !id.starts_with("19:") {
        return Err(syntax("Invalid team id"));
    }
    let found = world.teams.teams.iter().position(|t| t.channels.first().is_some_and(|c| c.id == id));
    found.ok_or_else(|| refuse(404, "NotFound", "Team not found."))
}

/// GET v3/teams/{id}
pub fn team(world: &World, team: usize) -> Answer {
    let one = &world.teams.teams[team];
    let crowd = world.bots.crowds.get(&team).copied().unwrap_or_default();
    Answer::json(200, &json!({
        "id": thread_id(world, team), "name": one.name, "aadGroupId": one.id, "channelCount": one.channels.len(), "memberCount": one.members.len().max(crowd.count),
        "tenantId": world.people.tenants[one.tenant()].id,
    }))
}

/// GET v3/teams/{id}/conversations: the channels that a bot may write to. The first has no name.
pub fn channels(world: &World, team: usize) -> Answer {
    let all = world.teams.teams[team].channels.iter().enumerate().filter(|(_, c)| c.kind() == "standard");
    let shown: Vec<Value> = all.map(|(n, c)| json!({"id": c.id, "name": (n > 0).then_some(&c.name)})).collect();
    Answer::json(200, &json!({ "conversations": shown }))
}
