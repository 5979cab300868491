//! What was sent and is changed or deleted.

use super::submit::one_route;
use super::{Engine, Inner};
use crate::auth::has_scope;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Draft, Receipt};
use crate::outbox::{Posted, Sender, check_draft, fill, sender_of};
use crate::store::ItemRow;

impl Engine {
    /// Replaces what a message in a chat or channel, or one of the bot, says that was sent: the draft is whole and checked like a new one; its key, time and place change nothing. It is changed at once,
    /// and the same call again does no harm. The account needs `Chat.ReadWrite`, for a channel `ChannelMessage.ReadWrite`, among the extra scopes it was
    /// connected with; a bot needs nothing more. With `owner`, a send of another owner is NotFound. Errors: InvalidInput, LimitExceeded; NotFound (also when the message is gone);
    /// Conflict for a mail, and for what was not sent; NotConnected, NeedsReconnect, ConsentMissing; Forbidden. Source: Graph, chatMessage: update.
    pub async fn edit_sent(&self, receipt_id: String, draft: Draft, owner: Option<String>) -> Result<Receipt> {
        self.finish(|inner| async move {
            let draft = fill(one_route(draft)?).await?;
            check_draft(&draft, inner.clock.now())?;
            let posted = inner.posted(&receipt_id, owner.as_deref()).await?;
            inner.outbox.change_sent(posted, &draft).await
        })
        .await
    }

    /// Deletes a message in a chat or channel, or one of the bot, that was sent; those who see it are shown that it was deleted. The same call again does no harm, and the receipt
    /// stays. Permissions and errors: as `edit_sent`. Source: Graph, chatMessage: softDelete.
    pub async fn delete_sent(&self, receipt_id: String, owner: Option<String>) -> Result<Receipt> {
        self.finish(|inner| async move {
            let posted = inner.posted(&receipt_id, owner.as_deref()).await?;
            inner.outbox.delete_sent(posted).await
        })
        .await
    }
}

impl Inner {
    /// A message that was sent and may be changed.
    async fn posted(&self, receipt_id: &str, owner: Option<&str>) -> Result<(ItemRow, Posted)> {
        let (seen, posted) = self.outbox.posted(receipt_id, owner).await?;
        let row = match sender_of(seen.route) {
            Sender::Account(feature) => self.usable(&seen.account_id, feature).await?,
            Sender::Bot => self.usable_by_bot(&seen.account_id).await?,
            Sender::Workflow => return Err(Error::internal("A post to a workflow is not changed.")),
        };
        let Some(scope) = posted.scope().filter(|scope| !has_scope(&row, scope)) else { return Ok((seen, posted)) };
        let reason = format!("What was sent is not changed with what this account was granted. Connect it again with {scope} among the extra scopes.");
        Err(Error::new(ErrorKind::ConsentMissing, reason).on_account(&seen.account_id))
    }
}
