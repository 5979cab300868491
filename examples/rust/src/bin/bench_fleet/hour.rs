//! What happens within an hour: mail arrives, a sixth of the accounts is synced, mails are sent in bulk and by people who wait, some requests are throttled.

use super::fleet::{Fleet, Group};
use super::simulator::Simulated;
use super::{Outcome, bulk, interactive};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tidings::{Engine, SyncOutcome};

/// Each account is synced every so many hours. Its token has ended by then.
const EVERY: usize = 6;
/// New mail comes to one of so many of the accounts that are synced.
const ONE_OF: usize = 4;
/// Owners whose accounts are synced at a time.
const OWNERS_AT_ONCE: usize = 4;
/// Answers of an hour that say "too many requests".
const THROTTLED: u32 = 20;

pub struct Hour {
    pub outcomes: Vec<SyncOutcome>,
    pub bulk: u32,
    pub waits: Vec<Duration>,
}

pub async fn run(engine: &Engine, simulated: &Simulated, fleet: &Arc<Fleet>, number: u32) -> Outcome<Hour> {
    let due = |at: usize| at % EVERY == number as usize % EVERY;
    let groups: Vec<&Group> = fleet.groups.iter().enumerate().filter(|(at, _)| due(*at)).map(|(_, group)| group).collect();
    arrive(simulated, &groups, number).await?;
    // Spread over the hour: some of the first answers, and of those after them.
    for skip in [40, 400] {
        let throttle = json!({ "match": { "host": "graph", "path": "mailFolders|messages|batch" }, "skip": skip, "times": THROTTLED / 2, "do": { "status": 429, "retry_after": 10 } });
        simulated.post("faults", throttle).await?;
    }
    let owners: Vec<String> = groups.iter().map(|group| group.owner.clone()).collect();
    let syncing = tokio::spawn(sync(engine.clone(), owners));
    let sending = tokio::spawn(bulk::send(engine.clone(), fleet.clone(), number));
    let waiting = tokio::spawn(interactive::send(engine.clone(), fleet.clone(), number));
    let hour = Hour { outcomes: syncing.await??, bulk: sending.await??, waits: waiting.await?? };
    bulk::delivered(engine).await?;
    simulated.clear_faults().await?;
    Ok(hour)
}

async fn arrive(simulated: &Simulated, groups: &[&Group], number: u32) -> Outcome<()> {
    for group in groups {
        for member in group.members.iter().skip(number as usize % ONE_OF).step_by(ONE_OF) {
            let mail = json!({ "mailbox": member.address, "subject": format!("Hour {number}"), "count": 2, "size": 3000 });
            simulated.post("mail/many", mail).await?;
        }
    }
    Ok(())
}

/// A few owners at a time.
async fn sync(engine: Engine, owners: Vec<String>) -> Outcome<Vec<SyncOutcome>> {
    let mut outcomes = Vec::new();
    let mut owners = owners.into_iter();
    let mut running = tokio::task::JoinSet::new();
    loop {
        while running.len() < OWNERS_AT_ONCE {
            let Some(owner) = owners.next() else { break };
            let engine = engine.clone();
            running.spawn(async move { engine.sync_all(Some(owner)).await });
        }
        match running.join_next().await {
            Some(synced) => outcomes.extend(synced??),
            None => return Ok(outcomes),
        }
    }
}
