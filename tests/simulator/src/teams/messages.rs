//! What is said in a chat.

use super::said::{self, Place, Said};
use super::{ChatMessage, size, skipped};
use crate::clock::iso_ms;
use crate::graph::{bad, page};
use crate::http::{Answer, Call};
use crate::limits::Teams;
use crate::odata::{self, Row};
use crate::query;
use crate::schema::CHAT_MESSAGE;
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

pub fn body(m: &ChatMessage) -> Value {
    if m.deleted.is_some() {
        return json!({"contentType": "html", "content": ""});
    }
    json!({"contentType": if m.html { "html" } else { "text" }, "content": m.content})
}

pub fn from(world: &World, m: &ChatMessage) -> Value {
    if m.system {
        return Value::Null;
    }
    let p = &world.people.people[m.from];
    json!({
        "application": null, "device": null,
        "user": {
            "@odata.type": "#microsoft.graph.teamworkUserIdentity", "id": p.id, "displayName": p.name,
            "userIdentityType": "aadUser", "tenantId": world.people.tenant_of(m.from).id,
        },
    })
}

/// Where a message is: its chat, or its channel and team with the link to it.
pub enum Home<'a> {
    Chat(&'a str),
    Channel { team: &'a str, channel: &'a str, tenant: &'a str },
}

pub fn message_json(world: &World, home: &Home, m: &ChatMessage) -> Value {
    let (chat, channel, link) = match home {
        Home::Chat(id) => (json!(id), Value::Null, Value::Null),
        Home::Channel { team, channel, tenant } => {
            let (place, parent) = (crate::http::encode(channel), m.reply_to.unwrap_or(m.id));
            let link = format!("https://teams.microsoft.com/l/message/{place}/{}?groupId={team}&tenantId={tenant}&createdTime={}&parentMessageId={parent}", m.id, m.id);
            (Value::Null, json!({"teamId": team, "channelId": channel}), json!(link))
        }
    };
    let changed = m.changed();
    let gone = m.deleted.is_some();
    json!({
        "id": m.id.to_string(), "replyToId": m.reply_to.map(|id| id.to_string()), "etag": changed.to_string(), "messageType": m.kind(),
        "createdDateTime": iso_ms(m.id), "lastModifiedDateTime": iso_ms(changed), "lastEditedDateTime": m.edited.map(iso_ms),
        "deletedDateTime": m.deleted.map(iso_ms), "subject": m.subject, "summary": null, "chatId": chat, "importance": m.importance, "locale": "en-us",
        "webUrl": link, "channelIdentity": channel, "policyViolation": null, "eventDetail": null, "from": from(world, m), "body": body(m),
        "attachments": if gone { json!([]) } else { m.attachments.clone() }, "mentions": if gone { json!([]) } else { m.mentions.clone() }, "reactions": [],
    })
}

pub fn with_context(world: &World, call: &Call, chat: usize, message: usize) -> Value {
    let chat = &world.teams.chats[chat];
    let mut shown = message_json(world, &Home::Chat(&chat.id), &chat.messages[message]);
    shown["@odata.context"] = json!(format!("{}/$metadata#chats('{}')/messages/$entity", call.base(), chat.id));
    shown
}

pub struct MessageRow<'a>(pub &'a ChatMessage);

impl Row for MessageRow<'_> {
    fn get(&self, path: &str) -> odata::Value {
        match path.to_ascii_lowercase().as_str() {
            "createddatetime" => odata::Value::Time(self.0.id),
            "lastmodifieddatetime" => odata::Value::Time(self.0.changed()),
            _ => odata::Value::Null,
        }
    }

    fn items(&self, _: &str) -> Vec<Vec<(String, String)>> {
        Vec::new()
    }
}

