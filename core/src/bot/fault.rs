//! What an answer other than success means. Teams names its reasons in two shapes: `{"error":{"code":…}}`, and `{"errorCode":209,"message":"{\"subCode\":…}"}`.
//! Source: Teams, status codes from bot conversational APIs.

use crate::error::{Error, ErrorKind, Remedy};
use crate::json::{self, lenient};
use crate::pipeline::{Response, error_code};
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Numbered {
    #[serde(default, deserialize_with = "lenient::scalar")]
    error_code: Option<i64>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    message: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    #[serde(default, deserialize_with = "lenient::scalar")]
    sub_code: Option<String>,
}

/// The reason in small letters; empty if there is none.
fn code(response: &Response) -> String {
    let numbered: Numbered = json::read(&response.body).unwrap_or_default();
    let inner = numbered.error_code.and(numbered.message).and_then(|text| json::read::<Inner>(text.as_bytes()).ok()).and_then(|inner| inner.sub_code);
    inner.unwrap_or_else(|| error_code(&response.body).to_compare().to_owned()).to_ascii_lowercase()
}

/// Why a place does not serve a request that another one may.
pub enum Misplaced {
    /// The organisation is in the cloud of the US government's own organisations.
    Organisation,
    /// It knows no such conversation.
    Conversation,
}

/// None: it is no matter of the place.
pub fn misplaced(response: &Response) -> Option<Misplaced> {
    match (response.status.as_u16(), code(response).as_str()) {
        (403, "invalidbotapihost") => Some(Misplaced::Organisation),
        (404, "conversationnotfound") => Some(Misplaced::Conversation),
        _ => None,
    }
}

pub fn not_installed() -> Error {
    Error::new(ErrorKind::AppNotInstalled, "The app of the bot is not installed for this person or team, or was removed. Install it with install_app, or ask an administrator to, then send it again with retry.")
}

pub fn error(response: &Response) -> Error {
    let blocked = |words: &str| Error::new(ErrorKind::BotBlocked, words);
    let error = match (response.status.as_u16(), code(response).as_str()) {
        (401, "botnotregistered") => Error::new(ErrorKind::Forbidden, "The bot is not registered, or its channel to Teams is off. Look at the Azure Bot resource.").with_remedy(Remedy::Developer),
        (401, _) => Error::new(
            ErrorKind::Forbidden,
            "The Bot Connector does not take the token of this bot: it was made in another tenant than the bot's. Set bot_tenant to the id of the bot's own organisation, or leave it out if the bot is for several.",
        )
        .with_remedy(Remedy::Developer),
        (_, "botnotinconversationroster") => not_installed(),
        (_, "conversationblockedbyuser") => blocked("The person has blocked the bot. Nothing reaches them until they unblock it in Teams.").with_remedy(Remedy::User),
        (_, "messagewritesblocked") => blocked("The conversation takes no messages of the bot: the app was removed or blocked there, or the channel is moderated.").with_remedy(Remedy::User),
        (_, "botdisabledbyadmin") => blocked("An administrator of the organisation has disabled the bot. Ask one to allow it.").with_remedy(Remedy::Admin),
        (_, "invalidbotapihost") => Error::new(ErrorKind::Forbidden, "The organisation is served from another address of the Bot Connector than those that were asked. Set bot_service_url to its own.").with_remedy(Remedy::Developer),
        (403, _) => Error::new(ErrorKind::Forbidden, "The bot may not do this here. See that its app is installed, and what its registration allows."),
        (404, "activitynotfoundinconversation") => Error::new(ErrorKind::NotFound, "There is no such message of the bot in this conversation any more."),
        (404 | 410, _) => Error::new(ErrorKind::ConversationGone, "There is no such conversation any more: the chat or channel was deleted, or belongs to another bot."),
        // Two requests met; the same one may work in a moment.
        (412, _) => Error::new(ErrorKind::Conflict, "Something else happened in the conversation at the same moment. It is tried again.").with_remedy(Remedy::Wait),
        (413, _) | (_, "messagesizetoobig") => Error::new(ErrorKind::LimitExceeded, "The message is larger than Teams takes of a bot (100 KB). Shorten or split it."),
        (300..=399, _) => Error::new(ErrorKind::LinkRejected, "The Bot Connector leads on to another address, which was not followed."),
        (status, _) => {
            let code = error_code(&response.body).shown(&response.secrets).map_or_else(String::new, |code| format!(", {code}"));
            Error::invalid(format!("The Bot Connector refused the request (HTTP {status}{code}). Look at the ids and the card."))
        }
    };
    error.with_request_id(response.request_id())
}
