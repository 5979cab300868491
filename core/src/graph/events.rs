//! Events of the default calendar: what changed in a view of it since a link, and single events. Source: Graph, event: delta, Get event.
//!
//! A view takes no `$select`, and shows occurrences of a series without anything but their times: the rest is their master's (microsoft-graph-docs#7632).
//! Times come in UTC, which is asked for; the zone of the event is a name beside them.

use super::batch::Item;
use super::changes::ChangesAnswer;
use super::wire::{self, Recipient};
use super::{Caller, Graph, fault, segment, windows_zones};
use crate::clock::{from_ms, to_ms};
use crate::error::{Error, ErrorKind, Result};
use crate::foreign::Proofs;
use crate::json::lenient;
use crate::model::{Attendee, AttendeeAnswer, AttendeeKind, CalendarEvent, EventKind, Sensitivity, ShowAs, rfc3339};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

const EVENT: &str = "id,subject,bodyPreview,start,end,originalStartTimeZone,originalEndTimeZone,isAllDay,isCancelled,isOrganizer,onlineMeeting,\
onlineMeetingUrl,location,organizer,attendees,type,seriesMasterId,showAs,sensitivity,categories,webLink,lastModifiedDateTime";
/// How their times are written.
const PREFERRED: &str = "outlook.timezone=\"UTC\", ";
const DAY_MS: i64 = 86_400_000;
/// The beginning of the year 1: what lies before is no time of a calendar.
const FIRST_MS: i64 = -62_135_596_800_000;
/// The last whole day that every language has a time for, in whatever zone. Microsoft writes the end of the year 9999 for "for ever".
const LAST_DAY_MS: i64 = 253_402_128_000_000;
/// What begins like that is "for ever".
const FOR_EVER: &str = "9999-12-3";

/// An event as Microsoft shows it, without what only this store knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphEvent {
    pub event: CalendarEvent,
    /// What the occurrences of a series have in common; no event by itself.
    pub is_master: bool,
    /// An occurrence of which nothing is said but when it is.
    pub is_part: bool,
}

#[derive(Debug)]
pub enum EventItem {
    Event(Box<GraphEvent>),
    Removed { id: String },
    /// Of no usable form.
    Unreadable,
}

