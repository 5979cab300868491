use super::super::fake::{START_MS, Service, breaks, clock, passed_ms, says, says_with};
use super::super::{Limits, Pipeline, Response, Safety, TokenSource};
use super::*;
use crate::clock::TestClock;
use crate::config::{Cloud, Endpoints};
use crate::error::{Error, ErrorKind};
use futures_util::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// A new token for every stale one.
#[derive(Default)]
struct Numbered(Mutex<u32>);

impl TokenSource for Numbered {
    fn token(&self, account: String, stale: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        let mut number = self.0.lock().unwrap();
        if stale.is_some_and(|stale| stale == AccessToken::new(format!("{account}{number}"))) {
            *number += 1;
        }
        Box::pin(std::future::ready(Ok(AccessToken::new(format!("{account}{number}")))))
    }
}

struct Set {
    service: Arc<Service>,
    pipeline: Arc<Pipeline>,
    _tokens: Arc<dyn TokenSource>,
}

fn set(clock: &TestClock, answer: impl Fn(&http::Request<Bytes>, usize) -> Answer + Send + Sync + 'static) -> Set {
    let service = Service::new(answer);
    let pipeline = service.pipeline(clock);
    let tokens: Arc<dyn TokenSource> = Arc::new(Numbered::default());
    pipeline.plug_tokens(tokens.clone());
    Set { service, pipeline, _tokens: tokens }
}

fn post(n: usize) -> Request {
    let mut request = Request::get(Url::parse(&format!("https://graph.microsoft.com/v1.0/me/messages/{n}/send")).unwrap(), Purpose::Graph);
    request = request.with_body(Method::POST, "application/json", format!("{{\"n\":{n}}}"));
    (request.safety, request.account_id, request.priority, request.is_batchable) = (Safety::Once, Some("acc".into()), Priority::Send, true);
    request
}

/// The requests of a batch; None: it is none.
fn items(seen: &http::Request<Bytes>) -> Option<Vec<Value>> {
    let body: Value = serde_json::from_slice(seen.body()).ok()?;
    assert_eq!(seen.uri().path().ends_with("$batch"), body["requests"].is_array());
    Some(body["requests"].as_array()?.clone())
}

/// Which requests were made, in batches and alone.
fn made(service: &Service) -> Vec<u64> {
    let seen = service.seen.lock().unwrap();
    let bodies = seen.iter().flat_map(|seen| items(seen).map_or_else(|| vec![serde_json::from_slice(seen.body()).unwrap()], |all| all.into_iter().map(|item| item["body"].clone()).collect()));
    let mut made: Vec<u64> = bodies.map(|body: Value| body["n"].as_u64().unwrap()).collect();
    made.sort_unstable();
    made
}

fn answer_each(seen: &http::Request<Bytes>, each: impl Fn(&Value) -> Value) -> Answer {
    match items(seen) {
        None => says(202, ""),
        Some(items) => says(200, json!({ "responses": items.iter().rev().map(each).collect::<Vec<_>>() }).to_string()),
    }
}

fn accepted(item: &Value) -> Value {
    json!({ "id": item["id"], "status": 202 })
}

async fn all(set: &Set, requests: impl IntoIterator<Item = Request>) -> Vec<Result<Response>> {
    join_all(requests.into_iter().map(|request| set.pipeline.send(request))).await
}

