//! Promises that can be cancelled: JavaScript cannot drop a promise, so each call carries a `Cancel`.
// napi's macros register each export with Node, which counts as unsafe code.
#![allow(unsafe_code)]

use crate::error::reject;
use crate::value::{V, Value};
use futures_util::future::{AbortHandle, AbortRegistration, Abortable};
use napi::bindgen_prelude::{Env, PromiseRaw, Result};
use napi_derive::napi;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use tidings::ErrorKind;

/// Stops one call; made by the layer of JavaScript for an AbortSignal.
#[napi]
pub struct Cancel {
    handle: AbortHandle,
    registration: Mutex<Option<AbortRegistration>>,
}

#[napi]
impl Cancel {
    #[napi(constructor)]
    pub fn new() -> Self {
        let (handle, registration) = AbortHandle::new_pair();
        Self { handle, registration: Mutex::new(Some(registration)) }
    }

    #[napi]
    pub fn cancel(&self) {
        self.handle.abort();
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Cancel {
    /// For the one call it serves.
    pub fn take(&self) -> Option<AbortRegistration> {
        self.registration.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A promise of what `work` gives. Cancelling drops `work`, which the core treats as a caller who went away.
pub fn promise<'env, T, F>(env: &'env Env, cancel: &Cancel, work: F) -> Result<PromiseRaw<'env, V<T>>>
where
    T: Value + Send + 'static,
    F: Future<Output = tidings::Result<T>> + Send + 'static,
{
    let registration = cancel.take();
    let work = async move {
        match registration {
            Some(registration) => Abortable::new(work, registration).await.unwrap_or_else(|_| Err(stopped())),
            None => Err(tidings::Error::internal("A Cancel serves one call only.")),
        }
    };
    env.spawn_future_with_callback(async move { Ok(work.await) }, |_, outcome| outcome.map(V).map_err(|e| reject(&e)))
}

fn stopped() -> tidings::Error {
    tidings::Error::new(ErrorKind::Cancelled, "Stopped by the caller.")
}
