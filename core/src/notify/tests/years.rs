//! The life of subscriptions.

use super::*;
use crate::store::SubscriptionState;

#[tokio::test]
async fn over_a_year_it_never_expires_and_is_renewed_at_half_of_its_life() {
    let world = World::new().await;
    world.connect("a").await;
    let notify = world.process();
    let end = world.now() + 365 * DAY;
    let mut next = notify.run_due().await.unwrap();
    let first = world.only();
    while world.now() < end {
        assert!(world.only().1.expires_at > world.now() + DAY);
        assert!(next > world.now(), "it rests in between");
        world.clock.advance(u64::try_from(next - world.now()).unwrap());
        next = notify.run_due().await.unwrap();
    }
    assert_eq!(world.only().0, first.0, "always the same one");
    let patches = world.microsoft.lock().unwrap().asked.iter().filter(|one| one.starts_with("PATCH")).count();
    assert!((240..=275).contains(&patches), "{patches} renewals");
    assert_eq!(world.row("a").await.state, SubscriptionState::Active);
}

#[tokio::test]
async fn one_that_is_gone_is_made_anew_and_what_was_missed_is_looked_for() {
    let world = World::new().await;
    world.connect("a").await;
    let notify = world.process();
    notify.run_due().await.unwrap();
    assert_eq!(world.marks().await, ["a"], "what came before it");
    world.clear(&notify).await;
    let (id, one) = world.only();
    // Microsoft says so.
    let removed = json!({ "subscriptionId": id, "clientState": one.client_state, "tenantId": TENANT, "lifecycleEvent": "subscriptionRemoved" });
    world.microsoft.lock().unwrap().kept.clear();
    assert_eq!(notify.receive(post(&[removed])).await.status, 202);
    assert_eq!(world.row("a").await.state, SubscriptionState::Absent);
    notify.run_due().await.unwrap();
    assert_ne!(world.only().0, id);
    assert_eq!(world.marks().await, ["a"]);
    world.clear(&notify).await;
    // It is found out when it is to be renewed.
    world.microsoft.lock().unwrap().kept.clear();
    world.clock.advance(u64::try_from(2 * DAY).unwrap());
    notify.run_due().await.unwrap();
    let (third, _) = world.only();
    assert_eq!(world.marks().await, ["a"]);
    world.clear(&notify).await;
    // Nobody was there for a week.
    world.clock.advance(u64::try_from(7 * DAY).unwrap());
    notify.run_due().await.unwrap();
    assert_ne!(world.only().0, third);
    assert_eq!(world.marks().await, ["a"]);
}

#[tokio::test]
async fn it_is_reauthorised_when_microsoft_asks_and_renewed_when_that_is_near() {
    let world = World::new().await;
    world.connect("a").await;
    let notify = world.process();
    notify.run_due().await.unwrap();
    let (id, one) = world.only();
    let asks = json!({ "subscriptionId": id, "clientState": one.client_state, "tenantId": TENANT, "lifecycleEvent": "reauthorizationRequired" });
    for _ in 0..3 {
        assert_eq!(notify.receive(post(&[asks.clone(), asks.clone()])).await.status, 202);
    }
    notify.run_due().await.unwrap();
    assert_eq!(world.only().1.reauthorized, 1);
    notify.run_due().await.unwrap();
    assert_eq!(world.only().1.reauthorized, 1);
    world.clock.advance(u64::try_from(DAY + DAY * 6 / 10).unwrap());
    assert_eq!(notify.receive(post(&[asks])).await.status, 202);
    notify.run_due().await.unwrap();
    let (_, renewed) = world.only();
    assert_eq!((renewed.reauthorized, renewed.expires_at > one.expires_at), (1, true), "a renewal does both");
}

#[tokio::test]
async fn the_longest_lifetime_that_microsoft_names_is_asked_for() {
    let world = World::new().await;
    world.connect("a").await;
    world.microsoft.lock().unwrap().longest = 1_440;
    let notify = world.process();
    notify.run_due().await.unwrap();
    assert_eq!(world.only().1.expires_at, world.now() + DAY);
    world.microsoft.lock().unwrap().longest = 100;
    world.clock.advance(u64::try_from(DAY / 2).unwrap());
    notify.run_due().await.unwrap();
    assert_eq!(world.only().1.expires_at, world.now() + 100 * MINUTE);
}

