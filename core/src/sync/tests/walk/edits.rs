//! Changes made here, on a real store, against a mailbox that takes them: killed at each point, offline, refused.

use super::facts::mail;
use super::*;
use crate::events::Listener;
use crate::failpoint::Armed;
use crate::graph::MailFlag;
use crate::model::{ChangeKind, Event, FlagStatus, Message};
use crate::pipeline::Sent;
use crate::pipeline::fake::breaks;
use crate::sync::{Edits, MessageChange};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

const POINTS: [&str; 5] = ["edits.storing", "edits.stored", "edits.sending", "edits.settling", "edits.sent"];

/// The inbox and another folder as Microsoft has them.
#[derive(Default)]
pub struct There {
    mails: BTreeMap<String, Value>,
    /// Ids in the order in which they changed.
    log: Vec<String>,
    keys: u64,
    patched: usize,
    moved: usize,
    /// What becomes of requests that write.
    fault: Option<Fault>,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Offline,
    /// Done, and the answer is lost: of the next one.
    Lost,
    Refused,
    Gone,
}

impl There {
    pub fn put(&mut self, id: &str) {
        self.mails.insert(id.into(), mail(id, "0", id, "<p>x</p>"));
        self.touch(id);
    }

    fn touch(&mut self, id: &str) {
        self.keys += 1;
        self.log.push(id.into());
        if let Some(mail) = self.mails.get_mut(id) {
            mail["changeKey"] = format!("k{}", self.keys).into();
            mail["lastModifiedDateTime"] = crate::model::rfc3339::to_text(crate::clock::from_ms(1_790_000_100_000 + self.keys as i64 * 1_000)).into();
        }
    }

    pub fn answer(&mut self, request: &Seen) -> Answer {
        let (path, query) = (request.uri().path().trim_start_matches("/v1.0").to_owned(), request.uri().query().unwrap_or_default().to_owned());
        if path == "/me/mailFolders/delta" {
            return says(200, json!({ "value": [], "@odata.deltaLink": "https://graph.microsoft.com/v1.0/me/mailFolders/delta?$deltatoken=f" }).to_string());
        }
        if path == "/me/mailFolders/in/messages/delta" {
            let from = query.split_once("deltatoken=").map_or(0, |(_, rest)| rest.parse().unwrap());
            let mut ids: Vec<&String> = self.log[from..].iter().collect();
            ids.sort();
            ids.dedup();
            let item = |id: &&String| match self.mails.get(*id).filter(|mail| mail["parentFolderId"] == "in") {
                Some(mail) => mail.clone(),
                None => json!({ "id": id, "@removed": { "reason": "deleted" } }),
            };
            let items: Vec<Value> = ids.iter().map(item).collect();
            return last_page(items.into(), &self.log.len().to_string());
        }
        if path == "/$batch" {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let mut answers = Vec::new();
            let mut is_lost = None;
            for item in body["requests"].as_array().unwrap() {
                match self.one(item["method"].as_str().unwrap(), item["url"].as_str().unwrap(), &item["body"], item["headers"]["if-match"].as_str()) {
                    Ok((status, body)) => answers.push(json!({ "id": item["id"], "status": status, "headers": { "Content-Type": "application/json" }, "body": body })),
                    Err(sent) => is_lost = Some(sent),
                }
            }
            return is_lost.map_or_else(|| says(200, json!({ "responses": answers }).to_string()), breaks);
        }
        let body = serde_json::from_slice(request.body()).unwrap_or_default();
        let condition = request.headers().get("if-match").map(|value| value.to_str().unwrap());
        match self.one(request.method().as_str(), &path, &body, condition) {
            Ok((status, body)) => says(status, body.to_string()),
            Err(sent) => breaks(sent),
        }
    }

