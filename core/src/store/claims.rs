//! What a worker can take in hand of what leaves.

use super::outbox::{Content, ItemRow};
use super::words::Word;
use crate::model::SendRoute;
use std::collections::HashMap;

/// How the sends of one account by one route are named in a list of exceptions.
pub fn of_route(account_id: &str, route: SendRoute) -> String {
    format!("{account_id}/{}", route.word())
}

/// What a worker asks for. What is left out is not looked for.
#[derive(Debug, Clone, Default)]
pub struct ClaimRequest {
    pub now: i64,
    pub lease_ms: i64,
    /// The store key that the worker holds. While another one is active nothing is done: it could not open what it takes. None: not looked at.
    pub store_key: Option<i64>,
    /// Settle first what nobody holds and is past its deadline: unsent, it is `Failed`; in doubt, of an account that cannot be asked, `Unknown`.
    pub expire: bool,
    /// As many as it takes, of each queue in turn; in a queue what waited for its time first, then what somebody waits for, then the oldest: due items of lanes
    /// that no earlier unsent item blocks (`Unknown`, `Failed` and `Cancelled` do not block), free or with a lapsed lease, of a connected account, not parked,
    /// and wanted. What waits is due at its deadline at the latest.
    pub wanted: Option<Wanted>,
    /// If that gives nothing: the same for what somebody waits for and is no bulk, by ids, the oldest first.
    pub awaited: Option<Awaited>,
    /// If that gives nothing either: a settled item whose drafts are to be looked for, of a connected account. It is held like a claim, so that it is not sent
    /// again meanwhile.
    pub tidy: bool,
}

/// What a worker has in hand now.
#[derive(Debug, Default)]
pub struct Claims {
    /// Another store key is active, so nothing was done.
    pub is_outdated: bool,
    /// Ids of what was settled.
    pub expired: Vec<String>,
    pub claimed: Claimed,
}

/// A send that was taken in hand, and what is to be sent, as far as it is small: whoever claims it need not ask for that.
pub type Taken = (ItemRow, Option<Content>);

#[derive(Debug, Default)]
pub enum Claimed {
    #[default]
    Nothing,
    Wanted(Vec<Taken>),
    Awaited(Vec<Taken>),
    Tidy(Box<ItemRow>),
}

/// What is to be claimed that has no time yet.
#[derive(Debug, Clone, Default)]
pub struct DueRequest {
    pub now: i64,
    /// Anything beside these ([`Wanted::except`]). None: not asked for.
    pub except: Option<Vec<String>>,
    /// Also these.
    pub awaited: Option<Awaited>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextDue {
    /// When there will be something to claim, if ever.
    pub claim: Option<Due>,
    /// When something will be past its deadline or have drafts to look for, if ever.
    pub upkeep: Option<i64>,
}

/// When an item will be free to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Its time comes; `now` or earlier means at once.
    Retry(i64),
    /// The time comes that its host chose for it.
    Scheduled(i64),
    /// Another worker's claim on it lapses, should that worker be dead.
    Lapse(i64),
}

impl Due {
    pub fn at(self) -> i64 {
        match self {
            Self::Retry(at) | Self::Scheduled(at) | Self::Lapse(at) => at,
        }
    }
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
