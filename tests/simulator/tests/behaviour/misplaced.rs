//! Answers that repeat a secret, or came to the wrong place.

use crate::client::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_refusal_repeats_the_token_in_every_encoding() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/faults", json!({"times": 0, "match": {"path": "/me"}, "do": {"echo": {"status": 404}}})).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..10 {
        let refused = adele.get("/me").await;
        assert_eq!(refused.status, 404);
        for text in [refused.code(), refused.header("request-id").unwrap().into(), refused.header("location").unwrap().into()] {
            assert!(text.len() > 10);
            assert_eq!(world.control("/secrets/find", json!({"text": text})).await["found"].as_array().map(Vec::len), Some(1), "{text}");
        }
        seen.insert(refused.header("location").unwrap().to_string());
    }
    // Without a plus or a slash in it, both kinds of base64 are one.
    assert!(seen.len() >= 9, "{seen:?}");
}

#[tokio::test]
async fn login_repeats_a_field_of_the_form_and_right_answers_a_token() {
    let world = world().await;
    let tokens = world.tokens("adele@contoso.com", SCOPE).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let end = &refresh[refresh.len() - 100..];
    world.control("/faults", json!({"match": {"host": "login"}, "do": {"echo": {"encodings": "plain", "code": "invalid_grant", "of": "refresh_token"}}})).await;
    let refused = world.refresh(refresh).await.json();
    assert_eq!(refused["error"], "invalid_grant");
    assert!(refused["error_description"].as_str().unwrap().contains(end) && refused["claims"].as_str().unwrap().contains(end));
    world.control("/faults", json!({"match": {"path": "/me$"}, "do": {"echo": {"encodings": "reversed", "fields": ["displayName", "mail=x "]}}})).await;
    let adele = Person { world: &world, token: tokens["access_token"].as_str().unwrap().into() };
    let me = adele.get("/me").await.json();
    assert!(me["mail"].as_str().unwrap().starts_with("x ") && me["id"].is_string());
    assert!(adele.token.chars().rev().collect::<String>().starts_with(me["displayName"].as_str().unwrap()));
    let refused = json!({"match": {}, "do": {"echo": {"places": "nowhere"}}}).to_string();
    assert_eq!(http("POST", &format!("{}/faults", world.sim.control()), &[], refused.as_bytes()).await.unwrap().status, 400);
}

/// Requests on one connection; answers what came back, whole.
async fn kept(world: &World, token: &str, paths: &[&str]) -> Vec<String> {
    let root = world.sim.graph();
    let (host, root) = root.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let mut all = Vec::new();
    for path in paths {
        let asked = format!("GET /{root}{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nclient-request-id: id-of-{path}\r\n\r\n");
        stream.write_all(asked.as_bytes()).await.unwrap();
        let (mut raw, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&raw).into_owned();
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
            if let (Some(length), Some((_, body))) = (length, text.split_once("\r\n\r\n"))
                && body.len() >= length
            {
                all.push(text);
                break;
            }
            let n = stream.read(&mut buffer).await.unwrap();
            assert!(n > 0, "cut");
            raw.extend_from_slice(&buffer[..n]);
        }
    }
    all
}

#[tokio::test]
async fn answers_of_a_connection_slip_by_one() {
    let world = world().await;
    let adele = world.person("adele").await;
    let (me, inbox, drafts) = ("/me?$select=id", "/me/mailFolders/inbox?$select=displayName", "/me/mailFolders/drafts?$select=displayName");
    for (ids, named) in [("kept", Some(me)), ("own", Some(inbox)), ("none", None)] {
        world.control("/faults", json!({"match": {"path": "/me\\?"}, "do": {"slip": "connection", "ids": ids}})).await;
        let all = kept(&world, &adele.token, &[me, inbox, drafts]).await;
        assert!(all[0].contains(&format!("id-of-{me}")) && !all[1].contains("Inbox") && all[2].contains("Inbox"), "{ids}");
        match named {
            Some(path) => assert!(all[1].contains(&format!("id-of-{path}")), "{ids}"),
            None => assert!(!all[1].contains("client-request-id: "), "{ids}"),
        }
        let other = kept(&world, &adele.token, &[inbox, drafts]).await;
        assert!(other[0].contains("Inbox") && other[1].contains("Drafts"), "another connection has not slipped");
    }
    world.control("/faults", json!({"times": 0, "match": {"path": "mailFolders"}, "do": {"slip": "everybody"}})).await;
    let all = [kept(&world, &adele.token, &[inbox]).await, kept(&world, &adele.token, &[drafts]).await, kept(&world, &adele.token, &[me]).await].concat();
    assert!(all[0].contains("Inbox") && all[1].contains("Inbox") && !all[2].contains("displayName"));
}

#[tokio::test]
async fn an_answer_is_about_something_else() {
    let world = world().await;
    let (adele, alex) = (world.person("adele").await, world.person("alex").await);
    let id = alex.get("/me?$select=id").await.json()["id"].clone();
    let fault = async |action: Value| world.control("/faults", json!({"match": {"path": "/me"}, "do": action})).await;
    fault(json!({"other": "person", "as": "alex@contoso.com"})).await;
    assert_eq!(adele.get("/me?$select=id").await.json()["id"], id);
    assert_ne!(adele.get("/me?$select=id").await.json()["id"], id);
    fault(json!({"other": "folder", "folder": "drafts"})).await;
    assert_eq!(adele.get("/me/mailFolders/inbox?$select=displayName").await.json()["displayName"], "Drafts");
    fault(json!({"other": "request"})).await;
    assert!(adele.get("/me").await.header("client-request-id").is_some_and(|id| id.len() == 36));
    fault(json!({"other": "person", "as": "alex@contoso.com"})).await;
    assert_eq!(adele.post("/me/messages", json!({"subject": "s"})).await.status, 201);
    let drafts = world.control("/mail/list", json!({"mailbox": "adele@contoso.com", "folder": "drafts"})).await;
    assert_eq!(drafts["total"], 1, "nothing is written in another's name");
    world.control("/oddities", json!({"no_client_request_id": true})).await;
    assert_eq!(adele.get("/me").await.header("client-request-id"), None);
}

#[tokio::test]
async fn a_batch_tells_too_much() {
    let world = world().await;
    let adele = world.person("adele").await;
    let ids = async |items: &str| {
        world.control("/faults", json!({"match": {"path": "batch"}, "do": {"items": items}})).await;
        let asked: Vec<Value> = ["inbox", "drafts", "archive"].iter().enumerate().map(|(n, name)| json!({"id": n.to_string(), "method": "GET", "url": format!("/me/mailFolders/{name}")})).collect();
        let told = adele.post("/$batch", json!({"requests": asked})).await.json();
        let all = told["responses"].as_array().unwrap().clone();
        let ids: Vec<String> = all.iter().map(|item| item["id"].as_str().unwrap_or("-").to_string()).collect();
        (ids, all)
    };
    let (twice, all) = ids("twice").await;
    assert_eq!((twice.len(), &twice[3]), (4, &twice[0]));
    assert_ne!(all[0]["body"], all[3]["body"]);
    let (same, all) = ids("same").await;
    assert_eq!((same.len(), &all[0]), (4, &all[3]));
    let (unknown, _) = ids("unknown").await;
    assert_eq!(unknown[..2], ["999", "-"]);
    assert_eq!(ids("reversed").await.0, ["2", "1", "0"]);
}
