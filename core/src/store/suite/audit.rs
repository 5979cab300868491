//! What is recorded, and how records hang together.

use super::*;
use crate::error::ErrorKind;
use crate::model::AuditKind;

async fn log(s: &dyn Store) -> Vec<AuditRow> {
    s.audit_rows(None, 0, 10_000).await.unwrap()
}

async fn kinds(s: &dyn Store, after: usize) -> Vec<String> {
    log(s).await.into_iter().skip(after).map(|row| row.kind).collect()
}

pub async fn steps_leave_records(s: &dyn Store) {
    assert_eq!(kinds(s, 0).await, ["store_made"]);
    connect(s, "a").await;
    let row = log(s).await.pop().unwrap();
    assert_eq!((row.kind.as_str(), row.account_id.as_deref(), row.subject.as_deref(), row.at), ("signed_in", Some("a"), Some("own_5"), 10));
    assert_eq!((row.owner.as_str(), row.number), ("own_5", 1));
    s.store_account(&AccountRow { generation: 2, ..account("a") }, Some(&token("a", 2)), &[key(500, KeyPurpose::Secrets, "a")], None, 20).await.unwrap();
    s.set_account_state("a", 2, AccountState::NeedsReconnect, Some("why"), 30).await.unwrap();
    // The same again is no change.
    s.set_account_state("a", 2, AccountState::NeedsReconnect, Some("why"), 31).await.unwrap();
    s.set_account_state("a", 2, AccountState::Connected, None, 32).await.unwrap();
    let (sent, waiting) = (enqueue(s, "a", "l1", Some("k")).await, enqueue(s, "a", "l2", None).await);
    assert!(matches!(s.put(&item_of("a", "l1", Some("k")), &content()).await.unwrap(), Enqueued::Known { .. }));
    let claimed = s.claim(1, 100, &[]).await.unwrap().unwrap();
    s.step(&sent, claimed.fence, &step(ItemState::Dispatching), 1).await.unwrap();
    s.step(&sent, claimed.fence, &step(ItemState::Sent), 2).await.unwrap();
    // A step of somebody who lost the claim is none.
    s.step(&sent, claimed.fence, &step(ItemState::Failed), 2).await.unwrap();
    let settled = log(s).await.pop().unwrap();
    assert_eq!((settled.kind.as_str(), settled.subject.unwrap(), settled.detail.as_str()), ("send_settled", sent.clone(), "It was sent."));
    s.disconnect_account("a", "by hand", 50).await.unwrap();
    s.disconnect_account("a", "by hand", 51).await.unwrap();
    assert_eq!(log(s).await.pop().unwrap().subject.unwrap(), waiting);
    s.record(&[Entry::new(AuditKind::ContentRead, "read").on("a").about("msg_1")], 60).await.unwrap();
    assert_eq!(
        kinds(s, 1).await,
        [
            "chain_begun", "signed_in", "signed_in", "key_destroyed", "state_changed", "state_changed", "send_queued", "send_queued", "send_settled", "disconnected",
            "key_destroyed", "send_settled", "content_read"
        ]
    );
    assert!(log(s).await.iter().all(|row| !row.detail.contains("owner") && !row.detail.contains("by hand")));
}

