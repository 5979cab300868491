//! Carries Retry-Afters over a restart: from the store at open, into it when they are set.

use crate::clock::{Clock, to_ms};
use crate::error::Result;
use crate::pipeline::{LONGEST_WAIT, Pipeline, Throttle};
use crate::runtime::{Stop, blocking};
use crate::store::{Store, ThrottleRow};
use std::sync::Arc;

const LONGEST_MS: i64 = LONGEST_WAIT.as_millis() as i64;
/// Rows of one transaction.
const TOGETHER: usize = 200;

/// What an earlier process was asked to wait for.
pub fn resume(store: &dyn Store, pipeline: &Pipeline, clock: &dyn Clock) -> Result<()> {
    let kept = store.throttles(to_ms(clock.now()), LONGEST_MS)?;
    pipeline.resume(kept.into_iter().map(|ThrottleRow { client_id, tenant_id, user_id, service, until }| Throttle { client_id, tenant_id, user_id, service, until }).collect());
    Ok(())
}

/// Stores what is set from now on, until the engine stops.
pub async fn keep(store: Arc<dyn Store>, pipeline: Arc<Pipeline>, clock: Arc<dyn Clock>, stop: Stop) {
    while !stop.is_set() {
        tokio::select! { () = pipeline.throttled() => {}, () = stop.wait() => {} }
        let (store, pipeline, clock) = (store.clone(), pipeline.clone(), clock.clone());
        let kept = blocking(move || {
            keep_now(&*store, &pipeline, &*clock);
            Ok(())
        });
        // Nothing but a runtime that ends stops it.
        let _ = kept.await;
    }
}

/// The same for what is set by now. What cannot be stored is forgotten with this process: no request depends on it.
pub fn keep_now(store: &dyn Store, pipeline: &Pipeline, clock: &dyn Clock) {
    let rows: Vec<ThrottleRow> =
        pipeline.take_throttles().into_iter().map(|Throttle { client_id, tenant_id, user_id, service, until }| ThrottleRow { client_id, tenant_id, user_id, service, until }).collect();
    for rows in rows.chunks(TOGETHER) {
        if let Err(e) = store.keep_throttles(rows, to_ms(clock.now()), LONGEST_MS) {
            tracing::debug!(target: "tidings::engine", kind = ?e.kind(), "a Retry-After could not be stored");
        }
    }
}
