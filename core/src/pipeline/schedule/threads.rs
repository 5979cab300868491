//! How often a bot may speak and look in one conversation, which Teams counts apart from all else: so a long queue for one conversation keeps to that, and holds up no
//! other. A person's conversations, and a channel with its threads, are one each. Source: Teams, rate limiting of bots.

use super::super::scope::{Mailbox, RateScope, Thread};
use super::super::throttles::{WORTH_KEEPING as LONG, left, of_thread, thread_of};
use super::lines::WORTH_KEEPING;
use super::window::{Rate, Window};
use crate::clock::{from_ms, to_ms};
use crate::throttle::{RequestsMade, Throttle};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

const fn rate(most: u32, seconds: u64) -> Rate {
    Rate { most, span: Duration::from_secs(seconds) }
}

/// The last one is the longest.
const WRITES: [Rate; 4] = [rate(7, 1), rate(8, 2), rate(60, 30), rate(1_800, 3_600)];
const READS: [Rate; 4] = [rate(14, 1), rate(16, 2), rate(120, 30), rate(3_600, 3_600)];

fn rates(thread: &Thread) -> [Rate; 4] {
    if thread.is_write { WRITES } else { READS }
}

fn of_an_hour(thread: &Thread) -> Rate {
    let [.., hour] = rates(thread);
    hour
}

/// A bot in an organisation.
type Bot = (String, String);

#[derive(Default)]
struct Counted {
    windows: [Window; 4],
    /// Nobody goes before this moment of the monotonic clock: a Retry-After.
    fence: Duration,
    /// The mailbox that its organisation's requests count against, for those who come later.
    user_id: String,
}

#[derive(Default)]
pub struct Threads {
    all: HashMap<(Bot, Thread), Counted>,
    /// Another process should know of these.
    unkept: HashSet<(Bot, Thread)>,
}

fn key(scope: &RateScope, thread: &Thread) -> Option<((Bot, Thread), String)> {
    let RateScope::Graph(_, mailbox) = scope else { return None };
    Some((((mailbox.client_id.clone(), mailbox.tenant_id.clone()), thread.clone()), mailbox.user_id.clone()))
}

impl Counted {
    fn open_at(&mut self, rates: [Rate; 4], now: Duration) -> Duration {
        self.windows.iter_mut().zip(rates).map(|(window, rate)| window.open_at(rate, 1, now)).fold(self.fence, Duration::max)
    }

    fn add(&mut self, rates: [Rate; 4], now: Duration) {
        self.windows.iter_mut().zip(rates).for_each(|(window, rate)| window.add(rate, 1, now));
    }

    fn take_back(&mut self, rates: [Rate; 4], now: Duration) {
        self.windows.iter_mut().zip(rates).for_each(|(window, rate)| window.take_back(rate, 1, now));
    }

    fn in_an_hour(&self) -> u32 {
        self.windows.last().map_or(0, Window::total)
    }
}

impl Threads {
    /// When one more may go; `now` or earlier: at once.
    pub fn open_at(&mut self, scope: &RateScope, thread: &Thread, now: Duration) -> Duration {
        let Some((key, _)) = key(scope, thread) else { return now };
        self.all.get_mut(&key).map_or(now, |counted| counted.open_at(rates(thread), now))
    }

    /// One goes now. True: another process should know how many there were.
    pub fn went(&mut self, scope: &RateScope, thread: &Thread, now: Duration) -> bool {
        let Some((key, user_id)) = key(scope, thread) else { return false };
        let counted = self.all.entry(key.clone()).or_default();
        counted.user_id = user_id;
        let step = (of_an_hour(thread).most / WORTH_KEEPING).max(1);
        let before = counted.in_an_hour() / step;
        counted.add(rates(thread), now);
        let is_worth_it = counted.in_an_hour() / step > before;
        if is_worth_it {
            self.unkept.insert(key);
        }
        is_worth_it
    }

