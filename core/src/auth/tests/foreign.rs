//! Renewals that are not for their account.

use super::*;
use crate::model::AuditKind;
use crate::trust::fake::Issuer;
use serde_json::Value;

const OTHER: &str = "bbbbbbbb-bbbb-cccc-dddd-eeeeeeeeeeee";
const OTHER_TENANT: &str = "33333333-2222-3333-4444-555555555555";
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

fn jwt(claims: Value) -> Value {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode(claims.to_string())).into()
}

fn info(uid: &str, utid: &str) -> Value {
    URL_SAFE_NO_PAD.encode(json!({ "uid": uid, "utid": utid }).to_string()).into()
}

/// Access tokens as Graph's are, with these claims otherwise.
fn access(changed: Value) -> Value {
    let mut said = json!({ "aud": GRAPH, "tid": TENANT, "oid": PERSON, "appid": CLIENT, "iss": format!("https://sts.windows.net/{TENANT}/"), "idtyp": "user" });
    said.as_object_mut().unwrap().append(&mut changed.as_object().unwrap().clone());
    jwt(said)
}

fn id_token(now: i64, changed: Value) -> Value {
    let mut said = claims("", now);
    said.as_object_mut().unwrap().remove("nonce");
    said.as_object_mut().unwrap().append(&mut changed.as_object().unwrap().clone());
    Issuer::get().sign(&header(), &said).into()
}

impl Fixture {
    fn renewals_bring(&self, what: &[(&str, Value)]) {
        *self.entra.renewed.lock().unwrap() = what.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    }

    fn seconds(&self) -> i64 {
        self.clock.now_ms() as i64 / 1000
    }

    /// Requests that carried a token which is not the account's first.
    fn used(&self) -> usize {
        self.service.seen.lock().unwrap().iter().filter(|r| r.headers().get("authorization").is_some_and(|a| a != "Bearer at1")).count()
    }

    async fn refusals(&self) -> usize {
        self.store.audit_rows(None, 0, 1000).await.unwrap().iter().filter(|r| r.kind == "sign_in_refused" && r.detail.contains("renewal")).count()
    }
}

