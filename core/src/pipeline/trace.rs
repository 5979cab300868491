//! What may be logged of a request: names from a list; everything else is masked. An address or an id never reaches a log.

use super::body;
use super::transport::{Answer, Negotiated};
use super::{Request, Response};
use crate::error::{Error, Result};
use crate::foreign::RequestId;
use crate::random;
use http::HeaderValue;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing::Span;
use tracing::field::Empty;
use url::Url;

const SEGMENTS: &[&str] = &[
    "v1.0", "me", "users", "messages", "mailFolders", "childFolders", "delta", "attachments", "send", "chats", "$batch", "oauth2", "v2.0", "token",
    ".well-known", "openid-configuration", "discovery", "keys", "common", "organizations", "consumers", "inbox", "sentitems", "drafts",
    "drive", "drives", "items", "content", "createUploadSession", "invite", "teams", "channels", "filesFolder", "members", "hostedContents",
];
const PARAMETERS: &[&str] = &["$select", "$top", "$filter", "$orderby", "$expand", "$skip", "$skiptoken", "$deltatoken"];

/// One call, all its attempts: the id of the exchange under way, sent as `client-request-id`, and the address as it may be shown.
pub struct Trace {
    id: Mutex<HeaderValue>,
    shown: String,
    span: Span,
}

impl Trace {
    pub fn open(request: &Request) -> Result<Self> {
        let span = tracing::info_span!(
            target: "tidings::http", "tidings.request",
            method = %request.method, host = request.url.host_str().unwrap_or_default(), path = %redacted_path(&request.url),
            account = request.account_id.as_deref(), status = Empty, request_id = Empty, kind = Empty,
        );
        Ok(Self { id: Mutex::new(new_id()?), shown: format!("{} {}", request.method, redact(&request.url)), span })
    }

    /// Around all attempts.
    pub fn span(&self) -> &Span {
        &self.span
    }

    pub fn again(&self, attempt: u32) {
        tracing::debug!(target: "tidings::http", request = %self.shown, client_request_id = self.id(), attempt, "sent again");
    }

    /// What all attempts came to.
    pub fn close(&self, outcome: &Result<Response>, took: Duration) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match outcome {
            Ok(response) => {
                let is_seen = !self.span.is_disabled() || tracing::enabled!(target: "tidings::http", tracing::Level::DEBUG);
                let request_id = if is_seen { response.request_id() } else { None };
                let request_id = request_id.as_ref().map(RequestId::as_str);
                self.span.record("status", response.status.as_u16());
                self.span.record("request_id", request_id);
                let status = response.status.as_u16();
                tracing::debug!(target: "tidings::http", request = %self.shown, client_request_id = self.id(), status, request_id, ms, "done");
            }
            Err(error) => {
                let (kind, request_id) = (error.kind(), error.request_id());
                self.span.record("kind", tracing::field::debug(kind));
                self.span.record("request_id", request_id);
                tracing::info!(target: "tidings::http", request = %self.shown, client_request_id = self.id(), ?kind, request_id, ms, "a request failed");
            }
        }
    }

    fn id(&self) -> String {
        self.id.lock().unwrap_or_else(PoisonError::into_inner).to_str().unwrap_or_default().to_owned()
    }

    /// Each exchange has an id of its own, so that an answer to the attempt before is told from the one to this.
    pub fn next(&self) -> Result<HeaderValue> {
        let id = new_id()?;
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = id.clone();
        Ok(id)
    }

    /// It goes in a batch with others, which is an exchange of its own.
    pub fn batched(&self, requests: usize) {
        tracing::debug!(target: "tidings::http", request = %self.shown, requests, "sent in a batch");
    }

    pub fn misfit(&self) {
        tracing::warn!(target: "tidings::http", request = %self.shown, client_request_id = self.id(), "an answer belongs to another request; it was refused and its connections were closed");
    }

    pub fn note(&self, attempt: u32, answer: &Answer) {
        let client_request_id = self.id();
        match answer {
            Ok(answer) => {
                let (status, bytes) = (answer.status().as_u16(), body::length(answer));
                if status == 429 {
                    tracing::info!(target: "tidings::http", request = %self.shown, client_request_id, attempt, status, "throttled");
                }
                let tls = answer.extensions().get::<Negotiated>().map(|n| n.0);
                tracing::debug!(target: "tidings::http", request = %self.shown, client_request_id, attempt, status, bytes, tls, "answered");
            }
            Err(error) => tracing::debug!(target: "tidings::http", request = %self.shown, client_request_id, attempt, trouble = ?error.trouble, "no answer"),
        }
    }
}

fn new_id() -> Result<HeaderValue> {
    HeaderValue::from_str(&random::uuid()?).map_err(|_| Error::internal("A request id could not be made."))
}

/// `https://graph.microsoft.com/v1.0/me/messages/…?$select=…`
pub fn redact(url: &Url) -> String {
    let query: Vec<String> = url
        .query_pairs()
        .map(|(name, _)| format!("{}=…", PARAMETERS.iter().find(|known| **known == name).copied().unwrap_or("…")))
        .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{}{mark}{}", url.origin().ascii_serialization(), redacted_path(url), query.join("&"))
}

fn redacted_path(url: &Url) -> String {
    let path: Vec<&str> = url.path_segments().into_iter().flatten().map(|s| if s.is_empty() || SEGMENTS.contains(&s) { s } else { "…" }).collect();
    format!("/{}", path.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_addresses_and_values_are_masked() {
        let url = Url::parse("https://graph.microsoft.com/v1.0/users/ann%40contoso.com/messages/AAMk=?$select=id&code=secret&$filter=mail%20eq%20'x'").unwrap();
        assert_eq!(redact(&url), "https://graph.microsoft.com/v1.0/users/…/messages/…?$select=…&…=…&$filter=…");
    }
}
