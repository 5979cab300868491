//! Claims challenges, and refusals that last.

use super::*;
use crate::pipeline::fake::says_with;
use futures_util::FutureExt;

const WANTED: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
const OTHER: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;

async fn with_claims(fixture: &Fixture, account: &Account, stale: &str, claims: &str) -> Result<String> {
    fixture.auth.token(account.id.clone(), Some(AccessToken::new(stale)), Some(claims.into())).await.map(|t| t.expose(str::to_owned))
}

fn asked_claims(fixture: &Fixture) -> Vec<Option<String>> {
    fixture.entra.forms.lock().unwrap().iter().filter(|f| f["grant_type"] == "refresh_token").map(|f| f.get("claims").cloned()).collect()
}

async fn kept(fixture: &Fixture, account: &Account) -> Option<String> {
    let id = account.id.clone();
    fixture.auth.claims_of(&fixture.auth.store.account(&id).await.unwrap().unwrap()).await.map(|c| c.to_string())
}

#[tokio::test]
async fn a_challenge_that_meets_another_renewal_starts_its_own_after_it() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let plain = fixture.token(&account, Some("at1"));
    let (a, b) = (with_claims(&fixture, &account, "at1", WANTED), with_claims(&fixture, &account, "at1", WANTED));
    let other = with_claims(&fixture, &account, "at1", OTHER);
    let (plain, a, b, other) = tokio::join!(plain, a, b, other);
    assert_eq!(plain.unwrap(), "at2");
    let asked = asked_claims(&fixture);
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(asked[0], None);
    assert!(asked[1..].contains(&Some(WANTED.into())) && asked[1..].contains(&Some(OTHER.into())));
    assert_eq!(a.as_ref().unwrap(), b.as_ref().unwrap(), "the same challenge is met once for all");
    assert_ne!(a.unwrap(), other.unwrap());
}

#[tokio::test]
async fn a_challenge_that_meets_the_renewal_of_another_process_starts_its_own_after_it() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let (other, _store, _pipeline) = open(&fixture.folder, &fixture.service, &fixture.clock, &fixture.event_bus);
    let theirs = other.token(account.id.clone(), Some(AccessToken::new("at1")), None);
    let (theirs, ours) = tokio::join!(theirs, with_claims(&fixture, &account, "at1", WANTED));
    let asked = asked_claims(&fixture);
    assert!(asked.contains(&Some(WANTED.into())), "{asked:?}");
    // Whichever came first: the answer to the challenge is the one that was asked for with it.
    let nth = asked.iter().position(Option::is_some).unwrap() + 2;
    assert_eq!(ours.unwrap(), format!("at{nth}"));
    assert!(theirs.is_ok() && asked.len() <= 2);
}

#[tokio::test]
async fn two_new_tokens_refused_without_a_reason_end_the_connection_and_one_that_is_taken_counts_anew() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let refused = |times| refusing(&fixture, times, None, "UnknownError");
    let (auth, pipeline, _) = refused(9);
    assert_eq!(get(&pipeline, &account).await, 401);
    assert_eq!(fixture.state(&account).await.0, AccountState::Connected, "once is odd");
    auth.accepted(&account.id);
    assert_eq!(get(&pipeline, &account).await, 401);
    assert_eq!(fixture.state(&account).await.0, AccountState::Connected, "it worked in between");
    assert_eq!(get(&pipeline, &account).await, 401);
    assert_eq!(fixture.state(&account).await.0, AccountState::NeedsReconnect);
    assert_eq!(auth.token(account.id.clone(), None, None).await.err().map(|e| e.kind()), Some(ErrorKind::NeedsReconnect));
    // What somebody asks to be tried is tried, and an account that works is connected again.
    auth.revive(&account.id).await.unwrap();
    assert_eq!(fixture.state(&account).await.0, AccountState::Connected);
}

#[tokio::test]
async fn a_token_renewed_without_the_claims_is_no_answer_to_a_challenge() {
    let fixture = fixture();
    let account = fixture.connect().await;
    assert_eq!(fixture.token(&account, Some("at1")).await.unwrap(), "at2");
    // Refused with a challenge long ago, heard of only now.
    assert_eq!(with_claims(&fixture, &account, "at1", WANTED).await.unwrap(), "at3");
    assert_eq!(asked_claims(&fixture), [None, Some(WANTED.into())]);
    // What was renewed with them is.
    assert_eq!(with_claims(&fixture, &account, "at2", WANTED).await.unwrap(), "at3");
    assert_eq!(fixture.token(&account, Some("at1")).await.unwrap(), "at3");
    assert_eq!(fixture.entra.asked(), 3);
}

#[tokio::test]
async fn claims_of_a_refusal_are_kept_sealed_for_the_next_sign_in() {
    for (body_claims, expected) in [(Some(OTHER), OTHER), (None, WANTED)] {
        let fixture = fixture();
        let account = fixture.connect().await;
        let mut body = json!({ "error": "interaction_required", "error_description": "AADSTS50076: <foreign>", "error_codes": [50076], "suberror": "basic_action" });
        if let Some(claims) = body_claims {
            body["claims"] = claims.into();
        }
        fixture.entra.queued.lock().unwrap().push(says(400, body.to_string()));
        assert_eq!(with_claims(&fixture, &account, "at1", WANTED).await.unwrap_err().kind(), ErrorKind::NeedsReconnect);
        assert_eq!(fixture.state(&account).await.0, AccountState::NeedsReconnect);
        assert_eq!(kept(&fixture, &account).await.as_deref(), Some(expected));
        let row = fixture.store.account(&account.id).await.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(row.claims.unwrap().as_bytes()).contains("access_token"));
    }
}

