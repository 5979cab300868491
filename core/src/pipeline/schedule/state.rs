//! The lines, without waiting: pure of time and tasks but for calling who is let in.

use super::super::Priority;
use super::super::scope::{RateScope, Service};
use super::Cost;
use super::lines::{PACED_FOR, Position, Scope, Tenant, TenantKey, WORTH_KEEPING, Waiter, first, tenant_of};
use super::paces::Paces;
use super::slots::{Limits, most_unattended};
use super::threads::Threads;
use super::times::Times;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// So many entries later, what is over is forgotten.
const SWEEP: u64 = 1024;

/// What a waiter hears.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    Now,
    /// Its scope is closed until then, and this one watches, being the first.
    At(Duration),
    /// Others go first. `Some`: not before that moment.
    Later(Option<Duration>),
}

pub struct State {
    limits: Limits,
    running: u32,
    turns: u32,
    scopes: HashMap<RateScope, Scope>,
    tenants: HashMap<TenantKey, Tenant>,
    /// Tenants that may send.
    line: BTreeMap<Position, TenantKey>,
    /// The next ticket, and the next place in a line.
    next: u64,
    /// Made many requests since this was taken last.
    busy: Vec<RateScope>,
    /// Of tenants, chats and channels.
    pub paces: Paces,
    /// Of conversations of bots.
    pub threads: Threads,
    times: HashMap<Service, Times>,
}

impl State {
    pub fn new(limits: Limits) -> Self {
        Self { times: HashMap::new(), limits, running: 0, turns: 0, scopes: HashMap::new(), tenants: HashMap::new(), line: BTreeMap::new(), next: 0, busy: Vec::new(), paces: Paces::default(), threads: Threads::default() }
    }

    /// Answers the ticket.
    pub fn queue(&mut self, scope: &RateScope, priority: Priority, waiter: Arc<Waiter>, is_counted: bool, now: Duration) -> u64 {
        let ticket = self.number();
        if is_counted {
            self.scopes.entry(scope.clone()).or_default().waiting.insert((priority, ticket), waiter);
            if priority == Priority::Interactive {
                self.keep_free(scope, now);
            }
            self.refresh(scope, now);
            if ticket.is_multiple_of(SWEEP) {
                self.sweep(now);
            }
        }
        ticket
    }

    pub fn turn(&mut self, scope: &RateScope, priority: Priority, ticket: u64, waiter: &Waiter, now: Duration) -> Turn {
        let is_counted = !matches!(scope, RateScope::Uncounted(_));
        if is_counted {
            self.refresh(scope, now);
            self.admit(now);
            if waiter.is_in.load(Ordering::Acquire) {
                return Turn::Now;
            }
        }
        let (rate, pace) = (self.limits.rate(scope), self.limits.pace(scope));
        let Some(state) = self.scopes.get_mut(scope) else { return if is_counted { Turn::Later(None) } else { Turn::Now } };
        let first = state.first();
        let cost = first.as_ref().map_or(waiter.cost, |(_, first)| first.cost);
        let until = state.closed_until(rate, cost, now);
        match until > now {
            true if !is_counted || first.is_some_and(|(position, _)| position == (priority, ticket)) => Turn::At(until),
            true => Turn::Later(Some(state.turn_of((priority, ticket), until, pace, now))),
            false if is_counted => Turn::Later(None),
            false => Turn::Now,
        }
    }

    /// It was let in, and is done.
    pub fn leave(&mut self, scope: &RateScope, priority: Priority, cost: Cost, now: Duration) {
        let slots = self.limits.slots(cost);
        self.running = self.running.saturating_sub(1);
        if let Some(state) = self.scopes.get_mut(scope) {
            state.slots.give_back(slots, priority);
        }
        let tenant = tenant_of(scope);
        if let Some(state) = self.tenants.get_mut(&tenant) {
            state.slots.give_back(1, priority);
        }
        if priority == Priority::Interactive {
            // What comes next of the same action, and of the same person, finds a slot.
            self.keep_free(scope, now);
        }
        self.refresh(scope, now);
        self.refresh_tenant(&tenant, now);
        self.admit(now);
    }

    fn keep_free(&mut self, scope: &RateScope, now: Duration) {
        let tenant = tenant_of(scope);
        if tenant.is_some() {
            self.scopes.entry(scope.clone()).or_default().slots.keep_free(now);
            self.tenants.entry(tenant).or_default().slots.keep_free(now);
        }
    }

    /// What was sent as one took this long.
    pub fn took(&mut self, scope: &RateScope, cost: Cost, time: Duration) {
        if let RateScope::Graph(service @ Service::Outlook, _) = scope {
            self.times.entry(*service).or_default().note(cost.requests, time);
        }
    }

