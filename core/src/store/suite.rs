//! What every backend must do. `store_suite!` makes a test of each function; a backend hands in how to make an empty store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::error::ErrorKind;
use crate::model::{AccountFilter, AccountState, ChangeKind, Feature, OutboxFilter, Route, SendState};
use crate::seal::{Cipher, KeyBytes, Place, Sealed};

macro_rules! store_suite {
    ($make:expr, [$($name:ident),+ $(,)?]) => {
        $(#[test]
        fn $name() {
            let made = $make();
            $crate::store::suite::$name(&made.store);
        })+
    };
}
pub(super) use store_suite;

pub fn sealed(text: &str) -> Sealed {
    let key = KeyBytes::from_slice(&[7; 32]).unwrap();
    Cipher::new(b"suite", 1, &key).seal(Place { table: "t", column: "c", account_id: "", row: "", version: 1 }, text.as_bytes()).unwrap()
}

fn key(id: i64, purpose: KeyPurpose, account: &str) -> NewKey {
    NewKey { id, purpose, account_id: Some(account.to_owned()), wrapped: sealed("key"), created_at: 1 }
}

fn account(id: &str) -> AccountRow {
    AccountRow {
        id: id.to_owned(),
        owner: "owner".into(),
        tenant_id: "t".into(),
        user_id: format!("user-{id}"),
        state: AccountState::Connected,
        features: vec![Feature::Chat, Feature::MailSync],
        scopes: vec!["Mail.Read".into(), "Chat.ReadWrite".into()],
        problem: None,
        profile: sealed("profile"),
        profile_version: 1,
        generation: 1,
        connected_at: 5,
    }
}

fn token(id: &str, version: i64) -> TokenRow {
    TokenRow { account_id: id.to_owned(), version, sealed: sealed("token"), expires_at: 100, refreshed_at: 1 }
}

pub fn connect(s: &dyn Store, id: &str) -> AccountRow {
    let n = s.key(1).unwrap().map_or(1, |_| 1 + s.changes(0, 10_000).unwrap().len() as i64 * 10);
    s.connect_account(&account(id), &token(id, 1), &[key(n, KeyPurpose::Secrets, id), key(n + 1, KeyPurpose::Content, id)], 10).unwrap()
}

pub fn meta_is_written_once(s: &dyn Store) {
    assert_eq!(s.meta("m").unwrap(), None);
    assert_eq!(s.meta_or_insert("m", b"one").unwrap(), b"one");
    assert_eq!(s.meta_or_insert("m", b"two").unwrap(), b"one");
    assert_eq!(s.meta("m").unwrap().unwrap(), b"one");
}

pub fn the_first_store_key_stays(s: &dyn Store) {
    let new = |id| NewKey { id, purpose: KeyPurpose::Store, account_id: None, wrapped: sealed("k"), created_at: 1 };
    let canary = sealed("canary");
    s.insert_store_key(&new(1), &canary).unwrap();
    s.insert_store_key(&new(2), &sealed("other")).unwrap();
    assert_eq!(s.active_key(KeyPurpose::Store, None).unwrap().unwrap().id, 1);
    assert_eq!(s.canary().unwrap().unwrap(), canary);
    assert_eq!(s.reserve_uses(1, 10).unwrap(), USES_AT_BIRTH + 10);
    assert_eq!(s.reserve_uses(1, 5).unwrap(), USES_AT_BIRTH + 15);
    assert!(s.reserve_uses(99, 1).is_err());
}

pub fn an_attempt_is_used_up_once(s: &dyn Store) {
    let attempt = |hash: &[u8]| NewAttempt { state_hash: hash.to_vec(), sealed: sealed("attempt"), created_at: 0, expires_at: 100 };
    s.insert_attempt(&attempt(b"a")).unwrap();
    s.insert_attempt(&attempt(b"b")).unwrap();
    assert!(matches!(s.consume_attempt(b"a", 50).unwrap(), Consumed::Fresh(row) if row.expires_at == 100));
    assert!(matches!(s.consume_attempt(b"a", 51).unwrap(), Consumed::AlreadyUsed));
    assert!(matches!(s.consume_attempt(b"b", 100).unwrap(), Consumed::Expired));
    assert!(matches!(s.consume_attempt(b"c", 50).unwrap(), Consumed::Unknown));
    // A day later they are gone.
    assert!(matches!(s.consume_attempt(b"a", 100 + 86_400_001).unwrap(), Consumed::Unknown));
}

