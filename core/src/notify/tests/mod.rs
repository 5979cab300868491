#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! A store with accounts, the part of Microsoft that keeps subscriptions, and processes that come and go.

mod contents;
mod hostile;
mod posts;
mod storm;
mod years;

use super::{Notify, Parts};
use crate::clock::{Clock, TestClock};
use crate::config::{Cloud, Endpoints};
use crate::error::Result;
use crate::graph::Graph;
use crate::model::{Feature, HttpRequest};
use crate::pipeline::fake::{Seen, Service, breaks, says};
use crate::pipeline::{AccessToken, Answer, Sent, TokenSource};
use crate::seal::AadContext;
use crate::secret::RootKey;
use crate::store::{AccountRow, Shorthand, SqliteStore, Store, SubscriptionRow, TokenRow};
use crate::vault::Vault;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const MINUTE: i64 = 60_000;
pub const DAY: i64 = 24 * 60 * MINUTE;
pub const APP: &str = "4f2b6f0a-0000-4000-8000-000000000001";
pub const TENANT: &str = "00000000-0000-0000-0000-00000000000a";

struct Always;

impl TokenSource for Always {
    fn token(&self, _: String, _: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        Box::pin(std::future::ready(Ok(AccessToken::new("t"))))
    }
}

/// A subscription as Microsoft keeps it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub client_state: String,
    pub expires_at: i64,
    pub reauthorized: u32,
    /// Name of the certificate that its contents are encrypted for.
    pub certificate: Option<String>,
}

/// What Microsoft does next, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    LostAnswer,
    Unanswered,
    Status(u16),
}

#[derive(Default)]
pub struct Microsoft {
    pub now: i64,
    pub kept: BTreeMap<String, Kept>,
    pub trouble: Option<Trouble>,
    /// Minutes.
    pub longest: i64,
    made: u32,
    /// Method and path of each request.
    pub asked: Vec<String>,
}

fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn text(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    says(status, json!({ "error": { "code": code, "message": message } }).to_string())
}

fn shown(id: &str, kept: &Kept) -> Value {
    json!({ "id": id, "clientState": kept.client_state, "expirationDateTime": text(kept.expires_at), "resource": "/me/messages" })
}

impl Microsoft {
    fn answer(&mut self, request: &Seen) -> Answer {
        let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
        self.asked.push(format!("{method} {path}"));
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let trouble = self.trouble.take();
        if let Some(Trouble::Status(status)) = trouble {
            return refused(status, "Refused", "");
        }
        let now = self.now;
        self.kept.retain(|_, one| one.expires_at > now);
        let answer = match (method.as_str(), path.trim_start_matches("/v1.0/subscriptions").trim_start_matches('/').split('/').collect::<Vec<_>>().as_slice()) {
            ("POST", [""]) => {
                assert_eq!(body["changeType"], "created,updated,deleted");
                assert_eq!((body["resource"].as_str().map(|text| text.split('?').next().unwrap()), &body["notificationUrl"]), (Some("/me/messages"), &body["lifecycleNotificationUrl"]));
                if trouble == Some(Trouble::Unanswered) {
                    return refused(400, "ValidationError", "Subscription validation request timed out.");
                }
                let expires_at = ms(body["expirationDateTime"].as_str().unwrap());
                if let Some(refusal) = self.too_long(expires_at) {
                    return refusal;
                }
                self.made += 1;
                let id = format!("00000000-0000-0000-0000-{:012}", self.made);
                let kept = Kept { client_state: body["clientState"].as_str().unwrap().to_owned(), expires_at, reauthorized: 0, certificate: body["encryptionCertificateId"].as_str().map(str::to_owned) };
                let shown = shown(&id, &kept);
                self.kept.insert(id, kept);
                says(201, shown.to_string())
            }
            ("GET", [""]) => says(200, json!({ "value": self.kept.iter().map(|(id, one)| shown(id, one)).collect::<Vec<_>>() }).to_string()),
            ("PATCH", [id]) => {
                let expires_at = ms(body["expirationDateTime"].as_str().unwrap());
                if let Some(refusal) = self.too_long(expires_at) {
                    return refusal;
                }
                match self.kept.get_mut(*id) {
                    Some(one) => {
                        one.expires_at = expires_at;
                        says(200, shown(id, one).to_string())
                    }
                    None => refused(404, "ResourceNotFound", ""),
                }
            }
            ("POST", [id, "reauthorize"]) => match self.kept.get_mut(*id) {
                Some(one) => {
                    one.reauthorized += 1;
                    says(204, "")
                }
                None => refused(404, "ResourceNotFound", ""),
            },
            ("DELETE", [id]) => match self.kept.remove(*id) {
                Some(_) => says(204, ""),
                None => refused(404, "ResourceNotFound", ""),
            },
            _ => refused(400, "BadRequest", ""),
        };
        if trouble == Some(Trouble::LostAnswer) { breaks(Sent::Maybe) } else { answer }
    }

