//! A request to the host's route: answered in well under three seconds, whatever it holds, and without a request to anybody.
//! Source: Graph, receive change notifications through webhooks; lifecycle notifications.

use super::Notify;
use super::parse::{Notification, Posted, Tokens, posted};
use super::prove::{Post, Told};
use crate::error::Result;
use crate::model::{HttpRequest, HttpResponse};
use crate::store::{KnownSubscription, Lifecycle};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// After that the store is taken for blocked, and Microsoft comes again.
const PATIENCE: Duration = Duration::from_millis(2_500);
const LARGEST_BODY: usize = 4 << 20;
const LONGEST_QUERY: usize = 16 << 10;
const LONGEST_TOKEN: usize = 4 << 10;

/// What the notifications of one post say, as far as they are believed.
#[derive(Default)]
struct Believed {
    /// Accounts with something new.
    accounts: BTreeSet<String>,
    lifecycle: BTreeMap<[u8; 32], Lifecycle>,
    /// Not proven yet.
    contents: Vec<Told>,
    good: u32,
    bad: u32,
}

impl Notify {
    /// Never fails: what goes wrong is told by the status, and Microsoft posts again later.
    pub async fn receive(&self, request: HttpRequest) -> HttpResponse {
        tokio::select! {
            answer = self.answer(&request) => answer,
            () = self.parts.clock.deadline(PATIENCE) => plain(503),
        }
    }

    async fn answer(&self, request: &HttpRequest) -> HttpResponse {
        if !self.is_on() {
            return plain(404);
        }
        if !request.method.eq_ignore_ascii_case("POST") {
            let mut answer = plain(405);
            answer.headers.insert("allow".to_owned(), "POST".to_owned());
            return answer;
        }
        if request.query.len() > LONGEST_QUERY {
            return plain(414);
        }
        if let Some(token) = validation_token(&request.query) {
            return handshake(token);
        }
        let body = request.body.as_deref().unwrap_or_default();
        if body.len() > LARGEST_BODY {
            return plain(413);
        }
        let (items, tokens) = match posted(body) {
            Posted::Items(items, tokens) => (items, tokens),
            Posted::TooMany => return plain(413),
            Posted::Unreadable => return plain(400),
        };
        // The same for good and bad ones: who guesses learns nothing.
        if self.take_in(items, tokens).await.is_ok() { plain(202) } else { plain(503) }
    }

    /// Everything is durable when this returns.
    async fn take_in(&self, items: Vec<Option<Notification>>, tokens: Tokens) -> Result<()> {
        let believed = self.check(items).await?;
        let contents = believed.contents;
        let (meters, clock) = (self.parts.graph.meters(), &self.parts.clock);
        meters.notifications.add(believed.good);
        meters.notifications_refused.add(believed.bad);
        if !believed.lifecycle.is_empty() {
            let told: Vec<_> = believed.lifecycle.into_iter().collect();
            self.parts.store.tell_subscriptions(&told, self.now()).await?;
            self.nudge();
        }
        if !believed.accounts.is_empty() {
            let marking = self.marks.begin(believed.accounts, clock.elapsed());
            if !marking.account_ids.is_empty() {
                self.parts.store.mark_news(&marking.account_ids, &self.holder, self.now()).await?;
                marking.done();
            }
        }
        // Marked first: what is wrong with a content loses nothing.
        self.prove_later(Post { tokens, contents });
        Ok(())
    }

    /// Each by itself: one that is forged costs its neighbours nothing.
    async fn check(&self, mut items: Vec<Option<Notification>>) -> Result<Believed> {
        let mut hashes = HashMap::new();
        for state in items.iter().flatten().filter_map(|item| item.client_state.as_deref()) {
            if !hashes.contains_key(state) {
                hashes.insert(state.to_owned(), self.client_hash(state)?);
            }
        }
        let wanted: Vec<[u8; 32]> = hashes.values().copied().collect();
        let known = self.known.find(&*self.parts.store, &*self.parts.clock, &wanted).await?;
        let mut believed = Believed::default();
        for item in &mut items {
            let found = item.as_mut().and_then(|item| {
                let hash = hashes.get(item.client_state.as_deref()?)?;
                known.get(hash).filter(|one| belongs(item, hash, one)).map(|one| (item, one))
            });
            let Some((item, one)) = found else {
                believed.bad = believed.bad.saturating_add(1);
                continue;
            };
            believed.good = believed.good.saturating_add(1);
            if let Some(content) = item.encrypted_content.take() {
                let graph_id = item.resource_data.take().and_then(|about| about.id);
                believed.contents.push(Told { account_id: one.account_id.clone(), tenant_id: one.tenant_id.clone(), app: one.app.clone(), graph_id, content });
            }
            match item.lifecycle_event.as_deref() {
                Some("reauthorizationRequired") => drop(believed.lifecycle.entry(one.client_hash).or_insert(Lifecycle::MustReauthorize)),
                Some("subscriptionRemoved") => drop(believed.lifecycle.insert(one.client_hash, Lifecycle::Removed)),
                // `missed`, and what Microsoft may invent: a look at the mailbox does no harm.
                _ => drop(believed.accounts.insert(one.account_id.clone())),
            }
        }
        Ok(believed)
    }
}

/// The subscription it names is the one whose client state it knows, and its tenant that of the account.
fn belongs(item: &Notification, hash: &[u8; 32], one: &KnownSubscription) -> bool {
    let is_proven = bool::from(hash.ct_eq(&one.client_hash));
    // The first notification may be quicker than the answer that names the subscription.
    let is_this = one.graph_id.as_deref().is_none_or(|id| item.subscription_id.as_deref().is_some_and(|named| named.eq_ignore_ascii_case(id)));
    let is_of_tenant = item.tenant_id.as_deref().is_none_or(|tenant| tenant.is_empty() || tenant.eq_ignore_ascii_case(&one.tenant_id));
    is_proven && is_this && is_of_tenant
}

/// Of Microsoft's question whether the route is ours.
pub(super) fn validation_token(query: &str) -> Option<String> {
    let query = query.strip_prefix('?').unwrap_or(query);
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name.eq_ignore_ascii_case("validationToken")).map(|(_, token)| token.into_owned())
}

/// The token and nothing else, as plain text that no browser takes for more.
pub(super) fn handshake(token: String) -> HttpResponse {
    if token.is_empty() || token.len() > LONGEST_TOKEN || token.chars().any(char::is_control) {
        return plain(400);
    }
    let headers = [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff"), ("cache-control", "no-store")];
    HttpResponse { status: 200, headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), body: token.into_bytes() }
}

fn plain(status: u32) -> HttpResponse {
    HttpResponse { status, headers: HashMap::new(), body: Vec::new() }
}
