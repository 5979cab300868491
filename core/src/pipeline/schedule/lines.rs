//! Who waits for a scope, and which scopes of a tenant may send.

use super::super::Priority;
use super::super::scope::{RateScope, Service};
use super::Cost;
use super::slots::{Limits, Slots, most_unattended};
use super::window::{Rate, Window};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Every so many turns the longest wait counts, and not the priority.
const TURN_BY_AGE: u32 = 8;
/// Of the requests that a mailbox may make: after so many of them another process should know.
pub const WORTH_KEEPING: u32 = 20;
/// What was made within less is over before another process is there.
const SHORTEST_KEPT: Duration = Duration::from_secs(5);
/// After a Retry-After of Teams, for so long one request goes at a time.
pub const PACED_FOR: Duration = Duration::from_secs(60);
/// Two requests come closer to each other on their way, by this at first. Each refusal in spite of the distance doubles it, up to the most.
const MARGIN: Duration = Duration::from_millis(20);
const MOST_MARGIN: Duration = Duration::from_millis(320);

/// A priority, and a number that rises with time: first things first, then the oldest.
pub type Position = (Priority, u64);

pub type TenantKey = Option<(Service, String)>;

pub struct Waiter {
    pub cost: Cost,
    pub called: Notify,
    pub is_in: AtomicBool,
    /// Requests it was let in for: fewer than it came for, if some of its slots stay free.
    let_in: AtomicU32,
}

impl Waiter {
    pub fn new(cost: Cost) -> Self {
        Self { cost, called: Notify::new(), is_in: AtomicBool::new(false), let_in: AtomicU32::new(cost.requests) }
    }

    /// It is in, for so many requests.
    pub fn let_in(&self, cost: Cost) {
        self.let_in.store(cost.requests, Ordering::Release);
        self.is_in.store(true, Ordering::Release);
        self.called.notify_one();
    }

    /// Once it is in.
    pub fn held(&self) -> Cost {
        Cost { requests: self.let_in.load(Ordering::Acquire), ..self.cost }
    }
}

#[derive(Default)]
pub struct Scope {
    pub slots: Slots,
    pub turns: u32,
    pub window: Window,
    /// Nobody goes before this moment of the monotonic clock.
    pub fence: Duration,
    /// Until then requests keep their distance, and the next one goes at `paced_at` at the earliest.
    paced_until: Duration,
    paced_at: Duration,
    margin: Duration,
    pub waiting: BTreeMap<Position, Arc<Waiter>>,
    /// Where it stands in the line of its tenant.
    pub standing: Option<Position>,
    /// Who was told to watch until when.
    pub watched: Option<(Position, Duration)>,
}

#[derive(Default)]
pub struct Tenant {
    pub slots: Slots,
    pub turns: u32,
    /// Scopes that may send, as far as they are concerned.
    pub line: BTreeMap<Position, RateScope>,
    pub standing: Option<Position>,
}

/// The first in line; in some turns who has waited longest.
pub fn first<T>(line: &BTreeMap<Position, T>, turns: u32) -> Option<Position> {
    if turns % TURN_BY_AGE != TURN_BY_AGE - 1 {
        return line.keys().next().copied();
    }
    let oldest = |priority: &Priority| line.range((*priority, 0)..=(*priority, u64::MAX)).next().map(|(position, _)| *position);
    Priority::ALL.iter().filter_map(oldest).min_by_key(|(_, number)| *number)
}

pub fn tenant_of(scope: &RateScope) -> TenantKey {
    match scope {
        RateScope::Graph(service, mailbox) => Some((*service, mailbox.tenant_id.clone())),
        RateScope::Uncounted(_) | RateScope::None => None,
    }
}

impl Scope {
    /// Until when nothing may be sent, whoever waits; `now` or earlier: it may.
    pub fn closed_until(&mut self, rate: Option<Rate>, cost: Cost, now: Duration) -> Duration {
        let by_rate = rate.map_or(Duration::ZERO, |rate| self.window.open_at(rate, cost.requests, now));
        let by_pace = if self.is_paced(now) { self.paced_at } else { Duration::ZERO };
        self.fence.max(by_rate).max(by_pace)
    }

    pub fn is_paced(&self, now: Duration) -> bool {
        now < self.paced_until
    }

    /// `requests` are made now, at the distance that a paced scope keeps.
    pub fn keep_distance(&mut self, pace: Option<Duration>, requests: u32, now: Duration) {
        if let Some(pace) = pace.filter(|_| self.is_paced(now)) {
            self.paced_at = self.paced_at.max(now).saturating_add((pace + self.margin).saturating_mul(requests));
        }
    }

