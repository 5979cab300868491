use crate::client::*;
use serde_json::{Value, json};

const ADELE: &str = "adele@contoso.com";
const JANUARY: &str = "startDateTime=2026-01-01T00:00:00Z&endDateTime=2026-02-01T00:00:00Z";

async fn adele(world: &World) -> Person<'_> {
    let tokens = world.tokens(ADELE, &format!("{SCOPE} Calendars.Read")).await;
    Person { world, token: tokens["access_token"].as_str().unwrap().into() }
}

async fn add(world: &World, subject: &str, day: &str, more: Value) -> Value {
    let mut ask = json!({"mailbox": ADELE, "start": format!("{day}T09:00:00Z"), "end": format!("{day}T10:00:00Z"), "zone": "W. Europe Standard Time", "set": {"subject": subject}});
    for (name, value) in more.as_object().unwrap() {
        ask[name] = value.clone();
    }
    world.control("/events", ask).await
}

fn subjects(all: &[Value]) -> Vec<&str> {
    all.iter().map(|event| event["subject"].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn a_view_shows_occurrences_whole_and_its_delta_shows_when_they_are() {
    let world = world().await;
    let adele = adele(&world).await;
    add(&world, "Once", "2026-01-02", json!({})).await;
    add(&world, "Weekly", "2026-01-05", json!({"times": 5})).await;
    let shown = adele.get(&format!("/me/calendarView?{JANUARY}&$top=50")).await.json();
    assert_eq!(subjects(shown["value"].as_array().unwrap()), ["Once", "Weekly", "Weekly", "Weekly", "Weekly"]);
    assert_eq!((&shown["value"][1]["originalStartTimeZone"], &shown["value"][1]["start"]), (&json!("W. Europe Standard Time"), &json!({"dateTime": "2026-01-05T09:00:00.0000000", "timeZone": "UTC"})));
    // A page takes no more than was asked for, except that a series is not divided.
    let mut url = format!("/me/calendarView/delta?{JANUARY}");
    for count in [1, 5] {
        let page = adele.try_call("GET", &url, &format!("{IMMUTABLE}, odata.maxpagesize=1"), None).await.unwrap().json();
        assert_eq!(page["value"].as_array().unwrap().len(), count);
        url = page["@odata.nextLink"].as_str().unwrap_or_default().to_owned();
    }
    let (all, link) = adele.round(&format!("/me/calendarView/delta?{JANUARY}"), 50).await;
    assert_eq!(subjects(&all), ["Once", "Weekly", "-", "-", "-", "-"]);
    assert_eq!((&all[1]["type"], &all[2]["type"], &all[2]["seriesMasterId"]), (&json!("seriesMaster"), &json!("occurrence"), &all[1]["id"]));
    assert_eq!(all[2].as_object().unwrap().len(), 7, "{}", all[2]);
    let whole = adele.get(&format!("/me/events/{}", all[2]["id"].as_str().unwrap())).await.json();
    assert_eq!((&whole["subject"], &whole["type"]), (&json!("Weekly"), &json!("occurrence")));
    assert!(adele.round(&link, 50).await.0.is_empty());
}

#[tokio::test]
async fn a_series_is_told_again_as_a_whole_and_its_end_of_its_master_alone() {
    let world = world().await;
    let adele = adele(&world).await;
    let series = add(&world, "Weekly", "2026-01-05", json!({"times": 3})).await;
    let (_, link) = adele.round(&format!("/me/calendarView/delta?{JANUARY}"), 50).await;
    world.control("/events/change", json!({"mailbox": ADELE, "event": "Weekly", "at": "2026-01-12T09:00:00Z", "set": {"subject": "Later"}})).await;
    let (all, link) = adele.round(&link, 50).await;
    assert_eq!(subjects(&all), ["Weekly", "-", "Later", "-"]);
    world.control("/events/delete", json!({"mailbox": ADELE, "event": "Weekly", "at": "2026-01-05T09:00:00Z"})).await;
    let (all, link) = adele.round(&link, 50).await;
    assert_eq!(subjects(&all), ["Weekly", "Later", "-"], "of the one that is gone nothing is said");
    world.control("/events/delete", json!({"mailbox": ADELE, "event": series["id"]})).await;
    let (all, _) = adele.round(&link, 50).await;
    assert_eq!((all.len(), &all[0]["id"], &all[0]["@removed"]["reason"]), (1, &series["id"], &json!("deleted")));
    let gone = adele.get(&format!("/me/events/{}", series["instances"][1].as_str().unwrap())).await;
    assert_eq!(gone.code(), "ErrorItemNotFound");
}

#[tokio::test]
async fn what_is_outside_of_the_view_is_told_as_removed_once_it_changes() {
    let world = world().await;
    let adele = adele(&world).await;
    add(&world, "Spring", "2026-04-01", json!({})).await;
    let (all, link) = adele.round(&format!("/me/calendarView/delta?{JANUARY}"), 50).await;
    assert!(all.is_empty());
    let summer = add(&world, "Summer", "2026-07-01", json!({})).await;
    let (all, _) = adele.round(&link, 50).await;
    assert_eq!((all.len(), &all[0]["id"], all[0]["@removed"].is_object()), (1, &summer["id"], true));
}

#[tokio::test]
async fn a_view_needs_its_window_its_permission_and_takes_no_select() {
    let world = world().await;
    let adele = adele(&world).await;
    assert_eq!(adele.get("/me/calendarView").await.status, 400);
    assert_eq!(adele.get("/me/calendarView?startDateTime=2020-01-01T00:00:00Z&endDateTime=2026-01-01T00:00:00Z").await.status, 400);
    assert_eq!(adele.get(&format!("/me/calendarView/delta?{JANUARY}&$select=subject")).await.code(), "SimulatorLacks");
    assert_eq!(world.person("adele").await.get(&format!("/me/calendarView?{JANUARY}")).await.code(), "ErrorAccessDenied");
}
