//! A process is killed at each point between two durable steps, for each route and under troubles drawn by chance; the next process ends what it left:
//! nothing is lost, nothing is sent twice, and a chat message is unknown only if its request may have been made.

use super::chance::Chance;
use super::microsoft::{Microsoft, REFUSED, Troubles};
use super::world::{Process, World, draft, in_time, is_settled};
use crate::failpoint::Armed;
use crate::model::{Receipt, Route, SendState};
use crate::store::ItemState;
use std::sync::Arc;

const BOTH: &[Route] = &[Route::Mail, Route::Chat];
const MAIL: &[Route] = &[Route::Mail];
const CHAT: &[Route] = &[Route::Chat];

/// Every point of the outbox, and the routes that come by.
const POINTS: [(&str, &[Route]); 21] = [
    ("outbox.claimed", BOTH),
    ("outbox.storing.Prepared", MAIL),
    ("outbox.stored.Prepared", MAIL),
    ("mail.draft_made", MAIL),
    ("chat.made", CHAT),
    ("outbox.storing.Dispatching", BOTH),
    ("outbox.stored.Dispatching", BOTH),
    ("outbox.dispatched", BOTH),
    ("outbox.storing.RetryWait", BOTH),
    ("outbox.stored.RetryWait", BOTH),
    ("outbox.storing.Reconciling", MAIL),
    ("outbox.stored.Reconciling", MAIL),
    ("outbox.storing.Unknown", CHAT),
    ("outbox.stored.Unknown", CHAT),
    ("outbox.storing.Sent", BOTH),
    ("outbox.stored.Sent", BOTH),
    ("outbox.storing.Failed", BOTH),
    ("outbox.stored.Failed", BOTH),
    ("outbox.tidied", MAIL),
    // On the wire: what left has not arrived, or was done and the answer is on its way.
    ("service.asked", BOTH),
    ("service.answered", BOTH),
];

const CALM: Troubles = Troubles { unreachable: 0, lost_request: 0, lost_answer: 0, throttled: 0, contested: 0, late: 0 };
const TROUBLES: [Troubles; 5] = [
    CALM,
    Troubles { lost_answer: 50, throttled: 20, ..CALM },
    Troubles { lost_request: 50, ..CALM },
    Troubles { throttled: 60, unreachable: 10, ..CALM },
    Troubles { unreachable: 10, lost_request: 10, lost_answer: 15, throttled: 10, contested: 10, late: 50 },
];

/// Seeds of each point and route are run, from 0, until so many runs were killed there.
const KILLS: u32 = 3;
const MOST_SEEDS: u64 = 40;

/// What one run sends, in this order.
struct Send {
    text: String,
    id: String,
    /// Its row said at a kill that its request was being made.
    was_dispatching: bool,
}

struct Run<'a> {
    world: &'a World,
    microsoft: Arc<Microsoft>,
    account_id: String,
    route: Route,
    sends: Vec<Send>,
}

