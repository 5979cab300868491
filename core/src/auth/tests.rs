mod claims;

use super::*;
use crate::clock::TestClock;
use crate::config::{Cloud, Config};
use crate::model::{ConnectRequest, Event, Feature};
use crate::pipeline::fake::{Seen, Service, breaks, clock, says};
use crate::pipeline::{AccessToken, Answer, Priority, Purpose, Request, Sent, TokenSource};
use crate::secret::RootKey;
use crate::store::SqliteStore;
use crate::trust::fake::{CLIENT, Issuer, PERSON, TENANT, metadata};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// A small Entra: it remembers the nonce of the authorize URL, and answers the token endpoint with what the test has queued or with a good token.
#[derive(Default)]
struct Entra {
    nonce: Mutex<String>,
    queued: Mutex<Vec<Answer>>,
    issued: Mutex<u32>,
    forms: Mutex<Vec<HashMap<String, String>>>,
    lifetime: Mutex<u64>,
}

impl Entra {
    fn answer(&self, request: &Seen, now: i64) -> Answer {
        let path = request.uri().path();
        if path.ends_with("openid-configuration") {
            return says(200, metadata());
        }
        if path.ends_with("keys") {
            return says(200, Issuer::get().jwks());
        }
        if path == "/v1.0/me" {
            return says(200, json!({ "id": PERSON, "displayName": "Ann", "mail": null, "userPrincipalName": "ann@contoso.example" }).to_string());
        }
        assert!(path.ends_with("/common/oauth2/v2.0/token"), "{path}");
        let form: HashMap<String, String> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let is_code = form.get("grant_type").is_some_and(|g| g == "authorization_code");
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
            "token_type": "Bearer", "scope": "https://graph.microsoft.com/Mail.ReadWrite User.Read profile openid", "expires_in": *self.lifetime.lock().unwrap(),
            "access_token": format!("at{n}"), "refresh_token": format!("rt{n}"),
        });
        if is_code {
            body["id_token"] = Issuer::get().id_token(&self.nonce.lock().unwrap(), now).into();
        }
        says(200, body.to_string())
    }

    fn refuses(&self, status: u16, error: &str, aadsts: u32) {
        let body = json!({ "error": error, "error_description": format!("AADSTS{aadsts}: <foreign text>"), "error_codes": [aadsts] });
        self.queued.lock().unwrap().push(says(status, body.to_string()));
    }

    fn asked(&self) -> usize {
        self.forms.lock().unwrap().len()
    }
}

struct House {
    auth: Arc<Auth>,
    entra: Arc<Entra>,
    service: Arc<Service>,
    store: Arc<dyn Store>,
    clock: TestClock,
    bell: Bell,
    pipeline: Arc<Pipeline>,
    folder: tempfile::TempDir,
}

fn house() -> House {
    let clock = clock();
    let entra = Arc::new(Entra { lifetime: Mutex::new(3600), ..Default::default() });
    let (answering, time) = (entra.clone(), clock.clone());
    let service = Service::new(move |request, _| answering.answer(request, time.now_ms() as i64 / 1000));
    let folder = tempfile::tempdir().unwrap();
    let bell = Bell::new();
    let (auth, store, pipeline) = open(&folder, &service, &clock, &bell);
    House { auth, entra, service, store, clock, bell, pipeline, folder }
}

/// Opens the store of `folder`: called twice, two processes share it.
fn open(folder: &tempfile::TempDir, service: &Arc<Service>, clock: &TestClock, bell: &Bell) -> (Arc<Auth>, Arc<dyn Store>, Arc<Pipeline>) {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store"), Duration::from_secs(5)).unwrap());
    let root = RootKey::raw((0..32).collect()).unwrap();
    let vault = Vault::open(store.clone(), Arc::new(root), 0).unwrap();
    let pipeline = service.pipeline(clock);
    let config = Config::new("unused", CLIENT);
    let config = AuthConfig::of(&config, &Endpoints::of(&Cloud::Public).unwrap());
    let auth = Auth::new(store.clone(), vault, pipeline.clone(), Arc::new(clock.clone()), bell.clone(), config);
    pipeline.plug_tokens(auth.clone());
    (auth, store, pipeline)
}

