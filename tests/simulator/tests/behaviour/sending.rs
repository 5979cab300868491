use crate::client::*;
use serde_json::{Value, json};

const MARK: &str = "String {00020329-0000-0000-C000-000000000046} Name Key";

async fn draft(adele: &Person<'_>, to_whom: &str, subject: &str) -> Value {
    let body = json!({
        "subject": subject, "body": {"contentType": "html", "content": "<p>Dear <b>Alex</b></p>"}, "toRecipients": to(to_whom),
        "singleValueExtendedProperties": [{"id": MARK, "value": "k-1"}],
        "internetMessageHeaders": [{"name": "x-tag", "value": "1"}],
        "attachments": [{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentBytes": "aGk="}],
    });
    let made = adele.post("/me/messages", body).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    made.json()
}

#[tokio::test]
async fn a_sent_draft_keeps_its_id_and_arrives() {
    let world = world().await;
    let adele = world.person("adele").await;
    let made = draft(&adele, "alex@contoso.com", "Plan").await;
    assert_eq!(made["isDraft"], true);
    let path = format!("/me/messages/{}", made["id"].as_str().unwrap());
    assert_eq!(adele.send("POST", &format!("{path}/send"), None).await.status, 202);
    let sent = adele.get(&path).await.json();
    assert_eq!((&sent["isDraft"], &sent["internetMessageId"]), (&json!(false), &made["internetMessageId"]));
    let found = format!(
        "/me/mailFolders/sentitems/messages?$filter=singleValueExtendedProperties/Any(ep: ep/id eq '{MARK}' and ep/value eq 'K-1')"
    );
    assert_eq!(adele.get(&found).await.json()["value"][0]["id"], made["id"]);
    let wrong_case = found.replace("Name Key", "Name key");
    assert!(adele.get(&wrong_case).await.json()["value"].as_array().unwrap().is_empty());
    let shown = adele.get(&format!("{path}?$expand=singleValueExtendedProperties($filter=id eq '{MARK}')")).await.json();
    assert_eq!(shown["singleValueExtendedProperties"][0]["value"], "k-1");
    let inbox = world.control("/mail/list", json!({"mailbox": "alex@contoso.com", "folder": "inbox"})).await;
    assert_eq!((&inbox["items"][0]["subject"], &inbox["items"][0]["attachments"]), (&json!("Plan"), &json!(["a.txt"])));
    assert!(world.accusations().await.is_empty());
    assert_eq!(adele.send("POST", &format!("{path}/send"), None).await.status, 400);
    assert_eq!(world.accusations().await, ["sent_twice"]);
}

#[tokio::test]
async fn the_sent_copy_may_be_late() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/oddities", json!({"sent_copy_late": true})).await;
    let made = draft(&adele, "alex@contoso.com", "Late").await;
    let path = format!("/me/messages/{}", made["id"].as_str().unwrap());
    adele.send("POST", &format!("{path}/send"), None).await;
    let seen = [adele.get(&path).await.status, adele.get(&path).await.status, adele.get(&path).await.status];
    assert_eq!(seen, [404, 404, 200]);
}

#[tokio::test]
async fn an_unknown_colleague_comes_back_as_a_report() {
    let world = world().await;
    let adele = world.person("adele").await;
    let message = json!({"message": {"subject": "Lost", "body": {"contentType": "Text", "content": "t"}, "toRecipients": to("ghost@contoso.com")}});
    assert_eq!(adele.post("/me/sendMail", message).await.status, 202);
    let inbox = adele.get("/me/mailFolders/inbox/messages").await.json();
    assert_eq!(inbox["value"][0]["subject"], "Undeliverable: Lost");
    assert_eq!(inbox["value"][0]["from"]["emailAddress"]["address"], "postmaster@contoso.com");
    let nobody = json!({"message": {"subject": "X", "toRecipients": []}});
    assert_eq!(adele.post("/me/sendMail", nobody).await.code(), "ErrorInvalidRecipients");
    let posing = json!({"message": {"subject": "X", "toRecipients": to("alex@contoso.com"), "from": to("megan@contoso.com")[0]}});
    assert_eq!(adele.post("/me/sendMail", posing).await.code(), "ErrorSendAsDenied");
}

#[tokio::test]
async fn answers_stay_in_the_conversation_on_both_sides() {
    let world = world().await;
    let adele = world.person("adele").await;
    let alex = world.person("alex").await;
    let made = draft(&adele, "alex@contoso.com", "Talk").await;
    adele.send("POST", &format!("/me/messages/{}/send", made["id"].as_str().unwrap()), None).await;
    let got = alex.get("/me/mailFolders/inbox/messages").await.json()["value"][0].clone();
    let reply = alex.post(&format!("/me/messages/{}/createReply", got["id"].as_str().unwrap()), json!({"comment": "Yes"})).await;
    assert_eq!(reply.status, 201);
    let reply = reply.json();
    assert_eq!((&reply["subject"], &reply["conversationId"]), (&json!("Re: Talk"), &got["conversationId"]));
    alex.send("POST", &format!("/me/messages/{}/send", reply["id"].as_str().unwrap()), None).await;
    let back = adele.get("/me/mailFolders/inbox/messages").await.json()["value"][0].clone();
    assert_eq!((&back["subject"], &back["conversationId"]), (&json!("Re: Talk"), &made["conversationId"]));
    let both = json!({"comment": "a", "message": {"body": {"content": "b"}}});
    assert_eq!(alex.post(&format!("/me/messages/{}/reply", got["id"].as_str().unwrap()), both).await.status, 400);
}

#[tokio::test]
async fn drafts_have_rules() {
    let world = world().await;
    let adele = world.person("adele").await;
    let headers: Vec<Value> = (0..6).map(|n| json!({"name": format!("x-{n}"), "value": "v"})).collect();
    let many = adele.post("/me/messages", json!({"subject": "s", "internetMessageHeaders": headers})).await;
    assert_eq!(many.code(), "InvalidInternetMessageHeaderCollection");
    let own = adele.post("/me/messages", json!({"subject": "s", "internetMessageId": "<own@contoso.com>"})).await.json();
    assert_eq!(own["internetMessageId"], "<own@contoso.com>");
    let big = "a".repeat(5 << 20);
    let long = adele.post("/me/messages", json!({"subject": "s", "body": {"content": big}})).await;
    assert_eq!((long.status, long.code().as_str()), (400, "BadRequest"));
    let path = format!("/me/messages/{}", own["id"].as_str().unwrap());
    let bearer = format!("Bearer {}", adele.token);
    let stale = [("authorization", bearer.as_str()), ("if-match", "W/\"old\""), ("content-type", "application/json")];
    let url = format!("{}{path}", world.sim.graph());
    let conflict = http("PATCH", &url, &stale, b"{\"subject\":\"t\"}").await.unwrap();
    assert_eq!((conflict.status, conflict.code().as_str()), (412, "ErrorIrresolvableConflict"));
}

async fn send_as(person: &Person<'_>, from: &str, subject: &str) -> Reply {
    person.post("/me/sendMail", json!({"message": {"subject": subject, "toRecipients": to("alex@contoso.com"), "from": to(from)[0]}})).await
}

/// What the last mail of Alex's Inbox says of who wrote it.
async fn names(world: &World) -> (Value, Value) {
    let inbox = world.control("/mail/list", json!({"mailbox": "alex@contoso.com", "folder": "inbox"})).await;
    let last = inbox["items"].as_array().unwrap().last().unwrap().clone();
    (last["from"]["address"].clone(), last["sender"]["address"].clone())
}

#[tokio::test]
async fn another_name_takes_a_permission_and_a_right() {
    let world = world().await;
    world.control("/people", json!({"address": "jobs@contoso.com", "name": "Jobs", "shared": true})).await;
    world.control("/people", json!({"address": "adele@contoso.com", "aliases": ["a.vance@contoso.com"]})).await;
    world.control("/groups", json!({"address": "press@contoso.com", "members": ["megan@contoso.com", "alex@contoso.com"]})).await;
    let plain = world.person("adele").await;
    let tokens = world.tokens("adele@contoso.com", &format!("{SCOPE} Mail.Send.Shared")).await;
    let adele = Person { world: &world, token: tokens["access_token"].as_str().unwrap().to_string() };
    assert_eq!(send_as(&adele, "jobs@contoso.com", "1").await.code(), "ErrorSendAsDenied");
    assert_eq!(send_as(&adele, "nobody@contoso.com", "2").await.code(), "ErrorSendAsDenied");
    assert_eq!(send_as(&adele, "nonsense", "3").await.code(), "ErrorInvalidRecipients");
    let odd = json!({"subject": "s", "from": "jobs@contoso.com"});
    assert_eq!(adele.post("/me/messages", odd).await.status, 400);
    for (right, sender) in [("send_as", "jobs@contoso.com"), ("on_behalf", "adele@contoso.com")] {
        world.control("/senders", json!({"mailbox": "jobs@contoso.com", "person": "adele@contoso.com", right: true})).await;
        assert_eq!(send_as(&plain, "jobs@contoso.com", "4").await.code(), "ErrorAccessDenied");
        assert_eq!(send_as(&adele, "Jobs@contoso.com", right).await.status, 202);
        assert_eq!(names(&world).await, (json!("jobs@contoso.com"), json!(sender)));
    }
    world.control("/senders", json!({"mailbox": "press@contoso.com", "person": "adele@contoso.com", "send_as": true, "on_behalf": true})).await;
    assert_eq!(send_as(&adele, "press@contoso.com", "both").await.status, 202);
    assert_eq!(names(&world).await, (json!("press@contoso.com"), json!("press@contoso.com")));
    // An alias is shown as the mailbox's own address, and takes neither.
    assert_eq!(send_as(&plain, "a.vance@contoso.com", "alias").await.status, 202);
    assert_eq!(names(&world).await, (json!("adele@contoso.com"), json!("adele@contoso.com")));
    // A draft may say anything; what it may do is looked at when it is sent.
    world.control("/senders", json!({"mailbox": "jobs@contoso.com", "person": "adele@contoso.com"})).await;
    let made = adele.post("/me/messages", json!({"subject": "draft", "toRecipients": to("press@contoso.com"), "from": to("jobs@contoso.com")[0]})).await.json();
    let path = format!("/me/messages/{}", made["id"].as_str().unwrap());
    assert_eq!(made["from"]["emailAddress"]["address"], "jobs@contoso.com");
    assert_eq!(adele.send("POST", &format!("{path}/send"), None).await.code(), "ErrorSendAsDenied");
    assert_eq!(adele.get(&path).await.json()["isDraft"], true);
    let changed = adele.send("PATCH", &path, Some(json!({"from": to("adele@contoso.com")[0], "sender": to("megan@contoso.com")[0]}))).await;
    assert_eq!(changed.status, 200);
    assert_eq!(adele.send("POST", &format!("{path}/send"), None).await.status, 202);
    assert_eq!(names(&world).await, (json!("adele@contoso.com"), json!("adele@contoso.com")), "sender is for the service to say, and a group is its members");
    let megan = world.control("/mail/list", json!({"mailbox": "megan@contoso.com", "folder": "inbox"})).await;
    assert_eq!((&megan["total"], &megan["items"][0]["subject"]), (&json!(1), &json!("draft")));
    let own = adele.get("/me/mailFolders/sentitems/messages?$top=50").await.json();
    assert_eq!(own["value"].as_array().unwrap().len(), 5);
    assert!(world.accusations().await.is_empty());
}
