//! One message: reading, changing, moving, its attachments.

use super::compose::{apply, attachment, blank};
use super::json::{View, push_attachment, push_message};
use super::message::{Address, Kind};
use super::{Job, eml, mime, not_found, send, upload};
use crate::actions::Parameters;
use crate::graph::{bad, no_segment, not_allowed};
use crate::http::{Answer, Bytes, Call, unbase64};
use crate::odata;
use crate::query;
use crate::schema::ATTACHMENT;

pub fn own_address(job: &Job) -> Address {
    let person = &job.world.people.people[job.person];
    Address { name: person.name.clone(), address: person.address.clone() }
}

/// The message as the answer.
pub fn shown(job: &mut Job, status: u16, key: u32) -> Answer {
    let call = job.call;
    let (select, expand) = if call.method == "GET" { (call.param("$select"), call.param("$expand")) } else { (None, None) };
    let view = match View::of(call, select, expand) {
        Ok(view) => view,
        Err(answer) => return answer,
    };
    let context = job.context("messages/$entity");
    let mailbox = job.mailbox();
    let Some(message) = mailbox.get(key) else {
        return not_found();
    };
    let mut out = String::with_capacity(message.body.len() + 2048);
    push_message(&mut out, mailbox, message, &view, Some(&context));
    Answer::raw_json(status, out)
}

/// POST to messages: a draft.
pub fn create(job: &mut Job, folder: Option<usize>) -> Answer {
    let drafts = job.mailbox().folder("drafts").unwrap_or(0);
    let own = own_address(job);
    let mut message = if is_mime(job.call) {
        let Some(raw) = std::str::from_utf8(&job.call.body).ok().and_then(unbase64) else {
            return bad_mime();
        };
        let Ok(mut parsed) = eml::parse(&raw, job.now) else {
            return bad_mime();
        };
        (parsed.received, parsed.sent, parsed.created) = (job.now, job.now, job.now);
        (parsed.from, parsed.sender, parsed.is_draft, parsed.is_read) = (Some(own.clone()), Some(own.clone()), true, true);
        parsed
    } else {
        let Some(body) = job.call.json() else {
            return Answer::fail(400, "BadRequest", "Unable to read JSON request payload.");
        };
        let mut message = blank(own.clone(), job.now);
        if let Err(answer) = apply(&mut message, &body, true) {
            return answer;
        }
        message
    };
    if message.message_id.is_empty() {
        message.message_id = new_message_id(job, &own);
    }
    let key = job.world.mail[job.person].insert(&mut job.world.ids, folder.unwrap_or(drafts), message);
    shown(job, 201, key)
}

/// Is the body of this request MIME, base64 encoded?
pub fn is_mime(call: &Call) -> bool {
    call.header("content-type").is_some_and(|t| t.trim_start().to_ascii_lowercase().starts_with("text/plain"))
}

pub fn bad_mime() -> Answer {
    Answer::fail(400, "ErrorMimeContentInvalidBase64String", "The MIME content is not a valid base64 string.")
}

pub fn new_message_id(job: &mut Job, own: &Address) -> String {
    let domain = own.address.rsplit('@').next().unwrap_or("contoso.com");
    format!("<{}@{domain}>", job.world.ids.text(24).replace(['_', '-'], "0"))
}

