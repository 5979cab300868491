//! One case in a process of its own: started, told what to do, asked for time and peak of memory.

use super::Outcome;
use serde::{Deserialize, Serialize};
use std::process::Stdio;
use std::time::Instant;
use tokio::process::Command;

/// What a case is told, in its environment.
pub struct Task {
    pub login: String,
    pub graph: String,
    pub control: String,
    pub client_id: String,
    pub messages: u32,
}

/// What a case answers, as its last line.
#[derive(Clone, Serialize, Deserialize)]
pub struct Measured {
    pub seconds: f64,
    /// Of processor time, user and system together. Where the system tells it (Linux).
    pub cpu_seconds: Option<f64>,
    /// Where the system tells it (Linux).
    pub peak_kb: Option<u64>,
    /// Of the files of the store.
    pub disk_kb: u64,
    /// Seconds of each stage, by name.
    pub stages: Vec<(String, f64)>,
}

pub async fn child<T: serde::de::DeserializeOwned>(name: &str, task: &Task) -> Outcome<T> {
    let folder = tempfile::tempdir()?;
    let child = Command::new(std::env::current_exe()?)
        .args(["case", name])
        .env("TIDINGS_LOGIN", &task.login)
        .env("TIDINGS_GRAPH", &task.graph)
        .env("TIDINGS_CONTROL", &task.control)
        .env("TIDINGS_CLIENT_ID", &task.client_id)
        .env("TIDINGS_BENCH_MESSAGES", task.messages.to_string())
        .env("TIDINGS_DATA", folder.path().join("store"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        return Err(format!("The case {name} failed; what it said stands above.").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// From here on it is measured.
pub struct Began {
    at: Instant,
    cpu_seconds: Option<f64>,
}

impl Began {
    pub fn now() -> Self {
        Self { at: Instant::now(), cpu_seconds: cpu_seconds() }
    }

    /// Stops measuring.
    pub fn ended(self) -> Took {
        let cpu_seconds = cpu_seconds().zip(self.cpu_seconds).map(|(now, then)| now - then);
        Took { seconds: self.at.elapsed().as_secs_f64(), cpu_seconds }
    }
}

pub struct Took {
    seconds: f64,
    cpu_seconds: Option<f64>,
}

impl Took {
    pub fn cpu(&self) -> Option<f64> {
        self.cpu_seconds
    }
}

/// Of the engine so far, if this was built with the feature `profile`.
pub fn stages() -> Vec<(String, f64)> {
    #[cfg(feature = "profile")]
    return tidings::time_by_stage().into_iter().map(|(name, time)| (name.to_owned(), time.as_secs_f64())).collect();
    #[cfg(not(feature = "profile"))]
    Vec::new()
}

/// Says what was measured, at the end of a case.
pub fn answer(took: &Took, stored: u32, stages: Vec<(String, f64)>) -> Outcome<()> {
    let expected: u32 = tidings_examples::env("TIDINGS_BENCH_MESSAGES")?.parse()?;
    if stored != expected {
        return Err(format!("{stored} messages were stored, {expected} are in the mailbox.").into());
    }
    let measured = Measured { seconds: took.seconds, cpu_seconds: took.cpu_seconds, peak_kb: peak_kb(), disk_kb: disk_kb()?, stages };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

/// Of all threads that this process ever had.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may hold blanks: state is the first field, user and system time are the twelfth and thirteenth, in ticks of 10 ms.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// The most memory this process ever held, as the kernel counts it.
pub fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches("kB").trim().parse().ok()
}

fn disk_kb() -> Outcome<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(tidings_examples::env("TIDINGS_DATA")?)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes / 1024)
}
