//! Who may ask Microsoft next. Every request of the engine waits here for its turn.
//!
//! A request counts against its rate scope (application, mailbox, service), its tenant and the process. Each scope has slots, a window of requests made
//! and a fence that a Retry-After raises (one of seconds outlives the process); its own queue, by priority and then by age. Scopes of a tenant take turns, and so do tenants, so that nobody's
//! campaign holds up another's single message. Every eighth turn goes to who has waited longest, whatever the priority, so that nobody waits for ever.
//!
//! Entering and leaving cost the logarithm of what waits: a scope that may send stands in the line of its tenant, a tenant that may in the line of the
//! process, and only the scope concerned is looked at. What is closed for a time is watched by the first of its queue alone. The distances that Teams wants
//! of a tenant, a chat or a channel ([`paces`]) are kept by who has its turn already; for its conversation
//! ([`threads`]) a bot waits before it queues, so that it takes no place of another one.

mod lines;
mod paces;
mod slots;
mod state;
mod threads;
mod times;
mod window;

pub use slots::Limits;

use super::Priority;
use super::scope::{RateScope, Thread};
use super::throttles::{Unkept, left, scope_of, throttle_of};
use crate::clock::{Clock, from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::throttle::{RequestsMade, Throttle};
use lines::Waiter;
use state::{State, Turn};
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A waiter looks again after this long.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Requests in it: one, or as many as a batch holds.
    pub requests: u32,
    /// It may be let in with fewer of them.
    pub is_divisible: bool,
}

impl Cost {
    pub const ONE: Self = Self { requests: 1, is_divisible: false };

    /// All in one, as they are.
    pub fn of(requests: usize) -> Self {
        Self { requests: u32::try_from(requests).unwrap_or(u32::MAX), is_divisible: false }
    }
}

#[derive(Clone)]
pub struct Scheduler(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    unkept: Unkept,
}

impl Scheduler {
    pub fn new(clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self(Arc::new(Inner { clock, state: Mutex::new(State::new(limits)), unkept: Unkept::default() }))
    }

    /// Waits for its turn, out of `left`. Dropping the future gives the place in the queue back.
    ///
    /// Errors: `Throttled`, if its scope is closed for longer than is left (with the time until then), or its turn did not come in that time.
    pub async fn enter(&self, scope: &RateScope, cost: Cost, priority: Priority, left: &mut Duration) -> Result<Slot> {
        let clock = self.0.clock.clone();
        let mut entry = self.queue(scope, cost, priority);
        let waiter = entry.waiter.clone();
        let mut spent = Duration::ZERO;
        loop {
            // Before the look: what happens after it is not missed.
            let called = waiter.called.notified();
            let now = clock.elapsed();
            let turn = self.state().turn(scope, priority, entry.ticket, &waiter, now);
            let wait = match turn {
                Turn::Now => {
                    *left = left.saturating_sub(spent);
                    return Ok(entry.take());
                }
                Turn::At(at) | Turn::Later(Some(at)) if spent + at.saturating_sub(now) > *left => return Err(throttled(at.saturating_sub(now)).before_its_turn()),
                Turn::Later(_) if spent > *left => return Err(busy()),
                Turn::At(at) => {
                    let wait = at.saturating_sub(now);
                    tokio::select! { () = called => {}, () = clock.pause(wait) => {} }
                    wait
                }
                Turn::Later(_) => {
                    let wait = (*left - spent).min(LOOK_AGAIN) + Duration::from_millis(1);
                    tokio::select! { () = called => {}, () = clock.deadline(wait) => {} }
                    wait
                }
            };
            // Time in which this process stood still (a machine that slept) is not time it waited: nobody else was served either.
            spent += clock.elapsed().saturating_sub(now).min(wait);
        }
    }

    fn queue(&self, scope: &RateScope, cost: Cost, priority: Priority) -> QueueEntry {
        let waiter = Arc::new(Waiter::new(cost));
        // A token must always be to be had for who holds a slot already.
        let is_counted = !matches!(scope, RateScope::Uncounted(_));
        let ticket = self.state().queue(scope, priority, waiter.clone(), is_counted, self.0.clock.elapsed());
        QueueEntry { scheduler: self.clone(), scope: scope.clone(), priority, ticket, waiter, is_counted }
    }

