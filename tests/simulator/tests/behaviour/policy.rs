use crate::client::*;
use serde_json::json;

async fn set(world: &World, policy: serde_json::Value) {
    world.control("/people", json!({"address": "adele@contoso.com", "policy": policy})).await;
}

#[tokio::test]
async fn a_second_factor_is_asked_for_until_the_next_sign_in() {
    let world = world().await;
    let old = world.tokens("adele@contoso.com", SCOPE).await;
    let old = old["refresh_token"].as_str().unwrap();
    set(&world, json!("mfa")).await;
    for _ in 0..2 {
        let refused = world.refresh(old).await;
        let body = refused.json();
        assert_eq!((refused.status, number(&refused)), (400, 50_076));
        assert_eq!((body["error"].as_str(), body["suberror"].as_str()), (Some("interaction_required"), Some("basic_action")));
        assert!(body["claims"].as_str().unwrap().starts_with("{\"access_token\""));
    }
    let fresh = world.tokens("adele@contoso.com", SCOPE).await;
    assert_eq!(world.refresh(fresh["refresh_token"].as_str().unwrap()).await.status, 200);
    assert_eq!(world.refresh(old).await.status, 400);
    set(&world, json!(null)).await;
    assert_eq!(world.refresh(old).await.status, 200);
}

#[tokio::test]
async fn the_blocked_and_the_disabled_get_nowhere() {
    let world = world().await;
    let url = world.authorize_url(SCOPE, "");
    let old = world.tokens("adele@contoso.com", SCOPE).await;
    for (policy, code, sub) in [("blocked", 53_003, Some("message_only")), ("disabled", 50_057, None)] {
        set(&world, json!(policy)).await;
        let refused = world.refresh(old["refresh_token"].as_str().unwrap()).await;
        let body = refused.json();
        assert_eq!((number(&refused), body["error"].as_str(), body["suberror"].as_str()), (code, Some("invalid_grant"), sub));
        assert_eq!(body["claims"].is_string(), policy == "blocked");
        let page = world.sign_in(&url, "adele@contoso.com", json!({})).await;
        assert!(page["page"].as_str().unwrap().starts_with(&format!("AADSTS{code}")));
    }
}

#[tokio::test]
async fn claims_are_written_down_and_must_be_json() {
    let world = world().await;
    let old = world.tokens("adele@contoso.com", SCOPE).await;
    let refresh = old["refresh_token"].as_str().unwrap();
    let client = world.sim.client_id();
    let fields =
        |claims| [("client_id", client), ("grant_type", "refresh_token"), ("refresh_token", refresh), ("claims", claims)];
    assert_eq!(world.token(&fields("{\"access_token\":{}}")).await.status, 200);
    assert_eq!(number(&world.token(&fields("eyJhIjoxfQ==")).await), 9_002_313);
    let rows = world.control("/ledger", json!({"host": "login"})).await;
    let claims: Vec<bool> = rows["requests"].as_array().unwrap().iter().map(|r| r["claims"].as_bool().unwrap()).collect();
    assert_eq!(claims, [false, true, true]);
}

#[tokio::test]
async fn a_challenge_may_come_shuffled() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/oddities", json!({"shuffled_challenge": true})).await;
    world.control("/faults", json!({"match": {"host": "graph"}, "do": {"revoked": true}})).await;
    let refused = adele.get("/me").await;
    let header = refused.header("www-authenticate").unwrap();
    assert!(header.starts_with("PoP") && header.contains(", Bearer client_id=") && header.ends_with("=\""), "{header}");
}

#[tokio::test]
async fn a_mailbox_may_be_elsewhere_or_nowhere() {
    let world = world().await;
    for (mailbox, licence) in [("on_premises", true), ("unlicensed", false)] {
        world.control("/people", json!({"address": "alex@contoso.com", "mailbox": mailbox})).await;
        let alex = world.person("alex").await;
        let mail = alex.get("/me/mailFolders/inbox/messages").await;
        assert_eq!((mail.status, mail.code().as_str()), (404, "MailboxNotEnabledForRESTAPI"));
        let answer = alex.get("/me?$select=assignedPlans").await.json();
        let plans = answer["assignedPlans"].as_array().unwrap();
        assert_eq!(plans.iter().any(|p| p["service"] == "exchange" && p["capabilityStatus"] == "Enabled"), licence);
    }
}
