//! Who waits for what became of a send. They are called by its id: of many sends, one that is settled wakes only those who asked for it.

use super::deliver::Outbox;
use super::whole::is_whole;
use crate::clock::to_ms;
use crate::error::Result;
use crate::model::{Receipt, SendState};
use crate::store::of_route;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

impl Outbox {
    /// Waits for the outcome, at most `limit`; the receipt then says `queued` or `sending`.
    pub async fn wait(&self, receipt_id: &str, limit: Duration) -> Result<Receipt> {
        if is_whole(receipt_id) { self.wait_for_parts(receipt_id, limit).await } else { self.wait_for_one(receipt_id, limit).await }
    }

    pub(super) async fn wait_for_one(&self, receipt_id: &str, limit: Duration) -> Result<Receipt> {
        let until = to_ms(self.tools.clock.now()).saturating_add(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
        let mut deadline = self.tools.clock.deadline(limit);
        let waiting = self.waiters.of(receipt_id);
        let mut is_called = false;
        loop {
            let mut called = pin!(waiting.called.notified());
            called.as_mut().enable();
            let told = if is_called { waiting.told() } else { None };
            let now = match told {
                Some(receipt) => receipt,
                None => self.receipt(receipt_id, None).await?,
            };
            let later_than_that = now.next_attempt_at.is_some_and(|at| to_ms(at) >= until);
            if later_than_that || now.is_parked || !matches!(now.state, SendState::Queued | SendState::Sending) {
                return Ok(now);
            }
            // What somebody waits for may be taken in hand where there is no capacity for the rest.
            if now.route.of_send().is_some_and(|route| self.in_flight.is_full(&of_route(&now.account_id, route))) {
                self.wake();
            }
            is_called = tokio::select! {
                () = &mut deadline => return self.receipt(receipt_id, None).await,
                () = called => true,
                // Another process may be the one that delivers it.
                () = self.tools.clock.deadline(Duration::from_secs(1)) => false,
            };
        }
    }
}

#[derive(Clone, Default)]
pub struct Waiters(Arc<Mutex<HashMap<String, Entry>>>);

struct Entry {
    called: Arc<Notify>,
    waiting: usize,
    /// What its worker here has made of it last; none: to be looked up.
    told: Option<Receipt>,
}

impl Waiters {
    /// To be made before the look at the send, so that nothing between the two is missed.
    pub fn of(&self, id: &str) -> Waiting {
        let mut table = self.table();
        let entry = table.entry(id.to_owned()).or_insert_with(|| Entry { called: Arc::new(Notify::new()), waiting: 0, told: None });
        entry.waiting += 1;
        Waiting { waiters: self.clone(), id: id.to_owned(), called: entry.called.clone() }
    }

    /// Sends that somebody waits for.
    pub fn ids(&self) -> Vec<String> {
        self.table().keys().cloned().collect()
    }

    /// The send has changed, and this is what became of it. By its worker, before it is out of hand: what is told last is the last there is.
    pub fn tell(&self, receipt: Receipt) {
        if let Some(entry) = self.table().get_mut(&receipt.id) {
            entry.told = Some(receipt);
            entry.called.notify_waiters();
        }
    }

    /// The send has changed.
    pub fn call(&self, id: &str) {
        if let Some(entry) = self.table().get_mut(id) {
            entry.told = None;
            entry.called.notify_waiters();
        }
    }

    /// Any send may have changed.
    pub fn call_all(&self) {
        self.table().values_mut().for_each(|entry| {
            entry.told = None;
            entry.called.notify_waiters();
        });
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Waiting {
    waiters: Waiters,
    id: String,
    pub called: Arc<Notify>,
}

impl Waiting {
    fn told(&self) -> Option<Receipt> {
        self.waiters.table().get(&self.id).and_then(|entry| entry.told.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut table = self.waiters.table();
        if let Some(entry) = table.get_mut(&self.id) {
            entry.waiting -= 1;
            if entry.waiting == 0 {
                table.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn only_who_asked_is_called_and_nothing_stays_behind() {
        let waiters = Waiters::default();
        let (one, same, other) = (waiters.of("a"), waiters.of("a"), waiters.of("b"));
        let (mut first, mut second, mut third) = (Box::pin(one.called.notified()), Box::pin(same.called.notified()), Box::pin(other.called.notified()));
        for waiting in [&mut first, &mut second, &mut third] {
            assert!(waiting.as_mut().enable() || waiting.now_or_never().is_none());
        }
        waiters.call("a");
        waiters.call("nobody");
        assert!(first.now_or_never().is_some() && second.now_or_never().is_some() && (&mut third).now_or_never().is_none());
        waiters.call_all();
        assert!(third.now_or_never().is_some());
        drop((one, same, other));
        assert!(waiters.table().is_empty());
    }
}
