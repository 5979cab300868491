//! Posts that are not as the Connector would make them.

use super::people::bot;
use super::signing::{Key, Proof, patch};
use super::tell;
use crate::control::Done;
use crate::world::World;
use serde_json::{Value, json};

/// The last activity that was posted rightly, or the one of this id.
fn last(world: &World, ask: &Value) -> Result<(String, Value), String> {
    let wanted = |one: &&super::Sent| !one.is_forged && ask["id"].as_str().is_none_or(|id| one.id == id) && ask["type"].as_str().is_none_or(|kind| one.activity["type"] == kind);
    let found = world.bots.sent.iter().rev().find(wanted).ok_or("no such activity was posted")?;
    Ok((found.bot.clone(), found.activity.clone()))
}

/// POST /bot/redeliver: the same activity again.
pub fn redeliver(world: &mut World, ask: &Value) -> Done {
    let (bot, activity) = last(world, ask)?;
    let id = activity["id"].clone();
    let once = activity["type"] == "invoke";
    tell::send(world, &bot, activity, once);
    Ok(json!({ "id": id }))
}

/// POST /bot/forge: a variant of an activity that was posted.
pub fn forge(world: &mut World, ask: &Value) -> Done {
    let (own, mut activity) = match last(world, ask) {
        Ok(found) => found,
        // A forger needs no example.
        Err(_) if ask["body"].is_object() && ask["id"].is_null() => (bot(ask), json!({})),
        Err(text) => return Err(text),
    };
    let key = match ask["key"].as_str() {
        None => Key::Own,
        Some(name) => Key::parse(name).ok_or_else(|| format!("no such key: {name}"))?,
    };
    let proof = Proof {
        bot: own.clone(),
        service_url: activity["serviceUrl"].as_str().unwrap_or("").into(),
        generation: ask["generation"].as_u64().map_or(world.bots.keys, |n| n as usize),
        key,
        claims: ask["claims"].clone(),
        header: ask["header"].clone(),
        literal: ask["authorization"].as_str().map(String::from),
    };
    if ask["body"].is_object() {
        patch(&mut activity, &ask["body"]);
    }
    let body = ask["raw"].as_str().map_or_else(|| activity.to_string(), String::from);
    let id = activity["id"].clone();
    tell::post(world, &own, activity, body, proof, true, true);
    Ok(json!({ "id": id }))
}
