//! The delivery loop: claim, prepare, dispatch, settle; each step durable before the next.

use super::attempt::attempt;
use super::channel::{Channel, Outcome, by_route};
use super::channels::Memory;
use super::capacity::{Capacity, InFlight};
use super::item::MOST_CRASHES;
use super::job::{Job, Tools};
use super::settle::given_up;
use super::staging::sweep;
use super::waiters::Waiters;
use crate::bot::Connector;
use crate::clock::{Clock, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::events::EventBus;
use crate::failpoint::failpoint;
use crate::flows::Flows;
use crate::graph::Graph;
use crate::model::SendState;
use crate::runtime::Stop;
use crate::store::{ClaimRequest, Claimed, Claims, Content, Due, DueRequest, ItemRow, ItemState, LEASE_MS, NextDue, Pace, Store, Taken, hold_claim};
use crate::vault::Vault;
use futures_util::FutureExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

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
    pub(super) in_flight: InFlight,
}

/// Something under way. However it ends, its capacity is free again then, and the loop looks what comes next.
struct InHand {
    outbox: Arc<Outbox>,
    /// The send that is delivered; none: it is only tidied up after.
    id: Option<String>,
    slot: Option<OwnedSemaphorePermit>,
}

impl InHand {
    fn new(outbox: &Arc<Outbox>, work: &Work, capacity: &mut Capacity) -> Self {
        let (id, is_beside) = match work {
            Work::Deliver(taken) => (Some(&taken.0), false),
            Work::Awaited(taken) => (Some(&taken.0), true),
            Work::Tidy(_) => (None, false),
        };
        id.iter().for_each(|item| outbox.in_flight.add(item, is_beside));
        Self { outbox: outbox.clone(), id: id.map(|item| item.id.clone()), slot: capacity.split(is_beside) }
    }

    /// This one is delivered in its place.
    fn replace(&mut self, item: &ItemRow) {
        if let Some(id) = self.id.as_mut().filter(|id| **id != item.id) {
            self.outbox.in_flight.replace(id, item);
            *id = item.id.clone();
        }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.id.iter().for_each(|id| self.outbox.in_flight.remove(id));
        self.slot.take();
        // It may be due again, or its lane go on.
        self.outbox.wake();
    }
}

impl Outbox {
    pub fn new(store: Arc<dyn Store>, vault: Vault, graph: Graph, (flows, bots): (Flows, Option<Connector>), clock: Arc<dyn Clock>, event_bus: EventBus, pace: Pace) -> Arc<Self> {
        let opened_at = to_ms(clock.now());
        let tools = Arc::new(Tools { store, vault, graph, flows, bots, clock, memory: Memory::default(), pace, event_bus: event_bus.clone(), opened_at });
        Arc::new(Self { tools, event_bus, wake: Arc::new(Notify::new()), settled: watch::Sender::new(0), waiters: Waiters::default(), avoided: Mutex::default(), in_flight: InFlight::default() })
    }

    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// This send changed its state, or is free again for whoever waits for it.
    pub(super) fn changed(&self, id: &str) {
        self.waiters.call(id);
        self.settled_one();
    }

