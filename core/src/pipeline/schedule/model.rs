//! Random walks through the lines: no limit is ever passed, nobody waits for ever, nothing stays behind. A failing walk prints its seed.

use super::*;
use crate::pipeline::scope::{Mailbox, Service};
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Debug, Clone)]
enum Step {
    Enter { user: u8, teams: bool, requests: u32, priority: u8 },
    Leave(usize),
    Widen(usize, u32),
    Narrow(usize, u32),
    GiveUp(usize),
    Fence { user: u8, teams: bool, ms: u16 },
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_u8, any::<bool>(), prop_oneof![Just(1_u32), 2..25_u32], 0..4_u8).prop_map(|(user, teams, requests, priority)| Step::Enter { user, teams, requests, priority }),
        5 => any::<usize>().prop_map(Step::Leave),
        2 => (any::<usize>(), 1..25_u32).prop_map(|(which, requests)| Step::Widen(which, requests)),
        2 => (any::<usize>(), 0..25_u32).prop_map(|(which, requests)| Step::Narrow(which, requests)),
        1 => any::<usize>().prop_map(Step::GiveUp),
        1 => (0..6_u8, any::<bool>(), 0..500_u16).prop_map(|(user, teams, ms)| Step::Fence { user, teams, ms }),
        2 => (0..300_u16).prop_map(Step::Pass),
    ]
}

fn scope(user: u8, teams: bool) -> RateScope {
    let service = if teams { Service::Teams } else { Service::Outlook };
    RateScope::Graph(service, Arc::new(Mailbox { client_id: "app".into(), tenant_id: (user / 3).to_string(), user_id: user.to_string() }))
}

const LIMITS: Limits = Limits { per_mailbox: 4, per_tenant: 5, per_process: 8, outlook: window::Rate { most: 60, span: Duration::from_secs(1) }, bots: window::Rate { most: 30, span: Duration::from_secs(1) }, teams_pace: Duration::from_millis(10) };

struct Walk {
    state: State,
    now: Duration,
    waiting: Vec<(RateScope, Priority, u64, Arc<Waiter>)>,
    inside: Vec<(RateScope, Priority, Cost)>,
    made: Vec<(RateScope, u32, Duration)>,
    fences: HashMap<RateScope, Duration>,
    /// Where a person was, and when last.
    people: HashMap<RateScope, Duration>,
    /// What was made before Teams refused one.
    paced: HashMap<RateScope, usize>,
}

