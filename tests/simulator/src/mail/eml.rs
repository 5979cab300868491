//! Real mail from files, however broken.

use super::message::{Address, Attachment, Kind, Message};
use crate::http::Bytes;
use crate::world::World;
use mail_parser::{Addr, HeaderValue, MessageParser, MimeHeaders, PartType};
use serde_json::{Value, json};
use std::path::Path;

/// A file or a folder, read in the order of names.
pub fn load_path(world: &mut World, who: &str, folder: &str, path: &Path) -> Result<Value, String> {
    let (person, folder) = place(world, who, folder)?;
    let mut files = Vec::new();
    let meta = std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
    if meta.is_dir() {
        let listed = std::fs::read_dir(path).map_err(|e| format!("{}: {e}", path.display()))?;
        files.extend(listed.filter_map(|f| f.ok()).map(|f| f.path()).filter(|p| p.is_file() && is_mail(p)));
        files.sort();
    } else {
        files.push(path.to_path_buf());
    }
    let (mut count, mut refused) = (0, Vec::new());
    for file in files {
        let loaded = std::fs::read(&file).map_err(|e| e.to_string()).and_then(|raw| load(world, person, folder, raw));
        match loaded {
            Ok(()) => count += 1,
            Err(reason) => refused.push(json!({"file": file.to_string_lossy(), "reason": reason})),
        }
    }
    Ok(json!({"count": count, "refused": refused}))
}

/// Collections of mail have other files beside the mails; those named outright are always read.
fn is_mail(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    let other =
        path.extension().is_some_and(|e| ["json", "md", "csv", "html", "zip", "js"].iter().any(|o| e.eq_ignore_ascii_case(o)));
    !hidden && !other
}

pub fn place(world: &World, who: &str, folder: &str) -> Result<(usize, usize), String> {
    let person = world.people.find(who).ok_or_else(|| format!("no such person: {who}"))?;
    let folder = world.mail[person].folder_loosely(folder).ok_or_else(|| format!("no such folder: {folder}"))?;
    Ok((person, folder))
}

pub fn load(world: &mut World, person: usize, folder: usize, raw: Vec<u8>) -> Result<(), String> {
    let message = parse(&raw, world.now())?;
    let message = Message { raw: Some(Bytes::from(raw)), ..message };
    world.mail[person].insert(&mut world.ids, folder, message);
    Ok(())
}

fn clean(text: &str) -> String {
    text.split(['\r', '\n', '\t']).map(str::trim).filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ")
}

fn address(addr: &Addr) -> Address {
    let name = clean(addr.name.as_deref().unwrap_or(""));
    let address = clean(addr.address.as_deref().unwrap_or(""));
    // A header that is only a name is still somebody.
    if address.is_empty() { Address { address: name.clone(), name } } else { Address { name, address } }
}

fn addresses(header: Option<&mail_parser::Address>) -> Vec<Address> {
    header.into_iter().flat_map(|a| a.iter()).map(address).filter(|a| !a.address.is_empty()).collect()
}

/// Milliseconds, when it is a date that makes sense.
fn date(date: Option<&mail_parser::DateTime>) -> Option<i64> {
    date.filter(|d| d.is_valid()).map(|d| d.to_timestamp() * 1000)
}

fn ids(value: &HeaderValue) -> Vec<String> {
    match value {
        HeaderValue::Text(text) => vec![format!("<{text}>")],
        HeaderValue::TextList(all) => all.iter().map(|t| format!("<{t}>")).collect(),
        _ => Vec::new(),
    }
}

