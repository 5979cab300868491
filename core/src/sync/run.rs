//! One sync of one account: lease, folders, pages, questions, report.

use super::answers;
use super::attachments::{self, Lists};
use super::backfill;
use super::counts::{self, Rewalked};
use super::quarantined;
use super::folder::FolderSync;
use super::folders::{self, Chosen};
use super::first_pages;
use super::turn::{Entered, Turn};
use super::read::Reader;
use super::removal;
use super::tally::Tally;
use crate::clock::{Clock, to_ms};
use crate::config::Content;
use crate::error::{Error, ErrorKind, Result};
use crate::events::EventBus;
use crate::graph::{Caller, Graph, MailItem, Verified};
use crate::model::{AccountState, Event, SyncReport};
use crate::pipeline::Priority;
use crate::runtime::Stop;
use crate::seal::AadContext;
use crate::store::{AccountRow, BackfillPhase, BackfillWish, FolderRow, HealthError, LEASE_MS, Lease, LeaseRequest, Store, SyncedFolder, hold};
use crate::vault::Vault;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tracing::Instrument;

/// How long a sync waits in all for Retry-After and outages before it reports them.
const PATIENCE: Duration = Duration::from_secs(300);
/// Folders walked at the same time; the mailbox takes four requests at once, and people who wait want one.
const FOLDERS_AT_ONCE: usize = 3;
/// Times a sync goes on after another process took it over.
const MOST_TAKEOVERS: u32 = 4;

/// Everything a folder's walk needs; shared by all folders of one sync.
pub struct SyncContext {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub graph: Graph,
    pub clock: Arc<dyn Clock>,
    pub event_bus: EventBus,
    pub news: watch::Sender<u64>,
    pub account: AccountRow,
    pub lease: Lease,
    pub page_size: u32,
    /// Whether the full-text index is filled.
    pub content: Content,
    pub stop: Stop,
    /// The mailbox answered something else in this sync: what fails now is no outage of all of it.
    pub is_reached: AtomicBool,
    /// Of the account in this process.
    pub turn: Arc<Turn>,
    pub extent: Extent,
}

/// How much is done under one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All there is.
    Whole,
    /// A part of a back-fill, until this monotonic time or until a sync waits.
    Slice { until: Duration, turn: i64 },
}

/// What became of messages that were asked for.
#[derive(Default)]
pub struct Verdicts {
    pub gone: Vec<String>,
    pub there: Vec<MailItem>,
    /// Ids that the mailbox did not tell about, and why.
    pub later: Vec<(String, String)>,
}

impl SyncContext {
    pub fn caller(&self) -> Caller {
        let priority = if self.extent == Extent::Whole { Priority::Sync } else { Priority::BackFill };
        Caller::of(&self.account, priority, PATIENCE)
    }

    pub fn now(&self) -> i64 {
        to_ms(self.clock.now())
    }

    /// A question to the mailbox, given up when the sync is stopped: it may be waiting minutes for a Retry-After, and asking again costs nothing.
    pub async fn ask<T>(&self, question: impl Future<Output = Result<T>>) -> Result<T> {
        ask(&self.stop, question).await
    }

    /// How far a folder is.
    pub fn tell_progress(&self, folder: &FolderRow, stored: u32) {
        self.event_bus.publish(Event::SyncProgress {
            account_id: self.account.id.clone(),
            folder_id: folder.graph_id.clone(),
            stored,
            total: folder.total.max(stored),
        });
    }

    /// Whether the walk of a folder is to end after this page, since what is left of it belongs to a back-fill or comes with its next part. `is_first`: the
    /// folder was never complete, or is enumerated anew.
    pub async fn is_enough(&self, is_first: bool) -> Result<bool> {
        let backfill = self.store.backfill(&self.account.id).await?.filter(|row| row.phase != BackfillPhase::Done);
        Ok(match self.extent {
            Extent::Whole => is_first && backfill.is_some(),
            Extent::Slice { until, turn } => {
                let is_over = self.clock.elapsed() >= until || self.turn.is_wanted();
                is_over || backfill.is_none_or(|row| row.turn != turn || row.wish == BackfillWish::Pause)
            }
        })
    }

    /// The back-fill that this is a slice of was stopped, or is another one's.
    pub async fn is_unwanted(&self) -> Result<bool> {
        let Extent::Slice { turn, .. } = self.extent else { return Ok(false) };
        Ok(self.store.backfill(&self.account.id).await?.is_none_or(|row| row.turn != turn || row.wish != BackfillWish::Run))
    }

