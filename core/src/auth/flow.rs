//! One sign-in: authorization code with PKCE. `begin` leaves a sealed attempt behind; `finish` uses it up before anything else, so a callback counts once.

use super::state::{Refusal, aadsts};
use super::token::{Ask, Denied, Grant, StoredToken};
use super::{Auth, Profile, profile_place, scopes, token_place};
use crate::clock::from_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Account, AccountState, ConnectRequest, Event, Feature, SignIn};
use crate::pipeline::{AccessToken, LoopbackReceiver, Purpose, Request};
use crate::random;
use crate::seal::Place;
use crate::store::{AccountRow, Consumed, KeyPurpose, Lease, NewAttempt, TokenRow};
use crate::trust::Identity;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;
use subtle::ConstantTimeEq;
use url::{Host, Url};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const LONGEST_CALLBACK: usize = 16 << 10;
const LONGEST_REDIRECT: usize = 256;
const CONNECT_LEASE_MS: i64 = 30_000;
/// Tenant of all personal accounts.
const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// What has to be remembered between the two halves of a sign-in, sealed under the store key.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(super) struct Attempt {
    owner: String,
    #[zeroize(skip)]
    features: Vec<Feature>,
    redirect_uri: String,
    scopes: Vec<String>,
    nonce: String,
    verifier: String,
    binding: String,
}

impl Auth {
    /// Starts a sign-in. Nothing leaves this machine.
    pub async fn begin(&self, request: ConnectRequest) -> Result<SignIn> {
        let features = check(&request, &self.config.endpoints.scope_prefix())?;
        let asked = scopes::asked(&features, &request.extra_scopes, &self.config.endpoints.scope_prefix());
        let state = Zeroizing::new(random::token::<32>()?);
        let attempt = Attempt {
            owner: request.owner,
            features,
            redirect_uri: request.redirect_uri,
            scopes: asked,
            nonce: random::token::<32>()?,
            verifier: random::token::<32>()?,
            binding: random::token::<32>()?,
        };
        let url = self.entra.authorize_url(Ask {
            redirect_uri: &attempt.redirect_uri,
            scopes: &attempt.scopes,
            state: &state,
            nonce: &attempt.nonce,
            verifier: &attempt.verifier,
            login_hint: request.login_hint.as_deref().filter(|h| !h.is_empty()),
        })?;
        let binding = attempt.binding.clone();
        let created_at = self.now();
        let expires_at = created_at.saturating_add(i64::from(self.config.sign_in_seconds) * 1000);
        let hash = hash(&state);
        self.step(move |me| {
            let plain = Zeroizing::new(serde_json::to_vec(&attempt).map_err(|_| Error::internal("A sign-in could not be written."))?);
            let sealed = me.vault.store_key().seal(place(&hex(&hash)), &plain)?;
            me.store.insert_attempt(&NewAttempt { state_hash: hash, sealed, created_at, expires_at })
        })
        .await?;
        Ok(SignIn { url, binding, expires_at: from_ms(expires_at) })
    }

    /// Starts a sign-in that comes back to a port of this machine; hand what the receiver gets to [`finish`](Self::finish).
    pub async fn begin_here(&self, mut request: ConnectRequest) -> Result<(SignIn, LoopbackReceiver)> {
        let receiver = LoopbackReceiver::open().await?;
        request.redirect_uri = receiver.redirect_uri();
        let sign_in = self.begin(request).await?;
        let state = Url::parse(&sign_in.url).ok().and_then(|url| url.query_pairs().find(|(name, _)| name == "state").map(|(_, value)| Zeroizing::new(value.into_owned())));
        let state = state.ok_or_else(|| Error::internal("A sign-in was started without a state."))?;
        Ok((sign_in, receiver.expect(&state)))
    }

    /// Ends a sign-in: uses the attempt up, exchanges the code, verifies who it is, stores account, keys and token in one step.
    pub async fn finish(&self, callback: &str, binding: &str) -> Result<Account> {
        let callback = Callback::parse(callback)?;
        let attempt = self.consume(&callback, binding).await?;
        let code = callback.code()?;
        let grant = self.entra.exchange(code, &attempt.verifier, &attempt.redirect_uri).await.map_err(told)?;
        let identity = self.identify(&grant, &attempt.nonce, callback.iss.as_deref().map(String::as_str)).await?;
        if grant.refresh_token.is_none() {
            return Err(Error::new(ErrorKind::ConsentMissing, "Microsoft gave no lasting access (offline_access), so nothing was stored. Allow it and start the sign-in again."));
        }
        let profile = self.profile(&identity, grant.access_token.clone()).await?;
        let row = self.keep(&attempt, identity, grant, profile).await?;
        self.bell.ring(Event::AccountConnected { account_id: row.id.clone() });
        self.step(move |me| me.describe(&row)).await
    }

