//! What happened with the app of a bot becomes activities, and what its endpoint answered is kept.

use super::{Spot, press, tell};
use crate::catalogue::{Happened, Place};
use crate::push::Said;
use crate::world::World;
use serde_json::json;

/// After every request and every doing of a test.
pub fn collect(world: &mut World) {
    for Happened { bot, place, what, by, channel } in std::mem::take(&mut world.catalogue.happened) {
        let (spot, person) = match place {
            Place::Person(person) => (Spot::Person(person), Some(person)),
            Place::Team(team) => (Spot::Channel(team, channel.unwrap_or(0)), by.or(world.teams.teams[team].members.first().copied())),
        };
        let (Some(person), id) = (person, bot.id.to_ascii_lowercase()) else { continue };
        let selected = |world: &World| match spot {
            Spot::Channel(team, channel) => json!({"selectedChannel": {"id": world.teams.teams[team].channels[channel].id}}),
            Spot::Person(_) => json!(null),
        };
        let mut update = tell::activity(world, &id, spot, None, person, "installationUpdate");
        update["action"] = json!(what);
        if what == "add" && matches!(spot, Spot::Channel(..)) {
            update["channelData"]["settings"] = selected(world);
        }
        tell::send(world, &id, update, false);
        let (list, event) = match what {
            "add" => ("membersAdded", "teamMemberAdded"),
            "remove" => ("membersRemoved", "teamMemberRemoved"),
            _ => continue,
        };
        let mut update = tell::activity(world, &id, spot, None, person, "conversationUpdate");
        update[list] = json!([{"id": format!("28:{id}")}]);
        if matches!(spot, Spot::Channel(..)) {
            update["channelData"]["eventType"] = json!(event);
            if what == "add" {
                update["channelData"]["settings"] = selected(world);
            }
        }
        tell::send(world, &id, update, false);
    }
}

/// The endpoint of a bot answered a post, or nobody did.
pub fn answered(world: &mut World, post: u64, said: Option<&Said>) {
    let Some(sent) = world.bots.sent.iter_mut().find(|one| one.post == post) else { return };
    sent.statuses.push(said.map_or(0, |said| said.status));
    if let Some(said) = said {
        sent.body = said.body.clone();
        let shown = (!sent.is_forged && said.status == 200).then(|| (sent.activity.clone(), said.body.clone()));
        if let Some((activity, body)) = shown {
            press::show(world, &activity, &body);
        }
    }
}
