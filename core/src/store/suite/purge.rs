//! Erasing accounts, and owners who are deleted.

use super::*;
use crate::error::ErrorKind;

/// Accounts that are shown.
async fn all(s: &dyn Store) -> Vec<AccountRow> {
    s.accounts(AccountQuery::Page(AccountWindow { owner: None, state: None, after: 0, limit: 1_000 })).await.unwrap().into_iter().collect()
}

async fn ids(s: &dyn Store) -> Vec<String> {
    all(s).await.into_iter().map(|a| a.id).collect()
}

async fn begin(s: &dyn Store, id: &str) -> Vec<String> {
    s.begin_purge(Purged::Account(id), "purged", 70).await.unwrap()
}

pub async fn a_purge_ends_reading_at_once(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![message("m", "in", 1)], |_| {}).await;
    let waiting = enqueue(s, "a", "l", None).await;
    assert_eq!(begin(s, "a").await, ["a"]);
    assert_eq!(begin(s, "a").await, Vec::<String>::new(), "it has begun");
    assert_eq!(begin(s, "nobody").await, Vec::<String>::new());
    // No key, no account, nothing to claim, nothing late is written.
    for purpose in [KeyPurpose::Secrets, KeyPurpose::Content] {
        assert!(s.active_key(purpose, Some("a")).await.unwrap().is_none());
    }
    assert!(s.account("a").await.unwrap().is_none() && s.find_account("owner", "t", "user-a").await.unwrap().is_none() && ids(s).await.is_empty());
    assert!(s.token("a").await.unwrap().is_none());
    assert_eq!(s.item(&waiting, None).await.unwrap().unwrap().state, ItemState::Cancelled);
    assert!(s.claim(1_000, 1, &[]).await.unwrap().is_none());
    assert_eq!(s.apply(page("a", &lease, vec![message("n", "in", 1)])).await.unwrap(), Applied::Refused(Refusal::TakenOver));
    assert!(!s.set_account_state("a", 1, AccountState::Connected, None, 80).await.unwrap());
    assert!(matches!(s.put(&item_of("a", "l", None), &content()).await, Err(e) if e.kind() == ErrorKind::NotConnected));
    assert_eq!(s.open_purges().await.unwrap(), ["a"]);
    let log: Vec<_> = s.audit_rows(None, 0, 100).await.unwrap().into_iter().map(|row| row.kind).collect();
    assert!(log.ends_with(&["disconnected".into(), "key_destroyed".into(), "send_settled".into(), "key_destroyed".into()]), "{log:?}");
}

pub async fn a_purge_erases_in_pieces_and_ends_once(s: &dyn Store) {
    let lease = mailbox(s).await;
    connect(s, "b").await;
    let held = (0..10).map(|n| message(&format!("m{n}"), "in", 1)).collect();
    apply(s, &lease, held, |batch| batch.quarantined = vec![Quarantined { graph_id: None, raw: sealed("raw"), place: "p".into(), reason: "odd".into(), kind: QuarantineKind::Message }]).await;
    enqueue(s, "a", "l", None).await;
    enqueue(s, "b", "l", None).await;
    assert!(!s.erase_some("a", 3, 75).await.unwrap(), "nothing is erased that was not begun");
    assert_eq!(s.messages(&window()).await.unwrap().rows.len(), 10);
    begin(s, "a").await;
    let mut pieces = 0;
    while s.erase_some("a", 3, 80).await.unwrap() {
        pieces += 1;
        assert!(s.purge("a").await.unwrap().unwrap().erased <= pieces * 3);
    }
    assert!(pieces > 6);
    assert!(s.messages(&window()).await.unwrap().rows.is_empty() && s.folders("a").await.unwrap().is_empty() && s.count_quarantine("a").await.unwrap() == 0);
    assert!(changes(s, 0).await.iter().all(|c| c.account_id == "b"));
    assert!(s.finish_erasure().await.unwrap());
    let ended = s.end_purge("a", 90).await.unwrap().unwrap();
    assert!(ended.erased >= 24 && ended.ended_at == Some(90), "{ended:?}");
    assert_eq!(s.end_purge("a", 95).await.unwrap().unwrap(), ended, "once");
    assert!(s.open_purges().await.unwrap().is_empty());
    let records = s.audit_rows(None, 0, 1_000).await.unwrap();
    let purged: Vec<_> = records.iter().filter(|row| row.kind == "purged").collect();
    assert_eq!((purged.len(), purged[0].account_id.as_deref(), purged[0].subject.as_deref()), (1, Some("a"), Some("own_5")));
    assert_eq!(changes(s, 0).await.last().unwrap().account_id, "a");
    // The neighbour has everything.
    assert!(ids(s).await == ["b"] && s.items(&crate::model::OutboxFilter { limit: 10, ..Default::default() }).await.unwrap().len() == 1);
    assert!(s.active_key(KeyPurpose::Content, Some("b")).await.unwrap().is_some());
}

pub async fn a_purged_account_does_not_come_back(s: &dyn Store) {
    // Its first key is the one these tests seal with.
    connect(s, "z").await;
    connect(s, "a").await;
    begin(s, "a").await;
    let again = async |id: &str| {
        let keys = [key(600, KeyPurpose::Secrets, id), key(601, KeyPurpose::Content, id)];
        let row = AccountRow { user_id: "user-a".into(), profile: sealed_by(601, "profile"), ..account(id) };
        s.store_account(&row, Some(&TokenRow { sealed: sealed_by(600, "token"), ..token(id, 1) }), &keys, None, 99).await
    };
    assert_eq!(again("a").await.unwrap_err().kind(), ErrorKind::NotFound);
    while s.erase_some("a", 100, 80).await.unwrap() {}
    s.end_purge("a", 90).await.unwrap();
    assert_eq!(again("a").await.unwrap_err().kind(), ErrorKind::NotFound);
    // The same person may connect anew.
    assert_eq!(again("new").await.unwrap().id, "new");
    assert_eq!(ids(s).await, ["z", "new"]);
}

