mod people;

use super::*;
use crate::clock::TestClock;
use crate::pipeline::scope::{Mailbox, Service};
use crate::pipeline::throttles::{left, scope_of};
use futures_util::FutureExt;

struct Set {
    clock: Arc<TestClock>,
    scheduler: Scheduler,
}

fn set() -> Set {
    let clock = Arc::new(TestClock::new(0));
    Set { scheduler: Scheduler::new(clock.clone(), Limits { per_tenant: 64, ..Limits::default() }), clock }
}

fn scope_in(tenant: &str, user: &str, service: Service) -> RateScope {
    RateScope::Graph(service, Arc::new(Mailbox { client_id: "app".into(), tenant_id: tenant.into(), user_id: user.into() }))
}

fn scope(user: &str) -> RateScope {
    scope_in("t", user, Service::Outlook)
}

const LONG: Duration = Duration::from_secs(3600);

impl Set {
    fn enter<'a>(&'a self, scope: &'a RateScope, requests: u32, priority: Priority) -> std::pin::Pin<Box<dyn Future<Output = Result<Slot>> + 'a>> {
        Box::pin(async move { self.scheduler.enter(scope, Cost::of(requests as usize), priority, &mut LONG.clone()).await })
    }

    fn enters(&self, scope: &RateScope) -> Option<Slot> {
        self.enter(scope, 1, Priority::Sync).now_or_never().map(|slot| slot.unwrap_or_else(|e| panic!("{e}")))
    }
}

#[tokio::test]
async fn four_per_mailbox_and_service_and_people_go_first() {
    let set = set();
    let (a, b, teams) = (scope("a"), scope("b"), scope_in("t", "a", Service::Teams));
    let mut inside: Vec<Slot> = (0..4).filter_map(|_| set.enters(&a)).collect();
    assert_eq!(inside.len(), 4);
    let mut last = set.enter(&a, 1, Priority::BackFill);
    let mut sync = set.enter(&a, 1, Priority::Sync);
    let mut person = set.enter(&a, 1, Priority::Interactive);
    for waiting in [&mut last, &mut sync, &mut person] {
        assert!(waiting.now_or_never().is_none());
    }
    assert!(set.enters(&teams).is_some() && set.enters(&b).is_some(), "neither another service nor another mailbox is held up");
    inside.pop();
    assert!((&mut sync).now_or_never().is_none() && (&mut last).now_or_never().is_none());
    let person = person.now_or_never();
    assert!(person.is_some());
    drop(person);
    assert!((&mut sync).now_or_never().is_none(), "a slot stays free for that person");
    inside.pop();
    let sync = sync.now_or_never();
    assert!(sync.is_some() && (&mut last).now_or_never().is_none());
    drop(sync);
    assert!(last.now_or_never().is_some());
    drop(inside);
    assert!(set.scheduler.state().is_empty_after(LONG));
}

#[tokio::test]
async fn a_batch_takes_as_many_slots_as_run_at_a_time() {
    let set = set();
    let a = scope("a");
    let one = set.enters(&a);
    let mut batch = set.enter(&a, 20, Priority::Sync);
    assert!((&mut batch).now_or_never().is_none());
    let mut behind = set.enter(&a, 1, Priority::Sync);
    assert!((&mut behind).now_or_never().is_none(), "small ones do not pass it for ever");
    drop(one);
    let batch = batch.now_or_never();
    assert!(batch.is_some() && (&mut behind).now_or_never().is_none());
    drop(batch);
    assert!(behind.now_or_never().is_some());
}

#[tokio::test]
async fn tenants_and_the_process_have_limits_and_one_campaign_holds_nobody_up() {
    let clock = Arc::new(TestClock::new(0));
    let set = Set { scheduler: Scheduler::new(clock.clone(), Limits { per_tenant: 6, per_process: 8, ..Limits::default() }), clock };
    let (a, b, c, other) = (scope("a"), scope("b"), scope("c"), scope_in("u", "x", Service::Outlook));
    let mut inside: Vec<Slot> = [&a, &a, &a, &a, &b, &b].into_iter().filter_map(|scope| set.enters(scope)).collect();
    assert_eq!(inside.len(), 6);
    let mut third = set.enter(&c, 1, Priority::Sync);
    assert!((&mut third).now_or_never().is_none(), "the tenant's are used up");
    inside.extend([&other, &other].into_iter().filter_map(|scope| set.enters(scope)));
    let mut fourth = set.enter(&other, 1, Priority::Sync);
    assert!((&mut fourth).now_or_never().is_none(), "the process's are used up");
    assert!(set.enters(&RateScope::Uncounted("x".into())).is_some(), "a token is always to be had");
    // A campaign of one mailbox queues up behind the others' single requests.
    let mut campaign: Vec<_> = (0..50).map(|_| set.enter(&a, 1, Priority::Sync)).collect();
    for waiting in &mut campaign {
        assert!(waiting.now_or_never().is_none());
    }
    drop(inside.remove(0));
    let fourth = fourth.now_or_never();
    assert!(fourth.is_some() && (&mut third).now_or_never().is_none(), "its tenant waited longer");
    drop(fourth);
    assert!(third.now_or_never().is_some());
    drop((campaign, inside));
    assert!(set.scheduler.state().is_empty_after(LONG));
}

