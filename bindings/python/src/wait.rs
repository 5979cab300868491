//! Blocking calls: the interpreter is released while waiting, and Ctrl-C ends the wait.

use pyo3::prelude::*;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long Ctrl-C may take to be noticed.
const SLICE: Duration = Duration::from_millis(50);

/// Runs `future` to its end on this thread. Leaving early drops it, which the core treats as a caller who went away.
pub fn wait<T: Send>(py: Python<'_>, future: impl Future<Output = T> + Send) -> PyResult<T> {
    let mut future = pin!(future);
    let waker = tidings::thread_waker();
    loop {
        let polled = py.detach(|| match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => {
                std::thread::park_timeout(SLICE);
                None
            }
        });
        match polled {
            Some(value) => return Ok(value),
            None => py.check_signals()?,
        }
    }
}
