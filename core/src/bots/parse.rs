//! An activity, read within bounds. Nothing of it is believed yet.

use super::answer::CARD_ACTION;
use crate::bot::{bot_id, check_conversation, is_teams_user};
use crate::model::{BotActivityKind, BotPlaceKind};
use crate::trust::{is_guid, json_object};
use serde_json::{Map, Value};
use std::time::SystemTime;

/// Characters of a text, bytes of what a card sends, characters of a name or id.
const LONGEST_TEXT: usize = 100_000;
const LONGEST_VALUE: usize = 256 << 10;
const LONGEST_NAME: usize = 500;
const LONGEST_ID: usize = 1_000;
const MOST_MENTIONS: usize = 200;

/// What decides where it goes, before it is proven.
pub struct Activity {
    members: Map<String, Value>,
    pub channel_id: String,
    pub service_url: String,
}

/// An activity as this engine understands it.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    pub tenant_id: String,
    pub conversation_id: String,
    pub place: BotPlaceKind,
    pub team_name: Option<String>,
    /// Graph's id of the team.
    pub team_id: Option<String>,
    pub sender_id: Option<String>,
    pub sender_object_id: Option<String>,
    pub sender_name: String,
    /// What tells one that is posted again from another one.
    pub mark: String,
    pub at: Option<SystemTime>,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// For the host.
    Told { kind: BotActivityKind, activity_id: String, text: String, value: Option<String> },
    /// It tells where the bot may write, or may not any more.
    Reach { is_open: bool },
    /// It waits for an answer of the host.
    Invoke(Box<Invoke>),
    /// Typing, and what nobody here knows.
    Nothing,
}

/// Something that Teams asks and waits for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Invoke {
    /// Empty: there is none.
    pub activity_id: String,
    pub name: String,
    pub value: Option<String>,
    pub verb: Option<String>,
    pub data: Option<String>,
    pub is_automatic: bool,
    pub sign_in_state: Option<String>,
    pub reply_to: Option<String>,
    pub locale: Option<String>,
    /// Of a button that somebody pressed: the message that it is on.
    pub pressed_on: Option<String>,
}

/// Of any value that is a text.
fn text(value: Option<&Value>, longest: usize) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| !text.is_empty() && text.len() <= longest)
}