#[tokio::test]
async fn an_answer_for_somebody_else_is_refused_as_a_whole() {
    let now = fixture().seconds() + 3600;
    let good = || ("access_token", access(json!({})));
    let foreign = Issuer::get().sign(&json!({ "alg": "RS256", "kid": "k9" }), &claims("", now));
    let forged = format!("{}x", Issuer::get().sign(&header(), &claims("", now)));
    let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#), URL_SAFE_NO_PAD.encode(claims("", now).to_string()));
    let iss = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let cases: Vec<(&str, Vec<(&str, Value)>)> = vec![
        ("another person", vec![good(), ("id_token", id_token(now, json!({ "oid": OTHER })))]),
        ("another tenant", vec![good(), ("id_token", id_token(now, json!({ "tid": OTHER_TENANT, "iss": iss(OTHER_TENANT) })))]),
        ("a tenant that did not issue it", vec![good(), ("id_token", id_token(now, json!({ "tid": OTHER_TENANT })))]),
        ("another audience", vec![good(), ("id_token", id_token(now, json!({ "aud": OTHER })))]),
        ("another issuer", vec![good(), ("id_token", id_token(now, json!({ "iss": format!("https://login.example/{TENANT}/v2.0") })))]),
        ("expired", vec![good(), ("id_token", id_token(now - 7200, json!({})))]),
        ("not yet", vec![good(), ("id_token", id_token(now + 7200, json!({})))]),
        ("another subject", vec![good(), ("id_token", id_token(now, json!({ "sub": "somebody" })))]),
        ("another key", vec![good(), ("id_token", foreign.into())]),
        ("forged", vec![good(), ("id_token", forged.into())]),
        ("unsigned", vec![good(), ("id_token", unsigned.into())]),
        ("no token at all", vec![good(), ("id_token", "x".into())]),
        ("client_info of another person", vec![good(), ("client_info", info(OTHER, TENANT))]),
        ("client_info of another tenant", vec![good(), ("client_info", info(PERSON, OTHER_TENANT))]),
        ("access token of another person", vec![("access_token", access(json!({ "oid": OTHER })))]),
        ("access token of another tenant", vec![("access_token", access(json!({ "tid": OTHER_TENANT })))]),
        ("access token for another service", vec![("access_token", access(json!({ "aud": "https://outlook.office.com" })))]),
        ("access token for several", vec![("access_token", access(json!({ "aud": [GRAPH] })))]),
        ("access token of another application", vec![("access_token", access(json!({ "appid": OTHER })))]),
        ("access token of another application, v2", vec![("access_token", access(json!({ "azp": OTHER })))]),
        ("access token of another issuer", vec![("access_token", access(json!({ "iss": format!("https://sts.windows.net/{OTHER_TENANT}/") })))]),
        ("access token of a stranger", vec![("access_token", access(json!({ "iss": format!("https://evil.example/{TENANT}/") })))]),
        ("access token of the application", vec![("access_token", access(json!({ "idtyp": "app" })))]),
        ("a person that is no text", vec![("access_token", access(json!({ "oid": [PERSON] })))]),
        ("a good id token beside another's access token", vec![("access_token", access(json!({ "oid": OTHER }))), ("id_token", id_token(now, json!({ "sub": "s1" })))]),
    ];
    for (what, brought) in cases {
        let fixture = fixture();
        fixture.says_subject("s1");
        let account = fixture.connect().await;
        let before = fixture.store.token(&account.id).await.unwrap().unwrap();
        fixture.clock.advance(3_600_000);
        fixture.renewals_bring(&brought);
        let error = fixture.token(&account, None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NeedsReconnect, "{what}: {error:?}");
        let (state, problem) = fixture.state(&account).await;
        assert!(state == AccountState::NeedsReconnect && problem.contains("not for this account"), "{what}: {problem}");
        let after = fixture.store.token(&account.id).await.unwrap().unwrap();
        assert_eq!((before.version, before.sealed.as_bytes()), (after.version, after.sealed.as_bytes()), "{what}");
        assert_eq!((fixture.used(), fixture.refusals().await), (0, 1), "{what}");
        let asked = fixture.entra.asked();
        assert_eq!(fixture.token(&account, None).await.unwrap_err().kind(), ErrorKind::NeedsReconnect, "{what}");
        assert_eq!(fixture.entra.asked(), asked, "{what}");
        // The person signs in and all is well.
        fixture.renewals_bring(&[]);
        assert_eq!(fixture.connect().await.id, account.id, "{what}");
        assert!(fixture.token(&account, None).await.is_ok(), "{what}");
    }
    let _ = AuditKind::SignInRefused;
}

impl Fixture {
    fn says_subject(&self, subject: &str) {
        self.entra.says("sub", subject);
    }
}

#[tokio::test]
async fn an_answer_for_the_account_is_taken_in_all_its_forms() {
    for brought in [0, 1, 2, 3, 4] {
        let fixture = fixture();
        let account = fixture.connect().await;
        fixture.clock.advance(3_600_000);
        let now = fixture.seconds();
        fixture.renewals_bring(&match brought {
            0 => vec![],
            1 => vec![("access_token", access(json!({})))],
            2 => vec![("id_token", id_token(now, json!({ "sub": "s1", "nonce": "of the first sign-in" })))],
            3 => vec![("client_info", info(&PERSON.to_uppercase(), TENANT)), ("access_token", access(json!({ "oid": PERSON.to_uppercase(), "aud": "https://graph.microsoft.com/" })))],
            _ => vec![("client_info", "%%%".into()), ("access_token", "a.b.c.d.e".into())],
        });
        fixture.token(&account, None).await.unwrap();
        assert_eq!(fixture.state(&account).await.0, AccountState::Connected);
        // Where the access token says whose it is, nobody is asked; otherwise /me is.
        assert_eq!(fixture.used(), usize::from(!matches!(brought, 1 | 3)), "{brought}");
    }
}