#[tokio::test]
async fn only_an_administrator_can_help() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.entra.refuses(400, "invalid_grant", 90094);
    assert_eq!(fixture.token(&account, Some("at1")).await.unwrap_err().kind(), ErrorKind::ConsentMissing);
    assert_eq!(fixture.state(&account).await.0, AccountState::AwaitingAdmin);
    assert_eq!(fixture.token(&account, None).await.unwrap_err().kind(), ErrorKind::ConsentMissing);
}

/// A Graph that answers 401 in this way until it has seen this many.
fn refusing(fixture: &Fixture, times: usize, challenge: Option<&'static str>, code: &'static str) -> (Arc<Auth>, Arc<Pipeline>, Arc<Service>) {
    let (entra, now) = (fixture.entra.clone(), fixture.clock.now_ms() as i64);
    let refused = Mutex::new(0);
    let service = Service::new(move |request, _| {
        if request.uri().path() != "/v1.0/me/messages" {
            return entra.answer(request, now / 1000);
        }
        let mut refused = refused.lock().unwrap();
        if *refused >= times {
            return says(200, "{}");
        }
        *refused += 1;
        let body = json!({ "error": { "code": code } }).to_string();
        match challenge {
            Some(claims) => {
                use base64::Engine;
                let encoded = base64::engine::general_purpose::STANDARD.encode(claims);
                says_with(401, ("www-authenticate", &format!(r#"Bearer realm="", error="insufficient_claims", claims="{encoded}""#)), body)
            }
            None => says(401, body),
        }
    });
    let (auth, _store, pipeline) = open(&fixture.folder, &service, &fixture.clock, &fixture.event_bus);
    (auth, pipeline, service)
}

async fn get(pipeline: &Pipeline, account: &Account) -> u16 {
    let mut request = Request::get(url::Url::parse("https://graph.microsoft.com/v1.0/me/messages").unwrap(), Purpose::Graph);
    request.account_id = Some(account.id.clone());
    pipeline.send(request).await.unwrap().status.as_u16()
}

#[tokio::test]
async fn one_retry_for_a_challenge_and_then_the_person_is_asked() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let (_auth, pipeline, _) = refusing(&fixture, 1, Some(WANTED), "InvalidAuthenticationToken");
    assert_eq!(get(&pipeline, &account).await, 200);
    assert_eq!(asked_claims(&fixture), [Some(WANTED.into())]);
    assert_eq!(fixture.state(&account).await.0, AccountState::Connected);

    let (_auth, pipeline, service) = refusing(&fixture, 9, Some(OTHER), "InvalidAuthenticationToken");
    assert_eq!(get(&pipeline, &account).await, 401);
    assert_eq!(asked_claims(&fixture), [Some(WANTED.into()), Some(OTHER.into())]);
    assert_eq!(service.seen.lock().unwrap().iter().filter(|r| r.uri().path() == "/v1.0/me/messages").count(), 2);
    assert_eq!(fixture.state(&account).await.0, AccountState::NeedsReconnect);
    assert_eq!(kept(&fixture, &account).await.as_deref(), Some(OTHER));
}

#[tokio::test]
async fn a_refusal_that_lasts_ends_the_connection_only_when_it_is_about_a_new_token() {
    let fixture = fixture();
    let account = fixture.connect().await;
    // Another code may mean anything.
    let (_auth, pipeline, _) = refusing(&fixture, 9, None, "UnknownError");
    assert_eq!(get(&pipeline, &account).await, 401);
    assert_eq!(fixture.state(&account).await.0, AccountState::Connected);
    let (_auth, pipeline, _) = refusing(&fixture, 1, None, "InvalidAuthenticationToken");
    assert_eq!(get(&pipeline, &account).await, 200);
    let (_auth, pipeline, _) = refusing(&fixture, 9, None, "InvalidAuthenticationToken");
    assert_eq!(get(&pipeline, &account).await, 401);
    let (state, problem) = fixture.state(&account).await;
    assert_eq!(state, AccountState::NeedsReconnect);
    assert!(problem.contains("Connect the account again"), "{problem}");
}

#[tokio::test]
async fn a_token_brought_by_another_process_long_ago_ends_nothing() {
    let fixture = fixture();
    let account = fixture.connect().await;
    let (_auth, pipeline, _) = refusing(&fixture, 9, None, "InvalidAuthenticationToken");
    // This process knows at1; the other renewed it ten minutes ago.
    let (other, other_pipeline, _) = refusing(&fixture, 0, None, "");
    assert_eq!(get(&other_pipeline, &account).await, 200);
    other.token(account.id.clone(), Some(AccessToken::new("at1")), None).await.unwrap();
    fixture.clock.advance(600_000);
    let ours = fixture.auth.token(account.id.clone(), None, None).now_or_never();
    drop(ours);
    assert_eq!(get(&pipeline, &account).await, 401);
    drop(pipeline);
    // at2, then at3 which is really new: that one decides.
    let (state, _) = fixture.state(&account).await;
    assert_eq!((state, fixture.entra.asked()), (AccountState::NeedsReconnect, 3));
}
