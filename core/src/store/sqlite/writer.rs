//! The connection that writes, and group commit: steps wait in one queue, and those that come while another one is under way share its transaction, so
//! that one write to the disk makes all of them durable. Each is answered when the commit is on disk. SQLite: wal.html, lang_savepoint.html.

use super::closed;
use super::fault::{Fault, Outcome, explain};
use crate::error::{Error, Result};
use crate::runtime::defect;
use crate::stages::{Stage, timed};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Steps of one transaction. More would make the first of them wait for long and save little.
const STEPS: usize = 256;

pub struct Writer {
    /// None once closed.
    connection: Mutex<Option<Connection>>,
    queue: Mutex<Queue>,
    /// Those who wait for the connection outside of a transaction.
    alone: AtomicUsize,
    /// One of them is done.
    freed: Condvar,
    round: Round,
}

/// What is remembered of a transaction beside it, in memory, counts for as long as this stays what it is: another one begins with each transaction, and
/// whenever steps are taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoundId(u64);

#[derive(Default)]
struct Round {
    id: AtomicU64,
    has_savepoints: AtomicBool,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Step>>,
    /// Somebody runs what waits, or is about to.
    is_driven: bool,
    /// The last transaction had several steps.
    was_shared: bool,
}

/// A piece of work in the queue.
pub trait Step: Send {
    /// May be called again after all that it did was taken back.
    fn run(&mut self, connection: &Connection) -> std::result::Result<(), Failed>;
    /// It is not run again: what it holds is let go, before anybody hears of it.
    fn let_go(&mut self);
    /// It is not done, and changed nothing.
    fn refuse(self: Box<Self>, error: Error);
    /// It is durable.
    fn done(self: Box<Self>);
}

/// Why a step did not come off.
pub enum Failed {
    Fault(Fault),
    Panic,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Fault(fault) => fault.into(),
            Failed::Panic => defect(),
        }
    }
}

struct Work<T, W> {
    work: Option<W>,
    done: Option<T>,
    answer: oneshot::Sender<Result<T>>,
}

/// A step, and where it is answered.
pub fn step<T: Send + 'static>(work: impl FnMut(&Connection) -> Outcome<T> + Send + 'static) -> (Box<dyn Step>, oneshot::Receiver<Result<T>>) {
    let (answer, answered) = oneshot::channel();
    (Box::new(Work { work: Some(work), done: None, answer }), answered)
}

impl<T: Send, W: FnMut(&Connection) -> Outcome<T> + Send> Step for Work<T, W> {
    fn run(&mut self, connection: &Connection) -> std::result::Result<(), Failed> {
        let Some(work) = &mut self.work else { return Err(Failed::Panic) };
        let done = catch_unwind(AssertUnwindSafe(|| work(connection))).map_err(|_| Failed::Panic)?;
        self.done = Some(done.map_err(Failed::Fault)?);
        Ok(())
    }

    fn let_go(&mut self) {
        self.work = None;
    }

    fn refuse(mut self: Box<Self>, error: Error) {
        self.let_go();
        let _ = self.answer.send(Err(error));
    }

    fn done(mut self: Box<Self>) {
        self.let_go();
        let Self { done, answer, .. } = *self;
        let _ = answer.send(done.ok_or_else(defect));
    }
}

/// The connection, outside of a transaction.
pub struct Alone<'a> {
    connection: MutexGuard<'a, Option<Connection>>,
    freed: &'a Condvar,
}

impl Deref for Alone<'_> {
    type Target = Option<Connection>;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl DerefMut for Alone<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        // Who waits for it goes on when the lock is free, right after this.
        self.freed.notify_all();
    }
}

impl Writer {
    pub fn new(connection: Connection) -> Self {
        Self { connection: Mutex::new(Some(connection)), queue: Mutex::default(), alone: AtomicUsize::new(0), freed: Condvar::new(), round: Round::default() }
    }

    /// True: nobody runs what waits, so whoever asked must call [`Writer::drive`], or [`Writer::give_up`].
    pub fn enqueue(&self, step: Box<dyn Step>) -> bool {
        let mut queue = self.queue();
        queue.waiting.push_back(step);
        !std::mem::replace(&mut queue.is_driven, true)
    }