pub async fn a_purge_says_of_sends_on_their_way_that_nobody_knows(s: &dyn Store) {
    connect(s, "a").await;
    let id = enqueue(s, "a", "l", None).await;
    let claimed = s.claim(60, 1_000, &[]).await.unwrap().unwrap();
    assert!(s.step(&id, claimed.fence, &step(ItemState::Dispatching), 61).await.unwrap().is_some());
    begin(s, "a").await;
    let settled: Vec<_> = s.audit_rows(None, 0, 100).await.unwrap().into_iter().filter(|row| row.kind == "send_settled").map(|row| (row.subject, row.detail)).collect();
    assert_eq!(settled, [(Some(id.clone()), "It is unknown whether it was sent.".to_owned())]);
    assert!(s.step(&id, claimed.fence, &step(ItemState::Sent), 71).await.unwrap().is_none(), "told once");
}

pub async fn sign_ins_nobody_came_back_to_go_after_a_day(s: &dyn Store) {
    s.insert_store_key(&NewKey { id: 2, purpose: KeyPurpose::Store, account_id: None, wrapped: sealed("k"), created_at: 1 }, &sealed("canary"), None).await.unwrap();
    s.insert_attempt(&NewAttempt { state_hash: b"a".to_vec(), sealed: sealed("attempt"), created_at: 0, expires_at: 100 }).await.unwrap();
    s.drop_expired(100 + 86_400_000).await.unwrap();
    assert!(s.attempt(b"a").await.unwrap().is_some(), "whoever is late is told so");
    s.drop_expired(101 + 86_400_000).await.unwrap();
    assert!(s.attempt(b"a").await.unwrap().is_none());
}

pub async fn an_owner_is_deleted_and_restored(s: &dyn Store) {
    connect(s, "a").await;
    assert_eq!(s.delete_owner("Owner", "deleted", 100, 200).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!s.is_deleted("Owner").await.unwrap());
    connect(s, "b").await;
    let waiting = enqueue(s, "a", "l", None).await;
    assert_eq!(s.delete_owner("owner", "deleted", 100, 200).await.unwrap(), (vec!["a".into(), "b".into()], 200));
    assert_eq!(s.delete_owner("owner", "deleted", 150, 250).await.unwrap(), (vec!["a".into(), "b".into()], 200), "the first time counts");
    assert!(s.is_deleted("owner").await.unwrap() && !s.is_deleted("Owner").await.unwrap());
    assert_eq!(s.item(&waiting, None).await.unwrap().unwrap().state, ItemState::Cancelled);
    assert!(all(s).await.iter().all(|a| a.state == AccountState::Disconnected));
    let refused = s.store_account(&account("c"), Some(&token("c", 1)), &[key(700, KeyPurpose::Secrets, "c")], None, 160).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(s.due_owners(199).await.unwrap().is_empty());
    assert_eq!(s.due_owners(200).await.unwrap(), ["owner"]);
    assert!(s.restore_owner("owner", 170).await.unwrap());
    assert!(!s.restore_owner("owner", 171).await.unwrap() && s.due_owners(300).await.unwrap().is_empty());
    assert!(s.active_key(KeyPurpose::Content, Some("a")).await.unwrap().is_some());
    let log: Vec<_> = s.audit_rows(None, 0, 100).await.unwrap().into_iter().filter(|row| row.kind.starts_with("owner_")).map(|row| (row.kind, row.subject)).collect();
    assert_eq!(log, [("owner_deleted".to_owned(), Some("own_5".to_owned())), ("owner_restored".to_owned(), Some("own_5".to_owned()))]);
}

pub async fn an_owner_is_purged_whole(s: &dyn Store) {
    connect(s, "a").await;
    connect(s, "b").await;
    s.store_account(&AccountRow { owner: "other".into(), ..account("c") }, Some(&token("c", 1)), &[key(800, KeyPurpose::Secrets, "c")], None, 10).await.unwrap();
    s.delete_owner("owner", "deleted", 100, 200).await.unwrap();
    assert_eq!(s.begin_purge(Purged::Owner("owner"), "purged", 300).await.unwrap(), ["a", "b"]);
    assert!(!s.is_deleted("owner").await.unwrap() && !s.restore_owner("owner", 301).await.unwrap());
    assert_eq!(s.open_purges().await.unwrap(), ["a", "b"]);
    assert_eq!(ids(s).await, ["c"]);
}

pub async fn an_owner_is_purged_only_while_that_is_due(s: &dyn Store) {
    connect(s, "a").await;
    s.delete_owner("owner", "deleted", 10, 100).await.unwrap();
    assert!(s.begin_purge(Purged::DueOwner("owner"), "purged", 99).await.unwrap().is_empty(), "not yet");
    assert!(s.restore_owner("owner", 99).await.unwrap());
    assert!(s.begin_purge(Purged::DueOwner("owner"), "purged", 500).await.unwrap().is_empty(), "taken back");
    assert!(s.account("a").await.unwrap().is_some());
    s.delete_owner("owner", "deleted", 500, 600).await.unwrap();
    assert!(s.begin_purge(Purged::DueOwner("owner"), "purged", 599).await.unwrap().is_empty(), "made anew");
    assert_eq!(s.begin_purge(Purged::DueOwner("owner"), "purged", 600).await.unwrap(), ["a"]);
}
