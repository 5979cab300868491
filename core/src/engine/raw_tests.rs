#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_types, clippy::disallowed_methods)]
//! Requests of a host's own over a real connection: cancelled, cut off, closed.

use super::audit_tests::{START, clock};
use super::*;
use crate::config::Cloud;
use crate::error::ErrorKind;
use crate::seal::AadContext;
use crate::store::{Shorthand, TokenRow};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An engine with one account, whose Graph is this listener.
async fn engine(dir: &Path) -> (Engine, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let mut config = Config::new(dir.join("store").to_string_lossy(), "00000000-0000-0000-0000-000000000000");
    config.cloud = Cloud::custom(&origin, &origin);
    let engine = Engine::open_with_clock(config, Arc::new(RootKey::raw((0..32).collect()).unwrap()), clock()).unwrap();
    let (store, vault) = (&engine.inner.store, &engine.inner.vault);
    vault.store_key().ready().await;
    let keys = vault.new_account_keys("acc", true, START as i64).unwrap();
    let handles = vault.adopt("acc", &keys).await.unwrap();
    let place = |table, column| AadContext { table, column, account_id: "acc", row: "acc", version: 1 };
    let account = AccountRow { tenant_id: "tenant".into(), user_id: "user".into(), ..AccountRow::new("acc", "owner", handles.content.seal(place("accounts", "profile"), br#"{"address":"","display_name":"Somebody"}"#).unwrap(), 1) };
    let sealed = handles.secrets.seal(place("tokens", "sealed"), br#"{"refresh_token":"refresh","access_token":"access"}"#).unwrap();
    let token = TokenRow { account_id: "acc".into(), version: 1, sealed, expires_at: i64::MAX, refreshed_at: 1 };
    store.store_account(&account, Some(&token), &keys, None, START as i64).await.unwrap();
    (engine, listener)
}

/// The next request, as far as its headers go.
async fn asked(listener: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = vec![0; 8192];
    let n = stream.read(&mut head).await.unwrap();
    (stream, String::from_utf8_lossy(&head[..n]).into_owned())
}

fn get() -> RawRequest {
    RawRequest::get("/me/messages/x/$value")
}

#[tokio::test]
async fn a_request_that_is_given_up_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, listener) = engine(dir.path()).await;
    let caller = engine.clone();
    let waiting = tokio::spawn(async move { caller.request("acc".into(), RawRequest { json: Some("{}".into()), ..RawRequest::new("POST", "/me/events") }, None).await });
    let (mut stream, head) = asked(&listener).await;
    assert!(head.starts_with("POST /v1.0/me/events HTTP/1.1") && head.to_ascii_lowercase().contains("authorization: bearer access"), "{head}");
    waiting.abort();
    // What is left of the request, and then the end of the connection.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(engine.audit(100, None, None).await.unwrap().items.iter().filter(|record| record.kind == AuditKind::RawRequest).count(), 1);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_long_body_waits_for_who_reads_it_and_ends_with_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, listener) = engine(dir.path()).await;
    let served = tokio::spawn(async move {
        let (mut stream, _) = asked(&listener).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\nContent-Type: application/octet-stream\r\n\r\n").await.unwrap();
        stream.write_all(&vec![b'x'; 2_000_000]).await.unwrap();
        // The rest never comes.
        stream
    });
    let response = engine.request("acc".into(), get(), None).await.unwrap();
    assert_eq!((response.status(), response.headers()["content-type"].as_str()), (200, "application/octet-stream"));
    let first = response.next().await.unwrap().unwrap();
    assert!(first.len() > 1 << 20 && first.len() < 2 << 20, "{}", first.len());
    let stream = served.await.unwrap();
    let mut seen = first.len();
    // A wait that is given up loses nothing of what has come.
    while 2_000_000 - seen >= 65_536 {
        for _ in 0..3 {
            if let Some(piece) = futures_util::FutureExt::now_or_never(response.next()) {
                seen += piece.unwrap().unwrap().len();
            }
        }
        if 2_000_000 - seen >= 65_536 {
            seen += response.next().await.unwrap().unwrap().len();
        }
    }
    let (waiting, closing) = (response.next(), engine.shutdown());
    let (piece, ()) = tokio::join!(waiting, closing);
    assert_eq!(piece.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(response.body().await.unwrap_err().kind(), ErrorKind::Closed);
    drop(stream);
}

#[tokio::test]
async fn a_body_that_is_whole_outlives_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, listener) = engine(dir.path()).await;
    let served = tokio::spawn(async move {
        let (mut stream, _) = asked(&listener).await;
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").await.unwrap();
    });
    let response = engine.request("acc".into(), get(), Some("owner".into())).await.unwrap();
    served.await.unwrap();
    engine.shutdown().await;
    assert_eq!((response.status(), response.body().await.unwrap(), response.body().await.unwrap()), (404, b"{}".to_vec(), b"{}".to_vec()));
    assert_eq!((response.next().await.unwrap(), response.next().await.unwrap()), (Some(b"{}".to_vec()), None));
    assert_eq!(engine.request("acc".into(), get(), None).await.err().unwrap().kind(), ErrorKind::Closed);
    assert_eq!(engine.pages("acc".into(), get(), None).next().await.err().unwrap().kind(), ErrorKind::Closed);
}
