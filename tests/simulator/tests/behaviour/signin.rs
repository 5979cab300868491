use crate::client::*;
use serde_json::{Value, json};

#[tokio::test]
async fn metadata_speaks_of_any_tenant_and_refuses_one_that_is_not() {
    let world = world().await;
    let at = |tenant: &str| format!("{}/{tenant}/v2.0/.well-known/openid-configuration", world.sim.login());
    let common = http("GET", &at("common"), &[], b"").await.unwrap().json();
    assert!(common["issuer"].as_str().unwrap().contains("{tenantid}"));
    let keys = http("GET", common["jwks_uri"].as_str().unwrap(), &[], b"").await.unwrap().json();
    assert!(keys["keys"][0]["issuer"].as_str().unwrap().ends_with("/{tenantid}/v2.0"));
    let unknown = http("GET", &at("nowhere.example"), &[], b"").await.unwrap();
    assert_eq!((unknown.status, unknown.json()["error_codes"][0].as_u64()), (400, Some(90_002)));
    let own = http("GET", &at("contoso.com"), &[], b"").await.unwrap().json();
    assert!(!own["issuer"].as_str().unwrap().contains('{'));
}

#[tokio::test]
async fn a_code_is_good_once_and_with_its_verifier() {
    let world = world().await;
    let location = world.approve("adele@contoso.com", SCOPE).await;
    assert!(location.starts_with(REDIRECT));
    assert_eq!(field(&location, "state").as_deref(), Some("s+t"));
    let code = field(&location, "code").unwrap();
    let client = world.sim.client_id();
    let wrong = [
        ("client_id", client),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", "another-verifier-that-is-long-enough-0123456789"),
    ];
    let refused = world.token(&wrong).await;
    assert_eq!((refused.status, refused.json()["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(refused.json()["error_codes"], json!([501_481]));
    let tokens = world.redeem(&code).await;
    assert_eq!(tokens.status, 200);
    assert_eq!(tokens.json()["scope"], "User.Read User.ReadBasic.All Mail.ReadWrite Mail.Send Chat.ReadWrite");
    assert_eq!(world.redeem(&code).await.json()["error_codes"], json!([54_005]));
    assert_eq!(world.accusations().await, ["bad_pkce"]);
}

#[tokio::test]
async fn a_code_grows_old() {
    let world = world().await;
    let code = field(&world.approve("adele@contoso.com", SCOPE).await, "code").unwrap();
    world.advance(10 * 60_000).await;
    assert_eq!(world.redeem(&code).await.json()["error_codes"], json!([70_008]));
}

#[tokio::test]
async fn the_id_token_is_signed_and_says_who() {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
    use base64::Engine;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let world = world().await;
    let tokens = world.tokens("adele@contoso.com", SCOPE).await;
    let token = tokens["id_token"].as_str().unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let keys = http("GET", &format!("{}/common/discovery/v2.0/keys", world.sim.login()), &[], b"").await.unwrap().json();
    let number = |name: &str| engine.decode(keys["keys"][0][name].as_str().unwrap()).unwrap();
    let key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &engine.decode(signature).unwrap()).expect("a sound signature");
    let claims: Value = serde_json::from_slice(&engine.decode(signed.split('.').nth(1).unwrap()).unwrap()).unwrap();
    assert_eq!(claims["nonce"], "n1");
    assert_eq!(claims["preferred_username"], "adele@contoso.com");
    assert_eq!(claims["aud"], world.sim.client_id());
    assert_eq!(claims["iss"], format!("{}/{}/v2.0", world.sim.login(), claims["tid"].as_str().unwrap()));
    assert_eq!(claims["iat"], 1_768_467_600);
}

#[tokio::test]
async fn a_refresh_gives_a_new_token_and_leaves_the_old_one_alone() {
    let world = world().await;
    let first = world.tokens("adele@contoso.com", SCOPE).await;
    let old = first["refresh_token"].as_str().unwrap();
    let second = world.refresh(old).await.json();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(world.refresh(old).await.status, 200);
    world.control("/tokens/revoke", json!({"as": "adele@contoso.com", "reason": "password_changed"})).await;
    for token in [old, second["refresh_token"].as_str().unwrap()] {
        assert_eq!(world.refresh(token).await.json()["error_codes"], json!([50_173]));
    }
    let fresh = world.tokens("adele@contoso.com", SCOPE).await;
    assert_eq!(world.refresh(fresh["refresh_token"].as_str().unwrap()).await.status, 200);
    world.control("/tokens/revoke", json!({"as": "adele@contoso.com", "reason": "consent_withdrawn"})).await;
    let gone = world.refresh(fresh["refresh_token"].as_str().unwrap()).await.json();
    assert_eq!((gone["error_codes"][0].as_u64(), gone["suberror"].as_str()), (Some(65_001), Some("consent_required")));
    let without = world.tokens("adele@contoso.com", "User.Read").await;
    assert!(without["refresh_token"].is_null() && without["id_token"].is_null());
}

#[tokio::test]
async fn who_declines_and_who_may_not_decide() {
    let world = world().await;
    let url = world.authorize_url(SCOPE, "");
    for (decision, number) in [("decline", "AADSTS65004"), ("admin_required", "AADSTS90094")] {
        let ask = json!({"url": url, "as": "adele@contoso.com", "decision": decision});
        let location = world.control("/signin", ask).await["location"].as_str().unwrap().to_string();
        assert_eq!(field(&location, "error").as_deref(), Some("access_denied"));
        assert!(field(&location, "error_description").unwrap().starts_with(number));
    }
}

#[tokio::test]
async fn a_browser_can_sign_in_by_forms() {
    let world = world().await;
    let url = world.authorize_url("openid User.Read", "");
    let page = http("GET", &url, &[], b"").await.unwrap();
    let html = String::from_utf8(page.body).unwrap();
    assert!(html.contains("megan@contoso.com") && html.contains("method=\"post\""));
    let query = url.split_once('?').unwrap().1;
    let form = |more: &[(&str, &str)]| {
        url::form_urlencoded::Serializer::new(String::new()).append_pair("request", query).extend_pairs(more).finish()
    };
    let action = url.split_once('?').unwrap().0;
    let consent = http("POST", action, &[], form(&[("as", "megan@contoso.com")]).as_bytes()).await.unwrap();
    assert!(String::from_utf8(consent.body).unwrap().contains("User.Read"));
    let done = form(&[("as", "megan@contoso.com"), ("decision", "approve")]);
    let back = http("POST", action, &[], done.as_bytes()).await.unwrap();
    assert_eq!(back.status, 302);
    let code = field(back.header("location").unwrap(), "code").unwrap();
    assert_eq!(world.redeem(&code).await.status, 200);
    // Consent once given is not asked for again, and a hint picks the account.
    let again = http("GET", &format!("{url}&login_hint=megan@contoso.com"), &[], b"").await.unwrap();
    assert_eq!(again.status, 302);
    let bad = url.replace("http://localhost:4711", "https://elsewhere.example");
    assert!(String::from_utf8(http("GET", &bad, &[], b"").await.unwrap().body).unwrap().contains("AADSTS50011"));
}

#[tokio::test]
async fn tokens_and_scopes_are_looked_at() {
    let world = world().await;
    let adele = world.person("adele").await;
    let none = http("GET", &format!("{}/me", world.sim.graph()), &[], b"").await.unwrap();
    assert_eq!((none.status, none.code().as_str()), (401, "InvalidAuthenticationToken"));
    assert_eq!(adele.get("/me").await.json()["userPrincipalName"], "adele@contoso.com");
    world.control("/tokens/expire", json!({"as": "adele@contoso.com"})).await;
    assert_eq!(adele.get("/me").await.status, 401);
    let tokens = world.tokens("alex@contoso.com", "User.Read").await;
    let alex = Person { world: &world, token: tokens["access_token"].as_str().unwrap().into() };
    let mail = alex.get("/me/messages").await;
    assert_eq!((mail.status, mail.code().as_str()), (403, "ErrorAccessDenied"));
    let chats = alex.get("/chats").await;
    assert_eq!((chats.status, chats.code().as_str()), (403, "Forbidden"));
    assert!(chats.json()["error"]["message"].as_str().unwrap().starts_with("Missing scope permissions"));
    let people = alex.get("/users").await;
    assert_eq!((people.status, people.code().as_str()), (403, "Authorization_RequestDenied"));
}

#[tokio::test]
async fn an_app_can_act_on_its_own() {
    let world = world().await;
    let id = ("client_id", "4f2b6f0a-0000-4000-8000-000000000002");
    let grant = ("grant_type", "client_credentials");
    let bare = world.token(&[id, grant]).await;
    assert_eq!((bare.status, bare.json()["error_codes"][0].as_u64()), (401, Some(7_000_218)));
    let secret = ("client_secret", "simulator-secret");
    let scope = ("scope", "https://graph.microsoft.com/.default");
    assert_eq!(world.token(&[id, grant, secret, scope]).await.json()["error_codes"], json!([9_001_023]));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs([id, grant, secret, scope]).finish();
    let own = format!("{}/contoso.com/oauth2/v2.0/token", world.sim.login());
    let unknown = http("POST", &own, &[], body.as_bytes()).await.unwrap();
    assert_eq!((unknown.status, unknown.json()["error_codes"][0].as_u64()), (400, Some(700_016)));
    world.control("/approve", json!({"domain": "contoso.com", "client_id": id.1})).await;
    let tokens = http("POST", &own, &[], body.as_bytes()).await.unwrap().json();
    assert!(tokens["refresh_token"].is_null());
    let app = Person { world: &world, token: tokens["access_token"].as_str().unwrap().into() };
    assert_eq!(app.get("/users/adele@contoso.com/messages").await.status, 200);
    assert_eq!(app.get("/users/fred@fabrikam.com/messages").await.code(), "ErrorInvalidUser");
    assert_eq!(app.get("/me").await.status, 400);
    assert_eq!(app.post("/chats", json!({})).await.status, 403);
}
