//! The only way out. Every request of the engine takes these steps, in this order:
//!
//! ```text
//! trace → hosts → retry { fence → gate → token → transport }
//! ```
//!
//! What an error promises: `Network` = nothing was sent; `OutcomeUnknown` = a request that must not be repeated may have been done;
//! `Throttled` = refused, nothing was done; everything else came as an answer or is safe to repeat.

mod auth;
mod challenge;
pub mod fit;
mod gate;
mod hosts;
mod insecure;
// The two rooms that may open sockets.
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
mod loopback;
mod request;
mod retry;
mod tls;
mod trace;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
mod transport;

pub use auth::TokenSource;
pub use hosts::Hosts;
pub use loopback::LoopbackReceiver;
pub use request::{AccessToken, MAX_KEYS, MAX_TOKEN, Priority, Purpose, Request, Response, Safety, error_code};
pub use retry::parse_retry_after;
pub use transport::{ReqwestTransport, Transport};
#[cfg(test)]
pub use transport::{Answer, Sent, TransportError, Trouble};

use crate::clock::Clock;
use crate::config::Endpoints;
use crate::error::{Error, Result};
use crate::metrics::Meters;
use gate::{Gate, Lane, Service};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tracing::Instrument;

pub struct Pipeline {
    hosts: Hosts,
    gate: Gate,
    tokens: auth::Tokens,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    meters: Meters,
    insecure: insecure::Insecure,
}

impl Pipeline {
    pub fn new(endpoints: Endpoints, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        let meters = Meters::default();
        let transport = Arc::new(transport::Counted::new(transport, meters.clone()));
        Self { hosts: Hosts::new(endpoints), gate: Gate::default(), tokens: auth::Tokens::new(meters.clone()), transport, clock, meters, insecure: insecure::Insecure::default() }
    }

    /// Says who knows the tokens; once, when the engine is put together.
    pub fn plug_tokens(&self, source: Arc<dyn TokenSource>) {
        self.tokens.plug(&source);
    }

    pub async fn send(&self, request: Request) -> Result<Response> {
        let trace = trace::Trace::open(&request)?;
        self.hosts.check(&request.url, request.purpose)?;
        let headers = request.headers.clone();
        let (request, headers, trace) = (&request, &headers, &trace);
        let (lane, began) = (lane(request), self.clock.elapsed());
        let sending = retry::run(&*self.clock, &self.gate, &lane, request, |attempt| async move {
            if attempt > 1 {
                self.meters.retries.up();
                trace.again(attempt);
            }
            let answer = self.tokens.attach_and_send(request, headers.clone(), trace, &*self.transport).await?;
            trace.note(attempt, &answer);
            Ok(answer)
        });
        let outcome = sending.instrument(trace.span().clone()).await;
        self.insecure.note(request.purpose, outcome.as_ref().map(drop), self.clock.now());
        trace.close(&outcome, self.clock.elapsed().saturating_sub(began));
        outcome.map_err(|e| {
            self.meters.failures.up();
            match &request.account_id {
                Some(account_id) => e.on_account(account_id),
                None => e,
            }
        })
    }

    /// Counts of this engine, of which this room keeps its own.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Why no secure connection comes about, as of the last request to any of Microsoft's services. No outage: somebody has to mend a setting.
    pub fn insecure(&self) -> Option<(SystemTime, Error)> {
        self.insecure.current()
    }

    /// For links in answers.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Nobody asks this mailbox again before `wait` is over: what a Retry-After inside a batch of mail requests says.
    pub fn hold(&self, account_id: &str, wait: Duration) {
        let now = self.clock.elapsed();
        self.gate.fence(&Lane::Graph(Service::Outlook, account_id.to_owned()), now.saturating_add(wait), now);
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

fn lane(request: &Request) -> Lane {
    match (&request.account_id, request.purpose) {
        (Some(id), Purpose::Identity) => Lane::SignIn(id.clone()),
        // One organisation or application that is throttled does not hold up the sign-ins of others.
        (None, Purpose::Identity) => Lane::SignIn(request.share.clone()),
        (Some(id), _) => Lane::Graph(Service::of(request.url.path()), id.clone()),
        (None, _) => Lane::None,
    }
}

#[cfg(test)]
pub mod fake;
#[cfg(test)]
mod tests;
