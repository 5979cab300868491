//! Microsoft's limits, and the promises to come back later that clients must keep.

use crate::http::Call;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub struct Limits {
    pub concurrency: u32,
    pub requests_per_10_min: usize,
    pub page_max: usize,
    pub token_seconds: i64,
    pub chat_per_second: f64,
    /// Of an application in a tenant, in the order of [`Teams`].
    pub tenant_per_second: [f64; 6],
    pub throttle: bool,
    /// How long a draft that was accepted for sending still lies in Drafts.
    pub submission_delay_ms: i64,
    /// Bytes in UTF-16 of what a bot says.
    pub bot_message_max: usize,
    /// How long an upload session lives.
    pub upload_seconds: i64,
    in_flight: HashMap<usize, Arc<AtomicU32>>,
    windows: HashMap<usize, VecDeque<i64>>,
    /// When the last message of a chat, or of a person, was taken.
    chats: HashMap<String, i64>,
    /// When those of the last second were taken, by tenant and what they did.
    tenants: HashMap<(usize, usize), VecDeque<i64>>,
    /// By person, method and path.
    promises: HashMap<(String, String, String), Promise>,
}

/// What Teams counts of a whole tenant.
#[derive(Clone, Copy)]
pub enum Teams {
    ChatMessage,
    ChannelMessage,
    Chat,
    /// Installed apps, and the catalogue.
    AppRead,
    AppInstall,
    AppRemoval,
}

/// How the control calls them, in that order.
const TENANT_RATES: [&str; 6] = [
    "tenant_chat_messages_per_second",
    "tenant_channel_messages_per_second",
    "tenant_chats_per_second",
    "tenant_app_reads_per_second",
    "tenant_app_installs_per_second",
    "tenant_app_removals_per_second",
];

/// A Retry-After that was given.
#[derive(Default)]
struct Promise {
    /// Not before then.
    until: i64,
    /// What was turned away; it may not come back before.
    refused: HashSet<u64>,
    /// Others that came all the same. As many may have been on their way when the answer left as a mailbox takes at a time.
    on_their_way: u32,
    /// The `$batch` it was given in: what else is in there was on its way with it.
    batch: Option<u64>,
}

/// Tells requests of one method and path apart.
fn content(call: &Call) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&call.query, &call.body).hash(&mut hasher);
    hasher.finish()
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            concurrency: 4,
            requests_per_10_min: 10_000,
            page_max: 1000,
            token_seconds: 3600,
            chat_per_second: 1.0,
            tenant_per_second: [20.0, 50.0, 20.0, 30.0, 30.0, 15.0],
            throttle: true,
            submission_delay_ms: 0,
            bot_message_max: 100 << 10,
            upload_seconds: 7200,
            in_flight: HashMap::new(),
            windows: HashMap::new(),
            chats: HashMap::new(),
            tenants: HashMap::new(),
            promises: HashMap::new(),
        }
    }
}

/// Counts one request on a mailbox for as long as it lives.
pub struct Flight(Arc<AtomicU32>);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Limits {
    pub fn set(&mut self, ask: &Value) -> Value {
        if let Some(n) = ask["concurrency"].as_u64() {
            self.concurrency = n as u32;
        }
        if let Some(n) = ask["requests_per_10_min"].as_u64() {
            self.requests_per_10_min = n as usize;
        }
        if let Some(n) = ask["page_max"].as_u64() {
            self.page_max = (n as usize).max(1);
        }
        if let Some(n) = ask["token_seconds"].as_i64() {
            self.token_seconds = n;
        }
        if let Some(n) = ask["chat_per_second"].as_f64() {
            self.chat_per_second = n;
        }
        for (name, rate) in TENANT_RATES.iter().zip(&mut self.tenant_per_second) {
            if let Some(n) = ask[*name].as_f64() {
                *rate = n;
            }
        }
        if let Some(n) = ask["submission_delay_ms"].as_i64() {
            self.submission_delay_ms = n;
        }
        if let Some(n) = ask["bot_message_max"].as_u64() {
            self.bot_message_max = n as usize;
        }
        if let Some(n) = ask["upload_seconds"].as_i64() {
            self.upload_seconds = n;
        }
        if let Some(on) = ask["throttle"].as_bool() {
            self.throttle = on;
        }
        let mut shown = json!({
            "concurrency": self.concurrency, "requests_per_10_min": self.requests_per_10_min, "page_max": self.page_max,
            "token_seconds": self.token_seconds, "chat_per_second": self.chat_per_second, "throttle": self.throttle,
            "submission_delay_ms": self.submission_delay_ms, "upload_seconds": self.upload_seconds, "bot_message_max": self.bot_message_max,
        });
        for (name, rate) in TENANT_RATES.iter().zip(self.tenant_per_second) {
            shown[*name] = json!(rate);
        }
        shown
    }

