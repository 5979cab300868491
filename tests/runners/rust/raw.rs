//! Requests of a host's own: answers as a status, headers and text, lists as the pages that a loop over them gives.

use crate::verbs::{Outcome, error, record};
use serde_json::{Value, json};
use tidings::{Engine, RawOutcome, RawRequest};

pub async fn request(engine: &Engine, with: &Value) -> Outcome {
    let response = engine.request(text(with, "account_id"), asked(&with["request"])?, owner(with)).await.map_err(error)?;
    let head = json!({ "status": response.status(), "headers": response.headers(), "request_id": response.request_id() });
    if with["pieces"] != true {
        return Ok(merged(head, body_of(&response.body().await.map_err(error)?)));
    }
    let (mut pieces, mut bytes, mut longest) = (0, 0, 0);
    while let Some(piece) = response.next().await.map_err(error)? {
        (pieces, bytes, longest) = (pieces + 1, bytes + piece.len(), longest.max(piece.len()));
    }
    Ok(merged(head, json!({ "pieces": pieces, "bytes": bytes, "longest": longest })))
}

pub async fn batch(engine: &Engine, with: &Value) -> Outcome {
    let requests = with["requests"].as_array().into_iter().flatten().map(asked).collect::<Result<_, _>>()?;
    let outcomes = engine.batch(text(with, "account_id"), requests, owner(with)).await.map_err(error)?;
    Ok(Value::Array(outcomes.into_iter().map(shown).collect()))
}

pub async fn pages(engine: &Engine, with: &Value) -> Outcome {
    let pages = engine.pages(text(with, "account_id"), asked(&with["request"])?, owner(with));
    let most = with["most"].as_u64().unwrap_or(u64::MAX);
    let mut all = Vec::new();
    while let Some(page) = pages.next().await.map_err(error)? {
        let items: Vec<Value> = page.items.iter().map(|item| parsed(item.as_bytes())).collect();
        all.push(json!({ "items": items, "envelope": parsed(page.envelope.as_bytes()), "next_link": page.next_link, "delta_link": page.delta_link }));
        if all.len() as u64 == most {
            break;
        }
    }
    Ok(Value::Array(all))
}

fn asked(given: &Value) -> Result<RawRequest, Value> {
    let mut request = given.clone();
    // A scenario writes bytes as text.
    if let Some(body) = given["body"].as_str() {
        request["body"] = json!(body.as_bytes());
    }
    record(&request)
}

fn shown(outcome: RawOutcome) -> Value {
    let RawOutcome { status, headers, body, request_id, error_kind, error, retry_after_ms } = outcome;
    let head = json!({
        "status": status, "headers": headers, "request_id": request_id, "error_kind": error_kind, "error": error, "retry_after_ms": retry_after_ms,
    });
    merged(head, body_of(&body))
}

/// As text, and as JSON where it is some.
fn body_of(body: &[u8]) -> Value {
    json!({ "body": String::from_utf8_lossy(body), "json": parsed(body) })
}

fn parsed(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_default()
}

fn merged(mut head: Value, more: Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        head[key] = value.clone();
    }
    head
}

fn text(with: &Value, name: &str) -> String {
    with[name].as_str().unwrap_or_default().to_owned()
}

fn owner(with: &Value) -> Option<String> {
    with["owner"].as_str().map(str::to_owned)
}
