//! What is said in channels: messages, and replies to them.

use super::messages::{self, Home};
use super::said::{self, Place};
use super::{Channel, ChatMessage, denied, found, not_found, size, skipped};
use crate::graph::{Caller, no_segment, not_allowed, page};
use crate::http::{Answer, Call};
use crate::odata;
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

const READ: [&str; 3] = ["ChannelMessage.Read.All", "Group.Read.All", "Group.ReadWrite.All"];
const SEND: [&str; 2] = ["ChannelMessage.Send", "Group.ReadWrite.All"];
const WRITE: [&str; 2] = ["ChannelMessage.ReadWrite", "Group.ReadWrite.All"];
const IMPORT: &str = "Message POST is allowed in application-only context only for import purposes. Refer to https://docs.microsoft.com/microsoftteams/platform/graph-api/import-messages/import-external-messages-to-teams";

/// A private or shared channel is seen by its members; an app sees all.
pub fn sees(channel: &Channel, person: Option<usize>) -> bool {
    match (&channel.members, person) {
        (Some(members), Some(person)) => members.contains(&person),
        _ => true,
    }
}

pub fn messages(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, place: (usize, usize), rest: &[&str]) -> Answer {
    let method = call.method.as_str();
    if method == "GET" {
        return read(world, caller, call, place, rest);
    }
    let Some(me) = caller.person else {
        return match caller.has(&["Teamwork.Migrate.All"]) {
            true => Answer::fail(401, "Unauthorized", IMPORT),
            false => denied(caller, "Teamwork.Migrate.All"),
        };
    };
    let (team, channel) = (&world.teams.teams[place.0], &world.teams.teams[place.0].channels[place.1]);
    if !sees(channel, Some(me)) {
        return Answer::fail(403, "Forbidden", "InsufficientPrivileges");
    }
    if team.archived || channel.archived {
        return Answer::fail(403, "Forbidden", "The team or channel is archived.");
    }
    let known = |id: &str| channel.messages.iter().find(|m| m.id.to_string() == id);
    match (method, rest) {
        ("POST", []) | ("POST", [_, "replies"]) if !caller.has(&SEND) => denied(caller, &SEND.join(", ")),
        ("POST", []) => post(world, call, arrival, place, me, None),
        ("POST", [root, "replies"]) => match known(root).filter(|m| m.reply_to.is_none()).map(|m| m.id) {
            Some(root) => post(world, call, arrival, place, me, Some(root)),
            None => not_found("NotFound"),
        },
        ("PATCH", [_]) | ("PATCH", [_, "replies", _]) | ("POST", [_, "softDelete"]) | ("POST", [_, "replies", _, "softDelete"]) if !caller.has(&WRITE) => {
            denied(caller, &WRITE.join(", "))
        }
        ("PATCH", [one]) | ("PATCH", [_, "replies", one]) => {
            let one = one.to_string();
            messages::change(world, call, &Place::Team(place.0), me, |world| found(&mut world.teams.teams[place.0].channels[place.1].messages, &one))
        }
        ("POST", [one, "softDelete"]) | ("POST", [_, "replies", one, "softDelete"]) => {
            let now = world.now();
            messages::soft_delete(found(&mut world.teams.teams[place.0].channels[place.1].messages, one), me, now)
        }
        (_, [] | [_] | [_, "replies", ..]) => not_allowed(),
        (_, [_, other, ..]) => no_segment(other),
    }
}

fn shown(world: &World, place: (usize, usize), m: &ChatMessage) -> Value {
    let team = &world.teams.teams[place.0];
    let home = Home::Channel { team: &team.id, channel: &team.channels[place.1].id, tenant: &world.people.tenants[team.tenant].id };
    messages::message_json(world, &home, m)
}

fn context(world: &World, call: &Call, place: (usize, usize), what: &str) -> String {
    let team = &world.teams.teams[place.0];
    format!("{}/$metadata#teams('{}')/channels('{}')/messages{what}", call.base(), team.id, team.channels[place.1].id)
}

fn read(world: &World, caller: &Caller, call: &Call, place: (usize, usize), rest: &[&str]) -> Answer {
    if !caller.has(&READ) {
        return denied(caller, &READ.join(", "));
    }
    let channel = &world.teams.teams[place.0].channels[place.1];
    if !sees(channel, caller.person) {
        return Answer::fail(403, "Forbidden", "InsufficientPrivileges");
    }
    let one = |id: &str, root: Option<&str>| {
        let message = channel.messages.iter().find(|m| m.id.to_string() == id && m.reply_to.map(|r| r.to_string()).as_deref() == root);
        match message {
            Some(message) => {
                let mut shown = shown(world, place, message);
                shown["@odata.context"] = json!(context(world, call, place, "/$entity"));
                Answer::json(200, &shown)
            }
            None => not_found("NotFound"),
        }
    };
    match rest {
        [] => list(world, call, place, None),
        [id] => one(id, None),
        [root, "replies"] => match root.parse() {
            Ok(root) => list(world, call, place, Some(root)),
            Err(_) => not_found("NotFound"),
        },
        [root, "replies", id] => one(id, Some(root)),
        [id, "hostedContents", rest @ ..] | [_, "replies", id, "hostedContents", rest @ ..] => match channel.messages.iter().find(|m| m.id.to_string() == *id) {
            Some(message) => super::hosted::show(call, message, rest),
            None => not_found("NotFound"),
        },
        [_, "replies", _, other, ..] => no_segment(other),
        [_, other, ..] => no_segment(other),
    }
}

fn list(world: &World, call: &Call, place: (usize, usize), root: Option<i64>) -> Answer {
    let top = match size(call, 20) {
        Ok(top) => top,
        Err(answer) => return answer,
    };
    let skip = skipped(call);
    let all: Vec<&ChatMessage> = world.teams.teams[place.0].channels[place.1].messages.iter().rev().filter(|m| m.reply_to == root).collect();
    let value: Vec<Value> = all.iter().skip(skip).take(top).map(|m| shown(world, place, m)).collect();
    let next = (skip + top < all.len()).then(|| odata::relink(call, "$skiptoken", &format!("c{}", skip + top)));
    let count = value.len();
    page(context(world, call, place, ""), value, next, Some(count))
}

fn post(world: &mut World, call: &Call, arrival: &Arrival, place: (usize, usize), me: usize, root: Option<i64>) -> Answer {
    let said = match said::read(world, call, &Place::Team(place.0), world.people.people[me].tenant) {
        Ok(said) => said,
        Err(answer) => return answer,
    };
    let (team_id, channel_id) = (world.teams.teams[place.0].id.clone(), world.teams.teams[place.0].channels[place.1].id.clone());
    if let Some(answer) = messages::too_soon(world, call, arrival, &channel_id, me, &said) {
        return answer;
    }
    let now = world.now();
    let messages = &mut world.teams.teams[place.0].channels[place.1].messages;
    let id = messages.last().map_or(now, |last| now.max(last.id + 1));
    let mut message = ChatMessage::new(id, me, root, said);
    let below = root.map_or_else(|| id.to_string(), |root| format!("{root}/replies/{id}"));
    super::hosted::settle(&mut message, &format!("{}/teams/{team_id}/channels/{channel_id}/messages/{below}", call.base()));
    messages.push(message);
    let last = world.teams.teams[place.0].channels[place.1].messages.last();
    let mut answer = last.map_or(Value::Null, |m| shown(world, place, m));
    answer["@odata.context"] = json!(context(world, call, place, "/$entity"));
    Answer::json(201, &answer)
}
