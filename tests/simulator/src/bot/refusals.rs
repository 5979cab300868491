//! Errors of the Connector, in its two forms.

use crate::http::Answer;
use serde_json::json;

const DENIED: &str = "Authorization has been denied for this request.";

pub fn refuse(status: u16, code: &str, message: impl Into<String>) -> Answer {
    Answer::fail(status, code, message)
}

pub fn not_in_roster() -> Answer {
    refuse(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
}

pub fn blocked() -> Answer {
    refuse(403, "ConversationBlockedByUser", "User blocked the conversation with the bot.")
}

pub fn writes_blocked() -> Answer {
    refuse(403, "MessageWritesBlocked", "Thread is not accepting message writes.")
}

pub fn disabled() -> Answer {
    refuse(403, "BotDisabledByAdmin", "The tenant admin disabled this bot.")
}

pub fn unknown_conversation() -> Answer {
    refuse(404, "ConversationNotFound", "Conversation not found.")
}

pub fn unknown_activity() -> Answer {
    refuse(404, "ActivityNotFoundInConversation", "Activity not found in conversation.")
}

pub fn denied() -> Answer {
    refuse(401, "Unauthorized", DENIED)
}

pub fn syntax(text: impl Into<String>) -> Answer {
    refuse(400, "BadSyntax", text)
}

pub fn argument(text: impl Into<String>) -> Answer {
    refuse(400, "BadArgument", text)
}

/// What a scripted fault is called that names no code.
pub fn code_of(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("BadArgument", "Bad argument"),
        401 => ("Unauthorized", DENIED),
        403 => ("BotNotInConversationRoster", "The bot is not part of the conversation roster."),
        404 => ("ConversationNotFound", "Conversation not found."),
        412 => ("PreconditionFailed", "Precondition failed, please try again."),
        413 => ("MessageSizeTooBig", "Message size too large."),
        429 => ("Throttled", "Too many requests"),
        503 => ("ServiceError", "Service unavailable"),
        _ => ("ServiceError", "An error occurred in the service."),
    }
}

/// The envelope of an error: Teams' own service has another than the Connector, and whoever is not let in sees a third.
pub fn told(mut answer: Answer) -> Answer {
    let Some((code, message)) = answer.error.take() else { return answer };
    let body = match code.as_str() {
        "BotNotRegistered" => json!({"error": {"code": code, "message": message}}),
        _ if answer.status == 401 => json!({"message": DENIED}),
        "MessageWritesBlocked" => {
            let inner = format!("{{\r\n  \"subCode\": \"MessageWritesBlocked\",\r\n  \"details\": \"{message}\",\r\n  \"errorCode\": null,\r\n  \"errorSubCode\": null\r\n}}");
            json!({"errorCode": 209, "message": inner})
        }
        _ => json!({"error": {"code": code, "message": message}}),
    };
    answer.body = body.to_string().into();
    answer.headers.push(("Content-Type".into(), "application/json; charset=utf-8".into()));
    answer
}
