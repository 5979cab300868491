//! A mailbox: folders, messages, and the two kinds of ids.

use super::journal::Journal;
use super::message::{Message, topic};
use crate::http::base64;
use crate::ids::Ids;
use std::collections::{BTreeSet, HashMap};

pub struct Folder {
    pub id: String,
    pub name: String,
    pub well_known: Option<&'static str>,
    pub parent: usize,
    pub hidden: bool,
    pub gone: bool,
    pub order: BTreeSet<(i64, u32)>,
    pub unread: usize,
    pub journal: Journal,
}

pub const ROOT: usize = 0;

const FOLDERS: [(&str, &str, bool); 11] = [
    ("msgfolderroot", "Top of Information Store", false),
    ("inbox", "Inbox", false),
    ("drafts", "Drafts", false),
    ("sentitems", "Sent Items", false),
    ("deleteditems", "Deleted Items", false),
    ("junkemail", "Junk Email", false),
    ("archive", "Archive", false),
    ("outbox", "Outbox", false),
    ("conversationhistory", "Conversation History", false),
    ("syncissues", "Sync Issues", true),
    ("recoverableitemsdeletions", "Deletions", true),
];

/// Names of the well-known folders, in the order of `FOLDERS`.
const GERMAN: [&str; 11] = [
    "Oberste Ebene des Informationsspeichers",
    "Posteingang",
    "Entwürfe",
    "Gesendete Elemente",
    "Gelöschte Elemente",
    "Junk-E-Mail",
    "Archiv",
    "Postausgang",
    "Aufgezeichnete Unterhaltungen",
    "Synchronisierungsprobleme",
    "Deletions",
];

const FRENCH: [&str; 11] = [
    "Haut de la banque d'informations",
    "Boîte de réception",
    "Brouillons",
    "Éléments envoyés",
    "Éléments supprimés",
    "Courrier indésirable",
    "Archive",
    "Boîte d'envoi",
    "Historique des conversations",
    "Problèmes de synchronisation",
    "Deletions",
];

const JAPANESE: [&str; 11] = [
    "インフォメーション ストアの先頭",
    "受信トレイ",
    "下書き",
    "送信済みアイテム",
    "削除済みアイテム",
    "迷惑メール",
    "アーカイブ",
    "送信トレイ",
    "会話の履歴",
    "同期の失敗",
    "Deletions",
];

/// A change as notifications tell of it.
pub struct Happened {
    /// `created`, `updated` or `deleted`.
    pub what: &'static str,
    pub id: String,
    pub immutable: String,
    pub folder: usize,
}

pub struct Mailbox {
    /// What Exchange writes in it by itself is in this one: `en`.
    pub language: String,
    /// What its automatic replies say, while they are on.
    pub automatic_reply: Option<String>,
    /// Who has had one since.
    pub replied: BTreeSet<usize>,
    /// Somebody has a subscription to it.
    pub is_watched: bool,
    /// Since it was last collected, if somebody has.
    pub happened: Vec<Happened>,
    pub folders: Vec<Folder>,
    messages: Vec<Option<Box<Message>>>,
    by_id: HashMap<String, u32>,
    by_message_id: HashMap<String, u32>,
    topics: HashMap<String, u64>,
    /// Counts every change in the mailbox.
    pub seq: u64,
    pub folder_journal: Journal,
    salt: u64,
}

impl Mailbox {
    pub fn new(ids: &mut Ids) -> Mailbox {
        let mut mailbox = Mailbox {
            language: "en".to_string(),
            automatic_reply: None,
            replied: BTreeSet::new(),
            is_watched: false,
            happened: Vec::new(),
            folders: Vec::new(),
            messages: Vec::new(),
            by_id: HashMap::new(),
            by_message_id: HashMap::new(),
            topics: HashMap::new(),
            seq: 0,
            folder_journal: Journal::default(),
            salt: ids.next(),
        };
        for (known, name, hidden) in FOLDERS {
            mailbox.add_folder(ids, name, ROOT, Some(known), hidden);
        }
        mailbox
    }

