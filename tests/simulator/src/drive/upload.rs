//! Upload sessions of files, and the address a content is fetched from; both are open to whoever has them.

use super::item::{conflict, keep, parent};
use super::store::Conflict;
use super::{full, not_found, shown};
use crate::actions::{Parameters, only};
use crate::clock::iso;
use crate::faults::Action;
use crate::graph::not_allowed;
use crate::http::{Answer, Bytes, Call, encode};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

/// What every range but the last is a multiple of.
const ALIGNED: u64 = 320 << 10;
/// What one request may bring.
const RANGE_MAX: usize = 60 << 20;
/// How long an address to fetch from holds.
const DOWNLOAD_MS: i64 = 3_600_000;

/// One file on its way, or (without a size of its own) one that may be fetched.
pub struct Session {
    token: String,
    drive: String,
    aim: Aim,
    expires: i64,
}

enum Aim {
    Up { folder: String, name: String, conflict: Conflict, bytes: Vec<u8>, size: Option<u64> },
    Down { item: String },
}

/// POST to createUploadSession.
pub fn create(world: &mut World, call: &Call, at: usize, from: &str, path: &[String]) -> Answer {
    let given = match Parameters::of(call, "createUploadSession", &["item", "deferCommit"]) {
        Ok(given) => given,
        Err(answer) => return answer,
    };
    let item = given.get("item");
    if let Err(answer) = only(item, "driveItemUploadableProperties", &["name", "fileSize"], &["description", "driveItemSource", "fileSystemInfo", "mediaSource"]) {
        return answer;
    }
    if given.get("deferCommit").as_bool() == Some(true) {
        return crate::query::lacking("deferCommit of an upload session");
    }
    let wanted = match conflict(item["@microsoft.graph.conflictBehavior"].as_str(), Conflict::Fail) {
        Ok(wanted) => wanted,
        Err(answer) => return answer,
    };
    let (folder, name) = match parent(world, at, from, path) {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let drive = &world.drives.all[at];
    if wanted == Conflict::Fail && drive.child(&folder, &name).is_some() {
        return super::taken();
    }
    if item["fileSize"].as_u64().is_some_and(|size| drive.used() + size > drive.quota) {
        return full();
    }
    let drive = drive.id.clone();
    let aim = Aim::Up { folder: folder.clone(), name, conflict: wanted, bytes: Vec::new(), size: None };
    let (id, token, expires) = open(world, drive.clone(), aim, None);
    let url = format!("{}/_api/v2.0/drives/{}/items/{}/uploadSession?guid='{id}'&overwrite=True&rename=False&dc=0&tempauth={}", call.origin, encode(&drive), encode(&folder), encode(&token));
    Answer::json(200, &json!({
        "@odata.context": format!("{}/$metadata#microsoft.graph.uploadSession", call.base()),
        "uploadUrl": url, "expirationDateTime": iso(expires), "nextExpectedRanges": ["0-"],
    }))
}

/// GET of a content: where it is.
pub fn download(world: &mut World, call: &Call, at: usize, item: &str) -> Answer {
    let drive = world.drives.all[at].id.clone();
    let (id, token, _) = open(world, drive, Aim::Down { item: item.to_string() }, Some(DOWNLOAD_MS));
    let url = format!("{}/_layouts/15/download.aspx?UniqueId={id}&Translate=false&tempauth={}&ApiVersion=2.0", call.origin, encode(&token));
    Answer::empty(302).with("Location", url)
}

fn open(world: &mut World, drive: String, aim: Aim, lives: Option<i64>) -> (String, String, i64) {
    let (id, token) = (world.ids.guid(), world.ids.text(64));
    let expires = world.now() + lives.unwrap_or(world.limits.upload_seconds * 1000);
    world.drives.sessions.insert(id.clone(), Session { token: token.clone(), drive, aim, expires });
    (id, token, expires)
}

/// Is this an address of SharePoint's own?
pub fn is_open(call: &Call) -> bool {
    call.path.starts_with("/_api/v2.0/drives/") || call.path == "/_layouts/15/download.aspx"
}

pub fn handle(world: &mut World, call: &Call, arrival: &Arrival) -> Answer {
    if call.header("authorization").is_some() {
        world.ledger.accuse("token_leak", arrival.seq, "Authorization sent to the address of an upload or download");
        return Answer::fail(401, "unauthenticated", "The address takes no token.");
    }
    let id = call.param("guid").or(call.param("UniqueId")).unwrap_or_default().trim_matches('\'').to_string();
    let now = world.now();
    world.drives.sessions.retain(|_, session| session.expires > now);
    let Some(session) = world.drives.sessions.get(&id) else { return not_found() };
    if call.param("tempauth").as_deref() != Some(&session.token) {
        return Answer::fail(401, "unauthenticated", "The token of the address is not the one of this session.");
    }
    let Some(at) = world.drives.position(&session.drive) else { return not_found() };
    match (&session.aim, call.method.as_str()) {
        (Aim::Down { item }, "GET") => match world.drives.all[at].item(item).and_then(|item| item.bytes.clone()) {
            Some(bytes) => Answer::bytes(200, "application/octet-stream", bytes),
            None => not_found(),
        },
        (Aim::Up { .. }, "GET") => Answer::json(200, &progress(world, call, &id)),
        (Aim::Up { .. }, "PUT") => put(world, call, arrival, at, &id),
        (Aim::Up { .. }, "DELETE") => {
            world.drives.sessions.remove(&id);
            Answer::empty(204)
        }
        _ => not_allowed(),
    }
}

fn progress(world: &World, call: &Call, id: &str) -> Value {
    let Some(Session { aim: Aim::Up { bytes, .. }, expires, .. }) = world.drives.sessions.get(id) else { return Value::Null };
    json!({"@odata.context": format!("{}/_api/v2.0/$metadata#oneDrive.uploadSession", call.origin), "expirationDateTime": iso(*expires), "nextExpectedRanges": [format!("{}-", bytes.len())]})
}

fn put(world: &mut World, call: &Call, arrival: &Arrival, at: usize, id: &str) -> Answer {
    let invalid = |text: &str| Answer::fail(400, "invalidRequest", text);
    let Some((from, to, all)) = call.header("content-range").and_then(crate::mail::upload::range) else {
        return invalid("The Content-Range header is missing or malformed.");
    };
    if world.drives.all[at].locked {
        return super::locked();
    }
    let Some(Session { aim: Aim::Up { bytes, size, .. }, .. }) = world.drives.sessions.get_mut(id) else { return not_found() };
    if size.is_some_and(|size| size != all) {
        return invalid("The Content-Range header names another size than before.");
    }
    let count = to - from + 1;
    if call.body.len() > RANGE_MAX || call.too_long {
        return Answer::fail(413, "invalidRequest", "A range may have 60 MiB at the most.");
    }
    if call.body.len() as u64 != count {
        return invalid("The Content-Range header does not match the length of the content.");
    }
    if to + 1 < all && count % ALIGNED != 0 {
        return invalid("Every range but the last must be a multiple of 320 KiB.");
    }
    let next = bytes.len() as u64;
    if from != next {
        let text = if from < next { "The uploaded fragment overlaps with data that has already been received." } else { "The uploaded fragment does not follow what has been received." };
        return Answer::fail(416, "invalidRange", text);
    }
    // Of a connection that broke, whole units are kept.
    let kept = match arrival.hit.as_ref().map(|hit| &hit.action) {
        Some(Action::CutRequest(cut)) => (*cut).min(call.body.len()) / ALIGNED as usize * ALIGNED as usize,
        _ => call.body.len(),
    };
    *size = Some(all);
    bytes.extend_from_slice(call.body.get(..kept).unwrap_or_default());
    if bytes.len() as u64 == all { finish(world, call, at, id) } else { Answer::json(202, &progress(world, call, id)) }
}

/// All of it is here.
fn finish(world: &mut World, call: &Call, at: usize, id: &str) -> Answer {
    let Some(Session { aim: Aim::Up { folder, name, conflict, bytes, .. }, .. }) = world.drives.sessions.remove(id) else { return not_found() };
    match keep(world, at, &folder, &name, Bytes::from(bytes), conflict) {
        Ok((item, is_new)) => match shown::item(world, call, at, &item) {
            Ok(shown) => Answer::json(if is_new { 201 } else { 200 }, &shown),
            Err(refused) => refused,
        },
        Err(refused) => refused,
    }
}
