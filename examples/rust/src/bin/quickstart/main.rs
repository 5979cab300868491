//! From nothing to a connected account, a sent Teams message, a post in a channel, a sent mail with a file, the mailbox's mail of a year, and a mail that arrives by push and is linked to a candidate.
//!
//! Without settings it starts a simulated Microsoft 365 inside this process. With `TIDINGS_CLIENT_ID` the same code talks to the real one:
//!
//! ```text
//! TIDINGS_CLIENT_ID   application (client) id of your registration in Entra
//! TIDINGS_TENANT      whose sign-in page (default: common)
//! TIDINGS_TO          address to send a Teams message and a mail to; nothing is sent without it
//! TIDINGS_CHANNEL     team and channel to post in, as in Hiring/Candidates; nothing is posted without it
//! TIDINGS_FOLDERS     folders to sync, separated by commas (default: inbox, sentitems)
//! TIDINGS_LOGIN       with TIDINGS_GRAPH: addresses of another cloud's Entra and Graph (default: Microsoft's public cloud)
//! TIDINGS_DATA        folder of the store, to keep it (default: a temporary one); the root key is kept beside it
//! ```

mod arriving;
mod attaching;
mod connecting;
mod place;
mod sending;
mod syncing;
mod table;

use place::Place;
use std::process::ExitCode;
use std::time::Instant;
use tidings::Engine;

/// What ends the quickstart early, in one line.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {}", told(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let place = Place::find().await?;
    println!("{}", place.greeting());
    // Microsoft's posts come to a port of this machine, which only the simulator can reach.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut config = place.config();
    if place.browser().is_some() {
        config.notification_url = Some(format!("http://{}/tidings", listener.local_addr()?));
    }
    let engine = Engine::open(config, place.root_key())?;
    let route = tidings_examples::route::route(engine.clone());
    tokio::spawn(async move { axum::serve(listener, route).await });
    let outcome = story(&engine, &place).await;
    // Also after a failure: what is under way is brought to its end.
    engine.shutdown().await;
    outcome
}

async fn story(engine: &Engine, place: &Place) -> Outcome<()> {
    let account = connecting::connect(engine, place).await?;
    // Counted from here: how long a person takes to sign in says nothing about the engine.
    let began = Instant::now();
    let sent = sending::send(engine, place, &account).await?;
    let filled = syncing::backfill(engine, &account).await?;
    let marked = syncing::mark_one(engine, place, &account).await?;
    let arrived = arriving::receive(engine, place, &account).await?;
    let report = engine.sync(account.id.clone(), None).await?;
    table::print(&table::Findings { account, sent, filled, marked, arrived, report, time: began.elapsed() });
    println!("{}", place.farewell());
    Ok(())
}

/// The engine's reasons say what to do; who must do it, and Microsoft's own number for a support case, are worth a word more.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let Some(known) = error.downcast_ref::<tidings::Error>() else { return error.to_string() };
    let who = match known.remedy() {
        tidings::Remedy::Admin => " (for an administrator)",
        tidings::Remedy::Wait => " (try again later)",
        _ => "",
    };
    let request = known.request_id().map(|id| format!(" Microsoft's request id: {id}.")).unwrap_or_default();
    format!("{}{who}{request}", known.reason())
}
