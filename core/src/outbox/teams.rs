//! A Teams message to one person: found by address, chat made or reused, message posted. Graph knows no idempotency key for a post, so an
//! answer that is lost leaves the send unknown. Source: Graph, chat: create and chatMessage: send.

use super::channel::{Job, Prepared};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ChatDraft, Draft};
use crate::runtime::blocking;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Chats already known in this process, by account and address, so that the second message to a person is one request.
#[derive(Debug, Default)]
pub struct People {
    chats: Mutex<HashMap<(String, String), String>>,
}

/// Entries kept; beyond that the cache starts over, since refilling it costs two requests a person.
const KEPT: usize = 10_000;

impl People {
    fn chat(&self, account_id: &str, address: &str) -> Option<String> {
        self.chats.lock().unwrap_or_else(PoisonError::into_inner).get(&entry(account_id, address)).cloned()
    }

    fn keep(&self, account_id: &str, address: &str, chat_id: &str) {
        let mut chats = self.chats.lock().unwrap_or_else(PoisonError::into_inner);
        if chats.len() >= KEPT {
            chats.clear();
        }
        chats.insert(entry(account_id, address), chat_id.to_owned());
    }

    fn drop(&self, account_id: &str, address: &str) {
        self.chats.lock().unwrap_or_else(PoisonError::into_inner).remove(&entry(account_id, address));
    }
}

fn entry(account_id: &str, address: &str) -> (String, String) {
    (account_id.to_owned(), address.to_lowercase())
}

/// Finds the person and the chat. Its id is stored with the state that follows; looked for again, the same chat is found.
pub async fn prepare(job: &mut Job) -> Result<Prepared> {
    let to = chat(job)?.to.clone();
    let account_id = job.item.account_id.clone();
    if job.progress.chat_id.is_none() {
        job.progress.chat_id = job.tools.people.chat(&account_id, &to);
    }
    if job.progress.chat_id.is_none() {
        let caller = job.caller();
        let person = job.tools.graph.find_person(&caller, &to).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "Nobody in this organisation has the address the chat message is for. Check it, or send a mail instead.")
        })?;
        let (store, id) = (job.tools.store.clone(), account_id.clone());
        let account = blocking(move || store.account(&id)).await?.ok_or_else(|| Error::new(ErrorKind::NotConnected, "The account is gone."))?;
        if account.user_id.eq_ignore_ascii_case(&person.id) {
            return Err(Error::invalid("The chat message is for the sender; Teams has no chat with oneself here."));
        }
        let chat_id = job.tools.graph.one_to_one_chat(&caller, &account.user_id, &person).await?;
        job.tools.people.keep(&account_id, &to, &chat_id);
        job.progress.chat_id = Some(chat_id);
    }
    Ok(Prepared::Ready)
}

/// Posts the message.
pub async fn dispatch(job: &mut Job) -> Result<()> {
    let chat_id = job.progress.chat_id.clone().ok_or_else(|| Error::internal("A prepared chat message has no chat."))?;
    let draft = chat(job)?;
    match job.tools.graph.post_chat_message(&job.caller(), &chat_id, &draft.body, draft.body_type).await {
        Ok(id) => {
            job.progress.graph_id = Some(id);
            Ok(())
        }
        Err(error) => {
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) {
                job.tools.people.drop(&job.item.account_id, &draft.to);
            }
            Err(error)
        }
    }
}

fn chat(job: &Job) -> Result<&ChatDraft> {
    match &job.draft {
        Draft::Chat { chat } => Ok(chat),
        Draft::Mail { .. } => Err(Error::internal("A chat message in the outbox holds a mail.")),
    }
}
