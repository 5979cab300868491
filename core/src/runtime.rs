//! Owns Tokio, so that a future handed to a host never needs a reactor of the host's.
//!
//! Two words say what happens when a caller stops waiting: [`Runtime::finish`] runs to its end all the same (connect, send,
//! disconnect); [`Runtime::guard`] is told to stop at its next safe edge (sync).

use crate::error::{Error, ErrorKind, Result};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tracing::Instrument;

/// Set when work should end at its next safe edge.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The engine is shutting down.
    all: watch::Receiver<bool>,
    /// The caller of this one call went away.
    mine: watch::Receiver<bool>,
}

impl Stop {
    pub fn is_set(&self) -> bool {
        *self.all.borrow() || *self.mine.borrow()
    }

    /// `Cancelled` or `Closed` when it is set.
    pub fn check(&self) -> Result<()> {
        if *self.all.borrow() {
            return Err(closed());
        }
        if *self.mine.borrow() {
            return Err(Error::new(ErrorKind::Cancelled, "Stopped by the caller; what was done so far is stored."));
        }
        Ok(())
    }

    /// The outcome of `work`, unless this is set first: then the work is dropped, and the outcome is `Cancelled` or `Closed`.
    pub async fn until<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            outcome = work => outcome,
            () = self.wait() => Err(self.check().err().unwrap_or_else(closed)),
        }
    }

    /// One that can be set earlier as well, by sending true. Whoever has it sends that also when this one is set.
    pub fn narrowed(&self) -> (watch::Sender<bool>, Self) {
        let earlier = watch::Sender::new(false);
        let mine = earlier.subscribe();
        (earlier, Self { all: self.all.clone(), mine })
    }

    /// Waits until it is set.
    pub async fn wait(&self) {
        let (mut all, mut mine) = (self.all.clone(), self.mine.clone());
        tokio::select! {
            _ = all.wait_for(|set| *set) => {}
            _ = async { if mine.wait_for(|set| *set).await.is_err() { std::future::pending::<()>().await } } => {}
        }
    }
}

pub fn closed() -> Error {
    Error::new(ErrorKind::Closed, "The engine is shut down. Open it again.")
}

pub struct Runtime {
    tokio: Arc<Mutex<Option<tokio::runtime::Runtime>>>,
    handle: tokio::runtime::Handle,
    stop: watch::Sender<bool>,
    /// Holders of a clone are work that shutdown waits for.
    alive: Mutex<Option<Arc<()>>>,
    /// Sees them after the first shutdown took `alive`: a second one waits as well, since whoever calls it closes the store next.
    watching: Weak<()>,
    shutting: AtomicBool,
    process: u32,
}