    /// Names the well-known folders anew, as Outlook does when the mailbox gets another language. False: the language is not known here.
    pub fn speak(&mut self, language: &str) -> bool {
        let english = FOLDERS.map(|(_, name, _)| name);
        let names = match language.split('-').next().unwrap_or("") {
            "en" => english,
            "de" => GERMAN,
            "fr" => FRENCH,
            "ja" => JAPANESE,
            _ => return false,
        };
        self.language = language.split('-').next().unwrap_or("").to_string();
        for ((known, ..), name) in FOLDERS.into_iter().zip(names) {
            if let Some(at) = self.folders.iter().position(|f| f.well_known == Some(known)) {
                self.folders[at].name = name.to_string();
                self.folder_changed(at);
            }
        }
        true
    }

    pub fn add_folder(
        &mut self,
        ids: &mut Ids,
        name: &str,
        parent: usize,
        well_known: Option<&'static str>,
        hidden: bool,
    ) -> usize {
        let id = ids.item("AAMkAGFm");
        let (order, journal) = (BTreeSet::new(), Journal::default());
        let name = name.to_string();
        self.folders.push(Folder { id, name, well_known, parent, hidden, gone: false, order, unread: 0, journal });
        let at = self.folders.len() - 1;
        self.seq += 1;
        self.folder_journal.touch(at as u32, self.seq);
        at
    }

    pub fn folder_changed(&mut self, folder: usize) {
        self.seq += 1;
        self.folder_journal.touch(folder as u32, self.seq);
    }

    /// By id or well-known name, as in a URL.
    pub fn folder(&self, name: &str) -> Option<usize> {
        let known = |f: &Folder| f.id == name || f.well_known.is_some_and(|w| w.eq_ignore_ascii_case(name));
        self.folders.iter().position(|f| !f.gone && known(f))
    }

    /// As the control endpoints name it, by display name as well.
    pub fn folder_loosely(&self, name: &str) -> Option<usize> {
        self.folder(name).or_else(|| self.folders.iter().position(|f| !f.gone && f.name.eq_ignore_ascii_case(name)))
    }

    pub fn children(&self, parent: usize, hidden: bool) -> Vec<usize> {
        let fits = |(at, f): &(usize, &Folder)| *at != ROOT && !f.gone && f.parent == parent && (hidden || !f.hidden);
        self.folders.iter().enumerate().filter(fits).map(|(at, _)| at).collect()
    }

    /// The folder, and all below it, with everything in them.
    pub fn drop_folder(&mut self, folder: usize) {
        for child in self.children(folder, true) {
            self.drop_folder(child);
        }
        let keys: Vec<u32> = self.folders[folder].order.iter().map(|(_, k)| *k).collect();
        for key in keys {
            self.remove(key);
        }
        self.seq += 1;
        let id = self.folders[folder].id.clone();
        self.folders[folder].gone = true;
        self.folder_journal.leave(folder as u32, self.seq, id.clone(), id, 0);
    }

