//! After doubt: ask, never guess.

use super::{MailBy, Making};
use super::evidence::{evidence, sent_copy};
use super::send::mark;
use crate::error::{Error, ErrorKind, Result};
use crate::outbox::channel::{Finding, Outcome};
use crate::outbox::item::{Verdict, verdict};
use crate::outbox::job::Job;
use crate::pipeline::LONGEST_EXCHANGE;
use crate::runtime::closed;
use crate::store::{Hold, ItemState, PAST_DEADLINE};
use std::time::Duration;

/// Exchange accepts a mail before it moves it, and may take minutes: a draft that is still there for so long was not sent.
const WATCH_MS: i64 = 300_000;
/// A request that nobody waits for any more arrives within this time, or never.
const ON_ITS_WAY_MS: i64 = LONGEST_EXCHANGE.as_millis() as i64;
/// The first looks are made in place, after these seconds; then the claim is given back between them, so that nobody waits.
const IN_PLACE: [u64; 3] = [0, 1, 2];
const SHORTEST_MS: i64 = 4_000;
const LONGEST_MS: i64 = 60_000;

/// What a receipt says meanwhile.
const WATCHED: &str = "Microsoft did not confirm the mail; the mailbox is being asked whether it was sent.";

/// Before anything is made: whether a store that this one is a copy of, or this one before it was set back, has sent the mail. None: it has not.
pub async fn sent_elsewhere<K: Making>(job: &mut Job<MailBy<K>>) -> Result<Option<Outcome>> {
    if job.progress.own.mark.is_none() {
        if !mark(job).await? {
            return Ok(Some(Outcome::Lost));
        }
    } else if job.progress.own.graph_id.is_none() && !job.is_first_hand() && !job.progress.own.unmade {
        // A worker before this one may have made a draft without our learning its id.
        job.progress.own.stray = true;
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

pub async fn reconcile<K: Making>(job: &mut Job<MailBy<K>>) -> Result<Finding> {
    let now = job.now();
    job.progress.doubted = true;
    // What a worker asked for that died, or lost its claim, may be on its way yet.
    let on_its_way = if job.item.crashes > 1 { ON_ITS_WAY_MS } else { 0 };
    let since = *job.progress.doubt_since.get_or_insert(now.saturating_add(on_its_way));
    if !job.advance(ItemState::Reconciling).await? {
        return Ok(Finding::Settled(Outcome::Lost));
    }
    let mut seen = Seen::Nothing;
    for seconds in IN_PLACE {
        if seconds > 0 && !job.pause(Duration::from_secs(seconds)).await {
            return Ok(Finding::Settled(Outcome::Later(closed())));
        }
        seen = match evidence(job).await {
            Ok(Some(found)) if !found.is_draft => {
                job.progress.own.is_found(found);
                return Ok(Finding::Settled(Outcome::Sent));
            }
            Ok(Some(found)) => {
                job.progress.own.is_found(found);
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
    if (-ON_ITS_WAY_MS..WATCH_MS).contains(&elapsed) && !insisted {
        return Ok(Finding::Settled(Outcome::Watch(elapsed.clamp(SHORTEST_MS, LONGEST_MS).min(WATCH_MS - elapsed), WATCHED)));
    }
    job.progress.doubt_since = None;
    Ok(match (seen, job.progress.refusal.take()) {
        (Seen::Draft, Some(refusal)) => Finding::Settled(Outcome::Failed(Error::new(ErrorKind::Forbidden, refusal))),
        (Seen::Draft, None) if job.is_overdue() => Finding::Settled(Outcome::Failed(Error::new(ErrorKind::Cancelled, PAST_DEADLINE))),
        (Seen::Draft, None) => Finding::NotSent,
        (Seen::Nothing, _) if insisted => {
            job.progress.own.forget_draft();
            Finding::Anew
        }
        (Seen::Nothing, _) => Finding::Settled(Outcome::Unknown(
            "Microsoft did not confirm the mail, and neither draft nor sent copy can be found. Look into Sent Items before sending it again.".to_owned(),
        )),
        (Seen::Refused(why), _) => Finding::Settled(Outcome::Unknown(format!("Microsoft did not confirm the mail, and asking failed: {why}"))),
    })
}

/// Ask again later; past its deadline it stays unknown.
fn unasked<K: Making>(job: &Job<MailBy<K>>, error: Error) -> Outcome {
    if job.is_overdue() {
        return Outcome::Unknown("Its deadline passed before it could be found out whether it was sent. Look into Sent Items before sending it again.".to_owned());
    }
    Outcome::Later(Error::new(ErrorKind::OutcomeUnknown, error.reason().to_owned()).with_retry_after_ms(error.retry_after_ms()))
}

/// A refusal of the first request is the last word, unless the mail has left all the same: its person may have sent the draft. After a request in doubt
/// the refusal may be about a mail that this one did send, so the mailbox is watched. None: it is to be asked.
pub async fn refused<K: Making>(job: &mut Job<MailBy<K>>, error: Error) -> Option<Outcome> {
    match sent_copy(job).await {
        Ok(true) => Some(Outcome::Sent),
        Ok(false) if !job.progress.doubted => Some(Outcome::Failed(error)),
        _ => {
            job.progress.refusal = Some(error.reason().to_owned());
            let now = job.now();
            job.progress.doubt_since.get_or_insert(now);
            None
        }
    }
}
