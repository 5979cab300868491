//! `$batch`: up to twenty requests in one, each with its own fate.

use crate::faults::Action;
use crate::graph::{self, bad};
use crate::http::{Answer, Bytes, Call, decode};
use crate::server::{Arrival, act, write_down};
use crate::world::World;
use serde_json::Value;
use std::collections::HashMap;

const ITEMS_MAX: usize = 20;
/// Items of one mailbox that run at a time. Source: Graph, JSON batching and the Outlook service's limits.
pub const AT_ONCE: u32 = 4;

pub fn is_batch(call: &Call) -> bool {
    call.item_of.is_none() && decode(&call.path, false) == "/v1.0/$batch"
}

struct Item {
    id: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    after: Vec<String>,
}

fn read(value: &Value) -> Result<Item, String> {
    let text = |name: &str| value[name].as_str().map(String::from).ok_or_else(|| format!("Batch item misses '{name}'."));
    let headers: Vec<(String, String)> = value["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.as_str().map(String::from).unwrap_or_else(|| v.to_string())))
        .collect();
    let body = match &value["body"] {
        Value::Null => Bytes::new(),
        Value::String(text) => crate::http::unbase64(text).unwrap_or_else(|| text.clone().into_bytes()).into(),
        body if headers.iter().any(|(k, _)| k.eq_ignore_ascii_case("content-type")) => body.to_string().into(),
        _ => {
            return Err("Write request with body must specify a valid 'Content-Type' header.".into());
        }
    };
    let after = value["dependsOn"].as_array().into_iter().flatten().filter_map(|d| d.as_str().map(str::to_lowercase)).collect();
    Ok(Item { id: text("id")?, method: text("method")?.to_uppercase(), url: text("url")?, headers, body, after })
}

fn read_all(call: &Call) -> Result<Vec<Item>, String> {
    let body = call.json().ok_or("Invalid batch payload format.")?;
    let all = body["requests"].as_array().ok_or("Invalid batch payload format.")?;
    if all.is_empty() || all.len() > ITEMS_MAX {
        return Err(format!("Number of batch request steps exceeds the maximum value of {ITEMS_MAX}, or there are none."));
    }
    let mut items: Vec<Item> = Vec::new();
    for value in all {
        let item = read(value)?;
        if items.iter().any(|known| known.id.eq_ignore_ascii_case(&item.id)) {
            return Err(format!("Request Id '{}' has to be unique in a batch.", item.id));
        }
        if item.url.contains("$batch") {
            return Err("Batch requests cannot be nested.".into());
        }
        if let Some(unknown) = item.after.iter().find(|d| !items.iter().any(|i| i.id.eq_ignore_ascii_case(d))) {
            return Err(format!("dependsOn names '{unknown}', which does not come before."));
        }
        items.push(item);
    }
    Ok(items)
}

/// How many items of a batch there are for each mailbox.
pub fn mailboxes(world: &World, call: &Call) -> HashMap<usize, u32> {
    let mut found = HashMap::new();
    if !is_batch(call) {
        return found;
    }
    let Ok(caller) = graph::caller(world, call) else { return found };
    for item in read_all(call).unwrap_or_default() {
        if let Some(mailbox) = graph::mailbox_of(world, &caller, &inner_call(call, &item, 0)) {
            *found.entry(mailbox).or_default() += 1;
        }
    }
    found
}

/// The answer, and whether an item demands that the connection be cut. `throttle` refuses one item.
pub fn handle(world: &mut World, call: &Call, arrival: &Arrival, throttle: Option<f64>) -> (Answer, bool) {
    let seq = arrival.seq;
    if call.method != "POST" {
        return (graph::not_allowed(), false);
    }
    if call.too_long || call.body.len() > 4 << 20 {
        return (bad("The maximum request length supported is 4MB."), false);
    }
    if let Err(answer) = graph::caller(world, call) {
        return (answer, false);
    }
    let items = match read_all(call) {
        Ok(items) => items,
        Err(text) => return (bad(text), false),
    };
    let unlucky = throttle.map(|seconds| (world.noise.below(items.len()), seconds));
    let mut failed: HashMap<String, bool> = HashMap::new();
    let mut parts: Vec<String> = Vec::new();
    let mut broken = false;
    let mut counts: HashMap<usize, u32> = HashMap::new();
    for (n, item) in items.iter().enumerate() {
        let answer = if item.after.iter().any(|d| failed.get(d).copied().unwrap_or(true)) {
            let inner = inner_call(call, item, seq);
            let answer =
                Answer::fail(424, "FailedDependency", "Failed dependency: a request that this one depends on has failed.");
            world.finish(&inner, answer)
        } else {
            let refused = unlucky.filter(|(at, _)| *at == n).map(|(_, seconds)| seconds);
            run(world, call, item, arrival, refused, &mut broken, &mut counts)
        };
        failed.insert(item.id.to_lowercase(), answer.status >= 400);
        parts.push(part(item, &answer));
    }
    // Answers come in any order.
    for at in (1..parts.len()).rev() {
        let other = world.noise.below(at + 1);
        parts.swap(at, other);
    }
    (Answer::raw_json(200, format!("{{\"responses\":[{}]}}", parts.join(","))), broken)
}

fn inner_call(call: &Call, item: &Item, seq: u64) -> Call {
    let (path, query) = item.url.split_once('?').unwrap_or((&item.url, ""));
    let mut headers = item.headers.clone();
    // Of the envelope's headers only the credential reaches the items.
    headers.retain(|(k, _)| !k.eq_ignore_ascii_case("authorization"));
    headers.extend(call.header("authorization").map(|a| ("authorization".to_string(), a.to_string())));
    Call {
        method: item.method.clone(),
        path: format!("/v1.0/{}", path.trim_start_matches('/')),
        query: query.to_string(),
        headers,
        body: item.body.clone(),
        item_of: Some(seq),
        ..call.clone()
    }
}

fn run(world: &mut World, call: &Call, item: &Item, envelope: &Arrival, refused: Option<f64>, broken: &mut bool, counts: &mut HashMap<usize, u32>) -> Answer {
    let seq = envelope.seq;
    let inner = inner_call(call, item, seq);
    let mut arrival = write_down(world, &inner);
    if let Some((mailbox, (at_once, over))) = arrival.mailbox.and_then(|mailbox| Some((mailbox, envelope.crowded.get(&mailbox)?))) {
        let count = counts.entry(mailbox).or_default();
        arrival.too_many = *count % at_once >= at_once - over;
        *count += 1;
    }
    let action = arrival.hit.as_ref().map(|h| h.action.clone());
    if action.as_ref().is_some_and(Action::lies) {
        world.record.spoil(seq);
    }
    *broken |= matches!(action, Some(Action::LostAnswer | Action::Refused | Action::CutBody(_)));
    let answer = match refused {
        Some(seconds) => {
            let action = Action::ThrottleItem(seconds);
            let answer = action.instead(world, &inner, &arrival.person).unwrap_or_default();
            world.finish(&inner, answer)
        }
        None => act(world, &inner, &arrival).0,
    };
    world.ledger.answered(arrival.seq, answer.status);
    answer
}

fn part(item: &Item, answer: &Answer) -> String {
    let mut headers = serde_json::Map::new();
    for (name, value) in &answer.headers {
        headers.insert(name.clone(), Value::String(value.clone()));
    }
    let mut out = format!(
        "{{\"id\":{},\"status\":{},\"headers\":{}",
        Value::String(item.id.clone()),
        answer.status,
        Value::Object(headers)
    );
    if !answer.body.is_empty() {
        out.push_str(",\"body\":");
        let is_json = answer.header("content-type").is_some_and(|t| t.starts_with("application/json"));
        match std::str::from_utf8(&answer.body).ok().filter(|_| is_json) {
            Some(text) => out.push_str(text),
            None => out.push_str(&Value::String(crate::http::base64(&answer.body)).to_string()),
        }
    }
    out.push('}');
    out
}
