//! What the engine does by itself: mailboxes are looked at when they are due, in this process until it ends (`start`), or once (`run_once`). Processes on one
//! store share the work: each mailbox is one process's at a time.

use super::sync::{Looks, Synced};
use super::{Engine, Inner};
use crate::clock::{real_time, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Listener;
use crate::model::{AccountState, Event, Route, RunReport, SendState, SyncOutcome, SyncReport};
use crate::runtime::{Stop, defect};
use crate::store::{Poll, PollRequest, SubscriptionRow, SubscriptionState, TOLD_PAUSE_MS, hold_poll};
use crate::sync::polling::{SOONEST, Seen, after, after_failure};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;

/// Mailboxes looked at at a time; what they ask of Microsoft has its own limits.
const AT_ONCE: usize = 16;
/// How often is looked for what another process connected or planned.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
const TOLD_PAUSE: Duration = Duration::from_millis(TOLD_PAUSE_MS.unsigned_abs());
/// Whether what other tasks do is done.
const LOOK_SOON: Duration = Duration::from_millis(50);
/// After the store could not be read.
const STORE_FAILED: Duration = Duration::from_secs(5);

impl Engine {
    /// From now on, until shutdown, this process brings mailboxes up to date by itself: those of all accounts that are connected for `mail_sync`, `contacts`, `calendar` or chats that may be read, seconds after
    /// something happened in them and minutes apart when they are quiet; chats once a day. What came is in `changes`. Several processes on one store share the work. May be
    /// called twice. Errors: Closed, Forked.
    pub fn start(&self) -> Result<()> {
        self.inner.runtime.check()?;
        if self.inner.is_started.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return Ok(());
        }
        let work = Looking { inner: Arc::downgrade(&self.inner), stop: self.inner.runtime.stop(), listener: self.inner.event_bus.listen(), is_called: HashMap::new(), adopted_at: None };
        self.inner.runtime.background(work.run());
        tracing::info!(target: "tidings::engine", "started");
        Ok(())
    }

    /// Does what is due and ends: mailboxes are brought up to date, back-fills go on, sends and changes of messages delivered, subscriptions renewed, and what is older than is kept erased. For programs that run now and then: a
    /// timer, a serverless function, a background window of a phone. At `deadline_ms` (from now; 1,000 to 86,400,000) syncs stop after a page, and what is left
    /// is due at the next call. Safe beside other processes on the same store. A cancelled call stops the same way and loses nothing.
    /// Errors: InvalidInput, Closed, StoreBusy; what fails in one mailbox is in the report.
    pub async fn run_once(&self, deadline_ms: u32) -> Result<RunReport> {
        if !(1_000..=86_400_000).contains(&deadline_ms) {
            return Err(Error::invalid("deadline_ms must be 1,000 to 86,400,000 (a day)."));
        }
        self.guard(|inner, stop| async move { inner.run_once(Duration::from_millis(deadline_ms.into()), stop).await }).await
    }
}

impl Inner {
    async fn run_once(self: Arc<Self>, deadline: Duration, stop: Stop) -> Result<RunReport> {
        let began = to_ms(self.clock.now());
        self.store.adopt_polls(began).await?;
        // What Microsoft told of before.
        for told in self.store.news().await? {
            self.store.poll_by(&told.account_id, began).await?;
        }
        let (cut, stopped) = stop.narrowed();
        let work = async {
            let (syncs, (), (), (), (), ()) = tokio::join!(
                self.poll_due(began, &stopped),
                self.outbox.until_nothing_is_due(&stopped),
                self.until_edits_arrived(&stopped),
                self.notify.until_nothing_is_due(&stopped),
                self.backfills.until_nothing_is_due(&stopped),
                self.sweep(&stopped)
            );
            syncs
        };
        let timer = async {
            tokio::select! { () = self.clock.deadline(deadline) => {}, () = stop.wait() => {} }
            cut.send_replace(true);
            std::future::pending::<Infallible>().await
        };
        let syncs = tokio::select! { syncs = work => syncs?, never = timer => match never {} };
        stop.check()?;
        let is_complete = !stopped.is_set();
        let next = [self.store.next_poll().await?, self.outbox.next_due().await?, self.store.next_edit_at().await?, self.notify.next_due().await?, self.backfills.next_due().await?].into_iter().flatten().min();
        Ok(RunReport { syncs, is_complete, next_due_at: next.map(crate::clock::from_ms) })
    }

