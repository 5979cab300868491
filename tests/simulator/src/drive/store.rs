//! Drives and what is in them.

use super::upload::Session;
use crate::http::Bytes;
use crate::world::World;
use std::collections::HashMap;

/// What a drive takes at the start.
const QUOTA: u64 = 1 << 40;
/// What no name of a file may hold.
const FORBIDDEN: [char; 9] = ['"', '*', ':', '<', '>', '?', '/', '\\', '|'];

#[derive(Clone, PartialEq, Eq)]
pub enum Owner {
    Person(usize),
    /// Team and channel. Standard channels share the library of their team, whose first channel stands for it.
    Channel(String, String),
}

pub struct Item {
    pub id: String,
    /// None: the root.
    pub parent: Option<String>,
    pub name: String,
    /// None: a folder.
    pub bytes: Option<Bytes>,
    pub guid: String,
    pub version: u32,
    pub created: i64,
    pub modified: i64,
    /// With whom, and as what: `read`, `write`.
    pub shared: Vec<(usize, String)>,
}

pub struct Drive {
    pub id: String,
    pub owner: Owner,
    pub items: Vec<Item>,
    pub quota: u64,
    pub locked: bool,
    /// The address for people under which all of it is.
    pub url: String,
}

#[derive(Default)]
pub struct Drives {
    pub all: Vec<Drive>,
    /// By the id in their address.
    pub sessions: HashMap<String, Session>,
}

/// What becomes of a name that is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    Fail,
    Replace,
    Rename,
}

impl Conflict {
    pub fn parse(text: &str) -> Option<Conflict> {
        match text.to_lowercase().as_str() {
            "fail" => Some(Conflict::Fail),
            "replace" => Some(Conflict::Replace),
            "rename" => Some(Conflict::Rename),
            _ => None,
        }
    }
}

/// What SharePoint refuses as a name.
pub fn is_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    let stem = lower.split('.').next().unwrap_or("");
    let device = ["con", "prn", "aux", "nul"].contains(&stem) || (stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) && stem.ends_with(|c: char| c.is_ascii_digit()));
    let reserved = device || lower == ".lock" || lower == "desktop.ini" || lower.starts_with("~$") || lower.contains("_vti_");
    !name.is_empty() && name.chars().count() <= 255 && name.trim() == name && !name.ends_with('.') && !name.contains(FORBIDDEN) && !reserved
}

impl Drives {
    pub fn position(&self, id: &str) -> Option<usize> {
        self.all.iter().position(|drive| drive.id == id)
    }
}

impl Drive {
    pub fn root(&self) -> String {
        self.items.first().map_or(String::new(), |item| item.id.clone())
    }

    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id == id)
    }

    pub fn item_mut(&mut self, id: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.id == id)
    }

    /// Names are compared without regard to letter case.
    pub fn child(&self, parent: &str, name: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.parent.as_deref() == Some(parent) && item.name.eq_ignore_ascii_case(name))
    }

    pub fn walk(&self, from: &str, path: &[String]) -> Option<&Item> {
        path.iter().try_fold(self.item(from)?, |at, name| self.child(&at.id, name))
    }

    pub fn used(&self) -> u64 {
        self.items.iter().filter_map(|item| item.bytes.as_ref()).map(|bytes| bytes.len() as u64).sum()
    }

    /// Names from below the root down to the item.
    pub fn path(&self, item: &Item) -> Vec<String> {
        let mut names = Vec::new();
        let mut at = Some(item);
        while let Some(item) = at.filter(|item| item.parent.is_some()) {
            names.push(item.name.clone());
            at = item.parent.as_deref().and_then(|id| self.item(id));
        }
        names.reverse();
        names
    }

    /// The address of the file itself.
    pub fn dav_url(&self, item: &Item) -> String {
        let names = self.path(item).iter().map(|name| segment(name)).collect::<Vec<_>>();
        [vec![self.url.clone()], names].concat().join("/")
    }

    /// A name that is free: `a 1.pdf` beside `a.pdf`.
    pub fn free(&self, parent: &str, name: &str) -> String {
        let (stem, extension) = match name.rfind('.') {
            Some(at) if at > 0 => name.split_at(at),
            _ => (name, ""),
        };
        (1..).map(|n| format!("{stem} {n}{extension}")).find(|name| self.child(parent, name).is_none()).unwrap_or_default()
    }

    pub fn remove(&mut self, id: &str) {
        let children: Vec<String> = self.items.iter().filter(|item| item.parent.as_deref() == Some(id)).map(|item| item.id.clone()).collect();
        for child in children {
            self.remove(&child);
        }
        self.items.retain(|item| item.id != id);
    }
}

