//! Keys are replaced in a loop, all of them, while another engine on the same store (and the one that replaces them) syncs pages, sends, reads and marks:
//! nobody sees an error. The other engine was opened with the first root key and goes on with it.

use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidings::{Address, Cloud, Config, ConnectRequest, Draft, Engine, Feature, KeyRotation, MailDraft, MessageQuery, OutboxFilter, RootKey, SendState};
use tidings_tests::{root, sim::Sim};

const WHO: &str = "adele@contoso.com";
/// `ROUNDS` in the environment asks for others.
const ROUNDS: usize = 12;
/// A root key is made of numbers up to 255.
const MOST_ROTATIONS: u8 = 220;

fn key(seed: u8) -> Arc<RootKey> {
    Arc::new(RootKey::raw((seed..seed + 32).collect()).unwrap_or_else(|e| panic!("{e}")))
}

fn engine(sim: &Sim, folder: &Path, seed: u8) -> Engine {
    let text = |name: &str| sim.urls[name].as_str().unwrap_or_default().to_owned();
    let mut config = Config::new(folder.join("store").to_string_lossy(), text("client_id"));
    config.cloud = Cloud::custom(text("login"), text("graph"));
    config.folders = vec!["inbox".into()];
    config.page_size = 10;
    Engine::open(config, key(seed)).unwrap_or_else(|e| panic!("{e}"))
}

async fn ask(sim: &Sim, path: &str, body: Value) -> Value {
    sim.ask(path, Some(&body)).await.unwrap_or_else(|e| panic!("{e}"))
}

async fn use_it(engine: &Engine, sim: &Sim, account: &str, name: &str, round: usize) -> tidings::Result<()> {
    ask(sim, "mail/many", json!({ "mailbox": WHO, "count": 25, "subject": format!("{name} {round}") })).await;
    engine.sync(account.to_owned(), None).await?;
    engine.folders(account.to_owned(), None).await?;
    let page = engine.messages(MessageQuery { account_id: Some(account.to_owned()), limit: 100, ..MessageQuery::default() }).await?;
    for message in page.items.iter().take(5) {
        assert!(!engine.body(message.id.clone(), None, None, None).await?.content.is_empty());
        assert!(!engine.thread(message.id.clone(), None).await?.messages.is_empty());
        engine.mark_read(message.id.clone(), round.is_multiple_of(2), None).await?;
    }
    let to = vec![Address { address: "alex@contoso.com".into(), name: String::new() }];
    let mail = MailDraft { account_id: account.to_owned(), to, subject: format!("{name} {round}"), body: "Hi".into(), ..MailDraft::default() };
    let receipt = engine.send(Draft::Mail { mail }).await?;
    assert_eq!(receipt.state, SendState::Sent, "{receipt:?}");
    engine.outbox(OutboxFilter { account_id: Some(account.to_owned()), ..OutboxFilter::default() }).await?;
    engine.verify(account.to_owned(), false, None).await?;
    engine.account(account.to_owned(), None).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_that_keys_are_replaced() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|s| s.parse().ok()).unwrap_or(ROUNDS);
    let sim = Sim::start(&root(), "rotation").await;
    ask(&sim, "limits", json!({ "concurrency": 100_000, "requests_per_10_min": 100_000_000, "throttle": false })).await;
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let here = engine(&sim, folder.path(), 1);
    let features = vec![Feature::MailSync, Feature::MailSend, Feature::People];
    let request = ConnectRequest { owner: "rotation".into(), features, redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() };
    let started = here.connect(request).await.unwrap_or_else(|e| panic!("{e}"));
    let page = ask(&sim, "signin", json!({ "url": started.url, "as": WHO })).await;
    let account = here.finish_connect(page["location"].as_str().unwrap_or_default().to_owned(), started.binding).await.unwrap_or_else(|e| panic!("{e}")).id;
    let there = engine(&sim, folder.path(), 1);

    let done = AtomicBool::new(false);
    let users = async {
        for round in 0..rounds {
            if round % 4 == 3 {
                ask(&sim, "tokens/expire", json!({ "as": WHO })).await;
            }
            let (other, own) = tokio::join!(use_it(&there, &sim, &account, "there", round), use_it(&here, &sim, &account, "here", round));
            other.unwrap_or_else(|e| panic!("the other engine, round {round}: {:?} {e}", e.kind()));
            own.unwrap_or_else(|e| panic!("the engine that replaces keys, round {round}: {:?} {e}", e.kind()));
        }
        done.store(true, Ordering::SeqCst);
    };
    let rotations = async {
        let mut count = 0_u8;
        while count < MOST_ROTATIONS && !done.load(Ordering::SeqCst) {
            count += 1;
            let new_root_key = count.is_multiple_of(3).then(|| key(count));
            here.rotate_keys(KeyRotation { new_root_key, ..KeyRotation::default() }).await.unwrap_or_else(|e| panic!("rotation {count}: {:?} {e}", e.kind()));
        }
        count
    };
    let ((), count) = tokio::join!(users, rotations);
    println!("{rounds} rounds, {count} rotations");
    assert!(count > 3, "only {count} rotations");
    for engine in [&here, &there] {
        assert!(engine.verify_audit(None, None).await.unwrap_or_else(|e| panic!("{e}")).intact);
    }
    there.shutdown().await;
    here.shutdown().await;
    let again = engine(&sim, folder.path(), count - count % 3);
    let page = again.messages(MessageQuery { account_id: Some(account), limit: 500, ..MessageQuery::default() }).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(page.items.len(), (rounds * 50).min(500));
    again.shutdown().await;
    assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "which provider of TLS a process uses by default is for the host to say");
}
