//! Events as they come, and what is made of them.

use super::*;

fn read(json: &str) -> GraphEvent {
    let EventItem::Event(event) = wire::item::<WireEvent>(json).unwrap().read() else { panic!("{json}") };
    *event
}

fn at(text: &str) -> SystemTime {
    rfc3339::from_text(text).unwrap()
}

const TIMES: &str = r#""start":{"dateTime":"2026-03-02T08:00:00.0000000","timeZone":"UTC"},"end":{"dateTime":"2026-03-02T09:30:00.0000000","timeZone":"UTC"}"#;

#[test]
fn an_event_is_read_with_its_times_in_utc_and_its_own_zone_beside_them() {
    let json = format!(
        r##"{{"id":"e","type":"singleInstance","subject":"Talk","bodyPreview":"About it","isAllDay":false,{TIMES},"originalStartTimeZone":"W. Europe Standard Time","originalEndTimeZone":"tzone://Microsoft/Custom",
        "location":{{"displayName":"Room 1"}},"organizer":{{"emailAddress":{{"name":"Adele","address":"adele@contoso.com"}}}},"isOrganizer":true,
        "attendees":[{{"type":"optional","status":{{"response":"declined","time":"2026-03-01T00:00:00Z"}},"emailAddress":{{"address":"ann@fabrikam.com"}}}},{{"type":"resource","status":{{"response":"none","time":"0001-01-01T00:00:00Z"}},"emailAddress":{{"name":"Room 1"}}}},7],
        "onlineMeeting":{{"joinUrl":"https://teams.microsoft.com/l/x"}},"showAs":"oof","sensitivity":"private","lastModifiedDateTime":"2026-02-01T00:00:00Z"}}"##
    );
    let event = read(&json).whole(None);
    assert_eq!((event.start_at, event.end_at), (at("2026-03-02T08:00:00Z"), at("2026-03-02T09:30:00Z")));
    assert_eq!((event.start_time_zone.as_deref(), event.end_time_zone, event.start_date), (Some("Europe/Berlin"), None, None));
    assert_eq!((event.location.as_deref(), event.show_as, event.sensitivity, event.is_organizer), (Some("Room 1"), ShowAs::OutOfOffice, Sensitivity::Private, true));
    assert_eq!(event.online_meeting_url.as_deref(), Some("https://teams.microsoft.com/l/x"));
    let answers: Vec<_> = event.attendees.iter().map(|one| (one.kind, one.answer, one.answered_at.is_some())).collect();
    assert_eq!(answers, [(AttendeeKind::Optional, AttendeeAnswer::Declined, true), (AttendeeKind::Resource, AttendeeAnswer::None, false)]);
}

#[test]
fn days_stay_days_whatever_the_zone() {
    let event = |start: &str, end: &str| {
        let json = format!(r#"{{"id":"e","subject":"Fair","isAllDay":true,"start":{{"dateTime":"{start}","timeZone":"UTC"}},"end":{{"dateTime":"{end}","timeZone":"UTC"}}}}"#);
        let event = read(&json).whole(None);
        (rfc3339::to_text(event.start_at), event.start_date.unwrap(), event.end_date.unwrap())
    };
    let whole = ("2026-03-02T00:00:00Z".to_owned(), "2026-03-02".to_owned(), "2026-03-03".to_owned());
    assert_eq!(event("2026-03-02T00:00:00.0000000", "2026-03-04T00:00:00.0000000"), whole);
    // Midnight of Berlin and of Los Angeles, as UTC has it.
    assert_eq!(event("2026-03-01T23:00:00", "2026-03-03T23:00:00"), whole);
    assert_eq!(event("2026-03-02T08:00:00", "2026-03-04T08:00:00"), whole);
}

#[test]
fn an_occurrence_takes_what_it_lacks_from_its_master() {
    let master = read(&format!(r#"{{"id":"m","type":"seriesMaster","subject":"Weekly","isAllDay":false,{TIMES},"showAs":"busy"}}"#));
    assert!(master.is_master && !master.is_part);
    let part = read(r#"{"id":"o","type":"occurrence","seriesMasterId":"m","start":{"dateTime":"2026-03-09T08:00:00.0000000","timeZone":"UTC"},"end":{"dateTime":"2026-03-09T09:30:00.0000000","timeZone":"UTC"}}"#);
    assert!(part.is_part);
    let event = part.whole(Some(master.clone()));
    assert_eq!((event.graph_id.as_str(), event.subject.as_str(), event.kind, event.series_id.as_deref(), event.start_at), ("o", "Weekly", EventKind::Occurrence, Some("m"), at("2026-03-09T08:00:00Z")));
    let exception = read(&format!(r#"{{"id":"x","type":"exception","seriesMasterId":"m","subject":"","isAllDay":false,{TIMES}}}"#));
    assert_eq!(exception.whole(Some(master)).subject, "", "an exception is as it is");
}

#[test]
fn what_has_no_time_is_no_event() {
    for bad in [
        r#"{"id":"e","subject":"x"}"#,
        r#"{"id":"e","start":{"dateTime":"soon","timeZone":"UTC"},"end":{"dateTime":"2026-03-02T08:00:00","timeZone":"UTC"}}"#,
        r#"{"id":"e","start":{"dateTime":"2026-03-02T08:00:00","timeZone":"Pacific Standard Time"},"end":{"dateTime":"2026-03-02T08:00:00","timeZone":"Pacific Standard Time"}}"#,
    ] {
        assert!(matches!(wire::item::<WireEvent>(bad).unwrap().read(), EventItem::Unreadable), "{bad}");
    }
}
