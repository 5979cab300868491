//! The Bot Connector: what a bot says in Teams, and whom it can say it to. Wire shapes stay in this module. Whose conversation is whose is the store's business,
//! what is sent twice that of the outbox.
//! Sources: Bot Framework, REST API of the Bot Connector; Teams, send proactive messages.

mod activity;
mod fault;
mod ids;
mod roster;
mod said;

pub use activity::{LARGEST_MESSAGE, Named, OutgoingActivity, Sent};
pub use fault::not_installed;
pub use ids::{bot_id, check_conversation, is_team_thread, is_teams_user, thread_of};
pub use roster::Member;
pub use said::Said;

use crate::config::BotPlaces;
use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use crate::pipeline::{Pipeline, Priority, Purpose, Request, Response, Safety};
use activity::WireActivity;
use fault::Misplaced;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Who speaks, in which organisation, and how patient a request is.
#[derive(Clone)]
pub struct BotCaller {
    /// Of the organisation's account.
    pub account_id: String,
    /// The Bot Connector of that organisation. None: that of the cloud.
    pub service_url: Option<String>,
    /// Where the organisation was heard of last; asked where the first place knows no such conversation.
    pub heard: Option<String>,
    /// With whom the conversation is (`29:…`), where that is one person who is known.
    pub person: Option<String>,
    pub priority: Priority,
    /// How long a request may pause in all: for its turn, Retry-After and back-off.
    pub max_wait: Duration,
}

#[derive(Clone)]
pub struct Connector {
    pipeline: Arc<Pipeline>,
    places: BotPlaces,
    /// Id of the application that is the bot.
    client_id: Arc<str>,
    /// Id of its app's manifest.
    app: Option<Arc<str>>,
}

/// A conversation that was made or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    pub conversation_id: String,
    /// The first message, where one went with it.
    pub activity_id: Option<String>,
    /// Where it is from now on, if the answer says so and the place is one of the list, or if it was made elsewhere than asked first.
    pub service_url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewConversation<'a> {
    is_group: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bot: Option<WireId<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<WireId<'a>>,
    tenant_id: &'a str,
    channel_data: ChannelData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<WireActivity<'a>>,
}

#[derive(Serialize)]
struct WireId<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct ChannelData<'a> {
    tenant: WireId<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<WireId<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMade {
    #[serde(default, deserialize_with = "lenient::scalar")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    activity_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    service_url: Option<String>,
}

/// Of calls that are about a bot where none is set.
pub fn no_bot() -> Error {
    Error::invalid("There is no bot here. Set bot_app to the application that is the bot.")
}

impl Connector {
    pub fn new(pipeline: Arc<Pipeline>, places: BotPlaces, client_id: &str) -> Self {
        Self { pipeline, places, client_id: client_id.into(), app: None }
    }

    /// With the id of its app's manifest, by which the organisation's catalogue knows it.
    pub fn with_app(self, external_id: Option<&str>) -> Self {
        Self { app: external_id.map(Into::into), ..self }
    }

    /// Id of its app's manifest. None: nobody has set it.
    pub fn app(&self) -> Option<&str> {
        self.app.as_deref()
    }

    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Where requests of a conversation go, as it is stored. Errors: LinkRejected for an address that is not on the list, InvalidInput where a cloud has none.
    pub fn service_url(&self, known: Option<&str>) -> Result<Url> {
        match (known, &self.places.service) {
            (Some(text), _) => self.pipeline.hosts().service_url(text),
            (None, Some(url)) => Ok(url.clone()),
            (None, None) => Err(Error::invalid("Microsoft documents no address of the Bot Connector for this cloud. Set bot_service_url.")),
        }
    }

    /// The conversation with one person, `29:…`: the same one whenever it is asked for, so this may be repeated.
    pub async fn personal(&self, caller: &BotCaller, tenant_id: &str, user_id: &str) -> Result<Made> {
        let bot = bot_id(&self.client_id);
        let asked = NewConversation {
            is_group: false,
            bot: Some(WireId { id: &bot }),
            members: vec![WireId { id: user_id }],
            tenant_id,
            channel_data: ChannelData { tenant: WireId { id: tenant_id }, channel: None },
            activity: None,
        };
        let answered = self.send(caller, &Ask::post(&["conversations"], user_id, Safety::Repeatable, &asked)?).await?;
        self.made(answered)
    }

    /// A new thread in a channel, begun by this message.
    pub async fn thread(&self, caller: &BotCaller, tenant_id: &str, channel_id: &str, activity: &OutgoingActivity) -> Result<Made> {
        let asked = NewConversation {
            is_group: true,
            bot: None,
            members: Vec::new(),
            tenant_id,
            channel_data: ChannelData { tenant: WireId { id: tenant_id }, channel: Some(WireId { id: channel_id }) },
            activity: Some(activity.wire()),
        };
        let answered = self.send(caller, &Ask::post(&["conversations"], channel_id, Safety::Once, &asked)?).await?;
        self.made(answered)
    }

    /// A message in a conversation there is. A `reply_to` is in the activity: the thread is the conversation.
    pub async fn say(&self, caller: &BotCaller, conversation_id: &str, activity: &OutgoingActivity) -> Result<Sent> {
        let answered = self.send(caller, &Ask::post(&["conversations", conversation_id, "activities"], conversation_id, Safety::Once, &activity.wire())?).await?;
        Ok(Sent { activity_id: json::read::<WireMade>(&answered.response.body).ok().and_then(|made| made.id), service_url: answered.moved })
    }

