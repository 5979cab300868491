//! Carries the limits of mailboxes over a restart (Retry-Afters, and requests that count still): from the store at open, into it as they come.

use crate::clock::{Clock, to_ms};
use crate::error::Result;
use crate::pipeline::{LONGEST_WAIT, Pipeline};
use crate::runtime::Stop;
use crate::store::Store;
use std::sync::Arc;

const LONGEST_MS: i64 = LONGEST_WAIT.as_millis() as i64;
/// Rows of one transaction.
const TOGETHER: usize = 200;

/// What an earlier process was told, and what it has asked for.
pub async fn resume(store: &dyn Store, pipeline: &Pipeline, clock: &dyn Clock) -> Result<()> {
    pipeline.resume(&store.throttles(to_ms(clock.now()), LONGEST_MS).await?);
    Ok(())
}

/// Stores what comes from now on, until the engine stops.
pub async fn keep(store: Arc<dyn Store>, pipeline: Arc<Pipeline>, clock: Arc<dyn Clock>, stop: Stop) {
    while !stop.is_set() {
        tokio::select! { () = pipeline.throttled() => {}, () = stop.wait() => {} }
        keep_now(&*store, &pipeline, &*clock, false).await;
    }
}

/// The same for what there is by now. What cannot be stored is forgotten with this process: no request depends on it. `is_last`: this process ends.
pub async fn keep_now(store: &dyn Store, pipeline: &Pipeline, clock: &dyn Clock, is_last: bool) {
    for throttles in pipeline.take_throttles(is_last).chunks(TOGETHER) {
        if let Err(e) = store.keep_throttles(throttles, to_ms(clock.now()), LONGEST_MS).await {
            tracing::debug!(target: "tidings::engine", kind = ?e.kind(), "what is known of the limits of mailboxes could not be stored");
        }
    }
}
