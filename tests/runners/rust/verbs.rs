//! JSON in, a call through the public interface, JSON out.

use crate::{apps, content, posts, raw};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tidings::{ChangeQuery, ChatDraft, Draft, Engine, Error, Event, EventStream, KeyRotation, MailDraft, RootKey, SendState};

/// The outcome of a call, or its error as a record.
pub type Outcome = Result<Value, Value>;

/// An engine, the stream of everybody's events that was opened with it, and those of the owners that a scenario names.
#[derive(Clone)]
pub struct Player {
    pub engine: Arc<Engine>,
    events: Arc<Mutex<HashMap<Option<String>, Arc<EventStream>>>>,
}

impl Player {
    pub fn new(engine: Arc<Engine>) -> Self {
        let player = Self { engine, events: Arc::default() };
        player.stream_of(None);
        player
    }

    fn stream_of(&self, owner: Option<String>) -> Arc<EventStream> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.entry(owner.clone()).or_insert_with(|| self.engine.events(owner)).clone()
    }
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
        "connect_tenant" => out(engine.connect_tenant(record(&with)?).await),
        "link_person" => out(engine.link_person(record(&with)?).await),
        "reconnect" => out(engine.reconnect(must("account_id"), must("redirect_uri"), text("owner")).await),
        "add_features" => out(engine.add_features(must("account_id"), record(&with["features"])?, must("redirect_uri"), text("owner")).await),
        "approval" => out(engine.approval(must("account_id"), must("redirect_uri"), text("owner")).await),
        "add_shared_mailbox" => out(engine.add_shared_mailbox(must("account_id"), must("address"), text("owner")).await),
        "resume" => out(engine.resume(must("account_id"), text("owner")).await),
        "verify" => out(engine.verify(must("account_id"), with["test_message"].as_bool().unwrap_or_default(), text("owner")).await),
        "permissions" => out(engine.permissions(record(&with)?).await),
        "health" => out(engine.health(must("owner")).await),
        "purge" => out(engine.purge(record(&with)?).await),
        "delete_owner" => out(engine.delete_owner(must("owner")).await),
        "restore_owner" => out(engine.restore_owner(must("owner")).await),
        "rotate_keys" => out(engine.rotate_keys(rotation(&with)?).await),
        "audit" => out(engine.audit(with["limit"].as_u64().map_or(1000, small), text("cursor"), text("owner")).await),
        "trim_audit" => out(engine.trim_audit(record(&with["exported"])?).await),
        "verify_audit" => out(engine.verify_audit(with.get("expected").map(record).transpose()?, text("owner")).await),
        "search" => out(engine.search(record(&with)?).await),
        "metrics" => out(Ok(engine.metrics())),
        "start" => out(engine.start()),
        "estimate_backfill" => out(engine.estimate_backfill(must("account_id"), record(&with["range"])?, text("owner")).await),
        "backfill" => out(engine.backfill(must("account_id"), record(&with["range"])?, text("owner")).await),
        "pause_backfill" => out(engine.pause_backfill(must("account_id"), text("owner")).await),
        "resume_backfill" => out(engine.resume_backfill(must("account_id"), text("owner")).await),
        "cancel_backfill" => out(engine.cancel_backfill(must("account_id"), text("owner")).await),
        "backfill_status" => out(engine.backfill_status(must("account_id"), text("owner")).await),
        "run_once" => out(engine.run_once(with["deadline_ms"].as_u64().map_or(60_000, small)).await),
        "accounts" => out(engine.accounts(record(&with)?).await),
        "account" => out(engine.account(must("account_id"), text("owner")).await),
        "disconnect" => out(engine.disconnect(must("account_id"), text("owner")).await),
        "send" => out(engine.send(draft(&with)?).await),
        "preview" => out(engine.preview(draft(&with)?).await),
        "enqueue" => out(engine.enqueue(draft(&with)?).await),
        "set_signature" => {
            let mut given = with["signature"].clone();
            files_as_bytes(&mut given, "images");
            let signature = if given.is_null() { None } else { Some(record(&given)?) };
            out(engine.set_signature(must("account_id"), signature, text("owner")).await)
        }
        "signature" => out(engine.signature(must("account_id"), text("owner")).await),
        "enqueue_all" => {
            let drafts = with["drafts"].as_array().into_iter().flatten().map(draft).collect::<Result<_, _>>()?;
            out(engine.enqueue_all(drafts).await)
        }
        "attachment_from" => attachment_from(engine, &with).await,
        "edit" => out(engine.edit(must("receipt_id"), draft(&with["draft"])?, text("owner")).await),
        "edit_sent" => out(engine.edit_sent(must("receipt_id"), draft(&with["draft"])?, text("owner")).await),
        "delete_sent" => out(engine.delete_sent(must("receipt_id"), text("owner")).await),
        "receipt" => out(engine.receipt(must("receipt_id"), text("owner")).await),
        "cancel" => out(engine.cancel(must("receipt_id"), text("owner")).await),
        "retry" => out(engine.retry(must("receipt_id"), with["even_if_unknown"].as_bool().unwrap_or_default(), text("owner")).await),
        "outbox" => out(engine.outbox(record(&with)?).await),
        "last_sender" => out(engine.last_sender(must("owner"), must("context")).await),
        "find_person" => out(engine.find_person(must("account_id"), must("address"), text("owner")).await),
        "people" => out(engine.people(record(&with)?).await),
        "teams" => out(engine.teams(must("account_id"), text("owner")).await),
        "channels" => out(engine.channels(must("account_id"), must("team_id"), text("owner")).await),
        "all_channels" => out(engine.all_channels(must("account_id"), text("owner")).await),
        "chats" => out(engine.chats(must("account_id"), with["limit"].as_u64().map_or(50, small), text("owner")).await),
        "chat_messages" => out(engine.chat_messages(must("account_id"), must("chat_id"), with["limit"].as_u64().map_or(50, small), text("owner")).await),
        "roster" => out(engine.roster(must("account_id"), must("team_id"), with["limit"].as_u64().map_or(500, small), text("cursor"), text("owner")).await),
        "bot_activities" => out(engine.bot_activities(record(&with)?).await),
        "bot_activity" => out(engine.bot_activity(must("id"), text("owner")).await),
        "conversations" => out(engine.conversations(record(&with)?).await),
        "typing" => out(engine.typing(must("account_id"), must("conversation_id"), text("owner")).await),
        "add_endpoint" => out(engine.add_endpoint(record(&with)?).await),
        "endpoints" => out(engine.endpoints(record(&with)?).await),
        "change_endpoint" => out(engine.change_endpoint(must("endpoint_id"), record(&with["change"])?, text("owner")).await),
        "remove_endpoint" => out(engine.remove_endpoint(must("endpoint_id"), text("owner")).await),
        "add_workflow" => out(engine.add_workflow(must("owner"), must("name"), must("url"), text("context")).await),
        "workflows" => out(engine.workflows(must("owner")).await),
        "remove_workflow" => out(engine.remove_workflow(must("workflow_id"), text("owner")).await),
        "sync" => out(engine.sync(must("account_id"), text("owner")).await),
        "sync_all" => out(engine.sync_all(text("owner")).await),
        "choose_folders" => out(engine.choose_folders(must("account_id"), record(&with["folders"])?, text("owner")).await),
        "folders" => out(engine.folders(must("account_id"), text("owner")).await),
        "quarantined" => out(engine.quarantined(must("account_id"), text("owner")).await),
        "messages" => out(engine.messages(record(&with)?).await),
        "chat_history" => out(engine.chat_history(record(&with)?).await),
        "events_between" => out(engine.events_between(record(&with)?).await),
        "contacts" => out(engine.contacts(record(&with)?).await),
        "threads" => out(engine.threads(record(&with)?).await),
        "message" => out(engine.message(must("message_id"), text("owner")).await),
        "body" => out(engine.body(must("message_id"), text("owner"), with["form"].as_str().map(|_| record(&with["form"])).transpose()?, with.get("options").map(record).transpose()?).await),
        "attachment" => content::attachment(engine, &with).await,
        "mime" => content::mime(engine, &with).await,
        "thread" => out(engine.thread(must("message_id"), text("owner")).await),
        "mark_read" => out(engine.mark_read(must("message_id"), with["is_read"].as_bool().unwrap_or(true), text("owner")).await),
        "mark_all_read" => out(engine.mark_all_read(record(&with["message_ids"])?, with["is_read"].as_bool().unwrap_or(true), text("owner")).await),
        "flag" => out(engine.flag(record(&with["message_ids"])?, record(&with["status"])?, time(&with["due_at"])?, text("owner")).await),
        "categorize" => {
            let list = |name: &str| if with[name].is_null() { Ok(Vec::new()) } else { record(&with[name]) };
            out(engine.categorize(record(&with["message_ids"])?, list("add")?, list("remove")?, text("owner")).await)
        }
        "move_messages" => out(engine.move_messages(record(&with["message_ids"])?, must("folder"), text("owner")).await),
        "link" => out(engine.link(record(&with["message_ids"])?, must("key"), text("owner")).await),
        "unlink" => out(engine.unlink(record(&with["message_ids"])?, must("key"), text("owner")).await),
        "set_link_rule" => out(engine.set_link_rule(record(&with)?).await),
        "link_rules" => out(engine.link_rules(must("owner")).await),
        "remove_link_rule" => out(engine.remove_link_rule(must("owner"), must("key")).await),
        "archive" => out(engine.archive(record(&with["message_ids"])?, text("owner")).await),
        "changes" => out(engine.changes(record(&with)?).ready(with["limit"].as_u64().map_or(1000, small)).await),
        "watch" => out(engine.watch(must("account_id"), with["on"].as_bool().unwrap_or(true), text("owner")).await),
        "receive" => posts::receive(engine, &with).await,
        "request" => raw::request(engine, &with).await,
        "batch" => raw::batch(engine, &with).await,
        "pages" => raw::pages(engine, &with).await,
        "app_package" => apps::package(engine, &with).await,
        "install_app" => out(engine.install_app(record(&with)?).await),
        "installed_app" => out(engine.installed_app(record(&with)?).await),
        "upgrade_app" => out(engine.upgrade_app(record(&with)?).await),
        "uninstall_app" => out(engine.uninstall_app(record(&with)?).await),
        "events" => events(&on.stream_of(text("owner")), text("until")).await,
        "settled" => settled(engine, &must("receipt_id")).await,
        other => Err(defect(format!("no verb {other}"))),
    }
}

