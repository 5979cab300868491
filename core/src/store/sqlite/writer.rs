//! The connection that writes, and group commit: steps that come while another one is under way share its transaction, so that one write to the disk makes
//! all of them durable. Each runs under a savepoint of its own and is answered when the commit is on disk. SQLite: lang_savepoint.html, wal.html.

use super::closed;
use super::fault::{Fault, Outcome, explain};
use crate::error::{Error, Result};
use crate::stages::{Stage, timed};
use rusqlite::Connection;
use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Steps of one transaction. More would make the first of them wait for long and save little.
const STEPS: usize = 256;

pub struct Writer {
    state: Mutex<State>,
    /// Steps that have come and do not hold the connection yet.
    coming: AtomicUsize,
    /// Those who need the connection outside of a transaction.
    alone: AtomicUsize,
    /// A transaction ended.
    ended: Condvar,
}

struct State {
    /// None once closed.
    connection: Option<Connection>,
    group: Option<Group>,
}

/// Steps of a transaction that is not committed yet.
struct Group {
    steps: usize,
    is_changed: bool,
    commit: Arc<Commit>,
}

/// What the steps of one transaction wait for.
#[derive(Default)]
struct Commit {
    outcome: Mutex<Option<Result<()>>>,
    told: Condvar,
}

impl Commit {
    fn tell(&self, outcome: Result<()>) {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(outcome);
        self.told.notify_all();
    }

    fn wait(&self) -> Result<()> {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*outcome {
                Some(outcome) => return outcome.clone(),
                None => outcome = self.told.wait(outcome).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

impl Drop for Group {
    /// Nobody waits for ever, whatever happened.
    fn drop(&mut self) {
        self.commit.tell(Err(Error::internal("A transaction of the store was given up; nothing of it was changed. Please report it.")));
    }
}

/// The connection, outside of a transaction.
pub struct Alone<'a>(MutexGuard<'a, State>);

impl Deref for Alone<'_> {
    type Target = Option<Connection>;

    fn deref(&self) -> &Self::Target {
        &self.0.connection
    }
}

impl DerefMut for Alone<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0.connection
    }
}

impl Writer {
    pub fn new(connection: Connection) -> Self {
        Self {
            state: Mutex::new(State { connection: Some(connection), group: None }),
            coming: AtomicUsize::new(0),
            alone: AtomicUsize::new(0),
            ended: Condvar::new(),
        }
    }

    /// All of `work` or nothing. When this answers, it is durable. `end` is done before each commit, and told whether anything was changed; what it answers
    /// is for `after`, which runs once the commit is on disk.
    ///
    /// A step that fails leaves the others of its transaction as they are. If the commit fails, all of them fail with it.
    pub fn write<T, E>(&self, work: impl FnOnce(&Connection) -> Outcome<T>, end: impl FnOnce(&Connection, bool) -> Outcome<E>, after: impl FnOnce(E)) -> Result<T> {
        let mut guard = self.come();
        let State { connection, group } = &mut *guard;
        let connection = connection.as_ref().ok_or_else(closed)?;
        let (mut open, is_first) = match group.take() {
            Some(open) => (open, false),
            None => (Group { steps: 0, is_changed: false, commit: Arc::default() }, true),
        };
        let result = begin(connection, is_first).and_then(|()| {
            let before = connection.total_changes();
            let result = catch_unwind(AssertUnwindSafe(|| work(connection)));
            settle(connection, is_first, result).inspect(|_| open.is_changed |= connection.total_changes() != before)
        });
        if connection.is_autocommit() {
            // The first step failed, or SQLite took the whole transaction back (a full disk, say).
            let failed = result.err().unwrap_or_else(|| Failed::Fault(Error::internal("A transaction of the store ended early. Please report it.").into()));
            let failed = failed.explained();
            open.commit.tell(Err(failed.shared()));
            self.ended.notify_all();
            return Err(failed.raised());
        }
        open.steps += 1;
        let commit = open.commit.clone();
        if open.steps < STEPS && self.coming.load(Ordering::SeqCst) > 0 && self.alone.load(Ordering::SeqCst) == 0 {
            // Whoever comes next goes on, and commits in the end.
            *group = Some(open);
            drop(guard);
        } else {
            let ended = finish(connection, open.is_changed, end);
            let told = ended.map(after);
            open.commit.tell(told);
            drop(guard);
            self.ended.notify_all();
        }
        // What failed was taken back already, whatever becomes of the others.
        let result = result.map_err(|failed| failed.explained().raised())?;
        commit.wait()?;
        Ok(result)
    }

