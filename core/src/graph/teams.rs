//! People and one-to-one chats.

use super::wire::{self, ItemBody};
use super::{Caller, Graph, fault, literal, segment, told};
use crate::error::{Error, ErrorKind, Result};
use crate::model::BodyType;
use crate::pipeline::{Safety, error_code};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Person {
    pub id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireChat {
    chat_type: &'static str,
    members: [Member; 2],
}

#[derive(Serialize)]
struct Member {
    #[serde(rename = "@odata.type")]
    kind: &'static str,
    roles: [&'static str; 1],
    #[serde(rename = "user@odata.bind")]
    user: String,
}

#[derive(Serialize)]
struct WireMessage {
    body: ItemBody,
}

#[derive(Deserialize)]
struct Made {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    id: String,
    #[serde(default)]
    chat_id: Option<String>,
}

impl Graph {
    /// Somebody of the organisation by mail address: as user name, then as primary address, then among all addresses.
    pub async fn find_person(&self, caller: &Caller, address: &str) -> Result<Option<Person>> {
        let by_name = self.url(&format!("users/{}", segment(address)?), &[("$select", "id")])?;
        if let Some(response) = self.look(self.get(caller, by_name)).await? {
            return wire::read(&response.body).map(Some);
        }
        if let Some(person) = self.only(caller, &format!("mail eq {}", literal(address))).await? {
            return Ok(Some(person));
        }
        match self.only(caller, &format!("proxyAddresses/any(p:p eq {})", literal(&format!("smtp:{address}")))).await {
            // Looking among all addresses may need a larger permission; without it they are simply not known.
            Err(e) if matches!(e.kind(), ErrorKind::Forbidden | ErrorKind::InvalidInput) => Ok(None),
            found => found,
        }
    }

    async fn only(&self, caller: &Caller, filter: &str) -> Result<Option<Person>> {
        #[derive(Deserialize)]
        struct People {
            value: Vec<Person>,
        }
        let url = self.url("users", &[("$filter", filter), ("$select", "id"), ("$top", "2")])?;
        let mut people = wire::read::<People>(&self.ask(self.get(caller, url)).await?.body)?.value;
        if people.len() > 1 {
            return Err(Error::new(ErrorKind::Conflict, "More than one person has this address, so it is not clear who is meant. Use another address of that person."));
        }
        Ok(people.pop())
    }

    /// The chat of these two; Microsoft makes it or gives the one there is, so asking twice does no harm.
    pub async fn one_to_one_chat(&self, caller: &Caller, me_id: &str, other_id: &str) -> Result<String> {
        let member = |id: &str| Ok::<_, Error>(Member { kind: "#microsoft.graph.aadUserConversationMember", roles: ["owner"], user: format!("{}users('{}')", self.root, segment(id)?) });
        let wire = WireChat { chat_type: "oneOnOne", members: [member(me_id)?, member(other_id)?] };
        let body = serde_json::to_vec(&wire).map_err(|_| Error::internal("A chat could not be written."))?;
        let response = self.ask(self.write(caller, Method::POST, self.url("chats", &[])?, body, Safety::Repeatable)).await?;
        let made = wire::read::<Made>(&response.body)?;
        // The id of such a chat is made of its two members: another pair is another person's chat.
        match members(&made.id) {
            Some((a, b)) if !is_pair((a, b), (me_id, other_id)) => Err(Error::new(ErrorKind::Upstream, "Microsoft answered with another chat than the one asked for. Try again later.")),
            _ if made.id.is_empty() => Err(wire::unreadable()),
            _ => Ok(made.id),
        }
    }

    /// Posted when this returns. Teams has no key to recognise a repetition by, so this is never repeated in doubt.
    pub async fn post_chat_message(&self, caller: &Caller, chat_id: &str, body: &str, kind: BodyType) -> Result<String> {
        let url = self.url(&format!("chats/{}/messages", segment(chat_id)?), &[])?;
        let wire = serde_json::to_vec(&WireMessage { body: ItemBody::new(kind, body) }).map_err(|_| Error::internal("A message could not be written."))?;
        let response = self.pipeline.send(self.write(caller, Method::POST, url, wire, Safety::Once)).await?;
        let unclear = |words: &str| Error::new(ErrorKind::OutcomeUnknown, words.to_owned()).with_request_id(response.request_id.clone());
        // Graph repeats towards Teams by itself, and Teams refuses the repetition of what it has already.
        if response.status == StatusCode::CONFLICT && !fault::is_contested(&error_code(&response.body)) {
            return Err(unclear("Teams says that it has this message already, or something like it."));
        }
        if !response.status.is_success() {
            return told(response, Some(caller.account_id.clone())).map(|_| String::new());
        }
        let is_this = |made: &Posted| !made.id.is_empty() && made.chat_id.as_deref().is_none_or(|chat| chat == chat_id);
        match wire::read::<Posted>(&response.body).ok().filter(is_this) {
            Some(made) => Ok(made.id),
            None => Err(unclear("The message may have been posted, but Microsoft's answer does not show it.")),
        }
    }
}

/// The two members named in the id of a one-to-one chat, when it has that form.
fn members(chat_id: &str) -> Option<(&str, &str)> {
    let pair = chat_id.strip_prefix("19:")?.strip_suffix("@unq.gbl.spaces")?;
    let (a, b) = pair.split_once('_')?;
    let is_id = |id: &str| id.len() == 36 && id.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
    (is_id(a) && is_id(b)).then_some((a, b))
}

fn is_pair((a, b): (&str, &str), (c, d): (&str, &str)) -> bool {
    let same = |x: &str, y: &str| x.eq_ignore_ascii_case(y);
    (same(a, c) && same(b, d)) || (same(a, d) && same(b, c))
}
