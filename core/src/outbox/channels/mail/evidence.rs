//! What the mailbox says of a mail, found by the id of its draft or by its mark.

use super::{MailBy, MailProgress, Making};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::MessageState;
use crate::outbox::job::Job;

/// What the mailbox says of this mail: by id, then by mark. A message with another mark than ours is an error. Under the mark only a sent copy counts: a doubtful creation may have left a second draft,
/// and that one says nothing of the first, which may be on its way at this moment.
pub async fn evidence<K: Making>(job: &Job<MailBy<K>>) -> Result<Option<MessageState>> {
    let Some(id) = &job.progress.own.graph_id else { return by_mark(job).await };
    match job.tools.graph.message_state(&job.caller(), id).await? {
        Some(state) if state.mark.is_some() && !same_mark(&state, &job.progress.own) => {
            Err(Error::new(ErrorKind::Upstream, "Microsoft answered about another message than the one asked for. Try again later."))
        }
        Some(state) => Ok(Some(state)),
        None => Ok(by_mark(job).await?.filter(|found| !found.is_draft)),
    }
}

/// Whether a sent copy is there.
pub async fn sent_copy<K: Making>(job: &mut Job<MailBy<K>>) -> Result<bool> {
    let found = evidence(job).await?.filter(|found| !found.is_draft);
    Ok(match found {
        Some(found) => {
            job.progress.own.is_found(found);
            true
        }
        None => false,
    })
}

pub async fn by_mark<K: Making>(job: &Job<MailBy<K>>) -> Result<Option<MessageState>> {
    let (_, mark) = names(job)?;
    let mut found = job.tools.graph.find_by_mark(&job.caller(), mark).await?;
    // A sent copy outweighs a draft: a doubtful creation may have left two of them.
    found.sort_by_key(|state| state.is_draft);
    Ok(found.into_iter().next())
}

/// Whether a message carries the mark of this send.
pub fn same_mark(state: &MessageState, progress: &MailProgress) -> bool {
    matches!((&state.mark, &progress.mark), (Some(shown), Some(ours)) if shown.eq_ignore_ascii_case(ours))
}

pub fn names<K: Making>(job: &Job<MailBy<K>>) -> Result<(&str, &str)> {
    match (&job.progress.own.internet_message_id, &job.progress.own.mark) {
        (Some(id), Some(mark)) => Ok((id, mark)),
        _ => Err(Error::internal("A mail under way has no mark.")),
    }
}
