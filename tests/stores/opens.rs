//! What was handed out by the version that wrote a store is still good: ids, cursors, keys of sends, the queue, the audit log.

use super::kept::{Kept, all};
use super::make::{mail, waiting};
use super::world::World;
use serde_json::{Value, json};
use tidings::{AuditHead, ChangeQuery, ChatDraft, Content, CopiedStore, Engine, ErrorKind, MessageQuery, SearchQuery, SendState};

fn good<T>(outcome: tidings::Result<T>) -> T {
    outcome.unwrap_or_else(|e| panic!("{:?} {e}", e.kind()))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}

/// Everything that was there is there and the same; there may be more.
fn still_holds(old: &Value, new: &Value, at: &str) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                still_holds(value, new.get(name).unwrap_or(&Value::Null), &format!("{at}.{name}"));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            assert_eq!(old.len(), new.len(), "{at}");
            for (n, (old, new)) in old.iter().zip(new).enumerate() {
                still_holds(old, new, &format!("{at}.{n}"));
            }
        }
        _ => assert_eq!(old, new, "{at}"),
    }
}

/// The fields named, of a record.
fn only(record: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), record[*name].clone())).collect()
}

fn json<T: serde::Serialize>(value: T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|e| panic!("{e}"))
}

async fn opened(world: &World, kept: &Kept, store: &std::path::Path, copied: CopiedStore) -> Engine {
    let content = if kept.is_clear() { Content::Clear } else { Content::Sealed };
    world.open(store, &kept.key(), content, copied).unwrap_or_else(|e| panic!("{}: {:?} {e}", kept.name, e.kind()))
}