#[tokio::test]
async fn a_token_that_says_nothing_is_asked_whose_it_is_before_it_is_used() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_600_000);
    *fixture.entra.me.lock().unwrap() = Some(says(200, json!({ "id": OTHER }).to_string()));
    assert_eq!(fixture.token(&account, None).await.unwrap_err().kind(), ErrorKind::NeedsReconnect);
    let (state, problem) = fixture.state(&account).await;
    assert!(state == AccountState::NeedsReconnect && problem.contains("another person"), "{problem}");
    let seen = fixture.service.seen.lock().unwrap();
    assert_eq!(seen.iter().filter(|r| r.headers().get("authorization").is_some_and(|a| a == "Bearer at2")).map(|r| r.uri().path()).collect::<Vec<_>>(), ["/v1.0/me"]);
}

/// Nobody can tell whose it is: neither used nor lost.
#[tokio::test]
async fn while_nobody_can_tell_whose_a_token_is_it_is_kept_aside() {
    for keys_are_down in [false, true] {
        let fixture = fixture();
        let account = fixture.connect().await;
        fixture.clock.advance(if keys_are_down { 50 * 3_600_000 } else { 3_600_000 });
        *fixture.entra.keys_are_down.lock().unwrap() = keys_are_down;
        if keys_are_down {
            fixture.renewals_bring(&[("id_token", id_token(fixture.seconds(), json!({})))]);
        }
        *fixture.entra.me.lock().unwrap() = Some(says(403, "{}"));
        let error = fixture.token(&account, None).await.unwrap_err();
        assert!(error.kind().is_retryable(), "{error:?}");
        assert_eq!(fixture.state(&account).await.0, AccountState::Connected);
        assert_eq!(fixture.store.token(&account.id).await.unwrap().unwrap().version, 2, "what came is durable");
        // Microsoft has taken the old one back, and knows the new one.
        fixture.entra.refuses(400, "invalid_grant", 70000);
        assert!(fixture.token(&account, None).await.is_ok());
        let forms = fixture.entra.forms.lock().unwrap();
        let asked: Vec<&str> = forms.iter().filter_map(|f| f.get("refresh_token").map(String::as_str)).collect();
        assert_eq!(asked, ["rt1", "rt1", "rt2"]);
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_here_makes_no_renewal_look_forged() {
    let fixture = fixture();
    let account = fixture.connect().await;
    fixture.clock.advance(3_600_000);
    let now = fixture.seconds();
    let day = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(now as u64 + 400 * 86_400));
    let body = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "at9", "refresh_token": "rt9", "id_token": id_token(now + 400 * 86_400, json!({})) });
    fixture.entra.queued.lock().unwrap().push(crate::pipeline::fake::says_with(200, ("date", &day), body.to_string()));
    assert_eq!(fixture.token(&account, None).await.unwrap(), "at9");
}

#[tokio::test]
async fn an_organisations_own_token_is_looked_at_too() {
    for (name, value) in [("tid", json!(OTHER_TENANT)), ("aud", json!("https://outlook.office.com")), ("appid", json!(OTHER)), ("idtyp", json!("user")), ("iss", json!(format!("https://sts.windows.net/{OTHER_TENANT}/")))] {
        let fixture = fixture();
        *fixture.entra.roles.lock().unwrap() = vec!["Mail.Send"];
        let account = fixture.proven(organisations::organisation()).await;
        fixture.entra.own.lock().unwrap().insert(name.into(), value.clone());
        assert_eq!(fixture.auth.resume(&account.id).await.unwrap_err().kind(), ErrorKind::TokenRejected, "{name}");
        fixture.entra.own.lock().unwrap().clear();
        fixture.auth.resume(&account.id).await.unwrap();
        fixture.clock.advance(3_600_000);
        fixture.entra.own.lock().unwrap().insert(name.into(), value);
        assert_eq!(fixture.token(&account, None).await.unwrap_err().kind(), ErrorKind::Forbidden, "{name}");
        assert_eq!((fixture.state(&account).await.0, fixture.refusals().await), (AccountState::Misconfigured, 1));
        fixture.entra.own.lock().unwrap().clear();
        assert!(fixture.token(&account, None).await.is_ok(), "and comes back by itself");
    }
}
