//! What is said in the chats of accounts.

use super::Engine;
use super::sync::reads_chats;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{BodyForm, BodyType, TeamsMessage, TeamsMessagePage, TeamsMessageQuery};
use crate::outbox::check_id;
use crate::runtime::blocking;
use crate::sync::{Pictures, check_limit, clean_html, clean_text};

impl Engine {
    /// Messages of Teams chats as of the last sync, the newest first, of all accounts of an owner or of one account, of all chats or of one. Accounts that are
    /// connected for `chat` with `Chat.Read` among the extra scopes have theirs synced: by `sync` and `sync_all` when they are called, by `start` and `run_once`
    /// once a day, as Microsoft's terms allow; of a chat that is new here the last 30 days, and at the most the newest 1,000 messages at a time. A message that
    /// was changed or deleted is noticed at once if it is the last of its chat, else with the next one that is said there. Touches no network.
    /// Errors: InvalidInput (also when neither is named, or the cursor is another query's), NotFound, ConsentMissing (the account may not read chats).
    pub async fn chat_history(&self, query: TeamsMessageQuery) -> Result<TeamsMessagePage> {
        query.chat_id.as_deref().map_or(Ok(()), |id| check_id("chat_id", id))?;
        self.finish(|inner| async move {
            check_limit(query.limit)?;
            let scope = inner.scope(query.owner.as_deref(), query.account_id.as_deref()).await?;
            if let Some(id) = scope.account_id() {
                // Nothing was ever synced, and nothing will be: an empty list would be no answer.
                let row = inner.row(id).await?;
                if !reads_chats(&row) && inner.store.chats_looked_at(id).await?.is_none() {
                    let reason = "Chats are not read with what this account was granted. Connect it again for chat, with Chat.Read among the extra scopes.";
                    return Err(Error::new(ErrorKind::ConsentMissing, reason).on_account(id));
                }
            }
            let page = inner.chats.list(scope, &query).await?;
            let form = query.form;
            let items = blocking(move || Ok(page.items.into_iter().map(|(body_type, message)| shown(body_type, message, form)).collect())).await?;
            Ok(TeamsMessagePage { items, next: page.next })
        })
        .await
    }
}

/// Strangers wrote it.
fn shown(body_type: BodyType, message: TeamsMessage, form: BodyForm) -> TeamsMessage {
    let body = match form {
        BodyForm::Original => message.body,
        BodyForm::Text => clean_text(body_type, &message.body),
        BodyForm::Html => clean_html(body_type, &message.body, &Pictures::None),
    };
    TeamsMessage { body, ..message }
}
