//! How many requests were made within a span of time, in sub-spans: a request counts for at most one sub-span longer than it does at Microsoft.

use std::time::Duration;

const PARTS: usize = 20;

/// At most `most` requests within `span`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub most: u32,
    pub span: Duration,
}

#[derive(Debug, Default)]
pub struct Window {
    /// The latest sub-span, by its number, and the counts of it and those before it.
    latest: u64,
    counts: [u32; PARTS],
}

impl Window {
    /// `requests` more.
    pub fn add(&mut self, rate: Rate, requests: u32, now: Duration) {
        let part = self.turn(rate, now);
        if let Some(count) = self.counts.get_mut(part) {
            *count = count.saturating_add(requests);
        }
    }

    /// `requests` of those added last were not made.
    pub fn take_back(&mut self, rate: Rate, mut requests: u32, now: Duration) {
        self.turn(rate, now);
        for part in (0..=self.latest).rev().take(PARTS) {
            let Some(count) = self.counts.get_mut(part as usize % PARTS) else { continue };
            let back = requests.min(*count);
            *count -= back;
            requests -= back;
        }
    }

    /// When `requests` more are allowed; `now` or earlier: at once.
    pub fn open_at(&mut self, rate: Rate, requests: u32, now: Duration) -> Duration {
        self.turn(rate, now);
        let mut too_many = self.total().saturating_add(requests.min(rate.most)).saturating_sub(rate.most);
        let oldest = (self.latest + 1).saturating_sub(PARTS as u64);
        for part in oldest..=self.latest {
            if too_many == 0 {
                break;
            }
            too_many = too_many.saturating_sub(self.counts.get(part as usize % PARTS).copied().unwrap_or_default());
            if too_many == 0 {
                // When this sub-span is no longer within the span.
                return sub_span(rate).saturating_mul(u32::try_from(part).unwrap_or(u32::MAX));
            }
        }
        now
    }

    /// Nothing counts any more.
    pub fn is_empty(&mut self, rate: Rate, now: Duration) -> bool {
        self.turn(rate, now);
        self.total() == 0
    }

    /// What counts now, the oldest sub-span first.
    pub fn counts(&mut self, rate: Rate, now: Duration) -> Vec<u32> {
        self.turn(rate, now);
        (0..PARTS as u64).map(|n| self.counts.get((self.latest + 1 + n) as usize % PARTS).copied().unwrap_or_default()).collect()
    }

    /// Counts as well what another process counted this long ago.
    pub fn add_counts(&mut self, rate: Rate, counts: &[u32], age: Duration, now: Duration) {
        self.turn(rate, now);
        let passed = age.as_millis() / sub_span(rate).as_millis().max(1);
        for (parts_ago, count) in counts.iter().rev().enumerate() {
            let parts_ago = parts_ago as u128 + passed;
            if parts_ago >= PARTS as u128 {
                break;
            }
            if let Some(own) = self.counts.get_mut((self.latest - parts_ago as u64) as usize % PARTS) {
                *own = own.saturating_add(*count);
            }
        }
    }

    pub fn total(&self) -> u32 {
        self.counts.iter().fold(0, |all, count| all.saturating_add(*count))
    }

    /// Forgets what is over, and answers where `now` is counted.
    fn turn(&mut self, rate: Rate, now: Duration) -> usize {
        // Those before the clock began have numbers too: an earlier process may have counted in them.
        let part = (now.as_millis() / sub_span(rate).as_millis().max(1)) as u64 + PARTS as u64;
        let part = part.max(self.latest);
        if part - self.latest >= PARTS as u64 {
            self.counts = [0; PARTS];
        } else {
            for over in self.latest + 1..=part {
                if let Some(count) = self.counts.get_mut(over as usize % PARTS) {
                    *count = 0;
                }
            }
        }
        self.latest = part;
        part as usize % PARTS
    }
}

/// In whole milliseconds, rounded up: all but the current one together are never shorter than the span.
fn sub_span(rate: Rate) -> Duration {
    let ms = u64::try_from(rate.span.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(ms.div_ceil(PARTS as u64 - 1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { most: 10, span: Duration::from_secs(19) };

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn never_more_than_the_rate_within_any_span() {
        let mut window = Window::default();
        let mut made: Vec<Duration> = Vec::new();
        let mut now = Duration::ZERO;
        for n in 0..200_u32 {
            let requests = n % 3 + 1;
            now += Duration::from_millis(u64::from(n * 37 % 900));
            now = now.max(window.open_at(RATE, requests, now));
            assert_eq!(window.open_at(RATE, requests, now), now, "{n}");
            window.add(RATE, requests, now);
            made.extend((0..requests).map(|_| now));
            let within = made.iter().filter(|at| **at + RATE.span > now).count();
            assert!(within <= 10, "{within} at {now:?}");
        }
        assert!(now < s(19 * 50), "and not much fewer: {now:?}");
    }

    #[test]
    fn what_was_not_made_does_not_count() {
        let mut window = Window::default();
        window.add(RATE, 6, s(3));
        window.add(RATE, 4, s(5));
        window.take_back(RATE, 5, s(5));
        assert_eq!(window.open_at(RATE, 5, s(5)), s(5));
        assert!(window.open_at(RATE, 6, s(5)) > s(5));
        window.take_back(RATE, 50, s(5));
        assert!(window.is_empty(RATE, s(5)));
    }

    #[test]
    fn what_an_earlier_process_counted_counts_as_long_as_it_would_have() {
        let mut first = Window::default();
        first.add(RATE, 6, s(100));
        first.add(RATE, 3, s(110));
        let counts = first.counts(RATE, s(112));
        assert_eq!((counts.len(), counts.iter().sum::<u32>()), (PARTS, 9));
        // Four seconds later, in a process that has just begun.
        let mut next = Window::default();
        next.add_counts(RATE, &counts, s(4), s(0));
        assert_eq!(next.open_at(RATE, 1, s(0)), s(0));
        let of_the_first = first.open_at(RATE, 5, s(116)) - s(116);
        assert_eq!(next.open_at(RATE, 5, s(0)), of_the_first, "the six of them are over at the same time");
        assert!(!next.is_empty(RATE, of_the_first) && next.is_empty(RATE, s(14)));
        // What is over by then, or has another form, counts for nothing.
        let mut later = Window::default();
        later.add_counts(RATE, &counts, s(1_000_000_000), s(3));
        assert!(later.is_empty(RATE, s(3)));
        later.add_counts(RATE, &[7; 3 * PARTS], s(0), s(3));
        assert_eq!(later.total(), 7 * PARTS as u32);
    }

    #[test]
    fn what_is_over_is_forgotten_and_a_batch_beyond_the_rate_is_let_through_alone() {
        let mut window = Window::default();
        window.add(RATE, 10, s(5));
        assert_eq!(window.open_at(RATE, 1, s(5)), s(25));
        assert!(window.is_empty(RATE, s(25)) && window.open_at(RATE, 20, s(25)) == s(25));
        assert!(!Window { latest: 3 + PARTS as u64, counts: [1; PARTS] }.is_empty(RATE, s(1)), "a clock that goes back changes nothing");
    }
}
