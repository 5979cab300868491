//! Events of any form.

use super::*;
use crate::error::ErrorKind;
use crate::model::{EventKind, rfc3339};

const LIST: &str = "me/calendarView/delta";

fn time(text: &str) -> Value {
    json!({ "dateTime": text, "timeZone": "UTC" })
}

fn event(id: &str, subject: &str) -> Value {
    json!({ "id": id, "subject": subject, "type": "singleInstance", "start": time("2026-10-01T08:00:00.0000000"), "end": time("2026-10-01T09:00:00.0000000") })
}

fn removed(id: &str) -> String {
    json!({ "id": id, "@removed": { "reason": "deleted" } }).to_string()
}

/// What is asked for by id in a batch: ids as they are in the answers.
fn batch(request: &Seen, one: impl Fn(&str) -> (u16, String)) -> Answer {
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    let answers: Vec<String> = body["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|asked| {
            let id = asked["url"].as_str().unwrap().trim_start_matches("/me/events/").split('?').next().unwrap();
            let (status, body) = one(id);
            format!(r#"{{"id":{},"status":{status},"body":{body}}}"#, asked["id"])
        })
        .collect();
    says(200, format!(r#"{{"responses":[{}]}}"#, answers.join(",")))
}

/// A calendar whose view shows this page; what is asked for by id is not there.
fn shows(items: Vec<String>) -> impl Fn(&Seen) -> Answer + Send + Sync {
    knows(items, |_| (404, r#"{"error":{"code":"ErrorItemNotFound"}}"#.to_owned()))
}

fn knows(items: Vec<String>, one: impl Fn(&str) -> (u16, String) + Send + Sync) -> impl Fn(&Seen) -> Answer + Send + Sync {
    move |request| match request.uri().path() {
        "/v1.0/me/calendarView/delta" => last_page(LIST, &items),
        "/v1.0/$batch" => batch(request, &one),
        other => panic!("nobody here answers {other}"),
    }
}

#[tokio::test]
async fn whatever_stands_in_a_page_the_others_of_it_are_stored() {
    let mut items = vec![event("first", "First").to_string()];
    items.extend(texts(&["null", "7", "[]", "{}", r#"{"id":null}"#, r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"no time"}"#, r#"{"id":"a\nb"}"#]));
    items.push(format!(r#"{{"id":"{}"}}"#, "x".repeat(10_000)));
    items.push(deep());
    items.push(format!(r#"{{"id":"deep","start":{}}}"#, deep()));
    items.extend([event("last", "Last").to_string(), event("LAST", "Another id").to_string()]);
    let world = World::new(shows(items)).await;
    assert_eq!(world.sync_calendar().await.unwrap(), 3);
    assert_eq!(world.subjects().await, ["Another id", "First", "Last"]);
    assert_eq!(world.sync_calendar().await.unwrap(), 0);
}

#[tokio::test]
async fn a_property_of_any_type_leaves_the_others_as_they_are() {
    let properties = [
        "subject", "bodyPreview", "originalStartTimeZone", "originalEndTimeZone", "isAllDay", "isCancelled", "isOrganizer", "onlineMeeting", "onlineMeetingUrl", "location", "organizer", "attendees", "type", "seriesMasterId",
        "showAs", "sensitivity", "categories", "webLink", "lastModifiedDateTime", "body", "recurrence",
    ];
    let mut items = Vec::new();
    for property in properties {
        for value in odd_values() {
            items.push(format!(r#"{{"id":"{}","location":{{"displayName":"Room"}},"start":{},"end":{},"{property}":{value}}}"#, items.len(), time("2026-10-01T08:00:00"), time("2026-10-01T09:00:00")));
        }
    }
    let count = items.len();
    let world = World::new(shows(items)).await;
    assert_eq!(world.sync_calendar().await.unwrap() as usize, count);
    let events = world.events().await;
    assert_eq!(events.len(), count);
    let of = |property: &str| properties.iter().position(|one| *one == property).unwrap();
    for event in events {
        let property = event.graph_id.parse::<usize>().unwrap() / odd_values().len();
        assert!(event.location.as_deref() == Some("Room") || property == of("location"), "{event:?}");
        assert_eq!(event.kind, EventKind::Single, "{event:?}");
    }
}

#[tokio::test]
async fn times_at_the_ends_of_the_calendar_are_stored_and_can_be_shown() {
    let first = "0001-01-01T00:00:00Z";
    let last = "9999-12-30T00:00:00Z";
    let cases = [
        // Outside of the view.
        ("0001-01-01T00:00:00.0000000", "0001-01-01T00:00:00.0000000", None),
        ("9999-12-31T23:59:59", "9999-12-31T23:59:59", None),
        ("0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999", Some((first, last))),
        ("2026-10-01T08:00:00", "9999-12-31T00:00:00.0000000", Some(("2026-10-01T08:00:00Z", last))),
        ("2026-10-01T08:00:00", "0001-01-01T00:00:00", Some(("2026-10-01T08:00:00Z", "2026-10-01T08:00:00Z"))),
        ("2026-10-01T08:00:60", "2026-10-01T09:00:00", Some(("2026-10-01T08:00:59Z", "2026-10-01T09:00:00Z"))),
        ("-009999-01-01T00:00:00", "2026-10-01T09:00:00", None),
        ("0000-01-01T00:00:00", "2026-10-01T09:00:00", None),
        ("10000-01-01T00:00:00", "10000-01-01T00:00:00", None),
        ("2026-02-30T08:00:00", "2026-10-01T09:00:00", None),
        ("2026-10-01", "2026-10-02", None),
        ("", "", None),
    ];
    let mut items = vec![event("other", "Other").to_string()];
    for (n, (start, end, _)) in cases.iter().enumerate() {
        for is_all_day in [false, true] {
            items.push(json!({ "id": format!("{n} {is_all_day}"), "subject": "E", "isAllDay": is_all_day, "start": time(start), "end": time(end) }).to_string());
        }
    }
    let world = World::new(shows(items)).await;
    world.sync_calendar().await.unwrap();
    let all = world.events().await;
    let of = |id: &str| all.iter().find(|one| one.graph_id == id);
    assert!(of("other").is_some());
    for (n, (start, end, wanted)) in cases.into_iter().enumerate() {
        let (found, day) = (of(&format!("{n} false")), of(&format!("{n} true")));
        let shown = found.map(|one| (rfc3339::to_text(one.start_at), rfc3339::to_text(one.end_at)));
        assert_eq!(shown, wanted.map(|(start, end)| (start.to_owned(), end.to_owned())), "{start} {end}");
        assert_eq!(day.is_some(), wanted.is_some(), "{start} {end}");
        if let Some(day) = day {
            assert!(day.start_date.is_some() && day.start_date <= day.end_date, "{day:?}");
            assert!(day.start_at <= day.end_at && !rfc3339::to_text(day.end_at).is_empty(), "{day:?}");
        }
    }
}

#[tokio::test]
async fn zones_that_nobody_knows_take_no_event_away() {
    for zone in [json!(null), json!(7), json!("Mars Standard Time"), json!("tzone://Microsoft/Custom"), json!("\u{0}"), json!("z".repeat(100_000)), json!({})] {
        let mut item = event("e", "E");
        (item["originalStartTimeZone"], item["originalEndTimeZone"]) = (zone.clone(), zone.clone());
        // The time itself in a zone that was not asked for is none.
        let mut other = event("f", "F");
        other["start"]["timeZone"] = "Mars Standard Time".into();
        let world = World::new(shows(vec![other.to_string(), item.to_string()])).await;
        assert_eq!(world.sync_calendar().await.unwrap(), 1);
        assert_eq!(world.subjects().await, ["E"]);
    }
}

#[tokio::test]
async fn what_is_large_is_kept_whole() {
    let people: Vec<Value> = (0..10_000).map(|n| json!({ "type": "required", "emailAddress": { "name": "N", "address": format!("a{n}@contoso.com") } })).collect();
    let mut many = event("many", "Many");
    many["attendees"] = people.into();
    let world = World::new(shows(vec![many.to_string(), event("long", &"s".repeat(1 << 20)).to_string(), event("nul", "\u{0}\u{202e}").to_string()])).await;
    assert_eq!(world.sync_calendar().await.unwrap(), 3);
    let all = world.events().await;
    assert_eq!(all.iter().map(|one| one.attendees.len()).max(), Some(10_000));
    assert_eq!(all.iter().map(|one| one.subject.len()).max(), Some(1 << 20));
}

#[tokio::test]
async fn a_series_that_cannot_be_asked_for_stops_nobody() {
    let part = |id: &str, master: Value| json!({ "id": id, "type": "occurrence", "seriesMasterId": master, "start": time("2026-10-01T08:00:00"), "end": time("2026-10-01T09:00:00") }).to_string();
    let masters = [json!("m".repeat(10_000)), json!(""), json!("."), json!(".."), json!("a\u{0}b"), json!("a\nb"), json!(7), json!(null), json!({}), json!("own")];
    let mut items: Vec<String> = masters.iter().enumerate().map(|(n, master)| part(&n.to_string(), master.clone())).collect();
    items.extend([part("own", json!("own")), event("last", "Last").to_string()]);
    let count = items.len();
    // Of a series that is shown to be an occurrence of another one, and so on.
    let world = World::new(knows(items, move |id| (200, json!({ "id": id, "type": "occurrence", "seriesMasterId": format!("{id}+"), "start": time("2026-10-01T08:00:00"), "end": time("2026-10-01T09:00:00") }).to_string()))).await;
    world.sync_calendar().await.unwrap();
    let events = world.events().await;
    assert!(events.len() >= count && events.iter().any(|one| one.subject == "Last"), "{}", events.len());
}

#[tokio::test]
async fn one_that_cannot_be_told_of_is_kept_and_the_others_are_followed() {
    let all = |ids: &[&str]| ids.iter().map(|id| event(id, id).to_string()).collect::<Vec<_>>();
    for (status, body, is_error) in [
        (500, r#"{"error":{"code":"InternalServerError"}}"#.to_owned(), true),
        (403, r#"{"error":{"code":"ErrorAccessDenied"}}"#.to_owned(), true),
        (400, r#"{"error":{"code":"ErrorInvalidIdMalformed"}}"#.to_owned(), false),
        (200, event("A", "Another").to_string(), true),
        (200, r#"{"id":"a"}"#.to_owned(), false),
        (200, "7".to_owned(), false),
        (200, removed("a"), false),
    ] {
        let world = World::new(shows(all(&["a", "b", "c"]))).await;
        world.sync_calendar().await.unwrap();
        let answer = (status, body.clone());
        let page = vec![removed("a"), removed("b"), event("d", "d").to_string()];
        world.becomes(knows(page, move |id| if id == "a" { answer.clone() } else { (404, r#"{"error":{"code":"ErrorItemNotFound"}}"#.to_owned()) }));
        let outcome = world.sync_calendar().await;
        assert_eq!(outcome.is_err(), is_error, "{status} {body}: {outcome:?}");
        assert_eq!(world.subjects().await, ["a", "c", "d"], "{status} {body}");
        if is_error {
            assert!(matches!(outcome.unwrap_err().kind(), ErrorKind::Upstream | ErrorKind::Forbidden));
        }
        world.becomes(shows(vec![]));
        world.sync_calendar().await.unwrap();
    }
}

#[tokio::test]
async fn the_last_word_of_a_page_counts() {
    let is_there = |id: &str| (200, event(id, "By id").to_string());
    for (items, there, left) in [
        (vec![event("a", "A").to_string(), removed("a")], false, vec![]),
        (vec![event("a", "A").to_string(), removed("a")], true, vec!["By id"]),
        (vec![removed("a"), event("a", "A").to_string()], false, vec!["A"]),
        (vec![removed("a"), removed("A"), removed("a")], false, vec![]),
        (vec![event("a", "A").to_string(), event("a", "B").to_string(), event("A", "C").to_string()], false, vec!["B", "C"]),
    ] {
        let world = World::new(shows(vec![event("a", "Before").to_string()])).await;
        world.sync_calendar().await.unwrap();
        world.becomes(knows(items.clone(), move |id| if there { is_there(id) } else { (404, r#"{"error":{"code":"ErrorItemNotFound"}}"#.to_owned()) }));
        world.sync_calendar().await.unwrap();
        assert_eq!(world.subjects().await, left, "{items:?}");
    }
}
