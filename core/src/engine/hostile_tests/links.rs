//! Pages that lead nowhere: to themselves, in a circle, away, or on and on.

use super::*;
use crate::error::ErrorKind;

/// Of what is synced by rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Contacts,
    Events,
}

impl Part {
    fn list(self) -> &'static str {
        if self == Self::Contacts { "me/contacts/delta" } else { "me/calendarView/delta" }
    }

    fn item(self, id: &str) -> Value {
        match self {
            Self::Contacts => json!({ "id": id, "changeKey": "1", "displayName": id }),
            Self::Events => {
                let at = json!({ "dateTime": "2026-10-01T08:00:00", "timeZone": "UTC" });
                json!({ "id": id, "subject": id, "type": "singleInstance", "start": at, "end": at })
            }
        }
    }

    async fn sync(self, world: &World) -> Result<u32> {
        if self == Self::Contacts { world.sync_contacts().await } else { world.sync_calendar().await }
    }

    async fn here(self, world: &World) -> Vec<String> {
        if self == Self::Contacts { world.names().await } else { world.subjects().await }
    }

    /// `page` is asked with the number in the link; none: the beginning.
    fn answers(self, page: impl Fn(Option<usize>) -> Value + Send + Sync + 'static) -> impl Fn(&Seen) -> Answer + Send + Sync {
        move |request| {
            let path = request.uri().path();
            if path == "/v1.0/me/contactFolders" {
                return list(&[]);
            }
            if path == "/v1.0/$batch" {
                let body: Value = serde_json::from_slice(request.body()).unwrap();
                let answers = body["requests"].as_array().unwrap().iter().map(|asked| {
                    let id = asked["url"].as_str().unwrap().trim_start_matches("/me/events/").split('?').next().unwrap().to_owned();
                    json!({ "id": asked["id"], "status": 200, "body": self.item(&id) })
                });
                return says(200, json!({ "responses": answers.collect::<Vec<_>>() }).to_string());
            }
            assert_eq!(path, format!("/v1.0/{}", self.list()));
            let at = request.uri().query().unwrap_or_default().split_once("token=").map(|(_, n)| n.parse().unwrap());
            match page(at) {
                Value::String(text) => says(200, text),
                page => says(200, page.to_string()),
            }
        }
    }

    fn link(self, n: usize) -> String {
        format!("{ROOT}{}?$skiptoken={n}", self.list())
    }

    fn next(self, id: &str, n: usize) -> Value {
        json!({ "value": [self.item(id)], "@odata.nextLink": self.link(n) })
    }

    fn last(self, id: &str) -> Value {
        json!({ "value": [self.item(id)], "@odata.deltaLink": format!("{ROOT}{}?$deltatoken=1000", self.list()) })
    }
}

type Page = fn(Part, usize) -> Value;

/// A second page of each kind that leads nowhere, with the error it makes.
fn nowhere() -> Vec<(&'static str, ErrorKind, Page)> {
    vec![
        ("to itself", ErrorKind::Upstream, |part, n| part.next("b", n)),
        ("in a circle", ErrorKind::Upstream, |part, n| part.next("b", [2, 3, 1][n % 3])),
        ("to another host", ErrorKind::LinkRejected, |part, _| json!({ "value": [part.item("b")], "@odata.nextLink": format!("https://evil.example/v1.0/{}?$skiptoken=1", part.list()) })),
        ("to another list", ErrorKind::LinkRejected, |part, _| json!({ "value": [part.item("b")], "@odata.deltaLink": format!("{ROOT}me/messages?$skiptoken=1") })),
        ("both on and to the end", ErrorKind::Upstream, |part, _| json!({ "value": [part.item("b")], "@odata.nextLink": part.link(2), "@odata.deltaLink": part.link(3) })),
        ("neither", ErrorKind::Upstream, |part, _| json!({ "value": [part.item("b")] })),
        ("a link that is none", ErrorKind::Upstream, |part, _| json!({ "value": [part.item("b")], "@odata.nextLink": { "a": [] } })),
        ("no list", ErrorKind::Upstream, |part, n| json!({ "@odata.nextLink": part.link(n + 1) })),
        ("null for a list", ErrorKind::Upstream, |part, n| json!({ "value": null, "@odata.nextLink": part.link(n + 1) })),
        ("an object for a list", ErrorKind::Upstream, |part, n| json!({ "value": {}, "@odata.nextLink": part.link(n + 1) })),
        ("no JSON", ErrorKind::Upstream, |_, _| Value::String("<html>".into())),
        ("a page that is cut off", ErrorKind::Upstream, |part, _| Value::String(part.last("b").to_string()[..40].to_owned())),
        ("on and on with what was shown", ErrorKind::Upstream, |part, n| part.next("b", n + 1)),
        ("on and on with nothing", ErrorKind::Upstream, |part, n| json!({ "value": [], "@odata.nextLink": part.link(n + 1) })),
    ]
}

