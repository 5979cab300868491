//! Tenants and people, and which apps there are.

pub use crate::apps::App;
use crate::ids::Ids;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The tenant that all personal accounts are in.
pub const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// The tenant that bots of many organisations take their tokens from; nobody is in it.
pub const BOT_FRAMEWORK: &str = "d6d49420-f39b-4df7-a1dc-d59a935871db";

/// Who may agree to what an app asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Everyone for themselves, save what always needs an administrator.
    Users,
    Admin,
    /// People may ask their administrator on Microsoft's page.
    AdminWithRequests,
}

/// Exchange Online's default for a message.
const MESSAGE_MAX: u64 = 35 << 20;

pub struct Tenant {
    pub id: String,
    pub domain: String,
    pub consent: Consent,
    /// The largest message, in bytes.
    pub message_max: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mailbox {
    Ready,
    Missing,
    Unlicensed,
    OnPremises,
}

/// What Conditional Access, or the administrator, has against a person.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    Mfa,
    Blocked,
    Disabled,
}

pub struct Person {
    /// Graph's.
    pub id: String,
    /// Entra's; another one for personal accounts alone.
    pub oid: String,
    pub address: String,
    pub name: String,
    pub tenant: usize,
    pub mailbox: Mailbox,
    pub teams: bool,
    /// Has a OneDrive, or a licence for one.
    pub onedrive: bool,
    /// A Global Administrator.
    pub admin: bool,
    /// Template ids of further directory roles.
    pub roles: Vec<String>,
    /// Of a guest: who it is at home.
    pub home: Option<usize>,
    pub policy: Option<Policy>,
    /// `mail` of the directory: none, or another than the address to sign in with. Outside: as the address.
    pub mail: Option<Option<String>>,
    /// `userPrincipalName`, where it is another than the address.
    pub user_name: Option<String>,
    pub guest: bool,
    /// Further addresses of the mailbox.
    pub aliases: Vec<String>,
}

impl Person {
    pub fn user_name(&self) -> &str {
        self.user_name.as_deref().unwrap_or(&self.address)
    }

    pub fn mail(&self) -> Option<&str> {
        match &self.mail {
            Some(mail) => mail.as_deref(),
            None => Some(&self.address),
        }
    }

    pub fn user_type(&self) -> &'static str {
        if self.guest { "Guest" } else { "Member" }
    }
}

pub const PUBLIC_APP: &str = "4f2b6f0a-0000-4000-8000-000000000001";
pub const SECRET_APP: &str = "4f2b6f0a-0000-4000-8000-000000000002";

/// Names of directory roles and their template ids.
const ROLES: [(&str, &str); 4] = [
    ("global_administrator", GLOBAL_ADMINISTRATOR),
    ("privileged_role_administrator", PRIVILEGED_ROLE_ADMINISTRATOR),
    ("application_administrator", "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"),
    ("cloud_application_administrator", "158c047a-c907-4556-b7ef-446551a6b5f7"),
];
const GLOBAL_ADMINISTRATOR: &str = "62e90394-69f5-4237-9190-012177145e10";
const PRIVILEGED_ROLE_ADMINISTRATOR: &str = "e8611ab8-c189-46e8-94e1-60213ab1f814";
/// What everybody has who belongs to an organisation.
const MEMBER: &str = "b79fbf4d-3ef9-4689-8143-76b194e85509";

pub fn role(name: &str) -> Option<String> {
    ROLES.iter().find(|(known, _)| *known == name).map(|(_, id)| (*id).to_string())
}

impl Person {
    /// As `wids` lists them.
    pub fn role_ids(&self) -> Vec<String> {
        let own = self.admin.then_some(GLOBAL_ADMINISTRATOR).into_iter().map(String::from);
        own.chain(self.roles.iter().cloned()).chain(self.home.is_none().then(|| MEMBER.to_string())).collect()
    }

    /// May agree for the whole tenant to what an app does on its own.
    pub fn may_approve_all(&self) -> bool {
        self.admin || self.roles.iter().any(|r| r == GLOBAL_ADMINISTRATOR || r == PRIVILEGED_ROLE_ADMINISTRATOR)
    }

    /// May agree for the whole tenant to delegated permissions.
    pub fn may_approve(&self) -> bool {
        self.admin || !self.roles.is_empty()
    }
}

#[derive(Default)]
pub struct People {
    pub tenants: Vec<Tenant>,
    pub people: Vec<Person>,
    pub apps: Vec<App>,
    /// The first person of each address and id, in lower case: with thousands of people every request looks somebody up.
    known: HashMap<String, usize>,
}

