//! Exchanges as JSON Lines, for a contract checker. Off unless asked for.

use crate::http::{Answer, Call};
use serde_json::{Map, Value, json};
use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// Bytes kept in memory; the oldest exchanges go first.
const CAP: usize = 64 << 20;

#[derive(Default)]
pub struct Record {
    file: Option<Arc<Mutex<File>>>,
    pub memory: bool,
    lines: VecDeque<String>,
    size: usize,
    pub dropped: u64,
    /// Batches under way with an item that is wrong on purpose, by their number in the ledger.
    spoilt: HashSet<u64>,
}

impl Record {
    pub fn into_file(file: Option<Arc<Mutex<File>>>) -> Record {
        Record { file, ..Record::default() }
    }

    /// What a reset leaves of it.
    pub fn fresh(&self) -> Record {
        Record { memory: self.memory, ..Record::into_file(self.file.clone()) }
    }

    pub fn wanted(&self) -> bool {
        self.memory || self.file.is_some()
    }

    pub fn spoil(&mut self, seq: u64) {
        self.spoilt.insert(seq);
    }

    pub fn take_spoilt(&mut self, seq: u64) -> bool {
        self.spoilt.remove(&seq)
    }

    /// Without an answer only the request is told: it never arrived, or is wrong on purpose.
    pub fn add(&mut self, call: &Call, answer: Option<&Answer>) {
        if !self.wanted() {
            return;
        }
        let line = json!({
            "host": call.host.name(),
            "method": call.method,
            "url": call.url(),
            "request_headers": headers(&call.headers),
            "request_body": body(&call.body),
            "status": answer.map(|a| a.status),
            "response_headers": answer.map(|a| headers(&a.headers)),
            "response_body": answer.map(|a| body(&a.body)),
        })
        .to_string();
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(|e| e.into_inner());
            // A full disk must not change what the simulator answers.
            let _ = file.write_all(line.as_bytes()).and_then(|()| file.write_all(b"\n"));
        }
        if self.memory {
            self.size += line.len();
            self.lines.push_back(line);
            while self.size > CAP {
                let Some(old) = self.lines.pop_front() else {
                    break;
                };
                self.size -= old.len();
                self.dropped += 1;
            }
        }
    }

    pub fn text(&self) -> String {
        self.lines.iter().fold(String::with_capacity(self.size + self.lines.len()), |mut out, line| {
            out.push_str(line);
            out.push('\n');
            out
        })
    }
}

fn headers(all: &[(String, String)]) -> Value {
    let mut map = Map::new();
    for (name, value) in all {
        let value = if name.eq_ignore_ascii_case("authorization") { "(hidden)" } else { value };
        match map.get_mut(name) {
            Some(Value::String(known)) => {
                known.push_str(", ");
                known.push_str(value);
            }
            _ => {
                map.insert(name.clone(), json!(value));
            }
        }
    }
    Value::Object(map)
}

fn body(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)))
}