    /// What is inside takes others along: `requests` in all, or as many as have a slot now. Answers what it costs then.
    pub fn widen(&mut self, scope: &RateScope, priority: Priority, held: Cost, requests: u32, now: Duration) -> Cost {
        let (limits, rate, pace) = (self.limits, self.limits.rate(scope), self.limits.pace(scope));
        let Some(state) = self.scopes.get_mut(scope) else { return held };
        let has = limits.slots(held);
        let free = state.slots.free(limits.per_mailbox, priority, now);
        let wanted = limits.slots(Cost { requests, ..held });
        let requests = if has + free >= wanted { requests } else { has + free };
        let more = requests.saturating_sub(held.requests);
        if more == 0 || state.closed_until(rate, Cost { requests: more, ..held }, now) > now {
            return held;
        }
        let cost = Cost { requests, ..held };
        state.slots.take(limits.slots(cost) - has, priority);
        state.keep_distance(pace, more, now);
        if rate.is_some_and(|rate| state.count(rate, more, now)) {
            self.busy.push(scope.clone());
        }
        self.refresh(scope, now);
        cost
    }

    /// What is inside makes fewer requests than it came for, or none: the rest counts for nobody. Answers what it costs then.
    pub fn narrow(&mut self, scope: &RateScope, priority: Priority, held: Cost, requests: u32, now: Duration) -> Cost {
        let (limits, rate, pace) = (self.limits, self.limits.rate(scope), self.limits.pace(scope));
        let unused = held.requests.saturating_sub(requests);
        if unused == 0 {
            return held;
        }
        let cost = Cost { requests: requests.max(1), ..held };
        if let Some(state) = self.scopes.get_mut(scope) {
            state.slots.give_back(limits.slots(held).saturating_sub(limits.slots(cost)), priority);
            state.lose_distance(pace, unused, now);
            if let Some(rate) = rate {
                state.window.take_back(rate, unused, now);
            }
        }
        self.refresh(scope, now);
        self.admit(now);
        cost
    }

    /// Requests of one batch. Outlook runs four of a batch at a time, and the others wait for them; elsewhere each of them counts at once.
    pub fn most_together(&self, scope: &RateScope, priority: Priority, now: Duration) -> u32 {
        let is_kept_free = priority != Priority::Interactive && self.scopes.get(scope).is_some_and(|state| state.slots.is_kept_free(now));
        match scope {
            RateScope::Graph(Service::Outlook, _) if is_kept_free => most_unattended(self.limits.per_mailbox),
            RateScope::Graph(service @ Service::Outlook, _) => self.times.get(service).map_or(u32::MAX, Times::most_together),
            _ if self.paces.is_on(scope, now) || self.scopes.get(scope).is_some_and(|state| state.is_paced(now)) => 1,
            _ => self.limits.per_mailbox,
        }
    }

    /// It waits no longer.
    pub fn give_up(&mut self, scope: &RateScope, priority: Priority, ticket: u64, now: Duration) {
        if let Some(state) = self.scopes.get_mut(scope) {
            state.waiting.remove(&(priority, ticket));
        }
        self.refresh(scope, now);
        self.admit(now);
    }

    /// False: it was as high already.
    pub fn fence(&mut self, scope: &RateScope, place: Option<&str>, until: Duration, now: Duration) -> bool {
        let is_pacing = self.limits.pace(scope).is_some();
        let state = self.scopes.entry(scope.clone()).or_default();
        // One person keeps the distance that is asked of one: it is the tenant, chat or channel of which too much is asked.
        if is_pacing && state.refused(until, now) {
            self.paces.refused(scope, place, until.saturating_add(PACED_FOR));
        }
        let has_grown = until > state.fence;
        if has_grown {
            state.fence = until;
            // Who cannot wait that long says so at once.
            state.waiting.values().for_each(|waiter| waiter.called.notify_one());
        }
        if !matches!(scope, RateScope::Uncounted(_)) {
            self.refresh(scope, now);
        }
        has_grown
    }

    /// Scopes that made many requests since the last call.
    pub fn take_busy(&mut self) -> Vec<RateScope> {
        std::mem::take(&mut self.busy)
    }

    /// Scopes whose requests of late are many.
    pub fn all_busy(&self) -> Vec<RateScope> {
        let is_busy = |scope: &RateScope, state: &Scope| self.limits.rate(scope).is_some_and(|rate| state.window.total() >= rate.most / WORTH_KEEPING);
        self.scopes.iter().filter(|(scope, state)| is_busy(scope, state)).map(|(scope, _)| scope.clone()).collect()
    }

    /// Requests of late, the oldest first. None: they are not counted.
    pub fn counts(&mut self, scope: &RateScope, now: Duration) -> Option<Vec<u32>> {
        let rate = self.limits.rate(scope)?;
        Some(self.scopes.get_mut(scope)?.window.counts(rate, now))
    }

    pub fn used(&mut self, scope: &RateScope, now: Duration) -> f64 {
        let most = self.limits.rate(scope).map_or(1, |rate| rate.most.max(1));
        let made: u32 = self.counts(scope, now).map_or(0, |counts| counts.into_iter().sum());
        f64::from(made) / f64::from(most)
    }