impl Run<'_> {
    async fn enqueue(&mut self, process: &Process, chance: &mut Chance) {
        for n in 0..=chance.below(3) {
            let text = if chance.below(3) == 0 { format!("{} {n} {REFUSED}", self.account_id) } else { format!("{} {n}", self.account_id) };
            let receipt = process.outbox.enqueue(draft(&self.account_id, self.route, &text, Some("one")), true).await.unwrap();
            self.sends.push(Send { text, id: receipt.id, was_dispatching: false });
        }
    }

    /// For a test that hangs.
    fn rows(&self) -> String {
        let row = |send: &Send| self.world.store.item(&send.id).unwrap().map(|row| format!("\n{:?} {:?}: {:?}", send.text, row.state, row.reason));
        self.sends.iter().filter_map(row).collect()
    }

    async fn receipts(&self, process: &Process) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        for send in &self.sends {
            receipts.push(process.outbox.receipt(&send.id, None).await.unwrap());
        }
        receipts
    }

    /// Until nothing is left to do, nor to be removed from the mailbox.
    async fn ended(&self, process: &Process, what: &str) {
        let ended = async {
            let mut changes = process.outbox.settled();
            while !self.receipts(process).await.iter().all(is_settled) {
                changes.changed().await.unwrap();
            }
            self.microsoft.heal();
            while self.world.store.next_upkeep().unwrap().is_some() {
                // The time of what is looked for again comes.
                self.world.clock.advance(1_000);
                tokio::task::yield_now().await;
            }
        };
        in_time(ended, || format!("{what}{}", self.rows())).await;
    }

    /// Runs until the armed point is reached or everything has ended.
    async fn killed_at(&mut self, process: Process, armed: Armed, what: &str) -> bool {
        let reached = tokio::select! {
            () = armed.reached() => true,
            () = self.ended(&process, what) => false,
        };
        process.kill().await;
        for send in &mut self.sends {
            send.was_dispatching |= self.world.store.item(&send.id).unwrap().unwrap().state == ItemState::Dispatching;
        }
        reached
    }

    async fn check(&self, process: &Process, what: &str) {
        for (send, receipt) in self.sends.iter().zip(self.receipts(process).await) {
            let (times, asked, is_left) = self.microsoft.mailbox(&self.account_id, |mailbox| (mailbox.times(&send.text), mailbox.asked(&send.text), mailbox.is_draft(&send.text)));
            let what = format!("{what}: {:?}, accepted {times} times: {receipt:?}", send.text);
            match receipt.state {
                SendState::Sent => assert!(times == 1 && !send.text.contains(REFUSED), "{what}"),
                SendState::Failed => assert!(times == 0 && send.text.contains(REFUSED), "{what}"),
                SendState::Unknown => assert!(times <= 1 && self.route == Route::Chat && (asked > 0 || send.was_dispatching), "{what}"),
                _ => panic!("{what}"),
            }
            // A draft that an earlier request may have sent stays where it is.
            let was_doubted = asked > 1 || send.was_dispatching;
            assert!(!is_left || (receipt.state == SendState::Failed && was_doubted), "its draft is left: {what}");
        }
        let in_order: Vec<&String> = self.sends.iter().map(|send| &send.text).collect();
        self.microsoft.mailbox(&self.account_id, |mailbox| {
            let accepted: Vec<&String> = in_order.into_iter().filter(|text| mailbox.times(text) > 0).collect();
            assert!(mailbox.accepted.iter().eq(accepted), "{what}: in another order: {:?}", mailbox.accepted);
        });
    }
}

/// Whether the point was reached.
async fn run(world: &World, point: &str, route: Route, seed: u64) -> bool {
    let what = format!("killed at {point}, {route:?}, seed {seed}");
    let mut chance = Chance::new(seed);
    let account_id = format!("{point} {route:?} {seed}").replace(' ', "_");
    world.connect(&account_id);
    let microsoft = world.microsoft(chance.fork(), *chance.pick(&TROUBLES));
    let mut run = Run { world, microsoft: microsoft.clone(), account_id, route, sends: Vec::new() };
    // Most are killed once, some again and again.
    let (mut is_first, mut reached) = (true, false);
    loop {
        let armed = Armed::at(point, usize::try_from(chance.below(2) * chance.below(2)).unwrap());
        let process = world.process(&microsoft);
        if std::mem::take(&mut is_first) {
            run.enqueue(&process, &mut chance).await;
        }
        reached |= run.killed_at(process, armed, &what).await;
        if chance.below(3) > 0 {
            break;
        }
    }
    let last = world.process(&microsoft);
    run.ended(&last, &what).await;
    run.check(&last, &what).await;
    last.kill().await;
    reached
}

async fn kill_everywhere(route: Route) {
    let world = World::new();
    for (point, _) in POINTS.iter().filter(|(_, routes)| routes.contains(&route)) {
        let (mut kills, mut seed) = (0, 0);
        while kills < KILLS {
            assert!(seed < MOST_SEEDS, "{point}, {route:?}: {kills} of {seed} runs came by");
            kills += u32::from(run(&world, point, route, seed).await);
            seed += 1;
        }
    }
}

#[tokio::test]
async fn the_mails_a_killed_process_left_are_ended_by_the_next() {
    kill_everywhere(Route::Mail).await;
}

#[tokio::test]
async fn the_chat_messages_a_killed_process_left_are_ended_by_the_next() {
    kill_everywhere(Route::Chat).await;
}