fn wish() -> ConnectRequest {
    ConnectRequest { owner: "owner-1".into(), features: vec![Feature::MailSync, Feature::MailSend], redirect_uri: "https://app.example/cb".into(), ..Default::default() }
}

impl House {
    /// The parameters of an authorize URL; the nonce goes to Entra.
    fn visit(&self, url: &str) -> HashMap<String, String> {
        let url = url::Url::parse(url).unwrap();
        assert_eq!(url.as_str().split('?').next().unwrap(), "https://login.microsoftonline.com/common/oauth2/v2.0/authorize");
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        *self.entra.nonce.lock().unwrap() = asked["nonce"].clone();
        asked
    }

    async fn connect(&self) -> Account {
        let sign_in = self.auth.begin(wish()).await.unwrap();
        let asked = self.visit(&sign_in.url);
        self.auth.finish(&format!("https://app.example/cb?code=c1&state={}", asked["state"]), &sign_in.binding).await.unwrap()
    }

    async fn token(&self, account: &Account, stale: Option<&str>) -> Result<String> {
        self.auth.token(account.id.clone(), stale.map(AccessToken::new), None).await.map(|t| t.expose(str::to_owned))
    }

    async fn state(&self, account: &Account) -> (AccountState, String) {
        let account = self.auth.account(&account.id).await.unwrap();
        (account.state, account.problem.unwrap_or_default())
    }
}

#[tokio::test]
async fn a_sign_in_ends_in_a_stored_account() {
    let house = house();
    let events = house.bell.listen();
    let sign_in = house.auth.begin(wish()).await.unwrap();
    assert_eq!(house.service.calls(), 0, "beginning asks nobody");
    let asked = house.visit(&sign_in.url);
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!((asked["response_type"].as_str(), asked["response_mode"].as_str(), asked["prompt"].as_str()), ("code", "query", "select_account"));
    assert_eq!(asked["redirect_uri"], "https://app.example/cb");
    assert!(asked["state"].len() == 43 && asked["nonce"].len() == 43 && sign_in.binding.len() == 43);
    assert!(!sign_in.url.contains(&sign_in.binding));

    let account = house.auth.finish(&format!("?code=c1&state={}", asked["state"]), &sign_in.binding).await.unwrap();
    assert_eq!((account.tenant_id.as_str(), account.user_id.as_str(), account.state), (TENANT, PERSON, AccountState::Connected));
    assert_eq!((account.address.as_str(), account.display_name.as_str()), ("ann@contoso.example", "Ann"));
    assert_eq!(account.scopes, ["Mail.ReadWrite", "User.Read", "profile", "openid"]);
    assert_eq!(account.missing, [Feature::MailSend], "Mail.Send was not granted");
    assert!(account.id.starts_with("acc_"));
    let form = house.entra.forms.lock().unwrap()[0].clone();
    assert_eq!((form["code"].as_str(), form["client_id"].as_str(), form["redirect_uri"].as_str()), ("c1", CLIENT, "https://app.example/cb"));
    assert!(form["code_verifier"].len() >= 43 && !form.contains_key("client_secret"));
    assert_eq!(events.next().await.unwrap(), Some(Event::AccountConnected { account_id: account.id.clone() }));
    // Its token is at hand without asking again.
    assert_eq!(house.token(&account, None).await.unwrap(), "at1");
    assert_eq!(house.entra.asked(), 1);

    // A second connect of the same person takes the account over.
    let again = house.connect().await;
    assert_eq!(again.id, account.id);
    assert_eq!(house.auth.accounts(AccountFilter::default()).await.unwrap().len(), 1);
    assert_eq!(house.token(&again, None).await.unwrap(), "at2");
}

