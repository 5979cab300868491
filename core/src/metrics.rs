//! Counts of what an engine did, for whoever draws curves of them. Each module counts its own; nothing is decided by them.

use crate::model::Metrics;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn up(&self) {
        self.add(1);
    }

    pub fn add(&self, n: u32) {
        self.0.fetch_add(u64::from(n), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One per engine, shared by its modules.
#[derive(Debug, Clone, Default)]
pub struct Meters(Arc<Counters>);

#[derive(Debug, Default)]
pub struct Counters {
    pub requests: Counter,
    pub throttled: Counter,
    pub retries: Counter,
    pub failures: Counter,
    pub tokens_renewed: Counter,
    pub sends_queued: Counter,
    pub sends_sent: Counter,
    pub sends_failed: Counter,
    pub sends_unknown: Counter,
    pub syncs: Counter,
    pub pages: Counter,
    pub messages_stored: Counter,
    pub sends_parked: Counter,
    pub notifications: Counter,
    pub notifications_refused: Counter,
    pub subscriptions_made: Counter,
    pub subscriptions_renewed: Counter,
    pub contents_proven: Counter,
    pub contents_refused: Counter,
}

impl std::ops::Deref for Meters {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.0
    }
}

impl Meters {
    pub fn snapshot(&self) -> Metrics {
        Metrics {
            requests: self.requests.get(),
            throttled: self.throttled.get(),
            retries: self.retries.get(),
            failures: self.failures.get(),
            tokens_renewed: self.tokens_renewed.get(),
            sends_queued: self.sends_queued.get(),
            sends_sent: self.sends_sent.get(),
            sends_failed: self.sends_failed.get(),
            sends_unknown: self.sends_unknown.get(),
            syncs: self.syncs.get(),
            pages: self.pages.get(),
            messages_stored: self.messages_stored.get(),
            sends_parked: self.sends_parked.get(),
            notifications: self.notifications.get(),
            notifications_refused: self.notifications_refused.get(),
            subscriptions_made: self.subscriptions_made.get(),
            subscriptions_renewed: self.subscriptions_renewed.get(),
            contents_proven: self.contents_proven.get(),
            contents_refused: self.contents_refused.get(),
        }
    }
}
