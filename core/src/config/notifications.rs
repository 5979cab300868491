//! Where notifications are to be posted.

use crate::error::{Error, Result};
use url::{Host, Url};

const LONGEST: usize = 2_000;

/// `loopback`: the cloud is one of this machine.
pub fn check(text: &str, loopback: bool) -> Result<()> {
    let refuse = |why: &str| Err(Error::invalid(format!("notification_url {why}. Give the https address of the route that hands its requests to receive.")));
    if text.len() > LONGEST {
        return refuse("has more than 2,000 characters");
    }
    if text.trim().is_empty() {
        return refuse("is empty");
    }
    let Ok(url) = Url::parse(text) else { return refuse("is not a URL") };
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return refuse("must hold no user and no fragment");
    }
    if url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("validationToken")) {
        return refuse("must hold no validationToken, which is Microsoft's own");
    }
    let is_here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(host)) => host == "localhost",
        None => return refuse("has no host"),
    };
    match url.scheme() {
        "https" if !is_here || loopback => Ok(()),
        "https" => refuse("is on this machine, where Microsoft does not come"),
        "http" if is_here && loopback => Ok(()),
        _ => refuse("must be https"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_where_microsoft_can_come() {
        for (text, loopback, is_good) in [
            ("https://app.example.com/tidings", false, true),
            ("https://app.example.com/tidings?tenant=7", false, true),
            ("https://app.example.com:8443/tidings", false, true),
            ("http://app.example.com/tidings", false, false),
            ("http://app.example.com/tidings", true, false),
            ("http://127.0.0.1:8000/tidings", false, false),
            ("https://127.0.0.1:8000/tidings", false, false),
            ("http://127.0.0.1:8000/tidings", true, true),
            ("http://localhost/tidings", true, true),
            ("https://user@app.example.com/", false, false),
            ("https://app.example.com/#a", false, false),
            ("https://app.example.com/?ValidationToken=a", false, false),
            ("tidings", false, false),
            ("ftp://app.example.com/", false, false),
        ] {
            assert_eq!(super::check(text, loopback).is_ok(), is_good, "{text}");
        }
        assert!(super::check(&format!("https://app.example.com/{}", "a".repeat(2_000)), false).is_err());
    }
}
