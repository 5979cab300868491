//! Answers of any form to what was changed, counted and listed.

use super::*;
use crate::foreign::{Proofs, Secrets};
use crate::graph::contacts::{self, ContactItem};
use crate::graph::events::{self, EventItem};
use crate::model::rfc3339;

fn odd() -> Vec<String> {
    let mut odd: Vec<String> = ["null", "7", "-1e300", "1e400", "true", "\"x\"", "\"\\ud800\"", "[]", "{}", "[null,7]", "{\"a\":[]}"].into_iter().map(str::to_owned).collect();
    odd.push(format!("{}1{}", "[".repeat(50), "]".repeat(50)));
    odd
}

/// The echo of a change of a message: taken if it is about this message, and never more than it says.
#[tokio::test]
async fn an_echo_of_any_form_breaks_nothing() {
    let edit = MailEdit { is_read: Some(true), ..MailEdit::default() };
    for property in ["changeKey", "parentFolderId", "lastModifiedDateTime", "isRead", "flag", "categories", "subject", "body"] {
        for value in odd() {
            let bench = answers(vec![says(200, format!(r#"{{"id":"m","isDraft":false,"{property}":{value}}}"#))]);
            let echo = bench.graph.edit_message(&caller(), "m", &edit, Some("1")).await.unwrap();
            assert!(echo.is_none_or(|item| item.id == "m" && item.categories.len() <= 2), "{property}: {value}");
        }
    }
    let deep = format!(r#"{{"id":"m","categories":{}1{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    let times = [("0001-01-01T00:00:00Z", false), ("9999-12-30T00:00:00Z", false), ("2026-01-01T00:00:00Z", true), ("9999-12-31T23:59:59Z", false), ("soon", false)];
    for body in ["", "null", "[]", "{}", "<html>", r#"{"id":"M"}"#, r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"m""#, &deep] {
        let bench = answers(vec![says(200, body.to_owned())]);
        let echo = bench.graph.edit_message(&caller(), "m", &edit, None).await;
        assert!(!matches!(echo, Ok(Some(_))), "{body}");
    }
    for (time, is_told) in times {
        let bench = answers(vec![says(200, json!({ "id": "m", "lastModifiedDateTime": time }).to_string())]);
        let echo = bench.graph.edit_message(&caller(), "m", &edit, None).await.unwrap().unwrap();
        assert_eq!(echo.modified_at.is_some(), is_told, "{time}");
        assert!(echo.modified_at.is_none_or(|at| !rfc3339::to_text(at).is_empty()));
    }
    let many: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let bench = answers(vec![says(200, json!({ "id": "m", "categories": many }).to_string())]);
    assert_eq!(bench.graph.edit_message(&caller(), "m", &edit, None).await.unwrap().unwrap().categories.len(), 10_000);
}

#[tokio::test]
async fn a_count_is_a_number_that_can_be_one_or_none() {
    for (body, count) in [
        (r#"{"@odata.count":5}"#, Some(5)),
        (r#"{"@odata.count":0}"#, Some(0)),
        (r#"{"@odata.count":"7"}"#, Some(7)),
        (r#"{"@odata.count":4294967295}"#, Some(u32::MAX)),
        (r#"{"@odata.count":4294967296}"#, None),
        (r#"{"@odata.count":99999999999999999999}"#, None),
        (r#"{"@odata.count":-1}"#, None),
        (r#"{"@odata.count":1e400}"#, None),
        (r#"{"@odata.count":null}"#, None),
        (r#"{"@odata.count":[5]}"#, None),
        (r#"{"@odata.count":"many"}"#, None),
        (r#"{"value":[]}"#, None),
        ("[]", None),
        ("7", None),
    ] {
        let bench = bench(Service::new(move |_: &Seen, _| says(200, format!(r#"{{"responses":[{{"id":"1","status":200,"body":{body}}}]}}"#))));
        let counted = bench.graph.count_messages(&caller(), &["f".to_owned()], None).await;
        // A batch that no parser reads is told as such.
        assert!(counted.as_ref().is_ok_and(|all| *all == [count]) || (counted.is_err() && body.contains("1e400")), "{body}: {counted:?}");
    }
}

#[test]
fn what_repeats_a_secret_is_not_stored() {
    let mut sent = Secrets::default();
    sent.add_text("q7Zt2KfL9sXw4BvRnC1mPdY8");
    let proofs: Proofs = sent.proofs();
    let secret = "x q7Zt2KfL9sXw4BvRnC1mPdY8";
    let time = json!({ "dateTime": "2026-03-02T08:00:00", "timeZone": "UTC" });
    for (property, is_stored) in [("id", false), ("changeKey", false), ("displayName", true)] {
        let mut contact = json!({ "id": "a", "changeKey": "1" });
        contact[property] = secret.into();
        assert_eq!(matches!(contacts::item(&contact.to_string(), &proofs), ContactItem::Contact { .. }), is_stored, "{property}");
    }
    for (property, is_stored) in [("id", false), ("seriesMasterId", false), ("subject", true)] {
        let mut event = json!({ "id": "a", "type": "occurrence", "start": time, "end": time });
        event[property] = secret.into();
        assert_eq!(matches!(events::item(&event.to_string(), &proofs), EventItem::Event(_)), is_stored, "{property}");
    }
}
