//! "Removed" is a question: a move out of a folder looks the same. Nothing is dropped before Graph says, of the immutable id, that it is gone; and what
//! is still there is read whole, since it may have changed while it was away.

use super::again;
use super::run::Pass;
use super::tally::Tally;
use crate::error::Result;
use crate::graph::Proof;
use crate::runtime::blocking;
use std::sync::Arc;

/// Questions put in one go: five batches of twenty.
const AT_ONCE: u32 = 100;

/// Settles the questions that are due. One that the mailbox does not answer is put again later, and stops no other.
pub async fn settle(pass: &Arc<Pass>) -> Result<Tally> {
    let mut tally = Tally::default();
    loop {
        pass.stop.check()?;
        let work = pass.clone();
        let questions = blocking(move || work.store.suspects(&work.account.id, work.now(), AT_ONCE)).await?;
        if questions.is_empty() {
            return Ok(tally);
        }
        let ids: Vec<String> = questions.into_iter().map(|(id, _)| id).collect();
        let (mut gone, mut there, mut later) = (Vec::new(), Vec::new(), Vec::new());
        for (id, proof) in pass.ask(pass.graph.prove(&pass.caller(), &ids)).await? {
            match proof {
                Proof::Gone => gone.push(id),
                Proof::There(message) => there.push(*message),
                Proof::Unclear(error) => later.push((id, error.reason().to_owned())),
            }
        }
        let places: Vec<(String, String)> = there.iter().map(|message| (message.id.clone(), message.folder_id.clone())).collect();
        // Content before place: if the process dies in between, the question is still there.
        tally.add(&again::store(pass, there, false).await?);
        let work = pass.clone();
        let written = blocking(move || {
            let (id, generation, now) = (&work.account.id, work.account.generation, work.now());
            if !work.store.defer_suspects(id, generation, &work.lease, &later, now)? {
                return Ok(None);
            }
            work.store.settle_suspects(id, generation, &work.lease, &gone, &places, now)
        })
        .await?;
        let Some((removed, moved)) = written else { return Err(pass.taken_over().await) };
        tally.removed += removed;
        tally.moved += moved;
        pass.news.send_modify(|n| *n = n.wrapping_add(1));
    }
}
