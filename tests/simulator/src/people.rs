//! Tenants, people and registered apps.

use crate::ids::Ids;
use serde_json::{Value, json};

pub struct Tenant {
    pub id: String,
    pub domain: String,
}

pub struct Person {
    pub id: String,
    pub address: String,
    pub name: String,
    pub tenant: usize,
    pub mailbox: bool,
    pub teams: bool,
}

pub struct App {
    pub client_id: String,
    pub secret: Option<String>,
    pub redirect_uris: Vec<String>,
    /// May redeem without a secret.
    pub public: bool,
}

pub const PUBLIC_APP: &str = "4f2b6f0a-0000-4000-8000-000000000001";
pub const SECRET_APP: &str = "4f2b6f0a-0000-4000-8000-000000000002";

#[derive(Default)]
pub struct People {
    pub tenants: Vec<Tenant>,
    pub people: Vec<Person>,
    pub apps: Vec<App>,
}

impl People {
    pub fn start(ids: &mut Ids) -> People {
        let mut all = People::default();
        for (address, name) in [
            ("adele@contoso.com", "Adele Vance"),
            ("alex@contoso.com", "Alex Wilber"),
            ("megan@contoso.com", "Megan Bowen"),
            ("nestor@contoso.com", "Nestor Wilke"),
            ("fred@fabrikam.com", "Fred Fabrikam"),
        ] {
            all.add(ids, address, Some(name), true, true);
        }
        let redirects = || vec!["http://localhost".into(), "http://127.0.0.1".into(), "https://app.example/callback".into()];
        all.apps.push(App { client_id: PUBLIC_APP.into(), secret: None, redirect_uris: redirects(), public: true });
        let secret = Some("simulator-secret".into());
        all.apps.push(App { client_id: SECRET_APP.into(), secret, redirect_uris: redirects(), public: false });
        all
    }

    pub fn add(&mut self, ids: &mut Ids, address: &str, name: Option<&str>, mailbox: bool, teams: bool) -> usize {
        let (local, domain) = address.split_once('@').unwrap_or((address, "contoso.com"));
        let domain = domain.to_lowercase();
        let tenant = match self.tenants.iter().position(|t| t.domain == domain) {
            Some(t) => t,
            None => {
                self.tenants.push(Tenant { id: ids.guid(), domain: domain.clone() });
                self.tenants.len() - 1
            }
        };
        let address = format!("{local}@{domain}");
        if let Some(known) = self.find(&address) {
            let person = &mut self.people[known];
            person.name = name.map(String::from).unwrap_or_else(|| person.name.clone());
            (person.mailbox, person.teams) = (mailbox, teams);
            return known;
        }
        let name = name.unwrap_or(local).to_string();
        self.people.push(Person { id: ids.guid(), address, name, tenant, mailbox, teams });
        self.people.len() - 1
    }

    /// By id, address or user principal name.
    pub fn find(&self, who: &str) -> Option<usize> {
        self.people.iter().position(|p| p.address.eq_ignore_ascii_case(who) || p.id.eq_ignore_ascii_case(who))
    }

    pub fn tenant(&self, name: &str) -> Option<usize> {
        self.tenants.iter().position(|t| t.id.eq_ignore_ascii_case(name) || t.domain.eq_ignore_ascii_case(name))
    }

    pub fn tenant_of(&self, person: usize) -> &Tenant {
        &self.tenants[self.people[person].tenant]
    }

    pub fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.iter().find(|a| a.client_id.eq_ignore_ascii_case(client_id))
    }

    /// Is this domain one of the simulated tenants'?
    pub fn knows_domain(&self, address: &str) -> bool {
        let domain = address.rsplit('@').next().unwrap_or("");
        address.contains('@') && self.tenants.iter().any(|t| t.domain.eq_ignore_ascii_case(domain))
    }

    /// The user object of Graph.
    pub fn json(&self, person: usize, null_mail: bool) -> Value {
        let p = &self.people[person];
        let (given, surname) = p.name.split_once(' ').unwrap_or((&p.name, ""));
        let mail = if null_mail { Value::Null } else { json!(p.address) };
        json!({
            "businessPhones": [], "displayName": p.name, "givenName": given, "jobTitle": null, "mail": mail,
            "mobilePhone": null, "officeLocation": null, "preferredLanguage": "en-US", "surname": surname,
            "userPrincipalName": p.address, "id": p.id,
        })
    }
}

impl App {
    /// Exact match, save that the port of a loopback address is of no account, and that the
    /// registered `http://localhost` stands for every path below it.
    pub fn takes_redirect(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|registered| {
            if registered == uri {
                return true;
            }
            let (Ok(known), Ok(given)) = (url::Url::parse(registered), url::Url::parse(uri)) else {
                return false;
            };
            let local = |u: &url::Url| u.scheme() == "http" && matches!(u.host_str(), Some("localhost" | "127.0.0.1"));
            local(&known)
                && local(&given)
                && known.host_str() == given.host_str()
                && (known.path() == "/" || known.path() == given.path())
        })
    }
}
