//! A process is killed at each point between two durable steps of a sync; the next one goes on from there, and what is here is what the mailbox holds.

use super::facts::mail;
use super::*;
use crate::failpoint::Armed;
use crate::model::ChangeKind;
use crate::store::{Mailbox, MessageWindow};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

const POINTS: [&str; 12] = [
    "sync.stored_folders",
    "sync.listing_newest",
    "sync.listed_newest",
    "sync.storing_page",
    "sync.stored_page",
    "sync.begun_resync",
    "sync.settling_removals",
    "sync.settled_removals",
    "sync.settling_quarantine",
    "sync.settled_quarantine",
    "sync.listing_attachments",
    "sync.listed_attachments",
];

const PAGE: usize = 2;

/// The inbox as Microsoft has it: everything that happened to it, in order. None: the message is gone.
#[derive(Default, Clone)]
struct Inbox {
    events: Vec<(String, Option<Value>)>,
    /// Delta links from before this many events are refused.
    oldest_link: usize,
}

impl Inbox {
    fn put(&mut self, id: &str, key: &str) {
        let mut mail = mail(id, key, key, "");
        mail["hasAttachments"] = true.into();
        self.events.push((id.into(), Some(mail)));
    }

    /// Delta shows a part of it, and it is refused by itself.
    fn spoil(&mut self, id: &str) {
        self.events.push((id.into(), Some(json!({ "id": id, "isRead": true }))));
    }

    fn remove(&mut self, id: &str) {
        self.events.push((id.into(), None));
    }

    fn messages(&self) -> BTreeMap<&str, &Value> {
        let mut last: BTreeMap<&str, Option<&Value>> = BTreeMap::new();
        for (id, mail) in &self.events {
            last.insert(id, mail.as_ref());
        }
        last.into_iter().filter_map(|(id, mail)| Some((id, mail?))).collect()
    }

