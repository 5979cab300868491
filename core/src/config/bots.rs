//! Where the Bot Connector of a cloud is, and who speaks for it. Sources: Bot Framework, authentication; Teams, send proactive messages (service URLs).

use super::{Cloud, Config, DEFAULT_APP};
use crate::error::{Error, Result};
use url::{Host, Url};

const LONGEST: usize = 500;

/// The Bot Connector, as far as a cloud decides it.
#[derive(Debug, Clone)]
pub(crate) struct BotPlaces {
    /// Where somebody is written to for the first time, with `/` at its end. None: Microsoft documents no such address for this cloud.
    pub service: Option<Url>,
    /// Where organisations of the US government in this cloud are, which says of no other address that it is theirs. None: it has none of them.
    pub gcc: Option<Url>,
    /// Hosts that service URLs may be at.
    pub hosts: Vec<String>,
    /// Of the tokens that a bot needs.
    pub scope: &'static str,
    /// Where bots of several organisations ask for tokens.
    pub tenant: &'static str,
    /// Metadata of the keys that what is posted to a bot is signed with. None: the one beside the service that the host has set.
    pub keys: Option<Url>,
    /// Who signs.
    pub issuer: &'static str,
}

impl BotPlaces {
    pub fn of(cloud: &Cloud) -> Self {
        let places = |service: Option<&str>, hosts: &[&str], scope, tenant, (keys, issuer): (Option<&str>, &'static str)| Self {
            keys: keys.and_then(|text| Url::parse(text).ok()),
            issuer,
            service: service.and_then(|text| Url::parse(text).ok()),
            gcc: None,
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            scope,
            tenant,
        };
        match cloud {
            Cloud::Public => Self { gcc: Url::parse("https://smba.infra.gcc.teams.microsoft.com/gcc/").ok(), ..places(
                Some("https://smba.trafficmanager.net/teams/"),
                &["smba.trafficmanager.net", "smba.onyx.prod.teams.trafficmanager.net", "smba.infra.gcc.teams.microsoft.com"],
                "https://api.botframework.com/.default",
                "botframework.com",
                (Some("https://login.botframework.com/v1/.well-known/openidconfiguration"), "https://api.botframework.com"),
            ) },
            Cloud::UsGov => places(
                Some("https://smba.infra.gov.teams.microsoft.us/gcch/"),
                &["smba.infra.gov.teams.microsoft.us"],
                "https://api.botframework.us/.default",
                "MicrosoftServices.onmicrosoft.us",
                (Some("https://login.botframework.azure.us/v1/.well-known/openidconfiguration"), "https://api.botframework.us"),
            ),
            Cloud::UsGovDod => places(
                Some("https://smba.infra.dod.teams.microsoft.us/dod/"),
                &["smba.infra.dod.teams.microsoft.us"],
                "https://api.botframework.us/.default",
                "MicrosoftServices.onmicrosoft.us",
                (Some("https://login.botframework.azure.us/v1/.well-known/openidconfiguration"), "https://api.botframework.us"),
            ),
            Cloud::China => places(
                None,
                &["frontend.botapi.msg.infra.teams.microsoftonline.cn"],
                "https://api.botframework.azure.cn/.default",
                "microsoftservices.partner.onmschina.cn",
                (Some("https://login.botframework.azure.cn/v1/.well-known/openidconfiguration"), "https://api.botframework.azure.cn"),
            ),
            Cloud::Custom { .. } => places(None, &[], "https://api.botframework.com/.default", "botframework.com", (None, "https://api.botframework.com")),
        }
    }

    /// With what the host has set.
    pub fn with(mut self, service_url: Option<&str>, loopback: bool) -> Result<Self> {
        if let Some(text) = service_url {
            let url = service(text, loopback)?;
            if let Some(host) = url.host_str() {
                self.hosts.push(host.to_owned());
            }
            if self.keys.is_none() {
                let mut keys = url.clone();
                keys.set_path("/v1/.well-known/openidconfiguration");
                self.keys = Some(keys);
            }
            if loopback {
                // A simulator has all its places at one host.
                let mut gcc = url.clone();
                gcc.set_path("/gcc/");
                self.gcc = Some(gcc);
            }
            self.service = Some(url);
        }
        Ok(self)
    }
}

