//! A message as MIME: the bytes it was loaded from, or made for the purpose.

use super::message::{Address, Message};
use crate::http::{Bytes, base64};

pub fn word(text: &str) -> String {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        text.to_string()
    } else {
        format!("=?utf-8?B?{}?=", base64(text.as_bytes()))
    }
}

fn list(all: &[Address]) -> String {
    let one = |a: &Address| {
        if a.name.is_empty() { a.address.clone() } else { format!("\"{}\" <{}>", word(&a.name), a.address) }
    };
    all.iter().map(one).collect::<Vec<_>>().join(",\r\n ")
}

pub fn wrapped(bytes: &[u8]) -> String {
    let text = base64(bytes);
    let mut out = String::with_capacity(text.len() + text.len() / 38 + 2);
    for (n, c) in text.chars().enumerate() {
        if n > 0 && n % 76 == 0 {
            out.push_str("\r\n");
        }
        out.push(c);
    }
    out.push_str("\r\n");
    out
}

pub fn of(message: &Message) -> Bytes {
    if let Some(raw) = &message.raw {
        return raw.clone();
    }
    let mut out = String::new();
    let mut header = |name: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
    };
    header("From", list(message.from.as_slice()));
    header("Sender", list(message.sender.as_ref().filter(|sender| message.from.as_ref() != Some(sender)).map(std::slice::from_ref).unwrap_or_default()));
    header("To", list(&message.to));
    header("Cc", list(&message.cc));
    header("Subject", word(&message.subject));
    header("Date", crate::clock::http_date(message.sent).replace("GMT", "+0000"));
    header("Message-ID", message.message_id.clone());
    header("In-Reply-To", message.in_reply_to.clone().unwrap_or_default());
    header("References", message.references.join("\r\n "));
    // What came as MIME has its own of those that are written here.
    const WRITTEN: [&str; 11] = ["From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
    for (name, value) in message.headers.iter().filter(|(name, _)| !WRITTEN.iter().any(|own| own.eq_ignore_ascii_case(name))) {
        header(name, word(value));
    }
    header("MIME-Version", "1.0".into());
    let kind = if message.html { "text/html" } else { "text/plain" };
    let body = format!(
        "Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        wrapped(message.content().as_bytes())
    );
    if message.attachments.is_empty() {
        out.push_str(&body);
        return out.into();
    }
    out.push_str("Content-Type: multipart/mixed; boundary=\"simulated-boundary\"\r\n\r\n");
    out.push_str(&format!("--simulated-boundary\r\n{body}"));
    for attachment in &message.attachments {
        let place = if attachment.inline { "inline" } else { "attachment" };
        out.push_str(&format!(
            "--simulated-boundary\r\nContent-Type: {}\r\nContent-Disposition: {place}; filename=\"{}\"\r\n",
            attachment.content_type,
            word(&attachment.name)
        ));
        if let Some(id) = &attachment.content_id {
            out.push_str(&format!("Content-ID: <{id}>\r\n"));
        }
        out.push_str(&format!("Content-Transfer-Encoding: base64\r\n\r\n{}", wrapped(&attachment.bytes)));
    }
    out.push_str("--simulated-boundary--\r\n");
    out.into()
}
