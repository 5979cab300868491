//! Contacts of accounts.

use super::Engine;
use crate::error::Result;
use crate::model::{ContactPage, ContactQuery};
use crate::sync::check_limit;

impl Engine {
    /// Contacts as of the last sync, of all accounts of an owner or of one account, all of them or those with a mail address. Accounts that are connected for
    /// `contacts` have theirs synced by `sync`, `start` and `run_once`. Touches no network.
    /// Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound.
    pub async fn contacts(&self, query: ContactQuery) -> Result<ContactPage> {
        self.finish(|inner| async move {
            check_limit(query.limit)?;
            let scope = inner.scope(query.owner.as_deref(), query.account_id.as_deref()).await?;
            inner.contacts.list(scope, query).await
        })
        .await
    }
}
