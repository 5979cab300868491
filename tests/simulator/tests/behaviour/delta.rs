use crate::client::*;
use serde_json::{Value, json};
use std::collections::HashSet;

const DELTA: &str = "/me/mailFolders/inbox/messages/delta?$select=subject,isRead";

async fn many(world: &World, count: u32) {
    world.control("/mail/many", json!({"mailbox": "adele@contoso.com", "count": count, "subject": "M"})).await;
}

#[tokio::test]
async fn pages_lead_to_a_delta_link_and_nothing_is_missed() {
    let world = world().await;
    let adele = world.person("adele").await;
    many(&world, 25).await;
    let (items, link) = adele.round(DELTA, 10).await;
    let ids: HashSet<&str> = items.iter().map(|i| i["id"].as_str().unwrap()).collect();
    assert_eq!((items.len(), ids.len()), (25, 25));
    assert!(items[0]["body"].is_null() && items[0]["isRead"] == false);
    let (none, link) = adele.round(&link, 10).await;
    assert!(none.is_empty());
    many(&world, 3).await;
    let (new, _) = adele.round(&link, 2).await;
    assert_eq!(subjects(&new), ["M 1", "M 2", "M 3"]);
    assert!(world.accusations().await.is_empty());
}

#[tokio::test]
async fn a_move_leaves_one_folder_and_enters_another() {
    let world = world().await;
    let adele = world.person("adele").await;
    many(&world, 2).await;
    let (_, inbox) = adele.round(DELTA, 10).await;
    let (_, archive) = adele.round("/me/mailFolders/archive/messages/delta", 10).await;
    let id =
        world.control("/mail/move", json!({"mailbox": "adele@contoso.com", "subject": "M 1", "folder": "archive"})).await["id"]
            .clone();
    world.control("/mail/change", json!({"mailbox": "adele@contoso.com", "subject": "M 2", "is_read": true})).await;
    let (left, _) = adele.round(&inbox, 10).await;
    let removed: Vec<&Value> = left.iter().filter(|i| !i["@removed"].is_null()).collect();
    assert_eq!((removed.len(), &removed[0]["id"], &removed[0]["@removed"]["reason"]), (1, &id, &json!("deleted")));
    assert!(left.iter().any(|i| i["subject"] == "M 2" && i["isRead"] == true));
    let (arrived, _) = adele.round(&archive, 10).await;
    assert_eq!((arrived.len(), &arrived[0]["id"]), (1, &id));
}

#[tokio::test]
async fn default_ids_change_with_the_folder_and_differ_by_case() {
    let world = world().await;
    let adele = world.person("adele").await;
    many(&world, 6).await;
    let list = adele.try_call("GET", "/me/messages", "odata.maxpagesize=50", None).await.unwrap().json();
    let ids: Vec<String> = list["value"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_string()).collect();
    let folded: HashSet<String> = ids.iter().map(|i| i.to_lowercase()).collect();
    assert!(folded.len() < ids.len(), "some ids differ by case alone");
    let path = format!("/me/messages/{}/move", ids[0]);
    let moved = adele.try_call("POST", &path, "", Some(json!({"destinationId": "archive"}))).await.unwrap();
    assert_eq!(moved.status, 201);
    assert_ne!(moved.json()["id"], ids[0]);
    assert_eq!(adele.get(&format!("/me/messages/{}", ids[0])).await.code(), "ErrorItemNotFound");
    let by_new = adele.get(&format!("/me/messages/{}", moved.json()["id"].as_str().unwrap())).await;
    assert_eq!(by_new.status, 200);
    // Asked for so, the answer to the default id has the immutable one, and that is good too.
    let immutable = by_new.json()["id"].as_str().unwrap().to_string();
    assert_eq!(adele.get(&format!("/me/messages/{immutable}")).await.status, 200);
    assert!(world.accusations().await.contains(&"no_immutable_id".to_string()));
}

#[tokio::test]
async fn a_filter_and_an_order_by_date() {
    let world = world().await;
    let adele = world.person("adele").await;
    many(&world, 30).await;
    let query = "/me/mailFolders/inbox/messages/delta?$filter=receivedDateTime ge 2026-01-15T08:50:00Z&$select=subject";
    let (items, link) = adele.round(query, 4).await;
    assert_eq!(subjects(&items).first(), Some(&"M 30"));
    assert_eq!(items.len(), 11);
    world.advance(1000).await;
    many(&world, 1).await;
    let (new, _) = adele.round(&link, 4).await;
    assert_eq!(subjects(&new), ["M 1"]);
    let refused = adele.get("/me/mailFolders/inbox/messages/delta?$filter=isRead eq false").await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_filtered_delta_tells_of_five_thousand_at_most() {
    let world = world().await;
    let adele = world.person("adele").await;
    many(&world, 5200).await;
    let query = "/me/mailFolders/inbox/messages/delta?$filter=receivedDateTime ge 2020-01-01T00:00:00Z&$select=id";
    assert_eq!(adele.round(query, 1000).await.0.len(), 5000);
    assert_eq!(adele.round("/me/mailFolders/inbox/messages/delta?$select=id", 1000).await.0.len(), 5200);
}

#[tokio::test]
async fn a_link_that_was_changed_is_known() {
    let world = world().await;
    let adele = world.person("adele").await;
    many(&world, 5).await;
    let (_, link) = adele.round(DELTA, 10).await;
    let more = format!("{link}&$select=subject");
    adele.get(&more).await;
    assert_eq!(world.accusations().await, ["rebuilt_link"]);
    let broken = link.replace("deltatoken=", "deltatoken=A");
    assert_eq!(adele.get(&broken).await.status, 400);
    world.control("/reset", json!({})).await;
    let adele = world.person("adele").await;
    let gone = adele.get(&link).await;
    assert_eq!((gone.status, gone.code().as_str()), (410, "SyncStateNotFound"));
}

#[tokio::test]
async fn folders_have_a_delta_too() {
    let world = world().await;
    let adele = world.person("adele").await;
    let (all, link) = adele.round("/me/mailFolders/delta", 3).await;
    assert!(all.iter().any(|f| f["displayName"] == "Inbox") && all.iter().all(|f| f["isHidden"] == false));
    let made = adele.post("/me/mailFolders", json!({"displayName": "Projects"})).await;
    assert_eq!(made.status, 201);
    let (new, link) = adele.round(&link, 3).await;
    assert_eq!((new.len(), &new[0]["displayName"]), (1, &json!("Projects")));
    let id = new[0]["id"].as_str().unwrap();
    assert_eq!(adele.send("DELETE", &format!("/me/mailFolders/{id}"), None).await.status, 204);
    assert!(!adele.round(&link, 3).await.0[0]["@removed"].is_null());
}

#[tokio::test]
async fn ten_thousand_are_served_in_no_time() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/mail/many", json!({"mailbox": "adele@contoso.com", "count": 10_000, "size": 3000})).await;
    let start = std::time::Instant::now();
    let (items, _) = adele.round("/me/mailFolders/inbox/messages/delta", 200).await;
    // The client's own work is in this; the simulator's part is about half a second.
    assert_eq!(items.len(), 10_000);
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
}