    /// Nobody of this scope goes before `until`. A fence only grows.
    pub fn fence(&self, scope: &RateScope, until: Duration) {
        self.fence_of(scope, None, until);
    }

    /// The same, of a request about this chat or channel.
    fn fence_of(&self, scope: &RateScope, place: Option<&str>, until: Duration) {
        let now = self.0.clock.elapsed();
        if *scope != RateScope::None && self.state().fence(scope, place, until, now) {
            self.0.unkept.note(scope, until.saturating_sub(now), self.0.clock.now());
        }
    }

    /// Nobody of this conversation goes before `until`. True: nor anybody else of the bot.
    fn refused_in(&self, scope: &RateScope, thread: &Thread, until: Duration) -> bool {
        let is_general = self.state().threads.refused(scope, thread, until, self.0.clock.elapsed());
        self.0.unkept.wake();
        is_general
    }

    /// What an earlier process was told, and what it has asked for.
    pub fn resume(&self, throttle: &Throttle) {
        let (now, time) = (self.0.clock.elapsed(), self.0.clock.now());
        if self.state().threads.resume(throttle, now, time) {
            return;
        }
        let Some(scope) = scope_of(throttle) else { return };
        let wait = left(throttle, time);
        if !wait.is_zero() {
            self.state().fence(&scope, None, now.saturating_add(wait), now);
        }
        // Counted ahead of this clock: it was set back, and nobody knows how long ago it was.
        if let Some(made) = &throttle.made
            && let Ok(age) = time.duration_since(from_ms(made.at))
        {
            self.state().add_counts(&scope, &made.counts, age, now);
        }
    }

    /// The distance that requests to Teams keep. Err: how long that would be, and it is longer than `left`.
    fn take_distance(&self, scope: &RateScope, place: Option<&str>, requests: u32, left: Duration) -> std::result::Result<Duration, Duration> {
        let now = self.0.clock.elapsed();
        self.state().paces.take(scope, place, requests, left, now)
    }

    /// Of what may be asked of this scope in a span of time, how much was used: 0 to 1.
    pub fn used(&self, scope: &RateScope) -> f64 {
        self.state().used(scope, self.0.clock.elapsed())
    }

    /// Until there is something that another process should know.
    pub async fn noted(&self) {
        self.0.unkept.noted().await;
    }