    /// Checks that the callback came to the browser and the address it was meant for, then uses the attempt up in one atomic step: whoever has only
    /// one half of it (a stolen callback, a stolen session) neither gets in nor spoils the sign-in of the one who has both.
    async fn consume(&self, callback: &Callback, binding: &str) -> Result<Attempt> {
        let hash = hash(&callback.state);
        let wanted = hash.clone();
        let attempt: Attempt = self
            .step(move |me| {
                let hash = wanted;
                let row = me.store.attempt(&hash)?.ok_or_else(unknown)?;
                let plain = me.vault.store_key().open(place(&hex(&hash)), &row.sealed)?;
                serde_json::from_slice(&plain).map_err(|_| Error::new(ErrorKind::Corrupt, "The stored sign-in cannot be read. Start it again."))
            })
            .await?;
        if !bool::from(attempt.binding.as_bytes().ct_eq(binding.as_bytes())) {
            return Err(Error::new(ErrorKind::TokenRejected, "The binding is not the one of this sign-in: the callback belongs to another browser or attempt. Pass the binding that connect gave for it."));
        }
        callback.came_to(&attempt.redirect_uri)?;
        let now = self.now();
        match self.step(move |me| me.store.consume_attempt(&hash, now)).await? {
            Consumed::Fresh => Ok(attempt),
            Consumed::AlreadyUsed => Err(Error::new(ErrorKind::Conflict, "This sign-in was finished already. Start a new one if it failed.")),
            Consumed::Expired => Err(Error::new(ErrorKind::Cancelled, "This sign-in took too long and has expired. Start it again.")),
            Consumed::Unknown => Err(unknown()),
        }
    }

    async fn identify(&self, grant: &Grant, nonce: &str, iss: Option<&str>) -> Result<Identity> {
        let refuse = |why: &str| Error::new(ErrorKind::TokenRejected, format!("{why} Nothing was stored; start the sign-in again."));
        let id_token = grant.id_token.as_ref().ok_or_else(|| refuse("Microsoft did not say who signed in."))?;
        let tenant = self.config.tenant.to_ascii_lowercase();
        let identity = self.trust.id_token(id_token, &self.config.tenant, &self.config.client_id, nonce).await?;
        // RFC 9207: whoever answers the browser must be who answered the token request.
        if iss.is_some_and(|iss| iss != identity.issuer) {
            return Err(refuse("The callback names another issuer than the token."));
        }
        let fits = match tenant.as_str() {
            "common" => true,
            "organizations" => identity.tenant_id != PERSONAL,
            "consumers" => identity.tenant_id == PERSONAL,
            // A domain was turned into its tenant by the issuer's metadata.
            other => !crate::trust::is_guid(other) || identity.tenant_id == other,
        };
        if fits { Ok(identity) } else { Err(refuse("The person belongs to another organisation than the one configured.")) }
    }

    /// Address and name as the directory has them. They are for display, so a directory that does not answer is no reason to refuse a sign-in.
    async fn profile(&self, identity: &Identity, token: AccessToken) -> Result<Profile> {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Me {
            id: Option<String>,
            display_name: Option<String>,
            mail: Option<String>,
            user_principal_name: Option<String>,
        }
        let mut url = self.config.endpoints.graph.join("me").map_err(|_| Error::internal("The Graph address is not usable."))?;
        url.set_query(Some("$select=id,displayName,mail,userPrincipalName"));
        let mut request = Request::get(url, Purpose::Graph);
        request.bearer = Some(token);
        request.max_wait = Duration::from_secs(5);
        let me = match self.pipeline.send(request).await {
            Ok(response) if response.status.is_success() => serde_json::from_slice::<Me>(&response.body).unwrap_or_default(),
            _ => Me::default(),
        };
        // Personal accounts have another id in Graph than in their token.
        if identity.tenant_id != PERSONAL && me.id.as_ref().is_some_and(|id| !id.eq_ignore_ascii_case(&identity.user_id)) {
            return Err(Error::new(ErrorKind::TokenRejected, "The token opens another person's account than the one who signed in. Nothing was stored; start the sign-in again."));
        }
        let first = |choices: [Option<String>; 3]| choices.into_iter().flatten().find(|t| !t.is_empty() && t.len() <= 1000).unwrap_or_default();
        Ok(Profile {
            address: first([me.mail, me.user_principal_name, Some(identity.address.clone())]),
            display_name: first([me.display_name, Some(identity.name.clone()), None]),
        })
    }

