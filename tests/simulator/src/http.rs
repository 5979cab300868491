//! What a request and an answer are, apart from how they travel.

pub use bytes::Bytes;
use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Host {
    Login,
    Graph,
    Stranger,
    /// Workflows: paths of their own on the Graph listener.
    Workflow,
    /// The Bot Connector.
    Bot,
    Control,
}

impl Host {
    pub fn name(self) -> &'static str {
        match self {
            Host::Login => "login",
            Host::Graph => "graph",
            Host::Stranger => "stranger",
            Host::Workflow => "workflow",
            Host::Bot => "bot",
            Host::Control => "control",
        }
    }
}

/// One request, its body already read.
#[derive(Clone, Debug)]
pub struct Call {
    pub host: Host,
    pub method: String,
    /// As sent, percent-encoded.
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// The body was longer than anyone wants to hold.
    pub too_long: bool,
    /// `http://host:port`, or https, as the client wrote it, so that links stay on its host.
    pub origin: String,
    /// The number of the envelope, for an item of a `$batch`.
    pub item_of: Option<u64>,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn params(&self) -> Vec<(String, String)> {
        form(&self.query)
    }

    pub fn param(&self, name: &str) -> Option<String> {
        self.params().into_iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// The root of Graph as this client sees it.
    pub fn base(&self) -> String {
        format!("{}/v1.0", self.origin)
    }

    pub fn url(&self) -> String {
        if self.query.is_empty() {
            format!("{}{}", self.origin, self.path)
        } else {
            format!("{}{}?{}", self.origin, self.path, self.query)
        }
    }

    /// Decoded path and query, what patterns are held against.
    pub fn readable(&self) -> String {
        let path = decode(&self.path, false);
        if self.query.is_empty() { path } else { format!("{path}?{}", decode(&self.query, true)) }
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The values of every Prefer header, one by one.
    pub fn prefers(&self) -> Vec<String> {
        let all = self.headers.iter().filter(|(k, _)| k.eq_ignore_ascii_case("prefer"));
        all.flat_map(|(_, v)| v.split([',', ';'])).map(|v| v.trim().to_string()).collect()
    }

    pub fn prefer(&self, name: &str) -> Option<String> {
        self.prefers().into_iter().find_map(|p| {
            let (key, value) = p.split_once('=').unwrap_or((&p, ""));
            key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_string())
        })
    }

    pub fn wants_immutable(&self) -> bool {
        self.prefer("IdType").is_some_and(|v| v == "ImmutableId")
    }

    /// Decoded segments; `users('a')` counts as two, `delta()` as one.
    pub fn segments(&self) -> Vec<String> {
        let mut out = Vec::new();
        for raw in self.path.split('/').filter(|s| !s.is_empty()) {
            let segment = decode(raw, false);
            let named = segment.strip_prefix("microsoft.graph.").unwrap_or(&segment);
            match named.strip_suffix(')').and_then(|s| s.split_once('(')) {
                Some((name, key)) if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()) => {
                    out.push(name.to_string());
                    if !key.is_empty() {
                        out.push(key.trim_matches('\'').replace("''", "'"));
                    }
                }
                _ => out.push(named.to_string()),
            }
        }
        out
    }
}

#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Code and message of an error whose envelope is still to be written.
    pub error: Option<(String, String)>,
}

impl Answer {
    pub fn empty(status: u16) -> Answer {
        Answer { status, ..Answer::default() }
    }

    pub fn json(status: u16, value: &Value) -> Answer {
        Answer::raw_json(status, value.to_string())
    }

    pub fn raw_json(status: u16, text: String) -> Answer {
        Answer::bytes(status, "application/json", text.into())
    }

    pub fn bytes(status: u16, kind: &str, body: Bytes) -> Answer {
        Answer { status, headers: vec![("Content-Type".into(), kind.into())], body, error: None }
    }

    pub fn html(status: u16, text: String) -> Answer {
        Answer::bytes(status, "text/html; charset=utf-8", text.into())
    }

    pub fn fail(status: u16, code: &str, message: impl Into<String>) -> Answer {
        Answer { status, error: Some((code.into(), message.into())), ..Answer::default() }
    }

    pub fn redirect(location: &str) -> Answer {
        Answer::empty(302).with("Location", location)
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn value(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Percent-decoding; what is not UTF-8 becomes replacement characters.
pub fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (b, hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
                continue;
            }
            (b'+', _) if plus => out.push(b' '),
            _ => out.push(b),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Pairs of a query or of a form.
pub fn form(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|p| !p.is_empty());
    pairs.map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k, true), decode(v, true))).collect()
}

/// For a value in a query.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || b"-._~$'(),:@/".contains(&b) {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub fn base64url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Either alphabet, with or without padding, line breaks allowed.
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    let clean: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '=')
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(clean).ok()
}