impl Runtime {
    pub fn start() -> Result<Self> {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, WORKERS)))
            .thread_name("tidings")
            .max_blocking_threads(BLOCKING_AT_ONCE + IN_RESERVE)
            .enable_all()
            .build()
            .map_err(|e| Error::internal("No threads could be started.").with_source(e))?;
        let alive = Arc::new(());
        Ok(Self {
            handle: tokio.handle().clone(),
            tokio: Arc::new(Mutex::new(Some(tokio))),
            stop: watch::Sender::new(false),
            watching: Arc::downgrade(&alive),
            alive: Mutex::new(Some(alive)),
            shutting: AtomicBool::new(false),
            process: std::process::id(),
        })
    }

    /// Refuses a closed engine, and one that a fork copied: its threads did not come along.
    pub fn check(&self) -> Result<()> {
        if self.is_forked() {
            return Err(forked());
        }
        if self.shutting.load(Ordering::SeqCst) { Err(closed()) } else { Ok(()) }
    }

    pub fn is_forked(&self) -> bool {
        std::process::id() != self.process
    }

    /// Stops with the engine alone.
    pub fn stop(&self) -> Stop {
        Stop { all: self.stop.subscribe(), mine: watch::Sender::new(false).subscribe() }
    }

    /// Runs `work` to its end, whatever the caller does.
    pub fn finish<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        // Below the caller's span, so that a host's traces hang together.
        let task = self.spawn(work.in_current_span());
        async move { joined(task?.await) }
    }

    /// Runs `work`; when the caller stops waiting, its [`Stop`] is set and it ends at the next safe edge.
    pub fn guard<T, F, W>(&self, work: W) -> impl Future<Output = Result<T>> + Send + use<T, F, W>
    where
        W: FnOnce(Stop) -> F,
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let mine = watch::Sender::new(false);
        let task = self.spawn(work(Stop { all: self.stop.subscribe(), mine: mine.subscribe() }).in_current_span());
        let waiting = SetOnDrop(mine);
        async move {
            let result = joined(task?.await);
            drop(waiting);
            result
        }
    }

    /// Runs `work` beside everything else until it ends by itself or the engine stops; shutdown waits for it.
    pub fn background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let _ = self.spawn(async move {
            work.await;
            Ok(())
        });
    }

    /// Runs `work` to its end while this thread waits. For what is not async, such as opening.
    pub fn wait<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (mut outcome, waker) = (pin!(self.finish(work)), thread_waker());
        loop {
            if let Poll::Ready(result) = outcome.as_mut().poll(&mut Context::from_waker(&waker)) {
                return result;
            }
            std::thread::park();
        }
    }

    /// Ends all work, waiting at most `limit` (real time, since it waits for threads); then does `last`.
    pub async fn shutdown(&self, limit: Duration, last: impl Future<Output = ()> + Send + 'static) {
        if self.is_forked() {
            return;
        }
        self.shutting.store(true, Ordering::SeqCst);
        self.stop.send_replace(true);
        drop(self.alive.lock().unwrap_or_else(PoisonError::into_inner).take());
        let (watching, tokio) = (self.watching.clone(), self.tokio.clone());
        let (done, wait) = tokio::sync::oneshot::channel::<()>();
        let ending = Ending::begin();
        // A thread of its own: the caller's future may be polled by a host that has no timer.
        let spawned = std::thread::Builder::new().name("tidings-shutdown".into()).spawn(move || {
            let step = Duration::from_millis(2);
            let mut waited = Duration::ZERO;
            while watching.strong_count() > 0 && waited < limit {
                std::thread::park_timeout(step);
                waited += step;
            }
            // The threads are waited for: a host that ends right after this must not meet one that is still calling into it.
            if let Some(tokio) = take(&tokio) {
                tokio.block_on(last);
                tokio.shutdown_timeout(THREADS);
            }
            let _ = done.send(());
            drop(ending);
        });
        if spawned.is_ok() {
            let _ = wait.await;
        }
        self.end();
    }

    fn end(&self) {
        if let Some(tokio) = take(&self.tokio) {
            tokio.shutdown_background();
        }
    }

    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<tokio::task::JoinHandle<Result<T>>> {
        self.check()?;
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
        Ok(self.handle.spawn(async move {
            let result = work.await;
            drop(alive);
            result
        }))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.is_forked() {
            // The threads live in the parent; joining or waking them from here would hang or crash.
            std::mem::forget(take(&self.tokio));
            return;
        }
        self.stop.send_replace(true);
        self.end();
    }
}

/// For what is not async in tests: runs `work` to its end while this thread waits, also where it runs other tasks.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub fn block_on<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    std::thread::scope(|s| s.spawn(run).join()).unwrap()
}

/// What a fork copied, asked in the child.
pub fn forked() -> Error {
    Error::new(ErrorKind::Forked, "The process was forked while an engine was open; neither it nor another one works in the child. Fork before the first engine is opened or after the last is closed, or start the child as a program of its own (spawn).")
}