    /// What the mailbox says of these messages, sorted.
    pub async fn verify(&self, ids: &[String]) -> Result<Verdicts> {
        let mut verdicts = Verdicts::default();
        for (id, verified) in self.ask(self.graph.verify(&self.caller(), ids)).await? {
            match verified {
                Verified::Gone => verdicts.gone.push(id),
                Verified::There(message) => verdicts.there.push(*message),
                Verified::Unclear(error) => verdicts.later.push((id, error.reason().to_owned())),
            }
        }
        Ok(verdicts)
    }

    /// The account is no longer the one this sync began with.
    pub async fn is_over(&self) -> bool {
        self.store.account(&self.account.id).await.is_ok_and(|row| row.is_none_or(|row| row.generation != self.account.generation))
    }

    /// Why a write was refused: the account changed, or another process has the lease.
    pub async fn taken_over(&self) -> Error {
        match self.store.account(&self.account.id).await.ok().flatten() {
            Some(row) if row.state == AccountState::Disconnected => {
                Error::new(ErrorKind::NotConnected, "The account was disconnected during the sync; what was synced before is kept.")
            }
            Some(row) if row.generation != self.account.generation => Error::new(ErrorKind::Cancelled, "The account was connected anew during the sync. Sync again."),
            Some(_) => Error::new(ErrorKind::StoreBusy, "Another process took this sync over."),
            None => Error::new(ErrorKind::NotConnected, "The account is gone."),
        }
        .on_account(self.account.id.clone())
    }
}

/// The answer, unless it is told to stop before.
pub async fn ask<T>(stop: &Stop, question: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        answer = question => answer,
        () = stop.wait() => Err(stop.check().err().unwrap_or_else(crate::runtime::closed)),
    }
}

pub struct Sync {
    pub(super) store: Arc<dyn Store>,
    vault: Vault,
    pub(super) graph: Graph,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) event_bus: EventBus,
    news: watch::Sender<u64>,
    content: Content,
    page_size: u32,
    folders: Vec<String>,
    /// One sync per account and process; the lease does the same between processes.
    running: Mutex<HashMap<String, Weak<Turn>>>,
    /// When accounts were synced completely by this process: wall time as it is stored, and monotonic.
    successes: Mutex<HashMap<String, (i64, Duration)>>,
    pub(super) lists: Lists,
    pub(super) rewalked: Rewalked,
}

impl Sync {
    /// Works with what the reader works with.
    pub fn new(reader: Reader, event_bus: EventBus, page_size: u32, folders: Vec<String>) -> Arc<Self> {
        let Reader { store, vault, graph, clock, news, content } = reader;
        Arc::new(Self { store, vault, graph, clock, event_bus, news, content, page_size, folders, running: Mutex::default(), successes: Mutex::default(), lists: Lists::default(), rewalked: Rewalked::default() })
    }

    /// Brings an account up to date. Stops between pages when told to; what is stored stays. Whoever asks while a sync runs shares the one after it,
    /// however many they are.
    pub async fn run(&self, account: AccountRow, stop: Stop) -> Result<SyncReport> {
        let turn = self.turn(&account.id);
        let asked = turn.ask(account.generation);
        let pass = tokio::select! {
            entered = turn.enter(&asked) => match entered {
                Entered::Pass(pass) => pass,
                Entered::Shared(outcome) => return *outcome,
            },
            () = stop.wait() => return Err(stop.check().err().unwrap_or_else(crate::runtime::closed)),
        };
        // On the heap, as what is within: a sync is large, and its callers join several on one stack.
        let outcome = Box::pin(self.run_alone(account, stop.clone())).await;
        // One that its caller stopped says nothing to the others.
        if !stop.is_set() {
            pass.share(&outcome);
        }
        outcome
    }

    /// Lists the attachments of what syncs brought, as far as they did not wait for it, until the engine stops.
    pub async fn list_attachments(self: Arc<Self>, stop: Stop) {
        self.lists.run(stop).await;
    }

    async fn run_alone(&self, account: AccountRow, stop: Stop) -> Result<SyncReport> {
        let account_id = account.id.clone();
        let span = tracing::info_span!(target: "tidings::sync", "tidings.sync", account = account_id);
        let result = self.run_in_turn(account, stop).instrument(span).await.map_err(|e| e.on_account(account_id.clone()));
        self.note(&account_id, &result).await;
        self.event_bus.publish(match &result {
            Ok(report) => Event::SyncFinished { report: report.clone() },
            Err(error) => Event::SyncFailed { account_id, kind: error.kind(), reason: error.reason().to_owned() },
        });
        result
    }

    /// How long ago, by a clock that cannot be set, the success stored as `at` was; None if it was another process's.
    pub fn since_success(&self, account_id: &str, at: Option<i64>) -> Option<Duration> {
        let successes = self.successes.lock().unwrap_or_else(PoisonError::into_inner);
        successes.get(account_id).filter(|(wall, _)| Some(*wall) == at).map(|(_, elapsed)| self.clock.elapsed().saturating_sub(*elapsed))
    }

