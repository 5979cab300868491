//! Who works on back-fills: each process of a store takes those that are due, one process each, and goes on until they are done or told to stop.

use super::super::polling::after_failure;
use super::super::run::Sync;
use super::shown::shown;
use crate::clock::{from_ms, real_time, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Caller;
use crate::model::{Backfill, BackfillEstimate, BackfillRange, Event};
use crate::pipeline::Priority;
use crate::runtime::Stop;
use crate::store::{AccountRow, BackfillEnd, BackfillPhase, BackfillRow, BackfillWish, NewBackfill, hold_backfill};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Back-fills at a time; what they ask of Microsoft has its own limits.
const AT_ONCE: usize = 4;
/// How often is looked for what another process began or left.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Whether what another task does is done.
const LOOK_SOON: Duration = Duration::from_millis(50);
/// Between two slices: another process's sync may wait.
const BETWEEN: Duration = Duration::from_millis(300);
/// How long a count may wait in all for Microsoft.
const PATIENCE: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 86_400_000;

/// Back-fills of all accounts of a store.
pub struct Backfills {
    sync: Arc<Sync>,
    wake: Notify,
    /// Those this process is at.
    at_work: AtomicUsize,
}

impl Backfills {
    pub fn new(sync: Arc<Sync>) -> Arc<Self> {
        Arc::new(Self { sync, wake: Notify::new(), at_work: AtomicUsize::new(0) })
    }

    fn now(&self) -> i64 {
        to_ms(self.sync.clock.now())
    }

    /// How many messages a range holds now.
    pub async fn estimate(&self, account: &AccountRow, range: BackfillRange) -> Result<BackfillEstimate> {
        let caller = Caller::of(account, Priority::Interactive, PATIENCE);
        let list = self.sync.graph.folders(&caller).await?;
        let chosen = self.sync.chosen(account);
        let folders: Vec<_> = list.folders.into_iter().filter(|folder| chosen.holds_listed(folder)).collect();
        let since = since(range, self.now());
        let held: Vec<_> = folders.iter().filter(|folder| folder.total > 0).collect();
        let counts = match since {
            None => held.iter().map(|folder| folder.total).collect(),
            Some(_) if range == BackfillRange::Nothing => Vec::new(),
            Some(since) => {
                let ids: Vec<String> = held.iter().map(|folder| folder.id.clone()).collect();
                let counted = self.sync.graph.count_messages(&caller, &ids, Some(from_ms(since))).await?;
                // Where it is not told, it is all of the folder at most.
                held.iter().zip(counted).map(|(folder, count)| count.unwrap_or(folder.total)).collect::<Vec<u32>>()
            }
        };
        let messages = counts.into_iter().fold(0, u32::saturating_add);
        Ok(BackfillEstimate { account_id: account.id.clone(), range, since: since.map(from_ms), messages, folders: u32::try_from(folders.len()).unwrap_or(u32::MAX) })
    }

    pub async fn begin(&self, account: &AccountRow, range: BackfillRange) -> Result<Backfill> {
        let estimate = self.estimate(account, range).await?;
        let now = self.now();
        let new = NewBackfill { account_id: account.id.clone(), generation: account.generation, range, since: estimate.since.map(to_ms), estimated: estimate.messages, now };
        let row = self.sync.store.begin_backfill(&new).await?;
        let row = row.ok_or_else(|| Error::new(ErrorKind::NotConnected, "The account was disconnected or connected anew meanwhile.").on_account(&account.id))?;
        Ok(self.tell(&row))
    }

    pub async fn wish(&self, account_id: &str, wish: BackfillWish) -> Result<Backfill> {
        let row = self.sync.store.wish_backfill(account_id, wish, self.now()).await?;
        let row = row.ok_or_else(|| Error::new(ErrorKind::NotFound, "The account has no back-fill. Begin one with backfill.").on_account(account_id))?;
        Ok(self.tell(&row))
    }

    pub async fn status(&self, account_id: &str) -> Result<Option<Backfill>> {
        Ok(self.sync.store.backfill(account_id).await?.as_ref().map(shown))
    }

    fn tell(&self, row: &BackfillRow) -> Backfill {
        let backfill = shown(row);
        self.sync.event_bus.publish(Event::BackfillChanged { backfill: backfill.clone() });
        self.wake.notify_one();
        backfill
    }

    /// When one is due next. None: there is none.
    pub async fn next_due(&self) -> Result<Option<i64>> {
        self.sync.store.next_backfill().await
    }

    /// Waits until this process is at none, and none is due. Ends as well when it is stopped, or when the store cannot be read.
    pub async fn until_nothing_is_due(&self, stop: &Stop) {
        loop {
            let is_due = self.next_due().await.is_ok_and(|next| next.is_some_and(|at| at <= self.now()));
            if !is_due && self.at_work.load(Ordering::Acquire) == 0 {
                return;
            }
            tokio::select! { () = real_time(LOOK_SOON) => {}, () = stop.wait() => return }
        }
    }

    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.at_work.load(Ordering::Acquire) == 0
    }

    /// Works on what is due until the engine stops.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let mut hands: JoinSet<()> = JoinSet::new();
        while !stop.is_set() {
            while hands.len() < AT_ONCE {
                let Ok(Some(row)) = self.sync.store.claim_backfill(self.now()).await else { break };
                self.at_work.fetch_add(1, Ordering::AcqRel);
                let (me, stop) = (self.clone(), stop.clone());
                hands.spawn(async move {
                    let at_work = AtWork(&me.at_work);
                    me.work(row, &stop).await;
                    drop(at_work);
                });
            }
            let wait = match self.next_due().await {
                Ok(Some(at)) if hands.len() < AT_ONCE => Duration::from_millis(u64::try_from(at.saturating_sub(self.now())).unwrap_or_default().max(1)).min(LOOK_AGAIN),
                _ => LOOK_AGAIN,
            };
            tokio::select! {
                () = stop.wait() => {},
                Some(_) = hands.join_next(), if !hands.is_empty() => {},
                () = self.wake.notified() => {},
                () = self.sync.clock.deadline(wait) => {},
            }
        }
        // Each ends after its page.
        while hands.join_next().await.is_some() {}
    }

    /// Until it is done, told to wait, taken by another process, or cannot go on now.
    async fn work(&self, row: BackfillRow, stop: &Stop) {
        let (store, clock) = (self.sync.store.clone(), self.sync.clock.clone());
        let outcome = tokio::select! {
            outcome = self.slices(&row, stop) => outcome,
            () = hold_backfill(store.clone(), clock, row.account_id.clone(), row.turn) => return,
        };
        let now = self.now();
        let end = match outcome {
            Ok(phase) => BackfillEnd { phase, next_at: now, failures: 0, problem: None },
            Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Closed | ErrorKind::Forked | ErrorKind::StoreBusy) => BackfillEnd { phase: row.phase, next_at: now, failures: row.failures, problem: None },
            Err(error) => {
                tracing::info!(target: "tidings::sync", account = row.account_id, kind = ?error.kind(), reason = error.reason(), "a back-fill does not get on");
                let before = Duration::from_secs(15).saturating_mul(2_u32.saturating_pow(row.failures.min(10)) / 2);
                let pause = i64::try_from(after_failure(before, &error).as_millis()).unwrap_or(i64::MAX);
                BackfillEnd { phase: row.phase, next_at: now.saturating_add(pause), failures: row.failures.saturating_add(1), problem: Some((error.kind(), error.reason().to_owned())) }
            }
        };
        // Should this fail, it is due again once its lease is over.
        if let Err(error) = store.settle_backfill(&row, &end).await {
            tracing::warn!(target: "tidings::sync", kind = ?error.kind(), "where a back-fill stands could not be noted");
        }
        if let Ok(Some(row)) = store.backfill(&row.account_id).await {
            self.sync.event_bus.publish(Event::BackfillChanged { backfill: shown(&row) });
        }
    }

    /// Answers the phase that comes next.
    async fn slices(&self, row: &BackfillRow, stop: &Stop) -> Result<BackfillPhase> {
        loop {
            stop.check()?;
            let (Some(now), Some(account)) = (self.sync.store.backfill(&row.account_id).await?, self.sync.store.account(&row.account_id).await?) else { return Ok(row.phase) };
            if now.turn != row.turn || now.phase != row.phase || now.wish == BackfillWish::Pause {
                return Ok(row.phase);
            }
            let phase = self.sync.slice(account, &now, stop).await?;
            if phase != row.phase {
                return Ok(phase);
            }
            real_time(BETWEEN).await;
        }
    }
}

/// One of those this process is at, until it is dropped.
struct AtWork<'a>(&'a AtomicUsize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Since when mail is wanted; None: since ever.
fn since(range: BackfillRange, now: i64) -> Option<i64> {
    let days = match range {
        BackfillRange::Nothing => 0,
        BackfillRange::ThirtyDays => 30,
        BackfillRange::NinetyDays => 90,
        BackfillRange::TwelveMonths => 365,
        BackfillRange::Everything => return None,
    };
    Some(now.saturating_sub(days * DAY_MS))
}
