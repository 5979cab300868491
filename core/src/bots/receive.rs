//! A request of the Bot Connector: proven, stored, answered, in this order.

use super::parse::{Activity, Invoke, Read, What};
use super::{Bots, Names};
use crate::bot::{Connector, Said};
use crate::clock::{from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::endpoints::{Wanted, new_row, place_hash};
use crate::failpoint::failpoint;
use crate::model::{BotInvoke, rfc3339, BotActivityKind, BotPlaceKind, BotPlaceState, ChangeKind, EndpointKind, EndpointTarget, HttpRequest, HttpResponse};
use crate::random;
use crate::roster::{SeenPeople, seen};
use crate::store::{ActivityBatch, ConversationRow, NewActivity, activity_place, conversation_place};
use crate::trust::Claimed;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

/// After that the store, or Microsoft's keys, are taken for out of reach, and Teams comes again.
const PATIENCE: Duration = Duration::from_millis(2_500);
/// Of all the channels a bot can have, the one that is Teams.
const TEAMS: &str = "msteams";
const LARGEST_BODY: usize = 1 << 20;
/// What was said longer ago, or later than in a day, was said now.
const OLDEST: Duration = Duration::from_secs(30 * 86_400);
const LATEST: Duration = Duration::from_secs(86_400);

/// What comes of an activity.
pub enum Received {
    Answer(HttpResponse),
    /// The host answers it.
    Asked(Box<BotInvoke>),
}

/// The same, before it is an answer.
enum Taken {
    Status(u32),
    Asked(Box<BotInvoke>),
}

/// None: there is none, or two.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let mut found = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let (value, None) = (found.next()?.1, found.next()) else { return None };
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn plain(status: u32) -> HttpResponse {
    HttpResponse { status, headers: HashMap::new(), body: Vec::new() }
}

impl Bots {
    /// Whether it is to be looked at as an activity first: it comes with a token, or there is nothing else that it could be. Graph's notifications have no token, but a
    /// gateway before the host may give them one, so what it is the body tells.
    pub fn may_take(&self, request: &HttpRequest, is_alone: bool) -> bool {
        self.connector.is_some() && (is_alone || bearer(request).is_some())
    }

    /// What goes wrong is told by the status, and Teams posts again what it was not told it need not. Everything is durable by then. `is_answered`: the host answers
    /// what Teams asks and waits for. Err: it is no activity; what it is answered with if it is nothing else either.
    pub async fn receive(&self, request: &HttpRequest, is_answered: bool) -> Result<Received, HttpResponse> {
        let refuse = |status| Err(plain(status));
        let Some(connector) = &self.connector else { return refuse(404) };
        if !request.method.eq_ignore_ascii_case("POST") {
            return refuse(405);
        }
        let body = request.body.as_deref().unwrap_or_default();
        if body.len() > LARGEST_BODY {
            return refuse(413);
        }
        let Some(activity) = Activity::parse(body) else { return refuse(400) };
        let Some(token) = bearer(request) else { return Ok(Received::Answer(plain(401))) };
        let taken = tokio::select! {
            taken = self.proven(connector, token, &activity, is_answered) => taken,
            () = self.clock.deadline(PATIENCE) => Taken::Status(503),
        };
        Ok(match taken {
            Taken::Status(status) => Received::Answer(plain(status)),
            Taken::Asked(invoke) => Received::Asked(invoke),
        })
    }

    async fn proven(&self, connector: &Connector, token: &str, activity: &Activity, is_answered: bool) -> Taken {
        if activity.channel_id != TEAMS {
            self.meters.notifications_refused.up();
            return Taken::Status(403);
        }
        let claimed = Claimed { channel_id: &activity.channel_id, service_url: &activity.service_url };
        match self.trust.verify(token, connector.client_id(), &claimed).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::TokenRejected => {
                self.meters.notifications_refused.up();
                tracing::debug!(target: "tidings::bots", reason = error.reason(), "an activity was refused");
                return Taken::Status(403);
            }
            Err(_) => return Taken::Status(503),
        }
        // Proven, and all the same: nothing is ever sent to an address that is not on the list.
        let Ok(service_url) = connector.service_url(Some(&activity.service_url)) else { return Taken::Status(403) };
        let Some(read) = activity.read(connector.client_id(), rfc3339::from_text) else { return Taken::Status(400) };
        match self.take(&read, service_url.as_str(), is_answered).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(target: "tidings::bots", kind = ?error.kind(), "an activity could not be stored");
                Taken::Status(503)
            }
        }
    }

    async fn take(&self, read: &Read, service_url: &str, is_answered: bool) -> Result<Taken> {
        let invoke = match &read.what {
            // Nobody here answers it.
            What::Invoke(_) if !is_answered => return Ok(Taken::Status(501)),
            What::Invoke(invoke) => Some(invoke),
            What::Nothing => return Ok(Taken::Status(202)),
            What::Told { .. } | What::Reach { .. } => None,
        };
        let accounts = self.store.organisations(&read.tenant_id).await?;
        if accounts.is_empty() {
            // Somebody uses the bot whose organisation is not connected. To post it again would help nobody.
            self.meters.notifications_refused.up();
            return Ok(Taken::Status(if invoke.is_some() { 403 } else { 202 }));
        }
        // A card of one organisation has no button for another.
        if invoke.is_some() && self.store.is_conversation_of_another(&read.conversation_id, &read.tenant_id).await? {
            self.meters.notifications_refused.up();
            tracing::debug!(target: "tidings::bots", "something was asked in a conversation of another organisation");
            return Ok(Taken::Status(403));
        }
        let mut taken_by = None;
        for account_id in &accounts {
            if self.take_for(account_id, read, service_url).await? {
                taken_by = taken_by.or(Some(account_id));
            }
        }
        self.meters.notifications.up();
        self.news.send_modify(|n| *n = n.wrapping_add(1));
        Ok(match (invoke, taken_by) {
            (None, _) => Taken::Status(202),
            // It was disconnected at this moment.
            (Some(_), None) => Taken::Status(403),
            (Some(invoke), Some(account_id)) => Taken::Asked(Box::new(asked(account_id, read, invoke))),
        })
    }

    /// False: the account has ended.
    async fn take_for(&self, account_id: &str, read: &Read, service_url: &str) -> Result<bool> {
        let stored = self.vault.with_current_keys(async || self.store.take_activity(&self.batch(account_id, read, service_url).await?).await).await?;
        failpoint!("bots.taken");
        if stored == Some(false) {
            tracing::debug!(target: "tidings::bots", account = account_id, "an activity was posted again");
        }
        Ok(stored.is_some())
    }

    async fn batch(&self, account_id: &str, read: &Read, service_url: &str) -> Result<ActivityBatch> {
        let now = to_ms(self.clock.now());
        let at = to_ms(read.at.filter(|at| is_plausible(*at, from_ms(now))).unwrap_or(from_ms(now)));
        let content = self.vault.content(account_id).await?;
        let known = self.store.conversation(account_id, &read.conversation_id).await?;
        let name = match read.place {
            BotPlaceKind::Personal => Some(read.sender_name.clone()).filter(|name| !name.is_empty() && read.sender_id.is_some()),
            BotPlaceKind::Group | BotPlaceKind::Channel => read.team_name.clone(),
        };
        let version = known.map_or(1, |row| row.version + 1);
        let sealed = match name {
            Some(name) => {
                let text = serde_json::to_vec(&Names { name }).map_err(|e| Error::internal("The names of a conversation cannot be written.").with_source(e))?;
                Some(content.seal(conversation_place(account_id, &read.conversation_id, version), &text)?)
            }
            None => None,
        };
        let told = match &read.what {
            What::Told { kind, activity_id, text, value } => Some((kind, activity_id, text.clone(), value.clone(), None)),
            What::Invoke(invoke) => invoke.pressed_on.as_ref().map(|id| (&BotActivityKind::CardAction, id, String::new(), invoke.data.clone(), invoke.verb.clone())),
            What::Reach { .. } | What::Nothing => None,
        };
        let activity = match told {
            Some((kind, activity_id, text, value, verb)) => {
                let public_id = format!("act_{}", random::token::<16>()?);
                let said = Said { sender_id: read.sender_id.clone(), sender_object_id: read.sender_object_id.clone(), sender_name: read.sender_name.clone(), text, value, verb, is_own: false };
                let sealed = content.seal(activity_place(account_id, &public_id), &said.bytes()?)?;
                let new = NewActivity {
                    public_id,
                    account_id: account_id.to_owned(),
                    conversation_id: read.conversation_id.clone(),
                    activity_id: activity_id.clone(),
                    kind: *kind,
                    mark: read.mark.clone(),
                    at,
                    received_at: now,
                    sealed,
                };
                Some((new, Some(change_of(*kind))))
            }
            None => None,
        };
        let is_open = match &read.what {
            What::Told { kind, .. } => *kind != BotActivityKind::Removed,
            What::Reach { is_open } => *is_open,
            What::Invoke(_) | What::Nothing => true,
        };
        let person = match (&read.sender_id, is_open) {
            (Some(id), true) => seen(&SeenPeople { store: &*self.store, vault: &self.vault }, account_id, id, read.sender_object_id.as_deref(), &read.sender_name).await?,
            _ => None,
        };
        let conversation = ConversationRow {
            account_id: account_id.to_owned(),
            conversation_id: read.conversation_id.clone(),
            kind: read.place,
            teams_user_id: read.sender_id.clone().filter(|_| read.place == BotPlaceKind::Personal),
            service_url: Some(service_url.to_owned()),
            state: if is_open { BotPlaceState::Open } else { BotPlaceState::NotInstalled },
            updated_at: now,
            active_at: at,
            version,
            sealed,
        };
        let places = match (read.place, is_open) {
            (_, false) => Vec::new(),
            (BotPlaceKind::Personal, true) => [&read.sender_id, &read.sender_object_id].into_iter().flatten().map(|id| (EndpointKind::TeamsUser, id)).collect(),
            (BotPlaceKind::Group | BotPlaceKind::Channel, true) => read.team_id.iter().map(|id| (EndpointKind::TeamsChannel, id)).collect(),
        };
        let reachable = places.into_iter().map(|(kind, id)| place_hash(&self.vault, account_id, kind, id)).collect::<Result<_>>()?;
        let mut endpoints = Vec::new();
        if let (BotPlaceKind::Personal, What::Told { kind: BotActivityKind::Installed, .. }, Some(object_id)) = (read.place, &read.what, &read.sender_object_id) {
            let target = EndpointTarget::TeamsUser { user: object_id.clone() };
            for subscriber in self.store.linked_as(&read.tenant_id, object_id).await? {
                endpoints.push(new_row(&self.vault, &content, &Wanted { subscriber: &subscriber, context: None, account_id, target: &target }, now)?);
            }
        }
        Ok(ActivityBatch { person, conversation, activity, reachable, endpoints })
    }
}

