//! The whole loop on a real store, against a service made of a closure.

use super::*;
use super::world::writes_through;
use crate::clock::{Clock, TestClock, to_ms};
use crate::config::{Cloud, Endpoints};
use crate::error::Result;
use crate::events::EventBus;
use crate::flows::Flows;
use crate::graph::Graph;
use crate::model::{AccountState, Feature, Receipt, SendRoute, SendState};
use crate::outbox::Outbox;
use crate::outbox::payload::{payload_place, seal_content};
use crate::pipeline::fake::{Seen, Service, breaks, clock, says};
use crate::pipeline::{AccessToken, Answer, Sent, TokenSource};
use crate::runtime::{Runtime, block_on};
use crate::seal::AadContext;
use crate::secret::RootKey;
use crate::store::{Pace, AccountRow, Content, NewItem, OutboxParts, Shorthand, SqliteStore, Step, Store, Tally, TokenRow};
use crate::vault::Vault;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Always;

impl TokenSource for Always {
    fn token(&self, _: String, _: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        Box::pin(std::future::ready(Ok(AccessToken::new("t"))))
    }
}

pub struct Bench {
    pub outbox: Arc<Outbox>,
    pub service: Arc<Service>,
    pub store: Arc<dyn Store>,
    pub vault: Vault,
    pub clock: TestClock,
    runtime: Runtime,
    _tokens: Arc<dyn TokenSource>,
    _folder: tempfile::TempDir,
}