impl Activity {
    /// None: it is no JSON object, says something twice, or lacks what every activity has.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let members = json_object(body)?;
        let own = |name: &str| text(members.get(name), LONGEST_ID).map(str::to_owned);
        let (channel_id, service_url) = (own("channelId")?, own("serviceUrl")?);
        own("type")?;
        Some(Self { channel_id, service_url, members })
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.members.get(*first)?, |value, name| value.get(name))
    }

    fn text(&self, path: &[&str], longest: usize) -> Option<&str> {
        text(self.at(path), longest)
    }

    /// None: it names no organisation or conversation, two organisations, or another bot; or it asks something that cannot be read.
    pub fn read(&self, client_id: &str, time: fn(&str) -> Option<SystemTime>) -> Option<Read> {
        let tenants: Vec<&str> = [self.text(&["conversation", "tenantId"], LONGEST_ID), self.text(&["channelData", "tenant", "id"], LONGEST_ID)].into_iter().flatten().collect();
        let tenant_id = tenants.first().filter(|id| is_guid(id)).map(|id| id.to_ascii_lowercase())?;
        let is_one = tenants.iter().all(|id| id.eq_ignore_ascii_case(&tenant_id));
        let own = bot_id(client_id);
        let is_ours = self.text(&["recipient", "id"], LONGEST_ID).is_none_or(|id| id == own);
        let conversation_id = self.text(&["conversation", "id"], LONGEST_ID).filter(|id| check_conversation(id).is_ok())?.to_owned();
        if !is_one || !is_ours {
            return None;
        }
        let place = match self.text(&["conversation", "conversationType"], LONGEST_ID) {
            Some("channel") => BotPlaceKind::Channel,
            Some("groupChat") => BotPlaceKind::Group,
            Some("personal") => BotPlaceKind::Personal,
            _ if self.at(&["channelData", "team"]).is_some() => BotPlaceKind::Channel,
            _ if self.at(&["conversation", "isGroup"]) == Some(&Value::Bool(true)) => BotPlaceKind::Group,
            _ => BotPlaceKind::Personal,
        };
        let kind = self.text(&["type"], LONGEST_ID)?;
        let id = self.text(&["id"], LONGEST_ID);
        let stamp = self.text(&["timestamp"], LONGEST_ID);
        let from = self.text(&["from", "id"], LONGEST_ID);
        Some(Read {
            tenant_id,
            place,
            team_name: self.text(&["channelData", "team", "name"], LONGEST_NAME).map(str::to_owned),
            team_id: self.text(&["channelData", "team", "aadGroupId"], LONGEST_ID).map(str::to_owned),
            sender_id: from.filter(|id| is_teams_user(id)).map(str::to_owned),
            sender_object_id: self.text(&["from", "aadObjectId"], LONGEST_ID).filter(|id| is_guid(id)).map(str::to_ascii_lowercase),
            sender_name: self.text(&["from", "name"], LONGEST_NAME).unwrap_or_default().to_owned(),
            // An edit has the id of its message, and a time of its own.
            mark: match (kind, id) {
                ("invoke", Some(id)) => format!("{kind}/{conversation_id}/{id}"),
                _ => format!("{kind}/{conversation_id}/{}/{}", id.unwrap_or_default(), stamp.unwrap_or_default()),
            },
            at: stamp.and_then(time),
            what: if from == Some(own.as_str()) { What::Nothing } else { self.what(kind, id, &own)? },
            conversation_id,
        })
    }

    fn what(&self, kind: &str, id: Option<&str>, own: &str) -> Option<What> {
        let told = |kind, activity_id: Option<&str>, text, value| match activity_id {
            Some(id) => What::Told { kind, activity_id: id.to_owned(), text, value },
            None => What::Nothing,
        };
        Some(match kind {
            "message" => {
                let (said, value) = (self.said(own), self.value());
                let is_action = value.is_some() && said.is_empty();
                // A button belongs to the card it is on.
                let about = if is_action { self.text(&["replyToId"], LONGEST_ID).or(id) } else { id };
                told(if is_action { BotActivityKind::CardAction } else { BotActivityKind::Message }, about, said, value)
            }
            "messageUpdate" => told(BotActivityKind::MessageEdited, id, self.said(own), None),
            "messageDelete" => told(BotActivityKind::MessageDeleted, id, String::new(), None),
            "messageReaction" => {
                let about = self.text(&["replyToId"], LONGEST_ID).or(id);
                match (self.reactions("reactionsAdded"), self.reactions("reactionsRemoved")) {
                    (Some(added), _) => told(BotActivityKind::ReactionAdded, about, String::new(), Some(added)),
                    (None, Some(removed)) => told(BotActivityKind::ReactionRemoved, about, String::new(), Some(removed)),
                    (None, None) => What::Nothing,
                }
            }
            "installationUpdate" => match self.text(&["action"], LONGEST_ID) {
                Some("add") => told(BotActivityKind::Installed, id.or(Some("")), String::new(), None),
                Some("remove") => told(BotActivityKind::Removed, id.or(Some("")), String::new(), None),
                Some("add-upgrade") => What::Reach { is_open: true },
                _ => What::Nothing,
            },
            "conversationUpdate" => {
                let is_out = self.at(&["membersRemoved"]).and_then(Value::as_array).is_some_and(|all| all.iter().any(|one| text(one.get("id"), LONGEST_ID) == Some(own)));
                What::Reach { is_open: !is_out }
            }
            "invoke" => What::Invoke(Box::new(self.invoke(id)?)),
            _ => What::Nothing,
        })
    }

    /// None: it has no name, its value is too long, or it is the button of a card that none can have.
    fn invoke(&self, id: Option<&str>) -> Option<Invoke> {
        let name = self.text(&["name"], LONGEST_ID)?.to_owned();
        let has_value = self.members.get("value").is_some_and(|value| !value.is_null());
        let value = self.value();
        if has_value && value.is_none() {
            return None;
        }
        let own = |path: &[&str]| self.text(path, LONGEST_ID).map(str::to_owned);
        let mut found = Invoke { activity_id: id.unwrap_or_default().to_owned(), value, reply_to: own(&["replyToId"]), locale: own(&["locale"]), ..Invoke::default() };
        if name == CARD_ACTION {
            self.at(&["value", "action"])?.as_object()?;
            if self.at(&["value", "action", "type"]).is_some_and(|kind| kind.as_str() != Some("Action.Execute")) {
                return None;
            }
            found.verb = own(&["value", "action", "verb"]);
            found.data = self.at(&["value", "action", "data"]).filter(|data| !data.is_null()).and_then(|data| serde_json::to_string(data).ok());
            found.is_automatic = self.text(&["value", "trigger"], LONGEST_ID) == Some("automatic");
            found.pressed_on = id.filter(|_| !found.is_automatic).map(|id| found.reply_to.clone().unwrap_or_else(|| id.to_owned()));
        }
        if name == "signin/verifyState" {
            // Its value is that secret, and nothing else.
            (found.value, found.sign_in_state) = (None, own(&["value", "state"]));
        }
        found.name = name;
        Some(found)
    }

    /// Without the mention of the bot.
    fn said(&self, own: &str) -> String {
        let Some(said) = self.at(&["text"]).and_then(Value::as_str) else { return String::new() };
        let mut said: String = said.chars().take(LONGEST_TEXT).collect();
        for entity in self.at(&["entities"]).and_then(Value::as_array).into_iter().flatten().take(MOST_MENTIONS) {
            let is_own = entity.get("mentioned").and_then(|one| text(one.get("id"), LONGEST_ID)) == Some(own);
            if let (true, Some(mention)) = (is_own, text(entity.get("text"), LONGEST_NAME)) {
                said = said.replace(mention, " ");
            }
        }
        said.trim().to_owned()
    }

    fn value(&self) -> Option<String> {
        let value = self.members.get("value").filter(|value| !value.is_null())?;
        serde_json::to_string(value).ok().filter(|text| text.len() <= LONGEST_VALUE)
    }

    fn reactions(&self, name: &str) -> Option<String> {
        let kinds: Vec<&str> = self.members.get(name)?.as_array()?.iter().filter_map(|one| text(one.get("type"), 100)).take(100).collect();
        (!kinds.is_empty()).then(|| kinds.join(","))
    }
}
