//! What one or more folders brought.

use super::plan::Plan;
use crate::model::{ChangeKind, SyncReport};

#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub folders: u32,
    pub pages: u32,
    pub added: u32,
    pub changed: u32,
    pub moved: u32,
    pub removed: u32,
    pub resynced: u32,
    /// Messages whose attachments are listed after the sync.
    pub attachments_pending: u32,
    /// The change feed may have grown.
    pub tells_news: bool,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.pages += other.pages;
        self.added += other.added;
        self.changed += other.changed;
        self.moved += other.moved;
        self.removed += other.removed;
        self.resynced += other.resynced;
    }

    /// `quarantined`: items that are set aside when the sync ends.
    pub fn report(&self, account_id: &str, quarantined: u32) -> SyncReport {
        SyncReport {
            account_id: account_id.to_owned(),
            folders: self.folders,
            pages: self.pages,
            added: self.added,
            changed: self.changed,
            moved: self.moved,
            removed: self.removed,
            resynced: self.resynced,
            quarantined,
            attachments_pending: self.attachments_pending,
            duration_ms: 0,
            contacts: 0,
            events: 0,
            chat_messages: 0,
        }
    }

    /// What a page means.
    pub fn of(plan: &Plan) -> Self {
        let mut tally = Self { tells_news: !plan.upserts.is_empty() || !plan.pending_removals.is_empty(), ..Self::default() };
        for upsert in &plan.upserts {
            match upsert.change {
                Some(ChangeKind::MessageAdded) => tally.added += 1,
                Some(ChangeKind::MessageMoved) => tally.moved += 1,
                Some(_) => tally.changed += 1,
                None => {}
            }
        }
        tally
    }
}
