//! What somebody waits for goes before bulk: whatever is in hand of it or waits for Microsoft does not keep it out.

use super::chance::Chance;
use super::microsoft::{Microsoft, Troubles};
use super::world::{Process, World, draft};
use crate::interleave::Drawn;
use crate::model::SendRoute;
use crate::store::ItemState;
use std::sync::Arc;

/// Of a campaign.
const BULK: usize = 300;
/// What may go before it.
struct Before {
    /// Those that were under way before, those beside its own, and its own two; every eighth turn goes by age.
    requests: usize,
    /// Mails of those requests.
    bulk: usize,
}

const NO_LIMITS: Before = Before { requests: 12, bulk: 8 };
/// It may meet a limit itself, and then be late by a moment after that has passed.
const LIMITS: Before = Before { requests: 60, bulk: 25 };

/// Nothing happens any more until something is let through: nobody has anything to do, and no step of the store is under way on its own thread.
async fn quiet(world: &World) {
    let mut calm = 0;
    while calm < 600 {
        tokio::task::yield_now().await;
        calm = if world.store.is_idle() { calm + 1 } else { 0 };
    }
}

async fn campaign(world: &World, process: &Process, account_id: &str, route: SendRoute, count: usize) {
    let drafts = (0..count).map(|n| draft(account_id, route, &format!("{account_id} bulk {n}"), None)).collect();
    process.outbox.enqueue_all(drafts, Vec::new(), true, |_, _| true).await.unwrap();
    quiet(world).await;
}

/// One that somebody waits for.
async fn send(process: &mut Process, account_id: &str, route: SendRoute, text: &str) -> String {
    let id = process.outbox.enqueue(draft(account_id, route, text, None), false).await.unwrap().id;
    process.wait_for(&id);
    id
}

async fn is_in_hand(world: &World, id: &str) -> bool {
    !matches!(world.store.item(id, None).await.unwrap().unwrap().state, ItemState::Queued | ItemState::RetryWait)
}

fn slow(world: &World, troubles: Troubles) -> (Arc<Microsoft>, Process) {
    let microsoft = world.microsoft(Chance::new(7), troubles);
    microsoft.slow_down();
    let process = world.process(&microsoft);
    (microsoft, process)
}

fn drawn() -> Drawn {
    let mut order = Chance::new(1);
    Drawn::by(move |below| order.below(below))
}

/// It is in hand at once, and its requests are the next.
async fn goes_next(route: SendRoute, sender: &str, throttled: u32, most: Before) {
    let (_drawn, world) = (drawn(), World::new());
    world.connect("a");
    if sender != "a" {
        world.connect(sender);
    }
    let (microsoft, mut process) = slow(&world, Troubles { throttled, ..Troubles::default() });
    campaign(&world, &process, "a", route, BULK).await;
    let id = send(&mut process, sender, route, "now").await;
    quiet(&world).await;
    assert!(is_in_hand(&world, &id).await, "bulk keeps it out: {route:?} of {sender}");
    let mut requests = 0;
    while microsoft.mailbox(sender, |mailbox| mailbox.times("now") == 0) {
        assert!(requests < most.requests, "{requests} requests went before it: {route:?} of {sender}");
        microsoft.let_through(1);
        requests += 1;
        quiet(&world).await;
    }
    let sent = microsoft.mailbox("a", |mailbox| mailbox.accepted.len());
    assert!(sent <= most.bulk, "{sent} of the campaign went before it: {route:?} of {sender}");
    process.kill().await;
}

#[tokio::test]
async fn a_mail_somebody_waits_for_goes_before_a_campaign_of_its_mailbox() {
    goes_next(SendRoute::Mail, "a", 0, NO_LIMITS).await;
}

#[tokio::test]
async fn a_chat_message_somebody_waits_for_goes_before_a_campaign_of_its_account() {
    goes_next(SendRoute::Chat, "a", 0, NO_LIMITS).await;
}

#[tokio::test]
async fn it_goes_before_a_campaign_of_another_connection_of_the_mailbox() {
    goes_next(SendRoute::Mail, "a~2", 0, NO_LIMITS).await;
    goes_next(SendRoute::Chat, "a~2", 0, NO_LIMITS).await;
}

#[tokio::test]
async fn it_goes_before_a_campaign_that_meets_limits() {
    goes_next(SendRoute::Mail, "a", 20, LIMITS).await;
}

#[tokio::test]
async fn campaigns_of_many_mailboxes_keep_it_out_as_little() {
    let (_drawn, world) = (drawn(), World::new());
    let (_microsoft, mut process) = slow(&world, Troubles::default());
    for n in 0..8 {
        world.connect(&n.to_string());
        campaign(&world, &process, &n.to_string(), SendRoute::Mail, 40).await;
    }
    world.connect("a");
    let id = send(&mut process, "a", SendRoute::Mail, "now").await;
    quiet(&world).await;
    assert!(is_in_hand(&world, &id).await);
    process.kill().await;
}

#[tokio::test]
async fn what_is_awaited_has_a_limit_of_its_own() {
    let (_drawn, world) = (drawn(), World::new());
    world.connect("a");
    let (_microsoft, mut process) = slow(&world, Troubles::default());
    campaign(&world, &process, "a", SendRoute::Mail, BULK).await;
    let mut ids = Vec::new();
    for n in 0..50 {
        ids.push(send(&mut process, "a", SendRoute::Mail, &n.to_string()).await);
    }
    quiet(&world).await;
    let mut in_hand = 0;
    for id in &ids {
        in_hand += u32::from(is_in_hand(&world, id).await);
    }
    assert_eq!(in_hand, 40);
    process.kill().await;
}
