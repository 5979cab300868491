//! "Removed" is a question: a move out of a folder looks the same. Nothing is dropped before Graph says, of the immutable id, that it is gone.

use super::run::Pass;
use crate::error::Result;
use crate::graph::Proof;
use crate::runtime::blocking;
use std::sync::Arc;

/// Questions put in one go: five batches of twenty.
const AT_ONCE: u32 = 100;

#[derive(Debug, Default)]
pub struct Settled {
    pub removed: u32,
    pub moved: u32,
}

pub async fn settle(pass: &Arc<Pass>) -> Result<Settled> {
    let mut settled = Settled::default();
    loop {
        pass.stop.check()?;
        let work = pass.clone();
        let questions = blocking(move || work.store.suspects(&work.account.id, AT_ONCE)).await?;
        if questions.is_empty() {
            return Ok(settled);
        }
        let ids: Vec<String> = questions.into_iter().map(|(id, _)| id).collect();
        let (mut gone, mut there) = (Vec::new(), Vec::new());
        for (id, proof) in pass.ask(pass.graph.prove(&pass.caller(), &ids)).await? {
            match proof {
                Proof::Gone => gone.push(id),
                Proof::There { folder_id } => there.push((id, folder_id)),
            }
        }
        let (asked, told) = (ids.len(), gone.len() + there.len());
        let work = pass.clone();
        let written = blocking(move || work.store.settle_suspects(&work.account.id, work.account.generation, &work.lease, &gone, &there, work.now())).await?;
        let Some((removed, moved)) = written else { return Err(pass.taken_over().await) };
        let open = told < asked;
        settled.removed += removed;
        settled.moved += moved;
        pass.news.send_modify(|n| *n = n.wrapping_add(1));
        if open {
            // What Graph would not tell stays a question for the next sync.
            return Ok(settled);
        }
    }
}
