//! Registered apps: what their registration says, and who may use it.

use crate::clock;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Value, json};

/// Where the start's apps may be sent back to.
const REDIRECTS: [&str; 3] = ["http://localhost", "http://127.0.0.1", "https://app.example/callback"];

/// What `.default` stands for at Graph, where the registration allows any delegated permission.
const REGISTERED: [&str; 6] =
    ["User.Read", "User.ReadBasic.All", "Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite", "Chat.ReadWrite"];

/// What an app may do on its own, once an administrator has agreed, unless its registration says otherwise.
const ROLES: [&str; 4] = ["User.Read.All", "Mail.ReadWrite", "Mail.Send", "Chat.Read.All"];

#[derive(Clone, PartialEq, Eq)]
pub enum Audience {
    Any,
    Work,
    /// The domain of the one tenant.
    Single(String),
}

/// A certificate that the app has registered.
#[derive(Clone)]
pub struct Certificate {
    pub sha1: Vec<u8>,
    pub sha256: Vec<u8>,
    /// The RSA key, as in PKCS #1.
    pub key: Vec<u8>,
}

#[derive(Clone)]
pub struct App {
    pub client_id: String,
    pub secret: Option<String>,
    pub secret_expires_ms: Option<i64>,
    pub redirect_uris: Vec<String>,
    /// May redeem without a secret.
    pub public: bool,
    pub device_flow: bool,
    /// Delegated permissions; None: any.
    pub permissions: Option<Vec<String>>,
    pub roles: Vec<String>,
    pub audience: Audience,
    pub certificates: Vec<Certificate>,
    /// Registered as a bot for every organisation.
    pub bot: bool,
    /// `groupMembershipClaims` is DirectoryRole: id tokens hold `wids`.
    pub directory_roles: bool,
    /// The optional claim `acct` is asked for.
    pub acct: bool,
}

fn texts(value: &Value) -> Option<Vec<String>> {
    Some(value.as_array()?.iter().filter_map(|u| u.as_str().map(String::from)).collect())
}

impl App {
    pub fn new(client_id: &str, secret: Option<&str>) -> App {
        App {
            client_id: client_id.into(),
            secret: secret.map(String::from),
            secret_expires_ms: None,
            redirect_uris: REDIRECTS.map(String::from).into(),
            public: secret.is_none(),
            device_flow: secret.is_none(),
            permissions: None,
            roles: ROLES.map(String::from).into(),
            audience: Audience::Any,
            certificates: Vec::new(),
            bot: secret.is_some(),
            directory_roles: true,
            acct: true,
        }
    }

    /// What POST /apps says of it; the rest stays. The answer holds a new certificate, if one was asked for.
    pub fn change(&mut self, ask: &Value) -> Result<Value, String> {
        let given = |name: &str| ask.get(name).filter(|v| !v.is_null());
        let mut answer = json!({"client_id": self.client_id});
        if let Some(secret) = ask.get("secret") {
            self.secret = secret.as_str().map(String::from);
        }
        if let Some(text) = ask.get("secret_expires") {
            let time = |t: &str| clock::parse(t).ok_or_else(|| format!("no time: {t}"));
            self.secret_expires_ms = text.as_str().map(time).transpose()?;
        }
        if let Some(uris) = given("redirect_uris") {
            self.redirect_uris = texts(uris).ok_or("redirect_uris is a list")?;
        }
        match ask["certificate"].as_bool() {
            Some(true) => {
                let (certificate, pem, key) = make_certificate(&self.client_id).map_err(|e| e.to_string())?;
                self.certificates.push(certificate);
                (answer["certificate"], answer["private_key"]) = (json!(pem), json!(key));
            }
            Some(false) => self.certificates.clear(),
            None => {}
        }
        let proves_itself = ask.get("secret").is_some() || ask.get("certificate").is_some();
        if let Some(public) = ask["public"].as_bool() {
            self.public = public;
        } else if proves_itself {
            self.public = self.secret.is_none() && self.certificates.is_empty();
        }
        self.device_flow = match ask["device_flow"].as_bool() {
            Some(on) => on,
            None if ask.get("public").is_some() || proves_itself => self.public,
            None => self.device_flow,
        };
        self.directory_roles = ask["directory_roles"].as_bool().unwrap_or(self.directory_roles);
        self.acct = ask["acct"].as_bool().unwrap_or(self.acct);
        self.bot = ask["bot"].as_bool().unwrap_or(self.bot);
        if let Some(list) = ask.get("permissions") {
            self.permissions = texts(list);
        }
        if let Some(list) = given("app_permissions") {
            self.roles = texts(list).ok_or("app_permissions is a list")?;
        }
        self.audience = match ask["audience"].as_str() {
            None => self.audience.clone(),
            Some("any") => Audience::Any,
            Some("work") => Audience::Work,
            Some(text) => match text.strip_prefix("single:") {
                Some(domain) => Audience::Single(domain.to_lowercase()),
                None => return Err(format!("no such audience: {text}")),
            },
        };
        Ok(answer)
    }

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

    /// The delegated permissions of Graph that the registration names.
    pub fn registered(&self) -> Vec<String> {
        match &self.permissions {
            Some(list) => list.iter().filter(|p| crate::entra::resource::is_graph(p)).cloned().collect(),
            None => REGISTERED.map(String::from).into(),
        }
    }

    /// The first scope of Graph that the registration does not name.
    pub fn undeclared<'a>(&self, scopes: &'a [String]) -> Option<&'a String> {
        use crate::entra::grants::is_oidc;
        use crate::entra::resource::{is_default, key};
        let declared = self.permissions.as_ref()?;
        let known = |s: &String| is_oidc(s) || is_default(s) || declared.iter().any(|d| key(d) == key(s));
        scopes.iter().find(|s| !known(s))
    }
}

/// A key pair and its certificate, as a person would make them with openssl: the certificate for Entra, both as PEM for the app.
fn make_certificate(client_id: &str) -> Result<(Certificate, String, String), rcgen::Error> {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, client_id);
    let certificate = params.self_signed(&key)?;
    let der = certificate.der().as_ref();
    let known = Certificate {
        sha1: digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec(),
        sha256: digest(&SHA256, der).as_ref().to_vec(),
        key: key.public_key_raw().to_vec(),
    };
    Ok((known, certificate.pem(), key.serialize_pem()))
}
