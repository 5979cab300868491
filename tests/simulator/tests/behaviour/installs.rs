//! The catalogue of Teams apps, and their installation.

use crate::bots::{APP, Bot};
use crate::client::*;
use serde_json::{Value, json};

const ADELE: &str = "adele@contoso.com";
pub const ROLES: [&str; 3] = ["AppCatalog.Read.All", "TeamsAppInstallation.ReadWriteSelfForUser.All", "TeamsAppInstallation.ReadWriteSelfForTeam.All"];

/// The app on its own, with these roles.
pub async fn app_with<'a>(world: &'a World, roles: &[&str]) -> Person<'a> {
    world.control("/apps", json!({"client_id": APP, "app_permissions": roles})).await;
    world.control("/approve", json!({"domain": "contoso.com", "client_id": APP})).await;
    let fields = [("client_id", APP), ("client_secret", "simulator-secret"), ("grant_type", "client_credentials"), ("scope", "https://graph.microsoft.com/.default")];
    let token = world.form("/contoso.com/oauth2/v2.0/token", &fields).await.json();
    Person { world, token: token["access_token"].as_str().unwrap().into() }
}

async fn with_scope<'a>(world: &'a World, who: &str, scope: &str) -> Person<'a> {
    let tokens = world.tokens(who, &format!("openid {scope}")).await;
    Person { world, token: tokens["access_token"].as_str().unwrap().into() }
}

pub async fn found(app: &Person<'_>) -> String {
    let list = app.get(&format!("/appCatalogs/teamsApps?$filter=externalId%20eq%20'{APP}'%20and%20distributionMethod%20eq%20'organization'&$expand=appDefinitions")).await.json();
    assert_eq!(list["value"][0]["appDefinitions"][0]["publishingState"], "published", "{list}");
    list["value"][0]["id"].as_str().unwrap().into()
}

pub fn bind(world: &World, id: &str) -> Value {
    json!({"teamsApp@odata.bind": format!("{}/appCatalogs/teamsApps/{id}", world.sim.graph())})
}

#[tokio::test]
async fn an_app_is_installed_for_a_person_and_removed() {
    let world = world().await;
    let app = app_with(&world, &ROLES).await;
    let id = found(&app).await;
    let list = format!("/users/{ADELE}/teamwork/installedApps");
    world.control("/limits", json!({"tenant_app_installs_per_second": 1})).await;
    let made = app.post(&list, bind(&world, &id)).await;
    assert_eq!((made.status, made.body.len()), (201, 0));
    let soon = app.post(&list, bind(&world, &id)).await;
    assert_eq!((soon.status, soon.code().as_str(), soon.header("retry-after")), (429, "TooManyRequests", Some("1")));
    world.control("/limits", json!({"tenant_app_installs_per_second": 30})).await;
    let again = app.post(&list, bind(&world, &id)).await;
    assert_eq!((again.status, again.code()), (409, "Conflict".into()));
    let one = app.get(&format!("{list}?$expand=teamsApp,teamsAppDefinition&$filter=teamsApp/externalId%20eq%20'{APP}'")).await.json();
    let one = &one["value"][0];
    assert_eq!((&one["teamsApp"]["id"], &one["teamsAppDefinition"]["version"]), (&json!(id), &json!("1.0.0")));
    let install = format!("{list}/{}", one["id"].as_str().unwrap().replace('=', "%3D"));
    assert_ne!(one["id"], json!(id));
    assert!(app.get(&format!("{list}?$filter=teamsApp/id%20eq%20'x'")).await.json()["value"].as_array().unwrap().is_empty());
    let chat = app.get(&format!("{install}/chat")).await.json()["id"].as_str().unwrap().to_string();
    assert!(chat.ends_with(&format!("_{APP}@unq.gbl.spaces")), "{chat}");
    assert_eq!(app.get(&format!("{install}/chat?$select=id")).await.json()["chatType"], Value::Null);
    // The chat's id is one of the Connector's conversations.
    let bot = Bot::new(&world).await;
    assert_eq!(bot.say(&chat, "Hi").await.status, 201);
    assert_eq!(app.send("POST", &format!("{install}/upgrade"), None).await.status, 400);
    world.control("/bot/app", json!({"bot": APP, "version": "1.1.0"})).await;
    assert_eq!(app.send("POST", &format!("{install}/upgrade"), None).await.status, 204);
    assert_eq!(app.get(&format!("{install}?$expand=teamsAppDefinition")).await.json()["teamsAppDefinition"]["version"], "1.1.0");
    assert_eq!(app.send("DELETE", &install, None).await.status, 204);
    assert_eq!(app.send("DELETE", &install, None).await.status, 404);
    let refused = bot.say(&chat, "Hi?").await;
    assert_eq!((refused.status, refused.code()), (403, "BotNotInConversationRoster".into()));
}