/// The settings of a bot, as far as they can be looked at by themselves.
pub(super) fn check(config: &Config) -> Result<()> {
    let Some(name) = &config.bot_app else {
        return match config.bot_tenant.is_some() || config.bot_service_url.is_some() || config.bot_external_id.is_some() {
            true => Err(Error::invalid("bot_tenant, bot_service_url and bot_external_id are about a bot, and bot_app names none. Set bot_app to default, or to the name of one of apps.")),
            false => Ok(()),
        };
    };
    let is_confidential = match config.apps.iter().find(|app| app.name == *name) {
        Some(app) => app.client_secret.is_some() || app.certificate.is_some(),
        None if name == DEFAULT_APP => config.client_secret.is_some() || config.certificate.is_some(),
        None => return Err(Error::invalid("bot_app names an application that is not configured. Write default, or the name of one of apps.")),
    };
    if config.bot_external_id.as_deref().is_some_and(|id| id.is_empty() || id.len() > 100 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')) {
        return Err(Error::invalid("bot_external_id is no id of an app. Pass the id that its manifest has."));
    }
    if !is_confidential {
        return Err(Error::invalid("The application of the bot has neither client_secret nor certificate; a bot proves by one of them who it is."));
    }
    Ok(())
}

/// An address of the Bot Connector: https, or plain http on a loopback cloud; `/` at its end.
fn service(text: &str, loopback: bool) -> Result<Url> {
    let refuse = |why: &str| Err(Error::invalid(format!("bot_service_url {why}. It looks like https://smba.trafficmanager.net/teams.")));
    if text.len() > LONGEST || text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return refuse("is too long, or holds characters that no address may hold");
    }
    if text.is_empty() {
        return refuse("is empty");
    }
    let Ok(mut url) = Url::parse(text) else { return refuse("is not a URL") };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return refuse("must hold no user, query or fragment");
    }
    let is_here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(host)) => host == "localhost",
        None => return refuse("has no host"),
    };
    let is_fine = match url.scheme() {
        "https" => url.port().is_none() || (loopback && is_here),
        "http" => loopback && is_here,
        _ => false,
    };
    if !is_fine {
        return refuse("must be https, on the usual port");
    }
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use std::sync::Arc;

    #[test]
    fn every_cloud_has_its_own_places() {
        for cloud in [Cloud::Public, Cloud::UsGov, Cloud::UsGovDod, Cloud::China] {
            let places = BotPlaces::of(&cloud);
            assert!(!places.hosts.is_empty() && places.scope.ends_with("/.default"), "{cloud:?}");
            if let Some(url) = places.service {
                assert!(places.hosts.iter().any(|host| Some(host.as_str()) == url.host_str()) && url.path().ends_with('/'), "{cloud:?}");
            }
            assert_eq!(places.gcc.is_some(), matches!(cloud, Cloud::Public));
            assert!(places.gcc.is_none_or(|url| places.hosts.iter().any(|host| Some(host.as_str()) == url.host_str())));
        }
    }

    #[test]
    fn a_service_url_is_an_address_of_one_service() {
        assert_eq!(service("https://smba.trafficmanager.net/emea", false).unwrap().as_str(), "https://smba.trafficmanager.net/emea/");
        assert_eq!(service("http://127.0.0.1:4000/teams/", true).unwrap().as_str(), "http://127.0.0.1:4000/teams/");
        for bad in [
            "", "smba", "http://smba.trafficmanager.net/teams", "https://smba.trafficmanager.net:8443/teams", "https://u@smba.trafficmanager.net/teams", "https://smba.trafficmanager.net/teams?x=1",
            "https://smba.trafficmanager.net/teams#x", "https://smba.trafficmanager.net\\teams", "ftp://smba.trafficmanager.net/", "https://", "http://127.0.0.1:4000/teams ",
        ] {
            assert!(service(bad, false).is_err(), "{bad}");
        }
        assert!(service("http://127.0.0.1:4000/teams", false).is_err());
    }

    #[test]
    fn a_bot_is_an_application_that_can_prove_who_it_is() {
        let mut config = Config::new("d", "00000000-0000-0000-0000-000000000001");
        assert!(check(&config).is_ok());
        config.bot_tenant = Some("contoso.com".into());
        assert!(check(&config).is_err());
        config.bot_app = Some("default".into());
        assert!(check(&config).is_err());
        config.client_secret = Some(Arc::new(Secret::new("s".to_owned())));
        assert!(check(&config).is_ok());
        config.bot_app = Some("other".into());
        assert!(check(&config).is_err());
    }
}