pub fn an_account_comes_back_as_stored(s: &dyn Store) {
    let row = connect(s, "a");
    let read = s.account("a").unwrap().unwrap();
    for found in [&row, &read, &s.find_account("owner", "t", "user-a").unwrap().unwrap()] {
        assert_eq!((found.features.as_slice(), found.scopes.len(), found.generation), ([Feature::Chat, Feature::MailSync].as_slice(), 2, 1));
        assert_eq!(found.state, AccountState::Connected);
    }
    connect(s, "b");
    let list = |owner: Option<&str>, state| s.accounts(&AccountFilter { owner: owner.map(Into::into), state }).unwrap().len();
    assert_eq!(list(None, None), 2);
    assert_eq!(list(Some("owner"), Some(AccountState::Connected)), 2);
    assert_eq!(list(Some("OWNER"), None), 0);
    assert_eq!(list(None, Some(AccountState::Disconnected)), 0);
    assert!(s.account("A").unwrap().is_none());
    let kinds: Vec<_> = s.changes(0, 10).unwrap().into_iter().map(|c| (c.kind, c.account_id)).collect();
    assert_eq!(kinds, [(ChangeKind::AccountChanged, "a".into()), (ChangeKind::AccountChanged, "b".into())]);
}

pub fn connecting_again_takes_over(s: &dyn Store) {
    connect(s, "a");
    let old = s.active_key(KeyPurpose::Secrets, Some("a")).unwrap().unwrap();
    let lease = lease(s);
    s.save_folders("a", 1, &lease, &[folder("in")], 1).unwrap();
    apply(s, &lease, vec![message("m", "in", 1)], |_| {});
    let again = s.connect_account(&AccountRow { scopes: vec![], ..account("a") }, &token("a", 4), &[key(77, KeyPurpose::Secrets, "a")], 20).unwrap();
    assert_eq!((again.generation, again.scopes.len()), (2, 0));
    let new = s.active_key(KeyPurpose::Secrets, Some("a")).unwrap().unwrap();
    assert!(new.id == 77 && s.key(old.id).unwrap().unwrap().wrapped.is_none());
    assert_eq!(s.token("a").unwrap().unwrap().version, 4);
    assert!(s.active_key(KeyPurpose::Content, Some("a")).unwrap().is_some());
    // The delta link could not be read any more; the next pass compares.
    let folder = s.folders("a").unwrap().remove(0);
    assert!(folder.cursor.is_none() && folder.resync.is_some() && folder.pass == 2 && folder.stored == 1);
    // Somebody who made up another id for the same person is told so.
    let other = AccountRow { user_id: "user-a".into(), ..account("x") };
    assert_eq!(s.connect_account(&other, &token("x", 1), &[], 20).unwrap_err().kind(), ErrorKind::Conflict);
    assert!(s.account("x").unwrap().is_none());
    // Late results of the first connection change nothing.
    assert!(!s.set_account_state("a", 1, AccountState::NeedsReconnect, None, 30).unwrap());
    assert!(!s.save_token(&token("a", 5), 1, None, 30).unwrap());
    assert!(!s.begin_resync("a", "in", 1, &lease, 30).unwrap());
    assert!(s.set_account_state("a", 2, AccountState::NeedsReconnect, Some("why"), 30).unwrap());
    assert_eq!(s.account("a").unwrap().unwrap().problem.as_deref(), Some("why"));
}

pub fn a_token_is_saved_by_its_holder(s: &dyn Store) {
    connect(s, "a");
    let mine = s.take_lease("refresh:a", "me", 0, 10).unwrap().unwrap();
    assert!(s.save_token(&token("a", 2), 1, Some(&mine), 1).unwrap());
    assert!(!s.save_token(&token("a", 2), 1, Some(&mine), 1).unwrap(), "the same version twice");
    let theirs = s.take_lease("refresh:a", "they", 20, 10).unwrap().unwrap();
    assert!(!s.save_token(&token("a", 3), 1, Some(&mine), 21).unwrap(), "the lease was lost");
    assert!(s.save_token(&token("a", 3), 1, Some(&theirs), 21).unwrap());
    assert!(!s.save_token(&token("a", 4), 9, Some(&theirs), 21).unwrap(), "another generation");
}

