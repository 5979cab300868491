//! What a host sets, and what follows from it: endpoints per cloud, limits.

mod bots;
mod file;
mod folders;
mod notifications;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod printed;
mod section;
mod workflow_hosts;

pub(crate) use bots::BotPlaces;
pub(crate) use folders::{ALL_FOLDERS, check_folders};

use crate::error::{Error, ErrorKind, Result};
use crate::secret::{ClientCertificate, Secret};
use std::collections::BTreeSet;
use std::sync::Arc;
use url::Url;

/// Which Microsoft cloud to talk to.
#[derive(Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    /// login.microsoftonline.com and graph.microsoft.com, GCC included.
    #[default]
    Public,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
    /// Another Entra and Graph, such as the simulator: two origins, `graph` with or without `/v1.0`. Plain HTTP is accepted for loopback hosts only.
    Custom { login: String, graph: String },
}

impl Cloud {
    /// Another Entra and Graph, such as the simulator.
    pub fn custom(login: impl Into<String>, graph: impl Into<String>) -> Self {
        Self::Custom { login: login.into(), graph: graph.into() }
    }
}

/// What the store does with mail. Tokens and keys are always sealed.
/// `Sealed`: subjects, addresses and bodies are encrypted. `Clear`: there is a full-text index beside them, which whoever has the file can read; `search` uses it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    #[default]
    Sealed,
    Clear,
}

/// What becomes of sends that were open when the store was copied or restored from a backup; the original, or the time since, may have sent them.
/// `Park`: they wait, and their receipts say so, until the store is opened with `Go`. `Go`: they go out, also those that wait since an earlier open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopiedStore {
    #[default]
    Park,
    Go,
}

/// A further application of yours in Entra, chosen by its name in `connect`.
#[derive(Clone)]
pub struct App {
    /// 1 to 50 letters, digits, `-` or `_`; `default` is the one of `Config` itself.
    pub name: String,
    pub client_id: String,
    pub client_secret: Option<Arc<Secret>>,
    pub certificate: Option<Arc<ClientCertificate>>,
    pub tenant: String,
}

