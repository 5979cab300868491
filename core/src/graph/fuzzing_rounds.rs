//! Pages of contacts, events and chat messages as anybody might write them, and what has to hold of whatever is read out of them.

#![allow(clippy::panic)] // this is how a fuzz target says that something does not hold

use super::changes::{self, Changes};
use super::contacts::{self, ContactItem};
use super::events::{self, EventItem, GraphEvent};
use super::fuzzing::proofs;
use super::teams_messages::{ChatState, GraphTeamsMessage, TeamsMessageItem, WireTeamsMessage, WireState};
use super::{Caller, paging, wire};
use crate::clock::to_ms;
use crate::config::{Cloud, Endpoints};
use crate::error::ErrorKind;
use crate::foreign::Proofs;
use crate::json;
use crate::model::{Contact, rfc3339};
use crate::pipeline::{Hosts, Priority};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;
use url::Url;

/// A page of changes of the contacts of a folder.
pub fn contact_page(bytes: &[u8]) {
    let text = json::text(bytes);
    for item in items(&text, "contacts/delta", contacts::item) {
        match item {
            ContactItem::Contact { contact, change_key } => {
                is_clear(&contact.graph_id);
                assert!(change_key.len() <= 1_024 && !proofs().are_in(&change_key), "a key that may not be stored");
                assert!(contact.addresses.iter().all(|one| !one.address.is_empty()), "an address that is none: {contact:?}");
                is_kept::<Contact>(&contact, &text);
            }
            ContactItem::Removed { id } => is_clear(&id),
            ContactItem::Unreadable => {}
        }
    }
}

/// A page of changes of a view of a calendar.
pub fn event_page(bytes: &[u8]) {
    let text = json::text(bytes);
    let mut master = None;
    for item in items(&text, "calendarView/delta", events::item) {
        match item {
            EventItem::Event(event) => {
                is_clear(&event.event.graph_id);
                event.event.series_id.iter().for_each(|id| is_clear(id));
                is_kept::<GraphEvent>(&event, &text);
                let shown = event.as_ref().clone().whole(master.replace(event.as_ref().clone()));
                assert!(shown.start_at <= shown.end_at && shown.start_date <= shown.end_date, "it ends before it begins: {shown:?}");
                let years = -62_135_596_800_000..=253_402_300_799_999_i64;
                assert!(years.contains(&to_ms(shown.start_at)) && years.contains(&to_ms(shown.end_at)), "a time that no language has: {shown:?}");
                assert!(!rfc3339::to_text(shown.start_at).is_empty() && !rfc3339::to_text(shown.end_at).is_empty(), "a time that cannot be written: {shown:?}");
            }
            EventItem::Removed { id } => is_clear(&id),
            EventItem::Unreadable => {}
        }
    }
}

/// A page of chats, or of what is said in one.
pub fn chat_page(bytes: &[u8]) {
    let text = json::text(bytes);
    let Ok(mut page) = wire::page(&text) else { return };
    let Ok(raws) = page.items() else { return };
    for raw in raws {
        if let Some(state) = wire::item::<WireState>(raw.get()).map(ChatState::from) {
            assert!(wire::is_id(&state.id), "an id that is none: {state:?}");
        }
        let Some(TeamsMessageItem { teams_message: read, .. }) = wire::item::<WireTeamsMessage>(raw.get()).and_then(|one| one.read("19:c@thread.v2")) else { continue };
        assert!(wire::is_id(&read.message.graph_id) && to_ms(read.message.sent_at) >= 0, "{read:?}");
        is_kept::<GraphTeamsMessage>(&read, &text);
    }
}

fn items<T>(text: &str, list: &str, item: fn(&str, &Proofs) -> T) -> Vec<T> {
    let Ok(endpoints) = Endpoints::of(&Cloud::Public) else { return Vec::new() };
    let (root, hosts, caller) = (endpoints.graph.clone(), Hosts::new(endpoints), Caller::new("acc", Priority::Interactive, Duration::ZERO));
    let Ok(first) = Url::parse(&format!("{root}me/{list}")) else { return Vec::new() };
    match changes::checked(text, Some(first.as_str()), proofs(), "items", item, |link| paging::followed(&hosts, &root, &caller, &first, link).map(drop)) {
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Upstream | ErrorKind::LinkRejected), "{error:?}");
            Vec::new()
        }
        Ok(Changes { items, link, .. }) => {
            assert!(Url::parse(&link).is_ok_and(|link| link.origin() == root.origin()) && !proofs().are_in(&link), "a link that may not be stored: {link}");
            items
        }
    }
}

/// What is stored in clear.
fn is_clear(id: &str) {
    assert!(wire::is_id(id) && !proofs().are_in(id), "an id that may not be stored: {id:?}");
}

/// It is the same once it was stored, and no longer than what it came in: a character of JSON may be six bytes where it is escaped, and so may what is said of it.
fn is_kept<T: Serialize + DeserializeOwned + PartialEq + Debug>(of: &T, text: &str) {
    let Ok(kept) = serde_json::to_vec(of) else { panic!("it cannot be stored: {of:?}") };
    assert!(kept.len() <= 40 * text.len() + 4_000, "{} bytes became {}", text.len(), kept.len());
    match serde_json::from_slice::<T>(&kept) {
        Ok(back) => assert!(back == *of, "{back:?} was {of:?}"),
        Err(error) => panic!("it cannot be read again: {error}: {of:?}"),
    }
}
