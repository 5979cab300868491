use crate::client::*;
use serde_json::json;

const APP: &str = "4f2b6f0a-0000-4000-8000-000000000002";

fn page(answer: &serde_json::Value) -> String {
    assert!(answer["location"].is_null(), "{answer}");
    answer["page"].as_str().expect("a page").to_string()
}

fn location(answer: &serde_json::Value) -> String {
    answer["location"].as_str().unwrap_or_else(|| panic!("{answer}")).to_string()
}

#[tokio::test]
async fn a_tenant_can_leave_consent_to_its_administrators() {
    let world = world().await;
    let url = world.authorize_url(SCOPE, "");
    world.control("/tenants", json!({"domain": "contoso.com", "consent": "admin"})).await;
    let back = location(&world.sign_in(&url, "adele@contoso.com", json!({})).await);
    assert_eq!(field(&back, "error").as_deref(), Some("access_denied"));
    assert!(field(&back, "error_description").unwrap().starts_with("AADSTS90094"));
    let html = http("GET", &format!("{url}&login_hint=adele@contoso.com"), &[], b"").await.unwrap().body;
    assert!(String::from_utf8(html).unwrap().contains("Need admin approval"));

    world.control("/tenants", json!({"domain": "contoso.com", "consent": "admin_with_requests"})).await;
    assert!(page(&world.sign_in(&url, "adele@contoso.com", json!({})).await).starts_with("Approval required"));
    // Fabrikam is a tenant of its own, and an administrator may agree for himself.
    assert!(field(&location(&world.sign_in(&url, "fred@fabrikam.com", json!({})).await), "code").is_some());
    assert!(field(&location(&world.sign_in(&url, "nestor@contoso.com", json!({})).await), "code").is_some());
    assert!(page(&world.sign_in(&url, "adele@contoso.com", json!({})).await).starts_with("Approval required"));

    let ask = json!({"domain": "contoso.com", "client_id": world.sim.client_id()});
    world.control("/approve", ask.clone()).await;
    let tokens = world.tokens("adele@contoso.com", SCOPE).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    // To show the consent page again takes the right to consent.
    let again = format!("{url}&prompt=consent");
    assert!(page(&world.sign_in(&again, "adele@contoso.com", json!({})).await).starts_with("Approval required"));
    assert_eq!(world.refresh(refresh).await.status, 200);
    world.control("/withdraw", ask).await;
    let refused = world.refresh(refresh).await;
    assert_eq!((number(&refused), refused.json()["suberror"].as_str()), (65_001, Some("consent_required")));
    assert!(page(&world.sign_in(&url, "adele@contoso.com", json!({})).await).starts_with("Approval required"));
}

#[tokio::test]
async fn some_scopes_need_an_administrator_everywhere() {
    let world = world().await;
    for (scope, free) in
        [("User.ReadBasic.All", true), ("Chat.ReadWrite", true), ("User.Read.All", false), ("Group.ReadWrite.All", false)]
    {
        let url = world.authorize_url(&format!("openid {scope}"), "");
        let back = location(&world.sign_in(&url, "adele@contoso.com", json!({})).await);
        assert_eq!(field(&back, "code").is_some(), free, "{scope}");
        let back = location(&world.sign_in(&url, "nestor@contoso.com", json!({})).await);
        assert!(field(&back, "code").is_some());
    }
}

#[tokio::test]
async fn a_person_may_grant_a_part() {
    let world = world().await;
    let url = world.authorize_url(SCOPE, "");
    let some = json!({"scopes": ["openid", "profile", "User.Read", "Mail.ReadWrite"]});
    let back = location(&world.sign_in(&url, "adele@contoso.com", some).await);
    let tokens = world.redeem(&field(&back, "code").unwrap()).await.json();
    assert_eq!(tokens["scope"], "User.Read Mail.ReadWrite");
    assert!(tokens["refresh_token"].is_null() && tokens["id_token"].is_string());
}

