//! What is done with an item: read, put, named, shared, removed.

use super::place::{Place, Target};
use super::store::{Conflict, is_name};
use super::{full, not_found, share, shown, taken, unknown, upload};
use crate::actions::only;
use crate::graph::{bad, not_allowed, page};
use crate::http::{Answer, Bytes, Call};
use crate::query::lacking;
use crate::world::World;
use serde_json::Value;

pub fn serve(world: &mut World, call: &Call, at: usize, place: &Place) -> Answer {
    let (method, action) = (call.method.as_str(), place.action.as_str());
    let root = world.drives.all[at].root();
    // What is put by path may not be there yet; everything else is.
    if let Target::Below(from, path) = &place.target
        && matches!((method, action), ("PUT", "content") | ("POST", "createUploadSession"))
    {
        let from = from.clone().unwrap_or(root);
        return match (world.drives.all[at].item(&from), action) {
            (None, _) => not_found(),
            (_, "content") => put(world, call, at, &from, path),
            _ => upload::create(world, call, at, &from, path),
        };
    }
    let drive = &world.drives.all[at];
    let found = match &place.target {
        Target::Drive => return if method == "GET" && action.is_empty() { Answer::json(200, &shown::drive(world, call, at)) } else { unknown(method, action) },
        Target::Root => Some(root),
        Target::Item(id) => drive.item(id).map(|item| item.id.clone()),
        Target::Below(from, path) => drive.walk(&from.clone().unwrap_or(root), path).map(|item| item.id.clone()),
    };
    let Some(id) = found else { return not_found() };
    let is_folder = drive.item(&id).is_some_and(|item| item.bytes.is_none());
    match (method, action) {
        ("GET", "") => answer(200, shown::item(world, call, at, &id)),
        ("GET", "children") => {
            let ids: Vec<String> = drive.items.iter().filter(|item| item.parent.as_deref() == Some(&id)).map(|item| item.id.clone()).collect();
            match ids.iter().map(|id| shown::item(world, call, at, id)).collect() {
                Ok(value) => page(format!("{}/$metadata#Collection(driveItem)", call.base()), value, None, None),
                Err(refused) => refused,
            }
        }
        ("POST", "children") => make_folder(world, call, at, &id),
        ("GET", "content") if !is_folder => upload::download(world, call, at, &id),
        ("PUT", "content") if !is_folder => replace(world, call, at, &id),
        ("PATCH", "") => rename(world, call, at, &id),
        ("DELETE", "") => {
            world.drives.all[at].remove(&id);
            Answer::empty(204)
        }
        ("POST", "invite") => share::invite(world, call, at, &id),
        ("POST", "createUploadSession") => lacking("an upload session for an item that is there"),
        (_, "content" | "children" | "invite" | "createUploadSession") => not_allowed(),
        _ => unknown(method, action),
    }
}

fn answer(status: u16, shown: Result<Value, Answer>) -> Answer {
    match shown {
        Ok(shown) => Answer::json(status, &shown),
        Err(refused) => refused,
    }
}

/// What the request, or its query, says of a name that is taken.
pub fn conflict(text: Option<&str>, default: Conflict) -> Result<Conflict, Answer> {
    match text {
        None => Ok(default),
        Some(text) => Conflict::parse(text).ok_or_else(|| Answer::fail(400, "invalidRequest", format!("'{text}' is no conflict behavior."))),
    }
}

/// The folder that a path ends in, with those above it made, and the name of the file.
pub fn parent(world: &mut World, at: usize, from: &str, path: &[String]) -> Result<(String, String), Answer> {
    let Some((name, above)) = path.split_last() else { return Err(not_found()) };
    if let Some(bad) = path.iter().find(|name| !is_name(name)) {
        return Err(Answer::fail(400, "invalidRequest", format!("The name '{bad}' is not valid for an item.")));
    }
    let mut folder = from.to_string();
    for name in above {
        folder = world.folder(at, &folder, name);
        if world.drives.all[at].item(&folder).is_some_and(|item| item.bytes.is_some()) {
            return Err(Answer::fail(409, "nameAlreadyExists", "A part of the path is a file."));
        }
    }
    Ok((folder, name.clone()))
}

