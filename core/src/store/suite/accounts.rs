//! Keys, attempts, accounts, tokens, leases.

use super::*;
use crate::error::ErrorKind;
use crate::model::AccountKind;

pub async fn meta_is_written_once(s: &dyn Store) {
    assert_eq!(s.meta("m").unwrap(), None);
    assert_eq!(s.meta_or_insert("m", b"one").unwrap(), b"one");
    assert_eq!(s.meta_or_insert("m", b"two").unwrap(), b"one");
    assert_eq!(s.meta("m").unwrap().unwrap(), b"one");
}

pub async fn the_first_store_key_stays(s: &dyn Store) {
    let new = |id| NewKey { id, purpose: KeyPurpose::Store, account_id: None, wrapped: sealed("k"), created_at: 1 };
    let canary = sealed("canary");
    s.insert_store_key(&new(1), &canary, None).unwrap();
    s.insert_store_key(&new(2), &sealed("other"), None).unwrap();
    assert_eq!(s.active_key(KeyPurpose::Store, None).unwrap().unwrap().id, 1);
    assert_eq!(s.canary().unwrap().unwrap(), canary);
    assert_eq!(s.reserve_uses(1, 10).unwrap(), USES_AT_BIRTH + 10);
    assert_eq!(s.reserve_uses(1, 5).unwrap(), USES_AT_BIRTH + 15);
    assert!(s.reserve_uses(99, 1).is_err());
}

pub async fn an_attempt_is_used_up_once(s: &dyn Store) {
    s.insert_store_key(&NewKey { id: 2, purpose: KeyPurpose::Store, account_id: None, wrapped: sealed("k"), created_at: 1 }, &sealed("canary"), None).unwrap();
    let attempt = |hash: &[u8]| NewAttempt { state_hash: hash.to_vec(), sealed: sealed("attempt"), created_at: 0, expires_at: 100 };
    s.insert_attempt(&attempt(b"a")).unwrap();
    s.insert_attempt(&attempt(b"b")).unwrap();
    assert!(matches!(s.consume_attempt(b"a", 50).unwrap(), Consumed::Fresh));
    assert!(matches!(s.consume_attempt(b"a", 51).unwrap(), Consumed::AlreadyUsed));
    let used = s.attempt(b"a").unwrap().unwrap();
    assert_eq!((used.is_used, used.expires_at), (true, 100));
    s.return_attempt(b"a").unwrap();
    assert!(matches!(s.consume_attempt(b"a", 52).unwrap(), Consumed::Fresh));
    assert!(matches!(s.consume_attempt(b"b", 100).unwrap(), Consumed::Expired));
    assert!(matches!(s.consume_attempt(b"c", 50).unwrap(), Consumed::Unknown));
    // A day later they are gone.
    assert!(matches!(s.consume_attempt(b"a", 100 + 86_400_001).unwrap(), Consumed::Unknown));
}

