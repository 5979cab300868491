//! Push in axum: one route that hands each request to `receive`, and a mail that arrives.

use axum::Router;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::post;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tidings::{Cloud, Config, ConnectRequest, Engine, Feature, HttpRequest, MessageQuery, RootKey, Transport};
use tidings_examples::control::Control;
use tidings_examples::env;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The route: `.route("/tidings", post(...))`, with a limit of the body above what `receive` takes.
fn app(engine: Engine) -> Router {
    let receive = move |RawQuery(query): RawQuery, body: Bytes| async move {
        let request = HttpRequest { query: query.unwrap_or_default(), body: Some(body.to_vec()), ..HttpRequest::default() };
        let Ok(answer) = engine.receive(request).await else { return (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Vec::new()) };
        let headers = answer.headers.iter().filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))).collect();
        (u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or_default(), headers, answer.body)
    };
    Router::new().route("/tidings", post(receive)).layer(axum::extract::DefaultBodyLimit::max(5 << 20))
}

/// Until it is so, a minute at the most.
async fn until(mut what: impl AsyncFnMut() -> tidings::Result<bool>) -> Result<(), Failed> {
    for _ in 0..1_200 {
        if what().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("it did not come about within a minute".into())
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut config = Config::new(env("TIDINGS_DATA")?, env("TIDINGS_CLIENT_ID")?);
    config.cloud = Cloud::custom(env("TIDINGS_LOGIN")?, env("TIDINGS_GRAPH")?);
    config.notification_url = Some(format!("http://{}/tidings", listener.local_addr()?));
    let engine = Engine::open(config, Arc::new(RootKey::raw(tidings::generate_root_key()?)?))?;
    let route = app(engine.clone());
    tokio::spawn(async move { axum::serve(listener, route).await });

    let simulator = Control::from_env()?;
    let request = ConnectRequest { owner: "recruiter-42".into(), features: vec![Feature::MailSync], redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() };
    let sign_in = engine.connect(request).await?;
    let callback = simulator.sign_in(&sign_in.url, "adele@contoso.com").await?;
    let account = engine.finish_connect(callback, sign_in.binding).await?;
    until(async || Ok(engine.health("recruiter-42".into()).await?.accounts.iter().all(|account| account.transport == Transport::Push))).await?;
    println!("watched by push");
    let query = MessageQuery { account_id: Some(account.id), limit: 10, ..MessageQuery::default() };
    until(async || Ok(engine.messages(query.clone()).await?.items.len() == 7)).await?;
    simulator.post("mail", json!({ "mailbox": "adele@contoso.com", "subject": "It came by itself" })).await?;
    until(async || Ok(engine.messages(query.clone()).await?.items.iter().any(|message| message.subject == "It came by itself"))).await?;
    println!("arrived: It came by itself");
    engine.shutdown().await;
    Ok(())
}