/// How an engine is set up.
#[derive(Clone)]
pub struct Config {
    /// Folder of the store, made with mode 0700 if missing. One folder may be opened by several processes.
    pub data_dir: String,
    /// Application (client) id of your registration in Entra.
    pub client_id: String,
    pub cloud: Cloud,
    /// Client secret of a confidential client; none for a public client.
    pub client_secret: Option<Arc<Secret>>,
    /// Certificate instead of a client secret.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Whose sign-in page: `common`, `organizations`, `consumers`, a tenant id or a verified domain.
    pub tenant: String,
    /// Further applications.
    pub apps: Vec<App>,
    /// Chosen when the store is made; opening it with the other is an error.
    pub content: Content,
    /// What becomes of sends that were open when the store was copied or restored from a backup.
    pub on_copied_store: CopiedStore,
    /// How long `send` waits for the outcome before it answers `queued`, in milliseconds.
    pub send_timeout_ms: u32,
    /// How long a started sign-in stays valid, in seconds, 300 at the most.
    pub sign_in_seconds: u32,
    /// Messages asked for per page of a sync, 1 to 1000.
    pub page_size: u32,
    /// Folders to sync, by well-known name or id, or `all`; empty: `inbox` and `sentitems`. `choose_folders` chooses others for an account.
    pub folders: Vec<String>,
    /// Accept TLS 1.2 beside 1.3, for networks whose proxy needs it.
    pub allow_tls12: bool,
    /// Proxy as `http://host:port`, or `http://user:password@host:port`; without it the environment decides. A secret, since it may hold a password.
    pub proxy: Option<Arc<Secret>>,
    /// Further certificate authorities to trust, as PEM: those of a proxy that looks into TLS. The system's are trusted anyway.
    pub ca_certificates: Option<String>,
    /// Requests to Microsoft at a time for one tenant and service (mail, Teams, directory), 1 to 64. One mailbox never has more than four.
    pub max_tenant_requests: u32,
    /// Requests to Microsoft at a time in all, 1 to 64. Sign-in, renewal of tokens and posts to workflows are not counted.
    pub max_requests: u32,
    /// For how many days the change feed is kept, 1 to 3650, and at the most the last million changes of an account. A cursor from before that is told so.
    pub keep_changes_days: u32,
    /// For how many days a send is kept after it was sent, failed, cancelled or left in doubt, 1 to 3650. After that its receipt is NotFound, and its
    /// idempotency key forgotten.
    pub keep_sends_days: u32,
    /// Hosts that workflows may be at: one by its name, or with a dot before it all below that name, as in `.logic.azure.com`. Empty: `.logic.azure.com`,
    /// `.environment.api.powerplatform.com` and `.api.powerplatform.com` in the public cloud, none in the others.
    pub workflow_hosts: Vec<String>,
    /// Mails that leave a mailbox in any minute, up to 10,000; 0: no limit. Exchange Online takes 30 and lets those beyond wait by itself. It holds over restarts
    /// and for all processes of the store. What `send` waits for passes those of a campaign.
    pub mails_per_minute: u32,
    /// Recipients of the mails that leave a mailbox in any 24 hours, up to 1,000,000; 0: no limit. Exchange Online takes 10,000 and refuses those beyond.
    pub recipients_per_day: u32,
    /// Where Microsoft posts that something changed in a mailbox: a route of the host's own, which hands what comes to `receive`. https, without user and
    /// fragment, 2,000 characters at the most; none: no mailbox is watched. Plain http is for loopback hosts of a custom cloud only.
    pub notification_url: Option<String>,
    /// How many days before today events of the calendar are synced, 0 to 900.
    pub calendar_days_before: u32,
    /// How many days after today events of the calendar are synced, 1 to 900.
    pub calendar_days_after: u32,
    /// Notifications bring what changed of a message, encrypted for a certificate that the engine makes and replaces, and signed by Microsoft. It is proven and counted (`metrics`),
    /// and read from the mailbox all the same. Such a subscription lives for a day instead of three. Needs `notification_url`.
    pub encrypted_notifications: bool,
    /// How many megabytes of attachments are kept on disk, sealed, for whoever reads them again; 0: none. Those that were read least recently go first. It is the same in all processes of a
    /// store, up to 1,000,000.
    pub attachment_cache_mb: u32,
    /// The application that is a bot in Teams: `default`, or the name of one of `apps`. It needs a client secret or a certificate; none: there is no bot.
    pub bot_app: Option<String>,
    /// Where the bot asks for its tokens: the tenant id of its own organisation if its registration is for one organisation only, as those made since August 2025
    /// are. None: where bots of several organisations ask (`botframework.com`).
    pub bot_tenant: Option<String>,
    /// Address of the Bot Connector for somebody whom the bot was never told of, as in `https://smba.infra.gcc.teams.microsoft.com/gcc`. None: that of the cloud.
    pub bot_service_url: Option<String>,
    /// Id of the bot's app in the organisations' catalogues, as `app_id` of its package: where a message of the bot is to go and the app is missing, it is then installed
    /// first, once, if the account of the organisation may: for a person, in a group chat, or in the team that `team_id` of the draft names (`AppCatalog.Read.All`;
    /// `TeamsAppInstallation.ReadWriteSelfForUser.All`, `…ForChat.All`, `…ForTeam.All`; `User.ReadBasic.All` for people by address). Teams learns of it a little later: the message is
    /// tried again for two minutes. None: nothing is installed.
    pub bot_external_id: Option<String>,
}

