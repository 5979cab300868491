//! What goes out and what comes back. Whether a request may be repeated belongs to the request, not to a retry policy.

use super::body::Sink;
use super::challenge;
use super::fit::Owner;
use super::rest::{Rest, Whole};
use super::schedule::Cost;
use crate::json::{self, lenient};
use crate::foreign::{RequestId, Secret, Secrets, ShownCode};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Which service a request is for. Each has its own hosts. Only Graph, in either of its versions, and the Bot Connector ever get an Authorization header, each
/// with tokens of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Identity,
    Graph,
    /// Graph's beta, for what a host asks itself.
    Beta,
    /// Pre-authorised addresses of large attachments of mails.
    Upload,
    /// The same of files in OneDrive and SharePoint.
    FileUpload,
    /// URLs that take posts, and prove by themselves that one may.
    Workflow,
    /// The Bot Connector, which takes what a bot says.
    Bot,
    /// The keys with which it signs what it posts to a bot.
    BotKeys,
}

impl Purpose {
    pub fn is_graph(self) -> bool {
        matches!(self, Self::Graph | Self::Beta)
    }

    /// Whoever has the address may write to it.
    pub fn is_upload(self) -> bool {
        matches!(self, Self::Upload | Self::FileUpload)
    }
}

/// `Once` is repeated only when it is proven that nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    Repeatable,
    Once,
}

/// Who goes first when slots are scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A person waits for it.
    Interactive,
    Send,
    /// What is new.
    Sync,
    /// History, and what else can wait.
    BackFill,
}

impl Priority {
    pub const ALL: [Self; 4] = [Self::Interactive, Self::Send, Self::Sync, Self::BackFill];
}

/// Attempts of a request that fails.
pub const ATTEMPTS: u32 = 5;
/// A Graph page, decompressed.
pub const MAX_PAGE: usize = 32 << 20;
/// An answer about several items, decompressed. Where it is larger, fewer of them are asked for: an answer is held in memory until it is stored.
pub const MAX_SEVERAL: usize = 8 << 20;
/// A page of messages, decompressed. It is read while it arrives, and what is kept of it is packed; a larger one is asked for in parts.
pub const MAX_STREAMED: usize = 16 << 20;
/// An answer of the token endpoint.
pub const MAX_TOKEN: usize = 256 << 10;
/// An answer of a workflow.
pub const MAX_POSTED: usize = 64 << 10;
/// An answer of the Bot Connector: a page of a roster of 500 people.
pub const MAX_ROSTER: usize = 2 << 20;
/// OpenID metadata and signing keys.
pub const MAX_KEYS: usize = 1 << 20;

/// A bearer token: cheap to share, wiped when the last holder drops it, never printed.
#[derive(Clone)]
pub struct AccessToken(Arc<Secret>);

impl AccessToken {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Secret::new(text)))
    }

    /// The same token, without what was worked out of it.
    pub fn anew(&self) -> Self {
        self.expose(|text| Self::new(text))
    }

    /// For the list of what an exchange keeps to itself.
    pub fn shared(&self) -> Arc<Secret> {
        self.0.clone()
    }

    pub fn expose<T>(&self, use_it: impl FnOnce(&str) -> T) -> T {
        use_it(self.0.expose())
    }
}

// Compared only with each other, to see whether a token that was refused is still the current one.
impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        Arc::ptr_eq(&self.0, &other.0) || bool::from(self.0.expose().as_bytes().ct_eq(other.0.expose().as_bytes()))
    }
}

#[derive(Clone)]
pub struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub purpose: Purpose,
    pub safety: Safety,
    /// Whose token and whose share of the mailbox.
    pub account_id: Option<String>,
    /// Who shares a Retry-After of a sign-in that has no account yet: the tenant, and the application where one asks.
    pub share: String,
    /// The conversation of a bot that it counts in.
    pub thread: Option<String>,
    /// Used instead of the account's token: the first request of an account that is not stored yet.
    pub bearer: Option<AccessToken>,
    pub priority: Priority,
    /// What it counts for.
    pub cost: Cost,
    /// It may travel in a `$batch` with others of its account. Graph only, with a body of JSON or none.
    pub is_batchable: bool,
    /// How long this call may wait in all: for its turn, Retry-After and back-off.
    pub max_wait: Duration,
    /// How often a request that fails is made at the most; refusals with 429 do not count.
    pub attempts: u32,
    /// Largest answer accepted, decompressed.
    pub max_body: usize,
    /// Takes the body of the answer while it arrives, if that is a success. Not for what may travel in a `$batch`.
    pub sink: Option<Sink>,
    /// The body of a success that is longer than this is read on demand, whatever its length. Not for what may travel in a `$batch`.
    pub whole: Option<Whole>,
    /// A success without a body is an answer, also to a GET.
    pub may_be_empty: bool,
}

