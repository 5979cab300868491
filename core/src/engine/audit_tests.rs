#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! The audit log from outside: what is recorded, and what shows when somebody alters the file.

use super::*;
use crate::config::Cloud;
use crate::seal::{AadContext, Sealed};
use crate::store::{Cursor, FolderNews, FolderRow, NewMessage, PageBatch, SearchText, TokenRow, tamper};
use std::path::Path;

pub(super) const START: u64 = 1_750_000_000_000;

pub(super) fn engine(dir: &Path, clock: &Arc<TestClock>) -> Engine {
    engine_with(dir, clock, crate::config::Content::Sealed)
}

pub(super) fn engine_with(dir: &Path, clock: &Arc<TestClock>, content: crate::config::Content) -> Engine {
    let mut config = Config::new(dir.to_string_lossy(), "00000000-0000-0000-0000-000000000000");
    config.cloud = Cloud::custom("http://127.0.0.1:9", "http://127.0.0.1:9");
    config.content = content;
    Engine::open_with_clock(config, Arc::new(RootKey::raw((0..32).collect()).unwrap()), clock.clone()).unwrap()
}

pub(super) fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::new(START))
}

fn place<'a>(table: &'static str, column: &'static str, account_id: &'a str, row: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table, column, account_id, row, version }
}

