//! A client small enough to see what is on the wire: one connection per request.

use m365_sim::{Options, Simulator};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const IMMUTABLE: &str = "IdType=\"ImmutableId\"";
pub const REDIRECT: &str = "http://localhost:4711/back";
pub const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-taken-0123456789";
pub const SCOPE: &str = "openid profile offline_access User.Read User.ReadBasic.All Mail.ReadWrite Mail.Send Chat.ReadWrite";

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or("").to_string()
    }
}

/// The whole answer, or an error when the connection ends before it does.
pub async fn http(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
    let rest = url.strip_prefix("http://").expect("a plain URL");
    let (host, path) = rest.split_once('/').map_or((rest, "/".to_string()), |(h, p)| (h, format!("/{p}")));
    let mut stream = TcpStream::connect(host).await?;
    let mut head = format!("{method} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", path.replace(' ', "%20").replace('"', "%22").replace('\\', "%5C"));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).await?;
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "cut");
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).ok_or_else(cut)?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(": ")).map(|(k, v)| (k.to_string(), v.to_string())).collect();
    let body = raw[end + 4..].to_vec();
    let reply = Reply { status, headers, body };
    match reply.header("content-length").and_then(|l| l.parse::<usize>().ok()) {
        Some(length) if length > reply.body.len() => Err(cut()),
        _ => Ok(reply),
    }
}

pub struct World {
    pub sim: Simulator,
}

pub async fn world() -> World {
    let options = Options { clock: Some("2026-01-15T09:00:00Z".into()), ..Options::default() };
    World { sim: Simulator::start(options).await.expect("it starts") }
}

impl World {
    pub async fn control(&self, path: &str, ask: Value) -> Value {
        let url = format!("{}{path}", self.sim.control());
        let reply = http("POST", &url, &[], ask.to_string().as_bytes()).await.expect("control answers");
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    pub async fn accusations(&self) -> Vec<String> {
        let ledger = self.control("/ledger", json!({})).await;
        let all = ledger["accusations"].as_array().expect("a list");
        all.iter().map(|a| a["kind"].as_str().unwrap_or("").to_string()).collect()
    }

    pub async fn advance(&self, ms: i64) {
        self.control("/clock", json!({"advance_ms": ms})).await;
    }

    pub fn authorize_url(&self, scope: &str, more: &str) -> String {
        format!(
            "{}/common/oauth2/v2.0/authorize?client_id={}&response_type=code&redirect_uri={REDIRECT}&scope={}&state=s%2Bt\
             &nonce=n1&code_challenge={}&code_challenge_method=S256{more}",
            self.sim.login(),
            self.sim.client_id(),
            scope.replace(' ', "%20"),
            challenge(VERIFIER),
        )
    }

    /// Where the browser would go.
    pub async fn approve(&self, who: &str, scope: &str) -> String {
        let url = self.authorize_url(scope, "");
        let answer = self.control("/signin", json!({"url": url, "as": who})).await;
        answer["location"].as_str().expect("a location").to_string()
    }

    pub async fn token(&self, fields: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let url = format!("{}/common/oauth2/v2.0/token", self.sim.login());
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        http("POST", &url, &kind, body.as_bytes()).await.expect("login answers")
    }

    pub async fn token_with(&self, fields: Vec<(&str, &str)>) -> Reply {
        self.token(&fields).await
    }

    /// A form to any path of the login host.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        http("POST", &format!("{}{path}", self.sim.login()), &kind, body.as_bytes()).await.expect("login answers")
    }

    /// POST /signin, whole: the location, or the page.
    pub async fn sign_in(&self, url: &str, who: &str, more: Value) -> Value {
        let mut ask = json!({"url": url, "as": who});
        for (key, value) in more.as_object().into_iter().flatten() {
            ask[key] = value.clone();
        }
        self.control("/signin", ask).await
    }

    pub async fn redeem(&self, code: &str) -> Reply {
        let fields = [
            ("client_id", self.sim.client_id()),
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token(&fields).await
    }

    pub async fn refresh(&self, token: &str) -> Reply {
        let fields = [("client_id", self.sim.client_id()), ("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token(&fields).await
    }

    pub async fn tokens(&self, who: &str, scope: &str) -> Value {
        let location = self.approve(who, scope).await;
        let reply = self.redeem(&field(&location, "code").expect("a code")).await;
        assert_eq!(reply.status, 200);
        reply.json()
    }

    pub async fn person(&self, who: &str) -> Person<'_> {
        let tokens = self.tokens(&format!("{who}@contoso.com"), SCOPE).await;
        Person { world: self, token: tokens["access_token"].as_str().expect("a token").to_string() }
    }
}

pub fn challenge(verifier: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// A field of a URL's query.
pub fn field(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
}

/// What a JWT says, unchecked.
pub fn said(token: &str) -> Value {
    use base64::Engine;
    let part = token.split('.').nth(1).expect("a JWT");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The AADSTS number of an error body.
pub fn number(reply: &Reply) -> u64 {
    reply.json()["error_codes"][0].as_u64().unwrap_or(0)
}

/// Someone signed in.
pub struct Person<'a> {
    pub world: &'a World,
    pub token: String,
}

impl Person<'_> {
    pub async fn try_call(&self, method: &str, path: &str, prefer: &str, body: Option<Value>) -> io::Result<Reply> {
        let url = if path.starts_with("http") { path.to_string() } else { format!("{}{path}", self.world.sim.graph()) };
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", bearer.as_str()), ("prefer", prefer)];
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        http(method, &url, &headers, body.as_bytes()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.try_call("GET", path, IMMUTABLE, None).await.expect("graph answers")
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.try_call("POST", path, IMMUTABLE, Some(body)).await.expect("graph answers")
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        self.try_call(method, path, IMMUTABLE, body).await.expect("graph answers")
    }

    /// All pages, and the delta link.
    pub async fn round(&self, start: &str, page: usize) -> (Vec<Value>, String) {
        let (mut items, mut url) = (Vec::new(), start.to_string());
        loop {
            let prefer = format!("{IMMUTABLE}, odata.maxpagesize={page}");
            let reply = self.try_call("GET", &url, &prefer, None).await.expect("graph answers");
            assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
            let json = reply.json();
            let value = json["value"].as_array().expect("a page");
            assert!(value.len() <= page);
            items.extend(value.iter().cloned());
            match json["@odata.deltaLink"].as_str() {
                Some(link) => return (items, link.to_string()),
                None => url = json["@odata.nextLink"].as_str().expect("one link or the other").to_string(),
            }
        }
    }
}

pub fn subjects(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|i| i["subject"].as_str()).collect()
}

pub fn to(address: &str) -> Value {
    json!([{"emailAddress": {"address": address}}])
}
