//! The delivery loop: claim, prepare, dispatch, settle; each step durable before the next.

use super::attempt::attempt;
use super::channel::{Channel, Outcome, by_route};
use super::channels::Memory;
use super::item::MOST_CRASHES;
use super::job::{Job, Tools};
use super::settle::given_up;
use super::waiters::Waiters;
use crate::clock::{Clock, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::events::EventBus;
use crate::failpoint::failpoint;
use crate::graph::Graph;
use crate::runtime::{Stop, blocking};
use crate::store::{Due, ItemRow, ItemState, LEASE_MS, Store, Wanted, heartbeat, of_route};
use crate::vault::Vault;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

/// Sends under way at the same time, over all accounts.
const AT_ONCE: usize = 256;
/// Of one account by one route, so that nobody's campaign takes the place of others' messages. Two batches of requests: one on its way, one that gathers.
const OF_ONE_ROUTE: usize = 40;
/// Sends with attachments that are held in memory at the same time.
const WITH_FILES_AT_ONCE: usize = 8;
/// Taken in hand by one claim.
const OF_ONE_CLAIM: usize = 64;
/// How often other processes' rows are looked for when nothing here says so.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long a process leaves an account alone whose sends it cannot open.
const AVOIDED_MS: i64 = 30_000;

/// Everything that leaves as a message.
pub struct Outbox {
    pub(super) tools: Arc<Tools>,
    pub(super) event_bus: EventBus,
    /// Notified when there may be something to claim.
    wake: Arc<Notify>,
    /// Bumped whenever a send changed its state, for those who follow all of them.
    settled: watch::Sender<u64>,
    /// Those who wait for one send.
    pub(super) waiters: Waiters,
    /// Accounts whose sends this process cannot open, and until when it leaves them to others.
    avoided: Mutex<HashMap<String, i64>>,
    with_files: Semaphore,
    /// Sends under way here, and the route of the account of each. Should their claims lapse (the machine slept), it is their own worker that goes on.
    in_hand: Mutex<HashMap<String, String>>,
}

/// Takes a send out of those under way, however its delivery ends.
struct InHand(Arc<Outbox>, String);

impl InHand {
    fn new(outbox: &Arc<Outbox>, item: &ItemRow) -> Self {
        outbox.in_hand.lock().unwrap_or_else(PoisonError::into_inner).insert(item.id.clone(), of_route(&item.account_id, item.route));
        Self(outbox.clone(), item.id.clone())
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.in_hand.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
        // It may be due again, or its lane go on.
        self.0.wake();
    }
}

impl Outbox {
    pub fn new(store: Arc<dyn Store>, vault: Vault, graph: Graph, clock: Arc<dyn Clock>, event_bus: EventBus) -> Arc<Self> {
        let opened_at = to_ms(clock.now());
        let tools = Arc::new(Tools { store, vault, graph, clock, memory: Memory::default(), opened_at });
        Arc::new(Self { tools, event_bus, wake: Arc::new(Notify::new()), settled: watch::Sender::new(0), waiters: Waiters::default(), avoided: Mutex::default(), with_files: Semaphore::new(WITH_FILES_AT_ONCE), in_hand: Mutex::default() })
    }

    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// This send changed its state, or is free again for whoever waits for it.
    pub(super) fn changed(&self, id: &str) {
        self.waiters.call(id);
        self.settled.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Bumped whenever a send changed its state.
    pub fn settled(&self) -> watch::Receiver<u64> {
        self.settled.subscribe()
    }

    /// There may be something to send: an account came back, sends were cancelled.
    pub fn nudge(&self) {
        self.waiters.call_all();
        self.settled.send_modify(|n| *n = n.wrapping_add(1));
        self.wake();
    }

    pub(super) fn avoid(&self, account_id: &str) {
        let until = to_ms(self.tools.clock.now()).saturating_add(AVOIDED_MS);
        self.avoided.lock().unwrap_or_else(PoisonError::into_inner).insert(account_id.to_owned(), until);
    }

    /// What is to be claimed: not what is in hand, nor of an account that is avoided, nor of a route of an account that has enough in hand.
    fn wanted(&self, most: usize) -> Wanted {
        let now = to_ms(self.tools.clock.now());
        let mut avoided = self.avoided.lock().unwrap_or_else(PoisonError::into_inner);
        // Also what was noted when the clock stood ahead.
        avoided.retain(|_, until| (now..=now.saturating_add(AVOIDED_MS)).contains(until));
        let in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: HashMap<String, usize> = HashMap::new();
        in_hand.values().for_each(|route| *counts.entry(route.clone()).or_default() += 1);
        let full = counts.iter().filter(|(_, count)| **count >= OF_ONE_ROUTE).map(|(route, _)| route);
        let except = avoided.keys().chain(in_hand.keys()).chain(full).cloned().collect();
        Wanted { most, except, in_hand: counts, of_one_route: OF_ONE_ROUTE }
    }

    /// Delivers until told to stop; then lets what is under way end.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut under_way = JoinSet::new();
        while !stop.is_set() {
            let Ok(mut slot) = slots.clone().acquire_owned().await else { break };
            while under_way.try_join_next().is_some() {}
            // Nobody else takes slots.
            if let Ok(more) = slots.clone().try_acquire_many_owned(u32::try_from(slots.available_permits().min(OF_ONE_CLAIM - 1)).unwrap_or(0)) {
                slot.merge(more);
            }
            match self.next(slot.num_permits()).await {
                Ok(works) if !works.is_empty() => {
                    for work in works {
                        let (outbox, stop, slot) = (self.clone(), stop.clone(), slot.split(1));
                        let held = match &work {
                            Work::Deliver(item) => Some(InHand::new(&self, item)),
                            Work::Tidy(_) => None,
                        };
                        under_way.spawn(async move {
                            match work {
                                Work::Deliver(item) => outbox.deliver(*item, stop).await,
                                Work::Tidy(item) => outbox.tidy(*item).await,
                            }
                            drop((slot, held));
                            outbox.wake();
                        });
                    }
                }
                Ok(_) => {
                    drop(slot);
                    let idle = under_way.is_empty();
                    tokio::select! { () = self.rest(&stop, idle) => {}, Some(_) = under_way.join_next() => {} }
                }
                Err(error) => {
                    tracing::warn!(target: "tidings::outbox", kind = ?error.kind(), "the outbox could not be read");
                    // A process without the keys leaves everything to the others until it is opened anew.
                    let wait = if error.kind() == ErrorKind::VaultLocked { LOOK_AGAIN } else { Duration::from_secs(2) };
                    tokio::select! { () = stop.wait() => {}, () = self.tools.clock.deadline(wait) => {} }
                }
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// What is to be done next, up to `most` of it. A process that cannot open what is stored now takes nothing in hand: others can send it.
    async fn next(&self, most: usize) -> Result<Vec<Work>> {
        let (tools, mut wanted) = (self.tools.clone(), self.wanted(most));
        let (expired, works) = blocking(move || {
            tools.vault.check()?;
            let now = to_ms(tools.clock.now());
            let expired = tools.store.expire(now)?;
            let mut works: Vec<Work> = tools.store.claims(now, LEASE_MS, &mut wanted)?.into_iter().map(|item| Work::Deliver(Box::new(item))).collect();
            if works.is_empty() {
                works.extend(tools.store.claim_tidy(now, LEASE_MS)?.map(|item| Work::Tidy(Box::new(item))));
            }
            Ok((expired, works))
        })
        .await?;
        for id in expired {
            if let Ok(receipt) = self.receipt(&id, None).await {
                let state = if receipt.state == crate::model::SendState::Failed { ItemState::Failed } else { ItemState::Unknown };
                self.tell(&id, None, state, None);
            }
            self.announce(&id).await;
        }
        Ok(works)
    }

    /// Until something is queued, due, or the engine stops.
    async fn rest(&self, stop: &Stop, idle: bool) {
        let (tools, except) = (self.tools.clone(), self.wanted(0).except);
        let due = blocking(move || {
            let now = to_ms(tools.clock.now());
            Ok((now, tools.store.next_due(now, &except)?, tools.store.next_upkeep()?))
        })
        .await;
        let wait = |at: i64, now: i64| Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or(0).max(1));
        let (due, upkeep) = match due {
            Ok((now, due, upkeep)) => (due.map(|due| (due, now)), upkeep.map(|at| wait(at, now))),
            Err(_) => (None, None),
        };
        let timer = match due {
            // It became due between the two looks.
            Some((Due::Retry(at), now)) if at <= now => return,
            Some((Due::Retry(at), now)) => self.tools.clock.pause(wait(at, now)),
            // With nothing in hand here, the claim is another worker's, perhaps a dead one's. What is in hand here wakes this loop when it is done.
            Some((Due::Lapse(at), now)) if idle => self.tools.clock.pause(wait(at, now)),
            Some((Due::Lapse(at), now)) => self.tools.clock.deadline(wait(at, now).min(LOOK_AGAIN)),
            None => self.tools.clock.deadline(LOOK_AGAIN),
        };
        let upkeep = self.tools.clock.deadline(upkeep.unwrap_or(LOOK_AGAIN).clamp(SOONEST_UPKEEP, LOOK_AGAIN));
        tokio::select! { () = stop.wait() => {}, () = self.wake.notified() => {}, () = timer => {}, () = upkeep => {} }
    }

    async fn deliver(&self, item: ItemRow, stop: Stop) {
        by_route!(item.route, C => self.deliver_by::<C>(item, stop).await);
    }

    async fn deliver_by<C: Channel>(&self, item: ItemRow, stop: Stop) {
        failpoint!("outbox.claimed");
        let (id, account_id) = (item.id.clone(), item.account_id.clone());
        let found = item.clone();
        let _held = match item.has_files {
            false => None,
            true => tokio::select! { permit = self.with_files.acquire() => permit.ok(), () = self.heartbeat(&item) => return },
        };
        let mut job = match Job::<C>::open(self.tools.clone(), item, stop).await {
            Ok(job) => job,
            Err(error) => {
                tracing::warn!(target: "tidings::outbox", send = id, kind = ?error.kind(), "a send could not be opened");
                self.park(&found, &error).await;
                return;
            }
        };
        let outcome = if job.item.crashes > MOST_CRASHES {
            match given_up(job.item.state) {
                (ItemState::Failed, reason) => Outcome::Failed(Error::internal(reason)),
                (_, reason) => Outcome::Unknown(reason),
            }
        } else {
            let heartbeat = self.heartbeat(&job.item);
            let span = tracing::info_span!(target: "tidings::outbox", "tidings.send", send = id, account = account_id, attempt = job.item.attempts);
            let attempt = attempt(&mut job).instrument(span);
            tokio::select! { outcome = attempt => outcome, () = heartbeat => Outcome::Lost }
        };
        if let Err(error) = self.settle(&mut job, outcome).await {
            // The claim lapses and the item is taken up again from the state that is stored.
            tracing::warn!(target: "tidings::outbox", send = id, account = account_id, kind = ?error.kind(), "the outcome of a send could not be stored");
        }
    }

    /// Keeps the claim while a request is under way; ends when it is lost.
    pub(super) fn heartbeat(&self, item: &ItemRow) -> impl Future<Output = ()> + use<> {
        let (store, id, fence) = (self.tools.store.clone(), item.id.clone(), item.fence);
        heartbeat(self.tools.clock.clone(), move |now| store.renew_claim(&id, fence, now, LEASE_MS))
    }
}

/// Upkeep that is due and cannot be done at this moment (somebody else holds it) is looked at again after this long.
const SOONEST_UPKEEP: Duration = Duration::from_secs(1);

enum Work {
    Deliver(Box<ItemRow>),
    Tidy(Box<ItemRow>),
}
