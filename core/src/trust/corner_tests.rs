//! Corners of JOSE: header and claims in forms that one reader takes for another token than the next.

use super::fake::{CLIENT, Issuer, claims, header, metadata};
use super::*;
use crate::error::ErrorKind;
use crate::pipeline::fake::{START_MS, Seen, Service, clock, says};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const NOW: i64 = START_MS as i64 / 1000;

async fn refused(token: &str) -> String {
    let clock = clock();
    let service = Service::new(|request: &Seen, _| if request.uri().path().ends_with("openid-configuration") { says(200, metadata()) } else { says(200, Issuer::get().jwks()) });
    let trust = Trust::new(service.pipeline(&clock), &Endpoints::of(&crate::config::Cloud::Public).unwrap(), Arc::new(clock.clone()));
    match trust.id_token(token, "common", CLIENT, Some("n1")).await {
        Ok(_) => "taken".to_owned(),
        Err(error) if error.kind() == ErrorKind::TokenRejected => error.reason().to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn with(object: Value, name: &str, value: Value) -> String {
    let mut object = object;
    object[name] = value;
    object.to_string()
}

/// The text of an object with one more member in front.
fn also(object: &Value, member: &str) -> String {
    format!("{{{member},{}", &object.to_string()[1..])
}

#[tokio::test]
async fn headers_that_are_not_quite_ours() {
    let said = claims("n1", NOW).to_string();
    let head = |name: &str, value: Value| with(header(), name, value);
    let mut cases: Vec<(&str, String)> = Vec::new();
    for name in ["crit", "b64", "zip", "cty", "enc", "epk", "p2s"] {
        for value in [Value::Null, json!(false), json!(true), json!(0), json!(""), json!([]), json!({}), json!(["exp"]), json!("DEF")] {
            cases.push(("special treatment", head(name, value)));
        }
    }
    for cty in ["JWT", "jwt", "Jwt", "application/jwt", "application/JWT", "JOSE"] {
        cases.push(("special treatment", head("cty", json!(cty))));
    }
    for name in ["jwk", "jku", "x5u", "x5c"] {
        for value in [Value::Null, json!({}), json!([]), json!("https://evil.example/")] {
            cases.push(("its own key", head(name, value)));
        }
    }
    for typ in [Value::Null, json!(1), json!(["JWT"]), json!({}), json!(""), json!("JOSE"), json!("at+jwt"), json!(" JWT")] {
        cases.push(("another type", head("typ", typ)));
    }
    for alg in [Value::Null, json!(1), json!(true), json!(["RS256"]), json!({ "RS256": 1 })] {
        cases.push(("does not say how it is signed", head("alg", alg)));
    }
    for alg in ["", "rs256", "RS256 ", "RS384", "RS512", "PS256", "ES256", "EdDSA", "dir", "RSA-OAEP", "RS256\u{0}"] {
        cases.push(("not signed with RS256", head("alg", json!(alg))));
    }
    for alg in ["none", "None", "NONE", "nOnE"] {
        cases.push(("says that it is not signed", head("alg", json!(alg))));
    }
    for kid in [Value::Null, json!(1), json!(["k1"]), json!({}), json!(""), json!("k".repeat(257))] {
        cases.push(("names no key", head("kid", kid)));
    }
    for kid in ["K1", "k1 ", "k1\u{0}", "../k1"] {
        cases.push(("unknown key", head("kid", json!(kid))));
    }
    let ours = header();
    for member in [r#""alg":"RS256""#, r#""alg":"none""#, r#""\u0061lg":"RS256""#, r#""kid":"k2""#, r#""typ":"JWT""#, r#""x":{"a":1,"a":1}"#, r#""x":[{"a":1,"\u0061":1}]"#, r#""x":1,"x":1"#] {
        cases.push(("no JSON object, or says something twice", also(&ours, member)));
    }
    let listed = json!(["RS256", "k1", "JWT"]).to_string();
    for text in [format!("[{ours}]"), listed, r#""RS256""#.to_owned(), "null".to_owned(), "7".to_owned(), String::new(), "{".to_owned(), format!("{ours}{ours}"), format!("{ours},"), format!("\u{feff}{ours}"), format!("{ours}\u{0}")] {
        cases.push(("no JSON object, or says something twice", text));
    }
    for (words, text) in &cases {
        let reason = refused(&Issuer::get().sign_text(text, &said)).await;
        assert!(reason.contains(words), "{text}: {reason}, not “{words}”");
    }
    // What is ours in another spelling stays ours.
    for text in [head("typ", json!("jwt")), head("x5t", json!("k1")), head("x-ms", json!({ "a": [1] })), format!(" {ours}\n"), ours.to_string().replace("\"alg\"", "\"\\u0061lg\"")] {
        assert_eq!(refused(&Issuer::get().sign_text(&text, &said)).await, "taken", "{text}");
    }
}

#[tokio::test]
async fn claims_in_forms_that_entra_does_not_write() {
    let ours = claims("n1", NOW);
    let say = |name: &str, value: Value| with(ours.clone(), name, value);
    let mut cases: Vec<(&str, String)> = Vec::new();
    for time in ["exp", "nbf", "iat"] {
        for value in [Value::Null, json!("1790000000"), json!(NOW as f64 + 0.5), json!(1e30), json!(u64::MAX), json!(true), json!([NOW]), json!({})] {
            cases.push(("lacks what it must say", say(time, value)));
        }
        for value in [json!(-1), json!(i64::MIN), json!(i64::MAX), json!(253_402_300_800_i64)] {
            cases.push(("a time that is none", say(time, value)));
        }
    }
    for exp in [NOW - 10, NOW - 100, NOW + 49 * 3600, NOW + 400_000_000] {
        cases.push(("a lifetime", say("exp", json!(exp))));
    }
    for aud in [json!([CLIENT]), json!([CLIENT, "other"]), json!([]), json!({}), Value::Null, json!(1)] {
        cases.push(("lacks what it must say", say("aud", aud)));
    }
    for aud in [String::new(), format!("{CLIENT} "), format!(" {CLIENT}"), format!("api://{CLIENT}")] {
        cases.push(("another application", say("aud", json!(aud))));
    }
    for iss in [json!([]), Value::Null, json!(1), json!({})] {
        cases.push(("lacks what it must say", say("iss", iss)));
    }
    for tid in [Value::Null, json!(""), json!("common"), json!("{tenantid}")] {
        cases.push(("names no tenant", say("tid", tid)));
    }
    for oid in [Value::Null, json!(""), json!("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee ")] {
        cases.push(("names no person", say("oid", oid)));
    }
    for name in ["tid", "oid", "nonce", "sub"] {
        for value in [json!(1), json!([]), json!({}), json!(true)] {
            cases.push(("lacks what it must say", say(name, value)));
        }
    }
    for member in [r#""oid":"x""#, r#""\u006fid":"x""#, r#""tid":null"#, r#""aud":"other""#, r#""exp":1"#, r#""x":1,"x":1"#, r#""x":{"a":1,"a":2}"#, r#""x":[[{"a":1,"a":2}]]"#] {
        cases.push(("no JSON object, or say something twice", also(&ours, member)));
    }
    for text in [format!("[{ours}]"), json!([ours["iss"], ours["aud"], ours["exp"], ours["nbf"], ours["iat"], "n1", ours["tid"], ours["oid"]]).to_string(), "null".to_owned(), r#""x""#.to_owned(), "1".to_owned(), String::new(), format!("{ours}{ours}"), format!("\u{feff}{ours}")] {
        cases.push(("no JSON object, or say something twice", text));
    }
    for (words, text) in &cases {
        let reason = refused(&Issuer::get().sign_text(&header().to_string(), text)).await;
        assert!(reason.contains(words), "{text}: {reason}, not “{words}”");
    }
    // What is only shown may have any form.
    for name in ["name", "email", "preferred_username"] {
        for value in [json!(1), json!([]), json!({}), json!(true), Value::Null] {
            assert_eq!(refused(&Issuer::get().sign_text(&header().to_string(), &say(name, value))).await, "taken", "{name}");
        }
    }
    assert_eq!(refused(&Issuer::get().sign_text(&header().to_string(), &also(&ours, r#""acrs":["c1"],"xms_pl":"en","login_hint":null"#))).await, "taken");
}

#[tokio::test]
async fn parts_in_other_spellings() {
    let issuer = Issuer::get();
    let (head, said) = (header().to_string(), claims("n1", NOW).to_string());
    let good = issuer.sign_text(&head, &said);
    assert_eq!(refused(&good).await, "taken");
    let [h, p, s]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    // A text whose encodings differ: three bytes of padding, the letters that only one alphabet has.
    let odd = with(claims("n1", NOW), "name", json!("\u{3ff}\u{3fe}???>>>~~~"));
    let (url, standard) = (URL_SAFE_NO_PAD.encode(&odd), STANDARD_NO_PAD.encode(&odd));
    let padded = (0..3).map(|spaces| URL_SAFE.encode(format!("{head}{}", " ".repeat(spaces)))).find(|text| text.ends_with('=')).unwrap();
    for (words, token) in [
        ("three parts", format!("{good}.")),
        ("three parts", format!("{good}.{s}")),
        ("three parts", format!("{h}.{p}")),
        ("three parts", format!("{h}.{p}.{s}.{s}.{s}")),
        ("three parts", json!({ "payload": p, "protected": h, "signature": s }).to_string()),
        ("base64url", format!(" {good}")),
        ("base64url", format!("{good}\n")),
        ("base64url", format!("{h}=.{p}.{s}")),
        ("base64url", format!("{h}.{p}.{s}==")),
        ("base64url", format!("{h}.{p}.{}", s.replace(['-', '_'], "+"))),
        ("no JSON object", format!(".{p}.{s}")),
        ("not signed", format!("{h}.{p}.")),
        ("base64url", issuer.sign_encoded(&format!("{h}.{p}="))),
        ("base64url", issuer.sign_encoded(&format!("{h}. {p}"))),
        ("no JSON object", issuer.sign_encoded(&format!("{h}."))),
        ("base64url", issuer.sign_encoded(&format!("{padded}.{p}"))),
        ("too long", format!("{h}.{p}.{}", "A".repeat(70_000))),
        ("too long", format!("{}.{p}.{s}", "A".repeat(5_000))),
    ] {
        let reason = refused(&token).await;
        assert!(reason.contains(words), "{token}: {reason}, not “{words}”");
    }
    assert_eq!(refused(&issuer.sign_encoded(&format!("{h}.{url}"))).await, "taken");
    if standard != url {
        assert!(refused(&issuer.sign_encoded(&format!("{h}.{standard}"))).await.contains("base64url"));
    }
    // The last letter of a part may carry bits that belong to nothing: two spellings of the same bytes.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for spaces in 0..3 {
        let said = format!("{said}{}", " ".repeat(spaces));
        let encoded = URL_SAFE_NO_PAD.encode(&said);
        if said.len().is_multiple_of(3) {
            continue;
        }
        let (rest, last) = encoded.split_at(encoded.len() - 1);
        let respelled = format!("{rest}{}", alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap());
        assert!(refused(&issuer.sign_encoded(&format!("{h}.{respelled}"))).await.contains("base64url"), "{respelled}");
    }
}

/// Why the checklist is ours: tokens of our own key that `jsonwebtoken` takes, each of which says one thing to us and may say another to the next reader.
#[tokio::test]
async fn what_the_library_alone_would_take() {
    let issuer = Issuer::get();
    let key = jsonwebtoken::DecodingKey::from_jwk(&serde_json::from_value(issuer.jwk()).unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&[CLIENT]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud"]);
    // It has no clock but the machine's.
    validation.validate_exp = false;
    let takes = |token: &str| jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok();
    let (ours, said) = (header(), claims("n1", NOW));
    assert!(takes(&issuer.sign(&ours, &said)));
    for (what, head, body) in [
        ("an extension to be understood, as null", with(ours.clone(), "crit", Value::Null), said.to_string()),
        ("an extension to be understood", with(ours.clone(), "crit", json!(["exp"])), said.to_string()),
        ("compressed", with(ours.clone(), "zip", json!("DEF")), said.to_string()),
        ("another token in it", with(ours.clone(), "cty", json!("JWT")), said.to_string()),
        ("another type", with(ours.clone(), "typ", json!("at+jwt")), said.to_string()),
        ("a key of its own", with(ours.clone(), "jwk", issuer.jwk()), said.to_string()),
        ("a member twice in the header", also(&ours, r#""x":1,"x":2"#), said.to_string()),
        ("a member twice in the claims", ours.to_string(), also(&said, r#""tid":"x""#)),
        ("several audiences", ours.to_string(), with(said.clone(), "aud", json!([CLIENT, "other"]))),
        ("a fraction of a second", ours.to_string(), with(said.clone(), "exp", json!(NOW as f64 + 3600.5))),
    ] {
        let token = issuer.sign_text(&head, &body);
        assert!(takes(&token), "{what}: the library refuses it by now");
        assert_ne!(refused(&token).await, "taken", "{what}");
    }
}
