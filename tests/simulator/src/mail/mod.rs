//! Outlook mail: which path, with which right, does what.

pub mod app_access;
pub mod automatic;
pub mod compose;
pub mod delta;
pub mod eml;
mod folders;
mod item;
pub mod journal;
pub mod json;
mod kql;
mod list;
pub mod message;
mod mime;
pub mod send;
pub mod senders;
mod shared;
pub mod store;
pub mod token;
pub mod upload;

use crate::graph::{Caller, no_segment, not_allowed};
use crate::http::{Answer, Call};
use crate::server::Arrival;
use crate::world::World;

pub fn not_found() -> Answer {
    Answer::fail(404, "ErrorItemNotFound", "The specified object was not found in the store.")
}

pub fn denied() -> Answer {
    Answer::fail(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
}

/// One request on one mailbox.
pub struct Job<'a> {
    pub world: &'a mut World,
    pub call: &'a Call,
    pub person: usize,
    pub seq: u64,
    pub now: i64,
    /// Who asks: the person of the mailbox, or somebody who may open it.
    pub actor: usize,
    /// The token allows to send in another's name.
    pub may_share: bool,
}

impl Job<'_> {
    pub fn mailbox(&mut self) -> &mut store::Mailbox {
        &mut self.world.mail[self.person]
    }

    /// `users('…')/` for contexts.
    pub fn context(&self, tail: &str) -> String {
        let id = &self.world.people.people[self.person].id;
        format!("{}/$metadata#users('{id}')/{tail}", self.call.base())
    }

    /// Mail that is read without immutable ids cannot be followed when it moves.
    pub fn accuse_ids(&mut self) {
        if self.call.method == "GET" && !self.call.wants_immutable() {
            let text = format!("GET {} without IdType=\"ImmutableId\"", self.call.path);
            self.world.ledger.accuse("no_immutable_id", self.seq, text);
        }
    }
}

fn sends(rest: &[&str]) -> bool {
    rest.last().is_some_and(|last| ["sendMail", "send", "reply", "replyAll", "forward"].iter().any(|s| s.eq_ignore_ascii_case(last)))
}

fn allowed(caller: &Caller, call: &Call, rest: &[&str]) -> bool {
    if call.method == "GET" {
        caller.has(&["Mail.Read", "Mail.ReadWrite", "Mail.ReadBasic", "Mail.Read.Shared", "Mail.ReadWrite.Shared"])
    } else if sends(rest) {
        caller.has(&["Mail.Send", "Mail.Send.Shared"])
    } else {
        caller.has(&["Mail.ReadWrite", "Mail.ReadWrite.Shared"])
    }
}

pub fn handle(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, person: usize, rest: &[&str]) -> Answer {
    if !allowed(caller, call, rest) {
        return denied();
    }
    if world.people.people[person].mailbox != crate::people::Mailbox::Ready {
        let text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Answer::fail(404, "MailboxNotEnabledForRESTAPI", text);
    }
    if !shared::is_open(world, caller, call, person, rest, sends(rest)) {
        return denied();
    }
    send::submit_due(world);
    let now = world.now();
    let actor = caller.person.unwrap_or(person);
    let may_share = caller.has(&["Mail.Send.Shared"]);
    let mut job = Job { world, call, person, actor, seq: arrival.seq, now, may_share };
    let lower: Vec<String> = rest.iter().map(|s| s.to_ascii_lowercase()).collect();
    let names: Vec<&str> = lower.iter().map(String::as_str).collect();
    match (call.method.as_str(), names.as_slice()) {
        ("POST", ["sendmail"]) => send::send_mail(&mut job),
        (_, ["sendmail"]) => not_allowed(),
        (_, ["messages", ..]) => messages(&mut job, None, rest.get(1..).unwrap_or(&[])),
        ("GET", ["mailfolders"]) => folders::list(&mut job, store::ROOT),
        ("POST", ["mailfolders"]) => folders::create(&mut job, store::ROOT),
        ("GET", ["mailfolders", "delta"]) => delta::folders(&mut job),
        ("GET", ["mailfolders", "$count"]) => folders::count(&mut job, store::ROOT),
        (_, ["mailfolders", _, ..]) => folder(&mut job, rest.get(1..).unwrap_or(&[])),
        _ => not_allowed(),
    }
}

fn folder(job: &mut Job, rest: &[&str]) -> Answer {
    let Some((name, rest)) = rest.split_first() else {
        return not_allowed();
    };
    let Some(folder) = job.mailbox().folder(name) else {
        return not_found();
    };
    let method = job.call.method.as_str();
    let Some((first, more)) = rest.split_first() else {
        return match method {
            "GET" => folders::get(job, folder),
            "PATCH" => folders::rename(job, folder),
            "DELETE" => folders::delete(job, folder),
            _ => not_allowed(),
        };
    };
    match first.to_ascii_lowercase().as_str() {
        "messages" => messages(job, Some(folder), more),
        "childfolders" if more == ["$count"] => folders::count(job, folder),
        "childfolders" if !more.is_empty() => self::folder(job, more),
        "childfolders" if method == "GET" => folders::list(job, folder),
        "childfolders" if method == "POST" => folders::create(job, folder),
        "move" if method == "POST" => folders::shift(job, folder),
        "copy" if method == "POST" => folders::copy(job, folder),
        "permanentdelete" if method == "POST" => folders::delete(job, folder),
        other => no_segment(other),
    }
}

fn messages(job: &mut Job, folder: Option<usize>, rest: &[&str]) -> Answer {
    let method = job.call.method.as_str();
    let Some((id, rest)) = rest.split_first() else {
        return match method {
            "GET" => {
                job.accuse_ids();
                list::messages(job, folder)
            }
            "POST" => item::create(job, folder),
            _ => not_allowed(),
        };
    };
    if id.eq_ignore_ascii_case("delta") && rest.is_empty() && method == "GET" {
        let Some(folder) = folder else {
            return no_segment("delta");
        };
        job.accuse_ids();
        return delta::messages(job, folder);
    }
    if *id == "$count" {
        return list::count(job, folder);
    }
    if !id.starts_with("AA") || id.len() < 20 {
        return Answer::fail(400, "ErrorInvalidIdMalformed", "Id is malformed.");
    }
    let found = job.mailbox().find(id).filter(|key| {
        let at = job.mailbox().get(*key).map(|m| m.folder);
        folder.is_none() || folder == at
    });
    let Some(key) = found else { return not_found() };
    // For a while after a send, the copy is not there yet.
    if let Some(message) = job.mailbox().get_mut(key).filter(|m| m.late > 0) {
        message.late -= 1;
        return not_found();
    }
    item::handle(job, key, rest)
}