    pub fn find(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// By id, or by exact subject: the newest.
    pub fn find_loosely(&self, name: &str) -> Option<u32> {
        self.find(name).or_else(|| self.all().filter(|m| m.subject == name).max_by_key(|m| (m.received, m.key)).map(|m| m.key))
    }

    pub fn get(&self, key: u32) -> Option<&Message> {
        self.messages.get(key as usize).and_then(|m| m.as_deref())
    }

    /// To change it; whoever does calls `touch` afterwards.
    pub fn get_mut(&mut self, key: u32) -> Option<&mut Message> {
        self.messages.get_mut(key as usize).and_then(|m| m.as_deref_mut())
    }

    pub fn all(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter_map(|m| m.as_deref())
    }

    /// The conversation that a message belongs to: by what it answers, or by its subject when it is a reply.
    pub fn thread_for(&self, message: &Message) -> Option<u64> {
        let answered = message.in_reply_to.iter().chain(message.references.iter().rev());
        let known = answered.filter_map(|id| self.by_message_id.get(id)).find_map(|k| self.get(*k)).map(|m| m.thread);
        known.or_else(|| {
            let (topic, is_reply) = topic(&message.subject);
            if is_reply { self.topics.get(&topic).copied() } else { None }
        })
    }

    pub fn conversation_id(&self, thread: u64) -> String {
        let mixed = thread.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.salt;
        format!("AAQkAGI2{}", base64(&[thread.to_be_bytes(), mixed.to_be_bytes()].concat()).replace('+', "-").replace('/', "_"))
    }

    /// Puts a message into a folder; ids and, when it has none, its thread are made here.
    pub fn insert(&mut self, ids: &mut Ids, folder: usize, mut message: Message) -> u32 {
        let key = self.messages.len() as u32;
        message.key = key;
        message.id = ids.item("AAMkAGI2");
        message.immutable = ids.item("AAkALgAA");
        if message.thread == 0 {
            message.thread = self.thread_for(&message).unwrap_or_else(|| ids.next());
        }
        if message.created == 0 {
            message.created = message.received;
        }
        for attachment in message.attachments.iter_mut().filter(|a| a.id.is_empty()) {
            attachment.id = ids.item("AAMkAGI2AtC");
        }
        self.by_id.insert(message.id.clone(), key);
        self.by_id.insert(message.immutable.clone(), key);
        if !message.message_id.is_empty() {
            self.by_message_id.entry(message.message_id.clone()).or_insert(key);
        }
        let (topic, _) = topic(&message.subject);
        if !topic.is_empty() {
            self.topics.insert(topic, message.thread);
        }
        self.messages.push(Some(Box::new(message)));
        self.enter(key, folder);
        key
    }

    fn enter(&mut self, key: u32, folder: usize) {
        self.seq += 1;
        let seq = self.seq;
        let Some(message) = self.messages.get_mut(key as usize).and_then(|m| m.as_deref_mut()) else {
            return;
        };
        (message.folder, message.arrived, message.change) = (folder, seq, seq);
        let place = &mut self.folders[folder];
        place.order.insert((message.received, key));
        place.unread += usize::from(!message.is_read);
        place.journal.touch(key, seq);
        self.tell("created", key);
    }

    fn tell(&mut self, what: &'static str, key: u32) {
        if !self.is_watched {
            return;
        }
        let told = self.get(key).map(|m| Happened { what, id: m.id.clone(), immutable: m.immutable.clone(), folder: m.folder });
        self.happened.extend(told);
    }

    fn leave(&mut self, key: u32) {
        self.tell("deleted", key);
        self.seq += 1;
        let seq = self.seq;
        let Some(message) = self.messages.get_mut(key as usize).and_then(|m| m.as_deref_mut()) else {
            return;
        };
        let place = &mut self.folders[message.folder];
        place.order.remove(&(message.received, key));
        place.unread -= usize::from(!message.is_read).min(place.unread);
        place.journal.leave(key, seq, message.id.clone(), message.immutable.clone(), message.received);
        self.by_id.remove(&message.id);
    }

    /// To another folder: a new default id, the same immutable one.
    pub fn shift(&mut self, ids: &mut Ids, key: u32, folder: usize, now: i64) {
        self.leave(key);
        let id = ids.item("AAMkAGI2");
        if let Some(message) = self.get_mut(key) {
            message.id = id.clone();
            message.modified = now;
        }
        self.by_id.insert(id, key);
        self.enter(key, folder);
    }

    pub fn remove(&mut self, key: u32) {
        self.leave(key);
        let Some(message) = self.messages.get_mut(key as usize).and_then(Option::take) else {
            return;
        };
        self.by_id.remove(&message.immutable);
        if self.by_message_id.get(&message.message_id) == Some(&key) {
            self.by_message_id.remove(&message.message_id);
        }
    }

    /// The change that a message's key tells of: Exchange counts read state, flag and the like apart from content.
    pub fn count_as(&mut self, key: u32, change: u64) {
        if let Some(message) = self.messages.get_mut(key as usize).and_then(|m| m.as_deref_mut()) {
            message.change = change;
        }
    }

    /// Changes a message, and tells the journal.
    pub fn edit(&mut self, key: u32, now: i64, change: impl FnOnce(&mut Message)) {
        self.seq += 1;
        let seq = self.seq;
        let Some(message) = self.messages.get_mut(key as usize).and_then(|m| m.as_deref_mut()) else {
            return;
        };
        let (received, was_read, old_id) = (message.received, message.is_read, message.message_id.clone());
        change(message);
        message.modified = now;
        message.change = seq;
        let place = &mut self.folders[message.folder];
        if received != message.received {
            place.order.remove(&(received, key));
            place.order.insert((message.received, key));
        }
        match (was_read, message.is_read) {
            (false, true) => place.unread -= 1.min(place.unread),
            (true, false) => place.unread += 1,
            _ => {}
        }
        place.journal.touch(key, seq);
        if old_id != message.message_id {
            self.by_message_id.remove(&old_id);
            self.by_message_id.insert(message.message_id.clone(), key);
        }
        self.tell("updated", key);
    }
}