#[tokio::test]
async fn an_app_is_installed_in_a_team() {
    let world = world().await;
    let team = world.control("/teams", json!({"name": "Sales", "members": [ADELE]})).await;
    let app = app_with(&world, &ROLES).await;
    let (id, list) = (found(&app).await, format!("/teams/{}/installedApps", team["id"].as_str().unwrap()));
    let made = app.post(&list, bind(&world, &id)).await;
    assert_eq!((made.status, made.body.len()), (200, 0));
    assert_eq!(app.post(&list, bind(&world, &id)).await.status, 409);
    let one = app.get(&format!("{list}?$expand=teamsApp")).await.json()["value"][0].clone();
    let install = format!("{list}/{}", one["id"].as_str().unwrap().replace('=', "%3D"));
    assert_eq!(app.send("DELETE", &install, None).await.status, 204);
    world.control("/oddities", json!({"team_install_created": true, "late_installation": true})).await;
    assert_eq!(app.post(&list, bind(&world, &id)).await.status, 201);
    // The news takes two requests.
    let bot = Bot::new(&world).await;
    let path = format!("teams/{}", team["channels"][0]["id"].as_str().unwrap());
    assert_eq!([bot.get(&path).await.status, bot.get(&path).await.status, bot.get(&path).await.status], [403, 403, 200]);
    // Or a time.
    world.control("/oddities", json!({"late_installation": false})).await;
    world.control("/bot/late", json!({"seconds": 20})).await;
    assert_eq!(app.send("DELETE", &install, None).await.status, 204);
    assert_eq!(app.post(&list, bind(&world, &id)).await.status, 201);
    world.control("/clock", json!({"advance_ms": 19_999})).await;
    assert_eq!(bot.get(&path).await.status, 403);
    world.control("/clock", json!({"advance_ms": 1})).await;
    assert_eq!(bot.get(&path).await.status, 200);
}

#[tokio::test]
async fn what_may_not_be_installed() {
    let world = world().await;
    let team = world.control("/teams", json!({"name": "Sales", "members": [ADELE]})).await;
    let in_team = format!("/teams/{}/installedApps", team["id"].as_str().unwrap());
    let for_adele = format!("/users/{ADELE}/teamwork/installedApps");
    let app = app_with(&world, &ROLES).await;
    let other = world.control("/bot/app", json!({"external_id": "11111111-0000-4000-8000-000000000001", "bot": "11111111-0000-4000-8000-000000000001", "client": "x"})).await;
    let bodies = [
        (for_adele.clone(), bind(&world, "nothing"), 404, "NotFound"),
        (for_adele.clone(), json!({}), 400, "BadRequest"),
        (for_adele.clone(), json!({"teamsApp@odata.bind": "https://evil.example/v1.0/appCatalogs/teamsApps/x"}), 400, "BadRequest"),
        // Another's app takes another permission.
        (for_adele.clone(), bind(&world, other["id"].as_str().unwrap()), 403, "Forbidden"),
        ("/users/ghost@contoso.com/teamwork/installedApps".into(), bind(&world, "x"), 404, "Request_ResourceNotFound"),
        ("/teams/nothing/installedApps".into(), bind(&world, "x"), 404, "NotFound"),
    ];
    for (path, body, status, code) in bodies {
        let reply = app.post(&path, body).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path}");
    }
    let poor = app_with(&world, &["User.Read.All"]).await;
    for path in ["/appCatalogs/teamsApps", for_adele.as_str(), in_team.as_str()] {
        let reply = poor.get(path).await;
        assert_eq!((reply.status, reply.code().as_str()), (403, "Forbidden"), "{path}");
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains("Roles on the request 'User.Read.All'"));
    }
    let full = app_with(&world, &["AppCatalog.Read.All", "TeamsAppInstallation.ReadWriteForUser.All", "TeamsAppInstallation.ReadWriteForTeam.All"]).await;
    let change = |more: Value| {
        let mut ask = json!({"external_id": "11111111-0000-4000-8000-000000000001"});
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask
    };
    let id = other["id"].as_str().unwrap();
    for (ask, path, status, words) in [
        (json!({"blocked": true}), &for_adele, 403, "policy"),
        (json!({"blocked": false, "scopes": ["team"], "channel_features": false}), &in_team, 400, "must include the 'supportsChannelFeatures' property."),
        (json!({"scopes": ["team"], "channel_features": false, "manifest_version": "1.24"}), &for_adele, 400, "personal"),
        (json!({"scopes": ["personal"], "asks": ["ChannelMessage.Read.Group"]}), &for_adele, 403, "consent"),
    ] {
        world.control("/bot/app", change(ask)).await;
        let reply = full.post(path, bind(&world, id)).await;
        assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.body));
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains(words), "{words}");
    }
    world.control("/bot/app", change(json!({"scopes": ["personal", "team"], "manifest_version": "1.24", "channel_features": false}))).await;
    assert_eq!(full.post(&for_adele, bind(&world, id)).await.status, 201);
    // A person acts for themselves alone.
    let adele = with_scope(&world, ADELE, "TeamsAppInstallation.ReadForUser").await;
    assert_eq!(adele.get("/me/teamwork/installedApps").await.json()["value"].as_array().map(Vec::len), Some(1));
    assert_eq!(adele.get("/users/alex@contoso.com/teamwork/installedApps").await.status, 403);
}

