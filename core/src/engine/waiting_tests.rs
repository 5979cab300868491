#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods, clippy::disallowed_types)]
//! Who stops waiting for a sign-in does not lose it.

use super::audit_tests::{clock, engine};
use super::*;
use crate::config::Cloud;
use crate::error::ErrorKind;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

fn wish() -> ConnectRequest {
    ConnectRequest { owner: "owner".into(), features: vec![Feature::MailSync], ..ConnectRequest::default() }
}

/// Begins to wait, and gives up before anything comes.
async fn give_up(wait: impl Future<Output = Result<Account>>) {
    let mut wait = std::pin::pin!(wait);
    assert!(futures_util::FutureExt::now_or_never(&mut wait).is_none());
}

#[tokio::test]
async fn a_browser_that_comes_back_between_two_waits_is_received_by_the_second() {
    let dir = tempfile::tempdir().unwrap();
    let time = clock();
    let engine = engine(&dir.path().join("store"), &time);
    let sign_in = engine.connect_here(wish()).await.unwrap();
    let url = url::Url::parse(&sign_in.url()).unwrap();
    let value = |name: &str| url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned();
    let (state, redirect) = (value("state"), url::Url::parse(&value("redirect_uri")).unwrap());
    let port = redirect.port().unwrap();
    give_up(sign_in.wait()).await;
    let mut browser = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(browser, "GET /?error=access_denied&error_subcode=cancel&state={state} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n").unwrap();
    let told = sign_in.wait().await.unwrap_err();
    assert_eq!(told.kind(), ErrorKind::Cancelled, "{told}");
    assert!(told.reason().contains("declined"), "{told}");
    assert_eq!(sign_in.wait().await.unwrap_err().kind(), ErrorKind::Conflict);

    // The port is kept for as long as the sign-in is good, and no longer.
    let sign_in = engine.connect_here(wish()).await.unwrap();
    let port = sign_in.url().split("localhost%3A").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect::<String>().parse::<u16>().unwrap();
    give_up(sign_in.wait()).await;
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    time.advance(301_000);
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(sign_in.wait().await.unwrap_err().kind(), ErrorKind::Cancelled);
    engine.shutdown().await;
}

/// An Entra that gives out a code and answers every look with `looks`, one after the other.
fn entra(looks: &'static [&'static str]) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let here = origin.clone();
    std::thread::spawn(move || {
        let (mut looks, mut last) = (looks.iter(), "authorization_pending");
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut first, mut length) = (String::new(), 0);
            stream.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                match line.trim_end().to_ascii_lowercase().split_once(": ") {
                    Some(("content-length", value)) => length = value.parse().unwrap(),
                    Some(_) => {}
                    None => break,
                }
            }
            stream.read_exact(&mut vec![0; length]).unwrap();
            let (status, body) = if first.contains("openid-configuration") {
                (200, format!(r#"{{"issuer":"{here}/{{tenantid}}/v2.0","jwks_uri":"{here}/common/discovery/v2.0/keys"}}"#))
            } else if first.contains("/keys") {
                (200, r#"{"keys":[]}"#.to_owned())
            } else if first.contains("/devicecode") {
                (200, format!(r#"{{"device_code":"d","user_code":"U","verification_uri":"{here}/device","expires_in":900,"interval":5}}"#))
            } else {
                // Its last word stands: whoever asks once more hears it again.
                last = looks.next().unwrap_or(&last);
                (400, format!(r#"{{"error":"{last}"}}"#))
            };
            let _ = write!(stream.get_mut(), "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        }
    });
    origin
}

#[tokio::test]
async fn a_second_wait_for_a_device_goes_on_where_the_first_was_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let time = clock();
    let origin = entra(&["authorization_pending", "authorization_declined"]);
    let mut config = Config::new(dir.path().join("store").to_string_lossy(), "00000000-0000-0000-0000-000000000000");
    config.cloud = Cloud::custom(&origin, &origin);
    let engine = Engine::open_with_clock(config, Arc::new(RootKey::raw((0..32).collect()).unwrap()), time.clone()).unwrap();
    let sign_in = engine.connect_device(wish()).await.unwrap();
    let ticking = time.clone();
    let mut first = Box::pin(sign_in.wait());
    assert!(futures_util::FutureExt::now_or_never(&mut first).is_none());
    time.next_wait().await;
    // Before the first one is given up, let alone has noticed it.
    let mut waiting = Box::pin(tokio::time::timeout(Duration::from_secs(120), sign_in.wait()));
    assert!(futures_util::FutureExt::now_or_never(&mut waiting).is_none());
    drop(first);
    let ticker = tokio::spawn(async move {
        loop {
            let wait = ticking.next_wait().await;
            ticking.advance(wait);
            tokio::task::yield_now().await;
        }
    });
    let told = waiting.await.unwrap().unwrap_err();
    assert!(told.kind() == ErrorKind::Cancelled && told.reason().contains("declined"), "{told}");
    assert_eq!(sign_in.wait().await.unwrap_err().kind(), ErrorKind::Conflict);
    ticker.abort();
    engine.shutdown().await;
}
