//! The store in one SQLite file: one connection that writes ([`writer`]), a few that read ([`readers`]).

mod accounts;
mod addresses;
mod answers;
mod apply;
mod attachments;
mod audit;
mod awaited;
mod backfills;
mod bots;
mod cache;
mod handovers;
mod chats;
mod calendar;
mod teams_messages;
mod contacts;
mod delegates;
mod edits;
mod emptying;
mod endpoints;
mod ending;
mod fault;
mod files;
mod folders;
mod forks;
mod health;
mod integrity;
mod keys;
mod last_senders;
mod leases;
mod links;
mod locking;
mod mail;
mod marks;
mod open;
mod outbox;
mod outbox_edit;
mod outbox_end;
mod outbox_step;
mod paces;
mod polls;
mod parked;
mod presence;
mod provenance;
mod purge;
mod quarantine;
mod queues;
mod readers;
mod rotation;
mod rules;
mod sealed_columns;
mod search;
mod signatures;
mod staging;
mod stamp;
mod threads;
mod subscriptions;
mod throttles;
mod trim;
mod pending_removals;
mod workflows;
mod writer;

#[cfg(all(test, unix))]
mod audit_tests;
#[cfg(all(test, unix))]
mod copies_tests;
#[cfg(all(test, unix))]
mod files_tests;
#[cfg(all(test, unix))]
mod migration_tests;
#[cfg(all(test, unix))]
mod mixture_tests;
#[cfg(all(test, unix))]
mod reading_tests;
#[cfg(all(test, unix))]
mod sealed_tests;
#[cfg(all(test, unix))] // they look at modes, owners and links
pub mod tests;
#[cfg(all(test, unix))]
mod erasure_tests;

use super::{Lease, AuditSigner, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ChangeKind;
use crate::runtime::{as_one_task, blocking, defect, serve};
use crate::seal::Sealed;
use fault::{Outcome, explain};
use locking::Sharing;
use super::words::Word;
use presence::Presence;
use readers::Readers;
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use writer::{Step, Writer};

/// How long the checkpoint after a disconnect waits for readers; what it cannot finish then, later writes try again without waiting much.
const ERASE_WAIT: Duration = Duration::from_millis(500);
const PEEK_WAIT: Duration = Duration::from_secs(10);
const ERASE_RETRY_WAIT: Duration = Duration::from_millis(5);

pub(super) const ERASURE_PENDING: &str = "erasure_pending";

/// A handle: copies of it are the same store, which is closed when the last of them is dropped. Methods await; what SQLite does blocks, and runs on the
/// threads for that.
#[derive(Clone)]
pub struct SqliteStore(Arc<Handle>);

/// Beside what works on the store: a step that has just been answered keeps it open for nobody.
struct Handle(Arc<Opened>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Deref for SqliteStore {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.0.0
    }
}

/// Runs what waits for the writer; if it is dropped before, nothing waits in vain.
struct Driver(Option<Arc<Opened>>);

impl Driver {
    fn run(mut self) {
        if let Some(opened) = &self.0 {
            opened.drive();
        }
        self.0.take();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.iter().for_each(|opened| opened.writer.give_up());
    }
}

/// The open file: one connection that writes, a few that read.
pub struct Opened {
    file: PathBuf,
    sharing: Sharing,
    presence: Mutex<Option<Presence>>,
    busy: Duration,
    writer: Writer,
    readers: Readers,
    closed: AtomicBool,
    /// Erased bytes may still be in the write-ahead log.
    must_erase: AtomicBool,
    process: u32,
    /// Keeps up the mark beside the main file.
    keeper: marks::Keeper,
    /// Signs the audit log.
    audit_signer: OnceLock<Arc<dyn AuditSigner>>,
    /// What owners are called in it, as far as they were asked for.
    owner_marks: Mutex<HashMap<String, String>>,
    /// Ends of its chains that the transaction under way has moved.
    open_ends: Mutex<audit::OpenEnds>,
}

impl SqliteStore {
    /// Opens the store in `data_dir`, making folder and file if there are none. A write waits for other processes up to `busy_timeout`.
    pub fn open(data_dir: &Path, busy_timeout: Duration) -> Result<Self> {
        forks::check()?;
        let file = files::prepare(data_dir)?;
        let sharing = locking::prove(file.parent().unwrap_or(&file))?;
        let presence = Presence::enter(&file, sharing)?;
        let (writer, keeper) = open::open_writer(&file, sharing, busy_timeout)?;
        let pending = writer
            .query_row("SELECT 1 FROM meta WHERE name = ?1", [ERASURE_PENDING], |_| Ok(()))
            .optional()
            .map_err(explain)?
            .is_some();
        let store = Opened {
            file,
            sharing,
            presence: Mutex::new(Some(presence)),
            busy: busy_timeout,
            writer: Writer::new(writer),
            readers: Readers::default(),
            closed: AtomicBool::new(false),
            must_erase: AtomicBool::new(pending),
            process: std::process::id(),
            keeper,
            audit_signer: OnceLock::new(),
            owner_marks: Mutex::default(),
            open_ends: Mutex::default(),
        };
        store.erase_pending(ERASE_RETRY_WAIT);
        Ok(Self(Arc::new(Handle(Arc::new(store)))))
    }

    /// One step that may write: all of `work` or nothing, durable when this answers. Dropped before, it is done all the same. `work` may be called again after
    /// all that it did was taken back.
    async fn write<T: Send + 'static>(&self, work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static) -> Result<T> {
        self.queued(work, Writer::enqueue).await
    }

    /// The same before all others: the renewal of a lease.
    async fn urgently<T: Send + 'static>(&self, work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static) -> Result<T> {
        self.queued(work, Writer::enqueue_first).await
    }

    async fn queued<T: Send + 'static>(&self, work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static, enqueue: fn(&Writer, Box<dyn Step>) -> bool) -> Result<T> {
        self.check()?;
        let (step, answer) = writer::step(work);
        #[cfg(test)]
        if crate::interleave::is_drawn() {
            let alone = || {
                if enqueue(&self.writer, step) {
                    self.drive();
                }
            };
            crate::interleave::run(alone).await;
            return answer.await.unwrap_or_else(|_| Err(defect()));
        }
        if enqueue(&self.writer, step) {
            let driver = Driver(Some(self.0.0.clone()));
            serve(move || driver.run());
        }
        answer.await.unwrap_or_else(|_| Err(defect()))
    }

    /// Outside of any step: what empties or rewrites the backend's files.
    async fn upkeep<T: Send + 'static>(&self, work: impl FnOnce(&Opened) -> Result<T> + Send + 'static) -> Result<T> {
        let opened = self.0.0.clone();
        blocking(move || work(&opened)).await
    }

    /// A step that destroys something: then the write-ahead log is emptied, in the same turn, since whoever waits may go away.
    async fn destroying<T: Send + 'static>(&self, wait: Duration, work: impl FnOnce(&Connection) -> Outcome<(T, bool)> + Send + 'static) -> Result<T> {
        // A handle beside the one that `work` may hold: the last one closes the store, and must not go while the writer is held.
        let store = self.clone();
        blocking(move || {
            let (outcome, is_destroyed) = store.write_here(work)?;
            if is_destroyed {
                store.erase_now(wait);
            }
            Ok(outcome)
        })
        .await
    }

    /// One consistent view of the store.
    async fn read<T: Send + 'static>(&self, work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static) -> Result<T> {
        self.check()?;
        let place = self.readers.place().await?;
        let opened = self.0.0.clone();
        blocking(move || {
            let _place = place;
            opened.read_here(work)
        })
        .await
    }

    /// A small fact of the store in this folder, without opening the engine and without changing anything. None when there is no store, or no such fact.
    pub fn peek(data_dir: &Path, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(file) = files::find(data_dir)? else { return Ok(None) };
        forks::check()?;
        let look = || {
            let sharing = locking::prove(file.parent().unwrap_or(&file))?;
            let connection = open::open_reader(&file, sharing, PEEK_WAIT)?;
            if !exists(&connection, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'", [])? {
                return Ok(None);
            }
            keys::meta(&connection, name)
        };
        look().map_err(|fault: fault::Fault| fault.into())
    }
}

