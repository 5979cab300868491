//! How long a dead process keeps the others out, and how a living one keeps its place.

use crate::clock::{Clock, to_ms};
use crate::error::Result;
use crate::runtime::urgent;
use std::sync::Arc;
use std::time::Duration;

/// Short, so that what a killed process held is soon free again; the fence, not the time, protects the data.
pub const LEASE_MS: i64 = 12_000;
const EVERY: Duration = Duration::from_secs(4);

/// Renews a lease or claim for as long as it is polled; ends when it is lost.
pub async fn heartbeat(clock: Arc<dyn Clock>, renew: impl Fn(i64) -> Result<bool> + Send + Sync + 'static) {
    let renew = Arc::new(renew);
    loop {
        clock.deadline(EVERY).await;
        let (renew, now) = (renew.clone(), to_ms(clock.now()));
        // An error (a busy store) is no loss: the next beat tries again.
        if matches!(urgent(move || renew(now)).await, Ok(false)) {
            return;
        }
    }
}
