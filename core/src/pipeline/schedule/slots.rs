//! How many requests go at a time, and within a span of time.

use super::super::Priority;
use super::super::scope::{RateScope, Service};
use super::Cost;
use super::lines::TenantKey;
use super::window::Rate;
use std::time::Duration;

/// For so long after somebody waited for a mailbox, one slot of it and one of its tenant stay free of everything that nobody waits for.
const KEPT_FREE_FOR: Duration = Duration::from_secs(5);

/// Requests at a time, and within a span of time. Sources: Graph, throttling limits by service, 2; Teams, rate limiting of bots.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one mailbox in one service; requests of a batch count each.
    pub per_mailbox: u32,
    /// Of one tenant in one service; a batch counts once.
    pub per_tenant: u32,
    pub per_process: u32,
    /// Outlook's, of one mailbox.
    pub outlook: Rate,
    /// The Bot Connector's, of one bot in one organisation.
    pub bots: Rate,
    /// Between two requests to Teams of one person, once Teams has refused one of them.
    pub teams_pace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_mailbox: 4, per_tenant: 4, per_process: 64, outlook: Rate { most: 10_000, span: Duration::from_secs(600) }, bots: Rate { most: 30, span: Duration::from_secs(1) }, teams_pace: Duration::from_secs(1) }
    }
}

impl Limits {
    /// Of a batch, four requests run at a time.
    pub fn slots(&self, cost: Cost) -> u32 {
        cost.requests.clamp(1, self.per_mailbox)
    }

    pub fn of_tenant(&self, tenant: &TenantKey) -> u32 {
        if tenant.is_some() { self.per_tenant } else { u32::MAX }
    }

    /// Teams takes one message a second of a person (throttling limits, Teams service), and lets short bursts pass: so it is asked as fast as it serves until it
    /// refuses one, and then by its rule for a while.
    pub fn pace(&self, scope: &RateScope) -> Option<Duration> {
        matches!(scope, RateScope::Graph(Service::Teams | Service::TeamsMessages, _)).then_some(self.teams_pace)
    }

    pub fn rate(&self, scope: &RateScope) -> Option<Rate> {
        match scope {
            RateScope::Graph(Service::Outlook, _) => Some(self.outlook),
            RateScope::Graph(Service::Bots, _) => Some(self.bots),
            _ => None,
        }
    }
}

/// Slots in use, and whether one of them stays free for those whom a person waits for.
#[derive(Default)]
pub struct Slots {
    pub running: u32,
    /// Of those, the ones nobody waits for.
    unattended: u32,
    /// Until then others leave one free.
    kept_free_until: Duration,
}

impl Slots {
    /// As many as this one may take of `most` in all.
    pub fn free(&self, most: u32, priority: Priority, now: Duration) -> u32 {
        let free = most.saturating_sub(self.running);
        if priority == Priority::Interactive || !self.is_kept_free(now) {
            return free;
        }
        free.min(most_unattended(most).saturating_sub(self.unattended))
    }

    pub fn take(&mut self, slots: u32, priority: Priority) {
        self.running += slots;
        if priority != Priority::Interactive {
            self.unattended += slots;
        }
    }

    pub fn give_back(&mut self, slots: u32, priority: Priority) {
        self.running = self.running.saturating_sub(slots);
        if priority != Priority::Interactive {
            self.unattended = self.unattended.saturating_sub(slots);
        }
    }

    pub fn keep_free(&mut self, now: Duration) {
        self.kept_free_until = now.saturating_add(KEPT_FREE_FOR);
    }

    pub fn is_kept_free(&self, now: Duration) -> bool {
        now < self.kept_free_until
    }
}

/// While one is kept free.
pub fn most_unattended(most: u32) -> u32 {
    most.saturating_sub(1).max(1)
}
