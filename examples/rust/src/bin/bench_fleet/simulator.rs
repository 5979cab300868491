//! The simulator in a process of its own, and one connection to its control endpoints.

use super::Outcome;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tidings::TestClock;
use tidings_examples::control::Control;
use tokio::sync::Mutex;

/// Where both clocks begin.
const MORNING: &str = "2026-03-02T00:00:00Z";

/// What the child does: serves until its standard input is closed.
pub fn serve() -> Outcome<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let options = m365_sim::Options { clock: Some(MORNING.into()), ..m365_sim::Options::default() };
    let simulator = runtime.block_on(m365_sim::Simulator::start(options))?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", simulator.line())?;
    out.flush()?;
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest)?;
    std::process::exit(0);
}

pub struct Simulated {
    pub login: String,
    pub graph: String,
    pub client_id: String,
    control: Control,
    /// One request at a time, so that one connection is enough.
    one: Mutex<()>,
    child: Child,
}

impl Simulated {
    pub fn start() -> Outcome<Arc<Self>> {
        let mut child = Command::new(std::env::current_exe()?).arg("simulator").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("the simulator has no output")?).read_line(&mut line)?;
        let place: Value = serde_json::from_str(&line)?;
        let text = |name: &str| place[name].as_str().unwrap_or_default().to_owned();
        let control = Control::new(text("control"));
        Ok(Arc::new(Self { login: text("login"), graph: text("graph"), client_id: text("client_id"), control, one: Mutex::default(), child }))
    }

    pub async fn post(&self, path: &str, body: Value) -> Outcome<Value> {
        let _one = self.one.lock().await;
        Ok(self.control.post(path, body).await?)
    }

    /// Signs a person in on the page at `url`; gives the address the browser is sent back to.
    pub async fn sign_in(&self, url: &str, address: &str) -> Outcome<String> {
        let _one = self.one.lock().await;
        Ok(self.control.sign_in(url, address).await?)
    }

    pub async fn clear_faults(&self) -> Outcome<()> {
        let _one = self.one.lock().await;
        Ok(self.control.clear_faults().await?)
    }

    pub async fn now_ms(&self) -> Outcome<u64> {
        let answer = self.post("clock", json!({})).await?;
        answer["now_ms"].as_u64().ok_or_else(|| "the simulator has no clock".into())
    }

    /// Moves both clocks while no request is looked at. Else a Retry-After that is said after one clock has moved and read before the other has would be
    /// over too early.
    pub async fn advance(&self, clock: &TestClock, ms: u64) -> Outcome<()> {
        let _one = self.one.lock().await;
        self.control.post("clock", json!({ "advance_ms": ms, "hold": true })).await?;
        clock.advance(ms);
        self.control.post("clock", json!({})).await?;
        Ok(())
    }

    /// Whenever the engine has to wait for a time (a Retry-After, a back-off), makes it that time.
    pub async fn follow(self: Arc<Self>, clock: Arc<TestClock>) {
        loop {
            let wait = clock.next_wait().await;
            if let Err(error) = self.advance(&clock, wait).await {
                eprintln!("bench_fleet: the clock stands still: {error}");
                return;
            }
        }
    }

    /// What the simulator has against the engine.
    pub async fn accusations(&self) -> Outcome<Vec<String>> {
        // No row of the ledger is wanted, only what stands beside them.
        let answer = self.post("ledger", json!({ "status": 999 })).await?;
        let all = answer["accusations"].as_array().cloned().unwrap_or_default();
        Ok(all.iter().map(|one| format!("{}: {}", one["kind"].as_str().unwrap_or_default(), one["text"].as_str().unwrap_or_default())).collect())
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
