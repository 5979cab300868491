//! The calendar of one mailbox: single events, series and what they consist of, and what happened to them.

use crate::ids::Ids;
use crate::mail::journal::Journal;
use serde_json::{Map, Value};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Single,
    Master,
    Occurrence,
    Exception,
}

pub struct Event {
    pub id: String,
    pub immutable: String,
    pub kind: Kind,
    /// The master of an occurrence or exception.
    pub series: Option<u32>,
    /// As they were given, by the names of the schema. Of an occurrence nothing: it is as its master.
    pub fields: Map<String, Value>,
    pub start: i64,
    pub end: i64,
    /// The zone it was made in, as Microsoft writes it.
    pub zone: String,
    pub created: i64,
    pub modified: i64,
    /// The change that its key tells of.
    pub change: u64,
}

/// What an event is made of.
pub struct New {
    pub fields: Map<String, Value>,
    pub start: i64,
    pub end: i64,
    pub zone: String,
}

#[derive(Default)]
pub struct Calendar {
    events: Vec<Option<Event>>,
    pub journal: Journal,
    pub seq: u64,
}

impl Calendar {
    pub fn get(&self, key: u32) -> Option<&Event> {
        self.events.get(key as usize).and_then(Option::as_ref)
    }

    pub fn get_mut(&mut self, key: u32) -> Option<&mut Event> {
        self.events.get_mut(key as usize).and_then(Option::as_mut)
    }

    fn keys(&self, is_wanted: impl Fn(&Event) -> bool) -> Vec<u32> {
        (0..).zip(&self.events).filter(|(_, event)| event.as_ref().is_some_and(&is_wanted)).map(|(key, _)| key).collect()
    }

    pub fn find(&self, id: &str) -> Option<u32> {
        self.keys(|event| event.id == id || event.immutable == id).first().copied()
    }

    /// By its subject, the one that begins first; not an occurrence, which has none of its own.
    pub fn named(&self, subject: &str) -> Option<u32> {
        let mut all = self.keys(|event| event.fields.get("subject").is_some_and(|named| named == subject));
        all.sort_by_key(|key| self.get(*key).map(|event| event.start));
        all.first().copied()
    }

    /// What a series consists of, in order of time.
    pub fn instances(&self, master: u32) -> Vec<u32> {
        let mut all = self.keys(|event| event.series == Some(master));
        all.sort_by_key(|key| self.get(*key).map(|event| event.start));
        all
    }

    /// What a view shows: everything but masters, in order of time.
    pub fn between(&self, from: i64, to: i64) -> Vec<u32> {
        let mut all = self.keys(|event| event.kind != Kind::Master && is_between(event, from, to));
        all.sort_by_key(|key| self.get(*key).map(|event| event.start));
        all
    }

    /// Shown by the delta of a view: a master is, when anything of its series is.
    pub fn is_in_view(&self, key: u32, from: i64, to: i64) -> bool {
        let Some(event) = self.get(key) else { return false };
        match event.kind {
            Kind::Master => self.instances(key).into_iter().any(|one| self.is_in_view(one, from, to)),
            _ => is_between(event, from, to),
        }
    }

    fn push(&mut self, ids: &mut Ids, kind: Kind, series: Option<u32>, new: New, now: i64) -> u32 {
        let key = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let (id, immutable) = (ids.item("AAMkAGV2"), ids.item("AAkALgEv"));
        let New { fields, start, end, zone } = new;
        self.events.push(Some(Event { id, immutable, kind, series, fields, start, end, zone, created: now, modified: now, change: 0 }));
        key
    }

    pub fn insert(&mut self, ids: &mut Ids, new: New, now: i64) -> u32 {
        let key = self.push(ids, Kind::Single, None, new, now);
        self.touch(key, now);
        key
    }

    /// `times` occurrences, `every` days apart; the first one at the event's own time.
    pub fn insert_series(&mut self, ids: &mut Ids, new: New, every: i64, times: i64, now: i64) -> u32 {
        let (start, end, zone) = (new.start, new.end, new.zone.clone());
        let master = self.push(ids, Kind::Master, None, new, now);
        for n in 0..times {
            let by = n * every * 86_400_000;
            self.push(ids, Kind::Occurrence, Some(master), New { fields: Map::new(), start: start + by, end: end + by, zone: zone.clone() }, now);
        }
        self.touch(master, now);
        master
    }

    fn touch_one(&mut self, key: u32, now: i64) {
        self.seq += 1;
        let seq = self.seq;
        if let Some(event) = self.get_mut(key) {
            (event.modified, event.change) = (now, seq);
        }
        self.journal.touch(key, seq);
    }

    /// Of a series everything is told again, whatever changed of it.
    pub fn touch(&mut self, key: u32, now: i64) {
        let master = self.get(key).and_then(|event| event.series).unwrap_or(key);
        self.touch_one(master, now);
        for one in self.instances(master) {
            self.touch_one(one, now);
        }
    }

    /// A series goes with all of it, which is told of its master alone. An occurrence that is gone is not told of at all: its series is told again.
    pub fn remove(&mut self, key: u32, now: i64) {
        let Some(event) = self.events.get_mut(key as usize).and_then(Option::take) else { return };
        if let Some(master) = event.series {
            self.journal.forget(key);
            self.touch(master, now);
            return;
        }
        for one in self.instances(key) {
            self.events[one as usize] = None;
            self.journal.forget(one);
        }
        self.seq += 1;
        self.journal.leave(key, self.seq, event.id, event.immutable, 0);
    }
}

fn is_between(event: &Event, from: i64, to: i64) -> bool {
    event.start < to && (event.end > from || event.start >= from)
}