#[tokio::test]
async fn a_callback_counts_once_and_for_one_browser() {
    let house = house();
    let begin = async || {
        let sign_in = house.auth.begin(wish()).await.unwrap();
        let state = house.visit(&sign_in.url)["state"].clone();
        (sign_in, state)
    };
    let kind = |result: Result<Account>| result.unwrap_err().kind();

    let (sign_in, state) = begin().await;
    house.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await.unwrap();
    assert_eq!(kind(house.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await), ErrorKind::Conflict);

    assert_eq!(kind(house.auth.finish("code=c&state=unknown", "b").await), ErrorKind::InvalidInput);

    let (sign_in, state) = begin().await;
    assert_eq!(kind(house.auth.finish(&format!("code=c&state={state}"), "wrong").await), ErrorKind::TokenRejected);
    house.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await.expect("a stranger spoils nothing");

    let (sign_in, state) = begin().await;
    assert_eq!(kind(house.auth.finish(&format!("https://evil.example/cb?code=c&state={state}"), &sign_in.binding).await), ErrorKind::TokenRejected);

    let (sign_in, state) = begin().await;
    house.clock.advance(301_000);
    assert_eq!(kind(house.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await), ErrorKind::Cancelled);

    let (sign_in, state) = begin().await;
    assert_eq!(kind(house.auth.finish(&format!("error=access_denied&error_description=AADSTS65004&state={state}"), &sign_in.binding).await), ErrorKind::Cancelled);

    // Two at a time: one wins.
    let (sign_in, state) = begin().await;
    let callback = format!("code=c&state={state}");
    let (a, b) = tokio::join!(house.auth.finish(&callback, &sign_in.binding), house.auth.finish(&callback, &sign_in.binding));
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
}

#[tokio::test]
async fn what_entra_answers_is_checked_before_anything_is_stored() {
    let house = house();
    let finish = async |answer: Answer| {
        let sign_in = house.auth.begin(wish()).await.unwrap();
        let state = house.visit(&sign_in.url)["state"].clone();
        house.entra.queued.lock().unwrap().push(answer);
        let before = house.entra.asked();
        let error = house.auth.finish(&format!("code=c&state={state}"), &sign_in.binding).await.unwrap_err();
        (error.kind(), house.entra.asked() - before, error.reason().to_owned())
    };
    let good = |nonce: &str| json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "a", "refresh_token": "r", "id_token": Issuer::get().id_token(nonce, house.clock.now_ms() as i64 / 1000) });
    let without = |name: &str| {
        let mut body = good("n");
        body.as_object_mut().unwrap().remove(name);
        says(200, body.to_string())
    };
    assert_eq!(finish(says(200, good("another").to_string())).await.0, ErrorKind::TokenRejected);
    assert_eq!(finish(without("id_token")).await.0, ErrorKind::TokenRejected);
    assert_eq!(finish(without("access_token")).await.0, ErrorKind::Upstream);
    assert_eq!(finish(says(200, "<html>")).await.0, ErrorKind::Upstream);
    // A code is good for one use: its exchange is not repeated in doubt.
    let (kind, asked, reason) = finish(breaks(Sent::Maybe)).await;
    assert_eq!((kind, asked), (ErrorKind::Upstream, 1));
    assert!(reason.contains("start the sign-in again"), "{reason}");
    let refusal = |error: &str, n: u32| says(400, json!({ "error": error, "error_description": format!("AADSTS{n}: <foreign>") }).to_string());
    let (kind, _, reason) = finish(refusal("invalid_grant", 54005)).await;
    assert_eq!(kind, ErrorKind::NeedsReconnect);
    assert!(reason.contains("AADSTS54005") && !reason.contains("foreign"));
    assert_eq!(finish(refusal("invalid_client", 7000215)).await.0, ErrorKind::Forbidden);
    assert_eq!(house.auth.accounts(AccountFilter::default()).await.unwrap().len(), 0);
}

#[tokio::test]
async fn no_refresh_token_is_no_connection() {
    let house = house();
    let sign_in = house.auth.begin(wish()).await.unwrap();
    let asked = house.visit(&sign_in.url);
    let token = Issuer::get().id_token(&asked["nonce"], house.clock.now_ms() as i64 / 1000);
    house.entra.queued.lock().unwrap().push(says(200, json!({ "token_type": "Bearer", "access_token": "a", "id_token": token }).to_string()));
    let error = house.auth.finish(&format!("code=c&state={}", asked["state"]), &sign_in.binding).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConsentMissing);
}

#[tokio::test]
async fn a_sign_in_comes_back_to_this_machine() {
    let house = house();
    let (sign_in, receiver) = house.auth.begin_here(ConnectRequest { redirect_uri: String::new(), ..wish() }).await.unwrap();
    let asked = house.visit(&sign_in.url);
    let port = url::Url::parse(&asked["redirect_uri"]).unwrap().port().unwrap();
    let waiting = tokio::spawn(receiver.callback());
    crate::pipeline::fake::browse(port, &format!("/?code=c&state={}", asked["state"])).await;
    let callback = waiting.await.unwrap().unwrap();
    let account = house.auth.finish(&callback, &sign_in.binding).await.unwrap();
    assert_eq!(account.state, AccountState::Connected);
}

