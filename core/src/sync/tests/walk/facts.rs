//! What a sync leaves beside mail: facts for health, counts, and words for the index of clear stores.

use super::*;
use crate::config::Content;
use crate::model::SearchQuery;
use crate::pipeline::fake::START_MS;
use std::sync::atomic::AtomicU16;

pub fn mail(id: &str, key: &str, subject: &str, html: &str) -> Value {
    json!({
        "id": id, "changeKey": key, "subject": subject, "bodyPreview": "", "receivedDateTime": "2026-01-01T00:00:00Z", "isRead": false, "isDraft": false,
        "parentFolderId": "in", "conversationId": "c", "hasAttachments": false, "importance": "normal", "categories": [],
        "from": { "emailAddress": { "name": "Ann", "address": "ann@contoso.example" } }, "toRecipients": [], "ccRecipients": [], "bccRecipients": [], "replyTo": [],
        "flag": { "flagStatus": "notFlagged" }, "body": { "contentType": "html", "content": html },
    })
}

#[tokio::test]
async fn each_outcome_leaves_its_fact_and_its_count() {
    let status = Arc::new(AtomicU16::new(200));
    let answers = status.clone();
    let fixture = fixture(crate::pipeline::fake::clock(), move |_| match answers.load(Ordering::SeqCst) {
        200 => last_page(json!([mail("m", "1", "Offer", "<p>x</p>")]), "one"),
        other => says(other, r#"{"error":{"code":"ErrorAccessDenied"}}"#),
    });
    fixture.sync().await.unwrap();
    let facts = fixture.store.health("a").await.unwrap();
    assert!(facts.last_success_at.is_some_and(|at| at >= START_MS as i64) && facts.error.is_none());
    assert!(fixture.sync.since_success("a", facts.last_success_at).is_some() && fixture.sync.since_success("a", Some(1)).is_none());
    status.store(403, Ordering::SeqCst);
    fixture.sync().await.unwrap_err();
    let failed = fixture.store.health("a").await.unwrap();
    assert_eq!((failed.last_success_at, failed.error.unwrap().kind), (facts.last_success_at, ErrorKind::Forbidden));
    status.store(200, Ordering::SeqCst);
    fixture.sync().await.unwrap();
    assert!(fixture.store.health("a").await.unwrap().error.is_none());
    let counts = fixture.reader.graph.meters().snapshot();
    assert_eq!((counts.syncs, counts.pages, counts.messages_stored), (2, 2, 1));
    assert_eq!(counts.requests, fixture.service.calls() as u64);
}

#[tokio::test]
async fn a_sync_that_was_stopped_says_nothing_about_the_account() {
    let fixture = fixture(crate::pipeline::fake::clock(), |_| last_page(json!([]), "one"));
    fixture.runtime.shutdown(Duration::from_secs(1), async {}).await;
    assert_eq!(fixture.sync().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(fixture.store.health("a").await.unwrap(), Default::default());
}

#[tokio::test]
async fn mail_of_a_clear_store_is_found_and_that_of_a_sealed_one_is_not_indexed() {
    let page = |_: &Seen| last_page(json!([mail("m", "1", "Offer", "<p>The <b>price</b> list</p><script>hidden()</script>"), mail("n", "1", "Other", "no")]), "one");
    let query = |text: &str| SearchQuery { text: text.into(), ..SearchQuery::default() };
    let search = async |reader: &Reader, query: SearchQuery| reader.search(crate::store::Scope::Account("a".into()), reader.search_words(&query)?, query.limit).await;
    let clear = fixture_of(crate::pipeline::fake::clock(), Content::Clear, page);
    clear.sync().await.unwrap();
    let subjects = async |text: &str| search(&clear.reader, query(text)).await.unwrap().into_iter().map(|m| m.subject).collect::<Vec<_>>();
    assert_eq!(subjects("price LIST").await, ["Offer"]);
    assert_eq!(subjects("ann@contoso.example other").await, ["Other"]);
    assert!(subjects("hidden").await.is_empty());
    for bad in [query(""), query("*"), SearchQuery { limit: 0, ..query("x") }, SearchQuery { limit: 501, ..query("x") }] {
        assert_eq!(search(&clear.reader, bad).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    let sealed = fixture_of(crate::pipeline::fake::clock(), Content::Sealed, page);
    sealed.sync().await.unwrap();
    assert!(clear.reader.has_index() && !sealed.reader.has_index());
    assert!(sealed.store.search(&["price".into()], &["a".into()], 10).await.unwrap().is_empty(), "nothing is in the index either");
}
