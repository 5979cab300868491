//! The contacts of one mailbox: folders, contacts in them, and what happened in each.

use crate::ids::Ids;
use crate::mail::journal::Journal;
use serde_json::{Map, Value};

pub struct Folder {
    pub id: String,
    pub name: String,
    /// None: the default folder, which stands in no list of folders.
    pub parent: Option<usize>,
    pub gone: bool,
    pub journal: Journal,
}

pub struct Contact {
    pub id: String,
    pub immutable: String,
    pub folder: usize,
    /// As they were given, by the names of the schema.
    pub fields: Map<String, Value>,
    pub created: i64,
    pub modified: i64,
    /// The change that its key tells of.
    pub change: u64,
}

pub const DEFAULT: usize = 0;

pub struct Contacts {
    pub folders: Vec<Folder>,
    contacts: Vec<Option<Contact>>,
    pub seq: u64,
}

impl Contacts {
    pub fn new(ids: &mut Ids) -> Contacts {
        let mut all = Contacts { folders: Vec::new(), contacts: Vec::new(), seq: 0 };
        all.add_folder(ids, "Contacts", None);
        all
    }

    pub fn add_folder(&mut self, ids: &mut Ids, name: &str, parent: Option<usize>) -> usize {
        self.folders.push(Folder { id: ids.item("AAMkAGNv"), name: name.into(), parent, gone: false, journal: Journal::default() });
        self.folders.len() - 1
    }

    /// By id; the default one by its well-known name as well.
    pub fn folder(&self, name: &str) -> Option<usize> {
        if name.eq_ignore_ascii_case("contacts") {
            return Some(DEFAULT);
        }
        self.folders.iter().position(|f| !f.gone && f.id == name)
    }

    pub fn children(&self, parent: usize) -> Vec<usize> {
        self.folders.iter().enumerate().filter(|(_, f)| !f.gone && f.parent == Some(parent)).map(|(at, _)| at).collect()
    }

    pub fn get(&self, key: u32) -> Option<&Contact> {
        self.contacts.get(key as usize).and_then(Option::as_ref)
    }

    pub fn find(&self, id: &str) -> Option<u32> {
        let at = self.contacts.iter().position(|c| c.as_ref().is_some_and(|c| c.id == id || c.immutable == id))?;
        u32::try_from(at).ok()
    }

    pub fn in_folder(&self, folder: usize) -> Vec<u32> {
        (0..).zip(&self.contacts).filter(|(_, c)| c.as_ref().is_some_and(|c| c.folder == folder)).map(|(key, _)| key).collect()
    }

    pub fn insert(&mut self, ids: &mut Ids, folder: usize, fields: Map<String, Value>, now: i64) -> u32 {
        let key = u32::try_from(self.contacts.len()).unwrap_or(u32::MAX);
        self.seq += 1;
        let (id, immutable) = (ids.item("AAMkAGNt"), ids.item("AAkALgAB"));
        self.contacts.push(Some(Contact { id, immutable, folder, fields, created: now, modified: now, change: self.seq }));
        self.folders[folder].journal.touch(key, self.seq);
        key
    }

    pub fn edit(&mut self, key: u32, fields: Map<String, Value>, now: i64) {
        self.seq += 1;
        let seq = self.seq;
        if let Some(contact) = self.contacts.get_mut(key as usize).and_then(Option::as_mut) {
            contact.fields.extend(fields);
            (contact.modified, contact.change) = (now, seq);
            self.folders[contact.folder].journal.touch(key, seq);
        }
    }

    pub fn remove(&mut self, key: u32) {
        self.seq += 1;
        if let Some(contact) = self.contacts.get_mut(key as usize).and_then(Option::take) {
            self.folders[contact.folder].journal.leave(key, self.seq, contact.id, contact.immutable, 0);
        }
    }

    /// With everything in it and below it.
    pub fn drop_folder(&mut self, folder: usize) {
        for child in self.children(folder) {
            self.drop_folder(child);
        }
        for key in self.in_folder(folder) {
            self.remove(key);
        }
        self.folders[folder].gone = true;
    }
}
