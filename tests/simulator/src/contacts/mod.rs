//! Outlook contacts: which path, with which right, does what. Source: Graph, contact and contactFolder.

pub mod control;
mod delta;
mod shown;
pub mod store;

use crate::actions::only;
use crate::graph::{Caller, no_segment, not_allowed, page};
use crate::http::{Answer, Call};
use crate::mail::{Job, denied, not_found};
use crate::odata;
use crate::query;
use crate::schema::{CONTACT, CONTACT_FOLDER};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Map, Value};
use store::{Contacts, DEFAULT};

const READ: [&str; 2] = ["Contacts.Read", "Contacts.ReadWrite"];

/// The paths below a person that lead here.
pub fn is_here(name: &str) -> bool {
    ["contacts", "contactFolders"].iter().any(|n| n.eq_ignore_ascii_case(name))
}

impl Job<'_> {
    fn contacts(&mut self) -> &mut Contacts {
        &mut self.world.contacts[self.person]
    }
}

pub fn handle(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, person: usize, rest: &[&str]) -> Answer {
    let rights = if call.method == "GET" { &READ[..] } else { &READ[1..] };
    if !caller.has(rights) || caller.person.is_some_and(|p| p != person) {
        return denied();
    }
    if world.people.people[person].mailbox != crate::people::Mailbox::Ready {
        let text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Answer::fail(404, "MailboxNotEnabledForRESTAPI", text);
    }
    let now = world.now();
    let mut job = Job { world, call, person, actor: person, seq: arrival.seq, now, may_share: false };
    match rest.split_first() {
        Some((first, below)) if first.eq_ignore_ascii_case("contacts") => contacts(&mut job, DEFAULT, below),
        Some((_, below)) => folders(&mut job, below),
        None => not_allowed(),
    }
}

