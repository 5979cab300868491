//! What hosts hand in to be sent: checked here, then the outbox's.

use super::{Inner, usable};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Draft, Event, Receipt, RouteDraft, SendState};
use crate::outbox::{check_draft, check_drafts, fill, fill_all, of_draft, scopes_for, sender_for, sender_of};
use std::collections::HashSet;
use std::sync::Arc;

/// A draft to endpoints is several, and each is handled by its own receipt.
pub(super) fn one_route(draft: Draft) -> Result<RouteDraft> {
    draft.by_route().map_err(|_| Error::invalid("A draft to endpoints cannot stand for one message. Pass a draft of the route that the receipt of the part names."))
}

impl Inner {
    pub(super) async fn enqueue(&self, draft: Draft, is_bulk: bool) -> Result<Receipt> {
        let draft = match draft.by_route() {
            Ok(draft) => draft,
            Err(to_endpoint) => {
                let receipt = self.enqueue_to_endpoints(vec![to_endpoint.into()], is_bulk).await?.pop();
                return receipt.ok_or_else(|| Error::internal("A receipt was lost."));
            }
        };
        // Before anything is read: what is wrong in itself is wrong for any account.
        let draft = fill(draft).await?;
        check_draft(&draft, self.clock.now())?;
        let (account_id, sender) = (draft.account_id().to_owned(), sender_for(&draft));
        if usable::asks_for_more(&draft) || !self.outbox.is_ready_for(&account_id) {
            self.may_send_draft(&draft).await?;
        }
        let drafts = Arc::new(vec![draft]);
        let receipt = match self.outbox.enqueue_one(&drafts, is_bulk, usable::may_send).await {
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                // Why it may not send; or it may by now.
                self.may_send(&account_id, sender).await?;
                self.outbox.enqueue_one(&drafts, is_bulk, usable::may_send).await?
            }
            outcome => outcome?,
        };
        self.event_bus.publish(Event::SendChanged { receipt: receipt.clone() });
        Ok(receipt)
    }

    pub(super) async fn enqueue_all(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>> {
        if drafts.iter().any(|draft| matches!(draft, Draft::ToEndpoint { .. })) {
            return self.enqueue_to_endpoints(drafts, true).await;
        }
        let drafts = fill_all(drafts.into_iter().filter_map(|draft| draft.by_route().ok()).collect()).await?;
        check_drafts(&drafts, self.clock.now())?;
        let mut checked = HashSet::new();
        for (number, draft) in drafts.iter().enumerate() {
            let from = draft.named_sender().map(|from| from.address.as_str());
            if checked.insert((draft.account_id(), sender_for(draft), scopes_for(draft), from)) {
                self.may_send_draft(draft).await.map_err(|e| of_draft(number, e))?;
            }
        }
        let receipts = self.outbox.enqueue_all(drafts, Vec::new(), true, usable::may_send).await?;
        for receipt in &receipts {
            self.event_bus.publish(Event::SendChanged { receipt: receipt.clone() });
        }
        Ok(receipts)
    }

    pub(super) async fn edit(&self, receipt_id: &str, draft: Draft, owner: Option<String>) -> Result<Receipt> {
        let draft = fill(one_route(draft)?).await?;
        check_draft(&draft, self.clock.now())?;
        if usable::asks_for_more(&draft) && self.outbox.receipt(receipt_id, owner.clone()).await?.account_id == draft.account_id() {
            self.may_send_draft(&draft).await?;
        }
        self.outbox.edit(receipt_id, draft, owner.as_deref()).await
    }

    pub(super) async fn retry(&self, receipt_id: &str, even_if_unknown: bool, owner: Option<String>) -> Result<Receipt> {
        let receipt = self.outbox.receipt(receipt_id, owner).await?;
        let Some(route) = receipt.route.of_send() else { return self.retry_parts(receipt, even_if_unknown).await };
        if matches!(receipt.state, SendState::Failed | SendState::Unknown) {
            self.may_send(&receipt.account_id, sender_of(route)).await?;
        }
        self.outbox.retry(receipt_id, even_if_unknown).await
    }

    /// Of a whole, the parts that failed. The first refusal counts if not one is queued again.
    async fn retry_parts(&self, whole: Receipt, even_if_unknown: bool) -> Result<Receipt> {
        let (mut refusal, mut is_done) = (None, false);
        for part in whole.parts.iter().filter(|part| part.state == SendState::Failed || part.state == SendState::Unknown && even_if_unknown) {
            let Some(receipt_id) = &part.receipt_id else { continue };
            match Box::pin(self.retry(receipt_id, even_if_unknown, None)).await {
                Ok(_) => is_done = true,
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match refusal {
            _ if is_done => self.outbox.whole(&whole.id, None).await,
            Some(error) => Err(error),
            None => Err(Error::new(ErrorKind::Conflict, "No part of it failed with a receipt of its own, so there is nothing to send again. Parts that may have been sent need even_if_unknown.")),
        }
    }
}
