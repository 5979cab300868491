//! One attempt, from wherever the item was left.

use super::channel::{Job, Outcome, Prepared, dispatch, prepare};
use super::item::{MOST_CONFLICTS, Start, Verdict, start, verdict};
use super::reconcile::{Finding, reconcile, sent_copy, sent_elsewhere};
use crate::error::{Error, ErrorKind};
use crate::model::Route;
use crate::store::{ItemState, PAST_DEADLINE, Tally};

/// Requests of one attempt: after a mail was found unsent it is sent again.
const ROUNDS: u32 = 3;

pub async fn attempt(job: &mut Job) -> Outcome {
    let mut next = match start(job.item.state) {
        Some(next) => next,
        None => return Outcome::Lost,
    };
    if next == Start::Prepare && job.may_be_sent() {
        match sent_elsewhere(job).await {
            Ok(None) => {}
            Ok(Some(outcome)) => return outcome,
            Err(error) => return Outcome::Later(error),
        }
    }
    for _ in 0..ROUNDS {
        if next != Start::Reconcile && job.is_overdue() {
            return Outcome::Failed(Error::new(ErrorKind::Cancelled, PAST_DEADLINE));
        }
        if next == Start::Prepare {
            match prepare(job).await {
                Ok(Prepared::Ready) => {}
                Ok(Prepared::Sent) => return Outcome::Sent,
                Ok(Prepared::Lost) => return Outcome::Lost,
                Err(error) => return unprepared(job, error),
            }
            next = Start::Dispatch;
        }
        if next == Start::Dispatch {
            match job.advance(ItemState::Dispatching).await {
                Ok(true) => {}
                Ok(false) => return Outcome::Lost,
                Err(error) => return Outcome::Later(error),
            }
            let before = std::mem::replace(&mut job.tally, Tally::Attempt);
            match dispatch(job).await {
                Ok(()) => return Outcome::Sent,
                Err(error) => match verdict(&error) {
                    Verdict::Doubt => {
                        job.progress.doubted = true;
                        job.progress.doubt_since = Some(job.now());
                    }
                    Verdict::Refused => {
                        if let Some(outcome) = refused(job, error).await {
                            return outcome;
                        }
                    }
                    other => {
                        job.tally = before;
                        return match other {
                            Verdict::Contested => contested(job, error),
                            Verdict::Defect => defect(job, error),
                            _ => Outcome::Later(error),
                        };
                    }
                },
            }
        }
        match reconcile(job).await {
            Ok(Finding::Settled(outcome)) => return outcome,
            Ok(Finding::NotSent) => next = Start::Dispatch,
            Ok(Finding::Anew) => next = Start::Prepare,
            Err(error) => return Outcome::Later(error),
        }
    }
    Outcome::Later(Error::new(ErrorKind::Upstream, "Microsoft took the mail several times without sending it; it will be tried again."))
}

/// Nothing that others could see has happened yet, so doubt is no danger here.
fn unprepared(job: &mut Job, error: Error) -> Outcome {
    match verdict(&error) {
        Verdict::Refused => {
            job.tally = Tally::Attempt;
            Outcome::Failed(error)
        }
        Verdict::Contested => contested(job, error),
        Verdict::Defect => defect(job, error),
        Verdict::Later | Verdict::Doubt => Outcome::Later(error),
    }
}

/// Passes, and is never final at the first time. Before the next request the draft is read again.
fn contested(job: &mut Job, error: Error) -> Outcome {
    job.progress.conflicts += 1;
    job.progress.recheck = true;
    if job.progress.conflicts > MOST_CONFLICTS { Outcome::Failed(error) } else { Outcome::Later(error) }
}

fn defect(job: &mut Job, error: Error) -> Outcome {
    job.tally = Tally::Crash;
    Outcome::Later(error)
}

/// A refusal of the first request is the last word, unless the mail has left all the same: its person may have sent the draft. After a request in doubt
/// the refusal may be about a mail that this one did send, so the mailbox is watched. None: it is to be asked.
async fn refused(job: &mut Job, error: Error) -> Option<Outcome> {
    if job.item.route == Route::Chat {
        return Some(match job.progress.doubted {
            false => Outcome::Failed(error),
            true => Outcome::Unknown(format!("An earlier request may have delivered it; the last one was refused. {}", error.reason())),
        });
    }
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
