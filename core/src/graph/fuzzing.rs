//! Graph's answers as anybody might write them, and what has to hold of whatever is read out of them.

#![allow(clippy::panic)] // this is how a fuzz target says that something does not hold

use super::delta::{self, DeltaItem, MailItem};
use super::reading::{self, MailBody};
use super::{Caller, paging, wire};
use crate::clock::from_ms;
use crate::config::{Cloud, Endpoints};
use crate::error::ErrorKind;
use crate::foreign::{Proofs, Secrets};
use crate::json;
use crate::pipeline::batching::wire as batching;
use crate::pipeline::{Hosts, Priority};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::OnceLock;
use std::time::Duration;
use url::Url;

const FOLDER: &str = "AQMkAGFolderOfTheSeeds=";
/// What the request proved itself with. Seeds repeat it.
const SENT: &str = "q7Zt2KfL9sXw4BvRnC1mPdY8";

/// A page of changes of one folder.
pub fn delta_page(bytes: &[u8]) {
    reads_alike_in_pieces(bytes);
    let text = json::text(bytes);
    let proofs = proofs();
    let Ok(endpoints) = Endpoints::of(&Cloud::Public) else { return };
    let (root, hosts, caller) = (endpoints.graph.clone(), Hosts::new(endpoints), Caller::new("acc", Priority::Interactive, Duration::ZERO));
    let Ok(first) = Url::parse(&format!("{root}me/mailFolders/{FOLDER}/messages/delta")) else { return };
    let followed = |link: &str| paging::followed(&hosts, &root, &caller, &first, link);
    match delta::checked_page(&text, FOLDER, Some(first.as_str()), proofs, followed) {
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Upstream | ErrorKind::LinkRejected), "{error:?}"),
        Ok(page) => {
            assert!(Url::parse(&page.link).is_ok_and(|link| link.origin() == root.origin()), "a link leads away: {}", page.link);
            assert!(!proofs.are_in(&page.link), "a link repeats a secret");
            for item in &page.items {
                assert!(!delta::repeats(item, proofs), "an id repeats a secret: {item:?}");
                check(item, &text);
            }
        }
    }
}

/// A page says what the parser finds in the whole of it, in whatever pieces it arrives.
fn reads_alike_in_pieces(bytes: &[u8]) {
    let whole = parsed(&json::text(bytes)).map(shown);
    for length in [1, 2, 7, 61, bytes.len().max(1)] {
        let pieces = reading::in_pieces(bytes.chunks(length), FOLDER).map(shown);
        assert_eq!(pieces.ok(), whole, "in pieces of {length}");
    }
}

fn shown(page: wire::Page<DeltaItem>) -> String {
    format!("{:?}", (page.value, page.next_link, page.delta_link))
}

/// The page as one JSON text.
fn parsed(text: &str) -> Option<wire::Page<DeltaItem>> {
    if json::too_deep(text.as_bytes()) || !text.trim_start().starts_with('{') {
        return None;
    }
    let wire::Page { value, next_link, delta_link } = serde_json::from_str::<wire::Page<&RawValue>>(text).ok()?;
    let items = |all: Vec<&RawValue>| all.into_iter().map(|raw| delta::read_item(raw.get(), FOLDER)).collect::<Option<Vec<DeltaItem>>>();
    let value = match value {
        Some(all) => Some(items(all)?),
        None => None,
    };
    Some(wire::Page { value, next_link, delta_link })
}

fn check(item: &DeltaItem, text: &str) {
    match item {
        DeltaItem::Message(message) => {
            assert!(wire::is_id(&message.id) && wire::is_id(&message.folder_id), "an id that is none: {message:?}");
            // A character of JSON is three bytes where it is replaced, and a number may be written out.
            assert!(length(message) <= 3 * text.len() + 400, "a message is longer than the page it came in");
        }
        DeltaItem::Removed { id } => assert!(wire::is_id(id), "an id that is none: {id:?}"),
        DeltaItem::Unreadable { id, raw, .. } => {
            assert!(id.as_ref().is_none_or(|id| wire::is_id(id)), "an id that is none: {id:?}");
            assert!(raw.len() <= text.len(), "an item is longer than the page it came in");
        }
    }
}

fn length(message: &MailItem) -> usize {
    let people = message.to.iter().chain(&message.cc).chain(&message.bcc).chain(&message.reply_to).chain(&message.from).chain(&message.sender);
    let addresses: usize = people.map(|one| one.address.len() + one.name.len()).sum();
    let body = match &message.body {
        Some(MailBody::Whole(_, content)) => content.len(),
        Some(MailBody::Kept(kept)) => kept.packed.len(),
        None => 0,
    };
    message.id.len() + message.subject.len() + message.preview.len() + body + addresses + message.categories.iter().map(String::len).sum::<usize>()
}

/// The answer to several reads at once.
pub fn batch_answer(bytes: &[u8]) {
    let text = json::text(bytes);
    let answers = match batching::read(&text) {
        Ok(answers) => answers,
        Err(_) => return,
    };
    for (id, answer) in &answers {
        assert!(text.contains(answer.text()), "the body of {id} is not in the answer");
        assert!(answer.wait(from_ms(1_700_000_000_000)).is_none_or(|wait| wait <= Duration::from_secs(366 * 24 * 3600)), "{id} waits for ever");
    }
    // What is told twice and not the same is told by neither, so the order says nothing.
    #[derive(Deserialize)]
    struct Parts<'a> {
        #[serde(borrow)]
        responses: Vec<&'a RawValue>,
    }
    let Ok(Parts { responses }) = serde_json::from_str::<Parts<'_>>(&text) else { panic!("an answer that is read is not read again") };
    let turned = format!(r#"{{"responses":[{}]}}"#, responses.iter().rev().map(|raw| raw.get()).collect::<Vec<_>>().join(","));
    let Ok(turned) = batching::read(&turned) else { panic!("an answer is not read when its parts stand the other way round") };
    assert_eq!(answers.len(), turned.len(), "the order of a batch decides what it says");
    for (id, answer) in &answers {
        assert!(turned.get(id).is_some_and(|other| (other.status(), other.text()) == (answer.status(), answer.text())), "the order decides what is told of {id}");
    }
}

pub(super) fn proofs() -> &'static Proofs {
    static PROOFS: OnceLock<Proofs> = OnceLock::new();
    PROOFS.get_or_init(|| {
        let mut sent = Secrets::default();
        sent.add_text(SENT);
        sent.proofs()
    })
}
