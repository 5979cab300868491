//! Mail that comes, changes and goes without any client's doing.

use super::{Done, person};
use crate::clock;
use crate::http::{Bytes, unbase64};
use crate::mail::automatic::{self, Origin, Report};
use crate::mail::compose::blank;
use crate::mail::eml as files;
use crate::mail::message::{Address, Attachment, Kind, Message};
use crate::mail::store::{Mailbox, ROOT};
use crate::world::World;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

fn place(world: &World, ask: &Value) -> Result<(usize, usize), String> {
    let who = ask["mailbox"].as_str().ok_or("mailbox is missing")?;
    files::place(world, who, ask["folder"].as_str().unwrap_or("inbox"))
}

/// A message named by id or subject.
fn named(world: &World, ask: &Value) -> Result<(usize, u32), String> {
    let owner = person(world, ask, "mailbox")?;
    let name = ask["id"]
        .as_str()
        .or(if ask["id"].is_null() { ask["subject"].as_str() } else { None })
        .ok_or("id or subject is missing")?;
    let key = world.mail[owner].find_loosely(name).ok_or_else(|| format!("no such message: {name}"))?;
    Ok((owner, key))
}

/// An address as text, or with a name.
fn address(value: &Value) -> Option<Address> {
    match value {
        Value::String(text) => Some(Address { name: String::new(), address: text.clone() }),
        Value::Object(_) => Some(Address {
            name: value["name"].as_str().unwrap_or("").to_string(),
            address: value["address"].as_str()?.to_string(),
        }),
        _ => None,
    }
}

fn addresses(value: &Value) -> Vec<Address> {
    value.as_array().into_iter().flatten().filter_map(address).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(String::from)).collect()
}

fn own(world: &World, owner: usize) -> Address {
    let p = &world.people.people[owner];
    Address { name: p.name.clone(), address: p.address.clone() }
}

fn named_person(world: &World, mut given: Address) -> Address {
    if given.name.is_empty() {
        let known = world.people.find(&given.address).map(|p| world.people.people[p].name.clone());
        given.name = known.unwrap_or_default();
    }
    given
}

fn attachments(ask: &Value) -> Result<Vec<Attachment>, String> {
    let mut files = Vec::new();
    for part in ask["attachments"].as_array().into_iter().flatten() {
        let bytes = match (part["text"].as_str(), part["base64"].as_str()) {
            (Some(text), _) => Bytes::from(text.to_string()),
            (_, Some(text)) => unbase64(text).ok_or("base64 is not base64")?.into(),
            _ => Bytes::new(),
        };
        let bytes = match part["fill"].as_u64() {
            Some(size) => (0..size).map(|n| (n % 251) as u8).collect::<Vec<u8>>().into(),
            None => bytes,
        };
        let kind = match part["kind"].as_str() {
            None | Some("file") => Kind::File,
            Some("item") => Kind::Item,
            Some("reference") => Kind::Reference,
            Some(other) => return Err(format!("no such kind of attachment: {other}")),
        };
        files.push(Attachment {
            id: String::new(),
            name: part["name"].as_str().unwrap_or("file").to_string(),
            content_type: part["content_type"].as_str().unwrap_or("application/octet-stream").to_string(),
            inline: part["inline"].as_bool().unwrap_or(false),
            content_id: part["content_id"].as_str().map(String::from),
            bytes,
            kind,
        });
    }
    Ok(files)
}

pub fn add(world: &mut World, ask: &Value) -> Done {
    let (owner, folder) = place(world, ask)?;
    let now = world.now();
    let received = match ask["received"].as_str() {
        Some(text) => clock::parse(text).ok_or_else(|| format!("no time: {text}"))?,
        None => now,
    };
    let sender = address(&ask["from"]).unwrap_or(Address { name: "Sender".into(), address: "sender@example.com".into() });
    let mut message = blank(named_person(world, sender), received);
    message.subject = ask["subject"].as_str().unwrap_or("").to_string();
    message.to = if ask["to"].is_array() { addresses(&ask["to"]) } else { vec![own(world, owner)] };
    message.cc = addresses(&ask["cc"]);
    match ask["html"].as_str() {
        Some(html) => message.set_body(true, html.to_string()),
        None => message.set_body(false, ask["text"].as_str().unwrap_or("").to_string()),
    }
    message.is_read = ask["is_read"].as_bool().unwrap_or(false);
    message.is_draft = world.mail[owner].folders[folder].well_known == Some("drafts");
    message.importance = ask["importance"].as_str().unwrap_or("normal").to_string();
    message.categories = texts(&ask["categories"]);
    message.attachments = attachments(ask)?;
    if let Some(id) = ask["conversation_of"].as_str() {
        let other = world.mail.iter().find_map(|m| m.find(id).and_then(|k| m.get(k)));
        let other = other.ok_or_else(|| format!("no such message: {id}"))?;
        message.thread = other.thread;
        message.in_reply_to = Some(other.message_id.clone());
    }
    message.message_id = match ask["internet_message_id"].as_str() {
        Some(id) => id.to_string(),
        None => format!("<{}@example.com>", world.ids.guid()),
    };
    let key = world.mail[owner].insert(&mut world.ids, folder, message);
    Ok(json!({"id": immutable(&world.mail[owner], key)}))
}

