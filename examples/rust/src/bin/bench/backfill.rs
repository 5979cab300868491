//! The case "backfill": all mail of the mailbox in the background, as after a sign-in: when the first mail can be read, when all of it is here, and when the delta
//! links are made. Once as quick as the simulator is, and once with every answer 80 ms late, as over a long way.

use super::{Outcome, measure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::{Duration, Instant};
use tidings::{BackfillRange, BackfillState, ConnectRequest, Engine, Event, Feature, MessageQuery};
use tidings_examples::control::Control;

const LATE_MS: u64 = 80;

/// What came of it, in seconds since it was asked for.
#[derive(Serialize, Deserialize)]
pub struct Filled {
    pub late_ms: u64,
    pub messages: u32,
    pub first: f64,
    pub listed: f64,
    pub done: f64,
    pub cpu: Option<f64>,
}

pub async fn run() -> Outcome<()> {
    let control = Control::from_env()?;
    let engine = tidings_examples::open()?;
    let near = fill(&engine, &control, "near", 0).await?;
    let late = json!({ "name": "late", "match": { "host": "graph" }, "times": 0, "do": { "slow_ms": LATE_MS } });
    control.post("faults", late).await?;
    let far = fill(&engine, &control, "far", LATE_MS).await?;
    control.clear_faults().await?;
    engine.shutdown().await;
    println!("{}", serde_json::to_string(&[near, far])?);
    Ok(())
}

/// Of an owner of its own, for whom nothing is here yet.
async fn fill(engine: &Engine, control: &Control, owner: &str, late_ms: u64) -> Outcome<Filled> {
    let request = ConnectRequest { owner: owner.into(), features: vec![Feature::MailSync], redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() };
    let sign_in = engine.connect(request).await?;
    let callback = control.sign_in(&sign_in.url, "adele@contoso.com").await?;
    let account = engine.finish_connect(callback, sign_in.binding).await?;
    let events = engine.events(Some(owner.into()));
    let (began, cpu) = (Instant::now(), measure::Began::now());
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
    Ok(Filled { late_ms, messages: now.done, first: first.await??, listed: listed.unwrap_or(done), done, cpu })
}

async fn first_mail(engine: Engine, account_id: String, began: Instant) -> tidings::Result<f64> {
    let query = MessageQuery { account_id: Some(account_id), limit: 1, ..MessageQuery::default() };
    while engine.messages(query.clone()).await?.items.is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(began.elapsed().as_secs_f64())
}
