#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! The audit log from outside: what is recorded, and what shows when somebody alters the file.

use super::*;
use crate::config::Cloud;
use crate::error::ErrorKind;
use crate::seal::{AadContext, Sealed};
use crate::store::{Applied, Cursor, FolderNews, FolderRow, NewMessage, PageBatch, SearchText, Shorthand, TokenRow, ONE_CHAIN, commits, tamper};
use std::path::Path;

pub(super) const START: u64 = 1_750_000_000_000;

pub(super) fn engine(dir: &Path, clock: &Arc<TestClock>) -> Engine {
    engine_with(dir, clock, crate::config::Content::Sealed)
}

pub(super) fn engine_with(dir: &Path, clock: &Arc<TestClock>, content: crate::config::Content) -> Engine {
    engine_of(Config { content, ..config(dir) }, clock)
}

pub(super) fn config(dir: &Path) -> Config {
    Config { cloud: Cloud::custom("http://127.0.0.1:9", "http://127.0.0.1:9"), ..Config::new(dir.to_string_lossy(), "00000000-0000-0000-0000-000000000000") }
}

pub(super) fn engine_of(config: Config, clock: &Arc<TestClock>) -> Engine {
    Engine::open_with_clock(config, Arc::new(RootKey::raw((0..32).collect()).unwrap()), clock.clone()).unwrap()
}

pub(super) fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::new(START))
}

fn place<'a>(table: &'static str, column: &'static str, account_id: &'a str, row: &'a str, version: i64) -> AadContext<'a> {
    AadContext { table, column, account_id, row, version }
}

