//! Whether the pages of one round lead anywhere: a round that goes in a circle, or on and on with what it showed before, is stopped.

use crate::error::{Error, ErrorKind, Result};
use crate::graph::{DeltaItem, DeltaPage};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Pages in a row that may bring nothing new: items of this round may be repeated, but not for ever.
const MOST_STALE_PAGES: u32 = 5;
/// Empty pages in a row: Microsoft sends such while it searches.
const MOST_EMPTY_PAGES: u32 = 200;
/// Messages beyond twice what the folder holds: some arrive during the round.
const SLACK: u64 = 10_000;
/// Removals have no bound in what the folder holds.
const MOST_REMOVALS: u64 = 1_000_000;
/// Items remembered, a quarter of a MB; a longer round is bounded by its number of messages alone.
const MOST_REMEMBERED: usize = 28_000;

/// One round of a folder's delta, from a cursor to the next delta link.
#[derive(Debug, Default)]
pub struct Round {
    links: HashSet<u64>,
    items: HashSet<u64>,
    messages: u64,
    removals: u64,
    stale: u32,
    empty: u32,
}

impl Round {
    /// Takes note of a page before it is stored. `held`: messages that the folder has, here or in the mailbox. Errors: Upstream when the round leads nowhere.
    pub fn take(&mut self, page: &DeltaPage, held: u32) -> Result<()> {
        if !page.is_delta && !self.links.insert(hash(&page.link)) {
            return Err(endless("lead in a circle"));
        }
        self.empty = if page.items.is_empty() { self.empty + 1 } else { 0 };
        let mut is_new = page.items.is_empty();
        for item in &page.items {
            let mark = match item {
                DeltaItem::Message(m) => {
                    self.messages += 1;
                    hash(&(&m.id, &m.change_key, m.is_read, m.flag, &m.categories))
                }
                DeltaItem::Removed { id } => {
                    self.removals += 1;
                    hash(&(id, "removed"))
                }
                DeltaItem::Unreadable { id, raw, .. } => hash(&(id, raw)),
            };
            is_new |= self.items.len() >= MOST_REMEMBERED || self.items.insert(mark);
        }
        self.stale = if is_new { 0 } else { self.stale + 1 };
        if page.is_delta {
            return Ok(());
        }
        if self.empty > MOST_EMPTY_PAGES {
            return Err(endless("go on without any mail"));
        }
        if self.stale >= MOST_STALE_PAGES {
            return Err(endless("repeat what they showed before"));
        }
        if self.messages > u64::from(held) * 2 + SLACK || self.removals > MOST_REMOVALS {
            return Err(endless("bring more mail than the folder holds"));
        }
        Ok(())
    }
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn endless(how: &str) -> Error {
    Error::new(ErrorKind::Upstream, format!("Microsoft's pages of a folder {how}, so the sync stopped there. What came is stored. Sync again later."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::MailItem;

    fn page(link: usize, ids: std::ops::Range<usize>) -> DeltaPage {
        let items = ids.map(|id| DeltaItem::Message(Box::new(MailItem { id: id.to_string(), ..MailItem::default() }))).collect();
        DeltaPage { items, link: format!("link {link}"), is_delta: false, held: 0 }
    }

    /// Pages taken before the round is stopped.
    fn stopped_after(held: u32, page: impl Fn(usize) -> DeltaPage) -> Option<usize> {
        let mut round = Round::default();
        (0..30_000).find(|n| round.take(&page(*n), held).is_err())
    }

    #[test]
    fn a_round_that_brings_something_goes_on() {
        assert_eq!(stopped_after(1_000_000, |n| page(n, n * 10..n * 10 + 10)), None);
        // Microsoft repeats items, and a whole page now and then.
        assert_eq!(stopped_after(100_000, |n| page(n, n / 4..n / 4 + 1)), None);
    }

    #[test]
    fn new_links_with_old_items_end_soon() {
        assert_eq!(stopped_after(1_000, |n| page(n, 0..10)), Some(5));
        assert_eq!(stopped_after(1_000, |n| page(n, (n % 7) * 10..(n % 7) * 10 + 10)), Some(11), "also when the repetition is long");
    }

    #[test]
    fn circles_empty_pages_and_too_much_mail_end_too() {
        assert_eq!(stopped_after(1_000, |n| page(n % 3, n..n + 1)), Some(3));
        assert_eq!(stopped_after(1_000, |n| page(n, 0..0)), Some(200));
        let many = stopped_after(1_000, |n| page(n, n * 100..n * 100 + 100)).unwrap();
        assert_eq!(many, 120, "twice a thousand and ten thousand more");
    }

    #[test]
    fn the_last_page_is_taken_whatever_it_repeats() {
        let mut round = Round::default();
        for n in 0..5 {
            round.take(&page(n, 0..10), 10).unwrap();
        }
        assert!(round.take(&DeltaPage { is_delta: true, ..page(9, 0..10) }, 10).is_ok());
    }
}