    /// The same for what goes before all that waits.
    pub fn enqueue_first(&self, step: Box<dyn Step>) -> bool {
        let mut queue = self.queue();
        queue.waiting.push_front(step);
        !std::mem::replace(&mut queue.is_driven, true)
    }

    /// Runs what waits until nothing does. `end` is done before each commit, and told whether anything was changed; what it answers is for `after`, which
    /// runs once the commit is on disk. `before` is done outside of the transaction. `answer` gets what is to be told, by dropping it.
    ///
    /// A step that fails leaves the others of its transaction as they are. If the commit fails, all of them fail with it.
    pub fn drive<E>(&self, before: impl Fn(&Connection), end: impl Fn(&Connection, bool) -> Outcome<E>, after: impl Fn(E), answer: impl Fn(Answers)) {
        loop {
            // Those who were answered together ask for their next steps together: they get to it first.
            if self.queue().was_shared {
                std::thread::yield_now();
            }
            // Let go after the connection: a step may hold the last handle of the store, which closes it.
            let mut steps = Steps::default();
            let mut guard = self.lock();
            while self.alone.load(Ordering::SeqCst) > 0 {
                guard = self.freed.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
            let Some(first) = self.next_or_end() else { return };
            match &*guard {
                Some(connection) => {
                    before(connection);
                    Transaction { writer: self, connection, steps: &mut steps, has_savepoints: false, changes_before: 0 }.run(first, &end, &after);
                }
                None => steps.ended.push((first, Err(closed()))),
            }
            drop(guard);
            self.queue().was_shared = steps.ended.len() > 1;
            steps.ended.iter_mut().for_each(|(step, _)| step.let_go());
            answer(Answers(steps.ended));
        }
    }

    /// Nobody will run what waits.
    pub fn give_up(&self) {
        let given_up = {
            let mut queue = self.queue();
            queue.is_driven = false;
            std::mem::take(&mut queue.waiting)
        };
        given_up.into_iter().for_each(|step| step.refuse(closed()));
    }

    /// None: steps have savepoints of their own now, so nothing of them is to be remembered beside the transaction.
    pub fn round(&self) -> Option<RoundId> {
        (!self.round.has_savepoints.load(Ordering::SeqCst)).then(|| RoundId(self.round.id.load(Ordering::SeqCst)))
    }

    /// A transaction begins, or what was done in it is taken back.
    pub fn begin_round(&self, has_savepoints: bool) {
        self.round.has_savepoints.store(has_savepoints, Ordering::SeqCst);
        self.round.id.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until no transaction is open.
    pub fn alone(&self) -> Alone<'_> {
        self.alone.fetch_add(1, Ordering::SeqCst);
        let guard = self.lock();
        self.alone.fetch_sub(1, Ordering::SeqCst);
        Alone { connection: guard, freed: &self.freed }
    }

    /// Without closing it: it belongs to the process this one was forked from.
    pub fn forget(&mut self) {
        std::mem::forget(self.connection.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Something is being written.
    pub fn is_driven(&self) -> bool {
        self.queue().is_driven
    }

    /// Steps that wait for their turn.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.queue().waiting.len()
    }

    fn next(&self) -> Option<Box<dyn Step>> {
        if self.alone.load(Ordering::SeqCst) > 0 { None } else { self.queue().waiting.pop_front() }
    }

    /// None: whoever comes next has to see to it that it is run.
    fn next_or_end(&self) -> Option<Box<dyn Step>> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front();
        queue.is_driven = next.is_some();
        next
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Steps {
    /// They came off, and are not committed yet.
    kept: Vec<Box<dyn Step>>,
    /// They came off and were taken back with one that did not.
    again: VecDeque<Box<dyn Step>>,
    /// What became of the others.
    ended: Vec<(Box<dyn Step>, Result<()>)>,
}

/// What became of steps. Those who wait are told when it is dropped.
pub struct Answers(Vec<(Box<dyn Step>, Result<()>)>);

impl Answers {
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        for (step, outcome) in self.0.drain(..) {
            match outcome {
                Ok(()) => step.done(),
                Err(error) => step.refuse(error),
            }
        }
    }
}

/// Steps that are made durable together.
struct Transaction<'a> {
    writer: &'a Writer,
    connection: &'a Connection,
    steps: &'a mut Steps,
    /// One has failed: from now on each has a savepoint of its own. Without, they are cheaper, since no page has to be copied for them.
    has_savepoints: bool,
    changes_before: u64,
}

impl Transaction<'_> {
    fn run<E>(mut self, first: Box<dyn Step>, end: impl Fn(&Connection, bool) -> Outcome<E>, after: impl Fn(E)) {
        self.writer.begin_round(false);
        let (mut next, mut taken) = (Some(first), 1);
        while let Some(step) = next {
            if let Err(error) = self.step(step) {
                return self.refuse(&error);
            }
            next = match self.steps.again.pop_front() {
                None if taken < STEPS => self.writer.next().inspect(|_| taken += 1),
                again => again,
            };
        }
        if self.connection.is_autocommit() {
            return;
        }
        match self.commit(end) {
            Ok(ended) => {
                after(ended);
                let kept = std::mem::take(&mut self.steps.kept);
                self.steps.ended.extend(kept.into_iter().map(|step| (step, Ok(()))));
            }
            Err(error) => self.refuse(&error),
        }
    }