/// An account with mail, as a sign-in and a sync leave it behind.
pub(super) async fn fill(engine: &Engine, id: &str, owner: &str, messages: usize) {
    let (store, vault) = (&engine.inner.store, &engine.inner.vault);
    vault.store_key().ready().await;
    let keys = vault.new_account_keys(id, true, START as i64).unwrap();
    let handles = vault.adopt(id, &keys).await.unwrap();
    let account = AccountRow {
        tenant_id: format!("tenant-{owner}"),
        user_id: format!("user-{id}-{owner}"),
        features: vec![Feature::MailSync, Feature::MailSend],
        scopes: vec!["Mail.Read".into(), "Mail.ReadWrite".into(), "Mail.Send".into()],
        ..AccountRow::new(id, owner, handles.content.seal(place("accounts", "profile", id, id, 1), br#"{"address":"","display_name":"Somebody"}"#).unwrap(), 1)
    };
    let token = TokenRow { account_id: id.into(), version: 1, sealed: handles.secrets.seal(place("tokens", "sealed", id, id, 1), b"{}").unwrap(), expires_at: i64::MAX, refreshed_at: 1 };
    store.store_account(&account, Some(&token), &keys, None, START as i64).await.unwrap();
    let lease = store.take_lease(&format!("sync/{id}"), "test", 0, i64::MAX).await.unwrap().unwrap();
    let seal = |place: AadContext<'_>, text: &[u8]| -> Sealed { handles.content.seal(place, text).unwrap() };
    let folder = format!("folder-{owner}");
    let row = FolderRow { graph_id: folder.clone(), parent_id: None, well_known_name: Some("inbox".into()), name: seal(place("folders", "name", id, &folder, 1), b"In"), version: 1, total: 1, unread: 0, is_synced: true, is_search: false };
    store.save_folders(id, 1, &lease, &FolderNews { changed: vec![row], ..FolderNews::default() }, START as i64).await.unwrap();
    let clear = store.meta("content").await.unwrap().is_some_and(|content| content == b"clear");
    let numbers: Vec<usize> = (0..messages).collect();
    for (page, numbers) in numbers.chunks(100).enumerate() {
        handles.content.clone().ready().await;
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
                head: seal(place("messages", "head", id, &graph_id, 1), format!(r#"{{"sub":"Subject {n}","att":[{{"id":"file","name":"cv.pdf","content_type":"application/pdf","size":7,"is_inline":false}}]}}"#).as_bytes()),
                body: Some(seal(place("bodies", "body", id, &graph_id, 1), &body)),
                version: 1,
                is_unlisted: false,
                has_attachments: false,
                change: Some(ChangeKind::MessageAdded),
                graph_id,
            }
        });
        let version = page as i64 + 1;
        let link = handles.secrets.seal(place("folders", "cursor", id, &folder, version), b"link").unwrap();
        let batch = PageBatch {
            account_id: id.into(),
            folder_id: folder.clone(),
            generation: 1,
            lease: lease.clone(),
            enumeration: 1,
            upserts: upserts.collect(),
            seen: vec![],
            pending_removals: vec![],
            quarantined: vec![],
            edits: vec![],
        links: vec![],
        candidates: vec![],
            cursor: Some(Cursor { link, version, is_delta: true }),
            step: None,
            page_size: None,
            completes_pass: false,
            now: START as i64,
        };
        assert!(matches!(store.apply(batch).await.unwrap(), Applied::Written { .. }));
    }
}

pub(super) async fn first_message(engine: &Engine) -> Message {
    engine.messages(MessageQuery { account_id: Some("acc_a".into()), limit: 1, ..MessageQuery::default() }).await.unwrap().items.remove(0)
}

async fn log(engine: &Engine) -> Vec<AuditRecord> {
    engine.audit(1000, None, None).await.unwrap().items
}

#[tokio::test]
async fn reading_leaves_one_record_each() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("store"), &clock());
    fill(&engine, "acc_a", "owner", 3).await;
    let before = log(&engine).await.len();
    assert_eq!(engine.messages(MessageQuery { account_id: Some("acc_a".into()), ..MessageQuery::default() }).await.unwrap().items.len(), 3);
    let id = first_message(&engine).await.id;
    engine.messages(MessageQuery { owner: Some("owner".into()), ..MessageQuery::default() }).await.unwrap();
    assert_eq!(engine.message(id.clone(), None).await.unwrap().subject, "Subject 2");
    assert_eq!(engine.body(id.clone(), None, None, None).await.unwrap().text.trim(), "Body 2");
    assert_eq!(engine.thread(id.clone(), None).await.unwrap().messages.len(), 3);
    let records = log(&engine).await.split_off(before);
    assert!(records.iter().all(|r| r.kind == AuditKind::ContentRead && r.at == crate::clock::from_ms(START as i64)));
    let seen: Vec<_> = records.iter().map(|r| (r.account_id.as_deref(), r.subject.as_deref(), r.detail.as_str())).collect();
    let owner = engine.inner.vault.audit_signer().owner("owner").unwrap();
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
    assert!(engine.body("msg_999".into(), None, None, None).await.is_err());
    assert_eq!(log(&engine).await.len(), before + 6);
    engine.shutdown().await;
}

/// Transactions that 1,000 reads of a body cost, and how long they take, with as many callers at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
#[allow(clippy::disallowed_methods)] // real time is what is measured
async fn how_many_transactions_a_thousand_reads_cost() {
    // On a disk: in memory there is nothing to wait for.
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let store = dir.path().join("store");
    let engine = engine(&store, &clock());
    fill(&engine, "acc_a", "owner", 1).await;
    let id = first_message(&engine).await.id;
    for callers in [1, 16, 64] {
        let (before, started) = (commits(&store), std::time::Instant::now());
        let readers = (0..callers).map(|n| {
            let (engine, id) = (engine.clone(), id.clone());
            tokio::spawn(async move {
                for _ in (n..1_000).step_by(callers) {
                    engine.body(id.clone(), None, None, None).await.unwrap();
                }
            })
        });
        for reader in readers.collect::<Vec<_>>() {
            reader.await.unwrap();
        }
        println!("{callers} callers: 1000 reads, {} transactions, {} ms", commits(&store) - before, started.elapsed().as_millis());
    }
    assert!(engine.verify_audit(None, None).await.unwrap().intact);
    engine.shutdown().await;
}

