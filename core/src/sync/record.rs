//! How a message is kept: columns for what queries need, the rest sealed.

use crate::clock::{from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{MailFlag, MailItem, MessageProperty};
use crate::model::{Address, AttachmentInfo, FlagStatus, Importance, Message};
use crate::random;
use crate::seal::{AadContext, Sealed};
use crate::store::MessageRow;
use crate::vault::DataKey;
use serde::{Deserialize, Serialize};

/// What is sealed of a message beside its body. Names are short because there is one per mail; a new field gets a default.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageMetadata {
    #[serde(rename = "mid", skip_serializing_if = "Option::is_none")]
    pub internet_message_id: Option<String>,
    #[serde(rename = "sub")]
    pub subject: String,
    #[serde(rename = "pre")]
    pub preview: String,
    #[serde(rename = "frm", skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
    #[serde(rename = "snd", skip_serializing_if = "Option::is_none")]
    pub sender: Option<Address>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Address>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<Address>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<Address>,
    #[serde(rename = "rto", skip_serializing_if = "Vec::is_empty")]
    pub reply_to: Vec<Address>,
    /// Milliseconds since 1970.
    #[serde(rename = "snt", skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<i64>,
    #[serde(rename = "flg")]
    pub is_flagged: bool,
    #[serde(rename = "fdn", skip_serializing_if = "std::ops::Not::not")]
    pub is_flag_done: bool,
    /// Milliseconds since 1970.
    #[serde(rename = "fdu", skip_serializing_if = "Option::is_none")]
    pub flag_due_at: Option<i64>,
    #[serde(rename = "imp")]
    pub importance: Importance,
    #[serde(rename = "cat", skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    #[serde(rename = "has")]
    pub has_attachments: bool,
    /// Whether it has any was not told; what is listed decides.
    #[serde(rename = "hun", skip_serializing_if = "std::ops::Not::not")]
    pub has_is_untold: bool,
    #[serde(rename = "att", skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<AttachmentInfo>,
    #[serde(rename = "web", skip_serializing_if = "Option::is_none")]
    pub web_link: Option<String>,
}

impl MessageMetadata {
    /// Takes over what the item holds.
    pub fn of(item: &mut MailItem, attachments: Vec<AttachmentInfo>) -> Self {
        use std::mem::take;
        Self {
            internet_message_id: item.internet_message_id.take(),
            subject: take(&mut item.subject),
            preview: take(&mut item.preview),
            from: item.from.take(),
            sender: item.sender.take(),
            to: take(&mut item.to),
            cc: take(&mut item.cc),
            bcc: take(&mut item.bcc),
            reply_to: take(&mut item.reply_to),
            sent_at: item.sent_at.map(to_ms),
            is_flagged: item.flag.status == FlagStatus::Flagged,
            is_flag_done: item.flag.status == FlagStatus::Complete,
            flag_due_at: item.flag.due_at.map(to_ms),
            importance: item.importance,
            categories: take(&mut item.categories),
            has_attachments: item.has_attachments || (item.untold.has(MessageProperty::Attachments) && attachments.iter().any(|file| !file.is_inline)),
            has_is_untold: item.untold.has(MessageProperty::Attachments),
            attachments,
            web_link: item.web_link.take(),
        }
    }

    /// Fills in what the item does not tell. Whether it has attachments is asked for instead.
    pub fn complete(&self, item: &mut MailItem) {
        let untold = item.untold;
        fn fill<T: Clone>(is_untold: bool, item: &mut T, held: &T) {
            if is_untold {
                item.clone_from(held);
            }
        }
        fill(untold.has(MessageProperty::InternetMessageId), &mut item.internet_message_id, &self.internet_message_id);
        fill(untold.has(MessageProperty::Preview), &mut item.preview, &self.preview);
        fill(untold.has(MessageProperty::From), &mut item.from, &self.from);
        fill(untold.has(MessageProperty::Sender), &mut item.sender, &self.sender);
        fill(untold.has(MessageProperty::Cc), &mut item.cc, &self.cc);
        fill(untold.has(MessageProperty::Bcc), &mut item.bcc, &self.bcc);
        fill(untold.has(MessageProperty::ReplyTo), &mut item.reply_to, &self.reply_to);
        fill(untold.has(MessageProperty::Sent), &mut item.sent_at, &self.sent_at.map(from_ms));
        fill(untold.has(MessageProperty::Flag), &mut item.flag, &self.flag());
        fill(untold.has(MessageProperty::Importance), &mut item.importance, &self.importance);
        fill(untold.has(MessageProperty::Categories), &mut item.categories, &self.categories);
        fill(untold.has(MessageProperty::WebLink), &mut item.web_link, &self.web_link);
    }