impl Request {
    /// A repeatable GET that may pause for ten seconds.
    pub fn get(url: Url, purpose: Purpose) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("application/json"))]),
            body: Bytes::new(),
            purpose,
            safety: Safety::Repeatable,
            account_id: None,
            share: String::new(),
            thread: None,
            bearer: None,
            priority: Priority::Interactive,
            cost: Cost::ONE,
            is_batchable: false,
            max_wait: Duration::from_secs(10),
            attempts: ATTEMPTS,
            max_body: match purpose {
                Purpose::Identity => MAX_TOKEN,
                Purpose::Graph | Purpose::Beta | Purpose::Upload | Purpose::FileUpload => MAX_PAGE,
                Purpose::Workflow => MAX_POSTED,
                Purpose::Bot => MAX_ROSTER,
                Purpose::BotKeys => MAX_KEYS,
            },
            sink: None,
            whole: None,
            may_be_empty: false,
        }
    }

    pub fn with_body(mut self, method: Method, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.method = method;
        self.body = body.into();
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What is still to come of the body.
    pub rest: Option<Rest>,
    /// What this answer must not carry any further.
    pub secrets: Secrets,
    owner: Owner,
}

impl Response {
    pub fn of(answer: http::Response<Bytes>) -> Self {
        let (mut parts, body) = answer.into_parts();
        let secrets: Secrets = parts.extensions.remove().unwrap_or_default();
        let owner = parts.extensions.remove().unwrap_or_default();
        Self { status: parts.status, headers: parts.headers, body, rest: parts.extensions.remove(), secrets, owner }
    }

    /// Whether a part of this answer is about what that part asked for. The pipeline has looked at the answer as a whole, but not into a batch.
    pub fn fits(&self, path: &str, part: &[u8]) -> bool {
        self.owner.fits(path, part)
    }

    /// Microsoft's id of this exchange, for a support case. To see that it repeats no secret takes a while, so it is looked at when it is shown.
    pub fn request_id(&self) -> Option<RequestId> {
        ["request-id", "x-ms-request-id"].iter().filter_map(|name| self.header(name)).find_map(|id| RequestId::of(id, &self.secrets))
    }

    /// It refuses the token itself: it says so, or says what another one must hold. Any other 401 may be about anything.
    pub fn refuses_the_token(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && (challenge::claims(&self.headers).is_some() || error_code(&self.body).is("invalidauthenticationtoken"))
    }

    /// It repeats what proves who asks.
    pub fn repeats(&self, text: &str) -> bool {
        self.secrets.proofs().are_in(text)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The code of an error, in lower case, since its spelling varies by service. For comparing; it has no text form, and is shown only by [`shown`](Self::shown).
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorCode(String);

impl ErrorCode {
    pub fn is(&self, known: &str) -> bool {
        self.0 == known
    }

    pub fn is_one_of(&self, known: &[&str]) -> bool {
        known.contains(&self.0.as_str())
    }

    /// For a `match` with codes we know.
    pub fn to_compare(&self) -> &str {
        &self.0
    }

    pub fn shown(&self, secrets: &Secrets) -> Option<ShownCode> {
        ShownCode::of(&self.0, secrets)
    }
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default, deserialize_with = "lenient::object")]
    error: Option<InnerError>,
}

#[derive(Default, Deserialize)]
struct InnerError {
    #[serde(default, deserialize_with = "lenient::scalar")]
    code: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    message: Option<String>,
}

fn inner_error(body: &[u8]) -> InnerError {
    json::read::<ErrorBody>(body).unwrap_or_default().error.unwrap_or_default()
}

/// The code of `{"error":{"code":…}}`; empty if there is none.
pub fn error_code(body: &[u8]) -> ErrorCode {
    ErrorCode(inner_error(body).code.unwrap_or_default().to_ascii_lowercase())
}

/// The message of an error in small letters; empty if there is none. It is written for people and changes: for what nothing else tells, and never to be shown.
pub fn error_message(body: &[u8]) -> String {
    inner_error(body).message.unwrap_or_default().to_ascii_lowercase()
}
