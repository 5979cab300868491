//! What lists cost in a large mailbox.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::SqliteStore;
use super::tests::open;
use crate::store::suite;
use crate::store::{MailStore, MessageWindow, ThreadPlace, ThreadStore, ThreadWindow};

const MESSAGES: i64 = 100_000;

/// Account a: conversations of four mails, one mail of a hundred unread, one of a thousand with files; account b: a single conversation.
async fn large() -> (tempfile::TempDir, SqliteStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    suite::connect(&store, "a").await;
    suite::connect(&store, "b").await;
    let envelope = suite::sealed(&"h".repeat(900));
    let slot = store.writer.alone();
    let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?3)
        INSERT INTO messages (account_id, graph_id, folder_id, conversation_id, received_at, sort_at, is_read, version, head, shown_id, has_attachments)
        SELECT ?1, 'AAkALgAAAAAAHYQDEapmEc2byACqAC' || n, CASE WHEN n % 3 THEN 'in' ELSE 'out' END, CASE ?1 WHEN 'a' THEN 'AAQkADk2' || (n / 4) ELSE 'one' END,
          n * 60000, n * 60000, n % 100 > 0, 1, ?2, 'msg_' || ?1 || n, n % 1000 = 0 FROM n";
    for account in ["a", "b"] {
        slot.as_ref().unwrap().execute(sql, (account, envelope.as_bytes(), MESSAGES)).unwrap();
    }
    drop(slot);
    (dir, store)
}

#[tokio::test]
async fn lists_of_a_hundred_thousand_messages() {
    let (_dir, store) = large().await;
    #[allow(clippy::disallowed_methods)] // a measurement, no product code
    let now = std::time::Instant::now;
    let middle = MESSAGES / 2;
    let all = ThreadWindow { mailboxes: vec![suite::of_account("a")], limit: 50, most_members: 50, ..ThreadWindow::default() };
    let deep = Some(ThreadPlace { received_at: middle * 60_000, row_id: middle, until: 2 * MESSAGES });
    for (name, window, rows) in [
        ("conversations, first page", all.clone(), 50),
        ("conversations, a page in the middle", ThreadWindow { after: deep, ..all.clone() }, 50),
        ("conversations with unread mail", ThreadWindow { unread_only: true, ..all.clone() }, 50),
        ("conversations of a folder", ThreadWindow { mailboxes: vec![suite::of_folder("out")], ..all.clone() }, 50),
        ("one conversation of 100,000", ThreadWindow { mailboxes: vec![suite::of_account("b")], ..all.clone() }, 1),
        ("both", ThreadWindow { mailboxes: vec![suite::of_account("a"), suite::of_account("b")], ..all }, 50),
    ] {
        let start = now();
        let page = store.threads(&window).await.unwrap();
        println!("{name}: {:?}", start.elapsed());
        assert_eq!(page.rows.len(), rows, "{name}");
    }
    let list = MessageWindow { mailboxes: vec![suite::of_account("a"), suite::of_account("b")], limit: 50, ..MessageWindow::default() };
    for (name, window) in [
        ("messages", list.clone()),
        ("unread", MessageWindow { is_read: Some(false), ..list.clone() }),
        ("with files", MessageWindow { has_attachments: Some(true), ..list.clone() }),
        ("without, of a day", MessageWindow { has_attachments: Some(false), from: Some(middle * 60_000), before: Some((middle + 1_440) * 60_000), ..list.clone() }),
        ("with files, before, in a folder", MessageWindow { has_attachments: Some(true), before: Some(middle * 60_000), mailboxes: vec![suite::of_folder("in")], ..list }),
    ] {
        let start = now();
        let page = store.messages(&window).await.unwrap();
        println!("{name}: {:?}", start.elapsed());
        assert!(page.rows.len() >= 30, "{name}: {}", page.rows.len());
    }
}

/// Rows of a store of an older version tell nothing of files until they are filled in.
#[tokio::test]
async fn rows_of_an_older_version_are_filled_in_step_by_step() {
    let (_dir, store) = large().await;
    store.writer.alone().as_ref().unwrap().execute("UPDATE messages SET has_attachments = NULL WHERE account_id = 'a' AND id <= 1200", []).unwrap();
    let mut steps = Vec::new();
    loop {
        let rows = store.files_unknown("a", 500).await.unwrap();
        steps.push(rows.len());
        let known: Vec<_> = rows.iter().map(|row| crate::store::FilesKnown { row_id: row.row_id, version: row.version, has_attachments: row.row_id % 2 == 0 }).collect();
        if known.is_empty() {
            break;
        }
        store.note_files(&known).await.unwrap();
    }
    assert_eq!(steps, [500, 500, 200, 0]);
    let window = MessageWindow { mailboxes: vec![suite::of_account("a")], has_attachments: Some(true), before: Some(1_201 * 60_000), limit: 1000, ..MessageWindow::default() };
    assert_eq!(store.messages(&window).await.unwrap().rows.len(), 600);
}
