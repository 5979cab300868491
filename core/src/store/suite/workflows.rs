//! Workflows: in the place of accounts, and no accounts.

use super::*;
use crate::error::ErrorKind;
use crate::model::AuditKind;

fn workflow(id: &str) -> WorkflowRow {
    WorkflowRow { id: id.into(), owner: "owner".into(), profile: sealed_by(902, "name"), profile_version: 1, added_at: 5 }
}

fn url(id: &str) -> TokenRow {
    TokenRow { account_id: id.into(), version: 1, sealed: sealed_by(901, "url"), expires_at: i64::MAX, refreshed_at: 5 }
}

fn keys_of(id: &str) -> [NewKey; 2] {
    [key(901, KeyPurpose::Secrets, id), key(902, KeyPurpose::Content, id)]
}

fn post(workflow: &str) -> NewItem {
    NewItem { route: SendRoute::Workflow, ..item_of(workflow, "lane", None) }
}

fn post_content() -> Content {
    Content { payload: sealed_by(902, "payload"), version: 3, parts: vec![], staged: vec![] }
}

pub async fn a_workflow_is_no_account_and_ends_as_one(s: &dyn Store) {
    connect(s, "a").await;
    let before = last(s).await;
    s.add_workflow(&workflow("w"), &url("w"), &keys_of("w"), 2).await.unwrap();
    assert_eq!(told(s, before).await, [ChangeKind::AccountChanged]);
    assert_eq!(s.workflow("w").await.unwrap().unwrap().owner, "owner");
    assert_eq!(s.workflows("owner").await.unwrap().len(), 1);
    assert!(s.workflows("other").await.unwrap().is_empty() && s.workflow("a").await.unwrap().is_none());
    assert_eq!(s.sender_state("w").await.unwrap(), Some(AccountState::Connected));

    // What is asked of accounts does not know it; what is asked of an owner does.
    assert!(s.account("w").await.unwrap().is_none());
    let page = AccountWindow { owner: None, state: None, after: 0, limit: 10 };
    for query in [AccountQuery::Owner("owner"), AccountQuery::Page(page), AccountQuery::Page(AccountWindow { owner: Some("owner"), ..page })] {
        assert_eq!(s.accounts(query).await.unwrap().into_iter().map(|row| row.id).collect::<Vec<_>>(), ["a"]);
    }
    assert_eq!(s.account_ids("owner", false).await.unwrap(), ["a", "w"]);

    // It takes posts and nothing else, and an account takes none.
    for (id, route, taken) in [("w", SendRoute::Workflow, true), ("w", SendRoute::Mail, false), ("w", SendRoute::Chat, false)] {
        let sent = s.enqueue(vec![(NewItem { route, ..post(id) }, post_content())], |_, _| true).await;
        assert_eq!(sent.err().map(|e| e.kind()), (!taken).then_some(ErrorKind::NotConnected), "{id} {route:?}");
    }
    assert_eq!(s.enqueue(vec![(post("nobody"), post_content())], |_, _| true).await.err().map(|e| e.kind()), Some(ErrorKind::NotConnected));
    let id = s.items(&crate::model::OutboxFilter { owner: Some("owner".into()), ..Default::default() }).await.unwrap().pop().unwrap().id;

    // Two of an owner, and no third.
    let second = [key(911, KeyPurpose::Secrets, "x"), key(912, KeyPurpose::Content, "x")];
    let of_second = |mut row: WorkflowRow| {
        row.profile = sealed_by(912, "name");
        row
    };
    s.add_workflow(&of_second(workflow("x")), &TokenRow { sealed: sealed_by(911, "url"), ..url("x") }, &second, 2).await.unwrap();
    let third = [key(921, KeyPurpose::Secrets, "y"), key(922, KeyPurpose::Content, "y")];
    assert_eq!(s.add_workflow(&workflow("y"), &url("y"), &third, 2).await.err().map(|e| e.kind()), Some(ErrorKind::LimitExceeded));

    assert_eq!(s.disconnect_account("w", "gone", 20).await.unwrap(), std::slice::from_ref(&id));
    let row = s.item(&id, Some("owner")).await.unwrap().unwrap();
    assert_eq!((row.state, row.reason.as_deref()), (ItemState::Cancelled, Some("gone")));
    assert!(s.token("w").await.unwrap().is_none() && s.active_key(KeyPurpose::Secrets, Some("w")).await.unwrap().is_none());
    assert!(s.workflow("w").await.unwrap().is_none());
    assert_eq!(s.sender_state("w").await.unwrap(), Some(AccountState::Disconnected));
    assert_eq!(s.enqueue(vec![(post("w"), post_content())], |_, _| true).await.err().map(|e| e.kind()), Some(ErrorKind::NotConnected));
    let kinds: Vec<String> = s.audit_rows(None, 0, 1_000).await.unwrap().into_iter().filter(|row| row.account_id.as_deref() == Some("w")).map(|row| row.kind).collect();
    assert!(kinds.iter().any(|kind| kind == words::Word::word(AuditKind::WorkflowAdded)) && kinds.iter().any(|kind| kind == words::Word::word(AuditKind::WorkflowRemoved)), "{kinds:?}");

    // The owner's purge takes all of them along.
    assert_eq!(s.begin_purge(Purged::Owner("owner"), "purged", 30).await.unwrap(), ["a", "w", "x"]);
    assert!(s.workflows("owner").await.unwrap().is_empty() && s.sender_state("x").await.unwrap().is_none());
    while s.erase_some("w", 100, 31).await.unwrap() {}
    assert!(s.item(&id, None).await.unwrap().is_none());
    assert_eq!(s.add_workflow(&workflow("w"), &url("w"), &keys_of("w"), 9).await.err().map(|e| e.kind()), Some(ErrorKind::NotFound), "an id that was purged");
}

pub async fn a_deleted_owner_gets_no_workflow(s: &dyn Store) {
    connect(s, "a").await;
    s.delete_owner("owner", "deleted", 20, 100).await.unwrap();
    assert_eq!(s.add_workflow(&workflow("w"), &url("w"), &keys_of("w"), 9).await.err().map(|e| e.kind()), Some(ErrorKind::Conflict));
}
