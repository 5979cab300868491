//! The delivery loop: claim, prepare, dispatch, settle; each step durable before the next.

use super::carrier::{Job, Outcome, Tools, dispatch, payload_place, prepare};
use super::check::check_draft;
use super::item::{MOST_ATTEMPTS, Start, Verdict, backoff_ms, start, verdict};
use super::receipt::{id_of, receipt, row_of};
use super::reconcile::{Finding, reconcile, sent_copy, sent_elsewhere};
use crate::clock::{Clock, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Bell;
use crate::graph::Graph;
use crate::model::{AccountState, Draft, Event, OutboxFilter, Receipt, Route, SendState};
use crate::random;
use crate::runtime::{Stop, blocking};
use crate::store::{Due, Enqueued, ItemRow, ItemState, LEASE_MS, NewItem, Step, Store, heartbeat};
use crate::vault::Vault;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

/// Sends under way at the same time, over all accounts.
const AT_ONCE: usize = 16;
/// Why sends are taken back when their account goes.
pub const DISCONNECTED: &str = "The account was disconnected before it was sent.";
/// How often other processes' rows are looked for when nothing here says so.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Everything that leaves as a message.
pub struct Outbox {
    tools: Arc<Tools>,
    bell: Bell,
    /// Rung when there may be something to claim.
    wake: Arc<Notify>,
    /// Bumped whenever a send changed its state.
    settled: watch::Sender<u64>,
}

impl Outbox {
    pub fn new(store: Arc<dyn Store>, vault: Vault, graph: Graph, clock: Arc<dyn Clock>, bell: Bell) -> Arc<Self> {
        let opened_at = to_ms(clock.now());
        let tools = Arc::new(Tools { store, vault, graph, clock, people: super::teams::People::default(), opened_at });
        Arc::new(Self { tools, bell, wake: Arc::new(Notify::new()), settled: watch::Sender::new(0) })
    }

    /// Makes the draft durable. The caller has checked account and permissions; that the account is still connected is checked in the transaction.
    pub async fn enqueue(&self, draft: Draft) -> Result<Receipt> {
        check_draft(&draft)?;
        let tools = self.tools.clone();
        let row = blocking(move || {
            let (account_id, route, key) = match &draft {
                Draft::Mail { mail } => (mail.account_id.clone(), Route::Mail, mail.key.clone()),
                Draft::Chat { chat } => (chat.account_id.clone(), Route::Chat, chat.key.clone()),
            };
            let text = serde_json::to_vec(&draft).map_err(|e| Error::internal("The draft cannot be written.").with_source(e))?;
            let item = NewItem {
                lane: lane(&tools.vault, &account_id, &draft)?,
                content_hash: tools.vault.keyed_hash(&account_id, "outbox content", &[&text])?.to_vec(),
                created_at: to_ms(tools.clock.now()),
                account_id: account_id.clone(),
                route,
                key,
            };
            let enqueued = tools.vault.again(|| {
                let content = tools.vault.content(&account_id)?;
                tools.store.enqueue(&item, &|id| content.seal(payload_place(&account_id, &id.to_string()), &text))
            })?;
            match enqueued {
                Enqueued::New(row) => {
                    tools.graph.meters().sends_queued.up();
                    tracing::debug!(target: "tidings::outbox", send = row.id, account = account_id, "queued");
                    // The key it was sealed with may be gone already.
                    receipt(&tools.vault, &row).or_else(|_| read_receipt(&tools, row.id))
                }
                Enqueued::Same(row) => read_receipt(&tools, row.id),
                Enqueued::Conflict => Err(Error::new(ErrorKind::Conflict, "This idempotency key was used for a message with other content. Use a new key for a new message.").on_account(account_id)),
            }
        })
        .await?;
        self.wake.notify_one();
        Ok(row)
    }

    /// Waits for the outcome, at most `limit`; the receipt then says `queued` or `sending`.
    pub async fn wait(&self, receipt_id: &str, limit: Duration) -> Result<Receipt> {
        let until = to_ms(self.tools.clock.now()).saturating_add(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
        let mut deadline = self.tools.clock.deadline(limit);
        let mut settled = self.settled.subscribe();
        loop {
            settled.mark_unchanged();
            let now = self.receipt(receipt_id).await?;
            let later_than_that = now.next_attempt_at.is_some_and(|at| to_ms(at) >= until);
            if later_than_that || now.is_parked || !matches!(now.state, SendState::Queued | SendState::Sending) {
                return Ok(now);
            }
            tokio::select! {
                () = &mut deadline => return self.receipt(receipt_id).await,
                _ = settled.changed() => {}
                // Another process may be the one that delivers it.
                () = self.tools.clock.deadline(Duration::from_secs(1)) => {}
            }
        }
    }

    pub async fn receipt(&self, receipt_id: &str) -> Result<Receipt> {
        let row = row_of(receipt_id).ok_or_else(not_found)?;
        let tools = self.tools.clone();
        blocking(move || read_receipt(&tools, row)).await
    }

    pub async fn receipts(&self, filter: OutboxFilter) -> Result<Vec<Receipt>> {
        if !(1..=1000).contains(&filter.limit) {
            return Err(Error::invalid("limit must be from 1 to 1000."));
        }
        let tools = self.tools.clone();
        blocking(move || tools.vault.again(|| tools.store.items(&filter)?.iter().map(|row| receipt(&tools.vault, row)).collect())).await
    }

    /// There may be something to send: an account came back, sends were cancelled.
    pub fn nudge(&self) {
        self.settled.send_modify(|n| *n = n.wrapping_add(1));
        self.wake.notify_one();
    }

    /// Delivers until told to stop; then lets what is under way end.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut under_way = JoinSet::new();
        while !stop.is_set() {
            let Ok(slot) = slots.clone().acquire_owned().await else { break };
            while under_way.try_join_next().is_some() {}
            match self.claim().await {
                Ok(Some(item)) => {
                    let (outbox, stop) = (self.clone(), stop.clone());
                    under_way.spawn(async move {
                        outbox.deliver(item, stop).await;
                        drop(slot);
                        // The next one of its lane may go now.
                        outbox.wake.notify_one();
                    });
                }
                Ok(None) => {
                    let idle = under_way.is_empty();
                    tokio::select! { () = self.rest(&stop, idle) => {}, Some(_) = under_way.join_next() => {} }
                }
                Err(error) => {
                    tracing::warn!(target: "tidings::outbox", kind = ?error.kind(), "the outbox could not be read");
                    tokio::select! { () = stop.wait() => {}, () = self.tools.clock.deadline(Duration::from_secs(2)) => {} }
                }
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn claim(&self) -> Result<Option<ItemRow>> {
        let tools = self.tools.clone();
        blocking(move || tools.store.claim(to_ms(tools.clock.now()), LEASE_MS)).await
    }

    /// Until something is queued, due, or the engine stops.
    async fn rest(&self, stop: &Stop, idle: bool) {
        let tools = self.tools.clone();
        let due = blocking(move || {
            let now = to_ms(tools.clock.now());
            Ok((now, tools.store.next_due(now)?))
        })
        .await;
        let wait = |at: i64, now: i64| Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or(0).max(1));
        let timer = match due {
            Ok((now, Some(Due::Retry(at)))) => self.tools.clock.pause(wait(at, now)),
            // With nothing in hand here, the claim is another worker's, perhaps a dead one's. What is in hand here wakes this loop when it is done.
            Ok((now, Some(Due::Lapse(at)))) if idle => self.tools.clock.pause(wait(at, now)),
            Ok((now, Some(Due::Lapse(at)))) => self.tools.clock.deadline(wait(at, now).min(LOOK_AGAIN)),
            _ => self.tools.clock.deadline(LOOK_AGAIN),
        };
        tokio::select! { () = stop.wait() => {}, () = self.wake.notified() => {}, () = timer => {} }
    }

    async fn deliver(&self, item: ItemRow, stop: Stop) {
        let (id, account_id) = (item.id, item.account_id.clone());
        let found = (item.id, item.fence, item.state, item.attempts);
        let mut job = match Job::open(self.tools.clone(), item, stop).await {
            Ok(job) => job,
            Err(error) => {
                tracing::warn!(target: "tidings::outbox", send = id, kind = ?error.kind(), "a send could not be opened");
                self.park(found, &error).await;
                return;
            }
        };
        let outcome = if job.item.attempts > MOST_ATTEMPTS {
            given_up(job.item.state)
        } else {
            let heartbeat = self.heartbeat(&job.item);
            let span = tracing::info_span!(target: "tidings::outbox", "tidings.send", send = id, account = account_id, attempt = job.item.attempts);
            let attempt = attempt(&mut job).instrument(span);
            tokio::select! { outcome = attempt => outcome, () = heartbeat => Outcome::Lost }
        };
        if let Err(error) = self.settle(&mut job, outcome).await {
            // The claim lapses and the item is taken up again from the state that is stored.
            tracing::warn!(target: "tidings::outbox", send = id, account = account_id, kind = ?error.kind(), "the outcome of a send could not be stored");
        }
    }

    /// Settles an item that cannot even be opened, so that it does not block its lane for ever. What is wrong for the moment only is left to lapse.
    async fn park(&self, (id, fence, state, attempts): (i64, i64, ItemState, u32), error: &Error) {
        let outcome = match verdict(error) {
            Verdict::Refused if start(state) != Some(Start::Reconcile) => Outcome::Failed(error.clone()),
            Verdict::Refused => Outcome::Unknown(format!("It may have been sent, and what is stored of it cannot be read: {}", error.reason())),
            _ if attempts > MOST_ATTEMPTS => given_up(state),
            _ => return,
        };
        let (state, reason) = match outcome {
            Outcome::Unknown(reason) => (ItemState::Unknown, reason),
            Outcome::Failed(error) => (ItemState::Failed, error.reason().to_owned()),
            Outcome::Sent | Outcome::Later(_) | Outcome::Lost => return,
        };
        let tools = self.tools.clone();
        let step = Step { state, progress: None, reason: Some(reason), next_at: None, sent_at: None, release: true, announce: true };
        match blocking(move || tools.store.step(id, fence, &step, to_ms(tools.clock.now()))).await {
            Ok(true) => {
                self.tell(id, None, state, Some(error));
                self.announce(id).await;
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(target: "tidings::outbox", send = id, kind = ?error.kind(), "a send could not be parked"),
        }
    }

    /// Keeps the claim while a request is under way; ends when it is lost.
    fn heartbeat(&self, item: &ItemRow) -> impl Future<Output = ()> + use<> {
        let (store, id, fence) = (self.tools.store.clone(), item.id, item.fence);
        heartbeat(self.tools.clock.clone(), move |now| store.renew_claim(id, fence, now, LEASE_MS))
    }

    async fn settle(&self, job: &mut Job, outcome: Outcome) -> Result<()> {
        let failed = match &outcome {
            Outcome::Later(error) | Outcome::Failed(error) => Some(error.clone()),
            Outcome::Sent | Outcome::Unknown(_) | Outcome::Lost => None,
        };
        let written = match outcome {
            Outcome::Lost => false,
            Outcome::Sent => job.leave(ItemState::Sent, None, None).await?,
            Outcome::Failed(error) => job.leave(ItemState::Failed, Some(error.reason().to_owned()), None).await?,
            Outcome::Unknown(reason) => job.leave(ItemState::Unknown, Some(reason), None).await?,
            Outcome::Later(error) => {
                let account = self.account_state(&job.item.account_id).await?;
                let reconciling = job.item.state == ItemState::Reconciling;
                if account == Some(AccountState::Disconnected) && !reconciling {
                    // The disconnect cancelled what was waiting; this one was under way then, and has turned out not to be sent.
                    job.leave(ItemState::Cancelled, Some(DISCONNECTED.to_owned()), None).await?
                } else {
                    // An account that waits for its person is not claimed from, so its sends are due as soon as it is back. Microsoft may refuse a
                    // sign-in that still counts as connected here: that one waits like any other.
                    let waits_for_person = account != Some(AccountState::Connected);
                    let wait = if waits_for_person { 0 } else { backoff_ms(job.item.attempts, error.retry_after_ms(), random::jitter()) };
                    let state = if reconciling { ItemState::Reconciling } else { ItemState::RetryWait };
                    let at = job.now().saturating_add(wait);
                    job.leave(state, Some(error.reason().to_owned()), Some(at)).await?
                }
            }
        };
        if written {
            self.tell(job.item.id, Some(&job.item), job.item.state, failed.as_ref());
            self.announce(job.item.id).await;
        }
        Ok(())
    }

    /// A line in the log and a count.
    fn tell(&self, send: i64, item: Option<&ItemRow>, state: ItemState, error: Option<&Error>) {
        let (account, attempt) = (item.map(|i| i.account_id.as_str()), item.map(|i| i.attempts));
        let (kind, request_id) = (error.map(|e| tracing::field::debug(e.kind())), error.and_then(Error::request_id));
        let meters = self.tools.graph.meters();
        match state {
            ItemState::Sent => meters.sends_sent.up(),
            ItemState::Failed => meters.sends_failed.up(),
            ItemState::Unknown => meters.sends_unknown.up(),
            _ => {}
        }
        if matches!(state, ItemState::Failed | ItemState::Unknown) {
            tracing::warn!(target: "tidings::outbox", send, account, attempt, ?state, kind, request_id, "settled");
        } else if state.is_open() {
            tracing::info!(target: "tidings::outbox", send, account, attempt, ?state, kind, request_id, "waits for another attempt");
        } else {
            tracing::info!(target: "tidings::outbox", send, account, attempt, ?state, kind, request_id, "settled");
        }
    }

    async fn account_state(&self, account_id: &str) -> Result<Option<AccountState>> {
        let (tools, id) = (self.tools.clone(), account_id.to_owned());
        blocking(move || Ok(tools.store.account(&id)?.map(|row| row.state))).await
    }

    async fn announce(&self, id: i64) {
        if let Ok(receipt) = self.receipt(&id_of(id)).await {
            self.bell.ring(Event::SendChanged { receipt });
        }
        self.settled.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Bumped whenever a send changed its state.
    pub fn settled(&self) -> watch::Receiver<u64> {
        self.settled.subscribe()
    }
}

/// What an item becomes that was tried too often: a request that may have been made is not called failed.
fn given_up(state: ItemState) -> Outcome {
    if start(state) == Some(Start::Reconcile) {
        return Outcome::Unknown("It may have been sent; 50 attempts to find out did not tell. Look into the mailbox before sending it again.".to_owned());
    }
    Outcome::Failed(Error::internal("It was tried 50 times without an outcome and is parked. Send it again if it still matters."))
}

/// One attempt, from wherever the item was left.
async fn attempt(job: &mut Job) -> Outcome {
    let mut next = match start(job.item.state) {
        Some(next) => next,
        None => return Outcome::Lost,
    };
    if next == Start::Prepare && job.may_be_sent() {
        match sent_elsewhere(job).await {
            Ok(None) => {}
            Ok(Some(outcome)) => return outcome,
            Err(error) => return Outcome::Later(error),
        }
    }
    // A draft found unsent is dispatched again; more than a few rounds of that mean that something else is wrong.
    for _ in 0..3 {
        if next == Start::Prepare {
            match prepare(job).await {
                Ok(true) => {}
                Ok(false) => return Outcome::Lost,
                // Nothing that others could see has happened yet, so doubt is no danger here.
                Err(error) if verdict(&error) == Verdict::Refused => return Outcome::Failed(error),
                Err(error) => return Outcome::Later(error),
            }
            next = Start::Dispatch;
        }
        if next == Start::Dispatch {
            match job.advance(ItemState::Dispatching).await {
                Ok(true) => {}
                Ok(false) => return Outcome::Lost,
                Err(error) => return Outcome::Later(error),
            }
            match dispatch(job).await {
                Ok(()) => return Outcome::Sent,
                Err(error) => match verdict(&error) {
                    Verdict::Later => return Outcome::Later(error),
                    Verdict::Refused => return refused(job, error).await,
                    Verdict::Doubt => {}
                },
            }
        }
        match reconcile(job).await {
            Ok(Finding::Settled(outcome)) => return outcome,
            Ok(Finding::NotSent) => next = Start::Dispatch,
            Err(error) => return Outcome::Later(error),
        }
    }
    Outcome::Later(Error::new(ErrorKind::Upstream, "Microsoft took the mail several times without sending it; it will be tried again."))
}

/// A refusal of the first request is the last word. After earlier ones it may be about a mail that one of them did send.
async fn refused(job: &mut Job, error: Error) -> Outcome {
    if job.item.attempts <= 1 && !job.doubted {
        return Outcome::Failed(error);
    }
    match sent_copy(job).await {
        Ok(true) => Outcome::Sent,
        Ok(false) => Outcome::Failed(error),
        // Reconciling: the next attempt asks before it does anything else.
        Err(unsure) => match job.advance(ItemState::Reconciling).await {
            Ok(false) => Outcome::Lost,
            _ => Outcome::Later(unsure),
        },
    }
}

fn read_receipt(tools: &Tools, row: i64) -> Result<Receipt> {
    tools.vault.again(|| receipt(&tools.vault, &tools.store.item(row)?.ok_or_else(not_found)?))
}

/// Messages of one conversation leave in order: a chat by its person, a mail by its set of recipients.
fn lane(vault: &Vault, account_id: &str, draft: &Draft) -> Result<String> {
    let (kind, mut people): (&str, Vec<String>) = match draft {
        Draft::Mail { mail } => ("mail", mail.to.iter().chain(&mail.cc).chain(&mail.bcc).map(|a| a.address.to_lowercase()).collect()),
        Draft::Chat { chat } => ("chat", vec![chat.to.to_lowercase()]),
    };
    people.sort();
    let parts: Vec<&[u8]> = people.iter().map(String::as_bytes).collect();
    // Keyed, so that the column tells nothing about who is written to.
    let hash = vault.keyed_hash(account_id, "outbox lane", &parts)?;
    let short: String = hash.iter().take(12).map(|b| format!("{b:02x}")).collect();
    Ok(format!("{account_id}/{kind}/{short}"))
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "There is no send with this id.")
}