fn take(tokio: &Mutex<Option<tokio::runtime::Runtime>>) -> Option<tokio::runtime::Runtime> {
    tokio.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// How long threads may take to end once their work has.
const THREADS: Duration = Duration::from_secs(2);

/// Shutdowns of this process whose thread has not quite ended.
static ENDING: AtomicUsize = AtomicUsize::new(0);

struct Ending;

impl Ending {
    fn begin() -> Self {
        ENDING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        ENDING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// For exit hooks of the bindings: blocks until the threads of every engine that was shut down have ended. False: `limit` passed first.
pub fn threads_ended(limit: Duration) -> bool {
    let step = Duration::from_millis(1);
    let mut waited = Duration::ZERO;
    while ENDING.load(Ordering::SeqCst) > 0 {
        if waited >= limit {
            return false;
        }
        std::thread::park_timeout(step);
        waited += step;
    }
    true
}

/// Threads for async work, at the most. With those for blocking work, the one that shuts down and the host's own they are 40 at the most.
const WORKERS: usize = 8;
/// Threads for blocking work of an engine: reads, and what takes its time to compute. Each holds a stack.
const BLOCKING_AT_ONCE: usize = 24;
/// Threads for what many wait for: the one that writes ([`serve`]).
const IN_RESERVE: usize = 4;

/// Places for blocking work, of all engines of the process.
static BLOCKING: Semaphore = Semaphore::const_new(BLOCKING_AT_ONCE);

/// Runs blocking work (SQLite, key derivation) off the async threads, to its end. Waits for its turn while too much of it is under way; dropped then, the
/// work is not begun.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    #[cfg(test)]
    if crate::interleave::is_drawn() {
        return crate::interleave::run(work).await;
    }
    let Ok(place) = BLOCKING.acquire().await else { return Err(closed()) };
    joined(
        tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        })
        .await,
    )
}

fn joined<T>(outcome: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    match outcome {
        Ok(result) => result,
        Err(e) if e.is_cancelled() => Err(closed()),
        Err(_) => Err(defect()),
    }
}

/// What a call ends with in which something panicked.
pub fn defect() -> Error {
    Error::internal("A defect of Tidings stopped this call; what was stored before is safe. Please report it.")
}

/// Runs blocking work that serves many callers on a thread of its own, to its end. It is dropped when the runtime ends before it begins.
pub fn serve(work: impl FnOnce() + Send + 'static) {
    drop(tokio::task::spawn_blocking(work));
}

/// Runs short work that wakes many tasks as a task of its own, so that it is done with all of them before the first goes on. From another thread each of them
/// would start by itself, and take the processor from who wakes the next. Where no runtime runs it, `work` is dropped.
pub fn as_one_task(work: impl FnOnce() + Send + 'static) {
    #[cfg(test)]
    if crate::interleave::is_drawn() {
        return work();
    }
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn(async move { work() })),
        Err(_) => work(),
    }
}

/// Unparks the thread that asked for it, which waits for a future with [`park`](std::thread::park). For the bindings.
#[doc(hidden)]
pub fn thread_waker() -> Waker {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    Waker::from(Arc::new(Unpark(std::thread::current())))
}

struct SetOnDrop(watch::Sender<bool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_shutdown_waits_too() {
        let runtime = Runtime::start().unwrap();
        let (began, working) = tokio::sync::oneshot::channel();
        let done = Arc::new(AtomicBool::new(false));
        let ends = done.clone();
        runtime.background(async move {
            let _ = began.send(());
            let _ = blocking(move || {
                std::thread::park_timeout(Duration::from_millis(300));
                ends.store(true, Ordering::SeqCst);
                Ok(())
            })
            .await;
        });
        working.await.unwrap();
        let limit = Duration::from_secs(20);
        let second = async {
            runtime.shutdown(limit, async {}).await;
            assert!(done.load(Ordering::SeqCst), "the store would be closed under it");
        };
        tokio::join!(runtime.shutdown(limit, async {}), second);
    }
}
