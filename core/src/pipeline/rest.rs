//! Bodies too long to be held: the first part comes with the answer, the rest when it is asked for.

use super::transport::{TransportError, Trouble};
use crate::error::{Error, ErrorKind, Result};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The body of a success is whole up to so many bytes; of a longer one about so many come with the answer. An extension of the request.
#[derive(Debug, Clone, Copy)]
pub struct Whole(pub usize);

/// Where the rest comes from.
pub trait Pieces: Send {
    /// The next piece, decompressed; none at the end. Dropping the future loses nothing.
    fn next(&mut self) -> BoxFuture<'_, std::result::Result<Option<Bytes>, TransportError>>;
}

/// Bytes that are worth handing out.
const PIECE: usize = 64 << 10;

/// What is still to come of a body; an extension of the answer. Its connection is in use until the end of it, or until this is dropped.
#[derive(Clone)]
pub struct Rest(Arc<Mutex<State>>);

struct State {
    pieces: Box<dyn Pieces>,
    /// Arrived, and not handed out.
    here: BytesMut,
    end: Option<Result<()>>,
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest(…)")
    }
}

impl Rest {
    pub fn new(pieces: impl Pieces + 'static) -> Self {
        Self(Arc::new(Mutex::new(State { pieces: Box::new(pieces), here: BytesMut::new(), end: None })))
    }

    /// Waits until a piece that is worth it is here, or the end. Dropping the future loses nothing. Errors: Upstream, when the connection broke, and from then on.
    pub async fn fill(&self) -> Result<()> {
        let mut state = self.0.lock().await;
        while state.here.len() < PIECE {
            if let Some(end) = &state.end {
                // What came before it broke is no answer, however much it is.
                return end.clone();
            }
            match state.pieces.next().await {
                Ok(Some(piece)) => state.here.extend_from_slice(&piece),
                Ok(None) => state.end = Some(Ok(())),
                Err(error) => state.end = Some(Err(broken(error))),
            }
        }
        Ok(())
    }

    /// What is here; none: the end.
    pub async fn take(&self) -> Option<Bytes> {
        let mut state = self.0.lock().await;
        if state.here.is_empty() { None } else { Some(state.here.split().freeze()) }
    }
}

fn broken(error: TransportError) -> Error {
    let reason = match error.trouble {
        Trouble::TimedOut => "Microsoft stopped sending before the answer was complete. Ask again; where the service knows it, with a Range header for what is missing.",
        _ => "The connection to Microsoft broke before the answer was complete. Ask again; where the service knows it, with a Range header for what is missing.",
    };
    Error::new(ErrorKind::Upstream, reason).with_source(error)
}

#[cfg(test)]
mod tests;
