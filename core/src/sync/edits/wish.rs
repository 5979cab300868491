//! What a property of a message is to be: its values, and how they are kept.

use crate::clock::{from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{MailFlag, MailItem, MessageProperty};
use crate::model::FlagStatus;
use crate::store::{EditRow, EditedProperty, edit_place, edit_row};
use crate::sync::record::MessageMetadata;
use crate::seal::Sealed;
use crate::vault::DataKey;
use serde::{Deserialize, Serialize};

/// The value of one property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Read(bool),
    Flag { status: FlagStatus, due: Option<i64> },
    Categories(Vec<String>),
    /// Immutable id of a folder.
    Place(String),
}

impl Value {
    pub fn flag(flag: MailFlag) -> Self {
        Self::Flag { status: flag.status, due: flag.due_at.map(to_ms) }
    }

    pub fn property(&self) -> EditedProperty {
        match self {
            Self::Read(_) => EditedProperty::Read,
            Self::Flag { .. } => EditedProperty::Flag,
            Self::Categories(_) => EditedProperty::Categories,
            Self::Place(_) => EditedProperty::Place,
        }
    }

    /// What an answer of the mailbox shows of a property. None: it does not tell.
    pub fn shown(property: EditedProperty, item: &MailItem) -> Option<Self> {
        let told = |untold, value: Self| (!item.untold.has(untold)).then_some(value);
        match property {
            EditedProperty::Read => told(MessageProperty::Read, Self::Read(item.is_read)),
            EditedProperty::Flag => told(MessageProperty::Flag, Self::flag(item.flag)),
            EditedProperty::Categories => told(MessageProperty::Categories, Self::Categories(item.categories.clone())),
            EditedProperty::Place => Some(Self::Place(item.folder_id.clone())).filter(|_| !item.folder_id.is_empty()),
        }
    }

    /// In an item that is about to be stored.
    pub fn put_in(&self, item: &mut MailItem) {
        match self {
            Self::Read(is_read) => item.is_read = *is_read,
            Self::Flag { status, due } => item.flag = MailFlag { status: *status, due_at: due.map(from_ms) },
            Self::Categories(categories) => item.categories.clone_from(categories),
            Self::Place(_) => {}
        }
    }
}

/// A message as it is here, in the part that can be changed.
#[derive(Debug, Clone)]
pub struct Local {
    pub is_read: bool,
    pub folder_id: String,
    pub head: MessageMetadata,
}

impl Local {
    pub fn value(&self, property: EditedProperty) -> Value {
        match property {
            EditedProperty::Read => Value::Read(self.is_read),
            EditedProperty::Flag => Value::flag(self.head.flag()),
            EditedProperty::Categories => Value::Categories(self.head.categories.clone()),
            EditedProperty::Place => Value::Place(self.folder_id.clone()),
        }
    }

    /// True: it was something else before.
    pub fn set(&mut self, value: &Value) -> bool {
        if self.value(value.property()) == *value {
            return false;
        }
        match value {
            Value::Read(is_read) => self.is_read = *is_read,
            Value::Flag { status, due } => self.head.set_flag(MailFlag { status: *status, due_at: due.map(from_ms) }),
            Value::Categories(categories) => self.head.categories.clone_from(categories),
            Value::Place(folder_id) => self.folder_id.clone_from(folder_id),
        }
        true
    }
}

/// A change that was made here, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    #[serde(rename = "to")]
    pub wanted: Value,
    /// What the mailbox had, by its last word.
    #[serde(rename = "was")]
    pub base: Value,
    /// Wanted before, and perhaps sent, or what the mailbox had before: what it shows of them is no news.
    #[serde(rename = "own", default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Value>,
}

/// Earlier values that are remembered.
const MOST_EARLIER: usize = 16;

impl Wish {
    /// Over what is here. `before`: the last change of the same property, and whether it is still open.
    pub fn over(local: &Local, before: Option<(bool, Wish)>, wanted: Value) -> Self {
        match before {
            Some((true, old)) => {
                let mut wish = Self { base: old.base, wanted, earlier: old.earlier };
                wish.remember(old.wanted);
                wish
            }
            _ => Self { base: local.value(wanted.property()), wanted, earlier: Vec::new() },
        }
    }

    /// The same over what the mailbox has by now. What it had before is no news should it come once more, with a page from then.
    pub fn rebased(mut self, base: Value) -> Self {
        let before = std::mem::replace(&mut self.base, base);
        self.remember(before);
        self
    }

    fn remember(&mut self, value: Value) {
        if self.wanted != value && !self.earlier.contains(&value) {
            self.earlier.push(value);
        }
        self.earlier.drain(..self.earlier.len().saturating_sub(MOST_EARLIER));
    }

    pub fn seal(&self, key: &DataKey, account_id: &str, graph_id: &str, version: i64) -> Result<Sealed> {
        let text = serde_json::to_vec(self).map_err(|e| Error::internal("A change of a message cannot be written.").with_source(e))?;
        key.seal(edit_place(account_id, &edit_row(graph_id, self.wanted.property()), version), &text)
    }

    pub fn open(key: &DataKey, row: &EditRow) -> Result<Self> {
        let text = key.open(edit_place(&row.account_id, &edit_row(&row.graph_id, row.property), row.version), &row.sealed)?;
        let wish: Self = serde_json::from_slice(&text).map_err(|e| corrupt().with_source(e))?;
        if wish.wanted.property() == row.property { Ok(wish) } else { Err(corrupt()) }
    }
}

fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "A stored change of a message cannot be read.")
}