pub fn bench(answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Bench {
    let (clock, service, folder) = (clock(), Service::new(answer), tempfile::tempdir().unwrap());
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store"), Duration::from_secs(60)).unwrap());
    let vault = block_on(Vault::open(store.clone(), Arc::new(RootKey::raw((0..32).collect()).unwrap()), 0)).unwrap();
    let keys = vault.new_account_keys("a", true, 1).unwrap();
    let handles = block_on(vault.adopt("a", &keys)).unwrap();
    let place = |table, column| AadContext { table, column, account_id: "a", row: "a", version: 1 };
    let account = AccountRow {
                    tenant_id: "tenant".into(),
        user_id: "me".into(),
        state: AccountState::Connected,
        features: vec![Feature::MailSend, Feature::Chat],
        scopes: vec![],
        ..AccountRow::new("a", "owner", handles.content.seal(place("accounts", "profile"), b"{}").unwrap(), 1)
    };
    let token = TokenRow { account_id: "a".into(), version: 1, sealed: handles.secrets.seal(place("tokens", "sealed"), b"{}").unwrap(), expires_at: i64::MAX, refreshed_at: 1 };
    block_on(store.store_account(&account, Some(&token), &keys, None, 1)).unwrap();
    let pipeline = service.pipeline(&clock);
    let tokens: Arc<dyn TokenSource> = Arc::new(Always);
    pipeline.plug_tokens(tokens.clone());
    let flows = Flows::new(pipeline.clone());
    let graph = Graph::new(pipeline, Endpoints::of(&Cloud::Public).unwrap());
    let outbox = Outbox::new(store.clone(), vault.clone(), graph, (flows, None), Arc::new(clock.clone()), EventBus::new(), Pace::default());
    Bench { outbox, service, store, vault, clock, runtime: Runtime::start().unwrap(), _tokens: tokens, _folder: folder }
}

impl Bench {
    /// Delivers until the send is settled.
    async fn deliver(&self, draft: impl Into<RouteDraft>) -> Receipt {
        let receipt = self.outbox.enqueue(draft.into(), true).await.unwrap();
        self.settle(&receipt.id).await
    }

    /// The loop was stopped in the midst of something: what it held lapses.
    fn forget_claims(&self) {
        self.clock.advance(60_000);
    }

    pub async fn settle(&self, id: &str) -> Receipt {
        self.until(id, |receipt| !matches!(receipt.state, SendState::Queued | SendState::Sending)).await
    }

    /// Delivers until the receipt is as wanted.
    #[allow(clippy::disallowed_methods)] // real time: it ends a test that hangs
    pub async fn until(&self, id: &str, wanted: impl Fn(&Receipt) -> bool) -> Receipt {
        let running = tokio::spawn(self.outbox.clone().run(self.runtime.stop()));
        let reached = async {
            loop {
                let receipt = self.outbox.receipt(id, None).await.unwrap();
                if wanted(&receipt) {
                    return receipt;
                }
                tokio::task::yield_now().await;
            }
        };
        let receipt = tokio::time::timeout(Duration::from_secs(120), reached).await.expect("it never comes to that");
        running.abort();
        let _ = running.await; // it was stopped
        writes_through(&self.outbox).await;
        receipt
    }

    pub fn passed(&self, since: i64, ms: i64) -> impl Fn(&Receipt) -> bool {
        let clock = self.clock.clone();
        move |_| to_ms(clock.now()) - since > ms
    }

    fn asked(&self) -> Vec<String> {
        self.service.seen.lock().unwrap().iter().map(|r| format!("{} {}", r.method(), r.uri().path())).collect()
    }

    pub fn folder(&self) -> std::path::PathBuf {
        self._folder.path().join("store")
    }

    pub fn now(&self) -> i64 {
        to_ms(self.clock.now())
    }

    /// Leaves the item as a worker would that died while it was in this state.
    pub async fn left_in(&self, receipt: &Receipt, state: ItemState) {
        let item = self.store.claim(self.now(), 0, &[]).await.unwrap().unwrap();
        assert_eq!(item.id, receipt.id);
        let step = Step { state, progress: None, reason: None, next_at: None, sent_at: None, claim_until: Some(self.now()), links: Vec::new(), sent_mail: None, retires: None, said: None, tally: Tally::Attempt, tidy_at: None, announce: false, claim_next_until: None };
        assert!(self.store.step(&item.id, item.fence, &step, self.now()).await.unwrap().is_some());
    }
}

fn not_there() -> Answer {
    says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#)
}

fn chat() -> ChatDraft {
    ChatDraft { account_id: "a".into(), to: "alex@contoso.com".into(), body: "Hi".into(), ..ChatDraft::default() }
}

pub fn letter() -> MailDraft {
    MailDraft { account_id: "a".into(), ..mail() }
}

fn found(messages: Value) -> Answer {
    says(200, json!({ "value": messages }).to_string())
}

/// The draft that this request asks for, made under this id.
pub fn made(request: &Seen, id: &str) -> Answer {
    let asked: Value = serde_json::from_slice(request.body()).unwrap();
    says(201, json!({ "id": id, "isDraft": true, "internetMessageId": asked["internetMessageId"] }).to_string())
}

fn state(id: &str, is_draft: bool) -> Answer {
    says(200, json!({ "id": id, "isDraft": is_draft, "changeKey": "k" }).to_string())
}

/// Whether a request looks for messages by their mark.
fn by_mark(request: &Seen) -> bool {
    request.method() == "GET" && request.uri().path().starts_with("/v1.0/me/mailFolders/")
}

#[tokio::test]
async fn a_second_draft_is_no_proof_that_the_first_was_not_sent() {
    // The first creation is lost and its draft shows up late, so that there are two; the second one is sent, the answer is lost, and for a while
    // its copy is nowhere to be seen.
    let mark = Arc::new(Mutex::new(Value::Null));
    let bench = bench(move |request, n| match (request.method().as_str(), request.uri().path()) {
        ("POST", "/v1.0/me/messages") if n == 0 => {
            let asked: Value = serde_json::from_slice(request.body()).unwrap();
            *mark.lock().unwrap() = asked["singleValueExtendedProperties"].clone();
            breaks(Sent::Maybe)
        }
        ("POST", "/v1.0/me/messages") => made(request, "second"),
        ("POST", "/v1.0/me/messages/second/send") => breaks(Sent::Maybe),
        ("POST", _) => says(202, ""),
        ("GET", "/v1.0/me/messages/second") => not_there(),
        _ if by_mark(request) && n < 6 => found(json!([])),
        ("GET", "/v1.0/me/mailFolders/drafts/messages") => found(json!([{ "id": "first", "isDraft": true, "singleValueExtendedProperties": *mark.lock().unwrap() }])),
        _ => found(json!([])),
    });
    let receipt = bench.deliver(letter()).await;
    assert!(!bench.asked().contains(&"POST /v1.0/me/messages/first/send".to_owned()), "{:?}", bench.asked());
    assert_eq!(receipt.state, SendState::Unknown);
}

#[tokio::test]
async fn what_may_have_been_sent_is_never_called_failed() {
    // The draft is sent, the answer lost; seen from outside it is a draft for a moment, and the second request is refused because it is none.
    let sent = Arc::new(Mutex::new(0));
    let bench = bench(move |request, _| match (request.method().as_str(), request.uri().path()) {
        ("POST", "/v1.0/me/messages") => made(request, "d"),
        ("POST", _) => {
            *sent.lock().unwrap() += 1;
            if *sent.lock().unwrap() == 1 { breaks(Sent::Maybe) } else { says(400, r#"{"error":{"code":"ErrorInvalidOperation"}}"#) }
        }
        _ => state("d", *sent.lock().unwrap() < 2),
    });
    let receipt = bench.deliver(letter()).await;
    assert_eq!((receipt.state, receipt.attempts), (SendState::Sent, 2));
}

#[tokio::test]
async fn an_item_given_up_in_doubt_is_unknown() {
    let bench = bench(|_, _| breaks(Sent::No));
    let receipt = bench.outbox.enqueue(letter().into(), true).await.unwrap();
    for _ in 0..50 {
        bench.left_in(&receipt, ItemState::Dispatching).await; // and dies
    }
    let receipt = bench.settle(&receipt.id).await;
    assert_eq!((receipt.state, bench.service.calls()), (SendState::Unknown, 0));
}

#[tokio::test]
async fn what_has_no_effect_waits_without_end() {
    const HOUR: i64 = 3_600_000;
    let answers: [(fn() -> Answer, i64); 8] = [
        (|| breaks(Sent::No), 72),
        (|| crate::pipeline::fake::says_with(429, ("retry-after", "1"), ""), 12),
        (|| crate::pipeline::fake::says_with(503, ("retry-after", "30"), ""), 12),
        (|| says(401, ""), 24),
        (|| says(507, ""), 24),
        (|| says(429, r#"{"error":{"code":"ErrorQuotaExceeded"}}"#), 12),
        (|| says(403, r#"{"error":{"code":"ErrorSubmissionQuotaExceeded"}}"#), 24),
        (|| says(500, ""), 12),
    ];
    for (answer, hours) in answers {
        let well = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let healed = well.clone();
        let bench = bench(move |request, _| match (request.method().as_str(), request.uri().path()) {
            _ if !healed.load(std::sync::atomic::Ordering::SeqCst) => answer(),
            ("POST", "/v1.0/me/messages") => made(request, "d"),
            ("POST", _) => says(202, ""),
            _ => found(json!([])),
        });
        let (began, sent) = (bench.now(), bench.outbox.enqueue(letter().into(), true).await.unwrap());
        let passed = bench.passed(began, hours * HOUR);
        let waiting = bench.until(&sent.id, |receipt| passed(receipt) && receipt.state == SendState::Queued).await;
        assert_eq!((waiting.state, waiting.attempts), (SendState::Queued, 0), "{waiting:?}");
        assert!(waiting.reason.is_some() && waiting.next_attempt_at.is_some());
        // In pauses of a quarter of an hour at the most; each claim is a few requests.
        assert!(bench.service.calls() < 200 * usize::try_from(hours).unwrap(), "{} requests", bench.service.calls());
        well.store(true, std::sync::atomic::Ordering::SeqCst);
        let receipt = bench.settle(&sent.id).await;
        // The worker that was let go of in between counts, should it have had it in hand.
        assert!(receipt.state == SendState::Sent && (1..=2).contains(&receipt.attempts), "{receipt:?}");
    }
}

#[tokio::test]
async fn a_deadline_ends_what_waits_and_only_that() {
    let bench = bench(|_, _| breaks(Sent::No));
    let deadline = Some(crate::clock::from_ms(bench.now() + 3_600_000));
    let receipt = bench.deliver(MailDraft { deadline, ..letter() }).await;
    assert_eq!((receipt.state, receipt.attempts), (SendState::Failed, 0));
    assert!(receipt.reason.unwrap().contains("deadline"));
    assert!(bench.now() - to_ms(receipt.created_at) < 3_700_000);
    // In doubt, it is unknown.
    let receipt = bench.outbox.enqueue(MailDraft { deadline: Some(crate::clock::from_ms(bench.now() + 3_600_000)), ..letter() }.into(), true).await.unwrap();
    bench.left_in(&receipt, ItemState::Dispatching).await;
    assert_eq!(bench.settle(&receipt.id).await.state, SendState::Unknown);
}

/// A creation that was turned away left nothing to look for, however often; one whose answer was lost did.
#[tokio::test]
async fn a_draft_that_was_never_made_is_not_looked_for() {
    for (refused, looks) in [(429, false), (500, true)] {
        let left = Arc::new(Mutex::new(3));
        let remaining = left.clone();
        let bench = bench(move |request, _| match (request.method().as_str(), request.uri().path()) {
            ("POST", "/v1.0/me/messages") if *remaining.lock().unwrap() > 0 => {
                *remaining.lock().unwrap() -= 1;
                crate::pipeline::fake::says_with(refused, ("retry-after", "60"), r#"{"error":{"code":"X"}}"#)
            }
            ("POST", "/v1.0/me/messages") => made(request, "d"),
            ("POST", _) => says(202, ""),
            _ => found(json!([])),
        });
        assert_eq!(bench.deliver(letter()).await.state, SendState::Sent, "{refused}");
        assert_eq!(bench.asked().iter().any(|asked| asked.starts_with("GET")), looks, "{refused}: {:?}", bench.asked());
    }
}

#[tokio::test]
async fn a_conflict_passes() {
    // At the creation, at the sending; and once for good.
    for (path, times, state_then) in [("/v1.0/me/messages", 3, SendState::Sent), ("/v1.0/me/messages/d/send", 3, SendState::Sent), ("/v1.0/me/messages/d/send", 99, SendState::Failed)] {
        let (refused, deleted) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        let (count, gone) = (refused.clone(), deleted.clone());
        let mark = Arc::new(Mutex::new(Value::Null));
        let bench = bench(move |request, _| {
            let at = request.uri().path();
            if request.method() == "POST" && at == path && *count.lock().unwrap() < times {
                *count.lock().unwrap() += 1;
                return says(if times == 3 { 412 } else { 409 }, r#"{"error":{"code":"ErrorIrresolvableConflict"}}"#);
            }
            match (request.method().as_str(), at) {
                ("POST", "/v1.0/me/messages") => {
                    let asked: Value = serde_json::from_slice(request.body()).unwrap();
                    *mark.lock().unwrap() = asked["singleValueExtendedProperties"].clone();
                    made(request, "d")
                }
                ("POST", _) => says(202, ""),
                ("DELETE", "/v1.0/me/messages/d") => {
                    assert_eq!(request.headers()["if-match"], "W/\"k\"");
                    *gone.lock().unwrap() += 1;
                    says(204, "")
                }
                ("GET", "/v1.0/me/messages/d") => {
                    says(200, json!({ "id": "d", "isDraft": true, "changeKey": "k", "singleValueExtendedProperties": *mark.lock().unwrap() }).to_string())
                }
                _ => found(json!([])),
            }
        });
        let receipt = bench.deliver(letter()).await;
        assert_eq!(receipt.state, state_then, "{path}: {receipt:?}");
        if state_then == SendState::Failed {
            assert!(*refused.lock().unwrap() > 8);
            // Whoever was about to remove it may have been let go of with the loop.
            let removed = |_: &Receipt| {
                bench.clock.advance(1_000);
                *deleted.lock().unwrap() == 1
            };
            bench.until(&receipt.id, removed).await;
            let asked = bench.asked();
            let sends = asked.iter().filter(|r| r.ends_with("/send")).count();
            let looks = asked.iter().filter(|r| *r == "GET /v1.0/me/messages/d").count();
            assert!(looks >= sends, "it is read again before it is sent again: {asked:?}");
        }
    }
}

#[tokio::test]
async fn a_submission_that_takes_its_time_is_waited_for() {
    for delay in [1_000, 25_000, 180_000, 290_000] {
        let sent_at = Arc::new(Mutex::new(None));
        let clock = Arc::new(Mutex::new(None::<TestClock>));
        let (when, time) = (sent_at.clone(), clock.clone());
        let bench = bench(move |request, _| match (request.method().as_str(), request.uri().path()) {
            ("POST", "/v1.0/me/messages") => made(request, "d"),
            ("POST", _) => {
                let mut at = when.lock().unwrap();
                assert!(at.is_none(), "sent twice after {delay} ms");
                *at = time.lock().unwrap().as_ref().map(TestClock::now_ms);
                breaks(Sent::Maybe)
            }
            _ => {
                let now = time.lock().unwrap().as_ref().map_or(0, TestClock::now_ms);
                state("d", when.lock().unwrap().is_some_and(|at| now < at + delay))
            }
        });
        *clock.lock().unwrap() = Some(bench.clock.clone());
        let receipt = bench.outbox.enqueue(letter().into(), true).await.unwrap();
        if delay > 20_000 {
            let watched = bench.until(&receipt.id, |r| r.state == SendState::Sending && r.reason.is_some()).await;
            assert!(watched.reason.unwrap().contains("did not confirm"));
        }
        let receipt = bench.settle(&receipt.id).await;
        assert!(receipt.state == SendState::Sent && (1..=2).contains(&receipt.attempts), "{delay}: {receipt:?}");
    }
}

#[tokio::test]
async fn a_refusal_after_doubt_is_no_last_word() {
    // The submission takes six minutes: by then the draft is sent again, and that one is refused since it is not there any more; the copy comes later.
    let posted = Arc::new(Mutex::new(Vec::<u64>::new()));
    let clock = Arc::new(Mutex::new(None::<TestClock>));
    let (posts, time) = (posted.clone(), clock.clone());
    let bench = bench(move |request, _| {
        let now = time.lock().unwrap().as_ref().map_or(0, TestClock::now_ms);
        let mut posts = posts.lock().unwrap();
        match (request.method().as_str(), request.uri().path()) {
            ("POST", "/v1.0/me/messages") => made(request, "d"),
            ("POST", _) => {
                posts.push(now);
                match posts.len() {
                    1 => breaks(Sent::Maybe),
                    _ => says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#),
                }
            }
            ("GET", "/v1.0/me/messages/d") => match posts.first() {
                Some(first) if now < first + 330_000 => if posts.len() < 2 { state("d", true) } else { not_there() },
                _ => state("d", false),
            },
            _ => found(json!([])),
        }
    });
    *clock.lock().unwrap() = Some(bench.clock.clone());
    let receipt = bench.deliver(letter()).await;
    assert_eq!((receipt.state, posted.lock().unwrap().len()), (SendState::Sent, 2));
}

#[tokio::test]
async fn an_answer_that_leaves_out_what_decides_is_no_answer() {
    // After a lost answer the mailbox says nothing of isDraft, or speaks of another message; nothing has left.
    for odd in [json!({ "id": "d" }), json!({ "id": "other", "isDraft": false }), json!({ "isDraft": false })] {
        let bench = bench(move |request, n| match (request.method().as_str(), request.uri().path()) {
            ("POST", "/v1.0/me/messages") => made(request, "d"),
            ("POST", _) if n == 1 => says(504, ""),
            ("POST", _) => says(202, ""),
            ("GET", "/v1.0/me/messages/d") if n < 8 => says(200, odd.to_string()),
            ("GET", "/v1.0/me/messages/d") => state("d", true),
            _ => found(json!([])),
        });
        let receipt = bench.deliver(letter()).await;
        assert_eq!(receipt.state, SendState::Sent);
        assert_eq!(bench.asked().iter().filter(|r| r.ends_with("/send")).count(), 2, "{:?}", bench.asked());
    }
}

#[tokio::test]
async fn a_send_is_taken_back_and_another_sent_again() {
    let well = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let healed = well.clone();
    let bench = bench(move |request, _| match (request.method().as_str(), request.uri().path()) {
        ("POST", "/v1.0/me/messages") if !healed.load(std::sync::atomic::Ordering::SeqCst) => says(400, r#"{"error":{"code":"ErrorInvalidRecipients"}}"#),
        ("POST", "/v1.0/me/messages") => made(request, "d"),
        ("POST", _) => says(202, ""),
        _ => found(json!([])),
    });
    let failed = bench.deliver(letter()).await;
    assert_eq!(failed.state, SendState::Failed);
    let again = bench.outbox.cancel(&failed.id, None).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Conflict);
    well.store(true, std::sync::atomic::Ordering::SeqCst);
    bench.forget_claims();
    bench.outbox.retry(&failed.id, false).await.unwrap();
    assert_eq!(bench.settle(&failed.id).await.state, SendState::Sent);
    assert_eq!(bench.outbox.retry(&failed.id, true).await.unwrap_err().kind(), ErrorKind::Conflict);
    let waiting = bench.outbox.enqueue(letter().into(), true).await.unwrap();
    assert_eq!(bench.outbox.cancel(&waiting.id, Some("other".into())).await.unwrap_err().kind(), ErrorKind::NotFound);
    for _ in 0..2 {
        assert_eq!(bench.outbox.cancel(&waiting.id, Some("owner".into())).await.unwrap().state, SendState::Cancelled);
    }
    assert_eq!(bench.outbox.retry(&waiting.id, true).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn what_is_in_doubt_is_sent_again_on_the_hosts_word_alone() {
    let posts = Arc::new(Mutex::new(0));
    let count = posts.clone();
    let bench = bench(move |request, _| match request.uri().path() {
        "/v1.0/users" => says(200, r#"{"value":[]}"#),
        "/v1.0/users/alex@contoso.com" | "/v1.0/users/alex%40contoso.com" => says(200, r#"{"id":"you"}"#),
        "/v1.0/chats" => says(201, r#"{"id":"c"}"#),
        _ => {
            *count.lock().unwrap() += 1;
            if *count.lock().unwrap() == 1 { breaks(Sent::Maybe) } else { says(201, r#"{"id":"1"}"#) }
        }
    });
    let receipt = bench.deliver(chat()).await;
    assert_eq!(receipt.state, SendState::Unknown);
    assert_eq!(bench.outbox.retry(&receipt.id, false).await.unwrap_err().kind(), ErrorKind::Conflict);
    bench.forget_claims();
    bench.outbox.retry(&receipt.id, true).await.unwrap();
    let receipt = bench.settle(&receipt.id).await;
    assert_eq!((receipt.state, receipt.attempts, *posts.lock().unwrap()), (SendState::Sent, 2, 2));
}

#[tokio::test]
async fn a_mail_in_doubt_is_looked_for_before_it_is_sent_again() {
    for there in [true, false] {
        let (sends, seen) = (Arc::new(Mutex::new(0)), Arc::new(std::sync::atomic::AtomicBool::new(false)));
        let (count, shown) = (sends.clone(), seen.clone());
        let bench = bench(move |request, _| match (request.method().as_str(), request.uri().path()) {
            ("POST", "/v1.0/me/messages") => made(request, if *count.lock().unwrap() == 0 { "d" } else { "e" }),
            ("POST", _) => {
                *count.lock().unwrap() += 1;
                if *count.lock().unwrap() == 1 { breaks(Sent::Maybe) } else { says(202, "") }
            }
            ("GET", "/v1.0/me/messages/d") if shown.load(std::sync::atomic::Ordering::SeqCst) => state("d", false),
            ("GET", "/v1.0/me/messages/d") => not_there(),
            _ => found(json!([])),
        });
        let receipt = bench.deliver(letter()).await;
        assert_eq!(receipt.state, SendState::Unknown);
        seen.store(there, std::sync::atomic::Ordering::SeqCst);
        bench.forget_claims();
        bench.outbox.retry(&receipt.id, true).await.unwrap();
        assert_eq!(bench.settle(&receipt.id).await.state, SendState::Sent);
        assert_eq!(*sends.lock().unwrap(), if there { 1 } else { 2 });
    }
}

mod kept;
