//! What a test does with apps: publish them, and act as a person who installs them in Teams.

use super::package::{self, Manifest};
use super::{Place, Refusal, TeamsApp};
use crate::control::{Done, person};
use crate::world::World;
use serde_json::{Value, json};

/// POST /bot/app
pub fn app(world: &mut World, ask: &Value) -> Done {
    let text = |name: &str| ask[name].as_str().map(String::from);
    let bot = text("bot");
    let external = text("external_id").or_else(|| bot.clone()).ok_or("external_id or bot is missing")?;
    let tenant = match ask["domain"].as_str() {
        Some(domain) => Some(world.people.tenant(domain).ok_or_else(|| format!("no such tenant: {domain}"))?),
        None => None,
    };
    let known = world.catalogue.apps.iter().position(|a| a.external_id.eq_ignore_ascii_case(&external) && a.tenant == tenant);
    let before = known.and_then(|at| world.catalogue.apps[at].versions.last().cloned());
    let list = |name: &str| ask[name].as_array().map(|all| all.iter().filter_map(|one| one.as_str().map(String::from)).collect::<Vec<_>>());
    let features = ask["channel_features"].as_bool().unwrap_or(true);
    let manifest = Manifest {
        id: external.clone(),
        manifest_version: text("manifest_version").unwrap_or_else(|| "1.25".into()),
        number: text("version").or_else(|| before.as_ref().map(|b| b.number.clone())).unwrap_or_else(|| "1.0.0".into()),
        name: text("name").or_else(|| before.as_ref().map(|b| b.name.clone())).unwrap_or_else(|| "Another app".into()),
        short: "An app".into(),
        full: "An app of a test".into(),
        bot: bot.or_else(|| before.as_ref().and_then(|b| b.bot.as_ref().map(|b| b.id.clone()))).map(|id| super::Bot {
            id,
            scopes: list("scopes").or_else(|| before.as_ref().and_then(|b| b.bot.as_ref().map(|b| b.scopes.clone()))).unwrap_or_else(|| vec!["personal".into(), "team".into()]),
            is_notification_only: ask["notification_only"].as_bool().unwrap_or(false),
        }),
        client: text("client").or_else(|| before.as_ref().and_then(|b| b.client.clone())),
        asks: list("asks").unwrap_or_default(),
        has_channel_features: features,
    };
    let at = match known {
        Some(at) => at,
        None => {
            let method = match ask["method"].as_str() {
                None | Some("organization") => "organization",
                Some("store") => "store",
                Some(other) => return Err(format!("no such method: {other}")),
            };
            // What comes from the store has one id everywhere.
            let id = if method == "store" { external.clone() } else { world.ids.guid() };
            world.catalogue.apps.push(TeamsApp { id, external_id: external, method, tenant, is_blocked: false, versions: Vec::new() });
            world.catalogue.apps.len() - 1
        }
    };
    let is_new = before.is_none_or(|b| ["version", "scopes", "name", "bot", "client", "asks", "channel_features", "manifest_version", "notification_only"].iter().any(|n| !ask[*n].is_null()) || b.number != manifest.number);
    if is_new {
        let version = package::version(world, manifest, "published");
        world.catalogue.apps[at].versions.push(version);
    }
    let one = &mut world.catalogue.apps[at];
    one.is_blocked = ask["blocked"].as_bool().unwrap_or(one.is_blocked);
    Ok(json!({"id": one.id, "external_id": one.external_id}))
}

/// The app that a test speaks of: by its ids or its bot, or the first.
fn named(world: &World, ask: &Value, tenant: usize) -> Result<usize, String> {
    let Some(name) = ask["app"].as_str().or(ask["bot"].as_str()) else { return Ok(0) };
    let is = |text: &str| text.eq_ignore_ascii_case(name);
    let fits = |a: &TeamsApp| a.is_in(tenant) && (is(&a.id) || is(&a.external_id) || a.version().is_some_and(|v| v.bot.as_ref().is_some_and(|b| is(&b.id))));
    world.catalogue.apps.iter().position(fits).ok_or_else(|| format!("no such app: {name}"))
}

/// `{person}`, or `{team, person?, channel?}`.
fn place(world: &World, ask: &Value) -> Result<(Place, Option<usize>, Option<usize>), String> {
    let by = if ask["person"].is_null() { None } else { Some(person(world, ask, "person")?) };
    let Some(team) = ask["team"].as_str() else {
        return by.map(|p| (Place::Person(p), Some(p), None)).ok_or_else(|| "person or team is missing".into());
    };
    let at = world.teams.teams.iter().position(|t| t.id == team || t.name == team).ok_or_else(|| format!("no such team: {team}"))?;
    let channels = &world.teams.teams[at].channels;
    let channel = match ask["channel"].as_str() {
        None => None,
        Some(name) => Some(channels.iter().position(|c| c.id == name || c.name == name).ok_or_else(|| format!("no such channel: {name}"))?),
    };
    Ok((Place::Team(at), by, channel))
}

/// POST /bot/install
pub fn install(world: &mut World, ask: &Value) -> Done {
    let (place, by, channel) = place(world, ask)?;
    let app = named(world, ask, super::tenant_of(world, place))?;
    match super::install(world, app, place, by, channel) {
        Ok(id) => Ok(json!({"id": id, "app": world.catalogue.apps[app].id})),
        Err(Refusal::Already) => Err("it is installed there".into()),
        Err(Refusal::Blocked) => Err("a policy blocks it".into()),
        Err(Refusal::Unfit(text)) => Err(text),
    }
}

/// POST /bot/uninstall
pub fn uninstall(world: &mut World, ask: &Value) -> Done {
    let (place, by, _) = place(world, ask)?;
    let app = named(world, ask, super::tenant_of(world, place))?;
    if super::uninstall(world, app, place, by) { Ok(json!({})) } else { Err("it is not installed there".into()) }
}

/// POST /bot/installed
pub fn installed(world: &World, _: &Value) -> Done {
    let one = |i: &super::Install| {
        let (person, team) = match i.place {
            Place::Person(p) => (json!(world.people.people[p].address), Value::Null),
            Place::Team(t) => (Value::Null, json!(world.teams.teams[t].name)),
        };
        json!({"id": i.id, "app": world.catalogue.apps[i.app].id, "person": person, "team": team, "version": i.version.number, "bot": i.version.bot.as_ref().map(|b| b.id.clone())})
    };
    Ok(json!({"items": world.catalogue.installs.iter().map(one).collect::<Vec<_>>()}))
}
