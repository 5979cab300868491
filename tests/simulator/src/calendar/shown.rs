//! Events as Graph shows them.

use super::store::{Calendar, Event, Kind};
use crate::clock::iso;
use crate::schema::EVENT;
use serde_json::{Map, Value, json};

/// `2026-03-02T08:00:00.0000000`, always in UTC.
fn at(ms: i64) -> Value {
    json!({"dateTime": format!("{}.0000000", iso(ms).trim_end_matches('Z')), "timeZone": "UTC"})
}

fn key(event: &Event) -> String {
    format!("DwAAABYAAAD{:016x}", event.change)
}

fn id(event: &Event, immutable: bool) -> &str {
    if immutable { &event.immutable } else { &event.id }
}

fn kind(event: &Event) -> &'static str {
    match event.kind {
        Kind::Single => "singleInstance",
        Kind::Master => "seriesMaster",
        Kind::Occurrence => "occurrence",
        Kind::Exception => "exception",
    }
}

fn series(calendar: &Calendar, event: &Event, immutable: bool) -> Value {
    event.series.and_then(|master| calendar.get(master)).map_or(Value::Null, |master| json!(id(master, immutable)))
}

/// In the delta of a view an occurrence is shown without what it has of its master.
pub fn in_delta(calendar: &Calendar, event: &Event, immutable: bool) -> Value {
    let mut shown = match event.kind {
        Kind::Occurrence => json!({
            "@odata.etag": format!("W/\"{}\"", key(event)), "seriesMasterId": series(calendar, event, immutable), "type": kind(event), "id": id(event, immutable),
            "start": at(event.start), "end": at(event.end),
        }),
        _ => self::event(calendar, event, immutable, &[]),
    };
    shown["@odata.type"] = json!("#microsoft.graph.event");
    shown
}

pub fn event(calendar: &Calendar, event: &Event, immutable: bool, select: &[String]) -> Value {
    let master = event.series.and_then(|master| calendar.get(master));
    let field = |name: &str| event.fields.get(name).or_else(|| master.and_then(|master| master.fields.get(name))).cloned();
    let mut all = Map::new();
    for property in EVENT.properties.iter().filter(|p| p.can.contains('r')) {
        let none = match property.kind {
            kind if kind.starts_with("Collection(") => json!([]),
            "Edm.Boolean" => json!(false),
            _ => Value::Null,
        };
        all.insert(property.name.into(), field(property.name).unwrap_or(none));
    }
    for (name, usual) in [("showAs", "busy"), ("sensitivity", "normal"), ("importance", "normal"), ("subject", ""), ("bodyPreview", "")] {
        all.insert(name.into(), field(name).unwrap_or(json!(usual)));
    }
    let preview = all.get("bodyPreview").cloned().unwrap_or_default();
    let made = json!({
        "@odata.etag": format!("W/\"{}\"", key(event)), "id": id(event, immutable), "changeKey": key(event),
        "createdDateTime": iso(event.created), "lastModifiedDateTime": iso(event.modified),
        "start": at(event.start), "end": at(event.end), "originalStartTimeZone": event.zone, "originalEndTimeZone": event.zone,
        "type": kind(event), "seriesMasterId": series(calendar, event, immutable), "body": {"contentType": "html", "content": preview},
        "iCalUId": format!("040000008200E00074C5B7101A82E008{}", master.map_or(&event.id, |m| &m.id)),
        "webLink": format!("https://outlook.office365.com/owa/?itemid={}&exvsurl=1&path=/calendar/item", crate::http::encode(&event.id)),
    });
    all.extend(made.as_object().cloned().unwrap_or_default());
    let is_wanted = |name: &str| select.is_empty() || name == "id" || name == "@odata.etag" || select.iter().any(|s| s.eq_ignore_ascii_case(name));
    all.retain(|name, _| is_wanted(name));
    Value::Object(all)
}