    /// Those that were due at `began`.
    async fn poll_due(self: &Arc<Self>, began: i64, stop: &Stop) -> Result<Vec<SyncOutcome>> {
        // Tasks of their own: syncs are large, and would all lie on one stack.
        let mut some = JoinSet::new();
        for _ in 0..AT_ONCE {
            some.spawn(self.clone().poll_some(began, stop.clone()));
        }
        let (mut outcomes, mut failed) = (Vec::new(), None);
        while let Some(ended) = some.join_next().await {
            match ended.unwrap_or_else(|_| Err(defect())) {
                Ok(more) => outcomes.extend(more),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(outcomes), Err)
    }

    /// One after another, until none is due.
    async fn poll_some(self: Arc<Self>, began: i64, stop: Stop) -> Result<Vec<SyncOutcome>> {
        let mut outcomes = Vec::new();
        while !stop.is_set() {
            let request = PollRequest { now: to_ms(self.clock.now()), due_at: began, limit: 1 };
            let Some(poll) = self.store.claim_polls(request).await?.pop() else { break };
            let id = poll.account_id.clone();
            outcomes.push(super::sync::outcome(id, self.look(poll, stop.clone()).await));
        }
        Ok(outcomes)
    }

    /// Those that can be delivered now.
    async fn until_edits_arrived(&self, stop: &Stop) {
        while self.store.accounts_with_edits(to_ms(self.clock.now())).await.is_ok_and(|accounts| !accounts.is_empty()) {
            tokio::select! { () = real_time(LOOK_SOON) => {}, () = stop.wait() => return }
        }
    }

    async fn sweep(&self, stop: &Stop) {
        tokio::select! { () = self.retention.sweep_once() => {}, () = stop.wait() => {} }
    }

    /// Microsoft tells what happens in this mailbox, so that a look a day is enough.
    async fn is_told_of(&self, account_id: &str) -> bool {
        let now = to_ms(self.clock.now());
        let is_active = |row: SubscriptionRow| row.state == SubscriptionState::Active && row.expires_at > now;
        self.notify.is_on() && self.store.subscription(account_id).await.is_ok_and(|row| row.is_some_and(is_active))
    }

    /// Looks at one mailbox, and plans the next look.
    async fn look(self: &Arc<Self>, poll: Poll, stop: Stop) -> Result<SyncReport> {
        let synced = tokio::select! {
            outcome = Box::pin(self.sync_parts(&poll.account_id, Looks::ByItself, stop)) => outcome,
            () = hold_poll(self.store.clone(), self.clock.clone(), poll.clone()) => Err(Error::new(ErrorKind::StoreBusy, "Another process looks at this mailbox now.").on_account(&poll.account_id)),
        };
        let before = Duration::from_millis(u64::try_from(poll.pause_ms).unwrap_or_default());
        let pause = match synced.as_ref().and_then(Synced::foremost) {
            Ok(report) => {
                let has_news = report.added + report.changed + report.moved + report.removed + report.contacts + report.events + report.chat_messages > 0;
                let quota_used = self.pipeline.quota_used(&poll.account_id).await;
                let pause = after(before, Seen { has_news, requests: report.pages.max(report.folders).saturating_add(2), quota_used });
                if self.is_told_of(&poll.account_id).await { pause.max(TOLD_PAUSE) } else { pause }
            }
            Err(error) => after_failure(before, error),
        };
        let outcome = synced.and_then(Synced::whole);
        if let Err(error) = &outcome {
            tracing::info!(target: "tidings::engine", account = poll.account_id, kind = ?error.kind(), "a mailbox could not be looked at, or not all of it");
        }
        let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        // Should this fail, it is due again once its lease is over.
        if let Err(error) = self.store.settle_poll(&poll, to_ms(self.clock.now()).saturating_add(pause_ms), pause_ms).await {
            tracing::warn!(target: "tidings::engine", kind = ?error.kind(), "the next look at a mailbox could not be planned");
        }
        outcome
    }
}

/// What goes on until the engine stops.
struct Looking {
    /// Weak: it does not keep an engine that nobody else has.
    inner: Weak<Inner>,
    stop: Stop,
    listener: Listener,
    /// When mailboxes were last called for, in monotonic time.
    is_called: HashMap<String, Duration>,
    /// When was looked for mailboxes that are not looked at yet.
    adopted_at: Option<Duration>,
}

impl Looking {
    async fn run(mut self) {
        let mut looks = JoinSet::new();
        while !self.stop.is_set() {
            let Some(inner) = self.inner.upgrade() else { break };
            let wait = match self.take(&inner, &mut looks).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(target: "tidings::engine", kind = ?error.kind(), "the mailboxes that are due could not be read");
                    STORE_FAILED
                }
            };
            let mut timer = inner.clock.deadline(wait);
            drop(inner);
            let called = loop {
                tokio::select! {
                    () = self.stop.wait() => break None,
                    Some(_) = looks.join_next(), if !looks.is_empty() => break None,
                    () = &mut timer => break None,
                    event = self.listener.next() => match event {
                        Ok(Some(event)) => if let Some(called) = call(event) { break Some(called) },
                        // The engine has ended.
                        Ok(None) | Err(_) => break None,
                    },
                }
            };
            if let (Some((account_id, sent_at)), Some(inner)) = (called, self.inner.upgrade()) {
                self.call(&inner, account_id, sent_at).await;
            }
        }
        while looks.join_next().await.is_some() {}
    }

    /// Begins what is due; answers when to look again.
    async fn take(&mut self, inner: &Arc<Inner>, looks: &mut JoinSet<()>) -> Result<Duration> {
        while looks.try_join_next().is_some() {}
        let (now, time) = (to_ms(inner.clock.now()), inner.clock.elapsed());
        if self.adopted_at.is_none_or(|at| time.saturating_sub(at) >= LOOK_AGAIN) {
            inner.store.adopt_polls(now).await?;
            self.adopted_at = Some(time);
        }
        let free = AT_ONCE.saturating_sub(looks.len());
        let claimed = inner.store.claim_polls(PollRequest { now, due_at: now, limit: u32::try_from(free).unwrap_or_default() }).await?;
        let has_more = claimed.len() == free;
        for poll in claimed {
            let (inner, stop) = (inner.clone(), self.stop.clone());
            looks.spawn(async move {
                let _ = inner.look(poll, stop).await;
            });
        }
        // With all in hand it is the end of one that wakes this.
        if has_more {
            return Ok(LOOK_AGAIN);
        }
        let next = inner.store.next_poll().await?;
        Ok(next.map_or(LOOK_AGAIN, |at| Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or_default().max(1))).min(LOOK_AGAIN))
    }

    /// Something happened in this mailbox. Some: a mail was sent then, and Microsoft takes a while to show it; however late this process hears of it, it counts from then.
    async fn call(&mut self, inner: &Inner, account_id: String, sent_at: Option<SystemTime>) {
        let now = inner.clock.elapsed();
        self.is_called.retain(|_, at| now.saturating_sub(*at) < SOONEST);
        // A campaign is one call.
        if sent_at.is_some() && self.is_called.contains_key(&account_id) {
            return;
        }
        if sent_at.is_none() {
            self.adopted_at = None;
        }
        let at = to_ms(sent_at.map_or_else(|| inner.clock.now(), |sent_at| sent_at.checked_add(SOONEST).unwrap_or(sent_at)));
        if let Err(error) = inner.store.poll_by(&account_id, at).await {
            tracing::warn!(target: "tidings::engine", kind = ?error.kind(), "a look at a mailbox could not be planned");
        }
        self.is_called.insert(account_id, now);
    }
}

/// Which mailbox is to be looked at because of this, and since when a mail that was sent is on its way to it; None: at once.
fn call(event: Event) -> Option<(String, Option<SystemTime>)> {
    match event {
        Event::AccountConnected { account_id } | Event::AccountChanged { account_id, state: AccountState::Connected } => Some((account_id, None)),
        Event::SendChanged { receipt } if receipt.state == SendState::Sent && matches!(receipt.route, Route::Mail | Route::Reply | Route::Forward) => Some((receipt.account_id, receipt.sent_at)),
        _ => None,
    }
}
