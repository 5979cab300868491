//! Keys, attempts, accounts, tokens, leases.

use super::*;
use crate::error::ErrorKind;
use crate::model::AccountKind;

pub async fn meta_is_written_once(s: &dyn Store) {
    assert_eq!(s.meta("m").await.unwrap(), None);
    assert_eq!(s.meta_or_insert("m", b"one").await.unwrap(), b"one");
    assert_eq!(s.meta_or_insert("m", b"two").await.unwrap(), b"one");
    assert_eq!(s.meta("m").await.unwrap().unwrap(), b"one");
}

pub async fn the_first_store_key_stays(s: &dyn Store) {
    let new = |id| NewKey { id, purpose: KeyPurpose::Store, account_id: None, wrapped: sealed("k"), created_at: 1 };
    let canary = sealed("canary");
    s.insert_store_key(&new(1), &canary, None).await.unwrap();
    s.insert_store_key(&new(2), &sealed("other"), None).await.unwrap();
    assert_eq!(s.active_key(KeyPurpose::Store, None).await.unwrap().unwrap().id, 1);
    assert_eq!(s.canary().await.unwrap().unwrap(), canary);
    assert_eq!(s.reserve_uses(1, 10).await.unwrap(), USES_AT_BIRTH + 10);
    assert_eq!(s.reserve_uses(1, 5).await.unwrap(), USES_AT_BIRTH + 15);
    assert!(s.reserve_uses(99, 1).await.is_err());
}

pub async fn an_attempt_is_used_up_once(s: &dyn Store) {
    s.insert_store_key(&NewKey { id: 2, purpose: KeyPurpose::Store, account_id: None, wrapped: sealed("k"), created_at: 1 }, &sealed("canary"), None).await.unwrap();
    let attempt = |hash: &[u8]| NewAttempt { state_hash: hash.to_vec(), sealed: sealed("attempt"), created_at: 0, expires_at: 100 };
    s.insert_attempt(&attempt(b"a")).await.unwrap();
    s.insert_attempt(&attempt(b"b")).await.unwrap();
    assert!(matches!(s.consume_attempt(b"a", 50).await.unwrap(), Consumed::Fresh));
    assert!(matches!(s.consume_attempt(b"a", 51).await.unwrap(), Consumed::AlreadyUsed));
    let used = s.attempt(b"a").await.unwrap().unwrap();
    assert_eq!((used.is_used, used.expires_at), (true, 100));
    s.return_attempt(b"a").await.unwrap();
    assert!(matches!(s.consume_attempt(b"a", 52).await.unwrap(), Consumed::Fresh));
    assert!(matches!(s.consume_attempt(b"b", 100).await.unwrap(), Consumed::Expired));
    assert!(matches!(s.consume_attempt(b"c", 50).await.unwrap(), Consumed::Unknown));
    // A day later they are gone.
    assert!(matches!(s.consume_attempt(b"a", 100 + 86_400_001).await.unwrap(), Consumed::Unknown));
}

