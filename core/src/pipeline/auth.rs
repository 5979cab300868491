//! Puts the account's token on Graph requests. A 401 gets one fresh token; a claims challenge is handed on once.

use super::challenge;
use super::fit;
use super::trace::Trace;
use super::schedule::Turns;
use super::scope::Mailbox;
use super::transport::{Answer, Transport};
use super::batching::{Batching, Way};
use super::exchange::exchange;
use super::retry::asked_to_wait;
use super::{AccessToken, Purpose, Request, error_code};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::foreign::Secrets;
use crate::metrics::Meters;
use futures_util::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use url::Url;

/// Fresh tokens asked for because of one request: after a plain refusal, and for a challenge that came with the second.
const MOST_TOKENS: usize = 2;

/// Who knows the tokens. `stale`: that one was refused, so the same again is no answer. `claims`: what the service asks the new one to hold, as JSON.
pub trait TokenSource: Send + Sync {
    fn token(&self, account_id: String, stale: Option<AccessToken>, claims: Option<String>) -> BoxFuture<'static, Result<AccessToken>>;
    /// A token of the bot, for the Bot Connector; `account_id` is the organisation's account. `stale`: that one was refused.
    fn bot_token(&self, account_id: String, stale: Option<AccessToken>) -> BoxFuture<'static, Result<AccessToken>> {
        let _ = (account_id, stale);
        Box::pin(std::future::ready(Err(Error::internal("There is no bot."))))
    }
    /// Whose limits the account's requests count against. Asked before every request, so it should be known in memory.
    fn mailbox(&self, account_id: &str) -> BoxFuture<'static, Arc<Mailbox>> {
        Box::pin(std::future::ready(Mailbox::of_account(account_id)))
    }
    /// The address of the mailbox that an account of a shared mailbox is for. None: the mailbox is the person's own. Asked before every request, as above.
    fn shared_mailbox(&self, account_id: &str) -> BoxFuture<'static, Result<Option<Arc<str>>>> {
        let _ = account_id;
        Box::pin(std::future::ready(Ok(None)))
    }
    /// The service refuses this token too, though it came as a fresh one. `claims`: what it asks for even now. `certain`: it says that it is the token;
    /// otherwise it may be anything, and only that it goes on tells.
    fn refused(&self, account_id: String, token: AccessToken, claims: Option<String>, certain: bool) -> BoxFuture<'static, ()> {
        let _ = (account_id, token, claims, certain);
        Box::pin(std::future::ready(()))
    }
    /// The service took the account's token.
    fn accepted(&self, account_id: &str) {
        let _ = account_id;
    }
}

pub struct Tokens {
    // Weak: the source holds the pipeline.
    source: RwLock<Option<Weak<dyn TokenSource>>>,
    batching: Batching,
    clock: Arc<dyn Clock>,
    meters: Meters,
}

impl Tokens {
    /// `graph`: its address with the version, and that of its beta.
    pub fn new(graph: (Url, Option<Url>), clock: Arc<dyn Clock>, meters: Meters) -> Self {
        Self { source: RwLock::default(), batching: Batching::new(graph, clock.clone(), meters.clone()), clock, meters }
    }

