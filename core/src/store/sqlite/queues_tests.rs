//! The queues against what they stand for: the same told by looking at every row.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::super::tests::{Made, made};
use crate::runtime::block_on;
use crate::store::suite::{OutboxParts};
use crate::store::{AccountStore, CopyStore, Hold, Parked, Shorthand, ItemRow, ItemState, NewItem, OutboxStore, Reopened, Step, Wanted, suite};
use crate::model::{AccountState, SendRoute};
use proptest::prelude::*;
use std::collections::HashMap;

const LEASE: i64 = 100;

#[derive(Debug, Clone)]
enum Act {
    /// A lane goes over several routes.
    Enqueue { account: usize, ordering_key: usize, chat: bool, bulk: bool, deadline: Option<i64>, send_at: Option<i64> },
    Edit { which: usize, ordering_key: usize, send_at: Option<i64> },
    Claim { most: usize, in_hand: usize },
    Wait { which: usize, ms: i64 },
    Settle { which: usize, state: usize, claims_next: bool },
    Cancel(usize),
    Reopen(usize),
    Park,
    Go,
    Release(usize),
    Disconnect(usize),
    Away(usize),
    Back(usize),
    Expire,
    Pass(i64),
    SetBack(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..2usize, 0..3usize, any::<bool>(), any::<bool>(), prop::option::weighted(0.2, 1..400i64), prop::option::weighted(0.2, 1..300i64))
            .prop_map(|(account, ordering_key, chat, bulk, deadline, send_at)| Act::Enqueue { account, ordering_key, chat, bulk, deadline, send_at }),
        2 => (0..30usize, 0..3usize, prop::option::weighted(0.3, 1..300i64)).prop_map(|(which, ordering_key, send_at)| Act::Edit { which, ordering_key, send_at }),
        6 => (1..5usize, 0..3usize).prop_map(|(most, in_hand)| Act::Claim { most, in_hand }),
        3 => (0..8usize, 0..200i64).prop_map(|(which, ms)| Act::Wait { which, ms }),
        3 => (0..8usize, 0..4usize, any::<bool>()).prop_map(|(which, state, claims_next)| Act::Settle { which, state, claims_next }),
        2 => (0..30usize).prop_map(Act::Cancel),
        2 => (0..30usize).prop_map(Act::Reopen),
        1 => Just(Act::Park),
        1 => Just(Act::Go),
        1 => (0..30usize).prop_map(Act::Release),
        1 => (0..8usize).prop_map(Act::Disconnect),
        1 => (0..2usize).prop_map(Act::Away),
        2 => (0..2usize).prop_map(Act::Back),
        1 => Just(Act::Expire),
        4 => (0..150i64).prop_map(Act::Pass),
        1 => (0..50i64).prop_map(Act::SetBack),
    ]
}

struct World {
    made: Made,
    now: i64,
    ids: Vec<String>,
    held: Vec<ItemRow>,
}

fn account(n: usize) -> &'static str {
    ["a", "b"][n]
}

impl World {
    fn new() -> Self {
        let made = made();
        block_on(suite::connect(&made.store, "a"));
        block_on(suite::connect(&made.store, "b"));
        Self { made, now: 1_000_000_000_000, ids: Vec::new(), held: Vec::new() }
    }

