use super::fake::{CLIENT, Issuer};
use super::{BotTrust, Claimed};
use crate::config::{BotPlaces, Cloud};
use crate::error::{ErrorKind, Result};
use crate::pipeline::fake::{START_MS, Seen, Service, breaks, clock, says};
use crate::pipeline::{Answer, Sent};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const NOW: i64 = START_MS as i64 / 1000;
const SERVICE: &str = "https://smba.trafficmanager.net/emea/";

fn header() -> Value {
    json!({ "typ": "JWT", "alg": "RS256", "kid": "k1" })
}

fn claims() -> Value {
    json!({ "iss": "https://api.botframework.com", "aud": CLIENT, "exp": NOW + 3600, "nbf": NOW - 10, "serviceurl": SERVICE })
}

fn jwks(endorsements: Value) -> String {
    let mut key = Issuer::get().jwk();
    key["endorsements"] = endorsements;
    json!({ "keys": [key] }).to_string()
}

fn metadata() -> String {
    json!({ "issuer": "https://api.botframework.com", "authorization_endpoint": "https://invalid.botframework.com", "jwks_uri": "https://login.botframework.com/v1/.well-known/keys" }).to_string()
}

fn service(keys: impl Fn() -> Answer + Send + Sync + 'static) -> Arc<Service> {
    Service::new(move |request: &Seen, _| if request.uri().path().ends_with("openidconfiguration") { says(200, metadata()) } else { keys() })
}

async fn judged(token: &str, channel_id: &str, service_url: &str) -> Result<()> {
    let clock = clock();
    let trust = BotTrust::new(service(|| says(200, jwks(json!(["msteams", "webchat"])))).pipeline(&clock), &BotPlaces::of(&Cloud::Public), Arc::new(clock.clone()));
    trust.verify(token, CLIENT, &Claimed { channel_id, service_url }).await
}

fn signed(header: &Value, claims: &Value) -> String {
    Issuer::get().sign(header, claims)
}

#[tokio::test]
async fn what_the_bot_connector_signs_passes() {
    let good = signed(&header(), &claims());
    for url in [SERVICE, "https://smba.trafficmanager.net/emea"] {
        assert!(judged(&good, "msteams", url).await.is_ok(), "{url}");
    }
    let mut other = claims();
    other["serviceUrl"] = other["serviceurl"].take();
    other.as_object_mut().unwrap().remove("serviceurl");
    assert!(judged(&signed(&header(), &other), "msteams", SERVICE).await.is_ok());
    // Clocks may differ by five minutes.
    for moved in [json!({ "exp": NOW - 290, "nbf": NOW - 4_000 }), json!({ "exp": NOW + 3_600, "nbf": NOW + 290 })] {
        let mut skewed = claims();
        (skewed["exp"], skewed["nbf"]) = (moved["exp"].clone(), moved["nbf"].clone());
        assert!(judged(&signed(&header(), &skewed), "msteams", SERVICE).await.is_ok(), "{moved}");
    }
}

