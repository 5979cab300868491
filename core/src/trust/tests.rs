use super::fake::{CLIENT, Issuer, PERSON, TENANT, claims, header, metadata};
use super::*;
use crate::error::ErrorKind;
use crate::pipeline::fake::{START_MS, Seen, Service, breaks, clock, says, says_with};
use crate::pipeline::{Answer, Sent};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NOW: i64 = START_MS as i64 / 1000;

fn entra(keys: impl Fn() -> Answer + Send + Sync + 'static) -> Arc<Service> {
    Service::new(move |request: &Seen, _| if request.uri().path().ends_with("openid-configuration") { says(200, metadata()) } else { keys() })
}

fn trust(service: &Arc<Service>, clock: &crate::clock::TestClock) -> Trust {
    let endpoints = Endpoints::of(&crate::config::Cloud::Public).unwrap();
    Trust::new(service.pipeline(clock), &endpoints, Arc::new(clock.clone()))
}

async fn judged(token: &str) -> Result<Identity> {
    let clock = clock();
    trust(&entra(|| says(200, Issuer::get().jwks())), &clock).id_token(token, "common", CLIENT, Some("n1")).await
}

#[tokio::test]
async fn a_good_token_says_who_it_is() {
    let identity = judged(&Issuer::get().id_token("n1", NOW)).await.unwrap();
    assert_eq!(identity.tenant_id, TENANT);
    assert_eq!(identity.user_id, PERSON);
    assert_eq!((identity.name.as_str(), identity.address.as_str()), ("Ann Example", "ann@contoso.example"));
    // Clocks may differ by five minutes.
    for skewed in [NOW - 3600 - 290, NOW + 290] {
        assert!(judged(&Issuer::get().id_token("n1", skewed)).await.is_ok(), "{skewed}");
    }
}

#[tokio::test]
async fn every_other_token_is_refused_for_a_reason_of_its_own() {
    let issuer = Issuer::get();
    let good = issuer.id_token("n1", NOW);
    let with = |name: &str, value: Value| {
        let mut changed = claims("n1", NOW);
        changed[name] = value;
        issuer.sign(&header(), &changed)
    };
    let without = |name: &str| {
        let mut changed = claims("n1", NOW);
        changed.as_object_mut().unwrap().remove(name);
        issuer.sign(&header(), &changed)
    };
    let headed = |name: &str, value: Value| {
        let mut changed = header();
        changed[name] = value;
        issuer.sign(&changed, &claims("n1", NOW))
    };
    let mut parts: Vec<&str> = good.split('.').collect();
    let altered = URL_SAFE_NO_PAD.encode(claims("n1", NOW).to_string().replace("Ann", "Eve"));
    parts[1] = &altered;
    let altered = parts.join(".");
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);
    // The last character of a signature carries four unused bits: another spelling of the same bytes.
    let (last, rest) = (good.chars().last().unwrap(), &good[..good.len() - 1]);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let respelled = format!("{rest}{}", alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap());

    let alone = [
        ("too long", format!("{good}{}", "a".repeat(70_000))),
        ("three parts", format!("{good}.x")),
        ("not base64url", format!("!{good}")),
        ("says that it is not signed", headed("alg", json!("none"))),
        ("shared secret", headed("alg", json!("HS256"))),
        ("RS256", headed("alg", json!("RS512"))),
        ("another tenant than", with("tid", json!(PERSON))),
        ("another type", headed("typ", json!("at+jwt"))),
        ("own key", headed("jwk", issuer.jwk())),
        ("special treatment", headed("crit", json!(["b64"]))),
        ("names no key", headed("kid", Value::Null)),
        ("token is not signed.", unsigned),
        ("unknown key", headed("kid", json!("k2"))),
        ("signature of its token is wrong", altered),
        ("signature of its token is not", respelled),
        ("lacks what it must say", with("exp", json!("9999999999"))),
        ("names no tenant", with("tid", json!("contoso"))),
        ("another issuer", with("iss", json!(format!("https://login.evil.example/{TENANT}/v2.0")))),
        ("another application", with("aud", json!("somebody-else"))),
        ("has expired", issuer.id_token("n1", NOW - 3600 - 301)),
        ("not valid yet", with("nbf", json!(NOW + 301))),
        ("in the future", with("iat", json!(NOW + 301))),
        ("another sign-in", with("nonce", json!("n2"))),
        ("names no person", with("oid", json!("me"))),
    ];
    let mut reasons = BTreeSet::new();
    for (words, token) in &alone {
        let refused = judged(token).await.expect_err(words);
        assert_eq!(refused.kind(), ErrorKind::TokenRejected, "{words}");
        assert!(refused.reason().contains(words), "{words}: {}", refused.reason());
        reasons.insert(refused.reason().to_owned());
    }
    assert_eq!(reasons.len(), alone.len());

    let more = [
        String::new(),
        "..".to_owned(),
        headed("alg", json!("HS256")),
        headed("alg", json!("rs256")),
        headed("alg", json!(["RS256"])),
        headed("jku", json!("https://evil.example/keys")),
        headed("x5u", json!("https://evil.example/cert")),
        headed("x5c", json!(["MIIB"])),
        headed("zip", json!("DEF")),
        with("aud", json!([CLIENT])),
        with("exp", json!(1e30)),
        with("exp", Value::Null),
        with("nbf", json!(true)),
        with("tid", json!(PERSON)),
        with("iss", json!("https://login.microsoftonline.com/{tenantid}/v2.0")),
        without("exp"),
        without("nbf"),
        without("iat"),
        without("aud"),
        without("iss"),
        without("tid"),
        without("oid"),
        without("nonce"),
        issuer.sign(&header(), &json!("not an object")),
    ];
    for token in more {
        assert_eq!(judged(&token).await.expect_err(&token).kind(), ErrorKind::TokenRejected, "{token}");
    }
    let twice = format!(r#"{{"alg":"RS256","alg":"RS256","kid":"k1"}}.{}"#, "x");
    let twice = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(twice.trim_end_matches(".x")));
    assert!(judged(&twice).await.is_err());
}