/// Stores a file, and answers its id and whether it is a new one.
pub fn keep(world: &mut World, at: usize, folder: &str, name: &str, bytes: Bytes, conflict: Conflict) -> Result<(String, bool), Answer> {
    let now = world.now();
    let drive = &mut world.drives.all[at];
    let there = drive.child(folder, name).map(|item| (item.id.clone(), item.bytes.as_ref().map(|bytes| bytes.len() as u64)));
    let freed = match (&there, conflict) {
        (Some((_, Some(size))), Conflict::Replace) => *size,
        _ => 0,
    };
    if drive.used() - freed + bytes.len() as u64 > drive.quota {
        return Err(full());
    }
    match (there, conflict) {
        (None, _) => Ok((world.add_item(at, Some(folder), name, Some(bytes)), true)),
        (Some((id, Some(_))), Conflict::Replace) => {
            if let Some(item) = drive.item_mut(&id) {
                (item.bytes, item.version, item.modified) = (Some(bytes), item.version + 1, now);
            }
            Ok((id, false))
        }
        (Some(_), Conflict::Rename) => {
            let name = drive.free(folder, name);
            Ok((world.add_item(at, Some(folder), &name, Some(bytes)), true))
        }
        (Some(_), _) => Err(taken()),
    }
}

fn put(world: &mut World, call: &Call, at: usize, from: &str, path: &[String]) -> Answer {
    let behavior = call.param("@microsoft.graph.conflictBehavior");
    let done = conflict(behavior.as_deref(), Conflict::Replace).and_then(|conflict| {
        let (folder, name) = parent(world, at, from, path)?;
        keep(world, at, &folder, &name, call.body.clone(), conflict)
    });
    match done {
        Ok((id, is_new)) => answer(if is_new { 201 } else { 200 }, shown::item(world, call, at, &id)),
        Err(refused) => refused,
    }
}

fn replace(world: &mut World, call: &Call, at: usize, id: &str) -> Answer {
    let drive = &world.drives.all[at];
    let Some((folder, name)) = drive.item(id).and_then(|item| Some((item.parent.clone()?, item.name.clone()))) else { return not_found() };
    match keep(world, at, &folder, &name, call.body.clone(), Conflict::Replace) {
        Ok((id, _)) => answer(200, shown::item(world, call, at, &id)),
        Err(refused) => refused,
    }
}

fn rename(world: &mut World, call: &Call, at: usize, id: &str) -> Answer {
    let Some(body) = call.json() else { return bad("Invalid request body was sent.") };
    if let Err(refused) = only(&body, "driveItem", &["name"], &["parentReference", "description", "fileSystemInfo"]) {
        return refused;
    }
    let now = world.now();
    let drive = &mut world.drives.all[at];
    let Some(name) = body["name"].as_str().filter(|name| is_name(name)) else {
        return Answer::fail(400, "invalidRequest", "The name is not valid for an item.");
    };
    let Some(folder) = drive.item(id).and_then(|item| item.parent.clone()) else {
        return Answer::fail(400, "invalidRequest", "The root cannot be renamed.");
    };
    if drive.child(&folder, name).is_some_and(|other| other.id != id) {
        return taken();
    }
    if let Some(item) = drive.item_mut(id) {
        (item.name, item.version, item.modified) = (name.to_string(), item.version + 1, now);
    }
    answer(200, shown::item(world, call, at, id))
}

fn make_folder(world: &mut World, call: &Call, at: usize, parent: &str) -> Answer {
    let Some(body) = call.json() else { return bad("Invalid request body was sent.") };
    if let Err(refused) = only(&body, "driveItem", &["name", "folder"], &["description", "fileSystemInfo"]) {
        return refused;
    }
    let behavior = match conflict(body["@microsoft.graph.conflictBehavior"].as_str(), Conflict::Fail) {
        Ok(behavior) => behavior,
        Err(refused) => return refused,
    };
    let Some(name) = body["name"].as_str().filter(|name| is_name(name) && body["folder"].is_object()) else {
        return Answer::fail(400, "invalidRequest", "A folder needs a name that is valid, and a folder facet.");
    };
    let name = match (world.drives.all[at].child(parent, name).is_some(), behavior) {
        (false, _) => name.to_string(),
        (true, Conflict::Rename) => world.drives.all[at].free(parent, name),
        (true, _) => return taken(),
    };
    let id = world.add_item(at, Some(parent), &name, None);
    answer(201, shown::item(world, call, at, &id))
}