fn immutable(mailbox: &Mailbox, key: u32) -> String {
    mailbox.get(key).map(|m| m.immutable.clone()).unwrap_or_default()
}

pub fn many(world: &mut World, ask: &Value) -> Done {
    let (owner, folder) = place(world, ask)?;
    let count = ask["count"].as_i64().filter(|n| (0..=1_000_000).contains(n)).ok_or("count is missing")?;
    let subject = ask["subject"].as_str().unwrap_or("Message");
    let step = ask["every_seconds"].as_i64().unwrap_or(60) * 1000;
    let now = world.now();
    let mut text = String::from("Dear reader, this is one of many. ");
    if let Some(size) = ask["size"].as_u64().map(|s| s as usize) {
        while text.len() < size {
            text.push_str("The quick brown fox jumps over the lazy dog. ");
        }
        text.truncate(size);
    }
    let sender = Address { name: "Sender".into(), address: "sender@example.com".into() };
    let to = own(world, owner);
    let mut pattern = blank(sender, now);
    pattern.set_body(false, text);
    (pattern.is_read, pattern.is_draft, pattern.to, pattern.attachments) = (false, false, vec![to], attachments(ask)?);
    for n in 1..=count {
        let at = now - (count - n) * step;
        let mut message = Message { subject: format!("{subject} {n}"), ..pattern.clone() };
        (message.received, message.sent, message.created, message.modified) = (at, at, at, at);
        message.message_id = format!("<{:x}.{n}@example.com>", world.ids.next());
        world.mail[owner].insert(&mut world.ids, folder, message);
    }
    Ok(json!({"count": count}))
}

pub fn eml(world: &mut World, ask: &Value) -> Done {
    let (owner, folder) = place(world, ask)?;
    if let Some(path) = ask["path"].as_str() {
        let who = ask["mailbox"].as_str().unwrap_or("");
        return files::load_path(world, who, ask["folder"].as_str().unwrap_or("inbox"), Path::new(path));
    }
    let raw = ask["base64"].as_str().and_then(unbase64).ok_or("path or base64 is missing")?;
    Ok(match files::load(world, owner, folder, raw) {
        Ok(()) => json!({"count": 1, "refused": []}),
        Err(reason) => json!({"count": 0, "refused": [{"file": null, "reason": reason}]}),
    })
}

pub fn change(world: &mut World, ask: &Value) -> Done {
    let (owner, key) = named(world, ask)?;
    let now = world.now();
    let by_id = !ask["id"].is_null();
    let content = (by_id && ask["subject"].is_string()) || ask["text"].is_string();
    let same_key = world.odd("same_change_key") && !content;
    let before = world.mail[owner].get(key).map(|m| m.change);
    world.mail[owner].edit(key, now, |m| {
        if let Some(read) = ask["is_read"].as_bool() {
            m.is_read = read;
        }
        // When the subject names the message, it is not a new one.
        if let Some(subject) = ask["subject"].as_str().filter(|_| by_id) {
            m.subject = subject.to_string();
        }
        if let Some(flagged) = ask["flagged"].as_bool() {
            m.flag = if flagged { "flagged" } else { "notFlagged" }.to_string();
        }
        if ask["categories"].is_array() {
            m.categories = texts(&ask["categories"]);
        }
        if let Some(importance) = ask["importance"].as_str() {
            m.importance = importance.to_string();
        }
        if let Some(text) = ask["text"].as_str() {
            m.set_body(false, text.to_string());
        }
    });
    if let Some(change) = before.filter(|_| same_key) {
        world.mail[owner].count_as(key, change);
    }
    Ok(json!({"id": immutable(&world.mail[owner], key)}))
}

pub fn shift(world: &mut World, ask: &Value) -> Done {
    let (owner, key) = named(world, ask)?;
    let name = ask["folder"].as_str().ok_or("folder is missing")?;
    let now = world.now();
    let mailbox = &mut world.mail[owner];
    let folder = mailbox.folder_loosely(name).ok_or_else(|| format!("no such folder: {name}"))?;
    mailbox.shift(&mut world.ids, key, folder, now);
    Ok(json!({"id": immutable(mailbox, key)}))
}

pub fn delete(world: &mut World, ask: &Value) -> Done {
    let (owner, key) = named(world, ask)?;
    let now = world.now();
    let mailbox = &mut world.mail[owner];
    if ask["hard"].as_bool().unwrap_or(true) {
        mailbox.remove(key);
    } else {
        let bin = mailbox.folder("deleteditems").unwrap_or(ROOT);
        mailbox.shift(&mut world.ids, key, bin, now);
    }
    Ok(json!({}))
}

