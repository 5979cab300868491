use crate::client::*;
use serde_json::json;

const SETTINGS: &str = "openid User.ReadWrite MailboxSettings.ReadWrite Mail.ReadWrite";

async fn adele(world: &World) -> Person<'_> {
    let tokens = world.tokens("adele@contoso.com", SETTINGS).await;
    Person { world, token: tokens["access_token"].as_str().unwrap().to_string() }
}

#[tokio::test]
async fn mailbox_settings_are_read_and_changed() {
    let world = world().await;
    let adele = adele(&world).await;
    assert_eq!(adele.get("/me/mailboxSettings").await.json()["timeZone"], "UTC");
    let ask = json!({"timeZone": "Pacific Standard Time", "automaticRepliesSetting": {"status": "alwaysEnabled", "internalReplyMessage": "Away"}});
    let changed = adele.send("PATCH", "/me/mailboxSettings", Some(ask)).await.json();
    assert_eq!((&changed["timeZone"], &changed["automaticRepliesSetting"]["externalAudience"]), (&json!("Pacific Standard Time"), &json!("all")));
    assert_eq!(adele.get("/me/mailboxSettings/timeZone").await.json()["value"], "Pacific Standard Time");
    assert_eq!(adele.get("/me/mailboxSettings/automaticRepliesSetting").await.json()["internalReplyMessage"], "Away");
    let some = adele.get("/me/mailboxSettings?$select=timeZone,language").await.json();
    assert_eq!((some["dateFormat"].is_null(), some["language"]["locale"].as_str()), (true, Some("en-US")));
    for wrong in [json!({"nonsense": 1}), json!({"userPurpose": "room"}), json!({"automaticRepliesSetting": {"status": "perhaps"}}), json!({"timeZone": 7})] {
        assert_eq!(adele.send("PATCH", "/me/mailboxSettings", Some(wrong.clone())).await.status, 400, "{wrong}");
    }
    let other = world.person("alex").await;
    assert_eq!(other.get("/me/mailboxSettings").await.code(), "ErrorAccessDenied");
}

