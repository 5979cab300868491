//! How requests come to Microsoft's side: alone or in batches, over connections that break.

use super::microsoft::{Microsoft, State, Troubles, is_bot, is_post, is_workflow};
use super::uploads::is_upload;
use crate::pipeline::fake::{breaks, says, says_with};
use crate::pipeline::{Answer, Sent, Transport};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// What the engine of a process speaks through. What is on its way when the process ends arrives all the same; nothing is sent after that.
pub struct Wire {
    microsoft: Arc<Microsoft>,
    process: Weak<()>,
}

impl Wire {
    /// `process` lives as long as the process does.
    pub fn of(process: &Arc<()>, microsoft: &Arc<Microsoft>) -> Self {
        Self { microsoft: microsoft.clone(), process: Arc::downgrade(process) }
    }
}

impl Transport for Wire {
    fn call(&self, request: http::Request<Bytes>, _: usize) -> BoxFuture<'static, Answer> {
        let (microsoft, process) = (self.microsoft.clone(), self.process.clone());
        Box::pin(async move { if process.strong_count() > 0 { microsoft.exchange(request, process).await } else { breaks(Sent::No) } })
    }
}

/// What becomes of the connection of a request that writes, and of all that travel in one.
#[derive(Clone, Copy, PartialEq)]
enum Connection {
    Holds,
    Refused,
    /// It breaks before any of it was read.
    BreaksBefore,
    /// It breaks when all of it was done.
    BreaksAfter,
}

/// A request, alone or in a batch.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    /// Of an upload.
    range: &'a str,
    body: Vec<u8>,
}

impl Asked<'_> {
    fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

impl State {
    pub fn answer(&mut self, account_id: &str, request: &http::Request<Bytes>, now: u64) -> Answer {
        let uri = request.uri();
        if uri.path() == "/v1.0/$batch" {
            return self.batch(account_id, request.body(), now);
        }
        let asked = Asked { method: request.method().as_str(), path: uri.path(), query: uri.query().unwrap_or_default(), range: range(request), body: request.body().to_vec() };
        let connection = self.connect(account_id, std::slice::from_ref(&asked));
        if connection == Connection::BreaksBefore && is_upload(asked.path) {
            self.break_within(asked.path, &asked.body);
        }
        self.over(connection, |state| state.one(account_id, &asked, now))
    }

    /// Each of its requests has an outcome of its own; they share the connection.
    fn batch(&mut self, account_id: &str, body: &[u8], now: u64) -> Answer {
        let batch: Value = serde_json::from_slice(body).unwrap();
        let requests = batch["requests"].as_array().unwrap();
        let paths: Vec<String> = requests.iter().map(|one| format!("/v1.0{}", one["url"].as_str().unwrap())).collect();
        let asked: Vec<Asked<'_>> = requests
            .iter()
            .zip(&paths)
            .map(|(one, url)| {
                let (path, query) = url.split_once('?').unwrap_or((url, ""));
                Asked { method: one["method"].as_str().unwrap(), path, query, range: "", body: if one["body"].is_null() { Vec::new() } else { serde_json::to_vec(&one["body"]).unwrap() } }
            })
            .collect();
        let connection = self.connect(account_id, &asked);
        self.over(connection, |state| {
            let answers: Vec<Value> = requests
                .iter()
                .zip(&asked)
                .map(|(one, asked)| {
                    let answer = state.one(account_id, asked, now).unwrap();
                    let headers: HashMap<&str, &str> = answer.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
                    let body: Value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
                    json!({ "id": one["id"], "status": answer.status().as_u16(), "headers": headers, "body": body })
                })
                .collect();
            says(200, json!({ "responses": answers }).to_string())
        })
    }

    /// Notes what is asked for, and draws what becomes of it on the way.
    fn connect(&mut self, account_id: &str, asked: &[Asked<'_>]) -> Connection {
        if !asked.iter().any(Asked::is_write) {
            return Connection::Holds;
        }
        for one in asked.iter().filter(|one| one.path.ends_with("/send") || is_post(one.path) || is_workflow(one.path) || is_bot(one.path)) {
            let text = self.text(account_id, one.path, &one.body);
            self.mailboxes.entry(account_id.to_owned()).or_default().asked.extend(text);
        }
        let Troubles { unreachable, lost_request, lost_answer, .. } = self.troubles;
        match u32::try_from(self.chance.below(100)).unwrap() {
            draw if draw < unreachable => Connection::Refused,
            draw if draw < unreachable + lost_request => Connection::BreaksBefore,
            draw if draw < unreachable + lost_request + lost_answer => Connection::BreaksAfter,
            _ => Connection::Holds,
        }
    }

    fn over(&mut self, connection: Connection, done: impl FnOnce(&mut Self) -> Answer) -> Answer {
        match connection {
            Connection::Refused => breaks(Sent::No),
            Connection::BreaksBefore => breaks(Sent::Maybe),
            Connection::BreaksAfter => done(self).and_then(|_| breaks(Sent::Maybe)),
            Connection::Holds => done(self),
        }
    }

    fn one(&mut self, account_id: &str, asked: &Asked<'_>, now: u64) -> Answer {
        if !asked.is_write() {
            return self.read(account_id, asked.path, asked.query, now);
        }
        let Troubles { throttled, contested, .. } = self.troubles;
        // Nothing of a workflow can be changed by somebody else.
        let contested = if is_workflow(asked.path) { 0 } else { contested };
        match u32::try_from(self.chance.below(100)).unwrap() {
            draw if draw < throttled => says_with(429, ("retry-after", &(1 + self.chance.below(40)).to_string()), ""),
            draw if draw < throttled + contested => says(412, r#"{"error":{"code":"ErrorIrresolvableConflict"}}"#),
            _ => self.write(account_id, (asked.method, asked.path, asked.range), &asked.body, now),
        }
    }
}

fn range(request: &http::Request<Bytes>) -> &str {
    request.headers().get("content-range").map_or("", |range| range.to_str().unwrap())
}
