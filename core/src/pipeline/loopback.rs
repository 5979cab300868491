//! Receives one sign-in on this machine (RFC 8252): a literal loopback address, a random port, one path, one expected state, then closed.

use crate::error::{Error, Result};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

const MAX_HEAD: usize = 24 << 10;
const MAX_CONNECTIONS: usize = 16;
const PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Signed in</title><p>You can close this window.</p></html>";
const OTHER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Nothing here</title><p>Nothing here.</p></html>";

#[derive(Debug)]
pub struct LoopbackReceiver {
    listener: TcpListener,
    port: u16,
    /// Of the sign-in waited for; empty: none yet.
    state: Zeroizing<String>,
    /// Who has knocked and was not answered to the end yet.
    visits: JoinSet<Option<String>>,
}

impl LoopbackReceiver {
    pub async fn open() -> Result<Self> {
        let failed = |e: std::io::Error| Error::internal("No local port could be opened for the sign-in.").with_source(e);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port, state: Zeroizing::default(), visits: JoinSet::new() })
    }

    /// Entra ignores the port of `http://localhost`, and only of that, so this matches a registration of `http://localhost`.
    pub fn redirect_uri(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Only a callback with this state ends the wait.
    pub fn expect(mut self, state: &str) -> Self {
        self.state = Zeroizing::new(state.to_owned());
        self
    }

    /// Waits for the browser to come back and answers the whole callback URL; everything else that knocks is sent away. Dropping the future ends the
    /// wait and nothing else: who knocks then is answered by the next wait. The port is free again when the receiver is dropped.
    pub async fn callback(&mut self) -> Result<String> {
        loop {
            tokio::select! {
                // A browser opens connections ahead of need, so one that says nothing must not hold up the one that does.
                visit = self.listener.accept(), if self.visits.len() < MAX_CONNECTIONS => {
                    if let Ok((stream, _)) = visit {
                        self.visits.spawn(serve(stream, self.port, self.state.clone()));
                    }
                }
                Some(done) = self.visits.join_next() => {
                    if let Ok(Some(callback)) = done {
                        return Ok(callback);
                    }
                }
            }
        }
    }
}

/// The callback URL if this request is the one waited for.
async fn serve(mut stream: TcpStream, port: u16, state: Zeroizing<String>) -> Option<String> {
    // Real time: this limits a stranger's connection, not work of the engine.
    let head = tokio::time::timeout(Duration::from_secs(20), head(&mut stream)).await.ok()??;
    let target = wanted(&head, port);
    let found = target.filter(|target| target.split_once('?').is_some_and(|(_, query)| url::form_urlencoded::parse(query.as_bytes()).any(|(n, v)| n == "state" && !state.is_empty() && v == state.as_str())));
    let (status, page) = if found.is_some() { ("200 OK", PAGE) } else { ("404 Not Found", OTHER) };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    found.map(|target| format!("http://localhost:{port}{target}"))
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut part = [0; 2048];
    loop {
        let n = stream.read(&mut part).await.ok()?;
        head.extend_from_slice(part.get(..n)?);
        if head.windows(4).any(|w| w == b"\r\n\r\n") {
            return String::from_utf8(head).ok();
        }
        if n == 0 || head.len() > MAX_HEAD {
            return None;
        }
    }
}

/// The target of a GET of `/`, asked of this very host: another name that resolves to loopback is somebody else's page.
fn wanted(head: &str, port: u16) -> Option<String> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target, version) = (first.next()?, first.next()?, first.next()?);
    let host = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("host"))?.1.trim();
    let ours = [format!("localhost:{port}"), format!("127.0.0.1:{port}")].iter().any(|ours| ours == host);
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    (method == "GET" && version.starts_with("HTTP/1.") && first.next().is_none() && ours && path == "/").then(|| target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(port: u16, text: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn only_the_expected_callback_ends_the_wait() {
        let mut receiver = LoopbackReceiver::open().await.unwrap().expect("s1");
        let port = receiver.port;
        let waiting = tokio::spawn(async move { receiver.callback().await });
        let _silent = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        for other in [
            format!("GET /favicon.ico HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
            format!("GET /?code=c&state=other HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
            format!("POST /?code=c&state=s1 HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
            "GET /?code=c&state=s1 HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
        ] {
            assert!(ask(port, &other).await.starts_with("HTTP/1.1 404"), "{other}");
        }
        let answer = ask(port, &format!("GET /?code=c%20d&state=s1 HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("close this window"));
        assert_eq!(waiting.await.unwrap().unwrap(), format!("http://localhost:{port}/?code=c%20d&state=s1"));
    }
}
