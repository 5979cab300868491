use crate::client::*;
use serde_json::{Value, json};

fn chat_with(world: &World, who: &[&str]) -> Value {
    let member = |w: &&str| {
        json!({
            "@odata.type": "#microsoft.graph.aadUserConversationMember", "roles": ["owner"],
            "user@odata.bind": format!("{}/users('{w}')", world.sim.graph()),
        })
    };
    json!({"chatType": "oneOnOne", "members": who.iter().map(member).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_chat_of_two_is_made_once() {
    let world = world().await;
    let adele = world.person("adele").await;
    let found = adele.get("/users?$filter=mail eq 'ALEX@contoso.com'").await.json();
    let alex = found["value"][0]["id"].as_str().unwrap().to_string();
    let first = adele.post("/chats", chat_with(&world, &["adele@contoso.com", &alex])).await;
    let again = adele.post("/chats", chat_with(&world, &["alex@contoso.com", "adele@contoso.com"])).await;
    assert_eq!((first.status, again.status, &first.json()["id"]), (201, 201, &again.json()["id"]));
    let own = adele.post("/chats", chat_with(&world, &["adele@contoso.com", "adele@contoso.com"])).await;
    assert_eq!(own.json()["error"]["message"], "Duplicate chat members is specified in the request body.");
    let nobody = adele.post("/chats", json!({"chatType": "oneOnOne"})).await;
    assert_eq!(nobody.json()["error"]["message"], "Chat members cannot be null. (Parameter 'Members')");
    let stranger = adele.post("/chats", chat_with(&world, &["adele@contoso.com", "ghost@contoso.com"])).await;
    assert_eq!(stranger.status, 404);
    assert_eq!(adele.post("/me/chats", json!({})).await.status, 405);
    let members = adele.get(&format!("/chats/{}/members", first.json()["id"].as_str().unwrap())).await.json();
    assert_eq!(members["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn one_message_a_second_and_not_too_long() {
    let world = world().await;
    let adele = world.person("adele").await;
    let chat = adele.post("/chats", chat_with(&world, &["adele@contoso.com", "alex@contoso.com"])).await.json();
    let path = format!("/chats/{}/messages", chat["id"].as_str().unwrap());
    let say = |text: &str| json!({"body": {"contentType": "text", "content": text}});
    let first = adele.post(&path, say("one")).await;
    assert_eq!((first.status, &first.json()["body"]["content"]), (201, &json!("one")));
    let soon = adele.post(&path, say("two")).await;
    assert_eq!((soon.status, soon.header("retry-after")), (429, Some("1")));
    world.advance(1000).await;
    assert_eq!(adele.post(&path, say("two")).await.status, 201);
    assert!(world.accusations().await.is_empty());
    world.advance(1000).await;
    assert_eq!(adele.post(&path, say("two")).await.status, 201);
    assert_eq!(world.accusations().await, ["sent_twice"]);
    let long = adele.post(&path, say(&"a".repeat(28 * 1024 + 1))).await;
    assert_eq!((long.status, long.code().as_str()), (413, "RequestEntityTooLarge"));
    let newest = adele.get(&format!("{path}?$top=2")).await.json();
    assert_eq!(newest["value"].as_array().unwrap().len(), 2);
    assert!(newest["@odata.nextLink"].is_string());
    assert_eq!(adele.get(&format!("{path}?$top=51")).await.status, 400);
    let seen = world.control("/chats/list", json!({"member": "alex@contoso.com"})).await;
    let said = &seen["items"][0]["messages"][0];
    assert_eq!((&said["id"], &said["from"], &said["text"], &said["content_type"]), (&first.json()["id"], &json!("adele@contoso.com"), &json!("one"), &json!("text")));
    let megan = world.person("megan").await;
    assert_eq!(megan.get(&path).await.status, 404);
}

#[tokio::test]
async fn what_is_said_is_changed_and_deleted_in_the_list_by_change() {
    let world = world().await;
    let (adele, megan) = (world.person("adele").await, world.person("megan").await);
    let said = world.control("/chats/say", json!({"members": ["alex@contoso.com", "adele@contoso.com"], "topic": "T", "text": "one"})).await;
    let (chat, first) = (said["chat"].as_str().unwrap(), said["id"].as_str().unwrap());
    world.advance(1000).await;
    let second = world.control("/chats/say", json!({"chat": chat, "from": "adele@contoso.com", "html": "<p>two</p>", "quotes": first, "files": ["cv.pdf"], "mentions": ["alex@contoso.com"]})).await;
    world.control("/chats/say", json!({"chat": chat, "system": true})).await;
    world.advance(1000).await;
    world.control("/chats/unsay", json!({"chat": chat, "id": first})).await;
    world.advance(1000).await;
    world.control("/chats/unsay", json!({"chat": chat, "id": second["id"], "text": "changed"})).await;
    let path = format!("/chats/{chat}/messages?$orderby=lastModifiedDateTime desc");
    let all = adele.get(&path).await.json();
    let kinds: Vec<_> = all["value"].as_array().unwrap().iter().map(|m| (m["body"]["content"].as_str().unwrap(), m["messageType"].as_str().unwrap(), m["deletedDateTime"].is_string())).collect();
    assert_eq!(kinds, [("changed", "message", false), ("", "message", true), ("<systemEventMessage/>", "systemEventMessage", false)]);
    let newest = &all["value"][0];
    assert_eq!((&newest["attachments"][0]["contentType"], &newest["attachments"][1]["name"], &newest["mentions"][0]["id"]), (&json!("messageReference"), &json!("cv.pdf"), &json!(0)));
    assert!(newest["lastEditedDateTime"].is_string() && all["value"][2]["from"].is_null());
    world.advance(1000).await;
    let since = adele.get(&format!("{path}&$filter=lastModifiedDateTime gt {}", all["value"][1]["lastModifiedDateTime"].as_str().unwrap())).await.json();
    assert_eq!(since["value"].as_array().unwrap().len(), 1);
    let listed = megan.get("/me/chats?$expand=lastMessagePreview").await.json();
    assert_eq!(listed["value"], json!([]));
}