    /// An error: no step can be run.
    fn step(&mut self, mut step: Box<dyn Step>) -> Result<()> {
        if self.connection.is_autocommit() {
            if let Err(e) = self.prepared("BEGIN IMMEDIATE") {
                let error = explain(e);
                self.steps.ended.push((step, Err(error.clone())));
                return Err(error);
            }
            self.changes_before = self.connection.total_changes();
        }
        let has_savepoint = self.has_savepoints && !self.steps.kept.is_empty();
        let begun = if has_savepoint { self.prepared("SAVEPOINT step") } else { Ok(()) };
        let outcome = begun.map_err(|e| Failed::Fault(e.into())).and_then(|()| step.run(self.connection)).and_then(|()| {
            // What SQLite took back by itself cannot have come off.
            if self.connection.is_autocommit() { Err(Failed::Panic) } else { Ok(()) }
        });
        let outcome = outcome.and_then(|()| if has_savepoint { self.prepared("RELEASE step").map_err(|e| Failed::Fault(e.into())) } else { Ok(()) });
        match outcome {
            Ok(()) => self.steps.kept.push(step),
            Err(failed) => {
                self.steps.ended.push((step, Err(failed.into())));
                self.take_back(has_savepoint);
            }
        }
        Ok(())
    }

    /// The last step; all of them if it cannot be told apart, and then they are run again without it.
    fn take_back(&mut self, has_savepoint: bool) {
        let is_apart = has_savepoint && !self.connection.is_autocommit() && self.connection.execute_batch("ROLLBACK TO step; RELEASE step").is_ok();
        if !is_apart {
            self.has_savepoints = true;
            self.roll_back();
            let Steps { kept, again, .. } = &mut *self.steps;
            *again = std::mem::take(kept).into_iter().chain(std::mem::take(again)).collect();
        }
    }

    fn commit<E>(&self, end: impl Fn(&Connection, bool) -> Outcome<E>) -> Result<E> {
        let ended = end(self.connection, self.connection.total_changes() != self.changes_before).map_err(Error::from)?;
        timed(Stage::Commit, || self.prepared("COMMIT")).map_err(explain)?;
        Ok(ended)
    }

    fn refuse(self, error: &Error) {
        self.roll_back();
        let Steps { kept, again, ended } = &mut *self.steps;
        ended.extend(kept.drain(..).chain(again.drain(..)).map(|step| (step, Err(error.clone()))));
    }

    fn roll_back(&self) {
        self.writer.begin_round(self.has_savepoints);
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    fn prepared(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}

/// A defect in `end` or `after`: nobody takes the connection over with a transaction that is open.
impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.roll_back();
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
