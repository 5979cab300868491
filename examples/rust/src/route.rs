//! The one route that push and bots need, in axum.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::post;
use tidings::{Engine, HttpRequest};

/// Hands each request to `receive`, and its answer back. The limit of the body is above what `receive` takes.
pub fn route(engine: Engine) -> Router {
    let receive = move |RawQuery(query): RawQuery, given: HeaderMap, body: Bytes| async move {
        let headers = given.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect();
        let request = HttpRequest { query: query.unwrap_or_default(), headers, body: Some(body.to_vec()), ..HttpRequest::default() };
        let Ok(answer) = engine.receive(request).await else { return (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Vec::new()) };
        let headers = answer.headers.iter().filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))).collect();
        (u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or_default(), headers, answer.body)
    };
    Router::new().route("/tidings", post(receive)).layer(DefaultBodyLimit::max(5 << 20))
}