pub async fn records_are_chained(s: &dyn Store) {
    for n in 0..5 {
        s.record(&[Entry::new(AuditKind::ContentRead, "one"), Entry::new(AuditKind::ContentRead, "two").on("a")], n).await.unwrap();
    }
    let rows = log(s).await;
    let mut before = beginning(&Clerk, STORE_CHAIN).unwrap().to_vec();
    for (at, row) in rows.iter().enumerate() {
        assert_eq!((row.number, row.position), (at as i64 + 1, at as i64 + 1));
        assert_eq!(row.hash_as(&Clerk, row.number, &before).unwrap().to_vec(), row.hash);
        // Another place, another hash; nothing given is not the same as an empty text.
        assert_ne!(row.hash_as(&Clerk, row.number + 1, &before).unwrap().to_vec(), row.hash);
        let other = AuditRow { subject: Some(String::new()), ..row.clone() };
        assert_ne!(other.hash_as(&Clerk, row.number, &before).unwrap().to_vec(), row.hash);
        before = row.hash.clone();
    }
    let chain = s.audit_chains(Some(STORE_CHAIN)).await.unwrap().pop().unwrap();
    assert_eq!((chain.records, chain.last), (11, Some(11)));
    let end = AuditEnd::read(&Clerk, STORE_CHAIN, &chain.end.unwrap()).unwrap().unwrap();
    assert_eq!((end.number, end.hash.to_vec()), (11, before));
    assert_eq!(s.audit_rows(None, 3, 2).await.unwrap(), rows[3..5]);
    assert_eq!(s.audit_rows(Some(STORE_CHAIN), 3, 2).await.unwrap(), rows[3..5]);
}

pub async fn each_owner_has_a_chain(s: &dyn Store) {
    connect(s, "a").await;
    s.store_account(&AccountRow { owner: "somebody".into(), ..account("b") }, None, &[key(700, KeyPurpose::Secrets, "b"), key(701, KeyPurpose::Content, "b")], None, 11).await.unwrap();
    let read = |at: &str| Entry::new(AuditKind::ContentRead, "read").on(at);
    // Of both owners and of nobody, in one step.
    s.record(&[read("a"), read("b"), Entry::new(AuditKind::ContentRead, "list").of("own_8"), Entry::new(AuditKind::StoreCopied, "copied"), read("a")], 12).await.unwrap();
    let seen: Vec<_> = log(s).await.into_iter().map(|row| (row.owner, row.number, row.kind)).collect();
    let seen: Vec<_> = seen.iter().map(|(owner, number, kind)| (owner.as_str(), *number, kind.as_str())).collect();
    let (one, other) = ("own_5", "own_8");
    assert_eq!(
        seen,
        [
            ("", 1, "store_made"), ("", 2, "chain_begun"), (one, 1, "signed_in"), ("", 3, "chain_begun"), (other, 1, "signed_in"), (one, 2, "content_read"),
            (other, 2, "content_read"), (other, 3, "content_read"), ("", 4, "store_copied"), (one, 3, "content_read")
        ]
    );
    let chains = s.audit_chains(None).await.unwrap();
    assert_eq!(chains.iter().map(|chain| (chain.owner.as_str(), chain.records, chain.last)).collect::<Vec<_>>(), [("", 4, Some(4)), (one, 3, Some(3)), (other, 3, Some(3))]);
    for chain in &chains {
        let end = AuditEnd::read(&Clerk, &chain.owner, chain.end.as_ref().unwrap()).unwrap().unwrap();
        let rows = s.audit_rows(Some(&chain.owner), 0, 100).await.unwrap();
        let mut before = beginning(&Clerk, &chain.owner).unwrap().to_vec();
        for (number, row) in (1..).zip(&rows) {
            assert_eq!(row.hash_as(&Clerk, number, &before).unwrap().to_vec(), row.hash);
            before.clone_from(&row.hash);
        }
        assert_eq!((end.number, end.hash.to_vec()), (rows.len() as i64, before));
        // Nobody else's.
        assert_eq!(AuditEnd::read(&Clerk, "own_6", chain.end.as_ref().unwrap()).unwrap(), None);
        assert_eq!(s.audit_chains(Some(&chain.owner)).await.unwrap().pop().as_ref(), Some(chain));
    }
    assert_eq!(s.audit_rows(Some(one), 1, 1).await.unwrap()[0].number, 2);
    assert!(s.audit_rows(Some("own_6"), 0, 100).await.unwrap().is_empty() && s.audit_chains(Some("own_6")).await.unwrap().pop().is_none());
    // Whose it was is known until the last record of an account, and after it.
    s.begin_purge(Purged::Account("b"), "purged", 13).await.unwrap();
    while s.erase_some("b", 100, 14).await.unwrap() {}
    s.end_purge("b", 15).await.unwrap();
    s.record(&[read("b")], 16).await.unwrap();
    let rows = s.audit_rows(Some(other), 3, 100).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>(), ["disconnected", "key_destroyed", "key_destroyed", "purged", "content_read"]);
    assert_eq!(s.audit_chains(Some(STORE_CHAIN)).await.unwrap().pop().unwrap().records, 4);
}

