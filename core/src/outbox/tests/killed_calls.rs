//! A process is killed right after a host's call has become durable, and before the host hears of it.

use super::chance::Chance;
use super::microsoft::{Microsoft, REFUSED, Troubles};
use super::world::{Process, World, draft, in_time, is_settled};
use crate::error::{ErrorKind, Result};
use crate::failpoint::Armed;
use crate::model::{BotDraft, ChannelPostDraft, ChatDraft, RouteDraft, ForwardDraft, MailDraft, Receipt, ReplyDraft, SendRoute, SendState, WorkflowDraft};
use std::sync::Arc;

fn place(account_id: &str) -> (World, Arc<Microsoft>) {
    let world = World::new();
    world.connect(account_id);
    let microsoft = world.microsoft(Chance::new(1), Troubles::default());
    (world, microsoft)
}

/// A process that sends nothing: killed while it posts a chat message, it would leave a doubt.
async fn idle(world: &World, microsoft: &Arc<Microsoft>) -> Process {
    let process = world.process(microsoft);
    process.stop_delivering().await;
    process
}

/// Kills the process at the point, within the call that it is about.
async fn killed_at<T>(point: &str, process: Process, call: impl AsyncFnOnce(&Process) -> Result<T>) {
    let armed = Armed::at(point, 0);
    let reached = async {
        tokio::select! { () = armed.reached() => {}, _ = call(&process) => panic!("{point} was passed") }
    };
    in_time(reached, || point.to_owned()).await;
    process.kill().await;
}

async fn settled(process: &Process, id: &str) -> Receipt {
    let mut changes = process.outbox.settled();
    let settled = async {
        loop {
            let receipt = process.outbox.receipt(id, None).await.unwrap();
            if is_settled(&receipt) {
                return receipt;
            }
            changes.changed().await.unwrap();
        }
    };
    in_time(settled, || id.to_owned()).await
}

#[tokio::test]
async fn what_was_accepted_is_sent_although_the_host_never_heard_of_it() {
    for route in [SendRoute::Mail, SendRoute::Chat, SendRoute::ChannelPost, SendRoute::Workflow, SendRoute::Bot] {
        let (world, microsoft) = place("a");
        let [first, second] = [idle(&world, &microsoft).await, idle(&world, &microsoft).await];
        killed_at("outbox.enqueued", first, async |process| process.outbox.enqueue(draft("a", route, "one", None), true).await).await;
        killed_at("outbox.enqueued", second, async |process| process.outbox.enqueue_all(vec![draft("a", route, "two", None), draft("a", route, "three", None)], Vec::new(), true, |_, _| true).await).await;
        let next = world.process(&microsoft);
        for text in ["one", "two", "three"] {
            // The host asks again, with the same key.
            let receipt = next.outbox.enqueue(draft("a", route, text, None), true).await.unwrap();
            assert_eq!(settled(&next, &receipt.id).await.state, SendState::Sent);
            assert_eq!(microsoft.mailbox("a", |mailbox| mailbox.times(text)), 1, "{route:?} {text}");
        }
    }
}

#[tokio::test]
async fn what_was_taken_back_is_not_sent_although_the_host_never_heard_of_it() {
    for route in [SendRoute::Mail, SendRoute::Chat, SendRoute::ChannelPost, SendRoute::Workflow, SendRoute::Bot] {
        let (world, microsoft) = place("a");
        let process = idle(&world, &microsoft).await;
        let receipt = process.outbox.enqueue(draft("a", route, "one", None), true).await.unwrap();
        killed_at("outbox.cancelled", process, async |process| process.outbox.cancel(&receipt.id, None).await).await;
        let next = world.process(&microsoft);
        assert_eq!(next.outbox.cancel(&receipt.id, None).await.unwrap().state, SendState::Cancelled);
        let after = next.outbox.enqueue(draft("a", route, "two", None), true).await.unwrap();
        assert_eq!(settled(&next, &after.id).await.state, SendState::Sent);
        microsoft.mailbox("a", |mailbox| assert_eq!(mailbox.accepted, ["two"]));
    }
}

#[tokio::test]
async fn what_was_replaced_leaves_as_it_was_said_last_although_the_host_never_heard_of_it() {
    for route in [SendRoute::Mail, SendRoute::Chat, SendRoute::ChannelPost, SendRoute::Workflow, SendRoute::Bot] {
        let (world, microsoft) = place("a");
        let process = idle(&world, &microsoft).await;
        let receipt = process.outbox.enqueue(draft("a", route, "one", None), true).await.unwrap();
        // Its key stays.
        let new = unkeyed(draft("a", route, "two", None));
        killed_at("outbox.edited", process, async |process| process.outbox.edit(&receipt.id, new, None).await).await;
        let next = world.process(&microsoft);
        assert_eq!(settled(&next, &receipt.id).await.state, SendState::Sent);
        microsoft.mailbox("a", |mailbox| assert_eq!(mailbox.accepted, ["two"]));
    }
}

fn unkeyed(draft: RouteDraft) -> RouteDraft {
    match draft {
        RouteDraft::Mail { mail } => MailDraft { key: None, ..mail }.into(),
        RouteDraft::Reply { reply } => ReplyDraft { key: None, ..reply }.into(),
        RouteDraft::Forward { forward } => ForwardDraft { key: None, ..forward }.into(),
        RouteDraft::Chat { chat } => ChatDraft { key: None, ..chat }.into(),
        RouteDraft::ChannelPost { channel_post } => ChannelPostDraft { key: None, ..channel_post }.into(),
        RouteDraft::Workflow { workflow } => WorkflowDraft { key: None, ..workflow }.into(),
        RouteDraft::Bot { bot } => BotDraft { key: None, ..bot }.into(),
    }
}

#[tokio::test]
async fn what_was_queued_again_is_tried_once_more_although_the_host_never_heard_of_it() {
    for route in [SendRoute::Mail, SendRoute::Chat, SendRoute::ChannelPost, SendRoute::Workflow, SendRoute::Bot] {
        let (world, microsoft) = place("a");
        let process = world.process(&microsoft);
        let receipt = process.outbox.enqueue(draft("a", route, REFUSED, None), true).await.unwrap();
        assert_eq!(settled(&process, &receipt.id).await.state, SendState::Failed);
        microsoft.relent();
        process.stop_delivering().await;
        // It may have been looking for the draft; its claim on that lapses.
        world.clock.advance(60_000);
        killed_at("outbox.reopened", process, async |process| process.outbox.retry(&receipt.id, false).await).await;
        let next = world.process(&microsoft);
        assert_eq!(settled(&next, &receipt.id).await.state, SendState::Sent);
        assert_eq!(next.outbox.retry(&receipt.id, false).await.unwrap_err().kind(), ErrorKind::Conflict);
        microsoft.mailbox("a", |mailbox| assert_eq!(mailbox.accepted, [REFUSED]));
    }
}