#[tokio::test]
async fn what_waits_together_travels_together_and_each_goes_once() {
    let clock = clock();
    let set = set(&clock, |seen, _| answer_each(seen, accepted));
    let outcomes = all(&set, (0..100).map(post)).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|response| response.status == StatusCode::ACCEPTED)));
    assert_eq!(made(&set.service), (0..100).collect::<Vec<_>>());
    let sizes: Vec<usize> = set.service.seen.lock().unwrap().iter().map(|seen| items(seen).map_or(1, |items| items.len())).collect();
    assert!(sizes.len() <= 12 && sizes.iter().all(|size| *size <= 20), "{sizes:?}");
    let first = set.service.seen.lock().unwrap().iter().find_map(items).unwrap().remove(0);
    assert_eq!(first["method"], "POST");
    assert!(first["url"].as_str().is_some_and(|url| url.starts_with("/me/messages/")));
    assert!(first["headers"].get("authorization").is_none() && first["headers"]["content-type"] == "application/json");

    // Alone it is a request like any other.
    let before = set.service.calls();
    assert!(set.pipeline.send(post(1)).await.is_ok());
    let seen = set.service.seen.lock().unwrap();
    assert!(seen.len() == before + 1 && items(&seen[before]).is_none());
}

#[tokio::test]
async fn what_waited_for_a_batch_and_was_not_made_counts_for_nobody() {
    let clock = clock();
    let set = set(&clock, |seen, _| answer_each(seen, accepted));
    // Outlook takes 10,000 requests of a mailbox in ten minutes, and time stands still here.
    for _ in 0..99 {
        assert!(all(&set, (0..100).map(post)).await.iter().all(Result::is_ok));
    }
    assert_eq!((made(&set.service).len(), passed_ms(&clock)), (9900, 0));
}

#[tokio::test]
async fn a_batch_of_chats_holds_no_more_than_a_user_has_slots() {
    let clock = clock();
    let set = set(&clock, |seen, _| answer_each(seen, accepted));
    let chat = |n: usize| {
        let mut request = post(n);
        request.url = Url::parse(&format!("https://graph.microsoft.com/v1.0/chats/{n}/messages")).unwrap();
        request
    };
    assert!(all(&set, (0..40).map(chat)).await.iter().all(Result::is_ok));
    let sizes: Vec<usize> = set.service.seen.lock().unwrap().iter().map(|seen| items(seen).map_or(1, |items| items.len())).collect();
    assert!(sizes.iter().sum::<usize>() == 40 && sizes.contains(&4) && sizes.iter().all(|size| *size <= 4), "{sizes:?}");
}

#[tokio::test]
async fn only_what_belongs_together_goes_together() {
    let clock = clock();
    let set = set(&clock, |seen, _| answer_each(seen, accepted));
    let requests = (0..60).map(|n| {
        let mut request = post(n);
        match n % 5 {
            0 => request.account_id = Some("other".into()),
            1 => request.priority = Priority::Interactive,
            2 => request.url = Url::parse(&format!("https://graph.microsoft.com/v1.0/chats/{n}/messages")).unwrap(),
            3 => request.body = format!("{{\"n\":{n},\"long\":\"{}\"}}", "x".repeat(200 << 10)).into(),
            _ => {}
        }
        request
    });
    assert!(all(&set, requests).await.iter().all(|outcome| outcome.is_ok()));
    assert_eq!(made(&set.service), (0..60).collect::<Vec<_>>());
    for items in set.service.seen.lock().unwrap().iter().filter_map(items) {
        let kinds: std::collections::HashSet<u64> = items.iter().map(|item| item["body"]["n"].as_u64().unwrap() % 5).collect();
        assert!(kinds.len() == 1 && !kinds.contains(&3), "{kinds:?}");
    }
}

/// What became of all of them, by kind of error.
async fn kinds(set: &Set, requests: usize) -> Vec<Option<ErrorKind>> {
    all(set, (0..requests).map(post)).await.iter().map(|outcome| outcome.as_ref().err().map(Error::kind)).collect()
}

#[tokio::test]
async fn a_lost_answer_is_doubt_for_each_and_nothing_is_repeated() {
    for lost in [breaks(Sent::Maybe), says(504, ""), says(200, "{"), says(200, "{\"responses\":[]}"), says(204, "")] {
        let clock = clock();
        let again = Mutex::new(Some(lost));
        let set = set(&clock, move |seen, _| match items(seen) {
            Some(_) => again.lock().unwrap().take().unwrap_or_else(|| answer_each(seen, accepted)),
            None => says(202, ""),
        });
        let kinds = kinds(&set, 60).await;
        let in_doubt = kinds.iter().flatten().inspect(|kind| assert_eq!(**kind, ErrorKind::OutcomeUnknown)).count();
        assert!((4..=20).contains(&in_doubt), "{in_doubt}");
        assert_eq!(made(&set.service), (0..60).collect::<Vec<_>>(), "each went once");
    }
}

