//! The lines, without waiting: pure of time and tasks but for calling who is let in.

use super::super::Priority;
use super::super::scope::{RateScope, Service};
use super::Cost;
use super::paces::Paces;
use super::times::Times;
use super::window::{Rate, Window};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Every so many turns the longest wait counts, and not the priority.
const TURN_BY_AGE: u32 = 8;
/// Of the requests that a mailbox may make: after so many of them another process should know.
const WORTH_KEEPING: u32 = 20;
/// After a Retry-After of Teams, for so long one request goes at a time.
const PACED_FOR: Duration = Duration::from_secs(60);
/// Two requests come closer to each other on their way, by this at first. Each refusal in spite of the distance doubles it, up to the most.
const MARGIN: Duration = Duration::from_millis(20);
const MOST_MARGIN: Duration = Duration::from_millis(320);
/// For so long after somebody waited for a mailbox, one slot of it and one of its tenant stay free of everything that nobody waits for.
const KEPT_FREE_FOR: Duration = Duration::from_secs(5);
/// So many entries later, what is over is forgotten.
const SWEEP: u64 = 1024;

/// Requests at a time, and within a span of time. Sources: Graph, throttling limits by service, 2.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of one mailbox in one service; requests of a batch count each.
    pub per_mailbox: u32,
    /// Of one tenant in one service; a batch counts once.
    pub per_tenant: u32,
    pub per_process: u32,
    /// Outlook's, of one mailbox.
    pub outlook: Rate,
    /// Between two requests to Teams of one person, once Teams has refused one of them.
    pub teams_pace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_mailbox: 4, per_tenant: 4, per_process: 64, outlook: Rate { most: 10_000, span: Duration::from_secs(600) }, teams_pace: Duration::from_secs(1) }
    }
}

impl Limits {
    /// Of a batch, four requests run at a time.
    fn slots(&self, cost: Cost) -> u32 {
        cost.requests.clamp(1, self.per_mailbox)
    }


    fn of_tenant(&self, tenant: &TenantKey) -> u32 {
        if tenant.is_some() { self.per_tenant } else { u32::MAX }
    }

    /// Teams takes one message a second of a person (throttling limits, Teams service), and lets short bursts pass: so it is asked as fast as it serves until it
    /// refuses one, and then by its rule for a while.
    fn pace(&self, scope: &RateScope) -> Option<Duration> {
        matches!(scope, RateScope::Graph(Service::Teams | Service::TeamsMessages, _)).then_some(self.teams_pace)
    }

    fn rate(&self, scope: &RateScope) -> Option<Rate> {
        matches!(scope, RateScope::Graph(Service::Outlook, _)).then_some(self.outlook)
    }
}

/// Slots in use, and whether one of them stays free for those whom a person waits for.
#[derive(Default)]
struct Slots {
    running: u32,
    /// Of those, the ones nobody waits for.
    unattended: u32,
    /// Until then others leave one free.
    kept_free_until: Duration,
}

impl Slots {
    /// As many as this one may take of `most` in all.
    fn free(&self, most: u32, priority: Priority, now: Duration) -> u32 {
        let free = most.saturating_sub(self.running);
        if priority == Priority::Interactive || !self.is_kept_free(now) {
            return free;
        }
        free.min(most_unattended(most).saturating_sub(self.unattended))
    }

    fn take(&mut self, slots: u32, priority: Priority) {
        self.running += slots;
        if priority != Priority::Interactive {
            self.unattended += slots;
        }
    }

    fn give_back(&mut self, slots: u32, priority: Priority) {
        self.running = self.running.saturating_sub(slots);
        if priority != Priority::Interactive {
            self.unattended = self.unattended.saturating_sub(slots);
        }
    }

    fn keep_free(&mut self, now: Duration) {
        self.kept_free_until = now.saturating_add(KEPT_FREE_FOR);
    }

    fn is_kept_free(&self, now: Duration) -> bool {
        now < self.kept_free_until
    }
}

/// While one is kept free.
fn most_unattended(most: u32) -> u32 {
    most.saturating_sub(1).max(1)
}

