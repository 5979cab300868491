//! OneDrive of people and libraries of teams, as far as files of messages need them.

pub mod control;
mod item;
mod place;
pub mod reference;
mod shown;
mod share;
mod store;
pub mod upload;

pub use store::{Drives, Owner};

use crate::graph::{Caller, bad, not_allowed};
use crate::http::{Answer, Call};
use crate::query::lacking;
use crate::world::World;
use place::{Place, Target};

const READ: [&str; 6] = ["Files.Read", "Files.ReadWrite", "Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"];
const READ_ALL: [&str; 4] = ["Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All"];
const WRITE: [&str; 3] = ["Files.ReadWrite", "Files.ReadWrite.All", "Sites.ReadWrite.All"];
const WRITE_ALL: [&str; 2] = ["Files.ReadWrite.All", "Sites.ReadWrite.All"];

pub fn not_found() -> Answer {
    Answer::fail(404, "itemNotFound", "The resource could not be found.")
}

pub fn denied() -> Answer {
    Answer::fail(403, "accessDenied", "Access denied")
}

fn taken() -> Answer {
    Answer::fail(409, "nameAlreadyExists", "An item with the same name already exists under the parent")
}

fn full() -> Answer {
    Answer::fail(507, "quotaLimitReached", "Insufficient Space Available")
}

fn locked() -> Answer {
    Answer::fail(423, "resourceLocked", "The resource you are attempting to access is locked")
}

/// Everything below `me/drive`, `users/{id}/drive` and `drives/{id}`. `person`: whose drive is spoken of; none: the path names a drive.
pub fn handle(world: &mut World, caller: &Caller, call: &Call, person: Option<usize>) -> Answer {
    let Some(me) = caller.person else {
        return lacking("drives for an app on its own");
    };
    let place = match Place::of(call) {
        Ok(place) => place,
        Err(answer) => return answer,
    };
    let at = match (person, &place.drive) {
        (Some(person), _) => match world.drive_of(person) {
            Some(at) => at,
            None => return Answer::fail(404, "ResourceNotFound", "User's mysite not found."),
        },
        (None, Some(id)) => match world.drives.position(id) {
            Some(at) => at,
            None => return not_found(),
        },
        (None, None) => return not_found(),
    };
    let writes = call.method != "GET";
    if let Some(answer) = refused(world, caller, me, at, &place, writes) {
        return answer;
    }
    if writes && world.drives.all[at].locked {
        return locked();
    }
    item::serve(world, call, at, &place)
}

/// The folder of a channel's files: team and channel by their places.
pub fn folder(world: &mut World, call: &Call, (team, channel): (usize, usize)) -> Answer {
    let (at, id) = world.channel_folder(team, channel);
    match shown::item(world, call, at, &id) {
        Ok(shown) => Answer::json(200, &shown),
        Err(refused) => refused,
    }
}

/// Scopes, and whose drive it is: one's own, that of a team or channel one is in, or a file that its person shared.
fn refused(world: &World, caller: &Caller, me: usize, at: usize, place: &Place, writes: bool) -> Option<Answer> {
    let drive = &world.drives.all[at];
    let is_mine = matches!(drive.owner, Owner::Person(owner) if owner == me);
    let wanted: &[&str] = match (is_mine, writes) {
        (true, false) => &READ,
        (true, true) => &WRITE,
        (false, false) => &READ_ALL,
        (false, true) => &WRITE_ALL,
    };
    if !caller.has(wanted) {
        return Some(denied());
    }
    let may = is_mine
        || match &drive.owner {
            Owner::Person(_) => match &place.target {
                Target::Item(id) => drive.item(id).is_some_and(|item| item.shared.iter().any(|(person, role)| *person == me && (!writes || role == "write"))),
                _ => false,
            },
            Owner::Channel(team, channel) => world.is_in_channel(team, channel, me),
        };
    if may { None } else { Some(denied()) }
}

fn unknown(method: &str, action: &str) -> Answer {
    match action {
        "" => not_allowed(),
        _ if ["createLink", "copy", "permissions", "versions", "thumbnails", "search", "delta", "checkin", "checkout", "preview", "listItem", "analytics", "restore"].contains(&action) => {
            lacking(format!("{method} {action} of a driveItem"))
        }
        other => bad(format!("Resource not found for the segment '{other}'.")),
    }
}
