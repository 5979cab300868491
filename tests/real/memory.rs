//! A mailbox four times as large does not take four times the memory: pages are stored and let go.
//!
//! The C library keeps what each thread freed for that thread. How much that is depends on which thread does what, so it is measured without: all threads
//! of the process take their memory from one place.

use serde_json::json;
use tidings_tests::world::World;

/// What syncing 16,000 mails may take beyond what syncing 4,000 took. Their bodies together are 160 MB.
const BOUND_KB: u64 = 10 * 1024;
const BODY: u32 = 10_000;

/// What syncing 50 mails of 5 MB each may take beyond that.
const LARGE_BOUND_KB: u64 = 64 * 1024;

/// Where glibc takes memory from.
const PLACES: &str = "MALLOC_ARENA_MAX";

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_thousand_mails_sync_at_constant_memory() {
    // It is read before a process begins.
    if std::env::var(PLACES).as_deref() != Ok("1") {
        let again = tokio::process::Command::new(std::env::current_exe().expect("this test")).arg("--nocapture").env(PLACES, "1").output().await.expect("this test once more");
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success(), "{said}{}", String::from_utf8_lossy(&again.stderr));
        said.lines().filter(|line| line.starts_with("peak")).for_each(|line| println!("{line}"));
        return;
    }
    let world = World::new("memory", |_| {}).await;
    let small = sync(&world, "adele@contoso.com", 4_000, BODY).await;
    let large = sync(&world, "megan@contoso.com", 16_000, BODY).await;
    println!("peak {small} kB after 4,000 mails, {large} kB after 16,000 more");
    assert!(large - small <= BOUND_KB, "16,000 mails took {} kB more than 4,000; {BOUND_KB} kB are allowed", large - small);
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