#[tokio::test]
async fn no_record_no_content() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let engine = engine(&store, &clock());
    fill(&engine, "acc_a", "owner", 1).await;
    let id = first_message(&engine).await.id;
    tamper(&store, "ALTER TABLE audit RENAME TO gone");
    assert!(engine.messages(MessageQuery { account_id: Some("acc_a".into()), ..MessageQuery::default() }).await.is_err());
    assert!(engine.message(id.clone(), None).await.is_err() && engine.body(id.clone(), None, None, None).await.is_err() && engine.thread(id.clone(), None).await.is_err());
    tamper(&store, "ALTER TABLE gone RENAME TO audit");
    assert!(engine.body(id, None, None, None).await.is_ok() && engine.verify_audit(None, None).await.unwrap().intact);
    engine.shutdown().await;
}

#[tokio::test]
async fn the_log_is_paged() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("store"), &clock());
    for limit in [0, 1001] {
        assert_eq!(engine.audit(limit, None, None).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    for cursor in ["x", "-1", ""] {
        assert_eq!(engine.audit(1, Some(cursor.into()), None).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    fill(&engine, "acc_a", "owner", 1).await;
    fill(&engine, "acc_b", "somebody", 1).await;
    let (mut cursor, mut seen) = (None, Vec::new());
    loop {
        let page = engine.audit(2, cursor.clone(), None).await.unwrap();
        if page.items.is_empty() {
            assert_eq!(page.next, cursor);
            break;
        }
        seen.extend(page.items);
        cursor = page.next;
    }
    assert_eq!(seen.iter().map(|r| (r.number, r.kind)).collect::<Vec<_>>(), [(1, AuditKind::StoreMade), (2, AuditKind::ChainBegun), (1, AuditKind::SignedIn), (3, AuditKind::ChainBegun), (1, AuditKind::SignedIn)]);
    let owner = seen[2].owner.clone().unwrap();
    assert!(owner.starts_with("own_") && !owner.contains("owner") && owner.len() == 36);
    assert_eq!((seen[2].subject.as_ref(), seen[1].subject.as_ref(), seen[1].owner.as_ref()), (Some(&owner), Some(&owner), None));
    engine.shutdown().await;
}

#[tokio::test]
async fn an_owner_is_read_and_proven_without_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let engine = engine(&store, &clock());
    fill(&engine, "acc_a", "owner", 3).await;
    fill(&engine, "acc_b", "somebody", 1).await;
    for _ in 0..3 {
        first_message(&engine).await;
    }
    let of = |owner: &str| Some(owner.to_owned());
    let first = engine.audit(2, None, of("owner")).await.unwrap();
    let rest = engine.audit(1000, first.next.clone(), of("owner")).await.unwrap();
    let seen: Vec<_> = first.items.iter().chain(&rest.items).map(|r| (r.number, r.account_id.as_deref())).collect();
    assert_eq!(seen, [(1, Some("acc_a")), (2, Some("acc_a")), (3, Some("acc_a")), (4, Some("acc_a"))]);
    // A cursor is good for the list that gave it.
    for (cursor, owner) in [(first.next.clone(), of("somebody")), (first.next, None), (engine.audit(1, None, None).await.unwrap().next, of("owner"))] {
        assert_eq!(engine.audit(1, cursor, owner).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(engine.audit(1, None, of("")).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let all = engine.verify_audit(None, None).await.unwrap();
    assert_eq!((all.intact, all.records), (true, 8));
    let (one, other) = (engine.verify_audit(None, of("owner")).await.unwrap(), engine.verify_audit(None, of("somebody")).await.unwrap());
    assert_eq!((one.intact, one.records, other.intact, other.records), (true, 4, true, 1));
    let (all, one, other) = (all.head.unwrap(), one.head.unwrap(), other.head.unwrap());
    let ends: Vec<_> = all.chains.iter().map(|chain| (Some(&chain.owner), chain.number, &chain.hash)).collect();
    let mut wanted = [(one.owner.as_ref(), one.number, &one.hash), (other.owner.as_ref(), other.number, &other.hash)];
    wanted.sort_unstable();
    assert_eq!(ends, wanted);
    assert_eq!((all.number, all.owner.as_ref()), (3, None));
    // Each is good for its own chain and for all of them; one of all also for one.
    for (head, owner) in [(&all, None), (&all, of("owner")), (&one, of("owner")), (&one, None)] {
        assert!(engine.verify_audit(Some(head.clone()), owner).await.unwrap().intact);
    }
    assert_eq!(engine.verify_audit(Some(other.clone()), of("owner")).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let nobody = engine.verify_audit(None, of("nobody")).await.unwrap();
    assert!(nobody.intact && nobody.head.is_none() && nobody.records == 0);
    // What happens to one of them shows there, and when all are looked at.
    tamper(&store, "UPDATE audit SET at = at + 1 WHERE account_id = 'acc_a' AND number = 2");
    assert!(engine.verify_audit(None, of("somebody")).await.unwrap().intact);
    for owner in [None, of("owner")] {
        let verdict = engine.verify_audit(None, owner).await.unwrap();
        assert_eq!((verdict.fault, verdict.at, verdict.owner.as_ref()), (Some(AuditFault::Changed), Some(2), one.owner.as_ref()));
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn what_was_exported_is_erased_and_the_rest_is_proven() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let engine = engine(&store, &clock());
    fill(&engine, "acc_a", "owner", 1).await;
    fill(&engine, "acc_b", "somebody", 1).await;
    for _ in 0..600 {
        engine.inner.store.record(&[crate::store::Entry::new(AuditKind::ContentRead, "read").on("acc_a")], START as i64).await.unwrap();
    }
    let exported = engine.verify_audit(None, None).await.unwrap().head.unwrap();
    let one = engine.verify_audit(None, Some("owner".into())).await.unwrap().head.unwrap();
    first_message(&engine).await;
    // A head of something else erases nothing.
    let mut other = exported.clone();
    other.chains[0].hash = exported.hash.clone();
    assert_eq!(engine.trim_audit(other).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(engine.trim_audit(AuditHead { hash: "x".into(), ..exported.clone() }).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(log(&engine).await.len(), 606);
    // One owner, then all: the first record of the store's own chain is before all that say that chains were begun.
    assert_eq!(engine.trim_audit(one.clone()).await.unwrap(), 601);
    assert_eq!(engine.trim_audit(exported.clone()).await.unwrap(), 2);
    let left = log(&engine).await;
    assert_eq!(left.iter().map(|r| (r.number, r.kind)).collect::<Vec<_>>(), [(2, AuditKind::ChainBegun), (3, AuditKind::ChainBegun), (602, AuditKind::ContentRead), (4, AuditKind::AuditTrimmed), (5, AuditKind::AuditTrimmed)]);
    assert_eq!((left[3].subject.as_ref(), left[4].subject.as_ref()), (one.owner.as_ref(), None));
    // What was noted before it still holds.
    for head in [None, Some(exported.clone()), Some(one)] {
        let verdict = engine.verify_audit(head, None).await.unwrap();
        assert_eq!((verdict.intact, verdict.records), (true, 5), "{}", verdict.reason);
    }
    assert_eq!(engine.trim_audit(exported).await.unwrap(), 0);
    // Nor does anybody write in the place of what was erased.
    for number in ["7", "0", "-1", "(-9223372036854775807 - 1)"] {
        tamper(&store, &format!("INSERT INTO audit (chain, number, at, kind, detail, hash) SELECT chain, {number}, at, kind, detail, hash FROM audit WHERE number = 602"));
        for owner in [None, Some("owner".to_owned())] {
            let verdict = engine.verify_audit(None, owner).await.unwrap();
            assert_eq!(verdict.fault, Some(AuditFault::Changed), "{number} {}", verdict.reason);
        }
        tamper(&store, &format!("DELETE FROM audit WHERE number = {number}"));
        assert!(engine.verify_audit(None, None).await.unwrap().intact);
    }
    // Nobody else can erase like that.
    tamper(&store, "DELETE FROM audit WHERE number = 602");
    assert_eq!(engine.verify_audit(None, None).await.unwrap().fault, Some(AuditFault::TailMissing));
    tamper(&store, "UPDATE audit_chains SET trimmed = NULL WHERE id = 3");
    let verdict = engine.verify_audit(None, Some("somebody".into())).await.unwrap();
    assert_eq!((verdict.fault, verdict.at), (Some(AuditFault::TailMissing), Some(1)));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_chain_that_is_gone_as_a_whole_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let engine = engine(&store, &clock());
    fill(&engine, "acc_a", "owner", 1).await;
    fill(&engine, "acc_b", "somebody", 1).await;
    let mark = |owner: &str| engine.inner.vault.audit_signer().owner(owner).unwrap();
    let head = engine.verify_audit(None, Some("somebody".into())).await.unwrap().head;
    tamper(&store, "DELETE FROM audit WHERE chain = 3; DELETE FROM audit_chains WHERE id = 3");
    let verdict = engine.verify_audit(None, None).await.unwrap();
    assert_eq!((verdict.fault, verdict.at, verdict.owner), (Some(AuditFault::TailMissing), Some(1), Some(mark("somebody"))));
    assert_eq!(engine.verify_audit(head.clone(), Some("somebody".into())).await.unwrap().fault, Some(AuditFault::TailMissing));
    // Beginning it anew does not hide it.
    engine.messages(MessageQuery { owner: Some("somebody".into()), ..MessageQuery::default() }).await.unwrap();
    let verdict = engine.verify_audit(None, None).await.unwrap();
    assert_eq!((verdict.fault, verdict.owner), (Some(AuditFault::Missing), Some(mark("somebody"))));
    assert!(!engine.verify_audit(head, Some("somebody".into())).await.unwrap().intact);
    // Nor does a chain appear that nobody began: the record of its beginning is the store's, and is signed.
    tamper(&store, "DELETE FROM audit WHERE chain = 1 AND number > 3");
    assert_eq!(engine.verify_audit(None, None).await.unwrap().fault, Some(AuditFault::TailMissing));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_chain_cannot_stand_in_for_another() {
    for deed in [
        "UPDATE audit SET chain = 99 WHERE chain = 2; UPDATE audit SET chain = 2 WHERE chain = 3; UPDATE audit SET chain = 3 WHERE chain = 99",
        "UPDATE audit_chains SET owner = owner || 'x' WHERE id = 2",
        "UPDATE audit_chains SET signed_end = (SELECT signed_end FROM audit_chains WHERE id = 3) WHERE id = 2",
        "UPDATE audit_chains SET trimmed = signed_end WHERE id = 2",
        "INSERT INTO audit (chain, number, at, kind, detail, hash) VALUES (9, 1, 1, 'purged', 'x', zeroblob(32))",
        "INSERT INTO audit_chains (owner) VALUES ('own_x')",
        "DELETE FROM audit WHERE chain = 1; DELETE FROM audit_chains WHERE id = 1",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        let engine = engine(&store, &clock());
        fill(&engine, "acc_a", "owner", 1).await;
        fill(&engine, "acc_b", "somebody", 1).await;
        assert!(engine.verify_audit(None, None).await.unwrap().intact);
        tamper(&store, deed);
        assert!(!engine.verify_audit(None, None).await.unwrap().intact, "{deed}");
        engine.shutdown().await;
    }
}

/// A log of one chain for everybody goes on as the store's own, and is proven as it was: what somebody did to it before shows after.
#[tokio::test]
async fn a_log_of_one_chain_goes_on() {
    for (deed, at) in [("", None), ("UPDATE audit SET detail = 'x' WHERE number = 2", Some(2)), ("DELETE FROM audit WHERE number = 1", Some(1)), ("DELETE FROM meta WHERE name = 'audit_end'", Some(4))] {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        let before = engine(&store, &clock());
        before.rotate_keys(KeyRotation { data_keys: false, ..KeyRotation::default() }).await.unwrap();
        let head = before.verify_audit(None, None).await.unwrap().head.unwrap();
        let records: Vec<_> = log(&before).await;
        assert_eq!((records.len(), head.number, head.chains.len()), (3, 3, 0));
        before.shutdown().await;
        drop(before);
        tamper(&store, ONE_CHAIN);
        tamper(&store, deed);
        let after = engine(&store, &clock());
        let verdict = after.verify_audit(Some(head.clone()), None).await.unwrap();
        assert_eq!((verdict.intact, verdict.at, verdict.owner), (at.is_none(), at, None), "{deed}");
        if at.is_none() {
            assert_eq!(log(&after).await, records);
            fill(&after, "acc_a", "owner", 1).await;
            let verdict = after.verify_audit(Some(head), None).await.unwrap();
            assert_eq!((verdict.intact, verdict.records, verdict.head.unwrap().number), (true, 5, 4));
        }
        after.shutdown().await;
    }
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

/// (what somebody did to the file, fault, at). The chain of the owner, which is the second one, has 10 records.
const DEEDS: [(&str, AuditFault, u64); 19] = [
    ("UPDATE audit SET detail = 'Nothing was read.' WHERE chain = 2 AND number = 5", AuditFault::Changed, 5),
    ("UPDATE audit SET at = at + 1 WHERE chain = 2 AND number = 10", AuditFault::Changed, 10),
    ("UPDATE audit SET account_id = NULL WHERE chain = 2 AND number = 6", AuditFault::Changed, 6),
    ("UPDATE audit SET kind = 'purged' WHERE chain = 2 AND number = 1", AuditFault::Changed, 1),
    ("UPDATE audit SET hash = zeroblob(32) WHERE chain = 2 AND number = 7", AuditFault::Changed, 7),
    // What is no text at all.
    ("UPDATE audit SET detail = CAST(x'ff' AS TEXT) WHERE chain = 2 AND number = 5", AuditFault::Changed, 5),
    ("UPDATE audit SET kind = CAST(kind || x'ff' AS TEXT) WHERE chain = 2 AND number = 1", AuditFault::Changed, 1),
    ("DELETE FROM audit WHERE chain = 2 AND number = 1", AuditFault::Missing, 1),
    ("DELETE FROM audit WHERE chain = 2 AND number IN (4, 5)", AuditFault::Missing, 4),
    ("DELETE FROM audit WHERE chain = 2 AND number = 4; UPDATE audit SET number = -number WHERE chain = 2 AND number > 4; UPDATE audit SET number = -number - 1 WHERE number < 0", AuditFault::Missing, 4),
    ("DELETE FROM audit WHERE chain = 2 AND number = 9; UPDATE audit SET number = 9 WHERE chain = 2 AND number = 10", AuditFault::Missing, 9),
    ("UPDATE audit SET number = 99 WHERE chain = 2 AND number = 3; UPDATE audit SET number = 3 WHERE chain = 2 AND number = 8; UPDATE audit SET number = 8 WHERE number = 99", AuditFault::Swapped, 3),
    ("UPDATE audit SET number = 99 WHERE chain = 2 AND number = 9; UPDATE audit SET number = 9 WHERE chain = 2 AND number = 10; UPDATE audit SET number = 10 WHERE number = 99", AuditFault::Swapped, 9),
    ("CREATE TEMP TABLE o AS SELECT * FROM audit WHERE chain = 2; UPDATE audit SET (at, kind, account_id, subject, detail) = (SELECT at, kind, account_id, subject, detail FROM o WHERE o.number = 3 - audit.number) WHERE chain = 2 AND number IN (1, 2)", AuditFault::Swapped, 1),
    // They tell of the order in which they are listed.
    ("UPDATE audit SET id = 99 WHERE chain = 2 AND number = 4", AuditFault::Swapped, 5),
    ("DELETE FROM audit WHERE chain = 2 AND number > 8", AuditFault::TailMissing, 9),
    ("DELETE FROM audit WHERE chain = 2", AuditFault::TailMissing, 1),
    ("UPDATE audit_chains SET signed_end = NULL WHERE id = 2", AuditFault::TailMissing, 11),
    ("INSERT INTO audit (chain, number, at, kind, detail, hash) VALUES (2, 11, 1, 'purged', 'x', zeroblob(32))", AuditFault::Changed, 11),
];

#[tokio::test]
async fn what_was_altered_shows() {
    for (deed, fault, at) in DEEDS {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        let engine = engine(&store, &clock());
        fill(&engine, "acc_a", "owner", 1).await;
        let id = first_message(&engine).await.id;
        for _ in 0..8 {
            engine.message(id.clone(), None).await.unwrap();
        }
        let whole = engine.verify_audit(None, None).await.unwrap();
        assert_eq!((whole.intact, whole.records, whole.head.as_ref().unwrap().chains[0].number, whole.fault), (true, 12, 10, None));
        tamper(&store, deed);
        for owner in [None, Some("owner".to_owned())] {
            let verdict = engine.verify_audit(None, owner).await.unwrap();
            assert_eq!((verdict.intact, verdict.fault, verdict.at, verdict.owner.is_some()), (false, Some(fault), Some(at), true), "{deed}: {}", verdict.reason);
        }
        engine.shutdown().await;
    }
}

#[tokio::test]
async fn an_older_copy_shows_against_a_noted_end() {
    let dir = tempfile::tempdir().unwrap();
    let (store, copy) = (dir.path().join("store"), dir.path().join("copy"));
    let clock = clock();
    let first = engine(&store, &clock);
    fill(&first, "acc_a", "owner", 1).await;
    let old = first.verify_audit(None, None).await.unwrap().head.unwrap();
    first.shutdown().await;
    drop(first);
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(store.join("tidings.db"), copy.join("tidings.db")).unwrap();
    let second = engine(&store, &clock);
    first_message(&second).await;
    let head = second.verify_audit(Some(old.clone()), None).await.unwrap();
    assert!(head.intact, "{}", head.reason);
    let head = head.head.unwrap();
    second.shutdown().await;
    drop(second);
    std::fs::copy(copy.join("tidings.db"), store.join("tidings.db")).unwrap();
    let third = engine(&store, &clock);
    assert!(third.verify_audit(None, None).await.unwrap().intact, "a whole copy is whole in itself");
    let verdict = third.verify_audit(Some(head.clone()), None).await.unwrap();
    assert_eq!((verdict.fault, verdict.at), (Some(AuditFault::TailMissing), Some(head.chains[0].number)));
    // Going on from the copy does not help: the record is another one.
    clock.advance(1);
    first_message(&third).await;
    assert_eq!(third.verify_audit(Some(head), None).await.unwrap().fault, Some(AuditFault::Changed));
    for bad in [AuditHead { number: 0, ..old.clone() }, AuditHead { hash: "xyz".into(), ..old.clone() }, AuditHead { hash: String::new(), ..old }] {
        assert_eq!(third.verify_audit(Some(bad), None).await.unwrap_err().kind(), ErrorKind::InvalidInput);
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
