//! The case "storm": 50,000 notifications over 500 mailboxes, each in a post of its own, eight posts at a time; how long each takes to be answered, durably.

use super::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings::{Cloud, Config, ConnectRequest, Engine, Feature, HttpRequest, RootKey};
use tidings_examples::control::Control;
use tidings_examples::env;

const DOMAIN: &str = "storm.example";
const MAILBOXES: usize = 500;
const POSTS: usize = 50_000;
const AT_ONCE: usize = 8;

/// What came of it. Times in milliseconds.
#[derive(Serialize, Deserialize)]
pub struct Storm {
    pub posts: usize,
    pub mailboxes: usize,
    pub seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub most_ms: f64,
    /// Those that were not answered with 202.
    pub unanswered: usize,
    /// Syncs that they led to while they came.
    pub syncs: u64,
}

pub async fn run() -> Outcome<()> {
    let control = Control::from_env()?;
    control.post("people/many", json!({ "domain": DOMAIN, "count": MAILBOXES })).await?;
    let mut config = Config::new(env("TIDINGS_DATA")?, env("TIDINGS_CLIENT_ID")?);
    config.cloud = Cloud::custom(env("TIDINGS_LOGIN")?, env("TIDINGS_GRAPH")?);
    // The simulator sends nothing there: posts are taken from it.
    config.notification_url = Some("https://app.example.com/tidings".to_owned());
    let engine = Engine::open(config, Arc::new(RootKey::raw(tidings::generate_root_key()?)?))?;
    for n in 1..=MAILBOXES {
        let request = ConnectRequest { owner: "bench".into(), features: vec![Feature::MailSync], redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() };
        let sign_in = engine.connect(request).await?;
        let callback = control.sign_in(&sign_in.url, &format!("user{n}@{DOMAIN}")).await?;
        engine.finish_connect(callback, sign_in.binding).await?;
        deliver(&engine, &control).await?;
    }
    while engine.metrics().subscriptions_made < MAILBOXES as u64 {
        deliver(&engine, &control).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Every mailbox is synced once for its new subscription.
    while engine.metrics().syncs < MAILBOXES as u64 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let listed = control.post("subscriptions/list", json!({})).await?;
    let bodies: Arc<Vec<Vec<u8>>> = Arc::new(listed["items"].as_array().into_iter().flatten().map(body).collect());
    let (before, began) = (engine.metrics().syncs, Instant::now());
    let posters: Vec<_> = (0..AT_ONCE).map(|first| tokio::spawn(post_all(engine.clone(), bodies.clone(), first))).collect();
    let (mut took, mut unanswered) = (Vec::with_capacity(POSTS), 0);
    for poster in posters {
        let (some, missing) = poster.await??;
        took.extend(some);
        unanswered += missing;
    }
    let seconds = began.elapsed().as_secs_f64();
    took.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| took.get(((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1))).copied().unwrap_or_default();
    let storm = Storm { posts: POSTS, mailboxes: bodies.len(), seconds, p50_ms: at(0.5), p99_ms: at(0.99), most_ms: at(1.0), unanswered, syncs: engine.metrics().syncs - before };
    engine.shutdown().await;
    println!("{}", serde_json::to_string(&storm)?);
    Ok(())
}

/// A notification as Microsoft posts it.
fn body(subscription: &Value) -> Vec<u8> {
    let item = json!({
        "subscriptionId": subscription["id"], "clientState": subscription["client_state"], "changeType": "created", "resource": "Users/x/Messages/AAMk",
        "resourceData": { "@odata.type": "#Microsoft.Graph.Message", "id": "AAMk" },
    });
    json!({ "value": [item] }).to_string().into_bytes()
}

/// Milliseconds of each post, and how many of them were answered otherwise.
async fn post_all(engine: Engine, bodies: Arc<Vec<Vec<u8>>>, first: usize) -> Outcome<(Vec<f64>, usize)> {
    let (mut took, mut unanswered) = (Vec::with_capacity(POSTS / AT_ONCE), 0);
    for n in (first..POSTS).step_by(AT_ONCE) {
        let body = bodies.get((n * 7919) % bodies.len().max(1)).cloned().ok_or("no subscription")?;
        let began = Instant::now();
        let answer = engine.receive(HttpRequest { body: Some(body), ..HttpRequest::default() }).await?;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        unanswered += usize::from(answer.status != 202);
    }
    Ok((took, unanswered))
}

/// Answers the questions to new subscriptions.
async fn deliver(engine: &Engine, control: &Control) -> Outcome<()> {
    let taken = control.post("notifications/take", json!({ "wait": false })).await?;
    for post in taken["posts"].as_array().into_iter().flatten() {
        let text = |name: &str| post[name].as_str().unwrap_or_default().to_owned();
        let answer = engine.receive(HttpRequest { query: text("query"), body: Some(text("body").into_bytes()), ..HttpRequest::default() }).await?;
        let told = json!({ "id": post["id"], "status": answer.status, "content_type": answer.headers.get("content-type"), "body": String::from_utf8_lossy(&answer.body) });
        control.post("notifications/answer", told).await?;
    }
    Ok(())
}
