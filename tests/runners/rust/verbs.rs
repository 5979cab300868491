//! JSON in, a call through the public interface, JSON out.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use tidings::{ChatDraft, Cloud, Config, Draft, Engine, Error, Event, EventStream, MailDraft, SendState};

/// The outcome of a call, or its error as a record.
pub type Outcome = Result<Value, Value>;

/// An engine and the stream that was opened with it.
#[derive(Clone)]
pub struct Player {
    pub engine: Arc<Engine>,
    pub events: Arc<EventStream>,
}

pub async fn call(on: Player, verb: String, with: Value) -> Outcome {
    let engine = &on.engine;
    let text = |name: &str| with[name].as_str().map(str::to_owned);
    let must = |name: &str| text(name).unwrap_or_default();
    match verb.as_str() {
        "close" => {
            engine.shutdown().await;
            Ok(Value::Null)
        }
        "connect" => out(engine.connect(record(&with)?).await),
        "finish_connect" => out(engine.finish_connect(must("callback_url"), must("binding")).await),
        "accounts" => out(engine.accounts(record(&with)?).await),
        "account" => out(engine.account(must("account_id")).await),
        "disconnect" => out(engine.disconnect(must("account_id")).await),
        "send" => out(engine.send(draft(&with)?).await),
        "enqueue" => out(engine.enqueue(draft(&with)?).await),
        "receipt" => out(engine.receipt(must("receipt_id")).await),
        "outbox" => out(engine.outbox(record(&with)?).await),
        "sync" => out(engine.sync(must("account_id")).await),
        "folders" => out(engine.folders(must("account_id")).await),
        "messages" => out(engine.messages(record(&with)?).await),
        "message" => out(engine.message(must("message_id")).await),
        "body" => out(engine.body(must("message_id")).await),
        "thread" => out(engine.thread(must("message_id")).await),
        "mark_read" => out(engine.mark_read(must("message_id"), with["is_read"].as_bool().unwrap_or(true)).await),
        "changes" => out(engine.changes(text("cursor")).ready(with["limit"].as_u64().map_or(1000, small)).await),
        "events" => events(&on.events, &must("until")).await,
        "settled" => settled(engine, &must("receipt_id")).await,
        other => Err(defect(format!("no verb {other}"))),
    }
}

/// Types of the events up to the one named.
async fn events(stream: &EventStream, until: &str) -> Outcome {
    let mut types = Vec::new();
    while let Some(event) = stream.next().await.map_err(error)? {
        let kind = kind_of(&event);
        types.push(kind.clone());
        if kind == until {
            return Ok(json!(types));
        }
    }
    Err(defect(format!("the stream ended before {until}; saw {types:?}")))
}

fn kind_of(event: &Event) -> String {
    serde_json::to_value(event).ok().and_then(|v| v.as_object().and_then(|o| o.keys().next().cloned())).unwrap_or_default()
}

/// Waits for the receipt's end along the change feed, which rings for every change of it.
async fn settled(engine: &Engine, receipt_id: &str) -> Outcome {
    let feed = engine.changes(None);
    loop {
        let receipt = engine.receipt(receipt_id.to_owned()).await.map_err(error)?;
        if !matches!(receipt.state, SendState::Queued | SendState::Sending) {
            return out(Ok(receipt));
        }
        feed.next(1000).await.map_err(error)?;
    }
}

/// The usual settings, changed by what a scenario names.
pub fn config(with: &Value) -> Result<Config, Value> {
    let text = |name: &str| with[name].as_str().map(str::to_owned);
    let number = |name: &str, usual: u32| with[name].as_u64().map_or(usual, small);
    let usual = Config::new(text("data_dir").unwrap_or_default(), text("client_id").unwrap_or_default());
    Ok(Config {
        cloud: with.get("cloud").map_or(Ok(Cloud::Public), record)?,
        client_secret: text("client_secret").map(|s| Arc::new(tidings::Secret::new(s))),
        tenant: text("tenant").unwrap_or(usual.tenant),
        send_timeout_ms: number("send_timeout_ms", usual.send_timeout_ms),
        sign_in_seconds: number("sign_in_seconds", usual.sign_in_seconds),
        page_size: number("page_size", usual.page_size),
        folders: with.get("folders").map_or(Ok(usual.folders), record)?,
        allow_tls12: with["allow_tls12"].as_bool().unwrap_or_default(),
        proxy: text("proxy"),
        ..usual
    })
}

fn draft(with: &Value) -> Result<Draft, Value> {
    if with.get("chat").is_some() {
        return Ok(Draft::Chat { chat: record::<ChatDraft>(&with["chat"])? });
    }
    let mut mail = with["mail"].clone();
    // A scenario writes the content of a file as text.
    for file in mail.get_mut("attachments").and_then(Value::as_array_mut).into_iter().flatten() {
        let bytes = file["content"].as_str().map(|text| text.as_bytes().to_vec());
        file["content"] = json!(bytes);
    }
    Ok(Draft::Mail { mail: record::<MailDraft>(&mail)? })
}

pub fn record<T: DeserializeOwned>(value: &Value) -> Result<T, Value> {
    let value = if value.is_null() { json!({}) } else { value.clone() };
    serde_json::from_value(value).map_err(|e| defect(e.to_string()))
}

pub fn out<T: Serialize>(result: tidings::Result<T>) -> Outcome {
    result.map_err(error).and_then(|value| serde_json::to_value(value).map_err(|e| defect(e.to_string())))
}

pub fn error(e: Error) -> Value {
    json!({
        "kind": e.kind(), "reason": e.reason(), "account_id": e.account_id(), "request_id": e.request_id(),
        "retry_after_ms": e.retry_after_ms(), "remedy": e.remedy(),
    })
}

/// A mistake of the scenario, which no `error` of a scenario matches.
pub fn defect(reason: impl Into<String>) -> Value {
    json!({ "kind": "scenario", "reason": reason.into() })
}

fn small(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
