//! The newest messages of a folder show while it is walked for the first time, and the walk alone decides what is here in the end.

use super::facts::mail;
use super::*;
use crate::model::ChangeKind;
use crate::store::{Mailbox, MessageWindow};
use std::sync::Mutex;

const LIST: &str = "/v1.0/me/mailFolders/in/messages";
const TOTAL: u32 = 60;

fn page(items: &[Value], link: &str, url: &str) -> Answer {
    says(200, json!({ "value": items, link: url }).to_string())
}

fn next_page(items: &[Value]) -> Answer {
    page(items, "@odata.nextLink", "https://graph.microsoft.com/v1.0/me/mailFolders/in/messages/delta?$skiptoken=two")
}

fn mails(ids: &[&str]) -> Vec<Value> {
    ids.iter().map(|id| mail(id, "1", id, "<p>x</p>")).collect()
}

fn is_list(request: &Seen) -> bool {
    request.uri().path() == LIST
}

fn is_first(request: &Seen) -> bool {
    !request.uri().query().unwrap_or_default().contains("token=")
}

impl Fixture {
    async fn here(&self) -> Vec<(String, i64)> {
        let window = MessageWindow { mailboxes: vec![Mailbox { account_id: "a".into(), folder_id: None }], limit: 100, ..MessageWindow::default() };
        let mut here: Vec<(String, i64)> = self.store.messages(&window).await.unwrap().rows.into_iter().map(|row| (row.graph_id, row.version)).collect();
        here.sort();
        here
    }

    async fn told(&self, kind: ChangeKind) -> usize {
        self.store.changes(&["a".into()], 0, 1_000).await.unwrap().iter().filter(|row| row.kind == kind).count()
    }
}

/// The walk's pages from the second one on.
fn is_later_page(request: &Seen) -> bool {
    request.uri().path().ends_with("/messages/delta") && !is_first(request)
}

fn is_page(request: &Seen) -> bool {
    request.uri().path().ends_with("/messages/delta")
}

impl Fixture {
    /// A sync whose walk gets these pages only once the list was `seen`: which of them comes first is else a matter of luck.
    async fn sync_behind_list(&self, which: fn(&Seen) -> bool, seen: impl AsyncFn() -> bool) -> Result<SyncReport> {
        let release = self.service.hold(which);
        let watch = async {
            while !seen().await {
                tokio::task::yield_now().await;
            }
            release.send(true).unwrap();
        };
        tokio::join!(self.sync(), watch).0
    }
}

fn once(ids: &[&str]) -> Vec<(String, i64)> {
    ids.iter().map(|id| ((*id).to_owned(), 1)).collect()
}

#[tokio::test]
async fn what_is_newest_shows_before_the_walk_has_ended_and_is_written_and_counted_once() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let fixture = fixture_with(crate::pipeline::fake::clock(), Content::Sealed, TOTAL, move |request| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        seen.lock().unwrap().push(format!("{}?{}", request.uri().path(), query));
        match request {
            _ if is_list(request) => page(&mails(&["z", "y"]), "@odata.nextLink", "https://graph.microsoft.com/v1.0/me/mailFolders/in/messages?$skip=50"),
            _ if is_first(request) => next_page(&mails(&["a", "b"])),
            // Refused until somebody says otherwise: the walk has not ended.
            _ => says(403, r#"{"error":{"code":"ErrorAccessDenied"}}"#),
        }
    });
    fixture.sync_behind_list(is_later_page, async || fixture.here().await.len() == 4).await.unwrap_err();
    assert_eq!(fixture.here().await, once(&["a", "b", "y", "z"]));
    assert_eq!((fixture.told(ChangeKind::MessageAdded).await, fixture.store.folders("a").await.unwrap()[0].stored), (4, 4));
    let asked = asked.lock().unwrap().clone();
    let lists: Vec<_> = asked.iter().filter(|asked| asked.starts_with(&format!("{LIST}?"))).collect();
    assert!(lists.len() == 1 && lists[0].contains("$top=25&$orderby=receivedDateTime%20desc") && !lists[0].contains("$filter"), "{lists:?}");
}