async fn same_accounts_and_mail(engine: &Engine, held: &Value) {
    for account in held["accounts"].as_array().into_iter().flatten() {
        let names = ["id", "owner", "tenant_id", "user_id", "address", "display_name", "state", "features", "connected_at"];
        let now = json(good(engine.account(text(&account["id"]), None).await));
        still_holds(&only(account, &names), &now, "account");
    }
    for (account_id, mails) in held["mail"].as_object().into_iter().flatten() {
        let query = MessageQuery { account_id: Some(account_id.clone()), limit: 500, ..MessageQuery::default() };
        let listed = json(good(engine.messages(query).await).items);
        let mails = mails.as_array().cloned().unwrap_or_default();
        still_holds(&mails.iter().map(|m| m["message"].clone()).collect(), &listed, "messages");
        for mail in mails {
            let id = text(&mail["message"]["id"]);
            still_holds(&mail["message"], &json(good(engine.message(id.clone(), None).await)), "message");
            still_holds(&mail["body"], &json(good(engine.body(id.clone(), None, None, None).await)), "body");
            let thread: Vec<String> = good(engine.thread(id, None).await).messages.into_iter().map(|m| m.id).collect();
            assert_eq!(mail["thread"], json(thread));
        }
    }
    for (account_id, folders) in held["folders"].as_object().into_iter().flatten() {
        still_holds(folders, &json(good(engine.folders(account_id.clone(), None).await)), "folders");
    }
    if let Some(id) = held["removed"].as_str() {
        assert_eq!(engine.message(id.to_owned(), None).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

async fn feed(engine: &Engine, owner: &str, cursor: &Value) -> Vec<Value> {
    let query = ChangeQuery { owner: Some(owner.to_owned()), cursor: Some(text(cursor)), ..ChangeQuery::default() };
    good(engine.changes(query).ready(1000).await).into_iter().map(json).collect()
}

/// What came after a cursor comes after it, and the cursor of every change that was handed out goes on behind it.
async fn same_feed(engine: &Engine, owner: &str, cursor: &Value, after: &[Value]) {
    let names = ["kind", "account_id", "subject_id", "at"];
    let now = feed(engine, owner, cursor).await;
    assert!(now.len() >= after.len(), "{} changes after the cursor, {} before", now.len(), after.len());
    for (n, (old, new)) in after.iter().zip(&now).enumerate() {
        assert_eq!(only(old, &names), only(new, &names));
        assert_eq!(feed(engine, owner, &old["cursor"]).await.len(), now.len() - n - 1);
        assert_eq!(feed(engine, owner, &new["cursor"]).await.len(), now.len() - n - 1);
    }
}

async fn same_feeds(engine: &Engine, held: &Value) {
    for (owner, feed) in held["feeds"].as_object().into_iter().flatten() {
        same_feed(engine, owner, &feed["cursor"], feed["after"].as_array().map_or(&[], Vec::as_slice)).await;
    }
    // Version 7 had one feed for everybody; its cursors are good for each owner's part of it.
    let all = held["feed"]["after"].as_array().cloned().unwrap_or_default();
    let owner_of = |id: &Value| held["accounts"].as_array().into_iter().flatten().find(|a| a["id"] == *id).map(|a| a["owner"].clone());
    for owner in ["recruiter-1", "recruiter-2"].into_iter().filter(|_| !all.is_empty()) {
        let theirs: Vec<Value> = all.iter().filter(|change| owner_of(&change["account_id"]) == Some(json!(owner))).cloned().collect();
        assert!(!theirs.is_empty());
        same_feed(engine, owner, &held["feed"]["cursor"], &theirs).await;
    }
}

async fn same_audit(engine: &Engine, held: &Value) {
    let head: AuditHead = serde_json::from_value(held["audit"]["head"].clone()).unwrap_or_else(|e| panic!("{e}"));
    let verdict = good(engine.verify_audit(Some(head), None).await);
    assert!(verdict.intact, "{verdict:?}");
}

async fn same_sends(engine: &Engine, held: &Value) {
    for (name, receipt) in held["sends"].as_object().into_iter().flatten() {
        let names = ["id", "account_id", "route", "state", "key", "attempts", "internet_message_id", "graph_id", "chat_id", "created_at", "sent_at", "next_attempt_at"];
        let mut now = json(good(engine.receipt(text(&receipt["id"]), None).await));
        // What was open waits, of a store that knows that it is a copy; and so does what was on its way.
        if now["is_parked"] == true {
            now["state"] = receipt["state"].clone();
            now["next_attempt_at"] = receipt["next_attempt_at"].clone();
        }
        still_holds(&only(receipt, &names), &now, name);
    }
}

/// The same key and content is the same send, other content is refused.
async fn same_keys(engine: &Engine, held: &Value, adele: &str, fred: &str) {
    let chat = ChatDraft { account_id: adele.to_owned(), to: "alex@contoso.com".into(), body: "Hello?".into(), key: Some("candidate-7/hello".into()), ..ChatDraft::default() };
    let sent = mail(adele, "alex@contoso.com", "sent", Some("candidate-7/invitation"));
    let on_its_way = mail(fred, "alex@contoso.com", "on its way", Some("candidate-8/invitation"));
    let sends: [(&str, tidings::Draft, tidings::Draft); 4] = [
        ("sent", sent.clone().into(), tidings::MailDraft { body: "Another.".into(), ..sent }.into()),
        ("queued", waiting(adele).into(), tidings::MailDraft { attachments: Vec::new(), ..waiting(adele) }.into()),
        ("dispatching", on_its_way.clone().into(), tidings::MailDraft { importance: tidings::Importance::High, ..on_its_way }.into()),
        ("unknown", chat.clone().into(), ChatDraft { body: "Hello!".into(), ..chat }.into()),
    ];
    for (name, same, other) in sends {
        assert_eq!(json(good(engine.enqueue(same).await).id), held["sends"][name]["id"], "{name}");
        assert_eq!(engine.enqueue(other).await.unwrap_err().kind(), ErrorKind::Conflict, "{name}");
    }
}

/// A sign-in that was under way, and new ones of the old accounts: they keep their ids.
async fn sign_in_again(world: &World, engine: &Engine, held: &Value) {
    for (address, id) in held["people"].as_object().into_iter().flatten() {
        world.ask("people", json!({ "address": address, "id": id })).await;
    }
    for account in held["accounts"].as_array().into_iter().flatten().filter(|a| a["state"] == "connected") {
        world.ask("tenants", json!({ "domain": text(&account["address"]).split('@').next_back(), "id": account["tenant_id"] })).await;
        let started = good(engine.reconnect(text(&account["id"]), super::world::REDIRECT.into(), None).await);
        let again = world.finish(engine, started, account["address"].as_str().unwrap_or_default()).await;
        assert_eq!(json(again.id), account["id"]);
    }
    let back = world.back_from(held["pending"]["url"].as_str().unwrap_or_default(), "nestor@contoso.com").await;
    let account = good(engine.finish_connect(back, text(&held["pending"]["binding"])).await);
    assert_eq!(account.owner, "recruiter-2");
}

async fn inbox(world: &World, who: &str) -> Vec<String> {
    let page = world.ask("mail/list", json!({ "mailbox": who, "folder": "inbox" })).await;
    page["items"].as_array().into_iter().flatten().map(|m| format!("{} {}", text(&m["subject"]), m["attachments"])).collect()
}

async fn the_queue_goes_out(world: &World, engine: &Engine, held: &Value) {
    let mover = tokio::spawn(world.sim.clone().follow(world.clock.clone()));
    for (name, wanted) in [("retrying", SendState::Sent), ("queued", SendState::Sent), ("dispatching", SendState::Unknown)] {
        let id = text(&held["sends"][name]["id"]);
        let account_id = Some(good(engine.receipt(id.clone(), None).await).account_id);
        let feed = engine.changes(ChangeQuery { account_id, ..ChangeQuery::default() });
        let receipt = loop {
            let receipt = good(engine.receipt(id.clone(), None).await);
            if !matches!(receipt.state, SendState::Queued | SendState::Sending) {
                break receipt;
            }
            good(feed.next(1000).await);
        };
        // Of the one that was on its way, this mailbox knows nothing: that is no proof that it was not sent.
        assert_eq!(receipt.state, wanted, "{name}: {receipt:?}");
    }
    mover.abort();
    for who in ["alex@contoso.com", "nestor@contoso.com"] {
        let mut arrived = inbox(world, who).await;
        // Of mails to the same people, versions since then keep only those in order that the host orders.
        if held["sends"]["queued"]["next_attempt_at"].is_string() {
            arrived.sort_unstable_by(|a, b| b.cmp(a));
        }
        assert_eq!(arrived, ["wants to wait []", "waiting [\"offer.txt\"]"]);
    }
    for (name, state) in [("sent", SendState::Sent), ("unknown", SendState::Unknown), ("failed", SendState::Failed), ("cancelled", SendState::Cancelled)] {
        assert_eq!(good(engine.receipt(text(&held["sends"][name]["id"]), None).await).state, state, "{name}");
    }
}

/// This mailbox is another one, with none of the mails: all old ones turn out to be gone, and a new one comes.
async fn it_syncs(world: &World, engine: &Engine, held: &Value, account_id: &str) {
    world.ask("mail", json!({ "mailbox": "adele@contoso.com", "subject": "New", "text": "Hi" })).await;
    let report = good(engine.sync(account_id.to_owned(), None).await);
    let there = held["mail"][account_id].as_array().map_or(0, Vec::len);
    assert_eq!((report.added, report.removed as usize), (1, there), "{report:?}");
    let query = MessageQuery { account_id: Some(account_id.to_owned()), ..MessageQuery::default() };
    let subjects: Vec<String> = good(engine.messages(query).await).items.into_iter().map(|m| m.subject).collect();
    assert_eq!(subjects, ["New"]);
}

async fn closed(engine: Engine) {
    assert!(good(engine.verify_audit(None, None).await).intact);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_of_earlier_versions_open_with_all_that_was_handed_out() {
    let kept = all();
    assert!(kept.len() >= 2, "only {} stores are kept", kept.len());
    for kept in kept {
        println!("{}", kept.name);
        let (world, folder) = (World::new(&kept.name, 2).await, tempfile::tempdir().unwrap_or_else(|e| panic!("{e}")));
        let (store, held) = (kept.copy_to(folder.path()), &kept.held);
        // At rest: a store that knows that it is a copy would use its tokens and send at once otherwise.
        let engine = opened(&world, &kept, &store, CopiedStore::Park).await;
        same_audit(&engine, held).await;
        same_feeds(&engine, held).await;
        same_accounts_and_mail(&engine, held).await;
        same_sends(&engine, held).await;
        let account = |n: usize| held["accounts"].as_array().and_then(|all| all.get(n)).map_or(String::new(), |a| text(&a["id"]));
        if let Some(found) = held["found"].as_object() {
            for (words, subject) in found {
                let query = SearchQuery { text: words.clone(), account_id: Some(account(0)), ..SearchQuery::default() };
                let subjects: Vec<String> = good(engine.search(query).await).into_iter().map(|m| m.subject).collect();
                assert_eq!(json(subjects), json!([subject]), "{words}");
            }
        }
        if held["sends"].is_object() {
            let (adele, fred) = (account(0), account(2));
            same_keys(&engine, held, &adele, &fred).await;
            sign_in_again(&world, &engine, held).await;
            closed(engine).await;
            let engine = opened(&world, &kept, &store, CopiedStore::Go).await;
            the_queue_goes_out(&world, &engine, held).await;
            it_syncs(&world, &engine, held, &adele).await;
            closed(engine).await;
        } else {
            closed(engine).await;
        }
    }
}
