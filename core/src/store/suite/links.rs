//! The host's own keys.

use super::*;
use crate::hex::hex;
use crate::store::NewLink;
use std::collections::HashMap;

fn link(graph_id: &str, hash: u8, conversation_id: Option<&str>) -> NewLink {
    NewLink { account_id: "a".into(), graph_id: graph_id.into(), is_sent: true, conversation_id: conversation_id.map(Into::into), hash: [hash; 32], since: 500, sealed: sealed("link") }
}

fn at(id: &str, conversation: &str, received_at: i64) -> NewMessage {
    NewMessage { conversation_id: conversation.into(), received_at: Some(received_at), ..message(id, "in", 1) }
}

/// Writes them with a step of a send.
async fn note(s: &dyn Store, links: &[NewLink]) {
    let id = enqueue(s, "a", "lane", None).await;
    let fence = s.claim(1, 1_000_000, &[]).await.unwrap().unwrap().fence;
    assert!(s.step(&id, fence, &Step { links: links.to_vec(), ..step(ItemState::Sent) }, 2).await.unwrap().is_some());
}

async fn carried(s: &dyn Store, graph_id: &str) -> Vec<String> {
    let id = id_of(s, graph_id).await;
    s.links(&[id]).await.unwrap().into_iter().map(|one| one.row).collect()
}

async fn found(s: &dyn Store, account: &str, hash: u8) -> Vec<String> {
    let link = Some(HashMap::from([(account.to_owned(), [hash; 32])]));
    s.messages(&MessageWindow { link, ..window() }).await.unwrap().rows.into_iter().map(|row| row.graph_id).collect()
}

pub async fn a_link_is_for_its_message_and_what_comes_after_it(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![at("before", "c", 499), at("copy", "c", 499), at("other", "d", 900)], |_| {}).await;
    assert!(carried(s, "copy").await.is_empty());
    note(s, &[link("copy", 1, Some("c"))]).await;
    apply(s, &lease, vec![at("reply", "c", 500)], |b| b.cursor = None).await;
    let one = vec![hex([1; 32])];
    assert_eq!((carried(s, "copy").await, carried(s, "reply").await), (one.clone(), one.clone()), "whichever came first");
    assert!(carried(s, "before").await.is_empty() && carried(s, "other").await.is_empty());
    assert_eq!(found(s, "a", 1).await, ["reply", "copy"], "newest first");
    assert!(found(s, "a", 2).await.is_empty() && found(s, "b", 1).await.is_empty());
    // The same again, and another one beside it.
    note(s, &[NewLink { since: 900, ..link("copy", 1, Some("c")) }]).await;
    note(s, &[NewLink { since: 501, ..link("copy", 2, Some("c")) }]).await;
    assert_eq!(carried(s, "reply").await, one, "it is as it was");
    assert_eq!(carried(s, "copy").await, [hex([1; 32]), hex([2; 32])]);
    assert_eq!(found(s, "a", 2).await, ["copy"]);
    let two: Vec<i64> = vec![id_of(s, "copy").await, id_of(s, "reply").await];
    assert_eq!(s.links(&two).await.unwrap().len(), 3, "of several messages at once");
}

pub async fn a_link_finds_the_conversation_of_a_copy_that_comes_later(s: &dyn Store) {
    let lease = mailbox(s).await;
    note(s, &[link("copy", 1, None)]).await;
    apply(s, &lease, vec![at("reply", "c", 800)], |_| {}).await;
    assert!(carried(s, "reply").await.is_empty());
    apply(s, &lease, vec![at("copy", "c", 700)], |b| b.cursor = None).await;
    assert_eq!((carried(s, "reply").await.len(), found(s, "a", 1).await), (1, vec!["reply".to_owned(), "copy".to_owned()]));
    // Or came before.
    apply(s, &lease, vec![at("copy2", "d", 700), at("reply2", "d", 800)], |b| b.cursor = None).await;
    note(s, &[link("copy2", 2, None)]).await;
    assert_eq!(found(s, "a", 2).await, ["reply2", "copy2"]);
}

pub async fn a_link_of_a_draft_goes_no_further(s: &dyn Store) {
    let lease = mailbox(s).await;
    let id = enqueue(s, "a", "lane", None).await;
    let fence = s.claim(1, 1_000_000, &[]).await.unwrap().unwrap().fence;
    let links = vec![NewLink { is_sent: false, ..link("draft", 1, Some("c")) }];
    s.step(&id, fence, &Step { links, claim_until: Some(90_000), ..step(ItemState::Dispatching) }, 2).await.unwrap().unwrap();
    apply(s, &lease, vec![NewMessage { is_draft: true, ..at("draft", "c", 700) }, at("other", "c", 800)], |_| {}).await;
    assert_eq!(found(s, "a", 1).await, ["draft"], "its conversation is not meant before it is sent");
    // Nobody heard of its end, and the mailbox says that it was sent.
    apply(s, &lease, vec![NewMessage { version: 2, ..at("draft", "c", 700) }], |b| b.cursor = None).await;
    assert_eq!(found(s, "a", 1).await, ["other", "draft"]);
}

pub async fn a_host_gives_messages_a_key_and_takes_it_away(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![at("before", "c", 499), at("one", "c", 500), at("two", "c", 600), at("alone", "", 600)], |_| {}).await;
    let set = async |graph_id: &str, hash: u8, is_given: bool| {
        let since = last(s).await;
        let message = LinkedMessage { account_id: "a".into(), graph_id: graph_id.into(), hash: [hash; 32], sealed: is_given.then(|| sealed("link")) };
        s.link_messages(vec![message], 9).await.unwrap();
        changes(s, since).await.into_iter().filter_map(|row| row.subject_id).collect::<Vec<_>>()
    };
    assert_eq!(set("one", 1, true).await, ["msg_one", "msg_two"], "and what came into its conversation since");
    assert_eq!(set("alone", 1, true).await, ["msg_alone"]);
    assert_eq!(found(s, "a", 1).await, ["alone", "two", "one"]);
    apply(s, &lease, vec![at("three", "c", 700)], |b| b.cursor = None).await;
    assert_eq!(found(s, "a", 1).await, ["three", "alone", "two", "one"]);
    // Taken from one that inherits it: the others keep it, and what comes gets it.
    set("two", 1, false).await;
    assert_eq!(found(s, "a", 1).await, ["three", "alone", "one"]);
    assert!(carried(s, "two").await.is_empty() && carried(s, "three").await.len() == 1);
    // It is remembered, until the host gives it again.
    set("one", 1, true).await;
    assert!(carried(s, "two").await.is_empty());
    set("two", 1, true).await;
    assert!(!carried(s, "two").await.is_empty());
    // Taken from all that were given it, the conversation has it no more.
    set("two", 1, false).await;
    set("one", 1, false).await;
    assert_eq!(found(s, "a", 1).await, ["alone"]);
    apply(s, &lease, vec![at("four", "c", 800)], |b| b.cursor = None).await;
    assert!(carried(s, "four").await.is_empty());
}
