#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
//! What one owner asks for is never another's: lists, cursors, the feed, live events.

use super::audit_tests::{clock, engine_with, fill};
use super::*;
use crate::config::Content;
use crate::error::ErrorKind;

fn of(owner: &str, cursor: Option<String>) -> MessageQuery {
    MessageQuery { owner: Some(owner.into()), limit: 3, cursor, ..MessageQuery::default() }
}

fn feed_of(owner: &str, cursor: Option<String>) -> ChangeQuery {
    ChangeQuery { owner: Some(owner.into()), cursor, ..ChangeQuery::default() }
}

fn kind<T>(outcome: Result<T>) -> Option<ErrorKind> {
    outcome.err().map(|e| e.kind())
}

/// Two owners, of whom the first has two accounts.
async fn filled(dir: &std::path::Path) -> Engine {
    let engine = engine_with(&dir.join("store"), &clock(), Content::Clear);
    fill(&engine, "acc_a", "ann", 5).await;
    fill(&engine, "acc_b", "ann", 4).await;
    fill(&engine, "acc_z", "zoe", 7).await;
    engine
}

#[tokio::test]
async fn a_list_holds_all_accounts_of_its_owner_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path()).await;
    for (owner, accounts, wanted) in [("ann", vec!["acc_a", "acc_b"], 9), ("zoe", vec!["acc_z"], 7), ("nobody", vec![], 0)] {
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = engine.messages(of(owner, cursor)).await.unwrap();
            seen.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), wanted);
        assert!(seen.iter().all(|m| accounts.contains(&m.account_id.as_str())) && seen.is_sorted_by(|a, b| a.received_at >= b.received_at));
        let inbox = engine.messages(MessageQuery { folder: Some("inbox".into()), limit: 100, ..of(owner, None) }).await.unwrap();
        assert_eq!(inbox.items.len(), wanted);
        let found = engine.search(SearchQuery { text: "word1".into(), owner: Some(owner.into()), ..SearchQuery::default() }).await.unwrap();
        assert_eq!(found.len(), accounts.len());
        let changes = engine.changes(feed_of(owner, None)).ready(1_000).await.unwrap();
        assert!(changes.iter().all(|c| accounts.contains(&c.account_id.as_str())) && (changes.len() > wanted) == (wanted > 0));
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn without_owner_and_account_nothing_is_answered_and_both_must_agree() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path()).await;
    let search = |owner: Option<&str>, account: Option<&str>| SearchQuery { text: "word1".into(), owner: owner.map(Into::into), account_id: account.map(Into::into), limit: 5 };
    let list = |owner: Option<&str>, account: Option<&str>| MessageQuery { owner: owner.map(Into::into), account_id: account.map(Into::into), ..MessageQuery::default() };
    let feed = |owner: Option<&str>, account: Option<&str>| ChangeQuery { owner: owner.map(Into::into), account_id: account.map(Into::into), cursor: None };
    for (owner, account, wanted) in [
        (None, None, Some(ErrorKind::InvalidInput)),
        (Some(""), None, Some(ErrorKind::InvalidInput)),
        (Some(""), Some("acc_a"), Some(ErrorKind::InvalidInput)),
        (Some("zoe"), Some("acc_a"), Some(ErrorKind::NotFound)),
        (Some("ann"), Some("acc_none"), Some(ErrorKind::NotFound)),
        (None, Some("acc_none"), Some(ErrorKind::NotFound)),
        (Some("ann"), Some("acc_b"), None),
        (None, Some("acc_b"), None),
    ] {
        assert_eq!(kind(engine.messages(list(owner, account)).await), wanted, "messages {owner:?} {account:?}");
        assert_eq!(kind(engine.search(search(owner, account)).await), wanted, "search {owner:?} {account:?}");
        assert_eq!(kind(engine.changes(feed(owner, account)).ready(5).await), wanted, "changes {owner:?} {account:?}");
        assert_eq!(kind(engine.changes(feed(owner, account)).next(5).await), wanted, "changes {owner:?} {account:?}");
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn a_cursor_is_good_for_the_list_that_gave_it() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path()).await;
    let next = engine.messages(of("ann", None)).await.unwrap().next.unwrap();
    let change = engine.changes(feed_of("ann", None)).ready(1).await.unwrap().remove(0).cursor;
    assert!(next.len() < 64 && change.len() < 48);
    for foreign in [
        of("zoe", Some(next.clone())),
        of("ann", Some(change.clone())),
        of("ann", Some("3".into())),
        of("ann", Some("0.1".into())),
        MessageQuery { owner: None, account_id: Some("acc_a".into()), ..of("", Some(next.clone())) },
        MessageQuery { folder: Some("inbox".into()), ..of("ann", Some(next.clone())) },
        MessageQuery { is_read: Some(false), ..of("ann", Some(next.clone())) },
        MessageQuery { conversation_id: Some("conversation-ann".into()), ..of("ann", Some(next.clone())) },
    ] {
        assert_eq!(kind(engine.messages(foreign.clone()).await), Some(ErrorKind::InvalidInput), "{foreign:?}");
    }
    for foreign in [feed_of("zoe", Some(change.clone())), feed_of("ann", Some(next)), ChangeQuery { owner: None, account_id: Some("acc_a".into()), cursor: Some(change.clone()) }] {
        assert_eq!(kind(engine.changes(foreign.clone()).ready(5).await), Some(ErrorKind::InvalidInput), "{foreign:?}");
    }
    // The account an owner is named with is the same list as the account alone.
    let account = MessageQuery { account_id: Some("acc_a".into()), ..of("ann", None) };
    let next = engine.messages(account.clone()).await.unwrap().next;
    assert_eq!(engine.messages(MessageQuery { owner: None, cursor: next, ..account }).await.unwrap().items.len(), 2);
    // A cursor of an earlier version is a place in the feed of everybody, and shows nobody more than their own.
    let all = engine.changes(feed_of("zoe", None)).ready(1_000).await.unwrap();
    assert_eq!(engine.changes(feed_of("zoe", Some("0".into()))).ready(1_000).await.unwrap(), all);
    engine.shutdown().await;
}