pub fn a_lease_has_one_holder(s: &dyn Store) {
    let a = s.take_lease("l", "a", 0, 10).unwrap().unwrap();
    assert!(s.take_lease("l", "b", 9, 10).unwrap().is_none());
    assert_eq!(s.take_lease("l", "a", 5, 10).unwrap().unwrap().fence, a.fence);
    assert!(s.renew_lease(&a, 8, 10).unwrap());
    assert!(s.take_lease("l", "b", 17, 10).unwrap().is_none());
    let b = s.take_lease("l", "b", 18, 10).unwrap().unwrap();
    assert_eq!(b.fence, a.fence + 1);
    assert!(!s.renew_lease(&a, 19, 10).unwrap());
    s.release_lease(&a).unwrap();
    assert!(s.renew_lease(&b, 19, 10).unwrap());
    s.release_lease(&b).unwrap();
    assert_eq!(s.take_lease("l", "a", 20, 10).unwrap().unwrap().fence, b.fence + 1);
}

pub fn disconnect_ends_everything_at_once(s: &dyn Store) {
    connect(s, "a");
    let lease = lease(s);
    s.save_folders("a", 1, &lease, &[folder("in")], 1).unwrap();
    apply(s, &lease, vec![message("m", "in", 1)], |_| {});
    let waiting = enqueue(s, "a", "l1", None);
    let flying = enqueue(s, "a", "l2", None);
    let (first, second) = (s.claim(1, 100).unwrap().unwrap(), s.claim(1, 100).unwrap().unwrap());
    assert_eq!((first.id, second.id), (waiting, flying));
    s.step(flying, second.fence, &step(ItemState::Dispatching), 1).unwrap();
    let before = s.changes(0, 100).unwrap().last().unwrap().id;
    assert_eq!(s.disconnect_account("a", "by hand", 50).unwrap(), [waiting]);
    assert_eq!(s.disconnect_account("a", "by hand", 51).unwrap(), Vec::<i64>::new());
    let row = s.account("a").unwrap().unwrap();
    assert_eq!((row.state, row.generation, row.problem.as_deref()), (AccountState::Disconnected, 2, Some("by hand")));
    assert!(s.token("a").unwrap().is_none() && s.active_key(KeyPurpose::Secrets, Some("a")).unwrap().is_none());
    assert!(s.active_key(KeyPurpose::Content, Some("a")).unwrap().is_some(), "mail stays readable");
    assert!(s.folders("a").unwrap()[0].cursor.is_none());
    let item = s.item(waiting).unwrap().unwrap();
    assert_eq!((item.state, item.reason.as_deref()), (ItemState::Cancelled, Some("by hand")));
    assert_eq!(s.item(flying).unwrap().unwrap().state, ItemState::Dispatching);
    assert!(!s.set_account_state("a", 2, AccountState::Connected, None, 51).unwrap(), "only a connect ends it");
    assert!(!s.step(waiting, first.fence, &step(ItemState::Prepared), 51).unwrap());
    let mut done = step(ItemState::Sent);
    done.sent_at = Some(52);
    assert!(s.step(flying, second.fence, &done, 52).unwrap(), "what left before is told");
    assert!(s.claim(1_000, 1).unwrap().is_none() && s.next_due(1_000).unwrap().is_none());
    let told: Vec<_> = s.changes(before, 100).unwrap().into_iter().map(|c| (c.kind, c.subject)).collect();
    assert_eq!(told, [(ChangeKind::AccountChanged, None), (ChangeKind::SendChanged, Some(waiting)), (ChangeKind::SendChanged, Some(flying))]);
    let late = page("a", &lease, vec![message("n", "in", 1)]);
    assert!(!s.apply(&late).unwrap().written);
    assert_eq!(s.messages(&window()).unwrap().rows.len(), 1);
    assert!(matches!(s.enqueue(&item_of("a", "l", None), &|_| Ok(sealed("p"))), Err(e) if e.kind() == ErrorKind::NotConnected));
}

fn item_of(account: &str, lane: &str, key: Option<&str>) -> NewItem {
    NewItem { account_id: account.into(), route: Route::Mail, lane: lane.into(), key: key.map(Into::into), content_hash: vec![1], created_at: 1 }
}