#[tokio::test]
async fn what_is_proven_not_to_be_done_goes_again() {
    for refusal in [breaks(Sent::No), says_with(429, ("retry-after", "3"), ""), says(401, "")] {
        let clock = clock();
        let again = Mutex::new(Some(refusal));
        let set = set(&clock, move |seen, _| match items(seen) {
            Some(_) => again.lock().unwrap().take().unwrap_or_else(|| answer_each(seen, accepted)),
            None => says(202, ""),
        });
        assert!(kinds(&set, 60).await.iter().all(Option::is_none));
        let seen = set.service.seen.lock().unwrap();
        let tokens: std::collections::HashSet<_> = seen.iter().map(|seen| seen.headers()[AUTHORIZATION].clone()).collect();
        assert!(tokens.len() <= 2 && seen.len() < 25, "a refused token is renewed once for all, and batches stay batches: {}", seen.len());
    }
}

#[tokio::test]
async fn each_has_its_own_refusal() {
    let clock = clock();
    let refused = Mutex::new(std::collections::HashSet::new());
    let set = set(&clock, move |seen, _| {
        answer_each(seen, |item| {
            let n = item["body"]["n"].as_u64().unwrap();
            let again = !refused.lock().unwrap().insert(n);
            match n % 10 {
                1 if !again => json!({ "id": item["id"], "status": 429, "headers": { "Retry-After": "2" } }),
                2 => json!({ "id": item["id"], "status": 404, "body": { "error": { "code": "ErrorItemNotFound" } } }),
                3 => json!({ "id": item["id"], "status": 503, "body": {} }),
                4 if !again => json!({ "id": item["id"], "status": 424 }),
                5 => json!({ "id": "someone", "status": 202 }),
                _ => accepted(item),
            }
        })
    });
    let outcomes = all(&set, (0..60).map(post)).await;
    let mut batched = 0;
    for (n, outcome) in outcomes.iter().enumerate() {
        let (status, kind) = (outcome.as_ref().ok().map(|response| response.status.as_u16()), outcome.as_ref().err().map(Error::kind));
        match n % 10 {
            // What went alone was accepted.
            2 | 3 | 5 if status == Some(202) => batched += 1,
            2 => assert_eq!(status, Some(404), "{n}"),
            3 | 5 => assert_eq!(kind, Some(ErrorKind::OutcomeUnknown), "{n}"),
            _ => assert_eq!(status, Some(202), "{n} {kind:?}"),
        }
    }
    assert!(batched <= 8, "{batched}");
    assert!(passed_ms(&clock) >= 2000, "a Retry-After of one holds the mailbox");
}

#[tokio::test]
async fn a_batch_refused_for_its_form_is_asked_for_one_by_one() {
    let clock = clock();
    let set = set(&clock, |seen, _| if items(seen).is_some() { says(400, "{\"error\":{\"code\":\"BadRequest\"}}") } else { says(202, "") });
    assert!(kinds(&set, 40).await.iter().all(Option::is_none));
    let plain = set.service.seen.lock().unwrap().iter().filter(|seen| items(seen).is_none()).count();
    assert_eq!(plain, 40);
}

