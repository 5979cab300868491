//! A body on its way out: whole, or broken off on purpose.

use crate::http::Answer;
use crate::limits::Flight;
use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body on its way out. It holds the place among the requests under way until it is written.
pub struct Outgoing {
    data: Option<Bytes>,
    length: u64,
    /// Break off once the data is out.
    cut: bool,
    waited: bool,
    flights: Vec<Flight>,
}

/// Whole, or cut after so many bytes.
pub fn respond(answer: Answer, cut: Option<usize>, flights: Vec<Flight>) -> Response<Outgoing> {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    let length = answer.body.len() as u64;
    let data = match cut {
        Some(bytes) => answer.body.slice(..bytes.min(answer.body.len())),
        None => answer.body,
    };
    let body = Outgoing { data: Some(data).filter(|d| !d.is_empty()), length, cut: cut.is_some(), waited: false, flights };
    builder.body(body).unwrap_or_else(|_| {
        // Only a scripted header of an impossible form leads here.
        let empty = Outgoing { data: None, length: 0, cut: false, waited: false, flights: Vec::new() };
        let mut answer = Response::new(empty);
        *answer.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        answer
    })
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if self.cut {
            // Once round the loop, so that what there is leaves before the cut.
            if !self.waited {
                self.waited = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Err(CutOff)));
        }
        self.flights.clear();
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

#[derive(Debug)]
pub struct CutOff;

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for CutOff {}
