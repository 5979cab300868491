#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! What the audit log and erasure promise beyond the suite: full disks, several processes, tables that are added later.

use super::tests::{made, open, raw};
use super::*;
use crate::model::AuditKind;
use crate::store::suite::{self, Clerk};
use crate::store::{AccountStore, AuditEnd, AuditStore, Entry, PurgeStore, Purged, STORE_CHAIN, Shorthand, beginning};

#[test]
fn every_table_of_an_account_is_erased_or_named() {
    let made = made();
    let db = raw(made.dir.path());
    let tables = all(&db, "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name IN ('account_id', 'message_id')", [], |row| {
        Ok(row.get::<_, String>(0)?)
    });
    let tables = tables.unwrap();
    assert!(tables.len() > 8);
    for table in tables {
        assert!(purge::HELD.iter().any(|(held, _)| *held == table) || purge::KEPT.contains(&table.as_str()), "a purge forgets the table {table}");
    }
    let once: std::collections::BTreeSet<_> = purge::HELD.iter().map(|(held, _)| held).collect();
    assert_eq!(once.len(), purge::HELD.len());
}

#[tokio::test]
async fn no_record_no_step() {
    let made = made();
    suite::connect(&made.store, "a").await;
    let records = made.store.audit_chains(None).await.unwrap();
    raw(made.dir.path()).execute_batch("ALTER TABLE audit RENAME TO gone").unwrap();
    assert!(made.store.record(&[Entry::new(AuditKind::ContentRead, "read")], 1).await.is_err());
    assert!(made.store.disconnect_account("a", "by hand", 1).await.is_err());
    assert!(made.store.set_account_state("a", 1, crate::model::AccountState::NeedsReconnect, None, 1).await.is_err());
    assert!(made.store.begin_purge(Purged::Account("a"), "purged", 1).await.is_err());
    assert!(made.store.delete_owner("owner", "deleted", 1, 2).await.is_err());
    raw(made.dir.path()).execute_batch("ALTER TABLE gone RENAME TO audit").unwrap();
    let row = made.store.account("a").await.unwrap().unwrap();
    assert!(row.state == crate::model::AccountState::Connected && made.store.token("a").await.unwrap().is_some() && !made.store.is_deleted("owner").await.unwrap());
    assert_eq!(made.store.audit_chains(None).await.unwrap(), records);
}

#[tokio::test]
async fn a_full_disk_ends_the_step() {
    let made = made();
    suite::connect(&made.store, "a").await;
    {
        let slot = made.store.writer.alone();
        let pages: i64 = slot.as_ref().unwrap().query_row("PRAGMA page_count", [], |r| r.get(0)).unwrap();
        slot.as_ref().unwrap().query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    }
    let entries: Vec<Entry> = (0..5_000).map(|_| Entry::new(AuditKind::ContentRead, "read")).collect();
    let before = made.store.audit_chains(None).await.unwrap();
    assert_eq!(made.store.record(&entries, 1).await.unwrap_err().kind(), ErrorKind::StoreFull);
    assert_eq!(made.store.audit_chains(None).await.unwrap(), before, "all or nothing");
}

#[tokio::test]
async fn two_processes_write_one_chain() {
    let made = made();
    let other = open(made.dir.path()).unwrap();
    std::thread::scope(|scope| {
        for store in [&made.store, &other] {
            scope.spawn(move || {
                for n in 0..50 {
                    // The short waiting time of these tests may pass.
                    while crate::runtime::block_on(store.record(&[Entry::new(AuditKind::ContentRead, "read")], n)).is_err() {}
                }
            });
        }
    });
    let rows = made.store.audit_rows(None, 0, 1_000).await.unwrap();
    let mut before = beginning(&Clerk, STORE_CHAIN).unwrap().to_vec();
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row.number, at as i64 + 1);
        assert_eq!(row.hash_as(&Clerk, row.number, &before).unwrap().to_vec(), row.hash);
        before = row.hash.clone();
    }
    assert_eq!(rows.len(), 101);
    let end = AuditEnd::read(&Clerk, STORE_CHAIN, &made.store.audit_chains(Some(STORE_CHAIN)).await.unwrap().pop().unwrap().end.unwrap()).unwrap().unwrap();
    assert_eq!(end.hash.to_vec(), before);
}

#[tokio::test]
async fn a_cut_tail_is_not_written_over() {
    let made = made();
    for n in 0..5 {
        made.store.record(&[Entry::new(AuditKind::ContentRead, "read")], n).await.unwrap();
    }
    raw(made.dir.path()).execute_batch("DELETE FROM audit WHERE number > 3").unwrap();
    made.store.record(&[Entry::new(AuditKind::ContentRead, "read")], 9).await.unwrap();
    let numbers: Vec<_> = made.store.audit_rows(None, 0, 100).await.unwrap().into_iter().map(|row| row.number).collect();
    assert_eq!(numbers, [1, 2, 3, 7]);
    // Without the signed end nothing is written at all.
    raw(made.dir.path()).execute_batch("UPDATE audit_chains SET signed_end = NULL").unwrap();
    assert_eq!(made.store.record(&[Entry::new(AuditKind::ContentRead, "read")], 9).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_log_that_is_gone_is_not_begun_again() {
    let made = made();
    suite::connect(&made.store, "a").await;
    raw(made.dir.path()).execute_batch("DELETE FROM audit; DELETE FROM audit_chains; DELETE FROM keys WHERE purpose = 'audit'").unwrap();
    let key = crate::store::NewKey { id: 5, purpose: crate::store::KeyPurpose::Audit, account_id: None, wrapped: suite::sealed("k"), created_at: 1 };
    assert_eq!(made.store.begin_audit(&key, Arc::new(Clerk), 1).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn an_erasure_another_process_left_is_ended_here() {
    let made = made();
    let other = open(made.dir.path()).unwrap();
    suite::connect(&made.store, "a").await;
    let token = made.store.token("a").await.unwrap().unwrap().sealed;
    let holds = |name: &str| std::fs::read(made.dir.path().join(name)).unwrap().windows(24).any(|w| w == &token.as_bytes()[10..34]);
    let reader = raw(made.dir.path());
    reader.execute_batch("BEGIN; SELECT * FROM tokens").unwrap();
    made.store.disconnect_account("a", "by hand", 1).await.unwrap();
    reader.execute_batch("COMMIT").unwrap();
    assert!(holds("tidings.db-wal"));
    // As if that process had been killed: nothing of it closes the file.
    std::mem::forget(made.store);
    // The other one was open all the time, and knows of it by its first write at the latest.
    other.take_lease("any", "write", 1, 1).await.unwrap();
    other.take_lease("any", "write", 2, 1).await.unwrap();
    assert!(other.meta(ERASURE_PENDING).await.unwrap().is_none());
    assert!(!holds("tidings.db-wal") && !holds("tidings.db"));
    // Or by its sweep.
    other.meta_or_insert(ERASURE_PENDING, b"1").await.unwrap();
    other.must_erase.store(false, Ordering::SeqCst);
    assert!(other.finish_erasure().await.unwrap());
    assert!(other.meta(ERASURE_PENDING).await.unwrap().is_none());
}