impl Config {
    /// Public cloud, public client, any account, defaults for the rest.
    pub fn new(data_dir: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            data_dir: data_dir.into(),
            client_id: client_id.into(),
            cloud: Cloud::Public,
            client_secret: None,
            certificate: None,
            tenant: "common".to_owned(),
            apps: Vec::new(),
            content: Content::Sealed,
            on_copied_store: CopiedStore::Park,
            send_timeout_ms: 30_000,
            sign_in_seconds: 300,
            page_size: 100,
            folders: Vec::new(),
            allow_tls12: false,
            proxy: None,
            ca_certificates: None,
            max_tenant_requests: 4,
            max_requests: 64,
            keep_changes_days: 90,
            keep_sends_days: 90,
            workflow_hosts: Vec::new(),
            mails_per_minute: 0,
            recipients_per_day: 0,
            notification_url: None,
            calendar_days_before: 30,
            calendar_days_after: 365,
            encrypted_notifications: false,
            attachment_cache_mb: 0,
            bot_app: None,
            bot_tenant: None,
            bot_service_url: None,
            bot_external_id: None,
        }
    }

    /// The settings of a `tidings.toml`.
    pub(crate) fn from_file(path: &str) -> Result<Self> {
        file::read(std::path::Path::new(path))
    }

    /// Refuses what cannot work, before any disk or network.
    pub(crate) fn check(&self) -> Result<Endpoints> {
        if self.data_dir.trim().is_empty() {
            return Err(Error::invalid("data_dir is empty. Name a folder for the store."));
        }
        let mut endpoints = Endpoints::of(&self.cloud)?;
        workflow_hosts::check(&self.workflow_hosts)?;
        self.notification_url.as_deref().map_or(Ok(()), |text| notifications::check(text, endpoints.loopback))?;
        if self.encrypted_notifications && self.notification_url.is_none() {
            return Err(Error::invalid("encrypted_notifications needs notification_url, where Microsoft posts them to."));
        }
        if self.mails_per_minute > 10_000 || self.recipients_per_day > 1_000_000 {
            return Err(Error::invalid("mails_per_minute may be 10,000 at the most and recipients_per_day 1,000,000; 0 is no limit."));
        }
        if !self.workflow_hosts.is_empty() {
            endpoints.workflows = self.workflow_hosts.clone();
        }
        check_app("", &self.client_id, &self.tenant, (self.client_secret.as_deref(), self.certificate.as_deref()), &endpoints)?;
        self.check_apps(&endpoints)?;
        bots::check(self)?;
        self.bot_tenant.as_deref().map_or(Ok(()), |tenant| endpoints.check_tenant(tenant).map_err(|_| Error::invalid("bot_tenant must be a tenant id or a domain.")))?;
        endpoints.bots = endpoints.bots.with(self.bot_service_url.as_deref(), endpoints.loopback)?;
        check_folders(&self.folders)?;
        if !(1..=1000).contains(&self.page_size) {
            return Err(Error::invalid("page_size must be from 1 to 1000."));
        }
        for (name, most) in [("max_tenant_requests", self.max_tenant_requests), ("max_requests", self.max_requests)] {
            if !(1..=64).contains(&most) {
                return Err(Error::invalid(format!("{name} must be from 1 to 64.")));
            }
        }
        for (name, days) in [("keep_changes_days", self.keep_changes_days), ("keep_sends_days", self.keep_sends_days)] {
            if !(1..=3_650).contains(&days) {
                return Err(Error::invalid(format!("{name} must be from 1 to 3650.")));
            }
        }
        if self.calendar_days_before > 900 || !(1..=900).contains(&self.calendar_days_after) {
            return Err(Error::invalid("calendar_days_before must be from 0 to 900 and calendar_days_after from 1 to 900."));
        }
        if self.attachment_cache_mb > 1_000_000 {
            return Err(Error::invalid("attachment_cache_mb may be 1,000,000 at the most; 0 keeps none."));
        }
        if !(1..=300).contains(&self.sign_in_seconds) {
            return Err(Error::invalid("sign_in_seconds must be from 1 to 300."));
        }
        Ok(endpoints)
    }

    fn check_apps(&self, endpoints: &Endpoints) -> Result<()> {
        if self.apps.len() > MOST_APPS {
            return Err(Error::invalid("apps holds more than 100 applications."));
        }
        let mut seen = BTreeSet::from([DEFAULT_APP]);
        for app in &self.apps {
            let fits = (1..=50).contains(&app.name.len()) && app.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !fits {
                return Err(Error::invalid("The name of an application in apps must be 1 to 50 letters, digits, - or _."));
            }
            if !seen.insert(&app.name) {
                let why = if app.name == DEFAULT_APP { "is the application of the configuration itself" } else { "is there twice" };
                return Err(Error::invalid(format!("The application “{}” in apps {why}. Give each its own name.", app.name)));
            }
            check_app(&format!("Application “{}” in apps: ", app.name), &app.client_id, &app.tenant, (app.client_secret.as_deref(), app.certificate.as_deref()), endpoints)?;
        }
        Ok(())
    }
}

/// Name of the application of `Config` itself.
pub(crate) const DEFAULT_APP: &str = "default";
const MOST_APPS: usize = 100;
/// Tenant of all personal accounts.
pub(crate) const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn check_app(whose: &str, client_id: &str, tenant: &str, proofs: (Option<&Secret>, Option<&ClientCertificate>), endpoints: &Endpoints) -> Result<()> {
    let refuse = |why: &str| Err(Error::invalid(format!("{whose}{why}")));
    if client_id.is_empty() || client_id.len() > 100 || !client_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return refuse("client_id is not an application id. Copy it from your registration in Entra; it looks like 00000000-0000-0000-0000-000000000000.");
    }
    if proofs.0.is_some_and(|secret| secret.expose(str::is_empty)) {
        return refuse("client_secret is empty. Leave it out for a public client.");
    }
    if proofs.0.is_some() && proofs.1.is_some() {
        return refuse("client_secret and certificate are both given. Give the one that the registration in Entra has.");
    }
    endpoints.check_tenant(tenant).map_err(|e| Error::invalid(format!("{whose}{}", e.reason())))
}