#[tokio::test]
async fn who_waited_longest_goes_now_and_then_whatever_the_priority() {
    let set = set();
    let a = scope("a");
    let full = set.enter(&a, 4, Priority::Sync).now_or_never();
    let mut old = set.enter(&a, 4, Priority::BackFill);
    assert!((&mut old).now_or_never().is_none());
    let mut slot = full;
    let mut passed = 0;
    loop {
        let mut young = set.enter(&a, 4, Priority::Interactive);
        assert!((&mut young).now_or_never().is_none());
        drop(slot.take());
        if (&mut old).now_or_never().is_some() {
            break;
        }
        slot = young.now_or_never();
        assert!(slot.is_some());
        passed += 1;
    }
    assert!((1..8).contains(&passed), "{passed}");
}

#[tokio::test]
async fn a_fence_only_grows_and_the_first_in_line_watches_it() {
    let set = set();
    let a = scope("a");
    set.scheduler.fence(&a, Duration::from_secs(9));
    set.scheduler.fence(&a, Duration::from_secs(5));
    let mut waiting: Vec<_> = (0..3).map(|_| set.enter(&a, 1, Priority::Sync)).collect();
    for one in &mut waiting {
        assert!(one.now_or_never().is_none());
    }
    assert!(set.enters(&scope("b")).is_some() && set.enters(&scope_in("t", "a", Service::Teams)).is_some());
    assert_eq!(set.clock.next_wait().await, 9000, "one waits for the time, the others for the one");
    // The watcher goes away, and the next one watches.
    drop(waiting.remove(0));
    for one in &mut waiting {
        assert!(one.now_or_never().is_none());
    }
    set.clock.advance(9000);
    let mut slots = Vec::new();
    for _ in 0..3 {
        slots.extend(waiting.iter_mut().filter_map(|one| one.now_or_never()));
        waiting.truncate(2 - slots.len().min(2));
        if slots.len() == 2 {
            break;
        }
    }
    assert_eq!(slots.len(), 2);
}

#[tokio::test]
async fn the_wait_for_a_turn_has_an_end_and_says_how_long_it_is() {
    let set = set();
    let a = scope("a");
    let mut left = Duration::from_secs(5);
    set.scheduler.fence(&a, Duration::from_secs(9));
    let refused = set.scheduler.enter(&a, Cost::ONE, Priority::Sync, &mut left).await.err();
    assert_eq!(refused.and_then(|e| e.retry_after_ms()), Some(9000));
    set.clock.advance(9000);
    let inside = set.enter(&a, 4, Priority::Sync).now_or_never();
    let mut waiting = Box::pin(set.scheduler.enter(&a, Cost::ONE, Priority::Sync, &mut left));
    assert!((&mut waiting).now_or_never().is_none());
    // The machine slept: that is no wait in a queue.
    set.clock.advance(3_600_000);
    let mut steps = 0;
    let refused = loop {
        match (&mut waiting).now_or_never() {
            Some(refused) => break refused,
            None => set.clock.advance(1001),
        }
        steps += 1;
        assert!(steps < 10, "its turn never comes");
    };
    assert!(steps >= 4 && refused.err().map(|e| e.kind()) == Some(ErrorKind::Throttled));
    drop(waiting);
    drop(inside);
    let slot = set.scheduler.enter(&a, Cost::ONE, Priority::Sync, &mut left).await;
    assert!(slot.is_ok() && left == Duration::from_secs(5));
}

