//! What a send says is replaced before it leaves: while nobody has it in hand and nothing was made of it at the service.

use super::channel::{Channel, Progress, by_draft, by_route};
use super::deliver::Outbox;
use super::job::{Tools, read_progress, seal_progress};
use super::last_sender::{contexts, remembered};
use super::payload::{seal_content, work_of};
use super::signature::Signatures;
use super::staged::StagedFiles;
use super::submit::{New, check_named, check_owner, conflict, item, new_item, read_receipt};
use crate::clock::to_ms;
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::model::{RouteDraft, Event, Receipt, SendRoute};
use crate::store::{Hold, ItemRow, ItemState, NewItem};
use std::sync::Arc;

impl Outbox {
    /// Replaces the content of a send that has not left, with its time, deadline and order. The caller has checked the draft. It keeps its id, its account,
    /// its route and its key. Errors: NotFound; InvalidInput for a draft of another account, route or key; Conflict for what has left, is leaving, or has
    /// left something at the service.
    pub async fn edit(&self, receipt_id: &str, draft: RouteDraft, owner: Option<&str>) -> Result<Receipt> {
        check_owner(owner)?;
        let draft = Arc::new(draft);
        let is_replaced = self.tools.vault.with_current_keys(async || replace(&self.tools, receipt_id, &draft, owner).await).await?;
        if !is_replaced {
            return Err(conflict("It was taken in hand at this moment, so it cannot be changed. Its receipt will say what became of it."));
        }
        failpoint!("outbox.edited");
        let receipt = read_receipt(&self.tools, receipt_id, None).await?;
        tracing::info!(target: "tidings::outbox", send = receipt.id, account = receipt.account_id, "replaced");
        self.event_bus.publish(Event::SendChanged { receipt: receipt.clone() });
        self.nudge();
        Ok(receipt)
    }
}

/// False: it is not as it was seen any more.
async fn replace(tools: &Tools, id: &str, draft: &Arc<RouteDraft>, owner: Option<&str>) -> Result<bool> {
    let seen = item(tools, id, owner).await?;
    check_same(&seen, draft)?;
    match seen.state {
        _ if seen.hold == Hold::Parked && seen.state.is_open() => {
            return Err(conflict("It waits because the store was copied or restored, and the original may have sent it. Take it back with cancel, or let it go with retry."));
        }
        ItemState::Queued | ItemState::RetryWait => {}
        ItemState::Sent => return Err(conflict("It was sent, so it cannot be changed.")),
        ItemState::Unknown => return Err(conflict("It may have been sent, so it cannot be changed. Look into the mailbox or chat.")),
        ItemState::Failed | ItemState::Cancelled => return Err(conflict("It was not sent and will not be. Hand in a new draft.")),
        _ => return Err(conflict("It is being sent at this moment, so it cannot be changed. Its receipt will say what became of it.")),
    }
    let staged = Arc::new(StagedFiles::of(tools, [&**draft]).await?);
    check_named(tools, draft, &staged).await?;
    let signed = Signatures::of(tools, [&**draft]).await?.signed(draft).await?;
    by_route!(seen.route, C => replace_by::<C>(tools, &seen, draft, signed, staged).await)
}

/// `signed`: what is stored of the draft, where that is another one.
async fn replace_by<C: Channel>(tools: &Tools, seen: &ItemRow, draft: &Arc<RouteDraft>, signed: Option<RouteDraft>, staged: Arc<StagedFiles>) -> Result<bool> {
    let progress = read_progress::<C::Progress>(&tools.vault, seen).await?;
    if progress.doubted {
        return Err(conflict("It may have been sent before it was queued again, so it cannot be changed. Look into the mailbox or chat."));
    }
    let Some(own) = C::replaced(progress.own, seen.fence == 0) else {
        return Err(conflict("It was tried before, and something of it may lie at Microsoft, as a draft in the mailbox or a file. Take it back with cancel, and hand in a new draft."));
    };
    let hashes = tools.vault.hashes(&seen.account_id).await?;
    let key = tools.vault.content(&seen.account_id).await?;
    let link = by_draft!(&**draft, D, one => D::link(one).map(str::to_owned));
    let progress = seal_progress(&key, seen, &Progress { own, link, ..Progress::default() })?;
    let weight = by_draft!(&**draft, D, one => D::weight(one));
    let now = to_ms(tools.clock.now());
    let context = contexts(tools, std::slice::from_ref(draft)).await?.pop().flatten();
    let (draft, id, is_bulk, created_at) = (draft.clone(), seen.id.clone(), seen.is_bulk, seen.created_at);
    let sealed = work_of(weight, move || {
        let New { item, .. } = new_item(&hashes, (&draft, &staged), id, is_bulk, created_at)?;
        let content = seal_content(&key, &item.account_id, &item.id, signed.as_ref().unwrap_or(&draft))?;
        let last_sender = context.map(|context| remembered(&key, context, &draft, now)).transpose()?;
        Ok((NewItem { progress: Some(progress), last_sender, ..item }, content))
    });
    let (item, content) = sealed.await?;
    tools.store.edit(seen, item, content, now).await
}

fn check_same(seen: &ItemRow, draft: &RouteDraft) -> Result<()> {
    if draft.account_id() != seen.account_id {
        return Err(Error::invalid("The draft is of another account than the send. A send stays with its account: take it back with cancel, and hand in a new draft.").on_account(&seen.account_id));
    }
    let (route, key): (SendRoute, Option<&str>) = by_draft!(draft, C, one => (C::ROUTE, C::terms(one).key));
    if route != seen.route {
        return Err(Error::invalid("The draft is of another kind than the send: a mail stays a mail, a chat message a chat message. Take it back with cancel, and hand in a new draft."));
    }
    if key.is_some() && key != seen.key.as_deref() {
        return Err(Error::invalid("The draft has another idempotency key than the send, which keeps its own. Leave key out, or pass the same."));
    }
    Ok(())
}
