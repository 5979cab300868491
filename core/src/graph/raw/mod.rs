//! Requests of a host's own, to any endpoint. What they say is checked as far as it could do harm; what comes back is handed on as it came.

mod address;
mod headers;
mod page;

pub use page::PageWalk;

use super::{Caller, Graph, fault, wire};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::model::RawRequest;
use crate::pipeline::{Priority, Request, Response, Rest, Safety, Whole};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use serde::de::IgnoredAny;
use std::collections::HashMap;
use std::time::Duration;

/// A body up to this is handed out whole, a longer one piece by piece.
const WHOLE: usize = 1 << 20;
/// Of a request.
const LONGEST_BODY: usize = 64 << 20;
const LONGEST_WAIT_MS: u32 = 3_600_000;
/// Of an answer: how it travelled, which is over. Cookies are nobody's here.
const PRIVATE: [&str; 6] = ["connection", "keep-alive", "transfer-encoding", "upgrade", "set-cookie", "trailer"];

/// A request that may be sent.
#[derive(Clone)]
pub struct RawCall {
    request: Request,
    /// It is about whoever the token is for: `/me`.
    is_own: bool,
}

/// What came, whatever its status.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: Bytes,
    pub rest: Option<Rest>,
    pub request_id: Option<String>,
}

impl RawCall {
    /// It asks, and changes nothing.
    pub fn is_read(&self) -> bool {
        matches!(self.request.method, Method::GET | Method::HEAD)
    }

    /// It asks for something of the person the token is for, which a token without a person cannot.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// Whose token it uses.
    fn of(&self, caller: &Caller) -> Request {
        let mut request = self.request.clone();
        request.account_id = Some(caller.account_id.clone());
        request
    }
}

impl Graph {
    /// Touches nothing. Errors: InvalidInput, LimitExceeded, LinkRejected.
    pub fn raw(&self, raw: &RawRequest) -> Result<RawCall> {
        let method = method(&raw.method)?;
        let (url, purpose) = address::address(&self.endpoints, self.pipeline.hosts(), raw)?;
        let is_own = address::is_own(&self.endpoints, &url, purpose)?;
        let mut request = Request::get(url, purpose);
        request.headers = headers::headers(raw)?;
        request.body = body(raw, &method)?;
        if request.body.is_empty() && matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            // Without it some servers wait for a body.
            request.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if raw.max_wait_ms > LONGEST_WAIT_MS {
            return Err(Error::invalid("max_wait_ms must be an hour (3600000) at the most."));
        }
        request.max_wait = Duration::from_millis(raw.max_wait_ms.into());
        request.priority = if raw.background { Priority::BackFill } else { Priority::Interactive };
        request.safety = if raw.repeat || matches!(method, Method::GET | Method::HEAD) { Safety::Repeatable } else { Safety::Once };
        request.may_be_empty = true;
        request.method = method;
        Ok(RawCall { request, is_own })
    }

    /// Sends it alone; a long body is read on demand. Errors: the pipeline's; NeedsReconnect, when the token is refused.
    pub async fn raw_send(&self, caller: &Caller, call: &RawCall) -> Result<RawAnswer> {
        let mut request = call.of(caller);
        request.whole = Some(Whole(WHOLE));
        let safety = request.safety;
        answered(self.pipeline.send(request).await?, safety).map_err(|e| e.on_account(&caller.account_id))
    }

    /// Sends it with what is sent beside it. Errors: those of [`raw_send`](Self::raw_send).
    pub async fn raw_join(&self, caller: &Caller, call: &RawCall) -> Result<RawAnswer> {
        let mut request = call.of(caller);
        // A body of anything but JSON is not for a batch, and goes beside it.
        request.is_batchable = request.body.is_empty() || (is_json(&request.headers) && json::read::<IgnoredAny>(&request.body).is_ok());
        let (safety, was_batchable) = (request.safety, request.is_batchable);
        let mut answer = answered(self.pipeline.send(request).await?, safety).map_err(|e| e.on_account(&caller.account_id))?;
        if was_batchable && !answer.headers.get(CONTENT_TYPE.as_str()).is_none_or(|kind| is_json_type(kind)) {
            answer.body = unpacked(answer.body);
        }
        Ok(answer)
    }
}

fn method(text: &str) -> Result<Method> {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    known.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| Error::invalid("method must be GET, HEAD, POST, PUT, PATCH or DELETE."))
}

fn body(raw: &RawRequest, method: &Method) -> Result<Bytes> {
    let body = match (&raw.json, &raw.body) {
        (Some(_), Some(_)) => return Err(Error::invalid("json and body are both given. Give one.")),
        (Some(text), None) => {
            json::of_text::<IgnoredAny>(text).map_err(|_| Error::invalid("json is no JSON, or nested more than 64 deep."))?;
            Bytes::copy_from_slice(text.as_bytes())
        }
        (None, Some(body)) => Bytes::copy_from_slice(body),
        (None, None) => Bytes::new(),
    };
    if body.len() > LONGEST_BODY {
        return Err(Error::new(ErrorKind::LimitExceeded, "The body is longer than 64 MB. Send it in parts, by an upload session."));
    }
    if !body.is_empty() && matches!(*method, Method::GET | Method::HEAD) {
        return Err(Error::invalid("A GET or HEAD has no body."));
    }
    Ok(body)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).is_some_and(is_json_type)
}

fn is_json_type(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// In a batch, what is no JSON is a text in base64. Source: Graph, json-batching, response format.
fn unpacked(body: Bytes) -> Bytes {
    let Ok(text) = json::read::<String>(&body) else { return body };
    let decoded = [STANDARD.decode(&text), STANDARD_NO_PAD.decode(&text), URL_SAFE.decode(&text), URL_SAFE_NO_PAD.decode(&text)].into_iter().find_map(|decoded| decoded.ok());
    Bytes::from(decoded.unwrap_or_else(|| text.into_bytes()))
}

/// The answer as it is handed out. A refusal of the token is the account's matter; every other is the caller's.
fn answered(response: Response, safety: Safety) -> Result<RawAnswer> {
    let request_id = response.request_id();
    if response.refuses_the_token() {
        return Err(fault::error(response.status, &response.body, &response.secrets).with_request_id(request_id));
    }
    let text = json::text(&response.body);
    if response.repeats(&text) {
        let repeating = match safety {
            Safety::Repeatable => wire::repeating(),
            // It may have been done all the same.
            Safety::Once => Error::new(ErrorKind::OutcomeUnknown, "Microsoft's answer repeats what proves who asked, so nothing of it was kept. What was asked for may have been done."),
        };
        return Err(repeating.with_request_id(request_id));
    }
    let headers = handed_out(&response);
    Ok(RawAnswer { status: response.status.as_u16(), headers, body: response.body, rest: response.rest, request_id: request_id.map(|id| id.as_str().to_owned()) })
}

fn handed_out(response: &Response) -> HashMap<String, String> {
    let value = |name: &HeaderName| {
        let values: Vec<&str> = response.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        let value = values.join(", ");
        (!values.is_empty() && !response.repeats(&value)).then_some(value)
    };
    response.headers.keys().filter(|name| !PRIVATE.contains(&name.as_str())).filter_map(|name| Some((name.as_str().to_owned(), value(name)?))).collect()
}

#[cfg(test)]
mod tests;