#[tokio::test]
async fn who_goes_away_takes_nobody_along() {
    let clock = clock();
    let set = set(&clock, |seen, _| answer_each(seen, accepted));
    for stop_after in 0..30 {
        let mut going: Vec<BoxFuture<'_, Result<Response>>> = (0..40).map(|n| Box::pin(set.pipeline.send(post(n))) as BoxFuture<'_, _>).collect();
        for _ in 0..stop_after {
            for one in &mut going {
                let _ = futures_util::poll!(one.as_mut());
            }
            tokio::task::yield_now().await;
            going.truncate(40);
            if going.iter_mut().any(|one| futures_util::FutureExt::now_or_never(one).is_some()) {
                break;
            }
        }
        drop(going);
    }
    let before = made(&set.service).len();
    assert!(kinds(&set, 40).await.iter().all(Option::is_none), "every slot is free again");
    assert!(made(&set.service).len() >= before + 40);
}

#[tokio::test]
async fn after_a_retry_after_nobody_goes_before_its_time() {
    for of_an_item in [false, true] {
        for _ in 0..20 {
            let clock = clock();
            let (ticking, times) = (clock.clone(), Arc::new(Mutex::new(Vec::new())));
            let noted = times.clone();
            let set = set(&clock, move |seen, _| {
                let is_first = items(seen).is_some() && !noted.lock().unwrap().iter().any(|(is_refused, _)| *is_refused);
                noted.lock().unwrap().push((is_first, passed_ms(&ticking)));
                match is_first {
                    false => answer_each(seen, accepted),
                    true if of_an_item => answer_each(seen, |item| match item["id"] == "2" {
                        true => json!({ "id": item["id"], "status": 429, "headers": { "Retry-After": 3 } }),
                        false => accepted(item),
                    }),
                    true => says_with(429, ("retry-after", "3"), ""),
                }
            });
            assert!(kinds(&set, 60).await.iter().all(Option::is_none));
            let times = times.lock().unwrap();
            let at = times.iter().position(|(is_refused, _)| *is_refused).unwrap();
            assert!(times.iter().skip(at + 1).all(|(_, ms)| *ms >= times[at].1 + 3000), "{times:?}");
        }
    }
}

/// Batches are answered when it is told to, anything else at once.
struct Slow {
    goes_on: Semaphore,
    batches: Mutex<Vec<Value>>,
}

impl Transport for Arc<Slow> {
    fn call(&self, request: http::Request<Bytes>, _: usize) -> BoxFuture<'static, Answer> {
        let slow = self.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            if let Some(items) = items(&request) {
                slow.batches.lock().unwrap().extend(items);
                slow.goes_on.acquire().await.unwrap().forget();
            }
            answer_each(&request, accepted)
        })
    }
}

#[tokio::test]
async fn what_is_on_its_way_in_a_batch_is_not_given_up_by_who_waits_for_a_slot() {
    let clock = TestClock::new(START_MS);
    let slow = Arc::new(Slow { goes_on: Semaphore::new(0), batches: Mutex::default() });
    let pipeline = Arc::new(Pipeline::new(Endpoints::of(&Cloud::Public).unwrap(), Arc::new(slow.clone()), Arc::new(clock.clone()), Limits::default()));
    let tokens: Arc<dyn TokenSource> = Arc::new(Numbered::default());
    pipeline.plug_tokens(tokens.clone());
    let sent = {
        let pipeline = pipeline.clone();
        tokio::spawn(async move { join_all((0..60).map(|n| pipeline.send(post(n)))).await })
    };
    // Longer than anybody waits for a slot.
    for _ in 0..60 {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        clock.advance(1_000);
    }
    slow.goes_on.add_permits(60);
    let outcomes = sent.await.unwrap();
    for item in slow.batches.lock().unwrap().iter() {
        let n = usize::try_from(item["body"]["n"].as_u64().unwrap()).unwrap();
        assert!(outcomes[n].is_ok(), "{n} was done: {:?}", outcomes[n].as_ref().err());
    }
    let waited: Vec<&Error> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!((20..50).contains(&waited.len()), "some were on their way, some were not: {waited:?}");
    assert!(waited.iter().all(|error| error.kind() == ErrorKind::Throttled), "{waited:?}");
}
