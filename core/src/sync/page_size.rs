//! How many messages a page of a folder is asked for: fewer after a page that was too much for the service, more again later.

/// Pages that have to work before a larger one is tried.
const PATIENCE: u32 = 20;
/// After as long, a sync begins with a larger page than the last one needed.
const HOUR_MS: i64 = 3_600_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSize {
    usual: u32,
    now: u32,
    /// Pages that worked at this size.
    worked: u32,
    /// Pages to wait for; doubled each time a larger page failed.
    patience: u32,
    grown: bool,
}

impl PageSize {
    /// `kept`: what a folder needed last, and since when.
    pub fn of(usual: u32, kept: Option<u32>, since: i64, at: i64) -> Self {
        let kept = kept.filter(|kept| (1..usual).contains(kept)).unwrap_or(usual);
        let mut size = Self { usual, now: kept, worked: 0, patience: PATIENCE, grown: false };
        if at.saturating_sub(since) >= HOUR_MS {
            size.grow();
        }
        size
    }

    pub fn now(&self) -> u32 {
        self.now
    }

    /// What to keep for the next sync; None: the usual size.
    pub fn kept(&self) -> Option<u32> {
        (self.now < self.usual).then_some(self.now)
    }

    /// Half as many. False: it is one already.
    pub fn shrink(&mut self) -> bool {
        if self.now <= 1 {
            return false;
        }
        if self.grown {
            self.patience = self.patience.saturating_mul(2);
        }
        (self.now, self.worked, self.grown) = (self.now / 2, 0, false);
        true
    }

    pub fn worked(&mut self) {
        self.worked += 1;
        if self.worked >= self.patience {
            self.grow();
        }
    }

    fn grow(&mut self) {
        if self.now < self.usual {
            (self.now, self.worked, self.grown) = (self.now.saturating_mul(2).min(self.usual), 0, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_halved_down_to_one_and_grows_again() {
        let mut size = PageSize::of(100, None, 0, 0);
        let mut seen = vec![size.now()];
        while size.shrink() {
            seen.push(size.now());
        }
        assert_eq!(seen, [100, 50, 25, 12, 6, 3, 1]);
        assert_eq!(size.kept(), Some(1));
        for _ in 0..20 * 7 {
            size.worked();
        }
        assert_eq!((size.now(), size.kept()), (100, None));
    }

    #[test]
    fn a_larger_page_that_fails_is_tried_less_and_less_often() {
        let mut size = PageSize::of(100, Some(10), 0, 0);
        let mut failures = 0;
        for _ in 0..200 {
            size.worked();
            if size.now() > 10 {
                failures += 1;
                assert!(size.shrink());
            }
        }
        assert!((2..=4).contains(&failures), "{failures}");
    }

    #[test]
    fn what_was_kept_is_used_and_after_an_hour_a_little_more() {
        assert_eq!(PageSize::of(100, Some(12), 1_000, 2_000).now(), 12);
        assert_eq!(PageSize::of(100, Some(12), 1_000, 1_000 + HOUR_MS).now(), 24);
        assert_eq!(PageSize::of(10, Some(12), 0, 0).now(), 10, "the setting was lowered");
        assert_eq!(PageSize::of(100, Some(0), 0, 0).now(), 100);
    }
}
