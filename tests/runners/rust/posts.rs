//! What Microsoft posts: handed to `receive` as a host's route would hand it on.

use crate::verbs::{Outcome, defect, error, record};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidings::{BotAnswer, BotInvoke, Engine, HttpRequest, HttpResponse, TestClock};
use tidings_tests::sim::Sim;

/// A request as a scenario writes it, its body as text.
pub async fn receive(engine: &Engine, with: &Value) -> Outcome {
    Ok(shown(&engine.receive(request(with)?).await.map_err(error)?))
}

fn request(with: &Value) -> Result<HttpRequest, Value> {
    let mut given = with.clone();
    given["body"] = json!(with["body"].as_str().unwrap_or_default().as_bytes());
    record::<HttpRequest>(&given)
}

fn shown(answer: &HttpResponse) -> Value {
    json!({ "status": answer.status, "headers": answer.headers, "body": String::from_utf8_lossy(&answer.body) })
}

/// What the host of a scenario answers. Whoever is held lets the time pass in which an answer was wanted.
async fn handled(handler: &Value, limit_ms: u64, clock: Option<Arc<TestClock>>) -> Result<BotAnswer, String> {
    match handler.as_str() {
        Some("throws") => Err("the handler failed on purpose".to_owned()),
        Some("held") => {
            if let Some(clock) = clock {
                clock.advance(limit_ms);
            }
            std::future::pending().await
        }
        _ => serde_json::from_value(handler.clone()).map_err(|e| e.to_string()),
    }
}

/// Every post that waits at the simulator, the question to a new subscription among them; `wait = false`: also when there is none.
pub async fn deliver(engine: &Engine, sim: &Sim, clock: Option<Arc<TestClock>>, with: &Value) -> Outcome {
    let wait = with["wait"].as_bool().unwrap_or(true);
    let taken = sim.ask("notifications/take", Some(&json!({ "wait": wait }))).await.map_err(defect)?;
    let (mut statuses, asked, failures) = (Vec::new(), Mutex::new(Vec::new()), AtomicUsize::new(0));
    let (handler, limit_ms) = (&with["handler"], with["limit_ms"].as_u64().unwrap_or(10_000));
    for post in taken["posts"].as_array().into_iter().flatten() {
        let answer = match handler.is_null() {
            true => receive(engine, post).await?,
            false => {
                let on_invoke = |invoke: BotInvoke| {
                    asked.lock().unwrap_or_else(|e| e.into_inner()).push(json!(invoke));
                    handled(handler, limit_ms, clock.clone())
                };
                shown(&engine.receive_with(request(post)?, Duration::from_millis(limit_ms), on_invoke).await.map_err(error)?)
            }
        };
        // A host of Rust knows of its own errors, and reads of the others in the log: what the person is told shows them here.
        if answer["body"].as_str().is_some_and(|body| body.contains("Try again later.")) {
            failures.fetch_add(1, Ordering::Relaxed);
        }
        let told = json!({ "id": post["id"], "status": answer["status"], "content_type": answer["headers"]["content-type"], "body": answer["body"] });
        sim.ask("notifications/answer", Some(&told)).await.map_err(defect)?;
        statuses.push(answer["status"].clone());
    }
    let mut outcome = json!({ "posts": statuses.len(), "statuses": statuses });
    if !handler.is_null() {
        outcome["asked"] = json!(asked.into_inner().unwrap_or_else(|e| e.into_inner()));
        outcome["failures"] = json!(failures.into_inner());
    }
    Ok(outcome)
}
