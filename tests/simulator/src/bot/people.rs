//! What people do with a bot in Teams: write to it, change and delete what they wrote, react, press the buttons of its cards.

use super::{Said, Spot, conversation_id, next_id, tell};
use crate::catalogue::Place;
use crate::control::{Done, person};
use crate::people::SECRET_APP;
use crate::world::World;
use serde_json::{Value, json};

/// The bot that a test speaks of, by its client id.
pub fn bot(ask: &Value) -> String {
    ask["bot"].as_str().unwrap_or(SECRET_APP).to_ascii_lowercase()
}

/// `{team, channel?}`, or the person.
pub fn spot(world: &World, ask: &Value) -> Result<Spot, String> {
    let Some(team) = ask["team"].as_str() else { return person(world, ask, "person").map(Spot::Person) };
    let at = world.teams.teams.iter().position(|t| t.id == team || t.name == team).ok_or_else(|| format!("no such team: {team}"))?;
    let Some(name) = ask["channel"].as_str() else { return Ok(Spot::Channel(at, 0)) };
    let channel = world.teams.teams[at].channels.iter().position(|c| c.id == name || c.name == name).ok_or_else(|| format!("no such channel: {name}"))?;
    Ok(Spot::Channel(at, channel))
}

/// POST /bot/say
pub fn say(world: &mut World, ask: &Value) -> Done {
    let (bot, spot, who) = (bot(ask), spot(world, ask)?, person(world, ask, "person")?);
    let installed = world.catalogue.of_bot(&bot, spot.place()).ok_or("the bot is not installed there")?;
    if installed.version.bot.as_ref().is_some_and(|b| b.is_notification_only) {
        return Err("people cannot write to this bot".into());
    }
    if let (Spot::Channel(team, _), false) = (spot, ask["outsider"] == true)
        && !world.teams.teams[team].members.contains(&who)
    {
        return Err("that person is not in the team".into());
    }
    let id = next_id(world);
    let name = tell::bot_name(world, &bot);
    let root = match (spot, ask["reply_to"].as_str()) {
        (Spot::Person(_), _) => None,
        (_, None) => Some(id),
        (_, Some(root)) => Some(root.parse::<i64>().map_err(|_| format!("no such message: {root}"))?),
    };
    let mut activity = tell::activity(world, &bot, spot, root, who, "message");
    activity["id"] = json!(id.to_string());
    let text = ask["text"].as_str().unwrap_or("");
    match spot {
        // The button of a card that submits says nothing.
        _ if !ask["value"].is_null() => activity["value"] = ask["value"].clone(),
        Spot::Person(_) => activity["text"] = json!(text),
        Spot::Channel(..) => {
            let mention = format!("<at>{name}</at>");
            activity["text"] = json!(format!("{mention} {text}"));
            if let Some(entities) = activity["entities"].as_array_mut() {
                entities.push(json!({"type": "mention", "mentioned": {"id": format!("28:{bot}"), "name": name}, "text": mention}));
            }
        }
    }
    if ask["value"].is_null() {
        activity["textFormat"] = json!("plain");
        activity["attachments"] = json!([{"contentType": "text/html", "content": format!("<div>{}</div>", activity["text"].as_str().unwrap_or(""))}]);
    } else if let Some(card) = ask["id"].as_str() {
        activity["replyToId"] = json!(card);
    }
    if let Spot::Channel(team, channel) = spot {
        crate::teams::control::said_in_channel(world, (team, channel), who, id, text, root.filter(|root| *root != id));
    }
    let conversation = conversation_id(world, &bot, spot, root);
    world.bots.said.push(Said { id, bot: bot.clone(), person: Some(who), spot, root, activity: activity.clone(), is_edited: false, is_deleted: false });
    tell::send(world, &bot, activity, false);
    Ok(json!({"id": id.to_string(), "conversation": conversation}))
}

/// What a person has written to a bot, by its id.
pub fn written(world: &World, ask: &Value, by_person: bool) -> Result<usize, String> {
    let id = ask["id"].as_str().ok_or("id is missing")?;
    let fits = |s: &Said| s.id.to_string() == id && s.person.is_some() == by_person;
    world.bots.said.iter().position(fits).ok_or_else(|| format!("no such message: {id}"))
}

/// POST /bot/edit and /bot/delete
pub fn change(world: &mut World, ask: &Value, is_deleted: bool) -> Done {
    let at = written(world, ask, true)?;
    let said = &mut world.bots.said[at];
    (said.is_edited, said.is_deleted) = (said.is_edited || !is_deleted, said.is_deleted || is_deleted);
    let (bot, spot, root, id, who) = (said.bot.clone(), said.spot, said.root, said.id, said.person.unwrap_or_default());
    let text = ask["text"].as_str().unwrap_or("").to_string();
    if !is_deleted {
        said.activity["text"] = json!(text);
    }
    let mut activity = tell::activity(world, &bot, spot, root, who, if is_deleted { "messageDelete" } else { "messageUpdate" });
    activity["id"] = json!(id.to_string());
    activity["channelData"]["eventType"] = json!(if is_deleted { "softDeleteMessage" } else { "editMessage" });
    if !is_deleted {
        (activity["text"], activity["textFormat"]) = (json!(text), json!("plain"));
    }
    tell::send(world, &bot, activity, false);
    Ok(json!({}))
}

/// POST /bot/react
pub fn react(world: &mut World, ask: &Value) -> Done {
    let (at, who) = (written(world, ask, false)?, person(world, ask, "person")?);
    let said = &world.bots.said[at];
    let (bot, spot, root, id) = (said.bot.clone(), said.spot, said.root, said.id);
    let mut activity = tell::activity(world, &bot, spot, root, who, "messageReaction");
    activity["replyToId"] = json!(id.to_string());
    let list = if ask["remove"] == true { "reactionsRemoved" } else { "reactionsAdded" };
    activity[list] = json!([{"type": ask["reaction"].as_str().unwrap_or("like")}]);
    tell::send(world, &bot, activity, false);
    Ok(json!({}))
}

/// POST /bot/invoke
pub fn invoke(world: &mut World, ask: &Value) -> Done {
    let who = person(world, ask, "person")?;
    let name = ask["name"].as_str().ok_or("name is missing")?;
    let (bot, spot, root) = match ask["id"].as_str() {
        Some(_) => {
            let said = &world.bots.said[written(world, ask, false)?];
            (said.bot.clone(), said.spot, said.root)
        }
        None => (bot(ask), spot(world, ask)?, None),
    };
    if world.catalogue.of_bot(&bot, spot.place()).is_none() && matches!(spot.place(), Place::Team(_)) {
        return Err("the bot is not installed there".into());
    }
    let mut activity = tell::activity(world, &bot, spot, root, who, "invoke");
    (activity["name"], activity["value"]) = (json!(name), ask["value"].clone());
    if let Some(id) = ask["id"].as_str() {
        activity["replyToId"] = json!(id);
    }
    let id = activity["id"].clone();
    tell::send(world, &bot, activity, true);
    Ok(json!({ "id": id }))
}
