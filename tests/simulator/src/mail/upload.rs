//! Upload sessions: large attachments in ranges, at an address that is open to whoever has it.

use super::message::Attachment;
use super::{Job, not_found};
use crate::actions::{Parameters, only, outlook};
use crate::clock::iso;
use crate::faults::Action;
use crate::graph::{bad, not_allowed};
use crate::http::{Answer, Bytes, Call, encode};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What one request may bring.
const RANGE_MAX: usize = 4 << 20;
/// What a session may bring.
const FILE_MAX: u64 = 150 << 20;
/// What OneDrive wants every range but the last to be a multiple of, and Outlook does not ask for.
const ALIGNED: u64 = 320 << 10;

/// One file on its way into a draft.
pub struct Session {
    token: String,
    person: usize,
    key: u32,
    name: String,
    content_type: String,
    inline: bool,
    content_id: Option<String>,
    size: u64,
    bytes: Vec<u8>,
    expires: i64,
}

/// By the name in their address. What is over stays known for nothing.
#[derive(Default)]
pub struct Uploads(HashMap<String, Session>);

/// The largest message of this person, all its attachments together.
pub fn message_max(world: &World, person: usize) -> u64 {
    world.people.tenants[world.people.people[person].tenant].message_max
}

pub fn too_large() -> Answer {
    Answer::fail(413, "ErrorMessageSizeExceeded", "The message exceeds the maximum supported size.")
}

/// POST to createUploadSession of a draft.
pub fn create(job: &mut Job, key: u32) -> Answer {
    let given = match Parameters::of(job.call, "createUploadSession", &["AttachmentItem"]) {
        Ok(given) => given,
        Err(answer) => return answer,
    };
    let item = named(given.get("AttachmentItem"));
    const KNOWN: [&str; 6] = ["attachmentType", "name", "size", "contentType", "isInline", "contentId"];
    if let Err(answer) = only(&item, "attachmentItem", &KNOWN, &[]) {
        return answer;
    }
    let kind = item["attachmentType"].as_str().unwrap_or("");
    if !kind.eq_ignore_ascii_case("file") {
        return bad(format!("Requested value '{kind}' was not found."));
    }
    let (Some(name), Some(size)) = (item["name"].as_str(), item["size"].as_u64()) else {
        return bad("The attachment item needs a name and a size.");
    };
    if size == 0 || size > FILE_MAX {
        return Answer::fail(400, "ErrorInvalidRequest", "The size of the attachment is out of range.");
    }
    let Some(message) = job.mailbox().get(key) else { return not_found() };
    if !message.is_draft {
        return Answer::fail(400, "ErrorInvalidOperation", "The message is not a draft.");
    }
    let held: u64 = message.attachments.iter().map(|a| a.bytes.len() as u64).sum();
    if held + size > message_max(job.world, job.person) {
        return too_large();
    }
    let session = Session {
        token: job.world.ids.text(48),
        person: job.person,
        key,
        name: name.to_string(),
        content_type: item["contentType"].as_str().unwrap_or("application/octet-stream").to_string(),
        inline: item["isInline"].as_bool().unwrap_or(false),
        content_id: item["contentId"].as_str().map(String::from),
        size,
        bytes: Vec::new(),
        expires: job.now + job.world.limits.upload_seconds * 1000,
    };
    let id = job.world.ids.text(32);
    let url = format!("{}/AttachmentSessions('{}')?authtoken={}", root(job.world, job.call, &session), encode(&id), encode(&session.token));
    let body = json!({
        "@odata.context": format!("{}/$metadata#microsoft.graph.uploadSession", job.call.base()),
        "uploadUrl": url, "expirationDateTime": iso(session.expires), "nextExpectedRanges": ["0-"],
    });
    job.world.uploads.0.insert(id, session);
    Answer::json(201, &body)
}

/// Names in whatever letter case, as Outlook reads them.
fn named(item: &Value) -> Value {
    let mut all = outlook(item);
    if let Some(map) = all.as_object_mut() {
        let odd = map.keys().find(|name| name.eq_ignore_ascii_case("attachmentType")).cloned();
        if let Some(kind) = odd.and_then(|name| map.remove(&name)) {
            map.insert("attachmentType".into(), kind);
        }
    }
    all
}

/// The message, as Outlook's own address names it.
fn root(world: &World, call: &Call, session: &Session) -> String {
    let person = &world.people.people[session.person];
    let tenant = &world.people.tenants[person.tenant].id;
    let message = world.mail[session.person].get(session.key).map_or("", |m| m.immutable.as_str());
    format!("{}/api/v2.0/Users('{}@{tenant}')/Messages('{}')", call.origin, person.id, encode(message))
}

/// Is this the address of a session?
pub fn is_upload(call: &Call) -> bool {
    call.path.to_ascii_lowercase().starts_with("/api/v2.0/users(") && call.path.contains("/AttachmentSessions(")
}