    /// A request of this paced service was refused until then. True: in spite of its distance. One that left before an earlier refusal was heard of says
    /// nothing of that.
    pub fn refused(&mut self, until: Duration, now: Duration) -> bool {
        let (was_paced, had_distance) = (self.is_paced(now), self.is_paced(now) && self.fence <= now);
        self.margin = match had_distance {
            true => self.margin.saturating_mul(2).min(MOST_MARGIN),
            false if was_paced => self.margin,
            false => MARGIN,
        };
        self.paced_until = self.paced_until.max(until.saturating_add(PACED_FOR));
        had_distance
    }

    /// When the turn of this one comes, if those before it keep their distance.
    pub fn turn_of(&self, position: Position, until: Duration, pace: Option<Duration>, now: Duration) -> Duration {
        let Some(pace) = pace.filter(|_| self.is_paced(now)) else { return until };
        let before: u32 = self.waiting.range(..position).map(|(_, waiter)| waiter.cost.requests).sum();
        until.max(now).saturating_add((pace + self.margin).saturating_mul(before))
    }

    /// `requests` of those were not made.
    pub fn lose_distance(&mut self, pace: Option<Duration>, requests: u32, now: Duration) {
        if let Some(pace) = pace.filter(|_| self.is_paced(now)) {
            self.paced_at = self.paced_at.saturating_sub((pace + self.margin).saturating_mul(requests));
        }
    }

    /// True: that is many since it was said last, and will count for a while.
    pub fn count(&mut self, rate: Rate, requests: u32, now: Duration) -> bool {
        let step = (rate.most / WORTH_KEEPING).max(1);
        let before = self.window.total() / step;
        self.window.add(rate, requests, now);
        rate.span >= SHORTEST_KEPT && self.window.total() / step > before
    }

    pub fn first(&self) -> Option<(Position, Arc<Waiter>)> {
        let position = first(&self.waiting, self.turns)?;
        Some((position, self.waiting.get(&position)?.clone()))
    }

    /// Who may go, as far as slots are concerned, and with how many of its requests: the first by turn; or else, if that one has to leave a slot of the
    /// mailbox or of the tenant free, a person who waits.
    pub fn next(&self, limits: &Limits, now: Duration, tenant_has_slot: impl Fn(Priority) -> bool) -> Option<(Position, Arc<Waiter>, Cost)> {
        let fits = |(position, waiter): (Position, Arc<Waiter>)| {
            let (wanted, most) = (limits.slots(waiter.cost), most_unattended(limits.per_mailbox));
            let has_to_leave_one = self.slots.is_kept_free(now) && position.0 != Priority::Interactive && wanted > most;
            let (cost, free) = match has_to_leave_one {
                true if waiter.cost.is_divisible => (Cost { requests: most, ..waiter.cost }, self.slots.free(limits.per_mailbox, position.0, now)),
                // It cannot, and would never get its turn.
                true => (waiter.cost, limits.per_mailbox.saturating_sub(self.slots.running)),
                false => (waiter.cost, self.slots.free(limits.per_mailbox, position.0, now)),
            };
            (limits.slots(cost) <= free && tenant_has_slot(position.0)).then_some((position, waiter, cost))
        };
        let by_priority = || self.waiting.first_key_value().map(|(position, waiter)| (*position, waiter.clone()));
        self.first().and_then(fits).or_else(|| by_priority().filter(|((priority, _), _)| *priority == Priority::Interactive).and_then(fits))
    }

    /// With this it stands in the line of its tenant: a person who waits there is not held up by whose turn it is.
    pub fn best(&self, limits: &Limits, now: Duration) -> Option<Priority> {
        let best = |may_go: fn(Priority) -> bool| self.next(limits, now, may_go).map(|((priority, _), ..)| priority);
        best(|priority| priority == Priority::Interactive).or_else(|| best(|_| true))
    }

    pub fn is_over(&mut self, rate: Option<Rate>, now: Duration) -> bool {
        self.slots.running == 0 && !self.slots.is_kept_free(now) && self.waiting.is_empty() && self.fence <= now && !self.is_paced(now) && rate.is_none_or(|rate| self.window.is_empty(rate, now))
    }
}

impl Tenant {
    /// The first scope of its line that may go; its place.
    pub fn next(&self, most: u32, now: Duration) -> Option<Position> {
        let may_go = |(priority, _): &Position| self.has_free_slot(most, *priority, now);
        first(&self.line, self.turns).filter(may_go).or_else(|| self.line.keys().next().copied().filter(may_go))
    }

    pub fn has_free_slot(&self, most: u32, priority: Priority, now: Duration) -> bool {
        self.slots.free(most, priority, now) > 0
    }

    pub fn is_over(&self, now: Duration) -> bool {
        self.slots.running == 0 && self.line.is_empty() && !self.slots.is_kept_free(now)
    }
}