/// A time, as drafts are given one.
fn time(text: &Value) -> Result<Option<std::time::SystemTime>, Value> {
    let draft = json!({ "account_id": "", "to": [], "subject": "", "body": "", "send_at": text });
    Ok(record::<tidings::MailDraft>(&draft)?.send_at)
}

/// An attachment of so many bytes, each its place modulo 251. The source `fails` or is given up, `stops`, after so many of them.
async fn attachment_from(engine: &Engine, with: &Value) -> Outcome {
    let text = |name: &str| with[name].as_str().map(str::to_owned);
    let (bytes, fails, stops) = (with["bytes"].as_u64().unwrap_or_default(), with["fails"].as_u64(), with["stops"].as_u64());
    let (name, kind) = (text("name").unwrap_or_else(|| "big.bin".into()), text("content_type").unwrap_or_else(|| "application/octet-stream".into()));
    let writer = engine.stage_attachment(text("account_id").unwrap_or_default(), name, kind, with["size"].as_u64(), None).await.map_err(error)?;
    let mut at = 0;
    loop {
        let failure = [(fails, "failed"), (stops, "cancelled")].into_iter().find(|(after, _)| after.is_some_and(|after| at >= after));
        if let Some((_, what)) = failure {
            writer.abort().await.map_err(error)?;
            return Ok(json!({ "stream": what }));
        }
        if at == bytes {
            return out(writer.finish().await);
        }
        let until = (at + 1_000_000).min(bytes);
        writer.write((at..until).map(|n| (n % 251) as u8).collect()).await.map_err(error)?;
        at = until;
    }
}