pub fn handle(job: &mut Job, key: u32, rest: &[&str]) -> Answer {
    let method = job.call.method.as_str();
    let lower: Vec<String> = rest.iter().map(|s| s.to_ascii_lowercase()).collect();
    let names: Vec<&str> = lower.iter().map(String::as_str).collect();
    match (method, names.as_slice()) {
        ("GET", []) => {
            job.accuse_ids();
            shown(job, 200, key)
        }
        ("PATCH", []) => patch(job, key),
        ("DELETE", []) => delete(job, key),
        ("POST", ["permanentdelete"]) => {
            job.mailbox().remove(key);
            Answer::empty(204)
        }
        ("GET", ["$value"]) => match job.mailbox().get(key) {
            Some(message) => Answer::bytes(200, "text/plain", mime::of(message)),
            None => not_found(),
        },
        ("POST", ["move"]) => transfer(job, key, false),
        ("POST", ["copy"]) => transfer(job, key, true),
        ("POST", ["send"]) => match Parameters::of(job.call, "send", &[]) {
            Ok(_) => send::send_draft(job, key),
            Err(answer) => answer,
        },
        ("POST", ["createreply"]) => send::answer(job, key, send::Kind::Reply, false),
        ("POST", ["createreplyall"]) => send::answer(job, key, send::Kind::ReplyAll, false),
        ("POST", ["createforward"]) => send::answer(job, key, send::Kind::Forward, false),
        ("POST", ["reply"]) => send::answer(job, key, send::Kind::Reply, true),
        ("POST", ["replyall"]) => send::answer(job, key, send::Kind::ReplyAll, true),
        ("POST", ["forward"]) => send::answer(job, key, send::Kind::Forward, true),
        (_, ["attachments", ..]) => attachments(job, key, rest.get(1..).unwrap_or(&[])),
        (_, []) => not_allowed(),
        (_, [other, ..]) => no_segment(other),
    }
}

/// The client's change key, when it names one, must be the current one.
pub fn matches(job: &mut Job, key: u32) -> Result<(), Answer> {
    let text = "The change key passed in the request does not match the current change key for the item.";
    let conflict = || Answer::fail(412, "ErrorIrresolvableConflict", text);
    let odd = job.world.odd("fresh_draft_conflict");
    let wanted = job.call.header("if-match").map(String::from);
    let Some(message) = job.mailbox().get_mut(key) else {
        return Err(not_found());
    };
    if odd && std::mem::take(&mut message.fresh) {
        return Err(conflict());
    }
    match wanted {
        Some(tag) if tag != "*" && tag != message.etag() => Err(conflict()),
        _ => Ok(()),
    }
}

fn patch(job: &mut Job, key: u32) -> Answer {
    let Some(body) = job.call.json() else {
        return Answer::fail(400, "BadRequest", "Unable to read JSON request payload.");
    };
    if let Err(answer) = matches(job, key) {
        return answer;
    }
    let now = job.now;
    let mailbox = job.mailbox();
    let Some(mut changed) = mailbox.get(key).cloned() else {
        return not_found();
    };
    if let Err(answer) = apply(&mut changed, &body, false) {
        return answer;
    }
    let before = mailbox.get(key).map(|m| m.change);
    mailbox.edit(key, now, |message| *message = changed);
    let soft = ["isRead", "flag", "categories", "importance"];
    let is_soft = body.as_object().is_some_and(|b| b.keys().all(|k| soft.iter().any(|s| s.eq_ignore_ascii_case(k))));
    if let Some(change) = before.filter(|_| is_soft && job.world.odd("same_change_key")) {
        job.mailbox().count_as(key, change);
    }
    shown(job, 200, key)
}

fn delete(job: &mut Job, key: u32) -> Answer {
    if let Err(answer) = matches(job, key) {
        return answer;
    }
    let now = job.now;
    let mailbox = &mut job.world.mail[job.person];
    let bin = mailbox.folder("deleteditems").unwrap_or(0);
    match mailbox.get(key).map(|m| m.folder == bin) {
        Some(true) => mailbox.remove(key),
        Some(false) => mailbox.shift(&mut job.world.ids, key, bin, now),
        None => return not_found(),
    }
    Answer::empty(204)
}

/// Where a move or a copy goes to: a folder by id or well-known name.
pub fn destination(call: &Call, action: &str) -> Result<String, Answer> {
    let given = Parameters::of(call, action, &["destinationId"])?;
    given.need("destinationId", action).map(String::from)
}

fn transfer(job: &mut Job, key: u32, copy: bool) -> Answer {
    let to = match destination(job.call, if copy { "copy" } else { "move" }) {
        Ok(to) => to,
        Err(answer) => return answer,
    };
    let now = job.now;
    let mailbox = &mut job.world.mail[job.person];
    let Some(folder) = mailbox.folder(&to) else {
        return not_found();
    };
    let Some(message) = mailbox.get(key) else {
        return not_found();
    };
    let key = if copy {
        let mut twin = message.clone();
        twin.modified = now;
        twin.attachments.iter_mut().for_each(|a| a.id.clear());
        mailbox.insert(&mut job.world.ids, folder, twin)
    } else {
        mailbox.shift(&mut job.world.ids, key, folder, now);
        key
    };
    shown(job, 201, key)
}

