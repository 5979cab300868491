//! Contacts as tests make and change them.

use super::store::DEFAULT;
use crate::control::{Done, person};
use crate::world::World;
use serde_json::{Map, Value, json};

fn place(world: &World, ask: &Value) -> Result<(usize, usize), String> {
    let owner = person(world, ask, "mailbox")?;
    let folder = match ask["folder"].as_str() {
        None => DEFAULT,
        Some(name) => {
            let all = &world.contacts[owner];
            all.folder(name).or_else(|| all.folders.iter().position(|f| !f.gone && f.name == name)).ok_or_else(|| format!("no such folder: {name}"))?
        }
    };
    Ok((owner, folder))
}

/// By id or display name.
fn named(world: &World, ask: &Value) -> Result<(usize, u32), String> {
    let (owner, name) = (person(world, ask, "mailbox")?, ask["contact"].as_str().ok_or("contact is missing")?);
    let all = &world.contacts[owner];
    let by_name = || (0..all.folders.len()).flat_map(|folder| all.in_folder(folder)).find(|key| all.get(*key).is_some_and(|c| c.fields.get("displayName").is_some_and(|n| n == name)));
    Ok((owner, all.find(name).or_else(by_name).ok_or_else(|| format!("no such contact: {name}"))?))
}

fn fields(ask: &Value) -> Map<String, Value> {
    ask["set"].as_object().cloned().unwrap_or_default()
}

/// `{mailbox, folder?, set: {…}}`
pub fn add(world: &mut World, ask: &Value) -> Done {
    let (owner, folder) = place(world, ask)?;
    let now = world.now();
    let key = world.contacts[owner].insert(&mut world.ids, folder, fields(ask), now);
    Ok(json!({"id": world.contacts[owner].get(key).map(|c| c.immutable.clone())}))
}

/// `{mailbox, contact, set: {…}}`
pub fn change(world: &mut World, ask: &Value) -> Done {
    let (owner, key) = named(world, ask)?;
    let now = world.now();
    world.contacts[owner].edit(key, fields(ask), now);
    Ok(json!({}))
}

/// `{mailbox, contact}`
pub fn delete(world: &mut World, ask: &Value) -> Done {
    let (owner, key) = named(world, ask)?;
    world.contacts[owner].remove(key);
    Ok(json!({}))
}

/// `{mailbox, name, folder?}`
pub fn add_folder(world: &mut World, ask: &Value) -> Done {
    let (owner, parent) = place(world, ask)?;
    let name = ask["name"].as_str().ok_or("name is missing")?;
    let at = world.contacts[owner].add_folder(&mut world.ids, name, Some(parent));
    Ok(json!({"id": world.contacts[owner].folders[at].id}))
}
