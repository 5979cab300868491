//! How failures cross: one exception class per kind.

use crate::value::{Value, named};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::OnceLock;
use tidings::ErrorKind;

type ClassOf = fn(ErrorKind) -> &'static str;
static CLASS_OF: OnceLock<ClassOf> = OnceLock::new();

pub fn keep_classes(class_of: ClassOf) {
    let _ = CLASS_OF.set(class_of); // always the same function
}

/// The exception for a failure of the core.
pub fn raise(error: tidings::Error) -> PyErr {
    Python::attach(|py| exception(py, &error).map_or_else(|failed| failed, PyErr::from_value))
}

fn exception<'py>(py: Python<'py>, error: &tidings::Error) -> PyResult<Bound<'py, PyAny>> {
    let class = CLASS_OF.get().map_or("InternalError", |class_of| class_of(error.kind()));
    let fields = PyDict::new(py);
    fields.set_item("account_id", error.account_id())?;
    fields.set_item("request_id", error.request_id())?;
    fields.set_item("retry_after_ms", error.retry_after_ms())?;
    fields.set_item("remedy", error.remedy().to_py(py)?)?;
    named(py, class)?.call((error.reason(),), Some(&fields))
}

/// A value of the right type that cannot be used.
pub fn invalid(reason: &str) -> PyErr {
    raise(tidings::Error::invalid(reason))
}

/// A value of the wrong type. Its content is not quoted: it may be a secret.
pub fn expected(what: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let found = found.get_type().name().map(|n| n.to_string()).unwrap_or_default();
    PyTypeError::new_err(format!("expected {what}, not {found}"))
}

/// Why an object of the engine is not copied.
pub const BOUND: &str = "it belongs to the process that made it. Make another one where it is needed.";
/// Why a value is not.
pub const CONSTANT: &str = "it does not change, so hand it on as it is, or make another one of its fields where it is needed.";

/// For `pickle`, `copy.copy` and `copy.deepcopy`, which all ask for the same method.
pub fn uncopied(class: &str, why: &str) -> PyErr {
    PyTypeError::new_err(format!("cannot pickle or copy '{class}' object: {why}"))
}
