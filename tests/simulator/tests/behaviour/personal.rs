use crate::client::*;
use serde_json::json;

const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

#[tokio::test]
async fn a_personal_account_is_another_kind() {
    let world = world().await;
    let tokens = world.tokens("zoe@outlook.com", SCOPE).await;
    assert_eq!(tokens["scope"], "User.Read Mail.ReadWrite Mail.Send");
    let access = tokens["access_token"].as_str().unwrap();
    assert!(access.starts_with("EwB") && !access.contains('.'));
    let who = said(tokens["id_token"].as_str().unwrap());
    assert_eq!(who["tid"], PERSONAL);
    assert!(who["oid"].as_str().unwrap().starts_with("00000000-0000-0000-"));
    assert!(who["iss"].as_str().unwrap().ends_with(&format!("/{PERSONAL}/v2.0")));
    let zoe = Person { world: &world, token: access.into() };
    let me = zoe.get("/me").await.json();
    assert_ne!(me["id"], who["oid"]);
    assert_eq!((me["mail"].is_null(), me["userPrincipalName"].as_str()), (true, Some("zoe@outlook.com")));
    assert_eq!(zoe.get("/me/messages").await.status, 200);
    assert_eq!(zoe.get("/users").await.status, 403);
    assert_eq!(zoe.get("/chats").await.status, 403);
    assert_eq!(world.refresh(tokens["refresh_token"].as_str().unwrap()).await.status, 200);
}

#[tokio::test]
async fn its_tokens_are_signed_with_a_key_of_its_own() {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
    use base64::Engine;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let world = world().await;
    let tokens = world.tokens("zoe@outlook.com", SCOPE).await;
    let token = tokens["id_token"].as_str().unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let keys = http("GET", &format!("{}/common/discovery/v2.0/keys", world.sim.login()), &[], b"").await.unwrap().json();
    let own = &keys["keys"][1];
    assert!(own["issuer"].as_str().unwrap().contains(PERSONAL));
    let part = |name: &str| engine.decode(own[name].as_str().unwrap()).unwrap();
    let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &engine.decode(signature).unwrap()).expect("a sound signature");
}

#[tokio::test]
async fn not_every_door_and_not_every_app_is_open_to_it() {
    let world = world().await;
    let page = async |url: &str, who: &str| {
        let answer = world.sign_in(url, who, json!({})).await;
        answer["page"].as_str().unwrap_or("in").chars().take(12).collect::<String>()
    };
    let common = world.authorize_url(SCOPE, "");
    let at = |tenant: &str| common.replace("/common/", &format!("/{tenant}/"));
    assert_eq!(page(&at("organizations"), "zoe@outlook.com").await, "AADSTS500200");
    assert_eq!(page(&at("consumers"), "zoe@outlook.com").await, "in");
    assert_eq!(page(&at("consumers"), "adele@contoso.com").await, "AADSTS50020:");
    let app = world.sim.client_id();
    world.control("/apps", json!({"client_id": app, "audience": "work"})).await;
    assert_eq!(page(&common, "zoe@outlook.com").await, "unauthorized");
    assert_eq!(page(&at("consumers"), "zoe@outlook.com").await, "AADSTS900233");
    world.control("/apps", json!({"client_id": app, "audience": "single:contoso.com"})).await;
    assert_eq!(page(&common, "adele@contoso.com").await, "AADSTS50194:");
    assert_eq!(page(&at("contoso.com"), "adele@contoso.com").await, "in");
    assert_eq!(page(&at("fabrikam.com"), "fred@fabrikam.com").await, "AADSTS700016");
    let url = format!("{}/consumers/v2.0/.well-known/openid-configuration", world.sim.login());
    let consumers = http("GET", &url, &[], b"").await.unwrap();
    assert!(consumers.json()["issuer"].as_str().unwrap().contains(PERSONAL));
}
