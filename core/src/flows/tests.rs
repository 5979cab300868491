use super::*;
use crate::error::{ErrorKind, Remedy};
use crate::pipeline::fake::{Service, breaks, clock, passed_ms, says, says_with};
use crate::pipeline::{Answer, Sent};
use serde_json::{Value, json};

const URL: &str = "https://prod-12.westeurope.logic.azure.com/workflows/0f3a/triggers/manual/paths/invoke?api-version=2016-06-01&sig=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA";

async fn posted(answers: Vec<Answer>) -> (Result<()>, usize) {
    let service = Service::script(answers);
    let flows = Flows::new(service.pipeline(&clock()));
    let to = PostTo { workflow_id: "wfl_1", url: URL, priority: Priority::Send, max_wait: Duration::from_secs(5) };
    (flows.post(&to, of_text("hi").unwrap()).await, service.calls())
}

#[tokio::test]
async fn a_post_is_a_message_with_one_card() {
    let service = Service::script(vec![says(202, "")]);
    let flows = Flows::new(service.pipeline(&clock()));
    let to = PostTo { workflow_id: "wfl_1", url: URL, priority: Priority::Send, max_wait: Duration::ZERO };
    flows.post(&to, of_text("a \"b\"\n*c*").unwrap()).await.unwrap();
    flows.post(&to, of_card(r#" {"b": 1.50, "a": "ü"} "#).unwrap()).await.unwrap();
    let seen = service.seen.lock().unwrap();
    assert!(seen[0].method() == Method::POST && seen[0].headers()["content-type"] == "application/json" && *seen[0].uri() == URL);
    let body: Value = serde_json::from_slice(seen[0].body()).unwrap();
    let card = json!({ "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": [{ "type": "TextBlock", "text": "a \"b\"\n*c*", "wrap": true }] });
    assert_eq!(body, json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card }] }));
    // A card goes as it was written, with its order and numbers.
    assert!(String::from_utf8_lossy(seen[1].body()).contains(r#""content":{"b": 1.50, "a": "ü"}"#));
}

#[tokio::test]
async fn only_what_was_certainly_not_accepted_is_repeated() {
    for good in [200, 201, 202, 204] {
        let (outcome, calls) = posted(vec![says(good, "")]).await;
        assert!(outcome.is_ok() && calls == 1, "{good}");
    }
    // Not a byte arrived, or it was turned away unread.
    let (outcome, calls) = posted(vec![breaks(Sent::No), says(202, "")]).await;
    assert!(outcome.is_ok() && calls == 2);
    let (outcome, calls) = posted(vec![says_with(429, ("retry-after", "2"), ""), says(202, "")]).await;
    assert!(outcome.is_ok() && calls == 2);
    let (outcome, calls) = posted(vec![says_with(429, ("retry-after", "60"), "")]).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.retry_after_ms(), error.account_id(), calls), (ErrorKind::Throttled, Some(60_000), Some("wfl_1"), 1));
    let (outcome, _) = posted(vec![breaks(Sent::No)]).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Network);
    // It may have run.
    for answer in [breaks(Sent::Maybe), says(500, ""), says(502, "<html>"), says(504, ""), says(408, ""), says_with(503, ("retry-after", "1"), "")] {
        let (outcome, calls) = posted(vec![answer, says(202, "")]).await;
        assert_eq!((outcome.unwrap_err().kind(), calls), (ErrorKind::OutcomeUnknown, 1));
    }
}

#[tokio::test]
async fn a_retry_after_of_one_workflow_holds_up_the_next_post_to_it_alone() {
    let service = Service::new(|request, n| if n == 0 || !request.uri().path().contains("0f3a") { says_with(503, ("retry-after", "30"), "") } else { says(202, "") });
    let time = clock();
    let flows = Flows::new(service.pipeline(&time));
    let to = |workflow_id| PostTo { workflow_id, url: URL, priority: Priority::Send, max_wait: Duration::from_secs(60) };
    assert_eq!(flows.post(&to("wfl_1"), Vec::new()).await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    flows.post(&to("wfl_2"), Vec::new()).await.unwrap();
    assert!(passed_ms(&time) < 1_000);
    flows.post(&to("wfl_1"), Vec::new()).await.unwrap();
    assert!(passed_ms(&time) >= 30_000);
}

#[tokio::test]
async fn why_it_was_refused_is_told() {
    let code = |code: &str| json!({ "error": { "code": code, "message": "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA and more" } }).to_string();
    for (status, code, kind, words) in [
        (400, code("TriggerInputSchemaMismatch"), ErrorKind::InvalidInput, "schema"),
        (400, code("WorkflowTriggerIsNotEnabled"), ErrorKind::Forbidden, "turned off"),
        (400, code("SomethingElse"), ErrorKind::InvalidInput, "HTTP 400, somethingelse"),
        // A code that repeats the signature is not shown.
        (400, code("Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA"), ErrorKind::InvalidInput, "HTTP 400)"),
        (401, code("DirectApiAuthorizationRequired"), ErrorKind::Forbidden, "let anyone trigger"),
        (401, code("DirectApiInvalidAuthorizationScheme"), ErrorKind::Forbidden, "signature"),
        (403, String::new(), ErrorKind::Forbidden, "signature"),
        (404, code("WorkflowNotFound"), ErrorKind::NotFound, "deleted"),
        (410, String::new(), ErrorKind::NotFound, "deleted"),
        (413, String::new(), ErrorKind::LimitExceeded, "larger"),
        (302, String::new(), ErrorKind::NotFound, "not followed"),
        (307, String::new(), ErrorKind::NotFound, "not followed"),
    ] {
        let (outcome, calls) = posted(vec![says(status, code)]).await;
        let error = outcome.unwrap_err();
        assert!(error.kind() == kind && error.reason().contains(words) && calls == 1, "{status}: {error:?}");
        assert!(!error.reason().contains("Zm9v") && !error.reason().contains("zm9v"), "{error}");
        assert!(error.kind() != ErrorKind::Forbidden || error.remedy() == Remedy::User, "it settles the send");
    }
}

#[test]
fn a_url_is_shown_without_what_proves_anything() {
    let flows = Flows::new(Service::script(vec![]).pipeline(&crate::clock::TestClock::new(1)));
    let checked = flows.check(&URL.replace(".com/", ".com:443/")).unwrap();
    assert_eq!((checked.host.as_str(), checked.shown.as_str(), checked.text.as_str()), ("prod-12.westeurope.logic.azure.com", "https://prod-12.westeurope.logic.azure.com/…", URL));
}
