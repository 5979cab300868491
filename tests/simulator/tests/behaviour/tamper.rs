use crate::client::*;
use serde_json::{Value, json};

#[tokio::test]
async fn id_tokens_can_be_wrong_in_every_way() {
    use base64::Engine;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let world = world().await;
    let url = world.authorize_url(SCOPE, "");
    let mut seen = Vec::new();
    for tamper in [
        "alg_none",
        "hs256",
        "foreign_kid",
        "wrong_tenant",
        "wrong_nonce",
        "wrong_audience",
        "wrong_issuer",
        "expired",
        "not_yet",
        "none",
    ] {
        let answer = world.sign_in(&url, "adele@contoso.com", json!({"tamper": tamper})).await;
        let tokens = world.redeem(&field(answer["location"].as_str().unwrap(), "code").unwrap()).await.json();
        assert!(tokens["access_token"].is_string());
        let Some(token) = tokens["id_token"].as_str() else {
            assert_eq!(tamper, "none");
            continue;
        };
        let head = engine.decode(token.split('.').next().unwrap()).unwrap();
        let head: Value = serde_json::from_slice(&head).unwrap();
        let claims = said(token);
        let now = 1_768_467_600;
        let told = [
            (head["alg"] == "none" && token.ends_with('.'), "alg_none"),
            (head["alg"] == "HS256", "hs256"),
            (head["kid"] == "simulated-foreign-key-1", "foreign_kid"),
            (!claims["iss"].as_str().unwrap().contains(claims["tid"].as_str().unwrap()), "wrong_tenant"),
            (claims["nonce"] != "n1", "wrong_nonce"),
            (claims["aud"] != world.sim.client_id(), "wrong_audience"),
            (!claims["iss"].as_str().unwrap().starts_with(world.sim.login()), "wrong_issuer"),
            (claims["exp"].as_i64().unwrap() < now - 300, "expired"),
            (claims["nbf"].as_i64().unwrap() > now + 300, "not_yet"),
        ];
        seen.extend(told.iter().filter(|(yes, _)| *yes).map(|(_, name)| *name));
        assert_eq!(seen.pop(), Some(tamper));
        assert!(seen.is_empty(), "{tamper} is wrong in one way only: {seen:?}");
    }
}

#[tokio::test]
async fn answers_can_be_too_large() {
    let world = world().await;
    world.control("/oddities", json!({"many_keys": true, "huge_token_answer": true})).await;
    let keys = http("GET", &format!("{}/common/discovery/v2.0/keys", world.sim.login()), &[], b"").await.unwrap().json();
    let keys = keys["keys"].as_array().unwrap();
    assert!(keys.len() > 10_000 && keys[10_000]["kid"] == "simulated-signing-key-1");
    let code = field(&world.approve("adele@contoso.com", SCOPE).await, "code").unwrap();
    assert!(world.redeem(&code).await.body.len() > 10 << 20);
}
