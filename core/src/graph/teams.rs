//! People and one-to-one chats.

use super::mail::List;
use super::wire::{self, ItemBody};
use super::{Caller, Graph, fault, literal, segment, told};
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient;
use crate::model::BodyType;
use crate::pipeline::{Response, Safety, error_code};
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    #[serde(deserialize_with = "wire::id")]
    pub id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub user_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub user_principal_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub mail: Option<String>,
}

const PERSON: &str = "id,userType,userPrincipalName,mail";

impl Person {
    /// Its primary address is shown, and is another one.
    fn has_other_mail(&self, address: &str) -> bool {
        self.mail.as_deref().is_some_and(|mail| !mail.is_empty() && mail.to_lowercase() != address.to_lowercase())
    }

    /// In a chat of this organisation somebody from outside is a guest, and Teams refuses any other role. Where the kind is not told, the user name shows it.
    pub fn is_guest(&self) -> bool {
        match self.user_type.as_deref().map(str::trim).filter(|kind| !kind.is_empty()) {
            Some(kind) => kind.eq_ignore_ascii_case("guest"),
            None => self.user_principal_name.as_ref().is_some_and(|name| name.to_ascii_uppercase().contains("#EXT#")),
        }
    }

    fn role(&self) -> &'static str {
        if self.is_guest() { "guest" } else { "owner" }
    }
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
    #[serde(deserialize_with = "wire::id")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    chat_id: Option<String>,
}

