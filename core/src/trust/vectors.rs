//! Project Wycheproof's cases under our own policy, RS256 and nothing else. They run when TIDINGS_VECTORS names the folder that holds them.

use super::issuers::KeySet;
use super::jwt::Unverified;
use serde_json::{Value, json};

#[allow(clippy::disallowed_methods)] // where the vectors are, when all of them run
fn file(name: &str) -> Option<Value> {
    let folder = std::env::var_os("TIDINGS_VECTORS")?;
    Some(serde_json::from_slice(&std::fs::read(std::path::Path::new(&folder).join(name)).unwrap()).unwrap())
}

/// What our policy says of a token under the keys of its group.
fn accepted(group: &Value, jws: &str) -> bool {
    let keys = group.get("public").or_else(|| group.get("private")).cloned().unwrap_or_default();
    let set = if keys.get("keys").is_some() { keys } else { json!({ "keys": [keys] }) };
    let judge = || {
        let keys = serde_json::from_value::<KeySet>(set).ok()?.usable().ok()?;
        let token = Unverified::parse(jws).ok()?;
        token.payload(keys.get(token.kid())?).ok()
    };
    judge().is_some()
}

fn is_rs256(jws: &str) -> bool {
    use base64::Engine as _;
    let header = jws.split('.').next().and_then(|h| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(h).ok());
    header.and_then(|h| serde_json::from_slice::<Value>(&h).ok()).is_some_and(|h| h["alg"] == "RS256")
}

/// Runs a file of JOSE cases and answers (run, accepted, refused as expected, disagreed).
fn jose(name: &str) -> Option<(usize, usize, usize, Vec<i64>)> {
    let all = file(name)?;
    let (mut run, mut taken, mut refused, mut disagreed) = (0, 0, 0, Vec::new());
    for group in all["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            run += 1;
            let text = ["jws", "jwe"].iter().find_map(|name| test.get(*name)).unwrap();
            let jws = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
            let is_ours = test["result"] != "invalid" && test.get("jws").is_some() && is_rs256(&jws);
            match (accepted(group, &jws), is_ours) {
                (true, true) => taken += 1,
                (false, false) => refused += 1,
                _ => disagreed.push(test["tcId"].as_i64().unwrap()),
            }
        }
    }
    println!("{name}: run {run}, accepted {taken}, refused as expected {refused}, disagreed {disagreed:?}");
    Some((run, taken, refused, disagreed))
}

#[test]
fn json_web_signatures() {
    if let Some((run, taken, _, disagreed)) = jose("json_web_signature_test.json") {
        assert_eq!((run, disagreed), (401, vec![]));
        assert!(taken > 0);
    }
}

#[test]
fn json_web_keys() {
    if let Some((run, _, _, disagreed)) = jose("json_web_key_test.json") {
        // 7 is the ROCA key: recognising how a modulus was generated is not part of our policy.
        assert_eq!(run, 26);
        assert!(disagreed.iter().all(|id| *id == 7), "{disagreed:?}");
    }
}

#[test]
fn json_web_crypto() {
    if let Some((run, _, _, disagreed)) = jose("json_web_crypto_test.json") {
        assert_eq!(run, 83);
        // 46 is the ROCA key again.
        assert!(disagreed.iter().all(|id| *id == 46), "{disagreed:?}");
    }
}

#[test]
fn rs256_signatures() {
    let Some(all) = file("rsa_signature_2048_sha256_test.json") else { return };
    let bytes = |text: &Value| -> Vec<u8> { (0..text.as_str().unwrap().len() / 2).map(|n| u8::from_str_radix(&text.as_str().unwrap()[2 * n..2 * n + 2], 16).unwrap()).collect() };
    let (mut run, mut disagreed) = (0, Vec::new());
    for group in all["testGroups"].as_array().unwrap() {
        let key = jsonwebtoken::DecodingKey::from_rsa_der(&bytes(&group["publicKeyAsn"]));
        for test in group["tests"].as_array().unwrap() {
            use base64::Engine as _;
            run += 1;
            let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes(&test["sig"]));
            let genuine = jsonwebtoken::crypto::verify(&signature, &bytes(&test["msg"]), &key, jsonwebtoken::Algorithm::RS256).unwrap_or(false);
            if test["result"] != "acceptable" && genuine != (test["result"] == "valid") {
                disagreed.push(test["tcId"].as_i64().unwrap());
            }
        }
    }
    println!("rsa_signature_2048_sha256_test.json: run {run}, disagreed {disagreed:?}");
    assert_eq!((run, disagreed), (259, vec![]));
}
