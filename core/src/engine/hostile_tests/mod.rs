#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! A mailbox that means no good: contacts, events and chat messages as nobody should write them. What can be read is stored, the rest is left out, and no sync
//! stands still for ever.

use crate::calendar::{Calendar, CalendarDays};
use crate::chats::Chats;
use crate::clock::{Clock, TestClock};
use crate::config::{Cloud, Endpoints};
use crate::contacts::Contacts;
use crate::error::Result;
use crate::graph::Graph;
use crate::model::{CalendarEvent, CalendarQuery, Contact, ContactQuery, TeamsMessage, TeamsMessageQuery};
use crate::pipeline::fake::{Seen, Service, says};
use crate::pipeline::{AccessToken, Answer, TokenSource};
use crate::runtime::Runtime;
use crate::seal::AadContext;
use crate::secret::RootKey;
use crate::store::{AccountRow, Scope, Shorthand, SqliteStore, Store, TokenRow};
use crate::vault::Vault;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

mod chats;
mod contacts;
mod events;
mod links;

const ROOT: &str = "https://graph.microsoft.com/v1.0/";

struct Always;

impl TokenSource for Always {
    fn token(&self, _: String, _: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        Box::pin(std::future::ready(Ok(AccessToken::new("t"))))
    }
}

type Answering = Box<dyn Fn(&Seen) -> Answer + Send + Sync>;

/// One account, and a service that can be made another one.
struct World {
    contacts: Contacts,
    calendar: Calendar,
    chats: Chats,
    account: AccountRow,
    store: Arc<dyn Store>,
    service: Arc<Service>,
    answer: Arc<Mutex<Answering>>,
    clock: TestClock,
    runtime: Arc<Runtime>,
    _tokens: Arc<dyn TokenSource>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let answer: Arc<Mutex<Answering>> = Arc::new(Mutex::new(Box::new(answer)));
        let behind = answer.clone();
        let service = Service::new(move |request, _| behind.lock().unwrap()(request));
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store"), Duration::from_secs(60)).unwrap());
        let vault = Vault::open(store.clone(), Arc::new(RootKey::raw((0..32).collect()).unwrap()), 0).await.unwrap();
        vault.store_key().ready().await;
        let keys = vault.new_account_keys("a", true, 1).unwrap();
        let handles = vault.adopt("a", &keys).await.unwrap();
        let place = |table, column| AadContext { table, column, account_id: "a", row: "a", version: 1 };
        let account = AccountRow { tenant_id: "tenant".into(), user_id: "me".into(), ..AccountRow::new("a", "owner", handles.content.seal(place("accounts", "profile"), b"{}").unwrap(), 1) };
        let token = TokenRow { account_id: "a".into(), version: 1, sealed: handles.secrets.seal(place("tokens", "sealed"), b"{}").unwrap(), expires_at: i64::MAX, refreshed_at: 1 };
        let account = store.store_account(&account, Some(&token), &keys, None, 1).await.unwrap();
        let clock = crate::pipeline::fake::clock();
        let pipeline = service.pipeline(&clock);
        let tokens: Arc<dyn TokenSource> = Arc::new(Always);
        pipeline.plug_tokens(tokens.clone());
        let graph = Graph::new(pipeline, Endpoints::of(&Cloud::Public).unwrap());
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let news = watch::Sender::new(0);
        Self {
            contacts: Contacts { store: store.clone(), vault: vault.clone(), graph: graph.clone(), clock: time.clone(), news: news.clone() },
            calendar: Calendar { store: store.clone(), vault: vault.clone(), graph: graph.clone(), clock: time.clone(), news: news.clone(), days: CalendarDays { before: 30, after: 400 } },
            chats: Chats { store: store.clone(), vault, graph, clock: time, news },
            account,
            store,
            service,
            answer,
            clock,
            runtime: Arc::new(Runtime::start().unwrap()),
            _tokens: tokens,
            _folder: folder,
        }
    }

    /// From now on the service is another one.
    fn becomes(&self, answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Box::new(answer);
    }

    async fn sync_contacts(&self) -> Result<u32> {
        self.contacts.sync(&self.account, &self.runtime.stop()).await
    }

    async fn sync_calendar(&self) -> Result<u32> {
        self.calendar.sync(&self.account, &self.runtime.stop()).await
    }

    async fn sync_chats(&self) -> Result<u32> {
        self.chats.sync(&self.account, &self.runtime.stop()).await
    }

    async fn contacts(&self, address: Option<&str>) -> Vec<Contact> {
        self.contacts.list(Scope::Account("a".into()), ContactQuery { limit: 500, address: address.map(str::to_owned), ..ContactQuery::default() }).await.unwrap().items
    }

    /// Names of contacts, in their order.
    async fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.contacts(None).await.into_iter().map(|one| one.display_name).collect();
        names.sort();
        names
    }

    /// Of all times.
    async fn events(&self) -> Vec<CalendarEvent> {
        let (first, last) = (crate::clock::from_ms(-62_135_596_800_000), crate::clock::from_ms(253_402_300_799_000));
        self.calendar.list(Scope::Account("a".into()), CalendarQuery { starting: first, ending: last, owner: None, account_id: None, limit: 500, cursor: None }).await.unwrap().items
    }

    async fn subjects(&self) -> Vec<String> {
        let mut subjects: Vec<String> = self.events().await.into_iter().map(|one| one.subject).collect();
        subjects.sort();
        subjects
    }

    async fn said(&self) -> Vec<TeamsMessage> {
        let page = self.chats.list(Scope::Account("a".into()), &TeamsMessageQuery { limit: 500, ..TeamsMessageQuery::default() }).await.unwrap();
        page.items.into_iter().map(|(_, message)| message).collect()
    }

    async fn bodies(&self) -> Vec<String> {
        let mut bodies: Vec<String> = self.said().await.into_iter().map(|one| one.body).collect();
        bodies.sort();
        bodies
    }
}

/// A page of these items as they stand here, the last one of its round. `list`: below Graph's root.
fn last_page(list: &str, items: &[String]) -> Answer {
    says(200, format!(r#"{{"value":[{}],"@odata.deltaLink":"{ROOT}{list}?$deltatoken=d"}}"#, items.join(",")))
}

fn list(items: &[String]) -> Answer {
    says(200, format!(r#"{{"value":[{}]}}"#, items.join(",")))
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

/// Nested as deep as no parser likes.
fn deep() -> String {
    format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000))
}

/// Values of the wrong type for a text, an object or a list.
fn odd_values() -> Vec<String> {
    let mut odd: Vec<String> = ["null", "7", "-1e300", "1e400", "true", r#""x""#, r#""\ud800""#, r#""\u0000""#, "[]", "{}", "[null,7,\"a\",[],{}]", r#"{"a":{"b":[]}}"#].into_iter().map(str::to_owned).collect();
    odd.push(deep());
    odd
}

#[test]
fn the_world_of_these_tests_is_what_it_says() {
    assert!(odd_values().iter().filter(|text| serde_json::from_str::<Value>(text).is_err()).count() >= 2, "some of it no parser reads");
    assert_eq!(json!({ "value": [] }).to_string(), r#"{"value":[]}"#);
}
