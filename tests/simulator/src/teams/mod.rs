//! Chats, teams and their channels, and what is said in them.

mod channels;
mod chats;
pub mod control;
mod hosted;
mod messages;
mod places;
mod said;

pub use channels::sees;
pub use messages::throttled;
pub use places::{all, joined, team};

use crate::graph::{Caller, bad, no_segment, not_allowed, page};
use crate::http::{Answer, Call};
use crate::odata;
use crate::query::lacking;
use crate::schema::{CHAT, Meaning};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

#[derive(Default)]
pub struct ChatMessage {
    pub id: i64,
    pub from: usize,
    pub html: bool,
    pub content: String,
    importance: String,
    subject: Option<String>,
    mentions: Value,
    attachments: Value,
    hosted: Vec<hosted::Hosted>,
    /// The message of a channel that it answers.
    reply_to: Option<i64>,
    edited: Option<i64>,
    deleted: Option<i64>,
    /// Of Teams itself.
    system: bool,
}

impl ChatMessage {
    /// When anything of it was changed last.
    fn changed(&self) -> i64 {
        self.deleted.or(self.edited).unwrap_or(self.id)
    }

    fn kind(&self) -> &'static str {
        if self.system { "systemEventMessage" } else { "message" }
    }

    fn new(id: i64, from: usize, reply_to: Option<i64>, said: said::Said) -> Self {
        let said::Said { html, content, importance, subject, mentions, attachments, hosted } = said;
        Self { id, from, html, content, importance, subject, mentions, attachments, hosted, reply_to, edited: None, deleted: None, system: false }
    }
}

pub struct Channel {
    pub id: String,
    pub name: String,
    description: Option<String>,
    /// `standard`, `private` or `shared`.
    kind: String,
    archived: bool,
    created: i64,
    /// Of a private or shared one.
    members: Option<Vec<usize>>,
    pub messages: Vec<ChatMessage>,
}

impl Channel {
    pub fn kind(&self) -> &str {
        &self.kind
    }

    pub fn is_archived(&self) -> bool {
        self.archived
    }
}

pub struct Team {
    pub id: String,
    pub name: String,
    description: Option<String>,
    tenant: usize,
    pub members: Vec<usize>,
    archived: bool,
    /// Ids and names.
    tags: Vec<(String, String)>,
    /// The first one is the general channel.
    pub channels: Vec<Channel>,
}

impl Team {
    pub fn tenant(&self) -> usize {
        self.tenant
    }

    pub fn is_archived(&self) -> bool {
        self.archived
    }
}

pub struct Chat {
    pub id: String,
    pub one_on_one: bool,
    topic: Option<String>,
    pub members: Vec<usize>,
    created: i64,
    updated: i64,
    tenant: usize,
    pub messages: Vec<ChatMessage>,
}

#[derive(Default)]
pub struct Teams {
    pub chats: Vec<Chat>,
    pub teams: Vec<Team>,
}

pub fn denied(caller: &Caller, needed: &str) -> Answer {
    let text = match caller.person {
        Some(_) => format!(
            "Missing scope permissions on the request. API requires one of '{needed}'. Scopes on the request '{}'",
            caller.scopes.join(", ")
        ),
        None => format!(
            "Missing role permissions on the request. API requires one of '{needed}'. Roles on the request '{}'.",
            caller.scopes.join(", ")
        ),
    };
    Answer::fail(403, "Forbidden", text)
}

fn not_found(text: &str) -> Answer {
    Answer::fail(404, "NotFound", text)
}

const READ: [&str; 6] =
    ["Chat.ReadBasic", "Chat.Read", "Chat.ReadWrite", "Chat.ReadBasic.All", "Chat.Read.All", "Chat.ReadWrite.All"];
const READ_MESSAGES: [&str; 4] = ["Chat.Read", "Chat.ReadWrite", "Chat.Read.All", "Chat.ReadWrite.All"];
const CREATE: [&str; 3] = ["Chat.Create", "Chat.ReadWrite", "Chat.ReadWrite.All"];
const SEND: [&str; 4] = ["ChatMessage.Send", "Chat.ReadWrite", "Chat.ReadWrite.All", "Group.ReadWrite.All"];

const WRITE: [&str; 1] = ["Chat.ReadWrite"];

fn found<'a>(messages: &'a mut [ChatMessage], id: &str) -> Option<&'a mut ChatMessage> {
    messages.iter_mut().find(|m| m.id.to_string() == id)
}

