use crate::client::*;
use serde_json::{Value, json};

async fn mail(world: &World, subject: &str) -> String {
    let made = world.control("/mail", json!({"mailbox": "adele@contoso.com", "subject": subject, "from": {"address": "alex@contoso.com"}, "to": [{"address": "adele@contoso.com"}], "text": "t"})).await;
    format!("/me/messages/{}", made["id"].as_str().unwrap())
}

async fn subjects_of(world: &World, mailbox: &str, folder: &str) -> Vec<String> {
    let all = world.control("/mail/list", json!({"mailbox": mailbox, "folder": folder})).await;
    all["items"].as_array().unwrap().iter().map(|i| i["subject"].as_str().unwrap().to_string()).collect()
}

#[tokio::test]
async fn parameters_are_known_in_any_letter_case() {
    let world = world().await;
    let adele = world.person("adele").await;
    let message = |subject: &str| json!({"Subject": subject, "Body": {"ContentType": "Text", "Content": "t"}, "ToRecipients": [{"EmailAddress": {"Address": "alex@contoso.com"}}]});
    for (n, (name, keep)) in [("Message", "SaveToSentItems"), ("message", "saveToSentItems"), ("MESSAGE", "savetosentitems")].into_iter().enumerate() {
        let mut body = json!({});
        body[name] = message(&format!("S{n}"));
        body[keep] = json!(false);
        assert_eq!(adele.post("/me/sendMail", body).await.status, 202, "{name}");
    }
    assert_eq!(subjects_of(&world, "alex@contoso.com", "inbox").await, ["S0", "S1", "S2"]);
    assert!(subjects_of(&world, "adele@contoso.com", "sentitems").await.is_empty());

    let one = mail(&world, "One").await;
    for (action, body) in [
        ("reply", json!({"Comment": "c"})),
        ("replyAll", json!({"COMMENT": "c"})),
        ("forward", json!({"ToRecipients": to("megan@contoso.com"), "Comment": "c"})),
        ("forward", json!({"Message": {"toRecipients": to("megan@contoso.com")}})),
    ] {
        assert_eq!(adele.post(&format!("{one}/{action}"), body).await.status, 202, "{action}");
    }
    assert_eq!(subjects_of(&world, "megan@contoso.com", "inbox").await, ["Fw: One", "Fw: One"]);
    for action in ["createReply", "createReplyAll", "createForward"] {
        let made = adele.post(&format!("{one}/{action}"), json!({"Message": {"Importance": "high"}, "Comment": "said"})).await;
        let made = made.json();
        assert_eq!(made["importance"], "high", "{action}");
        assert!(made["body"]["content"].as_str().unwrap().contains("said"));
    }
    for action in ["copy", "move"] {
        let body = json!({"DestinationId": "archive"});
        assert_eq!(adele.post(&format!("{one}/{action}"), body).await.status, 201);
    }
    assert_eq!(subjects_of(&world, "adele@contoso.com", "archive").await.len(), 2);
}

#[tokio::test]
async fn parameters_that_an_action_lacks_are_refused() {
    let world = world().await;
    let adele = world.person("adele").await;
    let one = mail(&world, "One").await;
    let folder = adele.post("/me/mailFolders", json!({"displayName": "F"})).await.json();
    let folder = format!("/me/mailFolders/{}", folder["id"].as_str().unwrap());
    let forward = json!({"toRecipients": to("megan@contoso.com")});
    for (path, body) in [
        ("/me/sendMail".to_string(), json!({"message": {"toRecipients": to("alex@contoso.com")}, "save": true})),
        ("/me/sendMail".into(), json!({"message": {"toRecipients": to("alex@contoso.com")}, "saveToSentItems": 1})),
        ("/me/sendMail".into(), json!({"message": {}, "Message": {}})),
        (format!("{one}/reply"), forward.clone()),
        (format!("{one}/createReply"), json!({"comments": "c"})),
        (format!("{one}/forward"), json!({"comment": "c"})),
        (format!("{one}/forward"), json!({"toRecipients": to("a@contoso.com"), "message": forward})),
        (format!("{one}/move"), json!({"destination": "archive"})),
        (format!("{one}/copy"), json!({})),
        (format!("{one}/copy"), json!({"destinationId": 7})),
        (format!("{folder}/move"), json!({"destinationId": "archive", "other": 1})),
        (format!("{folder}/copy"), json!({"DestinationId": folder.rsplit('/').next()})),
    ] {
        let reply = adele.post(&path, body.clone()).await;
        assert_eq!(reply.status, 400, "{path} {body}: {}", String::from_utf8_lossy(&reply.body));
    }
    assert_eq!(adele.post(&format!("{folder}/move"), json!({"DestinationId": "archive"})).await.status, 200);
}

