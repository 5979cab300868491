//! Push in axum: one route that hands each request to `receive`, and a mail that arrives.

use serde_json::json;
use std::time::Duration;
use tidings::{Cloud, Config, ConnectRequest, Engine, Feature, MessageQuery, Transport};
use tidings_examples::control::Control;
use tidings_examples::{env, root_key};
use tidings_examples::route::route;

type Failed = Box<dyn std::error::Error + Send + Sync>;

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
    let engine = Engine::open(config, root_key()?)?;
    let route = route(engine.clone());
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
