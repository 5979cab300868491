//! What is recorded, and how records hang together.

use super::*;
use crate::error::ErrorKind;
use crate::model::AuditKind;

fn log(s: &dyn Store) -> Vec<AuditRow> {
    s.audit_rows(0, 10_000).unwrap()
}

fn kinds(s: &dyn Store, after: usize) -> Vec<String> {
    log(s).into_iter().skip(after).map(|row| row.kind).collect()
}

pub fn steps_leave_records(s: &dyn Store) {
    assert_eq!(kinds(s, 0), ["store_made"]);
    connect(s, "a");
    let row = log(s).pop().unwrap();
    assert_eq!((row.kind.as_str(), row.account_id.as_deref(), row.subject.as_deref(), row.at), ("signed_in", Some("a"), Some("own_5"), 10));
    s.connect_account(&AccountRow { generation: 2, ..account("a") }, Some(&token("a", 2)), &[key(500, KeyPurpose::Secrets, "a")], None, 20).unwrap();
    s.set_account_state("a", 2, AccountState::NeedsReconnect, Some("why"), 30).unwrap();
    // The same again is no change.
    s.set_account_state("a", 2, AccountState::NeedsReconnect, Some("why"), 31).unwrap();
    s.set_account_state("a", 2, AccountState::Connected, None, 32).unwrap();
    let (sent, waiting) = (enqueue(s, "a", "l1", Some("k")), enqueue(s, "a", "l2", None));
    assert!(matches!(s.enqueue(&item_of("a", "l1", Some("k")), &content()).unwrap(), Enqueued::Known { .. }));
    let claimed = s.claim(1, 100, &[]).unwrap().unwrap();
    s.step(&sent, claimed.fence, &step(ItemState::Dispatching), 1).unwrap();
    s.step(&sent, claimed.fence, &step(ItemState::Sent), 2).unwrap();
    // A step of somebody who lost the claim is none.
    s.step(&sent, claimed.fence, &step(ItemState::Failed), 2).unwrap();
    let settled = log(s).pop().unwrap();
    assert_eq!((settled.kind.as_str(), settled.subject.unwrap(), settled.detail.as_str()), ("send_settled", sent.clone(), "It was sent."));
    s.disconnect_account("a", "by hand", 50).unwrap();
    s.disconnect_account("a", "by hand", 51).unwrap();
    assert_eq!(log(s).pop().unwrap().subject.unwrap(), waiting);
    s.record(&[Entry::new(AuditKind::ContentRead, "read").on("a").about("msg_1")], 60).unwrap();
    assert_eq!(
        kinds(s, 1),
        [
            "signed_in", "signed_in", "key_destroyed", "state_changed", "state_changed", "send_queued", "send_queued", "send_settled", "disconnected",
            "key_destroyed", "send_settled", "content_read"
        ]
    );
    assert!(log(s).iter().all(|row| !row.detail.contains("owner") && !row.detail.contains("by hand")));
}

pub fn records_are_chained(s: &dyn Store) {
    for n in 0..5 {
        s.record(&[Entry::new(AuditKind::ContentRead, "one"), Entry::new(AuditKind::ContentRead, "two").on("a")], n).unwrap();
    }
    let rows = log(s);
    let mut before = BEGINNING.to_vec();
    for (at, row) in rows.iter().enumerate() {
        assert_eq!(row.number, at as i64 + 1);
        assert_eq!(row.hash_as(&Clerk, row.number, &before).unwrap().to_vec(), row.hash);
        // Another place, another hash; nothing given is not the same as an empty text.
        assert_ne!(row.hash_as(&Clerk, row.number + 1, &before).unwrap().to_vec(), row.hash);
        let other = AuditRow { subject: Some(String::new()), ..row.clone() };
        assert_ne!(other.hash_as(&Clerk, row.number, &before).unwrap().to_vec(), row.hash);
        before = row.hash.clone();
    }
    let extent = s.audit_extent().unwrap();
    assert_eq!((extent.records, extent.last), (11, Some(11)));
    let end = AuditEnd::read(&Clerk, &extent.end.unwrap()).unwrap().unwrap();
    assert_eq!((end.number, end.hash.to_vec()), (11, before));
    assert_eq!(s.audit_rows(3, 2).unwrap(), rows[3..5]);
}

pub fn a_log_is_begun_once(s: &dyn Store) {
    s.record(&[Entry::new(AuditKind::ContentRead, "one")], 1).unwrap();
    with_log(s);
    assert_eq!(log(s).len(), 2);
    assert_eq!(s.active_key(KeyPurpose::Audit, None).unwrap().unwrap().id, i64::MAX);
    s.close();
    assert_eq!(s.record(&[Entry::new(AuditKind::ContentRead, "one")], 1).unwrap_err().kind(), ErrorKind::Closed);
}
