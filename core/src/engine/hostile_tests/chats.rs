//! Chats and what is said in them, of any form.

use super::*;
use crate::error::ErrorKind;

fn chat(id: &str, at: &str) -> String {
    json!({ "id": id, "lastUpdatedDateTime": at, "lastMessagePreview": { "id": "1", "createdDateTime": at, "body": { "content": "x" } } }).to_string()
}

fn said(id: &str, text: &str, at: &str) -> String {
    json!({ "id": id, "createdDateTime": at, "lastModifiedDateTime": at, "body": { "contentType": "text", "content": text } }).to_string()
}

/// `2026-09-21T14:13:20Z` is when these tests begin.
const AT: &str = "2026-09-21T09:00:00Z";

/// Chats, and of each of them by its id what is said there.
fn shows(chats: Vec<String>, messages: impl Fn(&str, &str) -> Answer + Send + Sync) -> impl Fn(&Seen) -> Answer + Send + Sync {
    move |request| match request.uri().path() {
        "/v1.0/me/chats" => list(&chats),
        path => messages(path.trim_start_matches("/v1.0/chats/").trim_end_matches("/messages"), request.uri().query().unwrap_or_default()),
    }
}

#[tokio::test]
async fn whatever_is_said_the_rest_of_it_is_stored() {
    let mut items = vec![said("first", "First", AT)];
    items.extend(texts(&["null", "7", "[]", "{}", r#"{"id":null}"#, r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"timeless"}"#, r#"{"id":"odd","createdDateTime":[]}"#, r#"{"id":"year 1","createdDateTime":"0001-01-01T00:00:00Z"}"#]));
    items.push(format!(r#"{{"id":"{}"}}"#, "x".repeat(10_000)));
    items.push(deep());
    items.push(json!({ "id": "changed", "lastModifiedDateTime": AT, "body": { "content": "Changed" } }).to_string());
    items.extend([said("last", "Last", AT), said("last", "Last, as it was", AT), said("LAST", "Another id", AT)]);
    let world = World::new(shows(vec![chat("c", AT)], move |_, _| list(&items))).await;
    assert_eq!(world.sync_chats().await.unwrap(), 4);
    assert_eq!(world.bodies().await, ["Another id", "Changed", "First", "Last"]);
    assert_eq!(world.sync_chats().await.unwrap(), 0);
}

#[tokio::test]
async fn a_property_of_any_type_leaves_the_others_as_they_are() {
    let mut items = Vec::new();
    for property in ["messageType", "from", "subject", "importance", "mentions", "attachments", "lastEditedDateTime", "lastModifiedDateTime", "unknown"] {
        for value in odd_values() {
            items.push(format!(r#"{{"id":"{}","createdDateTime":"{AT}","body":{{"content":"Text"}},"{property}":{value}}}"#, items.len()));
        }
    }
    let many: Vec<Value> = (0..10_000).map(|n| json!({ "mentionText": format!("N{n}") })).collect();
    items.push(json!({ "id": "large", "createdDateTime": AT, "body": { "content": "Text" }, "subject": "s".repeat(1 << 20), "mentions": many }).to_string());
    let count = items.len();
    let world = World::new(shows(vec![chat("c", AT)], move |_, _| list(&items))).await;
    assert_eq!(world.sync_chats().await.unwrap() as usize, count);
    assert!(world.bodies().await.iter().all(|body| body == "Text"));
}

#[tokio::test]
async fn a_message_of_a_time_to_come_hides_none_of_those_before_it() {
    let world = World::new(shows(vec![chat("c", AT)], |_, _| list(&[said("1", "From afar", "9999-12-30T00:00:00Z"), said("2", "Now", AT)]))).await;
    assert_eq!(world.sync_chats().await.unwrap(), 2);
    world.clock.advance(86_400_000);
    world.becomes(shows(vec![chat("c", "2026-09-22T09:00:00Z")], |_, query| {
        assert!(!query.contains("9999"), "{query}");
        list(&[said("3", "Next day", "2026-09-22T09:00:00Z")])
    }));
    assert_eq!(world.sync_chats().await.unwrap(), 1);
    assert_eq!(world.bodies().await, ["From afar", "Next day", "Now"]);
}

#[tokio::test]
async fn a_chat_that_cannot_be_read_keeps_none_of_the_others_out() {
    for (what, answer) in [
        ("no JSON", "<html>".to_owned()),
        ("no list", r#"{"value":7}"#.to_owned()),
        ("away", format!(r#"{{"value":[{}],"@odata.nextLink":"https://evil.example/v1.0/chats/bad/messages"}}"#, said("1", "x", AT))),
        ("another chat", format!(r#"{{"value":[{}],"@odata.nextLink":"{ROOT}chats/good/messages?$skip=1"}}"#, said("1", "x", AT))),
        ("a circle", format!(r#"{{"value":[{}],"@odata.nextLink":"{ROOT}chats/bad/messages?$skip=1"}}"#, said("1", "x", AT))),
    ] {
        let service = move |id: &str, _: &str| if id == "bad" { says(200, answer.clone()) } else { list(&[said("2", "Good", AT)]) };
        let world = World::new(shows(vec![chat("bad", AT), chat("good", AT)], service)).await;
        assert!(matches!(world.sync_chats().await.unwrap_err().kind(), ErrorKind::Upstream | ErrorKind::LinkRejected), "{what}");
        assert_eq!(world.bodies().await, ["Good"], "{what}");
        assert!(!world.chats.are_due("a").await.unwrap(), "{what}: looked at once a day");
        world.becomes(shows(vec![chat("bad", AT), chat("good", AT)], |_, _| list(&[said("1", "Well", AT)])));
        assert_eq!(world.sync_chats().await.unwrap(), 1, "{what}");
        assert_eq!(world.bodies().await, ["Good", "Well"], "{what}");
    }
}

#[tokio::test]
async fn pages_of_a_chat_without_end_are_taken_to_a_bound() {
    let page = |items: bool| {
        move |_: &str, query: &str| {
            let n: usize = query.split_once("$skip=").map_or(0, |(_, n)| n.parse().unwrap());
            let items: Vec<String> = if items { (0..50).map(|k| said(&(n * 50 + k).to_string(), "x", AT)).collect() } else { Vec::new() };
            says(200, format!(r#"{{"value":[{}],"@odata.nextLink":"{ROOT}chats/c/messages?$skip={}"}}"#, items.join(","), n + 1))
        }
    };
    let world = World::new(shows(vec![chat("c", AT)], page(true))).await;
    assert_eq!(world.sync_chats().await.unwrap(), 1_000, "the newest of them");
    assert!(world.service.calls() < 30, "{} requests", world.service.calls());
    let world = World::new(shows(vec![chat("c", AT)], page(false))).await;
    world.sync_chats().await.unwrap_err();
    assert!(world.service.calls() < 1_100, "{} requests", world.service.calls());
}

#[tokio::test]
async fn chats_of_any_form_are_listed_as_far_as_they_can_be() {
    let mut chats = texts(&["null", "7", "{}", r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"silent"}"#, r#"{"id":"silent too","lastMessagePreview":null}"#]);
    chats.push(format!(r#"{{"id":"{}"}}"#, "x".repeat(10_000)));
    // Something was said, and nobody tells when.
    chats.push(format!(r#"{{"id":"odd","lastUpdatedDateTime":"{AT}","lastMessagePreview":{{"createdDateTime":7,"body":[]}}}}"#));
    chats.extend([chat("c", AT), chat("C", AT)]);
    let world = World::new(shows(chats, |id, _| list(&[said("1", id, AT)]))).await;
    assert_eq!(world.sync_chats().await.unwrap(), 3);
    assert_eq!(world.bodies().await, ["C", "c", "odd"]);
}
