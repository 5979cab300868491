//! Requests of one account that wait for their turn at the same time travel together, in one `$batch` of up to 20.
//!
//! Each request waits by itself and keeps its own patience, retries and outcome. Whoever gets a turn takes along what waits beside it: same account, same
//! service, same priority, same token. With nobody beside it, it goes as a plain request. What becomes of the batch as a whole becomes of each of its
//! requests: an answer that is lost leaves each of them in doubt, a refusal with 429 or 401 refuses each. What a batch is refused for its form is asked for
//! one by one.

pub mod wire;

use super::exchange::exchange;
use super::fit::Owner;
use super::retry::asked_to_wait;
use super::schedule::{Cost, Slot, Turns};
use super::scope::RateScope;
use super::trace::Trace;
use super::transport::{Answer, Sent, Transport, TransportError, Trouble};
use super::{AccessToken, Priority, Purpose, Request};
use crate::clock::Clock;
use crate::error::Result;
use crate::json;
use crate::metrics::Meters;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::value::RawValue;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use url::Url;
use wire::{Asked, MOST_ITEMS};

/// What is longer goes alone.
const LARGEST_ITEM: usize = 128 << 10;
/// Bodies of one batch together. Graph takes 4 MB.
const LARGEST_BATCH: usize = 1 << 20;
/// From so many requests on it is worth waiting until all slots of a batch are free.
const WORTH_WAITING: usize = 4;

/// How a request that came to its turn is sent.
pub enum Way {
    /// By its caller; the slot is held until the answer is there.
    Alone(Slot),
    /// It was in a batch, and this came of it.
    Together(Answer),
}

/// Who may travel together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Group {
    account_id: String,
    /// A batch is of one version of Graph.
    purpose: u8,
    scope: RateScope,
    priority: Priority,
}

/// What came of a request that was taken along.
enum Outcome {
    Answered(Answer),
    /// Nothing of it was done; it is to be sent by itself.
    Alone,
}

impl Outcome {
    fn asked_to_wait(&self, now: SystemTime) -> Option<Duration> {
        match self {
            Self::Answered(Ok(answer)) => asked_to_wait(answer, now),
            Self::Answered(Err(_)) | Self::Alone => None,
        }
    }
}

/// A request that waits for its turn.
struct Item {
    number: u64,
    request: Request,
    headers: HeaderMap,
    token: AccessToken,
    answered: oneshot::Sender<Outcome>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    groups: HashMap<Group, VecDeque<Item>>,
}

/// What waits and may travel together.
#[derive(Clone)]
pub struct Batching {
    graph: Url,
    beta: Option<Url>,
    waiting: Arc<Mutex<Waiting>>,
    clock: Arc<dyn Clock>,
    meters: Meters,
}

/// A request's place among those that wait; given back when dropped.
struct Place<'a> {
    batching: &'a Batching,
    group: &'a Group,
    number: u64,
    outcome: oneshot::Receiver<Outcome>,
}