    /// Counts as well what another process has counted this long ago.
    pub fn add_counts(&mut self, scope: &RateScope, counts: &[u32], age: Duration, now: Duration) {
        if let Some(rate) = self.limits.rate(scope) {
            self.scopes.entry(scope.clone()).or_default().window.add_counts(rate, counts, age, now);
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Lets in whoever may go.
    fn admit(&mut self, now: Duration) {
        while self.running < self.limits.per_process {
            let Some(tenant) = first(&self.line, self.turns).and_then(|position| self.line.get(&position)).cloned() else { return };
            let most = self.limits.of_tenant(&tenant);
            let Some(of_tenant) = self.tenants.get(&tenant) else { return };
            let Some(scope) = of_tenant.next(most, now).and_then(|position| of_tenant.line.get(&position)).cloned() else { return };
            let (limits, rate, pace) = (self.limits, self.limits.rate(&scope), self.limits.pace(&scope));
            let Some(state) = self.scopes.get_mut(&scope) else { return };
            let next = match scope {
                RateScope::None => state.first().map(|(position, waiter)| (position, waiter.clone(), waiter.cost)),
                _ => state.next(&limits, now, |priority| of_tenant.has_free_slot(most, priority, now)),
            };
            let Some((position @ (priority, _), waiter, cost)) = next else { return };
            state.waiting.remove(&position);
            state.turns = state.turns.wrapping_add(1);
            state.slots.take(limits.slots(cost), priority);
            state.keep_distance(pace, cost.requests, now);
            if rate.is_some_and(|rate| state.count(rate, cost.requests, now)) {
                self.busy.push(scope.clone());
            }
            self.running += 1;
            self.turns = self.turns.wrapping_add(1);
            if let Some(state) = self.tenants.get_mut(&tenant) {
                state.slots.take(1, priority);
                state.turns = state.turns.wrapping_add(1);
            }
            waiter.let_in(cost);
            // To the ends of both lines.
            self.stand(&scope, None, now);
            self.stand_tenant(&tenant, None);
            self.refresh(&scope, now);
            self.refresh_tenant(&tenant, now);
        }
    }

    /// Puts a scope where it belongs, after anything about it has changed.
    fn refresh(&mut self, scope: &RateScope, now: Duration) {
        let (limits, rate) = (self.limits, self.limits.rate(scope));
        let Some(state) = self.scopes.get_mut(scope) else { return };
        let mut wanted = None;
        if let Some((position, waiter)) = state.first() {
            let until = state.closed_until(rate, waiter.cost, now);
            if until > now {
                // It has to know that it is the one to watch.
                if state.watched.replace((position, until)) != Some((position, until)) {
                    waiter.called.notify_one();
                }
            } else if *scope == RateScope::None {
                wanted = Some(position.0);
            } else {
                wanted = state.best(&limits, now);
            }
        }
        self.stand(scope, wanted, now);
    }

    fn refresh_tenant(&mut self, tenant: &TenantKey, now: Duration) {
        let most = self.limits.of_tenant(tenant);
        let Some(state) = self.tenants.get(tenant) else { return };
        let wanted = state.next(most, now).map(|(priority, _)| priority);
        let is_over = state.is_over(now);
        self.stand_tenant(tenant, wanted);
        if is_over {
            self.tenants.remove(tenant);
        }
    }

    /// The scope stands in its tenant's line with this priority, or not at all.
    fn stand(&mut self, scope: &RateScope, wanted: Option<Priority>, now: Duration) {
        let number = self.number();
        let Some(state) = self.scopes.get_mut(scope) else { return };
        if state.standing.map(|(priority, _)| priority) == wanted {
            return;
        }
        let tenant = tenant_of(scope);
        let line = &mut self.tenants.entry(tenant.clone()).or_default().line;
        if let Some(position) = state.standing.take() {
            line.remove(&position);
        }
        if let Some(priority) = wanted {
            line.insert((priority, number), scope.clone());
            state.standing = Some((priority, number));
        }
        self.refresh_tenant(&tenant, now);
    }

    fn stand_tenant(&mut self, tenant: &TenantKey, wanted: Option<Priority>) {
        let number = self.number();
        let Some(state) = self.tenants.get_mut(tenant) else { return };
        if state.standing.map(|(priority, _)| priority) == wanted {
            return;
        }
        if let Some(position) = state.standing.take() {
            self.line.remove(&position);
        }
        if let Some(priority) = wanted {
            self.line.insert((priority, number), tenant.clone());
            state.standing = Some((priority, number));
        }
    }

    /// Scopes nobody uses any more go, so that the table stays as small as the work.
    fn sweep(&mut self, now: Duration) {
        let limits = self.limits;
        self.scopes.retain(|scope, state| !state.is_over(limits.rate(scope), now));
        self.tenants.retain(|_, state| !state.is_over(now));
        self.paces.forget_what_is_over(now);
        self.threads.forget_what_is_over(now);
    }

    #[cfg(test)]
    pub fn running(&self) -> (u32, HashMap<RateScope, u32>) {
        (self.running, self.scopes.iter().map(|(scope, state)| (scope.clone(), state.slots.running)).collect())
    }

    #[cfg(test)]
    pub fn is_empty_after(&mut self, now: Duration) -> bool {
        self.sweep(now);
        self.running == 0 && self.paces.is_empty() && self.threads.is_empty() && self.scopes.is_empty() && self.tenants.is_empty() && self.line.is_empty()
    }
}
