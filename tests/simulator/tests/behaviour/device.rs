use crate::client::*;
use serde_json::{Value, json};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn begin(world: &World) -> Value {
    let fields = [("client_id", world.sim.client_id()), ("scope", SCOPE)];
    let reply = world.form("/common/oauth2/v2.0/devicecode", &fields).await;
    assert_eq!(reply.status, 200);
    reply.json()
}

async fn poll(world: &World, started: &Value) -> (u16, String) {
    let code = started["device_code"].as_str().unwrap();
    let reply = world.token(&[("client_id", world.sim.client_id()), ("grant_type", GRANT), ("device_code", code)]).await;
    (reply.status, reply.json()["error"].as_str().unwrap_or("").to_string())
}

async fn enter(world: &World, started: &Value, who: &str, decision: &str) -> Value {
    world.control("/device", json!({"user_code": started["user_code"], "as": who, "decision": decision})).await
}

#[tokio::test]
async fn a_code_waits_until_it_is_typed_in() {
    let world = world().await;
    let started = begin(&world).await;
    assert_eq!((started["expires_in"].as_u64(), started["interval"].as_u64()), (Some(900), Some(5)));
    assert!(started["message"].as_str().unwrap().contains(started["user_code"].as_str().unwrap()));
    assert!(started["verification_uri_complete"].is_null());
    assert_eq!(poll(&world, &started).await, (400, "authorization_pending".into()));
    assert_eq!(poll(&world, &started).await, (400, "slow_down".into()));
    // Five seconds are not enough any more.
    world.advance(5_000).await;
    assert_eq!(poll(&world, &started).await, (400, "slow_down".into()));
    assert_eq!(enter(&world, &started, "adele@contoso.com", "approve").await["done"], true);
    world.advance(15_000).await;
    let code = started["device_code"].as_str().unwrap();
    let tokens = world.token(&[("client_id", world.sim.client_id()), ("grant_type", GRANT), ("device_code", code)]).await.json();
    assert!(tokens["refresh_token"].is_string());
    assert_eq!(said(tokens["id_token"].as_str().unwrap())["preferred_username"], "adele@contoso.com");
    world.advance(15_000).await;
    assert_eq!(poll(&world, &started).await, (400, "invalid_grant".into()));
    assert_eq!(enter(&world, &started, "adele@contoso.com", "approve").await["done"], false);
}

#[tokio::test]
async fn a_code_is_declined_grows_old_or_never_was() {
    let world = world().await;
    let started = begin(&world).await;
    enter(&world, &started, "adele@contoso.com", "decline").await;
    assert_eq!(poll(&world, &started).await, (400, "authorization_declined".into()));
    let started = begin(&world).await;
    world.advance(900_000).await;
    assert_eq!(poll(&world, &started).await, (400, "expired_token".into()));
    assert_eq!(poll(&world, &json!({"device_code": "1x"})).await, (400, "bad_verification_code".into()));
    // A confidential app has no such flow, unless its registration says so.
    let app = "4f2b6f0a-0000-4000-8000-000000000002";
    let started = world.form("/common/oauth2/v2.0/devicecode", &[("client_id", app), ("scope", SCOPE)]).await.json();
    let code = started["device_code"].as_str().unwrap();
    let fields = [("client_id", app), ("grant_type", GRANT), ("device_code", code)];
    assert_eq!(number(&world.token(&fields).await), 7_000_218);
    world.control("/apps", json!({"client_id": app, "device_flow": true})).await;
    assert_eq!(world.token(&fields).await.json()["error"], "authorization_pending");
}

#[tokio::test]
async fn consent_is_asked_for_here_as_well() {
    let world = world().await;
    world.control("/tenants", json!({"domain": "contoso.com", "consent": "admin"})).await;
    let started = begin(&world).await;
    let refused = enter(&world, &started, "adele@contoso.com", "approve").await;
    assert!(refused["page"].as_str().unwrap().starts_with("AADSTS90094") && refused["done"] == false);
    assert_eq!(poll(&world, &started).await, (400, "authorization_pending".into()));
    let html = http("GET", &format!("{}/devicelogin", world.sim.login()), &[], b"").await.unwrap();
    assert!(String::from_utf8(html.body).unwrap().contains("user_code"));
    let code = started["user_code"].as_str().unwrap();
    let done = world.form("/devicelogin", &[("user_code", code), ("as", "nestor@contoso.com"), ("decision", "approve")]).await;
    assert!(String::from_utf8(done.body).unwrap().contains("You have signed in"));
}
