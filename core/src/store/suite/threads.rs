//! Lists of conversations, and the filters of lists of messages.

use super::*;
use crate::store::{FilesKnown, MessageAddresses, NewLink, ThreadPage, ThreadWindow};
use std::collections::HashMap;

fn at(id: &str, conversation: &str, received_at: i64, folder: &str) -> NewMessage {
    NewMessage { conversation_id: conversation.into(), received_at: Some(received_at), ..message(id, folder, 1) }
}

fn of(mailboxes: Vec<Mailbox>) -> ThreadWindow {
    ThreadWindow { mailboxes, limit: 100, most_members: 3, ..ThreadWindow::default() }
}

fn newest(page: &ThreadPage) -> Vec<&str> {
    page.rows.iter().map(|row| row.newest.graph_id.as_str()).collect()
}

pub async fn a_conversation_is_listed_once_by_its_newest(s: &dyn Store) {
    let lease = mailbox(s).await;
    let mails = vec![
        at("c1", "c", 100, "in"),
        NewMessage { is_read: true, ..at("c2", "c", 200, "out") },
        at("c3", "c", 300, "in"),
        NewMessage { is_read: true, has_attachments: true, ..at("d1", "d", 250, "in") },
        at("alone1", "", 400, "in"),
        NewMessage { received_at: None, ..at("alone2", "", 0, "out") },
        at("c4", "c", 150, "in"),
        at("c5", "c", 160, "in"),
    ];
    apply(s, &lease, mails, |_| {}).await;
    let page = s.threads(&of(vec![of_account("a")])).await.unwrap();
    assert_eq!(newest(&page), ["alone1", "c3", "d1", "alone2"]);
    let facts: Vec<_> = page.rows.iter().map(|row| (row.messages, row.unread, row.has_attachments)).collect();
    assert_eq!(facts, [(1, 1, false), (5, 4, false), (1, 0, true), (1, 1, false)]);
    let members: Vec<_> = page.rows[1].members.iter().map(|row| row.graph_id.as_str()).collect();
    assert_eq!(members, ["c3", "c2", "c5", "c1"], "the newest three and the oldest");
    assert!(page.next.is_none());
    // By what fits, and with the counts of the whole.
    let page = s.threads(&of(vec![of_folder("out")])).await.unwrap();
    assert_eq!((newest(&page), page.rows[0].messages), (vec!["c2", "alone2"], 5));
    let page = s.threads(&ThreadWindow { unread_only: true, ..of(vec![of_account("a")]) }).await.unwrap();
    assert_eq!(newest(&page), ["alone1", "c3", "alone2"]);
    assert!(s.threads(&ThreadWindow { unread_only: true, ..of(vec![of_account("b")]) }).await.unwrap().rows.is_empty());
    // With the host's key, which c1 and what came before it do not carry.
    let id = enqueue(s, "a", "lane", None).await;
    let fence = s.claim(1, 1_000_000, &[]).await.unwrap().unwrap().fence;
    let link = NewLink { account_id: "a".into(), graph_id: "c4".into(), is_sent: true, conversation_id: Some("c".into()), hash: [1; 32], since: 170, sealed: sealed("link") };
    s.step(&id, fence, &Step { links: vec![link], ..step(ItemState::Sent) }, 2).await.unwrap().unwrap();
    let link = Some(HashMap::from([("a".to_owned(), [1; 32])]));
    let page = s.threads(&ThreadWindow { link: link.clone(), ..of(vec![of_account("a")]) }).await.unwrap();
    assert_eq!(newest(&page), ["c3"]);
    let page = s.threads(&ThreadWindow { link, ..of(vec![of_folder("out")]) }).await.unwrap();
    assert_eq!(newest(&page), ["c2"]);
    // A removed one is none.
    s.threads(&of(vec![])).await.unwrap();
}

/// Whatever comes while the list is walked through, each conversation that was there is shown once.
pub async fn pages_of_conversations_hold_still(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, (0..40).map(|n| at(&format!("m{n}"), &format!("c{}", n % 13), 1_000 + n, "in")).collect(), |_| {}).await;
    let mut window = ThreadWindow { limit: 4, ..of(vec![of_account("a")]) };
    let mut seen = Vec::new();
    for page_number in 0_i64.. {
        let page = s.threads(&window).await.unwrap();
        seen.extend(page.rows.iter().map(|row| row.newest.conversation_id.clone()));
        // A new mail in every conversation, a new conversation, and old mail that is filled in.
        let news = (0..13).map(|n| at(&format!("new{page_number}-{n}"), &format!("c{n}"), 5_000 + page_number, "in"));
        let filled = [at(&format!("old{page_number}"), &format!("old{page_number}"), 1_020, "in"), at(&format!("early{page_number}"), "c5", 10, "in")];
        apply(s, &lease, news.chain(filled).collect(), |b| b.cursor = None).await;
        window.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..13).map(|n| format!("c{}", (39 - n) % 13)).collect();
    assert_eq!(seen, expected, "in their order as it was, each once");
    let first = s.threads(&ThreadWindow { limit: 1, ..of(vec![of_account("a")]) }).await.unwrap();
    assert_eq!(first.rows[0].newest.received_at, Some(5_003), "the next walk shows what came");
}

