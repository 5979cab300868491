//! What a host answers to something that Teams asks and waits for, as an HTTP answer. Source: Adaptive Cards, Universal Action Model.

use crate::bot::{LARGEST_MESSAGE, OutgoingActivity};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::markup::check_card;
use crate::model::{BotAnswer, HttpResponse};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Of all that Teams asks, what is answered in a form of its own.
pub const CARD_ACTION: &str = "adaptiveCard/action";
const CARD: &str = "application/vnd.microsoft.card.adaptive";
const MESSAGE: &str = "application/vnd.microsoft.activity.message";
const ERROR: &str = "application/vnd.microsoft.error";
/// Characters of a reason that a person reads.
const LONGEST_REASON: usize = 1_000;

/// Errors: InvalidInput, LimitExceeded.
pub fn invoke_response(name: &str, answer: &BotAnswer) -> Result<HttpResponse> {
    let is_action = name == CARD_ACTION;
    match answer {
        BotAnswer::Card { card } if is_action => {
            check_length(card)?;
            check_card(card)?;
            let card = OutgoingActivity::card(card).ok_or_else(|| Error::invalid("The card is JSON that Teams does not take."))?;
            Ok(said(200, &json!({ "statusCode": 200, "type": CARD, "value": card })))
        }
        BotAnswer::Message { text } if is_action => {
            check_length(text)?;
            if text.trim().is_empty() {
                return Err(Error::invalid("The message is empty. Fill in text, or answer Done."));
            }
            Ok(said(200, &json!({ "statusCode": 200, "type": MESSAGE, "value": text })))
        }
        BotAnswer::Card { .. } | BotAnswer::Message { .. } => Err(Error::invalid("Only an adaptiveCard/action is answered with a card or a message. Answer Json, Failure or Done.")),
        BotAnswer::Failure { status, reason } => {
            check_failure(*status, reason)?;
            let error = json!({ "code": code(*status), "message": reason });
            // The bot has looked at an action, so that much went well; what came of it stands in the body.
            Ok(if is_action { said(200, &json!({ "statusCode": status, "type": ERROR, "value": error })) } else { said(*status, &json!({ "error": error })) })
        }
        BotAnswer::Json { .. } if is_action => Err(Error::invalid("An adaptiveCard/action is answered with Card, Message, Failure or Done.")),
        BotAnswer::Json { body } => {
            check_length(body)?;
            let body: Value = json::read(body.as_bytes()).map_err(|_| Error::invalid("body is no JSON that Teams takes."))?;
            Ok(said(200, &body))
        }
        BotAnswer::Done if is_action => Ok(said(200, &json!({ "statusCode": 200 }))),
        BotAnswer::Done => Ok(HttpResponse { status: 200, headers: HashMap::new(), body: Vec::new() }),
    }
}

fn said(status: u32, body: &Value) -> HttpResponse {
    HttpResponse { status, headers: [("content-type".to_owned(), "application/json; charset=utf-8".to_owned())].into(), body: body.to_string().into_bytes() }
}

fn check_length(text: &str) -> Result<()> {
    match text.len() > LARGEST_MESSAGE {
        true => Err(Error::new(ErrorKind::LimitExceeded, "The answer is longer than Teams takes (100 KB). Shorten it.")),
        false => Ok(()),
    }
}

fn check_failure(status: u32, reason: &str) -> Result<()> {
    if !(400..=599).contains(&status) {
        return Err(Error::invalid("status of a Failure is from 400 to 599."));
    }
    if reason.trim().is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Error::invalid("reason of a Failure is what the person reads: 1 to 1,000 characters."));
    }
    Ok(())
}

fn code(status: u32) -> &'static str {
    match status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        412 => "PreconditionFailed",
        500..=599 => "InternalServerError",
        _ => "Error",
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
