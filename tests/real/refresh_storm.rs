//! One token request per expiry, over all tasks and processes: 8 processes with 50 tasks each share one store. Every round all access tokens are
//! expired at the simulator, all 400 tasks ask at once, and the simulator's ledger tells how many token requests came.
//!
//! In one round a process is stopped for longer than its lease, in another one is killed, both at a moment a seed chooses. Exactly one request is
//! then still asserted, unless the blow fell while the process held the renewal: a second one is allowed then, and the next round counts one again.

use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings::{Cloud, Config, ConnectRequest, Engine, Feature, RootKey};
use tidings_tests::{root, sim::Sim};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const PROCESSES: usize = 8;
const TASKS: usize = 50;
/// `ROUNDS` in the environment asks for others; these take half a minute.
const ROUNDS: u32 = 40;
const STOPPED_IN: u32 = 13;
const KILLED_IN: u32 = 27;
const LEASE: Duration = Duration::from_secs(12);
/// Others waited for a lease in a round that took longer.
const WAITED: Duration = Duration::from_secs(5);
const WHO: &str = "adele@contoso.com";
const ORDER: &str = "TIDINGS_REFRESH_STORM";

fn engine(order: &Value) -> Engine {
    let text = |name: &str| order[name].as_str().unwrap_or_default().to_owned();
    let mut config = Config::new(text("data_dir"), text("client_id"));
    config.cloud = Cloud::custom(text("login"), text("graph"));
    let key = order["key"].as_array().map(|bytes| bytes.iter().map(|b| b.as_u64().unwrap_or_default() as u8).collect());
    let key = RootKey::raw(key.unwrap_or_default()).unwrap_or_else(|e| panic!("{e}"));
    Engine::open(config, Arc::new(key)).unwrap_or_else(|e| panic!("{e}"))
}

/// Not a test of its own: the processes of the storm run it. Each line of input is a round; the answer tells how many tasks failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let order: Value = serde_json::from_str(&order).unwrap_or_else(|e| panic!("{e}"));
    let engine = engine(&order);
    let account = order["account"].as_str().unwrap_or_default().to_owned();
    println!("\nSTORM ready");
    let mut rounds = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = rounds.next_line().await {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (engine, account) = (engine.clone(), account.clone());
                tokio::spawn(async move { engine.verify(account, false, None).await.map(drop).map_err(|e| format!("{:?} {e}", e.kind())) })
            })
            .collect();
        let mut wrong = Vec::new();
        for task in tasks {
            wrong.extend(task.await.unwrap_or_else(|e| Err(e.to_string())).err());
        }
        println!("\nSTORM {}", json!({ "wrong": wrong.len(), "first": wrong.first() }));
    }
    engine.shutdown().await;
}

