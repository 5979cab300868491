//! A large attachment is read piece by piece: it does not take its size in memory. `TIDINGS_LARGE_MB=150` tries the largest that Microsoft takes.

use serde_json::json;
use tidings::MessageQuery;
use tidings_tests::world::World;

/// What a large one may take beyond what 4 MB took.
const BOUND_KB: u64 = 16 * 1024;
/// Four times the bound, so that the suite is quick.
const USUAL_MB: u64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn large_attachments_are_read_at_constant_memory() {
    let large_mb = std::env::var("TIDINGS_LARGE_MB").ok().and_then(|mb| mb.parse().ok()).unwrap_or(USUAL_MB);
    let world = World::new("reading_attachments", |_| {}).await;
    for megabytes in [large_mb, 4] {
        let file = json!({ "name": "film.bin", "content_type": "video/mp4", "fill": megabytes << 20 });
        world.ask("mail", json!({ "mailbox": "adele@contoso.com", "subject": "Film", "attachments": [file] })).await;
    }
    let account = world.connect("adele@contoso.com").await;
    world.engine.sync(account.clone(), None).await.unwrap_or_else(|e| panic!("{e}"));
    let query = MessageQuery { account_id: Some(account), ..MessageQuery::default() };
    let page = world.engine.messages(query).await.unwrap_or_else(|e| panic!("{e}"));
    let mut peaks = Vec::new();
    let mut mails: Vec<_> = page.items.iter().map(|mail| (&mail.id, &mail.attachments[0])).collect();
    mails.sort_by_key(|(_, file)| file.size);
    for (mail, file) in mails {
        let content = world.engine.attachment(mail.clone(), file.id.clone(), None).await.unwrap_or_else(|e| panic!("{e}"));
        let mut bytes = 0_usize;
        while let Some(piece) = content.next().await.unwrap_or_else(|e| panic!("{e}")) {
            assert!(piece.iter().enumerate().all(|(n, byte)| (bytes + n) % 251 == usize::from(*byte)), "after {bytes} bytes the content is another one");
            bytes += piece.len();
        }
        assert_eq!(bytes, file.size as usize);
        peaks.push(peak());
    }
    println!("peak {} kB after 4 MB, {} kB after {large_mb} MB", peaks[0], peaks[1]);
    assert!(peaks[1] - peaks[0] <= BOUND_KB, "{large_mb} MB took {} kB more than 4 MB; {BOUND_KB} kB are allowed", peaks[1] - peaks[0]);
}

/// The process's peak memory in kB (0 where the system does not tell).
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).and_then(|l| l.split_whitespace().next()?.parse().ok());
    peak.unwrap_or_default()
}