fn folders(job: &mut Job, rest: &[&str]) -> Answer {
    let method = job.call.method.as_str();
    let Some((name, below)) = rest.split_first() else {
        return if method == "GET" { list_folders(job, DEFAULT) } else { add_folder(job, DEFAULT) };
    };
    let Some(folder) = job.contacts().folder(name) else { return not_found() };
    match below.split_first() {
        None => match method {
            "GET" => {
                let select = match query::select(job.call, &CONTACT_FOLDER, "RequestBroker--ParseUri") {
                    Ok(select) => select,
                    Err(answer) => return answer,
                };
                let (context, shown) = (job.context("contactFolders/$entity"), shown::folder(job.contacts(), folder, &select));
                Answer::json(200, &shown::with_context(shown, context))
            }
            "DELETE" if folder == DEFAULT => Answer::fail(403, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted."),
            "DELETE" => {
                job.contacts().drop_folder(folder);
                Answer::empty(204)
            }
            _ => not_allowed(),
        },
        Some((first, below)) if first.eq_ignore_ascii_case("contacts") => contacts(job, folder, below),
        Some((first, [])) if first.eq_ignore_ascii_case("childFolders") && method == "GET" => list_folders(job, folder),
        Some((first, [])) if first.eq_ignore_ascii_case("childFolders") => add_folder(job, folder),
        Some((other, _)) => no_segment(other),
    }
}

/// The default folder stands in no list.
fn list_folders(job: &mut Job, parent: usize) -> Answer {
    let call = job.call;
    let (select, (top, skip), count) = match (|| Ok((query::select(call, &CONTACT_FOLDER, "RequestBroker--ParseUri")?, query::window(call, 10, 1000)?, query::count(call)?)))() {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let context = job.context("contactFolders");
    let contacts = job.contacts();
    let all = contacts.children(parent);
    let value = all.iter().skip(skip).take(top).map(|at| shown::folder(contacts, *at, &select)).collect();
    let next = (skip + top < all.len()).then(|| odata::relink(call, "$skip", &(skip + top).to_string()));
    page(context, value, next, count.then_some(all.len()))
}

fn add_folder(job: &mut Job, parent: usize) -> Answer {
    let Some(body) = job.call.json() else { return unreadable() };
    if let Err(answer) = only(&body, "contactFolder", &["displayName", "parentFolderId"], &[]) {
        return answer;
    }
    let Some(name) = body["displayName"].as_str().filter(|name| !name.is_empty()) else {
        return Answer::fail(400, "ErrorInvalidRequest", "The folder's display name is missing.");
    };
    let twin = job.contacts().children(parent).into_iter().any(|at| job.world.contacts[job.person].folders[at].name == name);
    if twin {
        return Answer::fail(409, "ErrorFolderExists", "A folder with the specified name already exists.");
    }
    let at = job.world.contacts[job.person].add_folder(&mut job.world.ids, name, Some(parent));
    let (context, shown) = (job.context("contactFolders/$entity"), shown::folder(job.contacts(), at, &[]));
    Answer::json(201, &shown::with_context(shown, context))
}

fn contacts(job: &mut Job, folder: usize, rest: &[&str]) -> Answer {
    let method = job.call.method.as_str();
    let Some((id, below)) = rest.split_first() else {
        return if method == "GET" { list(job, folder) } else { add(job, folder) };
    };
    if id.eq_ignore_ascii_case("delta") && below.is_empty() {
        return delta::contacts(job, folder);
    }
    let Some(key) = job.contacts().find(id) else { return not_found() };
    match (method, below) {
        ("GET", []) => match query::select(job.call, &CONTACT, "RequestBroker--ParseUri") {
            Ok(select) => one(job, 200, key, &select),
            Err(answer) => answer,
        },
        ("PATCH", []) => match fields(job) {
            Ok(fields) => {
                let now = job.now;
                job.contacts().edit(key, fields, now);
                one(job, 200, key, &[])
            }
            Err(answer) => answer,
        },
        ("DELETE", []) => {
            job.contacts().remove(key);
            Answer::empty(204)
        }
        (_, []) => not_allowed(),
        (_, [other, ..]) => no_segment(other),
    }
}

fn list(job: &mut Job, folder: usize) -> Answer {
    let call = job.call;
    let (select, (top, skip), count) = match (|| Ok((query::select(call, &CONTACT, "RequestBroker--ParseUri")?, query::window(call, 10, 1000)?, query::count(call)?)))() {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let (context, immutable) = (job.context("contacts"), call.wants_immutable());
    let contacts = job.contacts();
    let all = contacts.in_folder(folder);
    let value = all.iter().skip(skip).take(top).filter_map(|key| Some(shown::contact(contacts, contacts.get(*key)?, immutable, &select))).collect();
    let next = (skip + top < all.len()).then(|| odata::relink(call, "$skip", &(skip + top).to_string()));
    page(context, value, next, count.then_some(all.len()))
}

fn add(job: &mut Job, folder: usize) -> Answer {
    let fields = match fields(job) {
        Ok(fields) => fields,
        Err(answer) => return answer,
    };
    let (person, now) = (job.person, job.now);
    let key = job.world.contacts[person].insert(&mut job.world.ids, folder, fields, now);
    one(job, 201, key, &[])
}

fn one(job: &mut Job, status: u16, key: u32, select: &[String]) -> Answer {
    let (context, immutable) = (job.context("contacts/$entity"), job.call.wants_immutable());
    let contacts = job.contacts();
    let Some(contact) = contacts.get(key) else { return not_found() };
    Answer::json(status, &shown::with_context(shown::contact(contacts, contact, immutable, select), context))
}

/// What a body says of a contact.
fn fields(job: &Job) -> Result<Map<String, Value>, Answer> {
    let body = job.call.json().ok_or_else(unreadable)?;
    let known: Vec<&str> = CONTACT.properties.iter().filter(|p| p.can.contains('r') && !shown::MADE.contains(&p.name)).map(|p| p.name).collect();
    let lacks: Vec<&str> = CONTACT.properties.iter().filter(|p| p.can.is_empty()).map(|p| p.name).collect();
    only(&body, "contact", &known, &lacks)?;
    let fields = body.as_object().into_iter().flatten().filter(|(name, _)| !name.contains('@')).map(|(name, value)| (name.clone(), value.clone()));
    Ok(fields.collect())
}

fn unreadable() -> Answer {
    Answer::fail(400, "BadRequest", "Unable to read JSON request payload.")
}
