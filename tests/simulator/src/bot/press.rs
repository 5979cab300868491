//! Buttons of cards that are executed (Action.Execute): the bot is asked, and what it answers is shown. Source: Adaptive Cards, Universal Action Model.

use super::people::written;
use super::say::CARD;
use super::tell;
use crate::control::{Done, person};
use crate::world::World;
use serde_json::{Value, json};

/// POST /bot/press: of a card that the bot has shown.
pub fn press(world: &mut World, ask: &Value) -> Done {
    let (at, who) = (written(world, ask, false)?, person(world, ask, "person")?);
    let said = &world.bots.said[at];
    let cards = said.activity["attachments"].as_array().into_iter().flatten().filter(|one| one["contentType"] == CARD);
    let verb = ask["verb"].as_str();
    let button = cards.filter_map(|card| execute(&card["content"], verb)).next().ok_or("there is no such button on the card")?;
    let mut action = button.clone();
    if let Some(inputs) = ask["inputs"].as_object() {
        // What people fill in goes with the data of the button.
        if !action["data"].is_object() {
            action["data"] = json!({});
        }
        inputs.iter().for_each(|(name, value)| action["data"][name] = value.clone());
    }
    let (bot, spot, root, id) = (said.bot.clone(), said.spot, said.root, said.id);
    let mut activity = tell::activity(world, &bot, spot, root, who, "invoke");
    activity["name"] = json!("adaptiveCard/action");
    activity["value"] = json!({"action": action, "trigger": if ask["automatic"] == true { "automatic" } else { "manual" }});
    activity["replyToId"] = json!(id.to_string());
    let id = activity["id"].clone();
    tell::send(world, &bot, activity, true);
    Ok(json!({ "id": id }))
}

/// The first button of this verb, in whatever it stands; without a verb the first one.
fn execute<'a>(value: &'a Value, verb: Option<&str>) -> Option<&'a Value> {
    match value {
        Value::Object(all) if value["type"] == "Action.Execute" && verb.is_none_or(|verb| value["verb"] == verb) => Some(value).filter(|_| !all.is_empty()),
        Value::Object(all) => all.values().find_map(|one| execute(one, verb)),
        Value::Array(all) => all.iter().find_map(|one| execute(one, verb)),
        _ => None,
    }
}

/// A card in the answer takes the place of the one whose button was pressed.
pub fn show(world: &mut World, activity: &Value, body: &str) {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    if activity["name"] != "adaptiveCard/action" || answer["type"] != CARD || answer["statusCode"] != 200 || answer["value"]["type"] != "AdaptiveCard" {
        return;
    }
    let about = activity["replyToId"].as_str().unwrap_or("");
    let Some(said) = world.bots.said.iter_mut().find(|said| said.person.is_none() && said.id.to_string() == about) else { return };
    let cards = said.activity["attachments"].as_array_mut();
    if let Some(card) = cards.and_then(|all| all.iter_mut().find(|one| one["contentType"] == CARD && execute(&one["content"], None).is_some())) {
        card["content"] = answer["value"].clone();
    }
}
