use crate::client::*;
use serde_json::{Value, json};

const APP: &str = "4f2b6f0a-0000-4000-8000-000000000002";
const SECRET: [(&str, &str); 2] = [("client_id", APP), ("client_secret", "simulator-secret")];

fn aud(tokens: &Value) -> String {
    said(tokens["access_token"].as_str().expect("a token"))["aud"].as_str().unwrap_or("").to_string()
}

async fn graph(world: &World, tokens: &Value) -> Reply {
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    http("GET", &format!("{}/me", world.sim.graph()), &[("authorization", &bearer)], b"").await.unwrap()
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    SECRET.iter().chain(more).copied().collect()
}

#[tokio::test]
async fn a_token_is_for_what_was_asked() {
    let world = world().await;
    let here = world.sim.graph().trim_end_matches("/v1.0").to_string();
    for (scope, expected) in [
        ("User.Read".to_string(), "00000003-0000-0000-c000-000000000000".to_string()),
        ("https://graph.microsoft.com/User.Read".into(), "https://graph.microsoft.com".into()),
        ("https://graph.microsoft.com//.default".into(), "https://graph.microsoft.com/".into()),
        (format!("{here}/User.Read"), here.clone()),
    ] {
        let tokens = world.tokens("adele@contoso.com", &scope).await;
        assert_eq!(aud(&tokens), expected, "{scope}");
        assert_eq!(graph(&world, &tokens).await.status, 200, "{scope}");
        assert!(tokens["scope"].as_str().unwrap().split(' ').any(|s| s == scope), "{tokens}");
    }
    let own = format!("api://{APP}/access_as_user");
    let tokens = world.tokens("adele@contoso.com", &format!("{own} offline_access User.Read")).await;
    assert_eq!((aud(&tokens), &tokens["scope"]), (format!("api://{APP}"), &json!(own)));
    let refused = graph(&world, &tokens).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "InvalidAuthenticationToken"));
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("Invalid audience"));
    // One refresh token serves every service that was agreed to.
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let client = ("client_id", world.sim.client_id());
    let again = |scope: &'static str| world.token_with(vec![client, ("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", scope)]);
    assert_eq!(graph(&world, &again("https://graph.microsoft.com/User.Read").await.json()).await.status, 200);
    let nothing = again("https://outlook.office.com/.default").await;
    assert_eq!((nothing.status, number(&nothing)), (400, 65_001));
    let unknown = again("https://nowhere.example/.default").await;
    assert_eq!((unknown.json()["error"].as_str(), number(&unknown)), (Some("invalid_resource"), 500_011));
    assert_eq!(number(&again("https://graph.microsoft.com/.default Mail.Read").await), 70_011);
}

#[tokio::test]
async fn unknown_resources_are_told_at_every_door() {
    let world = world().await;
    let back = world.approve("adele@contoso.com", "api://00000000-0000-0000-0000-0000000000aa/x").await;
    assert_eq!(field(&back, "error").as_deref(), Some("invalid_resource"));
    assert!(field(&back, "error_description").unwrap().starts_with("AADSTS500011"));
    let device = [("client_id", world.sim.client_id()), ("scope", "https://nowhere.example/.default")];
    assert_eq!(number(&world.form("/common/oauth2/v2.0/devicecode", &device).await), 500_011);
    let app = with(&[("grant_type", "client_credentials"), ("scope", "https://nowhere.example/.default")]);
    assert_eq!(number(&world.form("/contoso.com/oauth2/v2.0/token", &app).await), 500_011);
}