#[tokio::test]
async fn ten_thousand_requests_in_ten_minutes_and_no_more() {
    let set = set();
    let a = scope("a");
    for _ in 0..500 {
        assert!(set.enter(&a, 20, Priority::Sync).now_or_never().is_some());
    }
    let mut next = set.enter(&a, 1, Priority::Sync);
    assert!((&mut next).now_or_never().is_none());
    assert!(set.enters(&scope("b")).is_some());
    let wait = set.clock.next_wait().await;
    assert!((600_000..=640_000).contains(&wait), "{wait}");
    set.clock.advance(wait);
    assert!(next.now_or_never().is_some());
}

/// A request that holds a slot may need a new token, and that a proof of whose it is: with all slots taken by such requests, all get through.
#[tokio::test]
async fn what_a_request_inside_waits_for_needs_no_slot() {
    let set = set();
    let scopes: Vec<RateScope> = (0..64).map(|n| scope_in(&n.to_string(), "u", Service::Outlook)).collect();
    let inside: Vec<Slot> = scopes.iter().filter_map(|scope| set.enters(scope)).collect();
    assert_eq!(inside.len(), 64);
    assert!(set.enters(&scope_in("other", "u", Service::Outlook)).is_none());
    for n in 0..64 {
        assert!(set.enters(&RateScope::Uncounted(format!("token/{n}"))).is_some());
    }
}

#[tokio::test]
async fn a_long_retry_after_is_handed_on_and_holds_in_the_next_process() {
    let (set, a) = (set(), scope("a"));
    set.scheduler.fence(&a, Duration::from_millis(4_999));
    assert!(set.scheduler.take_unkept(false).is_empty(), "it is over before a process is there again");
    set.scheduler.fence(&a, Duration::from_secs(60));
    set.scheduler.fence(&a, Duration::from_secs(40));
    set.scheduler.fence(&scope_in("t", "a", Service::Teams), Duration::from_secs(30));
    set.scheduler.fence(&RateScope::Uncounted("acc".into()), Duration::from_secs(20));
    set.scheduler.fence(&a, Duration::from_secs(90));
    assert!(set.scheduler.noted().now_or_never().is_some());
    let mut kept = set.scheduler.take_unkept(false);
    kept.sort_by_key(|throttle| throttle.until);
    let shown: Vec<_> = kept.iter().map(|t| (t.user_id.as_str(), t.service.as_str(), t.until)).collect();
    assert_eq!(shown, [("acc", "sign_in", 20_000), ("a", "teams", 30_000), ("a", "outlook", 90_000)], "the latest of each");
    assert!(set.scheduler.take_unkept(false).is_empty(), "once");

    let next = self::set();
    next.clock.advance(10_000);
    kept.iter().for_each(|throttle| next.scheduler.resume(throttle));
    assert!(next.enters(&scope("b")).is_some());
    let mut waiting = next.enter(&a, 1, Priority::Sync);
    assert!((&mut waiting).now_or_never().is_none());
    next.clock.advance(79_999);
    assert!((&mut waiting).now_or_never().is_none());
    next.clock.advance(1);
    assert!((&mut waiting).now_or_never().is_some());
    assert!(next.scheduler.take_unkept(false).is_empty(), "what was stored is not stored again");
}

#[test]
fn a_kept_throttle_is_bounded_and_one_of_an_unknown_service_holds_nobody() {
    let throttle = |service: &str, until| Throttle { client_id: "app".into(), tenant_id: "t".into(), user_id: "a".into(), service: service.into(), until, made: None };
    let now = crate::clock::from_ms(1_000);
    assert_eq!(left(&throttle("outlook", 31_536_000_000), now), LONG);
    assert_eq!(left(&throttle("outlook", 500), now), Duration::ZERO);
    assert!(scope_of(&throttle("planner", 2_000)).is_none());
}