/// An account with mail, as a sign-in and a sync leave it behind.
pub(super) fn fill(engine: &Engine, id: &str, owner: &str, messages: usize) {
    let (store, vault) = (&engine.inner.store, &engine.inner.vault);
    let keys = vault.new_account_keys(id, true, START as i64).unwrap();
    let handles = vault.adopt(id, &keys).unwrap();
    let account = AccountRow {
        tenant_id: format!("tenant-{owner}"),
        user_id: format!("user-{id}-{owner}"),
        features: vec![Feature::MailSync, Feature::MailSend],
        scopes: vec!["Mail.Read".into(), "Mail.ReadWrite".into(), "Mail.Send".into()],
        ..AccountRow::new(id, owner, handles.content.seal(place("accounts", "profile", id, id, 1), br#"{"address":"","display_name":"Somebody"}"#).unwrap(), 1)
    };
    let token = TokenRow { account_id: id.into(), version: 1, sealed: handles.secrets.seal(place("tokens", "sealed", id, id, 1), b"{}").unwrap(), expires_at: i64::MAX, refreshed_at: 1 };
    store.connect_account(&account, Some(&token), &keys, None, START as i64).unwrap();
    let lease = store.take_lease(&format!("sync/{id}"), "test", 0, i64::MAX).unwrap().unwrap();
    let seal = |place: AadContext<'_>, text: &[u8]| -> Sealed { handles.content.seal(place, text).unwrap() };
    let folder = format!("folder-{owner}");
    let row = FolderRow { graph_id: folder.clone(), parent_id: None, well_known_name: Some("inbox".into()), name: seal(place("folders", "name", id, &folder, 1), b"In"), version: 1, total: 1, unread: 0, is_synced: true, is_search: false };
    store.save_folders(id, 1, &lease, &FolderNews { changed: vec![row], ..FolderNews::default() }, START as i64).unwrap();
    let clear = store.meta("content").unwrap().is_some_and(|content| content == b"clear");
    let numbers: Vec<usize> = (0..messages).collect();
    for (page, numbers) in numbers.chunks(100).enumerate() {
        let upserts = numbers.iter().map(|n| {
            let graph_id = format!("graph-{owner}-{n}");
            let body = [&[0u8], lz4_flex::compress_prepend_size(format!("Body {n}").as_bytes()).as_slice()].concat();
            NewMessage {
                id: format!("msg_{id}{n}"),
                search: clear.then(|| SearchText { subject: format!("Subject{owner}"), people: format!("person{owner}"), text: Some(format!("word{n} text{owner}")) }),
                folder_id: folder.clone(),
                conversation_id: format!("conversation-{owner}"),
                change_key: "ck".into(),
                received_at: Some(*n as i64),
                is_read: false,
                is_draft: false,
                head: seal(place("messages", "head", id, &graph_id, 1), format!(r#"{{"sub":"Subject {n}"}}"#).as_bytes()),
                body: Some(seal(place("bodies", "body", id, &graph_id, 1), &body)),
                version: 1,
                is_unlisted: false,
                change: Some(ChangeKind::MessageAdded),
                graph_id,
            }
        });
        let version = page as i64 + 1;
        let link = handles.secrets.seal(place("folders", "cursor", id, &folder, version), b"link").unwrap();
        let batch = PageBatch {
            account_id: id,
            folder_id: &folder,
            generation: 1,
            lease: &lease,
            enumeration: 1,
            upserts: upserts.collect(),
            seen: vec![],
            pending_removals: vec![],
            quarantined: vec![],
            cursor: Some(Cursor { link, version, is_delta: true }),
            page_size: None,
            completes_pass: false,
            now: START as i64,
        };
        assert!(store.apply(&batch).unwrap().written);
    }
}

pub(super) async fn first_message(engine: &Engine) -> Message {
    engine.messages(MessageQuery { account_id: Some("acc_a".into()), limit: 1, ..MessageQuery::default() }).await.unwrap().items.remove(0)
}

async fn log(engine: &Engine) -> Vec<AuditRecord> {
    engine.audit(1000, None).await.unwrap().items
}

#[tokio::test]
async fn reading_leaves_one_record_each() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("store"), &clock());
    fill(&engine, "acc_a", "owner", 3);
    let before = log(&engine).await.len();
    assert_eq!(engine.messages(MessageQuery { account_id: Some("acc_a".into()), ..MessageQuery::default() }).await.unwrap().items.len(), 3);
    let id = first_message(&engine).await.id;
    engine.messages(MessageQuery { owner: Some("owner".into()), ..MessageQuery::default() }).await.unwrap();
    assert_eq!(engine.message(id.clone(), None).await.unwrap().subject, "Subject 2");
    assert_eq!(engine.body(id.clone(), None, None).await.unwrap().text.trim(), "Body 2");
    assert_eq!(engine.thread(id.clone(), None).await.unwrap().messages.len(), 3);
    let records = log(&engine).await.split_off(before);
    assert!(records.iter().all(|r| r.kind == AuditKind::ContentRead && r.at == crate::clock::from_ms(START as i64)));
    let seen: Vec<_> = records.iter().map(|r| (r.account_id.as_deref(), r.subject.as_deref(), r.detail.as_str())).collect();
    let owner = engine.inner.store.audit_signer().unwrap().owner("owner").unwrap();
    let (a, m) = (Some("acc_a"), Some(id.as_str()));
    assert_eq!(
        seen,
        [
            (a, None, "A list of messages was read, 3 of them."),
            (a, None, "A list of messages was read, 1 of them."),
            (None, Some(owner.as_str()), "A list of messages was read, 3 of them."),
            (a, m, "A message was read."),
            (a, m, "A body was read."),
            (a, m, "A conversation was read, 3 of them.")
        ]
    );
    // What does not exist was not read.
    assert!(engine.body("msg_999".into(), None, None).await.is_err());
    assert_eq!(log(&engine).await.len(), before + 6);
    engine.shutdown().await;
}

#[tokio::test]
async fn no_record_no_content() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let engine = engine(&store, &clock());
    fill(&engine, "acc_a", "owner", 1);
    let id = first_message(&engine).await.id;
    tamper(&store, "ALTER TABLE audit RENAME TO gone");
    assert!(engine.messages(MessageQuery { account_id: Some("acc_a".into()), ..MessageQuery::default() }).await.is_err());
    assert!(engine.message(id.clone(), None).await.is_err() && engine.body(id.clone(), None, None).await.is_err() && engine.thread(id.clone(), None).await.is_err());
    tamper(&store, "ALTER TABLE gone RENAME TO audit");
    assert!(engine.body(id, None, None).await.is_ok() && engine.verify_audit(None).await.unwrap().intact);
    engine.shutdown().await;
}

#[tokio::test]
async fn the_log_is_paged() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("store"), &clock());
    for limit in [0, 1001] {
        assert_eq!(engine.audit(limit, None).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    for cursor in ["x", "-1", ""] {
        assert_eq!(engine.audit(1, Some(cursor.into())).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    fill(&engine, "acc_a", "owner", 1);
    let page = engine.audit(1, None).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].number, page.items[0].kind), (1, 1, AuditKind::StoreMade));
    let page = engine.audit(10, page.next).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].kind), (1, AuditKind::SignedIn));
    let owner = page.items[0].subject.clone().unwrap();
    assert!(owner.starts_with("own_") && !owner.contains("owner") && owner.len() == 36);
    let rest = engine.audit(10, page.next.clone()).await.unwrap();
    assert!(rest.items.is_empty() && rest.next == page.next);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_refused_sign_in_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("store"), &clock());
    let request = ConnectRequest { owner: "owner".into(), features: vec![Feature::Chat], redirect_uri: "http://localhost/cb".into(), ..Default::default() };
    let sign_in = engine.connect(request).await.unwrap();
    let state = url::Url::parse(&sign_in.url).unwrap().query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let refused = engine.finish_connect(format!("http://localhost/cb?code=1&state={state}"), "another".into()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TokenRejected);
    let record = log(&engine).await.pop().unwrap();
    assert_eq!(record.kind, AuditKind::SignInRefused);
    // Nonsense is no sign-in.
    assert!(engine.finish_connect("nonsense".into(), "b".into()).await.is_err());
    assert_eq!(log(&engine).await.pop().unwrap().number, record.number);
    engine.shutdown().await;
}

