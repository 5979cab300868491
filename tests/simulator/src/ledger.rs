//! Every request in a small row, and what is held against the client.

use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};

/// Rows kept; older ones are dropped and counted.
const CAP: usize = 200_000;

pub struct Row {
    pub seq: u64,
    pub at_ms: i64,
    pub host: &'static str,
    pub method: String,
    pub path: String,
    pub query: String,
    pub status: u16,
    pub person: Option<String>,
    pub has_authorization: bool,
    pub prefer: Option<String>,
    /// A `claims` parameter was sent to Entra.
    pub claims: bool,
    pub fault: Option<String>,
    pub batch: Option<u64>,
}

pub struct Accusation {
    pub kind: &'static str,
    pub seq: u64,
    pub text: String,
}

#[derive(Default)]
pub struct Ledger {
    next: u64,
    rows: VecDeque<Row>,
    pub accusations: Vec<Accusation>,
    dropped: u64,
    /// What was sent, to know it again.
    sent: HashSet<u64>,
    /// Next links given out, by path and skip.
    links: HashMap<(String, String), Vec<String>>,
}

impl Ledger {
    pub fn add(&mut self, mut row: Row) -> u64 {
        self.next += 1;
        row.seq = self.next;
        if self.rows.len() >= CAP {
            self.rows.pop_front();
            self.dropped += 1;
        }
        self.rows.push_back(row);
        self.next
    }

    pub fn answered(&mut self, seq: u64, status: u16) {
        let first = self.rows.front().map_or(0, |r| r.seq);
        if let Some(row) = seq.checked_sub(first).and_then(|at| self.rows.get_mut(at as usize)) {
            row.status = status;
        }
    }

    pub fn accuse(&mut self, kind: &'static str, seq: u64, text: impl Into<String>) {
        if self.accusations.len() < 10_000 {
            self.accusations.push(Accusation { kind, seq, text: text.into() });
        }
    }

    /// True when the same was sent before.
    pub fn sent_before(&mut self, what: &[&str]) -> bool {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        !self.sent.insert(hasher.finish())
    }

    pub fn gave_link(&mut self, path: &str, skip: &str, link: &str) {
        if self.links.len() < 10_000 {
            let known = self.links.entry((path.into(), skip.into())).or_default();
            if known.len() < 50 && !known.iter().any(|k| k == link) {
                known.push(link.into());
            }
        }
    }

    /// Were links given out for the same place, and all of them read otherwise?
    pub fn changed_link(&self, path: &str, skip: &str, link: &str) -> bool {
        let decoded = |s: &str| crate::http::decode(s, true);
        let known = self.links.get(&(path.into(), skip.into()));
        known.is_some_and(|known| known.iter().all(|k| decoded(k) != decoded(link)))
    }

    /// POST /ledger
    pub fn show(&self, ask: &Value) -> Result<Value, String> {
        let pattern = match ask["path"].as_str() {
            Some(p) => Some(regex::Regex::new(p).map_err(|e| e.to_string())?),
            None => None,
        };
        let since = ask["since"].as_u64().unwrap_or(0);
        let fits = |r: &&Row| {
            r.seq > since
                && ask["host"].as_str().is_none_or(|h| h == r.host)
                && ask["method"].as_str().is_none_or(|m| m.eq_ignore_ascii_case(&r.method))
                && ask["status"].as_u64().is_none_or(|s| s == u64::from(r.status))
                && pattern.as_ref().is_none_or(|p| {
                    if r.query.is_empty() { p.is_match(&r.path) } else { p.is_match(&format!("{}?{}", r.path, r.query)) }
                })
        };
        let requests: Vec<Value> = self.rows.iter().filter(fits).map(Row::json).collect();
        let accusations: Vec<Value> = self
            .accusations
            .iter()
            .filter(|a| a.seq > since)
            .map(|a| json!({"kind": a.kind, "seq": a.seq, "text": a.text}))
            .collect();
        Ok(json!({"count": requests.len(), "dropped": self.dropped, "requests": requests, "accusations": accusations}))
    }
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "seq": self.seq, "at_ms": self.at_ms, "host": self.host, "method": self.method, "path": self.path,
            "query": self.query, "status": self.status, "person": self.person,
            "has_authorization": self.has_authorization, "prefer": self.prefer, "fault": self.fault,
            "batch": self.batch, "claims": self.claims,
        })
    }
}
