use super::*;
use crate::clock::TestClock;
use crate::config::{Cloud, Endpoints};
use crate::error::ErrorKind;
use crate::model::{GraphVersion, RawPage};
use crate::pipeline::fake::{Seen, Service, breaks, clock, passed_ms, says, says_with};
use crate::pipeline::{AccessToken, Answer, Sent, TokenSource};
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Tokens 0, 1 …: a new one for every stale one.
#[derive(Default)]
struct Numbered {
    number: AtomicUsize,
    refused: Mutex<u32>,
}

const SIGNATURE: &str = "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg";

impl TokenSource for Numbered {
    fn token(&self, _: String, stale: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        let number = self.number.fetch_add(usize::from(stale.is_some()), Ordering::SeqCst) + usize::from(stale.is_some());
        Box::pin(std::future::ready(Ok(AccessToken::new(format!("e30.{number}.{SIGNATURE}")))))
    }

    fn refused(&self, _: String, _: AccessToken, _: Option<String>, certain: bool) -> BoxFuture<'static, ()> {
        *self.refused.lock().unwrap() += u32::from(certain);
        Box::pin(std::future::ready(()))
    }
}

struct Bench {
    graph: Graph,
    service: Arc<Service>,
    clock: TestClock,
    tokens: Arc<Numbered>,
}

fn bench(answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Bench {
    of(Service::new(answer))
}

fn answers(list: Vec<Answer>) -> Bench {
    of(Service::script(list))
}

fn of(service: Arc<Service>) -> Bench {
    let clock = clock();
    let pipeline = service.pipeline(&clock);
    let tokens = Arc::new(Numbered::default());
    let source: Arc<dyn TokenSource> = tokens.clone();
    pipeline.plug_tokens(source);
    Bench { graph: Graph::new(pipeline, Endpoints::of(&Cloud::Public).unwrap()), service, clock, tokens }
}

fn caller() -> Caller {
    Caller::new("acc", Priority::Interactive, Duration::ZERO)
}

fn post(path: &str) -> RawRequest {
    RawRequest { json: Some("{\"a\":1}".into()), ..RawRequest::new("post", path) }
}

impl Bench {
    async fn send(&self, request: RawRequest) -> Result<RawAnswer> {
        self.graph.raw_send(&caller(), &self.graph.raw(&request)?).await
    }

    async fn batch(&self, requests: Vec<RawRequest>) -> Vec<Result<RawAnswer>> {
        let calls: Vec<RawCall> = requests.iter().map(|request| self.graph.raw(request).unwrap()).collect();
        let caller = caller();
        join_all(calls.iter().map(|call| self.graph.raw_join(&caller, call))).await
    }

    fn asked(&self) -> Vec<String> {
        self.service.seen.lock().unwrap().iter().map(|seen| format!("{} {}", seen.method(), seen.uri())).collect()
    }
}

#[tokio::test]
async fn a_request_goes_out_as_it_was_asked_for() {
    let bench = answers(vec![says(201, "{\"id\":\"x\"}")]);
    let mut request = post("/me/events?$select=id");
    request.headers = HashMap::from([("Prefer".into(), "outlook.timezone=\"UTC\"".into()), ("If-Match".into(), "*".into())]);
    let answer = bench.send(request).await.unwrap();
    assert_eq!((answer.status, answer.body.as_ref(), answer.headers["content-type"].as_str()), (201, b"{\"id\":\"x\"}".as_slice(), "application/json"));
    assert_eq!(bench.asked(), ["POST https://graph.microsoft.com/v1.0/me/events?$select=id"]);
    let seen = bench.service.seen.lock().unwrap().remove(0);
    let header = |name: &str| seen.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("prefer"), header("if-match"), header("content-type")), ("IdType=\"ImmutableId\", outlook.timezone=\"UTC\"".into(), "*".into(), "application/json".into()));
    assert!(header("authorization").starts_with("Bearer e30.0.") && seen.body().as_ref() == b"{\"a\":1}");
    // Beta is asked with the same token.
    bench.send(RawRequest { version: GraphVersion::Beta, ..RawRequest::get("/me/profile") }).await.unwrap();
    assert_eq!(bench.asked(), ["GET https://graph.microsoft.com/beta/me/profile"]);
    assert!(bench.service.seen.lock().unwrap()[0].headers().contains_key("authorization"));
}

