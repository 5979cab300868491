use crate::client::*;
use serde_json::{Value, json};

const PART: usize = 320 << 10;

async fn draft(adele: &Person<'_>) -> String {
    let draft = json!({"subject": "Plan", "toRecipients": to("alex@contoso.com")});
    format!("/me/messages/{}", adele.post("/me/messages", draft).await.json()["id"].as_str().unwrap())
}

async fn session(adele: &Person<'_>, draft: &str, size: usize) -> Reply {
    let item = json!({"AttachmentItem": {"attachmentType": "file", "name": "big.bin", "size": size, "contentType": "application/x-big"}});
    adele.post(&format!("{draft}/attachments/createUploadSession"), item).await
}

async fn put(url: &str, from: usize, part: &[u8], size: usize) -> std::io::Result<Reply> {
    let range = format!("bytes {from}-{}/{size}", from + part.len() - 1);
    http("PUT", url, &[("Content-Range", &range), ("Content-Type", "application/octet-stream")], part).await
}

fn url(session: &Reply) -> String {
    session.json()["uploadUrl"].as_str().unwrap().to_string()
}

#[tokio::test]
async fn a_file_comes_in_ranges_and_leaves_with_the_draft() {
    let world = world().await;
    let adele = world.person("adele").await;
    let draft = draft(&adele).await;
    let content: Vec<u8> = (0..PART * 2 + 5).map(|n| n as u8).collect();
    let begun = session(&adele, &draft, content.len()).await;
    assert_eq!((begun.status, &begun.json()["nextExpectedRanges"]), (201, &json!(["0-"])));
    let url = url(&begun);
    let first = put(&url, 0, &content[..PART], content.len()).await.unwrap();
    assert_eq!((first.status, &first.json()["nextExpectedRanges"]), (200, &json!([format!("{PART}-")])));
    // Twice, and one too far.
    assert_eq!(put(&url, 0, &content[..PART], content.len()).await.unwrap().status, 416);
    assert_eq!(put(&url, PART * 2, &content[PART * 2..], content.len()).await.unwrap().status, 409);
    // The connection breaks in the middle of a range.
    world.control("/faults", json!({"match": {"method": "PUT", "path": "AttachmentSessions"}, "do": {"cut_request": 1234}})).await;
    assert!(put(&url, PART, &content[PART..PART * 2], content.len()).await.is_err());
    let next = http("GET", &url, &[], b"").await.unwrap().json()["nextExpectedRanges"][0].as_str().unwrap().to_string();
    assert_eq!(next, format!("{}-", PART + 1234));
    let last = put(&url, PART + 1234, &content[PART + 1234..], content.len()).await.unwrap();
    assert_eq!(last.status, 201);
    assert!(last.header("location").unwrap().contains("/Attachments('"));
    assert_eq!(http("GET", &url, &[], b"").await.unwrap().status, 404);
    assert_eq!(adele.send("POST", &format!("{draft}/send"), None).await.status, 202);
    let inbox = world.control("/mail/list", json!({"mailbox": "alex@contoso.com", "hashes": true})).await;
    let file = &inbox["items"][0]["files"][0];
    assert_eq!((&file["name"], &file["size"], &file["content_type"]), (&json!("big.bin"), &json!(content.len()), &json!("application/x-big")));
    let hash: String = <sha2::Sha256 as sha2::Digest>::digest(&content).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(file["sha256"], hash);
    assert_eq!(world.accusations().await, [""; 0]);
}

#[tokio::test]
async fn sessions_end_and_ranges_have_their_rules() {
    let world = world().await;
    let adele = world.person("adele").await;
    let draft = draft(&adele).await;
    world.control("/limits", json!({"upload_seconds": 600})).await;
    let begun = url(&session(&adele, &draft, PART * 2).await);
    let odd = vec![0; PART - 1];
    world.control("/oddities", json!({"aligned_ranges": true})).await;
    assert_eq!(put(&begun, 0, &odd, PART * 2).await.unwrap().status, 400);
    world.control("/oddities", json!({"aligned_ranges": false})).await;
    assert_eq!(put(&begun, 0, &odd, PART * 2).await.unwrap().status, 200);
    assert_eq!(put(&begun, PART - 1, &odd, PART * 3).await.unwrap().status, 400);
    let too_much = vec![0; (4 << 20) + 1];
    assert_eq!(put(&begun, PART - 1, &too_much, PART * 2).await.unwrap().status, 400);
    // Nobody's token belongs there.
    let bearer = format!("Bearer {}", adele.token);
    assert_eq!(http("GET", &begun, &[("Authorization", &bearer)], b"").await.unwrap().status, 401);
    assert_eq!(world.accusations().await, ["token_leak"]);
    assert_eq!(http("GET", &begun.replace("authtoken=", "authtoken=x"), &[], b"").await.unwrap().status, 401);
    world.advance(601_000).await;
    assert_eq!(put(&begun, PART - 1, &odd, PART * 2).await.unwrap().status, 404);
    let begun = url(&session(&adele, &draft, PART).await);
    assert_eq!(http("DELETE", &begun, &[], b"").await.unwrap().status, 204);
    assert_eq!(http("GET", &begun, &[], b"").await.unwrap().status, 404);
}

#[tokio::test]
async fn a_message_larger_than_its_tenant_takes_is_refused() {
    let world = world().await;
    let adele = world.person("adele").await;
    let draft = draft(&adele).await;
    let refused = session(&adele, &draft, 36 << 20).await;
    assert_eq!((refused.status, refused.code()), (413, "ErrorMessageSizeExceeded".to_string()));
    world.control("/tenants", json!({"domain": "contoso.com", "message_max": 40 << 20})).await;
    assert_eq!(session(&adele, &draft, 36 << 20).await.status, 201);
    // One that grew meanwhile.
    world.control("/tenants", json!({"domain": "contoso.com", "message_max": PART})).await;
    let begun = url(&session(&adele, &draft, PART).await);
    let other = url(&session(&adele, &draft, 1).await);
    assert_eq!(put(&other, 0, b"x", 1).await.unwrap().status, 201);
    let refused = put(&begun, 0, &vec![0; PART], PART).await.unwrap();
    assert_eq!((refused.status, refused.code()), (413, "ErrorMessageSizeExceeded".to_string()));
    let listed: Value = adele.get(&format!("{draft}/attachments")).await.json();
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);
}
