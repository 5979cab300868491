use super::parse::{Activity, Invoke, Read, What};
use super::*;
use crate::clock::TestClock;
use crate::config::{BotPlaces, Cloud};
use crate::model::{AccountKind, AccountState, BotActivityKind, BotActivityQuery, BotPlaceKind, HttpRequest};
use crate::pipeline::fake::{START_MS, Seen, Service, clock, says};
use crate::seal::AadContext;
use crate::secret::RootKey;
use crate::store::{AccountRow, Scope, Shorthand, SqliteStore, TokenRow};
use crate::trust::fake::{CLIENT, Issuer, TENANT};
use serde_json::{Value, json};
use std::time::Duration;

const NOW: i64 = START_MS as i64 / 1000;
const SERVICE: &str = "https://smba.trafficmanager.net/emea/";

struct Set {
    bots: Bots,
    clock: TestClock,
    _folder: tempfile::TempDir,
}

async fn set() -> Set {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let mut key = Issuer::get().jwk();
    key["endorsements"] = json!(["msteams", "webchat"]);
    let keys = json!({ "keys": [key] }).to_string();
    let metadata = json!({ "issuer": "https://api.botframework.com", "jwks_uri": "https://login.botframework.com/v1/.well-known/keys" }).to_string();
    let service = Service::new(move |request: &Seen, _| says(200, if request.uri().path().ends_with("keys") { keys.clone() } else { metadata.clone() }));
    let pipeline = service.pipeline(&clock);
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store"), Duration::from_secs(60)).unwrap());
    let vault = Vault::open(store.clone(), Arc::new(RootKey::raw((0..32).collect()).unwrap()), 0).await.unwrap();
    let keys = vault.new_account_keys("acc", true, 1).unwrap();
    let handles = vault.adopt("acc", &keys).await.unwrap();
    let place = |table, column| AadContext { table, column, account_id: "acc", row: "acc", version: 1 };
    let row = AccountRow {
        kind: AccountKind::Tenant,
        tenant_id: TENANT.into(),
        user_id: "organisation".into(),
        state: AccountState::Connected,
        ..AccountRow::new("acc", "owner", handles.content.seal(place("accounts", "profile"), b"{}").unwrap(), 1)
    };
    let token = TokenRow { account_id: "acc".into(), version: 1, sealed: handles.secrets.seal(place("tokens", "sealed"), b"{}").unwrap(), expires_at: i64::MAX, refreshed_at: 1 };
    store.store_account(&row, Some(&token), &keys, None, 1).await.unwrap();
    let places = BotPlaces::of(&Cloud::Public);
    let bots = Bots {
        connector: Some(Connector::new(pipeline.clone(), places.clone(), CLIENT)),
        trust: Arc::new(BotTrust::new(pipeline.clone(), &places, Arc::new(clock.clone()))),
        meters: pipeline.meters().clone(),
        clock: Arc::new(clock.clone()),
        news: watch::Sender::new(0),
        store,
        vault,
    };
    Set { bots, clock, _folder: folder }
}

fn activity() -> Value {
    json!({
        "type": "message", "id": "17", "timestamp": "2026-09-21T12:00:00Z", "channelId": "msteams", "serviceUrl": SERVICE, "text": "hi",
        "from": { "id": "29:ann", "name": "Ann", "aadObjectId": "AAAAAAAA-bbbb-cccc-dddd-eeeeeeeeeeee" },
        "recipient": { "id": format!("28:{CLIENT}") },
        "conversation": { "id": "a:1", "conversationType": "personal", "tenantId": TENANT },
        "channelData": { "tenant": { "id": TENANT } },
    })
}

fn token() -> String {
    let claims = json!({ "iss": "https://api.botframework.com", "aud": CLIENT, "exp": NOW + 3600, "nbf": NOW - 10, "serviceurl": SERVICE });
    Issuer::get().sign(&json!({ "typ": "JWT", "alg": "RS256", "kid": "k1" }), &claims)
}

