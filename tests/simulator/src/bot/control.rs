//! What a test does with bots, and what it sees of them.

use super::people::{bot, spot};
use super::{Block, Crowd, Region, Said, Spot, chat_id, conversation_id, forge, people, personal_id, posts, press, serve, user_id};
use crate::catalogue::control as catalogue;
use crate::control::{Done, person};
use crate::world::World;
use serde_json::{Value, json};

/// POST /bot/{what}
pub fn handle(world: &mut World, what: &str, ask: &Value) -> Done {
    match what {
        "app" => catalogue::app(world, ask),
        "install" => catalogue::install(world, ask),
        "uninstall" => catalogue::uninstall(world, ask),
        "installed" => catalogue::installed(world, ask),
        "late" => late(world, ask),
        "messages" => messages(world, ask),
        "block" => block(world, ask),
        "disable" => disable(world, ask),
        "moderate" => moderate(world, ask),
        "service" => service(world, ask),
        "roster" => roster(world, ask),
        "endpoint" => endpoint(world, ask),
        "keys" => keys(world, ask),
        "user" => user(world, ask),
        "say" => people::say(world, ask),
        "edit" => people::change(world, ask, false),
        "delete" => people::change(world, ask, true),
        "react" => people::react(world, ask),
        "invoke" => people::invoke(world, ask),
        "press" => press::press(world, ask),
        "invoked" => posts::invoked(world, ask),
        "posts" => posts::list(world, ask),
        "redeliver" => forge::redeliver(world, ask),
        "forge" => forge::forge(world, ask),
        other => Err(format!("no such endpoint: POST /bot/{other}")),
    }
}

fn message(world: &mut World, at: usize) -> Value {
    let Said { id, bot, person, spot, root, .. } = &world.bots.said[at];
    let (id, bot, person, spot, root) = (*id, bot.clone(), *person, *spot, *root);
    let conversation = conversation_id(world, &bot, spot, root);
    let said = &world.bots.said[at];
    let a = &said.activity;
    let (whom, team, channel) = match spot {
        Spot::Person(p) => (json!(world.people.people[p].address), Value::Null, Value::Null),
        Spot::Channel(t, c) => (Value::Null, json!(world.teams.teams[t].name), json!(world.teams.teams[t].channels[c].name)),
    };
    json!({
        "id": id.to_string(), "bot": bot, "from": person.map(|p| world.people.people[p].address.clone()), "conversation": conversation, "person": whom, "team": team, "channel": channel,
        "thread": root.map(|r| r.to_string()), "is_reply": root.is_some_and(|r| r != id), "text": a["text"], "text_format": a["textFormat"], "summary": a["summary"], "importance": a["importance"],
        "attachments": a["attachments"], "entities": a["entities"], "alert": a["channelData"]["notification"]["alert"], "is_edited": said.is_edited, "is_deleted": said.is_deleted,
    })
}

/// What bots have said, oldest first; `from_people`: what people have said to them.
fn messages(world: &mut World, ask: &Value) -> Done {
    let spot = if ask["person"].is_null() && ask["team"].is_null() { None } else { Some(spot(world, ask)?) };
    let whole_team = ask["channel"].is_null();
    let own = ask["bot"].as_str().map(str::to_ascii_lowercase);
    let fits = |s: &Said| {
        let here = match (spot, s.spot) {
            (None, _) => true,
            (Some(Spot::Channel(team, _)), Spot::Channel(at, _)) if whole_team => team == at,
            (Some(wanted), at) => wanted == at,
        };
        here && s.person.is_some() == (ask["from_people"] == true) && own.as_ref().is_none_or(|own| *own == s.bot)
    };
    let found: Vec<usize> = world.bots.said.iter().enumerate().filter(|(_, s)| fits(s)).map(|(n, _)| n).collect();
    let items: Vec<Value> = found.into_iter().map(|at| message(world, at)).collect();
    Ok(json!({"count": items.len(), "items": items, "typed": world.bots.typed}))
}

/// From now on, so long after an installation.
fn late(world: &mut World, ask: &Value) -> Done {
    world.bots.late_ms = ask["seconds"].as_i64().unwrap_or(0) * 1000;
    Ok(json!({}))
}

fn block(world: &mut World, ask: &Value) -> Done {
    let key = (bot(ask), person(world, ask, "person")?);
    world.bots.blocked.remove(&key);
    if ask["on"].as_bool().unwrap_or(true) {
        let block = match ask["form"].as_str() {
            None | Some("conversation") => Block::Conversation,
            Some("writes") => Block::Writes,
            Some(other) => return Err(format!("no such form: {other}")),
        };
        world.bots.blocked.insert(key, block);
    }
    Ok(json!({}))
}

fn tenant(world: &World, ask: &Value) -> Result<usize, String> {
    let domain = ask["domain"].as_str().unwrap_or("contoso.com");
    world.people.tenant(domain).ok_or_else(|| format!("no such tenant: {domain}"))
}

fn disable(world: &mut World, ask: &Value) -> Done {
    let key = (ask["bot"].as_str().map(str::to_ascii_lowercase), tenant(world, ask)?);
    world.bots.disabled.retain(|one| *one != key);
    if ask["on"].as_bool().unwrap_or(true) {
        world.bots.disabled.push(key);
    }
    Ok(json!({}))
}

fn moderate(world: &mut World, ask: &Value) -> Done {
    let Spot::Channel(team, channel) = spot(world, ask)? else { return Err("team is missing".into()) };
    world.bots.moderated.retain(|one| *one != (team, channel));
    if ask["on"].as_bool().unwrap_or(true) {
        world.bots.moderated.push((team, channel));
    }
    Ok(json!({}))
}

fn service(world: &mut World, ask: &Value) -> Done {
    let (at, name) = (tenant(world, ask)?, ask["region"].as_str().unwrap_or("emea"));
    if !serve::is_region(name) {
        return Err(format!("no such region: {name}"));
    }
    let flag = |name: &str| ask[name].as_bool().unwrap_or(false);
    let region = Region { name: name.into(), with_tenant: flag("with_tenant"), is_strict: flag("strict") };
    world.bots.regions.insert(at, region);
    Ok(json!({"url": super::service_url(world, at)}))
}

fn roster(world: &mut World, ask: &Value) -> Done {
    let Spot::Channel(team, _) = spot(world, ask)? else { return Err("team is missing".into()) };
    let count = ask["members"].as_u64().unwrap_or(0) as usize;
    world.bots.crowds.insert(team, Crowd { count, is_endless: ask["endless"] == true, hides_emails: ask["hide_emails"] == true });
    Ok(json!({}))
}

fn endpoint(world: &mut World, ask: &Value) -> Done {
    let bot = bot(ask);
    match ask["url"].as_str() {
        Some(url) => world.bots.endpoints.insert(bot, url.into()),
        None => world.bots.endpoints.remove(&bot),
    };
    Ok(json!({}))
}

fn keys(world: &mut World, ask: &Value) -> Done {
    if ask["rotate"] == true {
        world.bots.keys += 1;
    }
    if let Some(list) = ask["endorsements"].as_array() {
        world.bots.endorsements = Some(list.iter().filter_map(|one| one.as_str().map(String::from)).collect());
    }
    Ok(json!({"generation": world.bots.keys}))
}

/// How a bot knows a person.
fn user(world: &mut World, ask: &Value) -> Done {
    let (bot, who) = (bot(ask), person(world, ask, "person")?);
    Ok(json!({"id": user_id(world, &bot, who), "conversation": personal_id(world, &bot, who), "chat": chat_id(world, &bot, who)}))
}