pub async fn a_sign_in_ends_with_its_account_and_owner(s: &dyn Store) {
    connect(s, "z").await;
    connect(s, "a").await;
    connect(s, "b").await;
    s.store_account(&AccountRow { owner: "stranger".into(), ..account("c") }, Some(&token("c", 1)), &[key(800, KeyPurpose::Secrets, "c")], None, 10).await.unwrap();
    let leave = async |hash: &[u8], owner: &str, id: Option<&str>| {
        s.leave_attempt(&NewAttempt { state_hash: hash.to_vec(), sealed: sealed("attempt"), created_at: 0, expires_at: 1_000 }, owner, id).await
    };
    let there = async |hash: &[u8]| s.attempt(hash).await.unwrap().is_some();
    leave(b"a1", "owner", Some("a")).await.unwrap();
    leave(b"a2", "owner", Some("a")).await.unwrap();
    leave(b"b", "owner", Some("b")).await.unwrap();
    leave(b"new", "owner", None).await.unwrap();
    leave(b"failed", "owner", None).await.unwrap();
    leave(b"c", "stranger", Some("c")).await.unwrap();
    leave(b"c new", "stranger", None).await.unwrap();
    assert!(matches!(s.consume_attempt(b"a2", 50).await.unwrap(), Consumed::Fresh));
    assert!(matches!(s.consume_attempt(b"c new", 50).await.unwrap(), Consumed::Fresh));
    s.disconnect_account("a", "by hand", 50).await.unwrap();
    assert!(!there(b"a1").await && !there(b"a2").await && there(b"b").await && there(b"new").await && there(b"c").await);
    // One that was used up before, and is about to be stored.
    let back = AccountRow { generation: 3, ..account("a") };
    let keys = [key(900, KeyPurpose::Secrets, "a")];
    assert_eq!(s.finish_attempt(b"a2", &back, Some(&token("a", 2)), &keys, 51).await.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(s.account("a").await.unwrap().unwrap().state, AccountState::Disconnected);
    // A new one connects it, and belongs to it from then on.
    leave(b"again", "owner", None).await.unwrap();
    assert_eq!(s.finish_attempt(b"again", &back, Some(&token("a", 2)), &keys, 52).await.unwrap().generation, 3);
    s.disconnect_account("a", "by hand", 53).await.unwrap();
    assert!(!there(b"again").await);
    // A purge takes along what has failed, since it may have been the same person's.
    assert!(matches!(s.consume_attempt(b"failed", 54).await.unwrap(), Consumed::Fresh));
    s.begin_purge(Purged::Account("b"), "purged", 55).await.unwrap();
    assert!(!there(b"b").await && !there(b"failed").await && there(b"new").await && there(b"c new").await);
    assert_eq!(leave(b"late", "owner", Some("b")).await.unwrap_err().kind(), ErrorKind::NotFound);
    while s.erase_some("b", 100, 56).await.unwrap() {}
    assert!(there(b"new").await && there(b"c new").await, "those of others go on, also one that was used up a moment ago");
    s.delete_owner("owner", "deleted", 60, 90).await.unwrap();
    assert!(!there(b"new").await && there(b"c").await);
    assert_eq!(leave(b"late", "owner", None).await.unwrap_err().kind(), ErrorKind::Conflict);
    s.begin_purge(Purged::Owner("stranger"), "purged", 70).await.unwrap();
    assert!(!there(b"c").await && !there(b"c new").await);
}

pub async fn an_account_comes_back_as_stored(s: &dyn Store) {
    let row = connect(s, "a").await;
    let read = s.account("a").await.unwrap().unwrap();
    for found in [&row, &read, &s.find_account("owner", "t", "user-a").await.unwrap().unwrap()] {
        assert_eq!((found.features.as_slice(), found.scopes.len(), found.generation), ([Feature::Chat, Feature::MailSync].as_slice(), 2, 1));
        assert_eq!(found.state, AccountState::Connected);
    }
    connect(s, "b").await;
    let list = async |owner: Option<&str>, state| s.accounts(AccountQuery::Page(AccountWindow { owner, state, after: 0, limit: 100 })).await.unwrap().len();
    assert_eq!(list(None, None).await, 2);
    assert_eq!(list(Some("owner"), Some(AccountState::Connected)).await, 2);
    assert_eq!(list(Some("OWNER"), None).await, 0);
    assert_eq!(list(None, Some(AccountState::Disconnected)).await, 0);
    assert!(s.account("A").await.unwrap().is_none());
    let kinds: Vec<_> = changes(s, 0).await.into_iter().map(|c| (c.kind, c.account_id)).collect();
    assert_eq!(kinds, [(ChangeKind::AccountChanged, "a".into()), (ChangeKind::AccountChanged, "b".into())]);
}

pub async fn connecting_again_takes_over(s: &dyn Store) {
    connect(s, "a").await;
    let old = s.active_key(KeyPurpose::Secrets, Some("a")).await.unwrap().unwrap();
    let lease = lease(s).await;
    s.save_folders("a", 1, &lease, &listed(&[folder("in")]), 1).await.unwrap();
    apply(s, &lease, vec![message("m", "in", 1)], |_| {}).await;
    let again = s.store_account(&AccountRow { scopes: vec![], generation: 2, ..account("a") }, Some(&token("a", 4)), &[key(77, KeyPurpose::Secrets, "a")], None, 20).await.unwrap();
    assert_eq!((again.generation, again.scopes.len()), (2, 0));
    let new = s.active_key(KeyPurpose::Secrets, Some("a")).await.unwrap().unwrap();
    assert!(new.id == 77 && s.key(old.id).await.unwrap().unwrap().wrapped.is_none());
    assert_eq!(s.token("a").await.unwrap().unwrap().version, 4);
    assert!(s.active_key(KeyPurpose::Content, Some("a")).await.unwrap().is_some());
    // The delta link could not be read any more; the next pass compares.
    let folder = s.folders("a").await.unwrap().remove(0);
    assert!(folder.cursor.is_none() && folder.enumeration == 2 && folder.stored == 1);
    // Somebody who made up another id for the same person is told so.
    let other = AccountRow { user_id: "user-a".into(), ..account("x") };
    assert_eq!(s.store_account(&other, Some(&token("x", 1)), &[], None, 20).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(s.account("x").await.unwrap().is_none());
    // Late results of the first connection change nothing.
    assert!(!s.set_account_state("a", 1, AccountState::NeedsReconnect, None, 30).await.unwrap());
    assert!(!s.save_token(&token("a", 5), 1, None).await.unwrap());
    assert_eq!(s.note_cursor("a", "in", 1, &lease, CursorEvent::Lost, 30).await.unwrap(), None);
    assert!(s.set_account_state("a", 2, AccountState::NeedsReconnect, Some("why"), 30).await.unwrap());
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
    s.store_account(&row, None, &[key(1, KeyPurpose::Secrets, "a"), key(2, KeyPurpose::Content, "a")], None, 10).await.unwrap();
    assert!(s.token("a").await.unwrap().is_none());
    let change = AccountChange::Claims { sealed: Some(claims.clone()), version: 1 };
    assert!(s.change_account("a", Some(1), change.clone(), 11).await.unwrap());
    assert!(!s.change_account("a", Some(1), change, 11).await.unwrap(), "somebody else was here");
    assert!(s.change_account("a", Some(1), AccountChange::Features(vec![Feature::People]), 11).await.unwrap());
    let read = s.account("a").await.unwrap().unwrap();
    assert_eq!((read.kind, read.app.as_str(), read.authority.as_str()), (AccountKind::Tenant, "other", "contoso.example"));
    assert_eq!((read.extra_scopes.as_slice(), read.access_ends_at, read.state_since), (["Calendars.Read".to_owned()].as_slice(), Some(99), 7));
    assert_eq!((read.claims, read.features.as_slice()), (Some(claims), [Feature::People].as_slice()));
    assert_eq!((read.tenant_id.as_str(), read.user_id.contains('/')), ("t", true));
    // The time of a state begins with it, and can begin anew.
    assert!(s.set_account_state("a", 1, AccountState::AwaitingAdmin, Some("why"), 20).await.unwrap());
    assert_eq!(s.account("a").await.unwrap().unwrap().state_since, 7);
    assert!(s.change_account("a", Some(1), AccountChange::Waiting(AccountState::AwaitingAdmin), 21).await.unwrap() && !s.change_account("a", Some(1), AccountChange::Waiting(AccountState::Declined), 22).await.unwrap());
    assert_eq!(s.account("a").await.unwrap().unwrap().state_since, 21);
    s.set_account_state("a", 1, AccountState::Declined, None, 30).await.unwrap();
    assert_eq!(s.account("a").await.unwrap().unwrap().state_since, 30);
}

pub async fn a_waiting_account_makes_room_for_the_known_one(s: &dyn Store) {
    connect(s, "a").await;
    let waiting = AccountRow { user_id: AccountRow::nobody("w"), tenant_id: String::new(), state: AccountState::AwaitingAdmin, ..account("w") };
    assert_eq!((waiting.tenant(), waiting.person()), (None, None));
    s.store_account(&waiting, None, &[key(501, KeyPurpose::Secrets, "w"), key(502, KeyPurpose::Content, "w")], None, 11).await.unwrap();
    let again = s.store_account(&AccountRow { generation: 2, ..account("a") }, Some(&token("a", 2)), &[key(503, KeyPurpose::Secrets, "a")], Some("w"), 12).await.unwrap();
    assert_eq!((again.generation, s.account("w").await.unwrap().is_none()), (2, true));
    assert!(s.active_key(KeyPurpose::Content, Some("w")).await.unwrap().is_none() && s.active_key(KeyPurpose::Content, Some("a")).await.unwrap().is_some());
    // The feed of its owner tells that it is gone, and it does not come back.
    assert_eq!((s.account_ids("owner", false).await.unwrap(), s.account_ids("owner", true).await.unwrap()), (vec!["a".to_owned()], vec!["a".to_owned(), "w".to_owned()]));
    assert_eq!(changes(s, 0).await.into_iter().filter(|c| c.account_id == "w").count(), 2);
    assert_eq!(s.store_account(&waiting, None, &[key(504, KeyPurpose::Secrets, "w")], None, 13).await.unwrap_err().kind(), ErrorKind::NotFound);
    // Without another account the waiting one gets the person itself.
    let waiting = AccountRow { user_id: AccountRow::nobody("v"), id: "v".into(), ..waiting };
    s.store_account(&waiting, None, &[key(504, KeyPurpose::Secrets, "v"), key(505, KeyPurpose::Content, "v")], None, 13).await.unwrap();
    let known = s.store_account(&AccountRow { generation: 2, ..account("v") }, Some(&token("v", 1)), &[key(506, KeyPurpose::Secrets, "v")], None, 14).await.unwrap();
    assert_eq!((known.generation, s.find_account("owner", "t", "user-v").await.unwrap().map(|row| row.id)), (2, Some("v".into())));
}

/// Two sign-ins that were decided on the same row: the second one stores nothing and has to look again.
pub async fn a_connection_is_decided_on_the_row_as_it_is(s: &dyn Store) {
    connect(s, "a").await;
    let waiting = AccountRow { user_id: AccountRow::nobody("w"), tenant_id: String::new(), state: AccountState::AwaitingAdmin, ..account("w") };
    s.store_account(&waiting, None, &[key(501, KeyPurpose::Secrets, "w"), key(502, KeyPurpose::Content, "w")], None, 11).await.unwrap();
    let sign_in = async |person: &str, generation, key_id| {
        let row = AccountRow { user_id: person.into(), generation, ..account("w") };
        s.store_account(&row, Some(&token("w", 1)), &[key(key_id, KeyPurpose::Secrets, "w")], None, 12).await
    };
    assert_eq!(sign_in("x", 2, 503).await.unwrap().generation, 2);
    let before = (last(s).await, s.audit_rows(None, 0, 100).await.unwrap().len());
    // Another person, decided when nobody had signed in yet; and one who thinks it new, or further than it is.
    for generation in [2, 1, 4, 0] {
        assert!(is_outdated(&sign_in("y", generation, 504).await.unwrap_err()), "{generation}");
    }
    // Somebody who is connected as `a` thought that `w` was nobody's.
    let replacing = async |generation, waiting: &str| {
        let row = AccountRow { generation, ..account("a") };
        s.store_account(&row, Some(&token("a", 2)), &[key(505, KeyPurpose::Secrets, "a")], Some(waiting), 13).await
    };
    assert!(is_outdated(&replacing(2, "w").await.unwrap_err()));
    assert!(is_outdated(&replacing(2, "gone").await.unwrap_err()));
    // An account that is gone is not made anew under its old id.
    let gone = AccountRow { generation: 2, ..account("gone") };
    assert!(is_outdated(&s.store_account(&gone, None, &[key(506, KeyPurpose::Secrets, "gone")], None, 14).await.unwrap_err()));
    assert_eq!((last(s).await, s.audit_rows(None, 0, 100).await.unwrap().len()), before, "nothing was changed");
    let row = s.account("w").await.unwrap().unwrap();
    assert_eq!((row.user_id.as_str(), row.state), ("x", AccountState::Connected));
    assert!(s.active_key(KeyPurpose::Content, Some("w")).await.unwrap().is_some() && s.token("w").await.unwrap().is_some());
    assert_eq!(s.active_key(KeyPurpose::Secrets, Some("w")).await.unwrap().unwrap().id, 503);
}

pub async fn a_token_is_saved_by_its_holder(s: &dyn Store) {
    connect(s, "a").await;
    let mine = s.take_lease("refresh:a", "me", 0, 10).await.unwrap().unwrap();
    assert!(s.save_token(&token("a", 2), 1, Some(&mine)).await.unwrap());
    assert!(!s.save_token(&token("a", 2), 1, Some(&mine)).await.unwrap(), "the same version twice");
    let theirs = s.take_lease("refresh:a", "they", 20, 10).await.unwrap().unwrap();
    assert!(!s.save_token(&token("a", 3), 1, Some(&mine)).await.unwrap(), "the lease was lost");
    assert!(s.save_token(&token("a", 3), 1, Some(&theirs)).await.unwrap());
    assert!(!s.save_token(&token("a", 4), 9, Some(&theirs)).await.unwrap(), "another generation");
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
    connect(s, "a").await;
    let flying = enqueue(s, "a", "l", None).await;
    let claimed = s.claim(1, 100, &[]).await.unwrap().unwrap();
    s.step(&flying, claimed.fence, &step(ItemState::Dispatching), 1).await.unwrap();
    s.disconnect_account("a", "by hand", 200).await.unwrap();
    let item = s.item(&flying, None).await.unwrap().unwrap();
    assert_eq!(item.state, ItemState::Unknown);
    assert!(item.reason.is_some_and(|reason| reason.contains("Look into the mailbox")));
}

pub async fn disconnect_ends_everything_at_once(s: &dyn Store) {
    connect(s, "a").await;
    let lease = lease(s).await;
    s.save_folders("a", 1, &lease, &listed(&[folder("in")]), 1).await.unwrap();
    apply(s, &lease, vec![message("m", "in", 1)], |_| {}).await;
    let waiting = enqueue(s, "a", "l1", None).await;
    let flying = enqueue(s, "a", "l2", None).await;
    let (first, second) = (s.claim(1, 100, &[]).await.unwrap().unwrap(), s.claim(1, 100, &[]).await.unwrap().unwrap());
    assert_eq!((&first.id, &second.id), (&waiting, &flying));
    s.step(&flying, second.fence, &step(ItemState::Dispatching), 1).await.unwrap();
    let before = changes(s, 0).await.last().unwrap().id;
    assert_eq!(s.disconnect_account("a", "by hand", 50).await.unwrap(), std::slice::from_ref(&waiting));
    assert_eq!(s.disconnect_account("a", "by hand", 51).await.unwrap(), Vec::<String>::new());
    let row = s.account("a").await.unwrap().unwrap();
    assert_eq!((row.state, row.generation, row.problem.as_deref()), (AccountState::Disconnected, 2, Some("by hand")));
    assert!(s.token("a").await.unwrap().is_none() && s.active_key(KeyPurpose::Secrets, Some("a")).await.unwrap().is_none());
    assert!(s.active_key(KeyPurpose::Content, Some("a")).await.unwrap().is_some(), "mail stays readable");
    assert!(s.folders("a").await.unwrap()[0].cursor.is_none());
    let item = s.item(&waiting, None).await.unwrap().unwrap();
    assert_eq!((item.state, item.reason.as_deref()), (ItemState::Cancelled, Some("by hand")));
    assert_eq!(s.item(&flying, None).await.unwrap().unwrap().state, ItemState::Dispatching);
    assert!(!s.set_account_state("a", 2, AccountState::Connected, None, 51).await.unwrap(), "only a connect ends it");
    assert!(s.step(&waiting, first.fence, &step(ItemState::Prepared), 51).await.unwrap().is_none());
    let mut done = step(ItemState::Sent);
    done.sent_at = Some(52);
    assert!(s.step(&flying, second.fence, &done, 52).await.unwrap().is_some(), "what left before is told");
    assert!(s.claim(1_000, 1, &[]).await.unwrap().is_none() && s.next_claim(1_000, &[]).await.unwrap().is_none());
    let told: Vec<_> = changes(s, before).await.into_iter().map(|c| (c.kind, c.subject_id)).collect();
    assert_eq!(told, [(ChangeKind::AccountChanged, None), (ChangeKind::SendChanged, Some(waiting)), (ChangeKind::SendChanged, Some(flying))]);
    let late = page("a", &lease, vec![message("n", "in", 1)]);
    assert_eq!(s.apply(late).await.unwrap(), Applied::Refused(Refusal::TakenOver));
    assert_eq!(s.messages(&window()).await.unwrap().rows.len(), 1);
    assert!(matches!(s.put(&item_of("a", "l", None), &content()).await, Err(e) if e.kind() == ErrorKind::NotConnected));
}

pub async fn a_closed_store_says_so(s: &dyn Store) {
    connect(s, "a").await;
    s.close();
    s.close();
    assert_eq!(s.account("a").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(s.disconnect_account("a", "r", 1).await.unwrap_err().kind(), ErrorKind::Closed);
}

pub async fn a_name_is_written_under_a_living_key_only(s: &dyn Store) {
    let row = connect(s, "a").await;
    let dead = sealed_by(999, "name");
    assert!(s.change_account("a", Some(row.generation), AccountChange::Profile { sealed: dead, version: row.profile_version + 1 }, 20).await.is_err());
    assert_eq!(s.account("a").await.unwrap().unwrap().profile_version, row.profile_version);
}
