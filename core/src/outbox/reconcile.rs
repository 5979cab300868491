//! After doubt: ask, never guess.

use super::channel::{Job, Outcome};
use super::item::{Verdict, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Route;
use crate::runtime::closed;
use crate::store::{Hold, ItemState, PAST_DEADLINE};
use std::time::Duration;

/// What is to be done once the mailbox was asked.
#[derive(Debug)]
pub enum Finding {
    Settled(Outcome),
    /// The draft is still a draft: it was not sent, and sending it by its id is safe.
    NotSent,
    /// Nothing is known of it any more, and the host wants it sent all the same.
    Anew,
}

/// Exchange accepts a mail before it moves it, and may take minutes: a draft that is still there for so long was not sent.
const WATCH_MS: i64 = 300_000;
/// The first looks are made in place, after these seconds; then the claim is given back between them, so that nobody waits.
const IN_PLACE: [u64; 3] = [0, 1, 2];
const SHORTEST_MS: i64 = 4_000;
const LONGEST_MS: i64 = 60_000;

/// What a receipt says meanwhile.
pub const WATCHED: &str = "Microsoft did not confirm the mail; the mailbox is being asked whether it was sent.";

pub async fn reconcile(job: &mut Job) -> Result<Finding> {
    match job.item.route {
        Route::Mail => mail(job).await,
        // No key to look it up by, and the permissions asked for sending do not read: honest is `unknown`.
        Route::Chat => Ok(Finding::Settled(Outcome::Unknown(
            "Microsoft did not confirm the chat message; it may have been delivered. Look into the chat before sending it again.".to_owned(),
        ))),
    }
}

/// Whether a sent copy is there.
pub async fn sent_copy(job: &mut Job) -> Result<bool> {
    let found = super::mail::evidence(job).await?.filter(|found| !found.is_draft);
    Ok(match found {
        Some(found) => {
            job.progress.graph_id = Some(found.id);
            true
        }
        None => false,
    })
}

/// Before anything is made: whether a store that this one is a copy of, or this one before it was set back, has sent the mail. None: it has not, or it is a
/// chat message, for which nobody can be asked.
pub async fn sent_elsewhere(job: &mut Job) -> Result<Option<Outcome>> {
    if job.item.route != Route::Mail {
        return Ok(None);
    }
    if job.progress.mark.is_none() && !super::mail::mark(job).await? {
        return Ok(Some(Outcome::Lost));
    }
    match sent_copy(job).await {
        Ok(sent) => Ok(sent.then_some(Outcome::Sent)),
        // It cannot be asked; what it would have said matters only where the store was copied.
        Err(error) if verdict(&error) == Verdict::Refused && job.item.hold == Hold::Released => {
            Ok(Some(Outcome::Unknown(format!("The store was copied, and the mailbox could not be asked whether the original has sent this mail: {}", error.reason()))))
        }
        Err(error) if verdict(&error) == Verdict::Refused => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the mailbox said last.
enum Seen {
    Draft,
    Nothing,
    /// It refused to say.
    Refused(String),
}

async fn mail(job: &mut Job) -> Result<Finding> {
    let now = job.now();
    job.progress.doubted = true;
    let since = *job.progress.doubt_since.get_or_insert(now);
    if !job.advance(ItemState::Reconciling).await? {
        return Ok(Finding::Settled(Outcome::Lost));
    }
    let mut seen = Seen::Nothing;
    for seconds in IN_PLACE {
        if seconds > 0 && !job.pause(Duration::from_secs(seconds)).await {
            return Ok(Finding::Settled(Outcome::Later(closed())));
        }
        seen = match super::mail::evidence(job).await {
            Ok(Some(found)) if !found.is_draft => {
                job.progress.graph_id = Some(found.id);
                return Ok(Finding::Settled(Outcome::Sent));
            }
            Ok(Some(found)) => {
                job.progress.graph_id = Some(found.id);
                Seen::Draft
            }
            Ok(None) => Seen::Nothing,
            Err(error) if verdict(&error) == Verdict::Refused => Seen::Refused(error.reason().to_owned()),
            // Not to be asked now: the doubt stays.
            Err(error) => return Ok(Finding::Settled(unasked(job, error))),
        };
    }
    let insisted = std::mem::take(&mut job.progress.insisted);
    // A clock that was set back must not prolong it for ever.
    let elapsed = job.now().saturating_sub(since);
    if (0..WATCH_MS).contains(&elapsed) && !insisted {
        return Ok(Finding::Settled(Outcome::Watch(elapsed.clamp(SHORTEST_MS, LONGEST_MS).min(WATCH_MS - elapsed))));
    }
    job.progress.doubt_since = None;
    Ok(match (seen, job.progress.refusal.take()) {
        (Seen::Draft, Some(refusal)) => Finding::Settled(Outcome::Failed(Error::new(ErrorKind::Forbidden, refusal))),
        (Seen::Draft, None) if job.is_overdue() => Finding::Settled(Outcome::Failed(Error::new(ErrorKind::Cancelled, PAST_DEADLINE))),
        (Seen::Draft, None) => Finding::NotSent,
        (Seen::Nothing, _) if insisted => {
            super::mail::begin_anew(job);
            Finding::Anew
        }
        (Seen::Nothing, _) => Finding::Settled(Outcome::Unknown(
            "Microsoft did not confirm the mail, and neither draft nor sent copy can be found. Look into Sent Items before sending it again.".to_owned(),
        )),
        (Seen::Refused(why), _) => Finding::Settled(Outcome::Unknown(format!("Microsoft did not confirm the mail, and asking failed: {why}"))),
    })
}

/// Ask again later; past its deadline it stays unknown.
fn unasked(job: &Job, error: Error) -> Outcome {
    if job.is_overdue() {
        return Outcome::Unknown("Its deadline passed before it could be found out whether it was sent. Look into Sent Items before sending it again.".to_owned());
    }
    Outcome::Later(Error::new(ErrorKind::OutcomeUnknown, error.reason().to_owned()).with_retry_after_ms(error.retry_after_ms()))
}