/// Whether an event is there.
#[derive(Debug)]
pub enum EventProof {
    Here(Box<GraphEvent>),
    Gone,
    Unreadable,
    /// It cannot be told now.
    Failed(Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEvent {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(rename = "@removed", default)]
    removed: Option<serde::de::IgnoredAny>,
    #[serde(rename = "type", default, deserialize_with = "lenient::scalar")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    series_master_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::present")]
    subject: Option<Option<String>>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    body_preview: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    start: Option<WireTime>,
    #[serde(default, deserialize_with = "lenient::object")]
    end: Option<WireTime>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    original_start_time_zone: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    original_end_time_zone: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_all_day: Option<bool>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_cancelled: Option<bool>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    is_organizer: Option<bool>,
    #[serde(default, deserialize_with = "lenient::object")]
    online_meeting: Option<WireMeeting>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    online_meeting_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    location: Option<WireLocation>,
    #[serde(default, deserialize_with = "lenient::object")]
    organizer: Option<Recipient>,
    #[serde(default, deserialize_with = "lenient::objects")]
    attendees: Vec<WireAttendee>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    show_as: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    sensitivity: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalars")]
    categories: Vec<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    web_link: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    last_modified_date_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTime {
    #[serde(default, deserialize_with = "lenient::scalar")]
    date_time: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    time_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMeeting {
    #[serde(default, deserialize_with = "lenient::scalar")]
    join_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLocation {
    #[serde(default, deserialize_with = "lenient::scalar")]
    display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAttendee {
    #[serde(flatten)]
    recipient: Recipient,
    #[serde(rename = "type", default, deserialize_with = "lenient::scalar")]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient::object")]
    status: Option<WireStatus>,
}

#[derive(Deserialize)]
struct WireStatus {
    #[serde(default, deserialize_with = "lenient::scalar")]
    response: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    time: Option<String>,
}

fn small(text: Option<&String>) -> String {
    text.map(|text| text.to_ascii_lowercase()).unwrap_or_default()
}

impl WireTime {
    /// None: it is no time, or one in a zone that was not asked for.
    fn at(&self) -> Option<SystemTime> {
        let text = self.date_time.as_deref()?.trim();
        let is_utc = self.time_zone.as_deref().is_none_or(|zone| windows_zones::iana(zone).is_some_and(|zone| matches!(zone.as_str(), "Etc/UTC" | "Etc/GMT" | "GMT")));
        if text.starts_with(FOR_EVER) {
            return Some(from_ms(LAST_DAY_MS));
        }
        let at = rfc3339::from_text(text).or_else(|| if is_utc { rfc3339::from_text(&format!("{text}Z")) } else { None })?;
        (to_ms(at) >= FIRST_MS).then_some(at)
    }
}

/// Days have no zone. Should one have been moved into UTC all the same, its midnight is the nearest.
fn day(at: SystemTime) -> SystemTime {
    let midnight = to_ms(at).saturating_add(DAY_MS / 2).div_euclid(DAY_MS).saturating_mul(DAY_MS);
    from_ms(midnight.clamp(FIRST_MS, LAST_DAY_MS))
}

/// None: it names nobody.
fn attendee(wire: WireAttendee) -> Option<Attendee> {
    let address = wire.recipient.address()?;
    let kind = match small(wire.kind.as_ref()).as_str() {
        "optional" => AttendeeKind::Optional,
        "resource" => AttendeeKind::Resource,
        _ => AttendeeKind::Required,
    };
    let answer = match small(wire.status.as_ref().and_then(|status| status.response.as_ref())).as_str() {
        "organizer" => AttendeeAnswer::Organizer,
        "accepted" => AttendeeAnswer::Accepted,
        "tentativelyaccepted" => AttendeeAnswer::Tentative,
        "declined" => AttendeeAnswer::Declined,
        _ => AttendeeAnswer::None,
    };
    // Microsoft writes the year 1 for never.
    let answered_at = wire.status.and_then(|status| status.time).as_deref().and_then(wire::time);
    Some(Attendee { address, kind, answer, answered_at })
}

impl WireEvent {
    fn read(self) -> EventItem {
        if self.removed.is_some() {
            return EventItem::Removed { id: self.id };
        }
        let (Some(start), Some(end)) = (self.start.as_ref().and_then(WireTime::at), self.end.as_ref().and_then(WireTime::at)) else { return EventItem::Unreadable };
        let kind = small(self.kind.as_ref());
        let (is_master, series_id) = (kind == "seriesmaster", self.series_master_id.filter(|id| wire::is_id(id)));
        let kind = match kind.as_str() {
            "occurrence" if series_id.is_some() => EventKind::Occurrence,
            "exception" if series_id.is_some() => EventKind::Exception,
            _ => EventKind::Single,
        };
        let is_part = kind != EventKind::Single && self.subject.is_none();
        let is_all_day = self.is_all_day.unwrap_or_default();
        let event = CalendarEvent {
            id: String::new(),
            account_id: String::new(),
            graph_id: self.id,
            kind,
            series_id: series_id.filter(|_| kind != EventKind::Single),
            subject: self.subject.flatten().unwrap_or_default(),
            preview: self.body_preview.unwrap_or_default(),
            start_at: start,
            end_at: end.max(start),
            is_all_day,
            start_date: None,
            end_date: None,
            start_time_zone: self.original_start_time_zone.as_deref().and_then(windows_zones::iana),
            end_time_zone: self.original_end_time_zone.as_deref().and_then(windows_zones::iana),
            location: wire::told(self.location.and_then(|location| location.display_name)),
            organizer: self.organizer.and_then(Recipient::address),
            is_organizer: self.is_organizer.unwrap_or_default(),
            attendees: self.attendees.into_iter().filter_map(attendee).collect(),
            online_meeting_url: wire::told(self.online_meeting.and_then(|meeting| meeting.join_url)).or_else(|| wire::told(self.online_meeting_url)),
            is_cancelled: self.is_cancelled.unwrap_or_default(),
            show_as: match small(self.show_as.as_ref()).as_str() {
                "free" => ShowAs::Free,
                "tentative" => ShowAs::Tentative,
                "busy" => ShowAs::Busy,
                "oof" => ShowAs::OutOfOffice,
                "workingelsewhere" => ShowAs::WorkingElsewhere,
                _ => ShowAs::Unknown,
            },
            sensitivity: match small(self.sensitivity.as_ref()).as_str() {
                "personal" => Sensitivity::Personal,
                "private" => Sensitivity::Private,
                "confidential" => Sensitivity::Confidential,
                _ => Sensitivity::Normal,
            },
            categories: self.categories,
            web_link: wire::told(self.web_link),
            changed_at: self.last_modified_date_time.as_deref().and_then(wire::time),
        };
        EventItem::Event(Box::new(GraphEvent { event, is_master, is_part }))
    }
}

impl GraphEvent {
    /// Whole: an occurrence with what it has of its master, and days where it lasts all day.
    pub fn whole(self, master: Option<Self>) -> CalendarEvent {
        let own = self.event;
        let mut event = match master.filter(|_| self.is_part) {
            None => own,
            Some(master) => CalendarEvent { graph_id: own.graph_id, kind: own.kind, series_id: own.series_id, start_at: own.start_at, end_at: own.end_at, ..master.event },
        };
        if event.is_all_day {
            (event.start_at, event.end_at) = (day(event.start_at), day(event.end_at));
            let last = from_ms((to_ms(event.end_at) - DAY_MS).max(to_ms(event.start_at)));
            let date = |at: SystemTime| rfc3339::to_text(at).get(..10).map(str::to_owned);
            (event.start_date, event.end_date) = (date(event.start_at), date(last));
        }
        event
    }
}

pub(super) fn item(raw: &str, proofs: &Proofs) -> EventItem {
    match wire::item::<WireEvent>(raw) {
        // Ids that are stored in clear repeat what proves who we are.
        Some(event) if !proofs.are_in(&event.id) && !event.series_master_id.as_ref().is_some_and(|id| proofs.are_in(id)) => event.read(),
        _ => EventItem::Unreadable,
    }
}

impl Graph {
    /// A page of what changed in the view from `start` to `end` since `link`; from the beginning without one.
    pub async fn calendar_changes(&self, caller: &Caller, (start, end): (SystemTime, SystemTime), link: Option<&str>) -> Result<ChangesAnswer<EventItem>> {
        let first = self.url(&self.path(caller, "calendarView/delta").await?, &[("startDateTime", &rfc3339::to_text(start)), ("endDateTime", &rfc3339::to_text(end))])?;
        self.changes(caller, &first, link, PREFERRED, "events", item).await
    }

    /// What is there of these, twenty a request, in their order. What is wrong with one of them is told of that one.
    pub async fn events_by_id(&self, caller: &Caller, ids: &[String]) -> Result<Vec<EventProof>> {
        let place = self.place(caller).await?;
        let paths = ids.iter().map(|id| Ok(format!("/{place}/events/{}?$select={EVENT}", segment(id)?))).collect::<Result<Vec<_>>>()?;
        let mut proofs = Vec::with_capacity(ids.len());
        for (id, answer) in ids.iter().zip(self.batch_get(caller, &paths, fault::is_absent).await?) {
            proofs.push(match answer {
                Item::Absent => EventProof::Gone,
                Item::Failed(error) if error.kind() == ErrorKind::InvalidInput => EventProof::Unreadable,
                Item::Failed(error) => EventProof::Failed(error),
                Item::Found(text, secrets) => match item(&text, &secrets) {
                    EventItem::Event(event) if event.event.graph_id == *id => EventProof::Here(event),
                    EventItem::Event(_) => EventProof::Failed(Error::new(ErrorKind::Upstream, "Microsoft showed another event than the one that was asked for. Try again later.").on_account(&caller.account_id)),
                    EventItem::Removed { .. } | EventItem::Unreadable => EventProof::Unreadable,
                },
            });
        }
        Ok(proofs)
    }
}

#[cfg(test)]
#[path = "tests/events.rs"]
mod tests;
