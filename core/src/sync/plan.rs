//! Pure: a page and what is already here, to what is to be written.

use crate::graph::{DeltaItem, MailItem};
use crate::model::ChangeKind;
use crate::store::Known;
use std::collections::HashMap;

/// What a page means for this folder.
#[derive(Debug, Default)]
pub struct Plan {
    pub upserts: Vec<Upsert>,
    /// Repeated without news.
    pub seen: Vec<String>,
    /// Said to have left this folder; to be proven.
    pub suspects: Vec<String>,
    pub unreadable: Vec<Unreadable>,
}

#[derive(Debug)]
pub struct Upsert {
    pub item: MailItem,
    /// Version to write: the known one + 1.
    pub version: i64,
    pub change: ChangeKind,
}

#[derive(Debug)]
pub struct Unreadable {
    pub id: Option<String>,
    pub raw: String,
    pub reason: String,
}

/// Graph may repeat an item within a round; the last occurrence counts, so applying a page twice changes nothing.
pub fn plan(folder_id: &str, items: Vec<DeltaItem>, known: &HashMap<String, Known>) -> Plan {
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
                if known.get(&id).is_some_and(|row| !row.is_removed && row.folder_id == folder_id) {
                    plan.suspects.push(id);
                }
            }
            DeltaItem::Unreadable { id, raw, reason } => plan.unreadable.push(Unreadable { id, raw, reason }),
            DeltaItem::Message(item) => match known.get(&item.id) {
                None => plan.upserts.push(Upsert { item: *item, version: 1, change: ChangeKind::MessageAdded }),
                Some(row) => {
                    let change = if row.is_removed {
                        ChangeKind::MessageAdded
                    } else if row.folder_id != folder_id {
                        ChangeKind::MessageMoved
                    } else if !row.change_key.is_empty() && row.change_key == item.change_key {
                        plan.seen.push(item.id);
                        continue;
                    } else {
                        ChangeKind::MessageChanged
                    };
                    plan.upserts.push(Upsert { item: *item, version: row.version + 1, change });
                }
            },
        }
    }
    plan
}

pub fn id_of(item: &DeltaItem) -> Option<&str> {
    match item {
        DeltaItem::Message(item) => Some(&item.id),
        DeltaItem::Removed { id, .. } => Some(id),
        DeltaItem::Unreadable { id, .. } => id.as_deref(),
    }
}