#[tokio::test]
async fn twenty_callers_make_one_refresh() {
    let house = house();
    let account = house.connect().await;
    house.clock.advance(3_600_000);
    let all = futures_util::future::join_all((0..20).map(|_| house.token(&account, None))).await;
    assert!(all.iter().all(|t| t.as_ref().is_ok_and(|t| t == "at2")), "{all:?}");
    assert_eq!(house.entra.asked(), 2);
    let form = house.entra.forms.lock().unwrap()[1].clone();
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "rt1"));
    // The next one uses the new refresh token.
    assert_eq!(house.token(&account, Some("at2")).await.unwrap(), "at3");
    assert_eq!(house.entra.forms.lock().unwrap()[2]["refresh_token"], "rt2");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all_who_were_refused() {
    let house = house();
    let account = house.connect().await;
    let all = futures_util::future::join_all((0..5).map(|_| house.token(&account, Some("at1")))).await;
    assert!(all.iter().all(|t| t.as_ref().is_ok_and(|t| t == "at2")));
    // Who comes late with the old one gets the new one.
    assert_eq!(house.token(&account, Some("at1")).await.unwrap(), "at2");
    assert_eq!(house.entra.asked(), 2);
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_split_a_renewal() {
    let house = house();
    let account = house.connect().await;
    house.clock.advance(3_600_000);
    {
        use futures_util::FutureExt;
        let mut leaving = Box::pin(house.token(&account, None));
        assert!((&mut leaving).now_or_never().is_none());
    }
    for _ in 0..500 {
        let _ = blocking(|| { std::thread::park_timeout(Duration::from_millis(5)); Ok(()) }).await;
        if house.store.token(&account.id).unwrap().unwrap().version == 2 {
            break;
        }
    }
    assert_eq!(house.token(&account, None).await.unwrap(), "at2");
    assert_eq!(house.entra.asked(), 2);
}

#[tokio::test]
async fn two_processes_share_one_renewal() {
    let house = house();
    let account = house.connect().await;
    house.clock.advance(3_600_000);
    let (other, _store, _pipeline) = open(&house.folder, &house.service, &house.clock, &house.bell);
    let theirs = other.token(account.id.clone(), None, None);
    let (ours, theirs) = tokio::join!(house.token(&account, None), theirs);
    assert_eq!((ours.unwrap().as_str(), theirs.unwrap().expose(str::to_owned).as_str()), ("at2", "at2"));
    assert_eq!(house.entra.asked(), 2);
}

#[tokio::test]
async fn an_early_renewal_that_fails_is_no_matter_while_the_token_lives() {
    let house = house();
    let account = house.connect().await;
    house.clock.advance(3_400_000);
    house.entra.refuses(400, "temporarily_unavailable", 90033);
    assert_eq!(house.token(&account, None).await.unwrap(), "at1");
    assert_eq!(house.entra.asked(), 2);
    assert_eq!(house.token(&account, None).await.unwrap(), "at1", "not asked again at once");
    assert_eq!(house.entra.asked(), 2);
    house.clock.advance(61_000);
    assert_eq!(house.token(&account, None).await.unwrap(), "at2");
}

#[tokio::test]
async fn an_outage_keeps_everything() {
    let house = house();
    let account = house.connect().await;
    house.clock.advance(3_600_000);
    for (answer, kind) in [
        (breaks(Sent::No), ErrorKind::Network),
        (says(503, ""), ErrorKind::Upstream),
        (says(200, "{}"), ErrorKind::Upstream),
        (crate::pipeline::fake::says_with(429, ("retry-after", "300"), ""), ErrorKind::Throttled),
        (says(400, json!({ "error": "temporarily_unavailable" }).to_string()), ErrorKind::Upstream),
    ] {
        *house.entra.queued.lock().unwrap() = (0..6).map(|_| answer.as_ref().map(|a| { let mut b = http::Response::new(a.body().clone()); *b.status_mut() = a.status(); *b.headers_mut() = a.headers().clone(); b }).map_err(Clone::clone)).collect();
        assert_eq!(house.token(&account, None).await.unwrap_err().kind(), kind);
        assert_eq!(house.state(&account).await.0, AccountState::Connected);
        house.clock.advance(301_000);
    }
    house.entra.queued.lock().unwrap().clear();
    assert_eq!(house.token(&account, None).await.unwrap(), "at2");
    assert_eq!(house.entra.forms.lock().unwrap().last().unwrap()["refresh_token"], "rt1");
}

#[tokio::test]
async fn a_final_refusal_changes_the_state_and_keeps_the_reason() {
    for (status, error, number, state, word) in [
        (400, "invalid_grant", 50173, AccountState::NeedsReconnect, "password"),
        (400, "invalid_grant", 700082, AccountState::NeedsReconnect, "90 days"),
        (400, "invalid_grant", 65001, AccountState::NeedsReconnect, "consent"),
        (401, "invalid_client", 7000222, AccountState::Misconfigured, "expired"),
    ] {
        let house = house();
        let account = house.connect().await;
        let events = house.bell.listen();
        house.clock.advance(3_600_000);
        house.entra.refuses(status, error, number);
        let told = house.token(&account, None).await.unwrap_err();
        assert!(told.reason().contains(word) && !told.reason().contains("foreign"), "{}", told.reason());
        let (now, problem) = house.state(&account).await;
        assert_eq!(now, state, "{number}");
        assert!(problem.contains(word), "{problem}");
        assert_eq!(events.next().await.unwrap(), Some(Event::AccountChanged { account_id: account.id.clone(), state }));
        // The refresh token is still there.
        assert_eq!(house.store.token(&account.id).unwrap().unwrap().version, 1);
        let asked = house.entra.asked();
        if state == AccountState::Misconfigured {
            house.entra.refuses(status, error, number);
            assert_eq!(house.auth.try_again(&account.id).await.unwrap_err().kind(), ErrorKind::Forbidden);
            assert_eq!(house.state(&account).await.0, state);
            // Mended by whoever registered the application: the next call finds out.
            house.auth.try_again(&account.id).await.unwrap();
        }
        let next = house.token(&account, None).await;
        if state == AccountState::Misconfigured {
            assert_eq!(next.unwrap(), "at2");
            assert_eq!(house.state(&account).await.0, AccountState::Connected);
        } else {
            assert_eq!((next.unwrap_err().kind(), house.entra.asked()), (ErrorKind::NeedsReconnect, asked));
            // A new sign-in mends it.
            assert_eq!(house.connect().await.state, AccountState::Connected);
            assert!(house.token(&account, None).await.is_ok());
        }
    }
}

#[tokio::test]
async fn a_refusal_of_a_token_that_was_replaced_says_nothing() {
    let house = house();
    let account = house.connect().await;
    house.clock.advance(3_600_000);
    // While Entra refuses, another process stores a newer token.
    let row = house.store.token(&account.id).unwrap().unwrap();
    let (store, auth, id) = (house.store.clone(), house.auth.clone(), account.id.clone());
    let now = house.clock.now_ms() as i64;
    let entra = house.entra.clone();
    let service = Service::new(move |request, _| {
        let stored = token::StoredToken { refresh_token: "rt9".into(), access_token: "at9".into() };
        let sealed = auth.vault.secrets(&id).unwrap().seal(token_place(&id, row.version + 1), &stored.to_json().unwrap()).unwrap();
        let newer = crate::store::TokenRow { account_id: id.clone(), version: row.version + 1, sealed, expires_at: now + 3_600_000, refreshed_at: now };
        assert!(store.save_token(&newer, 1, None, now).unwrap());
        entra.refuses(400, "invalid_grant", 70000);
        entra.answer(request, now / 1000)
    });
    let (other, _store, _pipeline) = open(&house.folder, &service, &house.clock, &house.bell);
    let token = other.token(account.id.clone(), None, None).await.unwrap();
    assert_eq!(token.expose(str::to_owned), "at9");
    assert_eq!(house.state(&account).await.0, AccountState::Connected);
}

#[tokio::test]
async fn a_disconnected_account_has_no_token_and_a_late_result_is_dropped() {
    let house = house();
    let account = house.connect().await;
    house.clock.advance(3_600_000);
    let (store, id) = (house.store.clone(), account.id.clone());
    let now = house.clock.now_ms() as i64;
    let entra = house.entra.clone();
    // Disconnected while the request is under way.
    let service = Service::new(move |request, _| {
        store.disconnect_account(&id, "test", now).unwrap();
        entra.answer(request, now / 1000)
    });
    let (other, _store, _pipeline) = open(&house.folder, &service, &house.clock, &house.bell);
    assert_eq!(other.token(account.id.clone(), None, None).await.err().unwrap().kind(), ErrorKind::NotConnected);
    assert!(house.store.token(&account.id).unwrap().is_none());
    house.auth.forget(&account.id);
    assert_eq!(house.token(&account, None).await.unwrap_err().kind(), ErrorKind::NotConnected);
    let shown = house.auth.account(&account.id).await.unwrap();
    assert_eq!((shown.state, shown.address.as_str()), (AccountState::Disconnected, "ann@contoso.example"));
}

#[tokio::test]
async fn graph_requests_get_their_token_from_here() {
    let house = house();
    let account = house.connect().await;
    let mut request = Request::get(url::Url::parse("https://graph.microsoft.com/v1.0/me").unwrap(), Purpose::Graph);
    request.account_id = Some(account.id.clone());
    request.priority = Priority::User;
    assert_eq!(house.pipeline.send(request).await.unwrap().status.as_u16(), 200);
    assert_eq!(house.service.seen.lock().unwrap().last().unwrap().headers()["authorization"], "Bearer at1");
}

#[tokio::test]
async fn claims_are_handed_to_entra() {
    let house = house();
    let account = house.connect().await;
    house.auth.token(account.id.clone(), Some(AccessToken::new("at1")), Some(r#"{"access_token":{}}"#.into())).await.unwrap();
    assert_eq!(house.entra.forms.lock().unwrap().last().unwrap()["claims"], r#"{"access_token":{}}"#);
}

#[tokio::test]
async fn a_token_that_could_not_be_stored_is_not_used() {
    let house = house();
    let account = house.connect().await;
    house.clock.advance(3_600_000);
    let broken: Arc<Mutex<Option<Arc<dyn Store>>>> = Arc::default();
    let (breaking, entra, now) = (broken.clone(), house.entra.clone(), house.clock.now_ms() as i64);
    let service = Service::new(move |request, _| {
        if let Some(store) = breaking.lock().unwrap().as_ref() {
            store.close();
        }
        entra.answer(request, now / 1000)
    });
    let (other, store, _pipeline) = open(&house.folder, &service, &house.clock, &house.bell);
    *broken.lock().unwrap() = Some(store);
    assert!(other.token(account.id.clone(), None, None).await.is_err());
    // The old refresh token is what counts, for everybody.
    assert_eq!(house.store.token(&account.id).unwrap().unwrap().version, 1);
    house.clock.advance(121_000);
    house.token(&account, None).await.unwrap();
    assert_eq!(house.entra.forms.lock().unwrap().last().unwrap()["refresh_token"], "rt1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnect_between_two_looks_is_no_damage() {
    let house = house();
    let account = house.connect().await;
    let (other, _store, _pipeline) = open(&house.folder, &house.service, &house.clock, &house.bell);
    let (over, id) = (Arc::new(std::sync::atomic::AtomicBool::new(false)), account.id.clone());
    let ended = over.clone();
    let reading = tokio::spawn(async move {
        let mut damaged = 0;
        while !ended.load(std::sync::atomic::Ordering::SeqCst) {
            other.forget(&id);
            damaged += u32::from(other.token(id.clone(), None, None).await.is_err_and(|e| e.kind() == ErrorKind::Corrupt));
        }
        damaged
    });
    for _ in 0..60 {
        house.connect().await;
    }
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(reading.await.unwrap(), 0);
}

#[tokio::test]
async fn a_mended_registration_is_found_out_while_the_stored_token_still_lives() {
    let house = house();
    let account = house.connect().await;
    // Graph refused the token long before its end, and the client secret had expired.
    house.entra.refuses(401, "invalid_client", 7000222);
    house.token(&account, Some("at1")).await.unwrap_err();
    assert_eq!(house.state(&account).await.0, AccountState::Misconfigured);
    house.auth.try_again(&account.id).await.unwrap();
    assert_eq!(house.state(&account).await.0, AccountState::Connected);
}