#[tokio::test]
async fn categories_come_and_go() {
    let world = world().await;
    let adele = adele(&world).await;
    let path = "/me/outlook/masterCategories";
    assert_eq!(adele.get(path).await.json()["value"].as_array().unwrap().len(), 6);
    let made = adele.post(path, json!({"displayName": "Later", "color": "preset9"})).await;
    assert_eq!(made.status, 201);
    let one = format!("{path}/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(adele.send("PATCH", &one, Some(json!({"color": "none"}))).await.json()["color"], "none");
    assert_eq!(adele.post(path, json!({"displayName": "later"})).await.status, 409);
    assert_eq!(adele.post(path, json!({"displayName": "x", "color": "mauve"})).await.status, 400);
    assert_eq!(adele.send("PATCH", &one, Some(json!({"displayName": "y"}))).await.status, 400);
    assert_eq!(adele.send("DELETE", &one, None).await.status, 204);
    assert_eq!(adele.get(&one).await.status, 404);
    let page = adele.get(&format!("{path}?$top=4")).await.json();
    assert_eq!(adele.get(page["@odata.nextLink"].as_str().unwrap()).await.json()["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_photo_is_missing_until_there_is_one() {
    let world = world().await;
    let adele = adele(&world).await;
    assert_eq!((adele.get("/me/photo").await.status, adele.get("/me/photo/$value").await.code()), (404, "ImageNotFound".into()));
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x30\0\0\0\x40";
    let bearer = format!("Bearer {}", adele.token);
    let url = format!("{}/me/photo/$value", world.sim.graph());
    let put = http("PUT", &url, &[("authorization", &bearer), ("content-type", "image/png")], png).await.unwrap();
    assert_eq!(put.status, 200);
    let told = adele.get("/me/photo").await.json();
    assert_eq!((&told["width"], &told["height"], &told["@odata.mediaContentType"]), (&json!(48), &json!(64), &json!("image/png")));
    let alex = world.person("alex").await;
    assert_eq!(alex.get("/users/adele@contoso.com/photo/$value").await.body, png);
    assert_eq!(http("PUT", &url, &[("authorization", &bearer), ("content-type", "text/plain")], b"x").await.unwrap().status, 400);
}

#[tokio::test]
async fn ids_are_translated_in_any_letter_case() {
    let world = world().await;
    let adele = adele(&world).await;
    let made = world.control("/mail", json!({"mailbox": "adele@contoso.com", "subject": "S"})).await;
    let immutable = adele.get(&format!("/me/messages/{}", made["id"].as_str().unwrap())).await.json()["id"].clone();
    let rest = adele.try_call("GET", "/me/messages", "x=y", None).await.unwrap().json()["value"][0]["id"].clone();
    let ask = |from: &str, to: &str, id: &serde_json::Value| json!({"InputIds": [id, "AAnothing"], "SourceIdType": from, "targetIdType": to});
    let there = adele.post("/me/translateExchangeIds", ask("restId", "restImmutableEntryId", &rest)).await.json();
    assert_eq!(there["value"][0]["targetId"], immutable);
    assert_eq!(there["value"][1]["errorDetails"]["code"], "ErrorInvalidIdMalformed");
    let back = adele.post("/me/translateExchangeIds", ask("restImmutableEntryId", "restId", &immutable)).await.json();
    assert_eq!(back["value"][0]["targetId"], rest);
    assert_eq!(adele.post("/me/translateExchangeIds", ask("restId", "nonsense", &rest)).await.status, 400);
    assert_eq!(adele.post("/me/translateExchangeIds", ask("entryId", "restId", &rest)).await.status, 501);
}

#[tokio::test]
async fn the_organisation_and_the_schema_are_told() {
    let world = world().await;
    let adele = adele(&world).await;
    let all = adele.get("/organization").await.json();
    assert_eq!((&all["value"][0]["displayName"], &all["value"][0]["verifiedDomains"][0]["name"]), (&json!("Contoso"), &json!("contoso.com")));
    let one = format!("/organization/{}?$select=id,displayName", all["value"][0]["id"].as_str().unwrap());
    assert_eq!(adele.get(&one).await.json()["displayName"], "Contoso");
    assert_eq!(adele.get("/organization/nonsense").await.status, 404);
    let schema = http("GET", &format!("{}/$metadata", world.sim.graph()), &[], b"").await.unwrap();
    let text = String::from_utf8(schema.body).unwrap();
    // Every type that is named is there.
    let defined: Vec<String> = text.split("Type Name=\"").skip(1).map(|t| t.split('"').next().unwrap().to_string()).collect();
    for named in text.split("graph.").skip(1) {
        let name: String = named.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        assert!(defined.contains(&name) || name == "microsoft", "{name}");
    }
    assert!(text.contains("<Action Name=\"sendMail\""));
}

#[tokio::test]
async fn flags_keep_their_dates() {
    let world = world().await;
    let adele = adele(&world).await;
    let made = world.control("/mail", json!({"mailbox": "adele@contoso.com", "subject": "S"})).await;
    let path = format!("/me/messages/{}", made["id"].as_str().unwrap());
    let day = json!({"dateTime": "2026-01-16T00:00:00", "timeZone": "UTC"});
    let flagged = adele.send("PATCH", &path, Some(json!({"flag": {"flagStatus": "flagged", "startDateTime": day, "dueDateTime": day}}))).await.json();
    assert_eq!((&flagged["flag"]["flagStatus"], &flagged["flag"]["dueDateTime"]), (&json!("flagged"), &day));
    for wrong in [json!({"flagStatus": "perhaps"}), json!({"flagStatus": "flagged", "dueDateTime": day})] {
        assert_eq!(adele.send("PATCH", &path, Some(json!({"flag": wrong}))).await.status, 400);
    }
    assert_eq!(adele.send("PATCH", &path, Some(json!({"flag": {"flagStatus": "complete"}}))).await.json()["flag"], json!({"flagStatus": "complete"}));
}