pub async fn a_sign_in_ends_with_its_account_and_owner(s: &dyn Store) {
    connect(s, "z");
    connect(s, "a");
    connect(s, "b");
    s.connect_account(&AccountRow { owner: "stranger".into(), ..account("c") }, Some(&token("c", 1)), &[key(800, KeyPurpose::Secrets, "c")], None, 10).unwrap();
    let leave = |hash: &[u8], owner: &str, id: Option<&str>| {
        s.leave_attempt(&NewAttempt { state_hash: hash.to_vec(), sealed: sealed("attempt"), created_at: 0, expires_at: 1_000 }, owner, id)
    };
    let there = |hash: &[u8]| s.attempt(hash).unwrap().is_some();
    leave(b"a1", "owner", Some("a")).unwrap();
    leave(b"a2", "owner", Some("a")).unwrap();
    leave(b"b", "owner", Some("b")).unwrap();
    leave(b"new", "owner", None).unwrap();
    leave(b"failed", "owner", None).unwrap();
    leave(b"c", "stranger", Some("c")).unwrap();
    leave(b"c new", "stranger", None).unwrap();
    assert!(matches!(s.consume_attempt(b"a2", 50).unwrap(), Consumed::Fresh));
    assert!(matches!(s.consume_attempt(b"c new", 50).unwrap(), Consumed::Fresh));
    s.disconnect_account("a", "by hand", 50).unwrap();
    assert!(!there(b"a1") && !there(b"a2") && there(b"b") && there(b"new") && there(b"c"));
    // One that was used up before, and is about to be stored.
    let back = AccountRow { generation: 3, ..account("a") };
    let keys = [key(900, KeyPurpose::Secrets, "a")];
    assert_eq!(s.finish_attempt(b"a2", &back, Some(&token("a", 2)), &keys, None, 51).unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(s.account("a").await.unwrap().unwrap().state, AccountState::Disconnected);
    // A new one connects it, and belongs to it from then on.
    leave(b"again", "owner", None).unwrap();
    assert_eq!(s.finish_attempt(b"again", &back, Some(&token("a", 2)), &keys, None, 52).unwrap().generation, 3);
    s.disconnect_account("a", "by hand", 53).unwrap();
    assert!(!there(b"again"));
    // A purge takes along what has failed, since it may have been the same person's.
    assert!(matches!(s.consume_attempt(b"failed", 54).unwrap(), Consumed::Fresh));
    s.begin_purge(&["b".into()], None, "purged", 55).unwrap();
    assert!(!there(b"b") && !there(b"failed") && there(b"new") && there(b"c new"));
    assert_eq!(leave(b"late", "owner", Some("b")).unwrap_err().kind(), ErrorKind::NotFound);
    while s.erase_some("b", 100, 56).unwrap() {}
    assert!(there(b"new") && there(b"c new"), "those of others go on, also one that was used up a moment ago");
    s.delete_owner("owner", "deleted", 60, 90).unwrap();
    assert!(!there(b"new") && there(b"c"));
    assert_eq!(leave(b"late", "owner", None).unwrap_err().kind(), ErrorKind::Conflict);
    s.begin_purge(&[], Some("stranger"), "purged", 70).unwrap();
    assert!(!there(b"c") && !there(b"c new"));
}

pub async fn an_account_comes_back_as_stored(s: &dyn Store) {
    let row = connect(s, "a");
    let read = s.account("a").await.unwrap().unwrap();
    for found in [&row, &read, &s.find_account("owner", "t", "user-a").unwrap().unwrap()] {
        assert_eq!((found.features.as_slice(), found.scopes.len(), found.generation), ([Feature::Chat, Feature::MailSync].as_slice(), 2, 1));
        assert_eq!(found.state, AccountState::Connected);
    }
    connect(s, "b");
    let list = |owner: Option<&str>, state| s.account_page(&AccountWindow { owner, state, after: 0, limit: 100 }).unwrap().len();
    assert_eq!(list(None, None), 2);
    assert_eq!(list(Some("owner"), Some(AccountState::Connected)), 2);
    assert_eq!(list(Some("OWNER"), None), 0);
    assert_eq!(list(None, Some(AccountState::Disconnected)), 0);
    assert!(s.account("A").await.unwrap().is_none());
    let kinds: Vec<_> = changes(s, 0).await.into_iter().map(|c| (c.kind, c.account_id)).collect();
    assert_eq!(kinds, [(ChangeKind::AccountChanged, "a".into()), (ChangeKind::AccountChanged, "b".into())]);
}

pub async fn connecting_again_takes_over(s: &dyn Store) {
    connect(s, "a");
    let old = s.active_key(KeyPurpose::Secrets, Some("a")).unwrap().unwrap();
    let lease = lease(s).await;
    s.save_folders("a", 1, &lease, &listed(&[folder("in")]), 1).await.unwrap();
    apply(s, &lease, vec![message("m", "in", 1)], |_| {}).await;
    let again = s.connect_account(&AccountRow { scopes: vec![], generation: 2, ..account("a") }, Some(&token("a", 4)), &[key(77, KeyPurpose::Secrets, "a")], None, 20).unwrap();
    assert_eq!((again.generation, again.scopes.len()), (2, 0));
    let new = s.active_key(KeyPurpose::Secrets, Some("a")).unwrap().unwrap();
    assert!(new.id == 77 && s.key(old.id).unwrap().unwrap().wrapped.is_none());
    assert_eq!(s.token("a").unwrap().unwrap().version, 4);
    assert!(s.active_key(KeyPurpose::Content, Some("a")).unwrap().is_some());
    // The delta link could not be read any more; the next pass compares.
    let folder = s.folders("a").await.unwrap().remove(0);
    assert!(folder.cursor.is_none() && folder.enumeration == 2 && folder.stored == 1);
    // Somebody who made up another id for the same person is told so.
    let other = AccountRow { user_id: "user-a".into(), ..account("x") };
    assert_eq!(s.connect_account(&other, Some(&token("x", 1)), &[], None, 20).unwrap_err().kind(), ErrorKind::Conflict);
    assert!(s.account("x").await.unwrap().is_none());
    // Late results of the first connection change nothing.
    assert!(!s.set_account_state("a", 1, AccountState::NeedsReconnect, None, 30).unwrap());
    assert!(!s.save_token(&token("a", 5), 1, None, 30).unwrap());
    assert!(!s.begin_resync("a", "in", 1, &lease, 30).await.unwrap());
    assert!(s.set_account_state("a", 2, AccountState::NeedsReconnect, Some("why"), 30).unwrap());
    assert_eq!(s.account("a").await.unwrap().unwrap().problem.as_deref(), Some("why"));
}

pub async fn what_a_connection_knows_comes_back(s: &dyn Store) {
    let claims = sealed("claims");
    let row = AccountRow {
        kind: AccountKind::Tenant,
        app: "other".into(),
        authority: "contoso.example".into(),
        extra_scopes: vec!["Calendars.Read".into()],
        access_ends_at: Some(99),
        state: AccountState::AwaitingAdmin,
        state_since: 7,
        user_id: AccountRow::organisation("other"),
        ..account("a")
    };
    s.connect_account(&row, None, &[key(1, KeyPurpose::Secrets, "a"), key(2, KeyPurpose::Content, "a")], None, 10).unwrap();
    assert!(s.token("a").unwrap().is_none());
    assert!(s.set_claims("a", 1, Some(&claims), 1).unwrap());
    assert!(!s.set_claims("a", 1, Some(&claims), 1).unwrap(), "somebody else was here");
    assert!(s.set_features("a", 1, &[Feature::People], 11).unwrap());
    let read = s.account("a").await.unwrap().unwrap();
    assert_eq!((read.kind, read.app.as_str(), read.authority.as_str()), (AccountKind::Tenant, "other", "contoso.example"));
    assert_eq!((read.extra_scopes.as_slice(), read.access_ends_at, read.state_since), (["Calendars.Read".to_owned()].as_slice(), Some(99), 7));
    assert_eq!((read.claims, read.features.as_slice()), (Some(claims), [Feature::People].as_slice()));
    assert_eq!((read.tenant_id.as_str(), read.user_id.contains('/')), ("t", true));
    // The time of a state begins with it, and can begin anew.
    assert!(s.set_account_state("a", 1, AccountState::AwaitingAdmin, Some("why"), 20).unwrap());
    assert_eq!(s.account("a").await.unwrap().unwrap().state_since, 7);
    assert!(s.restart_wait("a", 1, AccountState::AwaitingAdmin, 21).unwrap() && !s.restart_wait("a", 1, AccountState::Declined, 22).unwrap());
    assert_eq!(s.account("a").await.unwrap().unwrap().state_since, 21);
    s.set_account_state("a", 1, AccountState::Declined, None, 30).unwrap();
    assert_eq!(s.account("a").await.unwrap().unwrap().state_since, 30);
}

pub async fn a_waiting_account_makes_room_for_the_known_one(s: &dyn Store) {
    connect(s, "a");
    let waiting = AccountRow { user_id: AccountRow::nobody("w"), tenant_id: String::new(), state: AccountState::AwaitingAdmin, ..account("w") };
    assert_eq!((waiting.tenant(), waiting.person()), (None, None));
    s.connect_account(&waiting, None, &[key(501, KeyPurpose::Secrets, "w"), key(502, KeyPurpose::Content, "w")], None, 11).unwrap();
    let again = s.connect_account(&AccountRow { generation: 2, ..account("a") }, Some(&token("a", 2)), &[key(503, KeyPurpose::Secrets, "a")], Some("w"), 12).unwrap();
    assert_eq!((again.generation, s.account("w").await.unwrap().is_none()), (2, true));
    assert!(s.active_key(KeyPurpose::Content, Some("w")).unwrap().is_none() && s.active_key(KeyPurpose::Content, Some("a")).unwrap().is_some());
    // The feed of its owner tells that it is gone, and it does not come back.
    assert_eq!((s.account_ids("owner", false).unwrap(), s.account_ids("owner", true).unwrap()), (vec!["a".to_owned()], vec!["a".to_owned(), "w".to_owned()]));
    assert_eq!(changes(s, 0).await.into_iter().filter(|c| c.account_id == "w").count(), 2);
    assert_eq!(s.connect_account(&waiting, None, &[key(504, KeyPurpose::Secrets, "w")], None, 13).unwrap_err().kind(), ErrorKind::NotFound);
    // Without another account the waiting one gets the person itself.
    let waiting = AccountRow { user_id: AccountRow::nobody("v"), id: "v".into(), ..waiting };
    s.connect_account(&waiting, None, &[key(504, KeyPurpose::Secrets, "v"), key(505, KeyPurpose::Content, "v")], None, 13).unwrap();
    let known = s.connect_account(&AccountRow { generation: 2, ..account("v") }, Some(&token("v", 1)), &[key(506, KeyPurpose::Secrets, "v")], None, 14).unwrap();
    assert_eq!((known.generation, s.find_account("owner", "t", "user-v").unwrap().map(|row| row.id)), (2, Some("v".into())));
}

/// Two sign-ins that were decided on the same row: the second one stores nothing and has to look again.
pub async fn a_connection_is_decided_on_the_row_as_it_is(s: &dyn Store) {
    connect(s, "a");
    let waiting = AccountRow { user_id: AccountRow::nobody("w"), tenant_id: String::new(), state: AccountState::AwaitingAdmin, ..account("w") };
    s.connect_account(&waiting, None, &[key(501, KeyPurpose::Secrets, "w"), key(502, KeyPurpose::Content, "w")], None, 11).unwrap();
    let sign_in = |person: &str, generation, key_id| {
        let row = AccountRow { user_id: person.into(), generation, ..account("w") };
        s.connect_account(&row, Some(&token("w", 1)), &[key(key_id, KeyPurpose::Secrets, "w")], None, 12)
    };
    assert_eq!(sign_in("x", 2, 503).unwrap().generation, 2);
    let before = (last(s).await, s.audit_rows(0, 100).unwrap().len());
    // Another person, decided when nobody had signed in yet; and one who thinks it new, or further than it is.
    for generation in [2, 1, 4, 0] {
        assert!(is_outdated(&sign_in("y", generation, 504).unwrap_err()), "{generation}");
    }
    // Somebody who is connected as `a` thought that `w` was nobody's.
    let replacing = |generation, waiting: &str| s.connect_account(&AccountRow { generation, ..account("a") }, Some(&token("a", 2)), &[key(505, KeyPurpose::Secrets, "a")], Some(waiting), 13);
    assert!(is_outdated(&replacing(2, "w").unwrap_err()));
    assert!(is_outdated(&replacing(2, "gone").unwrap_err()));
    // An account that is gone is not made anew under its old id.
    let gone = AccountRow { generation: 2, ..account("gone") };
    assert!(is_outdated(&s.connect_account(&gone, None, &[key(506, KeyPurpose::Secrets, "gone")], None, 14).unwrap_err()));
    assert_eq!((last(s).await, s.audit_rows(0, 100).unwrap().len()), before, "nothing was changed");
    let row = s.account("w").await.unwrap().unwrap();
    assert_eq!((row.user_id.as_str(), row.state), ("x", AccountState::Connected));
    assert!(s.active_key(KeyPurpose::Content, Some("w")).unwrap().is_some() && s.token("w").unwrap().is_some());
    assert_eq!(s.active_key(KeyPurpose::Secrets, Some("w")).unwrap().unwrap().id, 503);
}

pub async fn a_token_is_saved_by_its_holder(s: &dyn Store) {
    connect(s, "a");
    let mine = s.take_lease("refresh:a", "me", 0, 10).await.unwrap().unwrap();
    assert!(s.save_token(&token("a", 2), 1, Some(&mine), 1).unwrap());
    assert!(!s.save_token(&token("a", 2), 1, Some(&mine), 1).unwrap(), "the same version twice");
    let theirs = s.take_lease("refresh:a", "they", 20, 10).await.unwrap().unwrap();
    assert!(!s.save_token(&token("a", 3), 1, Some(&mine), 21).unwrap(), "the lease was lost");
    assert!(s.save_token(&token("a", 3), 1, Some(&theirs), 21).unwrap());
    assert!(!s.save_token(&token("a", 4), 9, Some(&theirs), 21).unwrap(), "another generation");
}

pub async fn a_lease_of_a_clock_that_stood_ahead_keeps_nobody_out(s: &dyn Store) {
    let year = 365 * 86_400_000;
    let ahead = s.take_lease("l", "a", year, 10).await.unwrap().unwrap();
    let now = s.take_lease("l", "b", 50, 10).await.unwrap().expect("the clock was put right");
    assert_eq!(now.fence, ahead.fence + 1);
    // Clocks of two processes are never quite the same.
    assert!(s.take_lease("l", "c", 30, 10).await.unwrap().is_none());
}

pub async fn a_lease_has_one_holder(s: &dyn Store) {
    let a = s.take_lease("l", "a", 0, 10).await.unwrap().unwrap();
    assert!(s.take_lease("l", "b", 9, 10).await.unwrap().is_none());
    assert_eq!(s.take_lease("l", "a", 5, 10).await.unwrap().unwrap().fence, a.fence);
    assert!(s.renew_lease(&a, 8, 10).await.unwrap());
    assert!(s.take_lease("l", "b", 17, 10).await.unwrap().is_none());
    let b = s.take_lease("l", "b", 18, 10).await.unwrap().unwrap();
    assert_eq!(b.fence, a.fence + 1);
    assert!(!s.renew_lease(&a, 19, 10).await.unwrap());
    s.release_lease(&a).await.unwrap();
    assert!(s.renew_lease(&b, 19, 10).await.unwrap());
    s.release_lease(&b).await.unwrap();
    assert_eq!(s.take_lease("l", "a", 20, 10).await.unwrap().unwrap().fence, b.fence + 1);
}

pub async fn disconnect_settles_what_a_dead_worker_left(s: &dyn Store) {
    connect(s, "a");
    let flying = enqueue(s, "a", "l", None).await;
    let claimed = s.claim(1, 100, &[]).await.unwrap().unwrap();
    s.step(&flying, claimed.fence, &step(ItemState::Dispatching), 1).await.unwrap();
    s.disconnect_account("a", "by hand", 200).unwrap();
    let item = s.item(&flying, None).await.unwrap().unwrap();
    assert_eq!(item.state, ItemState::Unknown);
    assert!(item.reason.is_some_and(|reason| reason.contains("Look into the mailbox")));
}

pub async fn disconnect_ends_everything_at_once(s: &dyn Store) {
    connect(s, "a");
    let lease = lease(s);
    s.save_folders("a", 1, &lease, &listed(&[folder("in")]), 1).unwrap();
    apply(s, &lease, vec![message("m", "in", 1)], |_| {});
    let waiting = enqueue(s, "a", "l1", None).await;
    let flying = enqueue(s, "a", "l2", None).await;
    let (first, second) = (s.claim(1, 100, &[]).await.unwrap().unwrap(), s.claim(1, 100, &[]).await.unwrap().unwrap());
    assert_eq!((&first.id, &second.id), (&waiting, &flying));
    s.step(&flying, second.fence, &step(ItemState::Dispatching), 1).await.unwrap();
    let before = changes(s, 0).last().unwrap().id;
    assert_eq!(s.disconnect_account("a", "by hand", 50).unwrap(), std::slice::from_ref(&waiting));
    assert_eq!(s.disconnect_account("a", "by hand", 51).unwrap(), Vec::<String>::new());
    let row = s.account("a").await.unwrap().unwrap();
    assert_eq!((row.state, row.generation, row.problem.as_deref()), (AccountState::Disconnected, 2, Some("by hand")));
    assert!(s.token("a").unwrap().is_none() && s.active_key(KeyPurpose::Secrets, Some("a")).unwrap().is_none());
    assert!(s.active_key(KeyPurpose::Content, Some("a")).unwrap().is_some(), "mail stays readable");
    assert!(s.folders("a").unwrap()[0].cursor.is_none());
    let item = s.item(&waiting, None).await.unwrap().unwrap();
    assert_eq!((item.state, item.reason.as_deref()), (ItemState::Cancelled, Some("by hand")));
    assert_eq!(s.item(&flying, None).await.unwrap().unwrap().state, ItemState::Dispatching);
    assert!(!s.set_account_state("a", 2, AccountState::Connected, None, 51).unwrap(), "only a connect ends it");
    assert!(s.step(&waiting, first.fence, &step(ItemState::Prepared), 51).await.unwrap().is_none());
    let mut done = step(ItemState::Sent);
    done.sent_at = Some(52);
    assert!(s.step(&flying, second.fence, &done, 52).await.unwrap().is_some(), "what left before is told");
    assert!(s.claim(1_000, 1, &[]).await.unwrap().is_none() && s.next_claim(1_000, &[]).await.unwrap().is_none());
    let told: Vec<_> = changes(s, before).into_iter().map(|c| (c.kind, c.subject_id)).collect();
    assert_eq!(told, [(ChangeKind::AccountChanged, None), (ChangeKind::SendChanged, Some(waiting)), (ChangeKind::SendChanged, Some(flying))]);
    let late = page("a", &lease, vec![message("n", "in", 1)]);
    assert_eq!(s.apply(&late).unwrap(), Applied::Refused(Refusal::TakenOver));
    assert_eq!(s.messages(&window()).unwrap().rows.len(), 1);
    assert!(matches!(s.put(&item_of("a", "l", None), &content()).await, Err(e) if e.kind() == ErrorKind::NotConnected));
}

pub async fn a_closed_store_says_so(s: &dyn Store) {
    connect(s, "a");
    s.close();
    s.close();
    assert_eq!(s.account("a").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(s.disconnect_account("a", "r", 1).unwrap_err().kind(), ErrorKind::Closed);
}

pub async fn a_name_is_written_under_a_living_key_only(s: &dyn Store) {
    let row = connect(s, "a");
    let dead = sealed_by(999, "name");
    assert!(s.set_profile("a", row.generation, &dead, row.profile_version + 1, 20).is_err());
    assert_eq!(s.account("a").await.unwrap().unwrap().profile_version, row.profile_version);
}
