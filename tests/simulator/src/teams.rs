//! Chats and their messages.

use crate::clock::iso_ms;
use crate::graph::{Caller, bad, no_segment, not_allowed, page};
use crate::http::{Answer, Call, encode};
use crate::odata::{self, Row};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

const MESSAGE_MAX: usize = 28 * 1024;

pub struct ChatMessage {
    pub id: i64,
    pub from: usize,
    pub html: bool,
    pub content: String,
    importance: String,
    subject: Option<String>,
    mentions: Value,
    attachments: Value,
}

pub struct Chat {
    pub id: String,
    pub one_on_one: bool,
    topic: Option<String>,
    pub members: Vec<usize>,
    created: i64,
    updated: i64,
    tenant: usize,
    pub messages: Vec<ChatMessage>,
}

#[derive(Default)]
pub struct Teams {
    pub chats: Vec<Chat>,
}

fn denied(caller: &Caller, needed: &str) -> Answer {
    let text = match caller.person {
        Some(_) => format!(
            "Missing scope permissions on the request. API requires one of '{needed}'. Scopes on the request '{}'",
            caller.scopes.join(", ")
        ),
        None => format!("Missing role permissions on the request. API requires one of '{needed}'. Roles on the request ''."),
    };
    Answer::fail(403, "Forbidden", text)
}

fn not_found(text: &str) -> Answer {
    Answer::fail(404, "NotFound", text)
}

const READ: [&str; 4] = ["Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite", "Chat.ReadWrite.All"];
const READ_MESSAGES: [&str; 3] = ["Chat.Read", "Chat.ReadWrite", "Chat.ReadWrite.All"];
const CREATE: [&str; 3] = ["Chat.Create", "Chat.ReadWrite", "Chat.ReadWrite.All"];
const SEND: [&str; 4] = ["ChatMessage.Send", "Chat.ReadWrite", "Chat.ReadWrite.All", "Group.ReadWrite.All"];

/// `person` is set for the paths below a user, which are for reading alone.
pub fn handle(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, person: Option<usize>, rest: &[&str]) -> Answer {
    let method = call.method.as_str();
    let below_user = person.is_some();
    let Some(me) = person.or(caller.person) else { return denied(caller, "Teamwork.Migrate.All") };
    if caller.person.is_some_and(|p| p != me) {
        return Answer::fail(403, "Forbidden", "Forbidden");
    }
    if method == "POST" && caller.person.is_none() {
        return denied(caller, "Teamwork.Migrate.All");
    }
    let teams = world.people.people[me].teams;
    let licence = || Answer::fail(403, "Forbidden", "Failed to get license information for the user. Ensure user has a valid Office365 license assigned to them.");
    if !teams {
        return licence();
    }
    let Some((id, rest)) = rest.split_first() else {
        return match method {
            "GET" if !caller.has(&READ) => denied(caller, &READ.join(", ")),
            "GET" => list(world, call, me),
            "POST" if below_user => not_allowed(),
            "POST" if !caller.has(&CREATE) => denied(caller, &CREATE.join(", ")),
            "POST" => create(world, call, me),
            _ => not_allowed(),
        };
    };
    let known = world.teams.chats.iter().position(|c| c.id == *id && (caller.person.is_none() || c.members.contains(&me)));
    let Some(chat) = known else { return not_found("NotFound") };
    match (method, rest) {
        ("GET", []) if caller.has(&READ) => {
            let mut shown = chat_json(world, chat, &expanded(call));
            shown["@odata.context"] = json!(format!("{}/$metadata#chats/$entity", call.base()));
            Answer::json(200, &shown)
        }
        ("GET", ["members"]) if caller.has(&READ) => {
            let members = members(world, chat);
            let context = format!("{}/$metadata#chats('{id}')/members", call.base());
            let count = members.len();
            page(context, members, None, Some(count))
        }
        ("GET", []) | ("GET", ["members"]) => denied(caller, &READ.join(", ")),
        ("GET", ["messages", ..]) if !caller.has(&READ_MESSAGES) => denied(caller, &READ_MESSAGES.join(", ")),
        ("GET", ["messages"]) => list_messages(world, call, chat),
        ("GET", ["messages", one]) => {
            let found = world.teams.chats[chat].messages.iter().position(|m| m.id.to_string() == *one);
            match found {
                Some(at) => Answer::json(200, &with_context(world, call, chat, at)),
                None => not_found("NotFound"),
            }
        }
        ("POST", ["messages"]) if below_user => bad("Write requests are only supported on contained entities"),
        ("POST", ["messages"]) if !caller.has(&SEND) => denied(caller, "ChatMessage.Send, Chat.ReadWrite, Group.ReadWrite.All"),
        ("POST", ["messages"]) => post(world, call, arrival, chat, me),
        (_, []) | (_, ["members" | "messages", ..]) => not_allowed(),
        (_, [other, ..]) => no_segment(other),
    }
}

