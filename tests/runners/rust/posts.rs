//! What Microsoft posts: handed to `receive` as a host's route would hand it on.

use crate::verbs::{Outcome, defect, error, record};
use serde_json::{Value, json};
use tidings::{Engine, HttpRequest};
use tidings_tests::sim::Sim;

/// A request as a scenario writes it, its body as text.
pub async fn receive(engine: &Engine, with: &Value) -> Outcome {
    let mut given = with.clone();
    given["body"] = json!(with["body"].as_str().unwrap_or_default().as_bytes());
    let answer = engine.receive(record::<HttpRequest>(&given)?).await.map_err(error)?;
    Ok(json!({ "status": answer.status, "headers": answer.headers, "body": String::from_utf8_lossy(&answer.body) }))
}

/// Every post that waits at the simulator, the question to a new subscription among them; `wait = false`: also when there is none.
pub async fn deliver(engine: &Engine, sim: &Sim, with: &Value) -> Outcome {
    let wait = with["wait"].as_bool().unwrap_or(true);
    let taken = sim.ask("notifications/take", Some(&json!({ "wait": wait }))).await.map_err(defect)?;
    let mut statuses = Vec::new();
    for post in taken["posts"].as_array().into_iter().flatten() {
        let answer = receive(engine, post).await?;
        let told = json!({ "id": post["id"], "status": answer["status"], "content_type": answer["headers"]["content-type"], "body": answer["body"] });
        sim.ask("notifications/answer", Some(&told)).await.map_err(defect)?;
        statuses.push(answer["status"].clone());
    }
    Ok(json!({ "posts": statuses.len(), "statuses": statuses }))
}