#[tokio::test]
async fn requests_that_count_still_count_in_the_next_process() {
    let (set, a) = (set(), scope("a"));
    assert!(set.scheduler.noted().now_or_never().is_none());
    for _ in 0..499 {
        set.enters(&a).unwrap();
    }
    set.enters(&scope("b")).unwrap();
    set.enters(&scope_in("t", "a", Service::Teams)).unwrap();
    assert!(set.scheduler.take_unkept(true).is_empty(), "so few matter to nobody");
    set.clock.advance(300_000);
    for _ in 0..9_000 {
        set.enters(&a).unwrap();
    }
    assert!(set.scheduler.noted().now_or_never().is_some());
    let kept = set.scheduler.take_unkept(false);
    let made = |kept: &[Throttle]| kept.iter().map(|t| (t.user_id.clone(), t.until, t.made.iter().flat_map(|made| &made.counts).sum::<u32>())).collect::<Vec<_>>();
    assert_eq!(made(&kept), [("a".to_owned(), 0, 9_499)]);
    assert!(set.scheduler.take_unkept(false).is_empty(), "once");
    set.enters(&a).unwrap();
    assert_eq!(made(&set.scheduler.take_unkept(true)), [("a".to_owned(), 0, 9_500)], "the last word is exact");

    // Ten seconds later.
    let next = self::set();
    next.clock.advance(310_000);
    kept.iter().for_each(|throttle| next.scheduler.resume(throttle));
    for _ in 0..501 {
        next.enters(&a).unwrap();
    }
    let mut waiting = next.enter(&a, 1, Priority::Sync);
    assert!((&mut waiting).now_or_never().is_none() && next.enters(&scope("b")).is_some());
    // The first 499 are over after ten minutes.
    next.clock.advance(289_000);
    assert!((&mut waiting).now_or_never().is_none());
    next.clock.advance(50_000);
    assert!((&mut waiting).now_or_never().is_some());

    // A clock that was set back says nothing of how long ago it was.
    let earlier = self::set();
    kept.iter().for_each(|throttle| earlier.scheduler.resume(throttle));
    assert!(earlier.scheduler.take_unkept(true).is_empty());
}

#[tokio::test]
async fn teams_is_asked_once_a_second_for_a_while_after_it_refused() {
    let set = set();
    let (teams, other, mail) = (scope_in("t", "a", Service::Teams), scope_in("t", "b", Service::Teams), scope("a"));
    for _ in 0..100 {
        set.enters(&teams).unwrap();
    }
    set.scheduler.fence(&teams, Duration::from_secs(5));
    set.scheduler.fence(&mail, Duration::from_secs(5));
    set.clock.advance(5_000);
    for second in 0..58 {
        assert!(set.enters(&teams).is_some(), "{second}");
        let mut waiting = set.enter(&teams, 1, Priority::Interactive);
        assert!((&mut waiting).now_or_never().is_none(), "{second}");
        set.clock.advance(1_019);
        assert!((&mut waiting).now_or_never().is_none(), "{second}");
        drop(waiting);
        for _ in 0..10 {
            assert!(set.enters(&other).is_some() && set.enters(&mail).is_some(), "nobody else keeps a distance");
        }
        set.clock.advance(1);
    }
    set.clock.advance(1_000);
    for _ in 0..100 {
        assert!(set.enters(&teams).is_some(), "it is over");
    }
}

#[tokio::test]
async fn who_is_refused_in_spite_of_the_distance_keeps_more_of_it() {
    let (set, teams) = (set(), scope_in("t", "a", Service::TeamsMessages));
    let fence = |seconds| set.scheduler.fence(&teams, set.clock.elapsed() + Duration::from_secs(seconds));
    fence(1);
    // What left before that was heard of is refused as well.
    fence(1);
    set.clock.advance(1_000);
    for distance in [1_020, 1_040, 1_080, 1_160, 1_320, 1_320] {
        assert!(set.enters(&teams).is_some(), "{distance}");
        let mut next = set.enter(&teams, 1, Priority::Send);
        set.clock.advance(distance - 1);
        assert!((&mut next).now_or_never().is_none(), "{distance}");
        set.clock.advance(1);
        assert!(next.now_or_never().is_some(), "{distance}");
        set.clock.advance(3_000);
        fence(1);
        set.clock.advance(1_000);
    }
}

#[tokio::test]
async fn who_would_wait_too_long_behind_others_is_told_when_to_come_back() {
    let (set, teams) = (set(), scope_in("t", "a", Service::TeamsMessages));
    set.scheduler.fence(&teams, Duration::from_secs(1));
    set.clock.advance(1_000);
    assert!(set.enters(&teams).is_some());
    let mut waiting: Vec<_> = (0..4).map(|_| set.enter(&teams, 1, Priority::Send)).collect();
    assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()), "within five seconds");
    let mut left = Duration::from_secs(5);
    let told = set.scheduler.enter(&teams, Cost::ONE, Priority::Send, &mut left).now_or_never().unwrap();
    assert_eq!(told.map(drop).unwrap_err().retry_after_ms(), Some(5 * 1_020), "four are before it");
    let mut left = Duration::from_secs(5);
    assert!(set.scheduler.enter(&teams, Cost::ONE, Priority::Interactive, &mut left).now_or_never().is_none(), "what somebody waits for goes first");
}

