//! The simulator: one process for the whole run, and its control endpoints.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tidings::TestClock;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// So long, in real time, nobody waits for the clock before a second passes on it.
const QUIET: Duration = Duration::from_secs(3);
/// How often is looked whether another process has moved the simulator's clock.
const TICK: Duration = Duration::from_millis(100);
/// A wait up to this is a look at what others do, and that takes real time: a tenth of it passes. Without that, a lease would run out under a process
/// that works as fast as a busy machine lets it.
const LOOK_MS: u64 = 1000;

pub struct Sim {
    pub urls: Value,
    control: String,
    http: reqwest::Client,
    /// Held while the engine's clock is moved.
    moving: std::sync::Mutex<()>,
    /// Ends with us: its standard input is a pipe that we hold.
    _process: Option<Child>,
}

impl Sim {
    pub async fn start(root: &Path, language: &str) -> Self {
        let mut command = Command::new(binary(root));
        command.arg("--with-parent").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        if std::env::var_os("RECORD").is_some() {
            command.arg("--record").arg(root.join(format!("target/exchanges-{language}.jsonl")));
        }
        let mut process = command.spawn().unwrap_or_else(|e| panic!("m365-sim did not start ({e}); run `cargo build --workspace` first"));
        let mut line = String::new();
        let out = process.stdout.as_mut().unwrap_or_else(|| panic!("no pipe"));
        BufReader::new(out).read_line(&mut line).await.unwrap_or_else(|e| panic!("m365-sim said nothing: {e}"));
        let urls: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("m365-sim said {line:?}: {e}"));
        Self { _process: Some(process), ..Self::at(text(&urls["control"]), urls.clone()) }
    }

    /// One that is running already.
    pub fn at(control: String, urls: Value) -> Self {
        let http = plain_http().unwrap_or_else(|e| panic!("{e}"));
        Self { urls, control, http, moving: std::sync::Mutex::default(), _process: None }
    }

    /// POST with a body, GET without.
    pub async fn ask(&self, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}/{path}", self.control);
        let request = match body {
            Some(body) => self.http.post(&url).header("content-type", "application/json").body(body.to_string()),
            None => self.http.get(&url),
        };
        let answer = request.send().await.map_err(|e| format!("simulator, {path}: {e}"))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|e| format!("simulator, {path}: {e}"))?;
        if !status.is_success() {
            return Err(format!("simulator, {path}: {status} {body}"));
        }
        Ok(serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    pub async fn clear_faults(&self) -> Result<Value, String> {
        self.http.delete(format!("{}/faults", self.control)).send().await.map_err(|e| e.to_string())?;
        Ok(Value::Null)
    }

    /// Fetches an address as a browser would.
    pub async fn browse(&self, url: &str) -> Result<Value, String> {
        let answer = self.http.get(url).send().await.map_err(|e| format!("{url}: {e}"))?;
        Ok(json!({ "status": answer.status().as_u16() }))
    }

    /// Waits until a request met this fault.
    pub async fn reached(&self, fault: &str) -> Result<(), String> {
        self.ask("faults/reached", Some(&json!({ "name": fault }))).await.map(drop)
    }

    async fn clock(&self, advance_ms: u64) -> Result<u64, String> {
        let answer = self.ask("clock", Some(&json!({ "advance_ms": advance_ms }))).await?;
        answer["now_ms"].as_u64().ok_or_else(|| format!("simulator, clock: {answer}"))
    }

    /// The simulator's clock is the truth; the engine's follows it, whoever moved it.
    pub async fn catch_up(&self, clock: &TestClock) -> Result<(), String> {
        let now = self.clock(0).await?;
        // Two at once would both move it by what is missing.
        let _one = self.moving.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        clock.advance(now.saturating_sub(clock.now_ms()));
        Ok(())
    }

    /// Whenever the engine waits, moves both clocks to where it waits for. Where nobody does for long, a second passes: an engine that waits for what
    /// another process does looks again after a while.
    pub async fn follow(self: Arc<Self>, clock: Arc<TestClock>) {
        let mut quiet = Duration::ZERO;
        loop {
            let wait = match tokio::time::timeout(TICK, clock.next_wait()).await {
                Ok(wait) => wait,
                Err(_) if quiet < QUIET => {
                    quiet += TICK;
                    let _ = self.catch_up(&clock).await; // the next look tries again
                    continue;
                }
                Err(_) => 1000,
            };
            quiet = Duration::ZERO;
            let wake = clock.now_ms() + wait;
            if wait <= LOOK_MS {
                tokio::time::sleep(Duration::from_millis(wait / 10)).await;
            }
            let _ = self.move_to(wake, &clock).await;
        }
    }

    async fn move_to(&self, wake: u64, clock: &TestClock) -> Result<(), String> {
        let now = self.clock(0).await?;
        if wake > now {
            self.clock(wake - now).await?;
        }
        self.catch_up(clock).await
    }
}

fn binary(root: &Path) -> std::path::PathBuf {
    if let Some(path) = std::env::var_os("TIDINGS_SIM") {
        return path.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    target.join("debug/m365-sim")
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// For plain HTTP on this machine. Its TLS is never used, but reqwest wants one, and takes that of the process otherwise, which nobody sets.
fn plain_http() -> Result<reqwest::Client, Box<dyn std::error::Error>> {
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build()?)
}
