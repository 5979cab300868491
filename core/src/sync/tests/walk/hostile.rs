//! Back-fills of hostile mailboxes: dates, counts and links that lead nowhere. Each of them ends, with every message here once.

use super::facts::mail;
use super::*;
use crate::clock::{Clock, to_ms};
use crate::model::{Backfill, BackfillRange, BackfillState, ChangeKind, rfc3339};
use crate::store::{Mailbox, MessageWindow};
use crate::sync::Backfills;
use std::collections::BTreeSet;

const LIST: &str = "/v1.0/me/mailFolders/in/messages";
const DELTA: &str = "/v1.0/me/mailFolders/in/messages/delta";
const HOST: &str = "https://graph.microsoft.com";
const PAGE: usize = 100;

fn dated(id: &str, received: Value) -> Value {
    let mut mail = mail(id, "1", id, "<p>x</p>");
    mail["receivedDateTime"] = received;
    mail
}

fn number(query: &str, name: &str) -> usize {
    query.replace("%24", "$").split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse().ok()).unwrap_or(0)
}

/// A page of these from `skip` on; the next one has the same query.
fn page(mails: &[&Value], path: &str, query: &str, skip: usize) -> Answer {
    let mut answer = json!({ "value": mails.iter().skip(skip).take(PAGE).collect::<Vec<_>>() });
    if skip + PAGE < mails.len() {
        let rest: Vec<&str> = query.split('&').filter(|part| !part.starts_with("$skip=")).collect();
        answer["@odata.nextLink"] = format!("{HOST}{path}?{}&$skip={}", rest.join("&"), skip + PAGE).into();
    }
    says(200, answer.to_string())
}

/// A list of a range, the newest first, as Microsoft makes it.
fn listed(mails: &[Value], query: &str) -> Answer {
    let plain = query.replace("%20", " ").replace("%24", "$");
    let bound = |op: &str| plain.split(['&', '=']).find_map(|part| part.split(" and ").find_map(|one| rfc3339::from_text(one.strip_prefix("receivedDateTime ")?.strip_prefix(op)?.trim())));
    let received = |mail: &Value| mail["receivedDateTime"].as_str().and_then(rfc3339::from_text);
    let (from, to) = (bound("ge"), bound("lt"));
    let is_in = |mail: &&Value| from.is_none_or(|at| received(mail).is_some_and(|own| own >= at)) && to.is_none_or(|at| received(mail).is_some_and(|own| own < at));
    let mut found: Vec<&Value> = mails.iter().filter(is_in).collect();
    found.sort_by_key(|mail| std::cmp::Reverse(received(mail)));
    page(&found, LIST, query, number(query, "$skip"))
}

fn walked(mails: &[Value], query: &str) -> Answer {
    let all: Vec<&Value> = mails.iter().collect();
    let skip = number(query, "$skiptoken");
    let mut answer = json!({ "value": all.iter().skip(skip).take(PAGE).collect::<Vec<_>>() });
    let link = if skip + PAGE < all.len() { ("@odata.nextLink", format!("{HOST}{DELTA}?$skiptoken={}", skip + PAGE)) } else { ("@odata.deltaLink", format!("{HOST}{DELTA}?$deltatoken=d&$skiptoken={}", all.len())) };
    answer[link.0] = link.1.into();
    says(200, answer.to_string())
}

/// Every message by itself, in a batch.
fn by_id(mails: &[Value], request: &Seen) -> Answer {
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    let answers = body["requests"].as_array().unwrap().iter().map(|asked| {
        let id = asked["url"].as_str().unwrap().trim_start_matches("/me/messages/").split(['?', '/']).next().unwrap();
        match mails.iter().find(|mail| mail["id"] == id) {
            Some(mail) => json!({ "id": asked["id"], "status": 200, "body": mail }),
            None => json!({ "id": asked["id"], "status": 404, "body": { "error": { "code": "ErrorItemNotFound" } } }),
        }
    });
    says(200, json!({ "responses": answers.collect::<Vec<_>>() }).to_string())
}