pub async fn messages_are_found_by_time_and_by_files(s: &dyn Store) {
    let lease = mailbox(s).await;
    let mails = (0..20).map(|n| NewMessage { has_attachments: n % 4 == 0, is_read: n % 2 == 0, ..at(&format!("m{n}"), "c", 1_000 + n, if n % 8 == 0 { "out" } else { "in" }) });
    apply(s, &lease, mails.collect(), |_| {}).await;
    let found = async |w: MessageWindow| s.messages(&w).await.unwrap().rows.into_iter().map(|row| row.graph_id).collect::<Vec<_>>();
    assert_eq!(found(MessageWindow { has_attachments: Some(true), ..window() }).await, ["m16", "m12", "m8", "m4", "m0"]);
    assert_eq!(found(MessageWindow { has_attachments: Some(true), mailboxes: vec![of_folder("in")], ..window() }).await, ["m12", "m4"]);
    assert!(found(MessageWindow { has_attachments: Some(true), is_read: Some(false), ..window() }).await.is_empty());
    assert_eq!(found(MessageWindow { has_attachments: Some(false), is_read: Some(true), ..window() }).await.len(), 5);
    assert_eq!(found(MessageWindow { is_read: Some(false), mailboxes: vec![of_folder("in")], limit: 2, ..window() }).await, ["m19", "m17"]);
    assert_eq!(found(MessageWindow { from: Some(1_003), before: Some(1_006), ..window() }).await, ["m5", "m4", "m3"]);
    assert_eq!(found(MessageWindow { from: Some(1_003), before: Some(1_006), after: Some((1_005, i64::MAX)), oldest_first: false, ..window() }).await.len(), 3);
    assert_eq!(found(MessageWindow { from: Some(1_003), has_attachments: Some(true), before: Some(1_009), ..window() }).await, ["m8", "m4"]);
    assert_eq!(found(MessageWindow { conversation_id: Some("c".into()), has_attachments: Some(true), ..window() }).await.len(), 5);
    assert!(s.files_unknown("a", 10).await.unwrap().is_empty());
    s.note_files(&[FilesKnown { row_id: id_of(s, "m1").await, version: 1, has_attachments: true }]).await.unwrap();
    assert_eq!(found(MessageWindow { has_attachments: Some(true), ..window() }).await.len(), 5, "what is known stays");
}

pub async fn messages_are_found_by_an_address(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, (0..6).map(|n| at(&format!("m{n}"), &format!("c{}", n % 2), 1_000 + n, "in")).collect(), |_| {}).await;
    let (ann, ben) = ([1; 32], [2; 32]);
    let address = |hash: [u8; 32]| Some(HashMap::from([("a".to_owned(), hash)]));
    let found = async |hash| s.messages(&MessageWindow { address: address(hash), ..window() }).await.unwrap().rows.into_iter().map(|row| row.graph_id).collect::<Vec<_>>();
    let unknown = async || s.addresses_unknown("a", 10).await.unwrap().into_iter().map(|row| row.graph_id).collect::<Vec<_>>();
    assert_eq!(unknown().await.len(), 6);
    assert!(s.addresses_unknown("b", 10).await.unwrap().is_empty() && found(ann).await.is_empty());
    let note = async |id: &str, version: i64, hashes: &[[u8; 32]]| {
        s.note_addresses(vec![MessageAddresses { account_id: "a".into(), row_id: id_of(s, id).await, version, hashes: hashes.to_vec() }]).await.unwrap();
    };
    for n in 0..5 {
        // The same one twice is no error.
        note(&format!("m{n}"), 1, if n % 2 == 0 { &[[1; 32], [1; 32]] } else { &[[2; 32]] }).await;
    }
    note("m5", 2, &[ann]).await;
    assert_eq!(unknown().await, ["m5"], "what was read of another version is not noted");
    note("m5", 1, &[]).await;
    assert_eq!((found(ann).await, found(ben).await), (vec!["m4".to_owned(), "m2".into(), "m0".into()], vec!["m3".to_owned(), "m1".into()]));
    assert!(s.messages(&MessageWindow { address: address(ann), mailboxes: vec![of_account("b")], ..window() }).await.unwrap().rows.is_empty());
    let threads = s.threads(&ThreadWindow { address: address(ben), ..of(vec![of_account("a")]) }).await.unwrap();
    assert_eq!(newest(&threads), ["m3"]);
    // A message that changed is read again, and what was noted of it before does not stay.
    apply(s, &lease, vec![NewMessage { version: 2, change_key: "new".into(), ..at("m0", "c0", 1_000, "in") }], |b| b.cursor = None).await;
    assert_eq!(unknown().await, ["m0"]);
    note("m0", 2, &[ben]).await;
    assert_eq!(found(ann).await, ["m4", "m2"]);
    assert!(unknown().await.is_empty());
}