/// (what somebody did to the file, fault, at). The log has 12 records.
const DEEDS: [(&str, AuditFault, u64); 18] = [
    ("UPDATE audit SET detail = 'Nothing was read.' WHERE number = 5", AuditFault::Changed, 5),
    ("UPDATE audit SET at = at + 1 WHERE number = 12", AuditFault::Changed, 12),
    ("UPDATE audit SET account_id = NULL WHERE number = 6", AuditFault::Changed, 6),
    ("UPDATE audit SET kind = 'purged' WHERE number = 1", AuditFault::Changed, 1),
    ("UPDATE audit SET hash = zeroblob(32) WHERE number = 7", AuditFault::Changed, 7),
    // What is no text at all.
    ("UPDATE audit SET detail = CAST(x'ff' AS TEXT) WHERE number = 5", AuditFault::Changed, 5),
    ("UPDATE audit SET kind = CAST(kind || x'ff' AS TEXT) WHERE number = 1", AuditFault::Changed, 1),
    ("DELETE FROM audit WHERE number = 1", AuditFault::Missing, 1),
    ("DELETE FROM audit WHERE number IN (4, 5)", AuditFault::Missing, 4),
    ("DELETE FROM audit WHERE number = 4; UPDATE audit SET number = -number WHERE number > 4; UPDATE audit SET number = -number - 1 WHERE number < 0", AuditFault::Missing, 4),
    ("DELETE FROM audit WHERE number = 11; UPDATE audit SET number = 11 WHERE number = 12", AuditFault::Missing, 11),
    ("UPDATE audit SET number = 99 WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 9; UPDATE audit SET number = 9 WHERE number = 99", AuditFault::Swapped, 3),
    ("UPDATE audit SET number = 99 WHERE number = 11; UPDATE audit SET number = 11 WHERE number = 12; UPDATE audit SET number = 12 WHERE number = 99", AuditFault::Swapped, 11),
    ("CREATE TEMP TABLE o AS SELECT * FROM audit; UPDATE audit SET (at, kind, account_id, subject, detail) = (SELECT at, kind, account_id, subject, detail FROM o WHERE o.number = 5 - audit.number) WHERE number IN (2, 3)", AuditFault::Swapped, 2),
    ("DELETE FROM audit WHERE number > 8", AuditFault::TailMissing, 9),
    ("DELETE FROM audit", AuditFault::TailMissing, 1),
    ("DELETE FROM meta WHERE name = 'audit_end'", AuditFault::TailMissing, 13),
    ("INSERT INTO audit (number, at, kind, detail, hash) VALUES (13, 1, 'purged', 'x', zeroblob(32))", AuditFault::Changed, 13),
];

#[tokio::test]
async fn what_was_altered_shows() {
    for (deed, fault, at) in DEEDS {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        let engine = engine(&store, &clock());
        fill(&engine, "acc_a", "owner", 1);
        let id = first_message(&engine).await.id;
        for _ in 0..9 {
            engine.message(id.clone(), None).await.unwrap();
        }
        let whole = engine.verify_audit(None).await.unwrap();
        assert_eq!((whole.intact, whole.records, whole.head.as_ref().unwrap().number, whole.fault), (true, 12, 12, None));
        tamper(&store, deed);
        let verdict = engine.verify_audit(None).await.unwrap();
        assert_eq!((verdict.intact, verdict.fault, verdict.at), (false, Some(fault), Some(at)), "{deed}: {}", verdict.reason);
        engine.shutdown().await;
    }
}

#[tokio::test]
async fn an_older_copy_shows_against_a_noted_end() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy) = (dir.path().join("store"), dir.path().join("copy"));
    let clock = clock();
    let first = engine(&store, &clock);
    fill(&first, "acc_a", "owner", 1);
    let old = first.verify_audit(None).await.unwrap().head.unwrap();
    first.shutdown().await;
    drop(first);
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(store.join("tidings.db"), copy.join("tidings.db")).unwrap();
    let second = engine(&store, &clock);
    first_message(&second).await;
    let head = second.verify_audit(Some(old.clone())).await.unwrap();
    assert!(head.intact, "{}", head.reason);
    let head = head.head.unwrap();
    second.shutdown().await;
    drop(second);
    std::fs::copy(copy.join("tidings.db"), store.join("tidings.db")).unwrap();
    let third = engine(&store, &clock);
    assert!(third.verify_audit(None).await.unwrap().intact, "a whole copy is whole in itself");
    let verdict = third.verify_audit(Some(head.clone())).await.unwrap();
    assert_eq!((verdict.fault, verdict.at), (Some(AuditFault::TailMissing), Some(head.number)));
    // Going on from the copy does not help: the record is another one.
    first_message(&third).await;
    clock.advance(1);
    first_message(&third).await;
    let other = AuditHead { hash: old.hash.clone(), ..head };
    assert_eq!(third.verify_audit(Some(other)).await.unwrap().fault, Some(AuditFault::Changed));
    for bad in [AuditHead { number: 0, ..old.clone() }, AuditHead { hash: "xyz".into(), ..old.clone() }, AuditHead { hash: String::new(), ..old }] {
        assert_eq!(third.verify_audit(Some(bad)).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    third.shutdown().await;
}

#[tokio::test]
async fn a_record_that_is_no_text_is_shown_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let engine = engine(&store, &clock());
    tamper(&store, "UPDATE audit SET detail = CAST(x'41ff42' AS TEXT) WHERE number = 1");
    assert_eq!(log(&engine).await[0].detail, "A\u{fffd}B");
    engine.shutdown().await;
}
