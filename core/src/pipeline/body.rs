//! Bodies of answers, gathered whole or handed on as they arrive.

use super::transport::{Answer, Sent, TransportError, Trouble};
use super::fit;
use bytes::{Bytes, BytesMut};
use http::Response;
use std::sync::Arc;

/// Takes the body of a successful answer while it arrives. An answer that breaks off, is refused or is asked for again begins anew.
pub trait BodySink: Send + Sync {
    /// Another answer begins; what came before counts for nothing.
    fn begin(&self);
    /// The next piece, decompressed.
    fn take(&self, piece: &[u8]);
}

/// Who takes the body; an extension of the request.
#[derive(Clone)]
pub struct Sink(pub Arc<dyn BodySink>);

/// The body was handed on, and so long it was; an extension of the answer, whose own body is no more than its first bytes.
#[derive(Debug, Clone, Copy)]
pub struct HandedOn(pub usize);

/// A body that is arriving. No more than `most` bytes of it are accepted, counted as they are unpacked, so that a small file cannot become a large page.
pub struct Arriving {
    sink: Option<Sink>,
    most: usize,
    length: usize,
    kept: BytesMut,
}

impl Arriving {
    /// `expected`: bytes, if they were announced. Errors: TooLarge, when more are announced than accepted.
    pub fn new(sink: Option<Sink>, expected: usize, most: usize) -> Result<Self, TransportError> {
        if expected > most {
            return Err(too_large());
        }
        let room = if sink.is_some() { fit::HEAD } else { expected };
        Ok(Self { sink, most, length: 0, kept: BytesMut::with_capacity(room) })
    }

    pub fn take(&mut self, piece: &[u8]) -> Result<(), TransportError> {
        self.length += piece.len();
        if self.length > self.most {
            return Err(too_large());
        }
        let Some(Sink(sink)) = &self.sink else {
            self.kept.extend_from_slice(piece);
            return Ok(());
        };
        let head = fit::HEAD.saturating_sub(self.kept.len()).min(piece.len());
        self.kept.extend(piece.iter().take(head));
        sink.take(piece);
        Ok(())
    }

    pub fn end(self) -> Response<Bytes> {
        let mut answer = Response::new(self.kept.freeze());
        if self.sink.is_some() {
            answer.extensions_mut().insert(HandedOn(self.length));
        }
        answer
    }
}

pub fn too_large() -> TransportError {
    TransportError::new(Sent::Maybe, Trouble::TooLarge)
}

/// The same answer from a transport that gathers bodies whole.
pub fn handed_on(sink: &Sink, mut answer: Response<Bytes>) -> Answer {
    if answer.status().is_success() && answer.extensions().get::<HandedOn>().is_none() {
        sink.0.take(answer.body());
        let (length, head) = (answer.body().len(), answer.body().slice(..fit::HEAD.min(answer.body().len())));
        *answer.body_mut() = head;
        answer.extensions_mut().insert(HandedOn(length));
    }
    Ok(answer)
}

/// Bytes of the whole body, wherever it is.
pub fn length(answer: &Response<Bytes>) -> usize {
    answer.extensions().get::<HandedOn>().map_or(answer.body().len(), |handed_on| handed_on.0)
}

#[cfg(test)]
mod tests;
