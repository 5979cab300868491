//! What is here changes between the plan of a page and its writing, as by another process that lists attachments.

use super::facts::mail;
use super::*;
use crate::failpoint::Meanwhile;
use crate::interleave::Drawn;
use crate::runtime::block_on;
use crate::store::AttachmentList;
use crate::sync::record::MessageMetadata;
use std::cell::Cell;
use std::rc::Rc;

const MAILS: usize = 20;

fn mails(key: &str) -> Value {
    let with_file = |n| {
        let mut mail = mail(&format!("m{n}"), key, "", "<p>x</p>");
        mail["hasAttachments"] = true.into();
        mail
    };
    (0..MAILS).map(with_file).collect()
}

/// A mailbox whose messages are here and changed since; what is attached to them cannot be told yet.
async fn changed() -> Fixture {
    let fixture = fixture(crate::pipeline::fake::clock(), |request| match request.uri().query() {
        _ if request.uri().path().ends_with("$batch") => {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let answers: Vec<Value> = body["requests"].as_array().unwrap().iter().map(|item| json!({ "id": item["id"], "status": 503, "body": {} })).collect();
            says(200, json!({ "responses": answers }).to_string())
        }
        Some(query) if query.contains("deltatoken") => last_page(mails("2"), "two"),
        _ => last_page(mails("1"), "one"),
    });
    assert_eq!(fixture.sync().await.unwrap().added, MAILS as u32);
    fixture
}

/// Another process lists what is attached to one message after the other, before a page is written for the first, second … time; counts these times.
fn listing(fixture: &Fixture, times: usize) -> (Meanwhile, Rc<Cell<usize>>) {
    let (store, vault, count) = (fixture.store.clone(), fixture.reader.vault.clone(), Rc::new(Cell::new(0)));
    let counted = count.clone();
    let lists = move || {
        let id = format!("m{}", counted.replace(counted.get() + 1));
        if counted.get() > times {
            return;
        }
        let version = block_on(store.known("a", &[&id])).unwrap()[0].version;
        let head = MessageMetadata::default().seal(&block_on(vault.content("a")).unwrap(), "a", &id, version + 1).unwrap();
        let listed = block_on(store.put_attachments("a", 1, &[AttachmentList { graph_id: id, version, head: Some(head), has_attachments: true }], &[], 5)).unwrap();
        assert_eq!(listed, Some(1));
    };
    (Meanwhile::at("sync.planned_page", lists), count)
}

#[tokio::test]
async fn a_page_is_planned_anew_over_what_changed_while_it_was_planned() {
    let fixture = changed().await;
    let _own_thread = Drawn::by(|_| 0);
    let (_listing, plans) = listing(&fixture, 3);
    let report = fixture.sync().await.unwrap();
    assert_eq!((report.changed as usize, report.added, report.pages, plans.get()), (MAILS, 0, 1, 4));
    let known = fixture.store.known("a", &["m0", "m3"]).await.unwrap();
    let versions: Vec<_> = known.iter().map(|row| (row.graph_id.as_str(), row.change_key.as_str(), row.version)).collect();
    assert_eq!(versions, [("m0", "2", 3), ("m3", "2", 2)], "the page over what was listed");
}

#[tokio::test]
async fn one_that_cannot_be_stored_for_changes_says_so() {
    let fixture = changed().await;
    let _own_thread = Drawn::by(|_| 0);
    let (_listing, plans) = listing(&fixture, MAILS);
    let error = fixture.sync().await.unwrap_err();
    assert!(error.kind() == ErrorKind::StoreBusy && error.reason().contains("changed each time"), "{error:?}");
    // The sync begins anew a few times before it is given up.
    assert_eq!(plans.get(), 16);
    assert_eq!(fixture.store.known("a", &["m0"]).await.unwrap()[0].change_key, "1");
}
