//! What may be logged of a request: names from a list; everything else is masked. An address or an id never reaches a log.

use super::Request;
use super::transport::Answer;
use crate::error::{Error, Result};
use crate::random;
use http::{HeaderName, HeaderValue};
use url::Url;

const SEGMENTS: &[&str] = &[
    "v1.0", "me", "users", "messages", "mailFolders", "childFolders", "delta", "attachments", "send", "chats", "$batch", "oauth2", "v2.0", "token",
    ".well-known", "openid-configuration", "discovery", "keys", "common", "organizations", "consumers", "inbox", "sentitems", "drafts",
];
const PARAMETERS: &[&str] = &["$select", "$top", "$filter", "$expand", "$skip", "$skiptoken", "$deltatoken"];

/// One call, all its attempts: the id sent as `client-request-id`, and the address as it may be shown.
pub struct Trace {
    id: HeaderValue,
    shown: String,
}

impl Trace {
    pub fn open(request: &Request) -> Result<Self> {
        let id = HeaderValue::from_str(&random::uuid()?).map_err(|_| Error::internal("A request id could not be made."))?;
        Ok(Self { id, shown: format!("{} {}", request.method, redact(&request.url)) })
    }

    pub fn header(&self) -> (HeaderName, HeaderValue) {
        (HeaderName::from_static("client-request-id"), self.id.clone())
    }

    pub fn note(&self, attempt: u32, answer: &Answer) {
        let client_request_id = self.id.to_str().unwrap_or_default();
        match answer {
            Ok(answer) => {
                let (status, bytes) = (answer.status().as_u16(), answer.body().len());
                tracing::debug!(target: "tidings::http", request = %self.shown, client_request_id, attempt, status, bytes, "answered");
            }
            Err(error) => tracing::debug!(target: "tidings::http", request = %self.shown, client_request_id, attempt, trouble = ?error.trouble, "no answer"),
        }
    }
}

/// `https://graph.microsoft.com/v1.0/me/messages/…?$select=…`
pub fn redact(url: &Url) -> String {
    let path: Vec<&str> = url.path_segments().into_iter().flatten().map(|s| if s.is_empty() || SEGMENTS.contains(&s) { s } else { "…" }).collect();
    let query: Vec<String> = url
        .query_pairs()
        .map(|(name, _)| format!("{}=…", PARAMETERS.iter().find(|known| **known == name).copied().unwrap_or("…")))
        .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}/{}{mark}{}", url.origin().ascii_serialization(), path.join("/"), query.join("&"))
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
