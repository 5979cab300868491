use crate::client::*;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ADELE: &str = "adele@contoso.com";

/// A notification URL of this machine; what it was sent, and what it answers.
struct Hook {
    url: String,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
    status: Arc<Mutex<u16>>,
}

impl Hook {
    async fn open() -> Hook {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
        let (seen, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(202)));
        let (noted, told) = (seen.clone(), status.clone());
        tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let mut raw = Vec::new();
                let (head, length) = loop {
                    let mut some = [0; 4096];
                    let n = stream.read(&mut some).await.unwrap();
                    raw.extend_from_slice(&some[..n]);
                    if let Some(end) = raw.windows(4).position(|w| w == b"\r\n\r\n") {
                        let head = String::from_utf8_lossy(&raw[..end]).to_string();
                        let length: usize = head.to_ascii_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok()).unwrap_or(0);
                        break (head, end + 4 + length);
                    }
                };
                while raw.len() < length {
                    let mut some = [0; 4096];
                    let n = stream.read(&mut some).await.unwrap();
                    raw.extend_from_slice(&some[..n]);
                }
                let path = head.split(' ').nth(1).unwrap_or("").to_string();
                let body = head.len() + 4;
                noted.lock().unwrap().push((path.clone(), serde_json::from_slice(&raw[body..]).unwrap_or_default()));
                let token = path.split_once("validationToken=").map(|(_, token)| url::form_urlencoded::parse(format!("t={token}").as_bytes()).next().unwrap().1.into_owned());
                let answer = match token {
                    Some(token) => format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{token}", token.len()),
                    None => format!("HTTP/1.1 {} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", *told.lock().unwrap()),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Hook { url, seen, status }
    }

    async fn posts(&self, count: usize) -> Vec<(String, Value)> {
        loop {
            let seen = self.seen.lock().unwrap().clone();
            if seen.len() >= count {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

fn wanted(url: &str) -> Value {
    json!({
        "changeType": "created,updated,deleted", "notificationUrl": url, "lifecycleNotificationUrl": url, "resource": "/me/messages",
        "expirationDateTime": "2026-01-18T09:00:00Z", "clientState": "state",
    })
}

#[tokio::test]
async fn a_subscription_is_made_after_its_urls_have_answered_and_tells_of_changes() {
    let world = world().await;
    let (hook, adele) = (Hook::open().await, world.person("adele").await);
    let made = adele.post("/subscriptions", wanted(&hook.url)).await;
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let asked = hook.posts(2).await;
    assert!(asked.iter().all(|(path, _)| path.starts_with("/hook?a=b&validationToken=Validation%3a")), "{asked:?}");
    world.control("/mail", json!({"mailbox": ADELE, "subject": "Hi"})).await;
    world.control("/mail/change", json!({"mailbox": ADELE, "subject": "Hi", "is_read": true})).await;
    world.control("/mail/move", json!({"mailbox": ADELE, "subject": "Hi", "folder": "archive"})).await;
    let mut told = Vec::new();
    while told.len() < 4 {
        told = hook.posts(3).await.iter().skip(2).flat_map(|(_, body)| body["value"].as_array().cloned().unwrap_or_default()).collect();
        tokio::task::yield_now().await;
    }
    let kinds: Vec<&str> = told.iter().map(|item| item["changeType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["created", "updated", "deleted", "created"]);
    let ids: Vec<&Value> = told.iter().map(|item| &item["resourceData"]["id"]).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.as_str().unwrap().starts_with("AAkA")), "{ids:?}");
    assert!(told.iter().all(|item| item["clientState"] == "state" && item["subscriptionId"] == made.json()["id"] && item["tenantId"].is_string()));
    let shown = adele.get("/subscriptions").await.json();
    assert_eq!(shown["value"][0]["clientState"], "state");
    assert!(world.person("alex").await.get("/subscriptions").await.json()["value"].as_array().unwrap().is_empty());
    let id = made.json()["id"].as_str().unwrap().to_string();
    assert_eq!(adele.send("POST", &format!("/subscriptions/{id}/reauthorize"), None).await.status, 204);
    let renewed = adele.send("PATCH", &format!("/subscriptions/{id}"), Some(json!({"expirationDateTime": "2026-01-20T09:00:00Z"}))).await;
    assert_eq!((renewed.status, renewed.json()["expirationDateTime"].as_str()), (200, Some("2026-01-20T09:00:00.000Z")));
    assert_eq!(adele.send("DELETE", &format!("/subscriptions/{id}"), None).await.status, 204);
    assert_eq!(adele.send("DELETE", &format!("/subscriptions/{id}"), None).await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let world = world().await;
    let (hook, adele) = (Hook::open().await, world.person("adele").await);
    for (name, value, status) in [
        ("changeType", json!("read"), 400),
        ("notificationUrl", json!("http://app.example.com/"), 400),
        ("expirationDateTime", json!("2026-01-15T08:00:00Z"), 400),
        ("expirationDateTime", json!("2026-01-25T09:00:00Z"), 400),
        ("clientState", json!("x".repeat(129)), 400),
        ("resource", json!("users/alex@contoso.com/messages"), 403),
        ("resource", json!("me/events"), 501),
        ("includeResourceData", json!(true), 400),
    ] {
        let mut body = wanted(&hook.url);
        body[name] = value;
        let refused = adele.post("/subscriptions", body).await;
        assert_eq!(refused.status, status, "{name}: {}", String::from_utf8_lossy(&refused.body));
    }
    assert!(hook.seen.lock().unwrap().is_empty(), "nothing is asked of a URL in vain");
    // Too short a life is made longer.
    let short = json!({"expirationDateTime": "2026-01-15T09:01:00Z"});
    let mut body = wanted(&hook.url);
    body["expirationDateTime"] = short["expirationDateTime"].clone();
    assert_eq!(adele.post("/subscriptions", body).await.json()["expirationDateTime"], "2026-01-15T09:45:00.000Z");
    let closed = wanted("http://127.0.0.1:1/");
    let refused = adele.post("/subscriptions", closed);
    let refused = tokio::time::timeout(std::time::Duration::from_secs(30), refused).await.unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (400, "ValidationError"));
    world.control("/oddities", json!({"subscriptions_full": true})).await;
    assert_eq!(adele.post("/subscriptions", wanted(&hook.url)).await.status, 403);
    world.control("/oddities", json!({"subscriptions_full": false, "subscriptions_taken": true})).await;
    assert_eq!(adele.post("/subscriptions", wanted(&hook.url)).await.status, 409);
    world.control("/oddities", json!({"old_subscription_lifetimes": true, "subscriptions_taken": false})).await;
    let refused = adele.post("/subscriptions", wanted(&hook.url).as_object().map(|body| {
        let mut body = body.clone();
        body.insert("expirationDateTime".into(), json!("2026-01-19T09:00:00Z"));
        Value::Object(body)
    }).unwrap()).await;
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("4230 minutes"));
}

#[tokio::test]
async fn a_post_that_is_not_taken_comes_again_and_is_missed_after_four_hours() {
    let world = world().await;
    let (hook, adele) = (Hook::open().await, world.person("adele").await);
    adele.post("/subscriptions", wanted(&hook.url)).await;
    *hook.status.lock().unwrap() = 503;
    world.control("/mail", json!({"mailbox": ADELE, "subject": "Hi"})).await;
    let mut seen = hook.posts(3).await.len();
    for wait in [20_000, 40_000, 80_000] {
        // The answer is noted a moment after it was given.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        world.advance(wait + 1_000).await;
        seen = hook.posts(seen + 1).await.len();
    }
    *hook.status.lock().unwrap() = 202;
    for _ in 0..40 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        world.advance(600_000).await;
    }
    let last = hook.posts(seen + 1).await;
    assert_eq!(last.last().unwrap().1["value"][0]["changeType"], "created");
    *hook.status.lock().unwrap() = 500;
    world.control("/mail", json!({"mailbox": ADELE, "subject": "Lost"})).await;
    for _ in 0..60 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        world.advance(600_000).await;
    }
    *hook.status.lock().unwrap() = 202;
    loop {
        let seen = hook.posts(1).await;
        if seen.iter().any(|(_, body)| body["value"][0]["lifecycleEvent"] == "missed") {
            break;
        }
        world.advance(60_000).await;
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_is_for_other_machines_waits_until_a_test_takes_it() {
    let world = world().await;
    let adele = world.person("adele").await;
    let taking = async {
        let taken = world.control("/notifications/take", json!({})).await;
        for post in taken["posts"].as_array().unwrap() {
            let token = post["query"].as_str().unwrap().split_once("validationToken=").unwrap().1;
            let token = url::form_urlencoded::parse(format!("t={token}").as_bytes()).next().unwrap().1.into_owned();
            world.control("/notifications/answer", json!({"id": post["id"], "status": 200, "content_type": "text/plain", "body": token})).await;
        }
        taken["posts"].as_array().unwrap().len()
    };
    let (made, asked) = tokio::join!(adele.post("/subscriptions", wanted("https://app.example.com/hook")), taking);
    assert_eq!((made.status, asked), (201, 2));
    world.control("/oddities", json!({"notifications_mixed": true, "notifications_doubled": true})).await;
    world.control("/mail", json!({"mailbox": ADELE, "subject": "Hi"})).await;
    let taken = world.control("/notifications/take", json!({})).await;
    let body: Value = serde_json::from_str(taken["posts"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!((taken["posts"][0]["path"].as_str(), body["value"].as_array().unwrap().len()), (Some("/hook"), 5));
    world.control("/notifications/answer", json!({"id": taken["posts"][0]["id"], "status": 202})).await;
    for event in ["reauthorizationRequired", "missed", "subscriptionRemoved"] {
        world.control("/subscriptions/tell", json!({"mailbox": ADELE, "event": event})).await;
        let taken = world.control("/notifications/take", json!({})).await;
        let body: Value = serde_json::from_str(taken["posts"][0]["body"].as_str().unwrap()).unwrap();
        assert_eq!((body["value"][0]["lifecycleEvent"].as_str(), body["value"][0]["clientState"].as_str()), (Some(event), Some("state")));
        world.control("/notifications/answer", json!({"id": taken["posts"][0]["id"], "status": 202})).await;
    }
    let left = world.control("/subscriptions/list", json!({})).await;
    assert_eq!((left["items"].as_array().unwrap().len(), left["waiting"].as_u64()), (0, Some(0)));
}
