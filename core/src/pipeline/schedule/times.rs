//! How many requests a batch may hold. Outlook runs four of a batch at a time, and nothing else of its mailbox meanwhile: whoever waits for this mailbox waits
//! for all of the batch. So a batch takes no longer than two requests by themselves. Where the way to Microsoft is long, that are many, as they share it;
//! where it is short, longer batches would not be faster.

use std::time::Duration;

/// Of a batch, so many run at a time. Source: Graph, JSON batching, and throttling limits of Outlook.
const AT_A_TIME: u32 = 4;
const MOST_ROUNDS: u32 = 5;
const FEWEST_ROUNDS: u32 = 2;

/// As measured of late.
#[derive(Debug, Default)]
pub struct Times {
    /// Of a request by itself.
    single: Option<Duration>,
    /// What each further round of a batch adds.
    round: Option<Duration>,
}

impl Times {
    /// So many requests, sent as one, took this long.
    pub fn note(&mut self, requests: u32, took: Duration) {
        let rounds = requests.div_ceil(AT_A_TIME);
        if rounds <= 1 {
            // One that took long may have been large, or was held up: it counts for less.
            self.single = Some(self.single.map_or(took, |known| toward(known, took, if took < known { 2 } else { 16 })));
        } else if let Some(single) = self.single {
            let round = took.saturating_sub(single) / (rounds - 1);
            self.round = Some(self.round.map_or(round, |known| toward(known, round, 4)));
        }
    }

    /// Requests in a batch, at most.
    pub fn most_together(&self) -> u32 {
        let (Some(single), Some(round)) = (self.single, self.round) else { return MOST_ROUNDS * AT_A_TIME };
        // One request takes the way and a round. A batch may take the way and more rounds, in two such times.
        let more = single.as_micros().checked_div(round.as_micros()).unwrap_or(u128::MAX);
        let rounds = u32::try_from(more).unwrap_or(u32::MAX).saturating_add(1).clamp(FEWEST_ROUNDS, MOST_ROUNDS);
        rounds * AT_A_TIME
    }
}

/// A step of one in `parts` from what is known to what was measured.
fn toward(known: Duration, measured: Duration, parts: u32) -> Duration {
    (known * (parts - 1) + measured) / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Batches as long as is allowed each time, over a way that takes `way`, of requests that take `round`.
    fn settled(way: Duration, round: Duration) -> u32 {
        let mut times = Times::default();
        for _ in 0..20 {
            times.note(1, way + round);
            let most = times.most_together();
            times.note(most, way + round * most.div_ceil(4));
        }
        times.most_together()
    }

    #[test]
    fn a_batch_takes_no_longer_than_two_requests() {
        assert_eq!(settled(ms(0), ms(20)), 8);
        assert_eq!(settled(ms(15), ms(20)), 8);
        assert_eq!(settled(ms(20), ms(20)), 12);
        assert_eq!(settled(ms(60), ms(20)), 20);
        assert_eq!(settled(ms(600), ms(20)), 20);
        for (way, round) in [(10, 20), (25, 20), (45, 20), (100, 150)] {
            let rounds = u64::from(settled(ms(way), ms(round)) / 4);
            assert!(way + rounds * round <= 2 * (way + round), "{way} and {round}: {rounds} rounds");
        }
    }

    #[test]
    fn what_is_not_known_yet_holds_nobody_back_and_a_slow_request_changes_little() {
        let mut times = Times::default();
        assert_eq!(times.most_together(), 20);
        times.note(20, ms(100));
        assert_eq!(times.most_together(), 20, "nobody knows what one of them takes");
        times.note(3, ms(20));
        times.note(20, ms(100));
        assert_eq!(times.most_together(), 8);
        times.note(1, ms(120));
        assert_eq!(times.most_together(), 8);
        // A clock that stands still, as tests have it.
        let mut still = Times::default();
        still.note(1, Duration::ZERO);
        still.note(20, Duration::ZERO);
        assert_eq!(still.most_together(), 20);
    }
}