    /// Account, keys and token become durable together, under a lease so that two sign-ins of one person do not make two accounts.
    async fn keep(&self, attempt: &Attempt, identity: Identity, grant: Grant, profile: Profile) -> Result<AccountRow> {
        let lease = self.connect_lease(&attempt.owner, &identity).await?;
        let scopes = grant.scopes.clone().unwrap_or_else(|| attempt.scopes.iter().map(|s| scopes::short(s).to_owned()).collect());
        let (owner, features) = (attempt.owner.clone(), attempt.features.clone());
        let now = self.now();
        let expires_at = now.saturating_add(i64::try_from(grant.lifetime.as_millis()).unwrap_or(0));
        let access_token = grant.access_token.clone();
        let kept = self.step(move |me| me.connect(owner, features, scopes, &identity, &grant, &profile, now, expires_at)).await;
        self.release(lease).await;
        let row = kept?;
        self.desk.remember(&row.id, access_token, row.generation, now, expires_at);
        Ok(row)
    }

    async fn connect_lease(&self, owner: &str, identity: &Identity) -> Result<Lease> {
        let name = format!("connect/{}", hex(&hash(&format!("{owner}\0{}\0{}", identity.tenant_id, identity.user_id))));
        let holder = random::token::<12>()?;
        for _ in 0..100 {
            let (name, holder, now) = (name.clone(), holder.clone(), self.now());
            if let Some(lease) = self.step(move |me| me.store.take_lease(&name, &holder, now, CONNECT_LEASE_MS)).await? {
                return Ok(lease);
            }
            self.clock.pause(Duration::from_millis(200)).await;
        }
        Err(Error::new(ErrorKind::StoreBusy, "Another sign-in of the same person is being stored. Start the sign-in again."))
    }

    #[allow(clippy::too_many_arguments)] // one row, written in one place
    fn connect(&self, owner: String, features: Vec<Feature>, scopes: Vec<String>, identity: &Identity, grant: &Grant, profile: &Profile, now: i64, expires_at: i64) -> Result<AccountRow> {
        let known = self.store.find_account(&owner, &identity.tenant_id, &identity.user_id)?;
        let id = match &known {
            Some(row) => row.id.clone(),
            None => format!("acc_{}", random::token::<16>()?),
        };
        let with_content = known.is_none() || self.store.active_key(KeyPurpose::Content, Some(&id))?.is_none();
        let keys = self.vault.new_account_keys(&id, with_content, now)?;
            let opened = self.vault.adopt(&id, &keys)?;
            let profile_version = known.as_ref().map_or(1, |row| row.profile_version + 1);
            let plain = serde_json::to_vec(profile).map_err(|_| Error::internal("A profile could not be written."))?;
            let version = self.store.token(&id)?.map_or(1, |row| row.version + 1);
            let token = StoredToken { refresh_token: grant.refresh_token.as_deref().cloned().unwrap_or_default(), access_token: grant.access_token.expose(str::to_owned) };
            let token = TokenRow { account_id: id.clone(), version, sealed: opened.secrets.seal(token_place(&id, version), &token.to_json()?)?, expires_at, refreshed_at: now };
            let mut row = AccountRow::new(id.clone(), owner, opened.content.seal(profile_place(&id, profile_version), &plain)?, now);
            row.tenant_id = identity.tenant_id.clone();
            row.user_id = identity.user_id.clone();
            row.features = features;
            row.scopes = scopes;
            row.profile_version = profile_version;
            row.generation = known.as_ref().map_or(1, |row| row.generation + 1);
            self.store.connect_account(&row, Some(&token), &keys, None, now)
    }
}

fn told(denied: Denied) -> Error {
    match denied.into_error(true) {
        e if e.kind() == ErrorKind::OutcomeUnknown => Error::new(ErrorKind::Upstream, "Microsoft's answer was lost and its code is good for one use. Nothing was stored; start the sign-in again.").with_source(e),
        e => e,
    }
}

