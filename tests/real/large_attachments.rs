//! An attachment of 150 MB is staged and uploaded in pieces: it does not take its size in memory.

use serde_json::json;
use tidings::{Address, Feature, MailDraft, SendState};
use tidings_tests::world::World;

/// What 150 MB may take beyond what 4 MB took.
const BOUND_KB: u64 = 32 * 1024;
const LARGE: u64 = 150 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_fifty_megabytes_leave_at_constant_memory() {
    let world = World::new("large_attachments", |config| config.send_timeout_ms = 600_000).await;
    world.ask("tenants", json!({ "domain": "contoso.com", "message_max": LARGE })).await;
    let account = world.connect_for("adele@contoso.com", vec![Feature::MailSend]).await;
    let small = send(&world, &account, 4 << 20).await;
    let large = send(&world, &account, LARGE).await;
    println!("peak {small} kB after 4 MB, {large} kB after 150 MB");
    assert!(large - small <= BOUND_KB, "150 MB took {} kB more than 4 MB; {BOUND_KB} kB are allowed", large - small);
    let list = world.ask("mail/list", json!({ "mailbox": "alex@contoso.com" })).await;
    let sizes: Vec<_> = list["items"].as_array().into_iter().flatten().map(|mail| mail["files"][0]["size"].as_u64()).collect();
    assert_eq!(sizes, [Some(4 << 20), Some(LARGE)]);
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
