//! Mailboxes that are not the caller's own: the token has to allow it, and Exchange has to.

use super::senders::Rights;
use crate::graph::Caller;
use crate::http::Call;
use crate::world::World;

/// What Exchange lets this person do with that mailbox.
pub fn rights(world: &World, person: usize, mailbox: usize) -> Rights {
    let address = world.people.people[mailbox].address.to_lowercase();
    world.senders.rights.get(&(address, person)).cloned().unwrap_or_default()
}

/// Permissions for one's own mail open nobody else's.
fn is_granted(caller: &Caller, call: &Call, sends: bool) -> bool {
    match call.method.as_str() {
        "GET" => caller.has(&["Mail.Read.Shared", "Mail.ReadWrite.Shared"]),
        _ if sends => caller.has(&["Mail.Send.Shared"]),
        _ => caller.has(&["Mail.ReadWrite.Shared"]),
    }
}

/// A folder that is shared is read, and nothing beside it.
fn is_shared(world: &World, rights: &Rights, mailbox: usize, call: &Call, rest: &[&str]) -> bool {
    let [folders, name, ..] = rest else { return false };
    let asked = world.mail[mailbox].folder(name);
    call.method == "GET" && folders.eq_ignore_ascii_case("mailFolders") && asked.is_some() && rights.folders.iter().any(|shared| world.mail[mailbox].folder(shared) == asked)
}

pub fn is_open(world: &World, caller: &Caller, call: &Call, mailbox: usize, rest: &[&str], sends: bool) -> bool {
    // An app with a token of its own reaches every mailbox.
    let Some(person) = caller.person.filter(|person| *person != mailbox) else { return true };
    let rights = rights(world, person, mailbox);
    // Large attachments go into one's own mailbox alone, whatever the rights.
    let uploads = rest.last().is_some_and(|last| last.eq_ignore_ascii_case("createUploadSession"));
    is_granted(caller, call, sends) && !uploads && (rights.full_access || is_shared(world, &rights, mailbox, call, rest))
}