/// What a host may ask for. Answers the features, sorted and each once.
fn check(request: &ConnectRequest, prefix: &str) -> Result<Vec<Feature>> {
    let owner = request.owner.chars().count();
    if !(1..=200).contains(&owner) || request.owner.chars().any(char::is_control) {
        return Err(Error::invalid("owner must be 1 to 200 characters, none of them a control character."));
    }
    if request.features.is_empty() {
        return Err(Error::invalid("features is empty. Name at least one, such as mail_sync."));
    }
    if request.login_hint.as_ref().is_some_and(|hint| hint.len() > 320 || hint.chars().any(char::is_control)) {
        return Err(Error::invalid("login_hint is not an address."));
    }
    if request.extra_scopes.len() > 50 || !request.extra_scopes.iter().all(|s| scopes::is_scope(s, prefix)) {
        return Err(Error::invalid("extra_scopes must be names of Graph permissions, such as Calendars.Read."));
    }
    check_redirect(&request.redirect_uri)?;
    Ok(request.features.iter().copied().collect::<BTreeSet<_>>().into_iter().collect())
}

fn check_redirect(text: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::invalid(format!("redirect_uri {why}.")));
    let Ok(url) = Url::parse(text) else { return refuse("is not a URL") };
    if text.len() > LONGEST_REDIRECT {
        return refuse("is longer than 256 characters, which Entra does not accept");
    }
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse("must hold no fragment, user name or white space");
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        _ => refuse("must be https, or http on localhost"),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// What came back with the browser: bounded, each name once, strictly decoded.
struct Callback {
    /// Set when a whole URL was given.
    url: Option<Url>,
    state: Zeroizing<String>,
    code: Option<Zeroizing<String>>,
    error: Option<Zeroizing<String>>,
    description: Option<Zeroizing<String>>,
    subcode: Option<Zeroizing<String>>,
    iss: Option<Zeroizing<String>>,
}

impl Callback {
    fn parse(text: &str) -> Result<Self> {
        if text.len() > LONGEST_CALLBACK {
            return Err(Error::new(ErrorKind::LimitExceeded, "The callback is longer than 16 KB."));
        }
        if text.chars().any(char::is_control) {
            return Err(Error::invalid("The callback holds control characters."));
        }
        let (url, query) = if text.starts_with("https://") || text.starts_with("http://") {
            let url = Url::parse(text).map_err(|_| Error::invalid("The callback is not a URL."))?;
            let query = Zeroizing::new(url.query().unwrap_or_default().to_owned());
            (Some(url), query)
        } else {
            (None, Zeroizing::new(text.strip_prefix('?').unwrap_or(text).to_owned()))
        };
        const NAMES: [&str; 6] = ["state", "code", "error", "error_description", "error_subcode", "iss"];
        let mut found: [Option<Zeroizing<String>>; 6] = Default::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?;
            let Some(slot) = NAMES.iter().position(|known| *known == name.as_str()).and_then(|at| found.get_mut(at)) else { continue };
            if slot.replace(decoded(value)?).is_some() {
                return Err(Error::invalid("The callback names a parameter twice."));
            }
        }
        let [state, code, error, description, subcode, iss] = found;
        let state = state.filter(|s| !s.is_empty() && s.len() <= 512).ok_or_else(|| Error::invalid("The callback has no state. Hand over the whole URL or query that Microsoft sent the browser to."))?;
        Ok(Self { url, state, code, error, description, subcode, iss })
    }

    /// The address the browser came to is the one the sign-in was started with.
    fn came_to(&self, redirect_uri: &str) -> Result<()> {
        let Some(url) = &self.url else { return Ok(()) };
        let same = Url::parse(redirect_uri).is_ok_and(|expected| {
            // Entra ignores the port of a loopback address and adds a slash to an empty path.
            url.scheme() == expected.scheme()
                && url.host() == expected.host()
                && (is_loopback(&expected) || url.port_or_known_default() == expected.port_or_known_default())
                && url.path().trim_end_matches('/') == expected.path().trim_end_matches('/')
        });
        if same { Ok(()) } else { Err(Error::new(ErrorKind::TokenRejected, "The callback came to another address than this sign-in's redirect_uri. The sign-in is void; start it again.")) }
    }

    fn code(&self) -> Result<&str> {
        if let Some(error) = &self.error {
            let refusal = Refusal {
                error: if self.subcode.as_ref().is_some_and(|s| s.as_str() == "cancel") { "access_denied".to_owned() } else { error.to_string() },
                suberror: String::new(),
                aadsts: self.description.as_ref().and_then(|text| aadsts(text)),
            };
            return Err(refusal.error(true));
        }
        self.code.as_ref().map(|c| c.as_str()).filter(|c| !c.is_empty()).ok_or_else(|| Error::invalid("The callback holds neither a code nor an error."))
    }
}

