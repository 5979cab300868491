//! Drives as tests make and see them.

use crate::control::Done;
use crate::http::{Bytes, hex};
use crate::world::World;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// `{person}` or `{team, channel?}`: the drive, and the folder of the channel in it.
fn place(world: &mut World, ask: &Value) -> Result<(usize, String), String> {
    if let Some(id) = ask["team"].as_str() {
        let team = world.teams.teams.iter().position(|t| t.id == id).ok_or_else(|| format!("no such team: {id}"))?;
        let channel = match ask["channel"].as_str() {
            Some(id) => world.teams.teams[team].channels.iter().position(|c| c.id == id).ok_or_else(|| format!("no such channel: {id}"))?,
            None => 0,
        };
        return Ok(world.channel_folder(team, channel));
    }
    let person = crate::control::person(world, ask, "person")?;
    let at = world.drive_of(person).ok_or("this person has no OneDrive")?;
    Ok((at, world.drives.all[at].root()))
}

/// `{person or team, channel?, hashes?}`
pub fn list(world: &mut World, ask: &Value) -> Done {
    let (at, folder) = place(world, ask)?;
    let drive = &world.drives.all[at];
    let above = drive.item(&folder).map(|item| drive.path(item)).unwrap_or_default();
    let files = drive.items.iter().filter(|item| item.bytes.is_some() && drive.path(item).starts_with(&above));
    let one = |item: &super::store::Item| {
        let bytes = item.bytes.clone().unwrap_or_default();
        let readers: Vec<&str> = item.shared.iter().map(|(person, _)| world.people.people[*person].address.as_str()).collect();
        let mut shown = json!({
            "path": drive.path(item).get(above.len()..).unwrap_or_default().join("/"), "size": bytes.len(), "id": item.id, "drive": drive.id, "guid": item.guid,
            "url": drive.dav_url(item), "readers": readers,
        });
        if ask["hashes"] == json!(true) {
            shown["sha256"] = json!(hex(&Sha256::digest(&bytes)));
        }
        shown
    };
    Ok(json!({"items": files.map(one).collect::<Vec<_>>()}))
}

/// `{person or team, channel?, path, text}`
pub fn add(world: &mut World, ask: &Value) -> Done {
    let (at, mut folder) = place(world, ask)?;
    let path: Vec<String> = ask["path"].as_str().ok_or("path is missing")?.split('/').map(String::from).collect();
    let (name, above) = path.split_last().ok_or("path is missing")?;
    for one in above {
        folder = world.folder(at, &folder, one);
    }
    let bytes = Bytes::from(ask["text"].as_str().unwrap_or("").as_bytes().to_vec());
    Ok(json!({"id": world.add_item(at, Some(&folder), name, Some(bytes))}))
}

/// `{person or team, channel?, quota?, locked?, empty?}`
pub fn change(world: &mut World, ask: &Value) -> Done {
    let (at, folder) = place(world, ask)?;
    let drive = &mut world.drives.all[at];
    drive.quota = ask["quota"].as_u64().unwrap_or(drive.quota);
    drive.locked = ask["locked"].as_bool().unwrap_or(drive.locked);
    if ask["empty"] == json!(true) {
        let files: Vec<String> = drive.items.iter().filter(|item| item.parent.as_deref() == Some(&folder)).map(|item| item.id.clone()).collect();
        files.iter().for_each(|id| drive.remove(id));
    }
    Ok(json!({"id": drive.id}))
}