/// A mailbox of these, whose lists are made by `list`. Each request takes so many milliseconds.
fn mailbox(total: Value, mails: Vec<Value>, takes: u64, list: impl Fn(&[Value], &str) -> Answer + Send + std::marker::Sync + 'static) -> (Fixture, TestClock) {
    let clock = crate::pipeline::fake::clock();
    let time = clock.clone();
    let fixture = fixture_with(clock.clone(), Content::Sealed, total, move |request| {
        time.advance(takes);
        let query = request.uri().query().unwrap_or_default();
        match request.uri().path() {
            "/v1.0/me/mailFolders/delta" => says(200, json!({ "value": [], "@odata.deltaLink": format!("{HOST}/v1.0/me/mailFolders/delta?$deltatoken=f") }).to_string()),
            DELTA => walked(&mails, query),
            LIST => list(&mails, query),
            "/v1.0/$batch" => by_id(&mails, request),
            other => panic!("nobody here answers {other}"),
        }
    });
    (fixture, clock)
}

/// How a back-fill of everything ends. It may fail a few times on the way.
async fn filled(fixture: &Fixture, clock: &TestClock) -> Backfill {
    let process = || Backfills::new(Sync::new(fixture.reader.clone(), EventBus::new(), u32::try_from(PAGE).unwrap(), vec![]));
    process().begin(&fixture.account, BackfillRange::Everything).await.unwrap();
    for _ in 0..12 {
        let backfills = process();
        let running = tokio::spawn(backfills.clone().run(fixture.runtime.stop()));
        loop {
            backfills.until_nothing_is_due(&fixture.runtime.stop()).await;
            tokio::task::yield_now().await;
            if backfills.is_idle() && backfills.next_due().await.unwrap().is_none_or(|at| at > to_ms(clock.now())) {
                break;
            }
        }
        running.abort();
        let _ = running.await;
        if backfills.status("a").await.unwrap().unwrap().state == BackfillState::Done {
            break;
        }
        clock.advance(3_600_000);
    }
    process().status("a").await.unwrap().unwrap()
}

/// It is done, and each message is here once.
async fn check(fixture: &Fixture, clock: &TestClock, wanted: usize, what: &str) {
    let ended = filled(fixture, clock).await;
    assert_eq!(ended.state, BackfillState::Done, "{what}: {ended:?}");
    let window = MessageWindow { mailboxes: vec![Mailbox { account_id: "a".into(), folder_id: None }], limit: 5_000, ..MessageWindow::default() };
    let here: BTreeSet<String> = fixture.store.messages(&window).await.unwrap().rows.into_iter().map(|row| row.graph_id).collect();
    let told = fixture.store.changes(&["a".into()], 0, 10_000).await.unwrap().into_iter().filter(|row| row.kind == ChangeKind::MessageAdded).count();
    assert_eq!((here.len(), told), (wanted, wanted), "{what}");
}

#[tokio::test]
async fn a_thousand_messages_of_one_second_are_listed_though_no_slice_is_that_long() {
    let mails: Vec<Value> = (0..1_000).map(|n| dated(&format!("m{n}"), "2026-01-01T00:00:00Z".into())).chain([dated("old", "2025-01-01T00:00:00Z".into())]).collect();
    let (fixture, clock) = mailbox(1_001.into(), mails, 600, listed);
    check(&fixture, &clock, 1_001, "one second").await;
    let lists = fixture.service.seen.lock().unwrap().iter().filter(|request| request.uri().path() == LIST).count();
    assert!(lists < 40, "{lists} requests for lists");
}

