use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A request that came to the host's own route, as its web framework has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpRequest {
    pub method: String,
    /// Not looked at: which route it is, is the host's to say.
    pub path: String,
    /// What stands behind the `?`, as it came (percent-encoded).
    pub query: String,
    pub headers: HashMap<String, String>,
    /// All of it; none where there is none.
    pub body: Option<Vec<u8>>,
}

impl Default for HttpRequest {
    fn default() -> Self {
        Self { method: "POST".to_owned(), path: "/".to_owned(), query: String::new(), headers: HashMap::new(), body: None }
    }
}

/// What the host's route is to answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpResponse {
    pub status: u32,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}