    pub fn plug(&self, source: &Arc<dyn TokenSource>) {
        *self.source.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::downgrade(source));
    }

    /// Without a source: by the account's id.
    pub async fn mailbox(&self, account_id: &str) -> Arc<Mailbox> {
        match self.source() {
            Some(source) => source.mailbox(account_id).await,
            None => Mailbox::of_account(account_id),
        }
    }

    /// Without a source nobody gets a token either, and every mailbox is the person's own.
    pub async fn shared_mailbox(&self, account_id: &str) -> Result<Option<Arc<str>>> {
        match self.source() {
            Some(source) => source.shared_mailbox(account_id).await,
            None => Ok(None),
        }
    }

    /// One attempt: the token, the exchange, and after a 401 both once more; a challenge that nobody has tried to meet yet is met once.
    pub async fn attach_and_send(&self, request: &Request, headers: HeaderMap, trace: &Trace, (turns, transport): (&Turns, &Arc<dyn Transport>)) -> Result<Answer> {
        let mut token = self.token(request, None, None).await?;
        let mut tried: Vec<Option<String>> = Vec::new();
        let mut secrets = Secrets::default();
        if request.purpose == Purpose::Identity {
            secrets.add_form(&request.body);
        }
        if request.purpose == Purpose::Workflow {
            request.url.query_pairs().filter(|(name, _)| name.eq_ignore_ascii_case("sig")).for_each(|(_, sig)| secrets.add_text(&sig));
        }
        if request.purpose.is_upload() {
            // Whoever has such an address may write to it.
            request.url.query_pairs().for_each(|(_, value)| secrets.add_text(&value));
        }
        loop {
            if let Some(token) = &token {
                secrets.add(token.shared());
            }
            // A slot is for the exchange alone: the renewal of a token, which may take a while, holds none that others wait for.
            let answer = match self.batching.turn(request, &headers, token.as_ref(), (trace, turns, transport)).await? {
                Way::Alone(slot) => {
                    let answer = exchange(request, headers.clone(), token.as_ref(), trace, &**transport).await?;
                    if let Some(wait) = answer.as_ref().ok().and_then(|answer| asked_to_wait(answer, self.clock.now())) {
                        slot.fence(wait);
                    }
                    drop(slot);
                    answer
                }
                Way::Together(answer) => answer,
            };
            let answer = answer.map(|mut answer| {
                let owner = fit::Owner::of(token.as_ref(), &answer);
                answer.extensions_mut().insert(owner);
                answer.extensions_mut().insert(secrets.clone());
                answer
            });
            let (Ok(refused), Some(stale)) = (&answer, token) else { return Ok(answer) };
            if refused.status() != StatusCode::UNAUTHORIZED || request.bearer.is_some() || is_import_only(refused.body()) {
                if refused.status().is_success() {
                    self.accepted(request);
                }
                return Ok(answer);
            }
            // Claims that repeat what was sent are no claims.
            let claims = challenge::claims(refused.headers()).filter(|claims| !secrets.shares(claims) && request.purpose != Purpose::Bot);
            // After any fresh token, only what it was not asked for is a reason to ask for another.
            let again = tried.is_empty() || (claims.is_some() && !tried.contains(&claims) && tried.len() < MOST_TOKENS);
            if !again {
                let certain = claims.is_some() || is_about_the_token(refused.body());
                self.report(request, stale, claims, certain).await;
                return Ok(answer);
            }
            tried.push(claims.clone());
            token = self.token(request, Some(stale), claims).await?;
            self.meters.retries.up();
        }
    }

    async fn report(&self, request: &Request, token: AccessToken, claims: Option<String>, certain: bool) {
        // What the Bot Connector refuses says nothing of the account at Graph.
        if request.purpose == Purpose::Bot {
            return;
        }
        if let (Some(source), Some(account_id)) = (self.source(), request.account_id.clone()) {
            source.refused(account_id, token, claims, certain).await;
        }
    }

    fn accepted(&self, request: &Request) {
        if let (true, None, Some(account_id), Some(source)) = (request.purpose.is_graph(), &request.bearer, &request.account_id, self.source()) {
            source.accepted(account_id);
        }
    }

    fn source(&self) -> Option<Arc<dyn TokenSource>> {
        self.source.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade)
    }

    /// None: this purpose gets no Authorization header, whatever the request says.
    async fn token(&self, request: &Request, stale: Option<AccessToken>, claims: Option<String>) -> Result<Option<AccessToken>> {
        if request.purpose == Purpose::Bot {
            let (Some(account_id), Some(source)) = (request.account_id.clone(), self.source()) else { return Err(crate::runtime::closed()) };
            return source.bot_token(account_id, stale).await.map(Some).map_err(nothing_sent);
        }
        if !request.purpose.is_graph() {
            return Ok(None);
        }
        if let Some(bearer) = &request.bearer {
            return Ok(Some(bearer.clone()));
        }
        let Some(account_id) = request.account_id.clone() else {
            return Err(Error::internal("A Graph request names no account."));
        };
        match self.source() {
            Some(source) => source.token(account_id, stale, claims).await.map(Some).map_err(nothing_sent),
            None => Err(crate::runtime::closed()),
        }
    }
}

/// Whatever became of the token request, this one was not sent; its error must not leave that open.
fn nothing_sent(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Upstream | ErrorKind::OutcomeUnknown => Error::new(ErrorKind::Network, error.reason())
            .with_request_of(&error)
            .with_retry_after_ms(error.retry_after_ms())
            .with_source(error),
        _ => error,
    }
}

/// Teams answers 401 to an app that posts a message at all, however fresh its token is. The code is the same as for other refusals, so this is the
/// one place where a text decides, and only against asking for another token.
fn is_import_only(body: &[u8]) -> bool {
    const TEXT: &[u8] = b"allowed in application-only context only for import purposes";
    body.len() < 64 << 10 && body.windows(TEXT.len()).any(|window| window == TEXT)
}

/// Graph says that it is the token: a 401 with another code may mean anything.
fn is_about_the_token(body: &[u8]) -> bool {
    body.len() < 64 << 10 && error_code(body).is("invalidauthenticationtoken")
}