impl Walk {
    fn look(&mut self) {
        for _ in 0..2 {
            for (scope, priority, ticket, waiter) in &self.waiting {
                self.state.turn(scope, *priority, *ticket, waiter, self.now);
            }
        }
        let (entered, waiting): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|(.., waiter)| waiter.is_in.load(Ordering::Acquire));
        self.waiting = waiting;
        let unattended: Vec<RateScope> = entered.iter().filter(|(_, priority, ..)| *priority != Priority::Interactive).map(|(scope, ..)| scope.clone()).collect();
        for (scope, priority, _, waiter) in entered {
            assert!(self.fences.get(&scope).is_none_or(|fence| *fence <= self.now), "through a fence");
            let cost = waiter.held();
            assert!(cost == waiter.cost || waiter.cost.is_divisible && cost.requests < waiter.cost.requests);
            self.made.push((scope.clone(), cost.requests, self.now));
            self.inside.push((scope, priority, cost));
        }
        unattended.iter().for_each(|scope| self.check_free(scope));
        self.check();
    }

    /// A person waits for it, or did until now.
    fn waited_for(&mut self, scope: &RateScope) {
        self.people.insert(scope.clone(), self.now);
    }

    /// Something that nobody waits for was let in: it left a slot free, if a person was there of late.
    fn check_free(&self, scope: &RateScope) {
        let is_kept_free = |of: &RateScope| self.people.get(of).is_some_and(|at| self.now < *at + Duration::from_secs(5));
        let beside = |of: &dyn Fn(&RateScope) -> bool| self.inside.iter().filter(|(other, priority, _)| of(other) && *priority != Priority::Interactive).map(|(.., cost)| *cost).collect::<Vec<_>>();
        let in_scope = beside(&|other| other == scope);
        let slots: u32 = in_scope.iter().map(|cost| cost.requests.clamp(1, 4)).sum();
        let is_whole = in_scope.len() == 1 && in_scope.iter().all(|cost| !cost.is_divisible);
        assert!(!is_kept_free(scope) || slots <= 3 || is_whole, "{slots} slots in use while a person is there");
        let RateScope::Graph(service, mailbox) = scope else { return };
        let is_of_tenant = |other: &RateScope| matches!(other, RateScope::Graph(its, other) if its == service && other.tenant_id == mailbox.tenant_id);
        let is_somebody_there = self.people.keys().any(|other| is_of_tenant(other) && is_kept_free(other));
        assert!(!is_somebody_there || beside(&is_of_tenant).len() <= 4);
    }

    fn check(&self) {
        let mut slots: HashMap<&RateScope, u32> = HashMap::new();
        let mut tenants: HashMap<(u8, String), u32> = HashMap::new();
        for (scope, _, cost) in &self.inside {
            *slots.entry(scope).or_default() += cost.requests.clamp(1, 4);
            let RateScope::Graph(service, mailbox) = scope else { continue };
            *tenants.entry((*service as u8, mailbox.tenant_id.clone())).or_default() += 1;
        }
        assert!(slots.values().all(|n| *n <= 4) && tenants.values().all(|n| *n <= 5) && self.inside.len() <= 8);
        let (running, by_scope) = self.state.running();
        assert_eq!(running as usize, self.inside.len());
        assert!(slots.iter().all(|(scope, n)| by_scope.get(*scope) == Some(n)));
        for (scope, ..) in self.made.iter().filter(|(scope, ..)| matches!(scope, RateScope::Graph(Service::Outlook, _))) {
            let within = self.made.iter().filter(|(other, _, at)| other == scope && *at + LIMITS.outlook.span > self.now).map(|(_, n, _)| n).sum::<u32>();
            assert!(within <= 60, "{within} requests within a second");
        }
        for (scope, before) in &self.paced {
            let until = self.fences.get(scope).copied().unwrap_or_default() + Duration::from_secs(60);
            let paced = self.made.iter().skip(*before).filter(|(other, n, at)| other == scope && *n > 0 && *at < until);
            let mut next = Duration::ZERO;
            for (_, n, at) in paced {
                assert!(*at >= next, "{at:?} after a Retry-After of Teams, not before {next:?}");
                next = *at + LIMITS.teams_pace * *n;
            }
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Enter { user, teams, requests, priority } => {
                let (scope, priority) = (scope(user, teams), Priority::ALL[usize::from(priority)]);
                let waiter = Arc::new(Waiter::new(Cost { requests, is_divisible: requests % 2 == 0 }));
                let ticket = self.state.queue(&scope, priority, waiter.clone(), true, self.now);
                if priority == Priority::Interactive {
                    self.waited_for(&scope);
                }
                self.waiting.push((scope, priority, ticket, waiter));
            }
            Step::Leave(which) if !self.inside.is_empty() => {
                let (scope, priority, cost) = self.inside.remove(which % self.inside.len());
                if priority == Priority::Interactive {
                    self.waited_for(&scope);
                }
                self.state.leave(&scope, priority, cost, self.now);
            }
            Step::Widen(which, requests) if !self.inside.is_empty() => {
                let at = which % self.inside.len();
                let (scope, priority, held) = self.inside[at].clone();
                let cost = self.state.widen(&scope, priority, held, requests, self.now);
                assert!(cost.requests >= held.requests && (cost == held || cost.requests <= requests));
                let has_grown = cost.requests.min(4) > held.requests.min(4);
                self.made.push((scope, cost.requests - held.requests, self.now));
                self.inside[at].2 = cost;
                if has_grown && priority != Priority::Interactive {
                    self.check_free(&self.inside[at].0);
                }
            }
            Step::Narrow(which, requests) if !self.inside.is_empty() => {
                let at = which % self.inside.len();
                let (scope, priority, held) = self.inside[at].clone();
                let cost = self.state.narrow(&scope, priority, held, requests, self.now);
                assert!(cost.requests == held.requests.min(requests.max(1)));
                let mut unused = held.requests.saturating_sub(requests);
                for (_, made, _) in self.made.iter_mut().rev().filter(|(of, ..)| *of == scope) {
                    let back = unused.min(*made);
                    *made -= back;
                    unused -= back;
                }
                self.inside[at].2 = cost;
            }
            Step::GiveUp(which) if !self.waiting.is_empty() => {
                let (scope, priority, ticket, _) = self.waiting.remove(which % self.waiting.len());
                self.state.give_up(&scope, priority, ticket, self.now);
            }
            Step::Fence { user, teams, ms } => {
                let scope = scope(user, teams);
                let until = self.now + Duration::from_millis(ms.into());
                self.state.fence(&scope, None, until, self.now);
                if teams {
                    self.paced.insert(scope.clone(), self.made.len());
                }
                let fence = self.fences.entry(scope).or_default();
                *fence = (*fence).max(until);
            }
            Step::Pass(ms) => self.now += Duration::from_millis(ms.into()),
            Step::Leave(_) | Step::Widen(..) | Step::Narrow(..) | Step::GiveUp(_) => {}
        }
        self.look();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn no_limit_is_passed_and_everybody_gets_a_turn(steps in prop::collection::vec(step(), 1..120)) {
        let mut walk = Walk { state: State::new(LIMITS), now: Duration::ZERO, waiting: Vec::new(), inside: Vec::new(), made: Vec::new(), people: HashMap::new(), fences: HashMap::new(), paced: HashMap::new() };
        for step in &steps {
            walk.take(step);
        }
        // As long as those inside leave and time goes on, all others get in.
        for _ in 0..1000 {
            if walk.waiting.is_empty() {
                break;
            }
            walk.take(&Step::Leave(0));
            walk.take(&Step::Pass(50));
        }
        prop_assert!(walk.waiting.is_empty(), "{} wait for ever", walk.waiting.len());
        while !walk.inside.is_empty() {
            walk.take(&Step::Leave(0));
        }
        prop_assert!(walk.state.is_empty_after(walk.now + Duration::from_secs(100)));
    }
}
