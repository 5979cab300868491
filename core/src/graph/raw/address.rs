//! Where a request of a host's own goes: a path below Graph, or a link that Graph gave. Everything else is refused before anything is sent.
//!
//! A path is read here and not left to the URL parser, which repairs what it should refuse: `/me/../users` would become another path without a word.

use crate::config::Endpoints;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::encoded;
use crate::model::{GraphVersion, RawRequest};
use crate::pipeline::{Hosts, Purpose};
use url::Url;

/// Bytes of a path, and of an address in all.
const LONGEST: usize = 32 << 10;
/// What stands in a path, and in a query, as it is; RFC 3986, sections 3.3 and 3.4.
const IN_PATH: &[u8] = b"-._~!$&'()*+,;=:@/";
const IN_QUERY: &[u8] = b"-._~!$&'()*+,;=:@/?";

/// The address of a request, and which version of Graph it is on. Errors: InvalidInput, LimitExceeded, LinkRejected (it leads away from this cloud's Graph).
pub fn address(endpoints: &Endpoints, hosts: &Hosts, request: &RawRequest) -> Result<(Url, Purpose)> {
    if request.path.len() > LONGEST {
        return Err(too_long());
    }
    let (url, purpose) = if is_whole(&request.path) { linked(hosts, request)? } else { below(endpoints, request)? };
    if url.as_str().len() > LONGEST {
        return Err(too_long());
    }
    // Whatever was made of it, nothing but Graph is asked.
    hosts.check(&url, purpose)?;
    check_batch(root(endpoints, purpose)?.path(), &url)?;
    Ok((url, purpose))
}

/// Graph in this version. Errors: InvalidInput.
pub fn root(endpoints: &Endpoints, purpose: Purpose) -> Result<Url> {
    if purpose != Purpose::Beta {
        return Ok(endpoints.graph.clone());
    }
    endpoints.beta().ok_or_else(|| Error::invalid("The graph address of this cloud ends in no version, so its beta is not known. Let it end in /v1.0."))
}

/// It begins with `/me`. Errors: InvalidInput.
pub fn is_own(endpoints: &Endpoints, url: &Url, purpose: Purpose) -> Result<bool> {
    let root = root(endpoints, purpose)?;
    let first = url.path().strip_prefix(root.path()).and_then(|path| path.split('/').next());
    Ok(first.is_some_and(|first| first.eq_ignore_ascii_case("me")))
}

/// With a scheme, or a host without one.
fn is_whole(path: &str) -> bool {
    let path = path.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
    let scheme = path.split(['/', '?', '#', '\\']).next().and_then(|first| first.split_once(':'));
    let is_scheme = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    path.starts_with("//") || scheme.is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// A link of an answer, used as it came.
fn linked(hosts: &Hosts, request: &RawRequest) -> Result<(Url, Purpose)> {
    let (url, purpose) = match hosts.received(&request.path, Purpose::Graph) {
        Ok(url) => (url, Purpose::Graph),
        Err(refused) => (hosts.received(&request.path, Purpose::Beta).map_err(|_| refused)?, Purpose::Beta),
    };
    if !request.query.is_empty() {
        return Err(Error::invalid("path is a link of an answer, which is used as it came: leave query out."));
    }
    Ok((url, purpose))
}

fn below(endpoints: &Endpoints, request: &RawRequest) -> Result<(Url, Purpose)> {
    let purpose = match request.version {
        GraphVersion::V1 => Purpose::Graph,
        GraphVersion::Beta => Purpose::Beta,
    };
    let root = root(endpoints, purpose)?;
    let Some(path) = request.path.strip_prefix('/') else { return Err(Error::invalid("path must start with /, as in /me/events.")) };
    if path.chars().any(|c| c.is_control() || matches!(c, '\\' | '#' | '\u{2028}' | '\u{2029}')) {
        return Err(Error::invalid("path holds a control character, a backslash or a #, which may not stand there. Encode them."));
    }
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    check_segments(path)?;
    let path = kept(path, IN_PATH)?;
    let mut text = format!("{root}{path}");
    let expected = format!("{}{path}", root.path());
    let mut separator = '?';
    if let Some(query) = query {
        text.push(separator);
        text.push_str(&kept(query, IN_QUERY)?);
        separator = '&';
    }
    let mut options: Vec<(&String, &String)> = request.query.iter().collect();
    options.sort();
    for (name, value) in options {
        if name.is_empty() || name.chars().chain(value.chars()).any(char::is_control) {
            return Err(Error::invalid("query holds an option without a name, or a control character."));
        }
        text.push(separator);
        separator = '&';
        text.push_str(&encoded(name, b"$-._~@"));
        text.push('=');
        text.push_str(&encoded(value, b",$()/:'=-._~"));
    }
    let url = Url::parse(&text).map_err(|_| Error::invalid("path cannot be part of an address."))?;
    if url.path() != expected {
        return Err(Error::invalid("path cannot be part of an address as it stands."));
    }
    Ok((url, purpose))
}

/// No segment leads elsewhere, to whoever decodes it once more.
fn check_segments(path: &str) -> Result<()> {
    let plain = path.to_ascii_lowercase().replace("%2f", "/").replace("%5c", "/").replace("%2e", ".");
    let mut segments = plain.split('/').peekable();
    let first = segments.peek().copied().unwrap_or_default();
    if ["v1.0", "beta"].contains(&first) {
        return Err(Error::invalid("path begins with a version of Graph. Leave it out, and set version."));
    }
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if segment == "." || segment == ".." || (segment.is_empty() && !is_last) {
            return Err(Error::invalid("path holds an empty segment, . or .. and would be another one."));
        }
    }
    Ok(())
}