fn enqueue(s: &dyn Store, account: &str, lane: &str, key: Option<&str>) -> i64 {
    match s.enqueue(&item_of(account, lane, key), &|_| Ok(sealed("payload"))).unwrap() {
        Enqueued::New(row) => row.id,
        other => panic!("{other:?}"),
    }
}

pub fn step(state: ItemState) -> Step {
    Step { state, progress: None, reason: None, next_at: None, sent_at: None, release: !state.is_open(), announce: true }
}

pub fn a_key_is_taken_once(s: &dyn Store) {
    connect(s, "a");
    connect(s, "b");
    let seen = std::cell::Cell::new(0);
    let first = s.enqueue(&item_of("a", "l", Some("k")), &|id| { seen.set(id); Ok(sealed("p")) }).unwrap();
    assert!(matches!(first, Enqueued::New(row) if row.id == seen.get() && row.state == ItemState::Queued && row.key.as_deref() == Some("k")));
    let again = s.enqueue(&item_of("a", "l", Some("k")), &|_| panic!("not sealed again")).unwrap();
    assert!(matches!(again, Enqueued::Same(row) if row.id == seen.get()));
    let other = NewItem { content_hash: vec![2], ..item_of("a", "l", Some("k")) };
    assert!(matches!(s.enqueue(&other, &|_| panic!("not sealed")).unwrap(), Enqueued::Conflict));
    enqueue(s, "b", "l", Some("k"));
    enqueue(s, "a", "l", Some("K"));
    // A seal that fails leaves nothing, and the id is not lost to the next.
    assert!(s.enqueue(&item_of("a", "l", Some("k2")), &|_| Err(crate::error::Error::internal("no"))).is_err());
    let id = enqueue(s, "a", "l", Some("k2"));
    assert_eq!(s.item(id).unwrap().unwrap().id, id);
}

pub fn lanes_keep_their_order(s: &dyn Store) {
    connect(s, "a");
    let (one, two, other) = (enqueue(s, "a", "l", None), enqueue(s, "a", "l", None), enqueue(s, "a", "m", None));
    assert_eq!(s.next_due(0).unwrap(), Some(Due::Retry(0)));
    let claimed = s.claim(10, 100).unwrap().unwrap();
    assert_eq!((claimed.id, claimed.attempts, claimed.state, claimed.lease_until), (one, 1, ItemState::Claimed, 110));
    assert_eq!(s.claim(10, 100).unwrap().unwrap().id, other);
    assert!(s.claim(10, 100).unwrap().is_none(), "the second of a lane waits");
    assert_eq!(s.next_due(10).unwrap(), Some(Due::Lapse(110)));
    // A wait keeps the lane waiting too.
    let wait = Step { next_at: Some(500), release: true, ..step(ItemState::RetryWait) };
    assert!(s.step(one, claimed.fence, &wait, 20).unwrap());
    assert!(s.claim(20, 100).unwrap().is_none());
    assert!(s.claim(499, 100).unwrap().is_some_and(|row| row.id == other), "its lease lapsed at 110");
    assert_eq!(s.next_due(499).unwrap(), Some(Due::Retry(500)));
    let again = s.claim(500, 100).unwrap().unwrap();
    assert_eq!((again.id, again.attempts, again.state), (one, 2, ItemState::Claimed));
    // Unknown, failed, sent: the lane goes on.
    assert!(s.step(one, again.fence, &step(ItemState::Unknown), 510).unwrap());
    assert_eq!(s.claim(510, 100).unwrap().unwrap().id, two);
}

pub fn a_lapsed_claim_is_taken_over_where_it_stood(s: &dyn Store) {
    connect(s, "a");
    let id = enqueue(s, "a", "l", None);
    let dead = s.claim(0, 10).unwrap().unwrap();
    let prepared = Step { progress: Some(sealed("draft id")), ..step(ItemState::Prepared) };
    assert!(s.step(id, dead.fence, &prepared, 1).unwrap());
    assert!(s.step(id, dead.fence, &step(ItemState::Dispatching), 2).unwrap());
    assert!(s.renew_claim(id, dead.fence, 5, 10).unwrap());
    assert!(s.claim(14, 10).unwrap().is_none());
    let heir = s.claim(15, 10).unwrap().unwrap();
    assert_eq!((heir.id, heir.state, heir.attempts, heir.progress_version), (id, ItemState::Dispatching, 2, 1));
    assert!(heir.progress.is_some() && heir.fence > dead.fence);
    assert!(!s.step(id, dead.fence, &step(ItemState::Sent), 16).unwrap());
    assert!(!s.renew_claim(id, dead.fence, 16, 10).unwrap());
    let sent = Step { sent_at: Some(17), ..step(ItemState::Sent) };
    assert!(s.step(id, heir.fence, &sent, 17).unwrap());
    assert!(!s.step(id, heir.fence, &step(ItemState::Failed), 18).unwrap(), "settled stays settled");
    let row = s.item(id).unwrap().unwrap();
    assert_eq!((row.state, row.sent_at, row.progress_version), (ItemState::Sent, Some(17), 1));
}