#[tokio::test]
async fn nothing_is_sent_of_what_is_no_request() {
    let bench = answers(vec![says(200, "{}")]);
    let get = || RawRequest::get("/me");
    for (request, kind) in [
        (RawRequest { method: "TRACE".into(), ..get() }, ErrorKind::InvalidInput),
        (RawRequest { method: "GET /x HTTP/1.1\r\n".into(), ..get() }, ErrorKind::InvalidInput),
        (RawRequest { method: String::new(), ..get() }, ErrorKind::InvalidInput),
        (RawRequest { json: Some("{}".into()), ..get() }, ErrorKind::InvalidInput),
        (RawRequest { body: Some(vec![1]), ..get() }, ErrorKind::InvalidInput),
        (RawRequest { json: Some("{\"a\":".into()), ..post("/me") }, ErrorKind::InvalidInput),
        (RawRequest { json: Some("[".repeat(100)), ..post("/me") }, ErrorKind::InvalidInput),
        (RawRequest { body: Some(vec![]), ..post("/me") }, ErrorKind::InvalidInput),
        (RawRequest { json: None, body: Some(vec![0; LONGEST_BODY + 1]), ..post("/me") }, ErrorKind::LimitExceeded),
        (RawRequest { max_wait_ms: LONGEST_WAIT_MS + 1, ..get() }, ErrorKind::InvalidInput),
        (RawRequest { headers: HashMap::from([("Authorization".into(), "Bearer x".into())]), ..get() }, ErrorKind::InvalidInput),
        (RawRequest::get("https://evil.example/v1.0/me"), ErrorKind::LinkRejected),
    ] {
        assert_eq!(bench.send(request.clone()).await.unwrap_err().kind(), kind, "{request:?}");
    }
    assert_eq!(bench.service.calls(), 0);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_repeated_unless_the_host_says_so() {
    let lost = || vec![breaks(Sent::Maybe), says(200, "{}")];
    for (request, is_repeated) in [
        (RawRequest::get("/me"), true),
        (RawRequest::new("HEAD", "/me"), true),
        (post("/me/events"), false),
        (RawRequest::new("PUT", "/me/photo/$value"), false),
        (RawRequest::new("PATCH", "/me"), false),
        (RawRequest::new("DELETE", "/me/events/x"), false),
        (RawRequest { repeat: true, ..post("/me/events") }, true),
    ] {
        for (answers_given, after_outage) in [(lost(), false), (vec![says(503, "{}"), says(200, "{}")], true)] {
            let bench = answers(answers_given);
            let outcome = bench.send(request.clone()).await.map(|answer| answer.status).map_err(|e| e.kind());
            let wanted = if is_repeated { Ok(200) } else { Err(ErrorKind::OutcomeUnknown) };
            assert_eq!((outcome, bench.service.calls()), (wanted, 1 + usize::from(is_repeated)), "{request:?} {after_outage}");
        }
    }
    // What was refused, or never sent, was not done.
    for refused in [says_with(429, ("retry-after", "3"), ""), breaks(Sent::No), says(401, "{}")] {
        let bench = answers(vec![refused, says(201, "{}")]);
        assert_eq!((bench.send(post("/me/events")).await.unwrap().status, bench.service.calls()), (201, 2));
    }
}

#[tokio::test]
async fn refusals_are_answers_and_outages_are_not() {
    for status in [204, 301, 302, 304, 400, 403, 404, 405, 409, 410, 412, 413, 415, 422, 423, 501, 507] {
        let bench = answers(vec![says_with(status, ("location", "https://download.example/x?tempauth=y"), format!("{{\"n\":{status}}}"))]);
        let answer = bench.send(post("/me/events")).await.unwrap();
        assert_eq!((answer.status, answer.body.as_ref(), bench.service.calls()), (status, format!("{{\"n\":{status}}}").as_bytes(), 1));
        assert_eq!(answer.headers["location"], "https://download.example/x?tempauth=y");
    }
    // An empty answer is one, too.
    assert!(answers(vec![says(200, "")]).send(RawRequest::get("/me/drive/items/x/content")).await.unwrap().body.is_empty());
    for (answer, kind) in [(says(500, ""), ErrorKind::Upstream), (says(503, ""), ErrorKind::Upstream), (breaks(Sent::No), ErrorKind::Network)] {
        let failed = answers(vec![answer]).send(RawRequest { max_wait_ms: 600_000, ..RawRequest::get("/me") }).await.unwrap_err();
        assert_eq!((failed.kind(), failed.account_id()), (kind, Some("acc")));
    }
}

#[tokio::test]
async fn a_wait_is_as_long_as_the_request_may_wait() {
    let bench = answers(vec![says_with(429, ("retry-after", "20"), ""), says(200, "{}")]);
    assert_eq!(bench.send(RawRequest::get("/me")).await.unwrap().status, 200);
    assert_eq!(passed_ms(&bench.clock), 20_000);
    let bench = answers(vec![says_with(429, ("retry-after", "20"), "")]);
    let told = bench.send(RawRequest { max_wait_ms: 19_000, ..RawRequest::get("/me") }).await.unwrap_err();
    assert_eq!((told.kind(), told.retry_after_ms(), bench.service.calls()), (ErrorKind::Throttled, Some(20_000), 1));
    // Another service of the same person is not concerned.
    let bench = bench_of_files();
    assert_eq!(bench.send(RawRequest { max_wait_ms: 0, ..RawRequest::get("/me/drive/root") }).await.unwrap_err().kind(), ErrorKind::Throttled);
    assert_eq!(bench.send(RawRequest { max_wait_ms: 0, ..RawRequest::get("/me/messages") }).await.unwrap().status, 200);
}

fn bench_of_files() -> Bench {
    bench(|seen, _| if seen.uri().path().contains("drive") { says_with(429, ("retry-after", "20"), "") } else { says(200, "{}") })
}

#[tokio::test]
async fn a_401_gets_one_fresh_token_and_is_the_accounts_matter_only_if_it_is_about_the_token() {
    let invalid = || says(401, r#"{"error":{"code":"InvalidAuthenticationToken"}}"#);
    let bench = answers(vec![invalid(), says(200, "{}")]);
    assert_eq!(bench.send(post("/me/events")).await.unwrap().status, 200);
    {
        let seen = bench.service.seen.lock().unwrap();
        assert!(seen[0].headers()["authorization"] != seen[1].headers()["authorization"] && seen.len() == 2);
    }

    let bench = answers(vec![invalid()]);
    let refused = bench.send(RawRequest::get("/me")).await.unwrap_err();
    assert_eq!((refused.kind(), refused.account_id(), bench.service.calls(), *bench.tokens.refused.lock().unwrap()), (ErrorKind::NeedsReconnect, Some("acc"), 2, 1));

    // Conditional access asks for more than this sign-in has.
    let claims = "Bearer error=\"insufficient_claims\", claims=\"eyJhY2Nlc3NfdG9rZW4iOnt9fQ\"";
    let bench = answers(vec![says_with(401, ("www-authenticate", claims), "{}")]);
    assert_eq!(bench.send(RawRequest::get("/me")).await.unwrap_err().kind(), ErrorKind::NeedsReconnect);

    let bench = answers(vec![says(401, r#"{"error":{"code":"Unauthorized"}}"#)]);
    assert_eq!((bench.send(RawRequest::get("/teams/x")).await.unwrap().status, bench.service.calls()), (401, 2));
}

#[tokio::test]
async fn an_answer_that_repeats_the_token_is_kept_back() {
    for body in [format!("{{\"x\":\"{SIGNATURE}\"}}"), format!("{{\"x\":\"{}\"}}", SIGNATURE.chars().rev().collect::<String>())] {
        let bench = answers(vec![says(200, body.clone())]);
        assert_eq!(bench.send(RawRequest::get("/me")).await.unwrap_err().kind(), ErrorKind::Upstream);
        let bench = answers(vec![says(400, body)]);
        assert_eq!(bench.send(post("/me/events")).await.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    }
    let bench = answers(vec![says_with(200, ("x-echo", SIGNATURE), "{}").map(|mut answer| {
        answer.headers_mut().append("set-cookie", "a=b".parse().unwrap());
        answer.headers_mut().append("x-many", "a".parse().unwrap());
        answer.headers_mut().append("x-many", "b".parse().unwrap());
        answer
    })]);
    let headers = bench.send(RawRequest::get("/me")).await.unwrap().headers;
    assert!(!headers.contains_key("x-echo") && !headers.contains_key("set-cookie") && headers["x-many"] == "a, b");
}

/// The requests of a batch; None: it is none.
fn items(seen: &Seen) -> Option<Vec<Value>> {
    let body: Value = serde_json::from_slice(seen.body()).ok()?;
    Some(body["requests"].as_array()?.clone())
}

fn each(seen: &Seen, answer: impl Fn(&Value) -> Value) -> Answer {
    match items(seen) {
        None => says(200, json!({ "alone": seen.uri().to_string() }).to_string()),
        Some(items) => says(200, json!({ "responses": items.iter().rev().map(answer).collect::<Vec<_>>() }).to_string()),
    }
}

#[tokio::test]
async fn many_requests_travel_in_batches_of_twenty_and_keep_their_order() {
    let bench = bench(|seen, _| each(seen, |item| json!({ "id": item["id"], "status": 200, "headers": { "Content-Type": "application/json" }, "body": { "url": item["url"] } })));
    let outcomes = bench.batch((0..45).map(|n| RawRequest::get(format!("/me/messages/{n}"))).collect()).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        let body = String::from_utf8_lossy(&outcome.as_ref().unwrap().body).into_owned();
        assert!(body.ends_with(&format!("/me/messages/{n}\"}}")), "{body}");
    }
    let sizes: Vec<usize> = bench.service.seen.lock().unwrap().iter().map(|seen| items(seen).map_or(1, |items| items.len())).collect();
    assert!(sizes.iter().sum::<usize>() == 45 && sizes.iter().all(|size| *size <= 20) && sizes.len() <= 6, "{sizes:?}");
    let first = bench.service.seen.lock().unwrap().iter().find_map(items).unwrap().remove(0);
    assert!(first["headers"]["prefer"].as_str().unwrap().contains("ImmutableId") && first["headers"].get("accept").is_none() && first["headers"].get("authorization").is_none());
}

#[tokio::test]
async fn a_throttled_item_of_a_batch_goes_again_alone_and_a_lost_one_does_not() {
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = refused.clone();
    let bench = bench(move |seen, _| {
        each(seen, |item| {
            let is_third = item["url"] == "/me/messages/3/send";
            match item["url"].as_str().unwrap() {
                _ if is_third && counted.fetch_add(1, Ordering::SeqCst) == 0 => json!({ "id": item["id"], "status": 429, "headers": { "Retry-After": "4" } }),
                "/me/messages/4/send" => json!({ "id": item["id"], "status": 503 }),
                "/me/messages/5/send" => json!({ "id": item["id"], "status": 404, "body": { "error": { "code": "ErrorItemNotFound" } } }),
                // Its answer is missing.
                "/me/messages/6/send" => json!({}),
                _ => json!({ "id": item["id"], "status": 202 }),
            }
        })
    });
    let outcomes = bench.batch((0..8).map(|n| post(&format!("/me/messages/{n}/send"))).collect()).await;
    let told: Vec<std::result::Result<u16, ErrorKind>> = outcomes.iter().map(|outcome| outcome.as_ref().map(|answer| answer.status).map_err(Error::kind)).collect();
    // The third was refused, so it goes again, by then with nobody beside it.
    assert_eq!(told, [Ok(202), Ok(202), Ok(202), Ok(200), Err(ErrorKind::OutcomeUnknown), Ok(404), Err(ErrorKind::OutcomeUnknown), Ok(202)]);
    let sent: Vec<usize> = bench.service.seen.lock().unwrap().iter().map(|seen| items(seen).map_or(1, |items| items.len())).collect();
    assert_eq!((sent, passed_ms(&bench.clock)), (vec![8, 1], 4_000));
}

#[tokio::test]
async fn a_batch_is_of_one_version_and_of_json() {
    let bench = bench(|seen, _| {
        each(seen, |item| match item["url"].as_str().unwrap() {
            "/me/photo/$value" => json!({ "id": item["id"], "status": 200, "headers": { "Content-Type": "image/jpeg" }, "body": "/9j/4A==" }),
            "/me/messages/$count" => json!({ "id": item["id"], "status": 200, "headers": { "Content-Type": "text/plain" }, "body": 7 }),
            _ => json!({ "id": item["id"], "status": 200, "headers": { "Content-Type": "application/json" }, "body": "text" }),
        })
    });
    let beta = |path: &str| RawRequest { version: GraphVersion::Beta, ..RawRequest::get(path) };
    let bytes = RawRequest { body: Some(vec![0xFF, 0xD8]), ..RawRequest::new("PUT", "/me/photo/$value") };
    let requests = vec![RawRequest::get("/me/photo/$value"), RawRequest::get("/me"), bytes, RawRequest::get("/me/messages/$count"), RawRequest::get("/me/messages/x")];
    let bodies: Vec<Vec<u8>> = bench.batch(requests).await.into_iter().map(|outcome| outcome.unwrap().body.to_vec()).collect();
    assert_eq!(bodies[0], [0xFF, 0xD8, 0xFF, 0xE0], "what is no JSON comes in base64");
    assert_eq!((bodies[1].as_slice(), bodies[3].as_slice()), (b"\"text\"".as_slice(), b"7".as_slice()));
    assert!(bench.batch(vec![beta("/me"), beta("/me/manager")]).await.iter().all(Result::is_ok));
    let seen = bench.service.seen.lock().unwrap();
    let all: Vec<(String, usize)> = seen.iter().map(|seen| (seen.uri().path().to_owned(), items(seen).map_or(1, |items| items.len()))).collect();
    assert!(all.contains(&("/beta/$batch".to_owned(), 2)) && all.contains(&("/v1.0/me/photo/$value".to_owned(), 1)), "{all:?}");
}

fn page(items: &[u32], more: Value) -> Answer {
    let mut body = json!({ "@odata.context": "c", "value": items });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    says(200, body.to_string())
}

async fn walked(bench: &Bench, request: RawRequest) -> (Vec<RawPage>, Option<ErrorKind>) {
    let mut walk = PageWalk::of(bench.graph.raw(&request).unwrap()).unwrap();
    let mut pages = Vec::new();
    while let Some(call) = walk.call() {
        match bench.graph.raw_page(&caller(), &call).await.and_then(|(page, place)| walk.advance(place).map(|()| page)) {
            Ok(page) => pages.push(page),
            Err(error) => return (pages, Some(error.kind())),
        }
    }
    (pages, None)
}

const EVENTS: &str = "https://graph.microsoft.com/v1.0/users('x')/events?$skip=2";

#[tokio::test]
async fn pages_are_followed_with_the_same_headers_to_the_delta_link() {
    let delta = "https://graph.microsoft.com/v1.0/me/events/delta?$deltatoken=d";
    let bench = answers(vec![page(&[1, 2], json!({ "@odata.nextLink": EVENTS, "@odata.count": 3 })), says(503, ""), page(&[], json!({ "@odata.nextLink": format!("{EVENTS}2") })), page(&[3], json!({ "@odata.deltaLink": delta }))]);
    let request = RawRequest { headers: HashMap::from([("ConsistencyLevel".into(), "eventual".into())]), ..RawRequest::get("/me/events/delta") };
    let (pages, error) = walked(&bench, request.clone()).await;
    assert!(error.is_none());
    assert_eq!(pages.iter().map(|page| page.items.join(",")).collect::<Vec<_>>(), ["1,2", "", "3"]);
    assert_eq!((pages[0].next_link.as_deref(), pages[2].delta_link.as_deref(), pages[2].next_link.as_deref()), (Some(EVENTS), Some(delta), None));
    let envelope: Value = serde_json::from_str(&pages[0].envelope).unwrap();
    assert_eq!(envelope, json!({ "@odata.context": "c", "@odata.count": 3, "@odata.nextLink": EVENTS }));
    assert!(bench.service.seen.lock().unwrap().iter().all(|seen| seen.headers()["consistencylevel"] == "eventual"));
    assert_eq!(bench.asked().len(), 4);
    assert!(PageWalk::of(bench.graph.raw(&post("/me/events")).unwrap()).is_err());
}

#[tokio::test]
async fn links_that_lead_away_or_in_a_circle_are_not_followed() {
    let first = "https://graph.microsoft.com/v1.0/me/events";
    for (link, kind) in [
        ("https://evil.example/v1.0/me/events", ErrorKind::LinkRejected),
        ("http://graph.microsoft.com/v1.0/me/events", ErrorKind::LinkRejected),
        ("https://graph.microsoft.com/beta/me/events", ErrorKind::LinkRejected),
        ("https://graph.microsoft.com/v1.0/../evil", ErrorKind::LinkRejected),
        ("/v1.0/me/events?$skip=1", ErrorKind::LinkRejected),
        (first, ErrorKind::Upstream),
    ] {
        let bench = answers(vec![page(&[1], json!({ "@odata.nextLink": link }))]);
        let (pages, error) = walked(&bench, RawRequest::get("/me/events")).await;
        assert_eq!((pages.len(), error, bench.service.calls()), (0, Some(kind), 1), "{link}");
    }
    let bench = answers(vec![page(&[1], json!({ "@odata.deltaLink": "https://evil.example/v1.0/me/events" }))]);
    assert_eq!(walked(&bench, RawRequest::get("/me/events")).await.1, Some(ErrorKind::LinkRejected));
    // A longer circle ends at the first link that came before.
    let bench = bench_of_circle();
    let (pages, error) = walked(&bench, RawRequest::get("/me/events")).await;
    assert_eq!((pages.len(), error), (3, Some(ErrorKind::Upstream)));
}

fn bench_of_circle() -> Bench {
    bench(|_, n| page(&[1], json!({ "@odata.nextLink": format!("{EVENTS}{}", n % 3) })))
}

#[tokio::test]
async fn what_is_no_page_is_told_by_its_kind() {
    let code = |status: u16, code: &str| says(status, json!({ "error": { "code": code } }).to_string());
    for (answer, kind) in [
        (code(404, "ErrorItemNotFound"), ErrorKind::NotFound),
        (code(403, "ErrorAccessDenied"), ErrorKind::Forbidden),
        (code(400, "BadRequest"), ErrorKind::InvalidInput),
        (code(410, "SyncStateNotFound"), ErrorKind::CursorExpired),
        (code(404, "syncStateNotFound"), ErrorKind::CursorExpired),
        (code(501, "SimulatorLacks"), ErrorKind::Upstream),
        (says(302, ""), ErrorKind::Upstream),
        (says(200, "{\"id\":\"x\"}"), ErrorKind::InvalidInput),
        (says(200, "{\"value\":{}}"), ErrorKind::InvalidInput),
        (says(200, "[]"), ErrorKind::Upstream),
        (says(200, "no"), ErrorKind::Upstream),
    ] {
        let (pages, error) = walked(&answers(vec![answer]), RawRequest::get("/me/events")).await;
        assert_eq!((pages.len(), error), (0, Some(kind)));
    }
}