pub fn list(world: &World, call: &Call, at: usize) -> Answer {
    let top = match size(call, 20) {
        Ok(top) => top,
        Err(answer) => return answer,
    };
    let read = || Ok((query::filter(call, &CHAT_MESSAGE)?, query::order(call, &CHAT_MESSAGE)?));
    let (filter, order) = match read() {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    if order.iter().any(|(_, down)| !down) {
        return bad("QueryOptions to order by in ascending order is not supported.");
    }
    let ordered = order.first().map_or("", |(path, _)| path);
    if filter.as_ref().is_some_and(|f| f.properties().iter().any(|p| !p.eq_ignore_ascii_case(ordered))) {
        return bad("The $filter property must be the same as the $orderby property.");
    }
    let chat = &world.teams.chats[at];
    let mut all: Vec<&ChatMessage> =
        chat.messages.iter().rev().filter(|m| filter.as_ref().is_none_or(|f| f.holds(&MessageRow(m)))).collect();
    if ordered == "lastmodifieddatetime" {
        all.sort_by_key(|m| std::cmp::Reverse(m.changed()));
    }
    let skip = skipped(call);
    let value: Vec<Value> = all.iter().skip(skip).take(top).map(|m| message_json(world, &Home::Chat(&chat.id), m)).collect();
    let next = (skip + top < all.len()).then(|| odata::relink(call, "$skiptoken", &format!("c{}", skip + top)));
    let count = value.len();
    page(format!("{}/$metadata#chats('{}')/messages", call.base(), chat.id), value, next, Some(count))
}

pub fn post(world: &mut World, call: &Call, arrival: &Arrival, at: usize, me: usize) -> Answer {
    let chat_id = world.teams.chats[at].id.clone();
    let said = match said::read(world, call, &Place::Chat(&chat_id), world.people.people[me].tenant) {
        Ok(said) => said,
        Err(answer) => return answer,
    };
    if let Some(answer) = too_soon(world, call, arrival, &chat_id, me, &said) {
        return answer;
    }
    let now = world.now();
    let chat = &mut world.teams.chats[at];
    // Ids are the time in milliseconds, and no two are the same.
    let id = chat.messages.last().map_or(now, |last| now.max(last.id + 1));
    chat.updated = chat.updated.max(id);
    let mut message = ChatMessage::new(id, me, None, said);
    super::hosted::settle(&mut message, &format!("{}/chats/{chat_id}/messages/{id}", call.base()));
    chat.messages.push(message);
    let last = chat.messages.len() - 1;
    Answer::json(201, &with_context(world, call, at, last))
}

/// The limits of a tenant, of a chat or channel, and of a person. What is let through is written down, and whoever says the same twice is accused.
pub fn too_soon(world: &mut World, call: &Call, arrival: &Arrival, place: &str, me: usize, said: &Said) -> Option<Answer> {
    let (sender, now) = (world.people.people[me].address.clone(), world.now());
    if let Some(seconds) = world.limits.chat_message(place, &sender, now) {
        return Some(throttled(world, call, arrival, seconds, "one message a second for each chat and each user"));
    }
    let what = if call.segments().iter().any(|name| name.eq_ignore_ascii_case("channels")) { Teams::ChannelMessage } else { Teams::ChatMessage };
    if let Some(seconds) = world.limits.in_tenant(world.people.people[me].tenant, what, now) {
        return Some(throttled(world, call, arrival, seconds, "too many messages of this application in this tenant"));
    }
    if world.ledger.sent_before(&["chat", place, &sender, &said.content, &said.attachments.to_string()]) {
        let short: String = said.content.chars().take(80).collect();
        world.ledger.accuse("sent_twice", arrival.seq, format!("{sender} to {place}: {short}"));
    }
    None
}

pub fn throttled(world: &mut World, call: &Call, arrival: &Arrival, seconds: i64, why: &str) -> Answer {
    world.limits.promise(&arrival.person, call, world.now() + seconds * 1000);
    Answer::fail(429, "TooManyRequests", format!("Request was throttled: {why}.")).with("Retry-After", seconds.to_string())
}

/// Of one's own message: its text, what it names, its importance.
pub fn change(world: &mut World, call: &Call, place: &Place, me: usize, find: impl FnOnce(&mut World) -> Option<&mut ChatMessage>) -> Answer {
    let said = match said::read(world, call, place, world.people.people[me].tenant) {
        Ok(said) => said,
        Err(answer) => return answer,
    };
    let now = world.now();
    match find(world) {
        None => super::not_found("NotFound"),
        Some(message) if message.from != me || message.deleted.is_some() => Answer::fail(403, "Forbidden", "Only the sender may change a message."),
        Some(message) => {
            let subject = said.subject.clone().or_else(|| message.subject.take());
            *message = ChatMessage { edited: Some(now), subject, ..ChatMessage::new(message.id, me, message.reply_to, said) };
            Answer::empty(204)
        }
    }
}

/// It stays in the list, without its text.
pub fn soft_delete(message: Option<&mut ChatMessage>, me: usize, now: i64) -> Answer {
    match message {
        None => super::not_found("NotFound"),
        Some(message) if message.from != me => Answer::fail(403, "Forbidden", "Only the sender may delete a message."),
        Some(message) => {
            message.deleted = message.deleted.or(Some(now));
            Answer::empty(204)
        }
    }
}