/// Is this an address of Microsoft's own, which no organisation stands behind?
fn is_personal(domain: &str) -> bool {
    matches!(domain, "outlook.com" | "hotmail.com" | "live.com")
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
            ("zoe@outlook.com", "Zoe Private"),
        ] {
            let at = all.add(ids, address, Some(name));
            all.people[at].admin = address.starts_with("nestor");
        }
        all.tenants.push(Tenant { id: BOT_FRAMEWORK.into(), domain: "botframework.com".into(), consent: Consent::Admin, message_max: MESSAGE_MAX });
        all.apps.push(App::new(PUBLIC_APP, None));
        all.apps.push(App::new(SECRET_APP, Some("simulator-secret")));
        all
    }

    /// The tenant of a domain, made if new.
    pub fn tenant_for(&mut self, ids: &mut Ids, domain: &str) -> usize {
        let domain = domain.to_lowercase();
        let (name, id) = if is_personal(&domain) { ("consumers".into(), Some(PERSONAL.into())) } else { (domain, None) };
        match self.tenants.iter().position(|t| t.domain == name) {
            Some(at) => at,
            None => {
                self.tenants.push(Tenant { id: id.unwrap_or_else(|| ids.guid()), domain: name, consent: Consent::Users, message_max: MESSAGE_MAX });
                self.tenants.len() - 1
            }
        }
    }

    /// The person of this address, made if new.
    pub fn add(&mut self, ids: &mut Ids, address: &str, name: Option<&str>) -> usize {
        let (local, domain) = address.split_once('@').unwrap_or((address, "contoso.com"));
        let domain = domain.to_lowercase();
        let tenant = self.tenant_for(ids, &domain);
        let address = format!("{local}@{domain}");
        if let Some(known) = self.find(&address) {
            let person = &mut self.people[known];
            person.name = name.map(String::from).unwrap_or_else(|| person.name.clone());
            return known;
        }
        let personal = is_personal(&domain);
        let (id, oid) = if personal {
            let digest: String = Sha256::digest(address.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect();
            let oid = format!("00000000-0000-0000-{}-{}", &digest[..4], &digest[4..]);
            (digest, oid)
        } else {
            let id = ids.guid();
            (id.clone(), id)
        };
        let name = name.unwrap_or(local).to_string();
        let (mailbox, teams) = (Mailbox::Ready, !personal);
        self.push(Person { id, oid, address, name, tenant, mailbox, teams, onedrive: teams, admin: false, roles: Vec::new(), home: None, policy: None, mail: None, user_name: None, guest: false, aliases: Vec::new() })
    }

    /// Somebody of elsewhere, invited to this tenant: an account of its own there.
    pub fn invite(&mut self, ids: &mut Ids, home: usize, tenant: usize) -> usize {
        if let Some(known) = self.guest(home, tenant) {
            return known;
        }
        let id = ids.guid();
        let (address, name) = (self.people[home].address.clone(), self.people[home].name.clone());
        let (oid, mailbox) = (id.clone(), Mailbox::Missing);
        self.push(Person { id, oid, address, name, tenant, mailbox, teams: false, onedrive: false, admin: false, roles: Vec::new(), home: Some(home), policy: None, mail: None, user_name: None, guest: true, aliases: Vec::new() })
    }

    pub fn guest(&self, home: usize, tenant: usize) -> Option<usize> {
        self.people.iter().position(|p| p.home == Some(home) && p.tenant == tenant)
    }

    fn push(&mut self, person: Person) -> usize {
        let at = self.people.len();
        for name in [&person.address, &person.id, &person.oid] {
            self.known.entry(name.to_ascii_lowercase()).or_insert(at);
        }
        self.people.push(person);
        at
    }

    /// Gives somebody another id than the one made, before anybody has signed in.
    pub fn set_id(&mut self, person: usize, id: &str) {
        let who = &mut self.people[person];
        for name in [&who.id, &who.oid] {
            self.known.remove(&name.to_ascii_lowercase());
        }
        (who.id, who.oid) = (id.to_string(), id.to_string());
        self.known.insert(id.to_ascii_lowercase(), person);
    }

    /// One more address of a mailbox. False: somebody has it already.
    pub fn add_alias(&mut self, person: usize, alias: &str) -> bool {
        if *self.known.entry(alias.to_ascii_lowercase()).or_insert(person) != person {
            return false;
        }
        let aliases = &mut self.people[person].aliases;
        if !aliases.iter().any(|known| known.eq_ignore_ascii_case(alias)) {
            aliases.push(alias.to_string());
        }
        true
    }

    /// By id or address.
    pub fn find(&self, who: &str) -> Option<usize> {
        self.known.get(&who.to_ascii_lowercase()).copied()
    }

    /// As Graph looks somebody up: by id or user name, never by mail.
    pub fn find_user(&self, who: &str) -> Option<usize> {
        let is = |text: &str| text.eq_ignore_ascii_case(who);
        self.people.iter().position(|p| is(p.user_name()) || is(&p.id) || is(&p.oid))
    }

    pub fn tenant(&self, name: &str) -> Option<usize> {
        self.tenants.iter().position(|t| t.id.eq_ignore_ascii_case(name) || t.domain.eq_ignore_ascii_case(name))
    }

    pub fn tenant_of(&self, person: usize) -> &Tenant {
        &self.tenants[self.people[person].tenant]
    }

    pub fn is_personal(&self, person: usize) -> bool {
        self.tenant_of(person).id == PERSONAL
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
        let mail = if null_mail || self.is_personal(person) { Value::Null } else { json!(p.mail()) };
        json!({
            "businessPhones": [], "displayName": p.name, "givenName": given, "jobTitle": null, "mail": mail,
            "mobilePhone": null, "officeLocation": null, "preferredLanguage": "en-US", "surname": surname,
            "userPrincipalName": p.user_name(), "id": p.id,
        })
    }
}