struct Process {
    child: Child,
    input: ChildStdin,
    said: tokio::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    async fn start(order: &Value) -> Self {
        let me = std::env::current_exe().unwrap_or_else(|e| panic!("{e}"));
        let mut command = Command::new(me);
        command.args(["--exact", "process", "--nocapture"]).env(ORDER, order.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{e}"));
        let (input, said) = (child.stdin.take(), child.stdout.take());
        let mut process = Self { input: input.unwrap_or_else(|| panic!("no pipe")), said: BufReader::new(said.unwrap_or_else(|| panic!("no pipe"))).lines(), child };
        assert_eq!(process.hear().await.as_deref(), Some("ready"));
        process
    }

    async fn go(&mut self) {
        self.input.write_all(b"go\n").await.unwrap_or_else(|e| panic!("{e}"));
    }

    /// None: it has ended.
    async fn hear(&mut self) -> Option<String> {
        while let Ok(Some(line)) = self.said.next_line().await {
            if let Some(said) = line.strip_prefix("STORM ") {
                return Some(said.to_owned());
            }
        }
        None
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap_or_else(|| panic!("it has ended")).to_string();
        let sent = Command::new("kill").args([name, &id]).status().await.unwrap_or_else(|e| panic!("{e}"));
        assert!(sent.success());
    }
}

/// A small generator, so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

async fn ask(sim: &Sim, path: &str, body: Value) -> Value {
    sim.ask(path, Some(&body)).await.unwrap_or_else(|e| panic!("{e}"))
}

async fn token_requests(sim: &Sim) -> u64 {
    ask(sim, "ledger", json!({ "host": "login", "method": "POST", "path": "/token$" })).await["count"].as_u64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_request_per_expiry_over_all_tasks_and_processes() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7);
    let rounds = std::env::var("ROUNDS").ok().and_then(|s| s.parse().ok()).unwrap_or(ROUNDS);
    let mut dice = Dice(seed);
    let sim = Sim::start(&root(), "refresh_storm").await;
    ask(&sim, "limits", json!({ "concurrency": 100_000, "requests_per_10_min": 100_000_000, "throttle": false })).await;
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let key = tidings::generate_root_key().unwrap_or_else(|e| panic!("{e}"));
    let mut order = json!({ "data_dir": folder.path().join("store"), "client_id": sim.urls["client_id"], "login": sim.urls["login"], "graph": sim.urls["graph"], "key": key });
    let first = engine(&order);
    let request = ConnectRequest { owner: "storm".into(), features: vec![Feature::People], redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() };
    let started = first.connect(request).await.unwrap_or_else(|e| panic!("{e}"));
    let page = ask(&sim, "signin", json!({ "url": started.url, "as": WHO })).await;
    let account = first.finish_connect(page["location"].as_str().unwrap_or_default().to_owned(), started.binding).await.unwrap_or_else(|e| panic!("{e}"));
    first.shutdown().await;
    order["account"] = account.id.into();

    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(Process::start(&order).await);
    }
    let begun = Instant::now();
    let (mut in_all, mut allowed) = (0, 0);
    for round in 0..rounds {
        ask(&sim, "tokens/expire", json!({ "as": WHO })).await;
        let before = token_requests(&sim).await;
        let started = Instant::now();
        for process in &mut processes {
            process.go().await;
        }
        let blow = (round == STOPPED_IN || round == KILLED_IN).then(|| dice.below(PROCESSES as u64) as usize);
        if let Some(victim) = blow {
            tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
            processes[victim].signal(if round == STOPPED_IN { "-STOP" } else { "-KILL" }).await;
        }
        for (n, process) in processes.iter_mut().enumerate() {
            if blow != Some(n) {
                check(round, process.hear().await);
            }
        }
        let others_took = started.elapsed();
        if let Some(victim) = blow {
            if round == STOPPED_IN {
                tokio::time::sleep((LEASE + Duration::from_secs(1)).saturating_sub(started.elapsed())).await;
                processes[victim].signal("-CONT").await;
                check(round, processes[victim].hear().await);
            } else {
                let _ = processes[victim].child.wait().await;
                processes[victim] = Process::start(&order).await;
            }
        }
        let requests = token_requests(&sim).await - before;
        // Only a process that held the renewal makes the others wait for its lease.
        let most = if blow.is_some() && others_took > WAITED { 2 } else { 1 };
        if blow.is_some() {
            println!("round {round}: the others took {others_took:.1?}, {requests} token requests, {most} allowed");
        }
        assert!((1..=most).contains(&requests), "round {round}: {requests} token requests, seed {seed}");
        in_all += requests;
        allowed += most;
    }
    println!("{rounds} expiries, {PROCESSES} processes, {TASKS} tasks each, seed {seed}: {in_all} token requests, {allowed} allowed; {:.1?}", begun.elapsed());
    for mut process in processes {
        drop(process.input);
        let _ = process.child.wait().await;
    }
}

fn check(round: u32, said: Option<String>) {
    let said: Value = said.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| panic!("round {round}: a process ended"));
    assert_eq!(said["wrong"], 0, "round {round}: {}", said["first"]);
}
