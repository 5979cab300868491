//! Verbs of what is put around the words of a draft.

use super::submit::one_route;
use super::{Engine, Inner};
use crate::error::Result;
use crate::model::{Draft, Preview, Signature};
use crate::outbox::{check_draft, fill, sender_for};

impl Engine {
    /// What the account puts below its mails whose drafts say `add_signature`; None takes it away. It is stored sealed, 256 KB with its images at the most, and stays
    /// after `disconnect`. Drafts that were handed in before keep the signature of that moment. Durable when it returns. With `owner`, an account of another owner
    /// is NotFound. Errors: InvalidInput (no text, an image without content or content id), LimitExceeded, NotFound, StoreBusy.
    pub async fn set_signature(&self, account_id: String, signature: Option<Signature>, owner: Option<String>) -> Result<()> {
        self.finish(|inner| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            inner.outbox.set_signature(&account_id, signature).await
        })
        .await
    }

    /// As it was set; None: the account has none. Errors: NotFound.
    pub async fn signature(&self, account_id: String, owner: Option<String>) -> Result<Option<Signature>> {
        self.finish(|inner| async move {
            inner.owned(&account_id, owner.as_deref()).await?;
            inner.outbox.signature(&account_id).await
        })
        .await
    }

    /// What the draft says once its merge fields are filled in and its signature is added, as it would be sent; stores and sends nothing, and touches no network. Errors: as `send` before storing, but for
    /// what only the draft's key or the things it names would bring.
    pub async fn preview(&self, draft: Draft) -> Result<Preview> {
        self.finish(|inner| async move { inner.preview(draft).await }).await
    }
}

impl Inner {
    async fn preview(&self, draft: Draft) -> Result<Preview> {
        let draft = fill(one_route(draft)?).await?;
        check_draft(&draft, self.clock.now())?;
        self.may_send(draft.account_id(), sender_for(&draft)).await?;
        self.outbox.preview(draft).await
    }
}