    fn answer(&self, request: &Seen) -> Answer {
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        match path {
            "/v1.0/me/mailFolders/delta" => says(200, json!({ "value": [], "@odata.deltaLink": "https://graph.microsoft.com/v1.0/me/mailFolders/delta?$deltatoken=f" }).to_string()),
            "/v1.0/me/mailFolders/in/messages/delta" => {
                let from = query.split_once("token=").map_or(0, |(_, rest)| rest.split('&').next().unwrap().parse().unwrap());
                if query.contains("deltatoken") && from < self.oldest_link {
                    return says(410, r#"{"error":{"code":"syncStateNotFound"}}"#);
                }
                let to = self.events.len().min(from + PAGE);
                // As it is now: what was changed since is shown where it was changed last.
                let is_last = |n: &usize| self.events[n + 1..].iter().all(|(id, _)| *id != self.events[*n].0);
                let item = |(id, mail): &(String, Option<Value>)| mail.clone().unwrap_or_else(|| json!({ "id": id, "@removed": { "reason": "deleted" } }));
                let items: Vec<Value> = (from..to).filter(is_last).map(|n| item(&self.events[n])).collect();
                let (link, token) = if to < self.events.len() { ("@odata.nextLink", "$skiptoken") } else { ("@odata.deltaLink", "$deltatoken") };
                says(200, json!({ "value": items, link: format!("https://graph.microsoft.com{path}?{token}={to}") }).to_string())
            }
            // The newest page of more: only what came last is in it.
            "/v1.0/me/mailFolders/in/messages" => {
                let newest: Vec<&Value> = self.messages().into_values().rev().take(PAGE).collect();
                says(200, json!({ "value": newest, "@odata.nextLink": format!("https://graph.microsoft.com{path}?$skip={PAGE}") }).to_string())
            }
            "/v1.0/$batch" => {
                let body: Value = serde_json::from_slice(request.body()).unwrap();
                let answers = body["requests"].as_array().unwrap().iter().map(|item| {
                    let id = item["url"].as_str().unwrap().trim_start_matches("/me/messages/").split(['?', '/']).next().unwrap();
                    if item["url"].as_str().unwrap().contains("/attachments") {
                        return json!({ "id": item["id"], "status": 200, "body": { "value": [{ "id": "f", "name": "a.txt", "contentType": "text/plain", "size": 1, "isInline": false }] } });
                    }
                    match self.messages().get(id) {
                        Some(mail) if is_spoiled(mail) => json!({ "id": item["id"], "status": 403, "body": { "error": { "code": "ErrorAccessDenied" } } }),
                        Some(mail) => json!({ "id": item["id"], "status": 200, "body": mail }),
                        None => json!({ "id": item["id"], "status": 404, "body": { "error": { "code": "ErrorItemNotFound" } } }),
                    }
                });
                says(200, json!({ "responses": answers.collect::<Vec<_>>() }).to_string())
            }
            other => panic!("nobody here answers {other}"),
        }
    }
}

fn is_spoiled(mail: &Value) -> bool {
    mail["subject"].is_null()
}

/// One sync of a process of its own, killed if it comes to the armed point.
async fn killed_at(fixture: &Fixture, armed: Armed) -> bool {
    let sync = Sync::new(fixture.reader.clone(), EventBus::new(), 50, vec![]);
    let (account, stop) = (fixture.account.clone(), fixture.runtime.stop());
    let mut syncing = tokio::spawn(async move { sync.run(account, stop).await });
    tokio::select! {
        () = armed.reached() => {}
        outcome = &mut syncing => {
            outcome.unwrap().unwrap();
            return false;
        }
    }
    syncing.abort();
    let _ = syncing.await;
    true
}

async fn check(fixture: &Fixture, inbox: &Inbox, what: &str) {
    let window = MessageWindow { mailboxes: vec![Mailbox { account_id: "a".into(), folder_id: None }], limit: 100, ..MessageWindow::default() };
    let here: BTreeMap<String, String> = fixture.store.messages(&window).await.unwrap().rows.into_iter().map(|row| (row.graph_id, row.change_key)).collect();
    let readable = inbox.messages().into_iter().filter(|(_, mail)| !is_spoiled(mail));
    let there: BTreeMap<String, String> = readable.map(|(id, mail)| (id.to_owned(), mail["changeKey"].as_str().unwrap().to_owned())).collect();
    assert_eq!(here, there, "{what}");
    assert_eq!(fixture.store.count_unlisted("a", i64::MAX).await.unwrap(), 0, "{what}");
    // Each message came once, and left once.
    for kind in [ChangeKind::MessageAdded, ChangeKind::MessageRemoved] {
        let told: Vec<_> = fixture.store.changes(&["a".into()], 0, 1_000).await.unwrap().into_iter().filter(|row| row.kind == kind).filter_map(|row| row.subject_id).collect();
        assert_eq!(told.len(), told.iter().collect::<BTreeSet<_>>().len(), "{what}: {kind:?} twice");
        let wanted = match kind {
            ChangeKind::MessageAdded => there.len() + told_removed(fixture).await,
            _ => told_removed(fixture).await,
        };
        assert_eq!(told.len(), wanted, "{what}: {kind:?}");
    }
}

async fn told_removed(fixture: &Fixture) -> usize {
    fixture.store.changes(&["a".into()], 0, 1_000).await.unwrap().iter().filter(|row| row.kind == ChangeKind::MessageRemoved).count()
}

#[tokio::test]
async fn whatever_a_killed_sync_left_is_ended_by_the_next() {
    // What happens to the mailbox between the syncs.
    let happenings: [fn(&mut Inbox); 4] = [
        |inbox| {
            ["a", "b", "c", "d"].into_iter().for_each(|id| inbox.put(id, "1"));
            inbox.spoil("q");
        },
        |inbox| {
            inbox.put("b", "2");
            inbox.remove("c");
            inbox.put("e", "1");
        },
        |inbox| inbox.put("q", "2"),
        |inbox| {
            inbox.remove("a");
            inbox.put("f", "1");
            inbox.oldest_link = inbox.events.len();
        },
    ];
    for point in POINTS {
        let mut kills = 0;
        for passing in 0..2 {
            let inbox = Arc::new(Mutex::new(Inbox::default()));
            let (answering, clock) = (inbox.clone(), crate::pipeline::fake::clock());
            let fixture = fixture_with(clock.clone(), Content::Sealed, 100, move |request| answering.lock().unwrap().answer(request));
            for (n, happens) in happenings.iter().enumerate() {
                let what = format!("killed at {point} after {passing}, step {n}");
                happens(&mut inbox.lock().unwrap());
                // What was set aside is due.
                clock.advance(86_400_000);
                kills += u32::from(killed_at(&fixture, Armed::at(point, passing)).await);
                Sync::new(fixture.reader.clone(), EventBus::new(), 50, vec![]).run(fixture.account.clone(), fixture.runtime.stop()).await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
                let there = inbox.lock().unwrap().clone();
                check(&fixture, &there, &what).await;
            }
        }
        assert!(kills > 0, "{point}: no sync came by");
    }
}
