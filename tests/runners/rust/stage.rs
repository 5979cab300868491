//! What stands on the stage while a scenario runs: store, key, clock, engines, and the second process.

use tidings_tests::sim::Sim;
use crate::opening;
use crate::values::{Vars, fill};
use crate::verbs::{self, Outcome, Player};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use tidings::TestClock;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct Stage {
    pub sim: Arc<Sim>,
    folder: tempfile::TempDir,
    /// The key in use, and the one the store was made with.
    key: Vec<u8>,
    right_key: Vec<u8>,
    /// Texts that may stand nowhere: keys, passphrases, client secrets.
    secrets: Vec<Vec<u8>>,
    settings: Value,
    clock: Option<Arc<TestClock>>,
    mover: Option<JoinHandle<()>>,
    players: HashMap<String, Player>,
}

impl Stage {
    /// `vars` are what the settings of the file may name; `data_dir` comes to them.
    pub async fn set(sim: Arc<Sim>, vars: &mut Vars, scenario: &Value) -> Result<Self, String> {
        let time = scenario["clock"].as_str().unwrap_or("2026-01-15T09:00:00Z");
        sim.ask("reset", Some(&json!({ "clock": time }))).await?;
        sim.ask("record", Some(&json!({ "on": true }))).await?; // to know the tokens that may not be found on disk
        let now_ms = sim.ask("clock", Some(&json!({ "advance_ms": 0 }))).await?["now_ms"].as_u64().unwrap_or_default();
        let clock = (time != "wall").then(|| Arc::new(TestClock::new(now_ms)));
        let mover = clock.clone().map(|clock| tokio::spawn(sim.clone().follow(clock)));
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let store = json!(folder.path().join("store"));
        vars.insert("data_dir".into(), store.clone());
        let mut settings = json!({
            "data_dir": store, "client_id": sim.urls["client_id"],
            "cloud": { "custom": { "login": sim.urls["login"], "graph": sim.urls["graph"] } },
        });
        merge(&mut settings, &fill(&scenario["engine"], vars)?);
        let key = tidings::generate_root_key().map_err(|e| e.to_string())?;
        let secrets = [key_forms(&key), opening::secrets(&settings)].concat();
        Ok(Self { sim, folder, right_key: key.clone(), key, secrets, settings, clock, mover, players: HashMap::new() })
    }

    /// Opens an engine; `with` changes settings for this one time, the key among them.
    pub fn open(&mut self, name: &str, with: &Value) -> Outcome {
        let mut settings = self.settings.clone();
        merge(&mut settings, with);
        self.secrets.extend(opening::secrets(with));
        let player = opening::open(&settings, self.key.clone(), self.clock.clone())?;
        self.players.insert(name.to_owned(), player);
        Ok(Value::Null)
    }

    /// Writes the file beside the store, sets the variables it names, and opens the first engine with it.
    pub fn open_file(&mut self, with: &Value) -> Outcome {
        let path = self.folder.path().join("tidings.toml");
        std::fs::write(&path, with["toml"].as_str().unwrap_or_default()).map_err(|e| verbs::defect(e.to_string()))?;
        for (name, value) in with["env"].as_object().into_iter().flatten() {
            // Safe as long as nobody else reads the environment just now; a runner plays one scenario at a time.
            unsafe { std::env::set_var(name, value.as_str().unwrap_or_default()) };
        }
        let player = opening::open_file(&path.to_string_lossy(), self.key.clone())?;
        self.players.insert("first".to_owned(), player);
        Ok(Value::Null)
    }

