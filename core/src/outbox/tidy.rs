//! Drafts that a send left in the mailbox: made for a mail that was refused for good, taken back, or past its deadline, or made twice. Only our own are
//! removed, known by their mark, only those that no request may have sent, and only as they were when they were looked at.

use super::channel::{PATIENCE, Progress, read_progress, seal_progress};
use super::deliver::Outbox;
use super::item::{Verdict, verdict};
use super::mail::same_mark;
use crate::clock::to_ms;
use crate::error::Result;
use crate::graph::{Caller, MessageState};
use crate::model::Route;
use crate::pipeline::Priority;
use crate::runtime::blocking;
use crate::store::{ItemRow, ItemState};

/// Looked for again after this long, if the mailbox cannot be asked.
const AGAIN_MS: i64 = 600_000;
/// After this long they are left where they are.
const LONGEST_MS: i64 = 14 * 86_400_000;

impl Outbox {
    pub(super) async fn tidy(&self, item: ItemRow) {
        let (tools, row) = (self.tools.clone(), item.clone());
        let progress = blocking(move || tools.vault.with_current_keys(|| read_progress(&tools.vault, &row))).await;
        let removed = match &progress {
            Ok(progress) => self.remove_drafts(&item, progress).await,
            Err(error) => Err(error.clone()),
        };
        let now = to_ms(self.tools.clock.now());
        let again_at = match &removed {
            Err(error) if !matches!(verdict(error), Verdict::Refused) && now.saturating_sub(item.created_at) < LONGEST_MS => Some(now.saturating_add(AGAIN_MS)),
            _ => None,
        };
        // What is gone is made anew, should the send be asked for again.
        let fresh = progress.ok().filter(|_| matches!(removed, Ok(true)) && item.state != ItemState::Sent).map(|progress| Progress {
            graph_id: None,
            mark: None,
            internet_message_id: None,
            stray: false,
            ..progress
        });
        let (tools, row) = (self.tools.clone(), item.clone());
        let ended = blocking(move || {
            tools.vault.with_current_keys(|| {
                let sealed = fresh.as_ref().map(|progress| seal_progress(&tools.vault, &row, progress)).transpose()?;
                tools.store.tidied(&row.id, row.fence, sealed.as_ref(), again_at)
            })
        });
        if let Err(error) = ended.await {
            tracing::warn!(target: "tidings::outbox", send = item.id, kind = ?error.kind(), "drafts that were looked for could not be noted");
        }
        self.changed(&item.id);
    }

    /// True: some were removed, or none are left.
    async fn remove_drafts(&self, item: &ItemRow, progress: &Progress) -> Result<bool> {
        let Some(mark) = progress.mark.as_deref().filter(|_| item.route == Route::Mail) else { return Ok(false) };
        let is_sent = item.state == ItemState::Sent;
        // One that may be on its way out is nobody's to remove.
        if progress.doubted && !is_sent {
            return Ok(false);
        }
        let caller = Caller::new(&item.account_id, Priority::Sync, PATIENCE);
        let graph = &self.tools.graph;
        let mut found: Vec<MessageState> = Vec::new();
        if let Some(id) = progress.graph_id.as_deref().filter(|_| !is_sent) {
            found.extend(graph.message_state(&caller, id).await?);
        }
        if progress.stray || progress.graph_id.is_none() {
            found.extend(graph.find_by_mark(&caller, mark).await?);
        }
        for state in found {
            let is_sent_one = is_sent && progress.graph_id.as_deref() == Some(state.id.as_str());
            if !state.is_draft || is_sent_one || !same_mark(&state, progress) {
                continue;
            }
            if let Some(change_key) = &state.change_key {
                graph.delete_draft(&caller, &state.id, change_key).await?;
                tracing::info!(target: "tidings::outbox", send = item.id, account = item.account_id, "a draft that was left was removed");
            }
        }
        Ok(true)
    }
}
