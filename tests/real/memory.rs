//! A mailbox ten times as large does not take ten times the memory: pages are stored and let go.

use serde_json::json;
use tidings_tests::world::World;

/// What syncing 5,000 mails may take beyond what syncing 500 took. Their bodies together are 50 MB.
const BOUND_KB: u64 = 16 * 1024;
const BODY: u32 = 10_000;

/// What syncing 50 mails of 5 MB each may take beyond that.
const LARGE_BOUND_KB: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_mails_sync_at_constant_memory() {
    let world = World::new("memory", |_| {}).await;
    let small = sync(&world, "adele@contoso.com", 500, BODY).await;
    let large = sync(&world, "megan@contoso.com", 5000, BODY).await;
    println!("peak {small} kB after 500 mails, {large} kB after 5,000 more");
    assert!(large - small <= BOUND_KB, "5,000 mails took {} kB more than 500; {BOUND_KB} kB are allowed", large - small);
    let heavy = sync(&world, "alex@contoso.com", 50, 5_000_000).await;
    println!("peak {heavy} kB after 50 mails of 5 MB each");
    assert!(heavy - large <= LARGE_BOUND_KB, "50 mails of 5 MB took {} kB more; {LARGE_BOUND_KB} kB are allowed", heavy - large);
}

/// Fills the mailbox, syncs it; gives the process's peak memory in kB (0 where the system does not tell).
async fn sync(world: &World, mailbox: &str, count: u32, size: u32) -> u64 {
    world.ask("mail/many", json!({ "mailbox": mailbox, "count": count, "size": size })).await;
    let account = world.connect(mailbox).await;
    let report = world.engine.sync(account, None).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(report.added, count);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.split_whitespace().next()?.parse().ok());
    peak.unwrap_or_default()
}
