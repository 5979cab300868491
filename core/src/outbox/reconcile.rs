//! After doubt: ask, never guess.

use super::carrier::{Job, Outcome};
use super::item::{Verdict, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Route;
use crate::runtime::closed;
use crate::store::{Hold, ItemState};
use std::time::Duration;

/// What is to be done once the mailbox was asked.
#[derive(Debug)]
pub enum Finding {
    Settled(Outcome),
    /// The draft is still a draft: it was not sent, and sending it by its id is safe.
    NotSent,
}

/// Times the mailbox is asked, after 0, 1, 3, 7 and 15 seconds: Exchange accepts a mail before it moves it, so a draft that is still there right
/// after a lost answer may be on its way out.
const LOOKS: u32 = 5;

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
    if job.item.route != Route::Mail {
        return Ok(false);
    }
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

async fn mail(job: &mut Job) -> Result<Finding> {
    job.doubted = true;
    if !job.advance(ItemState::Reconciling).await? {
        return Ok(Finding::Settled(Outcome::Lost));
    }
    let mut is_draft = false;
    for look in 0..LOOKS {
        if look > 0 && !job.pause(Duration::from_secs(1 << (look - 1))).await {
            return Ok(Finding::Settled(Outcome::Later(closed())));
        }
        match super::mail::evidence(job).await {
            Ok(Some(found)) if !found.is_draft => {
                job.progress.graph_id = Some(found.id);
                return Ok(Finding::Settled(Outcome::Sent));
            }
            Ok(Some(found)) => {
                job.progress.graph_id = Some(found.id);
                is_draft = true;
            }
            Ok(None) => is_draft = false,
            Err(error) if verdict(&error) == Verdict::Refused => {
                return Ok(Finding::Settled(Outcome::Unknown(format!("Microsoft did not confirm the mail, and asking failed: {error}"))));
            }
            // Not reachable: ask again later, the doubt stays.
            Err(error) => return Ok(Finding::Settled(Outcome::Later(Error::new(ErrorKind::OutcomeUnknown, error.reason().to_owned()).with_retry_after_ms(error.retry_after_ms())))),
        }
    }
    if is_draft {
        return Ok(Finding::NotSent);
    }
    Ok(Finding::Settled(Outcome::Unknown(
        "Microsoft did not confirm the mail, and neither draft nor sent copy can be found. Look into Sent Items before sending it again.".to_owned(),
    )))
}