    /// Leaves the facts that health is judged by, a line in the log, a count.
    async fn note(&self, account_id: &str, result: &Result<SyncReport>) {
        let now = to_ms(self.clock.now());
        let outcome = match result {
            Ok(r) => {
                self.graph.meters().syncs.up();
                tracing::info!(
                    target: "tidings::sync", account = account_id, ms = r.duration_ms, folders = r.folders, pages = r.pages, added = r.added, changed = r.changed,
                    moved = r.moved, removed = r.removed, resynced = r.resynced, quarantined = r.quarantined, "synced"
                );
                self.successes.lock().unwrap_or_else(PoisonError::into_inner).insert(account_id.to_owned(), (now, self.clock.elapsed()));
                Ok(now)
            }
            Err(error) => {
                let (kind, request_id) = (error.kind(), error.request_id());
                // These say nothing about the account: somebody stopped it, or its state tells already.
                if matches!(kind, ErrorKind::Cancelled | ErrorKind::Closed | ErrorKind::Forked | ErrorKind::NotConnected) {
                    tracing::info!(target: "tidings::sync", account = account_id, ?kind, "a sync was stopped");
                    return;
                }
                tracing::warn!(target: "tidings::sync", account = account_id, ?kind, request_id, reason = error.reason(), "a sync failed");
                Err(HealthError { at: now, kind, reason: error.reason().to_owned() })
            }
        };
        if let Err(error) = self.store.note_sync(account_id, &outcome).await {
            tracing::warn!(target: "tidings::sync", account = account_id, kind = ?error.kind(), "the outcome of a sync could not be noted");
        }
    }

    async fn run_in_turn(&self, account: AccountRow, stop: Stop) -> Result<SyncReport> {
        let began = self.clock.elapsed();
        // A process that was held up for longer than its lease, by a suspended machine say, finds another one at work. What is stored is stored; it waits for
        // its turn and goes on from there.
        for _ in 1..MOST_TAKEOVERS {
            match self.leased(&account, &stop, began).await {
                Err(error) if error.kind() == ErrorKind::StoreBusy && !stop.is_set() => {
                    tracing::info!(target: "tidings::sync", account = account.id, reason = error.reason(), "a sync begins anew");
                }
                outcome => return outcome,
            }
        }
        self.leased(&account, &stop, began).await
    }

    /// One sync under one lease.
    async fn leased(&self, account: &AccountRow, stop: &Stop, began: Duration) -> Result<SyncReport> {
        let stop = stop.clone();
        let lease = self.lease(&account.id, &stop).await?;
        // As it is now: which folders are chosen may have changed while others were at work.
        let account = match self.store.account(&account.id).await? {
            Some(row) if row.generation == account.generation => row,
            // The first write finds out.
            _ => account.clone(),
        };
        let context = self.context(account, &lease, stop, Extent::Whole);
        let beat = hold(self.store.clone(), self.clock.clone(), lease.clone());
        let outcome = tokio::select! { outcome = Box::pin(self.walk(&context)) => outcome, () = beat => Err(context.taken_over().await) };
        let _ = self.store.release_lease(&lease).await; // it lapses by itself otherwise
        let mut report = outcome?;
        report.duration_ms = u64::try_from(self.clock.elapsed().saturating_sub(began).as_millis()).unwrap_or(u64::MAX);
        Ok(report)
    }

    pub(super) fn context(&self, account: AccountRow, lease: &Lease, stop: Stop, extent: Extent) -> Arc<SyncContext> {
        let turn = self.turn(&account.id);
        Arc::new(SyncContext {
            store: self.store.clone(),
            vault: self.vault.clone(),
            graph: self.graph.clone(),
            clock: self.clock.clone(),
            event_bus: self.event_bus.clone(),
            news: self.news.clone(),
            account,
            lease: lease.clone(),
            page_size: self.page_size,
            content: self.content,
            stop,
            is_reached: AtomicBool::new(false),
            turn,
            extent,
        })
    }

