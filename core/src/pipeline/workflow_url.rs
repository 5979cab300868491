//! URLs of workflows, which hosts of the engine hand in and people have typed or copied. Such a URL is a bearer secret, and a way to make this machine ask others
//! at once. So it must be plainly what it says: each reading of it by another parser ends at the same host, and that host is on the list. Whatever is not
//! so is refused, never repaired. Where the name leads is looked at when a connection is made ([`public`](super::public)).

use super::hosts::{Hosts, climbs, same_origin};
use crate::error::{Error, ErrorKind, Result};
use url::{Host, Url};

const LONGEST: usize = 4_096;
/// Hosts of the Office 365 connectors.
const RETIRED: [&str; 3] = ["webhook.office.com", "outlook.office.com", "outlook.office365.com"];

impl Hosts {
    /// What somebody registers. Errors: InvalidInput for what is no URL of a workflow, LinkRejected for a host that is not one of theirs. Neither repeats
    /// anything of it.
    pub fn workflow(&self, text: &str) -> Result<Url> {
        let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}' | '#');
        if text.len() > LONGEST || !text.chars().all(is_plain) {
            return Err(unusable("is too long, or holds characters no URL of a workflow holds (blanks, quotes, letters beyond a to z, #)"));
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Err(unusable("does not begin with https://")) };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(unusable("holds a user name"));
        }
        let url = Url::parse(text).map_err(|_| unusable("cannot be read"))?;
        if self.is_own_loopback(&url) {
            return path_and_proof(&url).map(|()| url);
        }
        // An address of IPv6.
        if authority.starts_with('[') {
            return Err(not_listed());
        }
        let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
        if port != "443" {
            return Err(unusable("names another port than 443"));
        }
        // As it was written, in small letters, and nothing else: what the parser made another host of, another parser may read differently again.
        let written = host.to_ascii_lowercase();
        let is_as_written = matches!(url.host(), Some(Host::Domain(name)) if name == written && is_name(name));
        if !is_as_written {
            return Err(not_listed());
        }
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(unusable("does not begin with https://"));
        }
        if RETIRED.iter().any(|name| written == *name || written.ends_with(&format!(".{name}"))) {
            return Err(Error::new(
                ErrorKind::LinkRejected,
                "This is an incoming webhook of the Office 365 connectors, which Microsoft retires. In Teams, open Workflows at the channel or chat, choose “Send webhook alerts to …”, and add the URL that it shows.",
            ));
        }
        if !self.is_listed(&written) {
            return Err(not_listed());
        }
        path_and_proof(&url)?;
        if self.is_workflow(&url) { Ok(url) } else { Err(not_listed()) }
    }

    /// The same for a URL that was stored: the list may be another one by now.
    pub(super) fn is_workflow(&self, url: &Url) -> bool {
        let is_listed = || url.scheme() == "https" && url.port().is_none() && matches!(url.host(), Some(Host::Domain(name)) if is_name(name) && self.is_listed(name));
        (self.is_own_loopback(url) || is_listed()) && path_and_proof(url).is_ok()
    }

    /// The simulator's.
    fn is_own_loopback(&self, url: &Url) -> bool {
        self.endpoints.loopback && same_origin(url, &self.endpoints.graph)
    }

    /// By a name in full or, where the entry begins with a dot, below it.
    fn is_listed(&self, host: &str) -> bool {
        self.endpoints.workflows.iter().any(|listed| match listed.starts_with('.') {
            true => host.len() > listed.len() && host.ends_with(listed.as_str()),
            false => host == listed,
        })
    }
}

/// Letters, digits and `-` between dots, no name in another script's spelling.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') && !label.starts_with('-') && !label.ends_with('-') && !label.starts_with("xn--")
    };
    host.len() <= 253 && host.contains('.') && host.split('.').all(is_label)
}

fn path_and_proof(url: &Url) -> Result<()> {
    if url.path().len() < 2 || climbs(url.path()) {
        return Err(unusable("has no path, or one that leads upwards"));
    }
    let mut signatures = url.query_pairs().filter(|(name, _)| name.eq_ignore_ascii_case("sig"));
    match (signatures.next(), signatures.next()) {
        (Some((_, sig)), None) if !sig.trim().is_empty() => Ok(()),
        _ => Err(unusable("has no sig, or more than one. Copy the whole URL, up to its end")),
    }
}

fn unusable(why: &str) -> Error {
    Error::invalid(format!("This is no URL of a workflow: it {why}. Copy it from the step “When a Teams webhook request is received” of the workflow."))
}

fn not_listed() -> Error {
    Error::new(ErrorKind::LinkRejected, "The host of this URL is none of those that workflows are at, so nothing will be sent there. If it is a host of yours, add it to workflow_hosts.")
}

#[cfg(test)]
mod tests;
