//! Events of the default calendar of mailboxes: those of a view that goes along with time, each page with its link in one transaction, and listed in order
//! of time.
//!
//! What a page says to be gone, and what a round does not show though it should, is asked for by its id before it is dropped: Microsoft says "removed" of
//! what was never in the view, and nothing at all of an occurrence that was deleted (microsoft-graph-docs#6599, #4501).

mod read;
mod sync;

use crate::clock::{Clock, to_ms};
use crate::error::{Error, ErrorKind};
use crate::graph::Graph;
use crate::store::Store;
use crate::vault::Vault;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::watch;

const DAY_MS: i64 = 86_400_000;

pub struct Calendar {
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub graph: Graph,
    pub clock: Arc<dyn Clock>,
    /// Bumped whenever the change feed may have grown.
    pub news: watch::Sender<u64>,
    pub days: CalendarDays,
}

/// How far the view reaches.
#[derive(Debug, Clone, Copy)]
pub struct CalendarDays {
    pub before: u32,
    pub after: u32,
}

impl CalendarDays {
    /// From the midnight before to the midnight after. It is another one each day.
    fn view(self, now: SystemTime) -> (i64, i64) {
        let today = to_ms(now).div_euclid(DAY_MS);
        ((today - i64::from(self.before)) * DAY_MS, (today + i64::from(self.after) + 1) * DAY_MS)
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Corrupt, "A stored event cannot be read.").with_source(error)
}
