//! Chats: who is in them, the list of them, making one.

use super::{Chat, expanded, messages, not_found, size, skipped};
use crate::actions::only;
use crate::clock::iso_ms;
use crate::graph::{bad, page};
use crate::http::{Answer, Call, encode};
use crate::limits::Teams;
use crate::odata::{self, Row};
use crate::query;
use crate::schema::CHAT;
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

pub fn members(world: &World, chat: usize) -> Vec<Value> {
    let chat = &world.teams.chats[chat];
    let one = |person: &usize| {
        let p = &world.people.people[*person];
        let tenant = &world.people.tenant_of(*person).id;
        let id = crate::http::base64(format!("MCMjMSMj{tenant}##{}##{}", chat.id, p.id).as_bytes());
        json!({
            "@odata.type": "#microsoft.graph.aadUserConversationMember", "id": id, "roles": [if p.guest { "guest" } else { "owner" }], "displayName": p.name,
            "visibleHistoryStartDateTime": "0001-01-01T00:00:00Z", "userId": p.id, "email": p.address, "tenantId": tenant,
        })
    };
    chat.members.iter().map(one).collect()
}

pub fn chat_json(world: &World, at: usize, expand: &[String]) -> Value {
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
                "id": m.id.to_string(), "createdDateTime": iso_ms(m.id), "isDeleted": m.deleted.is_some(), "messageType": m.kind(),
                "body": messages::body(m), "from": messages::from(world, m),
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

pub fn list(world: &World, call: &Call, me: usize) -> Answer {
    let read = || Ok((query::filter(call, &CHAT)?, query::order(call, &CHAT)?, expanded(call)?, size(call, 50)?));
    let (filter, order, expand, top) = match read() {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    if order.iter().any(|(_, down)| !down) {
        return bad("QueryOptions to order by in ascending order is not supported.");
    }
    let chats = world.teams.chats.iter().enumerate();
    let mut mine: Vec<usize> = chats
        .filter(|(_, c)| c.members.contains(&me) && filter.as_ref().is_none_or(|f| f.holds(&ChatRow(c))))
        .map(|(at, _)| at)
        .collect();
    mine.sort_by_key(|at| std::cmp::Reverse(world.teams.chats[*at].updated));
    odata::sort(&mut mine, &order, |at, path| ChatRow(&world.teams.chats[*at]).get(path));
    let skip = skipped(call);
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

pub fn create(world: &mut World, call: &Call, arrival: &Arrival, me: usize) -> Answer {
    let tenant = world.people.people[me].tenant;
    if let Some(seconds) = world.limits.in_tenant(tenant, Teams::Chat, world.now()) {
        return messages::throttled(world, call, arrival, seconds, "too many chats are made by this application in this tenant");
    }
    let Some(body) = call.json() else {
        return bad("Invalid request body was sent.");
    };
    if let Err(answer) = only(&body, "chat", &["chatType", "topic", "members"], &["installedApps", "operations", "messages", "permissionGrants"]) {
        return answer;
    }
    let Some(asked) = body["members"].as_array().filter(|m| !m.is_empty()) else {
        return bad("Chat members cannot be null. (Parameter 'Members')");
    };
    let one_on_one = match body["chatType"].as_str() {
        Some(t) if t.eq_ignore_ascii_case("oneOnOne") => true,
        Some(t) if t.eq_ignore_ascii_case("group") => false,
        _ => return bad("Invalid chat type."),
    };
    let mut members: Vec<usize> = Vec::new();
    for member in asked {
        if member["@odata.type"].as_str() != Some("#microsoft.graph.aadUserConversationMember") {
            let text =
                "The provided '#microsoft.graph.aadUserConversationMember' for 'odata.type' is not valid for this operation.";
            return bad(text);
        }
        let roles = member["roles"].as_array().map_or(0, Vec::len);
        if roles == 0 {
            return bad("Roles cannot be empty for a chat member.");
        }
        let Some(who) = bound(member) else {
            return bad("Invalid user@odata.bind for a chat member.");
        };
        // People of other tenants are found only when their tenant is named.
        let named = member["tenantId"].as_str();
        let found = world.people.find_user(&who).filter(|p| {
            let home = world.people.people[*p].tenant;
            home == tenant || named.is_some_and(|n| world.people.tenants[home].id.eq_ignore_ascii_case(n))
        });
        let Some(found) = found else {
            return not_found(&format!("Failed to find users with user principal name '{who}'"));
        };
        // A guest of the organisation joins as one, everybody else as an owner.
        let wanted = if world.people.people[found].guest { "guest" } else { "owner" };
        if !member["roles"].as_array().is_some_and(|roles| roles.iter().all(|role| role.as_str() == Some(wanted))) {
            return bad("Invalid role specified for member.");
        }
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
            world.teams.chats.push(Chat {
                id,
                one_on_one,
                topic,
                members,
                created: now,
                updated: now,
                tenant,
                messages: Vec::new(),
            });
            world.teams.chats.len() - 1
        }
    };
    let mut shown = chat_json(world, at, &[]);
    shown["@odata.context"] = json!(format!("{}/$metadata#chats/$entity", call.base()));
    Answer::json(201, &shown)
}
