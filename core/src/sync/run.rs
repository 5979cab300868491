//! One sync of one account: lease, folders, pages, questions, report.

use super::quarantined;
use super::folder::FolderSync;
use super::read::Reader;
use super::removal;
use super::tally::Tally;
use crate::clock::{Clock, to_ms};
use crate::config::Content;
use crate::error::{Error, ErrorKind, Result};
use crate::events::EventBus;
use crate::graph::{Caller, FolderList, Graph, MailItem, Verified};
use crate::model::{AccountState, Event, SyncReport};
use crate::pipeline::Priority;
use crate::random;
use crate::runtime::{Stop, blocking};
use crate::seal::AadContext;
use crate::store::{AccountRow, FolderRow, HealthError, LEASE_MS, Lease, Store, heartbeat};
use crate::vault::Vault;
use futures_util::StreamExt;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tracing::Instrument;

/// How long a sync waits in all for Retry-After and outages before it reports them.
const PATIENCE: Duration = Duration::from_secs(300);
/// Folders walked at the same time; the mailbox takes four requests at once and the attachments want one.
const FOLDERS_AT_ONCE: usize = 3;
/// Times a sync goes on after another process took it over.
const MOST_TAKEOVERS: u32 = 4;
/// What is synced when the configuration names nothing.
const USUAL_FOLDERS: [&str; 2] = ["inbox", "sentitems"];

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
    /// Held by the folder whose page is being planned and written.
    pub writing: tokio::sync::Mutex<()>,
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
        Caller { account_id: self.account.id.clone(), user_id: self.account.user_id.clone(), priority: Priority::Sync, max_wait: PATIENCE }
    }

    pub fn now(&self) -> i64 {
        to_ms(self.clock.now())
    }

    /// A question to the mailbox, given up when the sync is stopped: it may be waiting minutes for a Retry-After, and asking again costs nothing.
    pub async fn ask<T>(&self, question: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            answer = question => answer,
            () = self.stop.wait() => Err(self.stop.check().err().unwrap_or_else(crate::runtime::closed)),
        }
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
        let (store, id) = (self.store.clone(), self.account.id.clone());
        blocking(move || store.account(&id)).await.is_ok_and(|row| row.is_none_or(|row| row.generation != self.account.generation))
    }

    /// Why a write was refused: the account changed, or another process has the lease.
    pub async fn taken_over(&self) -> Error {
        let (store, id) = (self.store.clone(), self.account.id.clone());
        let now_there = blocking(move || store.account(&id)).await.ok().flatten();
        match now_there {
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

pub struct Sync {
    store: Arc<dyn Store>,
    vault: Vault,
    graph: Graph,
    clock: Arc<dyn Clock>,
    event_bus: EventBus,
    news: watch::Sender<u64>,
    content: Content,
    page_size: u32,
    folders: Vec<String>,
    /// One sync per account and process; the lease does the same between processes.
    running: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    /// When accounts were synced completely by this process: wall time as it is stored, and monotonic.
    successes: Mutex<HashMap<String, (i64, Duration)>>,
}

impl Sync {
    /// Works with what the reader works with.
    pub fn new(reader: Reader, event_bus: EventBus, page_size: u32, folders: Vec<String>) -> Arc<Self> {
        let Reader { store, vault, graph, clock, news, content } = reader;
        Arc::new(Self { store, vault, graph, clock, event_bus, news, content, page_size, folders, running: Mutex::default(), successes: Mutex::default() })
    }

    /// Brings an account up to date. Stops between pages when told to; what is stored stays.
    pub async fn run(&self, account: AccountRow, stop: Stop) -> Result<SyncReport> {
        let account_id = account.id.clone();
        let span = tracing::info_span!(target: "tidings::sync", "tidings.sync", account = account_id);
        let result = self.run_alone(account, stop).instrument(span).await.map_err(|e| e.on_account(account_id.clone()));
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
        let (store, id, now) = (self.store.clone(), account_id.to_owned(), to_ms(self.clock.now()));
        let noted = match result {
            Ok(r) => {
                self.graph.meters().syncs.up();
                tracing::info!(
                    target: "tidings::sync", account = account_id, ms = r.duration_ms, folders = r.folders, pages = r.pages, added = r.added, changed = r.changed,
                    moved = r.moved, removed = r.removed, resynced = r.resynced, quarantined = r.quarantined, "synced"
                );
                self.successes.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), (now, self.clock.elapsed()));
                blocking(move || store.note_success(&id, now)).await
            }
            Err(error) => {
                let (kind, request_id) = (error.kind(), error.request_id());
                // These say nothing about the account: somebody stopped it, or its state tells already.
                if matches!(kind, ErrorKind::Cancelled | ErrorKind::Closed | ErrorKind::Forked | ErrorKind::NotConnected) {
                    tracing::info!(target: "tidings::sync", account = account_id, ?kind, "a sync was stopped");
                    return;
                }
                tracing::warn!(target: "tidings::sync", account = account_id, ?kind, request_id, reason = error.reason(), "a sync failed");
                let error = HealthError { at: now, kind, reason: error.reason().to_owned() };
                blocking(move || store.note_failure(&id, &error)).await
            }
        };
        if let Err(error) = noted {
            tracing::warn!(target: "tidings::sync", account = account_id, kind = ?error.kind(), "the outcome of a sync could not be noted");
        }
    }

    async fn run_alone(&self, account: AccountRow, stop: Stop) -> Result<SyncReport> {
        let turn = self.turn(&account.id);
        let _alone = tokio::select! { guard = turn.lock() => guard, () = stop.wait() => return Err(stop.check().err().unwrap_or_else(crate::runtime::closed)) };
        let began = self.clock.elapsed();
        // A process that was held up for longer than its lease, by a suspended machine say, finds another one at work. What is stored is stored; it waits for
        // its turn and goes on from there.
        for _ in 1..MOST_TAKEOVERS {
            match self.leased(&account, &stop, began).await {
                Err(error) if error.kind() == ErrorKind::StoreBusy && !stop.is_set() => {
                    tracing::info!(target: "tidings::sync", account = account.id, "another process took this sync over; waiting for it");
                }
                outcome => return outcome,
            }
        }
        self.leased(&account, &stop, began).await
    }

    /// One sync under one lease.
    async fn leased(&self, account: &AccountRow, stop: &Stop, began: Duration) -> Result<SyncReport> {
        let (account, stop) = (account.clone(), stop.clone());
        let lease = self.lease(&account.id, &stop).await?;
        let context = Arc::new(SyncContext {
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
            writing: tokio::sync::Mutex::new(()),
        });
        let beat = {
            let (store, lease) = (self.store.clone(), lease.clone());
            heartbeat(self.clock.clone(), move |now| store.renew_lease(&lease, now, LEASE_MS))
        };
        let outcome = tokio::select! { outcome = self.walk(&context) => outcome, () = beat => Err(context.taken_over().await) };
        let store = self.store.clone();
        let _ = blocking(move || store.release_lease(&lease)).await; // it lapses by itself otherwise
        let mut report = outcome?;
        report.duration_ms = u64::try_from(self.clock.elapsed().saturating_sub(began).as_millis()).unwrap_or(u64::MAX);
        Ok(report)
    }

    async fn walk(&self, context: &Arc<SyncContext>) -> Result<SyncReport> {
        // Folders that are known are synced even if their list cannot be read now; the caller hears of it all the same.
        let mut first_error = match context.ask(self.graph.folders(&context.caller())).await {
            Ok(listed) => {
                context.is_reached.store(true, Ordering::Relaxed);
                self.save_folders(context, listed).await?
            }
            Err(error) if error.kind() == ErrorKind::Upstream => Some(error),
            Err(error) => return Err(error),
        };
        let (store, id) = (context.store.clone(), context.account.id.clone());
        let folders: Vec<_> = blocking(move || store.folders(&id)).await?.into_iter().filter(|f| f.row.is_synced).collect();

        if folders.is_empty() {
            if let Some(error) = first_error {
                return Err(error);
            }
            let names = if self.folders.is_empty() { USUAL_FOLDERS.join(", ") } else { self.folders.join(", ") };
            return Err(Error::invalid(format!("The mailbox has none of the folders to sync ({names}). Name them in Config.folders by well-known name or id.")));
        }

        let mut total = Tally { folders: u32::try_from(folders.len()).unwrap_or(u32::MAX), ..Tally::default() };
        let mut walks = futures_util::stream::iter(folders.into_iter().map(|folder| FolderSync::new(context.clone(), folder).run())).buffer_unordered(FOLDERS_AT_ONCE);
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
        // A folder that failed is no reason to leave the questions of the others open.
        for settled in [removal::settle(context).await, quarantined::retry(context).await] {
            match settled {
                Ok(tally) => total.add(&tally),
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first_error {
            return Err(error);
        }
        let work = context.clone();
        let quarantined = blocking(move || work.store.count_quarantine(&work.account.id)).await?;
        Ok(total.report(&context.account.id, quarantined))
    }

    /// Stores the folder list; which of them are synced is decided here. Answers why a folder that is to be synced could not be found, if that is so.
    async fn save_folders(&self, context: &Arc<SyncContext>, listed: FolderList) -> Result<Option<Error>> {
        let chosen: Vec<String> = if self.folders.is_empty() { USUAL_FOLDERS.iter().map(|f| (*f).to_owned()).collect() } else { self.folders.clone() };
        let FolderList { folders, untold, is_part, problem } = listed;
        if let Some(error) = &problem {
            tracing::warn!(target: "tidings::sync", account = context.account.id, kind = ?error.kind(), reason = error.reason(), ?untold, is_part, "a part of the folder list could not be read");
        }
        let work = context.clone();
        let (written, is_missing) = blocking(move || work.vault.with_current_keys(|| {
            let key = work.vault.content(&work.account.id)?;
            let before: HashMap<String, FolderRow> = work.store.folders(&work.account.id)?.into_iter().map(|f| (f.row.graph_id.clone(), f.row)).collect();
            let mut rows = Vec::with_capacity(folders.len());
            for folder in folders.clone() {
                let known = before.get(&folder.id);
                let version = known.map_or(1, |row| row.version + 1);
                // A name that cannot be told now stays with the folder that has it.
                let kept = || known.and_then(|row| row.well_known_name.clone()).filter(|name| untold.contains(&name.as_str()));
                let well_known_name = folder.well_known_name.or_else(kept);
                let is_synced = !folder.is_search && chosen.iter().any(|name| *name == folder.id || well_known_name.as_deref() == Some(name));
                let name = key.seal(folder_place(&work.account.id, &folder.id, version), folder.display_name.as_bytes())?;
                rows.push(FolderRow {
                    graph_id: folder.id,
                    parent_id: folder.parent_id,
                    well_known_name,
                    name,
                    version,
                    total: folder.total,
                    unread: folder.unread,
                    is_synced,
                });
            }
            // What an incomplete list does not show may be there all the same.
            if is_part {
                let shown: HashSet<String> = rows.iter().map(|row| row.graph_id.clone()).collect();
                rows.extend(before.into_values().filter(|row| !shown.contains(&row.graph_id)));
            }
            let is_found = |name: &String| rows.iter().any(|row| row.graph_id == *name || row.well_known_name.as_deref() == Some(name));
            let is_missing = chosen.iter().any(|name| (is_part || untold.contains(&name.as_str())) && !is_found(name));
            Ok((work.store.save_folders(&work.account.id, work.account.generation, &work.lease, &rows, work.now())?, is_missing))
        }))
        .await?;
        if written { Ok(problem.filter(|_| is_missing)) } else { Err(context.taken_over().await) }
    }

    fn turn(&self, account_id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = running.get(account_id).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        running.insert(account_id.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// Waits until no other process syncs this account.
    async fn lease(&self, account_id: &str, stop: &Stop) -> Result<Lease> {
        let (name, holder) = (format!("sync/{account_id}"), random::token::<16>()?);
        loop {
            stop.check()?;
            let (store, name, holder, now) = (self.store.clone(), name.clone(), holder.clone(), to_ms(self.clock.now()));
            if let Some(lease) = blocking(move || store.take_lease(&name, &holder, now, LEASE_MS)).await? {
                return Ok(lease);
            }
            tokio::select! { () = self.clock.pause(Duration::from_millis(250)) => {}, () = stop.wait() => {} }
        }
    }
}

pub fn folder_place<'a>(account_id: &'a str, graph_id: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table: "folders", column: "name", account_id, row: graph_id, version }
}
