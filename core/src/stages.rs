//! Where the time of a sync goes, stage by stage: what `make bench` shows. It is measured in builds with the feature `profile` alone, which no package has;
//! elsewhere nothing of it is left.
//!
//! Times are summed over all threads, and a stage within another one counts for itself alone. Waiting for bytes of the service is the one time in which no
//! processor works.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for answers, several at a time.
    Download,
    Parse,
    Compress,
    /// What is here already, and what differs.
    Plan,
    Seal,
    Insert,
    Commit,
    Audit,
}

#[cfg(not(feature = "profile"))]
mod measured {
    use super::Stage;

    #[inline(always)]
    pub fn timed<T>(_: Stage, work: impl FnOnce() -> T) -> T {
        work()
    }

    #[inline(always)]
    pub fn waited<F: Future>(_: Stage, wait: F) -> F {
        wait
    }
}

#[cfg(feature = "profile")]
#[allow(clippy::disallowed_methods, clippy::disallowed_types)] // real time is what it is about
mod measured {
    use super::Stage;
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    const NAMES: [&str; 8] = ["download (waiting)", "parse", "compress", "plan", "seal", "insert", "commit", "audit"];

    static SPENT: [AtomicU64; NAMES.len()] = [const { AtomicU64::new(0) }; NAMES.len()];

    thread_local! {
        /// Nanoseconds of the stages within the one under way.
        static WITHIN: Cell<u64> = const { Cell::new(0) };
    }

    fn nanoseconds(began: Instant) -> u64 {
        u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn add(stage: Stage, spent: u64) {
        if let Some(all) = SPENT.get(stage as usize) {
            all.fetch_add(spent, Ordering::Relaxed);
        }
    }

    pub fn timed<T>(stage: Stage, work: impl FnOnce() -> T) -> T {
        let (began, before) = (Instant::now(), WITHIN.replace(0));
        let result = work();
        let spent = nanoseconds(began);
        add(stage, spent.saturating_sub(WITHIN.get()));
        WITHIN.set(before.saturating_add(spent));
        result
    }

    pub async fn waited<F: Future>(stage: Stage, wait: F) -> F::Output {
        let began = Instant::now();
        let result = wait.await;
        add(stage, nanoseconds(began));
        result
    }

    /// Name and time of each stage since the process began.
    pub fn spent() -> Vec<(&'static str, Duration)> {
        NAMES.iter().zip(&SPENT).map(|(name, all)| (*name, Duration::from_nanos(all.load(Ordering::Relaxed)))).collect()
    }
}

#[cfg(feature = "profile")]
pub use measured::spent;
pub use measured::{timed, waited};
