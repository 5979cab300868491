//! Syncs a mailbox, reads it, marks a mail as read, and picks up what is new.

use serde_json::json;
use tidings::{BodyForm, ChangeQuery, ConnectRequest, Feature, MessageQuery, Result};
use tidings_examples::control::Control;
use tidings_examples::{open, word};

#[tokio::main]
async fn main() -> Result<()> {
    let engine = open()?;
    let simulator = Control::from_env()?;
    let request = ConnectRequest {
        owner: "recruiter-42".into(),
        features: vec![Feature::MailSync],
        redirect_uri: "http://localhost/callback".into(),
        ..ConnectRequest::default()
    };
    let sign_in = engine.connect(request).await?;
    let callback = simulator.sign_in(&sign_in.url, "adele@contoso.com").await?;
    let account = engine.finish_connect(callback, sign_in.binding).await?;

    let report = engine.sync(account.id.clone(), None).await?;
    println!("first sync: {} added", report.added);

    // From here on nothing waits for the network but `sync`; `mark_read` tells the mailbox in the background.
    let query = MessageQuery { account_id: Some(account.id.clone()), folder: Some("inbox".into()), limit: 5, ..MessageQuery::default() };
    let newest = engine.messages(query).await?.items;
    for message in &newest {
        println!("- {} ({})", message.subject, message.from_address.as_ref().map_or("nobody", |from| &from.name));
    }
    let Some(message) = newest.first() else { return Ok(()) };
    let thread = engine.thread(message.id.clone(), None).await?;
    println!("conversation: {}, {} mails", thread.subject, thread.messages.len());
    let body = engine.body(message.id.clone(), None, Some(BodyForm::Text), None).await?;
    println!("text: {}", body.text.trim());

    // Where the owner's change feed stands now; what comes after it is news.
    let feed = ChangeQuery { owner: Some("recruiter-42".into()), ..ChangeQuery::default() };
    let cursor = engine.changes(feed.clone()).ready(1000).await?.last().map(|change| change.cursor.clone());
    let message = engine.mark_read(message.id.clone(), true, None).await?;
    println!("marked as {}", if message.is_read { "read" } else { "unread" });

    let mail = json!({
        "mailbox": "adele@contoso.com", "subject": "One more question", "text": "Is parking available?",
        "from": { "name": "Fred Fabrikam", "address": "fred@fabrikam.com" }, "to": [{ "name": "Adele Vance", "address": "adele@contoso.com" }],
    });
    simulator.post("mail", mail).await?;
    let report = engine.sync(account.id, None).await?;
    println!("second sync: {} added, {} changed", report.added, report.changed);
    for change in engine.changes(ChangeQuery { cursor, ..feed }).ready(1000).await? {
        println!("news: {}", word(change.kind));
    }

    engine.shutdown().await;
    Ok(())
}