/// Percent-decoding that refuses what is not whole or not UTF-8, where the usual one repairs.
fn decoded(text: &str) -> Result<Zeroizing<String>> {
    let bad = || Error::invalid("The callback is not properly encoded.");
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).ok_or_else(bad);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).map_err(|_| bad())?
            }
            other => other,
        });
    }
    std::str::from_utf8(&bytes).map(|s| Zeroizing::new(s.to_owned())).map_err(|_| bad())
}

fn place(row: &str) -> Place<'_> {
    Place { table: "attempts", column: "sealed", account_id: "", row, version: 1 }
}

fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unknown() -> Error {
    Error::invalid("This callback belongs to no sign-in started here. Start one with connect.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_read_strictly() {
        let ok = Callback::parse("https://app.example/cb?code=a%20b&state=s&session_state=x&session_state=y").unwrap();
        assert_eq!((ok.state.as_str(), ok.code().unwrap()), ("s", "a b"));
        assert!(Callback::parse("?code=1&state=s").is_ok());
        assert!(Callback::parse("code=1&state=s").is_ok());
        for bad in ["code=1", "code=1&state=", "code=1&code=2&state=s", "state=s&st%61te=t", "state=s&code=%zz", "state=s&code=%f", "state=%ff", "state=s\n"] {
            assert_eq!(Callback::parse(bad).err().expect(bad).kind(), ErrorKind::InvalidInput, "{bad}");
        }
        assert_eq!(Callback::parse(&format!("state=s&x={}", "a".repeat(20_000))).err().unwrap().kind(), ErrorKind::LimitExceeded);
    }

    #[test]
    fn a_callback_must_have_come_to_the_redirect_uri() {
        let came = |to: &str, expected: &str| Callback::parse(&format!("{to}?state=s&code=c")).unwrap().came_to(expected).is_ok();
        assert!(came("https://app.example/cb", "https://app.example/cb"));
        assert!(came("https://app.example/cb/", "https://app.example/cb"));
        assert!(came("http://localhost:9999/", "http://localhost:1234"));
        assert!(!came("https://app.example:444/cb", "https://app.example/cb"));
        assert!(!came("http://app.example/cb", "https://app.example/cb"));
        assert!(!came("https://app.example/CB", "https://app.example/cb"));
        assert!(!came("https://evil.example/cb", "https://app.example/cb"));
    }

    #[test]
    fn errors_of_the_callback_keep_no_foreign_text() {
        let declined = Callback::parse("error=access_denied&error_description=AADSTS65004%3a+<script>&state=s").unwrap();
        let error = declined.code().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(error.reason().contains("AADSTS65004") && !error.reason().contains("script"));
        let admin = Callback::parse("error=access_denied&error_description=AADSTS90094&state=s").unwrap();
        assert_eq!(admin.code().err().unwrap().kind(), ErrorKind::ConsentMissing);
        assert_eq!(Callback::parse("state=s").unwrap().code().err().unwrap().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn requests_are_checked_before_anything_is_stored() {
        let good = ConnectRequest { owner: "o".into(), features: vec![Feature::MailSend, Feature::Chat, Feature::Chat], redirect_uri: "https://app.example/cb".into(), ..Default::default() };
        let prefix = "https://graph.microsoft.com/";
        assert_eq!(check(&good, prefix).unwrap(), vec![Feature::Chat, Feature::MailSend]);
        let with = |change: fn(&mut ConnectRequest)| {
            let mut request = good.clone();
            change(&mut request);
            check(&request, prefix).is_err()
        };
        assert!(with(|r| r.owner.clear()));
        assert!(with(|r| r.owner = "a".repeat(201)));
        assert!(with(|r| r.owner = "a\u{7}".into()));
        assert!(with(|r| r.features.clear()));
        assert!(with(|r| r.extra_scopes = vec!["a b".into()]));
        for redirect in ["", "app", "http://app.example/cb", "ftp://localhost/", "https://app.example/cb#x", "https://u@app.example/", "javascript:alert(1)"] {
            assert!(check_redirect(redirect).is_err(), "{redirect}");
        }
        assert!(check_redirect(&format!("https://app.example/{}", "a".repeat(250))).is_err());
        assert!(check_redirect("http://localhost:1234").is_ok() && check_redirect("http://127.0.0.1/cb").is_ok());
    }
}
