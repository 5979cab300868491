//! Scripted bad days: which request meets which fault, and what a fault does to an answer.

use crate::echo::Echo;
use crate::http::{Bytes, Call, Host};
use crate::slip::{Items, Other, Slip};
use regex::Regex;
use serde_json::Value;
use std::collections::HashMap;
use tokio::sync::watch;

#[derive(Clone, Debug)]
pub enum Action {
    Status(Value),
    LostAnswer,
    Refused,
    CutBody(usize),
    /// The connection breaks after so many bytes of the request's body.
    CutRequest(usize),
    Slow(u64),
    Hold { after: bool },
    Gone { location: bool },
    LinkToStranger,
    LoopLink,
    Replay,
    EmptyPage,
    EmptyBody,
    Unparsable,
    BadItem,
    /// So many items of a page are missing.
    LeaveOut(usize),
    Revoked,
    ThrottleItem(f64),
    /// The right answer in an odd form: `byte_order_mark`, `replace` (pairs of text), `merge` (JSON text, into each item of a list or into the object).
    Rewrite(Value),
    /// Done, and answered with this in place of the right answer.
    DoneBut(Value),
    Endless,
    Circle(usize),
    Echo(Echo),
    Slip(Slip),
    Other(Other),
    Items(Items),
}

struct Fault {
    id: String,
    name: Option<String>,
    host: Option<String>,
    method: Option<String>,
    path: Option<Regex>,
    body: Option<Regex>,
    prefer: Option<Regex>,
    /// Whether it meets items of a `$batch`, or what is none. None: what is none, and writes in a batch, since which of them travel together is the client's choice.
    item: Option<bool>,
    skip: u64,
    times: u64,
    action: Action,
    met: watch::Sender<u64>,
    released: watch::Sender<u64>,
}

/// A request that met a fault.
#[derive(Clone)]
pub struct Hit {
    pub label: String,
    pub action: Action,
    /// The how-manieth, from 1.
    pub nth: u64,
    released: watch::Receiver<u64>,
}

impl Hit {
    /// Until released, or until the fault is taken away.
    pub async fn held(&mut self) {
        let _ = self.released.changed().await;
    }
}

#[derive(Default)]
pub struct Faults {
    next: u64,
    all: Vec<Fault>,
    /// The last page of each list, for `replay`.
    pages: HashMap<(String, String), Bytes>,
}

impl Faults {
    pub fn add(&mut self, ask: &Value) -> Result<String, String> {
        let ask_match = &ask["match"];
        let pattern = |v: &Value| v.as_str().map(Regex::new).transpose().map_err(|e| e.to_string());
        let text = |v: &Value| v.as_str().map(String::from);
        self.next += 1;
        let id = format!("fault-{}", self.next);
        self.all.push(Fault {
            id: id.clone(),
            name: text(&ask["name"]),
            host: text(&ask_match["host"]),
            method: text(&ask_match["method"]),
            path: pattern(&ask_match["path"])?,
            body: pattern(&ask_match["body"])?,
            prefer: pattern(&ask_match["prefer"])?,
            item: ask_match["item"].as_bool(),
            skip: ask["skip"].as_u64().unwrap_or(0),
            times: ask["times"].as_u64().unwrap_or(1),
            action: action(&ask["do"])?,
            met: watch::Sender::new(0),
            released: watch::Sender::new(0),
        });
        Ok(id)
    }

    pub fn clear(&mut self) {
        self.all.clear();
    }

    fn named(&self, who: &str) -> Option<&Fault> {
        self.all.iter().find(|f| f.id == who || f.name.as_deref() == Some(who))
    }

    /// To wait for the count of requests that met it.
    pub fn met(&self, who: &str) -> Option<watch::Receiver<u64>> {
        self.named(who).map(|f| f.met.subscribe())
    }

    pub fn release(&self, who: &str) -> bool {
        let found = self.named(who);
        if let Some(fault) = found {
            fault.released.send_modify(|n| *n += 1);
        }
        found.is_some()
    }

    /// The first fault that matches and is not used up.
    pub fn meet(&mut self, call: &Call) -> Option<Hit> {
        if self.all.is_empty() {
            return None;
        }
        let readable = call.readable();
        for fault in &mut self.all {
            let met = *fault.met.borrow();
            if (fault.times > 0 && met >= fault.times) || !fault.fits(call, &readable) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            let released = fault.released.subscribe();
            fault.met.send_replace(met + 1);
            let label = fault.name.clone().unwrap_or_else(|| fault.id.clone());
            return Some(Hit { label, action: fault.action.turn(met), nth: met + 1, released });
        }
        None
    }

    pub fn last_page(&self, key: &(String, String)) -> Option<Bytes> {
        self.pages.get(key).cloned()
    }

