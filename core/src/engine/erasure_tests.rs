#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! Disconnecting, purging, deleting owners: what is left, and when it can no longer be read.

use super::audit_tests::{START, clock, engine, engine_with, fill, first_message};
use super::*;
use crate::error::ErrorKind;
use crate::store::Purged;
use crate::clock::from_ms;
use std::path::Path;

const DAY: u64 = 86_400_000;

/// Files of the store that hold this text.
fn holding(dir: &Path, text: &str) -> Vec<String> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| std::fs::read(file).unwrap().windows(text.len()).any(|w| w == text.as_bytes())).map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn account(id: &str) -> PurgeRequest {
    PurgeRequest { account_id: Some(id.into()), owner: None }
}

fn of(owner: &str) -> PurgeRequest {
    PurgeRequest { account_id: None, owner: Some(owner.into()) }
}

async fn kinds(engine: &Engine) -> Vec<AuditKind> {
    engine.audit(1000, None, None).await.unwrap().items.into_iter().map(|r| r.kind).collect()
}

fn list_of(owner: &str) -> MessageQuery {
    MessageQuery { owner: Some(owner.into()), ..MessageQuery::default() }
}

fn feed() -> ChangeQuery {
    ChangeQuery { owner: Some("owner".into()), ..ChangeQuery::default() }
}

/// Waits until a purge has ended. Time goes on meanwhile: a lease of an engine that is gone has to run out.
async fn ended(engine: &Engine, clock: &TestClock, account_id: &str) {
    while engine.inner.store.purge(account_id).await.unwrap().is_none_or(|purge| purge.ended_at.is_none()) {
        clock.advance(1_000);
        engine.changes(feed()).ready(1).await.unwrap();
    }
}

/// Two hours after the keys were replaced the replaced ones open nothing, and whoever ran meanwhile has gone over to the new ones by itself.
#[tokio::test]
async fn the_sweep_follows_new_keys_and_burns_the_way_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let (store, time) = (dir.path().join("store"), clock());
    let (one, other) = (engine(&store, &time), engine(&store, &time));
    fill(&one, "acc_a", "owner", 3).await;
    let new_root_key = Some(Arc::new(RootKey::raw((1..33).collect()).unwrap()));
    assert!(other.rotate_keys(KeyRotation { new_root_key, ..KeyRotation::default() }).await.unwrap().root_key);
    time.advance(DAY / 24);
    one.inner.retention.sweep_once().await;
    assert_eq!(one.inner.store.handovers().await.unwrap().len(), 1);
    time.advance(DAY / 24);
    other.inner.retention.sweep_once().await;
    assert!(one.inner.store.handovers().await.unwrap().is_empty());
    assert_eq!(first_message(&one).await.subject, "Subject 2");
    assert!(one.verify_audit(None, None).await.unwrap().intact);
    // The handover after the next one is made from a key it holds.
    other.rotate_keys(KeyRotation::default()).await.unwrap();
    assert_eq!(first_message(&one).await.subject, "Subject 2");
    assert_eq!(one.rotate_keys(KeyRotation::default()).await.unwrap_err().kind(), ErrorKind::VaultLocked);
    assert_eq!(one.rotate_keys(KeyRotation { store_key: false, ..KeyRotation::default() }).await.unwrap().data_keys, 2);
    one.shutdown().await;
    other.shutdown().await;
}