#[tokio::test]
async fn ids_of_another_owner_lead_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path()).await;
    let id = engine.messages(of("ann", None)).await.unwrap().items[0].id.clone();
    let (ann, zoe) = (Some("ann".to_owned()), Some("zoe".to_owned()));
    for (owner, wanted) in [(ann.clone(), None), (None, None), (zoe.clone(), Some(ErrorKind::NotFound)), (Some(String::new()), Some(ErrorKind::NotFound))] {
        assert_eq!(kind(engine.message(id.clone(), owner.clone()).await), wanted, "{owner:?}");
        assert_eq!(kind(engine.body(id.clone(), owner.clone(), None, None).await), wanted, "{owner:?}");
        assert_eq!(kind(engine.thread(id.clone(), owner).await), wanted);
    }
    assert_eq!(kind(engine.mark_read(id, true, zoe.clone()).await), Some(ErrorKind::NotFound));
    let (account, back) = ("acc_a".to_owned(), "http://localhost/callback".to_owned());
    assert_eq!(kind(engine.account(account.clone(), ann).await), None);
    for outcome in [
        kind(engine.account(account.clone(), zoe.clone()).await),
        kind(engine.folders(account.clone(), zoe.clone()).await),
        kind(engine.sync(account.clone(), zoe.clone()).await),
        kind(engine.verify(account.clone(), true, zoe.clone()).await),
        kind(engine.reconnect(account.clone(), back.clone(), zoe.clone()).await),
        kind(engine.add_features(account.clone(), vec![Feature::Chat], back.clone(), zoe.clone()).await),
        kind(engine.add_shared_mailbox(account.clone(), "jobs@contoso.com".into(), zoe.clone()).await),
        kind(engine.approval(account.clone(), back, zoe.clone()).await),
        kind(engine.resume(account.clone(), zoe.clone()).await),
        kind(engine.permissions(PermissionQuery { account_id: Some(account.clone()), owner: zoe.clone(), ..PermissionQuery::default() }).await),
        kind(engine.disconnect(account.clone(), zoe).await),
    ] {
        assert_eq!(outcome, Some(ErrorKind::NotFound));
    }
    assert_eq!(engine.account(account, None).await.unwrap().state, AccountState::Connected);
    engine.shutdown().await;
}

#[tokio::test]
async fn live_events_of_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let engine = filled(dir.path()).await;
    let (ann, zoe, everybody) = (engine.events(Some("ann".into())), engine.events(Some("zoe".into())), engine.events(None));
    assert_eq!(kind(engine.events(Some(String::new())).next().await), Some(ErrorKind::InvalidInput));
    engine.disconnect("acc_z".into(), None).await.unwrap();
    // A wait that is given up takes nothing with it.
    assert!(futures_util::FutureExt::now_or_never(ann.next()).is_none());
    engine.disconnect("acc_b".into(), None).await.unwrap();
    engine.purge(PurgeRequest { account_id: Some("acc_b".into()), owner: None }).await.unwrap();
    let told = async |stream: &EventStream| match stream.next().await.unwrap().unwrap() {
        Event::AccountChanged { account_id, .. } => account_id,
        other => panic!("{other:?}"),
    };
    assert_eq!((told(&zoe).await, told(&everybody).await, told(&everybody).await), ("acc_z".into(), "acc_z".into(), "acc_b".into()));
    assert_eq!((told(&ann).await, told(&ann).await), ("acc_b".into(), "acc_b".into()), "of an account that is gone as well");
    // So does the feed.
    let last = engine.changes(feed_of("ann", None)).ready(1_000).await.unwrap().pop().unwrap();
    assert_eq!((last.account_id.as_str(), last.kind), ("acc_b", ChangeKind::AccountChanged));
    engine.shutdown().await;
    assert_eq!((ann.next().await.unwrap(), zoe.next().await.unwrap()), (None, None));
}
