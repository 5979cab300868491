//! A small Entra, and an engine module that signs in there. The tests are in one file per theme.

use super::*;
use crate::clock::TestClock;
use crate::config::{App, Cloud, Config, PERSONAL_TENANT};
use crate::model::{AccountState, ConnectRequest, Event, Feature, LinkRequest, SignIn, TenantRequest};
use crate::pipeline::fake::{Seen, Service, breaks, clock, says};
use crate::pipeline::{AccessToken, Answer, Priority, Purpose, Request, Sent, TokenSource};
use crate::secret::{RootKey, Secret};
use crate::runtime::block_on;
use crate::store::SqliteStore;
use crate::trust::fake::{CLIENT, Issuer, PERSON, TENANT, claims, header, metadata};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

mod apps;
mod challenges;
mod consent;
mod devices;
mod ended;
mod foreign;
mod kills;
mod logged;
mod organisations;
mod people;
mod renewal;
mod sign_in;
mod waiting;

/// A small Entra: it remembers the nonce of the authorize URL, and answers the token endpoint with what the test has queued or with a good token.
#[derive(Default)]
struct Entra {
    nonce: Mutex<String>,
    queued: Mutex<Vec<Answer>>,
    issued: Mutex<u32>,
    forms: Mutex<Vec<HashMap<String, String>>>,
    lifetime: Mutex<u64>,
    /// What the next sign-ins change in the claims of their token.
    claims: Mutex<serde_json::Map<String, serde_json::Value>>,
    /// What the next tokens of the application itself say otherwise.
    own: Mutex<serde_json::Map<String, serde_json::Value>>,
    /// What the next renewals bring besides, or otherwise.
    renewed: Mutex<serde_json::Map<String, serde_json::Value>>,
    /// Who `/me` says it is.
    me: Mutex<Option<Answer>>,
    /// Instead of the usual scopes.
    scopes: Mutex<Option<String>>,
    no_refresh_token: Mutex<bool>,
    roles: Mutex<Vec<&'static str>>,
    keys_are_down: Mutex<bool>,
    paths: Mutex<Vec<String>>,
    devices_refused: Mutex<Option<Answer>>,
}

