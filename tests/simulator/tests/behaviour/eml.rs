use crate::client::*;
use serde_json::json;

async fn load(world: &World, raw: &[u8]) -> serde_json::Value {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(raw);
    let done = world.control("/mail/eml", json!({"mailbox": "adele@contoso.com", "base64": text})).await;
    assert_eq!(done["count"], 1, "{done}");
    let list = world.control("/mail/list", json!({"mailbox": "adele@contoso.com"})).await;
    list["items"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn a_mail_with_parts_is_taken_apart() {
    let world = world().await;
    let raw = b"Received: from x by y; Wed, 14 Jan 2026 10:00:05 +0100\r\nFrom: \"Ann B\" <ann@example.com>\r\nTo: adele@contoso.com, odd address\r\n\
        Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nDate: Wed, 14 Jan 2026 10:00:00 +0100\r\nMessage-ID: <m1@example.com>\r\n\
        Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n\
        --B\r\nContent-Type: image/png; name=p.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0K\r\n--B--\r\n";
    let item = load(&world, raw).await;
    assert_eq!(
        (&item["subject"], &item["received"], &item["sent"]),
        (&json!("Gr\u{fc}\u{df}e"), &json!("2026-01-14T09:00:05Z"), &json!("2026-01-14T09:00:00Z"))
    );
    assert_eq!(item["to"].as_array().unwrap().len(), 2);
    assert_eq!((&item["body_type"], &item["attachments"]), (&json!("html"), &json!(["p.png"])));
    let adele = world.person("adele").await;
    let path = format!("/me/messages/{}", item["id"].as_str().unwrap());
    assert_eq!(adele.get(&format!("{path}/$value")).await.body, raw);
    let headers = adele.get(&format!("{path}?$select=internetMessageHeaders")).await.json();
    assert!(headers["internetMessageHeaders"].as_array().unwrap().iter().any(|h| h["name"] == "Message-ID"));
}

#[tokio::test]
async fn broken_mail_passes() {
    let world = world().await;
    let adele = world.person("adele").await;
    let many: String = (0..3000).map(|n| format!("p{n}@example.com, ")).collect();
    let mails: [Vec<u8>; 6] = [
        b"\0\0\0".to_vec(),
        b"Subject: no more than this".to_vec(),
        b"From: x\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n\r\na\0b\xff\xfe".to_vec(),
        b"From: <>\r\nDate: Sun, 01 Jan 2040 00:00:00 +0000\r\nContent-Type: text/plain; charset=no-such\r\n\r\n\xe4\xf6"
            .to_vec(),
        format!("From: a@b.c\r\nTo: {many}\r\nSubject: crowd\r\n\r\nhi").into_bytes(),
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--y\r\nnever closed".to_vec(),
    ];
    for raw in &mails {
        load(&world, raw).await;
    }
    let (items, _) = adele.round("/me/mailFolders/inbox/messages/delta", 3).await;
    assert_eq!(items.len(), mails.len());
    let crowd = items.iter().find(|i| i["subject"] == "crowd").unwrap();
    assert_eq!(crowd["toRecipients"].as_array().unwrap().len(), 3000);
    assert!(items.iter().any(|i| i["receivedDateTime"] == "2040-01-01T00:00:00Z"));
}

/// The public corpus of spam and ham, where it is at hand: EML_CORPUS names the folder with its folders.
#[tokio::test]
async fn every_mail_of_the_corpus_loads() {
    let Ok(corpus) = std::env::var("EML_CORPUS") else {
        return;
    };
    let world = world().await;
    let mut count = 0;
    for folder in std::fs::read_dir(corpus).unwrap().filter_map(|f| f.ok()).filter(|f| f.path().is_dir()) {
        let ask = json!({"mailbox": "adele@contoso.com", "path": folder.path()});
        let done = world.control("/mail/eml", ask).await;
        assert_eq!(done["refused"], json!([]));
        count += done["count"].as_u64().unwrap();
    }
    assert_eq!(count, 6046);
    let adele = world.person("adele").await;
    let (items, _) = adele.round("/me/mailFolders/inbox/messages/delta", 500).await;
    assert_eq!(items.len(), 6046);
}