#[tokio::test]
async fn refused_messages_hold_up_nothing_else_of_teams() {
    let (set, place) = (set(), Some("chats/x".to_owned()));
    let turns = |service| Turns::new(&set.scheduler, &scope_in("t", "a", service), place.clone(), Cost::ONE, Priority::Send, LONG);
    turns(Service::TeamsMessages).fence(Duration::from_secs(5));
    for _ in 0..100 {
        assert!(turns(Service::Teams).enter().now_or_never().is_some(), "chats are found and made as before");
    }
    assert!(turns(Service::TeamsMessages).enter().now_or_never().is_none());
    set.clock.advance(5_000);
    assert!(turns(Service::TeamsMessages).enter().now_or_never().is_some());
    let next = turns(Service::TeamsMessages);
    let mut next = Box::pin(next.enter());
    set.clock.advance(1_019);
    assert!((&mut next).now_or_never().is_none(), "one a second, and a little more");
    set.clock.advance(1);
    assert!(next.now_or_never().is_some());
}

#[tokio::test]
async fn what_was_not_made_keeps_no_distance() {
    let (set, teams) = (set(), scope_in("t", "a", Service::Teams));
    set.scheduler.fence(&teams, Duration::from_secs(1));
    set.clock.advance(1_000);
    let mut slot = set.enters(&teams).unwrap();
    slot.narrow(0);
    drop(slot);
    assert!(set.enters(&teams).is_some());
    assert!(set.enters(&teams).is_none());
}

impl Set {
    fn of_teams(&self, tenant: &str, user: &str, place: &str, left: Duration) -> Turns {
        Turns::new(&self.scheduler, &scope_in(tenant, user, Service::Teams), Some(place.to_owned()), Cost::ONE, Priority::Send, left)
    }
}

#[tokio::test]
async fn after_a_refusal_a_tenant_keeps_its_distance_and_so_does_a_chat_of_several_people() {
    let set = set();
    for _ in 0..100 {
        assert!(set.of_teams("t", "a", "chats/x", LONG).enter().now_or_never().is_some(), "nobody was refused yet");
    }
    set.of_teams("t", "a", "chats/x", LONG).fence(Duration::from_secs(1));
    set.clock.advance(1_000);
    for _ in 0..100 {
        assert!(set.of_teams("t", "b", "chats/x", LONG).enter().now_or_never().is_some(), "the limit of one person is nobody else's");
    }
    // Refused again, though it came once a second.
    set.of_teams("t", "a", "chats/x", LONG).fence(Duration::from_secs(5));
    set.clock.advance(5_000);
    // Other people, other chats: twenty a second of the tenant.
    for user in ["b", "c", "d"] {
        assert!(set.of_teams("t", user, user, LONG).enter().now_or_never().is_some(), "{user}");
        let (next, other) = (set.of_teams("t", "e", "chats/y", LONG), set.of_teams("u", "a", "chats/x", LONG));
        let mut next = Box::pin(next.enter());
        assert!((&mut next).now_or_never().is_none() && other.enter().now_or_never().is_some(), "{user}: another tenant goes on");
        set.clock.advance(49);
        assert!((&mut next).now_or_never().is_none(), "{user}");
        set.clock.advance(1);
        assert!(next.now_or_never().is_some(), "{user}");
        set.clock.advance(50);
    }
    // The chat that refused: one a second, whoever of its people it is.
    assert!(set.of_teams("t", "f", "chats/x", LONG).enter().now_or_never().is_some());
    let refused = set.of_teams("t", "g", "chats/x", Duration::from_millis(900)).enter().now_or_never().unwrap();
    assert_eq!(refused.map(drop).unwrap_err().retry_after_ms(), Some(1_000), "who cannot wait that long is told at once");
    let second = set.of_teams("t", "h", "chats/x", LONG);
    let mut second = Box::pin(second.enter());
    assert!((&mut second).now_or_never().is_none());
    set.clock.advance(1_000);
    assert!(second.now_or_never().is_some());
    set.clock.advance(60_000);
    for _ in 0..100 {
        assert!(set.of_teams("t", "a", "chats/x", LONG).enter().now_or_never().is_some(), "it is over");
    }
    assert!(set.scheduler.state().is_empty_after(LONG));
}

