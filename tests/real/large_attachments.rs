//! A large attachment is staged and uploaded in pieces: it does not take its size in memory. `TIDINGS_LARGE_MB=150` tries the largest that Microsoft takes.

use serde_json::json;
use tidings::{Address, Feature, MailDraft, SendState};
use tidings_tests::world::World;

/// What a large one may take beyond what 4 MB took.
const BOUND_KB: u64 = 32 * 1024;
/// Twice the bound, so that the suite is quick.
const USUAL_MB: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn large_attachments_leave_at_constant_memory() {
    let large_mb = std::env::var("TIDINGS_LARGE_MB").ok().and_then(|mb| mb.parse().ok()).unwrap_or(USUAL_MB);
    let bytes = large_mb << 20;
    let world = World::new("large_attachments", |config| config.send_timeout_ms = 600_000).await;
    world.ask("tenants", json!({ "domain": "contoso.com", "message_max": 150 << 20 })).await;
    let account = world.connect_for("adele@contoso.com", vec![Feature::MailSend]).await;
    let small = send(&world, &account, 4 << 20).await;
    let large = send(&world, &account, bytes).await;
    println!("peak {small} kB after 4 MB, {large} kB after {large_mb} MB");
    assert!(large - small <= BOUND_KB, "{large_mb} MB took {} kB more than 4 MB; {BOUND_KB} kB are allowed", large - small);
    let list = world.ask("mail/list", json!({ "mailbox": "alex@contoso.com" })).await;
    let sizes: Vec<_> = list["items"].as_array().into_iter().flatten().map(|mail| mail["files"][0]["size"].as_u64()).collect();
    assert_eq!(sizes, [Some(4 << 20), Some(bytes)]);
}

/// Stages so many bytes and sends them; gives the process's peak memory in kB (0 where the system does not tell).
async fn send(world: &World, account: &str, bytes: u64) -> u64 {
    let writer = world.engine.stage_attachment(account.to_owned(), "film.bin".into(), "video/mp4".into(), Some(bytes), None).await.unwrap_or_else(|e| panic!("{e}"));
    let piece = 1 << 20;
    for n in 0..bytes / piece {
        writer.write(vec![n as u8; piece as usize]).await.unwrap_or_else(|e| panic!("{e}"));
    }
    let file = writer.finish().await.unwrap_or_else(|e| panic!("{e}"));
    let mail = MailDraft {
        account_id: account.to_owned(),
        to: vec![Address { address: "alex@contoso.com".into(), name: String::new() }],
        subject: format!("{bytes} bytes"),
        attachments: vec![file],
        ..MailDraft::default()
    };
    let receipt = world.engine.send(mail.into()).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(receipt.state, SendState::Sent, "{receipt:?}");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.split_whitespace().next()?.parse().ok());
    peak.unwrap_or_default()
}