    /// Waits until no transaction is open.
    pub fn alone(&self) -> Alone<'_> {
        self.alone.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.lock();
        while guard.group.is_some() {
            guard = self.ended.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.alone.fetch_sub(1, Ordering::SeqCst);
        Alone(guard)
    }

    /// The connection, if no transaction is open.
    pub fn idle(&self) -> Option<Alone<'_>> {
        let guard = self.lock();
        guard.group.is_none().then_some(Alone(guard))
    }

    /// Without closing it: it belongs to the process this one was forked from.
    pub fn forget(&mut self) {
        std::mem::forget(self.state.get_mut().unwrap_or_else(PoisonError::into_inner).connection.take());
    }

    /// Steps that wait for their turn.
    #[cfg(test)]
    pub fn coming(&self) -> usize {
        self.coming.load(Ordering::SeqCst)
    }

    fn come(&self) -> MutexGuard<'_, State> {
        self.coming.fetch_add(1, Ordering::SeqCst);
        let guard = self.lock();
        self.coming.fetch_sub(1, Ordering::SeqCst);
        guard
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a step did not come off.
enum Failed {
    Fault(Fault),
    Told(Error),
    Panic(Box<dyn Any + Send>),
}

impl Failed {
    fn explained(self) -> Self {
        match self {
            Self::Fault(fault) => Self::Told(fault.into()),
            other => other,
        }
    }

    /// For the other steps of its transaction.
    fn shared(&self) -> Error {
        match self {
            Self::Told(error) => error.clone(),
            Self::Fault(_) | Self::Panic(_) => Error::internal("Another step of the same transaction failed; nothing was changed. Please report it."),
        }
    }

    fn raised(self) -> Error {
        match self {
            Self::Told(error) => error,
            Self::Fault(fault) => fault.into(),
            Self::Panic(panic) => resume_unwind(panic),
        }
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(e: rusqlite::Error) -> Self {
        Self::Fault(e.into())
    }
}

/// The first step of a transaction needs no savepoint: taking it back takes everything back.
fn begin(connection: &Connection, is_first: bool) -> std::result::Result<(), Failed> {
    if is_first && !connection.is_autocommit() {
        // A panic left it open.
        connection.execute_batch("ROLLBACK")?;
    }
    connection.prepare_cached(if is_first { "BEGIN IMMEDIATE" } else { "SAVEPOINT step" })?.execute([])?;
    Ok(())
}

/// Keeps what a step did, or takes it back.
fn settle<T>(connection: &Connection, is_first: bool, result: std::thread::Result<Outcome<T>>) -> std::result::Result<T, Failed> {
    let failed = match result {
        Ok(Ok(done)) => {
            let kept = if is_first { Ok(0) } else { connection.prepare_cached("RELEASE step").and_then(|mut release| release.execute([])) };
            match kept {
                Ok(_) => return Ok(done),
                Err(e) => e.into(),
            }
        }
        Ok(Err(fault)) => Failed::Fault(fault),
        Err(panic) => Failed::Panic(panic),
    };
    if !connection.is_autocommit() {
        let undone = if is_first { connection.execute_batch("ROLLBACK") } else { connection.execute_batch("ROLLBACK TO step; RELEASE step") };
        if undone.is_err() {
            // Nothing of a transaction that cannot be told apart is kept.
            let _ = connection.execute_batch("ROLLBACK");
        }
    }
    Err(failed)
}

fn finish<E>(connection: &Connection, is_changed: bool, end: impl FnOnce(&Connection, bool) -> Outcome<E>) -> Result<E> {
    let ended = end(connection, is_changed).map_err(Error::from).and_then(|ended| {
        timed(Stage::Commit, || connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]))).map_err(explain)?;
        Ok(ended)
    });
    if ended.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    ended
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