/// As SharePoint writes names into addresses.
pub fn segment(name: &str) -> String {
    name.bytes().map(|b| if b.is_ascii_alphanumeric() || b"-._~()!".contains(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

impl World {
    /// A person's OneDrive, made when it is first asked for. None: there is no licence for one.
    pub fn drive_of(&mut self, person: usize) -> Option<usize> {
        if !self.people.people[person].onedrive {
            return None;
        }
        if let Some(at) = self.drives.all.iter().position(|drive| drive.owner == Owner::Person(person)) {
            return Some(at);
        }
        let domain = self.people.tenant_of(person).domain.replace('.', "");
        let short = domain.strip_suffix("com").unwrap_or(&domain);
        let user = self.people.people[person].address.replace(['@', '.'], "_");
        let url = format!("https://{short}-my.sharepoint.com/personal/{user}/Documents");
        Some(self.add_drive(Owner::Person(person), url))
    }

    /// The library that has a channel's files, and the folder in it.
    pub fn channel_folder(&mut self, team: usize, channel: usize) -> (usize, String) {
        let (team_id, one) = (self.teams.teams[team].id.clone(), &self.teams.teams[team].channels[channel]);
        let (channel_id, name) = (one.id.clone(), one.name.clone());
        let own = one.kind() != "standard";
        let stands = if own { channel_id.clone() } else { self.teams.teams[team].channels.first().map_or(String::new(), |c| c.id.clone()) };
        let owner = Owner::Channel(team_id, stands);
        let at = match self.drives.all.iter().position(|drive| drive.owner == owner) {
            Some(at) => at,
            None => {
                let domain = self.people.tenants[self.teams.teams[team].tenant()].domain.replace('.', "");
                let short = domain.strip_suffix("com").unwrap_or(&domain);
                let site: String = self.teams.teams[team].name.chars().filter(char::is_ascii_alphanumeric).collect();
                let site = if own { format!("{site}-{}", segment(&name)) } else { site };
                self.add_drive(owner, format!("https://{short}.sharepoint.com/sites/{site}/Shared%20Documents"))
            }
        };
        if own {
            return (at, self.drives.all[at].root());
        }
        let root = self.drives.all[at].root();
        (at, self.folder(at, &root, &name))
    }

    fn add_drive(&mut self, owner: Owner, url: String) -> usize {
        let id = format!("b!{}", self.ids.text(40));
        self.drives.all.push(Drive { id, owner, items: Vec::new(), quota: QUOTA, locked: false, url });
        let at = self.drives.all.len() - 1;
        self.add_item(at, None, "root", None);
        at
    }

    pub fn add_item(&mut self, at: usize, parent: Option<&str>, name: &str, bytes: Option<Bytes>) -> String {
        let (id, guid, now) = (format!("01{}", self.ids.text(32).to_uppercase().replace(['-', '_'], "A")), self.ids.guid(), self.now());
        let item = Item { id: id.clone(), parent: parent.map(String::from), name: name.to_string(), bytes, guid, version: 1, created: now, modified: now, shared: Vec::new() };
        self.drives.all[at].items.push(item);
        id
    }

    /// The folder of this name, made if it is not there.
    pub fn folder(&mut self, at: usize, parent: &str, name: &str) -> String {
        match self.drives.all[at].child(parent, name).map(|item| item.id.clone()) {
            Some(id) => id,
            None => self.add_item(at, Some(parent), name, None),
        }
    }

    pub fn is_in_channel(&self, team: &str, channel: &str, person: usize) -> bool {
        let Some(team) = self.teams.teams.iter().find(|t| t.id == team) else { return false };
        team.members.contains(&person) && team.channels.iter().find(|c| c.id == channel).is_some_and(|c| crate::teams::sees(c, Some(person)))
    }
}