/// What is in a batch counts one by one and is told apart, which `batch` sees to.
fn check_batch(root: &str, url: &Url) -> Result<()> {
    let path = url.path().strip_prefix(root).unwrap_or_default().to_ascii_lowercase().replace("%24", "$");
    if path.trim_matches('/') == "$batch" {
        return Err(Error::invalid("path is that of a batch, which is not sent as a request of its own. Use batch."));
    }
    Ok(())
}

/// Encoded, but for what is encoded already.
fn kept(text: &str, allowed: &[u8]) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (plain, escape) = rest.split_at(at);
        out.push_str(&encoded(plain, allowed));
        let (escape, after) = escape.split_at_checked(3).filter(|(escape, _)| escape.bytes().skip(1).all(|b| b.is_ascii_hexdigit())).ok_or_else(not_encoded)?;
        if matches!(escape, "%00" | "%0a" | "%0A" | "%0d" | "%0D") {
            return Err(Error::invalid("path holds a line break or a null, encoded."));
        }
        out.push_str(escape);
        rest = after;
    }
    out.push_str(&encoded(rest, allowed));
    Ok(out)
}

fn not_encoded() -> Error {
    Error::invalid("path holds a % that encodes nothing. Write it as %25.")
}

fn too_long() -> Error {
    Error::new(ErrorKind::LimitExceeded, "path and query are longer than 32 KB.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cloud;
    use std::collections::HashMap;

    fn of(request: RawRequest) -> Result<(String, Purpose)> {
        let endpoints = Endpoints::of(&Cloud::Public).unwrap();
        address(&endpoints, &Hosts::new(endpoints.clone()), &request).map(|(url, purpose)| (url.to_string(), purpose))
    }

    #[test]
    fn paths_are_encoded_where_they_have_to_be() {
        for (path, wanted) in [
            ("/", ""),
            ("/me", "me"),
            ("/me/", "me/"),
            ("/me/messages/AAMkAD=/$value", "me/messages/AAMkAD=/$value"),
            ("/me/drive/root:/Lebenslauf Müller.pdf:/content", "me/drive/root:/Lebenslauf%20M%C3%BCller.pdf:/content"),
            ("/users/a%2Fb", "users/a%2Fb"),
            ("/users('o''neill@contoso.com')", "users('o''neill@contoso.com')"),
            ("/chats/19:a_b@thread.v2/messages", "chats/19:a_b@thread.v2/messages"),
            ("/me/messages?$filter=subject eq 'a b'&$top=5", "me/messages?$filter=subject%20eq%20%27a%20b%27&$top=5"),
            ("/me/messages?$search=\"pay\"", "me/messages?$search=%22pay%22"),
            ("/me/messages?a=b?c", "me/messages?a=b?c"),
            ("/me/messages/...", "me/messages/..."),
        ] {
            assert_eq!(of(RawRequest::get(path)).unwrap(), (format!("https://graph.microsoft.com/v1.0/{wanted}"), Purpose::Graph), "{path}");
        }
        let query = HashMap::from([("$top".to_owned(), "5".to_owned()), ("$filter".to_owned(), "a eq 'x & y+z#'".to_owned())]);
        let wanted = "me/events?$select=id&$filter=a%20eq%20%27x%20%26%20y%2Bz%23%27&$top=5";
        assert_eq!(of(RawRequest { query: query.clone(), ..RawRequest::get("/me/events?$select=id") }).unwrap().0, format!("https://graph.microsoft.com/v1.0/{wanted}"));
        let beta = of(RawRequest { version: GraphVersion::Beta, ..RawRequest::get("/me/profile") }).unwrap();
        assert_eq!(beta, ("https://graph.microsoft.com/beta/me/profile".to_owned(), Purpose::Beta));
        // Links are taken as they came.
        let link = "https://graph.microsoft.com/beta/me/events?$skiptoken=a%20b";
        assert_eq!(of(RawRequest::get(link)).unwrap(), (link.to_owned(), Purpose::Beta));
        assert_eq!(of(RawRequest { query, ..RawRequest::get(link) }).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for (path, kind) in [
            ("", ErrorKind::InvalidInput),
            ("me", ErrorKind::InvalidInput),
            ("../me", ErrorKind::InvalidInput),
            ("/../beta/me", ErrorKind::InvalidInput),
            ("/me/../users", ErrorKind::InvalidInput),
            ("/me/./users", ErrorKind::InvalidInput),
            ("/me/..", ErrorKind::InvalidInput),
            ("/me/%2e%2E/users", ErrorKind::InvalidInput),
            ("/me/..%2fusers", ErrorKind::InvalidInput),
            ("/me/%2e%2e%5cusers", ErrorKind::InvalidInput),
            ("/me//messages", ErrorKind::InvalidInput),
            ("/me/%2f/messages", ErrorKind::InvalidInput),
            ("/me\\messages", ErrorKind::InvalidInput),
            ("/\\evil.example/me", ErrorKind::InvalidInput),
            ("/me#x", ErrorKind::InvalidInput),
            ("/me\r\nX: y", ErrorKind::InvalidInput),
            ("/me\tx", ErrorKind::InvalidInput),
            ("/me\0", ErrorKind::InvalidInput),
            ("/me%0d%0aX", ErrorKind::InvalidInput),
            ("/me?a=%0A", ErrorKind::InvalidInput),
            ("/me%", ErrorKind::InvalidInput),
            ("/me%zz", ErrorKind::InvalidInput),
            ("/me%é", ErrorKind::InvalidInput),
            ("/v1.0/me", ErrorKind::InvalidInput),
            ("/beta/me", ErrorKind::InvalidInput),
            ("/Beta", ErrorKind::InvalidInput),
            ("/$batch", ErrorKind::InvalidInput),
            ("/%24Batch/", ErrorKind::InvalidInput),
            ("https://graph.microsoft.com/beta/$batch", ErrorKind::InvalidInput),
            ("//evil.example/v1.0/me", ErrorKind::LinkRejected),
            (" //evil.example/v1.0/me", ErrorKind::LinkRejected),
            ("https://evil.example/v1.0/me", ErrorKind::LinkRejected),
            ("HTTPS://evil.example/v1.0/me", ErrorKind::LinkRejected),
            ("http://graph.microsoft.com/v1.0/me", ErrorKind::LinkRejected),
            ("https://graph.microsoft.com/me", ErrorKind::LinkRejected),
            ("https://graph.microsoft.com/v1.0/../me", ErrorKind::LinkRejected),
            ("https://graph.microsoft.com/beta/..%2fv1.0/me", ErrorKind::LinkRejected),
            ("https://graph.microsoft.com.evil.example/v1.0/me", ErrorKind::LinkRejected),
            ("https://graph.microsoft.com@evil.example/v1.0/me", ErrorKind::LinkRejected),
            ("https://a:b@graph.microsoft.com/v1.0/me", ErrorKind::LinkRejected),
            ("https:evil.example/v1.0/me", ErrorKind::LinkRejected),
            ("https:\\\\evil.example\\v1.0", ErrorKind::LinkRejected),
            ("file:///etc/passwd", ErrorKind::LinkRejected),
            ("javascript:alert(1)", ErrorKind::LinkRejected),
        ] {
            assert_eq!(of(RawRequest::get(path)).expect_err(path).kind(), kind, "{path:?}");
        }
        for query in [("", "x"), ("a\n", "x"), ("a", "x\r\ny")] {
            let query = HashMap::from([(query.0.to_owned(), query.1.to_owned())]);
            assert_eq!(of(RawRequest { query, ..RawRequest::get("/me") }).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(of(RawRequest::get(format!("/{}", "a".repeat(40_000)))).unwrap_err().kind(), ErrorKind::LimitExceeded);
        assert_eq!(of(RawRequest::get(format!("/{}", "ü".repeat(8_000)))).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
}
