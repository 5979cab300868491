//! One attempt, from wherever the item was left.

use super::channel::{Channel, Finding, Outcome, Prepared};
use super::item::{MOST_CONFLICTS, Start, Verdict, start, verdict};
use super::job::Job;
use crate::error::{Error, ErrorKind};
use crate::failpoint::failpoint;
use crate::store::{ItemState, PAST_DEADLINE, Tally};

/// Requests of one attempt: what is found unsent is sent again.
const ROUNDS: u32 = 3;

pub async fn attempt<C: Channel>(job: &mut Job<C>) -> Outcome {
    let mut next = match start(job.item.state) {
        Some(next) => next,
        None => return Outcome::Lost,
    };
    if next == Start::Prepare && job.may_be_sent() {
        match C::sent_elsewhere(job).await {
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
            match C::prepare(job).await {
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
            let dispatched = C::dispatch(job).await;
            failpoint!("outbox.dispatched");
            match dispatched {
                Ok(()) => return Outcome::Sent,
                Err(error) => match verdict(&error) {
                    Verdict::Doubt => {
                        job.progress.doubted = true;
                        job.progress.doubt_since = Some(job.now());
                    }
                    Verdict::Refused => {
                        if let Some(outcome) = C::refused(job, error).await {
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
        match C::reconcile(job).await {
            Ok(Finding::Settled(outcome)) => return outcome,
            Ok(Finding::NotSent) => next = Start::Dispatch,
            Ok(Finding::Anew) => next = Start::Prepare,
            Err(error) => return Outcome::Later(error),
        }
    }
    Outcome::Later(Error::new(ErrorKind::Upstream, "Microsoft took it several times without sending it; it will be tried again."))
}

/// Nothing that others could see has happened yet, so doubt is no danger here.
fn unprepared<C: Channel>(job: &mut Job<C>, error: Error) -> Outcome {
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

/// Passes, and is never final at the first time. Before the next request, what was made is read again.
fn contested<C: Channel>(job: &mut Job<C>, error: Error) -> Outcome {
    job.progress.conflicts += 1;
    C::read_again(&mut job.progress.own);
    if job.progress.conflicts > MOST_CONFLICTS { Outcome::Failed(error) } else { Outcome::Later(error) }
}

fn defect<C: Channel>(job: &mut Job<C>, error: Error) -> Outcome {
    job.tally = Tally::Crash;
    Outcome::Later(error)
}