    async fn walk(&self, context: &Arc<SyncContext>) -> Result<SyncReport> {
        let chosen = self.chosen(&context.account);
        let is_filling = context.is_enough(true).await?;
        // What is new in the list of folders comes beside what is new in those that are known.
        let known = synced(context).await?;
        let (refreshed, first) = tokio::join!(folders::refresh(context, &chosen), first_pages::fetch(context, &known));
        // Folders that are known are synced even if their list cannot be read now; the caller hears of it all the same.
        let mut first_error = match refreshed {
            Ok(missing) => missing,
            Err(error) if error.kind() == ErrorKind::Upstream => Some(error),
            Err(error) => return Err(error),
        };
        let mut first = first?;
        let mut folders = synced(context).await?;
        // The longest walk first, so that it is not the one that all wait for in the end.
        folders.sort_by_key(|folder| std::cmp::Reverse(folder.row.total.saturating_sub(folder.stored)));
        if folders.is_empty() {
            if let Some(error) = first_error {
                return Err(error);
            }
            let names = chosen.names().join(", ");
            return Err(Error::invalid(format!("The mailbox has none of the folders to sync ({names}). Name others with choose_folders or in Config.folders, by well-known name or id.")));
        }

        let before = folders.clone();
        let mut total = Tally { folders: u32::try_from(folders.len()).unwrap_or(u32::MAX), ..Tally::default() };
        let walk = |folder: SyncedFolder| {
            let page = first.remove(&folder.row.graph_id);
            let context = context.clone();
            async move {
                // What it held before is left to the back-fill.
                let is_left = is_filling && folder.cursor.as_ref().is_none_or(|cursor| !cursor.is_delta);
                if is_left { Box::pin(backfill::look(&context, &folder)).await } else { Box::pin(FolderSync::new(context, folder, page).run()).await }
            }
        };
        let mut walks = futures_util::stream::iter(folders.into_iter().map(walk)).buffer_unordered(FOLDERS_AT_ONCE);
        let mut fatal = false;
        while let Some(outcome) = walks.next().await {
            match outcome {
                Ok(tally) => total.add(&tally),
                // The other folders' pages are worth having; the first error is what the caller hears.
                Err(error) => {
                    fatal = matches!(error.kind(), ErrorKind::NotConnected | ErrorKind::NeedsReconnect | ErrorKind::Cancelled | ErrorKind::Closed | ErrorKind::StoreBusy);
                    first_error.get_or_insert(error);
                    if fatal {
                        break;
                    }
                }
            }
        }
        drop(walks);
        if let Some(error) = first_error.take_if(|_| fatal) {
            return Err(error);
        }
        removal::ask_about_unsynced(context).await?;
        // A folder that failed is no reason to leave the questions of the others open.
        let questions = async { [removal::settle(context).await, quarantined::retry(context).await] };
        let (settled, listed, looked) = tokio::join!(questions, attachments::list_few(context), answers::look(context));
        for settled in settled {
            match settled {
                Ok(tally) => total.add(&tally),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        for outcome in [listed, looked] {
            if let Err(error) = outcome {
                first_error.get_or_insert(error);
            }
        }
        if first_error.is_none() {
            total.add(&Box::pin(self.walk_short(context, &before)).await?);
        }
        if let Some(error) = first_error {
            return Err(error);
        }
        // Those that were moved there by this sync are asked about a day later.
        removal::ask_about_unsynced(context).await?;
        total.attachments_pending = self.lists.after_sync(context).await?;
        let quarantined = context.store.count_quarantine(&context.account.id).await?;
        Ok(total.report(&context.account.id, quarantined))
    }

    /// Walks once more what an enumeration showed a part of.
    pub(super) async fn walk_short(&self, context: &Arc<SyncContext>, before: &[SyncedFolder]) -> Result<Tally> {
        let mut total = Tally::default();
        let enumerated = counts::enumerated(before, synced(context).await?);
        for folder in counts::give_up_short(context, &self.rewalked, enumerated).await? {
            total.resynced += 1;
            total.add(&FolderSync::new(context.clone(), folder, None).seed().await?);
        }
        if total.resynced > 0 {
            total.add(&removal::settle(context).await?);
        }
        Ok(total)
    }

    pub(super) fn chosen(&self, account: &AccountRow) -> Chosen {
        Chosen::of(&account.folders, &self.folders)
    }

    pub(super) fn turn(&self, account_id: &str) -> Arc<Turn> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = running.get(account_id).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Turn::default());
        running.insert(account_id.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// Waits until no other process syncs this account.
    pub(super) async fn lease(&self, account_id: &str, stop: &Stop) -> Result<Lease> {
        LeaseRequest::new(&self.store, &self.clock, format!("sync/{account_id}"), LEASE_MS)?.wait(stop).await
    }
}

/// Folders that are to be synced, as they are here.
pub async fn synced(context: &Arc<SyncContext>) -> Result<Vec<SyncedFolder>> {
    Ok(context.store.folders(&context.account.id).await?.into_iter().filter(|folder| folder.row.is_synced).collect())
}

pub fn folder_place<'a>(account_id: &'a str, graph_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "folders", column: "name", account_id, row: graph_id, version }
}