    /// It was answered, or given up: it arrived no later than now, and counts from now on.
    pub fn answered(&mut self, scope: &RateScope, thread: &Thread, now: Duration) {
        if let Some(counted) = key(scope, thread).and_then(|(key, _)| self.all.get_mut(&key)) {
            counted.take_back(rates(thread), now);
            counted.add(rates(thread), now);
        }
    }

    /// It was not made.
    pub fn did_not_go(&mut self, scope: &RateScope, thread: &Thread, now: Duration) {
        if let Some(counted) = key(scope, thread).and_then(|(key, _)| self.all.get_mut(&key)) {
            counted.take_back(rates(thread), now);
        }
    }

    /// A request was refused until then. True: so is another conversation of this bot at the same time, and it is the organisation that has had enough.
    pub fn refused(&mut self, scope: &RateScope, thread: &Thread, until: Duration, now: Duration) -> bool {
        let Some((key, user_id)) = key(scope, thread) else { return true };
        let is_general = self.all.iter().any(|((bot, other), counted)| *bot == key.0 && other.id != thread.id && counted.fence > now);
        let counted = self.all.entry(key.clone()).or_default();
        counted.user_id = user_id;
        counted.fence = counted.fence.max(until);
        if until.saturating_sub(now) >= LONG {
            self.unkept.insert(key);
        }
        is_general
    }

    /// What another process should know since the last call. `is_last`: nobody calls again.
    pub fn take_unkept(&mut self, is_last: bool, now: Duration, time: SystemTime) -> Vec<Throttle> {
        let mut keys = std::mem::take(&mut self.unkept);
        if is_last {
            let is_busy = |thread: &Thread, counted: &Counted| counted.in_an_hour() >= of_an_hour(thread).most / WORTH_KEEPING;
            keys.extend(self.all.iter().filter(|((_, thread), counted)| is_busy(thread, counted)).map(|(key, _)| key.clone()));
        }
        let mut throttle = |((client_id, tenant_id), thread): (Bot, Thread)| {
            let key = ((client_id.clone(), tenant_id.clone()), thread.clone());
            let counted = self.all.get_mut(&key)?;
            let counts = counted.windows.last_mut().map(|window| window.counts(of_an_hour(&thread), now)).filter(|counts| counts.iter().any(|count| *count > 0));
            let wait = i64::try_from(counted.fence.saturating_sub(now).as_millis()).unwrap_or(i64::MAX);
            let until = if wait > 0 { to_ms(time).saturating_add(wait) } else { 0 };
            let made = counts.map(|counts| RequestsMade { at: to_ms(time), counts });
            Some(of_thread(Mailbox { client_id, tenant_id, user_id: counted.user_id.clone() }, &thread, until, made))
        };
        keys.into_iter().filter_map(&mut throttle).collect()
    }

    /// What an earlier process was told, and what it has said. False: it is of no conversation.
    pub fn resume(&mut self, throttle: &Throttle, now: Duration, time: SystemTime) -> bool {
        let Some(thread) = thread_of(throttle) else { return false };
        let hour = of_an_hour(&thread);
        let counted = self.all.entry(((throttle.client_id.clone(), throttle.tenant_id.clone()), thread)).or_default();
        counted.user_id = throttle.user_id.clone();
        counted.fence = counted.fence.max(now.saturating_add(left(throttle, time)));
        // Counted ahead of this clock: it was set back, and nobody knows how long ago it was.
        if let Some(made) = &throttle.made
            && let Ok(age) = time.duration_since(from_ms(made.at))
            && let Some(window) = counted.windows.last_mut()
        {
            window.add_counts(hour, &made.counts, age, now);
        }
        true
    }

    pub fn forget_what_is_over(&mut self, now: Duration) {
        self.all.retain(|(_, thread), counted| counted.fence > now || counted.windows.iter_mut().zip(rates(thread)).any(|(window, rate)| !window.is_empty(rate, now)));
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
