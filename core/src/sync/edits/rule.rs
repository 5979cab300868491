//! Pure: who wins where a property was changed here and in the mailbox. The newest change does, of each property by itself.
//!
//! Microsoft tells one time for the whole message, to the second. So a value that differs from the one the mailbox had counts as changed at that time;
//! within the same second the change made here wins. A value that came back to what it was is no change. What differs because our own change has not
//! arrived yet, or is older than our own change that has, is no news.

use super::wish::{Value, Wish};
use crate::clock::to_ms;
use crate::graph::MailItem;
use crate::error::Result;
use crate::store::{EditEnd, EditRow, EndedEdit};
use crate::vault::DataKey;
use std::time::SystemTime;

/// A change made here, opened.
#[derive(Debug, Clone)]
pub struct Edit {
    pub row: EditRow,
    pub wish: Wish,
}

/// What an answer of the mailbox means for a change made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It says nothing new: what is here stays.
    Keep,
    /// The mailbox had another value before: what is here stays, over that one.
    KeepOver(Value),
    /// The mailbox has it.
    Arrived,
    /// The mailbox has something newer: that counts, and the change is no more.
    Yield,
}

/// `modified`: when the mailbox says that the message was changed last.
pub fn judge(edit: &Edit, shown: &Value, modified: Option<SystemTime>) -> Verdict {
    let Edit { row, wish } = edit;
    let modified = modified.map(to_ms).map(seconds);
    if !row.is_open {
        let is_stale = row.modified.map(seconds).zip(modified).is_some_and(|(ours, told)| told < ours);
        return if *shown == wish.wanted || is_stale { Verdict::Keep } else { Verdict::Yield };
    }
    let edited = seconds(row.edited_at);
    if *shown == wish.wanted {
        // Else it may be a page from before, which happens to say the same.
        return if modified.is_some_and(|told| told >= edited) { Verdict::Arrived } else { Verdict::Keep };
    }
    if *shown == wish.base || wish.earlier.contains(shown) {
        return Verdict::Keep;
    }
    if modified.is_some_and(|told| told > edited) { Verdict::Yield } else { Verdict::KeepOver(shown.clone()) }
}

fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1000)
}

/// What becomes of an edit by a page, to be sealed when it is written.
#[derive(Debug, Clone)]
pub struct Planned {
    row: EditRow,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Arrived(Option<i64>),
    Dropped,
    Over(Wish),
}

impl Planned {
    pub fn seal(&self, key: &DataKey) -> Result<EndedEdit> {
        let Self { row, what } = self;
        let version = row.version.saturating_add(1);
        Ok(row.ended(match what {
            What::Arrived(modified) => EditEnd::Arrived { modified: *modified },
            What::Dropped => EditEnd::Dropped,
            What::Over(wish) => EditEnd::Rebased { sealed: wish.seal(key, &row.account_id, &row.graph_id, version)?, version },
        }))
    }
}

/// Puts what was changed here over what a page says of a message, where it stays. `folder_id`: where the message is to be.
pub fn reconcile(edits: &[Edit], item: &mut MailItem, folder_id: &mut String) -> Vec<Planned> {
    let mut planned = Vec::new();
    for edit in edits {
        let Edit { row, wish } = edit;
        let shown = match &wish.wanted {
            Value::Place(_) => Some(Value::Place(folder_id.clone())),
            other => Value::shown(other.property(), item),
        };
        // What was not told is taken from here.
        let Some(shown) = shown else { continue };
        let verdict = judge(edit, &shown, item.modified_at);
        if verdict != Verdict::Yield {
            match &wish.wanted {
                Value::Place(wanted) => folder_id.clone_from(wanted),
                value => value.put_in(item),
            }
        }
        let what = match verdict {
            Verdict::Keep => continue,
            Verdict::Yield => What::Dropped,
            Verdict::Arrived => What::Arrived(item.modified_at.map(to_ms)),
            Verdict::KeepOver(base) => What::Over(wish.clone().rebased(base)),
        };
        planned.push(Planned { row: row.clone(), what });
    }
    planned
}
