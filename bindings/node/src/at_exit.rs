//! Engines left open are closed when their thread of Node ends, the main one or a worker.
// napi's macros register each export with Node, which counts as unsafe code.
#![allow(unsafe_code)]

use napi::bindgen_prelude::{Env, Result};
use napi_derive::napi;
use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Context;
use std::time::{Duration, Instant};
use tidings::Engine;

/// How long an ending thread waits for its engines.
const LIMIT: Duration = Duration::from_secs(10);

thread_local! {
    static OPEN: RefCell<Vec<Weak<Engine>>> = const { RefCell::new(Vec::new()) };
}

pub fn remember(engine: &Arc<Engine>) {
    OPEN.with_borrow_mut(|open| {
        open.retain(|engine| engine.strong_count() > 0);
        open.push(Arc::downgrade(engine));
    });
}

/// Called once per thread by the layer of JavaScript.
#[napi]
pub fn close_at_exit(env: &Env) -> Result<()> {
    env.add_env_cleanup_hook((), |()| {
        for engine in OPEN.take().iter().filter_map(Weak::upgrade) {
            wait(engine.shutdown());
        }
    })?;
    Ok(())
}

fn wait(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let waker = tidings::thread_waker();
    let end = Instant::now() + LIMIT;
    while future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::park_timeout(left);
    }
}
