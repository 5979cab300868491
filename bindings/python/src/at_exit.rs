//! Engines left open are closed before the interpreter ends: their threads must not call into it afterwards.

use crate::wait::wait;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tidings::Engine;

/// Longer than any engine's threads take to end.
const THREADS: Duration = Duration::from_secs(5);

static OPEN: Mutex<Vec<(u32, Weak<Engine>)>> = Mutex::new(Vec::new());

pub fn remember(engine: &Arc<Engine>) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, engine)| engine.strong_count() > 0);
    open.push((std::process::id(), Arc::downgrade(engine)));
}

/// Closes what this process opened; what a fork copied belongs to the parent.
#[pyfunction]
fn _close_all(py: Python<'_>) -> PyResult<()> {
    let open = std::mem::take(&mut *OPEN.lock().unwrap_or_else(PoisonError::into_inner));
    for (process, engine) in open {
        if let (true, Some(engine)) = (process == std::process::id(), engine.upgrade()) {
            wait(py, engine.shutdown())?;
        }
    }
    // The one that said "done" may still hold the interpreter's lock; ending now would abort the process.
    py.detach(|| tidings::threads_ended(THREADS));
    Ok(())
}

/// Threads of an engine belong to no interpreter but the main one; another that ends would wait for them for ever. Python 3.12 and later see to it themselves.
#[allow(unsafe_code)]
pub fn only_in_the_main_interpreter() -> PyResult<()> {
    // Both only look at the interpreter that imports, which is attached while it does.
    let interpreter = unsafe { pyo3::ffi::PyInterpreterState_GetID(pyo3::ffi::PyInterpreterState_Get()) };
    if interpreter == 0 {
        return Ok(());
    }
    Err(PyImportError::new_err("tidings cannot be imported in a sub-interpreter. Import it in the main interpreter, or in a process of its own."))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let close_all = wrap_pyfunction!(_close_all, module)?;
    module.py().import("atexit")?.call_method1("register", (close_all,))?;
    Ok(())
}