impl Set {
    fn of_bot(&self, thread: &str, left: Duration) -> Turns {
        let thread = Thread { id: thread.to_owned(), is_write: true };
        Turns::new(&self.scheduler, &scope_in("t", "a", Service::Bots), None, Cost::ONE, Priority::Send, left).in_thread(Some(thread))
    }

    /// One is made and answered at once.
    fn says_in(&self, thread: &str) -> bool {
        self.of_bot(thread, LONG).enter().now_or_never().is_some_and(|slot| slot.is_ok())
    }
}

#[tokio::test]
async fn a_bot_keeps_to_what_teams_takes_in_one_conversation_and_holds_up_no_other() {
    let set = set();
    let (mut made, ms) = (Vec::new(), |at: Duration| at.as_millis());
    // A queue of 2,000 for one conversation.
    while made.len() < 2_000 {
        let turns = set.of_bot("x", LONG);
        let mut next = Box::pin(turns.enter());
        loop {
            if let Some(slot) = (&mut next).now_or_never() {
                drop(slot.unwrap());
                break;
            }
            set.clock.advance(set.clock.next_wait().await);
            tokio::task::yield_now().await;
        }
        made.push(set.clock.elapsed());
    }
    for (most, span) in [(7, 1), (8, 2), (60, 30), (1_800, 3_600)] {
        for (n, at) in made.iter().enumerate().skip(most) {
            assert!(*at >= made[n - most] + Duration::from_secs(span), "{most} in {span} s: number {n} at {at:?}");
        }
    }
    assert_eq!((ms(made[6]), made[7] > Duration::from_secs(1)), (0, true));
    assert!(made[99] < Duration::from_secs(45), "and not much later: {:?}", made[99]);
    assert!(made[1_799] < Duration::from_secs(1_000), "{:?}", made[1_799]);
    for _ in 0..7 {
        assert!(set.says_in("y"));
    }
    // Who cannot wait that long is told when.
    let left = set.of_bot("y", Duration::from_millis(900)).enter().now_or_never().unwrap();
    let error = left.map(drop).unwrap_err();
    assert!((1_000..1_100).contains(&error.retry_after_ms().unwrap()) && error.awaits_turn() && error.reason().contains("1,800"), "{error:?}");
    set.clock.advance(3_800_000);
    assert!(set.scheduler.state().is_empty_after(set.clock.elapsed()));
}

#[tokio::test]
async fn what_waits_for_its_conversation_takes_no_slot() {
    let set = set();
    let waiting: Vec<Turns> = (0..20).map(|n| set.of_bot(&format!("c{}", n % 4), LONG)).collect();
    for thread in 0..4 {
        while set.says_in(&format!("c{thread}")) {}
    }
    let mut waiting: Vec<_> = waiting.iter().map(|turns| Box::pin(turns.enter())).collect();
    assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()) && set.says_in("y"));
}

#[tokio::test]
async fn a_conversation_that_is_refused_waits_alone_until_another_one_is_refused_too() {
    let set = set();
    set.of_bot("x", LONG).fence(Duration::from_secs(60));
    assert!(!set.says_in("x") && set.says_in("y"));
    set.of_bot("y", LONG).fence(Duration::from_secs(9));
    assert!(!set.says_in("z"), "the organisation has had enough");
    // The next process knows all of it.
    let next = self::set();
    set.scheduler.take_unkept(false).iter().for_each(|throttle| next.scheduler.resume(throttle));
    next.clock.advance(8_999);
    assert!(!next.says_in("x") && !next.says_in("z"));
    next.clock.advance(2);
    assert!(!next.says_in("x") && next.says_in("z"));
    next.clock.advance(51_000);
    assert!(next.says_in("x"));
}

#[tokio::test]
async fn the_next_process_counts_what_was_said_in_the_last_hour() {
    let set = set();
    for _ in 0..1_800 {
        while !set.says_in("x") {
            set.clock.advance(500);
        }
    }
    let kept = set.scheduler.take_unkept(true);
    assert!(kept.iter().any(|throttle| throttle.service == "bots/said/x" && throttle.user_id == "a"), "{kept:?}");
    let next = self::set();
    next.clock.advance(set.clock.elapsed().as_millis() as u64);
    kept.iter().for_each(|throttle| next.scheduler.resume(throttle));
    assert!(!next.says_in("x") && next.says_in("y"));
    let error = next.of_bot("x", Duration::from_secs(5)).enter().now_or_never().unwrap().map(drop).unwrap_err();
    assert!(error.retry_after_ms().unwrap() > 2_000_000, "{error:?}");
}