    fn too_long(&self, expires_at: i64) -> Option<Answer> {
        let is_fine = expires_at <= self.now + self.longest * MINUTE;
        (!is_fine).then(|| refused(400, "ExtensionError", &format!("Subscription expiration can only be {} minutes in the future.", self.longest)))
    }
}

pub struct World {
    pub store: Arc<dyn Store>,
    pub clock: TestClock,
    pub microsoft: Arc<Mutex<Microsoft>>,
    vault: Vault,
    service: Arc<Service>,
    _tokens: Arc<dyn TokenSource>,
    folder: tempfile::TempDir,
    /// Contents are to come with notifications.
    pub with_content: bool,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store"), Duration::from_secs(60)).unwrap());
        let vault = Vault::open(store.clone(), Arc::new(RootKey::raw((0..32).collect()).unwrap()), 0).await.unwrap();
        vault.store_key().ready().await;
        let clock = crate::pipeline::fake::clock();
        let microsoft = Arc::new(Mutex::new(Microsoft { longest: 10_080, ..Microsoft::default() }));
        let (behind, time) = (microsoft.clone(), clock.clone());
        let service = Service::new(move |request, _| {
            let mut microsoft = behind.lock().unwrap();
            microsoft.now = i64::try_from(time.now_ms()).unwrap();
            microsoft.answer(request)
        });
        Self { store, vault, clock, microsoft, service, _tokens: Arc::new(Always), folder, with_content: false }
    }

    pub fn folder(&self) -> std::path::PathBuf {
        self.folder.path().join("store")
    }

    pub fn now(&self) -> i64 {
        i64::try_from(self.clock.now_ms()).unwrap()
    }

    pub async fn connect(&self, id: &str) {
        let keys = self.vault.new_account_keys(id, true, 1).unwrap();
        let handles = self.vault.adopt(id, &keys).await.unwrap();
        let place = |table, column| AadContext { table, column, account_id: id, row: id, version: 1 };
        let account = AccountRow {
            tenant_id: TENANT.into(),
            user_id: format!("user-{id}"),
            features: vec![Feature::MailSync],
            scopes: vec!["Mail.ReadWrite".into()],
            ..AccountRow::new(id, "owner", handles.content.seal(place("accounts", "profile"), b"{}").unwrap(), 1)
        };
        let sealed = handles.secrets.seal(place("tokens", "sealed"), b"{}").unwrap();
        let token = TokenRow { account_id: id.into(), version: 1, sealed, expires_at: i64::MAX, refreshed_at: 1 };
        self.store.store_account(&account, Some(&token), &keys, None, 1).await.unwrap();
    }

    pub fn process(&self) -> Arc<Notify> {
        let pipeline = self.service.pipeline(&self.clock);
        pipeline.plug_tokens(self._tokens.clone());
        let endpoints = Endpoints::of(&Cloud::Public).unwrap();
        let trust = crate::trust::Trust::new(pipeline.clone(), &endpoints, Arc::new(self.clock.clone()));
        let graph = Graph::new(pipeline, endpoints);
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let notification_url = Some("https://app.example.com/tidings".to_owned());
        Notify::new(Parts { store: self.store.clone(), vault: self.vault.clone(), graph, clock, notification_url, is_usable: |_| true, with_content: self.with_content, trust, client_ids: [("default".to_owned(), APP.to_owned())].into() }).unwrap()
    }

    pub async fn row(&self, id: &str) -> SubscriptionRow {
        self.store.subscription(id).await.unwrap().unwrap()
    }

    /// The one subscription that there is.
    pub fn only(&self) -> (String, Kept) {
        let microsoft = self.microsoft.lock().unwrap();
        assert_eq!(microsoft.kept.len(), 1, "{:?}", microsoft.kept);
        microsoft.kept.iter().next().map(|(id, one)| (id.clone(), one.clone())).unwrap()
    }

    pub async fn marks(&self) -> Vec<String> {
        self.store.news().await.unwrap().into_iter().map(|row| row.account_id).collect()
    }

    /// What is marked was synced.
    pub async fn clear(&self, notify: &Notify) {
        while notify.marks.take().is_some() {}
        for row in self.store.news().await.unwrap() {
            self.store.clear_news(&row).await.unwrap();
        }
    }
}

pub fn item(client_state: &str, subscription_id: &str) -> Value {
    json!({ "subscriptionId": subscription_id, "clientState": client_state, "tenantId": TENANT, "changeType": "created", "resource": "Users/x/Messages/y", "resourceData": { "id": "AAMk" } })
}

pub fn post(items: &[Value]) -> HttpRequest {
    HttpRequest { body: Some(json!({ "value": items }).to_string().into_bytes()), ..HttpRequest::default() }
}
