use crate::client::*;
use serde_json::json;

#[tokio::test]
async fn a_lost_answer_has_its_effect_and_a_refused_one_has_not() {
    let world = world().await;
    let adele = world.person("adele").await;
    for (kind, drafts) in [("refused", 0), ("lost_answer", 1)] {
        world.control("/faults", json!({"match": {"method": "POST", "path": "/me/messages"}, "do": {kind: true}})).await;
        let answer = adele.try_call("POST", "/me/messages", IMMUTABLE, Some(json!({"subject": kind}))).await;
        assert!(answer.is_err(), "{answer:?}");
        let list = world.control("/mail/list", json!({"mailbox": "adele@contoso.com", "folder": "drafts"})).await;
        assert_eq!(list["total"], drafts);
    }
    world.control("/faults", json!({"match": {"path": "/me$"}, "do": {"cut_body": 20}})).await;
    assert!(adele.try_call("GET", "/me", "", None).await.is_err());
    assert_eq!(adele.get("/me").await.status, 200);
}

#[tokio::test]
async fn who_comes_back_before_retry_after_is_accused() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/faults", json!({"match": {"path": "/me\\?"}, "times": 1, "do": {"status": 429, "retry_after": 10}})).await;
    let refused = adele.get("/me?$select=id").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("10")));
    adele.get("/me?$select=id").await;
    assert_eq!(world.accusations().await, ["too_early"]);
    world.advance(10_000).await;
    adele.get("/me?$select=id").await;
    assert_eq!(world.accusations().await.len(), 1);
    world.control("/faults", json!({"do": {"status": 503, "retry_after": "date:30"}})).await;
    assert_eq!(adele.get("/me").await.header("retry-after"), Some("Thu, 15 Jan 2026 09:00:40 GMT"));
}

#[tokio::test]
async fn other_questions_may_have_been_on_their_way() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/faults", json!({"match": {"path": "/me/messages"}, "times": 1, "do": {"status": 429, "retry_after": 10}})).await;
    assert_eq!(adele.get("/me/messages?$filter=subject eq 'a'").await.status, 429);
    adele.get("/me/messages?$filter=subject eq 'b'").await;
    assert!(world.accusations().await.is_empty());
    adele.get("/me/messages?$filter=subject eq 'a'").await;
    assert_eq!(world.accusations().await, ["too_early"]);
}

#[tokio::test]
async fn a_held_request_waits_alone() {
    let world = world().await;
    let adele = world.person("adele").await;
    let fault = json!({"name": "gate", "match": {"method": "POST", "path": "/messages"}, "do": {"hold": "after"}});
    world.control("/faults", fault).await;
    let held = adele.try_call("POST", "/me/messages", IMMUTABLE, Some(json!({"subject": "held"})));
    let others = async {
        assert_eq!(world.control("/faults/reached", json!({"name": "gate"})).await["times"], 1);
        assert_eq!(adele.get("/me").await.status, 200);
        let list = world.control("/mail/list", json!({"mailbox": "adele@contoso.com"})).await;
        world.control("/faults/release", json!({"name": "gate"})).await;
        list
    };
    let (answer, list) = tokio::join!(held, others);
    assert_eq!(answer.unwrap().status, 201);
    assert!(list["total"].as_u64().unwrap() <= 1);
}

#[tokio::test]
async fn a_client_that_goes_away_undoes_nothing() {
    let world = world().await;
    let adele = world.person("adele").await;
    let fault = json!({"name": "gate", "match": {"method": "POST", "path": "/messages"}, "do": {"hold": "before"}});
    world.control("/faults", fault).await;
    let reached = world.control("/faults/reached", json!({"name": "gate"}));
    tokio::select! {
        _ = adele.try_call("POST", "/me/messages", IMMUTABLE, Some(json!({"subject": "kept"}))) => panic!("it is held"),
        _ = reached => {}
    }
    world.control("/faults/release", json!({"name": "gate"})).await;
    let kept = async {
        let ask = json!({"mailbox": "adele@contoso.com"});
        while world.control("/mail/list", ask.clone()).await["total"] == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(120), kept).await.expect("the draft is made all the same");
}

#[tokio::test]
async fn the_fifth_at_once_is_refused_and_accused() {
    let world = world().await;
    let adele = world.person("adele").await;
    world
        .control("/faults", json!({"name": "gate", "match": {"path": "/me/mailFolders"}, "times": 4, "do": {"hold": "before"}}))
        .await;
    let ask = || adele.get("/me/mailFolders");
    let fifth = async {
        world.control("/faults/reached", json!({"name": "gate", "times": 4})).await;
        let fifth = ask().await;
        world.control("/faults/release", json!({"name": "gate"})).await;
        fifth
    };
    let (a, b, c, d, fifth) = tokio::join!(ask(), ask(), ask(), ask(), fifth);
    assert_eq!([a.status, b.status, c.status, d.status], [200; 4]);
    assert_eq!((fifth.status, fifth.code().as_str()), (429, "ApplicationThrottled"));
    assert_eq!(fifth.json()["error"]["message"], "Application is over its MailboxConcurrency limit.");
    assert_eq!(world.accusations().await, ["too_many_at_once"]);
    assert_eq!(ask().await.status, 200);
}

