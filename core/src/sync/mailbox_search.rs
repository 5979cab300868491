//! Searches of a sealed store, which has no index: the mailbox is asked, and what it finds is shown as it is here.

use super::read::{Reader, counted};
use crate::error::Result;
use crate::graph::Caller;
use crate::model::Message;
use crate::store::{Known, MessageRow, Scope};
use futures_util::{StreamExt, TryStreamExt};
use std::cmp::Reverse;

/// Mailboxes asked at the same time.
const AT_ONCE: usize = 4;

impl Reader {
    /// The newest first. What is found in folders that are not synced is passed over: it is not here. One mailbox that cannot be asked fails the search, since a list
    /// without its mail would look complete.
    pub async fn search_mailboxes(&self, scope: Scope, callers: Vec<Caller>, words: &[String], limit: u32) -> Result<Vec<Message>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let each = futures_util::stream::iter(callers).map(|caller| async move { self.search_mailbox(&caller, words, limit).await });
        let mut ids: Vec<(String, String)> = each.buffered(AT_ONCE).try_concat().await?;
        ids.dedup();
        let read = async || {
            let mut rows = Vec::new();
            for account_id in scope.account_ids() {
                let of_account: Vec<&str> = ids.iter().filter(|(account, _)| account == account_id).map(|(_, id)| id.as_str()).collect();
                rows.extend(self.store.known(account_id, &of_account).await?.into_iter().filter_map(|known| shown(account_id, known)));
            }
            rows.sort_unstable_by_key(|row| Reverse((row.received_at.unwrap_or(0), row.row_id)));
            rows.truncate(limit);
            self.open(rows).await
        };
        let found = self.vault.with_current_keys(read).await?;
        self.record(&scope, counted("Results of a search were read", found.len())).await?;
        Ok(found)
    }

    /// Ids of messages that are here, with their account.
    async fn search_mailbox(&self, caller: &Caller, words: &[String], limit: usize) -> Result<Vec<(String, String)>> {
        let mut search = self.graph.mail_search(caller, words).await?;
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(ids) = self.graph.mails_found(caller, &mut search).await? else { break };
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let here = self.store.known(&caller.account_id, &ids).await?.into_iter().filter(|known| !known.is_removed);
            found.extend(here.map(|known| (caller.account_id.clone(), known.graph_id)));
        }
        Ok(found)
    }
}

/// None: it was removed.
fn shown(account_id: &str, known: Known) -> Option<MessageRow> {
    let Known { row_id, id, graph_id, folder_id, change_key, version, is_removed, conversation_id, received_at, is_read, is_draft, head, is_unlisted: _, kind } = known;
    let head = head.filter(|_| !is_removed)?;
    Some(MessageRow { row_id, id, account_id: account_id.to_owned(), graph_id, folder_id, conversation_id, received_at, is_read, is_draft, change_key, head, version, kind })
}