pub fn the_outbox_is_listed_newest_first(s: &dyn Store) {
    connect(s, "a");
    connect(s, "b");
    let ids = [enqueue(s, "a", "l", None), enqueue(s, "a", "l", None), enqueue(s, "b", "l", None)];
    let list = |account: Option<&str>, state, limit| -> Vec<i64> {
        s.items(&OutboxFilter { account_id: account.map(Into::into), state, limit }).unwrap().into_iter().map(|i| i.id).collect()
    };
    assert_eq!(list(None, None, 100), [ids[2], ids[1], ids[0]]);
    assert_eq!(list(None, None, 2), [ids[2], ids[1]]);
    assert_eq!(list(Some("a"), Some(SendState::Queued), 100), [ids[1], ids[0]]);
    s.claim(1, 1).unwrap().unwrap();
    assert_eq!(list(None, Some(SendState::Sending), 100), [ids[0]]);
    assert_eq!(list(None, Some(SendState::Sent), 100), Vec::<i64>::new());
    // An account that must be connected again keeps its sends waiting.
    s.set_account_state("b", 1, AccountState::NeedsReconnect, None, 2).unwrap();
    s.step(ids[0], 1, &step(ItemState::Failed), 2).unwrap();
    s.step(ids[1], s.claim(2, 9).unwrap().unwrap().fence, &step(ItemState::Failed), 2).unwrap();
    assert!(s.claim(2, 9).unwrap().is_none());
}

// ---- mail ----

pub fn lease(s: &dyn Store) -> Lease {
    s.take_lease("sync:a", "me", 0, 1_000_000).unwrap().unwrap()
}

pub fn folder(id: &str) -> FolderRow {
    FolderRow { graph_id: id.into(), parent_id: None, well_known_name: None, name: sealed(id), version: 1, total: 3, unread: 1, is_synced: true }
}

pub fn message(id: &str, folder: &str, version: i64) -> NewMessage {
    NewMessage {
        graph_id: id.into(),
        folder_id: folder.into(),
        conversation_id: "c".into(),
        change_key: format!("ck{version}"),
        received_at: Some(1_000),
        is_read: false,
        is_draft: false,
        head: sealed("head"),
        body: Some(sealed("body")),
        version,
        change: Some(if version == 1 { ChangeKind::MessageAdded } else { ChangeKind::MessageChanged }),
    }
}

pub fn page<'a>(account_id: &'a str, lease: &'a Lease, upserts: Vec<NewMessage>) -> PageBatch<'a> {
    PageBatch {
        account_id,
        folder_id: "in",
        generation: 1,
        lease,
        pass: 1,
        upserts,
        seen: vec![],
        suspects: vec![],
        quarantined: vec![],
        cursor: Cursor { link: sealed("link"), version: 1, is_delta: false },
        completes_pass: false,
        now: 100,
    }
}