pub fn list(world: &World, ask: &Value) -> Done {
    let owner = person(world, ask, "mailbox")?;
    let mailbox = &world.mail[owner];
    let folder = match ask["folder"].as_str() {
        Some(name) => Some(mailbox.folder_loosely(name).ok_or_else(|| format!("no such folder: {name}"))?),
        None => None,
    };
    let mut all: Vec<&Message> = mailbox.all().filter(|m| folder.is_none_or(|f| m.folder == f)).collect();
    all.sort_by_key(|m| (m.received, m.key));
    let skip = ask["skip"].as_u64().unwrap_or(0) as usize;
    let top = ask["top"].as_u64().unwrap_or(1000) as usize;
    let items: Vec<Value> = all.iter().skip(skip).take(top).map(|m| shown(mailbox, m, ask["hashes"].as_bool() == Some(true))).collect();
    Ok(json!({"total": all.len(), "items": items}))
}

/// `hashes`: the files with their SHA-256, which takes a while for large ones.
fn shown(mailbox: &Mailbox, m: &Message, hashes: bool) -> Value {
    let folder = &mailbox.folders[m.folder];
    let one = |a: &Address| json!({"name": a.name, "address": a.address});
    let all = |list: &[Address]| list.iter().map(one).collect::<Vec<_>>();
    let hash = |a: &Attachment| hashes.then(|| crate::http::hex(&Sha256::digest(&a.bytes)));
    let file = |a: &Attachment| json!({"name": a.name, "size": a.bytes.len(), "content_type": a.content_type, "inline": a.inline, "sha256": hash(a)});
    let files: Vec<Value> = m.attachments.iter().map(file).collect();
    json!({
        "id": m.immutable, "folder": folder.well_known.unwrap_or(&folder.name), "subject": m.subject,
        "from": m.from.as_ref().map(one), "sender": m.sender.as_ref().map(one), "to": all(&m.to), "cc": all(&m.cc), "bcc": all(&m.bcc),
        "received": clock::iso(m.received), "sent": clock::iso(m.sent), "is_read": m.is_read, "is_draft": m.is_draft,
        "importance": m.importance, "body_type": if m.html { "html" } else { "text" }, "body": m.content(),
        "attachments": m.attachments.iter().map(|a| &a.name).collect::<Vec<_>>(), "files": files, "internet_message_id": m.message_id,
        "content_ids": m.attachments.iter().filter(|a| a.inline).filter_map(|a| a.content_id.as_ref()).collect::<Vec<_>>(),
        "read_receipt": m.read_receipt, "delivery_receipt": m.delivery_receipt,
        "conversation_id": mailbox.conversation_id(m.thread), "in_reply_to": m.in_reply_to, "categories": m.categories,
        "flagged": m.flag == "flagged", "flag": m.flag, "flag_dates": m.flag_dates.iter().map(|(name, date)| (name.to_string(), serde_json::from_str(date).unwrap_or_default())).collect::<serde_json::Map<String, Value>>(), "headers": m.headers.iter().map(|(k, v)| json!({"name": k, "value": v})).collect::<Vec<_>>(),
    })
}

pub fn add_folder(world: &mut World, ask: &Value) -> Done {
    let owner = person(world, ask, "mailbox")?;
    let name = ask["name"].as_str().ok_or("name is missing")?;
    let mailbox = &mut world.mail[owner];
    let parent = match ask["parent"].as_str() {
        Some(parent) => mailbox.folder_loosely(parent).ok_or_else(|| format!("no such folder: {parent}"))?,
        None => ROOT,
    };
    let at = mailbox.add_folder(&mut world.ids, name, parent, None, ask["hidden"].as_bool().unwrap_or(false));
    Ok(json!({"id": mailbox.folders[at].id}))
}

pub fn delete_folder(world: &mut World, ask: &Value) -> Done {
    let owner = person(world, ask, "mailbox")?;
    let name = ask["folder"].as_str().ok_or("folder is missing")?;
    let mailbox = &mut world.mail[owner];
    let at = mailbox.folder_loosely(name).filter(|f| *f != ROOT).ok_or_else(|| format!("no such folder: {name}"))?;
    mailbox.drop_folder(at);
    Ok(json!({}))
}

/// Reports of a mail that was sent: as Exchange does it, or as somebody outside would.
pub fn report(world: &mut World, ask: &Value) -> Done {
    let (owner, key) = named(world, ask)?;
    let message = world.mail[owner].get(key).cloned().ok_or("no such message")?;
    let recipient = ask["recipient"].as_str().ok_or("recipient is missing")?.to_string();
    let is_delayed = match ask["action"].as_str() {
        None | Some("failed") => false,
        Some("delayed") => true,
        Some(other) => return Err(format!("no such action: {other}")),
    };
    let origin = match ask["domain"].as_str() {
        None => Origin::Own,
        Some(domain) => Origin::Outside { domain: domain.to_string(), is_proven: ask["proven"].as_bool().unwrap_or(true) },
    };
    let (status, message_id) = (ask["status"].as_str().map(String::from), ask["message_id"].as_str().map(String::from));
    automatic::report(world, owner, &message, &Report { recipient, is_delayed, status, origin, message_id });
    Ok(json!({}))
}
