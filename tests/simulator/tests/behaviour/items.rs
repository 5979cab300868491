use crate::client::*;
use serde_json::json;

#[tokio::test]
async fn lists_page_filter_and_count() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/mail/many", json!({"mailbox": "adele@contoso.com", "count": 25, "subject": "M"})).await;
    let first = adele.get("/me/mailFolders/inbox/messages?$count=true&$select=subject").await.json();
    assert_eq!((first["@odata.count"].as_u64(), first["value"].as_array().unwrap().len()), (Some(25), 10));
    assert_eq!(first["value"][0]["subject"], "M 25");
    let second = adele.get(first["@odata.nextLink"].as_str().unwrap()).await.json();
    assert_eq!(second["value"][0]["subject"], "M 15");
    let changed = first["@odata.nextLink"].as_str().unwrap().replace("$select=subject", "$select=isRead");
    adele.get(&changed).await;
    assert_eq!(world.accusations().await, ["rebuilt_link"]);
    let since = "receivedDateTime ge 2026-01-15T08:58:00Z";
    let some =
        adele.get(&format!("/me/messages?$filter={since} and isRead eq false&$orderby=receivedDateTime desc")).await.json();
    assert_eq!(some["value"].as_array().unwrap().len(), 3);
    let complex = adele.get("/me/messages?$filter=isRead eq false&$orderby=receivedDateTime desc").await;
    assert_eq!(complex.code(), "InefficientFilter");
    for (filter, order, fits) in [
        ("receivedDateTime ge 2026-01-15T08:50:00Z and receivedDateTime lt 2026-01-15T08:55:00Z and isRead eq false", "receivedDateTime desc,isRead", true),
        ("receivedDateTime ge 2026-01-15T08:50:00Z and receivedDateTime lt 2026-01-15T08:55:00Z", "receivedDateTime asc,isRead", false),
        ("receivedDateTime ge 2026-01-15T08:50:00Z and isRead eq false", "isRead,receivedDateTime", false),
    ] {
        let answer = adele.get(&format!("/me/messages?$filter={filter}&$orderby={order}")).await;
        assert_eq!(answer.status == 200, fits, "{filter} by {order}");
        assert!(fits || answer.code() == "InefficientFilter");
    }
    let id = some["value"][0]["internetMessageId"].as_str().unwrap().replace('<', "%3C").replace('>', "%3E");
    let one = adele.get(&format!("/me/messages?$filter=internetMessageId eq '{id}'")).await.json();
    assert_eq!(one["value"].as_array().unwrap().len(), 1);
    assert_eq!(adele.get("/me/messages?$top=1001").await.status, 400);
    let folder = adele.get("/me/mailFolders/inbox").await.json();
    assert_eq!((&folder["totalItemCount"], &folder["unreadItemCount"]), (&json!(25), &json!(25)));
}

#[tokio::test]
async fn a_window_of_a_folder_is_listed_page_by_page_in_both_directions() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/mail/many", json!({"mailbox": "adele@contoso.com", "count": 25, "subject": "M"})).await;
    // The last of them came at nine, the others a minute apart.
    let window = "receivedDateTime ge 2026-01-15T08:45:00Z and receivedDateTime lt 2026-01-15T08:52:00Z";
    let mut wanted: Vec<String> = (10..17).map(|n| format!("M {n}")).collect();
    for way in ["asc", "desc"] {
        let mut url = format!("/me/mailFolders/inbox/messages?$select=subject&$top=3&$filter={window}&$orderby=receivedDateTime {way}");
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let page = adele.get(&url).await.json();
            found.extend(page["value"].as_array().unwrap().iter().map(|m| m["subject"].as_str().unwrap().to_string()));
            pages += 1;
            match page["@odata.nextLink"].as_str() {
                Some(link) => url = link.to_string(),
                None => break,
            }
        }
        assert_eq!((found, pages), (wanted.clone(), 3), "{way}");
        wanted.reverse();
    }
    assert!(world.accusations().await.is_empty());
}

#[tokio::test]
async fn what_may_be_changed_when() {
    let world = world().await;
    let adele = world.person("adele").await;
    let made = world.control("/mail", json!({"mailbox": "adele@contoso.com", "subject": "One", "text": "t"})).await;
    let path = format!("/me/messages/{}", made["id"].as_str().unwrap());
    let read = adele.send("PATCH", &path, Some(json!({"isRead": true, "categories": ["Red"]}))).await.json();
    assert_eq!((&read["isRead"], &read["categories"]), (&json!(true), &json!(["Red"])));
    assert_eq!(adele.send("PATCH", &path, Some(json!({"body": {"content": "x"}}))).await.status, 400);
    assert_eq!(adele.send("PATCH", &path, Some(json!({"colour": 1}))).await.status, 400);
    assert_eq!(adele.send("DELETE", &path, None).await.status, 204);
    let bin = adele.get("/me/mailFolders/deleteditems/messages").await.json();
    assert_eq!(bin["value"][0]["subject"], "One");
    assert_eq!(adele.send("DELETE", &path, None).await.status, 204);
    assert_eq!(adele.get(&path).await.code(), "ErrorItemNotFound");
    assert_eq!(adele.get("/me/messages/nonsense").await.code(), "ErrorInvalidIdMalformed");
}

#[tokio::test]
async fn attachments_can_be_listed_and_read() {
    let world = world().await;
    let adele = world.person("adele").await;
    let ask = json!({"mailbox": "adele@contoso.com", "subject": "A", "attachments": [{"name": "a.txt", "content_type": "text/plain", "text": "hello"}]});
    let id = world.control("/mail", ask).await["id"].as_str().unwrap().to_string();
    let list = adele.get(&format!("/me/messages/{id}/attachments?$select=name,size")).await.json();
    assert_eq!((&list["value"][0]["name"], &list["value"][0]["size"]), (&json!("a.txt"), &json!(5)));
    assert!(list["value"][0]["contentBytes"].is_null());
    let one = list["value"][0]["id"].as_str().unwrap();
    assert_eq!(adele.get(&format!("/me/messages/{id}/attachments/{one}/$value")).await.body, b"hello");
    let whole = adele.get(&format!("/me/messages/{id}?$expand=attachments")).await.json();
    assert_eq!((&whole["hasAttachments"], &whole["attachments"][0]["contentBytes"]), (&json!(true), &json!("aGVsbG8=")));
    let mime = adele.get(&format!("/me/messages/{id}/$value")).await;
    assert!(String::from_utf8(mime.body).unwrap().contains("aGVsbG8="));
}

#[tokio::test]
async fn the_same_seed_gives_the_same_ids() {
    let world = world().await;
    let mut seen = Vec::new();
    for seed in [7, 7, 8] {
        world.control("/reset", json!({"seed": seed})).await;
        let made = world.control("/mail", json!({"mailbox": "adele@contoso.com", "subject": "S"})).await;
        seen.push(made["id"].as_str().unwrap().to_string());
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    let ledger = world.control("/ledger", json!({})).await;
    assert_eq!(ledger["count"], 0);
}
