//! Whose turn it is to sync an account: one pass at a time, and one more for all who asked while it ran.

use crate::error::Result;
use crate::model::SyncReport;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The passes of one account in this process.
#[derive(Default)]
pub struct Turn {
    running: tokio::sync::Mutex<()>,
    /// Those who wait for a pass.
    waiting: AtomicUsize,
    /// Held while a page, or what was listed, is planned and written.
    writing: tokio::sync::Mutex<()>,
    /// Held while attachments are listed.
    listing: tokio::sync::Mutex<()>,
    /// They will be listed after a pass.
    is_queued: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Passes begun.
    begun: u64,
    /// The last one that ended by itself.
    last: Option<Ended>,
}

struct Ended {
    pass: u64,
    generation: i64,
    outcome: Result<SyncReport>,
}

/// A wish for a sync: any pass that begins after it will do.
pub struct Asked {
    after: u64,
    generation: i64,
}

pub enum Entered<'a> {
    /// The caller's own pass.
    Pass(Pass<'a>),
    /// What a pass brought that began after the caller had asked.
    Shared(Box<Result<SyncReport>>),
}

/// Held while a pass runs.
pub struct Pass<'a> {
    turn: &'a Turn,
    number: u64,
    generation: i64,
    _running: tokio::sync::MutexGuard<'a, ()>,
}

impl Turn {
    /// `generation`: of the account as the caller saw it. What a pass over an earlier one brought is not shared.
    pub fn ask(&self, generation: i64) -> Asked {
        Asked { after: self.state().begun, generation }
    }

    /// Waits until no pass runs. A wait that is given up leaves nothing behind.
    pub async fn enter(&self, asked: &Asked) -> Entered<'_> {
        let running = {
            let _waits = Waits::of(&self.waiting);
            self.running.lock().await
        };
        let mut state = self.state();
        if let Some(ended) = state.last.as_ref().filter(|ended| ended.pass > asked.after && ended.generation == asked.generation) {
            return Entered::Shared(Box::new(ended.outcome.clone()));
        }
        state.begun += 1;
        Entered::Pass(Pass { turn: self, number: state.begun, generation: asked.generation, _running: running })
    }

    /// Waits until no pass runs, and keeps passes out until the guard is dropped: for a part of a back-fill, which lets a pass that waits go first.
    pub async fn slice(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.running.lock().await
    }

    /// Somebody waits for a pass.
    pub fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// What is here of the account's mail changes by nobody else of this process until the guard is dropped.
    pub async fn writing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// Nobody else of this process lists attachments until the guard is dropped.
    pub async fn listing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.listing.lock().await
    }

    /// False: they are queued already.
    pub fn queue_listing(&self) -> bool {
        !self.is_queued.swap(true, Ordering::AcqRel)
    }

    pub fn unqueue_listing(&self) {
        self.is_queued.store(false, Ordering::Release);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counted for as long as it lives, also when the wait is given up.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pass<'_> {
    pub fn share(self, outcome: &Result<SyncReport>) {
        self.turn.state().last = Some(Ended { pass: self.number, generation: self.generation, outcome: outcome.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    async fn own<'a>(turn: &'a Turn, asked: &Asked) -> Pass<'a> {
        match turn.enter(asked).await {
            Entered::Pass(pass) => pass,
            Entered::Shared(_) => panic!("another pass was taken for good enough"),
        }
    }

    async fn shared(turn: &Turn, asked: &Asked) -> Result<SyncReport> {
        match turn.enter(asked).await {
            Entered::Pass(_) => panic!("one pass too many"),
            Entered::Shared(outcome) => *outcome,
        }
    }

    fn report(pages: u32) -> Result<SyncReport> {
        Ok(SyncReport { pages, ..SyncReport::default() })
    }

    #[tokio::test]
    async fn who_asks_while_one_runs_shares_the_next() {
        let turn = Turn::default();
        let first = own(&turn, &turn.ask(1)).await;
        let (second, third, fourth) = (turn.ask(1), turn.ask(1), turn.ask(1));
        first.share(&report(1));
        own(&turn, &second).await.share(&report(2));
        assert_eq!(shared(&turn, &third).await.unwrap().pages, 2);
        assert_eq!(shared(&turn, &fourth).await.unwrap().pages, 2);
        own(&turn, &turn.ask(1)).await.share(&report(3));
    }

    #[tokio::test]
    async fn an_error_is_shared_and_a_stopped_pass_is_not() {
        let turn = Turn::default();
        let (first, second, third, reconnected) = (turn.ask(1), turn.ask(1), turn.ask(1), turn.ask(2));
        drop(own(&turn, &first).await);
        own(&turn, &second).await.share(&Err(Error::new(ErrorKind::Throttled, "later")));
        assert_eq!(shared(&turn, &third).await.unwrap_err().kind(), ErrorKind::Throttled);
        // What was found out about an account as it was before is not shared.
        drop(own(&turn, &reconnected).await);
    }
}