#[tokio::test]
async fn dates_of_any_form_and_pages_in_any_order_bring_everything_once() {
    let dates = [json!(null), json!(7), json!("soon"), json!([]), json!("0001-01-01T00:00:00Z"), json!("9999-12-30T00:00:00Z"), json!("9999-12-31T23:59:59Z"), json!("2026-13-01T00:00:00Z"), json!("2026-01-01T00:00:00Z"), json!("-009999-01-01T00:00:00Z")];
    let mails: Vec<Value> = (0..300).map(|n| dated(&format!("m{n}"), dates[n % dates.len()].clone())).collect();
    let orders: [fn(&[Value], &str) -> Answer; 3] = [
        listed,
        // Whatever was asked for, all of it as it stands.
        |mails, query| page(&mails.iter().collect::<Vec<_>>(), LIST, query, number(query, "$skip")),
        |mails, query| page(&mails.iter().rev().collect::<Vec<_>>(), LIST, query, number(query, "$skip")),
    ];
    for (n, order) in orders.into_iter().enumerate() {
        let (fixture, clock) = mailbox(300.into(), mails.clone(), 0, order);
        check(&fixture, &clock, 300, &format!("order {n}")).await;
    }
}

#[tokio::test]
async fn counts_that_lie_change_nothing_in_the_outcome() {
    let mails: Vec<Value> = (0..20).map(|n| dated(&format!("m{n}"), format!("2026-01-{:02}T00:00:00Z", n + 1).into())).collect();
    for total in [json!(0), json!(-5), json!(u32::MAX), json!(i64::MAX), json!(1e300), json!("20"), json!(null), json!([])] {
        let what = total.to_string();
        let (fixture, clock) = mailbox(total, mails.clone(), 0, listed);
        check(&fixture, &clock, 20, &what).await;
    }
}

type List = fn(&[Value], &str) -> Answer;

async fn is_left_to_the_walk(lists: &[(&str, List)]) {
    let mails: Vec<Value> = (0..150).map(|n| dated(&format!("m{n}"), "2026-01-01T00:00:00Z".into())).collect();
    for (what, list) in lists {
        let (fixture, clock) = mailbox(150.into(), mails.clone(), 0, *list);
        check(&fixture, &clock, 150, what).await;
    }
}

#[tokio::test]
async fn lists_that_lead_nowhere_are_left_to_the_walk() {
    is_left_to_the_walk(&[
        ("to itself", |mails, query| says(200, json!({ "value": &mails[..50], "@odata.nextLink": format!("{HOST}{LIST}?{query}") }).to_string())),
        ("in a circle", |mails, query| {
            let other = if number(query, "$skip") == 1 { "$skip=2" } else { "$skip=1" };
            says(200, json!({ "value": &mails[..50], "@odata.nextLink": format!("{HOST}{LIST}?{other}") }).to_string())
        }),
        ("to another host", |mails, _| says(200, json!({ "value": &mails[..50], "@odata.nextLink": format!("https://evil.example{LIST}?$skip=1") }).to_string())),
        ("to another folder", |mails, _| says(200, json!({ "value": &mails[..50], "@odata.nextLink": format!("{HOST}/v1.0/me/mailFolders/other/messages?$skip=1") }).to_string())),
    ])
    .await;
}

#[tokio::test]
async fn lists_without_end_are_left_to_the_walk() {
    is_left_to_the_walk(&[
        ("on and on with the same", |mails, query| says(200, json!({ "value": &mails[..1], "@odata.nextLink": format!("{HOST}{LIST}?$skip={}", number(query, "$skip") + 1) }).to_string())),
        ("on and on with nothing", |_, query| says(200, json!({ "value": [], "@odata.nextLink": format!("{HOST}{LIST}?$skip={}", number(query, "$skip") + 1) }).to_string())),
    ])
    .await;
}

#[tokio::test]
async fn lists_that_are_refused_again_and_again_are_left_to_the_walk() {
    is_left_to_the_walk(&[
        ("no list", |_, _| says(200, r#"{"value":null}"#)),
        ("refused", |_, _| says(400, r#"{"error":{"code":"ErrorInvalidUrlQueryFilter"}}"#)),
    ])
    .await;
}
