//! The case "plain": the loop one would write first. The same requests and pages; parsed, and inserted in clear, one transaction a page.
//! No sealing, no cleaning, no change feed, no repair; whatever it cannot read ends it.

use super::{Outcome, measure, token};
use rusqlite::{Connection, params};
use serde::Deserialize;
use serde_json::Value;
use tidings_examples::control::http;

const SELECT: &str = "subject,bodyPreview,body,from,sender,toRecipients,ccRecipients,bccRecipients,replyTo,receivedDateTime,sentDateTime,\
isRead,isDraft,flag,importance,categories,hasAttachments,conversationId,internetMessageId,parentFolderId,changeKey,webLink";

#[derive(Deserialize)]
struct Page {
    value: Vec<Mail>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mail {
    id: String,
    subject: Option<String>,
    body_preview: Option<String>,
    body: Option<Body>,
    from: Option<Value>,
    sender: Option<Value>,
    #[serde(default)]
    to_recipients: Vec<Value>,
    #[serde(default)]
    cc_recipients: Vec<Value>,
    received_date_time: Option<String>,
    sent_date_time: Option<String>,
    #[serde(default)]
    is_read: bool,
    conversation_id: Option<String>,
    internet_message_id: Option<String>,
    change_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    content_type: String,
    content: String,
}

pub async fn run() -> Outcome<()> {
    let token = token::fetch().await?;
    let http = http();
    let mut connection = open()?;

    let began = measure::Began::now();
    let mut stored = 0;
    let mut link = Some(format!("{}/me/mailFolders/inbox/messages/delta?$select={SELECT}", tidings_examples::env("TIDINGS_GRAPH")?));
    while let Some(url) = link.take() {
        let request = http.get(&url).bearer_auth(&token).header("prefer", "odata.maxpagesize=100, IdType=\"ImmutableId\"");
        let bytes = request.send().await?.error_for_status()?.bytes().await?;
        let page: Page = serde_json::from_slice(&bytes)?;
        stored += insert(&mut connection, &page)?;
        link = page.next;
    }
    measure::answer(&began.ended(), stored, Vec::new())
}

/// The settings of the engine's store, so that both pay the same for a commit.
fn open() -> Outcome<Connection> {
    let folder = tidings_examples::env("TIDINGS_DATA")?;
    std::fs::create_dir_all(&folder)?;
    let connection = Connection::open(format!("{folder}/plain.db"))?;
    connection.pragma_update(None, "page_size", 16_384)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE messages (id TEXT PRIMARY KEY, subject TEXT, preview TEXT, sender TEXT, people TEXT, received TEXT, sent TEXT, is_read INTEGER, conversation TEXT,
           message_id TEXT, change_key TEXT, body_type TEXT, body TEXT);
         CREATE INDEX by_time ON messages (received);
         CREATE INDEX by_conversation ON messages (conversation, received);
         CREATE TABLE state (link TEXT);",
    )?;
    Ok(connection)
}

fn insert(connection: &mut Connection, page: &Page) -> Outcome<u32> {
    let transaction = connection.transaction()?;
    let mut count = 0;
    {
        let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")?;
        for mail in &page.value {
            let sender = serde_json::to_string(&(&mail.from, &mail.sender))?;
            let people = serde_json::to_string(&(&mail.to_recipients, &mail.cc_recipients))?;
            let (body_type, body) = mail.body.as_ref().map(|body| (&body.content_type, &body.content)).unzip();
            count += insert.execute(params![
                mail.id, mail.subject, mail.body_preview, sender, people, mail.received_date_time, mail.sent_date_time, mail.is_read, mail.conversation_id,
                mail.internet_message_id, mail.change_key, body_type, body,
            ])?;
        }
    }
    transaction.execute("INSERT INTO state VALUES (?1)", params![page.next.as_ref().or(page.delta.as_ref())])?;
    transaction.commit()?;
    Ok(u32::try_from(count)?)
}