fn expanded(call: &Call) -> Vec<String> {
    odata::expansions(&call.param("$expand").unwrap_or_default()).into_iter().map(|(name, _)| name.to_lowercase()).collect()
}

fn members(world: &World, chat: usize) -> Vec<Value> {
    let chat = &world.teams.chats[chat];
    let one = |person: &usize| {
        let p = &world.people.people[*person];
        let tenant = &world.people.tenant_of(*person).id;
        let id = crate::http::base64(format!("MCMjMSMj{tenant}##{}##{}", chat.id, p.id).as_bytes());
        json!({
            "@odata.type": "#microsoft.graph.aadUserConversationMember", "id": id, "roles": ["owner"], "displayName": p.name,
            "visibleHistoryStartDateTime": "0001-01-01T00:00:00Z", "userId": p.id, "email": p.address, "tenantId": tenant,
        })
    };
    chat.members.iter().map(one).collect()
}

fn chat_json(world: &World, at: usize, expand: &[String]) -> Value {
    let chat = &world.teams.chats[at];
    let tenant = &world.people.tenants[chat.tenant].id;
    let mut out = json!({
        "id": chat.id, "topic": chat.topic, "createdDateTime": iso_ms(chat.created), "lastUpdatedDateTime": iso_ms(chat.updated),
        "chatType": if chat.one_on_one { "oneOnOne" } else { "group" },
        "webUrl": format!("https://teams.microsoft.com/l/chat/{}/0?tenantId={tenant}", encode(&chat.id)),
        "tenantId": tenant, "onlineMeetingInfo": null,
        "viewpoint": {"isHidden": false, "lastMessageReadDateTime": "0001-01-01T00:00:00Z"},
    });
    if expand.iter().any(|e| e == "members") {
        out["members"] = json!(members(world, at));
    }
    if expand.iter().any(|e| e == "lastmessagepreview") {
        out["lastMessagePreview"] = match chat.messages.last() {
            Some(m) => json!({
                "id": m.id.to_string(), "createdDateTime": iso_ms(m.id), "isDeleted": false, "messageType": "message",
                "body": body(m), "from": from(world, m),
            }),
            None => Value::Null,
        };
    }
    out
}

struct ChatRow<'a>(&'a Chat);

impl Row for ChatRow<'_> {
    fn get(&self, path: &str) -> odata::Value {
        match path.to_ascii_lowercase().as_str() {
            "chattype" => odata::Value::Text(if self.0.one_on_one { "oneOnOne" } else { "group" }.into()),
            "topic" => self.0.topic.clone().map_or(odata::Value::Null, odata::Value::Text),
            "lastupdateddatetime" => odata::Value::Time(self.0.updated),
            "createddatetime" => odata::Value::Time(self.0.created),
            "lastmessagepreview/createddatetime" => odata::Value::Time(self.0.messages.last().map_or(0, |m| m.id)),
            _ => odata::Value::Null,
        }
    }

    fn items(&self, _: &str) -> Vec<Vec<(String, String)>> {
        Vec::new()
    }
}

fn size(call: &Call, default: usize) -> Result<usize, Answer> {
    match call.param("$top").map(|t| t.parse::<usize>()) {
        None => Ok(default),
        Some(Ok(n)) if (1..=50).contains(&n) => Ok(n),
        Some(_) => Err(bad("The limit of '50' for Top query has been exceeded.")),
    }
}

fn skipped(call: &Call) -> usize {
    call.param("$skiptoken").and_then(|t| t.strip_prefix('c').and_then(|n| n.parse().ok())).unwrap_or(0)
}

fn list(world: &World, call: &Call, me: usize) -> Answer {
    let filter = match call.param("$filter").map(|f| odata::parse(&f)).transpose() {
        Ok(filter) => filter,
        Err(text) => return bad(text),
    };
    let top = match size(call, 50) {
        Ok(top) => top,
        Err(answer) => return answer,
    };
    let chats = world.teams.chats.iter().enumerate();
    let mut mine: Vec<usize> = chats
        .filter(|(_, c)| c.members.contains(&me) && filter.as_ref().is_none_or(|f| f.holds(&ChatRow(c))))
        .map(|(at, _)| at)
        .collect();
    mine.sort_by_key(|at| std::cmp::Reverse(world.teams.chats[*at].updated));
    let (skip, expand) = (skipped(call), expanded(call));
    let value = mine.iter().skip(skip).take(top).map(|c| chat_json(world, *c, &expand)).collect();
    let next = (skip + top < mine.len()).then(|| odata::relink(call, "$skiptoken", &format!("c{}", skip + top)));
    page(format!("{}/$metadata#chats", call.base()), value, next, Some(mine.len().min(top)))
}

/// The person that `…/users('x')` names.
fn bound(member: &Value) -> Option<String> {
    let url = member["user@odata.bind"].as_str()?;
    let (_, rest) = url.split_once("/users")?;
    let key = match rest.strip_prefix("('").and_then(|r| r.strip_suffix("')")) {
        Some(quoted) => quoted.replace("''", "'"),
        None => rest.strip_prefix('/')?.to_string(),
    };
    Some(crate::http::decode(&key, false))
}

