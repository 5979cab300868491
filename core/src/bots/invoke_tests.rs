use super::super::receive::Received;
use super::*;
use crate::model::BotInvoke;

fn pressed(change: Value) -> Value {
    let mut body = merged(json!({ "type": "invoke", "id": "f:1", "name": "adaptiveCard/action", "replyToId": "9", "text": null, "locale": "de-DE", "value": { "action": { "type": "Action.Execute", "verb": "accept", "data": { "a": 1 } }, "trigger": "manual" } }));
    merge(&mut body, change);
    body
}

/// What the host is asked, or the status in place of it.
async fn ask(set: &Set, body: &Value) -> Result<BotInvoke, u32> {
    match set.bots.receive(&post(body.to_string()), true).await {
        Ok(Received::Asked(invoke)) => Ok(*invoke),
        Ok(Received::Answer(answer)) | Err(answer) => Err(answer.status),
    }
}

#[tokio::test]
async fn a_button_is_told_once_and_asked_each_time() {
    let set = set().await;
    for at in ["2026-09-21T12:00:00Z", "2026-09-21T12:00:00Z", "2026-09-21T12:00:05Z"] {
        let asked = ask(&set, &pressed(json!({ "timestamp": at }))).await.unwrap();
        assert_eq!((asked.account_id.as_str(), asked.conversation_id.as_str(), asked.activity_id.as_str()), ("acc", "a:1", "f:1"));
        assert_eq!((asked.verb.as_deref(), asked.data.as_deref(), asked.reply_to.as_deref(), asked.locale.as_deref()), (Some("accept"), Some(r#"{"a":1}"#), Some("9"), Some("de-DE")));
        assert_eq!((asked.sender_id.as_deref(), asked.sender_name.as_str(), asked.is_automatic, asked.sign_in_state), (Some("29:ann"), "Ann", false, None));
        assert!(asked.value.unwrap().contains("manual"));
    }
    let kept = kept(&set).await;
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].kind, kept[0].activity_id.as_str(), kept[0].verb.as_deref(), kept[0].value.as_deref(), kept[0].is_own), (BotActivityKind::CardAction, "9", Some("accept"), Some(r#"{"a":1}"#), false));
    // Nobody who is not asked answers, and nothing is told of it.
    assert_eq!(status(&set, &pressed(json!({ "id": "f:2" }))).await, 501);
    // A card that refreshes itself was pressed by nobody.
    assert!(ask(&set, &pressed(json!({ "id": "f:3", "value": { "trigger": "automatic" } }))).await.unwrap().is_automatic);
    assert_eq!(super::kept(&set).await.len(), 1);
}

#[tokio::test]
async fn the_code_of_a_sign_in_is_given_to_the_host_alone() {
    let set = set().await;
    let body = merged(json!({ "type": "invoke", "name": "signin/verifyState", "value": { "state": "hush-hush" } }));
    let asked = ask(&set, &body).await.unwrap();
    assert_eq!((asked.sign_in_state.as_deref(), asked.value.as_deref(), asked.verb.as_deref()), (Some("hush-hush"), None, None));
    assert!(!format!("{asked:?}").contains("hush") && format!("{asked:?}").contains("verifyState"));
    assert!(kept(&set).await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_or_is_not_for_here_is_refused_before_the_host_sees_it() {
    let set = set().await;
    let long = "x".repeat(300_000);
    for (change, wanted) in [
        (json!({ "name": null }), 400),
        (json!({ "name": "" }), 400),
        (json!({ "name": 7 }), 400),
        (json!({ "value": null }), 400),
        (json!({ "value": { "action": null } }), 400),
        (json!({ "value": { "action": "x" } }), 400),
        (json!({ "value": { "action": { "type": "Action.Submit" } } }), 400),
        (json!({ "value": { "action": { "data": long } } }), 400),
        (json!({ "channelId": "webchat" }), 403),
        (json!({ "serviceUrl": "https://evil.example/" }), 403),
        (json!({ "recipient": { "id": "28:another" } }), 400),
        (json!({ "conversation": { "tenantId": "11111111-2222-3333-4444-000000000000" } }), 400),
        (json!({ "conversation": { "tenantId": "11111111-2222-3333-4444-000000000000" }, "channelData": { "tenant": { "id": "11111111-2222-3333-4444-000000000000" } } }), 403),
    ] {
        assert_eq!(ask(&set, &pressed(change.clone())).await.unwrap_err(), wanted, "{change}");
    }
    assert!(kept(&set).await.is_empty());
    // The host may not be asked for what the bot itself did.
    assert_eq!(ask(&set, &pressed(json!({ "from": { "id": format!("28:{CLIENT}") } }))).await.unwrap_err(), 202);
    // What has no id is asked, and not told: it could not be known again.
    assert!(ask(&set, &pressed(json!({ "id": null }))).await.is_ok());
    assert!(kept(&set).await.is_empty());
}
