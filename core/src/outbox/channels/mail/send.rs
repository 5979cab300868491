//! The requests that send a mail: one makes the draft, one sends it.

use super::{MailBy, MailProgress, Making};
use super::evidence::by_mark;
use super::pace::keep_pace;
use super::upload::{self, Resumed};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::outbox::channel::Prepared;
use crate::outbox::job::Job;
use crate::random;
use crate::store::{ItemState, sealed_row};
use crate::vault::Hashes;

/// Makes sure that the draft exists in the mailbox and its id is known. It is stored with the state that follows; should this process die before, the mark finds it.
pub async fn prepare<K: Making>(job: &mut Job<MailBy<K>>) -> Result<Prepared> {
    if job.progress.own.recheck
        && let Some(id) = job.progress.own.graph_id.clone()
    {
        match job.tools.graph.message_state(&job.caller(), &id).await? {
            // Its person sent it by hand, or a request did that was thought to have failed.
            Some(state) if !state.is_draft => return Ok(Prepared::Sent),
            Some(_) => {}
            // Never sent, and gone: its person deleted it. What was in doubt is looked for before it comes here.
            None => job.progress.own.forget_draft(),
        }
        job.progress.own.recheck = false;
    }
    if job.progress.own.mark.is_none() {
        if !mark(job).await? {
            return Ok(Prepared::Lost);
        }
    } else if std::mem::take(&mut job.progress.own.unmade) {
        // Before the request: should this process die while it is on its way, there may be a draft.
        if !job.advance(ItemState::Prepared).await? {
            return Ok(Prepared::Lost);
        }
    } else if job.progress.own.graph_id.is_none() && !job.is_first_hand() {
        // An earlier attempt may have made the draft without our learning its id.
        job.progress.own.stray = true;
        if let Some(found) = by_mark(job).await? {
            if !found.is_draft {
                job.progress.own.is_found(found);
                return Ok(Prepared::Sent);
            }
            if is_whole_at_once(job) {
                job.progress.own.is_found(found);
            }
        }
    }
    if job.progress.own.graph_id.is_none() {
        keep_pace(job).await?;
        let made = if job.progress.own.upload.is_some() { upload::resume(job).await? } else { Resumed::Anew };
        let id = match made {
            Resumed::Whole(id) => Some(id),
            Resumed::Sent => return Ok(Prepared::Sent),
            Resumed::Lost => None,
            Resumed::Anew => create(job).await?,
        };
        match id {
            Some(id) => job.progress.own.graph_id = Some(id),
            None => return Ok(Prepared::Lost),
        }
        failpoint!("mail.draft_made");
    }
    K::after(job).await?;
    Ok(Prepared::Ready)
}

/// A draft that is found by its mark has all that the mail says.
fn is_whole_at_once<K: Making>(job: &Job<MailBy<K>>) -> bool {
    K::IS_WHOLE_AT_ONCE && !upload::has_staged::<K>(&job.draft)
}

/// Message-ID and mark of a mail. They follow from the send itself, so that a copy of the store, or one that was set back, finds what the original sent.
pub fn names_of(hashes: &Hashes, id: &str, created_at: i64) -> Result<MailProgress> {
    let created_at = created_at.to_string();
    let parts = [sealed_row(id).as_bytes(), created_at.as_bytes()];
    let [id, mark] = [hashes.of("message id", &parts)?, hashes.of("mail mark", &parts)?].map(random::uuid_of);
    Ok(MailProgress { internet_message_id: Some(format!("<{id}@tidings.invalid>")), mark: Some(mark), ..MailProgress::default() })
}

/// Gives a mail its names that has none: stored by a version that did not store them with it, or made anew. Durable before the draft is made: if the answer
/// is lost, the mark is how it is found. False: the claim is lost.
pub async fn mark<K: Making>(job: &mut Job<MailBy<K>>) -> Result<bool> {
    let hashes = job.tools.vault.hashes(&job.item.account_id).await?;
    let MailProgress { internet_message_id, mark, .. } = names_of(&hashes, &job.item.id, job.item.created_at)?;
    (job.progress.own.internet_message_id, job.progress.own.mark) = (internet_message_id, mark);
    job.advance(ItemState::Prepared).await
}

/// Its id. The Message-ID is the one that the mailbox shows, since it is what replies will name. None: the claim is lost.
async fn create<K: Making>(job: &mut Job<MailBy<K>>) -> Result<Option<String>> {
    match K::make(job).await {
        Ok(Some(made)) => {
            job.progress.own.internet_message_id = Some(made.internet_message_id);
            job.progress.own.conversation_id = made.conversation_id;
            if !upload::has_staged::<K>(&job.draft) {
                return Ok(Some(made.id));
            }
            upload::begin(job, made.id).await
        }
        Ok(None) => Ok(None),
        // A draft that nobody sends does no harm, so a doubtful creation is looked up once and otherwise made again later.
        Err(error) if matches!(error.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Upstream) => {
            let found = by_mark(job).await?;
            job.progress.own.stray = true;
            match found.filter(|found| found.is_draft && is_whole_at_once(job)) {
                Some(found) => Ok(Some(found.id)),
                None => Err(Error::new(ErrorKind::Network, "Microsoft did not confirm the draft; it will be made again.").with_request_of(&error)),
            }
        }
        Err(error) => {
            job.progress.own.unmade = has_no_effect(&error) && !job.progress.own.stray;
            Err(error)
        }
    }
}

/// The service did not get the request, or turned it away unread.
fn has_no_effect(error: &Error) -> bool {
    use ErrorKind::{ConsentMissing, NeedsReconnect, Network, NotConnected, Throttled, TokenRejected};
    matches!(error.kind(), Throttled | Network | NeedsReconnect | NotConnected | ConsentMissing | TokenRejected)
}

/// Sends the draft by its id.
pub async fn dispatch<K: Making>(job: &mut Job<MailBy<K>>) -> Result<()> {
    let id = job.progress.own.graph_id.clone().ok_or_else(|| Error::internal("A prepared mail has no draft id."))?;
    match job.tools.graph.send_draft(&job.caller(), &id).await {
        // A draft that is not there may be one that was sent a moment ago: the mailbox is asked.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Error::new(ErrorKind::OutcomeUnknown, "The draft is no longer where it was put.").with_request_of(&error))
        }
        other => other.map_err(|error| explained(job, error)),
    }
}

/// Microsoft refuses by several codes what is to leave in another name; to its sender they are one.
fn explained<K: Making>(job: &Job<MailBy<K>>, error: Error) -> Error {
    if error.kind() != ErrorKind::Forbidden || K::parts(&job.draft).from_address.is_none() {
        return error;
    }
    let reason = format!(
        "{} The mail names a from_address: ask an administrator to grant this account the right Send As or Send on behalf for that mailbox or group in Exchange, which can take an hour to act, then retry.",
        error.reason()
    );
    error.with_reason(reason)
}