    pub fn flag(&self) -> MailFlag {
        let status = match (self.is_flagged, self.is_flag_done) {
            (true, _) => FlagStatus::Flagged,
            (false, true) => FlagStatus::Complete,
            (false, false) => FlagStatus::NotFlagged,
        };
        MailFlag { status, due_at: self.flag_due_at.map(from_ms) }
    }

    pub fn set_flag(&mut self, flag: MailFlag) {
        self.is_flagged = flag.status == FlagStatus::Flagged;
        self.is_flag_done = flag.status == FlagStatus::Complete;
        self.flag_due_at = flag.due_at.map(to_ms);
    }

    /// Whether it says the same as the item, attachments aside.
    pub fn shows(&self, item: &MailItem) -> bool {
        let Self { internet_message_id, subject, preview, from, sender, to, cc, bcc, reply_to, sent_at, is_flagged: _, is_flag_done: _, flag_due_at: _, importance, categories, has_attachments, has_is_untold: _, attachments: _, web_link } = self;
        *internet_message_id == item.internet_message_id
            && *subject == item.subject
            && *preview == item.preview
            && *from == item.from
            && *sender == item.sender
            && *to == item.to
            && *cc == item.cc
            && *bcc == item.bcc
            && *reply_to == item.reply_to
            && *sent_at == item.sent_at.map(to_ms)
            && self.flag() == item.flag
            && *importance == item.importance
            && *categories == item.categories
            && (item.untold.has(MessageProperty::Attachments) || *has_attachments == item.has_attachments)
            && *web_link == item.web_link
    }

    pub fn seal(&self, key: &DataKey, account_id: &str, graph_id: &str, version: i64) -> Result<Sealed> {
        let text = serde_json::to_vec(self).map_err(|e| Error::internal("A message cannot be written.").with_source(e))?;
        key.seal(head_place(account_id, graph_id, version), &text)
    }

    pub fn open(key: &DataKey, row: &MessageRow) -> Result<Self> {
        Self::open_sealed(key, &row.account_id, &row.graph_id, row.version, &row.head)
    }

    pub fn open_sealed(key: &DataKey, account_id: &str, graph_id: &str, version: i64, head: &Sealed) -> Result<Self> {
        let text = key.open(head_place(account_id, graph_id, version), head)?;
        serde_json::from_slice(&text).map_err(|e| Error::new(ErrorKind::Corrupt, "A stored message cannot be read.").with_source(e))
    }
}

pub fn head_place<'a>(account_id: &'a str, graph_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "messages", column: "head", account_id, row: graph_id, version }
}

pub fn body_place<'a>(account_id: &'a str, graph_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "bodies", column: "body", account_id, row: graph_id, version }
}

/// Row and sealed part together, as hosts see it.
pub fn message(key: &DataKey, row: &MessageRow) -> Result<Message> {
    let head = MessageMetadata::open(key, row)?;
    let flag = head.flag();
    Ok(Message {
        id: row.id.clone(),
        account_id: row.account_id.clone(),
        graph_id: row.graph_id.clone(),
        folder_id: row.folder_id.clone(),
        conversation_id: row.conversation_id.clone(),
        internet_message_id: head.internet_message_id,
        subject: head.subject,
        preview: head.preview,
        from_address: head.from,
        sender_address: head.sender,
        to: head.to,
        cc: head.cc,
        bcc: head.bcc,
        reply_to: head.reply_to,
        received_at: row.received_at.map(from_ms),
        sent_at: head.sent_at.map(from_ms),
        is_read: row.is_read,
        is_draft: row.is_draft,
        is_flagged: head.is_flagged,
        importance: head.importance,
        categories: head.categories,
        has_attachments: head.has_attachments,
        attachments: head.attachments,
        web_link: head.web_link,
        change_key: row.change_key.clone(),
        links: Vec::new(),
        flag_status: flag.status,
        flag_due_at: flag.due_at,
        is_edit_waiting: false,
        kind: row.kind,
    })
}

/// What hosts will call a message that is new here.
pub fn new_id() -> Result<String> {
    Ok(format!("msg_{}", random::token::<16>()?))
}