#[tokio::test]
async fn pages_can_go_wrong_in_many_ways() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/mail/many", json!({"mailbox": "adele@contoso.com", "count": 6})).await;
    let delta = "/me/mailFolders/inbox/messages/delta?$select=subject";
    let fault = async |action: serde_json::Value| {
        world.control("/faults", json!({"match": {"path": "delta"}, "do": action})).await;
        adele.try_call("GET", delta, "IdType=\"ImmutableId\", odata.maxpagesize=4", None).await.unwrap()
    };
    let stranger = fault(json!({"link_to_stranger": true})).await.json();
    assert!(stranger["@odata.nextLink"].as_str().unwrap().starts_with(world.sim.stranger()));
    let looped = fault(json!({"loop_link": true})).await.json();
    assert!(looped["@odata.nextLink"].as_str().unwrap().ends_with(delta));
    let empty = fault(json!({"empty_page": true})).await.json();
    assert!(empty["value"].as_array().unwrap().is_empty() && empty["@odata.nextLink"].is_string());
    assert!(fault(json!({"empty_body": true})).await.body.is_empty());
    assert!(serde_json::from_slice::<serde_json::Value>(&fault(json!({"unparsable": true})).await.body).is_err());
    assert_eq!(fault(json!({"bad_item": true})).await.json()["value"][4]["id"], 42);
    let plain = fault(json!({"gone": "plain"})).await;
    assert_eq!((plain.status, plain.header("location")), (410, None));
    let gone = fault(json!({"gone": "location"})).await;
    assert_eq!(adele.get(gone.header("location").unwrap()).await.json()["value"].as_array().unwrap().len(), 6);
    let first = fault(json!({"slow_ms": 1})).await.json();
    world.control("/faults", json!({"match": {"path": "skiptoken"}, "do": {"replay": true}})).await;
    let second = adele.get(first["@odata.nextLink"].as_str().unwrap()).await.json();
    assert_eq!(second["value"].as_array().unwrap().len(), 6);
    let revoked = fault(json!({"revoked": true})).await;
    assert!(revoked.header("www-authenticate").unwrap().contains("insufficient_claims"));
    assert_eq!(adele.get("/me").await.status, 401);
}

#[tokio::test]
async fn strangers_and_leaks_are_written_down() {
    let world = world().await;
    let headers = [("authorization", "Bearer secret")];
    http("GET", &format!("{}/v1.0/me", world.sim.stranger()), &headers, b"").await.unwrap();
    http("GET", &format!("{}/common/discovery/v2.0/keys?refresh_token=x", world.sim.login()), &headers, b"").await.unwrap();
    assert_eq!(world.accusations().await, ["wrong_host", "token_leak", "token_leak", "plain_body"]);
    let ledger = world.control("/ledger", json!({"host": "stranger"})).await;
    assert_eq!((&ledger["count"], &ledger["requests"][0]["has_authorization"]), (&json!(1), &json!(true)));
}

#[tokio::test]
async fn batches_have_items_of_their_own_fate() {
    let world = world().await;
    let adele = world.person("adele").await;
    let get = |id: &str| json!({"id": id, "method": "GET", "url": "/me?$select=id"});
    let requests = json!([
        get("a"), get("b"), {"id": "c", "method": "GET", "url": "/me/messages/AAMkAGI2AAAAAAAAAAAAAAAAAAAA"},
        {"id": "d", "method": "GET", "url": "/me", "dependsOn": ["c"]},
    ]);
    world.control("/faults", json!({"match": {"item": true, "path": "/me\\?"}, "do": {"throttle_item": 7}})).await;
    let answer = adele.post("/$batch", json!({"requests": requests})).await.json();
    let of = |id: &str| answer["responses"].as_array().unwrap().iter().find(|r| r["id"] == id).unwrap().clone();
    assert_eq!((of("a")["status"].as_u64(), &of("a")["headers"]["Retry-After"]), (Some(429), &json!("7")));
    assert_eq!([&of("b")["status"], &of("c")["status"], &of("d")["status"]], [200, 404, 424]);
    let twice = adele.post("/$batch", json!({"requests": [get("x"), get("X")]})).await;
    assert_eq!(twice.status, 400);
    let many: Vec<_> = (0..21).map(|n| get(&n.to_string())).collect();
    assert_eq!(adele.post("/$batch", json!({"requests": many})).await.status, 400);
    world.control("/faults", json!({"match": {"path": "\\$batch"}, "do": {"throttle_item": 3}})).await;
    let one = adele.post("/$batch", json!({"requests": [get("1"), get("2"), get("3")]})).await.json();
    let refused = one["responses"].as_array().unwrap().iter().filter(|r| r["status"] == 429).count();
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn ten_minutes_have_their_limit() {
    let world = world().await;
    let adele = world.person("adele").await;
    world.control("/limits", json!({"requests_per_10_min": 3})).await;
    for _ in 0..3 {
        assert_eq!(adele.get("/me/mailFolders/inbox").await.status, 200);
    }
    let refused = adele.get("/me/mailFolders/inbox").await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("600")));
    assert_eq!(adele.get("/me").await.status, 200);
    world.advance(600_000).await;
    assert_eq!(adele.get("/me/mailFolders/inbox").await.status, 200);
}

#[tokio::test]
async fn requests_wait_while_the_clocks_are_moved() {
    let world = world().await;
    let adele = world.person("adele").await;
    let before = world.control("/ledger", json!({})).await;
    world.control("/clock", json!({"advance_ms": 1_000, "hold": true})).await;
    let moved = async {
        // It is on its way by then; a control request goes by.
        world.control("/limits", json!({})).await;
        let during = world.control("/ledger", json!({})).await;
        world.control("/clock", json!({})).await;
        during
    };
    let (reply, during) = tokio::join!(adele.get("/me"), moved);
    assert_eq!((reply.status, during), (200, before));
}
