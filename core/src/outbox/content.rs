//! What makes two drafts the same: a hash over a form of the content that no later version changes. A field is written only when it is not as by
//! default, so that a field that a later version adds, left at its default, leaves the hash as it was. Account, key and deadline are no content.

use crate::error::{Error, Result};
use crate::model::{Address, BodyType, ChatDraft, Draft, FileAttachment, Importance, MailDraft};
use crate::vault::Vault;
use serde::Serialize;

/// The form that new hashes are made over.
pub const FORM: i64 = 1;

/// The keyed hash of this content in the form of that number. Errors: Internal for a form nobody knows, which only a newer version can have stored.
pub fn content_hash(vault: &Vault, account_id: &str, draft: &Draft, form: i64) -> Result<[u8; 32]> {
    let text = match form {
        0 => first_text(draft)?,
        1 => canonical(draft),
        _ => return Err(Error::internal("A stored send has a hash of a kind that this version does not know. Update Tidings.")),
    };
    vault.keyed_hash(account_id, "outbox content", &[&text])
}

/// Form 1: the number of the form, the route, then for each field its tag, the length of its value in eight bytes (big-endian) and the value. Lists are
/// their length and their items, each with its length before it.
pub fn canonical(draft: &Draft) -> Vec<u8> {
    match draft {
        Draft::Mail { mail } => canonical_mail(mail),
        Draft::Chat { chat } => canonical_chat(chat),
    }
}

fn canonical_mail(mail: &MailDraft) -> Vec<u8> {
    let mut out = Fields::new(b'm');
    out.addresses(1, &mail.to);
    out.text(2, &mail.subject);
    out.text(3, &mail.body);
    out.body_type(4, mail.body_type);
    out.addresses(5, &mail.cc);
    out.addresses(6, &mail.bcc);
    out.addresses(7, &mail.reply_to);
    match mail.importance {
        Importance::Normal => {}
        Importance::Low => out.field(8, b"low"),
        Importance::High => out.field(8, b"high"),
    }
    out.files(9, &mail.attachments);
    out.0
}

fn canonical_chat(chat: &ChatDraft) -> Vec<u8> {
    let mut out = Fields::new(b'c');
    out.text(1, &chat.to);
    out.text(2, &chat.body);
    out.body_type(3, chat.body_type);
    out.0
}

struct Fields(Vec<u8>);

impl Fields {
    fn new(route: u8) -> Self {
        Self(vec![1, route])
    }

    fn field(&mut self, tag: u8, value: &[u8]) {
        self.0.push(tag);
        append(&mut self.0, value);
    }

    fn text(&mut self, tag: u8, value: &str) {
        if !value.is_empty() {
            self.field(tag, value.as_bytes());
        }
    }

    fn body_type(&mut self, tag: u8, value: BodyType) {
        match value {
            BodyType::Text => {}
            BodyType::Html => self.field(tag, b"html"),
        }
    }

    fn addresses(&mut self, tag: u8, list: &[Address]) {
        self.list(tag, list.iter().map(|one| [one.address.as_bytes(), one.name.as_bytes()]));
    }

    fn files(&mut self, tag: u8, list: &[FileAttachment]) {
        self.list(tag, list.iter().map(|file| [file.name.as_bytes(), file.content_type.as_bytes(), file.content.as_slice()]));
    }

    fn list<'a, const N: usize>(&mut self, tag: u8, items: impl ExactSizeIterator<Item = [&'a [u8]; N]>) {
        if items.len() == 0 {
            return;
        }
        let mut value = length(items.len()).to_vec();
        for part in items.flatten() {
            append(&mut value, part);
        }
        self.field(tag, &value);
    }
}

fn length(n: usize) -> [u8; 8] {
    (n as u64).to_be_bytes()
}

fn append(out: &mut Vec<u8>, value: &[u8]) {
    out.extend(length(value.len()));
    out.extend(value);
}

/// Form 0: the JSON that the first versions stored, with the fields they knew, in their order, bytes as numbers. What came later is left out, so a draft
/// that uses it is another one.
fn first_text(draft: &Draft) -> Result<Vec<u8>> {
    let text = match draft {
        Draft::Mail { mail } => serde_json::to_vec(&FirstDraft::Mail {
            mail: FirstMail {
                account_id: &mail.account_id,
                to: &mail.to,
                subject: &mail.subject,
                body: &mail.body,
                body_type: mail.body_type,
                cc: &mail.cc,
                bcc: &mail.bcc,
                reply_to: &mail.reply_to,
                importance: mail.importance,
                attachments: mail.attachments.iter().map(|f| FirstFile { name: &f.name, content: &f.content, content_type: &f.content_type }).collect(),
                key: mail.key.as_deref(),
            },
        }),
        Draft::Chat { chat } => serde_json::to_vec(&FirstDraft::Chat {
            chat: FirstChat { account_id: &chat.account_id, to: &chat.to, body: &chat.body, body_type: chat.body_type, key: chat.key.as_deref() },
        }),
    };
    text.map_err(|e| Error::internal("The draft cannot be written.").with_source(e))
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum FirstDraft<'a> {
    Mail { mail: FirstMail<'a> },
    Chat { chat: FirstChat<'a> },
}

#[derive(Serialize)]
struct FirstMail<'a> {
    account_id: &'a str,
    to: &'a [Address],
    subject: &'a str,
    body: &'a str,
    body_type: BodyType,
    cc: &'a [Address],
    bcc: &'a [Address],
    reply_to: &'a [Address],
    importance: Importance,
    attachments: Vec<FirstFile<'a>>,
    key: Option<&'a str>,
}

#[derive(Serialize)]
struct FirstFile<'a> {
    name: &'a str,
    content: &'a [u8],
    content_type: &'a str,
}

#[derive(Serialize)]
struct FirstChat<'a> {
    account_id: &'a str,
    to: &'a str,
    body: &'a str,
    body_type: BodyType,
    key: Option<&'a str>,
}

#[cfg(test)]
mod tests;
