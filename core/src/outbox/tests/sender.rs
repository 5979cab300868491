//! In whose name a mail leaves, on the wire and in what is remembered.

use super::delivery::{Bench, bench, letter, made};
use super::*;
use crate::model::{LastSender, SendState};
use crate::pipeline::fake::{Seen, says};
use crate::store::tamper;
use serde_json::{Value, json};

fn jobs() -> Option<Address> {
    Some(Address { address: "jobs@contoso.com".into(), name: "Jobs".into() })
}

fn body_of(request: &Seen) -> Value {
    serde_json::from_slice(request.body()).unwrap_or_default()
}

/// Bodies of the requests that made or changed a draft.
fn written(bench: &Bench) -> Vec<Value> {
    let seen = bench.service.seen.lock().unwrap();
    seen.iter().filter(|request| !request.uri().path().ends_with("/send") && ["POST", "PATCH"].contains(&request.method().as_str())).map(body_of).collect()
}

fn number_of(bench: &Bench, method: &str, end: &str) -> usize {
    bench.service.seen.lock().unwrap().iter().filter(|request| request.method() == method && request.uri().path().ends_with(end)).count()
}

#[tokio::test]
async fn the_draft_says_from_and_leaves_sender_to_the_service() {
    let bench = bench(|request, _| if request.uri().path() == "/v1.0/me/messages" { made(request, "d") } else { says(202, "") });
    let receipt = bench.outbox.enqueue(MailDraft { from_address: jobs(), ..letter() }.into(), true).await.unwrap();
    assert_eq!(bench.settle(&receipt.id).await.state, SendState::Sent);
    let plain = bench.outbox.enqueue(letter().into(), true).await.unwrap();
    assert_eq!(bench.settle(&plain.id).await.state, SendState::Sent);
    let written = written(&bench);
    assert_eq!(written[0]["from"], json!({ "emailAddress": { "name": "Jobs", "address": "jobs@contoso.com" } }));
    assert!(written.iter().all(|draft| draft.get("sender").is_none()) && written[1].get("from").is_none(), "{written:?}");
}

#[tokio::test]
async fn a_refused_name_is_asked_for_once_and_says_what_is_missing() {
    for code in ["ErrorSendAsDenied", "ErrorAccessDenied"] {
        let body = json!({ "error": { "code": code, "message": "x" } }).to_string();
        let bench = bench(move |request, _| match (request.method().as_str(), request.uri().path()) {
            ("POST", "/v1.0/me/messages") => made(request, "d"),
            ("POST", _) => says(403, body.clone()),
            ("GET", "/v1.0/me/messages/d") => says(200, json!({ "id": "d", "isDraft": true, "changeKey": "k" }).to_string()),
            ("DELETE", _) => says(204, ""),
            _ => says(200, r#"{"value":[]}"#),
        });
        let receipt = bench.outbox.enqueue(MailDraft { from_address: jobs(), ..letter() }.into(), true).await.unwrap();
        let failed = bench.settle(&receipt.id).await;
        let reason = failed.reason.unwrap_or_default();
        assert!(failed.state == SendState::Failed && reason.contains(&code.to_lowercase()) && reason.contains("Send As or Send on behalf") && !reason.contains("jobs@"), "{reason}");
        assert_eq!(number_of(&bench, "POST", "/send"), 1);
        // Without a From the same refusal says nothing of one.
        let plain = bench.outbox.enqueue(letter().into(), true).await.unwrap();
        let failed = bench.settle(&plain.id).await;
        assert!(failed.state == SendState::Failed && !failed.reason.unwrap_or_default().contains("from_address"));
    }
}

#[tokio::test]
async fn what_was_used_last_is_told_to_its_owner_alone() {
    let bench = bench(|_, _| says(503, ""));
    let last = async |owner: &str, context: &str| bench.outbox.last_sender(owner, context).await.unwrap();
    let context = |text: &str| Some(text.to_owned());
    bench.outbox.enqueue(MailDraft { from_address: jobs(), context: context("c"), ..letter() }.into(), true).await.unwrap();
    bench.outbox.enqueue(MailDraft { context: context("d"), ..letter() }.into(), true).await.unwrap();
    assert_eq!(last("owner", "c").await, Some(LastSender { account_id: "a".into(), from_address: jobs() }));
    assert_eq!(last("owner", "d").await, Some(LastSender { account_id: "a".into(), from_address: None }));
    // Parts carry their lengths: the same letters cut elsewhere are another owner's.
    for (owner, context) in [("owne", "rc"), ("other", "c"), ("owner", "C"), ("owner", "e")] {
        assert_eq!(last(owner, context).await, None, "{owner} {context}");
    }
    bench.store.disconnect_account("a", "by hand", bench.now()).await.unwrap();
    assert_eq!(last("owner", "c").await, None);
    assert_eq!(bench.outbox.last_sender("owner", "").await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn what_was_moved_to_another_place_does_not_open() {
    let bench = bench(|_, _| says(503, ""));
    for (name, context) in [("jobs@contoso.com", "c"), ("press@contoso.com", "d")] {
        let from_address = Some(Address { address: name.into(), name: String::new() });
        bench.outbox.enqueue(MailDraft { from_address, context: Some(context.into()), ..letter() }.into(), true).await.unwrap();
    }
    tamper(&bench.folder(), "UPDATE last_senders SET from_address = (SELECT MAX(from_address) FROM last_senders)");
    let outcomes = [bench.outbox.last_sender("owner", "c").await, bench.outbox.last_sender("owner", "d").await];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Corrupt)).count(), 1, "{outcomes:?}");
}
