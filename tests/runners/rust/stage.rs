//! What stands on the stage while a scenario runs: store, key, clock, engines, and the second process.

use tidings_tests::sim::Sim;
use crate::verbs::{self, Outcome, Player, config, error};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use tidings::{Engine, RootKey, TestClock};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::task::JoinHandle;

pub struct Stage {
    pub sim: Arc<Sim>,
    folder: tempfile::TempDir,
    /// The key in use, and the one the store was made with.
    key: Vec<u8>,
    right_key: Vec<u8>,
    settings: Value,
    clock: Option<Arc<TestClock>>,
    mover: Option<JoinHandle<()>>,
    players: HashMap<String, Player>,
}

impl Stage {
    pub async fn set(sim: Arc<Sim>, scenario: &Value) -> Result<Self, String> {
        let time = scenario["clock"].as_str().unwrap_or("2026-01-15T09:00:00Z");
        sim.ask("reset", Some(&json!({ "clock": time }))).await?;
        sim.ask("record", Some(&json!({ "on": true }))).await?; // to know the tokens that may not be found on disk
        let now_ms = sim.ask("clock", Some(&json!({ "advance_ms": 0 }))).await?["now_ms"].as_u64().unwrap_or_default();
        let clock = (time != "wall").then(|| Arc::new(TestClock::new(now_ms)));
        let mover = clock.clone().map(|clock| tokio::spawn(sim.clone().follow(clock)));
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mut settings = json!({
            "data_dir": folder.path().join("store"), "client_id": sim.urls["client_id"],
            "cloud": { "custom": { "login": sim.urls["login"], "graph": sim.urls["graph"] } },
        });
        merge(&mut settings, &scenario["engine"]);
        let key = tidings::generate_root_key().map_err(|e| e.to_string())?;
        Ok(Self { sim, folder, right_key: key.clone(), key, settings, clock, mover, players: HashMap::new() })
    }

    /// Opens an engine; `with` changes settings for this one time, `root_key` among them.
    pub fn open(&mut self, name: &str, with: &Value) -> Outcome {
        let mut settings = self.settings.clone();
        merge(&mut settings, with);
        let key = with["root_key"].as_str().map_or_else(|| self.key.clone(), |text| text.as_bytes().to_vec());
        let player = open(&settings, key, self.clock.clone())?;
        self.players.insert(name.to_owned(), player);
        Ok(Value::Null)
    }

    pub fn player(&mut self, name: &str) -> Result<Player, Value> {
        if !self.players.contains_key(name) && name != "first" {
            self.open(name, &json!({}))?;
        }
        self.players.get(name).cloned().ok_or_else(|| verbs::defect("no engine is open"))
    }

    pub fn damage(&mut self, how: &str) -> Result<(), String> {
        let main = self.files().into_iter().filter(|p| !p.to_string_lossy().ends_with("-wal") && !p.to_string_lossy().ends_with("-shm"));
        let main = main.max_by_key(|p| p.metadata().map_or(0, |m| m.len())).ok_or("the store has no files")?;
        let mut bytes = std::fs::read(&main).map_err(|e| e.to_string())?;
        match how {
            "flip_page" => {
                let quarter = bytes.len() / 4;
                bytes.iter_mut().skip(quarter).take(2 * quarter).for_each(|byte| *byte = !*byte);
            }
            "truncate" => bytes.truncate(bytes.len() / 2),
            "root_key" => self.key = tidings::generate_root_key().map_err(|e| e.to_string())?,
            "right_key" => self.key = self.right_key.clone(),
            other => return Err(format!("no damage {other}")),
        }
        std::fs::write(&main, bytes).map_err(|e| e.to_string())
    }

    /// None of these may stand in any file of the store.
    pub fn check_disk(&self, secrets: &[Vec<u8>]) -> Result<(), String> {
        for file in self.files() {
            let bytes = std::fs::read(&file).unwrap_or_default();
            let found = secrets.iter().find(|s| !s.is_empty() && bytes.windows(s.len()).any(|window| window == s.as_slice()));
            if let Some(secret) = found {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Err(format!("{name} holds {:?} in the clear", String::from_utf8_lossy(secret)));
            }
        }
        Ok(())
    }

    /// After somebody else moved the simulator's clock.
    pub async fn catch_up(&self) -> Result<(), String> {
        match &self.clock {
            Some(clock) => self.sim.catch_up(clock).await,
            None => Ok(()),
        }
    }

    pub fn root_key_forms(&self) -> Vec<Vec<u8>> {
        let hex: String = self.right_key.iter().map(|b| format!("{b:02x}")).collect();
        vec![self.right_key.clone(), hex.into_bytes()]
    }

    /// A second process of this language on the same store. With `kill_at` it is killed when that fault is reached.
    pub fn child(&self, verb: &str, with: Value, kill_at: Option<String>) -> impl Future<Output = Outcome> + Send + use<> {
        let key: String = self.key.iter().map(|b| format!("{b:02x}")).collect();
        let order = json!({
            "control": self.sim.urls["control"], "settings": self.settings, "key": key,
            "now_ms": self.clock.as_ref().map(|c| c.now_ms()), "verb": verb, "with": with,
        });
        let (sim, clock) = (self.sim.clone(), self.clock.clone());
        async move {
            let outcome = run_child(&sim, order, kill_at).await.unwrap_or_else(|e| Err(verbs::defect(e)));
            if let Some(clock) = clock {
                sim.catch_up(&clock).await.map_err(verbs::defect)?;
            }
            outcome
        }
    }

    /// Everything off the stage; engines end as a host would end them.
    pub async fn clear(&mut self) {
        for (_, player) in self.players.drain() {
            player.engine.shutdown().await;
        }
        if let Some(mover) = self.mover.take() {
            mover.abort();
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("store")).into_iter().flatten();
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_file()).collect()
    }
}

pub fn open(settings: &Value, key: Vec<u8>, clock: Option<Arc<TestClock>>) -> Result<Player, Value> {
    let (config, key) = (config(settings)?, Arc::new(RootKey::raw(key).map_err(error)?));
    let engine = match clock {
        Some(clock) => Engine::open_with_clock(config, key, clock),
        None => Engine::open(config, key),
    };
    let engine = Arc::new(engine.map_err(error)?);
    Ok(Player { events: engine.events(), engine })
}

async fn run_child(sim: &Sim, order: Value, kill_at: Option<String>) -> Result<Outcome, String> {
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut child = Command::new(me).arg("--child").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().map_err(|e| e.to_string())?;
    let mut input = child.stdin.take().ok_or("no pipe")?;
    input.write_all(order.to_string().as_bytes()).await.map_err(|e| e.to_string())?;
    drop(input);
    if let Some(fault) = kill_at {
        sim.reached(&fault).await?;
        child.kill().await.map_err(|e| e.to_string())?; // SIGKILL, and waits for its end
        return Ok(Ok(Value::Null));
    }
    let done = child.wait_with_output().await.map_err(|e| e.to_string())?;
    let said: Value = serde_json::from_slice(&done.stdout).map_err(|e| format!("the child process said {:?}: {e}", String::from_utf8_lossy(&done.stdout)))?;
    Ok(match said.get("error") {
        Some(error) => Err(error.clone()),
        None => Ok(said["ok"].clone()),
    })
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}
