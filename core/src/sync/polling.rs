//! When a mailbox is looked at next: seconds after something happened in it, minutes when it is quiet, and never so often that its quota suffers.

use crate::error::{Error, ErrorKind};
use std::time::Duration;

/// After something came, or was sent.
pub const SOONEST: Duration = Duration::from_secs(15);
/// Of a mailbox in which nothing happens.
const QUIETEST: Duration = Duration::from_secs(300);
/// Of one that fails.
const FAILING: Duration = Duration::from_secs(15 * 60);
/// Of one that waits for a person to do something.
const WAITING: Duration = Duration::from_secs(3600);
/// Requests a second that looking may take of a mailbox: a quarter of its quota. Source: Graph, throttling limits, Outlook.
const REQUESTS_A_SECOND: f64 = 10_000.0 / 600.0 / 4.0;
/// With so much of the quota used by all that is asked, looking waits.
const BUSY: f64 = 0.5;

/// What came of a look.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub has_news: bool,
    /// It took so many requests.
    pub requests: u32,
    /// Of the mailbox's quota, what was used of late by all requests of this engine: 0 to 1.
    pub quota_used: f64,
}

/// After a look that took `pause` to come.
pub fn after(pause: Duration, seen: Seen) -> Duration {
    let wanted = if seen.has_news { SOONEST } else { pause.saturating_mul(2).clamp(SOONEST, QUIETEST) };
    let allowed = Duration::from_secs_f64(f64::from(seen.requests) / REQUESTS_A_SECOND);
    let spared = if seen.quota_used > BUSY { QUIETEST } else { Duration::ZERO };
    wanted.max(allowed).max(spared)
}

/// After a look that failed.
pub fn after_failure(pause: Duration, error: &Error) -> Duration {
    let asked = error.retry_after_ms().map_or(Duration::ZERO, Duration::from_millis);
    let wanted = match error.kind() {
        // It was stopped, and goes on where it was.
        ErrorKind::Cancelled | ErrorKind::Closed => Duration::ZERO,
        ErrorKind::NeedsReconnect | ErrorKind::NotConnected | ErrorKind::ConsentMissing | ErrorKind::Forbidden | ErrorKind::InvalidInput => WAITING,
        _ => pause.saturating_mul(2).clamp(SOONEST, FAILING),
    };
    wanted.max(asked.min(WAITING))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(has_news: bool, requests: u32, quota_used: f64) -> Seen {
        Seen { has_news, requests, quota_used }
    }

    #[test]
    fn seconds_after_news_and_minutes_when_quiet() {
        let mut pauses = vec![after(s(300), seen(true, 3, 0.0))];
        for _ in 0..6 {
            pauses.push(after(pauses[pauses.len() - 1], seen(false, 3, 0.0)));
        }
        assert_eq!(pauses, [s(15), s(30), s(60), s(120), s(240), s(300), s(300)]);
        assert_eq!(after(Duration::ZERO, seen(false, 3, 0.0)), s(15));
    }

    #[test]
    fn the_quota_is_spared() {
        assert_eq!(after(s(300), seen(true, 1_000, 0.0)), s(240), "a thousand folders are a thousand requests");
        assert_eq!(after(s(15), seen(true, 3, 0.6)), s(300));
        let a_day = 86_400.0 / after(s(15), seen(true, 62, 0.0)).as_secs_f64() * 62.0;
        assert!(a_day / (10_000.0 * 144.0) <= 0.25);
    }

    #[test]
    fn what_fails_is_tried_less_often_and_what_needs_a_person_hourly() {
        let error = |kind| Error::new(kind, "no");
        let mut pause = Duration::ZERO;
        let pauses: Vec<u64> = (0..8)
            .map(|_| {
                pause = after_failure(pause, &error(ErrorKind::Network));
                pause.as_secs()
            })
            .collect();
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(after_failure(s(15), &error(ErrorKind::NeedsReconnect)), s(3600));
        assert_eq!(after_failure(s(15), &error(ErrorKind::Throttled).with_retry_after_ms(Some(120_000))), s(120));
        assert_eq!(after_failure(s(15), &error(ErrorKind::Cancelled)), Duration::ZERO);
    }
}
