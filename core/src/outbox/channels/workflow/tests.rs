use super::*;
use crate::error::ErrorKind;
use serde_json::json;

fn kind(text: Option<&str>, card: Option<&str>) -> Option<ErrorKind> {
    let draft = WorkflowDraft { workflow_id: "wfl_1".into(), text: text.map(Into::into), card: card.map(Into::into), ..WorkflowDraft::default() };
    Workflow::check(&draft).err().map(|e| e.kind())
}

const CARD: &str = r#"{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"hi"}]}"#;

#[test]
fn a_post_is_a_text_or_a_card() {
    assert_eq!(kind(Some("hi"), None), None);
    assert_eq!(kind(None, Some(CARD)), None);
    for (text, card) in [(None, None), (Some("hi"), Some(CARD)), (Some(" \n"), None), (None, Some(""))] {
        assert_eq!(kind(text, card), Some(ErrorKind::InvalidInput), "{text:?} {card:?}");
    }
    assert_eq!(kind(Some(&"x".repeat(27_500)), None), None);
    assert_eq!(kind(Some(&"x".repeat(28_000)), None), Some(ErrorKind::LimitExceeded));
    // What has to be escaped counts as it is sent.
    assert_eq!(kind(Some(&"\u{1}".repeat(5_000)), None), Some(ErrorKind::LimitExceeded));
    assert_eq!(kind(Some(&"ü".repeat(14_000)), None), Some(ErrorKind::LimitExceeded));
}

#[test]
fn a_card_that_teams_would_not_show_is_refused() {
    for good in [
        CARD.to_owned(),
        json!({ "type": "AdaptiveCard", "version": "1.0", "body": [{ "type": "Image", "url": "https://x" }], "$schema": "x", "msteams": { "width": "Full" } }).to_string(),
        json!({ "type": "AdaptiveCard", "version": "1.5", "actions": [{ "type": "Action.OpenUrl", "url": "https://x", "title": "y" }] }).to_string(),
    ] {
        assert!(check_card(&good).is_ok(), "{good}");
    }
    for bad in [
        json!("AdaptiveCard"),
        json!([{ "type": "AdaptiveCard" }]),
        json!({}),
        json!({ "type": "MessageCard", "version": "1.4", "body": [{ "type": "TextBlock" }] }),
        json!({ "type": "AdaptiveCard", "body": [{ "type": "TextBlock" }] }),
        json!({ "type": "AdaptiveCard", "version": 1.4, "body": [{ "type": "TextBlock" }] }),
        json!({ "type": "AdaptiveCard", "version": "1.6", "body": [{ "type": "TextBlock" }] }),
        json!({ "type": "AdaptiveCard", "version": "2.0", "body": [{ "type": "TextBlock" }] }),
        json!({ "type": "AdaptiveCard", "version": "1.4" }),
        json!({ "type": "AdaptiveCard", "version": "1.4", "body": [] }),
        json!({ "type": "AdaptiveCard", "version": "1.4", "body": {} }),
        json!({ "type": "AdaptiveCard", "version": "1.4", "body": null }),
        json!({ "type": "AdaptiveCard", "version": "1.4", "body": ["hi"] }),
        json!({ "type": "AdaptiveCard", "version": "1.4", "body": [{ "text": "hi" }] }),
        json!({ "type": "AdaptiveCard", "version": "1.4", "body": [{ "type": "" }] }),
        json!({ "type": "AdaptiveCard", "version": "1.4", "body": [{ "type": "TextBlock" }], "actions": "go" }),
    ] {
        assert!(check_card(&bad.to_string()).is_err(), "{bad}");
    }
    for bad in ["", "{", "{\"type\":\"AdaptiveCard\"} x", &format!("{}{}", "[".repeat(70), "]".repeat(70))] {
        assert!(check_card(bad).is_err(), "{bad}");
    }
}

#[test]
fn posts_to_one_workflow_keep_their_distance() {
    let (posts, ms) = (Posts::default(), Duration::from_millis);
    assert_eq!(posts.turn("a", ms(1_000)), ms(0));
    assert_eq!(posts.turn("a", ms(1_100)), ms(150));
    assert_eq!(posts.turn("a", ms(1_100)), ms(400));
    assert_eq!(posts.turn("b", ms(1_100)), ms(0));
    assert_eq!(posts.turn("a", ms(9_000)), ms(0));
    assert_eq!(posts.next.lock().unwrap().len(), 1, "nothing is kept that is over");
}