    pub fn wrapped_root_key(&self) -> Outcome {
        let wrapped = tidings::wrapped_root_key(self.folder.path().join("store").to_string_lossy().into_owned()).map_err(verbs::error)?;
        Ok(json!(wrapped.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())))
    }

    /// A rotation has replaced the root key: engines are opened with this one from here on.
    pub fn use_key(&mut self, key: &str) {
        self.key = key.as_bytes().to_vec();
        self.secrets.extend(key_forms(&self.key));
    }

    pub fn player(&mut self, name: &str) -> Result<Player, Value> {
        if !self.players.contains_key(name) && name != "first" {
            self.open(name, &json!({}))?;
        }
        self.players.get(name).cloned().ok_or_else(|| verbs::defect("no engine is open"))
    }

    pub fn damage(&mut self, how: &Value) -> Result<(), String> {
        let kept = self.folder.path().join("kept");
        match how.as_str() {
            Some("root_key") => self.key = tidings::generate_root_key().map_err(|e| e.to_string())?,
            Some("right_key") => self.key = self.right_key.clone(),
            Some("keep") => return copy(&self.folder.path().join("store"), &kept),
            Some("restore") => return copy(&kept, &self.folder.path().join("store")),
            Some("flip_page") => self.change(|bytes| {
                let quarter = bytes.len() / 4;
                bytes.iter_mut().skip(quarter).take(2 * quarter).for_each(|byte| *byte = !*byte);
                true
            })?,
            Some("truncate") => self.change(|bytes| {
                bytes.truncate(bytes.len() / 2);
                true
            })?,
            _ if how["restore"].is_string() => {
                let name = how["restore"].as_str().unwrap_or_default();
                std::fs::copy(kept.join(name), self.folder.path().join("store").join(name)).map_err(|e| e.to_string())?;
            }
            _ => match how["replace"].as_array().map(|pair| pair.iter().filter_map(Value::as_str).collect::<Vec<_>>()).as_deref() {
                Some([old, new]) if old.len() == new.len() => self.change(|bytes| replace(bytes, old.as_bytes(), new.as_bytes()))?,
                _ => return Err(format!("no damage {how}")),
            },
        }
        Ok(())
    }

    /// Changes the bytes of the main file; an error when there was nothing to change.
    fn change(&self, how: impl FnOnce(&mut Vec<u8>) -> bool) -> Result<(), String> {
        let main = self.files().into_iter().filter(|p| !p.to_string_lossy().ends_with("-wal") && !p.to_string_lossy().ends_with("-shm"));
        let main = main.max_by_key(|p| p.metadata().map_or(0, |m| m.len())).ok_or("the store has no files")?;
        let mut bytes = std::fs::read(&main).map_err(|e| e.to_string())?;
        if !how(&mut bytes) {
            return Err("the main file does not hold that text".into());
        }
        std::fs::write(&main, bytes).map_err(|e| e.to_string())
    }

    /// None of these may stand in any file of the store.
    pub fn check_disk(&self, secrets: &[Vec<u8>]) -> Result<(), String> {
        for file in self.files() {
            let bytes = std::fs::read(&file).unwrap_or_default();
            let found = secrets.iter().find(|s| !s.is_empty() && memchr::memmem::find(&bytes, s).is_some());
            if let Some(secret) = found {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Err(format!("{name} holds {:?} in the clear", String::from_utf8_lossy(secret)));
            }
        }
        Ok(())
    }

    /// Every file of the store, a character for each byte.
    pub fn texts(&self) -> Vec<String> {
        self.files().iter().map(|file| std::fs::read(file).unwrap_or_default().into_iter().map(char::from).collect()).collect()
    }

    /// None: the scenario runs on that of the machine.
    pub fn clock(&self) -> Option<Arc<TestClock>> {
        self.clock.clone()
    }

    /// After somebody else moved the simulator's clock.
    pub async fn catch_up(&self) -> Result<(), String> {
        match &self.clock {
            Some(clock) => self.sim.catch_up(clock).await,
            None => Ok(()),
        }
    }

    /// What the scenario's keys and settings hold that may stand nowhere.
    pub fn secrets(&self) -> Vec<Vec<u8>> {
        self.secrets.clone()
    }

    /// A second process of this language on the same store, which may be killed on the way. `opened` is told when it has the store open, or has ended.
    pub fn child(&self, verb: &str, with: Value, kill: Kill, still: bool, opened: oneshot::Sender<()>) -> impl Future<Output = Outcome> + Send + use<> {
        let key: String = self.key.iter().map(|b| format!("{b:02x}")).collect();
        let order = json!({
            "control": self.sim.urls["control"], "settings": self.settings, "key": key,
            "now_ms": self.clock.as_ref().map(|c| c.now_ms()), "verb": verb, "with": with, "stays": matches!(kill, Kill::At(_)), "still": still,
        });
        let (sim, clock) = (self.sim.clone(), self.clock.clone());
        async move {
            let outcome = run_child(&sim, order, kill, opened).await.unwrap_or_else(|e| Err(verbs::defect(e)));
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
        self.keep();
    }

    /// For the search of the whole run.
    fn keep(&self) {
        let (Some(folder), Some(name)) = (std::env::var_os("TIDINGS_EVIDENCE"), self.folder.path().file_name()) else { return };
        let _ = copy(&self.folder.path().join("store"), &Path::new(&folder).join(format!("rust-{}", name.to_string_lossy())));
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("store")).into_iter().flatten();
        entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_file()).collect()
    }
}

