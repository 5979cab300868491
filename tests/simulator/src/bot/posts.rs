//! What left for the endpoints of bots, and what they answered.

use super::Sent;
use crate::control::Done;
use crate::world::World;
use serde_json::{Value, json};

fn shown(one: &Sent) -> Value {
    let body = serde_json::from_str(&one.body).unwrap_or_else(|_| json!(one.body));
    json!({
        "id": one.id, "bot": one.bot, "type": one.activity["type"], "name": one.activity["name"], "action": one.activity["action"], "statuses": one.statuses,
        "status": one.statuses.last(), "body": body, "is_forged": one.is_forged,
    })
}

/// POST /bot/posts
pub fn list(world: &World, ask: &Value) -> Done {
    let fits = |one: &&Sent| ask["type"].as_str().is_none_or(|kind| one.activity["type"] == kind) && ask["forged"].as_bool().is_none_or(|forged| one.is_forged == forged);
    Ok(json!({"items": world.bots.sent.iter().filter(fits).map(shown).collect::<Vec<_>>()}))
}

/// POST /bot/invoked: what the endpoint answered to invokes.
pub fn invoked(world: &World, _: &Value) -> Done {
    let fits = |one: &&Sent| one.activity["type"] == "invoke" && !one.is_forged;
    Ok(json!({"items": world.bots.sent.iter().filter(fits).map(shown).collect::<Vec<_>>()}))
}
