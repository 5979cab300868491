//! Where requests may go. An address that was received is data until it has passed here; it is refused, never repaired.

use super::Purpose;
use crate::config::Endpoints;
use crate::error::{Error, ErrorKind, Result};
use url::Url;

const LONGEST_LINK: usize = 32 << 10;

#[derive(Debug, Clone)]
pub struct Hosts {
    pub(super) endpoints: Endpoints,
}

impl Hosts {
    pub fn new(endpoints: Endpoints) -> Self {
        Self { endpoints }
    }

    /// A link out of an answer or out of the store: next page, delta, location, key set.
    pub fn received(&self, link: &str, purpose: Purpose) -> Result<Url> {
        // The URL parser drops or turns such characters silently; what it repairs, another parser may read differently.
        if link.len() > LONGEST_LINK || link.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err(refused("is too long or holds characters no address may hold"));
        }
        let url = Url::parse(link).map_err(|_| refused("cannot be read"))?;
        self.check(&url, purpose)?;
        Ok(url)
    }

    /// The exact origin configured for this purpose, and below its path.
    pub fn check(&self, url: &Url, purpose: Purpose) -> Result<()> {
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(refused("holds a user name, password or fragment"));
        }
        let allowed = match purpose {
            Purpose::Identity => below(url, &self.endpoints.login),
            Purpose::Graph => below(url, &self.endpoints.graph),
            Purpose::Beta => self.endpoints.beta().is_some_and(|beta| below(url, &beta)),
            Purpose::Upload => self.is_upload_host(url, &self.endpoints.uploads),
            Purpose::FileUpload => self.is_upload_host(url, &self.endpoints.file_uploads),
            Purpose::Workflow => self.is_workflow(url),
            Purpose::Bot => self.is_bot_connector(url),
            Purpose::BotKeys => self.endpoints.bots.keys.as_ref().is_some_and(|keys| same_origin(url, keys) && url.path().starts_with("/v1/.well-known/") && !climbs(url.path())),
        };
        if !allowed {
            return Err(refused("is not on the list of hosts for this cloud"));
        }
        // Anything but https passed the configuration only for loopback; a mixed cloud does not get it.
        if url.scheme() != "https" && !(url.scheme() == "http" && self.endpoints.loopback) {
            return Err(refused("is not https"));
        }
        Ok(())
    }

    /// A service URL that was received or stored, with `/` at its end. Errors: LinkRejected; nothing of it is repeated.
    pub fn service_url(&self, text: &str) -> Result<Url> {
        let mut url = self.received(text, Purpose::Bot)?;
        // The parser has gone up by now, and the path says nothing of it any more.
        if climbs(text) {
            return Err(refused("leads upwards"));
        }
        if url.query().is_some() {
            return Err(refused("has a query, which no service URL has"));
        }
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(url)
    }

    /// A host of the list, by its exact name; on a loopback cloud, the very one that was configured.
    fn is_bot_connector(&self, url: &Url) -> bool {
        let bots = &self.endpoints.bots;
        let is_listed = url.scheme() == "https" && url.port().is_none() && url.host_str().is_some_and(|host| bots.hosts.iter().any(|known| known == host));
        let is_here = self.endpoints.loopback && bots.service.as_ref().is_some_and(|service| same_origin(url, service));
        (is_listed || is_here) && !climbs(url.path())
    }

    /// One that begins with a dot is what the names of hosts end with.
    fn is_upload_host(&self, url: &Url, hosts: &[String]) -> bool {
        let is = |host: &str, allowed: &str| if allowed.starts_with('.') { host.len() > allowed.len() && host.ends_with(allowed) } else { host == allowed };
        let listed = url.scheme() == "https"
            && url.port().is_none()
            && url.host_str().is_some_and(|host| hosts.iter().any(|allowed| is(host, allowed)));
        listed || (self.endpoints.loopback && same_origin(url, &self.endpoints.graph))
    }
}

pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host_str() == b.host_str() && a.host_str().is_some() && a.port_or_known_default() == b.port_or_known_default()
}

fn below(url: &Url, root: &Url) -> bool {
    let prefix = format!("{}/", root.path().trim_end_matches('/'));
    same_origin(url, root) && url.path().starts_with(&prefix) && !climbs(url.path())
}

/// A segment that a server could read as `..` once more, after the parser has dealt with the plain ones.
pub(super) fn climbs(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2f", "/").replace("%5c", "/").replace("%2e", ".");
    path.split('/').any(|segment| segment == ".." || segment == ".")
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::LinkRejected, format!("An address {why}; nothing was sent there."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cloud;

    fn public() -> Hosts {
        Hosts::new(Endpoints::of(&Cloud::Public).unwrap())
    }

    #[test]
    fn the_configured_origin_and_prefix_pass() {
        for link in ["https://graph.microsoft.com/v1.0/me/messages?$skip=10", "https://graph.microsoft.com:443/v1.0/me", "https://GRAPH.microsoft.com/v1.0/x"] {
            assert!(public().received(link, Purpose::Graph).is_ok(), "{link}");
        }
        assert!(public().received("https://login.microsoftonline.com/common/discovery/v2.0/keys", Purpose::Identity).is_ok());
        assert!(public().received("https://outlook.office.com/api/v2.0/x?authtoken=1", Purpose::Upload).is_ok());
        assert!(public().received("https://contoso-my.sharepoint.com/_api/v2.0/drives/x/items/y/uploadSession?guid=1&tempauth=2", Purpose::FileUpload).is_ok());
    }

    #[test]
    fn files_and_attachments_of_mails_have_hosts_of_their_own() {
        for link in ["https://outlook.office.com/x", "https://sharepoint.com/x", "https://.sharepoint.com/x", "https://evilsharepoint.com/x", "https://contoso.sharepoint.com:444/x", "http://contoso.sharepoint.com/x", "https://contoso.sharepoint.com.evil.example/x", "https://contoso.sharepoint.us/x"] {
            assert!(public().received(link, Purpose::FileUpload).is_err(), "{link}");
        }
        assert!(public().received("https://contoso.sharepoint.com/x", Purpose::Upload).is_err());
    }

    #[test]
    fn everything_else_is_refused() {
        for link in [
            "http://graph.microsoft.com/v1.0/me",
            "https://graph.microsoft.com/beta/me",
            "https://graph.microsoft.com/v1.0",
            "https://graph.microsoft.com/v1.0evil/me",
            "https://graph.microsoft.com:444/v1.0/me",
            "https://graph.microsoft.com.evil.example/v1.0/me",
            "https://evilgraph.microsoft.com/v1.0/me",
            "https://graph.microsoft.com./v1.0/me",
            "https://graph.microsoft.com@evil.example/v1.0/me",
            "https://user@graph.microsoft.com/v1.0/me",
            "https://:pw@graph.microsoft.com/v1.0/me",
            "https://graph.microsoft.com/v1.0/../beta/me",
            "https://graph.microsoft.com/v1.0/%2e%2e/beta",
            "https://graph.microsoft.com/v1.0/..%2fbeta",
            "https://graph.microsoft.com/v1.0/x%5c..%5cbeta",
            "https://graph.microsoft.com\\@evil.example/v1.0/me",
            "https://graph.microsoft.com/v1.0/me#frag",
            " https://graph.microsoft.com/v1.0/me",
            "https://graph.microsoft.com/v1.0/m\te",
            "//graph.microsoft.com/v1.0/me",
            "/v1.0/me",
            "https://login.microsoftonline.com/v1.0/me",
            "file:///etc/passwd",
            "https://169.254.169.254/v1.0/me",
            "",
        ] {
            let refused = public().received(link, Purpose::Graph).expect_err(link);
            assert_eq!(refused.kind(), ErrorKind::LinkRejected, "{link}");
        }
        assert!(public().received("https://outlook.office.com:8443/x", Purpose::Upload).is_err());
        assert!(public().received("https://graph.microsoft.com/v1.0/me", Purpose::Identity).is_err());
        assert!(public().received(&format!("https://graph.microsoft.com/v1.0/{}", "a".repeat(40_000)), Purpose::Graph).is_err());
    }

    #[test]
    fn a_service_url_is_at_a_host_of_the_list() {
        for (good, as_kept) in [
            ("https://smba.trafficmanager.net/emea/", "https://smba.trafficmanager.net/emea/"),
            ("https://smba.trafficmanager.net/amer", "https://smba.trafficmanager.net/amer/"),
            ("https://SMBA.trafficmanager.net:443/amer/tenant//", "https://smba.trafficmanager.net/amer/tenant/"),
            ("https://smba.infra.gcc.teams.microsoft.com/gcc", "https://smba.infra.gcc.teams.microsoft.com/gcc/"),
        ] {
            assert_eq!(public().service_url(good).unwrap().as_str(), as_kept, "{good}");
        }
        for bad in [
            "http://smba.trafficmanager.net/emea/",
            "https://smba.trafficmanager.net:8443/emea/",
            "https://smba.trafficmanager.net/emea/?a=b",
            "https://smba.trafficmanager.net/emea/#a",
            "https://smba.trafficmanager.net/emea/..%2f..",
            "https://smba.trafficmanager.net/%2e%2e/x",
            "https://smba.trafficmanager.net@evil.example/emea/",
            "https://a@b@smba.trafficmanager.net/emea/",
            "https://smba.trafficmanager.net.evil.example/emea/",
            "https://smba.trafficmanager.net./emea/",
            "https://xsmba.trafficmanager.net/emea/",
            "https://smba.trafficmanager.net\\@evil.example/",
            "https://graph.microsoft.com/v1.0/",
            "https://smba.infra.gov.teams.microsoft.us/gcch",
            "smba.trafficmanager.net/emea",
            "",
        ] {
            assert!(public().service_url(bad).is_err(), "{bad}");
        }
        assert!(public().received("https://smba.trafficmanager.net/emea/v3/conversations", Purpose::Graph).is_err());
    }

    #[test]
    fn beta_is_another_place_than_version_1() {
        let beta = "https://graph.microsoft.com/beta/me/messages?$skip=10";
        assert!(public().received(beta, Purpose::Beta).is_ok() && public().received(beta, Purpose::Graph).is_err());
        for link in ["https://graph.microsoft.com/v1.0/me", "https://graph.microsoft.com/beta", "https://graph.microsoft.com/beta2/me", "https://graph.microsoft.com/beta/..%2fv1.0/me", "https://evil.example/beta/me"] {
            assert!(public().received(link, Purpose::Beta).is_err(), "{link}");
        }
        // Where a cloud's address names no version, nothing is guessed.
        let proxy = Hosts::new(Endpoints::of(&Cloud::custom("https://login.example", "https://proxy.example/graph")).unwrap());
        assert!(proxy.received("https://proxy.example/beta/me", Purpose::Beta).is_err());
    }

    #[test]
    fn plain_http_is_for_a_loopback_cloud_only() {
        let cloud = Cloud::custom("http://127.0.0.1:4000", "http://127.0.0.1:4000");
        let hosts = Hosts::new(Endpoints::of(&cloud).unwrap());
        assert!(hosts.received("http://127.0.0.1:4000/v1.0/me", Purpose::Graph).is_ok());
        assert!(hosts.received("http://127.0.0.1:4001/v1.0/me", Purpose::Graph).is_err());
        assert!(hosts.received("http://localhost:4000/v1.0/me", Purpose::Graph).is_err());
        let mixed = Hosts::new(Endpoints::of(&Cloud::custom("http://127.0.0.1:4000", "https://graph.example")).unwrap());
        assert!(mixed.received("http://127.0.0.1:4000/common/x", Purpose::Identity).is_err());
    }
}
