//! One request goes out with a credential, and its answer is held against it.

use super::body;
use super::fit;
use super::trace::Trace;
use super::transport::{Answer, Line, PublicOnly, Sent, Transport, TransportError, Trouble};
use super::{AccessToken, Purpose, Request};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

/// One exchange. An answer that does not fit counts as none, and what it came over is not used again.
pub async fn exchange(request: &Request, mut headers: HeaderMap, token: Option<&AccessToken>, trace: &Trace, transport: &dyn Transport) -> Result<Answer> {
    let id = trace.next()?;
    if request.purpose != Purpose::Workflow {
        headers.insert(fit::ID, id.clone());
        headers.insert("return-client-request-id", HeaderValue::from_static("true"));
    }
    let built = build(request, headers, token)?;
    if let Some(sink) = &request.sink {
        sink.0.begin();
    }
    let mut answer = transport.call(built, request.max_body).await;
    if let Some(sink) = &request.sink {
        answer = answer.and_then(|answer| body::handed_on(sink, answer));
    }
    if answer.as_ref().is_ok_and(|answer| !fit::fits(request, id.to_str().unwrap_or_default(), token, answer)) {
        trace.misfit();
        if let Some(line) = line(request) {
            transport.give_up(&line);
        }
        return Ok(Err(TransportError::new(Sent::Maybe, Trouble::Misfit)));
    }
    Ok(answer)
}

/// Connections are kept for the requests of one account to Graph and to the Bot Connector, and for its uploads. Sign-ins have one for each request.
fn line(request: &Request) -> Option<Line> {
    request.account_id.clone().filter(|_| request.purpose.is_graph() || request.purpose.is_upload() || request.purpose == Purpose::Bot).map(Line)
}

fn build(request: &Request, mut headers: HeaderMap, token: Option<&AccessToken>) -> Result<http::Request<Bytes>> {
    // Whatever a caller put there: a credential comes from the token source or not at all.
    headers.remove(AUTHORIZATION);
    if let Some(token) = token {
        let mut value = token
            .expose(|text| HeaderValue::from_str(&zeroize::Zeroizing::new(format!("Bearer {text}"))))
            .map_err(|_| Error::new(ErrorKind::TokenRejected, "Microsoft's token holds characters no token may hold. Connect the account again."))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let mut built = http::Request::new(request.body.clone());
    *built.method_mut() = request.method.clone();
    *built.uri_mut() = request.url.as_str().parse().map_err(|_| Error::internal("A request address could not be made."))?;
    *built.headers_mut() = headers;
    if let Some(line) = line(request) {
        built.extensions_mut().insert(line);
    }
    if let Some(sink) = &request.sink {
        built.extensions_mut().insert(sink.clone());
    }
    if let Some(whole) = request.whole {
        built.extensions_mut().insert(whole);
    }
    if request.purpose == Purpose::Workflow {
        built.extensions_mut().insert(PublicOnly);
    }
    Ok(built)
}
