//! In whose name mail leaves.

use super::{Engine, scope};
use crate::error::Result;
use crate::model::LastSender;

impl Engine {
    /// The account and the From that this owner used last in this context, as the drafts name it (1 to 200 characters): remembered with the send when it was
    /// stored, whatever became of it, for a year after it was used last. None: nothing is remembered, or the account is disconnected or purged; the one
    /// before it is not offered in its place. What one owner used no other is told. Touches no network. Errors: InvalidInput.
    pub async fn last_sender(&self, owner: String, context: String) -> Result<Option<LastSender>> {
        self.finish(|inner| async move {
            scope::check(&owner)?;
            inner.outbox.last_sender(&owner, &context).await
        })
        .await
    }
}
