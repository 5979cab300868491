//! What a person who waits finds beside everything else.

use super::*;

#[tokio::test]
async fn while_a_person_is_there_one_slot_of_the_mailbox_and_of_the_tenant_stays_free() {
    let set = Set { scheduler: Scheduler::new(Arc::new(TestClock::new(0)), Limits::default()), ..set() };
    let scheduler = &set.scheduler;
    let bulk = async |scope: &RateScope| scheduler.enter(scope, Cost { is_divisible: true, ..Cost::of(20) }, Priority::Send, &mut LONG.clone()).await;
    let (a, b) = (scope("a"), scope("b"));
    // Nobody is there: a campaign has all of it.
    let mut slot = bulk(&a).now_or_never().unwrap().unwrap();
    assert_eq!((slot.widen(20), set.enters(&a).is_some()), (20, false));
    // Somebody comes, and waits for the batch that is on its way; what comes after it leaves a slot free, of the mailbox and of the tenant.
    let mut person = set.enter(&a, 1, Priority::Interactive);
    assert!((&mut person).now_or_never().is_none());
    drop(slot);
    drop(person.now_or_never().unwrap().unwrap());
    let mut slot = bulk(&a).now_or_never().unwrap().unwrap();
    assert_eq!((slot.widen(20), set.enters(&a).is_some()), (3, false));
    assert_eq!(scheduler.state().most_together(&a, Priority::Send, Duration::ZERO), 3);
    let others: Vec<Slot> = (0..3).filter_map(|n| set.enters(&scope(&n.to_string()))).collect();
    assert_eq!(others.len(), 2, "one more of the tenant is kept free");
    drop(set.enter(&a, 1, Priority::Interactive).now_or_never().unwrap().unwrap());
    drop(set.enter(&b, 1, Priority::Interactive).now_or_never().unwrap().unwrap());
    assert!(set.enters(&scope_in("other", "a", Service::Outlook)).is_some() && set.enters(&scope_in("t", "a", Service::Teams)).is_some());
}

#[tokio::test]
async fn whose_turn_it_is_does_not_hold_up_a_person_where_only_the_free_slot_is_left() {
    let set = Set { scheduler: Scheduler::new(Arc::new(TestClock::new(0)), Limits::default()), ..set() };
    let a = scope("a");
    drop(set.enter(&a, 1, Priority::Interactive).await.unwrap());
    let others: Vec<Slot> = (0..4).filter_map(|n| set.enters(&scope(&n.to_string()))).collect();
    assert_eq!(others.len(), 3);
    let mut bulk = set.enter(&a, 1, Priority::Send);
    assert!((&mut bulk).now_or_never().is_none());
    // Also in each eighth turn, which goes to who has waited longest.
    for n in 0..20 {
        assert!(set.enter(&a, 1, Priority::Interactive).now_or_never().is_some(), "{n}");
        assert!((&mut bulk).now_or_never().is_none());
    }
    drop(others);
    assert!(bulk.now_or_never().is_some());
}

#[tokio::test]
async fn what_cannot_be_divided_gets_all_slots_at_some_time_and_a_person_goes_before_it() {
    let set = set();
    let a = scope("a");
    drop(set.enter(&a, 1, Priority::Interactive).await.unwrap());
    let three: Vec<Slot> = (0..4).filter_map(|_| set.enters(&a)).collect();
    assert_eq!(three.len(), 3);
    let mut batch = set.enter(&a, 20, Priority::Sync);
    assert!((&mut batch).now_or_never().is_none());
    drop(set.enter(&a, 1, Priority::Interactive).now_or_never().unwrap().unwrap());
    drop(three);
    assert!(batch.now_or_never().is_some());
}

#[tokio::test]
async fn a_person_left_alone_for_a_while_is_not_waited_for() {
    let set = set();
    let a = scope("a");
    drop(set.enter(&a, 1, Priority::Interactive).await.unwrap());
    set.clock.advance(6_000);
    assert_eq!((0..4).filter_map(|_| set.enters(&a)).collect::<Vec<_>>().len(), 4);
}
