//! The Kotlin and Swift library: the contract laid over the core's own types. Nothing is decided here.
//!
//! - `*.udl`          the contract, one file per subject, with the documentation of every type and method
//! - `error.rs`       the core's error as UniFFI wants it: one variant per kind
//! - `bin/bindgen.rs` writes the Kotlin and Swift sources (feature `bindgen`)
//!
//! UniFFI's scaffolding exports C functions, which counts as unsafe code; no line written here does.
#![allow(unsafe_code, clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod error;

pub use error::TidingsError;
use tidings::*;

uniffi::include_scaffolding!("tidings");
