//! What lists cost in a large mailbox.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::{SqliteStore, mail};
use super::tests::{made, open};
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

#[test]
fn lists_read_along_an_index() {
    let made = made();
    let slot = made.store.writer.alone();
    let writer = slot.as_ref().unwrap();
    let plan = |(sql, values): (String, Vec<rusqlite::types::Value>)| {
        let mut statement = writer.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        statement.query_map(rusqlite::params_from_iter(values), |r| r.get::<_, String>(3)).unwrap().map(|line| line.unwrap()).collect::<Vec<_>>().join("; ")
    };
    let window = |conversation: bool, after: bool| crate::store::MessageWindow {
        conversation_id: conversation.then(|| "c".into()),
        after: after.then_some((1, 1)),
        ..suite::window()
    };
    for (index, mailbox, window) in [
        ("messages_by_account", suite::of_account("a"), window(false, true)),
        ("messages_by_folder", suite::of_folder("f"), window(false, false)),
        ("messages_by_folder", suite::of_folder("f"), window(false, true)),
        ("messages_by_conversation", suite::of_account("a"), window(true, false)),
        ("messages_with_files", suite::of_account("a"), crate::store::MessageWindow { has_attachments: Some(true), ..window(false, true) }),
        ("messages_with_files", suite::of_folder("f"), crate::store::MessageWindow { has_attachments: Some(true), is_read: Some(false), ..window(false, true) }),
        ("messages_unread", suite::of_account("a"), crate::store::MessageWindow { is_read: Some(false), from: Some(1), before: Some(9), ..window(false, true) }),
        ("messages_by_account", suite::of_account("a"), crate::store::MessageWindow { from: Some(1), before: Some(9), ..window(false, false) }),
        ("messages_by_folder", suite::of_folder("f"), crate::store::MessageWindow { from: Some(1), is_read: Some(true), ..window(false, false) }),
    ] {
        let plan = plan(mail::window_sql(&window, &mailbox));
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{plan}");
    }
    for (index, mailbox, unread_only) in [("messages_by_account", suite::of_account("a"), false), ("messages_by_folder", suite::of_folder("f"), false), ("messages_unread", suite::of_folder("f"), true)] {
        let after = Some(crate::store::ThreadPlace { received_at: 1, row_id: 1, until: 9 });
        for after in [None, after] {
            let window = crate::store::ThreadWindow { unread_only, after, limit: 10, ..crate::store::ThreadWindow::default() };
            let plan = plan(super::threads::heads_sql(&window, &mailbox, 9));
            assert!(plan.contains(index) && plan.contains("messages_by_conversation (account_id=? AND conversation_id=?") && !plan.contains("TEMP B-TREE") && !plan.contains("SCAN messages"), "{plan}");
        }
    }
    // Asked at each sync: what it costs must not grow with the mailbox.
    let unsynced = plan((super::pending_removals::HAS_UNSYNCED.to_owned(), vec![rusqlite::types::Value::from("a".to_owned()), rusqlite::types::Value::from(0)]));
    assert!(unsynced.contains("SEARCH m USING COVERING INDEX messages_by_folder (account_id=? AND folder_id=?)"), "{unsynced}");
    let address = Some(std::collections::HashMap::from([("a".to_owned(), [1; 32])]));
    for sql in [
        mail::window_sql(&crate::store::MessageWindow { address: address.clone(), ..window(false, true) }, &suite::of_account("a")),
        super::threads::heads_sql(&crate::store::ThreadWindow { address, limit: 10, ..crate::store::ThreadWindow::default() }, &suite::of_folder("f"), 9),
    ] {
        let plan = plan(sql);
        assert!(plan.contains("SEARCH a USING PRIMARY KEY (account_id=? AND hash=?)") && !plan.contains("SCAN messages"), "{plan}");
    }
    let values = |n: usize| (0..n).map(|_| rusqlite::types::Value::from(1)).collect::<Vec<_>>();
    for (index, sql, count) in [
        ("changes_by_account", mail::CHANGES.to_owned(), 3),
        ("messages_shown", mail::by_id_sql(), 2),
        ("accounts", "SELECT id FROM accounts WHERE owner = ?1 ORDER BY num".to_owned(), 1),
        ("purges_owner", "SELECT account_id FROM purges WHERE owner = ?1 ORDER BY begun_at, account_id".to_owned(), 1),
    ] {
        let plan = plan((sql, values(count)));
        assert!(plan.contains("SEARCH") && plan.contains(index) && !plan.contains("SCAN"), "{plan}");
    }
}