    pub(super) fn settled_one(&self) {
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

    /// Accounts that are avoided now.
    pub(super) fn avoided(&self) -> Vec<String> {
        let now = to_ms(self.tools.clock.now());
        let mut avoided = self.avoided.lock().unwrap_or_else(PoisonError::into_inner);
        // Also what was noted when the clock stood ahead.
        avoided.retain(|_, until| (now..=now.saturating_add(AVOIDED_MS)).contains(until));
        avoided.keys().cloned().collect()
    }

    /// Delivers until told to stop; then lets what is under way end.
    pub async fn run(self: Arc<Self>, stop: Stop) {
        let mut under_way = JoinSet::new();
        while !stop.is_set() {
            // What a commit has just answered ends together, and is looked after in one round.
            tokio::task::yield_now().await;
            while under_way.try_join_next().is_some() {}
            let mut capacity = self.in_flight.capacity();
            match self.claim(&capacity).await {
                Ok(works) => {
                    for work in works {
                        let (outbox, stop) = (self.clone(), stop.clone());
                        let mut held = InHand::new(&self, &work, &mut capacity);
                        under_way.spawn(async move {
                            match work {
                                Work::Deliver(taken) | Work::Awaited(taken) => {
                                    let mut next = Some(taken);
                                    while let Some(work) = next {
                                        held.replace(&work.0);
                                        next = outbox.deliver(work.0, work.1, stop.clone()).await;
                                    }
                                }
                                Work::Tidy(item) => outbox.tidy(*item).await,
                            }
                            drop(held);
                        });
                    }
                    // All that could be had was taken, unless it is used up, and then there may be more.
                    if !capacity.is_used_up() {
                        self.rest(&stop, capacity).await;
                    }
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

    /// What is to be done next, as far as there is capacity. A process that cannot open what is stored now takes nothing in hand: others can send it.
    async fn claim(&self, capacity: &Capacity) -> Result<Vec<Work>> {
        let (left, most) = (self.avoided(), capacity.rest());
        let awaited = self.in_flight.awaited(capacity.beside(), self.waiters.ids(), left.clone());
        let wanted = (most > 0).then(|| self.in_flight.wanted(most, left));
        // What somebody waits for has what is left when there is no capacity left among the rest.
        let now = to_ms(self.tools.clock.now());
        let mut request = ClaimRequest { now, lease_ms: LEASE_MS, store_key: Some(self.tools.vault.store_key().active_id()), expire: true, wanted, awaited: Some(awaited), tidy: most > 0 };
        let mut claims = self.tools.store.claims(request.clone()).await?;
        if claims.is_outdated {
            self.tools.vault.check().await?;
            request.store_key = Some(self.tools.vault.store_key().active_id());
            claims = self.tools.store.claims(request).await?;
        }
        let Claims { expired, claimed, .. } = claims;
        for id in expired {
            match self.receipt(&id, None).await {
                Ok(receipt) => {
                    let state = if receipt.state == SendState::Failed { ItemState::Failed } else { ItemState::Unknown };
                    self.tell(&id, None, state, None);
                    self.announce(receipt);
                }
                Err(_) => self.changed(&id),
            }
        }
        Ok(match claimed {
            Claimed::Nothing => Vec::new(),
            Claimed::Wanted(taken) => taken.into_iter().map(|taken| Work::Deliver(Box::new(taken))).collect(),
            Claimed::Awaited(taken) => taken.into_iter().map(|taken| Work::Awaited(Box::new(taken))).collect(),
            Claimed::Tidy(item) => vec![Work::Tidy(item)],
        })
    }

    /// Until something is queued, due, or the engine stops.
    async fn rest(&self, stop: &Stop, capacity: Capacity) {
        // Something ended or came since the last look: there is no need to ask the store when to look again.
        if self.wake.notified().now_or_never().is_some() {
            return;
        }
        let idle = self.in_flight.is_idle(&capacity);
        let (left, most, now) = (self.avoided(), capacity.rest(), to_ms(self.tools.clock.now()));
        let awaited = self.in_flight.awaited(capacity.beside(), self.waiters.ids(), left.clone());
        // Without capacity it is the end of what is in hand that wakes this loop.
        let except = (most > 0).then(|| self.in_flight.wanted(most, left).except);
        drop(capacity);
        let next = self.tools.store.next_due(DueRequest { now, except, awaited: Some(awaited) }).await;
        // The look took its time, and the clock may have been moved meanwhile.
        let now = to_ms(self.tools.clock.now());
        let wait = |at: i64| Duration::from_millis(u64::try_from(at.saturating_sub(now)).unwrap_or(0).max(1));
        let (due, upkeep) = match next {
            Ok(NextDue { claim, upkeep }) => (claim, upkeep.map(wait)),
            Err(_) => (None, None),
        };
        let timer = match due {
            // It became due between the two looks.
            Some(Due::Retry(at) | Due::Scheduled(at)) if at <= now => return,
            Some(Due::Scheduled(at)) => self.tools.clock.deadline(wait(at)),
            Some(Due::Retry(at)) => self.tools.clock.pause(wait(at)),
            // With nothing in hand here, the claim is another worker's, perhaps a dead one's. What is in hand here wakes this loop when it is done.
            Some(Due::Lapse(at)) if idle => self.tools.clock.pause(wait(at)),
            Some(Due::Lapse(at)) => self.tools.clock.deadline(wait(at).min(LOOK_AGAIN)),
            None => self.tools.clock.deadline(LOOK_AGAIN),
        };
        let upkeep = self.tools.clock.deadline(upkeep.unwrap_or(LOOK_AGAIN).clamp(SOONEST_UPKEEP, LOOK_AGAIN));
        if to_ms(self.tools.clock.now()).saturating_sub(now) > MOVED_MS {
            return;
        }
        tokio::select! { () = stop.wait() => {}, () = self.wake.notified() => {}, () = timer => {}, () = upkeep => {} }
    }

    /// `content`: as it came with the claim.
    /// Answers what was taken in hand after it.
    async fn deliver(&self, item: ItemRow, content: Option<Content>, stop: Stop) -> Option<Next> {
        by_route!(item.route, C => self.deliver_by::<C>(item, content, stop).await)
    }

    async fn deliver_by<C: Channel>(&self, item: ItemRow, content: Option<Content>, stop: Stop) -> Option<Next> {
        failpoint!("outbox.claimed");
        let (id, account_id) = (item.id.clone(), item.account_id.clone());
        let found = item.clone();
        let _held = match item.has_files {
            false => None,
            true => tokio::select! { permit = self.in_flight.permit_for_files(&item) => permit, () = self.heartbeat(&item) => return None },
        };
        let mut job = match Job::<C>::open(self.tools.clone(), item, content, stop).await {
            Ok(job) => job,
            Err(error) => {
                tracing::warn!(target: "tidings::outbox", send = id, kind = ?error.kind(), "a send could not be opened");
                self.park(&found, &error).await;
                return None;
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
        job.may_claim_next = self.in_flight.may_claim_next(&job.item.id);
        let settled = self.settle(&mut job, outcome).await;
        if found.has_files && let Err(error) = sweep(&self.tools).await {
            tracing::debug!(target: "tidings::outbox", send = id, kind = ?error.kind(), "staged contents are erased later");
        }
        settled.unwrap_or_else(|error| {
            // The claim lapses and the item is taken up again from the state that is stored.
            tracing::warn!(target: "tidings::outbox", send = id, account = account_id, kind = ?error.kind(), "the outcome of a send could not be stored");
            None
        })
    }

    /// Keeps the claim while a request is under way; ends when it is lost.
    pub(super) fn heartbeat(&self, item: &ItemRow) -> impl Future<Output = ()> + use<> {
        hold_claim(self.tools.store.clone(), self.tools.clock.clone(), item.id.clone(), item.fence)
    }
}

/// Upkeep that is due and cannot be done at this moment (somebody else holds it) is looked at again after this long.
const SOONEST_UPKEEP: Duration = Duration::from_secs(1);

/// A clock that goes on by more while a timer is set was moved: the timer would come too late.
const MOVED_MS: i64 = 500;

/// What is delivered after a send, in its place: the next of its ordering key.
pub type Next = Box<Taken>;

enum Work {
    Deliver(Box<Taken>),
    /// Beside the rest.
    Awaited(Box<Taken>),
    Tidy(Box<ItemRow>),
}
