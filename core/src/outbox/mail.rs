//! Mail as draft → send → confirm. The draft has an immutable id that its sent copy keeps, our own Message-ID and a private mark, so that
//! after any doubt the mailbox itself says what became of it. Source: Graph, outlook-immutable-id and message: send.

use super::channel::{Job, Prepared, Progress};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{MessageState, OutgoingMail};
use crate::model::{Draft, MailDraft};
use crate::random;
use crate::runtime::blocking;
use crate::store::ItemState;

/// Makes sure that the draft exists in the mailbox and its id is known. It is stored with the state that follows; should this process die before, the mark finds it.
pub async fn prepare(job: &mut Job) -> Result<Prepared> {
    if job.progress.recheck
        && let Some(id) = job.progress.graph_id.clone()
    {
        match job.tools.graph.message_state(&job.caller(), &id).await? {
            // Its person sent it by hand, or a request did that was thought to have failed.
            Some(state) if !state.is_draft => return Ok(Prepared::Sent),
            Some(_) => {}
            // Never sent, and gone: its person deleted it. What was in doubt is looked for before it comes here.
            None => begin_anew(job),
        }
        job.progress.recheck = false;
    }
    if job.progress.mark.is_none() {
        if !mark(job).await? {
            return Ok(Prepared::Lost);
        }
    } else if job.progress.graph_id.is_none() {
        // An earlier attempt may have made the draft without our learning its id.
        job.progress.stray = true;
        if let Some(found) = by_mark(job).await? {
            if !found.is_draft {
                job.progress.graph_id = Some(found.id);
                return Ok(Prepared::Sent);
            }
            job.progress.graph_id = Some(found.id);
        }
    }
    if job.progress.graph_id.is_none() {
        job.progress.graph_id = Some(create(job).await?);
    }
    Ok(Prepared::Ready)
}

/// As if no draft had ever been made; one that was is not ours to find any more.
pub fn begin_anew(job: &mut Job) {
    (job.progress.graph_id, job.progress.mark, job.progress.internet_message_id) = (None, None, None);
}

/// Gives the mail its Message-ID and mark. They follow from the send itself, so that a copy of the store, or one that was set back, finds what the original
/// sent. Durable before the draft is made: if the answer is lost, the mark is how it is found. False: the claim is lost.
pub async fn mark(job: &mut Job) -> Result<bool> {
    let (tools, account_id, parts) = (job.tools.clone(), job.item.account_id.clone(), [job.item.sealed_row().to_owned(), job.item.created_at.to_string()]);
    let names = blocking(move || {
        let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
        Ok([tools.vault.keyed_hash(&account_id, "message id", &parts)?, tools.vault.keyed_hash(&account_id, "mail mark", &parts)?])
    });
    let [id, mark] = names.await?.map(random::uuid_of);
    job.progress.internet_message_id = Some(format!("<{id}@tidings.invalid>"));
    job.progress.mark = Some(mark);
    job.advance(ItemState::Prepared).await
}

async fn create(job: &mut Job) -> Result<String> {
    let outgoing = {
        let (internet_message_id, mark) = names(job)?;
        OutgoingMail { draft: mail(job)?, internet_message_id, mark }
    };
    match job.tools.graph.create_draft(&job.caller(), &outgoing).await {
        Ok(made) => Ok(made),
        // A draft that nobody sends does no harm, so a doubtful creation is looked up once and otherwise made again later.
        Err(error) if matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Upstream) => {
            let found = by_mark(job).await?;
            job.progress.stray = true;
            match found.filter(|found| found.is_draft) {
                Some(found) => Ok(found.id),
                None => Err(Error::new(ErrorKind::Network, "Microsoft did not confirm the draft; it will be made again.").with_request_of(&error)),
            }
        }
        Err(error) => Err(error),
    }
}

/// Sends the draft by its id.
pub async fn dispatch(job: &mut Job) -> Result<()> {
    let id = job.progress.graph_id.clone().ok_or_else(|| Error::internal("A prepared mail has no draft id."))?;
    match job.tools.graph.send_draft(&job.caller(), &id).await {
        // A draft that is not there may be one that was sent a moment ago: the mailbox is asked.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Error::new(ErrorKind::OutcomeUnknown, "The draft is no longer where it was put.").with_request_of(&error))
        }
        other => other,
    }
}

/// What the mailbox says of this mail: by id, then by mark. A message with another mark than ours is an error. Under the mark only a sent copy counts: a doubtful creation may have left a second draft,
/// and that one says nothing of the first, which may be on its way at this moment.
pub async fn evidence(job: &Job) -> Result<Option<MessageState>> {
    let Some(id) = &job.progress.graph_id else { return by_mark(job).await };
    match job.tools.graph.message_state(&job.caller(), id).await? {
        Some(state) if state.mark.is_some() && !same_mark(&state, &job.progress) => {
            Err(Error::new(ErrorKind::Upstream, "Microsoft answered about another message than the one asked for. Try again later."))
        }
        Some(state) => Ok(Some(state)),
        None => Ok(by_mark(job).await?.filter(|found| !found.is_draft)),
    }
}

async fn by_mark(job: &Job) -> Result<Option<MessageState>> {
    let (_, mark) = names(job)?;
    let mut found = job.tools.graph.find_by_mark(&job.caller(), mark).await?;
    // A sent copy outweighs a draft: a doubtful creation may have left two of them.
    found.sort_by_key(|state| state.is_draft);
    Ok(found.into_iter().next())
}

/// Whether a message carries the mark of this send.
pub fn same_mark(state: &MessageState, progress: &Progress) -> bool {
    matches!((&state.mark, &progress.mark), (Some(shown), Some(ours)) if shown.eq_ignore_ascii_case(ours))
}

fn names(job: &Job) -> Result<(&str, &str)> {
    match (&job.progress.internet_message_id, &job.progress.mark) {
        (Some(id), Some(mark)) => Ok((id, mark)),
        _ => Err(Error::internal("A mail under way has no mark.")),
    }
}

fn mail(job: &Job) -> Result<&MailDraft> {
    match &job.draft {
        Draft::Mail { mail } => Ok(mail),
        Draft::Chat { .. } => Err(Error::internal("A mail in the outbox holds a chat message.")),
    }
}