/// A ZIP file whose files are stored as they are.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in files {
        let start = out.len() as u32;
        let mut shared = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        shared.extend((data.len() as u32).to_le_bytes());
        shared.extend((data.len() as u32).to_le_bytes());
        shared.extend((name.len() as u16).to_le_bytes());
        shared.extend([0, 0]);
        out.extend(b"PK\x03\x04");
        out.extend(&shared);
        out.extend(name.as_bytes());
        out.extend(*data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&shared);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, size, count) = (out.len() as u32, directory.len() as u32, files.len() as u16);
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn manifest(more: Value) -> Value {
    let mut all = json!({
        "manifestVersion": "1.25", "version": "1.0.0", "id": "22222222-0000-4000-8000-000000000001", "accentColor": "#FFFFFF", "supportsChannelFeatures": "tier1",
        "developer": {"name": "D", "websiteUrl": "https://d.example", "privacyUrl": "https://d.example/p", "termsOfUseUrl": "https://d.example/t"},
        "name": {"short": "Mine", "full": "Mine"}, "description": {"short": "s", "full": "f"}, "icons": {"color": "color.png", "outline": "outline.png"},
        "bots": [{"botId": APP, "scopes": ["personal", "team"]}], "webApplicationInfo": {"id": APP, "resource": "https://d.example"},
    });
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() { drop(all.as_object_mut().unwrap().remove(name)) } else { all[name] = value.clone() }
    }
    all
}

async fn upload(person: &Person<'_>, path: &str, package: &[u8]) -> Reply {
    let bearer = format!("Bearer {}", person.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/zip"), ("prefer", IMMUTABLE)];
    http("POST", &format!("{}{path}", person.world.sim.graph()), &headers, package).await.unwrap()
}

fn package(manifest: &Value) -> Vec<u8> {
    zip(&[("color.png", b"png"), ("outline.png", b"png"), ("manifest.json", manifest.to_string().as_bytes())])
}

#[tokio::test]
async fn a_package_is_published_once_and_then_updated() {
    let world = world().await;
    let nestor = with_scope(&world, "nestor@contoso.com", "AppCatalog.ReadWrite.All").await;
    let text = "Applications with manifest version 1.25 or higher that support the 'team' scope must include the 'supportsChannelFeatures' property.";
    for (package, words) in [
        (b"no zip".to_vec(), "ZIP"),
        (zip(&[("app/manifest.json", b"{}")]), "manifest.json at its root"),
        (zip(&[("manifest.json", manifest(json!({})).to_string().as_bytes())]), "icon"),
        (package(&manifest(json!({"supportsChannelFeatures": null}))), text),
        (package(&manifest(json!({"supportsChannelFeatures": "tier9"}))), "tier1"),
        (package(&manifest(json!({"bots": [{"botId": APP, "scopes": ["team"], "supportsChannelFeatures": "tier1"}]}))), "unknown property"),
        (package(&manifest(json!({"name": {"short": "x".repeat(31)}}))), "name/short"),
    ] {
        let reply = upload(&nestor, "/appCatalogs/teamsApps", &package).await;
        assert_eq!((reply.status, reply.code()), (400, "BadRequest".into()));
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains(words), "{words}");
    }
    let made = upload(&nestor, "/appCatalogs/teamsApps", &package(&manifest(json!({})))).await;
    let id = made.json()["id"].as_str().unwrap().to_string();
    assert_eq!((made.status, &made.json()["externalId"]), (201, &json!("22222222-0000-4000-8000-000000000001")));
    assert_eq!(upload(&nestor, "/appCatalogs/teamsApps", &package(&manifest(json!({})))).await.status, 409);
    let versions = format!("/appCatalogs/teamsApps/{id}/appDefinitions");
    assert_eq!(upload(&nestor, &versions, &package(&manifest(json!({})))).await.status, 409);
    assert_eq!(upload(&nestor, &versions, &package(&manifest(json!({"version": "1.0.1"})))).await.json()["version"], "1.0.1");
    let other = manifest(json!({"version": "2.0.0", "id": "22222222-0000-4000-8000-000000000002"}));
    assert_eq!(upload(&nestor, &versions, &package(&other)).await.status, 400);
    // For review, by whoever may do no more.
    let adele = with_scope(&world, ADELE, "AppCatalog.Submit").await;
    assert_eq!(upload(&adele, "/appCatalogs/teamsApps?requiresReview=true", &package(&other)).await.status, 201);
    let all = nestor.get("/appCatalogs/teamsApps?$expand=appDefinitions").await.json();
    let states: Vec<&str> = all["value"].as_array().unwrap().iter().flat_map(|a| a["appDefinitions"].as_array().unwrap()).map(|d| d["publishingState"].as_str().unwrap()).collect();
    assert_eq!(states, ["published", "published", "published", "submitted"]);
    // Never by an app on its own.
    let app = app_with(&world, &["AppCatalog.ReadWrite.All"]).await;
    assert_eq!(upload(&app, "/appCatalogs/teamsApps", &package(&manifest(json!({})))).await.status, 403);
}
