//! What Graph answered to a request of a host's own. A long body is read as fast as the host takes it, and never held as a whole.

use super::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::RawAnswer;
use crate::pipeline::Rest;
use crate::runtime::closed;
use bytes::{Bytes, BytesMut};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use tokio::sync::Mutex;

/// Bytes that `body` gathers.
const LONGEST_BODY: usize = 64 << 20;

/// An answer of Graph, whatever its status. A body up to 1 MB is here as a whole; a longer one arrives as it is asked for, and its connection is kept until the end
/// of it, an hour at the most, or until this is let go of.
pub struct RawResponse {
    /// Weak: an answer that somebody keeps does not keep an engine that nobody else has.
    inner: Weak<Inner>,
    status: u16,
    headers: HashMap<String, String>,
    request_id: Option<String>,
    /// The body, or its first part.
    first: Bytes,
    rest: Option<Rest>,
    state: Mutex<State>,
    process: u32,
}

struct State {
    /// Arrived and not given out.
    here: BytesMut,
    is_over: bool,
}

impl fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawResponse").field("status", &self.status).field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

impl RawResponse {
    pub(super) fn new(inner: &Arc<Inner>, answer: RawAnswer) -> Self {
        let here = BytesMut::from(answer.body.as_ref());
        Self {
            inner: Arc::downgrade(inner),
            status: answer.status,
            headers: answer.headers,
            request_id: answer.request_id,
            first: if answer.rest.is_some() { Bytes::new() } else { answer.body },
            state: Mutex::new(State { here, is_over: answer.rest.is_none() }),
            rest: answer.rest,
            process: std::process::id(),
        }
    }

    /// HTTP status.
    pub fn status(&self) -> u32 {
        self.status.into()
    }

    /// Names in lower case; values of the same name are joined by commas.
    pub fn headers(&self) -> HashMap<String, String> {
        self.headers.clone()
    }

    /// Microsoft's id of the exchange, for a support case.
    pub fn request_id(&self) -> Option<String> {
        self.request_id.clone()
    }

    /// The body; of one longer than 1 MB, what `next` has not given out yet. A cancelled wait loses nothing. Errors: LimitExceeded (more than 64 MB: take it piece
    /// by piece), Upstream (the connection broke), Closed.
    pub async fn body(&self) -> Result<Vec<u8>> {
        if self.rest.is_none() {
            return Ok(self.first.to_vec());
        }
        let mut state = self.state.lock().await;
        while !state.is_over {
            if state.here.len() > LONGEST_BODY {
                return Err(Error::new(ErrorKind::LimitExceeded, "The body is longer than 64 MB. Take it piece by piece, with next."));
            }
            self.more(&mut state).await?;
        }
        Ok(state.here.split().to_vec())
    }

    /// The next piece of the body; none at the end. A body up to 1 MB is one piece. A cancelled wait loses nothing. Errors: Upstream (the connection broke), Closed.
    pub async fn next(&self) -> Result<Option<Vec<u8>>> {
        let mut state = self.state.lock().await;
        if state.here.is_empty() && !state.is_over {
            self.more(&mut state).await?;
        }
        let piece = state.here.split();
        Ok((!piece.is_empty()).then(|| piece.to_vec()))
    }

    async fn more(&self, state: &mut State) -> Result<()> {
        let (Some(rest), Some(inner)) = (self.rest.clone(), self.inner.upgrade()) else { return Err(closed()) };
        let filling = rest.clone();
        let filled = inner.runtime.guard(|stop| async move { stop.until(filling.fill()).await });
        drop(inner);
        filled.await?;
        // Taken here, in the caller's own future: what came while nobody waited stays.
        match rest.take().await {
            Some(piece) => state.here.extend_from_slice(&piece),
            None => state.is_over = true,
        }
        Ok(())
    }
}

impl Drop for RawResponse {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            // A thread that did not come along in the fork may hold the connection's locks.
            std::mem::forget(self.rest.take());
        }
    }
}