fn post(body: impl Into<Vec<u8>>) -> HttpRequest {
    HttpRequest { headers: [("Authorization".to_owned(), format!("Bearer {}", token()))].into(), body: Some(body.into()), ..HttpRequest::default() }
}

/// What the host answers with.
async fn answer(bots: &Bots, request: &HttpRequest) -> u32 {
    match bots.receive(request, false).await {
        Ok(Received::Answer(answer)) | Err(answer) => answer.status,
        Ok(Received::Asked(_)) => panic!("nobody was to be asked"),
    }
}

async fn status(set: &Set, body: &Value) -> u32 {
    answer(&set.bots, &post(body.to_string())).await
}

async fn kept(set: &Set) -> Vec<crate::model::BotActivity> {
    set.bots.activities(Scope::Account("acc".into()), &BotActivityQuery { limit: 1000, ..BotActivityQuery::default() }).await.unwrap().items
}

fn read(body: &Value) -> Option<Read> {
    Activity::parse(body.to_string().as_bytes())?.read(CLIENT, crate::model::rfc3339::from_text)
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => change.into_iter().for_each(|(name, value)| merge(into.entry(name).or_insert(Value::Null), value)),
        (into, change) => *into = change,
    }
}

fn merged(change: Value) -> Value {
    let mut body = activity();
    merge(&mut body, change);
    body
}