pub async fn a_chain_is_erased_from_its_start(s: &dyn Store) {
    connect(s, "a").await;
    for n in 0..5 {
        s.record(&[Entry::new(AuditKind::ContentRead, "read").on("a")], n).await.unwrap();
    }
    let (owner, rows) = ("own_5", s.audit_rows(Some("own_5"), 0, 100).await.unwrap());
    let end = |row: &AuditRow| AuditEnd { number: row.number, hash: row.hash.clone().try_into().unwrap() };
    // Another record than the one that was exported: nothing goes.
    assert_eq!(s.trim_chain(owner, AuditEnd { number: 4, hash: [1; 32] }, 100).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(s.audit_rows(Some(owner), 0, 100).await.unwrap(), rows);
    let beginning = async || AuditEnd::read_trimmed(&Clerk, owner, &s.audit_chains(Some(owner)).await.unwrap().pop().unwrap().trimmed.unwrap()).unwrap().unwrap();
    for (erased, from) in [(3, 3), (1, 4), (0, 4)] {
        assert_eq!(s.trim_chain(owner, end(&rows[3]), 3).await.unwrap(), erased);
        assert_eq!((s.audit_rows(Some(owner), 0, 100).await.unwrap(), beginning().await), (rows[from..].to_vec(), end(&rows[from - 1])));
    }
    // What is signed as a beginning is no end, and nobody else's.
    let trimmed = s.audit_chains(Some(owner)).await.unwrap().pop().unwrap().trimmed.unwrap();
    assert!(AuditEnd::read(&Clerk, owner, &trimmed).unwrap().is_none() && AuditEnd::read_trimmed(&Clerk, "own_6", &trimmed).unwrap().is_none());
    // All of it may go, and the next record comes after what there was.
    assert_eq!(s.trim_chain(owner, end(&rows[5]), 100).await.unwrap(), 2);
    s.record(&[Entry::new(AuditKind::ContentRead, "read").on("a")], 9).await.unwrap();
    let next = s.audit_rows(Some(owner), 0, 100).await.unwrap().remove(0);
    assert_eq!((next.number, next.hash_as(&Clerk, 7, &rows[5].hash).unwrap().to_vec()), (7, next.hash.clone()));
    assert!(next.position > rows[5].position);
    // What says that chains were begun stays.
    let own = s.audit_rows(Some(STORE_CHAIN), 0, 100).await.unwrap();
    assert_eq!(s.trim_chain(STORE_CHAIN, end(own.last().unwrap()), 100).await.unwrap(), 1);
    assert_eq!(s.audit_rows(Some(STORE_CHAIN), 0, 100).await.unwrap(), own[1..]);
    assert_eq!(s.trim_chain("own_6", end(&rows[0]), 100).await.unwrap(), 0);
}

pub async fn a_log_is_begun_once(s: &dyn Store) {
    s.record(&[Entry::new(AuditKind::ContentRead, "one")], 1).await.unwrap();
    with_log(s).await;
    assert_eq!(log(s).await.len(), 2);
    assert_eq!(s.active_key(KeyPurpose::Audit, None).await.unwrap().unwrap().id, i64::MAX);
    s.close();
    assert_eq!(s.record(&[Entry::new(AuditKind::ContentRead, "one")], 1).await.unwrap_err().kind(), ErrorKind::Closed);
}
