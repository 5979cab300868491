//! Log records for a callback: from outside Node's event loop, which they neither block nor keep alive.
// napi's macros register each export with Node, which counts as unsafe code.
#![allow(unsafe_code)]

use crate::error::reject;
use crate::promise::Cancel;
use crate::value::V;
use futures_util::future::Abortable;
use napi::bindgen_prelude::{Function, Result, spawn};
use napi::threadsafe_function::{ThreadsafeCallContext, ThreadsafeFunctionCallMode};
use napi::Status;
use napi_derive::napi;
use tidings::{LogLevel, LogRecord};

/// Records that wait while the event loop is busy; further ones are dropped.
const WAITING: usize = 1024;

/// Calls `callback` for each record until `cancel` is told or Node ends.
#[napi]
pub fn follow_logs(level: V<LogLevel>, callback: Function<'_, V<LogRecord>, ()>, cancel: &Cancel) -> Result<()> {
    let stream = tidings::logs(level.0).map_err(|e| reject(&e))?;
    let tell = callback
        .build_threadsafe_function::<LogRecord>()
        .weak::<true>()
        .max_queue_size::<WAITING>()
        .build_callback(|call: ThreadsafeCallContext<LogRecord>| Ok(V(call.value)))?;
    let Some(registration) = cancel.take() else { return Err(reject(&tidings::Error::internal("A Cancel serves one call only."))) };
    let follow = async move {
        while let Ok(Some(record)) = stream.next().await {
            if tell.call(record, ThreadsafeFunctionCallMode::NonBlocking) == Status::Closing {
                return;
            }
        }
    };
    spawn(async move {
        let _ = Abortable::new(follow, registration).await;
    });
    Ok(())
}