/// As bytes and in hex.
fn key_forms(key: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
    vec![key.to_vec(), hex.into_bytes()]
}

/// Everything of one folder to another, which holds nothing else afterwards.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let fail = |e: std::io::Error| e.to_string();
    if to.exists() {
        std::fs::remove_dir_all(to).map_err(fail)?;
    }
    std::fs::create_dir_all(to).map_err(fail)?;
    for entry in std::fs::read_dir(from).map_err(fail)?.flatten().filter(|e| e.path().is_file()) {
        std::fs::copy(entry.path(), to.join(entry.file_name())).map_err(fail)?;
    }
    Ok(())
}

/// In every place; false when there is none.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) -> bool {
    let places: Vec<usize> = bytes.windows(old.len()).enumerate().filter(|(_, window)| *window == old).map(|(at, _)| at).collect();
    for at in &places {
        bytes.iter_mut().skip(*at).zip(new).for_each(|(byte, new)| *byte = *new);
    }
    !places.is_empty()
}

/// When a second process is killed: when a fault is reached, or so long after it opened the store.
pub enum Kill {
    Never,
    At(String),
    After(std::time::Duration),
}

impl Kill {
    pub fn of(step: &Value) -> Self {
        match (step["kill_at"].as_str(), step["kill_after_ms"].as_u64()) {
            (Some(fault), _) => Self::At(fault.to_owned()),
            (None, Some(ms)) => Self::After(std::time::Duration::from_millis(ms)),
            (None, None) => Self::Never,
        }
    }
}

async fn run_child(sim: &Sim, order: Value, kill: Kill, opened: oneshot::Sender<()>) -> Result<Outcome, String> {
    let me = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut child = Command::new(me).arg("--child").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().map_err(|e| e.to_string())?;
    let mut input = child.stdin.take().ok_or("no pipe")?;
    input.write_all(order.to_string().as_bytes()).await.map_err(|e| e.to_string())?;
    drop(input);
    let mut output = BufReader::new(child.stdout.take().ok_or("no pipe")?);
    let mut said = String::new();
    output.read_line(&mut said).await.map_err(|e| e.to_string())?;
    let _ = opened.send(()); // nobody waits for it unless the step is in the background
    match &kill {
        Kill::At(fault) => sim.reached(fault).await?,
        Kill::After(time) => tokio::time::sleep(*time).await,
        Kill::Never => {}
    }
    if !matches!(kill, Kill::Never) {
        child.kill().await.map_err(|e| e.to_string())?; // SIGKILL, and waits for its end
        return Ok(Ok(Value::Null));
    }
    output.read_to_string(&mut said).await.map_err(|e| e.to_string())?;
    let said: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).map_err(|e| format!("the child process said {said:?}: {e}"))?;
    child.wait().await.map_err(|e| e.to_string())?;
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
