//! The delivery loop: what is due, by account, in batches. Whoever has an account's lease delivers its changes; another process takes them up when that one
//! is gone. A change that is not new is held against the mailbox first, since it may have arrived already, or something newer have come.

use super::page::opened;
use super::rule::{Edit, Verdict, judge};
use super::settle::{Done, Outcome};
use super::send::Sending;
use super::wish::Value;
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::events::EventBus;
use crate::failpoint::failpoint;
use crate::graph::{Caller, MailItem, Verified};
use crate::pipeline::Priority;
use crate::runtime::Stop;
use crate::store::{EditEnd, EditRow, EditedProperty, LEASE_MS, LeaseRequest, hold};
use crate::sync::read::Reader;
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How often other processes' changes are looked for when nothing here says so.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Changes of an account taken in hand at a time.
const AT_ONCE: u32 = 200;
/// Messages on their way at the same time; the pipeline puts them into batches.
const SENT_AT_ONCE: usize = 40;
const ACCOUNTS_AT_ONCE: usize = 8;
/// How many changes are taken for those of a person who waits.
const FEW: usize = 20;
/// How long one request may wait in all for Retry-After and outages before its change is put off.
const PATIENCE: Duration = Duration::from_secs(20);
/// A change that is older than this is held against the mailbox before it is sent.
const FRESH_MS: i64 = 10_000;
/// How long what arrived is remembered: pages that were asked for before may still come.
const KEPT_MS: i64 = 600_000;
/// How soon an account is looked at again that another process has in hand.
const BUSY: Duration = Duration::from_secs(1);

/// Changes of messages made here.
pub struct Edits {
    pub(super) reader: Reader,
    pub(super) event_bus: EventBus,
    /// Notified when there may be something to deliver.
    wake: Notify,
    /// Notified when mail that is here is to be held against a rule.
    scan: Notify,
}

/// The changes of one message.
pub(super) struct Message {
    pub graph_id: String,
    pub edits: Vec<Edit>,
    /// How the mailbox has it, where it was asked.
    pub item: Option<MailItem>,
}

impl Edits {
    pub fn new(reader: Reader, event_bus: EventBus) -> Arc<Self> {
        Arc::new(Self { reader, event_bus, wake: Notify::new(), scan: Notify::new() })
    }

    /// There may be something to deliver: a change was made, an account came back.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Mail that is here is to be held against a rule.
    pub fn scan_soon(&self) {
        self.scan.notify_one();
    }

    pub async fn scan_asked(&self) {
        self.scan.notified().await;
    }