    async fn act(&mut self, act: &Act) {
        let (store, now) = (&self.made.store, self.now);
        match act {
            Act::Enqueue { account: n, ordering_key, chat, bulk, deadline, send_at } => {
                let route = if *chat { SendRoute::Chat } else { SendRoute::Mail };
                let item = NewItem { route, is_bulk: *bulk, deadline: deadline.map(|ms| now + ms), send_at: send_at.map(|ms| now + ms), ..suite::item_of(account(*n), &ordering_key.to_string(), None) };
                if store.put(&item, &suite::content()).await.is_ok() {
                    self.ids.push(item.id);
                }
            }
            Act::Claim { most, in_hand } => self.claim(*most, *in_hand).await,
            Act::Edit { which, ordering_key, send_at } => {
                let Some(id) = self.id(*which) else { return };
                let Some(seen) = store.item(id, None).await.unwrap() else { return };
                let item = NewItem { send_at: send_at.map(|ms| now + ms), deadline: seen.deadline, ..suite::item_of(&seen.account_id, &ordering_key.to_string(), None) };
                let _ = store.edit(&seen, item, suite::content(), now).await;
            }
            Act::Wait { which, ms } => self.step(*which, ItemState::RetryWait, Some(now + ms), false).await,
            Act::Settle { which, state, claims_next } => {
                self.step(*which, [ItemState::Sent, ItemState::Failed, ItemState::Unknown, ItemState::Cancelled][*state], None, *claims_next).await;
            }
            Act::Cancel(n) => {
                if let Some(id) = self.id(*n) {
                    store.cancel(id, "no", now).await.unwrap();
                }
            }
            Act::Reopen(n) => {
                let Some(id) = self.id(*n) else { return };
                let Some(seen) = store.item(id, None).await.unwrap() else { return };
                let _ = store.reopen(&Reopened { seen: &seen, state: ItemState::Queued, progress: suite::sealed("p") }, now).await;
            }
            Act::Park => drop(store.write_here(super::super::parked::park).unwrap()),
            Act::Go => drop(block_on(store.settle_copy(true, now)).unwrap()),
            Act::Release(n) => drop(self.id(*n).map(|id| block_on(store.settle_parked(id, Parked::Released, now)).unwrap())),
            Act::Disconnect(n) if *n > 1 => {}
            Act::Disconnect(n) => drop(block_on(store.disconnect_account(account(*n), "gone", now)).unwrap()),
            Act::Away(n) => drop(block_on(store.set_account_state(account(*n), self.generation(*n), AccountState::NeedsReconnect, None, now)).unwrap()),
            // Not after a disconnect.
            Act::Back(n) => drop(block_on(store.set_account_state(account(*n), self.generation(*n), AccountState::Connected, None, now)).unwrap()),
            Act::Expire => drop(store.expire(now).await.unwrap()),
            Act::Pass(ms) => self.now += ms,
            Act::SetBack(minutes) => self.now -= minutes * 60_000,
        }
    }

    fn id(&self, n: usize) -> Option<&String> {
        self.ids.get(n)
    }

    fn generation(&self, n: usize) -> i64 {
        crate::runtime::block_on(self.made.store.account(account(n))).unwrap().unwrap().generation
    }

    async fn step(&mut self, which: usize, state: ItemState, next_at: Option<i64>, claims_next: bool) {
        if self.held.is_empty() {
            return;
        }
        let item = self.held.swap_remove(which % self.held.len());
        let step = Step { next_at, claim_until: None, claim_next_until: claims_next.then_some(self.now + LEASE), ..suite::step(state) };
        let stepped = self.made.store.step(&item.id, item.fence, &step, self.now).await.unwrap();
        self.held.extend(stepped.and_then(|stepped| stepped.next).map(|next| next.0));
    }