#[tokio::test]
async fn a_purge_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let engine = engine(&store, &clock());
    fill(&engine, "acc_a", "canary-owner", 700).await;
    fill(&engine, "acc_b", "neighbour", 5).await;
    let draft = MailDraft { account_id: "acc_a".into(), to: vec![Address { address: "a@example.com".into(), name: String::new() }], subject: "s".into(), body: "b".into(), key: Some("canary-owner-key".into()), ..Default::default() };
    engine.enqueue(Draft::Mail { mail: draft }).await.unwrap();
    assert!(!holding(&store, "canary-owner").is_empty());
    let report = engine.purge(account("acc_a")).await.unwrap();
    assert_eq!((report.account_ids, report.finished_at), (vec!["acc_a".to_owned()], from_ms(START as i64)));
    assert!(report.rows > 2_100, "messages, bodies, changes and more: {}", report.rows);
    assert_eq!(holding(&store, "canary-owner"), Vec::<String>::new());
    assert_eq!(engine.account("acc_a".into(), None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(engine.purge(account("acc_a")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(engine.disconnect("acc_a".into(), None).await.unwrap_err().kind(), ErrorKind::NotFound);
    let left: Vec<_> = engine.accounts(AccountFilter::default()).await.unwrap().items.into_iter().map(|a| a.id).collect();
    assert_eq!(left, ["acc_b"]);
    assert_eq!(engine.messages(list_of("neighbour")).await.unwrap().items.len(), 5);
    assert!(engine.outbox(OutboxFilter { owner: Some("canary-owner".into()), ..Default::default() }).await.unwrap().is_empty());
    let mut log = kinds(&engine).await;
    log.retain(|kind| *kind != AuditKind::SendSettled); // before or by the purge
    assert!(log.ends_with(&[AuditKind::Disconnected, AuditKind::KeyDestroyed, AuditKind::KeyDestroyed, AuditKind::Purged, AuditKind::ContentRead]), "{log:?}");
    assert!(engine.verify_audit(None, None).await.unwrap().intact);
    engine.shutdown().await;
    assert_eq!(holding(&store, "canary-owner"), Vec::<String>::new());
}

#[tokio::test]
async fn a_purge_leaves_no_word_of_a_clear_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let engine = engine_with(&store, &clock(), crate::config::Content::Clear);
    fill(&engine, "acc_a", "canaryword", 1_200).await;
    fill(&engine, "acc_b", "neighbour", 300).await;
    let found = |text: &str| engine.search(SearchQuery { text: text.into(), owner: Some(text.trim_start_matches("text").into()), account_id: None, limit: 5 });
    assert!(found("textcanaryword").await.unwrap().len() == 5 && !holding(&store, "textcanaryword").is_empty());
    engine.inner.store.begin_purge(Purged::Account("acc_a"), "purged", 1).await.unwrap();
    assert!(found("textcanaryword").await.unwrap().is_empty());
    engine.purge(account("acc_a")).await.unwrap();
    assert_eq!(holding(&store, "canaryword"), Vec::<String>::new());
    assert_eq!(found("textneighbour").await.unwrap().len(), 5);
    engine.shutdown().await;
    assert_eq!(holding(&store, "canaryword"), Vec::<String>::new());
}

/// Whatever cannot be described afterwards.
#[tokio::test]
async fn a_disconnect_is_told_before_the_account_is_described() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let engine = engine(&store, &clock());
    fill(&engine, "acc_a", "owner", 0).await;
    crate::store::tamper(&store, "UPDATE keys SET wrapped = x'00' WHERE purpose = 'content'");
    let events = engine.events(None);
    let _ = engine.disconnect("acc_a".into(), None).await;
    engine.shutdown().await;
    let Ok(Some(Event::AccountChanged { account_id, state })) = events.next().await else { panic!("nothing was told") };
    assert_eq!((account_id.as_str(), state), ("acc_a", AccountState::Disconnected));
}

#[tokio::test]
async fn the_sweep_erases_sign_ins_nobody_came_back_to() {
    let dir = tempfile::tempdir().unwrap();
    let time = clock();
    let engine = engine(&dir.path().join("store"), &time);
    let request = ConnectRequest { owner: "owner".into(), features: vec![Feature::Chat], redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() };
    let url = url::Url::parse(&engine.connect(request).await.unwrap().url).unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let hash = <sha2::Sha256 as sha2::Digest>::digest(state.as_bytes());
    let is_there = async || engine.inner.store.attempt(&hash).await.unwrap().is_some();
    assert!(is_there().await);
    time.advance(DAY);
    engine.inner.retention.sweep_once().await;
    assert!(is_there().await, "whoever comes late is told so");
    time.advance(301_000);
    engine.inner.retention.sweep_once().await;
    assert!(!is_there().await);
    engine.shutdown().await;
}

#[tokio::test]
async fn what_to_purge_is_checked_first() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("store"), &clock());
    for request in [PurgeRequest::default(), PurgeRequest { account_id: Some("a".into()), owner: Some("o".into()) }, of(""), of(&"x".repeat(201)), of("a\nb")] {
        assert_eq!(engine.purge(request).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    for request in [account("acc_x"), account(""), of("nobody")] {
        assert_eq!(engine.purge(request).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(engine.delete_owner(String::new()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    // A slip of the pen is no deletion.
    assert_eq!(engine.delete_owner("nobody".into()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(engine.restore_owner("nobody".into()).await.unwrap_err().kind(), ErrorKind::NotFound);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_purge_that_was_cut_off_ends_at_the_next_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let time = clock();
    for pieces in [0, 1, 7, 1_000] {
        let owner = format!("canary-{pieces}");
        let id = format!("acc_{pieces}");
        {
            let engine = engine(&store, &time);
            fill(&engine, &id, &owner, 20).await;
            let begun = engine.inner.store.begin_purge(Purged::Account(&id), "purged", 1).await.unwrap();
            assert_eq!(begun.len(), 1);
            for _ in 0..pieces {
                if !engine.inner.store.erase_some(&id, 5, 2).await.unwrap() {
                    break;
                }
            }
            // Gone already, whatever is still in the file.
            assert!(engine.messages(list_of(&owner)).await.unwrap().items.is_empty());
        }
        let engine = engine(&store, &time);
        ended(&engine, &time, &id).await;
        assert_eq!(holding(&store, &owner), Vec::<String>::new());
        let records = engine.audit(1000, None, None).await.unwrap().items;
        assert_eq!(records.iter().filter(|r| r.kind == AuditKind::Purged && r.account_id.as_ref() == Some(&id)).count(), 1);
        engine.shutdown().await;
    }
}

#[tokio::test]
async fn another_process_reads_nothing_of_what_was_purged() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let time = clock();
    let (one, two) = (engine(&store, &time), engine(&store, &time));
    fill(&one, "acc_a", "owner", 20).await;
    fill(&one, "acc_b", "owner", 2).await;
    // Keys and rows are in its memory.
    let id = two.messages(MessageQuery { account_id: Some("acc_a".into()), ..MessageQuery::default() }).await.unwrap().items[0].id.clone();
    assert!(two.body(id.clone(), None, None, None).await.is_ok());
    one.inner.store.begin_purge(Purged::Account("acc_a"), "purged", 1).await.unwrap();
    for kind in [two.message(id.clone(), None).await.err(), two.thread(id.clone(), None).await.err(), two.body(id.clone(), None, None, None).await.err()] {
        assert_eq!(kind.map(|e| e.kind()), Some(ErrorKind::NotFound));
    }
    assert_eq!(two.messages(list_of("owner")).await.unwrap().items.len(), 2, "the other account's are listed all the same");
    assert_eq!(two.sync("acc_a".into(), None).await.unwrap_err().kind(), ErrorKind::NotConnected);
    assert_eq!(two.folders("acc_a".into(), None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(two.mark_read(id, true, None).await.unwrap_err().kind(), ErrorKind::NotConnected);
    // Either may end it; both asking at once end it once. Who comes after the end finds nothing.
    let mut both = std::pin::pin!(async { tokio::join!(one.purge(account("acc_a")), two.purge(account("acc_a"))) });
    let (a, b) = loop {
        tokio::select! {
            ended = &mut both => break ended,
            // The one that waits for the other looks again.
            _ = async { one.changes(feed()).ready(1).await } => time.advance(250),
        }
    };
    let rows: Vec<u64> = [a, b].into_iter().filter_map(|r| r.map_err(|e| assert_eq!(e.kind(), ErrorKind::NotFound)).ok()).map(|r| r.rows).collect();
    assert!(!rows.is_empty() && rows.iter().all(|n| *n > 60 && *n == rows[0]), "{rows:?}");
    assert_eq!(kinds(&one).await.iter().filter(|kind| **kind == AuditKind::Purged).count(), 1);
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test]
async fn a_deleted_owner_is_purged_after_thirty_days() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let clock = clock();
    let engine = engine(&store, &clock);
    fill(&engine, "acc_a", "canary-owner", 5).await;
    fill(&engine, "acc_b", "canary-owner", 0).await;
    let deletion = engine.delete_owner("canary-owner".into()).await.unwrap();
    assert_eq!((deletion.account_ids.len(), deletion.purge_at), (2, from_ms((START + 30 * DAY) as i64)));
    assert!(engine.accounts(AccountFilter::default()).await.unwrap().items.iter().all(|a| a.state == AccountState::Disconnected));
    assert_eq!(first_message(&engine).await.subject, "Subject 4", "until then it can be read");
    let request = ConnectRequest { owner: "canary-owner".into(), features: vec![Feature::Chat], redirect_uri: "http://localhost/cb".into(), ..Default::default() };
    assert_eq!(engine.connect(request.clone()).await.unwrap_err().kind(), ErrorKind::Conflict);
    engine.restore_owner("canary-owner".into()).await.unwrap();
    assert_eq!(engine.restore_owner("canary-owner".into()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(engine.connect(request).await.is_ok());
    // Taken back: nothing happens when the time comes.
    clock.advance(31 * DAY);
    engine.inner.retention.sweep_once().await;
    assert_eq!(engine.accounts(AccountFilter::default()).await.unwrap().items.len(), 2);
    let again = engine.delete_owner("canary-owner".into()).await.unwrap();
    assert_eq!(again.purge_at, from_ms((START + 61 * DAY) as i64));
    clock.advance(30 * DAY);
    ended(&engine, &clock, "acc_a").await;
    ended(&engine, &clock, "acc_b").await;
    assert!(engine.accounts(AccountFilter::default()).await.unwrap().items.is_empty());
    assert_eq!(holding(&store, "canary-owner"), Vec::<String>::new());
    assert!(engine.verify_audit(None, None).await.unwrap().intact);
    engine.shutdown().await;
}

/// How long it takes until nothing can be decrypted any more, printed for whoever wants to know.
#[tokio::test]
#[allow(clippy::disallowed_methods)] // real time is what is measured
async fn disconnect_and_purge_of_a_large_account_are_quick() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&dir.path().join("store"), &clock());
    let started = std::time::Instant::now();
    fill(&engine, "acc_a", "owner", 5_000).await;
    println!("filled 5,000 messages in {} ms", started.elapsed().as_millis());
    let started = std::time::Instant::now();
    for _ in 0..100 {
        engine.messages(list_of("owner")).await.unwrap();
    }
    println!("messages (50 of them): {:.2} ms each", started.elapsed().as_secs_f64() * 10.0);
    let started = std::time::Instant::now();
    for _ in 0..100 {
        engine.inner.store.record(&[crate::store::Entry::new(AuditKind::ContentRead, "read")], 1).await.unwrap();
    }
    println!("of which the record: {:.2} ms", started.elapsed().as_secs_f64() * 10.0);
    let started = std::time::Instant::now();
    engine.disconnect("acc_a".into(), None).await.unwrap();
    println!("disconnect, secrets undecryptable and out of the log: {} ms", started.elapsed().as_millis());
    assert!(engine.inner.vault.secrets("acc_a").await.is_err());
    let started = std::time::Instant::now();
    engine.inner.store.begin_purge(Purged::Account("acc_a"), "purged", 1).await.unwrap();
    println!("purge, content undecryptable: {} ms", started.elapsed().as_millis());
    assert!(engine.inner.vault.content("acc_a").await.is_err());
    let report = engine.purge(account("acc_a")).await.unwrap();
    println!("purge, {} rows erased after {} ms", report.rows, started.elapsed().as_millis());
    let started = std::time::Instant::now();
    assert!(engine.verify_audit(None, None).await.unwrap().intact);
    println!("verify of {} records: {} ms", engine.inner.store.audit_chains(None).await.unwrap().iter().map(|chain| chain.records).sum::<i64>(), started.elapsed().as_millis());
    engine.shutdown().await;
}

/// A clock that stands a year ahead would take receipts and idempotency keys before their time.
#[tokio::test]
async fn what_is_old_by_a_clock_that_nobody_confirms_stays() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let engine = engine(&dir.path().join("store"), &clock);
    fill(&engine, "acc_a", "owner", 3).await;
    let before = engine.changes(feed()).ready(1_000).await.unwrap();
    assert!(!before.is_empty());
    clock.advance(400 * DAY);
    engine.inner.retention.sweep_once().await;
    assert_eq!(engine.changes(feed()).ready(1_000).await.unwrap(), before);
    engine.shutdown().await;
}