impl Opened {
    /// Runs the steps that wait.
    fn drive(&self) {
        let before = |c: &Connection| {
            if self.must_erase.load(Ordering::SeqCst) {
                self.erase_on(c, ERASE_RETRY_WAIT);
            }
        };
        let end = |c: &Connection, is_changed: bool| {
            self.sign_ends(c)?;
            let stamp = if is_changed { Some(stamp::advance(c)?) } else { None };
            // Another process may have died between its mark and emptying the log.
            Ok((stamp, exists(c, "SELECT 1 FROM meta WHERE name = ?1", [ERASURE_PENDING])?))
        };
        let after = |(stamp, is_pending): (Option<stamp::Stamp>, bool)| {
            if let Some(stamp) = stamp {
                self.keeper.note(&stamp);
            }
            if is_pending {
                self.must_erase.store(true, Ordering::SeqCst);
            }
        };
        self.writer.drive(before, end, after, |answers| if answers.len() > 1 { as_one_task(move || drop(answers)) } else { drop(answers) });
    }

    /// A step on this thread, in a transaction of its own: for what empties files right after it.
    fn write_here<T>(&self, work: impl FnOnce(&Connection) -> Outcome<T>) -> Result<T> {
        self.check()?;
        let alone = self.writer.alone();
        let c = alone.as_ref().ok_or_else(closed)?;
        if self.must_erase.load(Ordering::SeqCst) {
            self.erase_on(c, ERASE_RETRY_WAIT);
        }
        if !c.is_autocommit() {
            c.execute_batch("ROLLBACK").map_err(explain)?;
        }
        self.writer.begin_round(false);
        run(c, "BEGIN IMMEDIATE", [])?;
        let before = c.total_changes();
        let done = work(c).and_then(|done| {
            self.sign_ends(c)?;
            let stamp = if c.total_changes() != before { Some(stamp::advance(c)?) } else { None };
            let is_pending = exists(c, "SELECT 1 FROM meta WHERE name = ?1", [ERASURE_PENDING])?;
            run(c, "COMMIT", [])?;
            if let Some(stamp) = stamp {
                self.keeper.note(&stamp);
            }
            if is_pending {
                self.must_erase.store(true, Ordering::SeqCst);
            }
            Ok(done)
        });
        if done.is_err() && !c.is_autocommit() {
            let _ = c.execute_batch("ROLLBACK");
        }
        Ok(done?)
    }

