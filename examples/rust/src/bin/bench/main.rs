//! Ratios from one run on one machine, since bare figures say more about the machine than about the engine:
//! a sync into the sealed store beside a plain loop that downloads, parses and inserts; AES-256-GCM of the crate that seals beside that of aws-lc-rs;
//! sends of many callers at once beside those of one; a campaign of many mailboxes beside what Microsoft's limits allow; how long posts of notifications take.
//!
//! `bench` measures and prints; `bench case NAME` is what it starts as a child, so that each case has its own peak of memory.

mod backfill;
mod ciphers;
mod engine;
mod limits;
mod mails;
mod measure;
mod plain;
mod report;
mod sends;
mod storm;
mod token;

use backfill::Filling;
use measure::{Measured, Task};
use serde_json::json;
use std::process::ExitCode;
use tidings_examples::control::Control;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Rounds of engine and plain loop, in turns: what disturbs one is likely to disturb the other.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => runtime.block_on(whole()),
        ["case", "engine"] => runtime.block_on(engine::run()),
        ["case", "plain"] => runtime.block_on(plain::run()),
        ["case", "backfill"] => runtime.block_on(backfill::run()),
        ["case", "backfill_large"] => runtime.block_on(backfill::run_large()),
        ["case", "sends"] => runtime.block_on(sends::run()),
        ["case", "storm"] => runtime.block_on(storm::run()),
        ["case", "limits"] => runtime.block_on(limits::run()),
        _ => Err("usage: bench".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn whole() -> Outcome<()> {
    let messages = std::env::var("TIDINGS_BENCH_MESSAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let simulator = m365_sim::Simulator::start(m365_sim::Options::default()).await?;
    let control = Control::new(simulator.control());
    // The plain loop knows no limits; the engine keeps to them anyway, so lifting them favours neither.
    control.post("limits", json!({ "throttle": false })).await?;
    println!("Filling a simulated mailbox with {messages} mails …");
    mails::fill(&control, 0..messages).await?;

    let task = Task {
        login: simulator.login().to_owned(),
        graph: simulator.graph(),
        control: simulator.control().to_owned(),
        client_id: simulator.client_id().to_owned(),
        messages,
    };
    let (mut engine, mut plain): (Vec<Measured>, Vec<Measured>) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        println!("Round {round} of {ROUNDS}: engine, then the plain loop …");
        engine.push(measure::child("engine", &task).await?);
        plain.push(measure::child("plain", &task).await?);
    }
    println!("Back-fills …");
    let (near, far, quiet): (backfill::Filled, backfill::Filled, backfill::Quiet) = measure::child("backfill", &task).await?;
    println!("Sends …");
    let sends: Vec<sends::Sends> = measure::child("sends", &task).await?;
    println!("A campaign within Microsoft's limits, half a minute …");
    let campaign: limits::Campaign = measure::child("limits", &task).await?;
    println!("A storm of notifications …");
    let storm: storm::Storm = measure::child("storm", &task).await?;
    println!("A back-fill of a mailbox ten times as large …");
    mails::fill(&control, messages..messages * 10).await?;
    let large: backfill::Filled = measure::child("backfill_large", &task).await?;
    println!("AES-256-GCM …");
    let ciphers = ciphers::compare()?;
    report::print(messages, &engine, &plain, &Filling { near, far, large, quiet }, &sends, &campaign, &storm, &ciphers)
}
