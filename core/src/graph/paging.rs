//! Lists that come in pages. A link of an answer is followed only within the list it came from, and no link twice.
//!
//! Whoever gets to write a link, be it a proxy, a store that was tampered with or a fault of the service, could otherwise lead a walk to another
//! mailbox or folder, or in a circle for ever.

use super::Caller;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::{Hosts, Purpose};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use url::Url;

/// Names in addresses that Graph writes in any letter case. All else is an id, and ids differ by letter case.
const NAMES: [&str; 23] = [
    "me", "users", "mailfolders", "childfolders", "messages", "attachments", "delta", "chats", "members", "people", "$batch", "contacts", "contactfolders", "teams", "joinedteams", "channels", "replies", "calendarview", "events", "appcatalogs", "teamsapps", "teamwork",
    "installedapps",
];

/// The collection an address belongs to, whichever of its spellings Graph chose: `mailFolders('x')` is `mailFolders/x`, `delta()` is `delta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection(Vec<String>);

impl Collection {
    /// None: not an address that could be one.
    fn of(url: &Url, root: &Url) -> Option<Self> {
        let path = url.path().strip_prefix(root.path().trim_end_matches('/'))?;
        let mut segments = Vec::new();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            let segment = decoded(segment)?;
            let (name, key) = match segment.strip_suffix(')').and_then(|s| s.split_once('(')) {
                Some((name, key)) => (name, Some(key)),
                None => (segment.as_str(), None),
            };
            segments.push(named(name.strip_prefix("microsoft.graph.").unwrap_or(name)));
            match key.map(|key| key.strip_prefix('\'').and_then(|k| k.strip_suffix('\'')).unwrap_or(key)) {
                None | Some("") => {}
                Some(key) => segments.push(key.replace("''", "'")),
            }
        }
        Some(Self(segments))
    }

    /// The same collection of the same mailbox as `asked`: `me` and `users/{id}` are one for the person whose id it is, and so are the address and the id of
    /// the mailbox that was asked for.
    fn is(&self, asked: &Self, caller: &Caller) -> bool {
        // Another mailbox is never the person's own, whatever a link says.
        let mailbox = asked.mailbox();
        self.within(mailbox, caller) == asked.within(mailbox, caller)
    }

    /// Another mailbox than the person's own, by the name it is asked for.
    fn mailbox(&self) -> Option<&str> {
        match self.0.as_slice() {
            [users, id, _, ..] if users == "users" => Some(id),
            _ => None,
        }
    }

    fn within<'a>(&'a self, mailbox: Option<&str>, caller: &Caller) -> Vec<&'a str> {
        let own = if mailbox.is_some() { "the mailbox" } else { "me" };
        let is_asked = |id: &str| mailbox.is_some_and(|mailbox| mailbox.eq_ignore_ascii_case(id));
        match self.0.as_slice() {
            [users, id, rest @ ..] if users == "users" && (is_user(id, &caller.user_id) || is_asked(id)) => std::iter::once(own).chain(rest.iter().map(String::as_str)).collect(),
            all => all.iter().map(String::as_str).collect(),
        }
    }
}

/// Of personal accounts Graph shows the last half of the object id.
fn is_user(shown: &str, user_id: &str) -> bool {
    let bare = user_id.replace('-', "");
    !user_id.is_empty() && (shown.eq_ignore_ascii_case(user_id) || (shown.len() >= 16 && bare.to_ascii_lowercase().ends_with(&shown.to_ascii_lowercase())))
}

fn named(segment: &str) -> String {
    let lower = segment.to_ascii_lowercase();
    if NAMES.contains(&lower.as_str()) { lower } else { segment.to_owned() }
}

fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| char::from(b?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// A link of an answer about `first`, checked: on Graph, and of the same collection.
pub fn followed(hosts: &Hosts, root: &Url, caller: &Caller, first: &Url, link: &str) -> Result<Url> {
    let url = hosts.received(link, Purpose::Graph)?;
    let same = match (Collection::of(&url, root), Collection::of(first, root)) {
        (Some(there), Some(here)) => there.is(&here, caller),
        _ => false,
    };
    if same {
        return Ok(url);
    }
    Err(Error::new(ErrorKind::LinkRejected, "A link of Microsoft's answer leads to something else than was asked for; nothing was sent there.").on_account(&caller.account_id))
}

/// The links of one list, in the order they came.
pub struct Pages {
    first: Url,
    met: HashSet<u64>,
}

impl Pages {
    pub fn of(first: Url) -> Self {
        let met = HashSet::from([hash(first.as_str())]);
        Self { first, met }
    }

    pub fn first(&self) -> &Url {
        &self.first
    }

    /// The next page's address. Errors: LinkRejected; Upstream at the first link that came before, since the list would never end.
    pub fn next(&mut self, hosts: &Hosts, root: &Url, caller: &Caller, link: &str) -> Result<Url> {
        let url = followed(hosts, root, caller, &self.first, link)?;
        if self.met.insert(hash(url.as_str())) {
            return Ok(url);
        }
        Err(Error::new(ErrorKind::Upstream, "The pages of a list of Microsoft's lead in a circle. Try again later.").on_account(&caller.account_id))
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::place_of;
    use crate::config::{Cloud, Endpoints};
    use crate::pipeline::Priority;
    use std::time::Duration;

    const ROOT: &str = "https://graph.microsoft.com/v1.0/";
    const ME: &str = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";

    fn told(first: &str, link: &str) -> Result<Url> {
        let hosts = Hosts::new(Endpoints::of(&Cloud::Public).unwrap());
        let caller = Caller { user_id: ME.into(), ..Caller::new("acc", Priority::Interactive, Duration::ZERO) };
        let url = |path: &str| if path.starts_with("https:") { path.to_owned() } else { format!("{ROOT}{path}") };
        followed(&hosts, &Url::parse(ROOT).unwrap(), &caller, &Url::parse(&url(first)).unwrap(), &url(link))
    }

    #[test]
    fn every_spelling_of_the_same_collection_is_followed() {
        let first = "me/mailFolders/AQMk%3D/messages/delta?$select=id";
        for link in [
            "me/mailFolders/AQMk=/messages/delta?$skiptoken=x",
            "me/mailfolders('AQMk%3D')/messages/delta?$skiptoken=x",
            "me/mailFolders('AQMk=')/messages/delta()?$skiptoken=x",
            "me/MailFolders(%27AQMk=%27)/Messages/microsoft.graph.delta()?$skiptoken=x",
            "users/87d349ed-44d7-43e1-9a83-5f2406dee5bd/mailFolders/AQMk=/messages/delta?$deltatoken=x",
            "Users('87D349ED-44D7-43E1-9A83-5F2406DEE5BD')/mailFolders('AQMk=')/messages/delta?$deltatoken=x",
            "https://graph.microsoft.com:443/v1.0/me/mailFolders/AQMk=/messages/delta?$skiptoken=x",
        ] {
            assert!(told(first, link).is_ok(), "{link}");
        }
        assert!(told("me/mailFolders?$top=100", "me/mailFolders?$skip=100").is_ok());
        assert!(told("me/messages/a'b/attachments", "me/messages('a''b')/attachments?$skip=10").is_ok());
    }

    #[test]
    fn anything_else_is_refused() {
        let first = "me/mailFolders/AQMk=/messages/delta?$select=id";
        for link in [
            "me/mailFolders/AQMK=/messages/delta?$skiptoken=x",
            "me/mailFolders/other/messages/delta?$skiptoken=x",
            "me/messages/delta?$skiptoken=x",
            "me/mailFolders/AQMk=/messages?$skiptoken=x",
            "me/mailFolders/AQMk=/messages/delta/x",
            "me/mailFolders/AQMk=/childFolders/delta",
            "users/someone/mailFolders/AQMk=/messages/delta?$skiptoken=x",
            "users/ee5bd/mailFolders/AQMk=/messages/delta?$skiptoken=x",
            "users?$skiptoken=x",
            "me/mailFolders/AQMk=/messages/delta%zz",
            "https://evil.example/v1.0/me/mailFolders/AQMk=/messages/delta",
        ] {
            assert_eq!(told(first, link).expect_err(link).kind(), ErrorKind::LinkRejected, "{link}");
        }
        assert!(told("me/messages/m1/attachments", "me/messages/m2/attachments?$skip=10").is_err());
        assert!(told("me/mailFolders", "me/mailFolders/f/childFolders?$skip=100").is_err());
        assert!(told("users?$filter=x", "me/messages").is_err());
    }

    #[test]
    fn another_mailbox_is_one_by_its_address_and_its_id() {
        let hosts = Hosts::new(Endpoints::of(&Cloud::Public).unwrap());
        let caller = Caller { mailbox: Some("jobs@contoso.com".into()), user_id: ME.into(), ..Caller::new("acc", Priority::Interactive, Duration::ZERO) };
        let first = format!("{ROOT}{}/mailFolders/inbox/messages/delta", place_of(caller.mailbox.as_deref()).unwrap());
        assert_eq!(first, format!("{ROOT}users/jobs%40contoso.com/mailFolders/inbox/messages/delta"));
        let is_followed = |link: &str| followed(&hosts, &Url::parse(ROOT).unwrap(), &caller, &Url::parse(&first).unwrap(), &format!("{ROOT}{link}")).is_ok();
        assert!(is_followed("users/Jobs@contoso.com/mailFolders/inbox/messages/delta?$skiptoken=x"));
        assert!(is_followed("users('87d349ed-44d7-43e1-9a83-5f2406dee5bd')/mailFolders('inbox')/messages/delta?$skiptoken=x"));
        assert!(!is_followed("me/mailFolders/inbox/messages/delta?$skiptoken=x"));
        assert!(!is_followed("users/sales@contoso.com/mailFolders/inbox/messages/delta?$skiptoken=x"));
        assert!(!is_followed("users/00000000-44d7-43e1-9a83-5f2406dee5bd/mailFolders/inbox/messages/delta?$skiptoken=x"));
        for bad in ["", ".", ".."] {
            assert!(place_of(Some(bad)).is_err());
        }
    }

    #[test]
    fn a_circle_of_any_length_ends_at_the_first_link_that_came_before() {
        let hosts = Hosts::new(Endpoints::of(&Cloud::Public).unwrap());
        let caller = Caller::new("acc", Priority::Interactive, Duration::ZERO);
        let root = Url::parse(ROOT).unwrap();
        for length in 1..6 {
            let mut pages = Pages::of(Url::parse(&format!("{ROOT}me/mailFolders?$skip=0")).unwrap());
            for page in 1..length {
                pages.next(&hosts, &root, &caller, &format!("{ROOT}me/mailFolders?$skip={page}")).unwrap();
            }
            let back = pages.next(&hosts, &root, &caller, &format!("{ROOT}me/mailFolders?$skip={}", length / 2)).unwrap_err();
            assert_eq!(back.kind(), ErrorKind::Upstream);
        }
    }
}