/// `person` is set for the paths below a user, which are for reading, and for deleting a message.
pub fn handle(
    world: &mut World,
    caller: &Caller,
    call: &Call,
    arrival: &Arrival,
    person: Option<usize>,
    rest: &[&str],
) -> Answer {
    let method = call.method.as_str();
    let below_user = person.is_some();
    let Some(me) = person.or(caller.person) else {
        return denied(caller, "Teamwork.Migrate.All");
    };
    if caller.person.is_some_and(|p| p != me) {
        return Answer::fail(403, "Forbidden", "Forbidden");
    }
    if method != "GET" && caller.person.is_none() {
        return denied(caller, "Teamwork.Migrate.All");
    }
    let teams = world.people.people[me].teams;
    let licence = || {
        Answer::fail(
            403,
            "Forbidden",
            "Failed to get license information for the user. Ensure user has a valid Office365 license assigned to them.",
        )
    };
    if !teams {
        return licence();
    }
    let Some((id, rest)) = rest.split_first() else {
        return match method {
            "GET" if !caller.has(&READ) => denied(caller, &READ.join(", ")),
            "GET" => chats::list(world, call, me),
            "POST" if below_user => not_allowed(),
            "POST" if !caller.has(&CREATE) => denied(caller, &CREATE.join(", ")),
            "POST" => chats::create(world, call, arrival, me),
            _ => not_allowed(),
        };
    };
    let known = world.teams.chats.iter().position(|c| c.id == *id && (caller.person.is_none() || c.members.contains(&me)));
    let Some(chat) = known else {
        return not_found("NotFound");
    };
    match (method, rest) {
        ("GET", []) if caller.has(&READ) => {
            let expand = match expanded(call) {
                Ok(expand) => expand,
                Err(answer) => return answer,
            };
            let mut shown = chats::chat_json(world, chat, &expand);
            shown["@odata.context"] = json!(format!("{}/$metadata#chats/$entity", call.base()));
            Answer::json(200, &shown)
        }
        ("GET", ["members"]) if caller.has(&READ) => {
            let members = chats::members(world, chat);
            let context = format!("{}/$metadata#chats('{id}')/members", call.base());
            let count = members.len();
            page(context, members, None, Some(count))
        }
        ("GET", []) | ("GET", ["members"]) => denied(caller, &READ.join(", ")),
        ("GET", ["messages", ..]) if !caller.has(&READ_MESSAGES) => denied(caller, &READ_MESSAGES.join(", ")),
        ("GET", ["messages"]) => messages::list(world, call, chat),
        ("GET", ["messages", one]) => {
            let found = world.teams.chats[chat].messages.iter().position(|m| m.id.to_string() == *one);
            match found {
                Some(at) => Answer::json(200, &messages::with_context(world, call, chat, at)),
                None => not_found("NotFound"),
            }
        }
        ("GET", ["messages", one, "hostedContents", rest @ ..]) => match world.teams.chats[chat].messages.iter().find(|m| m.id.to_string() == *one) {
            Some(message) => hosted::show(call, message, rest),
            None => not_found("NotFound"),
        },
        ("POST", ["messages"]) if below_user => bad("Write requests are only supported on contained entities"),
        ("POST", ["messages"]) if !caller.has(&SEND) => denied(caller, "ChatMessage.Send, Chat.ReadWrite, Group.ReadWrite.All"),
        ("POST", ["messages"]) => messages::post(world, call, arrival, chat, me),
        ("PATCH", ["messages", one]) if !below_user => {
            if !caller.has(&WRITE) {
                return denied(caller, &WRITE.join(", "));
            }
            let (chat_id, one) = (id.to_string(), one.to_string());
            messages::change(world, call, &said::Place::Chat(&chat_id), me, |world| found(&mut world.teams.chats[chat].messages, &one))
        }
        ("POST", ["messages", one, "softDelete"]) if below_user => {
            if !caller.has(&WRITE) {
                return denied(caller, &WRITE.join(", "));
            }
            let now = world.now();
            messages::soft_delete(found(&mut world.teams.chats[chat].messages, one), me, now)
        }
        (_, []) | (_, ["members" | "messages", ..]) => not_allowed(),
        (_, [other, ..]) => no_segment(other),
    }
}

/// What is to be shown with a chat, in lower case.
fn expanded(call: &Call) -> Result<Vec<String>, Answer> {
    let mut names = Vec::new();
    for (name, options) in odata::expansions(&call.param("$expand").unwrap_or_default()) {
        match CHAT.means(&name, 'r') {
            Meaning::Here(_) if options.is_empty() => names.push(name.to_lowercase()),
            Meaning::Here(_) => return Err(lacking("options inside of $expand")),
            Meaning::Lacking => return Err(lacking(format!("$expand of {name}"))),
            Meaning::Unknown => return Err(bad(CHAT.no_property(&name))),
        }
    }
    Ok(names)
}

fn size(call: &Call, default: usize) -> Result<usize, Answer> {
    match call.param("$top").map(|t| t.parse::<usize>()) {
        None => Ok(default),
        Some(Ok(n)) if (1..=50).contains(&n) => Ok(n),
        Some(_) => Err(bad("The limit of '50' for Top query has been exceeded.")),
    }
}

fn skipped(call: &Call) -> usize {
    call.param("$skiptoken").and_then(|t| t.strip_prefix('c').and_then(|n| n.parse().ok())).unwrap_or(0)
}
