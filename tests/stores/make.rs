//! Writes stores with the version at hand, to be kept for the versions to come:
//! `cargo test -p tidings-tests --test stores -- --ignored --nocapture`, then copy `target/stores/…` here.

use super::kept::keep;
use super::world::{REDIRECT, World};
use serde_json::{Value, json};
use std::time::Duration;
use tidings::{Address, ChangeQuery, ChatDraft, ConnectRequest, Content, CopiedStore, Engine, Feature, FileAttachment, KeyRotation, MailDraft, MessageQuery, Receipt, SendState};

const ALL: [Feature; 3] = [Feature::Chat, Feature::MailSend, Feature::MailSync];

fn key() -> Vec<u8> {
    tidings::generate_root_key().unwrap_or_else(|e| panic!("{e}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn good<T>(outcome: tidings::Result<T>) -> T {
    outcome.unwrap_or_else(|e| panic!("{:?} {e}", e.kind()))
}

pub fn mail(account_id: &str, to: &str, subject: &str, key: Option<&str>) -> MailDraft {
    let to = vec![Address { address: to.into(), name: String::new() }];
    MailDraft { account_id: account_id.into(), to, subject: subject.into(), body: format!("This is {subject}."), key: key.map(str::to_owned), ..MailDraft::default() }
}

/// The one that waits with a file and a key.
pub fn waiting(account_id: &str) -> MailDraft {
    let file = FileAttachment { name: "offer.txt".into(), content: b"Thursday at 3.\n".repeat(40), content_type: "text/plain".into(), content_id: None, staged: None };
    let nestor = Address { address: "nestor@contoso.com".into(), name: "Nestor Wilke".into() };
    MailDraft { cc: vec![nestor], attachments: vec![file], ..mail(account_id, "alex@contoso.com", "waiting", Some("candidate-7/offer")) }
}

/// Until it stands where it is wanted, along the feed.
async fn until(engine: &Engine, id: &str, wanted: impl Fn(&Receipt) -> bool) -> Receipt {
    let account_id = Some(good(engine.receipt(id.to_owned(), None).await).account_id);
    let feed = engine.changes(ChangeQuery { account_id, ..ChangeQuery::default() });
    loop {
        let receipt = good(engine.receipt(id.to_owned(), None).await);
        if wanted(&receipt) {
            return receipt;
        }
        let _ = tokio::time::timeout(Duration::from_millis(200), feed.next(1000)).await;
    }
}

async fn messages(engine: &Engine, account_id: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let query = MessageQuery { account_id: Some(account_id.to_owned()), limit: 500, ..MessageQuery::default() };
    for message in good(engine.messages(query).await).items {
        let body = good(engine.body(message.id.clone(), None, None, None).await);
        let thread = good(engine.thread(message.id.clone(), None).await);
        let thread: Vec<String> = thread.messages.into_iter().map(|m| m.id).collect();
        all.push(json!({ "message": message, "body": body, "thread": thread }));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes stores to be kept"]
async fn a_sealed_store() {
    let world = World::new("make_sealed", 1).await;
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let (store, first_key, root_key) = (folder.path().join("store"), key(), key());
    let engine = good(world.open(&store, &first_key, Content::Sealed, CopiedStore::Park));

    // Mail: a thread, a file, one that goes again, one that cannot be read.
    let first = world.ask("mail", json!({ "mailbox": "adele@contoso.com", "subject": "Interview", "from": { "name": "Alex Wilber", "address": "alex@contoso.com" }, "text": "Thursday?" })).await;
    world.ask("mail", json!({ "mailbox": "adele@contoso.com", "subject": "RE: Interview", "from": "alex@contoso.com", "conversation_of": first["id"], "html": "<p>Or <b>Friday</b>?</p>" })).await;
    world.ask("mail", json!({ "mailbox": "adele@contoso.com", "subject": "Offer", "text": "See the file.", "is_read": true, "importance": "high", "categories": ["Blue category"],
        "attachments": [{ "name": "offer.txt", "content_type": "text/plain", "text": "Thursday at 3." }] })).await;
    world.ask("mail", json!({ "mailbox": "adele@contoso.com", "subject": "Gone again", "text": "Not for long." })).await;
    world.ask("mail/many", json!({ "mailbox": "adele@contoso.com", "subject": "Mail", "count": 3 })).await;
    world.ask("mail/many", json!({ "mailbox": "fred@fabrikam.com", "subject": "Fabrikam", "count": 2 })).await;
    world.ask("mail/many", json!({ "mailbox": "megan@contoso.com", "subject": "Megan", "count": 2 })).await;
    let adele = world.sign_in(&engine, "recruiter-1", "adele@contoso.com", &ALL).await;
    let megan = world.sign_in(&engine, "recruiter-1", "megan@contoso.com", &ALL).await;
    let fred = world.sign_in(&engine, "recruiter-2", "fred@fabrikam.com", &ALL).await;
    world.ask("faults", json!({ "match": { "path": "messages/delta" }, "do": { "bad_item": true } })).await;
    assert!(good(engine.sync(adele.id.clone(), None).await).quarantined > 0);
    good(engine.sync(fred.id.clone(), None).await);
    good(engine.sync(megan.id.clone(), None).await);
    good(engine.rotate_keys(KeyRotation { new_root_key: Some(std::sync::Arc::new(good(tidings::RootKey::raw(root_key.clone())))), ..KeyRotation::default() }).await);
    world.ask("mail/delete", json!({ "mailbox": "adele@contoso.com", "subject": "Gone again", "hard": true })).await;
    world.ask("mail/change", json!({ "mailbox": "adele@contoso.com", "subject": "Mail 1", "is_read": true })).await;
    assert_eq!(good(engine.sync(adele.id.clone(), None).await).removed, 1);

    // Sends, one in each state.
    let sent = good(engine.send(mail(&adele.id, "alex@contoso.com", "sent", Some("candidate-7/invitation")).into()).await);
    assert_eq!(sent.state, SendState::Sent);
    let chat = ChatDraft { account_id: adele.id.clone(), to: "alex@contoso.com".into(), body: "Hello?".into(), key: Some("candidate-7/hello".into()), ..ChatDraft::default() };
    world.ask("faults", json!({ "name": "lost", "match": { "method": "POST", "path": "/chats/[^/]+/messages$" }, "do": { "lost_answer": true } })).await;
    let unknown = good(engine.send(chat.into()).await);
    assert_eq!(unknown.state, SendState::Unknown);
    world.ask("faults", json!({ "match": { "method": "POST", "path": "/send$" }, "do": { "status": 403, "code": "ErrorSendAsDenied", "message": "No." } })).await;
    let failed = good(engine.send(mail(&adele.id, "nestor@contoso.com", "failed", None).into()).await);
    assert_eq!(failed.state, SendState::Failed);
    // Its draft is removed, and the Message-ID goes with it. Otherwise that would be the first thing to be done with the store, with a token nobody knows any more.
    let failed = until(&engine, &failed.id, |r| r.internet_message_id.is_none()).await;
    let refused = |who: &str| json!({ "name": who, "match": { "method": "POST", "path": "/messages$", "body": who }, "times": 0, "do": { "status": 429, "code": "ApplicationThrottled", "message": "Later.", "retry_after": 3600 } });
    world.ask("faults", refused("wants to be cancelled")).await;
    let cancelled = good(engine.enqueue(mail(&megan.id, "alex@contoso.com", "wants to be cancelled", None).into()).await);
    until(&engine, &cancelled.id, |r| r.next_attempt_at.is_some()).await;
    good(engine.disconnect(megan.id.clone(), None).await);
    let cancelled = until(&engine, &cancelled.id, |r| r.state == SendState::Cancelled).await;
    world.ask("faults", refused("wants to wait")).await;
    let retrying = MailDraft { cc: waiting(&adele.id).cc, ..mail(&adele.id, "alex@contoso.com", "wants to wait", None) };
    let retrying = good(engine.enqueue(retrying.into()).await);
    let retrying = until(&engine, &retrying.id, |r| r.next_attempt_at.is_some()).await;
    let queued = good(engine.enqueue(waiting(&adele.id).into()).await);
    // Its mailbox takes nothing for an hour.
    let queued = until(&engine, &queued.id, |r| r.next_attempt_at.is_some()).await;
    world.ask("faults", json!({ "name": "held", "match": { "method": "POST", "path": "/send$" }, "do": { "hold": "before" } })).await;
    let dispatching = good(engine.enqueue(mail(&fred.id, "alex@contoso.com", "on its way", Some("candidate-8/invitation")).into()).await);
    world.ask("faults/reached", json!({ "name": "held" })).await;

    let mut feeds = serde_json::Map::new();
    for owner in ["recruiter-1", "recruiter-2"] {
        let changes = good(engine.changes(ChangeQuery { owner: Some(owner.into()), ..ChangeQuery::default() }).ready(1000).await);
        let (seen, after) = changes.split_at(2);
        feeds.insert(owner.into(), json!({ "cursor": seen.last().map(|c| c.cursor.clone()), "after": after }));
    }
    let removed = good(engine.changes(ChangeQuery { account_id: Some(adele.id.clone()), ..ChangeQuery::default() }).ready(1000).await);
    let pending = good(engine.connect(ConnectRequest { owner: "recruiter-2".into(), features: vec![Feature::MailSync], redirect_uri: REDIRECT.into(), ..ConnectRequest::default() }).await);
    let held = json!({
        "content": "sealed",
        "root_key": hex(&root_key),
        "people": { "adele@contoso.com": adele.user_id, "megan@contoso.com": megan.user_id, "fred@fabrikam.com": fred.user_id },
        "accounts": good(engine.accounts(Default::default()).await).items,
        "mail": { &adele.id: messages(&engine, &adele.id).await, &fred.id: messages(&engine, &fred.id).await, &megan.id: messages(&engine, &megan.id).await },
        "folders": { &adele.id: good(engine.folders(adele.id.clone(), None).await) },
        "removed": removed.iter().find(|c| c.kind == tidings::ChangeKind::MessageRemoved).and_then(|c| c.subject_id.clone()),
        "sends": { "sent": sent, "unknown": unknown, "failed": failed, "cancelled": cancelled, "retrying": retrying, "queued": queued, "dispatching": good(engine.receipt(dispatching.id, None).await) },
        "feeds": feeds,
        "pending": pending,
        "audit": good(engine.verify_audit(None, None).await),
    });
    // What is on its way is given up after some seconds, and stays as a killed process would leave it.
    engine.shutdown().await;
    keep(&store, "sealed", &held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes stores to be kept"]
async fn a_clear_store() {
    let world = World::new("make_clear", 1).await;
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let (store, root_key) = (folder.path().join("store"), key());
    let engine = good(world.open(&store, &root_key, Content::Clear, CopiedStore::Park));
    world.ask("mail", json!({ "mailbox": "adele@contoso.com", "subject": "Budget for spring", "from": { "name": "Nestor Wilke", "address": "nestor@contoso.com" }, "text": "The figures are in the attachment." })).await;
    world.ask("mail", json!({ "mailbox": "adele@contoso.com", "subject": "Lunch", "html": "<p>Pizza or <b>Knödel</b>?</p>" })).await;
    let adele = world.sign_in(&engine, "recruiter-1", "adele@contoso.com", &ALL).await;
    good(engine.sync(adele.id.clone(), None).await);
    let held = json!({
        "content": "clear",
        "root_key": hex(&root_key),
        "people": { "adele@contoso.com": adele.user_id },
        "accounts": [adele],
        "mail": { &adele.id: messages(&engine, &adele.id).await },
        "found": { "knödel": "Lunch", "nestor figures": "Budget for spring" },
        "audit": good(engine.verify_audit(None, None).await),
    });
    engine.shutdown().await;
    keep(&store, "clear", &held);
}
