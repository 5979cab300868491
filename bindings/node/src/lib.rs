//! The native half of the Node package.
//!
//! - `glue`       classes and methods, written from the contract at build time
//! - `value.rs`   how values cross · `error.rs` how failures cross
//! - `promise.rs` promises that can be cancelled · `at_exit.rs` engines left open · `logs.rs` log records for a callback

#![cfg_attr(test, allow(dead_code))] // napi exports nothing into a test

mod at_exit;
mod error;
mod logs;
mod promise;
#[macro_use]
mod value;

mod glue {
    // napi's macros register each export with Node, which counts as unsafe code.
    #![allow(unsafe_code, clippy::new_without_default, clippy::should_implement_trait, clippy::wrong_self_convention, clippy::unit_arg, clippy::too_many_arguments)]
    use crate::at_exit;
    use crate::error::{Read, Refusal, reject};
    use crate::promise::{Cancel, promise};
    use crate::value::{V, Value, is_bytes, is_text};
    use napi::bindgen_prelude::{ClassInstance, Env, FromNapiValue, JavaScriptClassExt, PromiseRaw, Result, Unknown};
    use napi::JsValue;
    use napi_derive::napi;
    use std::sync::Arc;
    use std::time::SystemTime;

    include!(concat!(env!("OUT_DIR"), "/glue.rs"));
}
