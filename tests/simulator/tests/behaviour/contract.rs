use crate::client::*;
use serde_json::json;

/// The catalogue and installations, by an app on its own.
async fn apps(world: &World) {
    let team = world.control("/teams", json!({"name": "Sales", "members": ["adele@contoso.com"]})).await;
    let app = crate::installs::app_with(world, &crate::installs::ROLES).await;
    let id = crate::installs::found(&app).await;
    for list in ["/users/adele@contoso.com/teamwork/installedApps".to_string(), format!("/teams/{}/installedApps", team["id"].as_str().unwrap())] {
        for _ in 0..2 {
            app.post(&list, crate::installs::bind(world, &id)).await;
        }
        let one = app.get(&format!("{list}?$expand=teamsApp,teamsAppDefinition&$filter=teamsApp/id%20eq%20'{id}'")).await.json();
        let one = format!("{list}/{}", one["value"][0]["id"].as_str().unwrap().replace('=', "%3D"));
        app.get(&format!("{one}?$expand=teamsApp")).await;
        if list.starts_with("/users") {
            app.get(&format!("{one}/chat")).await;
        }
        world.control("/bot/app", json!({"bot": crate::bots::APP, "version": format!("1.{}.0", list.len())})).await;
        app.send("POST", &format!("{one}/upgrade"), None).await;
        app.send("DELETE", &one, None).await;
    }
}

