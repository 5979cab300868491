//! A mail that arrives by push and is linked to a candidate. Microsoft must reach the route, so with real accounts this takes a public address
//! (`notification_url`); here it is the simulator that posts.

use super::Outcome;
use super::connecting::OWNER;
use super::place::Place;
use serde_json::json;
use std::time::Duration;
use tidings::{Account, Engine, LinkRule, Message, MessageQuery, Transport};

const CANDIDATE: &str = "candidate-7";
const ADDRESS: &str = "jo@fabrikam.com";
const WITHIN: Duration = Duration::from_secs(60);

/// None: with real accounts.
pub async fn receive(engine: &Engine, place: &Place, account: &Account) -> Outcome<Option<Message>> {
    let Some(simulator) = place.browser() else { return Ok(None) };
    engine.set_link_rule(LinkRule { owner: OWNER.into(), key: CANDIDATE.into(), addresses: vec![ADDRESS.into()], domains: Vec::new() }).await?;
    until(async || Ok(engine.health(OWNER.into()).await?.accounts.iter().all(|health| health.transport == Transport::Push))).await?;
    let mail = json!({ "mailbox": account.address, "subject": "My references", "from": { "name": "Jo", "address": ADDRESS }, "text": "As promised." });
    simulator.post("mail", mail).await?;
    let query = MessageQuery { owner: Some(OWNER.into()), link: Some(CANDIDATE.into()), limit: 1, ..MessageQuery::default() };
    let mut arrived = None;
    until(async || {
        arrived = engine.messages(query.clone()).await?.items.pop();
        Ok(arrived.is_some())
    })
    .await?;
    Ok(arrived)
}

async fn until(mut what: impl AsyncFnMut() -> tidings::Result<bool>) -> Outcome<()> {
    let waits = async {
        while !what().await? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok::<_, tidings::Error>(())
    };
    match tokio::time::timeout(WITHIN, waits).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => Err("No mail came by push within a minute.".into()),
    }
}
