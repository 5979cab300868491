//! What a host may say in the headers of a request of its own. What is the engine's to say, or changes where a request goes, is refused.

use crate::error::{Error, ErrorKind, Result};
use crate::graph::{IMMUTABLE, JSON, PREFER};
use crate::model::RawRequest;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Of one request.
const MOST: usize = 50;
/// Bytes of names and values together.
const LONGEST: usize = 16 << 10;

/// Credentials, where it goes, how it travels, and what would make another request of it behind the engine's back: a GET that is a DELETE would be repeated.
const REFUSED: [&str; 21] = [
    "authorization",
    "host",
    "cookie",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "expect",
    "accept-encoding",
    "client-request-id",
    "return-client-request-id",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "forwarded",
];
const REFUSED_KINDS: [&str; 2] = ["proxy-", "x-forwarded-"];

/// Errors: InvalidInput, LimitExceeded.
pub fn headers(request: &RawRequest) -> Result<HeaderMap> {
    let size: usize = request.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if request.headers.len() > MOST || size > LONGEST {
        return Err(Error::new(ErrorKind::LimitExceeded, "headers holds more than 50 headers or 16 KB."));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| Error::invalid("headers holds a name that no header may have."))?;
        if REFUSED.contains(&name.as_str()) || REFUSED_KINDS.iter().any(|kind| name.as_str().starts_with(kind)) {
            return Err(Error::invalid(format!("The header {name} is not the host's to say; leave it out.")));
        }
        let value = HeaderValue::from_str(value).ok().filter(|value| value.to_str().is_ok()).ok_or_else(|| Error::invalid(format!("The header {name} holds a line break or another character that may not stand in one.")))?;
        if headers.insert(name.clone(), value).is_some() {
            return Err(Error::invalid(format!("The header {name} is there twice, in other letter case.")));
        }
    }
    headers.insert(PREFER, prefer(headers.get(PREFER))?);
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    if let Some(usual) = usual_type(request) {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(usual));
    }
    Ok(headers)
}

/// Ids are immutable, as those of all other verbs are, unless the host says otherwise.
fn prefer(given: Option<&HeaderValue>) -> Result<HeaderValue> {
    let Some(given) = given.and_then(|given| given.to_str().ok()).map(str::trim).filter(|given| !given.is_empty()) else { return Ok(HeaderValue::from_static(IMMUTABLE)) };
    let names = given.split([',', ';']).map(|one| one.split('=').next().unwrap_or_default().trim());
    let says_ids = names.into_iter().any(|name| name.eq_ignore_ascii_case("IdType"));
    let text = if says_ids { given.to_owned() } else { format!("{IMMUTABLE}, {given}") };
    HeaderValue::from_str(&text).map_err(|_| Error::internal("A header could not be written."))
}

fn usual_type(request: &RawRequest) -> Option<&'static str> {
    match (&request.json, &request.body) {
        (Some(_), _) => Some(JSON),
        (None, Some(body)) => (!body.is_empty()).then_some("application/octet-stream"),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &[(&str, &str)]) -> Result<HeaderMap> {
        let headers = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        super::headers(&RawRequest { headers, ..RawRequest::get("/me") })
    }

    #[test]
    fn what_is_the_hosts_to_say_passes() {
        let said = of(&[("ConsistencyLevel", "eventual"), ("If-Match", "W/\"1\""), ("Prefer", "outlook.body-content-type=\"text\""), ("Content-Type", "text/plain")]).unwrap();
        assert_eq!(said["consistencylevel"], "eventual");
        assert_eq!(said["if-match"], "W/\"1\"");
        assert_eq!(said["prefer"], "IdType=\"ImmutableId\", outlook.body-content-type=\"text\"");
        assert_eq!((&said["content-type"], &said["accept"]), (&HeaderValue::from_static("text/plain"), &HeaderValue::from_static("*/*")));
        assert_eq!(of(&[]).unwrap()["prefer"], IMMUTABLE);
        for own in ["idtype=\"RestId\"", "return=minimal; IdType=\"RestId\"", "a=b, IdType = x"] {
            assert_eq!(of(&[("prefer", own)]).unwrap()["prefer"], own);
        }
        let json = RawRequest { json: Some("{}".into()), ..RawRequest::new("POST", "/me") };
        assert_eq!(super::headers(&json).unwrap()["content-type"], JSON);
    }

    #[test]
    fn what_is_not_is_refused() {
        for name in REFUSED.into_iter().chain(["Authorization", "HOST", "Proxy-Authorization", "X-Forwarded-Host", "", "a b", "a:b", "a\r\nb", "ä"]) {
            assert_eq!(of(&[(name, "x")]).expect_err(name).kind(), ErrorKind::InvalidInput, "{name}");
        }
        for value in ["a\r\nAuthorization: x", "a\nb", "a\rb", "a\0b", "ü", "\u{7f}"] {
            assert_eq!(of(&[("Prefer", value)]).expect_err(value).kind(), ErrorKind::InvalidInput, "{value:?}");
        }
        assert_eq!(of(&[("Prefer", "a"), ("prefer", "b")]).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(of(&[("If-Match", &"x".repeat(20_000))]).unwrap_err().kind(), ErrorKind::LimitExceeded);
        let many: Vec<(String, &str)> = (0..60).map(|n| (format!("x-{n}"), "")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(of(&many).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
}
