//! Search: in the index of a store with clear content, in the mailboxes for one with sealed content.

use super::{Engine, Inner};
use crate::error::{ErrorKind, Result};
use crate::graph::Caller;
use crate::model::{Feature, Message, SearchQuery};
use crate::pipeline::Priority;
use crate::store::Scope;
use std::time::Duration;

/// How long one request may pause in all.
const PATIENCE: Duration = Duration::from_secs(30);

impl Engine {
    /// Of all accounts of an owner or of one account. In a store with clear content its own index is asked, and the best matches come first; it holds subjects, names,
    /// addresses and bodies. A store with sealed content has none: Microsoft searches the mailboxes, in subjects, senders and bodies, among the newest 1,000 that match,
    /// and the newest come first. Either way only mail that is here is shown, so what lies in folders that are not synced is left out. Of an owner's accounts, those that
    /// are disconnected or without `mail_sync` cannot be asked and are left out as well; any other failure fails the search. Words are words: quotes, operators and
    /// brackets mean nothing. Errors: InvalidInput (also when neither is named), NotFound; sealed: NotConnected, NeedsReconnect, ConsentMissing, Throttled, Network,
    /// Upstream, with the account.
    /// Source: Graph, use the $search query parameter.
    pub async fn search(&self, query: SearchQuery) -> Result<Vec<Message>> {
        self.guard(|inner, stop| async move {
            let words = inner.reader.search_words(&query)?;
            let scope = inner.scope(query.owner.as_deref(), query.account_id.as_deref()).await?;
            if inner.reader.has_index() {
                return inner.reader.search(scope, words, query.limit).await;
            }
            stop.until(async {
                let callers = inner.searchable(&scope).await?;
                inner.reader.search_mailboxes(scope, callers, &words, query.limit).await
            })
            .await
        })
        .await
    }
}

impl Inner {
    /// The mailboxes that can be asked.
    async fn searchable(&self, scope: &Scope) -> Result<Vec<Caller>> {
        let mut callers = Vec::new();
        for account_id in scope.account_ids() {
            match self.usable(account_id, Feature::MailSync).await {
                Ok(row) => callers.push(Caller { user_id: row.user_id, ..Caller::new(account_id, Priority::Interactive, PATIENCE) }),
                Err(e) if scope.account_id().is_none() && matches!(e.kind(), ErrorKind::NotConnected | ErrorKind::ConsentMissing) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(callers)
    }
}
