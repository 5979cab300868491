//! The pace of a mailbox: how many mails leave it a minute, to how many recipients a day.

use crate::error::Result;
use async_trait::async_trait;

const MINUTE_MS: i64 = 60_000;
/// What was let go before that counts no more.
pub const PACE_DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// A mail that is to leave.
#[derive(Debug, Clone)]
pub struct PaceRequest {
    /// Whose mailbox, by tenant and person: several accounts may have one.
    pub mailbox: String,
    pub account_id: String,
    pub item: String,
    pub recipients: u32,
    pub is_bulk: bool,
    pub pace: Pace,
}

/// 0: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    pub mails_per_minute: u32,
    pub recipients_per_day: u32,
}

impl Pace {
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// The first time, from `now` on, at which one more may leave. `others`: time and recipients of those that left or are to leave, the oldest first. One
    /// mail with more recipients than a day may have leaves alone.
    pub fn first_time(self, now: i64, others: &[(i64, u32)], recipients: u32) -> i64 {
        let mut time = now;
        if let Some(full) = usize::try_from(self.mails_per_minute).ok().filter(|most| *most > 0).and_then(|most| others.len().checked_sub(most)) {
            time = time.max(others.get(full).map_or(now, |(at, _)| at.saturating_add(MINUTE_MS)));
        }
        if self.recipients_per_day > 0 {
            let most = u64::from(self.recipients_per_day).saturating_sub(u64::from(recipients));
            let mut total = 0;
            // From the newest back: the first that does not fit any more must be a day old.
            for (at, count) in others.iter().rev() {
                total += u64::from(*count);
                if total > most {
                    return time.max(at.saturating_add(PACE_DAY_MS));
                }
            }
        }
        time
    }
}

#[async_trait]
pub trait PaceStore {
    /// Lets a mail go now, which counts from now on, or gives it a time to wait for. What was let go stays so: asked again, it goes at once. One that somebody
    /// waits for passes those of a campaign, which find another time. None: it may go.
    async fn pace(&self, request: &PaceRequest, now: i64) -> Result<Option<i64>>;
}

#[cfg(test)]
mod tests {
    use super::{PACE_DAY_MS, Pace};

    #[test]
    fn so_many_leave_in_any_minute_and_to_so_many_people_in_any_day() {
        let pace = Pace { mails_per_minute: 2, recipients_per_day: 0 };
        assert_eq!(pace.first_time(100, &[], 1), 100);
        assert_eq!(pace.first_time(100, &[(50, 1)], 1), 100);
        assert_eq!(pace.first_time(100, &[(50, 1), (60, 1)], 1), 60_050);
        assert_eq!(pace.first_time(100, &[(50, 1), (60, 1), (60_050, 1), (60_060, 1)], 1), 120_050);
        assert_eq!(pace.first_time(70_000, &[(50, 1), (60, 1)], 1), 70_000);
        let day = Pace { mails_per_minute: 0, recipients_per_day: 10 };
        assert_eq!(day.first_time(100, &[(1, 4), (2, 5)], 1), 100);
        assert_eq!(day.first_time(100, &[(1, 4), (2, 5)], 2), 1 + PACE_DAY_MS);
        assert_eq!(day.first_time(100, &[(1, 4), (2, 5)], 6), 2 + PACE_DAY_MS);
        assert_eq!(day.first_time(100, &[(1, 4)], 500), 1 + PACE_DAY_MS, "one that is too large leaves alone");
        assert_eq!(day.first_time(100, &[], 500), 100);
    }
}
