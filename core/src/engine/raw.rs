//! Requests of a host's own to Graph, with the account's token, limits and retries.

use super::raw_response::RawResponse;
use super::{Engine, Inner};
use crate::clock::to_ms;
use crate::error::{Error, ErrorKind, Remedy, Result};
use crate::graph::{Caller, PageWalk, RawAnswer, RawCall};
use crate::model::{AccountKind, AuditKind, RawOutcome, RawPage, RawRequest};
use crate::pipeline::Priority;
use crate::store::{AccountRow, Entry};
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Requests of one call.
const MOST: usize = 10_000;
/// Bytes of their bodies together.
const LARGEST: usize = 64 << 20;
/// Requests of one call that wait for their turn at a time: one batch is under way, and the next is ready.
const AT_ONCE: usize = 40;

impl Engine {
    /// Any endpoint of Graph, v1.0 or beta, with the account's token, under its limits. A GET or HEAD is repeated after an outage or a lost answer; anything else only
    /// with `repeat`, and never by itself when it may have been done. 429 and 503 with a Retry-After are waited for as long as `max_wait_ms` allows. What Graph
    /// answers is handed out as it came, refusals (4xx) and redirects included: none is followed, since the token is for Graph alone; the address in `location` is
    /// yours to fetch, without one. A cancelled call is not sent; one that was under way may have been done.
    /// Errors: InvalidInput and LimitExceeded (before anything is sent), LinkRejected (an address that is not this cloud's Graph; nothing was sent), NotFound (of
    /// another owner), NotConnected, NeedsReconnect (a renewed token is refused as well), ConsentMissing, Forbidden (the registration, or `/me` of an organisation: nothing was sent), Throttled, Network (nothing
    /// was sent), OutcomeUnknown (it may have been done), Upstream (asked as often as sensible), StoreBusy.
    /// Source: Graph, use the API.
    pub async fn request(&self, account_id: String, request: RawRequest, owner: Option<String>) -> Result<Arc<RawResponse>> {
        let call = self.inner.reader.graph.raw(&request)?;
        drop(request);
        let answer = self.guard(|inner, stop| async move { stop.until(inner.raw_request(&account_id, &call, owner.as_deref())).await }).await?;
        Ok(Arc::new(RawResponse::new(&self.inner, answer)))
    }

    /// Many requests, in `$batch`es of up to 20 or beside them, whichever fits; in any order, and none waits for another. Outcomes come in the order of the
    /// requests, each with its own answer or failure: what is throttled or fails is repeated by itself, as by `request`. Bodies are whole. 10,000 requests and
    /// 64 MB of bodies at the most. Errors: as `request` before anything is sent (what is wrong with a request says which); later failures are in the outcomes.
    /// Source: Graph, combine multiple HTTP requests using JSON batching.
    pub async fn batch(&self, account_id: String, requests: Vec<RawRequest>, owner: Option<String>) -> Result<Vec<RawOutcome>> {
        let size = |request: &RawRequest| request.json.as_ref().map_or(0, String::len) + request.body.as_ref().map_or(0, Vec::len);
        if requests.len() > MOST || requests.iter().map(size).sum::<usize>() > LARGEST {
            return Err(Error::new(ErrorKind::LimitExceeded, "requests holds more than 10,000 requests, or 64 MB of bodies."));
        }
        let check = |(number, request): (usize, &RawRequest)| self.inner.reader.graph.raw(request).map_err(|e| of_request(number, e));
        let calls = requests.iter().enumerate().map(check).collect::<Result<Vec<_>>>()?;
        drop(requests);
        self.guard(|inner, stop| async move { stop.until(inner.raw_batch(&account_id, calls, owner.as_deref())).await }).await
    }

    /// A list, page by page: `@odata.nextLink` is followed on this cloud's Graph alone. What is wrong with the request is told by the stream.
    pub fn pages(&self, account_id: String, request: RawRequest, owner: Option<String>) -> Arc<RawPages> {
        Arc::new(RawPages { inner: self.inner.clone(), account_id, request, owner, walk: Mutex::new(None) })
    }
}

/// A list of Graph, page by page.
pub struct RawPages {
    inner: Arc<Inner>,
    account_id: String,
    request: RawRequest,
    owner: Option<String>,
    /// None before the first page.
    walk: Mutex<Option<PageWalk>>,
}

