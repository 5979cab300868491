//! What the kernel says of this process (Linux; elsewhere nothing is known).

use serde::Serialize;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often is looked while something is going on.
const STEP: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Default, Serialize)]
pub struct Figures {
    pub threads: Option<u64>,
    pub handles: Option<u64>,
    pub memory_kb: Option<u64>,
}

/// The most that was seen of each.
pub type Peak = Figures;

pub fn now() -> Figures {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let figure = |name: &str| status.lines().find_map(|line| line.strip_prefix(name))?.trim().trim_end_matches("kB").trim().parse().ok();
    // The folder that is being listed is one of them.
    let handles = fs::read_dir("/proc/self/fd").ok().map(|all| (all.count() as u64).saturating_sub(1));
    Figures { threads: figure("Threads:"), handles, memory_kb: figure("VmRSS:") }
}

/// Processor time of all threads that this process ever had.
pub fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may hold blanks: user and system time are the twelfth and thirteenth field, in ticks of 10 ms.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

pub struct Watch {
    most: Arc<Mutex<Peak>>,
    task: JoinHandle<()>,
}

/// Looks again and again until it is ended.
pub fn watch() -> Watch {
    let most = Arc::new(Mutex::new(Peak::default()));
    let kept = most.clone();
    let task = tokio::spawn(async move {
        loop {
            let now = now();
            {
                let mut most = kept.lock().unwrap_or_else(PoisonError::into_inner);
                most.threads = most.threads.max(now.threads);
                most.handles = most.handles.max(now.handles);
                most.memory_kb = most.memory_kb.max(now.memory_kb);
            }
            tokio::time::sleep(STEP).await;
        }
    });
    Watch { most, task }
}

impl Watch {
    pub fn ended(self) -> Peak {
        self.task.abort();
        *self.most.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
