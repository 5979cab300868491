//! Requests of workers that are gone: what was on its way when they died, or lost their claim, arrives after somebody else has settled the send.

use super::chance::Chance;
use super::microsoft::{Microsoft, REFUSED, Troubles};
use super::world::{Process, World, draft, in_time, is_settled};
use crate::store::OutboxParts;
use crate::clock::{Clock, to_ms};
use crate::failpoint::Armed;
use crate::interleave::Drawn;
use crate::model::{SendRoute, SendState};
use crate::pipeline::LONGEST_EXCHANGE;
use crate::pipeline::fake::START_MS;
use std::sync::Arc;
use std::time::Duration;

/// When a worker hears at the earliest that it has lost its claim.
const HEARTBEAT: Duration = Duration::from_secs(4);

/// A seed decides the order of events, so that time passes by what is done and not by threads.
fn drawn() -> Drawn {
    let mut order = Chance::new(1);
    Drawn::by(move |below| order.below(below))
}

async fn quiet() {
    for _ in 0..400 {
        tokio::task::yield_now().await;
    }
}

async fn settled(process: &Process, id: &str) -> SendState {
    let settled = async {
        loop {
            let receipt = process.outbox.receipt(id, None).await.unwrap();
            if is_settled(&receipt) {
                return receipt.state;
            }
            tokio::task::yield_now().await;
        }
    };
    in_time(settled, || id.to_owned()).await
}

/// The next process has settled the send and looked for its drafts; the creation that the first one had on its way when it died has not arrived.
async fn died_with_a_draft_on_its_way(text: &str, expected: SendState) -> (World, Arc<Microsoft>, Process) {
    let world = World::new();
    world.connect("a");
    let microsoft = world.microsoft(Chance::new(3), Troubles::default());
    microsoft.slow_down();
    let first = world.process(&microsoft);
    let id = first.outbox.enqueue(draft("a", SendRoute::Mail, text, None), true).await.unwrap().id;
    let is_asked = async {
        while microsoft.mailbox("a", |mailbox| mailbox.most_in_flight[0] == 0) {
            tokio::task::yield_now().await;
        }
    };
    in_time(is_asked, || "its draft is made".to_owned()).await;
    quiet().await;
    first.kill().await;
    microsoft.speed_up();
    let next = world.process(&microsoft);
    world.clock.advance(13_000);
    assert_eq!(settled(&next, &id).await, expected);
    // It looks at once, and then when nothing can come any more.
    let has_looked = async {
        while world.store.next_upkeep().await.unwrap().is_none_or(|at| at < to_ms(world.clock.now()) + 60_000) {
            world.clock.advance(100);
            tokio::task::yield_now().await;
        }
    };
    in_time(has_looked, || "it looks".to_owned()).await;
    assert!(!microsoft.mailbox("a", |mailbox| mailbox.is_draft(text)));
    (world, microsoft, next)
}

#[tokio::test]
async fn a_draft_that_comes_after_its_mail_was_settled_is_removed() {
    for (text, expected) in [("one", SendState::Sent), (REFUSED, SendState::Failed)] {
        let _drawn = drawn();
        let (world, microsoft, next) = died_with_a_draft_on_its_way(text, expected).await;
        microsoft.let_through(1);
        quiet().await;
        assert!(microsoft.mailbox("a", |mailbox| mailbox.is_draft(text)), "it has arrived");
        let removed = async {
            while microsoft.mailbox("a", |mailbox| mailbox.is_draft(text)) || world.store.next_upkeep().await.unwrap().is_some() {
                world.clock.advance(1_000);
                tokio::task::yield_now().await;
            }
        };
        in_time(removed, || "the draft is left".to_owned()).await;
        microsoft.mailbox("a", |mailbox| assert_eq!(mailbox.times(text), usize::from(expected == SendState::Sent)));
        next.kill().await;
    }
}

#[tokio::test]
async fn a_worker_that_lost_its_claim_has_its_drafts_looked_for() {
    let (_drawn, world) = (drawn(), World::new());
    world.connect("a");
    let microsoft = world.microsoft(Chance::new(3), Troubles::default());
    let first = world.process(&microsoft);
    let armed = Armed::at("mail.draft_made", 0);
    let id = first.outbox.enqueue(draft("a", SendRoute::Mail, "one", None), true).await.unwrap().id;
    in_time(armed.reached(), || "the draft is made".to_owned()).await;
    drop(armed);
    // It hangs there, and everybody believes that it is not sent.
    assert_eq!(first.outbox.cancel(&id, None).await.unwrap().state, SendState::Cancelled);
    let ended = async {
        while world.store.next_upkeep().await.unwrap().is_some() {
            world.clock.advance(1_000);
            tokio::task::yield_now().await;
        }
    };
    in_time(ended, || "drafts are still looked for".to_owned()).await;
    let looked_for = Duration::from_millis(world.clock.now_ms() - START_MS);
    assert!(looked_for >= 2 * LONGEST_EXCHANGE + HEARTBEAT, "counted from when the worker heard of it: {looked_for:?}");
    assert!(!microsoft.mailbox("a", |mailbox| mailbox.is_draft("one")));
    first.kill().await;
}
