//! Which accounts are marked already, and which are to be synced. The durable marks are in the store; this spares one transaction for each notification.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a mark is relied on. Another process takes over only marks that are twice as old, so what is told meanwhile is never lost with them.
const RELIED_ON: Duration = Duration::from_secs(30);
/// From when on the marks of another process may be taken over.
pub const LEFT_MS: i64 = 60_000;

#[derive(Default)]
pub struct Marks {
    state: Mutex<State>,
    wake: tokio::sync::Notify,
}

#[derive(Default)]
struct State {
    /// Marked, and not taken since: when, by the monotonic clock.
    fresh: HashMap<String, Duration>,
    /// Being marked: how many times at once, and whether the account was taken meanwhile.
    marking: HashMap<String, (u32, bool)>,
    queue: VecDeque<String>,
    queued: HashSet<String>,
}

/// Accounts that are to be marked in the store. Dropped without [`done`](Self::done), nothing is relied on.
pub struct Marking<'a> {
    marks: &'a Marks,
    pub account_ids: Vec<String>,
    since: Duration,
    is_done: bool,
}

impl Marks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of these accounts that no mark can be relied on for.
    pub fn begin(&self, account_ids: impl IntoIterator<Item = String>, now: Duration) -> Marking<'_> {
        let mut state = self.state();
        let is_fresh = |state: &State, id: &String| state.fresh.get(id).is_some_and(|at| now.saturating_sub(*at) < RELIED_ON);
        let account_ids: Vec<String> = account_ids.into_iter().filter(|id| !is_fresh(&state, id)).collect();
        for id in &account_ids {
            state.marking.entry(id.clone()).or_default().0 += 1;
        }
        Marking { marks: self, account_ids, since: now, is_done: false }
    }

    /// The next account to sync. What is told from now on is marked anew.
    pub fn take(&self) -> Option<String> {
        let mut state = self.state();
        let id = state.queue.pop_front()?;
        state.queued.remove(&id);
        state.fresh.remove(&id);
        if let Some((_, was_taken)) = state.marking.get_mut(&id) {
            *was_taken = true;
        }
        Some(id)
    }

    /// Once more: it is marked still.
    pub fn again(&self, id: String) {
        self.state().enqueue(id);
        self.wake.notify_one();
    }

    pub async fn told(&self) {
        self.wake.notified().await;
    }
}

impl State {
    fn enqueue(&mut self, id: String) {
        if self.queued.insert(id.clone()) {
            self.queue.push_back(id);
        }
    }
}

impl Marking<'_> {
    /// They are marked in the store.
    pub fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Marking<'_> {
    fn drop(&mut self) {
        let mut state = self.marks.state();
        for id in std::mem::take(&mut self.account_ids) {
            let Some((count, was_taken)) = state.marking.get_mut(&id) else { continue };
            *count -= 1;
            let (is_last, was_taken) = (*count == 0, *was_taken);
            if is_last {
                state.marking.remove(&id);
            }
            if self.is_done {
                // A sync that was begun meanwhile may have cleared the mark.
                if !was_taken {
                    state.fresh.insert(id.clone(), self.since);
                }
                state.enqueue(id);
            }
        }
        drop(state);
        if self.is_done {
            self.marks.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(marks: &Marks, at: u64) -> (usize, Marking<'_>) {
        let marking = marks.begin(["a".to_owned()], Duration::from_secs(at));
        (marking.account_ids.len(), marking)
    }

    #[test]
    fn a_mark_is_relied_on_until_it_is_taken_or_old() {
        let marks = Marks::default();
        let (count, marking) = ids(&marks, 0);
        assert_eq!(count, 1);
        drop(marking);
        assert_eq!(marks.take(), None, "it was not stored");
        ids(&marks, 0).1.done();
        assert_eq!((ids(&marks, 29).0, ids(&marks, 30).0), (0, 1));
        assert_eq!(marks.take().as_deref(), Some("a"));
        assert_eq!(marks.take(), None, "told twice, synced once");
        assert_eq!(ids(&marks, 1).0, 1);
    }

    #[test]
    fn a_mark_that_was_taken_while_it_was_written_is_not_relied_on() {
        let marks = Marks::default();
        ids(&marks, 0).1.done();
        let (_, late) = ids(&marks, 40);
        assert_eq!(marks.take().as_deref(), Some("a"));
        late.done();
        assert_eq!(ids(&marks, 41).0, 1, "the sync may have cleared it");
        assert_eq!(marks.take().as_deref(), Some("a"));
        ids(&marks, 42).1.done();
        assert_eq!(ids(&marks, 43).0, 0);
    }
}
