//! Attachments are listed once the mail is here: a few before the sync ends, many after it, each once and for the content it belongs to.

use super::facts::mail;
use super::*;
use crate::model::ChangeKind;
use crate::store::{Mailbox, MessageWindow};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A mailbox whose messages each have a file, named after their change key.
#[derive(Default)]
struct Files {
    messages: BTreeMap<String, String>,
    /// How often each list was asked for.
    asked: BTreeMap<String, u32>,
    /// No list is answered.
    is_busy: bool,
}

impl Files {
    fn of(count: usize) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { messages: (0..count).map(|n| (format!("m{n}"), "1".to_owned())).collect(), ..Self::default() }))
    }

    fn answer(&mut self, request: &Seen) -> Answer {
        let link = |value: Value| says(200, json!({ "value": value, "@odata.deltaLink": format!("https://graph.microsoft.com{}?$deltatoken=1", request.uri().path()) }).to_string());
        match request.uri().path() {
            "/v1.0/me/mailFolders/delta" => link(json!([])),
            "/v1.0/me/mailFolders/in/messages/delta" => link(self.messages.iter().map(|(id, key)| with_file(id, key)).collect()),
            "/v1.0/$batch" => {
                let body: Value = serde_json::from_slice(request.body()).unwrap();
                let answers: Vec<Value> = body["requests"].as_array().unwrap().iter().map(|item| self.list(item)).collect();
                says(200, json!({ "responses": answers }).to_string())
            }
            other => panic!("nobody here answers {other}"),
        }
    }

    fn list(&mut self, item: &Value) -> Value {
        let id = item["url"].as_str().unwrap().trim_start_matches("/me/messages/").split('/').next().unwrap();
        *self.asked.entry(id.to_owned()).or_default() += 1;
        if self.is_busy {
            return json!({ "id": item["id"], "status": 429, "headers": { "Retry-After": "3600" }, "body": { "error": { "code": "ApplicationThrottled" } } });
        }
        let file = json!({ "id": "f", "name": self.messages[id], "contentType": "text/plain", "size": 1, "isInline": false });
        json!({ "id": item["id"], "status": 200, "body": { "value": [file] } })
    }
}

fn with_file(id: &str, key: &str) -> Value {
    let mut mail = mail(id, key, "s", "");
    mail["hasAttachments"] = true.into();
    mail
}

fn started(files: &Arc<Mutex<Files>>) -> Fixture {
    started_at(&crate::pipeline::fake::clock(), files)
}

fn started_at(clock: &TestClock, files: &Arc<Mutex<Files>>) -> Fixture {
    let answering = files.clone();
    let fixture = fixture(clock.clone(), move |request| answering.lock().unwrap().answer(request));
    fixture.runtime.background(fixture.sync.clone().list_attachments(fixture.runtime.stop()));
    fixture
}

/// Names of what is attached, by message.
async fn shown(fixture: &Fixture) -> BTreeMap<String, Vec<String>> {
    let window = MessageWindow { mailboxes: vec![Mailbox { account_id: "a".into(), folder_id: None }], limit: 1_000, ..MessageWindow::default() };
    let (reader, rows) = (fixture.reader.clone(), fixture.store.messages(&window).await.unwrap().rows);
    let mut all = BTreeMap::new();
    for row in rows {
        let message = reader.message(row.id, None).await.unwrap();
        assert!(message.has_attachments);
        all.insert(message.graph_id, message.attachments.into_iter().map(|file| file.name).collect());
    }
    all
}

async fn until_listed(fixture: &Fixture) {
    while fixture.store.count_unlisted("a", i64::MAX).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_few_are_listed_when_the_sync_ends_and_many_follow() {
    for (count, pending) in [(200, 0), (201, 201)] {
        let files = Files::of(count);
        let fixture = started(&files);
        assert_eq!(fixture.sync().await.unwrap().attachments_pending, pending, "{count}");
        until_listed(&fixture).await;
        assert!(shown(&fixture).await.values().all(|names| names == &["1"]));
        assert!(files.lock().unwrap().asked.values().all(|times| *times == 1) && files.lock().unwrap().asked.len() == count);
        let told: Vec<_> = fixture.store.changes(&["a".into()], 0, 1_000).await.unwrap();
        assert_eq!(told.iter().filter(|row| row.kind == ChangeKind::MessageChanged).count(), count, "each is told when it is listed");
        fixture.runtime.shutdown(Duration::from_secs(5), async {}).await;
    }
}

#[tokio::test]
async fn what_was_not_listed_when_the_engine_closed_the_next_sync_lists() {
    let (files, clock) = (Files::of(300), crate::pipeline::fake::clock());
    let fixture = started_at(&clock, &files);
    files.lock().unwrap().is_busy = true;
    assert_eq!(fixture.sync().await.unwrap().attachments_pending, 300);
    fixture.runtime.shutdown(Duration::from_secs(5), async {}).await;
    files.lock().unwrap().is_busy = false;
    clock.advance(3_600_000);
    let runtime = Runtime::start().unwrap();
    let sync = Sync::new(fixture.reader.clone(), EventBus::new(), 50, vec![]);
    runtime.background(sync.clone().list_attachments(runtime.stop()));
    sync.run(fixture.account.clone(), runtime.stop()).await.unwrap();
    until_listed(&fixture).await;
    assert!(shown(&fixture).await.values().all(|names| names == &["1"]));
    runtime.shutdown(Duration::from_secs(5), async {}).await;
}

#[tokio::test]
async fn a_message_that_changes_while_it_is_listed_is_listed_anew() {
    let files = Files::of(300);
    let fixture = started(&files);
    for key in ["1", "2", "3"] {
        files.lock().unwrap().messages.values_mut().for_each(|now| *now = key.to_owned());
        fixture.sync().await.unwrap();
    }
    until_listed(&fixture).await;
    // A list that was asked for before the change may hold what was there before; the change's own sync asks once more.
    assert!(shown(&fixture).await.values().all(|names| names == &["3"]));
    fixture.runtime.shutdown(Duration::from_secs(5), async {}).await;
}
