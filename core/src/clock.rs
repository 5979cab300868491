//! The only module that knows the time. Everything else is handed a [`Clock`].

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits in real time, whatever the clock: for what others do in real time (a transaction of another process).
#[allow(clippy::disallowed_methods)]
pub async fn real_time(how_long: Duration) {
    tokio::time::sleep(how_long).await;
}

/// Time as the engine sees it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Wall time; may jump.
    fn now(&self) -> SystemTime;
    /// Time since some fixed moment; never goes back.
    fn elapsed(&self) -> Duration;
    /// Waits because there is nothing else to do: a Retry-After, a back-off, a lease. A test clock offers to skip such waits.
    fn pause(&self, how_long: Duration) -> Wait;
    /// Waits as a limit on something that is going on: a deadline, a timer. A test clock never skips to it by itself.
    fn deadline(&self, how_long: Duration) -> Wait;
}

/// Milliseconds since 1970, the form in which times are stored.
pub fn to_ms(at: SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(d) => i64::try_from(d.as_millis()).unwrap_or(i64::MAX),
        Err(e) => i64::try_from(e.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

/// The inverse of [`to_ms`]; times outside the platform's range become 1970.
pub fn from_ms(ms: i64) -> SystemTime {
    let distance = Duration::from_millis(ms.unsigned_abs());
    if ms >= 0 { UNIX_EPOCH.checked_add(distance) } else { UNIX_EPOCH.checked_sub(distance) }.unwrap_or(UNIX_EPOCH)
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

#[allow(clippy::disallowed_methods)] // this is the module the rule points to
impl SystemClock {
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::disallowed_methods)]
impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
    fn pause(&self, how_long: Duration) -> Wait {
        Box::pin(async move { tokio::time::sleep(how_long).await })
    }
    fn deadline(&self, how_long: Duration) -> Wait {
        self.pause(how_long)
    }
}

/// A clock that stands still until a test moves it. For your own tests against the simulator.
#[derive(Clone)]
pub struct TestClock(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Bumped whenever time moved or somebody began to wait.
    changed: watch::Sender<u64>,
}

struct State {
    now_ms: u64,
    start_ms: u64,
    next_id: u64,
    /// (wake-up time, id) of every pause.
    pauses: BTreeSet<(u64, u64)>,
}

impl TestClock {
    /// Starts at this many milliseconds since 1970 (UTC).
    pub fn new(now_ms: u64) -> Self {
        let state = State { now_ms, start_ms: now_ms, next_id: 0, pauses: BTreeSet::new() };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: watch::Sender::new(0) }))
    }

    /// The time it shows, in milliseconds since 1970 (UTC).
    pub fn now_ms(&self) -> u64 {
        self.state().now_ms
    }

    /// Moves it forward and wakes whoever waited for that.
    pub fn advance(&self, ms: u64) {
        {
            let mut state = self.state();
            state.now_ms = state.now_ms.saturating_add(ms);
            let now = state.now_ms;
            // Removed here and not by the sleeper, so that `next_wait` never reports a wait that is over.
            state.pauses.retain(|(wake, _)| *wake > now);
        }
        self.notify();
    }

    /// Waits until the engine has nothing to do but wait (for a Retry-After, a back-off), and tells how many milliseconds that is from now.
    pub async fn next_wait(&self) -> u64 {
        let mut changed = self.0.changed.subscribe();
        loop {
            {
                let state = self.state();
                if let Some((wake, _)) = state.pauses.first() {
                    return wake.saturating_sub(state.now_ms);
                }
            }
            if changed.changed().await.is_err() {
                return u64::MAX;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        self.0.changed.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn wait_until(&self, how_long: Duration, skippable: bool) -> Wait {
        let clock = self.clone();
        let (wake, id) = {
            let mut state = self.state();
            let wake = state.now_ms.saturating_add(u64::try_from(how_long.as_millis()).unwrap_or(u64::MAX));
            state.next_id += 1;
            let id = state.next_id;
            if skippable && wake > state.now_ms {
                state.pauses.insert((wake, id));
            }
            (wake, id)
        };
        self.notify();
        let sleeper = Sleeper { clock, entry: (wake, id) };
        Box::pin(async move {
            let mut changed = sleeper.clock.0.changed.subscribe();
            while sleeper.clock.now_ms() < wake {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        })
    }
}

/// Takes its entry away when the waiting future is dropped.
struct Sleeper {
    clock: TestClock,
    entry: (u64, u64),
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.clock.state().pauses.remove(&self.entry);
    }
}

impl fmt::Debug for TestClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestClock({} ms)", self.now_ms())
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        from_ms(i64::try_from(self.now_ms()).unwrap_or(i64::MAX))
    }
    fn elapsed(&self) -> Duration {
        let state = self.state();
        Duration::from_millis(state.now_ms.saturating_sub(state.start_ms))
    }
    fn pause(&self, how_long: Duration) -> Wait {
        self.wait_until(how_long, true)
    }
    fn deadline(&self, how_long: Duration) -> Wait {
        self.wait_until(how_long, false)
    }
}
