//! The only way out. Every request of the engine takes these steps, in this order:
//!
//! ```text
//! trace → hosts → retry { token → turn (alone, or in a batch with what waits beside it) → transport }
//! ```
//!
//! What an error promises: `Network` = nothing was sent; `OutcomeUnknown` = a request that must not be repeated may have been done;
//! `Throttled` = refused, nothing was done; everything else came as an answer or is safe to repeat.

mod auth;
pub mod batching;
mod body;
mod challenge;
mod exchange;
pub mod fit;
mod hosts;
mod insecure;
mod server_time;
// The modules that may open sockets, and keep them open.
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
mod lines;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
mod loopback;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
mod public;
mod request;
mod rest;
mod retry;
mod retry_budget;
mod schedule;
mod scope;
mod throttles;
mod tls;
mod trace;
#[allow(clippy::disallowed_methods, clippy::disallowed_types)]
mod transport;
mod workflow_url;

pub use auth::TokenSource;
pub use body::{BodySink, Sink};
pub use hosts::Hosts;
pub use loopback::LoopbackReceiver;
pub use request::{AccessToken, MAX_KEYS, MAX_PAGE, MAX_SEVERAL, MAX_STREAMED, MAX_TOKEN, Priority, Purpose, Request, Response, Safety, error_code, error_message};
pub use retry::{LONGEST_WAIT, parse_retry_after};
pub use schedule::{Cost, Limits};
pub use rest::{Rest, Whole};
pub use scope::Mailbox;
pub use transport::{LONGEST_EXCHANGE, ReqwestTransport, Transport};
#[cfg(test)]
pub use rest::Pieces;
#[cfg(test)]
pub use transport::{Answer, Sent, TransportError, Trouble};

use crate::clock::Clock;
use crate::config::Endpoints;
use crate::error::{Error, Result};
use crate::metrics::Meters;
use crate::throttle::Throttle;
use schedule::{Scheduler, Turns};
use scope::{RateScope, Service, Thread};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tracing::Instrument;

pub struct Pipeline {
    hosts: Hosts,
    scheduler: Scheduler,
    tokens: auth::Tokens,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    meters: Meters,
    insecure: insecure::Insecure,
    server_time: server_time::ServerTime,
    retry_budget: retry_budget::RetryBudget,
}

impl Pipeline {
    pub fn new(endpoints: Endpoints, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        let meters = Meters::default();
        let transport = Arc::new(transport::Counted::new(transport, meters.clone()));
        let tokens = auth::Tokens::new((endpoints.graph.clone(), endpoints.beta()), clock.clone(), meters.clone());
        Self { hosts: Hosts::new(endpoints), scheduler: Scheduler::new(clock.clone(), limits), tokens, transport, clock, meters, insecure: insecure::Insecure::default(), server_time: server_time::ServerTime::default(), retry_budget: retry_budget::RetryBudget::default() }
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
        let (scope, began) = (self.scope(request).await, self.clock.elapsed());
        let place = if request.purpose == Purpose::Bot { None } else { scope::place_of(request.url.path()) };
        let thread = request.thread.clone().map(|id| Thread { id, is_write: request.method != http::Method::GET });
        let turns = &Turns::new(&self.scheduler, &scope, place, request.cost, request.priority, request.max_wait).in_thread(thread);
        let sending = retry::run(&*self.clock, turns, &self.retry_budget, request, |attempt| async move {
            if attempt > 1 {
                self.meters.retries.up();
                trace.again(attempt);
            }
            let answer = self.tokens.attach_and_send(request, headers.clone(), trace, (turns, &self.transport)).await?;
            trace.note(attempt, &answer);
            let date = answer.as_ref().ok().and_then(|answer| answer.headers().get(http::header::DATE)?.to_str().ok());
            if request.purpose != Purpose::Workflow {
                self.server_time.hear(date, self.clock.elapsed());
            }
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

    /// Counts of this engine, of which this module keeps its own.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Why no secure connection comes about, as of the last request to any of Microsoft's services. No outage: somebody has to mend a setting.
    pub fn insecure(&self) -> Option<(SystemTime, Error)> {
        self.insecure.current()
    }

    /// Microsoft's clock agrees with ours to within a day, by its last answer. False before the first one.
    pub fn confirms_time(&self) -> bool {
        self.server_time.confirms(self.clock.now(), self.clock.elapsed())
    }

    /// What time it is at Microsoft by its last answer; by our clock before the first one.
    pub fn server_time(&self) -> SystemTime {
        self.server_time.now(self.clock.elapsed()).unwrap_or_else(|| self.clock.now())
    }

    /// For links in answers.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The address of the mailbox that an account of a shared mailbox is for. None: the mailbox is the person's own.
    pub async fn shared_mailbox(&self, account_id: &str) -> Result<Option<Arc<str>>> {
        self.tokens.shared_mailbox(account_id).await.map_err(|e| e.on_account(account_id))
    }

    /// Nobody asks this mailbox for mail again before `wait` is over: what a Retry-After inside a batch says.
    pub async fn hold(&self, account_id: &str, wait: Duration) {
        let mailbox = self.tokens.mailbox(account_id).await;
        self.scheduler.fence(&RateScope::Graph(Service::Outlook, mailbox), self.clock.elapsed().saturating_add(wait));
    }

    /// Of what this mailbox may be asked for mail in a span of time, how much was used: 0 to 1.
    pub async fn quota_used(&self, account_id: &str) -> f64 {
        let mailbox = self.tokens.mailbox(account_id).await;
        self.scheduler.used(&RateScope::Graph(Service::Outlook, mailbox))
    }

    /// Until there is something of the limits of a mailbox that another process should know.
    pub async fn throttled(&self) {
        self.scheduler.noted().await;
    }

    /// What there is since the last call. `is_last`: nobody calls again.
    pub fn take_throttles(&self, is_last: bool) -> Vec<Throttle> {
        self.scheduler.take_unkept(is_last)
    }

    /// What an earlier process was told, and what it has asked for.
    pub fn resume(&self, kept: &[Throttle]) {
        kept.iter().for_each(|throttle| self.scheduler.resume(throttle));
    }

    async fn scope(&self, request: &Request) -> RateScope {
        match (&request.account_id, request.purpose) {
            (Some(id), Purpose::Identity) => RateScope::Uncounted(id.clone()),
            // One workflow that is throttled does not hold up others, nor anything of Graph.
            (Some(id), Purpose::Workflow) => RateScope::Uncounted(id.clone()),
            // One organisation or application that is throttled does not hold up the sign-ins of others.
            (None, Purpose::Identity) => RateScope::Uncounted(request.share.clone()),
            (_, Purpose::BotKeys) => RateScope::Uncounted("bot keys".to_owned()),
            // Asked about a new token, mostly while another request waits for it.
            (Some(id), _) if request.bearer.is_some() => RateScope::Uncounted(format!("token/{id}")),
            (Some(id), Purpose::Bot) => RateScope::Graph(Service::Bots, self.tokens.mailbox(id).await),
            (Some(id), _) => RateScope::Graph(Service::of(&request.method, request.url.path()), self.tokens.mailbox(id).await),
            (None, _) => RateScope::None,
        }
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
}

#[cfg(test)]
pub mod fake;
#[cfg(test)]
mod tests;