/// A priority, and a number that rises with time: first things first, then the oldest.
type Position = (Priority, u64);

type TenantKey = Option<(Service, String)>;

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

    /// Once it is in.
    pub fn held(&self) -> Cost {
        Cost { requests: self.let_in.load(Ordering::Acquire), ..self.cost }
    }
}

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
    times: HashMap<Service, Times>,
}

#[derive(Default)]
struct Scope {
    slots: Slots,
    turns: u32,
    window: Window,
    /// Nobody goes before this moment of the monotonic clock.
    fence: Duration,
    /// Until then requests keep their distance, and the next one goes at `paced_at` at the earliest.
    paced_until: Duration,
    paced_at: Duration,
    margin: Duration,
    waiting: BTreeMap<Position, Arc<Waiter>>,
    /// Where it stands in the line of its tenant.
    standing: Option<Position>,
    /// Who was told to watch until when.
    watched: Option<(Position, Duration)>,
}

#[derive(Default)]
struct Tenant {
    slots: Slots,
    turns: u32,
    /// Scopes that may send, as far as they are concerned.
    line: BTreeMap<Position, RateScope>,
    standing: Option<Position>,
}

/// The first in line; in some turns who has waited longest.
fn first<T>(line: &BTreeMap<Position, T>, turns: u32) -> Option<Position> {
    if turns % TURN_BY_AGE != TURN_BY_AGE - 1 {
        return line.keys().next().copied();
    }
    let oldest = |priority: &Priority| line.range((*priority, 0)..=(*priority, u64::MAX)).next().map(|(position, _)| *position);
    Priority::ALL.iter().filter_map(oldest).min_by_key(|(_, number)| *number)
}

fn tenant_of(scope: &RateScope) -> TenantKey {
    match scope {
        RateScope::Graph(service, mailbox) => Some((*service, mailbox.tenant_id.clone())),
        RateScope::Uncounted(_) | RateScope::None => None,
    }
}

impl Scope {
    /// Until when nothing may be sent, whoever waits; `now` or earlier: it may.
    fn closed_until(&mut self, rate: Option<Rate>, cost: Cost, now: Duration) -> Duration {
        let by_rate = rate.map_or(Duration::ZERO, |rate| self.window.open_at(rate, cost.requests, now));
        let by_pace = if self.is_paced(now) { self.paced_at } else { Duration::ZERO };
        self.fence.max(by_rate).max(by_pace)
    }

    fn is_paced(&self, now: Duration) -> bool {
        now < self.paced_until
    }

    /// `requests` are made now, at the distance that a paced scope keeps.
    fn keep_distance(&mut self, pace: Option<Duration>, requests: u32, now: Duration) {
        if let Some(pace) = pace.filter(|_| self.is_paced(now)) {
            self.paced_at = self.paced_at.max(now).saturating_add((pace + self.margin).saturating_mul(requests));
        }
    }

