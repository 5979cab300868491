use super::*;

const CARD_TEXT: &str = r#"{"type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"Done"}]}"#;

fn body(answer: &HttpResponse) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

#[test]
fn each_answer_is_what_teams_documents() {
    for (name, answer, status, wanted) in [
        (CARD_ACTION, BotAnswer::Card { card: CARD_TEXT.into() }, 200, json!({ "statusCode": 200, "type": CARD, "value": { "type": "AdaptiveCard", "version": "1.4", "body": [{ "type": "TextBlock", "text": "Done" }] } })),
        (CARD_ACTION, BotAnswer::Message { text: "Hi".into() }, 200, json!({ "statusCode": 200, "type": MESSAGE, "value": "Hi" })),
        (CARD_ACTION, BotAnswer::Failure { status: 500, reason: "No".into() }, 200, json!({ "statusCode": 500, "type": ERROR, "value": { "code": "InternalServerError", "message": "No" } })),
        (CARD_ACTION, BotAnswer::Done, 200, json!({ "statusCode": 200 })),
        ("signin/verifyState", BotAnswer::Done, 200, Value::Null),
        ("signin/verifyState", BotAnswer::Failure { status: 412, reason: "No".into() }, 412, json!({ "error": { "code": "PreconditionFailed", "message": "No" } })),
        ("task/fetch", BotAnswer::Json { body: r#"{"task":{}}"#.into() }, 200, json!({ "task": {} })),
    ] {
        let made = invoke_response(name, &answer).unwrap();
        assert_eq!((made.status, body(&made)), (status, wanted), "{name} {answer:?}");
        assert_eq!(made.headers.contains_key("content-type"), !made.body.is_empty());
    }
}

#[test]
fn what_does_not_belong_to_a_question_is_refused() {
    let failure = |status, reason: &str| BotAnswer::Failure { status, reason: reason.into() };
    for (name, answer, kind) in [
        (CARD_ACTION, BotAnswer::Json { body: "{}".into() }, ErrorKind::InvalidInput),
        (CARD_ACTION, BotAnswer::Card { card: "{}".into() }, ErrorKind::InvalidInput),
        (CARD_ACTION, BotAnswer::Card { card: CARD_TEXT.replace("1.4", "9.0") }, ErrorKind::InvalidInput),
        (CARD_ACTION, BotAnswer::Card { card: " ".repeat(LARGEST_MESSAGE + 1) }, ErrorKind::LimitExceeded),
        (CARD_ACTION, BotAnswer::Message { text: " ".into() }, ErrorKind::InvalidInput),
        (CARD_ACTION, BotAnswer::Message { text: "x".repeat(LARGEST_MESSAGE + 1) }, ErrorKind::LimitExceeded),
        ("signin/verifyState", BotAnswer::Card { card: CARD_TEXT.into() }, ErrorKind::InvalidInput),
        ("signin/verifyState", BotAnswer::Message { text: "Hi".into() }, ErrorKind::InvalidInput),
        ("task/fetch", BotAnswer::Json { body: "{".into() }, ErrorKind::InvalidInput),
        ("task/fetch", BotAnswer::Json { body: "[".repeat(10_000) }, ErrorKind::InvalidInput),
        (CARD_ACTION, failure(200, "No"), ErrorKind::InvalidInput),
        (CARD_ACTION, failure(600, "No"), ErrorKind::InvalidInput),
        ("task/fetch", failure(404, " "), ErrorKind::InvalidInput),
        ("task/fetch", failure(404, &"x".repeat(1_001)), ErrorKind::InvalidInput),
    ] {
        assert_eq!(invoke_response(name, &answer).unwrap_err().kind(), kind, "{name}");
    }
}
