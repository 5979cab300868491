//! What is under way in this process, and how much more may be. What somebody waits for has a capacity of its own beside the rest: bulk that is in hand, however
//! slow Microsoft is with it, does not keep it out.

use crate::store::{Awaited, ItemRow, Wanted, of_route};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Sends under way at the same time, over all accounts.
const AT_ONCE: usize = 256;
/// Those that somebody waits for and for which there is no capacity left among them.
const AWAITED_AT_ONCE: usize = 64;
/// Of one account by one route, so that nobody's campaign takes the place of others' messages. Two batches of requests: one on its way, one that gathers.
/// And as many that somebody waits for.
const OF_ONE_ROUTE: usize = 40;
/// Bulk with attachments that is held in memory at the same time, and what somebody waits for.
const WITH_FILES_AT_ONCE: usize = 8;
const AWAITED_WITH_FILES_AT_ONCE: usize = 4;
/// Taken in hand by one claim.
const OF_ONE_CLAIM: usize = 64;

/// The sends under way in this process.
pub struct InFlight {
    slots: Arc<Semaphore>,
    awaited_slots: Arc<Semaphore>,
    with_files: Semaphore,
    awaited_with_files: Semaphore,
    /// By the ids of sends. Should their claims lapse (the machine slept), it is their own worker that goes on.
    held: Mutex<HashMap<String, Held>>,
}

struct Held {
    /// As [`of_route`] names it.
    route: String,
    /// It counts beside the rest.
    is_beside: bool,
}

/// How many sends may be taken in hand, of both kinds.
pub struct Capacity {
    rest: Option<OwnedSemaphorePermit>,
    beside: Option<OwnedSemaphorePermit>,
}

impl Capacity {
    pub fn rest(&self) -> usize {
        self.rest.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    pub fn beside(&self) -> usize {
        self.beside.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// There was some, and all of it is taken.
    pub fn is_used_up(&self) -> bool {
        [&self.rest, &self.beside].into_iter().flatten().any(|permit| permit.num_permits() == 0)
    }

    /// For one of them.
    pub fn split(&mut self, is_beside: bool) -> Option<OwnedSemaphorePermit> {
        if is_beside { &mut self.beside } else { &mut self.rest }.as_mut()?.split(1)
    }
}

impl Default for InFlight {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            awaited_slots: Arc::new(Semaphore::new(AWAITED_AT_ONCE)),
            with_files: Semaphore::new(WITH_FILES_AT_ONCE),
            awaited_with_files: Semaphore::new(AWAITED_WITH_FILES_AT_ONCE),
            held: Mutex::default(),
        }
    }
}

impl InFlight {
    /// As much as there is, up to one claim.
    pub fn capacity(&self) -> Capacity {
        Capacity { rest: some_of(&self.slots), beside: some_of(&self.awaited_slots) }
    }

    /// Nothing is under way, and nothing is about to be but by who holds this capacity.
    pub fn is_idle(&self, capacity: &Capacity) -> bool {
        self.slots.available_permits() + capacity.rest() == AT_ONCE && self.awaited_slots.available_permits() + capacity.beside() == AWAITED_AT_ONCE
    }

    /// Nothing is under way, and nothing is about to be.
    pub fn has_nothing(&self) -> bool {
        self.slots.available_permits() == AT_ONCE && self.awaited_slots.available_permits() == AWAITED_AT_ONCE
    }

    /// Whether what somebody waits for has to be taken in hand beside the rest, of this route of an account.
    pub fn is_full(&self, route: &str) -> bool {
        self.slots.available_permits() == 0 || self.held().values().filter(|one| !one.is_beside && one.route == route).count() >= OF_ONE_ROUTE
    }

    pub fn add(&self, item: &ItemRow, is_beside: bool) {
        self.held().insert(item.id.clone(), Held { route: of_route(&item.account_id, item.route), is_beside });
    }

    pub fn remove(&self, id: &str) {
        self.held().remove(id);
    }

    /// Another one is delivered in the place of this one.
    pub fn replace(&self, id: &str, item: &ItemRow) {
        let mut held = self.held();
        if let Some(place) = held.remove(id) {
            held.insert(item.id.clone(), Held { route: of_route(&item.account_id, item.route), ..place });
        }
    }

    /// Whether the place of this one may go to the next of its ordering key: nobody waits for a place then.
    pub fn may_claim_next(&self, id: &str) -> bool {
        self.slots.available_permits() > 0 && self.held().get(id).is_some_and(|one| !one.is_beside)
    }

    /// Holds the attachments of a send in memory.
    pub async fn permit_for_files(&self, item: &ItemRow) -> Option<SemaphorePermit<'_>> {
        if item.is_bulk { &self.with_files } else { &self.awaited_with_files }.acquire().await.ok()
    }

    /// What is to be claimed: nothing that is `left` to others or in hand, nor of a route of an account that has enough in hand.
    pub fn wanted(&self, most: usize, left: Vec<String>) -> Wanted {
        let held = self.held();
        let counts = counts(&held, false);
        let full = counts.iter().filter(|(_, count)| **count >= OF_ONE_ROUTE).map(|(route, _)| route);
        let except = left.iter().chain(held.keys()).chain(full).cloned().collect();
        Wanted { most, except, in_hand: counts, of_one_route: OF_ONE_ROUTE }
    }

    /// The same for sends that somebody waits for: they count beside the rest.
    pub fn awaited(&self, most: usize, ids: Vec<String>, left: Vec<String>) -> Awaited {
        let held = self.held();
        let ids = ids.into_iter().filter(|id| !held.contains_key(id)).collect();
        Awaited { ids, most, except: left, in_hand: counts(&held, true), of_one_route: OF_ONE_ROUTE }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn some_of(slots: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    // Nobody else takes any.
    let most = slots.available_permits().min(OF_ONE_CLAIM);
    (most > 0).then(|| slots.clone().try_acquire_many_owned(u32::try_from(most).ok()?).ok()).flatten()
}

fn counts(held: &HashMap<String, Held>, is_beside: bool) -> HashMap<String, usize> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    held.values().filter(|one| one.is_beside == is_beside).for_each(|one| *counts.entry(one.route.clone()).or_default() += 1);
    counts
}