#[tokio::test]
async fn default_stands_for_what_is_registered_and_later_for_what_was_agreed() {
    let world = world().await;
    let tokens = world.tokens("adele@contoso.com", "https://graph.microsoft.com/.default offline_access").await;
    let scopes = said(tokens["access_token"].as_str().unwrap())["scp"].as_str().unwrap().to_string();
    for name in ["User.Read", "Mail.ReadWrite", "Mail.Send", "Chat.ReadWrite"] {
        assert!(scopes.split(' ').any(|s| s == name), "{scopes}");
    }
    let alex = world.tokens("alex@contoso.com", "Mail.Read offline_access").await;
    let fields = [("client_id", world.sim.client_id()), ("grant_type", "refresh_token"), ("refresh_token", alex["refresh_token"].as_str().unwrap()), ("scope", "https://graph.microsoft.com/.default")];
    let later = world.token(&fields).await.json();
    assert_eq!(said(later["access_token"].as_str().unwrap())["scp"], "Mail.Read");
    assert_eq!(later["scope"], "https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/.default");
    // What needs an administrator still does.
    world.control("/apps", json!({"client_id": APP, "permissions": ["User.Read.All"]})).await;
    let url = format!(
        "{}/common/oauth2/v2.0/authorize?client_id={APP}&response_type=code&redirect_uri={REDIRECT}&scope=https://graph.microsoft.com/.default&code_challenge={}&code_challenge_method=S256",
        world.sim.login(), challenge(VERIFIER)
    );
    let refused = world.sign_in(&url, "megan@contoso.com", json!({})).await;
    assert_eq!(field(refused["location"].as_str().unwrap(), "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn the_device_grant_has_a_short_name() {
    let world = world().await;
    let client = ("client_id", world.sim.client_id());
    let started = world.form("/common/oauth2/v2.0/devicecode", &[client, ("scope", "User.Read")]).await.json();
    world.control("/device", json!({"user_code": started["user_code"], "as": "adele@contoso.com"})).await;
    let fields = [client, ("grant_type", "device_code"), ("device_code", started["device_code"].as_str().unwrap())];
    assert_eq!(graph(&world, &world.token(&fields).await.json()).await.status, 200);
}

#[tokio::test]
async fn bots_take_their_tokens_from_the_framework() {
    let world = world().await;
    let bot = with(&[("grant_type", "client_credentials"), ("scope", "https://api.botframework.com/.default")]);
    let tokens = world.form("/botframework.com/oauth2/v2.0/token", &bot).await.json();
    assert_eq!(aud(&tokens), "https://api.botframework.com");
    assert_eq!(graph(&world, &tokens).await.status, 401);
    world.control("/apps", json!({"client_id": APP, "bot": false})).await;
    let refused = world.form("/botframework.com/oauth2/v2.0/token", &bot).await;
    assert_eq!(number(&refused), 700_016);
    assert!(refused.json()["error_description"].as_str().unwrap().contains("'Bot Framework'"));
}

#[tokio::test]
async fn an_app_acts_on_behalf_of_who_called_it() {
    let world = world().await;
    let called = world.tokens("adele@contoso.com", &format!("api://{APP}/access_as_user")).await;
    let assertion = called["access_token"].as_str().unwrap().to_string();
    let ask = async |assertion: &str, scope: &str| {
        let fields = with(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("requested_token_use", "on_behalf_of"),
            ("assertion", assertion),
            ("scope", scope),
        ]);
        world.form("/contoso.com/oauth2/v2.0/token", &fields).await
    };
    let early = ask(&assertion, "https://graph.microsoft.com/User.Read").await;
    assert_eq!((number(&early), early.json()["suberror"].as_str()), (65_001, Some("consent_required")));
    world.control("/approve", json!({"domain": "contoso.com", "client_id": APP})).await;
    let given = ask(&assertion, "https://graph.microsoft.com/.default offline_access").await.json();
    assert_eq!(graph(&world, &given).await.json()["userPrincipalName"], "adele@contoso.com");
    assert!(given["refresh_token"].is_string());
    let graphs = world.tokens("adele@contoso.com", "User.Read").await;
    assert_eq!(number(&ask(graphs["access_token"].as_str().unwrap(), "User.Read").await), 500_131);
    assert_eq!(number(&ask("no.such.token", "User.Read").await), 50_013);
    assert_eq!(number(&ask(&assertion, "https://nowhere.example/x").await), 500_011);
    world.control("/tokens/expire", json!({"as": "adele@contoso.com"})).await;
    assert_eq!(number(&ask(&assertion, "User.Read").await), 500_133);
}

#[tokio::test]
async fn the_first_generation_asks_for_a_resource() {
    let world = world().await;
    world.control("/approve", json!({"domain": "contoso.com", "client_id": APP})).await;
    let app = with(&[("grant_type", "client_credentials"), ("resource", "https://graph.microsoft.com")]);
    let tokens = world.form("/contoso.com/oauth2/token", &app).await.json();
    assert_eq!((aud(&tokens).as_str(), tokens["expires_in"].as_str()), ("https://graph.microsoft.com", Some("3600")));
    assert!(tokens["expires_on"].is_string() && tokens["resource"] == "https://graph.microsoft.com");
    let url = format!(
        "{}/contoso.com/oauth2/authorize?client_id={}&response_type=code&redirect_uri={REDIRECT}&resource=https://graph.microsoft.com&code_challenge={}&code_challenge_method=S256",
        world.sim.login(), world.sim.client_id(), challenge(VERIFIER)
    );
    let back = world.sign_in(&url, "adele@contoso.com", json!({})).await;
    let code = field(back["location"].as_str().unwrap(), "code").unwrap();
    let fields = [("client_id", world.sim.client_id()), ("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)];
    let tokens = world.form("/contoso.com/oauth2/token", &fields).await.json();
    assert_eq!(graph(&world, &tokens).await.status, 200);
    assert_eq!((&said(tokens["id_token"].as_str().unwrap())["ver"], &tokens["expires_in"]), (&json!("1.0"), &json!("3600")));
    let fields = [("client_id", world.sim.client_id()), ("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap()), ("resource", "https://nowhere.example")];
    assert_eq!(number(&world.form("/contoso.com/oauth2/token", &fields).await), 500_011);
}
