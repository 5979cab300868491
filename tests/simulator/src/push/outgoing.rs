//! Posts to notification URLs of this machine, as Microsoft makes them.

use super::{Leaving, Said};
use crate::server::Shared;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// A post that is not answered by then has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of an answer.
const LARGEST: usize = 64 << 10;
/// How often is looked for posts that wait for a time of the clock.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const AT_ONCE: usize = 64;

/// For as long as the simulator runs. Nobody who does not answer holds up anything else.
pub async fn run(shared: Arc<Shared>) {
    loop {
        let (epoch, due) = {
            let mut world = shared.lock();
            let due = super::leaving(&mut world, true, AT_ONCE);
            (world.epoch, due)
        };
        for post in due {
            let shared = shared.clone();
            tokio::spawn(async move {
                let said = tokio::time::timeout(PATIENCE, send(&post)).await.ok().flatten();
                let mut world = shared.lock();
                if world.epoch == epoch {
                    super::heard(&mut world, post.id, said);
                }
            });
        }
        tokio::select! { () = shared.posts.notified() => {}, () = tokio::time::sleep(LOOK_AGAIN) => {} }
    }
}

async fn send(post: &Leaving) -> Option<Said> {
    let rest = post.url.strip_prefix("http://")?;
    let host = rest.split(['/', '?']).next()?;
    let stream = TcpStream::connect(host).await.ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.ok()?;
    let driving = tokio::spawn(connection);
    let path = rest.strip_prefix(host).filter(|path| !path.is_empty()).unwrap_or("/");
    let mut request = Request::post(path).header("host", host).header("content-type", post.content_type);
    if let Some(authorization) = &post.authorization {
        request = request.header("authorization", authorization);
    }
    let request = request.body(Full::new(bytes::Bytes::from(post.body.clone()))).ok()?;
    let answer = sender.send_request(request).await.ok()?;
    let status = answer.status().as_u16();
    let content_type = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("").to_string();
    let body = http_body_util::Limited::new(answer.into_body(), LARGEST).collect().await.ok()?.to_bytes();
    driving.abort();
    Some(Said { status, content_type, body: String::from_utf8_lossy(&body).into_owned() })
}