    /// What there is since the last call. `is_last`: nobody calls again.
    pub fn take_unkept(&self, is_last: bool) -> Vec<Throttle> {
        let (ends, mut busy) = self.0.unkept.take();
        let (now, time) = (self.0.clock.elapsed(), self.0.clock.now());
        let mut state = self.state();
        if is_last {
            busy.extend(state.all_busy());
        }
        let scopes: HashSet<RateScope> = ends.keys().cloned().chain(busy).collect();
        let throttle = |scope: RateScope| {
            let made = state.counts(&scope, now).filter(|counts| counts.iter().any(|count| *count > 0)).map(|counts| RequestsMade { at: to_ms(time), counts });
            throttle_of(&scope, ends.get(&scope).copied().unwrap_or_default(), made)
        };
        let mut unkept: Vec<Throttle> = scopes.into_iter().filter_map(throttle).collect();
        unkept.extend(state.threads.take_unkept(is_last, now, time));
        unkept
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turns of one request, which may take several: all its waits come out of one budget.
pub struct Turns {
    scheduler: Scheduler,
    scope: RateScope,
    /// The chat or channel it is about.
    place: Option<String>,
    /// The conversation of a bot it is about.
    thread: Option<Thread>,
    cost: Cost,
    priority: Priority,
    left: Mutex<Duration>,
}

impl Turns {
    pub fn new(scheduler: &Scheduler, scope: &RateScope, place: Option<String>, cost: Cost, priority: Priority, left: Duration) -> Self {
        Self { scheduler: scheduler.clone(), scope: scope.clone(), place, thread: None, cost, priority, left: Mutex::new(left) }
    }

    pub fn in_thread(self, thread: Option<Thread>) -> Self {
        Self { thread, ..self }
    }

    /// Errors: those of [`Scheduler::enter`].
    pub async fn enter(&self) -> Result<Slot> {
        self.enter_for(self.cost).await
    }

    /// With others that it takes along.
    pub async fn enter_for(&self, cost: Cost) -> Result<Slot> {
        loop {
            if let Some(thread) = &self.thread {
                self.wait_for_thread(thread).await?;
            }
            let mut slot = self.enter_scope(cost).await?;
            if self.thread.as_ref().is_none_or(|thread| slot.go_in(thread)) {
                return Ok(slot);
            }
            // Others of this conversation went first.
            slot.narrow(0);
        }
    }

    async fn enter_scope(&self, cost: Cost) -> Result<Slot> {
        let mut left = *self.budget();
        let slot = self.scheduler.enter(&self.scope, cost, self.priority, &mut left).await;
        *self.budget() = left;
        let mut slot = slot?;
        // Kept by who is inside, so that no more than a tenant's slots wait for it.
        match self.scheduler.take_distance(&self.scope, self.place.as_deref(), slot.requests().unwrap_or(cost.requests), left) {
            Ok(Duration::ZERO) => {}
            Ok(wait) => {
                self.spend(wait);
                self.scheduler.0.clock.pause(wait).await;
                slot.begins_now();
            }
            Err(wait) => {
                slot.narrow(0);
                return Err(throttled(wait).before_its_turn());
            }
        }
        Ok(slot)
    }

    /// Until this conversation takes one more.
    async fn wait_for_thread(&self, thread: &Thread) -> Result<()> {
        let clock = &self.scheduler.0.clock;
        loop {
            let now = clock.elapsed();
            let until = self.scheduler.state().threads.open_at(&self.scope, thread, now);
            let wait = until.saturating_sub(now);
            if wait.is_zero() {
                return Ok(());
            }
            if !self.spend(wait) {
                return Err(paced(wait).before_its_turn());
            }
            clock.pause(wait).await;
        }
    }

    pub fn scope(&self) -> &RateScope {
        &self.scope
    }

    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// Requests of its scope that may be in one batch.
    pub fn most_together(&self) -> usize {
        self.scheduler.state().most_together(&self.scope, self.priority, self.scheduler.0.clock.elapsed()) as usize
    }

    /// Takes a wait out of what is left; false: it is longer than that.
    pub fn spend(&self, wait: Duration) -> bool {
        let mut left = self.budget();
        let is_enough = wait <= *left;
        *left = left.saturating_sub(wait);
        is_enough
    }

    /// Nobody of its scope goes before that time from now.
    pub fn fence(&self, wait: Duration) {
        let until = self.scheduler.0.clock.elapsed().saturating_add(wait);
        if self.thread.as_ref().is_none_or(|thread| self.scheduler.refused_in(&self.scope, thread, until)) {
            self.scheduler.fence_of(&self.scope, self.place.as_deref(), until);
        }
    }

    fn budget(&self) -> MutexGuard<'_, Duration> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn throttled(wait: Duration) -> Error {
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Error::new(ErrorKind::Throttled, "Microsoft asks to come back later.").with_retry_after_ms(Some(ms))
}

fn paced(wait: Duration) -> Error {
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let reason = "It waits for its turn: Teams takes no more than 7 messages of a bot in one conversation in a second, 60 in 30 seconds and 1,800 in an hour.";
    Error::new(ErrorKind::Throttled, reason).with_retry_after_ms(Some(ms))
}

fn busy() -> Error {
    Error::new(ErrorKind::Throttled, "So much is asked of this mailbox already that this request did not get its turn; nothing was sent. Try again later.")
}

/// A place in the queue, or inside; given back when dropped.
struct QueueEntry {
    scheduler: Scheduler,
    scope: RateScope,
    priority: Priority,
    ticket: u64,
    waiter: Arc<Waiter>,
    is_counted: bool,
}

impl QueueEntry {
    fn take(&mut self) -> Slot {
        let slot = self.is_counted.then(|| Held { scheduler: self.scheduler.clone(), scope: self.scope.clone(), priority: self.priority, cost: self.waiter.held(), began: self.scheduler.0.clock.elapsed(), is_used: true, thread: None });
        // What is inside leaves by its slot.
        self.is_counted = false;
        Slot(slot)
    }
}

impl Drop for QueueEntry {
    fn drop(&mut self) {
        if self.is_counted {
            let now = self.scheduler.0.clock.elapsed();
            let mut state = self.scheduler.state();
            if self.waiter.is_in.load(Ordering::Acquire) {
                // Nothing was made of it.
                let cost = state.narrow(&self.scope, self.priority, self.waiter.held(), 0, now);
                state.leave(&self.scope, self.priority, cost, now);
            } else {
                state.give_up(&self.scope, self.priority, self.ticket, now);
            }
        }
    }
}

/// A place inside; free again when dropped.
pub struct Slot(Option<Held>);

struct Held {
    scheduler: Scheduler,
    scope: RateScope,
    priority: Priority,
    cost: Cost,
    began: Duration,
    /// Something was asked of Microsoft with it.
    is_used: bool,
    /// The conversation of a bot it counts in.
    thread: Option<Thread>,
}

impl Slot {
    /// Makes room for `requests` in all, as far as there is room now. Answers for how many there is.
    pub fn widen(&mut self, requests: u32) -> u32 {
        let Some(Held { scheduler, scope, priority, cost, .. }) = &mut self.0 else { return requests };
        let now = scheduler.0.clock.elapsed();
        *cost = scheduler.state().widen(scope, *priority, *cost, requests, now);
        cost.requests.min(requests)
    }

    /// Only `requests` are made in all; the rest is given back.
    pub fn narrow(&mut self, requests: u32) {
        if let Some(Held { scheduler, scope, priority, cost, is_used, thread, .. }) = &mut self.0 {
            let now = scheduler.0.clock.elapsed();
            if let Some(thread) = thread.take_if(|_| requests == 0) {
                scheduler.state().threads.did_not_go(scope, &thread, now);
            }
            *cost = scheduler.state().narrow(scope, *priority, *cost, requests, now);
            *is_used = requests > 0;
        }
    }

    /// Nobody of its scope goes before that time from now. Said before the slot is free, so that no one who waits for it goes first.
    pub fn fence(&self, wait: Duration) {
        if let Some(Held { scheduler, scope, thread, .. }) = &self.0 {
            let until = scheduler.0.clock.elapsed().saturating_add(wait);
            if thread.as_ref().is_none_or(|thread| scheduler.refused_in(scope, thread, until)) {
                scheduler.fence(scope, until);
            }
        }
    }

    /// Goes in this conversation, if that takes one more now.
    fn go_in(&mut self, thread: &Thread) -> bool {
        let Some(held) = &mut self.0 else { return true };
        let (scheduler, scope) = (&held.scheduler, &held.scope);
        let now = scheduler.0.clock.elapsed();
        let mut state = scheduler.state();
        if state.threads.open_at(scope, thread, now) > now {
            return false;
        }
        if state.threads.went(scope, thread, now) {
            scheduler.0.unkept.wake();
        }
        drop(state);
        held.thread = Some(thread.clone());
        true
    }

    /// None: it is not counted.
    fn requests(&self) -> Option<u32> {
        self.0.as_ref().map(|held| held.cost.requests)
    }

    /// It waited with its slot until now.
    fn begins_now(&mut self) {
        if let Some(Held { scheduler, began, .. }) = &mut self.0 {
            *began = scheduler.0.clock.elapsed();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(Held { scheduler, scope, priority, cost, began, is_used, thread }) = self.0.take() {
            let now = scheduler.0.clock.elapsed();
            let busy = {
                let mut state = scheduler.state();
                if let Some(thread) = thread {
                    state.threads.answered(&scope, &thread, now);
                }
                if is_used {
                    state.took(&scope, cost, now.saturating_sub(began));
                }
                state.leave(&scope, priority, cost, now);
                state.take_busy()
            };
            scheduler.0.unkept.note_busy(busy);
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