impl Entra {
    fn answer(&self, request: &Seen, now: i64) -> Answer {
        let path = request.uri().path();
        if *self.keys_are_down.lock().unwrap() && (path.ends_with("openid-configuration") || path.ends_with("keys")) {
            return says(503, "");
        }
        if path.ends_with("openid-configuration") {
            return says(200, metadata());
        }
        if path.ends_with("keys") {
            return says(200, Issuer::get().jwks());
        }
        if path == "/v1.0/me" && let Some(said) = self.me.lock().unwrap().take() {
            return said;
        }
        if path == "/v1.0/me" {
            return says(200, json!({ "id": self.oid(), "displayName": if self.oid() == PERSON { "Ann" } else { "Ben" }, "mail": null, "userPrincipalName": "ann@contoso.example" }).to_string());
        }
        if path.ends_with("/oauth2/v2.0/devicecode") {
            let refused = self.devices_refused.lock().unwrap().take();
            return refused.unwrap_or_else(|| {
                says(200, json!({ "device_code": "dc1", "user_code": "ABC123", "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900, "interval": 5, "message": "Open it\n and type ABC123." }).to_string())
            });
        }
        assert!(path.ends_with("/oauth2/v2.0/token"), "{path}");
        self.paths.lock().unwrap().push(path.to_owned());
        let form: HashMap<String, String> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let is_code = form.get("grant_type").is_some_and(|g| g == "authorization_code");
        let is_own = form.get("grant_type").is_some_and(|g| g == "client_credentials");
        self.forms.lock().unwrap().push(form);
        if let Some(answer) = self.queued.lock().unwrap().pop() {
            return answer;
        }
        let n = {
            let mut issued = self.issued.lock().unwrap();
            *issued += 1;
            *issued
        };
        let mut body = json!({
            "token_type": "Bearer", "scope": self.scopes.lock().unwrap().clone().unwrap_or_else(|| "https://graph.microsoft.com/Mail.ReadWrite User.Read profile openid".into()), "expires_in": *self.lifetime.lock().unwrap(),
            "access_token": format!("at{n}"), "refresh_token": format!("rt{n}"),
        });
        if *self.no_refresh_token.lock().unwrap() {
            body.as_object_mut().unwrap().remove("refresh_token");
        }
        if is_own {
            let tenant = path.split('/').nth(1).unwrap();
            let mut said = json!({ "roles": *self.roles.lock().unwrap(), "n": n, "tid": tenant, "aud": "https://graph.microsoft.com", "appid": CLIENT });
            said.as_object_mut().unwrap().append(&mut self.own.lock().unwrap().clone());
            let claims = URL_SAFE_NO_PAD.encode(said.to_string());
            body = json!({ "token_type": "Bearer", "expires_in": *self.lifetime.lock().unwrap(), "access_token": format!("h.{claims}.s") });
        }
        if !is_code && !is_own {
            body.as_object_mut().unwrap().append(&mut self.renewed.lock().unwrap().clone());
        }
        if is_code {
            let mut said = claims(&self.nonce.lock().unwrap(), now);
            said.as_object_mut().unwrap().append(&mut self.claims.lock().unwrap().clone());
            body["id_token"] = Issuer::get().sign(&header(), &said).into();
        }
        says(200, body.to_string())
    }

    /// Who signs in next.
    fn oid(&self) -> String {
        self.claims.lock().unwrap().get("oid").and_then(|oid| oid.as_str()).unwrap_or(PERSON).to_owned()
    }

    fn says(&self, name: &str, value: &str) {
        self.claims.lock().unwrap().insert(name.into(), value.into());
    }

    /// From here on a personal account signs in.
    fn is_personal(&self) {
        self.says("tid", PERSONAL_TENANT);
        self.says("iss", &format!("https://login.microsoftonline.com/{PERSONAL_TENANT}/v2.0"));
        self.says("oid", "00000000-0000-0000-1111-222222222222");
    }

    fn refuses(&self, status: u16, error: &str, aadsts: u32) {
        let body = json!({ "error": error, "error_description": format!("AADSTS{aadsts}: <foreign text>"), "error_codes": [aadsts] });
        self.queued.lock().unwrap().push(says(status, body.to_string()));
    }

    fn asked(&self) -> usize {
        self.forms.lock().unwrap().len()
    }
}

struct Fixture {
    auth: Arc<Auth>,
    entra: Arc<Entra>,
    service: Arc<Service>,
    store: Arc<dyn Store>,
    clock: TestClock,
    event_bus: EventBus,
    pipeline: Arc<Pipeline>,
    folder: tempfile::TempDir,
}

const NEEDS_ADMIN: &str = "error=access_denied&error_description=AADSTS90094%3a+The+grant+requires+admin+permission.";
const CALLBACK: &str = "https://app.example/cb";

fn fixture() -> Fixture {
    let clock = clock();
    let entra = Arc::new(Entra { lifetime: Mutex::new(3600), ..Default::default() });
    let (answering, time) = (entra.clone(), clock.clone());
    let service = Service::new(move |request, _| answering.answer(request, time.now_ms() as i64 / 1000));
    let folder = tempfile::tempdir().unwrap();
    let event_bus = EventBus::new();
    let (auth, store, pipeline) = open(&folder, &service, &clock, &event_bus);
    Fixture { auth, entra, service, store, clock, event_bus, pipeline, folder }
}

/// Opens the store of `folder`: called twice, two processes share it.
fn open(folder: &tempfile::TempDir, service: &Arc<Service>, clock: &TestClock, event_bus: &EventBus) -> (Arc<Auth>, Arc<dyn Store>, Arc<Pipeline>) {
    open_as(folder, service, clock, event_bus, config())
}

fn open_as(folder: &tempfile::TempDir, service: &Arc<Service>, clock: &TestClock, event_bus: &EventBus, config: Config) -> (Arc<Auth>, Arc<dyn Store>, Arc<Pipeline>) {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store"), Duration::from_secs(60)).unwrap());
    let root = RootKey::raw((0..32).collect()).unwrap();
    let vault = block_on(Vault::open(store.clone(), Arc::new(root), 0)).unwrap();
    let pipeline = service.pipeline(clock);
    let config = AuthConfig::of(&config, &Endpoints::of(&Cloud::Public).unwrap());
    let auth = Auth::new(store.clone(), vault, pipeline.clone(), Arc::new(clock.clone()), event_bus.clone(), config);
    pipeline.plug_tokens(auth.clone());
    (auth, store, pipeline)
}

/// Two more applications beside the public one: one with a secret, one for personal accounts.
fn config() -> Config {
    let app = |name: &str, secret: Option<&str>, tenant: &str| App {
        name: name.into(),
        client_id: CLIENT.into(),
        client_secret: secret.map(|s| Arc::new(Secret::new(s.into()))),
        certificate: None,
        tenant: tenant.into(),
    };
    let mut config = Config::new("unused", CLIENT);
    config.apps = vec![app("server", Some("the-secret"), "common"), app("home", None, "consumers")];
    config
}

fn wish() -> ConnectRequest {
    ConnectRequest { owner: "owner-1".into(), features: vec![Feature::MailSync, Feature::MailSend], redirect_uri: "https://app.example/cb".into(), ..Default::default() }
}

impl Fixture {
    /// The parameters of an authorize URL; the nonce goes to Entra.
    fn visit(&self, url: &str) -> HashMap<String, String> {
        let url = url::Url::parse(url).unwrap();
        assert!(url.path().ends_with("/oauth2/v2.0/authorize") || url.path().ends_with("/v2.0/adminconsent"), "{url}");
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        *self.entra.nonce.lock().unwrap() = asked.get("nonce").cloned().unwrap_or_default();
        asked
    }

    async fn connect(&self) -> Account {
        let sign_in = self.auth.begin(wish()).await.unwrap();
        let asked = self.visit(&sign_in.url);
        self.auth.finish(&format!("https://app.example/cb?code=c1&state={}", asked["state"]), &sign_in.binding).await.unwrap()
    }

    /// The person signs in, whatever it was started for.
    async fn sign_in(&self, sign_in: &SignIn) -> Result<Account> {
        let state = self.visit(&sign_in.url)["state"].clone();
        self.auth.finish(&format!("https://app.example/cb?code=c1&state={state}"), &sign_in.binding).await
    }

    /// The browser comes back with this instead of a code.
    async fn come_back(&self, url: &str, binding: &str, with: &str) -> Result<Account> {
        let state = self.visit(url)["state"].clone();
        self.auth.finish(&format!("{with}&state={state}"), binding).await
    }

    /// A sign-in that only an administrator can let through: the account that waits.
    async fn waiting(&self) -> Account {
        let sign_in = self.auth.begin(ConnectRequest { login_hint: Some("ann@contoso.example".into()), context: Some("room 7".into()), ..wish() }).await.unwrap();
        let error = self.come_back(&sign_in.url, &sign_in.binding, NEEDS_ADMIN).await.unwrap_err();
        assert_eq!((error.kind(), error.remedy()), (ErrorKind::ConsentMissing, Remedy::Admin));
        self.auth.account(error.account_id().unwrap()).await.unwrap()
    }

    async fn token(&self, account: &Account, stale: Option<&str>) -> Result<String> {
        self.auth.token(account.id.clone(), stale.map(AccessToken::new), None).await.map(|t| t.expose(str::to_owned))
    }

    async fn state(&self, account: &Account) -> (AccountState, String) {
        let account = self.auth.account(&account.id).await.unwrap();
        (account.state, account.problem.unwrap_or_default())
    }
}

