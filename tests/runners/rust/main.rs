//! Runs the scenarios through the Rust interface. `scenarios [FILE…]`; `--child` is the second process of a scenario.

mod apps;
mod child;
mod content;
mod logs;
mod matching;
mod opening;
mod posts;
mod raw;
mod stage;
mod steps;
mod values;
mod verbs;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings_tests::{root, sim::Sim};

/// Longest a scenario may take, so that one that hangs does not stall the rest.
const LIMIT: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() {
    let named: Vec<String> = std::env::args().skip(1).collect();
    if named.iter().any(|a| a == "--child") {
        return child::serve().await;
    }
    let root = root();
    let sim = Arc::new(Sim::start(&root, "rust").await);
    let logs = logs::Logs::listen();
    let mut results = Vec::new();
    let mut failed = 0;
    for file in files(&root, &named) {
        let scenario = read(&file);
        let started = Instant::now();
        let outcome = match tokio::time::timeout(LIMIT, steps::run(sim.clone(), &logs, &scenario)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("did not end within {} s", LIMIT.as_secs())),
        };
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut result = json!({ "file": name, "name": scenario["name"], "proves": scenario["proves"], "outcome": "passed", "ms": ms });
        match outcome {
            Ok(()) => println!("passed  {name}  ({ms} ms)"),
            Err(reason) => {
                failed += 1;
                println!("FAILED  {name}  ({ms} ms)\n        {reason}");
                result["outcome"] = json!("failed");
                result["reason"] = json!(reason);
            }
        }
        results.push(result);
    }
    let count = results.len();
    let report = json!({ "language": "rust", "scenarios": results });
    let path = root.join("target/results-rust.json");
    let _ = std::fs::create_dir_all(root.join("target"));
    std::fs::write(&path, report.to_string()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    println!("rust: {} passed, {failed} failed", count - failed);
    std::process::exit(i32::from(failed > 0));
}

/// Those named on the command line (by path or by bare name), or all.
fn files(root: &Path, named: &[String]) -> Vec<PathBuf> {
    let folder = root.join("tests/scenarios");
    if !named.is_empty() {
        return named.iter().map(|n| if n.ends_with(".toml") { PathBuf::from(n) } else { folder.join(format!("{n}.toml")) }).collect();
    }
    let mut all: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    all.sort();
    all
}

fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let table: toml::Table = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_json::to_value(table).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}