fn asked(account_id: &str, read: &Read, invoke: &Invoke) -> BotInvoke {
    let Invoke { activity_id, name, value, verb, data, is_automatic, sign_in_state, reply_to, locale, pressed_on: _ } = invoke.clone();
    BotInvoke {
        account_id: account_id.to_owned(),
        conversation_id: read.conversation_id.clone(),
        activity_id,
        sender_id: read.sender_id.clone(),
        sender_object_id: read.sender_object_id.clone(),
        sender_name: read.sender_name.clone(),
        name,
        value,
        verb,
        data,
        is_automatic,
        sign_in_state,
        reply_to,
        locale,
    }
}

fn is_plausible(at: SystemTime, now: SystemTime) -> bool {
    now.duration_since(at).map_or_else(|ahead| ahead.duration() <= LATEST, |age| age <= OLDEST)
}

fn change_of(kind: BotActivityKind) -> ChangeKind {
    match kind {
        BotActivityKind::Message => ChangeKind::BotMessage,
        BotActivityKind::MessageEdited | BotActivityKind::MessageDeleted => ChangeKind::BotMessageEdited,
        BotActivityKind::ReactionAdded | BotActivityKind::ReactionRemoved => ChangeKind::BotReaction,
        BotActivityKind::Installed => ChangeKind::BotInstalled,
        BotActivityKind::Removed => ChangeKind::BotRemoved,
        BotActivityKind::CardAction => ChangeKind::BotCardAction,
    }
}
