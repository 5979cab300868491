//! The native half of the Python package, `tidings._native`.
//!
//! - `glue`      classes and methods, written from the contract at build time
//! - `value.rs`  how values cross, `record.rs` records and `union.rs` enums with data among them, `object.rs` objects · `error.rs` how failures cross
//! - `wait.rs`   blocking calls · `stream.rs` loops over streams · `at_exit.rs` engines left open · `logs.rs` records for the standard `logging`

mod at_exit;
mod error;
mod logs;
#[macro_use]
mod object;
#[macro_use]
mod record;
mod stream;
#[macro_use]
mod union;
#[macro_use]
mod value;
mod wait;

mod glue {
    #![allow(clippy::too_many_arguments, clippy::new_ret_no_self, clippy::self_named_constructors, clippy::clone_on_copy, clippy::large_enum_variant, clippy::unit_arg, clippy::redundant_closure, clippy::wrong_self_convention)]
    use crate::at_exit;
    use crate::error::{BOUND, CONSTANT, expected, raise, uncopied};
    use crate::stream::{AHEAD, Ahead};
    use crate::value::{FileOr, PathText, V, Value, given, one_or_many, repr};
    use crate::wait::wait;
    use pyo3::exceptions::PyStopAsyncIteration;
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
    use std::sync::Arc;
    use std::time::SystemTime;

    include!(concat!(env!("OUT_DIR"), "/glue.rs"));

    /// `tidings._native`.
    #[pymodule]
    #[pyo3(name = "_native")]
    pub fn native(module: &Bound<'_, PyModule>) -> PyResult<()> {
        at_exit::only_in_the_main_interpreter()?;
        let names = module.dict();
        module.py().run(PRELUDE, Some(&names), None)?;
        crate::value::keep_names(&names);
        crate::error::keep_classes(error_class);
        register(module)?;
        module.add_class::<crate::logs::LogPump>()?;
        module.delattr("__all__")?; // PyO3 lists only its own classes there, not the enums and exceptions
        at_exit::register(module)
    }
}
