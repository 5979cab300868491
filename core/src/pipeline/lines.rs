//! Clients of accounts that asked something lately, each with connections of its own. They share TLS settings and session tickets.
//!
//! Connections are file handles, of which a process has few. So all accounts together keep a bounded number; the account that asked longest ago loses its
//! own first. What is under way is never cut.

use super::transport::Line;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections that are kept, of all accounts.
const MOST_CONNECTIONS: usize = 32;

#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    kept: HashMap<Line, Kept>,
    uses: u64,
}

struct Kept {
    client: reqwest::Client,
    /// Tells it from a later client of the same account.
    number: u64,
    used: u64,
    under_way: usize,
    /// The most requests that were under way at a time: as many connections there can be.
    connections: usize,
}

/// Held while a request is under way.
pub struct InUse {
    lines: Lines,
    line: Line,
    number: u64,
}

impl Lines {
    pub fn enter<E>(&self, line: &Line, make: impl FnOnce() -> Result<reqwest::Client, E>) -> Result<(reqwest::Client, InUse), E> {
        let mut table = self.table();
        table.uses += 1;
        let uses = table.uses;
        let kept = match table.kept.entry(line.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Kept { client: make()?, number: uses, used: 0, under_way: 0, connections: 0 }),
        };
        kept.used = uses;
        kept.under_way += 1;
        kept.connections = kept.connections.max(kept.under_way);
        let entered = (kept.client.clone(), InUse { lines: self.clone(), line: line.clone(), number: kept.number });
        table.trim();
        Ok(entered)
    }

    /// Its connections are not used again. Requests under way hold them until they end.
    pub fn give_up(&self, line: &Line) {
        self.table().kept.remove(line);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.table().kept.len()
    }
}

impl Table {
    fn trim(&mut self) {
        let mut connections: usize = self.kept.values().map(|kept| kept.connections).sum();
        while connections > MOST_CONNECTIONS {
            let idle = self.kept.iter().filter(|(_, kept)| kept.under_way == 0);
            let Some(oldest) = idle.min_by_key(|(_, kept)| kept.used).map(|(line, _)| line.clone()) else { return };
            connections -= self.kept.remove(&oldest).map_or(0, |kept| kept.connections);
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut table = self.lines.table();
        if let Some(kept) = table.kept.get_mut(&self.line).filter(|kept| kept.number == self.number) {
            kept.under_way = kept.under_way.saturating_sub(1);
        }
        table.trim();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::OnceLock;

    fn enter(lines: &Lines, name: &str) -> InUse {
        static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
        let client = CLIENT.get_or_init(|| {
            let tls = crate::pipeline::tls::client(&crate::config::Config::new("data", "client")).unwrap();
            reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap()
        });
        lines.enter(&Line(name.to_owned()), || Ok::<_, ()>(client.clone())).unwrap().1
    }

    #[test]
    fn all_accounts_together_keep_few_connections() {
        let lines = Lines::default();
        // What is under way stays, however much it is.
        let under_way: Vec<InUse> = (0..20).flat_map(|n| [enter(&lines, &n.to_string()), enter(&lines, &n.to_string())]).collect();
        assert_eq!(lines.len(), 20);
        drop(under_way);
        assert_eq!(lines.len(), MOST_CONNECTIONS / 2);
        // The account that asked longest ago goes first.
        drop(enter(&lines, "new"));
        assert!(lines.table().kept.contains_key(&Line("new".into())) && !lines.table().kept.contains_key(&Line("4".into())));
        for n in 0..1000 {
            drop(enter(&lines, &n.to_string()));
        }
        assert_eq!(lines.len(), MOST_CONNECTIONS);
    }

    #[test]
    fn a_client_that_was_given_up_does_not_count_for_the_next() {
        let lines = Lines::default();
        let first = enter(&lines, "a");
        lines.give_up(&Line("a".into()));
        let second = enter(&lines, "a");
        drop(first);
        assert_eq!(lines.table().kept[&Line("a".into())].under_way, 1);
        drop(second);
        assert_eq!(lines.table().kept[&Line("a".into())].under_way, 0);
    }
}
