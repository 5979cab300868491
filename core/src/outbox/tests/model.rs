//! The outbox under chance: hosts that hand in, take back and ask again, processes that come and go, and a Microsoft full of troubles. Whatever the
//! order of events, everything settles in the end, nothing is lost or sent twice, orders are kept, and no mailbox is asked more at a time than it serves.
//!
//! A seed repeats what happens and nearly all of its order ([`interleave`](crate::interleave)). A failing run prints it; `TIDINGS_MODEL_SEED=<seed>` begins
//! with it, and `TIDINGS_MODEL_RUNS=<count>` says how many follow.

use super::chance::Chance;
use super::ledger::Ledger;
use super::microsoft::Troubles;
use super::world::{Process, World};
use crate::interleave::Drawn;
use crate::model::{SendRoute, SendState};
use crate::pipeline::Limits;

/// Of a longest wait before another attempt, of the doubt about a mail, and of a dead process's claim, some may follow one another.
const LONGEST_MS: u64 = 2 * 3_600_000;

fn troubles(chance: &mut Chance) -> Troubles {
    let mut share = |most: u64| u32::try_from(chance.below(most)).unwrap();
    Troubles { unreachable: share(15), lost_request: share(15), lost_answer: share(15), throttled: share(25), contested: share(10), late: share(100), slow: share(30) }
}

/// `most`: processes at a time.
async fn run(world: &World, seed: u64, most: usize) {
    let what = format!("seed {seed}, processes: {most}");
    let mut chance = Chance::new(seed);
    let accounts: Vec<String> = (0..=chance.below(3)).map(|n| format!("run{seed}_{n}")).collect();
    accounts.iter().for_each(|id| world.connect(id));
    let troubles = troubles(&mut chance);
    let microsoft = world.microsoft(chance.fork(), troubles);
    let mut ledger = Ledger::new(world, &microsoft, most == 1);
    let mut processes: Vec<Process> = (0..most).map(|_| world.process(&microsoft)).collect();
    // Short runs meet as much as long ones, and there is time for more of them.
    let length = if chance.below(20) == 0 { 10 + chance.below(20) } else { 2 + chance.below(6) };
    for _ in 0..length {
        act(&mut ledger, &mut processes, &accounts, world, &mut chance).await;
        if processes.len() < most {
            processes.push(world.process(&microsoft));
        }
        for _ in 0..chance.below(40) {
            tokio::task::yield_now().await;
        }
    }
    microsoft.heal();
    let healed_at = world.clock.now_ms();
    ledger.settled(&processes[0], &what).await;
    assert!(world.clock.now_ms() - healed_at < LONGEST_MS, "{what}: it took {} ms", world.clock.now_ms() - healed_at);
    ledger.ended(&processes[0], &what).await;
    ledger.check(&processes[0], &what).await;
    for account_id in &accounts {
        let served = u32::try_from(most).unwrap() * Limits::default().per_mailbox;
        microsoft.mailbox(account_id, |mailbox| assert!(mailbox.most_in_flight.iter().all(|count| *count <= served), "{what}: {:?} at a time", mailbox.most_in_flight));
    }
    for process in processes {
        process.kill().await;
    }
}

/// What happens next.
async fn act(ledger: &mut Ledger<'_>, processes: &mut Vec<Process>, accounts: &[String], world: &World, chance: &mut Chance) {
    let which = usize::try_from(chance.below(processes.len() as u64)).unwrap();
    match chance.below(20) {
        0..10 => {
            let routes = [SendRoute::Mail, SendRoute::Chat, SendRoute::Reply, SendRoute::Forward, SendRoute::ChannelPost, SendRoute::Workflow, SendRoute::Bot];
            let (account_id, route) = (chance.pick(accounts), *chance.pick(&routes));
            let order = *chance.pick(&[None, Some("one"), Some("two")]);
            let deadline = (chance.below(8) == 0).then(|| 1_000 + i64::try_from(chance.below(600_000)).unwrap());
            ledger.enqueue(&mut processes[which], account_id, route, chance.below(10) == 0, order, deadline).await;
        }
        10 => {
            // A campaign.
            let account_id = chance.pick(accounts);
            for _ in 0..5 {
                ledger.enqueue(&mut processes[which], account_id, SendRoute::Mail, false, None, None).await;
            }
        }
        11..14 => {
            if ledger.entries.is_empty() {
                return;
            }
            let n = usize::try_from(chance.below(ledger.entries.len() as u64)).unwrap();
            let entry = &mut ledger.entries[n];
            entry.is_taken_back |= processes[which].outbox.cancel(&entry.id, None).await.is_ok_and(|receipt| receipt.state == SendState::Cancelled);
        }
        14..16 => {
            // Those that failed; the others are refused.
            for entry in &mut ledger.entries {
                // It may wait for somebody else's claim to lapse.
                tokio::select! { outcome = processes[which].outbox.retry(&entry.id, false) => entry.is_queued_again |= outcome.is_ok(), () = time_passes(world) => {} }
            }
        }
        16..18 => {
            processes.remove(which).kill().await;
            ledger.note_kill().await;
        }
        _ => world.clock.advance(chance.below(120_000)),
    }
}

async fn time_passes(world: &World) {
    loop {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        world.clock.advance(100);
    }
}

/// Of each kind. What more of them cost is paid by whoever asks for more.
const RUNS: u64 = 500;
/// Two processes at a time meet more, and take longer.
const RUNS_OF_TWO: u64 = 150;
/// Where threads decide the order, as they do in a product.
const RUNS_WITH_THREADS: u64 = 10;

/// A number from the environment.
#[allow(clippy::disallowed_methods)] // a test's own setting
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

async fn drawn_runs(most: usize, runs: u64) {
    let world = World::new();
    let first = setting("TIDINGS_MODEL_SEED", 0);
    for seed in first..first + setting("TIDINGS_MODEL_RUNS", runs) {
        let mut order = Chance::new(seed).fork();
        let drawn = Drawn::by(move |below| order.below(below));
        run(&world, seed, most).await;
        drop(drawn);
    }
}

#[tokio::test]
async fn one_process_keeps_every_promise_whatever_happens() {
    drawn_runs(1, RUNS).await;
}

#[tokio::test]
async fn two_processes_keep_every_promise_whatever_happens() {
    drawn_runs(2, RUNS_OF_TWO).await;
}

#[tokio::test]
async fn every_promise_is_kept_whatever_order_threads_take() {
    let world = World::new();
    for seed in 0..RUNS_WITH_THREADS {
        run(&world, seed, 1).await;
    }
}