fn create(world: &mut World, call: &Call, me: usize) -> Answer {
    let Some(body) = call.json() else { return bad("Invalid request body was sent.") };
    let Some(asked) = body["members"].as_array().filter(|m| !m.is_empty()) else {
        return bad("Chat members cannot be null. (Parameter 'Members')");
    };
    let one_on_one = match body["chatType"].as_str() {
        Some(t) if t.eq_ignore_ascii_case("oneOnOne") => true,
        Some(t) if t.eq_ignore_ascii_case("group") => false,
        _ => return bad("Invalid chat type."),
    };
    let tenant = world.people.people[me].tenant;
    let mut members: Vec<usize> = Vec::new();
    for member in asked {
        if member["@odata.type"].as_str() != Some("#microsoft.graph.aadUserConversationMember") {
            let text = "The provided '#microsoft.graph.aadUserConversationMember' for 'odata.type' is not valid for this operation.";
            return bad(text);
        }
        let roles = member["roles"].as_array().map_or(0, Vec::len);
        if roles == 0 {
            return bad("Roles cannot be empty for a chat member.");
        }
        let Some(who) = bound(member) else { return bad("Invalid user@odata.bind for a chat member.") };
        // People of other tenants are found only when their tenant is named.
        let named = member["tenantId"].as_str();
        let found = world.people.find(&who).filter(|p| {
            let home = world.people.people[*p].tenant;
            home == tenant || named.is_some_and(|n| world.people.tenants[home].id.eq_ignore_ascii_case(n))
        });
        let Some(found) = found else {
            return not_found(&format!("Failed to find users with user principal name '{who}'"));
        };
        if members.contains(&found) {
            return bad("Duplicate chat members is specified in the request body.");
        }
        if !world.people.people[found].teams {
            return Answer::fail(403, "Forbidden", format!("User '{who}' is not enabled for Teams."));
        }
        members.push(found);
    }
    if !members.contains(&me) {
        return bad("The caller must be one of the members specified in request body.");
    }
    if one_on_one && members.len() != 2 {
        return bad("Invalid number of members for a one-on-one chat: two are needed.");
    }
    let same = |c: &Chat| c.one_on_one && one_on_one && members.iter().all(|m| c.members.contains(m));
    let at = match world.teams.chats.iter().position(same) {
        Some(at) => at,
        None => {
            let id = if one_on_one {
                let ids: Vec<&str> = members.iter().map(|m| world.people.people[*m].id.as_str()).collect();
                format!("19:{}@unq.gbl.spaces", ids.join("_"))
            } else {
                format!("19:{}@thread.v2", world.ids.guid().replace('-', ""))
            };
            let now = world.now();
            let topic = body["topic"].as_str().map(String::from);
            world.teams.chats.push(Chat { id, one_on_one, topic, members, created: now, updated: now, tenant, messages: Vec::new() });
            world.teams.chats.len() - 1
        }
    };
    let mut shown = chat_json(world, at, &[]);
    shown["@odata.context"] = json!(format!("{}/$metadata#chats/$entity", call.base()));
    Answer::json(201, &shown)
}

fn body(m: &ChatMessage) -> Value {
    json!({"contentType": if m.html { "html" } else { "text" }, "content": m.content})
}

fn from(world: &World, m: &ChatMessage) -> Value {
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

fn with_context(world: &World, call: &Call, chat: usize, message: usize) -> Value {
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

fn list_messages(world: &World, call: &Call, at: usize) -> Answer {
    let top = match size(call, 20) {
        Ok(top) => top,
        Err(answer) => return answer,
    };
    let order = call.param("$orderby").map(|o| o.to_ascii_lowercase());
    let ordered = order.as_deref().and_then(|o| o.split_whitespace().next()).unwrap_or("");
    if order.as_deref().is_some_and(|o| !o.ends_with(" desc")) {
        return bad("QueryOptions to order by in ascending order is not supported.");
    }
    let filter = match call.param("$filter").map(|f| odata::parse(&f)).transpose() {
        Ok(filter) => filter,
        Err(text) => return bad(text),
    };
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

fn post(world: &mut World, call: &Call, arrival: &Arrival, at: usize, me: usize) -> Answer {
    let Some(body) = call.json() else { return bad("Invalid request body was sent.") };
    let Some(content) = body["body"]["content"].as_str() else { return bad("Missing body content") };
    let html = body["body"]["contentType"].as_str().is_some_and(|t| t.eq_ignore_ascii_case("html"));
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
        world.limits.promise(&arrival.person, &call.method, &call.path, now + seconds * 1000);
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
        importance: body["importance"].as_str().unwrap_or("normal").to_lowercase(),
        subject: body["subject"].as_str().map(String::from),
        mentions,
        attachments,
    });
    let last = chat.messages.len() - 1;
    Answer::json(201, &with_context(world, call, at, last))
}
