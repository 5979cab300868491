//! What the inbox page of an app does: one list of the conversations of all of a recruiter's mailboxes, a conversation with its attachment, an answer, and a
//! link to the candidate.

use serde_json::json;
use tidings::{BodyForm, BodyOptions, ConnectRequest, Engine, Feature, ReplyDraft, Result, ThreadQuery};
use tidings_examples::control::Control;
use tidings_examples::{open, word};

const OWNER: &str = "recruiter-42";

async fn connect(engine: &Engine, simulator: &Control, address: &str) -> Result<()> {
    let features = vec![Feature::MailSend, Feature::MailSync];
    let sign_in = engine.connect(ConnectRequest { owner: OWNER.into(), features, redirect_uri: "http://localhost/callback".into(), ..ConnectRequest::default() }).await?;
    let callback = simulator.sign_in(&sign_in.url, address).await?;
    engine.finish_connect(callback, sign_in.binding).await.map(drop)
}

async fn show(engine: &Engine, query: ThreadQuery) -> Result<()> {
    for thread in engine.threads(query).await?.items {
        let links = if thread.links.is_empty() { String::new() } else { format!(" [{}]", thread.links.join(", ")) };
        println!("- {} ({} mails, {} unread){links}", thread.subject, thread.messages, thread.unread);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let engine = open()?;
    let simulator = Control::from_env()?;
    let application = json!({
        "mailbox": "adele@contoso.com", "subject": "Application: designer", "text": "Dear Adele,\nmy papers are attached.\nJo", "from": { "name": "Jo", "address": "jo@fabrikam.com" },
        "attachments": [{ "name": "cv.txt", "content_type": "text/plain", "text": "Ten years of design." }],
    });
    simulator.post("mail", application).await?;
    let figures = json!({ "mailbox": "megan@contoso.com", "subject": "Figures of May", "from": { "name": "Alex", "address": "alex@contoso.com" }, "received": "2025-05-31T10:00:00Z" });
    simulator.post("mail", figures).await?;
    connect(&engine, &simulator, "adele@contoso.com").await?;
    connect(&engine, &simulator, "megan@contoso.com").await?;
    engine.sync_all(Some(OWNER.into())).await?;

    println!("inbox of both mailboxes:");
    let inbox = ThreadQuery { owner: Some(OWNER.into()), folder: Some("inbox".into()), ..ThreadQuery::default() };
    show(&engine, inbox.clone()).await?;

    let Some(newest) = engine.threads(inbox.clone()).await?.items.into_iter().next().map(|thread| thread.newest) else { return Ok(()) };
    let body = engine.body(newest.id.clone(), None, Some(BodyForm::Text), Some(BodyOptions::default())).await?;
    println!("{}: {}", newest.from_address.as_ref().map_or("nobody", |from| &from.name), body.text.lines().nth(1).unwrap_or_default());
    for file in &newest.attachments {
        let content = engine.attachment(newest.id.clone(), file.id.clone(), None).await?;
        println!("attached: {}, \"{}\"", file.name, String::from_utf8_lossy(&content.body().await?));
    }

    engine.mark_read(newest.id.clone(), true, None).await?;
    engine.link(vec![newest.id.clone()], "candidate-7".into(), None).await?;
    let reply = ReplyDraft { account_id: newest.account_id.clone(), message_id: newest.id, body: "Thank you. Is Thursday at 3 good?".into(), ..ReplyDraft::default() };
    println!("answer: {}", word(engine.send(reply.into()).await?.state));
    engine.sync(newest.account_id, None).await?;

    println!("what there is of candidate-7:");
    show(&engine, ThreadQuery { link: Some("candidate-7".into()), folder: None, ..inbox }).await?;
    engine.shutdown().await;
    Ok(())
}
