use crate::error::ErrorKind;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Which version of Graph is asked. `Beta` changes without notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraphVersion {
    #[default]
    V1,
    Beta,
}

/// A request to any endpoint of Graph.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RawRequest {
    /// Below the version, as in `/me/events`, with or without a query. What may not stand in an address is encoded; what is encoded already stays. Or a link
    /// of an answer (`@odata.nextLink`, `@odata.deltaLink`), whole and as it came; its own version counts then.
    pub path: String,
    /// GET, HEAD, POST, PUT, PATCH or DELETE.
    pub method: String,
    /// Further options, as in `$top`: names and values, which are encoded.
    pub query: HashMap<String, String>,
    /// As in `Prefer`, `ConsistencyLevel`, `If-Match`, `Content-Type`. Ids are immutable unless `Prefer` says otherwise.
    pub headers: HashMap<String, String>,
    /// The body, as JSON.
    pub json: Option<String>,
    /// The body, as bytes; `Content-Type` says of what kind.
    pub body: Option<Vec<u8>>,
    pub version: GraphVersion,
    /// It may be done twice: after a lost answer or a failure of the service it is repeated, as a GET or HEAD always is.
    pub repeat: bool,
    /// It goes after everything that somebody waits for.
    pub background: bool,
    /// How long it may wait in all: for its turn, a Retry-After and between repetitions, in milliseconds, an hour at the most.
    pub max_wait_ms: u32,
}

impl RawRequest {
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        Self { path: path.into(), method: method.into(), ..Self::default() }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }
}

impl Default for RawRequest {
    fn default() -> Self {
        Self {
            path: String::new(),
            method: "GET".to_owned(),
            query: HashMap::new(),
            headers: HashMap::new(),
            json: None,
            body: None,
            version: GraphVersion::V1,
            repeat: false,
            background: false,
            max_wait_ms: 30_000,
        }
    }
}

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawPage {
    /// The items of `value`, each as JSON.
    pub items: Vec<String>,
    /// Everything else of the page, as JSON: `@odata.count`, `@odata.context` and the like.
    pub envelope: String,
    /// Link of the next page; none at the end. As the path of a request it goes on from here.
    pub next_link: Option<String>,
    /// On the last page of a delta: as the path of a request it asks for what has changed since.
    pub delta_link: Option<String>,
}

/// What came of one request of a batch.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawOutcome {
    /// HTTP status; none when there is no answer.
    pub status: Option<u32>,
    /// Names in lower case; values of the same name are joined by commas.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
    /// Microsoft's id of the exchange, for a support case.
    pub request_id: Option<String>,
    /// Why there is no answer, as `request` would have failed.
    pub error_kind: Option<ErrorKind>,
    pub error: Option<String>,
    pub retry_after_ms: Option<u64>,
}
