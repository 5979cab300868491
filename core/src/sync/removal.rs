//! "Removed" is a question: a move out of a folder looks the same. Nothing is dropped before Graph says, of the immutable id, that it is gone; and what
//! is still there is read whole, since it may have changed while it was away.

use super::quarantined;
use super::run::{SyncContext, Verdicts};
use super::tally::Tally;
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::store::{Question, Settled};
use std::sync::Arc;

/// Questions put in one go: five batches of twenty.
const AT_ONCE: u32 = 100;

/// Mail that was moved into folders that are not synced is asked about so often: where it is, and whether it still is.
const UNSYNCED_EVERY_MS: i64 = 20 * 3_600_000;
/// Of those, at most so many in one sync.
const MOST_UNSYNCED: u32 = 1_000;

/// Asks what became of mail that no delta tells of. The answers come with those to the other questions.
pub async fn ask_about_unsynced(context: &Arc<SyncContext>) -> Result<()> {
    let asked = context.store.suspect_unsynced(&context.account.id, context.account.generation, &context.lease, UNSYNCED_EVERY_MS, MOST_UNSYNCED, context.now()).await?;
    match asked {
        Some(_) => Ok(()),
        None => Err(context.taken_over().await),
    }
}

/// Settles the questions that are due. One that the mailbox does not answer is put again later, and stops no other.
pub async fn settle(context: &Arc<SyncContext>) -> Result<Tally> {
    let mut tally = Tally::default();
    loop {
        context.stop.check()?;
        let questions = context.store.pending_removals(&context.account.id, context.now(), AT_ONCE).await?;
        if questions.is_empty() {
            return Ok(tally);
        }
        let ids: Vec<String> = questions.into_iter().map(|(id, _)| id).collect();
        let Verdicts { gone, there, later } = context.verify(&ids).await?;
        let places: Vec<(String, String)> = there.iter().map(|message| (message.id.clone(), message.folder_id.clone())).collect();
        // Content before place: if the process dies in between, the question is still there.
        tally.add(&quarantined::store(context, there, false).await?);
        failpoint!("sync.settling_removals");
        let written = context.store.settle(&context.account.id, context.account.generation, &context.lease, Question::PendingRemovals, &Settled { gone: &gone, there: &places, later: &later }, context.now()).await?;
        failpoint!("sync.settled_removals");
        let Some((removed, moved)) = written else { return Err(context.taken_over().await) };
        tally.removed += removed;
        tally.moved += moved;
        context.news.send_modify(|n| *n = n.wrapping_add(1));
    }
}
