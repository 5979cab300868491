//! Shared mailboxes go with the account they are opened through.

use super::*;
use crate::model::AccountKind;

fn shared(id: &str, delegate: &str, generation: i64) -> AccountRow {
    AccountRow {
        user_id: AccountRow::shared("mark"),
        kind: AccountKind::SharedMailbox,
        features: vec![Feature::MailSend, Feature::MailSync],
        scopes: Vec::new(),
        delegate: Some(delegate.to_owned()),
        generation,
        ..account(id)
    }
}

/// Accounts a and b, and the shared mailbox c, which a opens.
async fn opened(s: &dyn Store) -> AccountRow {
    for id in ["a", "b"] {
        connect(s, id).await;
    }
    add(s, "a", 1).await.unwrap()
}

async fn add(s: &dyn Store, delegate: &str, generation: i64) -> Result<AccountRow> {
    let keys = [key(900 + generation * 2, KeyPurpose::Secrets, "c"), key(901, KeyPurpose::Content, "c")];
    s.store_account(&shared("c", delegate, generation), None, if generation == 1 { &keys } else { &keys[..1] }, None, 20).await
}

async fn row(s: &dyn Store, id: &str) -> AccountRow {
    s.account(id).await.unwrap().unwrap()
}

pub async fn a_shared_mailbox_has_what_its_delegate_has(s: &dyn Store) {
    let stored = opened(s).await;
    assert_eq!((stored.delegate.as_deref(), stored.kind, &stored.scopes), (Some("a"), AccountKind::SharedMailbox, &account("a").scopes));
    assert_eq!(s.accounts(AccountQuery::OpenedThrough("a")).await.unwrap().into_iter().map(|row| row.id).collect::<Vec<_>>(), ["c"]);
    assert!(s.accounts(AccountQuery::OpenedThrough("b")).await.unwrap().is_empty());
    let before = last(s).await;
    assert!(s.set_account_state("a", 1, AccountState::NeedsReconnect, Some("asleep"), 30).await.unwrap());
    let blocked = row(s, "c").await;
    assert_eq!((blocked.state, blocked.state_since), (AccountState::NeedsReconnect, 30));
    assert!(blocked.problem.is_some_and(|problem| problem.ends_with("asleep") && problem.contains("opened through")));
    let told: Vec<_> = changes(s, before).await.into_iter().map(|change| change.account_id).collect();
    assert_eq!(told, ["a", "c"], "both are told");
    // Signed in anew, with other permissions.
    let again = AccountRow { generation: 2, scopes: vec!["User.Read".into()], ..account("a") };
    s.store_account(&again, Some(&token("a", 2)), &[key(800, KeyPurpose::Secrets, "a")], None, 40).await.unwrap();
    let opened = row(s, "c").await;
    assert_eq!((opened.state, opened.problem, opened.scopes), (AccountState::Connected, None, vec!["User.Read".to_owned()]));
    assert_eq!(row(s, "b").await.state, AccountState::Connected);
    let polled = s.adopt_polls(50).await.unwrap();
    assert_eq!(polled, 3, "it is looked at like any other");
}

pub async fn a_shared_mailbox_ends_with_its_delegate(s: &dyn Store) {
    opened(s).await;
    let waiting = enqueue(s, "c", "l", None).await;
    let own = enqueue(s, "b", "l", None).await;
    let mut cancelled = s.disconnect_account("a", "by hand", 30).await.unwrap();
    cancelled.sort();
    assert_eq!(cancelled, [waiting]);
    let ended = row(s, "c").await;
    assert_eq!((ended.state, ended.delegate.as_deref()), (AccountState::Disconnected, Some("a")));
    assert!(ended.problem.is_some_and(|problem| problem.contains("add_shared_mailbox")));
    assert!(s.active_key(KeyPurpose::Secrets, Some("c")).await.unwrap().is_none() && s.active_key(KeyPurpose::Content, Some("c")).await.unwrap().is_some());
    assert_eq!((row(s, "b").await.state, s.item(&own, None).await.unwrap().unwrap().state), (AccountState::Connected, ItemState::Queued));
    // Signing in again brings nothing back but itself.
    s.store_account(&AccountRow { generation: 3, ..account("a") }, Some(&token("a", 2)), &[key(800, KeyPurpose::Secrets, "a")], None, 40).await.unwrap();
    assert_eq!((row(s, "a").await.state, row(s, "c").await.state), (AccountState::Connected, AccountState::Disconnected));
    // Another account opens it.
    let again = add(s, "b", ended.generation + 1).await.unwrap();
    assert_eq!((again.state, again.delegate.as_deref(), again.number), (AccountState::Connected, Some("b"), ended.number));
    s.disconnect_account("a", "by hand", 60).await.unwrap();
    assert_eq!(row(s, "c").await.state, AccountState::Connected);
    s.disconnect_account("c", "by hand", 70).await.unwrap();
    assert_eq!((row(s, "c").await.state, row(s, "b").await.state), (AccountState::Disconnected, AccountState::Connected));
}