#[tokio::test]
async fn what_was_listed_is_not_written_or_counted_again() {
    let fixture = fixture_with(crate::pipeline::fake::clock(), Content::Sealed, TOTAL, |request| match request {
        _ if is_list(request) => page(&mails(&["z", "y"]), "x", ""),
        _ if is_first(request) => next_page(&mails(&["a", "y"])),
        _ => last_page(json!(mails(&["b", "z"])), "one"),
    });
    let report = fixture.sync_behind_list(is_later_page, async || fixture.here().await.len() == 3).await.unwrap();
    assert_eq!((report.added, report.changed, report.removed, report.pages), (4, 0, 0, 3));
    assert_eq!(fixture.here().await, once(&["a", "b", "y", "z"]));
    assert_eq!(fixture.told(ChangeKind::MessageAdded).await, 4);
    assert_eq!(fixture.reader.graph.meters().snapshot().messages_stored, 4);
    // The folder has its place now, so the next sync lists nothing.
    let calls = fixture.service.calls();
    fixture.sync().await.unwrap();
    assert!(!fixture.service.seen.lock().unwrap()[calls..].iter().any(is_list));
}

/// Delta tells of what left since it began; what left before that it never mentions.
#[tokio::test]
async fn what_left_before_the_walk_came_to_it_is_asked_about() {
    let fixture = fixture_with(crate::pipeline::fake::clock(), Content::Sealed, TOTAL, |request| match request {
        _ if is_list(request) => page(&mails(&["z", "y"]), "x", ""),
        _ if request.uri().path().ends_with("$batch") => {
            says(200, r#"{"responses":[{"id":"1","status":404,"body":{"error":{"code":"ErrorItemNotFound"}}}]}"#)
        }
        _ => last_page(json!(mails(&["a", "y"])), "one"),
    });
    let report = fixture.sync_behind_list(is_page, async || fixture.here().await == once(&["y", "z"])).await.unwrap();
    assert_eq!((report.added, report.removed), (3, 1));
    assert_eq!(fixture.here().await, once(&["a", "y"]));
    assert_eq!((fixture.told(ChangeKind::MessageAdded).await, fixture.told(ChangeKind::MessageRemoved).await), (3, 1));
}

#[tokio::test]
async fn a_list_that_is_refused_or_odd_leaves_it_to_the_walk() {
    let elsewhere = json!({ "value": mails(&["z", "y"]), "@odata.nextLink": "https://evil.example/v1.0/me" }).to_string();
    let mut strangers = mails(&["z", "y"]);
    strangers.iter_mut().for_each(|mail| mail["parentFolderId"] = json!("other"));
    let odd = json!({ "value": [{ "id": "z" }, { "subject": "no id" }, { "id": "y", "@removed": {} }, 7] }).to_string();
    for (status, body) in [
        (400, r#"{"error":{"code":"InefficientFilter"}}"#.to_owned()),
        (403, String::new()),
        (404, r#"{"error":{"code":"ErrorItemNotFound"}}"#.to_owned()),
        (503, String::new()),
        (200, "{".to_owned()),
        (200, r#"{"value":null}"#.to_owned()),
        (200, elsewhere),
        (200, odd),
    ] {
        let (answer, asked) = (body.clone(), Arc::new(AtomicBool::new(false)));
        let seen = asked.clone();
        let fixture = fixture_with(crate::pipeline::fake::clock(), Content::Sealed, TOTAL, move |request| {
            if is_list(request) {
                seen.store(true, Ordering::SeqCst);
                return says(status, answer.clone());
            }
            last_page(json!(mails(&["a", "z"])), "one")
        });
        let report = fixture.sync_behind_list(is_page, async || asked.load(Ordering::SeqCst)).await.unwrap_or_else(|e| panic!("{status} {body}: {e:?}"));
        assert!(asked.load(Ordering::SeqCst) && report.added == 2 && report.quarantined == 0, "{status} {body}");
        assert_eq!(fixture.here().await, once(&["a", "z"]), "{status} {body}");
        assert!(fixture.store.health("a").await.unwrap().error.is_none(), "{status} {body}");
    }
}

#[tokio::test]
async fn a_folder_of_one_page_is_not_listed() {
    let fixture = fixture_with(crate::pipeline::fake::clock(), Content::Sealed, 50, |request| {
        assert!(!is_list(request));
        last_page(json!(mails(&["a"])), "one")
    });
    assert_eq!(fixture.sync().await.unwrap().added, 1);
}
