//! In whose name a mail leaves: its mailbox's own, or that of a mailbox or group which Exchange lets its person send as, or on behalf of.

use super::app_access::AppAccess;
use super::message::{Address, Message};
use crate::http::Answer;
use crate::people::{Mailbox, People};
use crate::world::World;
use std::collections::HashMap;

/// What somebody may do with an address: use it as From, open its mailbox.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rights {
    pub send_as: bool,
    pub on_behalf: bool,
    pub full_access: bool,
    /// Folders that are shared for reading, by well-known name or id.
    pub folders: Vec<String>,
}

/// A distribution list or a group: it has members, and no mailbox that anybody opens.
pub struct Group {
    pub name: String,
    pub members: Vec<usize>,
}

/// Groups and rights by address, in lower case.
#[derive(Default)]
pub struct Senders {
    /// What Exchange lets apps on their own do, by client id in lower case.
    pub apps: HashMap<String, AppAccess>,
    pub groups: HashMap<String, Group>,
    pub rights: HashMap<(String, usize), Rights>,
}

impl Senders {
    /// Whose mailboxes a mail to this address comes into. None: nobody has it.
    pub fn readers(&self, people: &People, address: &str) -> Option<Vec<usize>> {
        let is_ready = |person: &usize| people.people[*person].mailbox == Mailbox::Ready;
        match self.groups.get(&address.to_lowercase()) {
            Some(group) => Some(group.members.iter().copied().filter(is_ready).collect()),
            None => people.find(address).filter(is_ready).map(|person| vec![person]),
        }
    }
}

/// What a mail shows of who wrote it.
#[derive(Clone)]
pub struct Names {
    pub from: Address,
    pub sender: Address,
}

impl Names {
    pub fn put(self, message: &mut Message) {
        (message.from, message.sender) = (Some(self.from), Some(self.sender));
    }
}

/// The service decides both: what the client wrote into `sender` counts for nothing. `person` sends, from this mailbox. `may_share`: the token allows to send
/// in another's name.
pub fn names(world: &World, person: usize, mailbox: usize, may_share: bool, message: &Message) -> Result<Names, Answer> {
    let own = &world.people.people[person];
    let address = |person: usize| Address { name: world.people.people[person].name.clone(), address: world.people.people[person].address.clone() };
    let own_address = address(person);
    let usual = (person != mailbox).then(|| address(mailbox));
    let Some(given) = message.from.as_ref().or(usual.as_ref()) else { return Ok(Names { from: own_address.clone(), sender: own_address }) };
    let is = |address: &str| address.eq_ignore_ascii_case(&given.address);
    // An alias is shown as the mailbox's address, unless the organisation lets aliases be seen.
    if is(&own.address) || is(own.user_name()) || own.mail().is_some_and(is) || own.aliases.iter().any(|alias| is(alias)) {
        return Ok(Names { from: own_address.clone(), sender: own_address });
    }
    if given.address.split_once('@').is_none_or(|(local, domain)| local.is_empty() || domain.is_empty()) {
        return Err(Answer::fail(400, "ErrorInvalidRecipients", "The sender is not valid."));
    }
    let group = world.senders.groups.get(&given.address.to_lowercase()).map(|group| (group.name.clone(), given.address.clone()));
    let mailbox = || world.people.find(&given.address).map(|other| &world.people.people[other]).map(|other| (other.name.clone(), other.address.clone()));
    let found = group.or_else(mailbox);
    let rights = found.as_ref().and_then(|(_, address)| world.senders.rights.get(&(address.to_lowercase(), person))).cloned().unwrap_or_default();
    match found {
        Some(_) if !may_share && (rights.send_as || rights.on_behalf) => Err(super::denied()),
        // Where somebody has both, it is sent as it.
        Some((name, address)) if rights.send_as => Ok(Names { from: Address { name: name.clone(), address: address.clone() }, sender: Address { name, address } }),
        Some((name, address)) if rights.on_behalf => Ok(Names { from: Address { name, address }, sender: own_address }),
        _ => {
            let text = "The user account which was used to submit this request does not have the right to send mail on behalf of the \
                        specified sending account., Cannot submit message.";
            Err(Answer::fail(403, "ErrorSendAsDenied", text))
        }
    }
}
