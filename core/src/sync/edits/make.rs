//! A change of messages, as a host asks for it: stored together with what is shown from then on, all of it or nothing.

use super::deliver::Edits;
use super::page::opened;
use super::rule::Edit;
use super::wish::{Local, Value, Wish};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::graph::MailFlag;
use crate::model::ChangeKind;
use crate::runtime::blocking;
use crate::store::{EditBatch, EditRow, EditedProperty, MessageEdit, MessageRow};
use crate::sync::record::MessageMetadata;
use crate::vault::DataKey;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Messages changed in one call.
const MOST_EDITED: usize = 1_000;
/// Times a change is made anew because a sync changed a message meanwhile.
const MOST_TRIES: u32 = 30;

/// What is to be changed.
#[derive(Debug, Clone)]
pub enum Change {
    Read(bool),
    Flag(MailFlag),
    /// Those that are there stay, apart from `remove`.
    Categories { add: Vec<String>, remove: Vec<String> },
    /// Folder by account.
    Place(HashMap<String, String>),
}

impl Change {
    fn property(&self) -> EditedProperty {
        match self {
            Self::Read(_) => EditedProperty::Read,
            Self::Flag(_) => EditedProperty::Flag,
            Self::Categories { .. } => EditedProperty::Categories,
            Self::Place(_) => EditedProperty::Place,
        }
    }

    /// None: not of this account.
    fn value(&self, local: &Local, account_id: &str) -> Option<Value> {
        Some(match self {
            Self::Read(is_read) => Value::Read(*is_read),
            Self::Flag(flag) => Value::flag(*flag),
            Self::Categories { add, remove } => {
                // Outlook does not tell categories apart by the case of their letters.
                let is_in = |list: &[String], name: &String| list.iter().any(|one| one.to_lowercase() == name.to_lowercase());
                let mut all: Vec<String> = local.head.categories.iter().filter(|name| !is_in(remove, name)).cloned().collect();
                for name in add {
                    if !is_in(&all, name) {
                        all.push(name.clone());
                    }
                }
                Value::Categories(all)
            }
            Self::Place(folders) => Value::Place(folders.get(account_id)?.clone()),
        })
    }
}

impl Edits {
    /// The messages, in this order, each once. Errors: InvalidInput (none, or more than 1,000), NotFound: which of them.
    pub async fn rows(&self, ids: &[String], owner: Option<&str>) -> Result<Vec<MessageRow>> {
        if !(1..=MOST_EDITED).contains(&ids.len()) {
            return Err(Error::invalid("message_ids must have 1 to 1,000 ids."));
        }
        let (mut rows, mut seen) = (Vec::with_capacity(ids.len()), HashSet::new());
        for (number, id) in ids.iter().enumerate() {
            if !seen.insert(id) {
                continue;
            }
            let none = || Error::new(ErrorKind::NotFound, if ids.len() == 1 { "There is no message with this id.".to_owned() } else { format!("message_ids[{number}]: there is no message with this id. Nothing was changed.") });
            rows.push(self.reader.store.message(id, owner).await?.ok_or_else(none)?);
        }
        Ok(rows)
    }

    /// Stores the change of all of them in one transaction, and has it delivered. The caller has checked their accounts.
    pub async fn make(&self, ids: &[String], owner: Option<&str>, change: Change) -> Result<()> {
        let change = Arc::new(change);
        let write = async || {
            let mut tries = 0;
            loop {
                let batch = self.batch(ids, owner, &change).await?;
                failpoint!("edits.storing");
                if self.reader.store.write_edits(batch).await? {
                    return Ok(());
                }
                tries += 1;
                if tries == MOST_TRIES {
                    return Err(Error::new(ErrorKind::StoreBusy, "The messages changed each time they were about to be changed here; nothing was done. Try again."));
                }
            }
        };
        self.reader.vault.with_current_keys(write).await?;
        failpoint!("edits.stored");
        self.reader.news.send_modify(|n| *n = n.wrapping_add(1));
        self.wake();
        Ok(())
    }

    async fn batch(&self, ids: &[String], owner: Option<&str>, change: &Arc<Change>) -> Result<EditBatch> {
        let rows = self.rows(ids, owner).await?;
        let (mut keys, mut before) = (HashMap::new(), HashMap::new());
        for row in &rows {
            if !keys.contains_key(&row.account_id) {
                let key = self.reader.vault.content(&row.account_id).await?;
                let of_account: Vec<&str> = rows.iter().filter(|other| other.account_id == row.account_id).map(|other| other.graph_id.as_str()).collect();
                let edits = self.reader.store.edits_of(&row.account_id, &of_account).await?;
                let of_property = edits.into_iter().filter(|edit| edit.property == change.property()).collect();
                before.extend(opened(&key, of_property)?.into_iter().map(|edit| ((edit.row.account_id.clone(), edit.row.graph_id.clone()), edit)));
                keys.insert(row.account_id.clone(), key);
            }
        }
        let times = Times { now: to_ms(self.reader.clock.now()), edited_at: to_ms(self.reader.graph.server_time()) };
        let change = change.clone();
        blocking(move || {
            let mut batch = EditBatch { now: times.now, ..EditBatch::default() };
            for row in rows {
                let before = before.remove(&(row.account_id.clone(), row.graph_id.clone()));
                if let Some(key) = keys.get(&row.account_id) {
                    add(&mut batch, key, row, before, &change, times)?;
                }
            }
            Ok(batch)
        })
        .await
    }
}

#[derive(Clone, Copy)]
struct Times {
    now: i64,
    /// By Microsoft's clock.
    edited_at: i64,
}

fn add(batch: &mut EditBatch, key: &DataKey, row: MessageRow, before: Option<Edit>, change: &Change, times: Times) -> Result<()> {
    let mut local = Local { is_read: row.is_read, folder_id: row.folder_id.clone(), head: MessageMetadata::open(key, &row)? };
    let Some(value) = change.value(&local, &row.account_id) else { return Ok(()) };
    let seen = before.as_ref().map(|edit| edit.row.number);
    let (number, version) = before.as_ref().map_or((times.now, 1), |edit| (times.now.max(edit.row.number.saturating_add(1)), edit.row.version.saturating_add(1)));
    // Newer than the one that it replaces, however the clocks went.
    let edited_at = before.as_ref().map_or(times.edited_at, |edit| times.edited_at.max(edit.row.edited_at));
    let wish = Wish::over(&local, before.map(|edit| (edit.row.is_open, edit.wish)), value.clone());
    let edit = EditRow {
        account_id: row.account_id.clone(),
        graph_id: row.graph_id.clone(),
        property: value.property(),
        number,
        version,
        edited_at,
        is_open: true,
        is_begun: false,
        tries: 0,
        modified: None,
        sealed: wish.seal(key, &row.account_id, &row.graph_id, version)?,
    };
    batch.edits.push((edit, seen));
    if local.set(&value) {
        let change = if value.property() == EditedProperty::Place { ChangeKind::MessageMoved } else { ChangeKind::MessageChanged };
        batch.messages.push(local.written(key, &row.account_id, &row.graph_id, row.row_id, row.version, Some(change))?);
    }
    Ok(())
}

impl Local {
    /// As it is to be written over this version.
    pub fn written(self, key: &DataKey, account_id: &str, graph_id: &str, row_id: i64, version: i64, change: Option<ChangeKind>) -> Result<MessageEdit> {
        let head = self.head.seal(key, account_id, graph_id, version.saturating_add(1))?;
        Ok(MessageEdit { row_id, account_id: account_id.to_owned(), version, head, is_read: self.is_read, folder_id: self.folder_id, change })
    }
}
