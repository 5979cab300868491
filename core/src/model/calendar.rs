use super::draft::Address;
use super::rfc3339;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// `Single`: happens once. `Occurrence`: one of a series, as the series is. `Exception`: one of a series that was changed by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    #[default]
    Single,
    Occurrence,
    Exception,
}

/// What others see of the person's time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShowAs {
    Free,
    Tentative,
    Busy,
    OutOfOffice,
    WorkingElsewhere,
    #[default]
    Unknown,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    #[default]
    Normal,
    Personal,
    Private,
    Confidential,
}

/// What somebody who is invited has answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttendeeAnswer {
    #[default]
    None,
    Organizer,
    Accepted,
    Tentative,
    Declined,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttendeeKind {
    #[default]
    Required,
    Optional,
    /// A room or a thing.
    Resource,
}

/// Somebody who is invited, or a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    pub address: Address,
    pub kind: AttendeeKind,
    pub answer: AttendeeAnswer,
    #[serde(with = "rfc3339::option")]
    pub answered_at: Option<SystemTime>,
}

/// An event of the default calendar of a mailbox, as it was at the last sync. Of a series each occurrence is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarEvent {
    pub id: String,
    pub account_id: String,
    /// Microsoft's immutable id.
    pub graph_id: String,
    pub kind: EventKind,
    /// Microsoft's id of the series; none of one that happens once.
    pub series_id: Option<String>,
    pub subject: String,
    /// The beginning of the text.
    pub preview: String,
    /// Of one that lasts all day midnight UTC of its first day, whatever the zone: show `start_date`.
    #[serde(with = "rfc3339")]
    pub start_at: SystemTime,
    /// When it is over; of one that lasts all day midnight UTC after its last day.
    #[serde(with = "rfc3339")]
    pub end_at: SystemTime,
    pub is_all_day: bool,
    /// First day of one that lasts all day, as `2026-03-02`, which is no other day in another zone; else none.
    pub start_date: Option<String>,
    /// Last day of one that lasts all day.
    pub end_date: Option<String>,
    /// The zone the event was made in, as IANA calls it (`Europe/Berlin`); a name that is no zone of Windows as Microsoft gives it; none for a zone that
    /// somebody made up. `start_at` is right in any case.
    pub start_time_zone: Option<String>,
    pub end_time_zone: Option<String>,
    pub location: Option<String>,
    pub organizer: Option<Address>,
    /// It is the person's own.
    pub is_organizer: bool,
    pub attendees: Vec<Attendee>,
    /// Opens the online meeting.
    pub online_meeting_url: Option<String>,
    /// The organiser called it off; it stays until the person removes it.
    pub is_cancelled: bool,
    pub show_as: ShowAs,
    pub sensitivity: Sensitivity,
    pub categories: Vec<String>,
    /// Opens it in Outlook on the web.
    pub web_link: Option<String>,
    /// When it, or the series it is of, was changed last.
    #[serde(with = "rfc3339::option")]
    pub changed_at: Option<SystemTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarQuery {
    /// Those that are not over by then.
    #[serde(with = "rfc3339")]
    pub starting: SystemTime,
    /// Those that begin before.
    #[serde(with = "rfc3339")]
    pub ending: SystemTime,
    /// Whose events: of all accounts of an owner, or of one account. One of them is needed; with both, the account must be the owner's.
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub account_id: Option<String>,
    /// 1 to 500.
    #[serde(default = "fifty")]
    pub limit: u32,
    /// `next` of the page before; good for the same owner, account and times.
    #[serde(default)]
    pub cursor: Option<String>,
}

fn fifty() -> u32 {
    50
}

/// In the order in which they begin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarPage {
    pub items: Vec<CalendarEvent>,
    /// Cursor of the next page; none at the end.
    pub next: Option<String>,
}
