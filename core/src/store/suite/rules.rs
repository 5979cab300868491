//! Rules by which messages get a host's key.

use super::*;

/// Under key 1, as if it were the store key.
fn rule(hash: u8, version: i64) -> RuleRow {
    RuleRow { owner: "owner".into(), hash: [hash; 32], version, sealed: sealed("rule") }
}

fn given(graph_id: &str) -> LinkedMessage {
    LinkedMessage { account_id: "a".into(), graph_id: graph_id.into(), hash: [9; 32], sealed: Some(sealed("link")) }
}

pub async fn a_rule_is_found_by_its_terms_and_applied_in_steps(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, ["m", "n", "o"].map(|id| NewMessage { conversation_id: String::new(), ..message(id, "in", 1) }).into(), |_| {}).await;
    assert!(!s.has_rules("owner").await.unwrap() && s.accounts_to_scan().await.unwrap().is_empty());
    assert!(s.put_rule(rule(1, 1), vec![[5; 32], [6; 32]], 0, 2).await.unwrap() && s.put_rule(rule(2, 1), vec![[5; 32]], 0, 2).await.unwrap());
    assert!(!s.put_rule(rule(1, 1), vec![], 0, 2).await.unwrap(), "there is one");
    assert_eq!(s.put_rule(rule(3, 1), vec![], 0, 2).await.unwrap_err().kind(), crate::error::ErrorKind::LimitExceeded);
    let with = async |terms: &[u8]| s.rules_with(terms.iter().map(|term| [*term; 32]).collect()).await.unwrap().into_iter().map(|(term, row)| (term[0], row.hash[0])).collect::<Vec<_>>();
    assert_eq!(with(&[5, 6, 7]).await, [(5, 1), (6, 1), (5, 2)]);
    // In its place, with other terms.
    assert!(s.put_rule(rule(1, 2), vec![[7; 32]], 1, 2).await.unwrap());
    assert_eq!(with(&[5, 6, 7]).await, [(7, 1), (5, 2)]);
    assert_eq!(s.rules("owner").await.unwrap().len(), 2);
    // In steps.
    assert_eq!(s.accounts_to_scan().await.unwrap(), ["a"]);
    let (next, after) = s.next_scan("a").await.unwrap().unwrap();
    assert_eq!((next.hash[0], next.version, after), (1, 2, 0));
    let page = s.messages_after("a", 0, 2).await.unwrap();
    assert_eq!(page.iter().map(|row| row.graph_id.as_str()).collect::<Vec<_>>(), ["m", "n"]);
    let since = last(s).await;
    // Taken away before: a rule does not put it back.
    s.link_messages(vec![LinkedMessage { sealed: None, ..given("m") }], 9).await.unwrap();
    assert!(s.note_scan("a", &next, vec![given("m"), given("n")], Some(page[1].row_id), 9).await.unwrap());
    assert_eq!(changes(s, since).await.into_iter().filter_map(|row| row.subject_id).collect::<Vec<_>>(), ["msg_m", "msg_n"]);
    assert_eq!(s.next_scan("a").await.unwrap().unwrap().1, page[1].row_id);
    assert!(!s.note_scan("a", &rule(1, 1), vec![], None, 9).await.unwrap(), "it was replaced");
    assert!(s.note_scan("a", &next, vec![given("n")], None, 9).await.unwrap());
    assert_eq!(s.next_scan("a").await.unwrap().unwrap().0.hash[0], 2);
    // As it arrives, with its page.
    apply(s, &lease, vec![NewMessage { conversation_id: String::new(), ..message("p", "in", 1) }], |b| (b.cursor, b.links) = (None, vec![given("p"), given("m")])).await;
    let link = Some(std::collections::HashMap::from([("a".to_owned(), [9; 32])]));
    let linked: Vec<String> = s.messages(&MessageWindow { link, ..window() }).await.unwrap().rows.into_iter().map(|row| row.graph_id).collect();
    assert_eq!(linked, ["p", "n"]);
    assert!(s.remove_rule(&[2; 32]).await.unwrap() && !s.remove_rule(&[2; 32]).await.unwrap());
    assert!(s.accounts_to_scan().await.unwrap().is_empty());
}

pub async fn rules_go_with_the_last_account_of_their_owner(s: &dyn Store) {
    connect(s, "a").await;
    connect(s, "b").await;
    s.put_rule(rule(1, 1), vec![[5; 32]], 0, 2).await.unwrap();
    assert_eq!(s.accounts_to_scan().await.unwrap(), ["a", "b"]);
    s.begin_purge(Purged::Account("a"), "purged", 5).await.unwrap();
    assert!(s.has_rules("owner").await.unwrap());
    s.begin_purge(Purged::Account("b"), "purged", 5).await.unwrap();
    assert!(!s.has_rules("owner").await.unwrap() && s.rules_with(vec![[5; 32]]).await.unwrap().is_empty());
}
