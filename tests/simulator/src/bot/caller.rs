//! Which bot asks: its token must be for the Connector, and the bot must be registered.

use super::refusals::{denied, refuse};
use crate::http::{Answer, Call};
use crate::people::{BOT_FRAMEWORK, People};
use crate::world::World;

/// Is this the service of bots?
fn is_bot_audience(audience: &str) -> bool {
    audience.trim_end_matches('/').eq_ignore_ascii_case("https://api.botframework.com")
}

fn bearer(call: &Call) -> Option<&str> {
    let header = call.header("authorization")?;
    header.get(..7).filter(|b| b.eq_ignore_ascii_case("bearer ")).and_then(|_| header.get(7..)).map(str::trim)
}

/// What the token of a request is for: the client, and whether it is a bot's. None: no token that is known.
pub fn named(world: &World, call: &Call) -> Option<(String, bool)> {
    let access = world.entra.access(bearer(call)?)?;
    Some((access.app.clone(), is_bot_audience(&access.audience)))
}

/// Only one tenant may use a registration of its own.
fn is_at_home(people: &People, app: &str, tenant: usize) -> bool {
    let domain = &people.tenants[tenant].domain;
    matches!(people.app(app).map(|a| &a.audience), Some(crate::apps::Audience::Single(own)) if own == domain)
}

/// The client id of the bot, in lower case.
pub fn bot(world: &World, call: &Call) -> Result<String, Answer> {
    let access = bearer(call).and_then(|token| world.entra.access(token)).ok_or_else(denied)?;
    if !is_bot_audience(&access.audience) || world.now() >= access.expires_ms || access.person.is_some() {
        return Err(denied());
    }
    if world.people.app(&access.app).is_none_or(|app| !app.bot) {
        return Err(refuse(401, "BotNotRegistered", "The bot is not registered."));
    }
    let is_of_framework = world.people.tenants[access.tenant].id == BOT_FRAMEWORK;
    if !is_of_framework && world.odd("customer_bot_tokens_refused") && !is_at_home(&world.people, &access.app, access.tenant) {
        return Err(denied());
    }
    Ok(access.app.to_ascii_lowercase())
}