impl Graph {
    /// Somebody of the organisation by mail address: whose primary address it is, then whose among all addresses, then whose user name. The user name of
    /// one person may be the address of another, so it comes last. None: nobody. Errors: Conflict when more than one person fits.
    pub async fn find_person(&self, caller: &Caller, address: &str) -> Result<Option<Person>> {
        let address_of_any = format!("proxyAddresses/any(p:p eq {})", literal(&format!("smtp:{address}")));
        let mut refusal = None;
        let mut filters = vec![format!("mail eq {}", literal(address)), address_of_any, format!("otherMails/any(m:m eq {})", literal(address))];
        // No path of Graph's has a user name that begins so; a search finds it.
        if address.starts_with('$') {
            filters.push(format!("userPrincipalName eq {}", literal(address)));
        }
        for filter in filters {
            let url = self.url("users", &[("$filter", &filter), ("$select", PERSON), ("$top", "2")])?;
            match self.some_people(caller, url).await {
                // A server that answers with others than were asked for does not filter; what it says of the other addresses proves nothing either.
                Ok(people) if filter.starts_with("mail eq") && people.iter().any(|person| person.has_other_mail(address)) => break,
                Ok(people) => {
                    if let Some(person) = only(people)? {
                        return Ok(Some(person));
                    }
                }
                Err(error) if is_no_answer(&error) => {
                    refusal.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        // Some spellings are refused as a segment of a path and understood in quotes, and the reverse.
        let quoted = format!("users({})", super::encoded(&literal(address), b"-._~'"));
        for path in [format!("users/{}", segment(address)?), quoted] {
            match self.look(self.get(caller, self.url(&path, &[("$select", PERSON)])?)).await {
                Ok(Some(response)) => return read_person(&response).map(Some),
                Ok(None) => {}
                Err(error) if is_no_answer(&error) => {
                    refusal.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match refusal {
            // Without the permission nobody is found, which says nothing of whether they are there.
            Some(error) if error.kind() == ErrorKind::Forbidden => Err(error),
            _ => Ok(None),
        }
    }

    /// All pages: the first one of a search in the directory may be empty although somebody is found.
    async fn some_people(&self, caller: &Caller, url: Url) -> Result<Vec<Person>> {
        self.list(caller, url).await?.map_or(Ok(Vec::new()), List::all)
    }

    /// The chat of these two; Microsoft makes it or gives the one there is, so asking twice does no harm.
    pub async fn one_to_one_chat(&self, caller: &Caller, me_id: &str, other: &Person) -> Result<String> {
        match self.make_chat(caller, (me_id, "owner"), (&other.id, other.role())).await {
            // Perhaps it is the sender who is the guest here.
            Err(refused) if matches!(refused.kind(), ErrorKind::InvalidInput | ErrorKind::Forbidden) => {
                let url = self.url("me", &[("$select", PERSON)])?;
                let me = match self.ask(self.get(caller, url)).await.and_then(|response| wire::read::<Person>(&response.body)) {
                    Ok(me) if me.is_guest() => me,
                    _ => return Err(refused),
                };
                self.make_chat(caller, (me_id, me.role()), (&other.id, other.role())).await
            }
            answer => answer,
        }
    }

    async fn make_chat(&self, caller: &Caller, me: (&str, &'static str), other: (&str, &'static str)) -> Result<String> {
        let member = |(id, role): (&str, &'static str)| {
            Ok::<_, Error>(Member { kind: "#microsoft.graph.aadUserConversationMember", roles: [role], user: format!("{}users('{}')", self.root, segment(id)?) })
        };
        let wire = WireChat { chat_type: "oneOnOne", members: [member(me)?, member(other)?] };
        let body = serde_json::to_vec(&wire).map_err(|_| Error::internal("A chat could not be written."))?;
        let mut request = self.write(caller, Method::POST, self.url("chats", &[])?, body, Safety::Repeatable);
        request.is_batchable = true;
        let response = self.ask(request).await?;
        let made = wire::read::<Made>(&response.body)?;
        // The id of such a chat is made of its two members: another pair is another person's chat.
        match members(&made.id) {
            Some((a, b)) if !is_pair((a, b), (me.0, other.0)) => Err(Error::new(ErrorKind::Upstream, "Microsoft answered with another chat than the one asked for. Try again later.")),
            _ if made.id.is_empty() => Err(wire::unreadable()),
            _ if response.repeats(&made.id) => Err(wire::repeating()),
            _ => Ok(made.id),
        }
    }

    /// Posted when this returns. Teams has no key to recognise a repetition by, so this is never repeated in doubt.
    pub async fn post_chat_message(&self, caller: &Caller, chat_id: &str, body: &str, kind: BodyType) -> Result<String> {
        let url = self.url(&format!("chats/{}/messages", segment(chat_id)?), &[])?;
        let wire = serde_json::to_vec(&WireMessage { body: ItemBody::new(kind, body) }).map_err(|_| Error::internal("A message could not be written."))?;
        let mut request = self.write(caller, Method::POST, url, wire, Safety::Once);
        request.is_batchable = true;
        let response = self.pipeline.send(request).await?;
        let unclear = |words: &str| Error::new(ErrorKind::OutcomeUnknown, words.to_owned()).with_request_id(response.request_id());
        // Graph repeats towards Teams by itself, and Teams refuses the repetition of what it has already.
        if response.status == StatusCode::CONFLICT && !fault::is_contested(error_code(&response.body).to_compare()) {
            return Err(unclear("Teams says that it has this message already, or something like it."));
        }
        if !response.status.is_success() {
            return told(response, Some(caller.account_id.clone())).map(|_| String::new());
        }
        let is_this = |made: &Posted| !response.repeats(&made.id) && made.chat_id.as_deref().is_none_or(|chat| chat == chat_id);
        match wire::read::<Posted>(&response.body).ok().filter(is_this) {
            Some(made) => Ok(made.id),
            None => Err(unclear("The message may have been posted, but Microsoft's answer does not show it.")),
        }
    }
}

fn read_person(response: &Response) -> Result<Person> {
    let person: Person = wire::read(&response.body)?;
    if response.repeats(&person.id) { Err(wire::repeating()) } else { Ok(person) }
}

/// The way of asking was refused, so another one is tried.
fn is_no_answer(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::Forbidden)
}

fn only(mut people: Vec<Person>) -> Result<Option<Person>> {
    people.dedup_by(|a, b| a.id == b.id);
    if people.len() > 1 {
        return Err(Error::new(ErrorKind::Conflict, "More than one person has this address, so it is not clear who is meant. Use another address of that person."));
    }
    Ok(people.pop())
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