    /// That the bot is typing; it is no message, so this may be repeated.
    pub async fn typing(&self, caller: &BotCaller, conversation_id: &str) -> Result<()> {
        let body = serde_json::json!({ "type": "typing" });
        self.send(caller, &Ask::post(&["conversations", conversation_id, "activities"], conversation_id, Safety::Repeatable, &body)?).await.map(drop)
    }

    /// In place of a message of the bot.
    pub async fn change(&self, caller: &BotCaller, conversation_id: &str, activity_id: &str, activity: &OutgoingActivity) -> Result<()> {
        let names = ["conversations", conversation_id, "activities", activity_id];
        let ask = Ask { method: Method::PUT, ..Ask::post(&names, conversation_id, Safety::Repeatable, &activity.wire())? };
        self.send(caller, &ask).await.map(drop)
    }

    /// A message of the bot that is gone already is gone.
    pub async fn delete(&self, caller: &BotCaller, conversation_id: &str, activity_id: &str) -> Result<()> {
        let names = ["conversations", conversation_id, "activities", activity_id];
        match self.send(caller, &Ask { method: Method::DELETE, ..Ask::get(&names, conversation_id, &[]) }).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    fn made(&self, answered: Answered) -> Result<Made> {
        let Answered { response, moved } = answered;
        let made: WireMade = json::read(&response.body).unwrap_or_default();
        let conversation_id = made.id.filter(|id| check_conversation(id).is_ok()).ok_or_else(|| {
            Error::new(ErrorKind::Upstream, "The Bot Connector did not say which conversation it made. Try again later.").with_request_id(response.request_id())
        })?;
        let service_url = made.service_url.and_then(|text| self.pipeline.hosts().service_url(&text).ok()).map(String::from);
        Ok(Made { conversation_id, activity_id: made.activity_id, service_url: service_url.or(moved) })
    }

    /// Everything but a success is an error. Where the first place says that the organisation, or the conversation, is not there, the other one that is known is asked, once:
    /// nothing was done by then.
    async fn send(&self, caller: &BotCaller, ask: &Ask<'_>) -> Result<Answered> {
        let first = self.service_url(caller.service_url.as_deref())?;
        let response = self.exchange(caller, ask, &first).await?;
        match self.elsewhere(&response, caller).filter(|other| *other != first) {
            None => good(response, caller).map(|response| Answered { response, moved: None }),
            Some(other) => {
                let response = self.exchange(caller, ask, &other).await?;
                good(response, caller).map(|response| Answered { response, moved: Some(other.into()) })
            }
        }
    }

    /// Never an address out of an error.
    fn elsewhere(&self, response: &Response, caller: &BotCaller) -> Option<Url> {
        match fault::misplaced(response)? {
            Misplaced::Organisation => self.places.gcc.clone(),
            Misplaced::Conversation => caller.heard.as_deref().and_then(|text| self.pipeline.hosts().service_url(text).ok()),
        }
    }

    async fn exchange(&self, caller: &BotCaller, ask: &Ask<'_>, service: &Url) -> Result<Response> {
        let mut url = service.clone();
        let path = ask.names.iter().fold(format!("{}v3", url.path()), |path, name| format!("{path}/{}", ids::escaped(name)));
        url.set_path(&path);
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query);
        }
        let mut request = Request::get(url, Purpose::Bot);
        if let Some(body) = &ask.body {
            request = request.with_body(ask.method.clone(), "application/json", body.clone());
        }
        request.method = ask.method.clone();
        request.safety = ask.safety;
        // A channel and its threads count as one, and so do the names of a conversation with a person.
        let thread = ask.thread.split(';').next().unwrap_or_default();
        request.thread = Some(caller.person.as_deref().unwrap_or(thread).to_owned());
        request.account_id = Some(caller.account_id.clone());
        request.priority = caller.priority;
        request.max_wait = caller.max_wait;
        request.may_be_empty = true;
        self.pipeline.send(request).await
    }
}

fn good(response: Response, caller: &BotCaller) -> Result<Response> {
    match response.status {
        StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(response),
        _ => Err(fault::error(&response).on_account(&caller.account_id)),
    }
}

/// What is asked of the Bot Connector, wherever that is.
struct Ask<'a> {
    method: Method,
    /// Below the version.
    names: &'a [&'a str],
    query: &'a [(&'a str, &'a str)],
    body: Option<Vec<u8>>,
    /// The conversation, or the person it is with, whose limits it counts against.
    thread: &'a str,
    safety: Safety,
}

impl<'a> Ask<'a> {
    fn get(names: &'a [&'a str], thread: &'a str, query: &'a [(&'a str, &'a str)]) -> Self {
        Self { method: Method::GET, names, query, body: None, thread, safety: Safety::Repeatable }
    }

    fn post<T: Serialize>(names: &'a [&'a str], thread: &'a str, safety: Safety, body: &T) -> Result<Self> {
        let body = serde_json::to_vec(body).map_err(|e| Error::internal("A request to the Bot Connector cannot be written.").with_source(e))?;
        Ok(Self { method: Method::POST, body: Some(body), safety, ..Self::get(names, thread, &[]) })
    }
}

struct Answered {
    response: Response,
    /// Where it was done, if that is not where it was asked first.
    moved: Option<String>,
}

#[cfg(test)]
mod tests;
