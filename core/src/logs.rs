//! What the engines of this process log, for hosts whose logging is not `tracing`.
//!
//! The modules speak `tracing`. Here stands a subscriber for hosts without one: it hears targets of Tidings alone and hands records to streams.
//! A field whose name is not on the list is masked, so that a careless line elsewhere cannot tell more than these names stand for.

use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{LogField, LogLevel, LogRecord};
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use tokio::sync::{Mutex, broadcast};
use tracing::field::{Field, Visit};
use tracing::metadata::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// Records a stream holds for its reader.
const KEPT: usize = 1024;
/// Characters of a message or value.
const LONGEST: usize = 500;

/// What fields may be called. None of them stands for content, an address or a secret.
const NAMES: &[&str] = &[
    "account", "added", "attempt", "attempts", "bytes", "changed", "client_request_id", "content", "file", "folders", "kind", "messages", "moved", "ms", "pages",
    "quarantined", "reason", "removed", "request", "request_id", "resynced", "rows", "send", "state", "status", "tls", "trouble", "version",
];

/// Log records from the moment it was made. A reader who is too slow loses the oldest.
#[derive(Debug)]
pub struct LogStream {
    receiver: Mutex<broadcast::Receiver<LogRecord>>,
    hub: &'static Hub,
    id: usize,
    process: u32,
}

impl LogStream {
    /// Waits for the next record. A cancelled wait loses nothing.
    pub async fn next(&self) -> Result<Option<LogRecord>> {
        if self.process != std::process::id() {
            return Err(Error::new(ErrorKind::Forked, "The process was forked after this stream was made. Make another one in the child, after the fork."));
        }
        let mut receiver = self.receiver.lock().await;
        loop {
            match receiver.recv().await {
                Ok(record) => return Ok(Some(record)),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return Ok(None),
            }
        }
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        // In the child of a fork a thread that did not come along may hold the lock.
        if self.process == std::process::id() {
            self.hub.change(|streams| streams.retain(|stream| stream.id != self.id));
        }
    }
}

/// What the engines of this process log from now on, at this level and above. Never holds secrets, addresses or subjects.
/// Errors: Conflict when the process has a `tracing` subscriber of its own; the records are there then.
pub fn logs(level: LogLevel) -> Result<Arc<LogStream>> {
    let hub = Hub::installed().ok_or_else(|| {
        Error::new(ErrorKind::Conflict, "This process has a tracing subscriber of its own. What Tidings logs is there, under targets that begin with tidings.")
    })?;
    Ok(Arc::new(hub.stream(level)))
}

#[derive(Debug)]
struct Stream {
    id: usize,
    level: LevelFilter,
    sender: broadcast::Sender<LogRecord>,
    /// That of its reader; the child of a fork has none for it.
    process: u32,
}

/// The streams of this process.
#[derive(Debug, Default)]
struct Hub {
    streams: RwLock<Vec<Stream>>,
    next_id: AtomicUsize,
    clock: SystemClock,
}

impl Hub {
    /// None: another subscriber was there first.
    fn installed() -> Option<&'static Self> {
        static HUB: OnceLock<Hub> = OnceLock::new();
        static OURS: OnceLock<bool> = OnceLock::new();
        let hub = HUB.get_or_init(Hub::default);
        let ours = *OURS.get_or_init(|| tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ToStreams(hub))).is_ok());
        ours.then_some(hub)
    }

    fn stream(&'static self, level: LogLevel) -> LogStream {
        let (sender, receiver) = broadcast::channel(KEPT);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        self.change(|streams| streams.push(Stream { id, level: filter(level), sender, process }));
        LogStream { receiver: Mutex::new(receiver), hub: self, id, process }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Stream>)) {
        change(&mut self.streams.write().unwrap_or_else(PoisonError::into_inner));
        // The most talkative stream decides what is asked for at all. Outside the lock, which the layer takes to answer.
        tracing::callsite::rebuild_interest_cache();
    }

    fn level(&self) -> LevelFilter {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.iter().map(|stream| stream.level).max().unwrap_or(LevelFilter::OFF)
    }
}