    fn one(&mut self, method: &str, url: &str, body: &Value, condition: Option<&str>) -> std::result::Result<(u16, Value), Sent> {
        let gone = || Ok((404, json!({ "error": { "code": "ErrorItemNotFound" } })));
        let (id, rest) = url.trim_start_matches("/me/messages/").split_once(['?', '/']).map_or((url.trim_start_matches("/me/messages/"), ""), |(id, rest)| (id, rest));
        if self.fault == Some(Fault::Gone) {
            self.mails.remove(id);
            self.log.push(id.into());
        }
        let Some(mail) = self.mails.get(id).cloned() else { return gone() };
        if method == "GET" {
            return if self.fault == Some(Fault::Offline) { Err(Sent::No) } else { Ok((200, mail)) };
        }
        match self.fault {
            Some(Fault::Offline) => return Err(Sent::No),
            Some(Fault::Refused) => return Ok((403, json!({ "error": { "code": "ErrorAccessDenied" } }))),
            _ => {}
        }
        if condition.is_some_and(|tag| tag != format!("W/\"{}\"", mail["changeKey"].as_str().unwrap())) {
            return Ok((412, json!({ "error": { "code": "ErrorIrresolvableConflict" } })));
        }
        let mail = self.mails.get_mut(id).unwrap();
        if rest.starts_with("move") {
            mail["parentFolderId"] = body["destinationId"].clone();
            mail["webLink"] = format!("https://outlook.office365.com/owa/?ItemID={id}{}", self.moved).into();
            self.moved += 1;
        } else {
            body.as_object().unwrap().iter().for_each(|(name, value)| mail[name] = value.clone());
            self.patched += 1;
        }
        self.touch(id);
        if self.fault == Some(Fault::Lost) {
            self.fault = None;
            return Err(Sent::Maybe);
        }
        Ok((if rest.starts_with("move") { 201 } else { 200 }, self.mails[id].clone()))
    }
}

struct Bench {
    fixture: Fixture,
    there: Arc<Mutex<There>>,
    clock: TestClock,
    /// What hosts call the messages a, b, c.
    ids: Vec<String>,
}

async fn bench() -> Bench {
    let there = Arc::new(Mutex::new(There::default()));
    ["a", "b", "c"].into_iter().for_each(|id| there.lock().unwrap().put(id));
    let (answering, clock) = (there.clone(), crate::pipeline::fake::clock());
    let fixture = fixture(clock.clone(), move |request| answering.lock().unwrap().answer(request));
    fixture.sync().await.unwrap();
    let mut ids = Vec::new();
    for id in ["a", "b", "c"] {
        ids.push(fixture.store.known("a", &[id]).await.unwrap()[0].id.clone());
    }
    Bench { fixture, there, clock, ids }
}

fn changes() -> [MessageChange; 4] {
    [
        MessageChange::Read(true),
        MessageChange::Flag(MailFlag { status: FlagStatus::Flagged, due_at: Some(crate::clock::from_ms(1_790_100_000_000)) }),
        MessageChange::Categories { add: vec!["Red".into()], remove: vec!["Blue".into()] },
        MessageChange::Place(HashMap::from([("a".to_owned(), "kept".to_owned())])),
    ]
}

impl Bench {
    fn edits(&self) -> (Arc<Edits>, Listener) {
        let events = EventBus::new();
        let listener = events.listen();
        (Edits::new(self.fixture.reader.clone(), events), listener)
    }

    async fn deliver(&self, edits: &Edits) {
        // Longer than any pause between two tries, and than a lease that a dead process held.
        for _ in 0..20 {
            self.clock.advance(1_000_000);
            edits.round().await.unwrap();
            if self.fixture.store.next_edit_at().await.unwrap().is_none() {
                return;
            }
        }
        panic!("changes wait for ever");
    }

    async fn message(&self, n: usize) -> Message {
        self.fixture.reader.message(self.ids[n].clone(), None).await.unwrap()
    }

    async fn told(&self) -> Vec<ChangeKind> {
        self.fixture.store.changes(&["a".into()], 0, 1_000).await.unwrap().into_iter().map(|row| row.kind).filter(|kind| !matches!(kind, ChangeKind::AccountChanged)).collect()
    }