pub fn parse(raw: &[u8], now: i64) -> Result<Message, String> {
    let mail = MessageParser::default().parse(raw).ok_or("not a message")?;
    let sent = date(mail.date());
    let passed = mail.received_all().filter_map(|r| date(r.date.as_ref())).next();
    let received = passed.or(sent).unwrap_or(now);
    let from = addresses(mail.from());
    let sender = addresses(mail.sender()).into_iter().next();
    let mut message = Message {
        subject: clean(mail.subject().unwrap_or("")),
        from: from.first().cloned().or_else(|| sender.clone()),
        sender: sender.or_else(|| from.first().cloned()),
        to: addresses(mail.to()),
        cc: addresses(mail.cc()),
        bcc: addresses(mail.bcc()),
        reply_to: addresses(mail.reply_to()),
        message_id: mail.message_id().map(|id| format!("<{id}>")).unwrap_or_default(),
        in_reply_to: ids(mail.in_reply_to()).into_iter().next(),
        references: ids(mail.references()),
        importance: importance(&mail),
        flag: "notFlagged".into(),
        created: received,
        modified: received,
        received,
        sent: sent.unwrap_or(received),
        ..Message::default()
    };
    message.headers =
        mail.headers_raw().map(|(name, value)| (name.to_string(), clean(value))).filter(|(name, _)| !name.is_empty()).collect();
    let html_part = mail.html_body.iter().find_map(|n| mail.part(*n)).filter(|p| matches!(p.body, PartType::Html(_)));
    match html_part {
        Some(part) => message.set_body(true, part.text_contents().unwrap_or("").to_string()),
        None => {
            let text = mail.text_body.iter().filter_map(|n| mail.part(*n)).filter_map(|p| p.text_contents()).next();
            message.set_body(false, text.unwrap_or("").to_string());
        }
    }
    let mut parts: Vec<&mail_parser::MessagePart> = mail.attachments().collect();
    if message.content().trim().is_empty()
        && let Some((html, text)) = parts.first().and_then(|p| broken_text(p))
    {
        message.set_body(html, text);
        parts.remove(0);
    }
    for (n, part) in parts.into_iter().enumerate() {
        message.attachments.push(attachment(raw, part, n));
    }
    Ok(message)
}

/// Text whose encoding or boundaries are so broken that the parser took it for a file.
fn broken_text(part: &mail_parser::MessagePart) -> Option<(bool, String)> {
    let kind = part.content_type();
    let readable = kind.is_none_or(|t| ["text", "multipart"].iter().any(|k| t.ctype().eq_ignore_ascii_case(k)));
    if !readable || part.attachment_name().is_some() || matches!(part.body, PartType::Message(_)) {
        return None;
    }
    let html = kind.and_then(|t| t.subtype()).is_some_and(|s| s.eq_ignore_ascii_case("html"));
    let plain = String::from_utf8_lossy(part.contents()).into_owned();
    let encoded = part.content_transfer_encoding().is_some_and(|e| e.trim().eq_ignore_ascii_case("base64"));
    let letters: String = plain.chars().filter(|c| c.is_ascii_alphanumeric() || "+/".contains(*c)).collect();
    let decoded = if encoded { crate::http::unbase64(letters.get(..letters.len() / 4 * 4).unwrap_or("")) } else { None };
    Some((html, decoded.map_or(plain, |d| String::from_utf8_lossy(&d).into_owned())))
}

fn importance(mail: &mail_parser::Message) -> String {
    let header = mail.header("Importance").or_else(|| mail.header("X-Priority")).and_then(|h| h.as_text()).unwrap_or("");
    match header.trim().to_lowercase() {
        h if h.starts_with("high") || h.starts_with('1') || h.starts_with('2') => "high".into(),
        h if h.starts_with("low") || h.starts_with('4') || h.starts_with('5') => "low".into(),
        _ => "normal".into(),
    }
}

fn attachment(raw: &[u8], part: &mail_parser::MessagePart, n: usize) -> Attachment {
    let kind = part.content_type();
    let content_type = kind.map_or_else(
        || "application/octet-stream".to_string(),
        |t| format!("{}/{}", clean(t.ctype()), clean(t.subtype().unwrap_or("octet-stream"))),
    );
    let item = matches!(part.body, PartType::Message(_));
    let bytes = match &part.body {
        PartType::Message(inner) => {
            let from_raw = raw.get(part.raw_body_offset() as usize..part.raw_end_offset() as usize);
            from_raw.unwrap_or_else(|| inner.raw_message()).to_vec()
        }
        _ => part.contents().to_vec(),
    };
    let content_id = part.content_id().map(clean);
    let asked_inline = part.content_disposition().is_some_and(|d| d.is_inline());
    let inline = matches!(part.body, PartType::InlineBinary(_)) || (content_id.is_some() && asked_inline);
    let name = part.attachment_name().map(clean).filter(|n| !n.is_empty());
    let name = name.or_else(|| match &part.body {
        PartType::Message(inner) => inner.subject().map(clean).filter(|s| !s.is_empty()),
        _ => None,
    });
    let name = name.unwrap_or_else(|| format!("ATT{:05}", n + 1));
    Attachment { id: String::new(), name, content_type, inline, content_id, bytes: Bytes::from(bytes), kind: if item { Kind::Item } else { Kind::File } }
}