    /// What it works with.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(super) fn now(&self) -> i64 {
        to_ms(self.reader.clock.now())
    }

    /// Delivers until told to stop. What is under way then is repeated by the next process.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        while !stop.is_set() {
            let wait = tokio::select! {
                round = self.round() => match round {
                    Ok(true) => continue,
                    Ok(false) => self.rest().await,
                    Err(error) => {
                        tracing::warn!(target: "tidings::sync", kind = ?error.kind(), "changes of messages could not be looked for");
                        LOOK_AGAIN
                    }
                },
                () = stop.wait() => return,
            };
            let timer = if wait < LOOK_AGAIN { self.reader.clock.pause(wait) } else { self.reader.clock.deadline(LOOK_AGAIN) };
            tokio::select! { () = stop.wait() => {}, () = self.wake.notified() => {}, () = timer => {} }
        }
    }

    /// How long there is nothing to do.
    async fn rest(&self) -> Duration {
        let now = self.now();
        let _ = self.reader.store.forget_edits(now.saturating_sub(KEPT_MS)).await; // the next round tries again
        match self.reader.store.next_edit_at().await {
            // It is due, and in somebody else's hands.
            Ok(Some(at)) if at <= now => BUSY,
            Ok(Some(at)) => Duration::from_millis(at.saturating_sub(now).unsigned_abs()).min(LOOK_AGAIN),
            Ok(None) | Err(_) => LOOK_AGAIN,
        }
    }

    /// False: there was nothing that this process could do.
    pub(in crate::sync) async fn round(&self) -> Result<bool> {
        let accounts = self.reader.store.accounts_with_edits(self.now()).await?;
        let deliveries = accounts.into_iter().map(|account_id| async move {
            match self.account(&account_id).await {
                Ok(is_done) => is_done,
                Err(error) => {
                    tracing::warn!(target: "tidings::sync", account = account_id, kind = ?error.kind(), reason = error.reason(), "changes of messages wait");
                    false
                }
            }
        });
        let done: Vec<bool> = futures_util::stream::iter(deliveries).buffer_unordered(ACCOUNTS_AT_ONCE).collect().await;
        Ok(done.contains(&true))
    }

    async fn account(&self, account_id: &str) -> Result<bool> {
        let Reader { store, clock, .. } = &self.reader;
        let Some(lease) = LeaseRequest::new(store, clock, format!("edits:{account_id}"), LEASE_MS)?.take().await? else { return Ok(false) };
        let beat = hold(store.clone(), clock.clone(), lease.clone());
        let outcome = tokio::select! { outcome = self.deliver(account_id) => outcome, () = beat => Ok(true) };
        let _ = store.release_lease(&lease).await; // it lapses by itself otherwise
        outcome
    }

    /// All that is due of an account.
    async fn deliver(&self, account_id: &str) -> Result<bool> {
        let mut is_done = false;
        loop {
            let edits = self.due(account_id).await?;
            if edits.is_empty() {
                return Ok(is_done);
            }
            is_done = true;
            let priority = if edits.len() <= FEW { Priority::Interactive } else { Priority::Send };
            let caller = Caller::new(account_id, priority, PATIENCE);
            let messages = self.held_against_mailbox(&caller, by_message(edits)).await?;
            let moves: Vec<(String, i64)> = messages.iter().flat_map(|message| &message.edits).filter(|edit| edit.row.property == EditedProperty::Place).map(|edit| (edit.row.graph_id.clone(), edit.row.number)).collect();
            if !moves.is_empty() {
                self.reader.store.begin_moves(account_id, &moves).await?;
            }
            failpoint!("edits.sending");
            let sends = messages.into_iter().map(|message| self.send(&caller, message));
            let outcomes: Vec<Result<()>> = futures_util::stream::iter(sends).buffer_unordered(SENT_AT_ONCE).collect().await;
            outcomes.into_iter().collect::<Result<()>>()?;
            failpoint!("edits.sent");
        }
    }

    async fn send(&self, caller: &Caller, message: Message) -> Result<()> {
        let outcome = Sending { edits: self, caller }.send(message).await?;
        failpoint!("edits.settling");
        self.settle(&caller.account_id, outcome).await
    }

    /// What is due, opened. What cannot be read of it is given up.
    async fn due(&self, account_id: &str) -> Result<Vec<Edit>> {
        let read = async || {
            let key = self.reader.vault.content(account_id).await?;
            let rows = self.reader.store.due_edits(account_id, self.now(), AT_ONCE).await?;
            let (mut edits, mut broken) = (Vec::with_capacity(rows.len()), Vec::new());
            for row in rows {
                match opened(&key, vec![row.clone()]) {
                    Ok(one) => edits.extend(one),
                    Err(error) if error.kind() == ErrorKind::Corrupt => broken.push(row),
                    Err(error) => return Err(error),
                }
            }
            Ok((edits, broken))
        };
        let (edits, broken) = self.reader.vault.with_current_keys(read).await?;
        if !broken.is_empty() {
            tracing::warn!(target: "tidings::sync", account = account_id, changes = broken.len(), "stored changes of messages cannot be read and are given up");
            self.write(crate::store::EditBatch { ended: broken.iter().map(|row: &EditRow| row.ended(EditEnd::Dropped)).collect(), now: self.now(), ..Default::default() }).await?;
        }
        Ok(edits)
    }

    /// Settles what the mailbox decides by itself, and answers what is to be sent.
    async fn held_against_mailbox(&self, caller: &Caller, messages: Vec<Message>) -> Result<Vec<Message>> {
        let now = to_ms(self.reader.graph.server_time());
        let is_old = |edit: &Edit| edit.row.is_begun || edit.row.tries > 0 || now.saturating_sub(edit.row.edited_at) > FRESH_MS;
        let (old, mut to_send): (Vec<Message>, Vec<Message>) = messages.into_iter().partition(|message| message.edits.iter().any(is_old));
        if old.is_empty() {
            return Ok(to_send);
        }
        let ids: Vec<String> = old.iter().map(|message| message.graph_id.clone()).collect();
        let found = match self.reader.graph.editable(caller, &ids).await {
            Ok(found) => found,
            Err(error) => {
                for message in old {
                    self.settle(&caller.account_id, Outcome::of(message, |_| Done::Failed(error.clone()))).await?;
                }
                return Ok(to_send);
            }
        };
        for (message, (_, verified)) in old.into_iter().zip(found) {
            let outcome = match verified {
                Verified::There(item) => {
                    let (message, outcome) = judged(message, *item);
                    to_send.extend(message);
                    outcome
                }
                Verified::Gone => Outcome::of(message, |_| Done::Gone),
                Verified::Unclear(error) => Outcome::of(message, |_| Done::Failed(error.clone())),
            };
            self.settle(&caller.account_id, outcome).await?;
        }
        Ok(to_send)
    }
}

fn by_message(edits: Vec<Edit>) -> Vec<Message> {
    let mut messages: BTreeMap<String, Vec<Edit>> = BTreeMap::new();
    for edit in edits {
        messages.entry(edit.row.graph_id.clone()).or_default().push(edit);
    }
    messages.into_iter().map(|(graph_id, edits)| Message { graph_id, edits, item: None }).collect()
}

/// What is still to be sent of a message, now that the mailbox was asked for it, and what is not.
pub(super) fn judged(message: Message, item: MailItem) -> (Option<Message>, Outcome) {
    let Message { graph_id, edits, .. } = message;
    let (mut open, mut done) = (Vec::new(), Vec::new());
    for mut edit in edits {
        let verdict = match Value::shown(edit.row.property, &item) {
            // No page from before, but how it is.
            Some(shown) if shown == edit.wish.wanted => Verdict::Arrived,
            Some(shown) => judge(&edit, &shown, item.modified_at),
            None => Verdict::Keep,
        };
        match verdict {
            Verdict::Arrived => done.push((edit, Done::Arrived(Some(item.clone())))),
            Verdict::Yield => done.push((edit, Done::Overtaken(item.clone()))),
            Verdict::Keep => open.push(edit),
            Verdict::KeepOver(base) => {
                edit.wish = edit.wish.rebased(base);
                open.push(edit);
            }
        }
    }
    let rest = (!open.is_empty()).then(|| Message { graph_id: graph_id.clone(), edits: open, item: Some(item) });
    (rest, Outcome { graph_id, done, change_key: None })
}

/// Microsoft would not take it, now or later. Everything else is tried again.
pub(super) fn is_final(error: &Error) -> bool {
    use crate::error::Remedy;
    match error.kind() {
        ErrorKind::Forbidden => error.remedy() != Remedy::Developer,
        ErrorKind::LimitExceeded => error.remedy() != Remedy::User,
        ErrorKind::Conflict => error.remedy() != Remedy::Wait,
        ErrorKind::InvalidInput | ErrorKind::NotFound => true,
        _ => false,
    }
}