#[tokio::test]
async fn a_key_signs_for_its_own_issuer_only() {
    let clock = clock();
    let service = entra(|| {
        let mut key = Issuer::get().jwk();
        key["issuer"] = json!("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0");
        says(200, json!({ "keys": [key] }).to_string())
    });
    let refused = trust(&service, &clock).id_token(&Issuer::get().id_token("n1", NOW), "common", CLIENT, Some("n1")).await.unwrap_err();
    assert!(refused.reason().contains("key of another issuer"), "{}", refused.reason());
}

#[tokio::test]
async fn keys_are_kept_for_a_day_and_asked_for_again_within_limits() {
    let clock = clock();
    let service = entra(|| says(200, Issuer::get().jwks()));
    let trust = trust(&service, &clock);
    let check = async |token: String| trust.id_token(&token, "common", CLIENT, Some("n1")).await;
    let now = || clock.now_ms() as i64 / 1000;
    let unknown = |now| Issuer::get().sign(&json!({ "alg": "RS256", "kid": "new" }), &claims("n1", now));
    check(Issuer::get().id_token("n1", now())).await.unwrap();
    check(Issuer::get().id_token("n1", now())).await.unwrap();
    assert_eq!(service.calls(), 2);
    // An unknown key is no reason to ask again at once.
    assert!(check(unknown(now())).await.is_err());
    assert_eq!(service.calls(), 2);
    clock.advance(301_000);
    assert!(check(unknown(now())).await.is_err());
    assert!(check(unknown(now())).await.is_err());
    assert_eq!(service.calls(), 4);
    clock.advance(24 * 3_600_000);
    check(Issuer::get().id_token("n1", now())).await.unwrap();
    assert_eq!(service.calls(), 6);
}