/// Types of the events up to the one named; none when none is named.
async fn events(stream: &EventStream, until: Option<String>) -> Outcome {
    let mut types = Vec::new();
    let Some(until) = until else { return Ok(json!(types)) };
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
    let account_id = engine.receipt(receipt_id.to_owned(), None).await.map_err(error)?.account_id;
    let feed = engine.changes(ChangeQuery { account_id: Some(account_id), ..ChangeQuery::default() });
    loop {
        let receipt = engine.receipt(receipt_id.to_owned(), None).await.map_err(error)?;
        if !matches!(receipt.state, SendState::Queued | SendState::Sending) {
            return out(Ok(receipt));
        }
        feed.next(1000).await.map_err(error)?;
    }
}

fn rotation(with: &Value) -> Result<KeyRotation, Value> {
    let usual = KeyRotation::default();
    let new = with["new_root_key"].as_str().map(|key| RootKey::raw(key.as_bytes().to_vec())).transpose().map_err(error)?;
    Ok(KeyRotation {
        new_root_key: new.map(Arc::new),
        store_key: with["store_key"].as_bool().unwrap_or(usual.store_key),
        data_keys: with["data_keys"].as_bool().unwrap_or(usual.data_keys),
        account_id: with["account_id"].as_str().map(str::to_owned),
    })
}

fn draft(with: &Value) -> Result<Draft, Value> {
    if with.get("workflow").is_some() {
        return Ok(Draft::Workflow { workflow: record(&with["workflow"])? });
    }
    if with.get("to_endpoint").is_some() {
        return Ok(Draft::ToEndpoint { to_endpoint: record(&with["to_endpoint"])? });
    }
    if with.get("bot").is_some() {
        return Ok(Draft::Bot { bot: record(&with["bot"])? });
    }
    let kind = ["chat", "channel_post", "reply", "forward"].into_iter().find(|kind| with.get(*kind).is_some()).unwrap_or("mail");
    let mut mail = with[kind].clone();
    files_as_bytes(&mut mail, "attachments");
    Ok(match kind {
        "chat" => Draft::Chat { chat: record::<ChatDraft>(&mail)? },
        "channel_post" => Draft::ChannelPost { channel_post: record(&mail)? },
        "reply" => Draft::Reply { reply: record(&mail)? },
        "forward" => Draft::Forward { forward: record(&mail)? },
        _ => Draft::Mail { mail: record::<MailDraft>(&mail)? },
    })
}

/// A scenario writes the content of a file as text.
fn files_as_bytes(of: &mut Value, field: &str) {
    for file in of.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten() {
        let bytes = file["content"].as_str().map(|text| text.as_bytes().to_vec()).unwrap_or_default();
        file["content"] = json!(bytes);
    }
}

pub fn record<T: DeserializeOwned>(value: &Value) -> Result<T, Value> {
    serde_json::from_value(if value.is_null() { json!({}) } else { value.clone() }).map_err(|e| defect(e.to_string()))
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