pub async fn a_shared_mailbox_is_purged_with_its_delegate(s: &dyn Store) {
    opened(s).await;
    assert_eq!(s.begin_purge(Purged::Account("a"), "purged", 30).await.unwrap(), ["c", "a"]);
    assert!(s.account("c").await.unwrap().is_none() && s.account("b").await.unwrap().is_some());
    for id in ["a", "c"] {
        while s.erase_some(id, 10, 40).await.unwrap() {}
        assert!(s.end_purge(id, 50).await.unwrap().is_some_and(|purge| purge.ended_at == Some(50)));
        assert!(s.active_key(KeyPurpose::Content, Some(id)).await.unwrap().is_none());
    }
    assert!(s.begin_purge(Purged::Account("b"), "purged", 60).await.unwrap() == ["b"]);
}

pub async fn another_delegate_takes_over_and_everything_stays(s: &dyn Store) {
    opened(s).await;
    let lease = s.take_lease("sync:c", "me", 0, 1_000_000).await.unwrap().unwrap();
    s.save_folders("c", 1, &lease, &listed(&[folder("in")]), 1).await.unwrap();
    s.apply(page("c", &lease, vec![message("m", "in", 1)])).await.unwrap();
    let waiting = enqueue(s, "c", "l", None).await;
    let change = |delegate: &str| AccountChange::Delegate { account_id: delegate.to_owned(), features: vec![Feature::MailSync] };
    assert!(!s.change_account("c", Some(7), change("b"), 30).await.unwrap(), "another generation");
    assert!(s.change_account("c", Some(1), change("nobody"), 30).await.is_err());
    assert!(s.change_account("c", Some(1), change("c"), 30).await.is_err(), "not through itself");
    assert!(s.change_account("c", Some(1), change("b"), 30).await.unwrap());
    let moved = row(s, "c").await;
    assert_eq!((moved.delegate.as_deref(), moved.generation, moved.features), (Some("b"), 1, vec![Feature::MailSync]));
    assert!(s.folders("c").await.unwrap()[0].cursor.is_some(), "its cursors are good still");
    assert_eq!(s.item(&waiting, None).await.unwrap().unwrap().state, ItemState::Queued);
    s.disconnect_account("a", "by hand", 40).await.unwrap();
    assert_eq!(row(s, "c").await.state, AccountState::Connected);
    s.set_account_state("b", 1, AccountState::NeedsReconnect, Some("asleep"), 50).await.unwrap();
    assert_eq!(row(s, "c").await.state, AccountState::NeedsReconnect);
    // Whoever opens it now, it works again.
    s.store_account(&AccountRow { generation: 3, ..account("a") }, Some(&token("a", 2)), &[key(800, KeyPurpose::Secrets, "a")], None, 60).await.unwrap();
    assert!(s.change_account("c", Some(1), change("a"), 70).await.unwrap());
    assert_eq!(row(s, "c").await.state, AccountState::Connected);
    s.disconnect_account("c", "by hand", 80).await.unwrap();
    assert!(!s.change_account("c", None, change("b"), 90).await.unwrap(), "only an add ends a disconnect");
}

pub async fn a_shared_mailbox_needs_a_delegate_that_is_there(s: &dyn Store) {
    connect(s, "a").await;
    assert!(add(s, "nobody", 1).await.is_err());
    s.store_account(&AccountRow { owner: "other".into(), ..account("b") }, Some(&token("b", 1)), &[key(700, KeyPurpose::Secrets, "b"), key(701, KeyPurpose::Content, "b")], None, 10).await.unwrap();
    assert!(add(s, "b", 1).await.is_err(), "another owner's");
    s.disconnect_account("a", "by hand", 15).await.unwrap();
    assert!(add(s, "a", 1).await.is_err());
    assert!(s.account("c").await.unwrap().is_none());
}

pub async fn a_mailbox_of_an_organisation_is_told_apart(s: &dyn Store) {
    connect(s, "b").await;
    let organisation = AccountRow { kind: AccountKind::Tenant, user_id: AccountRow::organisation("default"), features: Vec::new(), scopes: vec!["Mail.Read".into()], ..account("a") };
    s.store_account(&organisation, Some(&token("a", 1)), &[key(800, KeyPurpose::Secrets, "a"), key(801, KeyPurpose::Content, "a")], None, 10).await.unwrap();
    let mailbox = add(s, "a", 1).await.unwrap();
    assert_eq!((mailbox.delegate_kind, mailbox.is_app_only(), mailbox.scopes), (Some(AccountKind::Tenant), true, vec!["Mail.Read".to_owned()]));
    assert!(row(s, "a").await.is_app_only() && !row(s, "b").await.is_app_only());
    s.add_subscriptions(20).await.unwrap();
    assert!(s.subscription("c").await.unwrap().is_some() && s.subscription("a").await.unwrap().is_none(), "Microsoft tells of it, and of no organisation");
    let change = AccountChange::Delegate { account_id: "b".to_owned(), features: vec![Feature::MailSync] };
    assert!(s.change_account("c", Some(1), change, 30).await.unwrap());
    assert_eq!((row(s, "c").await.delegate_kind, row(s, "c").await.is_app_only()), (Some(AccountKind::Person), false));
}