/// The first page is a good one; the ones behind it lead nowhere. What came is stored, and all of it once the service is well.
async fn a_round_that_leads_nowhere(part: Part, half: usize) {
    for (what, kind, page) in nowhere().into_iter().skip(half).step_by(2) {
        let world = World::new(part.answers(move |at| at.map_or_else(|| part.next("a", 1), |n| page(part, n)))).await;
        // The second time it goes on from where it stood.
        for attempt in 0..2 {
            let before = world.service.calls();
            assert_eq!(part.sync(&world).await.unwrap_err().kind(), kind, "{part:?} {what} {attempt}");
            assert!(part.here(&world).await.contains(&"a".to_owned()), "{part:?} {what}");
            assert!(world.service.calls() - before < 120, "{part:?} {what}: {} requests", world.service.calls() - before);
        }
        world.becomes(part.answers(move |at| if at.is_none() { part.next("a", 1) } else { part.last("c") }));
        part.sync(&world).await.unwrap();
        assert!(part.here(&world).await.ends_with(&["c".to_owned()]), "{part:?} {what}");
    }
}

#[tokio::test]
async fn a_round_of_contacts_that_leads_nowhere_is_told_and_goes_on_once_it_can() {
    a_round_that_leads_nowhere(Part::Contacts, 0).await;
}

#[tokio::test]
async fn a_round_of_contacts_that_leads_nowhere_is_told_and_goes_on_once_it_can_in_other_ways() {
    a_round_that_leads_nowhere(Part::Contacts, 1).await;
}

#[tokio::test]
async fn a_round_of_events_that_leads_nowhere_is_told_and_goes_on_once_it_can() {
    a_round_that_leads_nowhere(Part::Events, 0).await;
}

#[tokio::test]
async fn a_round_of_events_that_leads_nowhere_is_told_and_goes_on_once_it_can_in_other_ways() {
    a_round_that_leads_nowhere(Part::Events, 1).await;
}

/// The stored link of a complete round leads nowhere; from the beginning everything is well.
async fn a_stored_link_that_leads_nowhere(part: Part, half: usize) {
    for (what, _, page) in nowhere().into_iter().skip(half).step_by(2) {
        let world = World::new(part.answers(move |at| if at.is_none() { part.last("a") } else { page(part, 1) })).await;
        part.sync(&world).await.unwrap();
        world.becomes(part.answers(move |at| at.map_or_else(|| part.last("c"), |n| page(part, n + 1))));
        // What is stored is a delta link, whose page may lead to a good one for a while.
        part.sync(&world).await.unwrap_or_else(|error| panic!("{part:?} {what}: {error:?}"));
        assert!(part.here(&world).await.contains(&"c".to_owned()), "{part:?} {what}");
    }
}

#[tokio::test]
async fn a_stored_link_of_contacts_that_leads_nowhere_is_given_up_at_once() {
    a_stored_link_that_leads_nowhere(Part::Contacts, 0).await;
}

#[tokio::test]
async fn a_stored_link_of_contacts_that_leads_nowhere_is_given_up_at_once_in_other_ways() {
    a_stored_link_that_leads_nowhere(Part::Contacts, 1).await;
}

#[tokio::test]
async fn a_stored_link_of_events_that_leads_nowhere_is_given_up_at_once() {
    a_stored_link_that_leads_nowhere(Part::Events, 0).await;
}

#[tokio::test]
async fn a_stored_link_of_events_that_leads_nowhere_is_given_up_at_once_in_other_ways() {
    a_stored_link_that_leads_nowhere(Part::Events, 1).await;
}

#[tokio::test]
async fn a_link_that_is_refused_in_whatever_words_is_lost() {
    for part in [Part::Contacts, Part::Events] {
        for (status, body) in [(400, r#"{"error":{"code":"ErrorInvalidUrlQuery"}}"#), (400, "?"), (410, ""), (404, r#"{"error":{"code":"SyncStateNotFound"}}"#)] {
            let world = World::new(part.answers(move |_| part.last("a"))).await;
            part.sync(&world).await.unwrap();
            let well = part.answers(move |_| part.last("b"));
            world.becomes(move |request| if request.uri().query().unwrap_or_default().contains("token") { says(status, body) } else { well(request) });
            part.sync(&world).await.unwrap();
            assert!(part.here(&world).await.contains(&"b".to_owned()), "{part:?} {status} {body}");
        }
    }
}
