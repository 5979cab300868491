//! The case "backfill": all mail of the mailbox in the background, as after a sign-in: when the first mail can be read, when all of it is here, and when the delta
//! links are made. Once as quick as the simulator is, and once with every answer 80 ms late, as over a long way. Then what a sync costs that has nothing to bring. The
//! case "backfill_large": the same of a mailbox ten times as large, as quick as the simulator is, for the memory it takes.

use super::{Outcome, measure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::{Duration, Instant};
use tidings::{AccountFilter, BackfillRange, BackfillState, ConnectRequest, Engine, Event, Feature, MessageQuery};
use tidings_examples::control::Control;

const LATE_MS: u64 = 80;
/// Syncs of one measure: the system counts processor time in steps of 10 ms.
const QUIET: u32 = 200;

/// What came of it, in seconds since it was asked for.
#[derive(Serialize, Deserialize)]
pub struct Filled {
    pub late_ms: u64,
    pub messages: u32,
    pub first: f64,
    pub listed: f64,
    pub done: f64,
    pub cpu: Option<f64>,
    pub requests: u64,
    /// The most memory of the process until then.
    pub peak_kb: Option<u64>,
}

/// What a sync with nothing new costs, in the middle of many.
#[derive(Serialize, Deserialize)]
pub struct Quiet {
    pub folders: u32,
    pub requests: f64,
    pub cpu_ms: Option<f64>,
}

/// All of it.
#[derive(Serialize)]
pub struct Filling {
    pub near: Filled,
    pub far: Filled,
    pub large: Filled,
    pub quiet: Quiet,
}

pub async fn run() -> Outcome<()> {
    let control = Control::from_env()?;
    let engine = tidings_examples::open()?;
    let near = fill(&engine, &control, "near", 0).await?;
    let quiet = quiet(&engine).await?;
    let late = json!({ "name": "late", "match": { "host": "graph" }, "times": 0, "do": { "slow_ms": LATE_MS } });
    control.post("faults", late).await?;
    let far = fill(&engine, &control, "far", LATE_MS).await?;
    control.clear_faults().await?;
    engine.shutdown().await;
    println!("{}", serde_json::to_string(&(near, far, quiet))?);
    Ok(())
}

pub async fn run_large() -> Outcome<()> {
    let control = Control::from_env()?;
    let engine = tidings_examples::open()?;
    let near = fill(&engine, &control, "near", 0).await?;
    engine.shutdown().await;
    println!("{}", serde_json::to_string(&near)?);
    Ok(())
}

async fn quiet(engine: &Engine) -> Outcome<Quiet> {
    let account = engine.accounts(AccountFilter { owner: Some("near".into()), ..AccountFilter::default() }).await?.items.into_iter().next().ok_or("no account")?;
    let folders = engine.sync(account.id.clone(), None).await?.folders;
    let (began, requests) = (measure::Began::now(), engine.metrics().requests);
    for _ in 0..QUIET {
        engine.sync(account.id.clone(), None).await?;
    }
    let requests = engine.metrics().requests - requests;
    let cpu_ms = began.ended().cpu().map(|seconds| seconds * 1000.0 / f64::from(QUIET));
    Ok(Quiet { folders, requests: requests as f64 / f64::from(QUIET), cpu_ms })
}

/// Of an owner of its own, for whom nothing is here yet.
async fn fill(engine: &Engine, control: &Control, owner: &str, late_ms: u64) -> Outcome<Filled> {
    let request = ConnectRequest { owner: owner.into(), features: vec![Feature::MailSync], redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() };
    let sign_in = engine.connect(request).await?;
    let callback = control.sign_in(&sign_in.url, "adele@contoso.com").await?;
    let account = engine.finish_connect(callback, sign_in.binding).await?;
    let events = engine.events(Some(owner.into()));
    let (began, cpu, requests) = (Instant::now(), measure::Began::now(), engine.metrics().requests);
    let mut now = engine.backfill(account.id.clone(), BackfillRange::Everything, None).await?;
    let first = tokio::spawn(first_mail(engine.clone(), account.id.clone(), began));
    let mut listed = None;
    while now.state != BackfillState::Done {
        match events.next().await? {
            Some(Event::BackfillChanged { backfill }) => now = backfill,
            Some(_) => continue,
            None => return Err("The engine was closed.".into()),
        }
        if now.state != BackfillState::Listing {
            listed.get_or_insert_with(|| began.elapsed().as_secs_f64());
        }
    }
    let (done, cpu) = (began.elapsed().as_secs_f64(), cpu.ended().cpu());
    Ok(Filled { late_ms, messages: now.done, first: first.await??, listed: listed.unwrap_or(done), done, cpu, requests: engine.metrics().requests - requests, peak_kb: measure::peak_kb() })
}

async fn first_mail(engine: Engine, account_id: String, began: Instant) -> tidings::Result<f64> {
    let query = MessageQuery { account_id: Some(account_id), limit: 1, ..MessageQuery::default() };
    while engine.messages(query.clone()).await?.items.is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(began.elapsed().as_secs_f64())
}
