//! Log records for a thread of Python that hands them to the standard `logging`.

use crate::error::raise;
use crate::value::V;
use pyo3::prelude::*;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::Thread;

/// A stream of records and its one reader. Whoever logs only unparks that thread: they never wait for the interpreter, which the reader
/// of an asyncio loop would make them do.
#[pyclass(frozen, name = "_LogPump", module = "tidings")]
pub struct LogPump {
    stream: Arc<tidings::LogStream>,
    stopped: AtomicBool,
    reader: Mutex<Option<Thread>>,
}

#[pymethods]
impl LogPump {
    #[new]
    fn new(level: V<tidings::LogLevel>) -> PyResult<Self> {
        let stream = tidings::logs(level.0).map_err(raise)?;
        Ok(Self { stream, stopped: AtomicBool::new(false), reader: Mutex::new(None) })
    }

    /// The next record; none when it was stopped and nothing is left.
    fn next(&self, py: Python<'_>) -> PyResult<Option<V<tidings::LogRecord>>> {
        let read = py.detach(|| {
            *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current());
            let waker = tidings::thread_waker();
            let mut next = pin!(self.stream.next());
            loop {
                match next.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(read) => return read,
                    Poll::Pending if self.stopped.load(Ordering::Acquire) => return Ok(None),
                    Poll::Pending => std::thread::park(),
                }
            }
        });
        Ok(read.map_err(raise)?.map(V))
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(reader) = self.reader.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            reader.unpark();
        }
    }
}