#[tokio::test]
async fn an_administrator_agrees_for_all_on_the_second_page() {
    let world = world().await;
    world.control("/tenants", json!({"domain": "contoso.com", "consent": "admin"})).await;
    let client = world.sim.client_id();
    let at = |tenant: &str, scope: &str| {
        format!("{}/{tenant}/v2.0/adminconsent?client_id={client}&redirect_uri={REDIRECT}&state=s1{scope}", world.sim.login())
    };
    let scopes = "&scope=https://graph.microsoft.com/Mail.Read%20https://graph.microsoft.com/Mail.Send";
    let url = at("organizations", scopes);
    assert!(page(&world.sign_in(&url, "adele@contoso.com", json!({})).await).starts_with("AADSTS90093"));
    assert!(page(&world.sign_in(&at("fabrikam.com", scopes), "nestor@contoso.com", json!({})).await).starts_with("AADSTS50020"));
    assert!(page(&world.sign_in(&at("common", scopes), "nestor@contoso.com", json!({})).await).starts_with("AADSTS50059"));
    assert!(page(&world.sign_in(&at("contoso.com", ""), "nestor@contoso.com", json!({})).await).starts_with("AADSTS900144"));
    let elsewhere = url.replace("http://localhost:4711", "https://elsewhere.example");
    assert!(page(&world.sign_in(&elsewhere, "nestor@contoso.com", json!({})).await).starts_with("AADSTS50011"));

    let no = location(&world.sign_in(&url, "nestor@contoso.com", json!({"decision": "decline"})).await);
    assert_eq!(field(&no, "error").as_deref(), Some("consent_required"));
    assert_eq!((field(&no, "admin_consent").as_deref(), field(&no, "state").as_deref()), (Some("True"), Some("s1")));

    let yes = location(&world.sign_in(&url, "nestor@contoso.com", json!({})).await);
    assert_eq!(field(&yes, "admin_consent").as_deref(), Some("True"));
    assert_eq!(field(&yes, "tenant").unwrap().len(), 36);
    assert_eq!(
        field(&yes, "scope").as_deref(),
        Some("https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/Mail.Send")
    );
    let asks = |scope: &str| world.authorize_url(scope, "");
    let fits = world.sign_in(&asks("openid offline_access User.Read Mail.Send"), "adele@contoso.com", json!({})).await;
    assert!(field(&location(&fits), "code").is_some());
    let more = world.sign_in(&asks("openid Mail.Send Chat.Read"), "adele@contoso.com", json!({})).await;
    assert_eq!(field(&location(&more), "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn the_first_page_answers_in_its_own_way_and_serves_a_browser() {
    let world = world().await;
    let path = "/common/adminconsent";
    let query = format!("client_id={APP}&redirect_uri=https://app.example/callback&state=x");
    let url = format!("{}{path}?{query}", world.sim.login());
    let no = location(&world.sign_in(&url, "nestor@contoso.com", json!({"decision": "decline"})).await);
    assert_eq!(no, "https://app.example/callback?error=permission_denied&error_description=The+admin+canceled+the+request");
    let html = String::from_utf8(http("GET", &url, &[], b"").await.unwrap().body).unwrap();
    assert!(html.contains("nestor@contoso.com") && !html.contains("zoe@outlook.com"));
    let asked = world.form(path, &[("request", &query), ("as", "nestor@contoso.com")]).await;
    assert!(String::from_utf8(asked.body).unwrap().contains("User.Read.All"));
    let done = world.form(path, &[("request", &query), ("as", "nestor@contoso.com"), ("decision", "approve")]).await;
    let back = done.header("location").unwrap();
    assert_eq!((field(back, "admin_consent").as_deref(), field(back, "state").as_deref()), (Some("True"), Some("x")));
    let fields = [
        ("client_id", APP),
        ("client_secret", "simulator-secret"),
        ("grant_type", "client_credentials"),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let token = world.form("/contoso.com/oauth2/v2.0/token", &fields).await.json();
    assert_eq!(said(token["access_token"].as_str().unwrap())["roles"][0], "User.Read.All");
}

#[tokio::test]
async fn a_browser_meets_the_same_walls() {
    let world = world().await;
    world.control("/tenants", json!({"domain": "contoso.com", "consent": "admin_with_requests"})).await;
    let url = world.authorize_url(SCOPE, "");
    let query = url.split_once('?').unwrap().1;
    let path = "/common/oauth2/v2.0/authorize";
    let adele = [("request", query), ("as", "adele@contoso.com")];
    let asked = String::from_utf8(world.form(path, &adele).await.body).unwrap();
    assert!(asked.contains("Approval required") && asked.contains("value=\"request\""));
    let press = async |decision| world.form(path, &[adele[0], adele[1], ("decision", decision)]).await;
    assert!(String::from_utf8(press("request").await.body).unwrap().contains("Request sent"));
    // No decision of a browser's own making leads past the wall.
    assert_eq!(press("approve").await.status, 200);
    let back = press("admin_required").await;
    assert_eq!(field(back.header("location").unwrap(), "error").as_deref(), Some("access_denied"));
    world.control("/people", json!({"address": "adele@contoso.com", "admin": true})).await;
    assert!(field(press("approve").await.header("location").unwrap(), "code").is_some());
}

#[tokio::test]
async fn codes_and_refresh_tokens_stay_with_their_tenant() {
    let world = world().await;
    let code = field(&world.approve("adele@contoso.com", SCOPE).await, "code").unwrap();
    let client = ("client_id", world.sim.client_id());
    let fields =
        [client, ("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)];
    assert_eq!(number(&world.form("/fabrikam.com/oauth2/v2.0/token", &fields).await), 700_005);
    let tokens = world.form("/contoso.com/oauth2/v2.0/token", &fields).await.json();
    let fields = [client, ("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    assert_eq!(number(&world.form("/fabrikam.com/oauth2/v2.0/token", &fields).await), 50_020);
    assert_eq!(world.form("/contoso.com/oauth2/v2.0/token", &fields).await.status, 200);
}

#[tokio::test]
async fn what_post_people_does_not_name_stays() {
    let world = world().await;
    let set = async |more: serde_json::Value| {
        let mut ask = json!({"address": "alex@contoso.com"});
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.control("/people", ask).await;
    };
    set(json!({"mailbox": "unlicensed", "teams": false})).await;
    set(json!({"name": "Alex Other"})).await;
    let alex = world.person("alex").await;
    assert_eq!(alex.get("/me").await.json()["displayName"], "Alex Other");
    assert_eq!(alex.get("/me/messages").await.status, 404);
    assert_eq!(alex.get("/me/chats").await.status, 403);
    set(json!({"mailbox": true})).await;
    assert_eq!(alex.get("/me/messages").await.status, 200);
}
