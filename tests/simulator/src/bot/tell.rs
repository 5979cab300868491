//! Activities as the Connector posts them.

use super::signing::Proof;
use super::{Sent, Spot, conversation_id, event_id, service_url, thread_id, user_id};
use crate::catalogue::tenant_of;
use crate::clock::iso_ms;
use crate::world::World;
use serde_json::{Value, json};

/// What all activities have. `person`: of whom it is.
pub fn activity(world: &mut World, bot: &str, spot: Spot, root: Option<i64>, person: usize, kind: &str) -> Value {
    let tenant = tenant_of(world, spot.place());
    let tenant_id = world.people.tenants[tenant].id.clone();
    let (id, from, conversation, now) = (event_id(world), user_id(world, bot, person), conversation_id(world, bot, spot, root), iso_ms(world.now()));
    let who = &world.people.people[person];
    let name = bot_name(world, bot);
    let mut out = json!({
        "type": kind, "id": id, "timestamp": now, "localTimestamp": now.replace('Z', "+00:00"), "localTimezone": "Europe/Berlin", "serviceUrl": service_url(world, tenant),
        "channelId": "msteams", "from": {"id": from, "name": who.name, "aadObjectId": who.oid},
        "conversation": {"id": conversation, "conversationType": "personal", "tenantId": tenant_id},
        "recipient": {"id": format!("28:{bot}"), "name": name}, "channelData": {"tenant": {"id": tenant_id}}, "locale": "en-US",
        "entities": [{"type": "clientInfo", "locale": "en-US", "country": "US", "platform": "Web", "timezone": "Europe/Berlin"}],
    });
    if let Spot::Channel(team, channel) = spot {
        let one = &world.teams.teams[team];
        (out["conversation"]["conversationType"], out["conversation"]["isGroup"]) = (json!("channel"), json!(true));
        out["channelData"]["team"] = json!({"id": thread_id(world, team), "name": one.name, "aadGroupId": one.id});
        out["channelData"]["channel"] = json!({"id": one.channels[channel].id});
    }
    out
}

/// What people call the bot.
pub fn bot_name(world: &World, bot: &str) -> String {
    let version = world.catalogue.apps.iter().filter_map(|a| a.version()).find(|v| v.bot.as_ref().is_some_and(|b| b.id.eq_ignore_ascii_case(bot)));
    version.map_or_else(|| "Bot".into(), |v| v.name.clone())
}

/// It goes to the endpoint of the bot, if it has one. `once`: whoever sent it waits for the answer.
pub fn send(world: &mut World, bot: &str, activity: Value, once: bool) {
    let times = if world.odd("activities_doubled") && !once { 2 } else { 1 };
    for _ in 0..times {
        let proof = Proof {
            bot: bot.into(),
            service_url: activity["serviceUrl"].as_str().unwrap_or("").into(),
            generation: world.bots.keys,
            ..Proof::default()
        };
        post(world, bot, activity.clone(), activity.to_string(), proof, once, false);
    }
}

/// A post as it is given.
pub fn post(world: &mut World, bot: &str, activity: Value, body: String, proof: Proof, once: bool, is_forged: bool) {
    let Some(url) = world.bots.endpoints.get(bot).cloned() else { return };
    let now = world.now();
    let post = world.push.add_activity(now, url, body, proof, once);
    let id = activity["id"].as_str().unwrap_or("").to_string();
    world.bots.sent.push(Sent { id, bot: bot.into(), activity, post, statuses: Vec::new(), body: String::new(), is_forged });
}