struct ToStreams(&'static Hub);

impl<S: Subscriber> Layer<S> for ToStreams {
    fn register_callsite(&self, of: &'static Metadata<'static>) -> Interest {
        if is_ours(of) { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, of: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_ours(of) && *of.level() <= self.0.level()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.level())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let of = event.metadata();
        if !is_ours(of) {
            return;
        }
        // Taken out of the lock before anything is sent: sending wakes readers, and a host's reader may need a lock that another thread holds while it waits here.
        let listening: Vec<broadcast::Sender<LogRecord>> = {
            let streams = self.0.streams.read().unwrap_or_else(PoisonError::into_inner);
            streams.iter().filter(|stream| *of.level() <= stream.level && stream.process == std::process::id()).map(|stream| stream.sender.clone()).collect()
        };
        if listening.is_empty() {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let record = LogRecord { at: self.0.clock.now(), level: level(*of.level()), target: clean(of.target()), message: words.message, fields: words.fields };
        for sender in listening {
            let _ = sender.send(record.clone()); // an error means that its reader has just gone
        }
    }
}

fn is_ours(of: &Metadata<'_>) -> bool {
    of.target() == "tidings" || of.target().starts_with("tidings::")
}

#[derive(Default)]
struct Words {
    message: String,
    fields: Vec<LogField>,
}

impl Words {
    fn put(&mut self, field: &Field, value: &str) {
        let name = field.name();
        if name == "message" {
            self.message = clean(value);
            return;
        }
        let value = if NAMES.contains(&name) { clean(value) } else { "…".to_owned() };
        self.fields.push(LogField { name: name.to_owned(), value });
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, _: &(dyn std::error::Error + 'static)) {
        // Whatever lies beneath an error may quote a server.
        self.put(field, "…");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut bounded = Bounded(String::new());
        let _ = write!(bounded, "{value:?}"); // an error means that it was cut off
        self.put(field, &bounded.0);
    }
}

/// Takes so much and no more, so that a value made to be huge is never written out.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.push_str(text);
        if self.0.len() > LONGEST * 4 { Err(std::fmt::Error) } else { Ok(()) }
    }
}

/// One line of bounded length: control characters and what breaks or turns lines are escaped.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST));
    for (n, c) in text.chars().enumerate() {
        if n >= LONGEST {
            out.push('…');
            break;
        }
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    /// What came of these lines; other tests log at the same time.
    fn read(stream: &LogStream, mark: &str) -> Vec<LogRecord> {
        let mut all = Vec::new();
        while let Some(Ok(Some(record))) = stream.next().now_or_never() {
            if record.message.contains(mark) {
                all.push(record);
            }
        }
        all
    }

    #[test]
    fn each_stream_has_its_level_and_hears_tidings_alone() {
        let (all, few) = (logs(LogLevel::Trace).unwrap(), logs(LogLevel::Warn).unwrap());
        tracing::trace!(target: "tidings::test", "levels quiet");
        tracing::warn!(target: "tidings::test", account = "acc_1", "levels loud");
        tracing::error!(target: "other::crate", "levels foreign");
        tracing::error!(target: "tidingsx", "levels alike");
        assert_eq!(read(&all, "levels").iter().map(|r| (r.level, r.message.as_str())).collect::<Vec<_>>(), [(LogLevel::Trace, "levels quiet"), (LogLevel::Warn, "levels loud")]);
        let records = read(&few, "levels");
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].target.as_str(), records[0].fields[0].name.as_str(), records[0].fields[0].value.as_str()), ("tidings::test", "account", "acc_1"));
    }

    #[test]
    fn unknown_fields_are_masked_and_values_are_one_short_line() {
        let stream = logs(LogLevel::Info).unwrap();
        let broken = std::io::Error::other("foreign text");
        tracing::info!(
            target: "tidings::test", token = "secret", kind = "a\nb\u{1b}[31m\u{202e}", reason = %"x".repeat(5_000), ms = 7, request_id = None::<&str>,
            trouble = &broken as &(dyn std::error::Error + 'static), "mask\r\nforged line"
        );
        let [record] = read(&stream, "mask").try_into().unwrap();
        assert_eq!(record.message, "mask\\r\\nforged line");
        let field = |name: &str| record.fields.iter().find(|f| f.name == name).map(|f| f.value.as_str());
        assert_eq!((field("token"), field("trouble"), field("ms"), field("request_id")), (Some("…"), Some("…"), Some("7"), None));
        assert_eq!(field("kind"), Some("a\\nb\\u{1b}[31m\\u{202e}"));
        assert_eq!(field("reason").unwrap().chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_slow_reader_loses_the_oldest() {
        // A hub of its own, so that the flood reaches no other test.
        let hub: &'static Hub = Box::leak(Box::default());
        let stream = hub.stream(LogLevel::Info);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(ToStreams(hub)), || {
            for n in 0..KEPT + 10 {
                tracing::info!(target: "tidings::test", ms = n, "slow");
            }
        });
        let kept = read(&stream, "slow");
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept.last().unwrap().fields[0].value, (KEPT + 9).to_string());
    }
}
