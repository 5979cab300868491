//! A fleet of accounts in one process, through a day of its clock: mail arrives and is synced, mails are sent in bulk and by people who wait, tokens end and
//! are renewed, some requests are throttled. What of threads, file handles, memory and processor time that takes stands beside what it may take.
//!
//! The simulator is a process of its own (`bench_fleet simulator`), so that what is measured here is the engine's, and that of the few lines that drive it.
//! `FLEET_ACCOUNTS` is how many accounts there are; 10,000 without it.

mod bulk;
mod day;
mod fleet;
mod hour;
mod interactive;
mod process;
mod report;
mod simulator;

use fleet::Fleet;
use process::{Figures, Peak};
use simulator::Simulated;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tidings::{Cloud, Config, Engine, RootKey, TestClock};

pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // One thread: those of the engine are to be counted.
        [] => tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Into::into).and_then(|runtime| runtime.block_on(whole())),
        ["simulator"] => simulator::serve(),
        _ => Err("usage: bench_fleet".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench_fleet: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What was measured, for the report.
pub struct Measured {
    pub accounts: u32,
    /// Before the engine was opened: what belongs to this program.
    pub before: Figures,
    /// Open, without accounts.
    pub empty: Figures,
    pub connected: Figures,
    pub ended: Figures,
    pub peak: Peak,
    pub connect_seconds: f64,
    pub day_seconds: f64,
    /// Processor time of a quiet hour: without accounts, and with all of them.
    pub quiet_empty: Option<f64>,
    pub quiet_full: Option<f64>,
    pub day: day::Day,
    pub metrics: tidings::Metrics,
    pub accusations: Vec<String>,
}

async fn whole() -> Outcome<()> {
    let accounts = std::env::var("FLEET_ACCOUNTS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let simulated = Simulated::start()?;
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(TestClock::new(simulated.now_ms().await?));
    // The client that drives the simulator is there before the engine, so that it counts as this program's.
    let before = process::now();
    let mut config = Config::new(folder.path().join("store").to_string_lossy(), simulated.client_id.clone());
    config.cloud = Cloud::custom(&simulated.login, &simulated.graph);
    let key = Arc::new(RootKey::raw(tidings::generate_root_key()?)?);
    let engine = Engine::open_with_clock(config, key, clock.clone())?;
    let watch = process::watch();

    let quiet_empty = day::quiet_hour(&simulated, &clock).await?;
    let empty = process::now();
    println!("Connecting {accounts} accounts …");
    let began = Instant::now();
    let fleet = Fleet::connect(&engine, &simulated, accounts).await?;
    let connect_seconds = began.elapsed().as_secs_f64();
    let connected = process::now();

    println!("Connected in {connect_seconds:.0} s. A day, hour by hour …");
    let began = Instant::now();
    let fleet = Arc::new(fleet);
    let day = day::run(&engine, &simulated, &clock, &fleet).await?;
    let day_seconds = began.elapsed().as_secs_f64();
    let quiet_full = day::quiet_hour(&simulated, &clock).await?;
    let ended = process::now();
    let peak = watch.ended();
    let metrics = engine.metrics();
    let accusations = simulated.accusations().await?;
    engine.shutdown().await;
    let measured =
        Measured { accounts, before, empty, connected, ended, peak, connect_seconds, day_seconds, quiet_empty, quiet_full, day, metrics, accusations };
    report::print(&measured)
}