#[test]
fn each_kind_is_what_teams_documents() {
    let told = |kind, activity_id: &str, text: &str, value: Option<&str>| What::Told { kind, activity_id: activity_id.into(), text: text.into(), value: value.map(Into::into) };
    let bot = format!("28:{CLIENT}");
    for (change, what) in [
        (json!({}), told(BotActivityKind::Message, "17", "hi", None)),
        (json!({ "text": "<at>Helper</at> hi  <at>Ben</at>", "entities": [{ "type": "mention", "text": "<at>Helper</at>", "mentioned": { "id": bot } }, { "type": "mention", "text": "<at>Ben</at>", "mentioned": { "id": "29:ben" } }] }), told(BotActivityKind::Message, "17", "hi  <at>Ben</at>", None)),
        (json!({ "text": null, "value": { "a": 1 }, "replyToId": "9" }), told(BotActivityKind::CardAction, "9", "", Some(r#"{"a":1}"#))),
        (json!({ "value": { "a": 1 } }), told(BotActivityKind::Message, "17", "hi", Some(r#"{"a":1}"#))),
        (json!({ "type": "messageUpdate" }), told(BotActivityKind::MessageEdited, "17", "hi", None)),
        (json!({ "type": "messageDelete" }), told(BotActivityKind::MessageDeleted, "17", "", None)),
        (json!({ "type": "messageReaction", "replyToId": "9", "reactionsAdded": [{ "type": "like" }, { "type": "heart" }] }), told(BotActivityKind::ReactionAdded, "9", "", Some("like,heart"))),
        (json!({ "type": "messageReaction", "replyToId": "9", "reactionsRemoved": [{ "type": "like" }] }), told(BotActivityKind::ReactionRemoved, "9", "", Some("like"))),
        (json!({ "type": "messageReaction" }), What::Nothing),
        (json!({ "type": "installationUpdate", "action": "add" }), told(BotActivityKind::Installed, "17", "", None)),
        (json!({ "type": "installationUpdate", "action": "remove" }), told(BotActivityKind::Removed, "17", "", None)),
        (json!({ "type": "installationUpdate", "action": "add-upgrade" }), What::Reach { is_open: true }),
        (json!({ "type": "installationUpdate", "action": "remove-upgrade" }), What::Nothing),
        (json!({ "type": "conversationUpdate", "membersAdded": [{ "id": bot }] }), What::Reach { is_open: true }),
        (json!({ "type": "conversationUpdate", "membersRemoved": [{ "id": bot }] }), What::Reach { is_open: false }),
        (json!({ "type": "conversationUpdate", "membersRemoved": [{ "id": "29:ben" }] }), What::Reach { is_open: true }),
        (json!({ "type": "invoke", "name": "task/fetch" }), What::Invoke(Box::new(Invoke { activity_id: "17".into(), name: "task/fetch".into(), ..Invoke::default() }))),
        (json!({ "type": "typing" }), What::Nothing),
        (json!({ "type": "something new" }), What::Nothing),
        (json!({ "from": { "id": bot } }), What::Nothing),
        (json!({ "id": null }), What::Nothing),
    ] {
        assert_eq!(read(&merged(change.clone())).unwrap().what, what, "{change}");
    }
    for (change, place) in [
        (json!({}), BotPlaceKind::Personal),
        (json!({ "conversation": { "conversationType": "channel" } }), BotPlaceKind::Channel),
        (json!({ "conversation": { "conversationType": "groupChat" } }), BotPlaceKind::Group),
        (json!({ "conversation": { "conversationType": null, "isGroup": true } }), BotPlaceKind::Group),
        (json!({ "conversation": { "conversationType": null }, "channelData": { "team": { "id": "19:t" } } }), BotPlaceKind::Channel),
    ] {
        assert_eq!(read(&merged(change.clone())).unwrap().place, place, "{change}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_is_for_another_is_refused_and_stores_nothing() {
    let set = set().await;
    for (change, wanted) in [
        (json!({ "channelId": "webchat" }), 403),
        (json!({ "serviceUrl": "https://evil.example/" }), 403),
        (json!({ "serviceUrl": "https://smba.trafficmanager.net/amer/" }), 403),
        (json!({ "serviceUrl": null }), 400),
        (json!({ "channelId": null }), 400),
        (json!({ "type": null }), 400),
        (json!({ "type": 7 }), 400),
        (json!({ "conversation": null }), 400),
        (json!({ "conversation": { "id": "a/b" } }), 400),
        (json!({ "conversation": { "id": ".." } }), 400),
        (json!({ "conversation": { "id": "a?b" } }), 400),
        (json!({ "conversation": { "id": "x".repeat(1_001) } }), 400),
        (json!({ "conversation": { "tenantId": "other" } }), 400),
        (json!({ "conversation": { "tenantId": "11111111-2222-3333-4444-000000000000" } }), 400),
        (json!({ "conversation": { "tenantId": null }, "channelData": null }), 400),
        (json!({ "recipient": { "id": "28:another" } }), 400),
        (json!({ "type": "invoke" }), 400),
        (json!({ "type": "invoke", "name": "adaptiveCard/action" }), 400),
        (json!({ "type": "invoke", "name": "task/fetch" }), 501),
        (json!({ "type": "typing" }), 202),
        (json!({ "conversation": { "tenantId": "11111111-2222-3333-4444-000000000000" }, "channelData": { "tenant": { "id": "11111111-2222-3333-4444-000000000000" } } }), 202),
    ] {
        assert_eq!(status(&set, &merged(change.clone())).await, wanted, "{change}");
    }
    let deep = format!("{{\"type\":\"message\",\"channelId\":\"msteams\",\"serviceUrl\":\"{SERVICE}\",\"x\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let twice = activity().to_string().replacen('{', r#"{"text":"other","#, 1);
    for (body, wanted) in [(deep, 400), (twice, 400), ("x".into(), 400), (String::new(), 400), ("[]".into(), 400), ("null".into(), 400), ("\u{feff}{}".into(), 400), ("x".repeat((1 << 20) + 1), 413)] {
        assert_eq!(answer(&set.bots, &post(body.clone())).await, wanted, "{}", &body[..body.len().min(60)]);
    }
    let good = activity().to_string();
    let headed = async |headers: &[(&str, String)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        answer(&set.bots, &HttpRequest { headers, body: Some(good.clone().into_bytes()), ..HttpRequest::default() }).await
    };
    let right = || format!("Bearer {}", token());
    assert_eq!(headed(&[]).await, 401);
    assert_eq!(headed(&[("authorization", "Basic YTpi".into())]).await, 401);
    assert_eq!(headed(&[("authorization", token())]).await, 401);
    assert_eq!(headed(&[("authorization", right()), ("Authorization", right())]).await, 401);
    assert_eq!(headed(&[("authorization", "Bearer ".into())]).await, 403);
    assert_eq!(headed(&[("authorization", format!("Bearer  {}", token()))]).await, 403);
    assert_eq!(answer(&set.bots, &HttpRequest { method: "GET".into(), ..post(good.clone()) }).await, 405);
    assert!(kept(&set).await.is_empty());
    assert_eq!(headed(&[("AUTHORIZATION", right().replace("Bearer", "bearer"))]).await, 202);
    assert_eq!(kept(&set).await.len(), 1);
}

#[tokio::test]
async fn an_activity_is_told_once_however_often_it_is_posted() {
    let set = set().await;
    for _ in 0..3 {
        assert_eq!(status(&set, &activity()).await, 202);
    }
    let all: Vec<u32> = futures_util::future::join_all((0..8).map(|_| async { status(&set, &merged(json!({ "id": "18" }))).await })).await;
    assert!(all.iter().all(|status| *status == 202));
    assert_eq!(kept(&set).await.len(), 2);
    // Two edits of one message are two.
    for at in ["2026-09-21T12:01:00Z", "2026-09-21T12:02:00Z", "2026-09-21T12:02:00Z"] {
        assert_eq!(status(&set, &merged(json!({ "type": "messageUpdate", "timestamp": at }))).await, 202);
    }
    let found = kept(&set).await;
    assert_eq!(found.iter().filter(|one| one.kind == BotActivityKind::MessageEdited).count(), 2);
    let said = found.iter().find(|one| one.kind == BotActivityKind::Message).unwrap();
    assert_eq!((said.sender_id.as_deref(), said.sender_object_id.as_deref(), said.sender_name.as_str()), (Some("29:ann"), Some("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"), "Ann"));
}

#[tokio::test]
async fn a_time_that_cannot_be_is_the_time_it_came() {
    let set = set().await;
    let now = set.bots.clock.now();
    for (number, at) in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon", ""].into_iter().enumerate() {
        assert_eq!(status(&set, &merged(json!({ "id": format!("t{number}"), "timestamp": at }))).await, 202);
    }
    assert!(kept(&set).await.iter().all(|one| one.at == now));
}

#[tokio::test]
async fn nobody_waits_for_a_store_that_does_not_answer() {
    let set = set().await;
    // Its keys cannot be had: Teams is told to come again.
    let service = Service::script(vec![says(503, "")]);
    let bots = Bots { trust: Arc::new(BotTrust::new(service.pipeline(&set.clock), &BotPlaces::of(&Cloud::Public), Arc::new(set.clock.clone()))), ..set.bots.clone() };
    assert_eq!(answer(&bots, &post(activity().to_string())).await, 503);
    let none = Bots { connector: None, ..set.bots.clone() };
    assert_eq!(answer(&none, &post(activity().to_string())).await, 404);
}

#[tokio::test]
async fn what_is_no_activity_is_left_to_whoever_takes_notifications() {
    let set = set().await;
    // A gateway before the host gave it a token.
    let notification = json!({ "value": [{ "subscriptionId": "s", "clientState": "c", "tenantId": TENANT }] }).to_string();
    for body in [notification, String::new(), "[]".into()] {
        assert!(set.bots.may_take(&post(body.clone()), false) && set.bots.receive(&post(body), true).await.is_err());
    }
    let bare = HttpRequest { body: Some(activity().to_string().into_bytes()), ..HttpRequest::default() };
    assert!(!set.bots.may_take(&bare, false) && set.bots.may_take(&bare, true));
    assert_eq!(answer(&set.bots, &bare).await, 401);
}

#[path = "invoke_tests.rs"]
mod invoke;