    /// What is shown is what the mailbox has, of every message.
    async fn is_same(&self, what: &str) {
        for n in 0..self.ids.len() {
            let message = self.message(n).await;
            let there = self.there.lock().unwrap().mails[&message.graph_id].clone();
            assert_eq!(there["isRead"], message.is_read, "{what}");
            assert_eq!(there["categories"], json!(message.categories), "{what}");
            assert_eq!(there["parentFolderId"], message.folder_id, "{what}");
            assert_eq!(there["flag"]["flagStatus"].as_str() == Some("flagged"), message.flag_status == FlagStatus::Flagged && message.is_flagged, "{what}");
            assert_eq!(there["flag"]["dueDateTime"]["dateTime"].is_string(), message.flag_due_at.is_some(), "{what}");
            assert!(!message.is_edit_waiting, "{what}");
        }
    }
}

#[tokio::test]
async fn changes_show_at_once_arrive_and_come_back_as_no_news() {
    let bench = bench().await;
    let (edits, _) = bench.edits();
    for change in changes() {
        edits.make(&bench.ids, None, change).await.unwrap();
    }
    let told = bench.told().await.len();
    assert_eq!(told, 3 + 12);
    let shown = bench.message(0).await;
    assert!(shown.is_read && shown.is_flagged && shown.categories == ["Red"] && shown.folder_id == "kept" && shown.is_edit_waiting);
    assert!(edits.round().await.unwrap());
    bench.is_same("delivered").await;
    {
        let there = bench.there.lock().unwrap();
        assert_eq!((there.patched, there.moved), (3, 3), "what is changed of a message goes in one request");
    }
    let report = bench.fixture.sync().await.unwrap();
    assert_eq!((report.added, report.changed, report.moved, report.removed), (0, 0, 0, 0));
    assert_eq!(bench.told().await.len(), told, "no echo in the feed");
    bench.is_same("synced").await;
}

#[tokio::test]
async fn a_lost_answer_makes_no_echo_either() {
    let bench = bench().await;
    let (edits, _) = bench.edits();
    for change in changes() {
        bench.there.lock().unwrap().fault = Some(Fault::Lost);
        edits.make(&bench.ids[..1], None, change).await.unwrap();
        bench.deliver(&edits).await;
    }
    assert_eq!(bench.there.lock().unwrap().moved, 1, "where it lies is looked at before it is moved again");
    let told = bench.told().await.len();
    let report = bench.fixture.sync().await.unwrap();
    assert_eq!((report.changed, report.moved, bench.told().await.len()), (0, 0, told));
    bench.is_same("synced").await;
}

#[tokio::test]
async fn whatever_a_killed_process_left_is_delivered_by_the_next() {
    for point in POINTS {
        let mut kills = 0;
        for passing in 0..3 {
            let bench = bench().await;
            for change in changes() {
                let (edits, _) = bench.edits();
                let armed = Armed::at(point, passing);
                let (worker, ids) = (edits.clone(), bench.ids.clone());
                let wanted = change.clone();
                let mut working = tokio::spawn(async move {
                    worker.make(&ids, None, wanted).await.unwrap();
                    worker.round().await.unwrap();
                });
                tokio::select! {
                    () = armed.reached() => {
                        kills += 1;
                        working.abort();
                        let _ = working.await;
                    }
                    outcome = &mut working => outcome.unwrap(),
                }
                drop(armed);
                let (next, _) = bench.edits();
                // The host asks again, since it does not know.
                next.make(&bench.ids, None, change).await.unwrap();
                bench.deliver(&next).await;
                bench.is_same(point).await;
            }
            let told = bench.told().await.len();
            assert_eq!(told, 3 + 12, "{point} after {passing}");
            let report = bench.fixture.sync().await.unwrap();
            assert_eq!((report.changed, report.moved, bench.told().await.len()), (0, 0, told), "{point} after {passing}");
            bench.is_same(point).await;
        }
        assert!(kills > 0, "{point}: nothing came by");
    }
}