/// Each a token that is wrong in one thing.
fn forged() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut add = |name: String, token: String| all.push((name, token));
    let good = signed(&header(), &claims());
    for (name, values) in [
        ("iss", vec![json!("https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/"), json!("https://api.botframework.com/"), json!("https://api.botframework.us"), json!("https://login.microsoftonline.com/botframework.com/v2.0"), json!(""), json!(null), json!(["https://api.botframework.com"]), json!({})]),
        ("aud", vec![json!("00000000-0000-0000-0000-000000000001"), json!(CLIENT.to_uppercase() + "x"), json!(format!("{CLIENT} ")), json!(""), json!(null), json!([CLIENT]), json!(["other", CLIENT]), json!("https://api.botframework.com")]),
        ("exp", vec![json!(NOW - 301), json!(0), json!(-1), json!(null), json!("soon"), json!((NOW + 3600).to_string()), json!(NOW as f64 + 0.5), json!(i64::MAX), json!(NOW - 100_000), json!(true)]),
        ("nbf", vec![json!(NOW + 301), json!(NOW + 3_700), json!(-1), json!(null), json!("now"), json!((NOW - 10).to_string()), json!(i64::MIN), json!(NOW as f64 + 0.5), json!([])]),
        ("serviceurl", vec![json!("https://smba.trafficmanager.net/amer/"), json!("https://evil.example/"), json!("http://smba.trafficmanager.net/emea/"), json!("https://smba.trafficmanager.net/emea/../amer/"), json!("https://smba.trafficmanager.net/Emea/"), json!("https://smba.trafficmanager.net@evil.example/emea/"), json!(""), json!(null), json!([SERVICE]), json!(7)]),
    ] {
        for value in values {
            let mut changed = claims();
            changed[name] = value.clone();
            add(format!("{name} = {value}"), signed(&header(), &changed));
        }
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        add(format!("no {name}"), signed(&header(), &without));
    }
    let mut both = claims();
    both["serviceUrl"] = json!("https://evil.example/");
    add("two service URLs".into(), signed(&header(), &both));
    for (name, values) in [
        ("alg", vec![json!("none"), json!("None"), json!("HS256"), json!("RS384"), json!("PS256"), json!("ES256"), json!(null), json!("")]),
        ("kid", vec![json!("k2"), json!(""), json!(null), json!(7), json!("k".repeat(300))]),
        ("typ", vec![json!("at+jwt"), json!(null), json!(7)]),
        ("crit", vec![json!(["exp"]), json!(null)]),
        ("b64", vec![json!(false)]),
        ("zip", vec![json!("DEF")]),
        ("cty", vec![json!("JWT"), json!(null)]),
        ("jwk", vec![json!({}), json!(null)]),
        ("jku", vec![json!("https://evil.example/keys")]),
        ("x5u", vec![json!("https://evil.example/cert")]),
        ("x5c", vec![json!(["MII"])]),
        ("enc", vec![json!("A256GCM")]),
    ] {
        for value in values {
            let mut changed = header();
            changed[name] = value.clone();
            add(format!("header {name} = {value}"), signed(&changed, &claims()));
        }
    }
    for name in ["alg", "kid"] {
        let mut without = header();
        without.as_object_mut().unwrap().remove(name);
        add(format!("header without {name}"), signed(&without, &claims()));
    }
    let issuer = Issuer::get();
    let claims_text = claims().to_string();
    add("claims say something twice".into(), issuer.sign_text(&header().to_string(), &format!(r#"{{"aud":"x",{}"#, &claims_text[1..])));
    add("header says something twice".into(), issuer.sign_text(&format!(r#"{{"alg":"none",{}"#, &header().to_string()[1..]), &claims_text));
    add("claims are a list".into(), issuer.sign_text(&header().to_string(), "[]"));
    add("claims are text".into(), issuer.sign_text(&header().to_string(), "x"));
    add("header is a list".into(), issuer.sign_text("[]", &claims_text));
    add("header is text".into(), issuer.sign_text("x", &claims_text));
    add("something behind the claims".into(), issuer.sign_text(&header().to_string(), &format!("{claims_text}{{}}")));
    let parts: Vec<&str> = good.split('.').collect();
    let other = URL_SAFE_NO_PAD.encode(claims_text.replace("emea", "amer"));
    add("claims changed".into(), format!("{}.{other}.{}", parts[0], parts[2]));
    add("signature of something else".into(), format!("{}.{}.{}", parts[0], parts[1], signed(&header(), &both).rsplit_once('.').unwrap().1));
    add("no signature".into(), format!("{}.{}.", parts[0], parts[1]));
    add("two parts".into(), format!("{}.{}", parts[0], parts[1]));
    add("four parts".into(), format!("{good}.x"));
    add("empty".into(), String::new());
    add("dots".into(), "..".into());
    add("signature cut".into(), good[..good.len() - 4].to_owned());
    add("signature with padding".into(), format!("{good}=="));
    add("a space before".into(), format!(" {good}"));
    add("a line behind".into(), format!("{good}\n"));
    add("too long".into(), format!("{good}{}", "a".repeat(70_000)));
    add("standard base64".into(), good.replace('-', "+").replace('_', "/") + "+");
    all
}

#[tokio::test]
async fn every_forged_token_is_refused() {
    let forged = forged();
    assert!(forged.len() >= 80, "{}", forged.len());
    for (name, token) in forged {
        let refused = judged(&token, "msteams", SERVICE).await.expect_err(&name);
        assert_eq!(refused.kind(), ErrorKind::TokenRejected, "{name}");
    }
    let good = signed(&header(), &claims());
    for (channel, url) in [("directline", SERVICE), ("", SERVICE), ("MSTEAMS", SERVICE), ("msteams", "https://smba.trafficmanager.net/amer/"), ("msteams", ""), ("msteams", "https://evil.example/")] {
        assert_eq!(judged(&good, channel, url).await.unwrap_err().kind(), ErrorKind::TokenRejected, "{channel} {url}");
    }
}

#[tokio::test]
async fn a_key_signs_for_the_channels_it_says() {
    for endorsements in [json!([]), json!(null), json!(["webchat"]), json!({ "msteams": true })] {
        let clock = clock();
        let shown = endorsements.clone();
        let trust = BotTrust::new(service(move || says(200, jwks(shown.clone()))).pipeline(&clock), &BotPlaces::of(&Cloud::Public), Arc::new(clock.clone()));
        let refused = trust.verify(&signed(&header(), &claims()), CLIENT, &Claimed { channel_id: "msteams", service_url: SERVICE }).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::TokenRejected, "{endorsements}");
    }
}

#[tokio::test]
async fn keys_are_kept_for_a_day_and_those_of_before_do_while_the_service_is_down() {
    let clock = clock();
    let service = Service::new(|request: &Seen, n| match () {
        () if n >= 4 => breaks(Sent::No),
        () if request.uri().path().ends_with("openidconfiguration") => says(200, metadata()),
        () => says(200, jwks(json!(["msteams"]))),
    });
    let trust = BotTrust::new(service.pipeline(&clock), &BotPlaces::of(&Cloud::Public), Arc::new(clock.clone()));
    let mut lasting = claims();
    lasting["exp"] = json!(NOW + 30 * 86_400);
    let good = signed(&header(), &lasting);
    let verify = async || trust.verify(&good, CLIENT, &Claimed { channel_id: "msteams", service_url: SERVICE }).await.map_err(|e| e.kind());
    assert_eq!((verify().await, service.calls()), (Ok(()), 2));
    let mut unknown = header();
    unknown["kid"] = json!("made up");
    for _ in 0..3 {
        assert!(trust.verify(&signed(&unknown, &claims()), CLIENT, &Claimed { channel_id: "msteams", service_url: SERVICE }).await.is_err());
    }
    assert_eq!((verify().await, service.calls()), (Ok(()), 2), "who makes up names of keys makes us ask no more often");
    let pass = |days: u64| clock.advance(Duration::from_secs(days * 86_400).as_millis() as u64);
    pass(1);
    assert_eq!((verify().await, service.calls()), (Ok(()), 4));
    pass(2);
    assert_eq!(verify().await, Ok(()), "the service is down");
    pass(4);
    assert!(verify().await.is_err());
    assert!(!service.seen.lock().unwrap().iter().any(|request| request.headers().contains_key("authorization")));
}

#[tokio::test]
async fn keys_come_from_the_one_place_there_is() {
    for (issuer, keys) in [
        ("https://api.botframework.com", "https://evil.example/v1/.well-known/keys"),
        ("https://api.botframework.com", "http://login.botframework.com/v1/.well-known/keys"),
        ("https://api.botframework.com", "https://login.botframework.com/other/keys"),
        ("https://api.botframework.com", "https://login.botframework.com/v1/.well-known/../../x"),
        ("https://evil.example", "https://login.botframework.com/v1/.well-known/keys"),
    ] {
        let clock = clock();
        let (issuer, keys) = (issuer.to_owned(), keys.to_owned());
        let shown = json!({ "issuer": issuer, "jwks_uri": keys }).to_string();
        let service = Service::new(move |request: &Seen, _| if request.uri().path().ends_with("openidconfiguration") { says(200, shown.clone()) } else { says(200, jwks(json!(["msteams"]))) });
        let trust = BotTrust::new(service.pipeline(&clock), &BotPlaces::of(&Cloud::Public), Arc::new(clock.clone()));
        let refused = trust.verify(&signed(&header(), &claims()), CLIENT, &Claimed { channel_id: "msteams", service_url: SERVICE }).await;
        assert!(refused.is_err() && service.calls() == 1, "{issuer} {keys}");
    }
}
