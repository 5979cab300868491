//! Chats, teams and channels as tests make and see them.

use super::{Channel, ChatMessage, Team};
use crate::control::{Done, person};
use crate::world::World;
use serde_json::{Value, json};

fn message(world: &World, m: &ChatMessage) -> Value {
    let kind = if m.html { "html" } else { "text" };
    json!({
        "id": m.id.to_string(), "from": world.people.people[m.from].address, "text": m.content, "content_type": kind, "importance": m.importance,
        "subject": m.subject, "mentions": m.mentions, "attachments": m.attachments, "pictures": super::hosted::told(m), "reply_to": m.reply_to.map(|id| id.to_string()),
        "is_edited": m.edited.is_some(), "is_deleted": m.deleted.is_some(),
    })
}

pub fn chats(world: &World, ask: &Value) -> Done {
    let member = if ask["member"].is_null() { None } else { Some(person(world, ask, "member")?) };
    let address = |p: &usize| world.people.people[*p].address.clone();
    let chats = world.teams.chats.iter().filter(|c| member.is_none_or(|m| c.members.contains(&m)));
    let one = |c: &super::Chat| {
        let messages: Vec<Value> = c.messages.iter().map(|m| message(world, m)).collect();
        let kind = if c.one_on_one { "oneOnOne" } else { "group" };
        json!({"id": c.id, "type": kind, "topic": c.topic, "members": c.members.iter().map(address).collect::<Vec<_>>(), "messages": messages})
    };
    Ok(json!({"items": chats.map(one).collect::<Vec<_>>()}))
}