/// Where the two services of a cloud live.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// Origin of Entra, path `/`.
    pub login: Url,
    /// Graph with its version: `…/v1.0/`.
    pub graph: Url,
    /// Hosts of upload sessions of mails.
    pub uploads: Vec<String>,
    /// Hosts of upload sessions of files, or what their names end with if it begins with a dot.
    pub file_uploads: Vec<String>,
    /// Hosts of workflows, or what their names end with if it begins with a dot.
    pub workflows: Vec<String>,
    /// Plain HTTP to loopback is allowed: the cloud is `Custom` and both origins are loopback.
    pub loopback: bool,
    /// Personal accounts exist in this cloud.
    pub personal: bool,
    /// The Bot Connector.
    pub bots: BotPlaces,
}

impl Endpoints {
    pub fn of(cloud: &Cloud) -> Result<Self> {
        let (login, graph, uploads, file_uploads): (&str, &str, &[&str], &[&str]) = match cloud {
            Cloud::Public => ("https://login.microsoftonline.com", "https://graph.microsoft.com", &["outlook.office.com", "outlook.office365.com"], &[".sharepoint.com"]),
            Cloud::UsGov => ("https://login.microsoftonline.us", "https://graph.microsoft.us", &["outlook.office365.us"], &[".sharepoint.us"]),
            Cloud::UsGovDod => ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us", &["outlook-dod.office365.us"], &[".sharepoint-mil.us"]),
            Cloud::China => ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn", &["partner.outlook.cn"], &[".sharepoint.cn"]),
            Cloud::Custom { login, graph } => (login, graph, &[], &[]),
        };
        let (login, login_loopback) = origin("login", login)?;
        let (mut graph, graph_loopback) = origin("graph", graph)?;
        let path = match graph.path().trim_end_matches('/') {
            "" => "/v1.0/".to_owned(),
            given => format!("{given}/"),
        };
        graph.set_path(&path);
        let workflows = workflow_hosts::of_cloud(cloud).iter().map(|host| (*host).to_owned()).collect();
        let names = |hosts: &[&str]| hosts.iter().map(|host| (*host).to_owned()).collect();
        Ok(Self { login, graph, uploads: names(uploads), file_uploads: names(file_uploads), workflows, loopback: login_loopback && graph_loopback, personal: matches!(cloud, Cloud::Public | Cloud::Custom { .. }), bots: BotPlaces::of(cloud) })
    }

    /// Graph's beta, beside its version 1.0. None: the address of `graph` ends in no version, so nobody knows where the other one is.
    pub fn beta(&self) -> Option<Url> {
        let before = self.graph.path().strip_suffix("v1.0/")?;
        let mut beta = self.graph.clone();
        beta.set_path(&format!("{before}beta/"));
        Some(beta)
    }

    /// Whose sign-in page may be used in this cloud.
    pub fn check_tenant(&self, tenant: &str) -> Result<()> {
        if tenant.is_empty() || tenant.len() > 255 || !tenant.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') || tenant.starts_with('.') {
            return Err(Error::invalid("tenant must be common, organizations, consumers, a tenant id or a domain."));
        }
        if !self.personal && is_personal(tenant) {
            return Err(Error::invalid("Personal Microsoft accounts exist in the public cloud only. Set tenant to organizations, a tenant id or a domain, or use the public cloud."));
        }
        Ok(())
    }

    /// The prefix of Graph scopes: `https://graph.microsoft.com/`. A custom cloud takes Microsoft's own, since scopes are names, not addresses.
    pub fn scope_prefix(&self) -> String {
        match self.graph.host_str() {
            Some(host) if !self.loopback => format!("https://{host}/"),
            _ => "https://graph.microsoft.com/".to_owned(),
        }
    }
}

/// A tenant setting that takes personal accounts only.
pub(crate) fn is_personal(tenant: &str) -> bool {
    tenant.eq_ignore_ascii_case("consumers") || tenant.eq_ignore_ascii_case(PERSONAL_TENANT)
}

/// An https origin, or an http one on loopback. True when it is loopback.
fn origin(name: &str, text: &str) -> Result<(Url, bool)> {
    let refuse = |why: &str| Error::new(ErrorKind::InvalidInput, format!("The {name} address of the cloud {why}."));
    if text.trim().is_empty() {
        return Err(refuse("is missing"));
    }
    let url = Url::parse(text).map_err(|_| refuse("is not a URL"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("must hold no user, query or fragment"));
    }
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(host)) => host == "localhost",
        None => return Err(refuse("has no host")),
    };
    match url.scheme() {
        "https" => Ok((url, loopback)),
        "http" if loopback => Ok((url, true)),
        _ => Err(refuse("must be https; plain http is for loopback hosts only")),
    }
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod tests;
