//! Answers that came to the wrong place: off by one on a kept connection, or those of another request, person or folder.

use crate::http::{Answer, Call, Host};
use crate::world::World;
use serde_json::Value;

#[derive(Clone, Debug)]
pub struct Slip {
    /// Over all connections, as behind a proxy that shares one among everybody; otherwise on each by itself.
    everybody: bool,
    ids: Ids,
}

/// What `client-request-id` a slipped answer names.
#[derive(Clone, Copy, Debug)]
enum Ids {
    /// That of the request it was meant for.
    Kept,
    None,
    /// That of the request it came to, as if the proxy wrote it.
    Own,
}

impl Slip {
    pub fn parse(ask: &Value) -> Option<Slip> {
        let everybody = match ask["slip"].as_str()? {
            "connection" => false,
            "everybody" => true,
            _ => return None,
        };
        let ids = match ask["ids"].as_str().unwrap_or("kept") {
            "kept" => Ids::Kept,
            "none" => Ids::None,
            "own" => Ids::Own,
            _ => return None,
        };
        Some(Slip { everybody, ids })
    }

    /// The answer before this one, which is kept for the next request. The first is given twice: once here, and once more after it.
    fn pass(&self, last: Option<Answer>, call: &Call, answer: Answer) -> Answer {
        let Some(mut given) = last else { return answer };
        let own = call.header("client-request-id").map(String::from);
        if !matches!(self.ids, Ids::Kept) {
            given.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("client-request-id"));
        }
        match (self.ids, own) {
            (Ids::Own, Some(own)) => given.with("client-request-id", own),
            _ => given,
        }
    }
}

/// One connection.
#[derive(Default)]
pub struct Line {
    slip: Option<Slip>,
    last: Option<Answer>,
}

impl Line {
    /// What is written in place of `answer`. Once a connection has slipped, it stays so until it is closed.
    pub fn pass(&mut self, world: &mut World, call: &Call, slip: Option<(&Slip, &str)>, answer: Answer) -> Answer {
        if let Some((slip, fault)) = slip.filter(|(slip, _)| slip.everybody) {
            let last = world.slipped.insert(fault.to_string(), answer.clone());
            return slip.pass(last, call, answer);
        }
        if let Some((slip, _)) = slip {
            self.slip.get_or_insert_with(|| slip.clone());
        }
        match &self.slip {
            Some(slip) => slip.pass(self.last.replace(answer.clone()), call, answer),
            None => answer,
        }
    }
}

/// The right answer to something else.
#[derive(Clone, Debug)]
pub enum Other {
    /// It names another request than this.
    Request,
    /// The same request as this person would have made it.
    Person(String),
    /// The same request about this folder.
    Folder(String),
}

impl Other {
    pub fn parse(ask: &Value) -> Option<Other> {
        let text = |name: &str| ask[name].as_str().map(String::from);
        match ask["other"].as_str()? {
            "request" => Some(Other::Request),
            "person" => text("as").map(Other::Person),
            "folder" => text("folder").map(Other::Folder),
            _ => None,
        }
    }

    /// The request that is answered in place of this one. Nothing is changed in somebody else's name.
    pub fn asked(&self, world: &World, call: &Call) -> Option<Call> {
        let reads = call.method == "GET" || crate::batch::is_batch(call);
        if call.host != Host::Graph || !reads {
            return None;
        }
        let mut other = call.clone();
        // A place in one list is none in another.
        if ["deltatoken", "skiptoken"].iter().any(|token| call.query.contains(token)) {
            other.query.clear();
        }
        match self {
            Other::Request => return None,
            Other::Person(address) => {
                let token = world.entra.token_of(world.people.find(address)?)?;
                other.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
                other.headers.push(("authorization".into(), format!("Bearer {token}")));
                // Ids of folders are each mailbox's own.
                other.path = in_folder(&call.path, "inbox").unwrap_or(other.path);
            }
            Other::Folder(folder) => other.path = in_folder(&call.path, folder)?,
        }
        Some(other)
    }
}

/// The path with another folder in it; None: it leads into none.
fn in_folder(path: &str, folder: &str) -> Option<String> {
    let (before, after) = path.split_once("/mailFolders/")?;
    let rest = after.split_once('/').map(|(_, rest)| format!("/{rest}")).unwrap_or_default();
    Some(format!("{before}/mailFolders/{folder}{rest}"))
}

/// What is wrong with the items of an answer to a `$batch`.
#[derive(Clone, Debug)]
pub enum Items {
    /// The first one comes once more, with the answer of the second.
    Twice,
    /// The first one comes once more, just the same.
    Same,
    /// There is one that nobody asked for, and one without an id.
    Unknown,
    Reversed,
}

impl Items {
    pub fn parse(ask: &Value) -> Option<Items> {
        match ask["items"].as_str()? {
            "twice" => Some(Items::Twice),
            "same" => Some(Items::Same),
            "unknown" => Some(Items::Unknown),
            "reversed" => Some(Items::Reversed),
            _ => None,
        }
    }

    pub fn spoil(&self, whole: &mut Value) {
        let Some(all) = whole["responses"].as_array_mut() else { return };
        let Some(first) = all.first().cloned() else { return };
        let mut more = all.get(1).cloned().unwrap_or_else(|| first.clone());
        match self {
            Items::Twice => {
                more["id"] = first["id"].clone();
                all.push(more);
            }
            Items::Same => all.push(first),
            Items::Unknown => {
                more["id"] = Value::String("999".into());
                let mut nameless = more.clone();
                if let Some(object) = nameless.as_object_mut() {
                    object.remove("id");
                }
                all.insert(0, nameless);
                all.insert(0, more);
            }
            Items::Reversed => all.sort_by_key(|item| std::cmp::Reverse(item["id"].as_str().and_then(|id| id.parse::<u64>().ok()).unwrap_or(0))),
        }
    }
}