#[tokio::test]
async fn a_folder_is_copied_with_all_that_is_in_it() {
    let world = world().await;
    let adele = world.person("adele").await;
    let top = adele.post("/me/mailFolders", json!({"displayName": "Top"})).await.json()["id"].as_str().unwrap().to_string();
    let below = adele.post(&format!("/me/mailFolders/{top}/childFolders"), json!({"displayName": "Below"})).await;
    assert_eq!(below.status, 201);
    for folder in ["Top", "Below"] {
        world.control("/mail", json!({"mailbox": "adele@contoso.com", "folder": folder, "subject": folder})).await;
    }
    let copied = adele.post(&format!("/me/mailFolders/{top}/copy"), json!({"destinationId": "archive"})).await;
    assert_eq!(copied.status, 201);
    let twin = copied.json();
    assert_eq!((&twin["displayName"], &twin["totalItemCount"], &twin["childFolderCount"]), (&json!("Top"), &json!(1), &json!(1)));
    assert_ne!(twin["id"], Value::String(top.clone()));
    assert_eq!(adele.post(&format!("/me/mailFolders/{top}/copy"), json!({"destinationId": "archive"})).await.code(), "ErrorFolderExists");
    let inside = adele.get(&format!("/me/mailFolders/{}/childFolders/$count", twin["id"].as_str().unwrap())).await;
    assert_eq!(inside.body, b"1");
    assert_eq!(adele.get("/me/mailFolders/$count?$filter=displayName eq 'Top'").await.body, b"1");
}

#[tokio::test]
async fn no_property_of_a_body_is_passed_over() {
    let world = world().await;
    let adele = world.person("adele").await;
    let member = |who: &str| json!({"@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": ["owner"], "user@odata.bind": format!("{}/users('{who}')", world.sim.graph())});
    let members = json!([member("adele@contoso.com"), member("alex@contoso.com")]);
    let chat = adele.post("/chats", json!({"chatType": "oneOnOne", "members": members})).await.json();
    let said = format!("/chats/{}/messages", chat["id"].as_str().unwrap());
    let file = |more: Value| {
        let mut file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "aGk="});
        file.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"subject": "s", "attachments": [file]})
    };
    for (path, body, status) in [
        ("/me/messages", json!({"subject": "s", "body": {"contentType": "markdown", "content": "x"}}), 400),
        ("/me/messages", json!({"subject": "s", "body": {"text": "x"}}), 400),
        ("/me/messages", json!({"subject": "s", "categories": [7]}), 400),
        ("/me/messages", json!({"subject": "s", "multiValueExtendedProperties": []}), 501),
        ("/me/messages", file(json!({"nonsense": 1})), 400),
        ("/me/messages", file(json!({"@odata.type": "#microsoft.graph.referenceAttachment"})), 501),
        ("/me/messages", file(json!({"ContentId": "x", "IsInline": true})), 201),
        ("/me/mailFolders", json!({"displayName": "x", "nonsense": 1}), 400),
        ("/me/mailFolders", json!({"@odata.type": "microsoft.graph.mailSearchFolder", "displayName": "x"}), 501),
        ("/me/mailFolders", json!({"DisplayName": "x"}), 201),
        ("/chats", json!({"chatType": "oneOnOne", "members": members, "nonsense": 1}), 400),
        ("/chats", json!({"chatType": "oneOnOne", "members": members, "installedApps": []}), 501),
        (&said, json!({"body": {"content": "x"}, "nonsense": 1}), 400),
        (&said, json!({"body": {"content": "x", "contentType": "markdown"}}), 400),
        (&said, json!({"body": {"content": "x"}, "importance": "low"}), 400),
        (&said, json!({"body": {"content": "x"}, "reactions": []}), 501),
    ] {
        let reply = adele.post(path, body.clone()).await;
        assert_eq!(reply.status, status, "{path} {body}: {}", String::from_utf8_lossy(&reply.body));
    }
}
