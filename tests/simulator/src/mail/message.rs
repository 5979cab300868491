//! One message, as it is kept.

use crate::http::{Bytes, base64};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Address {
    pub name: String,
    pub address: String,
}

#[derive(Clone)]
pub struct Attachment {
    pub id: String,
    pub name: String,
    pub content_type: String,
    pub inline: bool,
    pub content_id: Option<String>,
    pub bytes: Bytes,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    /// A message, contact or event in a message: it has a `$value`, but no contentBytes.
    Item,
    /// A link to a file elsewhere, whose content is not here.
    Reference,
}

impl Kind {
    /// As in `@odata.type`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "fileAttachment",
            Kind::Item => "itemAttachment",
            Kind::Reference => "referenceAttachment",
        }
    }
}

#[derive(Clone, Default)]
pub struct Message {
    pub key: u32,
    pub folder: usize,
    /// Made anew at every move.
    pub id: String,
    pub immutable: String,
    pub change: u64,
    /// When it came into its folder, by the journal's count.
    pub arrived: u64,
    pub created: i64,
    pub modified: i64,
    pub received: i64,
    pub sent: i64,
    pub subject: String,
    pub html: bool,
    /// The content as a JSON string, quotes and all, so that serving it is a copy.
    pub body: String,
    pub preview: String,
    pub from: Option<Address>,
    pub sender: Option<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub reply_to: Vec<Address>,
    pub message_id: String,
    pub in_reply_to: Option<String>,
    pub references: Vec<String>,
    pub thread: u64,
    pub headers: Vec<(String, String)>,
    pub importance: String,
    pub is_read: bool,
    pub is_draft: bool,
    pub delivery_receipt: bool,
    pub read_receipt: bool,
    pub categories: Vec<String>,
    pub flag: String,
    /// When a flag begins, is due and was done, as they were given.
    pub flag_dates: Vec<(&'static str, String)>,
    pub other_inbox: bool,
    pub extended: Vec<(String, String)>,
    pub attachments: Vec<Attachment>,
    pub raw: Option<Bytes>,
    /// Reads that still answer 404 after a send.
    pub late: u8,
    /// A draft that nobody has changed since a reply made it.
    pub fresh: bool,
}

impl Message {
    pub fn set_body(&mut self, html: bool, content: String) {
        self.html = html;
        self.preview = preview(html, &content);
        self.body = serde_json::Value::String(content).to_string();
    }

    pub fn content(&self) -> String {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub fn change_key(&self) -> String {
        format!("CQAAABYAAAC{}", base64(&self.change.to_be_bytes()))
    }

    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.change_key())
    }

    /// As Graph has it, inline pictures do not count.
    pub fn has_attachments(&self) -> bool {
        self.attachments.iter().any(|a| !a.inline)
    }
}

/// The first words, without markup.
fn preview(html: bool, content: &str) -> String {
    let mut out = String::new();
    let (mut tag, mut space, mut count) = (false, false, 0);
    for c in content.chars().take(8000) {
        match c {
            '<' if html => tag = true,
            '>' if html && tag => {
                tag = false;
                space = true;
            }
            _ if tag => {}
            c if c.is_whitespace() || c.is_control() => space = true,
            c => {
                if space && !out.is_empty() {
                    out.push(' ');
                    count += 1;
                }
                space = false;
                out.push(c);
                count += 1;
            }
        }
        if count >= 254 {
            break;
        }
    }
    out
}

/// The subject without the marks of a reply, and whether there were any.
pub fn topic(subject: &str) -> (String, bool) {
    let mut rest = subject.trim();
    let mut reply = false;
    'again: loop {
        for mark in ["re:", "fw:", "fwd:", "aw:", "wg:"] {
            if rest.get(..mark.len()).is_some_and(|r| r.eq_ignore_ascii_case(mark)) {
                rest = rest.get(mark.len()..).unwrap_or("").trim_start();
                reply = true;
                continue 'again;
            }
        }
        return (rest.to_lowercase(), reply);
    }
}
