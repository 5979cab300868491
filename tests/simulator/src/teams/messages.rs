//! What is said in a chat.

use super::{Chat, ChatMessage, size, skipped};
use crate::actions::only;
use crate::clock::iso_ms;
use crate::graph::{bad, page};
use crate::http::{Answer, Call};
use crate::odata::{self, Row};
use crate::query;
use crate::schema::CHAT_MESSAGE;
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

const MESSAGE_MAX: usize = 28 * 1024;

pub fn body(m: &ChatMessage) -> Value {
    json!({"contentType": if m.html { "html" } else { "text" }, "content": m.content})
}

pub fn from(world: &World, m: &ChatMessage) -> Value {
    let p = &world.people.people[m.from];
    json!({
        "application": null, "device": null,
        "user": {
            "@odata.type": "#microsoft.graph.teamworkUserIdentity", "id": p.id, "displayName": p.name,
            "userIdentityType": "aadUser", "tenantId": world.people.tenant_of(m.from).id,
        },
    })
}

fn message_json(world: &World, chat: &Chat, m: &ChatMessage) -> Value {
    json!({
        "id": m.id.to_string(), "replyToId": null, "etag": m.id.to_string(), "messageType": "message",
        "createdDateTime": iso_ms(m.id), "lastModifiedDateTime": iso_ms(m.id), "lastEditedDateTime": null, "deletedDateTime": null,
        "subject": m.subject, "summary": null, "chatId": chat.id, "importance": m.importance, "locale": "en-us", "webUrl": null,
        "channelIdentity": null, "policyViolation": null, "eventDetail": null, "from": from(world, m), "body": body(m),
        "attachments": m.attachments, "mentions": m.mentions, "reactions": [],
    })
}

pub fn with_context(world: &World, call: &Call, chat: usize, message: usize) -> Value {
    let chat = &world.teams.chats[chat];
    let mut shown = message_json(world, chat, &chat.messages[message]);
    shown["@odata.context"] = json!(format!("{}/$metadata#chats('{}')/messages/$entity", call.base(), chat.id));
    shown
}

struct MessageRow<'a>(&'a ChatMessage);

impl Row for MessageRow<'_> {
    fn get(&self, path: &str) -> odata::Value {
        match path.to_ascii_lowercase().as_str() {
            "createddatetime" | "lastmodifieddatetime" => odata::Value::Time(self.0.id),
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
    let all: Vec<&ChatMessage> =
        chat.messages.iter().rev().filter(|m| filter.as_ref().is_none_or(|f| f.holds(&MessageRow(m)))).collect();
    let skip = skipped(call);
    let value: Vec<Value> = all.iter().skip(skip).take(top).map(|m| message_json(world, chat, m)).collect();
    let next = (skip + top < all.len()).then(|| odata::relink(call, "$skiptoken", &format!("c{}", skip + top)));
    let count = value.len();
    page(format!("{}/$metadata#chats('{}')/messages", call.base(), chat.id), value, next, Some(count))
}

pub fn post(world: &mut World, call: &Call, arrival: &Arrival, at: usize, me: usize) -> Answer {
    let Some(body) = call.json() else {
        return bad("Invalid request body was sent.");
    };
    let Some(content) = body["body"]["content"].as_str() else {
        return bad("Missing body content");
    };
    let known = ["body", "subject", "importance", "mentions", "attachments"];
    let lacks = ["hostedContents", "summary", "locale", "policyViolation", "createdDateTime", "from", "replyToId", "reactions", "messageType", "channelIdentity"];
    let sound = only(&body, "chatMessage", &known, &lacks).and_then(|()| only(&body["body"], "itemBody", &["contentType", "content"], &[]));
    if let Err(answer) = sound {
        return answer;
    }
    let kind = body["body"]["contentType"].as_str().unwrap_or("text").to_lowercase();
    let weight = body["importance"].as_str().unwrap_or("normal").to_lowercase();
    if !["text", "html"].contains(&kind.as_str()) || !["normal", "high", "urgent"].contains(&weight.as_str()) {
        return bad("Invalid request body was sent.");
    }
    let html = kind == "html";
    let attachments = if body["attachments"].is_array() { body["attachments"].clone() } else { json!([]) };
    let mut mentions = if body["mentions"].is_array() { body["mentions"].clone() } else { json!([]) };
    let extra = if attachments.as_array().is_some_and(Vec::is_empty) { 0 } else { attachments.to_string().len() };
    if content.encode_utf16().count() + extra > MESSAGE_MAX {
        return Answer::fail(413, "RequestEntityTooLarge", "Request Entity too large");
    }
    if content.is_empty() && extra == 0 {
        return bad("Missing body content");
    }
    let tags = content.matches("<at id=").count();
    if tags != mentions.as_array().map_or(0, Vec::len) {
        return bad("Mentions in the body do not match the mentions of the message.");
    }
    for mention in mentions.as_array_mut().into_iter().flatten() {
        if let Some(user) = mention["mentioned"]["user"].as_object_mut() {
            user.entry("@odata.type").or_insert(json!("#microsoft.graph.teamworkUserIdentity"));
        }
    }
    let now = world.now();
    let (chat_id, sender) = (world.teams.chats[at].id.clone(), world.people.people[me].address.clone());
    if let Some(seconds) = world.limits.chat_message(&chat_id, &sender, now) {
        world.limits.promise(&arrival.person, call, now + seconds * 1000);
        let text = "Request was throttled: one message a second for each chat and each user.";
        return Answer::fail(429, "TooManyRequests", text).with("Retry-After", seconds.to_string());
    }
    if world.ledger.sent_before(&["chat", &chat_id, &sender, content]) {
        let short: String = content.chars().take(80).collect();
        world.ledger.accuse("sent_twice", arrival.seq, format!("{sender} to {chat_id}: {short}"));
    }
    let chat = &mut world.teams.chats[at];
    // Ids are the time in milliseconds, and no two are the same.
    let id = chat.messages.last().map_or(now, |last| now.max(last.id + 1));
    chat.updated = chat.updated.max(id);
    chat.messages.push(ChatMessage {
        id,
        from: me,
        html,
        content: content.to_string(),
        importance: weight,
        subject: body["subject"].as_str().map(String::from),
        mentions,
        attachments,
    });
    let last = chat.messages.len() - 1;
    Answer::json(201, &with_context(world, call, at, last))
}