    /// What an application does in a tenant, within any second; seconds to wait when it is too much.
    pub fn in_tenant(&mut self, tenant: usize, what: Teams, now: i64) -> Option<i64> {
        let most = self.tenant_per_second.get(what as usize).copied().unwrap_or_default();
        if !self.throttle || most <= 0.0 {
            return None;
        }
        let taken = self.tenants.entry((tenant, what as usize)).or_default();
        while taken.front().is_some_and(|at| *at <= now - 1000) {
            taken.pop_front();
        }
        if taken.len() as f64 >= most {
            return Some(1);
        }
        taken.push_back(now);
        None
    }

    /// One more request on this mailbox; true when it is one too many.
    pub fn enter(&mut self, mailbox: usize) -> (Flight, bool) {
        let counter = self.in_flight.entry(mailbox).or_default().clone();
        let before = counter.fetch_add(1, Ordering::SeqCst);
        (Flight(counter), before >= self.concurrency)
    }

    /// Counts a request against the ten minutes; seconds to wait when there were too many.
    pub fn count(&mut self, mailbox: usize, now: i64) -> Option<i64> {
        let window = self.windows.entry(mailbox).or_default();
        while window.front().is_some_and(|&t| t <= now - 600_000) {
            window.pop_front();
        }
        let full = window.len() >= self.requests_per_10_min;
        let wait = window.front().map(|&t| (t + 600_000 - now + 999) / 1000);
        // Refused requests count as well, but the memory for them is bounded.
        if window.len() < self.requests_per_10_min.saturating_mul(2) {
            window.push_back(now);
        }
        (full && self.throttle).then(|| wait.unwrap_or(1).max(1))
    }

    /// One message a second for each chat and each person; seconds to wait when it comes too soon.
    pub fn chat_message(&mut self, chat: &str, person: &str, now: i64) -> Option<i64> {
        if !self.throttle || self.chat_per_second <= 0.0 {
            return None;
        }
        let gap = (1000.0 / self.chat_per_second) as i64;
        let keys = [format!("chat {chat}"), format!("person {person}")];
        if keys.iter().any(|k| self.chats.get(k).is_some_and(|&last| now < last + gap)) {
            return Some(((gap + 999) / 1000).max(1));
        }
        for key in keys {
            self.chats.insert(key, now);
        }
        None
    }

    pub fn promise(&mut self, person: &str, call: &Call, until_ms: i64) {
        if self.promises.len() < 50_000 {
            let promise = self.promises.entry((person.into(), call.method.clone(), call.path.clone())).or_default();
            promise.until = until_ms;
            promise.batch = call.item_of;
            promise.refused.insert(content(call));
        }
    }

    /// How many milliseconds too early this one comes.
    pub fn too_early(&mut self, person: &str, call: &Call, now: i64) -> Option<i64> {
        if self.promises.is_empty() {
            return None;
        }
        let key = (person.to_string(), call.method.clone(), call.path.clone());
        let most = self.concurrency.saturating_sub(1);
        match self.promises.get_mut(&key) {
            Some(promise) if call.item_of.is_some() && promise.batch == call.item_of => None,
            Some(promise) if now < promise.until => {
                if promise.on_their_way < most && !promise.refused.contains(&content(call)) {
                    promise.on_their_way += 1;
                    return None;
                }
                Some(promise.until - now)
            }
            Some(_) => {
                self.promises.remove(&key);
                None
            }
            None => None,
        }
    }
}
