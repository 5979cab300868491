//! Drafts that a send left in the mailbox: made for a mail that was refused for good, taken back, or past its deadline, or made twice. Only our own are
//! removed, known by their mark, only those that no request may have sent, and only as they were when they were looked at.

use super::MailProgress;
use super::evidence::same_mark;
use crate::error::Result;
use crate::graph::{Caller, MessageState};
use crate::outbox::channel::Progress;
use crate::outbox::job::{PATIENCE, Tools};
use crate::pipeline::Priority;
use crate::store::{ItemRow, ItemState};

/// One that may be on its way out is nobody's to remove.
pub fn may_remove(progress: &Progress<MailProgress>, state: ItemState) -> bool {
    !progress.doubted || state == ItemState::Sent
}

/// What is gone is made anew, should the send be asked for again. Until the last look its mark is kept: by it a draft is found that comes late.
pub async fn tidy(tools: &Tools, item: &ItemRow, progress: &Progress<MailProgress>, is_last: bool) -> Result<Option<MailProgress>> {
    let removed = remove_drafts(tools, item, progress).await?;
    Ok((removed && item.state != ItemState::Sent).then(|| {
        let mut own = progress.own.clone();
        if is_last {
            own.stray = false;
            own.forget_draft();
        } else {
            (own.graph_id, own.upload) = (None, None);
        }
        own
    }))
}

/// True: some were removed, or none are left.
async fn remove_drafts(tools: &Tools, item: &ItemRow, progress: &Progress<MailProgress>) -> Result<bool> {
    let own = &progress.own;
    let Some(mark) = own.mark.as_deref() else { return Ok(false) };
    let is_sent = item.state == ItemState::Sent;
    if !may_remove(progress, item.state) {
        return Ok(false);
    }
    let caller = Caller::new(&item.account_id, Priority::Sync, PATIENCE);
    let graph = &tools.graph;
    let mut found: Vec<MessageState> = Vec::new();
    if let Some(id) = own.graph_id.as_deref().filter(|_| !is_sent) {
        found.extend(graph.message_state(&caller, id).await?);
    }
    if own.stray || own.graph_id.is_none() {
        found.extend(graph.find_by_mark(&caller, mark).await?);
    }
    for state in found {
        let is_sent_one = is_sent && own.graph_id.as_deref() == Some(state.id.as_str());
        if !state.is_draft || is_sent_one || !same_mark(&state, own) {
            continue;
        }
        if let Some(change_key) = &state.change_key {
            graph.delete_draft(&caller, &state.id, change_key).await?;
            tracing::info!(target: "tidings::outbox", send = item.id, account = item.account_id, "a draft that was left was removed");
        }
    }
    Ok(true)
}
