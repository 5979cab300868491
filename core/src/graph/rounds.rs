//! Whether the pages of a round of contacts or events lead anywhere: a round that goes in a circle, or on and on with what it showed before, is stopped. Mail
//! has its own measure, which knows how many messages a folder holds.

use crate::error::{Error, ErrorKind, Result};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Pages in a row that may bring nothing new: items of a round may be repeated, but not for ever.
const MOST_STALE_PAGES: u32 = 5;
/// Empty pages in a row: Microsoft sends such while it searches.
const MOST_EMPTY_PAGES: u32 = 50;
/// Pages of a round: more than such a collection has.
const MOST_PAGES: u32 = 5_000;

/// One round, from a link to the next delta link.
#[derive(Debug, Default)]
pub struct Round {
    links: HashSet<u64>,
    items: HashSet<u64>,
    pages: u32,
    stale: u32,
    empty: u32,
}

impl Round {
    /// Takes note of a page before it is stored. `items`: what tells one item from another; `what`: the items, for the error. Errors: Upstream when the round
    /// leads nowhere.
    pub fn take(&mut self, link: &str, is_delta: bool, items: impl IntoIterator<Item = impl Hash>, what: &str) -> Result<()> {
        self.pages += 1;
        let (mut is_empty, mut is_new) = (true, false);
        for item in items {
            is_empty = false;
            is_new |= self.items.insert(hash(&item));
        }
        if is_delta {
            return Ok(());
        }
        self.empty = if is_empty { self.empty + 1 } else { 0 };
        self.stale = if is_empty || is_new { 0 } else { self.stale + 1 };
        let endless = |how: &str| Err(Error::new(ErrorKind::Upstream, format!("Microsoft's pages of {what} {how}, so the sync stopped there. What came is stored. Sync again later.")));
        if !self.links.insert(hash(&link)) {
            return endless("lead in a circle");
        }
        if self.stale >= MOST_STALE_PAGES {
            return endless("repeat what they showed before");
        }
        if self.empty > MOST_EMPTY_PAGES || self.pages >= MOST_PAGES {
            return endless("do not end");
        }
        Ok(())
    }
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages taken before the round is stopped.
    fn stopped_after(page: impl Fn(u32) -> (String, Vec<u32>)) -> Option<u32> {
        let mut round = Round::default();
        (0..10_000).find(|n| {
            let (link, items) = page(*n);
            round.take(&link, false, items, "contacts").is_err()
        })
    }

    #[test]
    fn a_round_that_leads_nowhere_is_stopped() {
        assert_eq!(stopped_after(|_| ("same".into(), vec![1])), Some(1), "a page that leads to itself");
        assert_eq!(stopped_after(|n| ((n % 3).to_string(), vec![n])), Some(3), "a circle");
        assert_eq!(stopped_after(|n| (n.to_string(), vec![1, 2])), Some(5), "new links with old items");
        assert_eq!(stopped_after(|n| (n.to_string(), vec![n % 7])), Some(11), "also when the repetition is long");
        assert_eq!(stopped_after(|n| (n.to_string(), vec![])), Some(50), "nothing but empty pages");
        assert_eq!(stopped_after(|n| (n.to_string(), vec![n])), Some(4_999), "pages without end");
    }

    #[test]
    fn a_round_that_brings_something_goes_on_and_its_last_page_is_always_taken() {
        assert_eq!(stopped_after(|n| ((n.min(4_000)).to_string(), vec![n / 4])), Some(4_001), "an item is repeated now and then");
        let mut round = Round::default();
        for _ in 0..10 {
            round.take("same", true, [1], "contacts").unwrap();
        }
    }
}