    /// Keeps the page for a later `replay`, and gives the one before.
    pub fn turn_page(&mut self, key: (String, String), page: &Bytes) -> Option<Bytes> {
        if self.pages.len() >= 64 && !self.pages.contains_key(&key) {
            self.pages.clear();
        }
        self.pages.insert(key, page.clone())
    }
}

/// As it is, or with its escapes of addresses undone.
fn is_in(pattern: &Regex, body: &str) -> bool {
    pattern.is_match(body) || (body.contains('%') && pattern.is_match(&crate::http::decode(body, false)))
}

impl Action {
    /// What it is for the next request: some take turns.
    fn turn(&self, met: u64) -> Action {
        match self {
            Action::Echo(echo) => Action::Echo(echo.turn(met)),
            other => other.clone(),
        }
    }
}

impl Fault {
    fn meets_kind(&self, call: &Call) -> bool {
        // These hold or mix up whole exchanges.
        let is_of_exchanges = matches!(self.action, Action::Hold { .. } | Action::Slow(_) | Action::Slip(_) | Action::CutBody(_));
        match self.item {
            Some(item) => item == call.item_of.is_some(),
            None => call.item_of.is_none() || (call.method != "GET" && !is_of_exchanges),
        }
    }

    fn fits(&self, call: &Call, readable: &str) -> bool {
        self.meets_kind(call)
            && matches!(call.host, Host::Login | Host::Graph | Host::Workflow | Host::Bot)
            && self.host.as_deref().is_none_or(|h| h == call.host.name())
            && self.method.as_deref().is_none_or(|m| m.eq_ignore_ascii_case(&call.method))
            && self.path.as_ref().is_none_or(|p| p.is_match(readable))
            && self.prefer.as_ref().is_none_or(|p| p.is_match(&call.prefers().join(", ")))
            && self.body.as_ref().is_none_or(|p| is_in(p, &String::from_utf8_lossy(&call.body)))
    }
}

fn action(ask: &Value) -> Result<Action, String> {
    let on = |name: &str| ask[name].as_bool() == Some(true);
    let simple = [
        ("lost_answer", Action::LostAnswer),
        ("refused", Action::Refused),
        ("link_to_stranger", Action::LinkToStranger),
        ("loop_link", Action::LoopLink),
        ("replay", Action::Replay),
        ("empty_page", Action::EmptyPage),
        ("empty_body", Action::EmptyBody),
        ("unparsable", Action::Unparsable),
        ("bad_item", Action::BadItem),
        ("revoked", Action::Revoked),
        ("endless", Action::Endless),
    ];
    if let Some((_, action)) = simple.into_iter().find(|(name, _)| on(name)) {
        return Ok(action);
    }
    if ask["rewrite"].is_object() {
        if let Some(text) = ask["rewrite"]["merge"].as_str() {
            serde_json::from_str::<serde_json::Map<String, Value>>(text).map_err(|e| format!("merge is no JSON object: {e}"))?;
        }
        return Ok(Action::Rewrite(ask["rewrite"].clone()));
    }
    if ask["done_but"]["status"].is_u64() {
        return Ok(Action::DoneBut(ask["done_but"].clone()));
    }
    if ask["echo"].is_object() {
        return Echo::parse(&ask["echo"]).map(Action::Echo);
    }
    let misplaced = Slip::parse(ask).map(Action::Slip).or_else(|| Other::parse(ask).map(Action::Other)).or_else(|| Items::parse(ask).map(Action::Items));
    if let Some(action) = misplaced {
        return Ok(action);
    }
    if let Some(n) = ask["cut_body"].as_u64() {
        return Ok(Action::CutBody(n as usize));
    }
    if let Some(n) = ask["leave_out"].as_u64() {
        return Ok(Action::LeaveOut(n as usize));
    }
    if let Some(n) = ask["cut_request"].as_u64() {
        return Ok(Action::CutRequest(n as usize));
    }
    if let Some(n) = ask["slow_ms"].as_u64() {
        return Ok(Action::Slow(n));
    }
    if let Some(n) = ask["circle"].as_u64().filter(|n| *n > 0) {
        return Ok(Action::Circle(n as usize));
    }
    if let Some(seconds) = ask["throttle_item"].as_f64() {
        return Ok(Action::ThrottleItem(seconds));
    }
    match (ask["hold"].as_str(), ask["gone"].as_str()) {
        (Some("before"), _) => return Ok(Action::Hold { after: false }),
        (Some("after"), _) => return Ok(Action::Hold { after: true }),
        (_, Some("location")) => return Ok(Action::Gone { location: true }),
        (_, Some("plain")) => return Ok(Action::Gone { location: false }),
        _ => {}
    }
    if ask["status"].as_u64().is_some_and(|s| (200..600).contains(&s)) {
        return Ok(Action::Status(ask.clone()));
    }
    Err(format!("no such action: {ask}"))
}
