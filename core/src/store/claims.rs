//! What a worker can take in hand of what leaves.

use super::outbox::ItemRow;
use super::words::Word;
use crate::model::Route;
use std::collections::HashMap;

/// How the sends of one account by one route are named in a list of exceptions.
pub fn of_route(account_id: &str, route: Route) -> String {
    format!("{account_id}/{}", route.word())
}

/// What a worker can take in hand.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub most: usize,
    /// Sends, accounts and routes of accounts ([`of_route`]) that are left to others.
    pub except: Vec<String>,
    /// In hand already, by route of an account.
    pub in_hand: HashMap<String, usize>,
    /// In hand of one such route at most.
    pub of_one_route: usize,
}

impl Wanted {
    #[cfg(test)]
    pub fn one(except: &[String]) -> Self {
        Self { most: 1, except: except.to_vec(), in_hand: HashMap::new(), of_one_route: usize::MAX }
    }

    /// How many more of this route of an account.
    pub fn capacity_left(&self, account_id: &str, route: &str) -> usize {
        let in_hand = self.in_hand.get(&format!("{account_id}/{route}")).copied().unwrap_or(0);
        self.of_one_route.saturating_sub(in_hand).min(self.most)
    }

    /// Counts a claim.
    pub fn take(&mut self, item: &ItemRow) {
        self.most = self.most.saturating_sub(1);
        *self.in_hand.entry(of_route(&item.account_id, item.route)).or_default() += 1;
    }
}

/// Sends that somebody in this process waits for. They are taken in hand beside what [`Wanted`] has capacity for.
#[derive(Debug, Clone, Default)]
pub struct Awaited {
    pub ids: Vec<String>,
    pub most: usize,
    /// Accounts that are left to others.
    pub except: Vec<String>,
    /// In hand of them already, by route of an account.
    pub in_hand: HashMap<String, usize>,
    /// In hand of one such route at most.
    pub of_one_route: usize,
}

impl Awaited {
    /// `route`: as [`of_route`] names it.
    pub fn has_capacity(&self, route: &str) -> bool {
        self.most > 0 && self.in_hand.get(route).is_none_or(|count| *count < self.of_one_route)
    }

    /// Counts a claim.
    pub fn take(&mut self, route: &str) {
        self.most = self.most.saturating_sub(1);
        *self.in_hand.entry(route.to_owned()).or_default() += 1;
    }
}
