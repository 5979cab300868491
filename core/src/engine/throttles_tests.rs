#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods, clippy::disallowed_types)]
//! A process that starts anew asks nobody before the Retry-After is over that an earlier one was told, nor for more than the mailbox has left.

use super::audit_tests::START;
use super::*;
use crate::config::Cloud;
use crate::error::ErrorKind;
use crate::seal::AadContext;
use crate::store::{Shorthand, TokenRow};
use crate::throttle::{RequestsMade, Throttle};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

const WAIT_MS: u64 = 600_000;

/// A Graph that refuses everything with a Retry-After of ten minutes; how often it was asked.
fn refusing() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (origin, asked) = (format!("http://{}", listener.local_addr().unwrap()), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                match line.trim_end().to_ascii_lowercase().split_once(": ") {
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    None if line.trim_end().is_empty() => break,
                    _ => {}
                }
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let _ = write!(stream.get_mut(), "HTTP/1.1 429 x\r\nRetry-After: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", WAIT_MS / 1_000);
        }
    });
    (origin, asked)
}

/// A process that opens the store at this time.
fn process(dir: &Path, origin: &str, at: u64) -> (Engine, Arc<TestClock>) {
    let mut config = Config::new(dir.to_string_lossy(), "00000000-0000-0000-0000-000000000000");
    config.cloud = Cloud::custom(origin, origin);
    let clock = Arc::new(TestClock::new(at));
    (Engine::open_with_clock(config, Arc::new(RootKey::raw((0..32).collect()).unwrap()), clock.clone()).unwrap(), clock)
}

async fn connect(engine: &Engine, id: &str) {
    let (store, vault) = (&engine.inner.store, &engine.inner.vault);
    let keys = vault.new_account_keys(id, true, START as i64).unwrap();
    let handles = vault.adopt(id, &keys).await.unwrap();
    let place = |table, column| AadContext { table, column, account_id: id, row: id, version: 1 };
    let account = AccountRow {
        tenant_id: "tenant".into(),
        user_id: format!("user-{id}"),
        features: vec![Feature::MailSync],
        scopes: vec!["Mail.Read".into(), "Mail.ReadWrite".into()],
        ..AccountRow::new(id, "owner", handles.content.seal(place("accounts", "profile"), br#"{"address":"","display_name":"Somebody"}"#).unwrap(), 1)
    };
    let sealed = handles.secrets.seal(place("tokens", "sealed"), br#"{"refresh_token":"refresh","access_token":"access"}"#).unwrap();
    let token = TokenRow { account_id: id.into(), version: 1, sealed, expires_at: i64::MAX, refreshed_at: 1 };
    store.store_account(&account, Some(&token), &keys, None, START as i64).await.unwrap();
}

async fn told_to_wait(engine: &Engine, id: &str) -> u64 {
    let error = engine.sync(id.to_owned(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled, "{error}");
    error.retry_after_ms().unwrap()
}

/// A Retry-After is stored beside the request that heard of it.
async fn stored(engine: &Engine) {
    while engine.inner.store.throttles(START as i64, 3_600_000).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_asked_before_the_time_that_an_earlier_process_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let (origin, asked) = refusing();
    let (first, _) = process(&store, &origin, START);
    connect(&first, "a").await;
    connect(&first, "b").await;
    told_to_wait(&first, "a").await;
    let before = asked.load(Ordering::SeqCst);
    stored(&first).await;
    // One that opens the store while the first one lives, or after it was killed.
    let (second, _) = process(&store, &origin, START + 60_000);
    assert_eq!(told_to_wait(&second, "a").await, WAIT_MS - 60_000);
    assert_eq!(asked.load(Ordering::SeqCst), before, "nobody was asked");
    told_to_wait(&second, "b").await;
    assert!(asked.load(Ordering::SeqCst) > before, "another mailbox is not held");
    first.shutdown().await;
    second.shutdown().await;
    // After that time it is asked again.
    let before = asked.load(Ordering::SeqCst);
    let (third, clock) = process(&store, &origin, START + 120_000);
    assert_eq!(told_to_wait(&third, "a").await, WAIT_MS - 120_000);
    assert_eq!(asked.load(Ordering::SeqCst), before);
    clock.advance(WAIT_MS - 120_000);
    told_to_wait(&third, "a").await;
    assert!(asked.load(Ordering::SeqCst) > before);
    third.shutdown().await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_holds_nobody_longer() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let (origin, asked) = refusing();
    let (first, _) = process(&store, &origin, START);
    connect(&first, "a").await;
    told_to_wait(&first, "a").await;
    first.shutdown().await;
    let before = asked.load(Ordering::SeqCst);
    let (second, _) = process(&store, &origin, START - 365 * 86_400_000);
    told_to_wait(&second, "a").await;
    assert!(asked.load(Ordering::SeqCst) > before, "what was noted a year ahead is forgotten");
    second.shutdown().await;
}

#[tokio::test]
async fn a_mailbox_that_has_used_its_requests_up_is_not_asked_by_the_next_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let (origin, asked) = refusing();
    let (first, _) = process(&store, &origin, START);
    connect(&first, "a").await;
    let made = Some(RequestsMade { at: START as i64, counts: vec![10_000] });
    let of = |user_id: &str| Throttle {
        client_id: "00000000-0000-0000-0000-000000000000".into(),
        tenant_id: "tenant".into(),
        user_id: user_id.into(),
        service: "outlook".into(),
        until: 0,
        made: made.clone(),
    };
    first.inner.store.keep_throttles(&[of("user-a")], START as i64, 3_600_000).await.unwrap();
    first.shutdown().await;
    let before = asked.load(Ordering::SeqCst);
    let (second, clock) = process(&store, &origin, START + 60_000);
    let wait = told_to_wait(&second, "a").await;
    // It is counted in parts of half a minute.
    assert!((WAIT_MS - 60_000..WAIT_MS + 5_000).contains(&wait), "{wait}");
    assert_eq!(asked.load(Ordering::SeqCst), before, "nobody was asked");
    clock.advance(wait);
    told_to_wait(&second, "a").await;
    assert!(asked.load(Ordering::SeqCst) > before);
    second.shutdown().await;
}