/// A request to the address of a session: a range, how far it is, or its end.
pub fn handle(world: &mut World, call: &Call, arrival: &Arrival) -> Answer {
    if call.header("authorization").is_some() {
        world.ledger.accuse("token_leak", arrival.seq, "Authorization sent to the address of an upload");
        return Answer::fail(401, "InvalidAuthenticationToken", "The address of an upload takes no token.");
    }
    let segments = call.segments();
    let id = segments.iter().position(|s| s == "AttachmentSessions").and_then(|at| segments.get(at + 1)).cloned().unwrap_or_default();
    let token = call.param("authtoken").unwrap_or_default();
    let now = world.now();
    world.uploads.0.retain(|_, session| session.expires > now);
    let Some(session) = world.uploads.0.get(&id) else { return not_found() };
    if session.token != token {
        return Answer::fail(401, "ErrorAccessDenied", "The token of the address is not the one of this session.");
    }
    if world.mail[session.person].get(session.key).is_none_or(|m| !m.is_draft) {
        world.uploads.0.remove(&id);
        return not_found();
    }
    match call.method.as_str() {
        "PUT" => put(world, call, arrival, &id),
        "GET" => Answer::json(200, &shown(world, call, &id)),
        "DELETE" => {
            world.uploads.0.remove(&id);
            Answer::empty(204)
        }
        _ => not_allowed(),
    }
}

fn shown(world: &World, call: &Call, id: &str) -> Value {
    let Some(session) = world.uploads.0.get(id) else { return Value::Null };
    json!({
        "@odata.context": format!("{}/api/v2.0/$metadata#Microsoft.OutlookServices.UploadSession", call.origin),
        "ExpirationDateTime": iso(session.expires), "nextExpectedRanges": [format!("{}-", session.bytes.len())],
    })
}

/// `bytes 0-99/200`: the first byte, the last, and the size of all.
pub fn range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let (from, to, size) = (from.parse().ok()?, to.parse().ok()?, size.parse().ok()?);
    (from <= to && to < size).then_some((from, to, size))
}

fn put(world: &mut World, call: &Call, arrival: &Arrival, id: &str) -> Answer {
    let aligned = world.odd("aligned_ranges");
    // The connection broke after so many bytes; what came is kept.
    let cut = match arrival.hit.as_ref().map(|hit| &hit.action) {
        Some(Action::CutRequest(bytes)) => Some(*bytes),
        _ => None,
    };
    let Some(session) = world.uploads.0.get_mut(id) else { return not_found() };
    let invalid = |text: &str| Answer::fail(400, "ErrorInvalidRequest", text);
    let Some((from, to, size)) = call.header("content-range").and_then(range) else {
        return invalid("The Content-Range header is missing or malformed.");
    };
    let count = to - from + 1;
    if size != session.size {
        return invalid("The Content-Range header names another size than the session.");
    }
    if call.body.len() > RANGE_MAX || call.too_long {
        return Answer::fail(413, "ErrorRequestSizeExceeded", "A range may have 4 MB at the most.");
    }
    if call.body.len() as u64 != count {
        return invalid("The Content-Range header does not match the length of the content.");
    }
    if aligned && to + 1 < size && count % ALIGNED != 0 {
        return invalid("Every range but the last must be a multiple of 320 KiB.");
    }
    let next = session.bytes.len() as u64;
    if from < next {
        return Answer::fail(416, "ErrorInvalidRange", "The range, or a part of it, was received before.");
    }
    if from > next {
        return Answer::fail(409, "ErrorInvalidRange", "The ranges come in order, and some before this one are missing.");
    }
    let kept = cut.unwrap_or(call.body.len()).min(call.body.len());
    session.bytes.extend_from_slice(call.body.get(..kept).unwrap_or_default());
    if session.bytes.len() as u64 == session.size { finish(world, call, id) } else { Answer::json(200, &shown(world, call, id)) }
}

/// All of it is here: the draft has one more attachment.
fn finish(world: &mut World, call: &Call, id: &str) -> Answer {
    let Some(session) = world.uploads.0.get(id) else { return not_found() };
    let (person, key) = (session.person, session.key);
    let held: u64 = world.mail[person].get(key).map_or(0, |m| m.attachments.iter().map(|a| a.bytes.len() as u64).sum());
    if held + session.size > message_max(world, person) {
        world.uploads.0.remove(id);
        return too_large();
    }
    let root = root(world, call, session);
    let Some(session) = world.uploads.0.remove(id) else { return not_found() };
    let made = Attachment {
        id: world.ids.item("AAMkAGI2AtC"),
        name: session.name,
        content_type: session.content_type,
        inline: session.inline,
        content_id: session.content_id,
        bytes: Bytes::from(session.bytes),
        kind: super::message::Kind::File,
    };
    let (now, place) = (world.now(), format!("{root}/Attachments('{}')", encode(&made.id)));
    world.mail[person].edit(key, now, |m| m.attachments.push(made));
    Answer::empty(201).with("Location", place)
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_are_read_as_they_are_written() {
        assert_eq!(range("bytes 0-99/200"), Some((0, 99, 200)));
        assert_eq!(range("bytes 199-199/200"), Some((199, 199, 200)));
        for bad in ["", "bytes */200", "bytes 5-4/200", "bytes 0-200/200", "0-9/20", "bytes 0-/20"] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }
}