/// `{chat or members: [address], topic?, from?, text or html, importance?, mentions?: [address], quotes?: id, files?: [name], system?: true}`: said in a chat, or
/// in a new group of these members. Without `from` its first member says it.
pub fn say(world: &mut World, ask: &Value) -> Done {
    let at = match ask["chat"].as_str() {
        Some(id) => world.teams.chats.iter().position(|c| c.id == id).ok_or_else(|| format!("no such chat: {id}"))?,
        None => group(world, ask)?,
    };
    let from = if ask["from"].is_null() { *world.teams.chats[at].members.first().ok_or("nobody is in it")? } else { person(world, ask, "from")? };
    let texts = |name: &str| ask[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    let mentioned = texts("mentions").into_iter().map(|who| world.people.find(who).ok_or_else(|| format!("no such person: {who}"))).collect::<Result<Vec<_>, _>>()?;
    let mention = |(n, p): (usize, &usize)| {
        let p = &world.people.people[*p];
        json!({"id": n, "mentionText": p.name, "mentioned": {"user": {"id": p.id, "displayName": p.name, "userIdentityType": "aadUser"}}})
    };
    let quote = ask["quotes"].as_str().map(|id| json!({"id": id, "contentType": "messageReference", "content": "{}"}));
    let files = texts("files").into_iter().map(|name| json!({"id": name, "contentType": "reference", "contentUrl": "https://contoso.sharepoint.com/x", "name": name}));
    let said = super::said::Said {
        html: ask["html"].is_string() || ask["system"] == true,
        content: ask["html"].as_str().or(ask["text"].as_str()).unwrap_or("<systemEventMessage/>").to_string(),
        importance: ask["importance"].as_str().unwrap_or("normal").to_string(),
        subject: None,
        mentions: mentioned.iter().enumerate().map(mention).collect(),
        attachments: quote.into_iter().chain(files).collect(),
        hosted: Vec::new(),
    };
    let now = world.now();
    let chat = &mut world.teams.chats[at];
    let id = chat.messages.last().map_or(now, |last| now.max(last.id + 1));
    chat.updated = chat.updated.max(id);
    chat.messages.push(ChatMessage { system: ask["system"] == true, ..ChatMessage::new(id, from, None, said) });
    Ok(json!({"chat": chat.id, "id": id.to_string()}))
}

/// What a person says in a channel, beside what is told of it otherwise.
pub fn said_in_channel(world: &mut World, (team, channel): (usize, usize), person: usize, id: i64, text: &str, root: Option<i64>) {
    let said = super::said::Said {
        html: false,
        content: text.to_string(),
        importance: "normal".into(),
        subject: None,
        mentions: json!([]),
        attachments: json!([]),
        hosted: Vec::new(),
    };
    world.teams.teams[team].channels[channel].messages.push(ChatMessage::new(id, person, root, said));
}

fn group(world: &mut World, ask: &Value) -> Result<usize, String> {
    let members = members(world, &ask["members"])?;
    let first = *members.first().ok_or("members are missing")?;
    let (id, now, tenant) = (format!("19:{}@thread.v2", world.ids.guid().replace('-', "")), world.now(), world.people.people[first].tenant);
    let topic = ask["topic"].as_str().map(String::from);
    world.teams.chats.push(super::Chat { id, one_on_one: false, topic, members, created: now, updated: now, tenant, messages: Vec::new() });
    Ok(world.teams.chats.len() - 1)
}

/// `{chat, id, text}`: its sender says something else; without `text` it is deleted.
pub fn unsay(world: &mut World, ask: &Value) -> Done {
    let (chat, id, now) = (ask["chat"].as_str().ok_or("chat is missing")?, ask["id"].as_str().ok_or("id is missing")?, world.now());
    let chat = world.teams.chats.iter_mut().find(|c| c.id == chat).ok_or_else(|| format!("no such chat: {chat}"))?;
    let message = super::found(&mut chat.messages, id).ok_or_else(|| format!("no such message: {id}"))?;
    match ask["text"].as_str() {
        Some(text) => (message.content, message.edited) = (text.to_string(), Some(now)),
        None => message.deleted = Some(now),
    }
    Ok(json!({}))
}

/// It is gone for everybody, as when an administrator deletes it.
pub fn delete_chat(world: &mut World, ask: &Value) -> Done {
    let id = ask["id"].as_str().ok_or("id is missing")?;
    let at = world.teams.chats.iter().position(|c| c.id == id).ok_or_else(|| format!("no such chat: {id}"))?;
    world.teams.chats.remove(at);
    Ok(json!({}))
}

/// `{name, members: [address], channels?: [{name, kind?, members?}], tags?: [name], archived?}`; a general channel is there by itself.
pub fn add(world: &mut World, ask: &Value) -> Done {
    let name = ask["name"].as_str().ok_or("name is missing")?.to_string();
    let members = members(world, &ask["members"])?;
    let first = *members.first().ok_or("members are missing")?;
    let now = world.now();
    let mut channels = vec![channel(world, "General", "standard", now)];
    for one in ask["channels"].as_array().into_iter().flatten() {
        let kind = one["kind"].as_str().unwrap_or("standard");
        if !["standard", "private", "shared"].contains(&kind) {
            return Err(format!("no such kind of channel: {kind}"));
        }
        let mut made = channel(world, one["name"].as_str().ok_or("a channel has no name")?, kind, now);
        made.archived = one["archived"].as_bool().unwrap_or(false);
        made.description = one["description"].as_str().map(String::from);
        if !one["members"].is_null() {
            made.members = Some(self::members(world, &one["members"])?);
        }
        channels.push(made);
    }
    let tags: Vec<(String, String)> =
        ask["tags"].as_array().into_iter().flatten().filter_map(|t| t.as_str()).map(|t| (crate::http::base64(world.ids.guid().as_bytes()), t.to_string())).collect();
    let team = Team {
        id: world.ids.guid(),
        name,
        description: ask["description"].as_str().map(String::from),
        tenant: world.people.people[first].tenant,
        members,
        archived: ask["archived"].as_bool().unwrap_or(false),
        tags,
        channels,
    };
    let shown = shown(world, &team);
    world.teams.teams.push(team);
    Ok(shown)
}

fn channel(world: &mut World, name: &str, kind: &str, created: i64) -> Channel {
    let id = format!("19:{}@thread.tacv2", world.ids.guid().replace('-', ""));
    Channel { id, name: name.to_string(), description: None, kind: kind.to_string(), archived: false, created, members: None, messages: Vec::new() }
}

fn members(world: &World, list: &Value) -> Result<Vec<usize>, String> {
    let one = |who: &Value| who.as_str().and_then(|who| world.people.find(who)).ok_or_else(|| format!("no such person: {who}"));
    list.as_array().into_iter().flatten().map(one).collect()
}

fn shown(world: &World, team: &Team) -> Value {
    let one = |c: &Channel| {
        let messages: Vec<Value> = c.messages.iter().map(|m| message(world, m)).collect();
        json!({"id": c.id, "name": c.name, "kind": c.kind, "messages": messages})
    };
    let address = |p: &usize| world.people.people[*p].address.clone();
    json!({
        "id": team.id, "name": team.name, "members": team.members.iter().map(address).collect::<Vec<_>>(), "channels": team.channels.iter().map(one).collect::<Vec<_>>(),
        "tags": team.tags.iter().map(|(id, name)| json!({"id": id, "name": name})).collect::<Vec<_>>(),
    })
}

/// `{id, archived?, members?}`
pub fn change(world: &mut World, ask: &Value) -> Done {
    let id = ask["id"].as_str().ok_or("id is missing")?;
    let at = world.teams.teams.iter().position(|t| t.id == id).ok_or_else(|| format!("no such team: {id}"))?;
    if !ask["members"].is_null() {
        world.teams.teams[at].members = members(world, &ask["members"])?;
    }
    if let Some(archived) = ask["archived"].as_bool() {
        world.teams.teams[at].archived = archived;
    }
    Ok(shown(world, &world.teams.teams[at]))
}

/// `{name?}`
pub fn list(world: &World, ask: &Value) -> Done {
    let named = world.teams.teams.iter().filter(|t| ask["name"].as_str().is_none_or(|name| t.name == name));
    Ok(json!({"items": named.map(|t| shown(world, t)).collect::<Vec<_>>()}))
}
