//! For tests of this module and of those above it: a service made of a closure, and a clock that skips every wait.

use super::{Answer, Limits, Pipeline, Sent, Transport, TransportError, Trouble};
use crate::clock::{Clock, TestClock};
use crate::config::{Cloud, Endpoints};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

pub const START_MS: u64 = 1_790_000_000_000;

/// A request as the service saw it.
pub type Seen = http::Request<Bytes>;

type Answering = dyn Fn(&Seen, usize) -> Answer + Send + Sync;

/// Answers by closure and remembers what was asked.
pub struct Service {
    answer: Box<Answering>,
    pub seen: Mutex<Vec<Seen>>,
    held: Mutex<Option<Held>>,
}

/// Requests that are not answered yet, and whether they may be.
type Held = (fn(&Seen) -> bool, watch::Receiver<bool>);

impl Service {
    /// `answer` gets the request and how many came before it.
    pub fn new(answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), seen: Mutex::default(), held: Mutex::default() })
    }

    /// One answer after the other; the last one stays.
    pub fn script(answers: Vec<Answer>) -> Arc<Self> {
        Self::new(move |_, n| answers[n.min(answers.len() - 1)].as_ref().map(copy).map_err(Clone::clone))
    }

    /// Such requests wait for their answer until `true` is sent.
    pub fn hold(&self, which: fn(&Seen) -> bool) -> watch::Sender<bool> {
        let (release, held) = watch::channel(false);
        *self.held.lock().unwrap() = Some((which, held));
        release
    }

    pub fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn pipeline(self: &Arc<Self>, clock: &TestClock) -> Arc<Pipeline> {
        Arc::new(Pipeline::new(Endpoints::of(&Cloud::Public).unwrap(), Arc::new(Plug(self.clone())), Arc::new(clock.clone()), Limits::default()))
    }
}

struct Plug(Arc<Service>);

impl Transport for Plug {
    fn call(&self, request: Seen, max_body: usize) -> BoxFuture<'static, Answer> {
        let n = {
            let mut seen = self.0.seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        let answer = (self.0.answer)(&request, n);
        let held = self.0.held.lock().unwrap().as_ref().filter(|(which, _)| which(&request)).map(|(_, held)| held.clone());
        Box::pin(async move {
            if let Some(mut held) = held {
                let _ = held.wait_for(|is_released| *is_released).await;
            }
            // Real requests take a moment, in which others come along.
            tokio::task::yield_now().await;
            match answer {
                Ok(answer) if answer.body().len() > max_body => Err(TransportError::new(Sent::Maybe, Trouble::TooLarge)),
                other => other,
            }
        })
    }
}

fn copy(answer: &http::Response<Bytes>) -> http::Response<Bytes> {
    let mut copied = http::Response::new(answer.body().clone());
    *copied.status_mut() = answer.status();
    *copied.headers_mut() = answer.headers().clone();
    copied
}

pub fn says(status: u16, body: impl Into<Bytes>) -> Answer {
    let mut answer = http::Response::new(body.into());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
    Ok(answer)
}

pub fn says_with(status: u16, header: (&'static str, &str), body: impl Into<Bytes>) -> Answer {
    says(status, body).map(|mut answer| {
        answer.headers_mut().insert(header.0, header.1.parse().unwrap());
        answer
    })
}

pub fn breaks(sent: Sent) -> Answer {
    Err(TransportError::new(sent, if sent == Sent::No { Trouble::Connect } else { Trouble::Broken }))
}

/// A clock whose waits are over at once; it still shows how long they were.
pub fn clock() -> TestClock {
    let clock = TestClock::new(START_MS);
    let ticking = clock.clone();
    tokio::spawn(async move {
        loop {
            let wait = ticking.next_wait().await;
            ticking.advance(wait);
        }
    });
    clock
}

pub fn passed_ms(clock: &TestClock) -> u64 {
    u64::try_from(clock.elapsed().as_millis()).unwrap()
}

/// A browser that opens this path of a local port.
pub async fn browse(port: u16, path: &str) {
    use tokio::io::AsyncWriteExt;
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n").as_bytes()).await.unwrap();
}