    /// A request of this paced service was refused until then. True: in spite of its distance. One that left before an earlier refusal was heard of says
    /// nothing of that.
    fn refused(&mut self, until: Duration, now: Duration) -> bool {
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
    fn turn_of(&self, position: Position, until: Duration, pace: Option<Duration>, now: Duration) -> Duration {
        let Some(pace) = pace.filter(|_| self.is_paced(now)) else { return until };
        let before: u32 = self.waiting.range(..position).map(|(_, waiter)| waiter.cost.requests).sum();
        until.max(now).saturating_add((pace + self.margin).saturating_mul(before))
    }

    /// `requests` of those were not made.
    fn lose_distance(&mut self, pace: Option<Duration>, requests: u32, now: Duration) {
        if let Some(pace) = pace.filter(|_| self.is_paced(now)) {
            self.paced_at = self.paced_at.saturating_sub((pace + self.margin).saturating_mul(requests));
        }
    }

    /// True: that is many since it was said last.
    fn count(&mut self, rate: Rate, requests: u32, now: Duration) -> bool {
        let step = (rate.most / WORTH_KEEPING).max(1);
        let before = self.window.total() / step;
        self.window.add(rate, requests, now);
        self.window.total() / step > before
    }

    fn first(&self) -> Option<(Position, Arc<Waiter>)> {
        let position = first(&self.waiting, self.turns)?;
        Some((position, self.waiting.get(&position)?.clone()))
    }

    /// Who may go, as far as slots are concerned, and with how many of its requests: the first by turn; or else, if that one has to leave a slot of the
    /// mailbox or of the tenant free, a person who waits.
    fn next(&self, limits: &Limits, now: Duration, tenant_has_room: impl Fn(Priority) -> bool) -> Option<(Position, Arc<Waiter>, Cost)> {
        let fits = |(position, waiter): (Position, Arc<Waiter>)| {
            let (wanted, most) = (limits.slots(waiter.cost), most_unattended(limits.per_mailbox));
            let has_to_leave_one = self.slots.is_kept_free(now) && position.0 != Priority::Interactive && wanted > most;
            let (cost, free) = match has_to_leave_one {
                true if waiter.cost.is_divisible => (Cost { requests: most, ..waiter.cost }, self.slots.free(limits.per_mailbox, position.0, now)),
                // It cannot, and would never get its turn.
                true => (waiter.cost, limits.per_mailbox.saturating_sub(self.slots.running)),
                false => (waiter.cost, self.slots.free(limits.per_mailbox, position.0, now)),
            };
            (limits.slots(cost) <= free && tenant_has_room(position.0)).then_some((position, waiter, cost))
        };
        let by_priority = || self.waiting.first_key_value().map(|(position, waiter)| (*position, waiter.clone()));
        self.first().and_then(fits).or_else(|| by_priority().filter(|((priority, _), _)| *priority == Priority::Interactive).and_then(fits))
    }

    /// With this it stands in the line of its tenant: a person who waits there is not held up by whose turn it is.
    fn best(&self, limits: &Limits, now: Duration) -> Option<Priority> {
        let best = |room: fn(Priority) -> bool| self.next(limits, now, room).map(|((priority, _), ..)| priority);
        best(|priority| priority == Priority::Interactive).or_else(|| best(|_| true))
    }

    fn is_over(&mut self, rate: Option<Rate>, now: Duration) -> bool {
        self.slots.running == 0 && !self.slots.is_kept_free(now) && self.waiting.is_empty() && self.fence <= now && !self.is_paced(now) && rate.is_none_or(|rate| self.window.is_empty(rate, now))
    }
}

impl Tenant {
    /// The first scope of its line that may go; its place.
    fn next(&self, most: u32, now: Duration) -> Option<Position> {
        let may_go = |(priority, _): &Position| self.has_room(most, *priority, now);
        first(&self.line, self.turns).filter(may_go).or_else(|| self.line.keys().next().copied().filter(may_go))
    }

    fn has_room(&self, most: u32, priority: Priority, now: Duration) -> bool {
        self.slots.free(most, priority, now) > 0
    }

    fn is_over(&self, now: Duration) -> bool {
        self.slots.running == 0 && self.line.is_empty() && !self.slots.is_kept_free(now)
    }
}

impl State {
    pub fn new(limits: Limits) -> Self {
        Self { times: HashMap::new(), limits, running: 0, turns: 0, scopes: HashMap::new(), tenants: HashMap::new(), line: BTreeMap::new(), next: 0, busy: Vec::new(), paces: Paces::default() }
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
                _ => state.next(&limits, now, |priority| of_tenant.has_room(most, priority, now)),
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
            waiter.let_in.store(cost.requests, Ordering::Release);
            waiter.is_in.store(true, Ordering::Release);
            waiter.called.notify_one();
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
    }

    #[cfg(test)]
    pub fn running(&self) -> (u32, HashMap<RateScope, u32>) {
        (self.running, self.scopes.iter().map(|(scope, state)| (scope.clone(), state.slots.running)).collect())
    }

    #[cfg(test)]
    pub fn is_empty_after(&mut self, now: Duration) -> bool {
        self.sweep(now);
        self.running == 0 && self.paces.is_empty() && self.scopes.is_empty() && self.tenants.is_empty() && self.line.is_empty()
    }
}
