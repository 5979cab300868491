//! A process is killed at each point between two durable steps, for each route and under troubles drawn by chance; the next process ends what it left:
//! nothing is lost, nothing is sent twice, and a message in a chat or channel or a post to a workflow is unknown only if its request may have been made.

use super::chance::Chance;
use super::ledger::Ledger;
use super::microsoft::Troubles;
use super::world::{Process, World};
use crate::failpoint::Armed;
use crate::model::SendRoute;

const ALL: &[SendRoute] = &[SendRoute::Mail, SendRoute::Reply, SendRoute::Forward, SendRoute::Chat, SendRoute::ChannelPost, SendRoute::Workflow, SendRoute::Bot];
const MAIL: &[SendRoute] = &[SendRoute::Mail, SendRoute::Reply, SendRoute::Forward];
const ANSWERS: &[SendRoute] = &[SendRoute::Reply, SendRoute::Forward];
const CHAT: &[SendRoute] = &[SendRoute::Chat];
/// Those of which nobody can ask what became of them.
const UNTOLD: &[SendRoute] = &[SendRoute::Chat, SendRoute::ChannelPost, SendRoute::Workflow, SendRoute::Bot];
const BOT: &[SendRoute] = &[SendRoute::Bot];

/// Every point of the outbox, and the routes that come by.
const POINTS: [(&str, &[SendRoute]); 24] = [
    ("outbox.claimed", ALL),
    ("outbox.storing.Prepared", MAIL),
    ("outbox.stored.Prepared", MAIL),
    ("mail.answer_begun", ANSWERS),
    ("mail.draft_made", MAIL),
    ("chat.made", CHAT),
    ("bot.conversation_made", BOT),
    ("bot.installed", BOT),
    ("outbox.storing.Dispatching", ALL),
    ("outbox.stored.Dispatching", ALL),
    ("outbox.dispatched", ALL),
    ("outbox.storing.RetryWait", ALL),
    ("outbox.stored.RetryWait", ALL),
    ("outbox.storing.Reconciling", MAIL),
    ("outbox.stored.Reconciling", MAIL),
    ("outbox.storing.Unknown", UNTOLD),
    ("outbox.stored.Unknown", UNTOLD),
    ("outbox.storing.Sent", ALL),
    ("outbox.stored.Sent", ALL),
    ("outbox.storing.Failed", ALL),
    ("outbox.stored.Failed", ALL),
    ("outbox.tidied", MAIL),
    // On the wire: what left has not arrived, or was done and the answer is on its way.
    ("service.asked", ALL),
    ("service.answered", ALL),
];

const CALM: Troubles = Troubles { unreachable: 0, lost_request: 0, lost_answer: 0, throttled: 0, contested: 0, late: 0, slow: 0 };
const TROUBLES: [Troubles; 5] = [
    CALM,
    Troubles { lost_answer: 50, throttled: 20, ..CALM },
    Troubles { lost_request: 50, ..CALM },
    Troubles { throttled: 60, unreachable: 10, ..CALM },
    Troubles { unreachable: 10, lost_request: 10, lost_answer: 15, throttled: 10, contested: 10, late: 50, slow: 10 },
];

/// Seeds of each point and route are run, from 0, until so many runs were killed there.
const KILLS: u32 = 3;
const MOST_SEEDS: u64 = 40;

/// Runs until the armed point is reached or everything has ended.
async fn killed_at(ledger: &mut Ledger<'_>, process: Process, armed: Armed, what: &str) -> bool {
    let reached = tokio::select! {
        () = armed.reached() => true,
        () = ledger.ended(&process, what) => false,
    };
    process.kill().await;
    ledger.note_kill().await;
    reached
}

/// What came of the runs of a route.
#[derive(Default)]
struct Tally {
    kills: u32,
    sends: usize,
    unknown: usize,
}

/// Counts a kill only if the point was reached.
async fn run(world: &World, point: &str, route: SendRoute, seed: u64, tally: &mut Tally) {
    let what = format!("killed at {point}, {route:?}, seed {seed}");
    let mut chance = Chance::new(seed);
    let account_id = format!("{point} {route:?} {seed}").replace(' ', "_");
    world.connect(&account_id);
    let microsoft = world.microsoft(chance.fork(), *chance.pick(&TROUBLES));
    let mut ledger = Ledger::new(world, &microsoft, true);
    // Most are killed once, some again and again.
    let (mut is_first, mut reached) = (true, false);
    loop {
        let armed = Armed::at(point, usize::try_from(chance.below(2) * chance.below(2)).unwrap());
        let mut process = world.process(&microsoft);
        if std::mem::take(&mut is_first) {
            // A mail gets its names in a write of its own only if it was stored without them, as versions before did.
            let is_old = point.ends_with(".Prepared");
            if is_old {
                process.stop_delivering().await;
            }
            for _ in 0..=chance.below(3) {
                let is_refused = chance.below(3) == 0;
                ledger.enqueue(&mut process, &account_id, route, is_refused, Some("one"), None).await;
            }
            if is_old {
                process.kill().await;
                world.forget_names();
                process = world.process(&microsoft);
            }
        }
        reached |= killed_at(&mut ledger, process, armed, &what).await;
        if chance.below(3) > 0 {
            break;
        }
    }
    let last = world.process(&microsoft);
    ledger.ended(&last, &what).await;
    ledger.check(&last, &what).await;
    // One whose answer was lost is asked for again, and is there already.
    microsoft.mailbox(&account_id, |mailbox| assert!(mailbox.installations <= 1, "{what}: the app was installed {} times", mailbox.installations));
    let (sends, unknown) = ledger.unknown(&last).await;
    last.kill().await;
    *tally = Tally { kills: tally.kills + u32::from(reached), sends: tally.sends + sends, unknown: tally.unknown + unknown };
}

async fn kill_everywhere(route: SendRoute) {
    let (world, mut all) = (World::new(), Tally::default());
    for (point, _) in POINTS.iter().filter(|(_, routes)| routes.contains(&route)) {
        let (before, mut seed) = (all.kills, 0);
        while all.kills - before < KILLS {
            assert!(seed < MOST_SEEDS, "{point}, {route:?}: {} of {seed} runs came by", all.kills - before);
            run(&world, point, route, seed, &mut all).await;
            seed += 1;
        }
    }
    let Tally { kills, sends, unknown } = all;
    let share = 100.0 * unknown as f64 / sends as f64;
    println!("share of unknown: {route:?}, killed {kills} times: {unknown} of {sends} sends, {share:.1} %");
}

#[tokio::test]
async fn the_mails_a_killed_process_left_are_ended_by_the_next() {
    kill_everywhere(SendRoute::Mail).await;
}

#[tokio::test]
async fn the_replies_and_forwards_a_killed_process_left_are_ended_by_the_next() {
    kill_everywhere(SendRoute::Reply).await;
    kill_everywhere(SendRoute::Forward).await;
}

#[tokio::test]
async fn the_chat_messages_a_killed_process_left_are_ended_by_the_next() {
    kill_everywhere(SendRoute::Chat).await;
}

#[tokio::test]
async fn the_channel_messages_a_killed_process_left_are_ended_by_the_next() {
    kill_everywhere(SendRoute::ChannelPost).await;
}

#[tokio::test]
async fn the_messages_of_a_bot_that_a_killed_process_left_are_ended_by_the_next() {
    kill_everywhere(SendRoute::Bot).await;
}

#[tokio::test]
async fn the_posts_a_killed_process_left_are_ended_by_the_next() {
    kill_everywhere(SendRoute::Workflow).await;
}