#[tokio::test]
async fn one_whose_answer_was_lost_is_deleted_before_another_is_made() {
    let world = World::new().await;
    world.connect("a").await;
    let notify = world.process();
    world.microsoft.lock().unwrap().trouble = Some(Trouble::LostAnswer);
    let next = notify.run_due().await.unwrap();
    let (lost, one) = world.only();
    let row = world.row("a").await;
    assert_eq!((row.state, row.graph_id, row.problem.is_some()), (SubscriptionState::Creating, None, true));
    // It tells already, and is believed.
    assert_eq!(notify.receive(post(&[item(&one.client_state, &lost)])).await.status, 202);
    assert_eq!(world.marks().await, ["a"]);
    world.clock.advance(u64::try_from(next - world.now()).unwrap());
    world.process().run_due().await.unwrap();
    assert_ne!(world.only().0, lost);
    assert_eq!(world.row("a").await.problem, None);
}

#[tokio::test]
async fn what_is_refused_is_tried_again_with_growing_waits_and_says_why() {
    let world = World::new().await;
    world.connect("a").await;
    let notify = world.process();
    let mut waits = Vec::new();
    for trouble in [Trouble::Unanswered, Trouble::Unanswered, Trouble::Unanswered, Trouble::Status(403), Trouble::Status(409), Trouble::Status(400)] {
        world.microsoft.lock().unwrap().trouble = Some(trouble);
        let next = notify.run_due().await.unwrap();
        waits.push((next - world.now()) / 1_000);
        let row = world.row("a").await;
        assert!(row.problem.is_some() && row.state != SubscriptionState::Active, "{trouble:?}: {row:?}");
        world.clock.advance(u64::try_from(next - world.now()).unwrap());
    }
    for (wait, least) in waits.iter().zip([54, 108, 216, 3_240, 3_240, 1_700]) {
        assert!((least..=least * 10 / 9 + 60).contains(wait), "{waits:?}");
    }
    notify.run_due().await.unwrap();
    assert_eq!(world.row("a").await.problem, None);
    assert_eq!(world.microsoft.lock().unwrap().kept.len(), 1);
}

#[tokio::test]
async fn who_is_not_to_be_watched_has_none_and_who_has_ended_is_never_renewed() {
    let world = World::new().await;
    for id in ["a", "b"] {
        world.connect(id).await;
    }
    let notify = world.process();
    notify.run_due().await.unwrap();
    assert_eq!(world.microsoft.lock().unwrap().kept.len(), 2);
    let (client_state, id) = {
        let hash = world.row("a").await.client_hash.unwrap();
        let microsoft = world.microsoft.lock().unwrap();
        microsoft.kept.iter().map(|(id, one)| (one.client_state.clone(), id.clone())).find(|(state, _)| notify.client_hash(state).unwrap() == hash).unwrap()
    };
    assert!(world.store.want_subscription("a", false, world.now()).await.unwrap());
    notify.nudge();
    notify.run_due().await.unwrap();
    assert_eq!(world.microsoft.lock().unwrap().kept.len(), 1);
    world.clear(&notify).await;
    assert_eq!(notify.receive(post(&[item(&client_state, &id)])).await.status, 202);
    assert!(world.marks().await.is_empty(), "what is not wanted is not heard");
    assert!(world.store.want_subscription("a", true, world.now()).await.unwrap());
    notify.run_due().await.unwrap();
    assert_eq!(world.microsoft.lock().unwrap().kept.len(), 2);
    // Disconnected, both go.
    notify.end(&["a".to_owned(), "b".to_owned()]).await;
    for id in ["a", "b"] {
        world.store.disconnect_account(id, "by hand", world.now()).await.unwrap();
    }
    assert!(world.microsoft.lock().unwrap().kept.is_empty());
    let asked = world.microsoft.lock().unwrap().asked.len();
    for _ in 0..30 {
        world.clock.advance(u64::try_from(DAY).unwrap());
        assert_eq!(notify.run_due().await.unwrap(), i64::MAX);
    }
    assert_eq!(world.microsoft.lock().unwrap().asked.len(), asked, "nothing is asked after");
    assert!(world.store.subscription("a").await.unwrap().is_none());
}

#[tokio::test]
async fn two_processes_make_one_subscription() {
    let world = World::new().await;
    world.connect("a").await;
    let (one, two) = (world.process(), world.process());
    let (first, second) = tokio::join!(one.run_due(), two.run_due());
    assert!(first.is_ok() && second.is_ok());
    world.only();
}
