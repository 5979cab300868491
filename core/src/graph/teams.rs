//! People, and the chats that are made with them.

use super::list::List;
use super::wire;
use super::{Caller, Graph, literal, segment};
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient;
use crate::pipeline::{Response, Safety};
use http::Method;
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
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub display_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub job_title: Option<String>,
}

impl From<Person> for crate::model::Person {
    fn from(person: Person) -> Self {
        let is_guest = person.is_guest();
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let (name, user_name) = (given(person.display_name), given(person.user_principal_name));
        Self {
            id: person.id,
            name: name.or_else(|| user_name.clone()).unwrap_or_default(),
            address: given(person.mail),
            user_name,
            job_title: given(person.job_title),
            is_guest,
        }
    }
}

const PERSON: &str = "id,userType,userPrincipalName,mail,displayName,jobTitle";

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
struct WireChat<'a> {
    chat_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    members: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    #[serde(rename = "@odata.type")]
    kind: &'static str,
    roles: [&'static str; 1],
    #[serde(rename = "user@odata.bind")]
    user: String,
}

#[derive(Deserialize)]
struct Made {
    #[serde(deserialize_with = "wire::id")]
    id: String,
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

    /// People whose name or address begins so, by name.
    pub async fn people(&self, caller: &Caller, text: &str, limit: usize) -> Result<Vec<Person>> {
        let top = limit.to_string();
        // Marks that would end the text of a search.
        let text = text.replace(['"', '\\'], " ");
        let search = ["displayName", "mail", "userPrincipalName"].map(|name| format!("\"{name}:{}\"", text.trim())).join(" OR ");
        let url = self.url("users", &[("$search", &search), ("$select", PERSON), ("$top", &top), ("$orderby", "displayName"), ("$count", "true")])?;
        Ok(self.list_by(caller, url, limit, true).await?.map(|list| list.items).unwrap_or_default())
    }

    /// All pages: the first one of a search in the directory may be empty although somebody is found.
    async fn some_people(&self, caller: &Caller, url: Url) -> Result<Vec<Person>> {
        self.list(caller, url).await?.map_or(Ok(Vec::new()), List::all)
    }

    /// The chat of these two; Microsoft makes it or gives the one there is, so asking twice does no harm.
    pub async fn one_to_one_chat(&self, caller: &Caller, me_id: &str, other: &Person) -> Result<String> {
        let id = self.make_chat(caller, me_id, "oneOnOne", None, std::slice::from_ref(other)).await?;
        // The id of such a chat is made of its two members: another pair is another person's chat.
        match pair_of_chat(&id) {
            Some((a, b)) if !is_pair((a, b), (me_id, &other.id)) => Err(Error::new(ErrorKind::Upstream, "Microsoft answered with another chat than the one asked for. Try again later.")),
            _ => Ok(id),
        }
    }

    /// A new group of these people; Microsoft makes another one each time it is asked.
    pub async fn group_chat(&self, caller: &Caller, me_id: &str, topic: Option<&str>, others: &[Person]) -> Result<String> {
        self.make_chat(caller, me_id, "group", topic, others).await
    }

    async fn make_chat(&self, caller: &Caller, me_id: &str, kind: &'static str, topic: Option<&str>, others: &[Person]) -> Result<String> {
        match self.make_chat_as(caller, (me_id, "owner"), kind, topic, others).await {
            // Perhaps it is the sender who is the guest here.
            Err(refused) if matches!(refused.kind(), ErrorKind::InvalidInput | ErrorKind::Forbidden) => {
                let url = self.url("me", &[("$select", PERSON)])?;
                let me = match self.ask(self.get(caller, url)).await.and_then(|response| wire::read::<Person>(&response.body)) {
                    Ok(me) if me.is_guest() => me,
                    _ => return Err(refused),
                };
                self.make_chat_as(caller, (me_id, me.role()), kind, topic, others).await
            }
            answer => answer,
        }
    }

    async fn make_chat_as(&self, caller: &Caller, me: (&str, &'static str), kind: &'static str, topic: Option<&str>, others: &[Person]) -> Result<String> {
        let member = |(id, role): (&str, &'static str)| {
            Ok::<_, Error>(Member { kind: "#microsoft.graph.aadUserConversationMember", roles: [role], user: format!("{}users('{}')", self.root, segment(id)?) })
        };
        let members = std::iter::once(me).chain(others.iter().map(|other| (other.id.as_str(), other.role()))).map(member).collect::<Result<_>>()?;
        let wire = WireChat { chat_type: kind, topic, members };
        let body = serde_json::to_vec(&wire).map_err(|_| Error::internal("A chat could not be written."))?;
        let mut request = self.write(caller, Method::POST, self.url("chats", &[])?, body, Safety::Repeatable);
        request.is_batchable = true;
        let response = self.ask(request).await?;
        let made = wire::read::<Made>(&response.body)?;
        match made.id {
            id if id.is_empty() => Err(wire::unreadable()),
            id if response.repeats(&id) => Err(wire::repeating()),
            id => Ok(id),
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
pub fn pair_of_chat(chat_id: &str) -> Option<(&str, &str)> {
    let pair = chat_id.strip_prefix("19:")?.strip_suffix("@unq.gbl.spaces")?;
    let (a, b) = pair.split_once('_')?;
    let is_id = |id: &str| id.len() == 36 && id.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
    (is_id(a) && is_id(b)).then_some((a, b))
}

fn is_pair((a, b): (&str, &str), (c, d): (&str, &str)) -> bool {
    let same = |x: &str, y: &str| x.eq_ignore_ascii_case(y);
    (same(a, c) && same(b, d)) || (same(a, d) && same(b, c))
}
