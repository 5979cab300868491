//! Pure: a page and what is already here, to what is to be written.

use super::body::shows_files;
use super::edits::{Edit, Planned, reconcile};
use super::record::MessageMetadata;
use crate::clock::{from_ms, to_ms};
use crate::graph::{DeltaItem, MailBody, MailItem, MessageProperty};
use crate::model::{AttachmentInfo, ChangeKind};
use crate::store::{EditedProperty, Known};
use bytes::Bytes;
use std::collections::HashMap;

/// What a page means for this folder.
#[derive(Debug, Default)]
pub struct Plan {
    pub upserts: Vec<Upsert>,
    /// Repeated without news.
    pub seen: Vec<String>,
    /// Said to have left this folder; to be proven.
    pub pending_removals: Vec<String>,
    pub unreadable: Vec<Unreadable>,
    /// What the page means for changes made here.
    pub edits: Vec<Planned>,
}

#[derive(Debug)]
pub struct Upsert {
    pub item: MailItem,
    /// Where it is to be: where the page shows it, or where it was moved to here.
    pub folder_id: String,
    /// Version to write: the known one + 1.
    pub version: i64,
    /// None: nothing that anybody sees.
    pub change: Option<ChangeKind>,
    /// The body is the one that is here: only what the change key does not count has changed.
    pub keeps_body: bool,
    /// Those that are here.
    pub attachments: Vec<AttachmentInfo>,
    /// They are to be listed anew.
    pub is_unlisted: bool,
}

/// What is here of a message.
#[derive(Debug)]
pub struct Held {
    pub row: Known,
    /// Opened where the change key is the item's, the item does not tell everything, or its attachments are to be listed anew.
    pub head: Option<MessageMetadata>,
    /// Body and attachments are known to be here.
    pub is_whole: bool,
    /// Changes made here, on their way or just arrived.
    pub edits: Vec<Edit>,
    /// The body, packed; where there are edits.
    pub body: Option<Bytes>,
}

impl Held {
    /// What the item does not tell is what is here.
    fn complete(&self, item: &mut MailItem) {
        let (row, untold) = (&self.row, item.untold);
        let Some(head) = self.head.as_ref().filter(|_| untold.is_any() && !row.is_removed) else { return };
        head.complete(item);
        if untold.has(MessageProperty::Conversation) {
            item.conversation_id.clone_from(&row.conversation_id);
        }
        if untold.has(MessageProperty::Received) {
            item.received_at = row.received_at.map(from_ms);
        }
        if untold.has(MessageProperty::Read) {
            item.is_read = row.is_read;
        }
        if untold.has(MessageProperty::Draft) {
            item.is_draft = row.is_draft;
        }
    }

    /// Exchange counts read state, flag and categories apart from the content, so an item under the same change key can still be news: everything that is
    /// held is compared.
    fn shows(&self, item: &MailItem) -> bool {
        let row = &self.row;
        row.is_read == item.is_read
            && row.is_draft == item.is_draft
            && row.conversation_id == item.conversation_id
            && row.received_at == item.received_at.map(to_ms)
            && self.head.as_ref().is_some_and(|head| head.shows(item))
    }
}

impl Held {
    /// Nothing but a change made here has come back, under a change key that its answer did not tell.
    fn is_echo(&self, item: &MailItem) -> bool {
        let is_same_body = || match (&self.body, &item.body) {
            (Some(held), Some(MailBody::Kept(kept))) => *held == kept.packed,
            (_, body) => body.is_none(),
        };
        // An address in Outlook on the web holds another id of the message, which is a new one in each folder.
        let has_moved = self.edits.iter().any(|edit| edit.row.property == EditedProperty::Place);
        let web_link = self.head.as_ref().and_then(|head| head.web_link.clone()).filter(|_| has_moved).or_else(|| item.web_link.clone());
        !self.edits.is_empty() && self.is_whole && self.shows(&MailItem { web_link, body: None, ..item.clone() }) && is_same_body()
    }
}

#[derive(Debug)]
pub struct Unreadable {
    pub id: Option<String>,
    pub raw: String,
    pub reason: String,
}

/// Graph may repeat an item within a round; the last occurrence counts, so applying a page twice changes nothing.
pub fn plan(folder_id: &str, items: Vec<DeltaItem>, known: &HashMap<String, Held>) -> Plan {
    let mut plan = Plan::default();
    let mut last: HashMap<String, usize> = HashMap::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        if let Some(id) = id_of(item) {
            last.insert(id.to_owned(), at);
        }
    }
    for (at, item) in items.into_iter().enumerate() {
        if id_of(&item).is_some_and(|id| last.get(id) != Some(&at)) {
            continue;
        }
        match item {
            DeltaItem::Removed { id, .. } => {
                // Never seen here, or already elsewhere: nothing to ask.
                if known.get(&id).is_some_and(|held| !held.row.is_removed && held.row.folder_id == folder_id) {
                    plan.pending_removals.push(id);
                }
            }
            DeltaItem::Unreadable { id, raw, reason } => plan.unreadable.push(Unreadable { id, raw, reason }),
            DeltaItem::Message(mut item) => match known.get(&item.id) {
                None => {
                    let is_unlisted = may_have_attachments(&item);
                    let folder_id = folder_id.to_owned();
                    plan.upserts.push(Upsert { item: *item, folder_id, version: 1, change: Some(ChangeKind::MessageAdded), keeps_body: false, attachments: Vec::new(), is_unlisted });
                }
                Some(held) => {
                    let row = &held.row;
                    let same_key = held.is_whole && !row.is_removed && !row.change_key.is_empty() && row.change_key == item.change_key;
                    let may_have = may_have_attachments(&item);
                    let mut folder_id = folder_id.to_owned();
                    if !row.is_removed {
                        plan.edits.extend(reconcile(&held.edits, &mut item, &mut folder_id));
                    }
                    held.complete(&mut item);
                    let is_echo = !row.is_removed && !same_key && held.is_echo(&item);
                    let change = if row.is_removed {
                        Some(ChangeKind::MessageAdded)
                    } else if row.folder_id != folder_id {
                        Some(ChangeKind::MessageMoved)
                    } else if same_key && held.shows(&item) {
                        plan.seen.push(item.id);
                        continue;
                    } else if is_echo {
                        None
                    } else {
                        Some(ChangeKind::MessageChanged)
                    };
                    let keeps_body = (same_key || is_echo) && held.head.is_some();
                    let has_first = || held.head.as_ref().is_some_and(|head| item.has_attachments && !head.has_attachments);
                    let is_unlisted = if keeps_body { row.is_unlisted || has_first() } else { may_have };
                    // Until they are listed anew, those that were here are the best guess.
                    let kept = held.head.as_ref().filter(|_| keeps_body || is_unlisted);
                    let attachments = kept.map(|head| head.attachments.clone()).unwrap_or_default();
                    plan.upserts.push(Upsert { item: *item, folder_id, version: row.version + 1, change, keeps_body, attachments, is_unlisted });
                }
            },
        }
    }
    plan
}

/// Delta does not list attachments. `hasAttachments` is false when there are only inline ones, so the body is looked at too.
pub fn may_have_attachments(item: &MailItem) -> bool {
    item.has_attachments
        || item.untold.has(MessageProperty::Attachments)
        || item.body.as_ref().is_some_and(shows_files)
}

pub fn id_of(item: &DeltaItem) -> Option<&str> {
    match item {
        DeltaItem::Message(item) => Some(&item.id),
        DeltaItem::Removed { id, .. } => Some(id),
        DeltaItem::Unreadable { id, .. } => id.as_deref(),
    }
}