impl RawPages {
    /// The next page; none at the end. A cancelled wait loses nothing, and after an error the same page is asked for again. Errors: those of `request`; a refusal
    /// by its kind (Forbidden, NotFound, InvalidInput …); CursorExpired, when the state of a delta is gone; LinkRejected, when a link leads away from this cloud's
    /// Graph; Upstream, when the links lead in a circle; InvalidInput, when the answer is no list.
    pub async fn next(&self) -> Result<Option<RawPage>> {
        let mut walk = self.walk.lock().await;
        if walk.is_none() {
            *walk = Some(PageWalk::of(self.inner.reader.graph.raw(&self.request)?)?);
        }
        let Some(walk) = walk.as_mut() else { return Ok(None) };
        let Some(call) = walk.call() else { return Ok(None) };
        let (inner, account_id, owner) = (self.inner.clone(), self.account_id.clone(), self.owner.clone());
        let asked = self.inner.runtime.guard(|stop| async move {
            let page = async {
                let (caller, row) = inner.raw_caller(&account_id, owner.as_deref()).await?;
                check_own(&row, &call)?;
                inner.raw_record(&account_id, "A page of a list was read by a request of the host's own.".to_owned()).await?;
                inner.reader.graph.raw_page(&caller, &call).await
            };
            stop.until(page).await
        });
        let (page, place) = asked.await?;
        // Here, in the caller's own future: a wait that was cancelled gave nothing out.
        walk.advance(place).map_err(|e| e.on_account(&self.account_id))?;
        Ok(Some(page))
    }
}

impl Inner {
    /// An account that is connected, and the owner's. What it may do, Graph says.
    async fn raw_caller(&self, account_id: &str, owner: Option<&str>) -> Result<(Caller, AccountRow)> {
        if owner.is_some() {
            self.owned(account_id, owner).await?;
        }
        let row = self.connected(account_id).await?;
        if row.kind == AccountKind::SharedMailbox {
            let delegate = row.delegate.as_deref().unwrap_or_default();
            let reason = format!("Microsoft knows no token of a shared mailbox, and /me would be another mailbox. Ask through the account it is opened through ({delegate}), below /users/ and the mailbox's address.");
            return Err(Error::new(ErrorKind::Forbidden, reason).with_remedy(Remedy::Developer).on_account(account_id));
        }
        // Priority and patience are the request's own.
        Ok((Caller::new(account_id, Priority::Interactive, Duration::ZERO), row))
    }

    async fn raw_request(&self, account_id: &str, call: &RawCall, owner: Option<&str>) -> Result<RawAnswer> {
        let (caller, row) = self.raw_caller(account_id, owner).await?;
        check_own(&row, call)?;
        let words = if call.is_read() { "Something was read by a request of the host's own." } else { "A request of the host's own that may change something was made." };
        self.raw_record(account_id, words.to_owned()).await?;
        self.reader.graph.raw_send(&caller, call).await
    }

    async fn raw_batch(&self, account_id: &str, calls: Vec<RawCall>, owner: Option<&str>) -> Result<Vec<RawOutcome>> {
        let (caller, row) = &self.raw_caller(account_id, owner).await?;
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        calls.iter().enumerate().try_for_each(|(number, call)| check_own(row, call).map_err(|e| of_request(number, e)))?;
        let writes = calls.iter().filter(|call| !call.is_read()).count();
        self.raw_record(account_id, format!("{} requests of the host's own were made together, {writes} of which may change something.", calls.len())).await?;
        let each = futures_util::stream::iter(calls).map(|call| async move { outcome(self.reader.graph.raw_join(caller, &call).await) });
        Ok(each.buffered(AT_ONCE).collect().await)
    }

    /// Before it is sent: no record, no request. Neither addresses nor bodies enter.
    async fn raw_record(&self, account_id: &str, words: String) -> Result<()> {
        self.store.record(&[Entry::new(AuditKind::RawRequest, words).on(account_id)], to_ms(self.clock.now())).await
    }
}

/// Microsoft answers `/me` with 400 to a token without a person, and says less.
fn check_own(row: &AccountRow, call: &RawCall) -> Result<()> {
    if row.kind != AccountKind::Tenant || !call.is_own() {
        return Ok(());
    }
    let reason = "This account is that of an organisation, whose token is no person's, so there is no /me. Name whose it is: /users/ and an id or address. Nothing was sent.";
    Err(Error::new(ErrorKind::Forbidden, reason).with_remedy(Remedy::Developer).on_account(&row.id))
}

/// Says which of several requests an error is about, counted from 0.
fn of_request(number: usize, error: Error) -> Error {
    let reason = format!("requests[{number}]: {}", error.reason());
    error.with_reason(reason)
}

fn outcome(answered: Result<RawAnswer>) -> RawOutcome {
    match answered {
        Ok(answer) => RawOutcome {
            status: Some(answer.status.into()),
            headers: answer.headers,
            body: answer.body.to_vec(),
            request_id: answer.request_id,
            ..RawOutcome::default()
        },
        Err(error) => RawOutcome {
            request_id: error.request_id().map(str::to_owned),
            error_kind: Some(error.kind()),
            error: Some(error.reason().to_owned()),
            retry_after_ms: error.retry_after_ms(),
            ..RawOutcome::default()
        },
    }
}