fn attachments(job: &mut Job, key: u32, rest: &[&str]) -> Answer {
    let call = job.call;
    if call.method == "POST" && rest.len() == 1 && rest.iter().any(|s| s.eq_ignore_ascii_case("createUploadSession")) {
        return upload::create(job, key);
    }
    let read = query::select(call, &ATTACHMENT, "RequestBroker--ParseUri");
    let (select, (top, skip), counted) =
        match read.and_then(|select| Ok((select, query::window(call, 1000, 1000)?, query::count(call)?))) {
            Ok(read) => read,
            Err(answer) => return answer,
        };
    let method = call.method.as_str();
    let Some((id, rest)) = rest.split_first() else {
        return match method {
            "GET" => {
                let context = job.context("messages/attachments");
                let Some(message) = job.mailbox().get(key) else {
                    return not_found();
                };
                let mut out = String::from("{\"@odata.context\":");
                super::json::push_text(&mut out, &context);
                if counted {
                    out.push_str(&format!(",\"@odata.count\":{}", message.attachments.len()));
                }
                if skip + top < message.attachments.len() {
                    out.push_str(",\"@odata.nextLink\":");
                    super::json::push_text(&mut out, &odata::relink(call, "$skip", &(skip + top).to_string()));
                }
                out.push_str(",\"value\":[");
                for (n, attachment) in message.attachments.iter().skip(skip).take(top).enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    push_attachment(&mut out, message, attachment, &select, None);
                }
                out.push_str("]}");
                Answer::raw_json(200, out)
            }
            "POST" => attach(job, key),
            _ => not_allowed(),
        };
    };
    let context = job.context("messages/attachments/$entity");
    let now = job.now;
    let mailbox = job.mailbox();
    let Some(message) = mailbox.get(key) else {
        return not_found();
    };
    let Some(found) = message.attachments.iter().find(|a| a.id == *id) else {
        return not_found();
    };
    match (method, rest) {
        ("GET", []) => {
            let mut out = String::new();
            push_attachment(&mut out, message, found, &select, Some(&context));
            Answer::raw_json(200, out)
        }
        // Source: Graph, "Get attachment": the raw contents of a reference attachment are answered 405.
        ("GET", ["$value"]) if found.kind == Kind::Reference => not_allowed(),
        ("GET", ["$value"]) => {
            let kind = if found.content_type.is_ascii() { found.content_type.as_str() } else { "application/octet-stream" };
            let kind = if kind.bytes().all(|b| (0x20..0x7f).contains(&b)) { kind } else { "application/octet-stream" };
            Answer::bytes(200, kind, found.bytes.clone())
        }
        ("DELETE", []) => {
            mailbox.edit(key, now, |m| m.attachments.retain(|a| a.id != *id));
            Answer::empty(204)
        }
        _ => not_allowed(),
    }
}

fn attach(job: &mut Job, key: u32) -> Answer {
    let made = job.call.json().ok_or_else(|| bad("Unable to read JSON request payload.")).and_then(|b| attachment(&b));
    let mut made = match made {
        Ok(made) => made,
        Err(answer) => return answer,
    };
    made.id = job.world.ids.item("AAMkAGI2AtC");
    let (now, id) = (job.now, made.id.clone());
    let context = job.context("messages/attachments/$entity");
    let mailbox = job.mailbox();
    mailbox.edit(key, now, |m| m.attachments.push(made));
    let Some(message) = mailbox.get(key) else {
        return not_found();
    };
    let Some(made) = message.attachments.iter().find(|a| a.id == id) else {
        return not_found();
    };
    let mut out = String::new();
    push_attachment(&mut out, message, made, &[], Some(&context));
    Answer::bytes(201, "application/json", Bytes::from(out))
}