pub fn apply(s: &dyn Store, lease: &Lease, upserts: Vec<NewMessage>, change: impl FnOnce(&mut PageBatch<'_>)) -> Applied {
    let mut batch = page("a", lease, upserts);
    change(&mut batch);
    s.apply(&batch).unwrap()
}

pub fn window() -> MessageWindow {
    MessageWindow { limit: 100, ..MessageWindow::default() }
}

fn mailbox(s: &dyn Store) -> Lease {
    connect(s, "a");
    let lease = lease(s);
    assert!(s.save_folders("a", 1, &lease, &[folder("in"), folder("out")], 1).unwrap());
    lease
}

/// Kinds in the feed after the ones `since`.
fn told(s: &dyn Store, since: i64) -> Vec<ChangeKind> {
    s.changes(since, 1_000).unwrap().into_iter().map(|c| c.kind).collect()
}

fn last(s: &dyn Store) -> i64 {
    s.changes(0, 10_000).unwrap().last().map_or(0, |c| c.id)
}

fn id_of(s: &dyn Store, graph_id: &str) -> i64 {
    s.known("a", &[graph_id]).unwrap()[0].row_id
}

pub fn a_page_and_its_cursor_are_one(s: &dyn Store) {
    let lease = mailbox(s);
    let since = last(s);
    let applied = apply(s, &lease, vec![message("m", "in", 1), message("M", "in", 1)], |_| {});
    assert!(applied.written && applied.stored == 2, "ids differ by letter case");
    let folder = s.folders("a").unwrap().remove(0);
    assert_eq!((folder.stored, folder.cursor.as_ref().unwrap().version, folder.cursor.unwrap().is_delta), (2, 1, false));
    assert_eq!(told(s, since), [ChangeKind::MessageAdded, ChangeKind::MessageAdded]);
    let known = s.known("a", &["m", "none", "M", "m"]).unwrap();
    assert_eq!(known.len(), 2);
    assert!(s.known("b", &["m"]).unwrap().is_empty() && s.known("a", &[]).unwrap().is_empty());
    let row = s.message(id_of(s, "m")).unwrap().unwrap();
    assert_eq!((row.graph_id.as_str(), row.version, row.change_key.as_str()), ("m", 1, "ck1"));
    assert_eq!(s.body(row.row_id).unwrap().unwrap().1, 1);
    // A head alone: the body stays, at the version it was sealed for.
    apply(s, &lease, vec![NewMessage { body: None, is_read: true, ..message("m", "in", 2) }], |_| {});
    assert_eq!(s.message(row.row_id).unwrap().unwrap().version, 2);
    assert_eq!(s.body(row.row_id).unwrap().unwrap().1, 1);
    assert_eq!(s.messages(&MessageWindow { is_read: Some(true), ..window() }).unwrap().rows.len(), 1);
}

pub fn the_same_page_twice_changes_nothing(s: &dyn Store) {
    let lease = mailbox(s);
    let mut batch = page("a", &lease, vec![message("m", "in", 1), message("n", "in", 1)]);
    batch.quarantined = vec![
        Quarantined { graph_id: None, raw: sealed("raw"), reason: "unreadable".into() },
        Quarantined { graph_id: Some("q".into()), raw: sealed("raw"), reason: "unreadable".into() },
    ];
    s.apply(&batch).unwrap();
    let since = last(s);
    let again = s.apply(&batch).unwrap();
    assert!(again.written && again.stored == 2);
    assert_eq!(told(s, since), []);
    assert_eq!(s.quarantined("a").unwrap(), 2);
    // Once readable it leaves the quarantine.
    apply(s, &lease, vec![message("q", "in", 1)], |_| {});
    assert_eq!(s.quarantined("a").unwrap(), 1);
}

pub fn a_stranger_writes_nothing(s: &dyn Store) {
    let lease = mailbox(s);
    let lost = Lease { fence: lease.fence - 1, ..lease.clone() };
    assert!(!apply(s, &lost, vec![message("m", "in", 1)], |_| {}).written);
    assert!(!apply(s, &lease, vec![message("m", "in", 1)], |b| b.generation = 2).written);
    assert!(!apply(s, &lease, vec![message("m", "in", 1)], |b| b.folder_id = "nowhere").written);
    assert!(!s.save_folders("a", 1, &lost, &[], 1).unwrap());
    assert!(!s.begin_resync("a", "in", 1, &lost, 1).unwrap());
    assert!(s.settle_suspects("a", 1, &lost, &["m".into()], &[], 1).unwrap().is_none());
    assert!(s.messages(&window()).unwrap().rows.is_empty());
    assert_eq!(s.folders("a").unwrap().len(), 2);
}

pub fn a_move_is_no_removal(s: &dyn Store) {
    let lease = mailbox(s);
    apply(s, &lease, vec![message("m", "in", 1)], |_| {});
    let row = id_of(s, "m");
    apply(s, &lease, vec![], |b| b.suspects = vec!["m".into(), "stranger".into()]);
    assert_eq!(s.suspects("a", 10).unwrap(), [("m".to_owned(), "in".to_owned())]);
    // It turns up elsewhere: the question is answered and the row is the same.
    let since = last(s);
    let moved = NewMessage { change: Some(ChangeKind::MessageMoved), ..message("m", "out", 2) };
    apply(s, &lease, vec![moved], |b| b.folder_id = "out");
    assert!(s.suspects("a", 10).unwrap().is_empty());
    assert_eq!(told(s, since), [ChangeKind::MessageMoved]);
    let now = s.message(row).unwrap().unwrap();
    assert_eq!(now.folder_id, "out");
    let stored: Vec<_> = s.folders("a").unwrap().into_iter().map(|f| f.stored).collect();
    assert_eq!(stored, [0, 1]);
    // The page of the old folder comes late: no question at all.
    apply(s, &lease, vec![], |b| b.suspects = vec!["m".into()]);
    assert!(s.suspects("a", 10).unwrap().is_empty());
}

pub fn questions_are_settled(s: &dyn Store) {
    let lease = mailbox(s);
    apply(s, &lease, ["gone", "moved", "stays"].map(|id| message(id, "in", 1)).to_vec(), |_| {});
    let (gone, moved) = (id_of(s, "gone"), id_of(s, "moved"));
    apply(s, &lease, vec![], |b| b.suspects = ["gone", "moved", "stays"].map(Into::into).to_vec());
    assert_eq!(s.suspects("a", 2).unwrap().len(), 2);
    let since = last(s);
    let there = [("moved".to_owned(), "out".to_owned()), ("stays".to_owned(), "in".to_owned())];
    // What was never asked is not removed, whatever is claimed.
    let settled = s.settle_suspects("a", 1, &lease, &["gone".into(), "unasked".into()], &there, 9).unwrap();
    assert_eq!(settled, Some((1, 1)));
    assert_eq!(told(s, since), [ChangeKind::MessageRemoved, ChangeKind::MessageMoved]);
    assert!(s.suspects("a", 10).unwrap().is_empty());
    assert!(s.message(gone).unwrap().is_none() && s.body(gone).unwrap().is_none());
    assert!(s.known("a", &["gone"]).unwrap()[0].is_removed);
    assert_eq!(s.message(moved).unwrap().unwrap().folder_id, "out");
    let stored: Vec<_> = s.folders("a").unwrap().into_iter().map(|f| f.stored).collect();
    assert_eq!(stored, [1, 1]);
    assert_eq!(s.settle_suspects("a", 1, &lease, &["stays".into()], &[], 9).unwrap(), Some((0, 0)));
    assert_eq!(s.messages(&window()).unwrap().rows.len(), 2);
    // A replay of the page that first brought it does not bring it back …
    let since = last(s);
    apply(s, &lease, vec![message("gone", "in", 1)], |_| {});
    apply(s, &lease, vec![], |b| b.seen = vec!["gone".into()]);
    assert!(s.message(gone).unwrap().is_none() && told(s, since).is_empty());
    // … a fresh listing does, under its old id and as an addition.
    apply(s, &lease, vec![message("gone", "in", 2)], |_| {});
    assert_eq!(told(s, since), [ChangeKind::MessageAdded]);
    assert_eq!(s.message(gone).unwrap().unwrap().version, 2);
    assert_eq!(s.folders("a").unwrap()[0].stored, 2);
}

pub fn a_complete_pass_asks_for_what_it_did_not_show(s: &dyn Store) {
    let lease = mailbox(s);
    apply(s, &lease, ["a", "b", "c"].map(|id| message(id, "in", 1)).to_vec(), |b| b.completes_pass = true);
    assert!(s.suspects("a", 10).unwrap().is_empty());
    // An ordinary delta round shows only what changed and asks nothing.
    apply(s, &lease, vec![], |b| b.completes_pass = true);
    assert!(s.suspects("a", 10).unwrap().is_empty());
    assert!(s.begin_resync("a", "in", 1, &lease, 7).unwrap());
    let folder = s.folders("a").unwrap().remove(0);
    assert_eq!((folder.pass, folder.resync, folder.cursor.is_none()), (2, Some(Resync { since: 7 }), true));
    apply(s, &lease, vec![message("b", "in", 2)], |b| { b.pass = 2; b.seen = vec!["a".into()]; });
    assert!(s.suspects("a", 10).unwrap().is_empty(), "half a pass proves nothing");
    apply(s, &lease, vec![message("d", "in", 1)], |b| { b.pass = 2; b.completes_pass = true; b.cursor.is_delta = true; });
    assert_eq!(s.suspects("a", 10).unwrap(), [("c".to_owned(), "in".to_owned())]);
    let folder = s.folders("a").unwrap().remove(0);
    assert!(folder.resync.is_none() && folder.cursor.unwrap().is_delta);
}

pub fn a_folder_that_is_gone_asks_for_its_mail(s: &dyn Store) {
    let lease = mailbox(s);
    apply(s, &lease, vec![message("m", "in", 1)], |b| b.completes_pass = true);
    assert!(s.save_folders("a", 1, &lease, &[FolderRow { total: 9, ..folder("out") }], 5).unwrap());
    let folders = s.folders("a").unwrap();
    assert_eq!((folders.len(), folders[0].row.total), (1, 9));
    assert_eq!(s.suspects("a", 10).unwrap(), [("m".to_owned(), "in".to_owned())]);
    assert_eq!(s.settle_suspects("a", 1, &lease, &[], &[("m".into(), "out".into())], 6).unwrap(), Some((0, 1)));
    assert_eq!(s.folders("a").unwrap()[0].stored, 1);
    // It returns: enumerated anew, with a pass of its own.
    s.save_folders("a", 1, &lease, &[folder("in"), folder("out")], 7).unwrap();
    let back = s.folders("a").unwrap().into_iter().find(|f| f.row.graph_id == "in").unwrap();
    assert!(back.cursor.is_none() && back.pass == 2 && back.stored == 0);
}

pub fn lists_are_paged_without_gaps(s: &dyn Store) {
    let lease = mailbox(s);
    let many = (0..25).map(|n| {
        let received_at = if n == 0 { None } else { Some(1_000 + i64::from(n / 3)) };
        NewMessage { received_at, conversation_id: format!("c{}", n % 2), ..message(&format!("m{n}"), if n % 5 == 0 { "out" } else { "in" }, 1) }
    });
    apply(s, &lease, many.collect(), |_| {});
    for oldest_first in [false, true] {
        let mut window = MessageWindow { limit: 7, oldest_first, account_id: Some("a".into()), ..MessageWindow::default() };
        let mut seen = Vec::new();
        loop {
            let page = s.messages(&window).unwrap();
            seen.extend(page.rows.iter().map(|r| (r.received_at.unwrap_or(0), r.row_id)));
            if !page.more {
                break;
            }
            window.after = seen.last().copied();
        }
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        if !oldest_first {
            sorted.reverse();
        }
        assert_eq!((seen.len(), &seen), (25, &sorted));
    }
    let count = |w: MessageWindow| s.messages(&w).unwrap().rows.len();
    assert_eq!(count(MessageWindow { folder_ids: Some(vec!["out".into()]), ..window() }), 5);
    assert_eq!(count(MessageWindow { folder_ids: Some(vec!["in".into(), "out".into()]), account_id: Some("a".into()), ..window() }), 25);
    assert_eq!(count(MessageWindow { folder_ids: Some(vec![]), ..window() }), 0);
    assert_eq!(count(MessageWindow { conversation_id: Some("c1".into()), account_id: Some("a".into()), ..window() }), 12);
    assert_eq!(count(MessageWindow { account_id: Some("b".into()), ..window() }), 0);
}

pub fn reading_is_told_once(s: &dyn Store) {
    let lease = mailbox(s);
    apply(s, &lease, vec![message("m", "in", 1)], |_| {});
    let (row, since) = (id_of(s, "m"), last(s));
    s.set_read(row, true, Some("ck9"), 5).unwrap();
    s.set_read(row, true, None, 6).unwrap();
    let now = s.message(row).unwrap().unwrap();
    assert!(now.is_read && now.change_key == "ck9" && now.version == 1);
    assert_eq!(told(s, since), [ChangeKind::MessageChanged]);
    assert_eq!(s.changes(since, 0).unwrap().len(), 0);
}

pub fn a_closed_store_says_so(s: &dyn Store) {
    connect(s, "a");
    s.close();
    s.close();
    assert_eq!(s.account("a").unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(s.disconnect_account("a", "r", 1).unwrap_err().kind(), ErrorKind::Closed);
}
