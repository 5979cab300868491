//! A bot that answers, in axum: what people say to it arrives at /tidings, is durable there, and is answered from the change feed.

mod brain;

use std::fs;
use tidings::{BotActivity, BotActivityKind, BotActivityQuery, BotDraft, ChangeKind, ChangeQuery, Engine, ErrorKind};
use tidings_examples::bots::{OWNER, organisation, root_key, setting, settings};
use tidings_examples::env;
use tidings_examples::route::route;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What people said in this conversation before, the oldest first.
async fn history(engine: &Engine, activity: &BotActivity) -> tidings::Result<Vec<String>> {
    let conversation_id = Some(activity.conversation_id.clone());
    let query = BotActivityQuery { account_id: Some(activity.account_id.clone()), conversation_id, limit: 50, ..BotActivityQuery::default() };
    let page = engine.bot_activities(query).await?;
    Ok(page.items.into_iter().rev().filter(|one| one.kind == BotActivityKind::Message && one.at < activity.at).map(|one| one.text).collect())
}

async fn answer(engine: &Engine, activity: &BotActivity) -> tidings::Result<()> {
    // Where that fails, the answer is sent without it.
    let _ = engine.typing(activity.account_id.clone(), activity.conversation_id.clone(), None).await;
    let answer = BotDraft {
        account_id: activity.account_id.clone(),
        conversation_id: Some(activity.conversation_id.clone()),
        body: brain::brain(&activity.text, &history(engine, activity).await?),
        // The key says what is answered: whatever is told twice, and wherever this process dies, it is answered once.
        key: Some(format!("answer/{}", activity.id)),
        ..BotDraft::default()
    };
    match engine.send(answer.into()).await {
        // It was answered before, in other words.
        Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
        sent => sent.map(drop),
    }
}

/// Deals with one change after the other, and begins where the last process ended.
async fn follow(engine: &Engine) -> Result<(), Failed> {
    // Up to where the feed was dealt with. A program of your own keeps it in its database.
    let file = format!("{}.cursor", env("TIDINGS_DATA")?);
    let changes = engine.changes(ChangeQuery { owner: Some(OWNER.into()), account_id: None, cursor: fs::read_to_string(&file).ok() });
    loop {
        let some = changes.next(100).await?;
        if some.is_empty() {
            return Ok(());
        }
        for change in some {
            if let (ChangeKind::BotMessage, Some(id)) = (change.kind, change.subject_id) {
                answer(engine, &engine.bot_activity(id, Some(OWNER.into())).await?).await?;
            }
            // As a whole or not at all.
            fs::write(format!("{file}.new"), change.cursor)?;
            fs::rename(format!("{file}.new"), &file)?;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let engine = Engine::open(settings()?, root_key()?)?;
    organisation(&engine).await?;
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", setting("PORT", "3978"))).await?;
    let route = route(engine.clone());
    tokio::spawn(async move { axum::serve(listener, route).await });
    follow(&engine).await
}
