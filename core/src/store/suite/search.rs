//! The index of clear stores.

use super::*;

fn words(subject: &str, people: &str, text: Option<&str>) -> Option<SearchText> {
    Some(SearchText { subject: subject.into(), people: people.into(), text: text.map(Into::into) })
}

async fn find(s: &dyn Store, query: &[&str], account: Option<&str>) -> Vec<String> {
    let query: Vec<String> = query.iter().map(|w| (*w).to_owned()).collect();
    s.search(&query, &account.map_or_else(|| vec!["a".to_owned(), "b".to_owned()], |id| vec![id.to_owned()]), 10).await.unwrap().into_iter().map(|row| row.graph_id).collect()
}

pub async fn the_index_follows_the_messages(s: &dyn Store) {
    let lease = mailbox(s).await;
    let of = |id: &str, version, search| NewMessage { search, ..message(id, "in", version) };
    apply(
        s,
        &lease,
        vec![
            of("m", 1, words("Offer for Müller", "Ann ann@contoso.example", Some("the price is high"))),
            of("n", 1, words("Other", "Bob bob@contoso.example", Some("an offer, and another offer, and the price"))),
            of("o", 1, None),
        ],
        |_| {},
    ).await;
    assert_eq!(find(s, &["offer"], None).await, ["m", "n"], "the subject weighs more");
    assert_eq!(find(s, &["offer"], Some("a")).await, ["m", "n"]);
    assert!(find(s, &["offer"], Some("b")).await.is_empty());
    assert_eq!(find(s, &["PRICE", "muller"], None).await, ["m"], "all words, whatever their case and marks");
    assert_eq!(find(s, &["ann@contoso.example"], None).await, ["m"]);
    assert!(find(s, &["head"], None).await.is_empty());
    // A change without a body keeps the text; one with a body replaces it.
    apply(s, &lease, vec![of("m", 2, words("Invoice", "Ann ann@contoso.example", None))], |_| {}).await;
    assert_eq!((find(s, &["invoice", "high"], None).await, find(s, &["muller"], None).await), (vec!["m".to_owned()], vec![]));
    apply(s, &lease, vec![of("m", 3, words("Invoice", "Ann", Some("low")))], |_| {}).await;
    assert!(find(s, &["high"], None).await.is_empty());
    // The same page again, then a removal, then it is back.
    apply(s, &lease, vec![of("m", 3, words("Invoice", "Ann", Some("stale")))], |_| {}).await;
    assert_eq!(find(s, &["low"], None).await, ["m"]);
    apply(s, &lease, vec![], |batch| batch.pending_removals = vec!["m".into()]).await;
    s.settle("a", 1, &lease, Question::PendingRemovals, &Settled { gone: &["m".into()], there: &[], later: &[] }, 9).await.unwrap();
    assert!(find(s, &["low"], None).await.is_empty());
    apply(s, &lease, vec![of("m", 4, words("Back", "Ann", Some("again")))], |_| {}).await;
    assert_eq!(find(s, &["again"], None).await, ["m"]);
}

pub async fn a_query_is_no_language(s: &dyn Store) {
    let lease = mailbox(s).await;
    apply(s, &lease, vec![NewMessage { search: words("NOT a OR b", "x", Some("quoted \" near(c)")), ..message("m", "in", 1) }], |_| {}).await;
    for (query, hit) in [
        (vec!["a", "OR", "nothing"], false),
        (vec!["not", "a"], true),
        (vec!["subject:b"], false),
        (vec!["subject", ":", "b"], false),
        (vec!["b*"], true),
        (vec!["quote*"], false),
        (vec!["\""], false),
        (vec!["\"quoted\""], true),
        (vec!["nothing\" OR \"b"], false),
        (vec!["b\" OR \"nothing"], false),
        (vec!["NEAR(c", "x)"], true),
        (vec!["^b"], true),
        (vec!["{subject}"], false),
        (vec!["-b"], true),
        (vec!["b", "+"], true),
        (vec!["'; DROP TABLE messages; --"], false),
        (vec!["a", "\\"], true),
    ] {
        assert_eq!(!find(s, &query, None).await.is_empty(), hit, "{query:?}");
    }
    assert!(find(s, &vec!["b"; 100], None).await.len() == 1);
}