    /// The same on this thread.
    fn read_here<T>(&self, work: impl FnOnce(&Connection) -> Outcome<T>) -> Result<T> {
        self.check()?;
        let open = || open::open_reader(&self.file, self.sharing, self.busy);
        let result = self.readers.with(open, |connection| {
            // Prepared once; a connection on which this panics is not used again.
            run(connection, "BEGIN DEFERRED", [])?;
            let result = work(connection);
            if !connection.is_autocommit() {
                run(connection, "ROLLBACK", [])?;
            }
            result
        })?;
        Ok(result)
    }

    fn check(&self) -> Result<()> {
        if std::process::id() != self.process {
            return Err(crate::runtime::forked());
        }
        if self.closed.load(Ordering::SeqCst) { Err(closed()) } else { Ok(()) }
    }
}

impl Store for SqliteStore {
    fn close(&self) {
        self.0.0.close();
    }

    fn set_audit_signer(&self, audit_signer: Arc<dyn AuditSigner>) {
        let _ = self.audit_signer.set(audit_signer);
    }

    #[cfg(test)]
    fn is_idle(&self) -> bool {
        !self.writer.is_driven() && self.readers.is_idle()
    }
}

impl Opened {
    fn close(&self) {
        if std::process::id() != self.process {
            return;
        }
        self.closed.store(true, Ordering::SeqCst);
        // Readers first, for the reason told at Drop.
        self.readers.close();
        if let Some(writer) = self.writer.alone().take() {
            provenance::leave(&writer, &self.keeper);
        }
        self.presence.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            // These belong to the parent; closing them here would take its locks away.
            self.writer.forget();
            std::mem::forget(self.presence.get_mut().unwrap_or_else(PoisonError::into_inner).take());
            self.readers.forget();
            return;
        }
        // Readers first: only the last connection to go empties the write-ahead log, and only one that may write can.
        self.close();
    }
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteStore")
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "The store is closed. Open the engine again.")
}

/// A sealed column.
fn sealed(row: &Row<'_>, column: usize) -> Outcome<Sealed> {
    Ok(Sealed::parse(row.get(column)?)?)
}

fn sealed_opt(row: &Row<'_>, column: usize) -> Outcome<Option<Sealed>> {
    Ok(row.get::<_, Option<Vec<u8>>>(column)?.map(Sealed::parse).transpose()?)
}

/// A column that holds a word.
fn word<W: Word>(row: &Row<'_>, column: usize) -> Outcome<W> {
    let text = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
    Ok(W::parse(text)?)
}

/// The first row, if there is one.
fn first<T>(c: &Connection, sql: &str, params: impl rusqlite::Params, read: impl FnOnce(&Row<'_>) -> Outcome<T>) -> Outcome<Option<T>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// Every row.
fn all<T>(c: &Connection, sql: &str, params: impl rusqlite::Params, mut read: impl FnMut(&Row<'_>) -> Outcome<T>) -> Outcome<Vec<T>> {
    let mut statement = c.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(read(row)?);
    }
    Ok(out)
}

/// How many rows a statement changed.
fn run(c: &Connection, sql: &str, params: impl rusqlite::Params) -> Outcome<usize> {
    Ok(c.prepare_cached(sql)?.execute(params)?)
}

fn exists(c: &Connection, sql: &str, params: impl rusqlite::Params) -> Outcome<bool> {
    Ok(c.prepare_cached(sql)?.exists(params)?)
}

/// A row of the change feed.
fn announce(c: &Connection, kind: ChangeKind, account_id: &str, subject_id: Option<&str>, at: i64) -> Outcome<()> {
    run(c, "INSERT INTO changes (kind, account_id, subject_id, at) VALUES (?1, ?2, ?3, ?4)", (kind.word(), account_id, subject_id, at))?;
    Ok(())
}

/// The lease is still ours and the account still the one the job began with.
fn may_write(c: &Connection, account_id: &str, generation: i64, lease: &Lease) -> Outcome<bool> {
    Ok(leases::is_held(c, lease)?
        && exists(c, "SELECT 1 FROM accounts WHERE id = ?1 AND generation = ?2 AND state <> 'disconnected'", (account_id, generation))?)
}

/// Ids as one JSON parameter for `json_each`, so that a query of any length is one prepared statement.
fn json<T: serde::Serialize>(values: &[T]) -> Outcome<String> {
    Ok(serde_json::to_string(values).map_err(|e| Error::internal("Ids could not be written as JSON. Please report it.").with_source(e))?)
}