    /// Every row that may be claimed, by looking at all of them.
    fn ready(&self, at: i64) -> Vec<(String, String)> {
        let sql = "SELECT o.public_id, o.account_id || '/' || o.route FROM outbox o JOIN accounts a ON a.id = o.account_id AND a.state = 'connected'
             WHERE o.is_open = 1 AND o.parked <> 1 AND (o.lease_until <= ?1 OR o.lease_until > ?2)
               AND MIN(COALESCE(o.next_at, 0), COALESCE(o.deadline, 9223372036854775807)) <= ?1
               AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.is_open = 1 AND e.parked <> 1 AND e.account_id = o.account_id AND e.lane = o.lane AND e.id < o.id)";
        let too_late = super::too_late(at, LEASE);
        self.made.store.read_here(|c| super::all(c, sql, (at, too_late), |row| Ok((row.get(0)?, row.get(1)?)))).unwrap()
    }

    async fn claim(&mut self, most: usize, in_hand: usize) {
        let ready = self.ready(self.now);
        let mut room: HashMap<&str, usize> = HashMap::new();
        ready.iter().for_each(|(_, route)| *room.entry(route).or_default() += 1);
        let of_one_route = 3;
        let taken = |route: &str| if route == "a/mail" { in_hand } else { 0 };
        let expected: usize = room.iter().map(|(route, count)| (*count).min(of_one_route - taken(route).min(of_one_route))).sum();
        let wanted = Wanted { most, except: Vec::new(), in_hand: [("a/mail".to_owned(), in_hand)].into(), of_one_route };
        let claimed = self.made.store.claim_wanted(self.now, LEASE, &wanted).await.unwrap();
        assert_eq!(claimed.len(), expected.min(most), "{ready:?}");
        for item in &claimed {
            assert!(ready.iter().any(|(id, _)| *id == item.id) && item.hold != Hold::Parked);
        }
        self.held.extend(claimed);
    }

    async fn check(&self) {
        let heads = "SELECT o.public_id FROM outbox o WHERE o.is_head = 1 ORDER BY 1";
        // Of a row that is not grouped, SQLite shows the one with the least id.
        let naive = "SELECT public_id, MIN(id) FROM outbox WHERE is_open = 1 AND parked <> 1 GROUP BY account_id, lane ORDER BY 1";
        let late = "SELECT 1 FROM outbox o WHERE o.is_head = 1 AND o.free_at < COALESCE((SELECT due_at FROM outbox_queues q WHERE q.account_id = o.account_id AND q.route = o.route), 9223372036854775807)";
        let (heads, naive, late) = self
            .made
            .store
            .read_here(|c| {
                let heads = super::all(c, heads, [], |row| Ok(row.get::<_, String>(0)?))?;
                let naive = super::all(c, naive, [], |row| Ok(row.get::<_, String>(0)?))?;
                Ok((heads, naive, super::exists(c, late, [])?))
            })
            .unwrap();
        assert_eq!(heads, naive, "the first of each lane is its head, and nothing else is");
        assert!(!late, "a queue is never due later than what is in it");
        // What is said to be due next is.
        let next = self.made.store.next_claim(self.now, &[]).await.unwrap();
        match next {
            None => assert!(self.ready(self.now).is_empty()),
            Some(crate::store::Due::Retry(at) | crate::store::Due::Scheduled(at) | crate::store::Due::Lapse(at)) if at > self.now => {
                let stands_ahead = at > super::too_late(self.now, LEASE);
                let mut is_ready_before = false;
                for (id, _) in self.ready(at - 1) {
                    is_ready_before |= self.made.store.item(&id, None).await.unwrap().unwrap().next_at.is_some_and(|at| at > self.now);
                }
                assert!(stands_ahead || !is_ready_before && !self.ready(at).is_empty());
            }
            Some(_) => assert!(!self.ready(self.now).is_empty()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn queues_say_what_the_rows_say(acts in prop::collection::vec(act(), 1..60)) {
        crate::runtime::block_on(async {
            let mut world = World::new();
            for act in &acts {
                world.act(act).await;
                world.check().await;
            }
        });
    }
}

#[test]
fn what_waits_is_found_along_an_index() {
    let made = made();
    let writer = made.store.writer.alone();
    let plan = |sql: &str, count: usize| {
        let mut statement = writer.as_ref().unwrap().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let values = (0..count).map(|_| 1);
        statement.query_map(rusqlite::params_from_iter(values), |r| r.get::<_, String>(3)).unwrap().map(|line| line.unwrap()).collect::<Vec<_>>().join("; ")
    };
    for (index, sql, count) in [
        ("outbox_queues_due", super::WAITED.to_owned(), 3),
        ("outbox_queues_due", super::FRESH.to_owned(), 3),
        ("outbox_ready", super::AFTER_ITS_TIME.to_owned(), 3),
        ("outbox_ready", super::AT_ONCE.to_owned(), 3),
        ("outbox_leases", super::AHEAD.to_owned(), 1),
        ("outbox_lane", super::FIRST_OF_LANE.to_owned(), 2),
        ("outbox_deadline", super::super::outbox_end::OVERDUE.to_owned(), 2),
    ] {
        let plan = plan(&sql, count);
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE") && !plan.contains("SCAN outbox"), "{plan}");
    }
}

#[test]
fn a_step_that_keeps_its_claim_writes_to_no_index_but_that_of_keys() {
    let made = made();
    let writer = made.store.writer.alone();
    let mut statement = writer.as_ref().unwrap().prepare(&format!("EXPLAIN {}", super::super::outbox_step::KEEP)).unwrap();
    let codes: Vec<String> = statement.query_map([1; 7], |row| row.get(1)).unwrap().map(|code| code.unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| *code == "IdxInsert").count(), 1, "{codes:?}");
}
