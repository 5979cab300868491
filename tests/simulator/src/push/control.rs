//! What a test does with subscriptions and their posts.

use super::Said;
use crate::clock;
use crate::server::Shared;
use crate::world::World;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a test waits for a post at the most.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// POST /subscriptions/list
pub fn list(world: &mut World) -> Value {
    super::look_at_time(world);
    let show = |one: &super::Subscription| {
        json!({
            "id": one.id, "mailbox": world.people.people[one.mailbox].address, "resource": one.resource, "url": one.url, "client_state": one.client_state,
            "expires_at": clock::iso(one.expires_ms), "renewed": one.renewed, "reauthorized": one.reauthorized, "immutable": one.immutable, "certificate": one.encryption.as_ref().map(|with| with.id.clone()),
        })
    };
    let waiting = world.push.posts.len() + world.push.items.len();
    json!({"items": world.push.subscriptions.iter().map(show).collect::<Vec<_>>(), "waiting": waiting, "lost": world.push.lost})
}

/// POST /subscriptions/tell: a lifecycle event; `subscriptionRemoved` takes the subscription away as well.
pub fn tell(world: &mut World, ask: &Value) -> Result<Value, String> {
    let event = ask["event"].as_str().unwrap_or("");
    if !["reauthorizationRequired", "subscriptionRemoved", "missed"].contains(&event) {
        return Err(format!("no such event: {event}"));
    }
    let mailbox = super::super::control::person(world, ask, "mailbox")?;
    let ids: Vec<String> = world.push.subscriptions.iter().filter(|one| one.mailbox == mailbox).map(|one| one.id.clone()).collect();
    for id in &ids {
        world.push.tell(id, event);
    }
    super::news::name_tenants(world);
    if event == "subscriptionRemoved" {
        world.push.subscriptions.retain(|one| one.mailbox != mailbox);
    }
    if event == "missed" {
        // What was to be told before is what was missed.
        world.push.items.retain(|item| !item.value["lifecycleEvent"].is_null());
        world.push.posts.retain(|post| post.asks.is_some() || post.is_out || post.body.contains("lifecycleEvent"));
    }
    Ok(json!({"count": ids.len()}))
}

/// POST /subscriptions/remove: without a word.
pub fn remove(world: &mut World, ask: &Value) -> Result<Value, String> {
    let mailbox = super::super::control::person(world, ask, "mailbox")?;
    world.push.subscriptions.retain(|one| one.mailbox != mailbox);
    Ok(json!({}))
}

/// POST /notifications/take: the posts whose time has come for URLs that are not on this machine, as requests; waits until there is one.
pub async fn take(shared: &Shared, ask: &Value) -> Value {
    let wait = ask["wait"].as_bool().unwrap_or(true);
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let due = super::leaving(&mut shared.lock(), false, 100);
        if !due.is_empty() || !wait || tokio::time::Instant::now() >= until {
            let show = |super::Leaving { id, url, content_type, authorization, body }| {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let place = rest.find(['/', '?']).map_or("/", |at| &rest[at..]);
                let (path, query) = place.split_once('?').unwrap_or((place, ""));
                let mut headers = json!({ "content-type": content_type });
                if let Some(authorization) = authorization {
                    headers["authorization"] = json!(authorization);
                }
                json!({"id": id, "method": "POST", "path": path, "query": query, "headers": headers, "body": body})
            };
            return json!({"posts": due.into_iter().map(show).collect::<Vec<_>>()});
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// POST /notifications/answer: what the URL answered to a post that was taken.
pub fn answer(world: &mut World, ask: &Value) -> Result<Value, String> {
    let id = ask["id"].as_u64().ok_or("id is missing")?;
    let text = |name: &str| ask[name].as_str().unwrap_or("").to_string();
    let status = ask["status"].as_u64().and_then(|status| u16::try_from(status).ok()).ok_or("status is missing")?;
    super::heard(world, id, Some(Said { status, content_type: text("content_type"), body: text("body") }));
    Ok(json!({}))
}