impl Place<'_> {
    /// What came of it once somebody took it along.
    async fn outcome(&mut self) -> Outcome {
        // The task that had it was ended: it may have been sent.
        (&mut self.outcome).await.unwrap_or(Outcome::Answered(Err(TransportError::new(Sent::Maybe, Trouble::Broken))))
    }

    /// None: somebody took it along.
    fn withdraw(&self) -> Option<Item> {
        self.batching.waiting().withdraw(self.group, self.number)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

impl Waiting {
    fn withdraw(&mut self, group: &Group, number: u64) -> Option<Item> {
        let items = self.groups.get_mut(group)?;
        let at = items.iter().position(|item| item.number == number)?;
        let item = items.remove(at);
        if items.is_empty() {
            self.groups.remove(group);
        }
        item
    }

    /// The oldest of a group, as many as go into a batch with `first`.
    fn take(&mut self, group: &Group, first: &Item, most: usize) -> Vec<Item> {
        let Some(items) = self.groups.get_mut(group) else { return Vec::new() };
        let (mut taken, mut left, mut size) = (Vec::new(), VecDeque::new(), first.request.body.len());
        for item in items.drain(..) {
            // Who asked may have gone away.
            if item.answered.is_closed() {
                continue;
            }
            let fits = taken.len() + 1 < most && size + item.request.body.len() <= LARGEST_BATCH && item.token == first.token;
            if fits {
                size += item.request.body.len();
                taken.push(item);
            } else {
                left.push_back(item);
            }
        }
        if left.is_empty() {
            self.groups.remove(group);
        } else {
            *items = left;
        }
        taken
    }

    fn put_back(&mut self, group: &Group, items: Vec<Item>) {
        if items.is_empty() {
            return;
        }
        let waiting = self.groups.entry(group.clone()).or_default();
        items.into_iter().rev().for_each(|item| waiting.push_front(item));
    }
}

impl Batching {
    /// `graph`: its address with the version; `beta`: that of the other one.
    pub fn new((graph, beta): (Url, Option<Url>), clock: Arc<dyn Clock>, meters: Meters) -> Self {
        Self { graph, beta, waiting: Arc::default(), clock, meters }
    }

    /// Waits for the turn of a request, or until another one takes it along. Dropping the future takes it back, unless it is on its way.
    ///
    /// Errors: those of [`Turns::enter`].
    pub async fn turn(&self, request: &Request, headers: &HeaderMap, token: Option<&AccessToken>, (trace, turns, transport): (&Trace, &Turns, &Arc<dyn Transport>)) -> Result<Way> {
        let (Some(token), Some(group)) = (token, self.group(request, turns)) else { return Ok(Way::Alone(turns.enter().await?)) };
        let (group, mut cost) = (&group, Cost::ONE);
        let mut is_first = true;
        loop {
            let mut place = self.wait(group, request, headers, token);
            if std::mem::take(&mut is_first) {
                // What became ready together, by one commit or one answer, gets here before any of it goes.
                tokio::task::yield_now().await;
            }
            let slot = tokio::select! {
                biased;
                outcome = place.outcome() => return after(outcome, turns).await,
                slot = turns.enter_for(cost) => slot,
            };
            // Also without a slot: what another one took along is on its way, and whoever waited too long for a slot must not say that it was not sent.
            let Some(own) = place.withdraw() else {
                if let Ok(mut unused) = slot {
                    unused.narrow(0);
                }
                return after(place.outcome().await, turns).await;
            };
            let mut slot = slot?;
            // In one step: whoever finds its request gone waits for what comes of it, and must not find itself put back.
            let (mut mates, wanted, is_worth_waiting) = {
                let mut waiting = self.waiting();
                let mut mates = waiting.take(group, &own, turns.most_together().min(MOST_ITEMS));
                let wanted = mates.len() + 1;
                let room = if wanted > 1 { slot.widen(u32::try_from(wanted).unwrap_or(1)) as usize } else { 1 };
                let is_worth_waiting = room < wanted && wanted >= WORTH_WAITING && cost == Cost::ONE;
                let left = if is_worth_waiting { std::mem::take(&mut mates) } else { mates.split_off(room.clamp(1, wanted) - 1) };
                waiting.put_back(group, left);
                (mates, wanted, is_worth_waiting)
            };
            if is_worth_waiting {
                slot.narrow(0);
                cost = Cost { is_divisible: true, ..Cost::of(wanted) };
                continue;
            }
            slot.narrow(u32::try_from(mates.len() + 1).unwrap_or(u32::MAX));
            if mates.is_empty() {
                return Ok(Way::Alone(slot));
            }
            trace.batched(mates.len() + 1);
            mates.insert(0, own);
            // A task of its own: if this caller goes away, the others still get their answers.
            tokio::spawn(self.clone().send(mates, slot, transport.clone()));
            return after(place.outcome().await, turns).await;
        }
    }

    fn group(&self, request: &Request, turns: &Turns) -> Option<Group> {
        let is_fit = request.is_batchable && request.bearer.is_none() && request.body.len() <= LARGEST_ITEM && self.path(request).is_some();
        let account_id = request.account_id.clone().filter(|_| is_fit)?;
        Some(Group { account_id, purpose: request.purpose as u8, scope: turns.scope().clone(), priority: turns.priority() })
    }

    /// Graph in the version that a request is for.
    fn root(&self, request: &Request) -> Option<&Url> {
        if request.purpose == Purpose::Beta { self.beta.as_ref() } else { Some(&self.graph) }
    }

    /// Below Graph's version, without a slash before it.
    fn path<'a>(&self, request: &'a Request) -> Option<&'a str> {
        request.url.as_str().strip_prefix(self.root(request)?.as_str())
    }

    fn wait<'a>(&'a self, group: &'a Group, request: &Request, headers: &HeaderMap, token: &AccessToken) -> Place<'a> {
        let (answered, outcome) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.next += 1;
        let number = waiting.next;
        let item = Item { number, request: request.clone(), headers: headers.clone(), token: token.clone(), answered };
        waiting.groups.entry(group.clone()).or_default().push_back(item);
        Place { batching: self, group, number, outcome }
    }

    async fn send(self, items: Vec<Item>, slot: Slot, transport: Arc<dyn Transport>) {
        let outcomes = self.exchange(&items, &*transport).await;
        let now = self.clock.now();
        if let Some(longest) = outcomes.iter().filter_map(|outcome| outcome.asked_to_wait(now)).max() {
            slot.fence(longest);
        }
        drop(slot);
        for (item, outcome) in items.into_iter().zip(outcomes) {
            // Who asked may have gone away.
            let _ = item.answered.send(outcome);
        }
    }

    /// What came of each of them.
    async fn exchange(&self, items: &[Item], transport: &dyn Transport) -> Vec<Outcome> {
        let alone = || items.iter().map(|_| Outcome::Alone).collect();
        let (Some(first), Some(request)) = (items.first(), self.envelope(items)) else { return alone() };
        let Ok(trace) = Trace::open(&request) else { return alone() };
        // An error here comes before anything is sent, and comes again when it is asked for alone.
        let Ok(answer) = exchange(&request, request.headers.clone(), Some(&first.token), &trace, transport).await else { return alone() };
        trace.note(1, &answer);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return items.iter().map(|_| Outcome::Answered(Err(error.clone()))).collect(),
        };
        match answer.status() {
            status if status.is_success() => self.answers(items, &first.token, &answer),
            StatusCode::UNAUTHORIZED | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => items.iter().map(|_| Outcome::Answered(Ok(copy(&answer)))).collect(),
            // The form of the batch, or of one of its requests: nothing of it was done.
            status if status.is_client_error() => alone(),
            _ => items.iter().map(|_| Outcome::Answered(Ok(copy(&answer)))).collect(),
        }
    }

    /// None: it cannot be written.
    fn envelope(&self, items: &[Item]) -> Option<Request> {
        let urls: Vec<String> = items.iter().map(|item| Some(format!("/{}", self.path(&item.request)?))).collect::<Option<_>>()?;
        let asked: Vec<Asked<'_>> = items.iter().zip(&urls).zip(1..).map(|((item, url), n)| asked(item, url, n)).collect::<Option<_>>()?;
        let first = &items.first()?.request;
        let url = self.root(first)?.join("$batch").ok()?;
        let mut request = Request::get(url, first.purpose).with_body(Method::POST, "application/json", wire::write(&asked).ok()?);
        request.account_id = first.account_id.clone();
        Some(request)
    }

    fn answers(&self, items: &[Item], token: &AccessToken, answer: &Response<Bytes>) -> Vec<Outcome> {
        let (text, owner) = (json::text(answer.body()), Owner::of(Some(token), answer));
        // What cannot be read may have been done all the same.
        let mut answers = wire::read(&text).unwrap_or_default();
        let of_item = |(item, n): (&Item, u32)| {
            let Some(mut own) = answers.remove(&n.to_string()).and_then(|answer| answer.response()) else {
                return Outcome::Answered(Err(TransportError::new(Sent::Maybe, Trouble::Broken)));
            };
            if !owner.fits(item.request.url.path(), own.body()) {
                return Outcome::Answered(Err(TransportError::new(Sent::Maybe, Trouble::Misfit)));
            }
            match own.status() {
                StatusCode::FAILED_DEPENDENCY => return Outcome::Alone,
                StatusCode::TOO_MANY_REQUESTS => self.meters.throttled.up(),
                _ => {}
            }
            for name in [DATE, HeaderName::from_static("request-id")] {
                if let Some(value) = answer.headers().get(&name).filter(|_| !own.headers().contains_key(&name)) {
                    own.headers_mut().insert(name, value.clone());
                }
            }
            Outcome::Answered(Ok(own))
        };
        items.iter().zip(1..).map(of_item).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn after(outcome: Outcome, turns: &Turns) -> Result<Way> {
    Ok(match outcome {
        Outcome::Answered(answer) => Way::Together(answer),
        Outcome::Alone => Way::Alone(turns.enter().await?),
    })
}

fn asked<'a>(item: &'a Item, url: &'a str, n: u32) -> Option<Asked<'a>> {
    // Of JSON there is none to choose in a batch.
    let is_usual = |name: &HeaderName, value: &HeaderValue| *name == ACCEPT && ["application/json", "*/*"].iter().any(|usual| value == *usual);
    let is_sent = |name: &HeaderName| ![AUTHORIZATION, CONTENT_LENGTH].contains(name);
    let headers = item.headers.iter().filter(|(name, value)| is_sent(name) && !is_usual(name, value)).map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect::<Option<_>>()?;
    let body = match item.request.body.is_empty() {
        true => None,
        false => Some(serde_json::from_slice::<&RawValue>(&item.request.body).ok()?),
    };
    Some(Asked { id: n.to_string(), method: item.request.method.as_str(), url, headers, body })
}

/// For each request of a batch that was answered as a whole.
fn copy(answer: &Response<Bytes>) -> Response<Bytes> {
    let mut copied = Response::new(answer.body().clone());
    *copied.status_mut() = answer.status();
    *copied.headers_mut() = answer.headers().clone();
    copied
}

#[cfg(test)]
mod tests;