#[tokio::test]
async fn keys_of_yesterday_do_while_the_service_is_down() {
    let clock = clock();
    let up = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let seen = up.clone();
    let service = Service::new(move |request: &Seen, _| match (seen.load(std::sync::atomic::Ordering::SeqCst), request.uri().path().ends_with("openid-configuration")) {
        (false, _) => breaks(Sent::No),
        (true, true) => says(200, metadata()),
        (true, false) => says(200, Issuer::get().jwks()),
    });
    let trust = trust(&service, &clock);
    let check = async || trust.id_token(&Issuer::get().id_token("n1", clock.now_ms() as i64 / 1000), "common", CLIENT, Some("n1")).await;
    check().await.unwrap();
    up.store(false, std::sync::atomic::Ordering::SeqCst);
    clock.advance(30 * 3_600_000);
    check().await.unwrap();
    clock.advance(30 * 3_600_000);
    assert_eq!(check().await.unwrap_err().kind(), ErrorKind::Network);
}

#[tokio::test]
async fn foreign_key_addresses_and_unclear_key_sets_are_refused() {
    let clock = clock();
    let token = Issuer::get().id_token("n1", NOW);
    let foreign = Service::script(vec![says(200, json!({ "issuer": "x", "jwks_uri": "https://evil.example/keys" }).to_string())]);
    assert_eq!(trust(&foreign, &clock).id_token(&token, "common", CLIENT, Some("n1")).await.unwrap_err().kind(), ErrorKind::LinkRejected);
    assert_eq!(foreign.calls(), 1);

    let with = |name: &'static str, value: Value| {
        let mut key = Issuer::get().jwk();
        key[name] = value;
        json!({ "keys": [key] }).to_string()
    };
    let many: Vec<Value> = (0..501).map(|n| json!({ "kty": "RSA", "kid": n.to_string() })).collect();
    for keys in [
        json!({ "keys": [Issuer::get().jwk(), Issuer::get().jwk()] }).to_string(),
        json!({ "keys": many }).to_string(),
        with("use", json!("enc")),
        with("kty", json!("EC")),
        with("alg", json!("PS256")),
        with("e", json!("AQ")),
        with("n", json!(URL_SAFE_NO_PAD.encode([0xff; 128]))),
        with("key_ops", json!(["encrypt"])),
    ] {
        let service = entra(move || says(200, keys.clone()));
        assert_eq!(trust(&service, &clock).id_token(&token, "common", CLIENT, Some("n1")).await.unwrap_err().kind(), ErrorKind::TokenRejected);
    }
}

#[tokio::test]
async fn a_tenant_that_is_slow_or_throttled_holds_up_no_other() {
    let slow = "slow.example";
    let service = Service::new(move |request: &Seen, _| match request.uri().path() {
        path if path.starts_with("/slow.example/") => says_with(429, ("retry-after", "600"), ""),
        path if path.ends_with("openid-configuration") => says(200, metadata()),
        _ => says(200, Issuer::get().jwks()),
    });
    // Time stands still, so a wait is never over.
    let clock = crate::clock::TestClock::new(START_MS);
    let trust = trust(&service, &clock);
    assert_eq!(trust.ready(slow).await.unwrap_err().kind(), ErrorKind::Throttled);
    trust.ready("common").await.unwrap();

    let patient = Service::new(|request: &Seen, _| match request.uri().path() {
        path if path.starts_with("/slow.example/") => breaks(Sent::No),
        path if path.ends_with("openid-configuration") => says(200, metadata()),
        _ => says(200, Issuer::get().jwks()),
    });
    let trust = Arc::new(self::trust(&patient, &clock));
    let waiting = tokio::spawn({
        let trust = trust.clone();
        async move { trust.ready(slow).await }
    });
    clock.next_wait().await;
    let mut other = std::pin::pin!(trust.ready("common"));
    for _ in 0..100 {
        if let Some(ready) = futures_util::FutureExt::now_or_never(&mut other) {
            ready.unwrap();
            assert!(!waiting.is_finished());
            return waiting.abort();
        }
        tokio::task::yield_now().await;
    }
    panic!("waited for somebody else's tenant");
}
