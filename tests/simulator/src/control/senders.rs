//! Groups, who may send in whose name, and who may open whose mailbox.

use super::{Done, person};
use crate::mail::app_access::AppAccess;
use crate::mail::senders::Group;
use crate::world::World;
use serde_json::{Value, json};

fn address(ask: &Value, field: &str) -> Result<String, String> {
    ask[field].as_str().filter(|a| a.contains('@')).map(str::to_lowercase).ok_or_else(|| format!("{field} is missing, or no address"))
}

/// Made if new; of a known one, what is not given stays.
pub fn add_group(world: &mut World, ask: &Value) -> Done {
    let address = address(ask, "address")?;
    if world.people.find(&address).is_some() {
        return Err(format!("somebody has this address: {address}"));
    }
    let find = |who: &Value| who.as_str().and_then(|who| world.people.find(who)).ok_or_else(|| format!("no such person: {who}"));
    let members = ask["members"].as_array().map(|all| all.iter().map(find).collect::<Result<Vec<_>, _>>()).transpose()?;
    let local = address.split('@').next().unwrap_or("").to_string();
    let group = world.senders.groups.entry(address.clone()).or_insert(Group { name: local, members: Vec::new() });
    group.members = members.unwrap_or_else(|| std::mem::take(&mut group.members));
    group.name = ask["name"].as_str().map_or_else(|| std::mem::take(&mut group.name), String::from);
    Ok(json!({"address": address}))
}

/// Without mailboxes there is no policy any more.
pub fn app_access(world: &mut World, ask: &Value) -> Done {
    let client_id = ask["client_id"].as_str().ok_or("client_id is missing")?.to_lowercase();
    let Some(named) = ask["mailboxes"].as_array() else {
        world.senders.apps.remove(&client_id);
        return Ok(json!({}));
    };
    let find = |who: &Value| who.as_str().and_then(|who| world.people.find(who)).ok_or_else(|| format!("no such person: {who}"));
    let mailboxes = named.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let grants = ask["grants"].as_array().into_iter().flatten().filter_map(|role| role.as_str().map(String::from)).collect();
    world.senders.apps.insert(client_id, AppAccess { mailboxes, grants });
    Ok(json!({}))
}

/// What is not given is not granted, or not any more.
pub fn grant(world: &mut World, ask: &Value) -> Done {
    let (mailbox, who) = (address(ask, "mailbox")?, person(world, ask, "person")?);
    let mailbox = match world.people.find(&mailbox) {
        Some(owner) => world.people.people[owner].address.to_lowercase(),
        None if world.senders.groups.contains_key(&mailbox) => mailbox,
        None => return Err(format!("no such mailbox or group: {mailbox}")),
    };
    let rights = world.senders.rights.entry((mailbox, who)).or_default();
    let is = |name: &str| ask[name] == json!(true);
    (rights.send_as, rights.on_behalf, rights.full_access) = (is("send_as"), is("on_behalf"), is("full_access"));
    rights.folders = ask["folders"].as_array().into_iter().flatten().filter_map(|name| name.as_str().map(String::from)).collect();
    Ok(json!({"send_as": rights.send_as, "on_behalf": rights.on_behalf, "full_access": rights.full_access, "folders": rights.folders}))
}
