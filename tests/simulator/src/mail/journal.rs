//! What happened in a folder, in order. Of a message that is here the newest change counts; each time
//! that one left is kept, for its default id never comes back.

use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Debug)]
pub enum Change {
    /// It is here, new or altered.
    Here(u32),
    Left {
        id: String,
        immutable: String,
        received: i64,
    },
}

#[derive(Default)]
pub struct Journal {
    log: BTreeMap<u64, Change>,
    latest: HashMap<u32, u64>,
}

impl Journal {
    pub fn touch(&mut self, key: u32, seq: u64) {
        if let Some(old) = self.latest.insert(key, seq) {
            self.log.remove(&old);
        }
        self.log.insert(seq, Change::Here(key));
    }

    pub fn leave(&mut self, key: u32, seq: u64, id: String, immutable: String, received: i64) {
        if let Some(old) = self.latest.remove(&key) {
            self.log.remove(&old);
        }
        self.log.insert(seq, Change::Left { id, immutable, received });
    }

    /// As if it had never been here.
    pub fn forget(&mut self, key: u32) {
        if let Some(old) = self.latest.remove(&key) {
            self.log.remove(&old);
        }
    }

    pub fn after(&self, seq: u64) -> impl Iterator<Item = (u64, &Change)> {
        self.log.range(seq + 1..).map(|(s, c)| (*s, c))
    }
}