#[tokio::test]
async fn offline_changes_wait_and_the_last_of_each_property_arrives() {
    let bench = bench().await;
    let (edits, _) = bench.edits();
    bench.there.lock().unwrap().fault = Some(Fault::Offline);
    for is_read in [true, false, true] {
        edits.make(&bench.ids, None, MessageChange::Read(is_read)).await.unwrap();
        bench.clock.advance(1_000_000);
        edits.round().await.unwrap();
    }
    assert!(bench.message(0).await.is_edit_waiting && bench.there.lock().unwrap().patched == 0);
    bench.there.lock().unwrap().fault = None;
    let (next, _) = bench.edits();
    bench.deliver(&next).await;
    assert_eq!(bench.there.lock().unwrap().patched, 3, "one request for each message, not for each change");
    bench.is_same("online").await;
}

#[tokio::test]
async fn what_is_refused_goes_back_and_is_told() {
    let bench = bench().await;
    let (edits, events) = bench.edits();
    bench.there.lock().unwrap().fault = Some(Fault::Refused);
    for change in changes() {
        edits.make(&bench.ids[..1], None, change).await.unwrap();
    }
    bench.deliver(&edits).await;
    bench.is_same("refused").await;
    assert!(!bench.message(0).await.is_read);
    let told = bench.told().await;
    assert_eq!(told[told.len() - 1], ChangeKind::MessageMoved, "{told:?}");
    for _ in 0..4 {
        let Some(Event::EditRefused { account_id, message_id, kind, .. }) = events.next().await.unwrap() else { panic!("another event") };
        assert_eq!((account_id.as_str(), &message_id, kind), ("a", &bench.ids[0], ErrorKind::Forbidden));
    }
}

#[tokio::test]
async fn a_message_that_is_gone_ends_its_changes() {
    let bench = bench().await;
    let (edits, _) = bench.edits();
    for change in changes() {
        edits.make(&bench.ids[..1], None, change).await.unwrap();
    }
    bench.there.lock().unwrap().fault = Some(Fault::Gone);
    bench.deliver(&edits).await;
    bench.there.lock().unwrap().fault = None;
    assert_eq!(bench.fixture.sync().await.unwrap().removed, 1);
    let error = bench.fixture.reader.message(bench.ids[0].clone(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(bench.fixture.store.edits_of("a", &["a"]).await.unwrap().is_empty());
}

/// Microsoft's clock decides: `There` changes after the changes made here.
#[tokio::test]
async fn the_newest_change_counts_in_both_ways() {
    let bench = bench().await;
    let (edits, _) = bench.edits();
    // Newer there, and not known here when it is delivered.
    edits.make(&bench.ids, None, MessageChange::Categories { add: vec!["Ours".into()], remove: vec![] }).await.unwrap();
    {
        let mut there = bench.there.lock().unwrap();
        there.mails.get_mut("a").unwrap()["categories"] = json!(["Theirs"]);
        there.touch("a");
    }
    bench.deliver(&edits).await;
    assert_eq!((bench.message(0).await.categories, bench.message(1).await.categories), (vec!["Theirs".to_owned()], vec!["Ours".to_owned()]));
    bench.is_same("theirs is newer").await;
    // Newer there, and brought by a sync first.
    edits.make(&bench.ids, None, MessageChange::Categories { add: vec!["Ours too".into()], remove: vec![] }).await.unwrap();
    {
        let mut there = bench.there.lock().unwrap();
        there.keys += 2_000_000;
        there.mails.get_mut("b").unwrap()["categories"] = json!(["Theirs"]);
        there.touch("b");
    }
    bench.fixture.sync().await.unwrap();
    assert_eq!(bench.message(1).await.categories, ["Theirs"]);
    assert_eq!(bench.message(2).await.categories, ["Ours", "Ours too"], "the others stay as they were changed here");
    bench.deliver(&edits).await;
    bench.is_same("theirs came first").await;
}
