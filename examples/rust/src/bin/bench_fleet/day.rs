//! A day of the clock: its hours, one after the other, and an hour in which nothing happens.

use super::fleet::Fleet;
use super::hour::{self, Hour};
use super::simulator::Simulated;
use super::{Outcome, process};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings::{Engine, TestClock};

const HOURS: u32 = 24;
const HOUR_MS: u64 = 3_600_000;
/// A quiet hour passes in steps, so that each of the engine's timers goes off as often as in a real one.
const STEP_MS: u64 = 5_000;
/// In real time after each step: as long as a timer's work takes at least.
const SETTLE: Duration = Duration::from_millis(2);

#[derive(Default)]
pub struct Day {
    pub syncs: u32,
    pub added: u32,
    /// Syncs that failed, by kind.
    pub failed: BTreeMap<String, u32>,
    pub bulk: u32,
    pub waits: Vec<Duration>,
}

pub async fn run(engine: &Engine, simulated: &Arc<Simulated>, clock: &Arc<TestClock>, fleet: &Arc<Fleet>) -> Outcome<Day> {
    let mut day = Day::default();
    let began = clock.now_ms();
    let following = tokio::spawn(simulated.clone().follow(clock.clone()));
    for number in 0..HOURS {
        let wanted = began + u64::from(number) * HOUR_MS;
        simulated.advance(clock, wanted.saturating_sub(clock.now_ms())).await?;
        let at = Instant::now();
        let Hour { outcomes, bulk, waits } = hour::run(engine, simulated, fleet, number).await?;
        for outcome in outcomes {
            match (outcome.report, outcome.error_kind) {
                (Some(report), _) => {
                    day.syncs += 1;
                    day.added += report.added;
                }
                (None, kind) => *day.failed.entry(format!("{kind:?}: {}", outcome.error.unwrap_or_default())).or_default() += 1,
            }
        }
        day.bulk += bulk;
        day.waits.extend(waits);
        println!("  hour {:>2}: {} syncs, {} sends so far, {:.1} s", number + 1, day.syncs, day.bulk as usize + day.waits.len(), at.elapsed().as_secs_f64());
    }
    following.abort();
    Ok(day)
}

/// Processor time of an hour in which nobody calls a verb.
pub async fn quiet_hour(simulated: &Simulated, clock: &TestClock) -> Outcome<Option<f64>> {
    // What is still going on belongs to what was before.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = process::cpu_seconds();
    for _ in 0..HOUR_MS / STEP_MS {
        clock.advance(STEP_MS);
        tokio::time::sleep(SETTLE).await;
    }
    let after = process::cpu_seconds();
    simulated.post("clock", serde_json::json!({ "advance_ms": HOUR_MS })).await?;
    Ok(after.zip(before).map(|(after, before)| after - before))
}
