//! What time Microsoft says it is. What is done because time has passed, and cannot be undone, is done only when Microsoft's clock agrees with ours.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// More than a clock is off that somebody takes care of.
const MOST_OFF: Duration = Duration::from_secs(24 * 3600);

#[derive(Default)]
pub struct ServerTime {
    /// The time that was said last, and ours that cannot be set.
    last: Mutex<Option<(SystemTime, Duration)>>,
}

impl ServerTime {
    /// `date`: the header of an answer (RFC 9110, section 6.6.1).
    pub fn hear(&self, date: Option<&str>, elapsed: Duration) {
        if let Some(said) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((said, elapsed));
        }
    }

    /// What time it is there by what was said last and the time that has passed since then. None: nothing was said yet.
    pub fn now(&self, elapsed: Duration) -> Option<SystemTime> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.and_then(|(said, heard)| said.checked_add(elapsed.saturating_sub(heard)))
    }

    /// By what was said last and the time that has passed since then, `now` is right. False as long as nothing was said.
    pub fn confirms(&self, now: SystemTime, elapsed: Duration) -> bool {
        self.now(elapsed)
            .is_some_and(|expected| now.duration_since(expected).unwrap_or_else(|e| e.duration()) < MOST_OFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_ms;

    const SAID: &str = "Thu, 15 Jan 2026 09:00:00 GMT";
    const SAID_MS: i64 = 1_768_467_600_000;
    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn a_clock_is_right_by_what_was_said_and_the_time_since() {
        let time = ServerTime::default();
        let day = Duration::from_secs(24 * 3600);
        assert!(!time.confirms(from_ms(SAID_MS), day), "nobody said anything yet");
        for nothing in [None, Some(""), Some("yesterday")] {
            time.hear(nothing, day);
            assert!(!time.confirms(from_ms(SAID_MS), day));
        }
        time.hear(Some(SAID), day);
        for (off_ms, right) in [(0, true), (3_600_000, true), (-3_600_000, true), (365 * DAY_MS, false), (-365 * DAY_MS, false), (DAY_MS, false)] {
            assert_eq!(time.confirms(from_ms(SAID_MS + off_ms), day), right, "{off_ms}");
            assert_eq!(time.confirms(from_ms(SAID_MS + 40 * DAY_MS + off_ms), day * 41), right, "forty days later, {off_ms}");
        }
    }
}
