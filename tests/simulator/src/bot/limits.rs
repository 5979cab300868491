//! How often a bot may do what. Source: bots.md §6.

use super::refusals::refuse;
use crate::http::{Answer, Call};
use crate::server::Arrival;
use crate::world::World;
use std::collections::VecDeque;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum What {
    /// Send to a conversation, or create one.
    Write,
    /// Members and conversations.
    Read,
    /// All members at once, in the old form.
    OldRoster,
}

#[derive(PartialEq, Eq, Hash)]
pub enum Key {
    /// Bot and thread.
    Own(String, String, What),
    /// All bots in a thread.
    All(String, What),
    /// Bot in an organisation.
    Tenant(String, usize),
}

/// Milliseconds, and how many within them.
type Rates = &'static [(i64, usize)];

const OWN_WRITES: Rates = &[(1_000, 7), (2_000, 8), (30_000, 60), (3_600_000, 1_800)];
const OWN_READS: Rates = &[(1_000, 14), (2_000, 16), (30_000, 120), (3_600_000, 3_600)];
const ALL_WRITES: Rates = &[(1_000, 14), (2_000, 16)];
const ALL_READS: Rates = &[(1_000, 28), (2_000, 32)];
const OLD_ROSTER: Rates = &[(60_000, 5)];
const TENANT: Rates = &[(1_000, 30)];

/// Milliseconds until one more is allowed; 0: now.
fn wait(taken: Option<&VecDeque<i64>>, rates: Rates, now: i64) -> i64 {
    let Some(taken) = taken else { return 0 };
    let one = |(window, most): &(i64, usize)| {
        let inside = taken.iter().filter(|at| **at > now - window).count();
        // The window is open again when so many have left it that one fits.
        let leaver = inside.checked_sub(*most).and_then(|over| taken.iter().filter(|at| **at > now - window).nth(over));
        leaver.map_or(0, |at| at + window - now)
    };
    rates.iter().map(one).max().unwrap_or(0)
}

/// Counts the request, or refuses it.
pub fn take(world: &mut World, call: &Call, arrival: &Arrival, bot: &str, tenant: usize, thread: &str, what: What) -> Result<(), Answer> {
    if !world.limits.throttle {
        return Ok(());
    }
    let now = world.now();
    let (own, all) = match what {
        What::Write => (OWN_WRITES, ALL_WRITES),
        What::Read => (OWN_READS, ALL_READS),
        What::OldRoster => (OLD_ROSTER, ALL_READS),
    };
    let keys = [
        (Key::Own(bot.into(), thread.into(), what), own),
        (Key::All(thread.into(), what), all),
        (Key::Tenant(bot.into(), tenant), TENANT),
    ];
    let longest = keys.iter().map(|(key, rates)| wait(world.bots.windows.get(key), rates, now)).max().unwrap_or(0);
    if longest > 0 {
        let refused = refuse(429, "Throttled", "Too many requests");
        if world.odd("bot_throttling_untold") {
            return Err(refused);
        }
        let seconds = (longest + 999) / 1000;
        world.limits.promise(&arrival.person, call, now + seconds * 1000);
        return Err(refused.with("Retry-After", seconds.to_string()));
    }
    for (key, rates) in keys {
        let longest = rates.iter().map(|(window, _)| *window).max().unwrap_or(0);
        let taken = world.bots.windows.entry(key).or_default();
        while taken.front().is_some_and(|at| *at <= now - longest) {
            taken.pop_front();
        }
        taken.push_back(now);
    }
    Ok(())
}
