//! A Teams message to one person: found by address, chat made or reused, message posted. Graph knows no idempotency key for a post, so an
//! answer that is lost leaves the send unknown. Source: Graph, chat: create and chatMessage: send.

use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::model::{BodyType, ChatDraft, Draft, Feature, Route};
use crate::outbox::channel::{Channel, Finding, Ids, Order, Outcome, Prepared, Sender, Terms};
use crate::outbox::check::address;
use crate::outbox::content::{Fields, first_form};
use crate::outbox::job::Job;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A chat message is about 28 KB with everything around it, counted in UTF-16.
const LONGEST_BYTES: usize = 27 * 1024;

pub struct Chat;

/// What is known of a chat message under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatProgress {
    pub chat_id: Option<String>,
    /// Id of the message.
    pub graph_id: Option<String>,
}

impl Channel for Chat {
    type Draft = ChatDraft;
    type Progress = ChatProgress;

    const ROUTE: Route = Route::Chat;
    const SENDER: Sender = Sender::Account(Feature::Chat);

    fn of(draft: Draft) -> Option<ChatDraft> {
        if let Draft::Chat { chat } = draft { Some(chat) } else { None }
    }

    fn terms(chat: &ChatDraft) -> Terms<'_> {
        Terms { key: chat.key.as_deref(), deadline: chat.deadline, send_at: chat.send_at }
    }

    fn check(chat: &ChatDraft) -> Result<()> {
        address("to", &chat.to)?;
        if chat.body.trim().is_empty() {
            return Err(Error::invalid("The chat message is empty. Fill in body."));
        }
        if chat.body.encode_utf16().count() * 2 > LONGEST_BYTES {
            return Err(Error::new(ErrorKind::LimitExceeded, "The chat message is longer than Teams takes (about 28 KB). Shorten or split it."));
        }
        Ok(())
    }

    fn order(chat: &ChatDraft) -> Order {
        Order::By("chat", chat.to.to_lowercase())
    }

    fn weight(chat: &ChatDraft) -> usize {
        chat.body.len()
    }

    fn canonical(chat: &ChatDraft) -> Vec<u8> {
        let mut out = Fields::new(b'c');
        out.text(1, &chat.to);
        out.text(2, &chat.body);
        out.body_type(3, chat.body_type);
        out.into_bytes()
    }

    fn first_text(chat: &ChatDraft) -> Result<Vec<u8>> {
        first_form("chat", First { account_id: &chat.account_id, to: &chat.to, body: &chat.body, body_type: chat.body_type, key: chat.key.as_deref() })
    }

    async fn prepare(job: &mut Job<Self>) -> Result<Prepared> {
        prepare(job).await
    }

    async fn dispatch(job: &mut Job<Self>) -> Result<()> {
        dispatch(job).await
    }

    /// No key to look it up by, and the permissions asked for sending do not read: honest is `unknown`.
    async fn reconcile(_: &mut Job<Self>) -> Result<Finding> {
        Ok(Finding::Settled(Outcome::Unknown(
            "Microsoft did not confirm the chat message; it may have been delivered. Look into the chat before sending it again.".to_owned(),
        )))
    }

    async fn refused(job: &mut Job<Self>, error: Error) -> Option<Outcome> {
        Some(match job.progress.doubted {
            false => Outcome::Failed(error),
            true => Outcome::Unknown(format!("An earlier request may have delivered it; the last one was refused. {}", error.reason())),
        })
    }

    fn ids(own: ChatProgress) -> Ids {
        Ids { internet_message_id: None, graph_id: own.graph_id, chat_id: own.chat_id }
    }
}

#[derive(Serialize)]
struct First<'a> {
    account_id: &'a str,
    to: &'a str,
    body: &'a str,
    body_type: BodyType,
    key: Option<&'a str>,
}

/// Chats already known in this process, by account and address, so that the second message to a person is one request.
#[derive(Debug, Default)]
pub struct Chats {
    known: Mutex<HashMap<(String, String), String>>,
}

/// Entries kept; beyond that the cache starts over, since refilling it costs two requests a person.
const KEPT: usize = 10_000;

impl Chats {
    fn chat(&self, account_id: &str, address: &str) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&entry(account_id, address)).cloned()
    }

    fn keep(&self, account_id: &str, address: &str, chat_id: &str) {
        let mut chats = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if chats.len() >= KEPT {
            chats.clear();
        }
        chats.insert(entry(account_id, address), chat_id.to_owned());
    }

    fn drop(&self, account_id: &str, address: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&entry(account_id, address));
    }
}

fn entry(account_id: &str, address: &str) -> (String, String) {
    (account_id.to_owned(), address.to_lowercase())
}

/// Finds the person and the chat. Its id is stored with the state that follows; looked for again, the same chat is found.
async fn prepare(job: &mut Job<Chat>) -> Result<Prepared> {
    let to = job.draft.to.clone();
    let account_id = job.item.account_id.clone();
    if job.progress.own.chat_id.is_none() {
        job.progress.own.chat_id = job.tools.memory.chats.chat(&account_id, &to);
    }
    if job.progress.own.chat_id.is_none() {
        let caller = job.caller();
        let person = job.tools.graph.find_person(&caller, &to).await?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "Nobody in this organisation has the address the chat message is for. Check it, or send a mail instead.")
        })?;
        let account = job.tools.store.account(&account_id).await?.ok_or_else(|| Error::new(ErrorKind::NotConnected, "The account is gone."))?;
        if account.user_id.eq_ignore_ascii_case(&person.id) {
            return Err(Error::invalid("The chat message is for the sender; Teams has no chat with oneself here."));
        }
        let chat_id = job.tools.graph.one_to_one_chat(&caller, &account.user_id, &person).await?;
        failpoint!("chat.made");
        job.tools.memory.chats.keep(&account_id, &to, &chat_id);
        job.progress.own.chat_id = Some(chat_id);
    }
    Ok(Prepared::Ready)
}

/// Posts the message.
async fn dispatch(job: &mut Job<Chat>) -> Result<()> {
    let chat_id = job.progress.own.chat_id.clone().ok_or_else(|| Error::internal("A prepared chat message has no chat."))?;
    let draft = &job.draft;
    match job.tools.graph.post_chat_message(&job.caller(), &chat_id, &draft.body, draft.body_type).await {
        Ok(id) => {
            job.progress.own.graph_id = Some(id);
            Ok(())
        }
        Err(error) => {
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) {
                job.tools.memory.chats.drop(&job.item.account_id, &draft.to);
            }
            Err(error)
        }
    }
}
