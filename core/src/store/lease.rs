//! How long a dead process keeps the others out, how a living one keeps its place, and how one waits for its turn.

use crate::clock::{Clock, to_ms};
use crate::error::{Error, ErrorKind, Result};
use super::{Lease, Poll, Store};
use crate::random;
use crate::runtime::Stop;
use std::sync::Arc;
use std::time::Duration;

/// Short, so that what a killed process held is soon free again; the fence, not the time, protects the data.
pub const LEASE_MS: i64 = 12_000;
const EVERY: Duration = Duration::from_secs(4);
/// Between two looks whether a lease is free.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A wish for a lease that somebody else may have.
pub struct LeaseRequest {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    name: String,
    holder: String,
    lease_ms: i64,
}

impl LeaseRequest {
    pub fn new(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, name: impl Into<String>, lease_ms: i64) -> Result<Self> {
        Ok(Self { store: store.clone(), clock: clock.clone(), name: name.into(), holder: random::token::<12>()?, lease_ms })
    }

    /// None: somebody else has it.
    pub async fn take(&self) -> Result<Option<Lease>> {
        self.store.take_lease(&self.name, &self.holder, to_ms(self.clock.now()), self.lease_ms).await
    }

    /// Waits for it. Errors: Cancelled, Closed.
    pub async fn wait(&self, stop: &Stop) -> Result<Lease> {
        loop {
            stop.check()?;
            if let Some(lease) = self.take().await? {
                return Ok(lease);
            }
            tokio::select! { () = self.pause() => {}, () = stop.wait() => {} }
        }
    }

    /// Until it is worth a look whether it is free.
    pub async fn pause(&self) {
        self.clock.pause(LOOK_AGAIN).await;
    }
}

/// Renews a lease or claim for as long as it is polled; ends when it is lost.
async fn heartbeat<F: Future<Output = Result<bool>> + Send>(clock: Arc<dyn Clock>, renew: impl Fn(i64) -> F + Send) {
    loop {
        clock.deadline(EVERY).await;
        // An error (a busy store) is no loss: the next beat tries again.
        if matches!(renew(to_ms(clock.now())).await, Ok(false)) {
            return;
        }
    }
}

/// Renews a lease for as long as it is polled; ends when it is lost.
pub async fn hold(store: Arc<dyn Store>, clock: Arc<dyn Clock>, lease: Lease) {
    heartbeat(clock, |now| store.renew_lease(&lease, now, LEASE_MS)).await;
}

/// Renews the hold on a mailbox that is looked at for as long as it is polled; ends when it is lost.
pub async fn hold_poll(store: Arc<dyn Store>, clock: Arc<dyn Clock>, poll: Poll) {
    heartbeat(clock, |now| store.renew_poll(&poll, now)).await;
}

/// Renews the hold on a back-fill for as long as it is polled; ends when it is lost.
pub async fn hold_backfill(store: Arc<dyn Store>, clock: Arc<dyn Clock>, account_id: String, turn: i64) {
    heartbeat(clock, |now| store.renew_backfill(&account_id, turn, now)).await;
}

/// Renews the claim on a send for as long as it is polled; ends when it is lost.
pub async fn hold_claim(store: Arc<dyn Store>, clock: Arc<dyn Clock>, id: String, fence: i64) {
    heartbeat(clock, |now| store.renew_claim(&id, fence, now, LEASE_MS)).await;
}

/// Why a write under a lease was refused. `what`: the work it was for.
pub fn taken_over(what: &str) -> Error {
    Error::new(ErrorKind::StoreBusy, format!("The account changed during {what}, or another process took it over. Sync again."))
}

/// Does what one process at a time may do under this name, waiting for its turn. Errors: those of the work; Cancelled, Closed; StoreBusy, when another process
/// took it over. `what`: it, for that error.
pub async fn leased<T, F: Future<Output = Result<T>>>(store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, name: String, stop: &Stop, what: &str, work: impl FnOnce(Lease) -> F) -> Result<T> {
    let lease = LeaseRequest::new(store, clock, name, LEASE_MS)?.wait(stop).await?;
    let outcome = tokio::select! {
        outcome = work(lease.clone()) => outcome,
        () = hold(store.clone(), clock.clone(), lease.clone()) => Err(taken_over(what)),
    };
    let _ = store.release_lease(&lease).await;
    outcome
}
