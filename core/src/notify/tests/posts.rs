//! What is believed of a post, and what is answered.

use super::*;

async fn watched() -> (World, Arc<Notify>, String, String) {
    let world = World::new().await;
    world.connect("a").await;
    let notify = world.process();
    notify.run_due().await.unwrap();
    world.clear(&notify).await;
    let (id, one) = world.only();
    (world, notify, id, one.client_state)
}

fn counts(notify: &Notify) -> (u64, u64) {
    let metrics = notify.parts.graph.meters().snapshot();
    (metrics.notifications, metrics.notifications_refused)
}

#[tokio::test]
async fn the_question_whether_the_route_is_there_is_answered_with_its_token_alone() {
    let (_world, notify, ..) = watched().await;
    for (query, token) in [
        ("validationToken=Validation%3a+Testing+client%2bstate", "Validation: Testing client+state"),
        ("a=b&validationToken=x%26y", "x&y"),
        ("?validationToken=%3Cscript%3E", "<script>"),
    ] {
        let answer = notify.receive(HttpRequest { query: query.into(), body: Some(b"whatever".to_vec()), ..HttpRequest::default() }).await;
        assert_eq!((answer.status, String::from_utf8(answer.body).unwrap().as_str()), (200, token));
        assert_eq!((answer.headers["content-type"].as_str(), answer.headers["x-content-type-options"].as_str()), ("text/plain; charset=utf-8", "nosniff"));
    }
    let long = format!("validationToken={}", "a".repeat(5_000));
    for query in ["validationToken=", "validationToken=a%0d%0ab", long.as_str()] {
        let answer = notify.receive(HttpRequest { query: query.into(), ..HttpRequest::default() }).await;
        assert_eq!((answer.status, answer.body.len()), (400, 0), "{query}");
    }
    assert_eq!(notify.receive(HttpRequest { query: "a".repeat(20_000), ..HttpRequest::default() }).await.status, 414);
    assert_eq!(notify.receive(HttpRequest { method: "GET".into(), query: "validationToken=x".into(), ..HttpRequest::default() }).await.status, 405);
}

#[tokio::test]
async fn what_is_forged_doubled_late_or_another_tenants_is_answered_alike_and_dropped() {
    let (world, notify, id, state) = watched().await;
    let other = |name: &str, value: Value| {
        let mut item = item(&state, &id);
        item[name] = value;
        item
    };
    let bad = [
        other("clientState", json!("guessed")),
        other("clientState", json!(format!("{state} "))),
        other("clientState", Value::Null),
        other("subscriptionId", json!("00000000-0000-0000-0000-999999999999")),
        other("subscriptionId", Value::Null),
        other("tenantId", json!("00000000-0000-0000-0000-00000000000b")),
        json!(7),
        json!({}),
    ];
    let good = notify.receive(post(&[])).await;
    for item in &bad {
        assert_eq!(notify.receive(post(std::slice::from_ref(item))).await, good);
    }
    assert_eq!(good.status, 202);
    assert_eq!(counts(&notify), (0, bad.len() as u64));
    assert!(world.marks().await.is_empty());
    // Among them a good one, twice.
    let mixed: Vec<Value> = bad.iter().cloned().chain([item(&state, &id.to_uppercase()), item(&state, &id)]).collect();
    assert_eq!(notify.receive(post(&mixed)).await, good);
    assert_eq!(counts(&notify), (2, 2 * bad.len() as u64));
    assert_eq!(world.marks().await, ["a"]);
    // After the subscription has gone.
    world.clear(&notify).await;
    world.store.disconnect_account("a", "by hand", world.now()).await.unwrap();
    notify.nudge();
    assert_eq!(notify.receive(post(&[item(&state, &id)])).await, good);
    assert!(world.marks().await.is_empty());
}

#[tokio::test]
async fn missed_ones_are_looked_for() {
    let (world, notify, id, state) = watched().await;
    let missed = json!({ "subscriptionId": id, "clientState": state, "tenantId": TENANT, "lifecycleEvent": "missed" });
    assert_eq!(notify.receive(post(&[missed])).await.status, 202);
    assert_eq!(world.marks().await, ["a"]);
}

#[tokio::test]
async fn garbage_costs_little_and_is_told() {
    let (world, notify, ..) = watched().await;
    let deep = format!("{{\"value\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let many = format!("{{\"value\":[{}]}}", vec!["{}"; 1_001].join(","));
    for (body, status) in [
        (Vec::new(), 400),
        (b"\x00\xff\xfe".to_vec(), 400),
        (b"<html></html>".to_vec(), 400),
        (b"{\"value\":".to_vec(), 400),
        (deep.into_bytes(), 400),
        (vec![b'a'; 4 << 20], 400),
        (vec![b' '; (4 << 20) + 1], 413),
        (many.into_bytes(), 413),
        (format!("{{\"value\":[{{\"clientState\":\"{}\"}}]}}", "x".repeat(3 << 20)).into_bytes(), 202),
    ] {
        let length = body.len();
        assert_eq!(notify.receive(HttpRequest { body: Some(body), ..HttpRequest::default() }).await.status, status, "{length} bytes");
    }
    assert!(world.marks().await.is_empty());
}

#[tokio::test]
async fn a_store_that_cannot_be_written_makes_microsoft_come_again() {
    let (world, notify, id, state) = watched().await;
    world.store.close();
    assert_eq!(notify.receive(post(&[item(&state, &id)])).await.status, 503);
}