/// A typical session is written down; a contract checker, where GRAPH_CONTRACT names one, must find nothing wrong with it.
#[tokio::test]
async fn a_session_keeps_to_the_contract() {
    let world = world().await;
    world.control("/record", json!({"on": true})).await;
    let tokens = world.tokens("adele@contoso.com", &format!("{SCOPE} MailboxSettings.ReadWrite")).await;
    let adele = Person { world: &world, token: tokens["access_token"].as_str().unwrap().to_string() };
    world.control("/mail/many", json!({"mailbox": "adele@contoso.com", "count": 12, "subject": "M"})).await;
    let ask = json!({"mailbox": "adele@contoso.com", "subject": "A", "html": "<p>\u{0}x</p>", "attachments": [{"name": "a", "text": "b"}]});
    let with_file = world.control("/mail", ask).await["id"].as_str().unwrap().to_string();
    let eml = "U3ViamVjdDogbm8gaGVhZGVycyBhdCBhbGwKCgBoaQ==";
    world.control("/mail/eml", json!({"mailbox": "adele@contoso.com", "base64": eml})).await;
    for path in [
        "/me",
        "/me?$select=id,displayName,mail,userPrincipalName",
        "/users/alex@contoso.com",
        "/users/ghost@contoso.com",
        "/users?$filter=mail%20eq%20'alex@contoso.com'",
        "/me/mailFolders?$top=3",
        "/me/mailFolders?includeHiddenFolders=true",
        "/me/mailFolders/inbox",
        "/me/mailFolders/inbox/childFolders",
        "/me/messages?$top=3&$count=true",
        "/me/messages/$count",
        "/me/messages?$filter=isRead%20eq%20false&$select=subject",
        "/me/messages/AAMkAGI2AAAAAAAAAAAAAAAAAAAA",
        "/me/messages?$search=\"from:alex\"&$top=2&$select=subject",
        "/me/messages?$filter=subject%20in%20('M%201','M%202')",
        "/me/mailFolders/$count",
        "/users?$filter=startswith(displayName,'A')",
        "/organization",
        "/organization?$select=id,displayName,verifiedDomains",
        "/me/photo",
        "/me/mailboxSettings",
        "/me/mailboxSettings/timeZone",
        "/me/mailboxSettings/workingHours",
        "/me/outlook/masterCategories",
    ] {
        adele.get(path).await;
    }
    adele.send("PATCH", "/me/mailboxSettings", Some(json!({"timeZone": "UTC", "automaticRepliesSetting": {"status": "disabled"}}))).await;
    let category = adele.post("/me/outlook/masterCategories", json!({"displayName": "New", "color": "preset2"})).await.json();
    let category = format!("/me/outlook/masterCategories/{}", category["id"].as_str().unwrap());
    adele.send("PATCH", &category, Some(json!({"color": "preset3"}))).await;
    adele.send("DELETE", &category, None).await;
    let ids = json!({"inputIds": ["AAMkAGI2AAAAAAAAAAAAAAAAAAAA"], "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"});
    adele.post("/me/translateExchangeIds", ids).await;
    let folder = adele.post("/me/mailFolders", json!({"displayName": "F"})).await.json();
    let folder = format!("/me/mailFolders/{}", folder["id"].as_str().unwrap());
    adele.post(&format!("{folder}/copy"), json!({"destinationId": "archive"})).await;
    adele.post(&format!("{folder}/move"), json!({"DestinationId": "archive"})).await;
    let (items, inbox) = adele.round("/me/mailFolders/inbox/messages/delta", 5).await;
    adele.round("/me/mailFolders/delta?$select=displayName", 5).await;
    let first = format!("/me/messages/{}", items[0]["id"].as_str().unwrap());
    adele.send("PATCH", &first, Some(json!({"isRead": true, "flag": {"flagStatus": "flagged", "startDateTime": {"dateTime": "2026-01-16T00:00:00", "timeZone": "UTC"}}}))).await;
    adele.post(&format!("{first}/move"), json!({"destinationId": "archive"})).await;
    adele.post(&format!("{first}/copy"), json!({"destinationId": "inbox"})).await;
    adele.round(&inbox, 5).await;
    for tail in [
        "",
        "/attachments",
        "/attachments?$select=id,name,contentType,size,isInline",
        "/$value",
        "?$expand=attachments($select=id,name)",
        "?$select=internetMessageHeaders,uniqueBody",
    ] {
        adele.get(&format!("/me/messages/{with_file}{tail}")).await;
    }
    let body = json!({
        "subject": "D", "body": {"contentType": "html", "content": "x"}, "toRecipients": to("alex@contoso.com"),
        "ccRecipients": to("ghost@contoso.com"), "internetMessageHeaders": [{"name": "x-a", "value": "b"}],
        "singleValueExtendedProperties": [{"id": "String {00020329-0000-0000-C000-000000000046} Name K", "value": "v"}],
        "attachments": [{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "aGk="}],
    });
    let draft = adele.post("/me/messages", body).await.json();
    let draft = format!("/me/messages/{}", draft["id"].as_str().unwrap());
    adele.send("PATCH", &draft, Some(json!({"subject": "E"}))).await;
    adele.send("POST", &format!("{draft}/send"), None).await;
    adele.get(&format!("{draft}?$expand=singleValueExtendedProperties($filter=id%20eq%20'String%20%7B00020329-0000-0000-C000-000000000046%7D%20Name%20K')")).await;
    adele.post(&format!("/me/messages/{with_file}/createReply"), json!({"comment": "c"})).await;
    adele.post(&format!("/me/messages/{with_file}/replyAll"), json!({"comment": "c"})).await;
    let forward = json!({"comment": "c", "toRecipients": to("megan@contoso.com")});
    adele.post(&format!("/me/messages/{with_file}/forward"), forward).await;
    let mail = json!({"message": {"subject": "S", "body": {"contentType": "Text", "content": "t"}, "toRecipients": to("alex@contoso.com")}});
    adele.post("/me/sendMail", mail).await;
    adele.send("DELETE", &first, None).await;
    let member = |who: &str| {
        json!({
            "@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": ["owner"],
            "user@odata.bind": format!("{}/users('{who}')", world.sim.graph()),
        })
    };
    let chat = json!({"chatType": "oneOnOne", "members": [member("adele@contoso.com"), member("alex@contoso.com")]});
    let chat = adele.post("/chats", chat).await.json();
    let chat = format!("/chats/{}", chat["id"].as_str().unwrap());
    for text in ["one", "two"] {
        adele.post(&format!("{chat}/messages"), json!({"body": {"contentType": "html", "content": text}})).await;
    }
    for path in [
        format!("{chat}/messages?$top=1"),
        format!("{chat}/members"),
        chat.clone(),
        "/me/chats?$expand=members,lastMessagePreview".into(),
    ] {
        adele.get(&path).await;
    }
    let items = json!([
        {"id": "1", "method": "GET", "url": "/me"},
        {"id": "2", "method": "PATCH", "url": format!("/me/messages/{with_file}"), "headers": {"Content-Type": "application/json"}, "body": {"isRead": true}},
        {"id": "3", "method": "GET", "url": "/me/messages/AAMkAGI2AAAAAAAAAAAAAAAAAAAA", "headers": {"Prefer": IMMUTABLE}},
        {"id": "4", "method": "GET", "url": "/me", "dependsOn": ["3"]},
    ]);
    adele.post("/$batch", json!({"requests": items})).await;
    apps(&world).await;
    let exchanges = http("GET", &format!("{}/exchanges", world.sim.control()), &[], b"").await.unwrap().body;
    assert!(exchanges.iter().filter(|b| **b == b'\n').count() > 40);
    assert!(world.accusations().await.is_empty(), "{:?}", world.accusations().await);

    let Ok(folder) = std::env::var("GRAPH_CONTRACT") else {
        return;
    };
    let file = std::env::temp_dir().join(format!("m365-sim-{}.jsonl", std::process::id()));
    std::fs::write(&file, exchanges).unwrap();
    let checked = std::process::Command::new("python3")
        .arg(std::path::Path::new(&folder).join("check.py"))
        .args(["--base", &world.sim.graph(), "--skip-other"])
        .arg(&file)
        .output()
        .expect("python3 runs");
    let _ = std::fs::remove_file(&file);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}
