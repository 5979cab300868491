//! Many notifications at once, and processes that end in between.

use super::*;
use crate::notify::SyncNow;
use crate::runtime::{Runtime, Stop};
use crate::store::{NewsRow, commits};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const MAILBOXES: usize = 500;
const POSTS: usize = 10_000;
const IN_A_POST: usize = 5;

/// Counts what happens in each mailbox, and how much of it each sync has seen.
#[derive(Default)]
struct Mailboxes {
    happened: HashMap<String, AtomicU64>,
    seen: HashMap<String, AtomicU64>,
    syncs: AtomicU64,
    fails: AtomicBool,
}

impl Mailboxes {
    fn of(ids: &[String]) -> Arc<Self> {
        let counts = || ids.iter().map(|id| (id.clone(), AtomicU64::new(0))).collect();
        Arc::new(Self { happened: counts(), seen: counts(), ..Self::default() })
    }

    fn sync(self: &Arc<Self>) -> SyncNow {
        let me = self.clone();
        Arc::new(move |id: String, _: Stop| {
            let me = me.clone();
            Box::pin(async move {
                me.syncs.fetch_add(1, Ordering::SeqCst);
                if me.fails.load(Ordering::SeqCst) {
                    return Err(crate::error::Error::new(crate::error::ErrorKind::Network, "no network"));
                }
                let now = me.happened[&id].load(Ordering::SeqCst);
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                me.seen[&id].fetch_max(now, Ordering::SeqCst);
                Ok(())
            })
        })
    }

    fn is_all_seen(&self) -> bool {
        self.happened.iter().all(|(id, count)| self.seen[id].load(Ordering::SeqCst) == count.load(Ordering::SeqCst))
    }
}

async fn until(what: impl AsyncFn() -> bool) {
    while !what().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_thousand_over_five_hundred_mailboxes_are_all_answered_and_nothing_is_lost() {
    let world = World::new().await;
    let ids: Vec<String> = (0..MAILBOXES).map(|n| format!("acc{n}")).collect();
    for id in &ids {
        world.connect(id).await;
    }
    let notify = world.process();
    notify.run_due().await.unwrap();
    let by_hash: HashMap<[u8; 32], (String, String)> = {
        let microsoft = world.microsoft.lock().unwrap();
        microsoft.kept.iter().map(|(id, one)| (notify.client_hash(&one.client_state).unwrap(), (id.clone(), one.client_state.clone()))).collect()
    };
    let mut items = Vec::new();
    for id in &ids {
        let (subscription, state) = &by_hash[&world.row(id).await.client_hash.unwrap()];
        items.push(item(state, subscription));
    }
    let runtime = Runtime::start().unwrap();
    let mailboxes = Mailboxes::of(&ids);
    let following = tokio::spawn(notify.clone().follow(mailboxes.sync(), runtime.stop()));
    until(async || mailboxes.is_all_seen() && world.marks().await.is_empty()).await;
    let before = (commits(&world.folder()), mailboxes.syncs.load(Ordering::SeqCst));
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let (notify, mailboxes, ids, items) = (notify.clone(), mailboxes.clone(), ids.clone(), items.clone());
            tokio::spawn(async move {
                for n in (sender..POSTS).step_by(8) {
                    // Some mailboxes are told of far more often than others.
                    let some: Vec<usize> = (0..IN_A_POST).map(|at| (n * 7 + at * at * 13) % if n % 2 == 0 { MAILBOXES } else { 20 }).collect();
                    for at in &some {
                        mailboxes.happened[&ids[*at]].fetch_add(1, Ordering::SeqCst);
                    }
                    let posted: Vec<Value> = some.iter().map(|at| items[*at].clone()).collect();
                    assert_eq!(notify.receive(post(&posted)).await.status, 202);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    until(async || mailboxes.is_all_seen() && world.marks().await.is_empty()).await;
    let metrics = notify.parts.graph.meters().snapshot();
    assert_eq!((metrics.notifications, metrics.notifications_refused), ((POSTS * IN_A_POST) as u64, 0));
    let after = (commits(&world.folder()), mailboxes.syncs.load(Ordering::SeqCst));
    assert!(after.1 - before.1 < 25_000 && after.0 - before.0 < 50_000, "{} syncs, {} commits", after.1 - before.1, after.0 - before.0);
    following.abort();
}

#[tokio::test]
async fn a_mark_outlives_the_process_that_was_told() {
    let world = World::new().await;
    world.connect("a").await;
    let first = world.process();
    first.run_due().await.unwrap();
    world.clear(&first).await;
    let (id, one) = world.only();
    assert_eq!(first.receive(post(&[item(&one.client_state, &id)])).await.status, 202);
    drop(first);
    let runtime = Runtime::start().unwrap();
    let mailboxes = Mailboxes::of(&["a".to_owned()]);
    mailboxes.happened["a"].fetch_add(1, Ordering::SeqCst);
    let following = tokio::spawn(world.process().follow(mailboxes.sync(), runtime.stop()));
    until(async || mailboxes.is_all_seen()).await;
    // Whoever left it might live; a minute later it is cleared.
    until(async || {
        world.clock.advance(10_000);
        world.marks().await.is_empty()
    })
    .await;
    following.abort();
}

#[tokio::test]
async fn another_process_takes_over_only_what_is_left_behind() {
    let world = World::new().await;
    world.connect("a").await;
    let runtime = Runtime::start().unwrap();
    let mailboxes = Mailboxes::of(&["a".to_owned()]);
    let following = tokio::spawn(world.process().follow(mailboxes.sync(), runtime.stop()));
    until(async || world.store.news().await.is_ok()).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let other = world.process();
    world.store.mark_news(&["a".to_owned()], &other.holder, world.now()).await.unwrap();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(mailboxes.syncs.load(Ordering::SeqCst), 0, "its own process looks after it");
    until(async || {
        world.clock.advance(10_000);
        world.marks().await.is_empty()
    })
    .await;
    assert!(mailboxes.syncs.load(Ordering::SeqCst) >= 1);
    following.abort();
}

#[tokio::test]
async fn what_cannot_be_synced_stays_marked_and_is_tried_again() {
    let world = World::new().await;
    world.connect("a").await;
    let notify = world.process();
    let runtime = Runtime::start().unwrap();
    let mailboxes = Mailboxes::of(&["a".to_owned()]);
    mailboxes.fails.store(true, Ordering::SeqCst);
    let following = tokio::spawn(notify.clone().follow(mailboxes.sync(), runtime.stop()));
    notify.mark("a").await.unwrap();
    until(async || mailboxes.syncs.load(Ordering::SeqCst) == 1).await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!((mailboxes.syncs.load(Ordering::SeqCst), world.marks().await.len()), (1, 1), "not at once");
    mailboxes.fails.store(false, Ordering::SeqCst);
    until(async || {
        world.clock.advance(10_000);
        world.marks().await.is_empty()
    })
    .await;
    following.abort();
}

#[tokio::test]
async fn a_mark_that_was_set_again_is_not_cleared() {
    let world = World::new().await;
    world.connect("a").await;
    let ids = ["a".to_owned()];
    world.store.mark_news(&ids, "one", 5).await.unwrap();
    let seen = world.store.news_of("a", "one").await.unwrap().unwrap();
    world.store.mark_news(&ids, "one", 6).await.unwrap();
    world.store.clear_news(&seen).await.unwrap();
    assert_eq!(world.store.news().await.unwrap(), [NewsRow { account_id: "a".into(), holder: "one".into(), number: 2, at: 6 }]);
}
