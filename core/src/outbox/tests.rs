use super::check::check_draft;
use super::item::{Start, Verdict, backoff_ms, start, verdict};
use crate::error::{Error, ErrorKind};
use crate::model::{Address, ChatDraft, Draft, FileAttachment, MailDraft};
use crate::store::ItemState;

fn mail() -> MailDraft {
    MailDraft {
        account_id: "acc_1".into(),
        to: vec![Address { address: "alex@contoso.com".into(), name: "Alex".into() }],
        subject: "Interview".into(),
        body: "At three?".into(),
        ..MailDraft::default()
    }
}

fn kind(draft: impl Into<Draft>) -> Option<ErrorKind> {
    check_draft(&draft.into()).err().map(|e| e.kind())
}

#[test]
fn a_plain_mail_and_chat_pass() {
    assert_eq!(kind(mail()), None);
    assert_eq!(kind(ChatDraft { account_id: "a".into(), to: "o'neil+x@sub.contoso.com".into(), body: "Hi".into(), ..ChatDraft::default() }), None);
}

#[test]
fn malformed_addresses_are_refused() {
    for bad in ["", "alex", "@contoso.com", "alex@", "alex@contoso", "a b@contoso.com", "alex@contoso.com\r\nBcc: x@y.z", "a@b@contoso.com", "<alex@contoso.com>", ".a@contoso.com", "a@-x.com", "a@x..com", "a;b@contoso.com", "a\u{2028}b@contoso.com"] {
        let mut draft = mail();
        draft.to = vec![Address { address: bad.into(), name: String::new() }];
        assert_eq!(kind(draft), Some(ErrorKind::InvalidInput), "{bad:?}");
        let chat = ChatDraft { account_id: "a".into(), to: bad.into(), body: "Hi".into(), ..ChatDraft::default() };
        assert_eq!(kind(chat), Some(ErrorKind::InvalidInput), "{bad:?}");
    }
}

#[test]
fn line_breaks_in_header_fields_are_refused() {
    for bad in ["a\rb", "a\nb", "a\r\nBcc: eve@x.com", "a\u{85}b", "a\u{2028}b", "a\u{2029}b", "a\0b"] {
        let mut subject = mail();
        subject.subject = bad.into();
        assert_eq!(kind(subject), Some(ErrorKind::InvalidInput), "{bad:?}");
        let mut name = mail();
        name.to[0].name = bad.into();
        assert_eq!(kind(name), Some(ErrorKind::InvalidInput), "{bad:?}");
    }
}

#[test]
fn five_hundred_recipients_pass_and_one_more_does_not() {
    let many = |n: usize| (0..n).map(|i| Address { address: format!("p{i}@contoso.com"), name: String::new() }).collect::<Vec<_>>();
    let mut draft = mail();
    (draft.to, draft.cc, draft.bcc) = (many(200), many(200), many(100));
    assert_eq!(kind(draft.clone()), None);
    draft.bcc = many(101);
    assert_eq!(kind(draft.clone()), Some(ErrorKind::LimitExceeded));
    (draft.to, draft.cc, draft.bcc) = (vec![], vec![], vec![]);
    assert_eq!(kind(draft), Some(ErrorKind::InvalidInput));
}

#[test]
fn what_is_too_large_is_refused() {
    let mut draft = mail();
    draft.attachments = vec![FileAttachment { name: "cv.pdf".into(), content: vec![0; 3 * 1024 * 1024], content_type: "application/pdf".into() }];
    assert_eq!(kind(draft.clone()), Some(ErrorKind::LimitExceeded));
    draft.attachments = (0..3).map(|_| FileAttachment { name: "a".into(), content: vec![0; 1_000_000], content_type: "text/plain".into() }).collect();
    assert_eq!(kind(draft), Some(ErrorKind::LimitExceeded));
    let chat = ChatDraft { account_id: "a".into(), to: "b@contoso.com".into(), body: "ü".repeat(14_000), ..ChatDraft::default() };
    assert_eq!(kind(chat), Some(ErrorKind::LimitExceeded));
}

#[test]
fn an_item_is_taken_up_where_it_was_left() {
    assert_eq!(start(ItemState::Queued), Some(Start::Prepare));
    assert_eq!(start(ItemState::RetryWait), Some(Start::Prepare));
    assert_eq!(start(ItemState::Prepared), Some(Start::Dispatch));
    assert_eq!(start(ItemState::Dispatching), Some(Start::Reconcile), "the request may have been made: ask first");
    for over in [ItemState::Sent, ItemState::Unknown, ItemState::Failed, ItemState::Cancelled] {
        assert_eq!(start(over), None);
    }
}

#[test]
fn only_what_cannot_have_been_accepted_is_tried_again() {
    let of = |kind| verdict(&Error::new(kind, ""));
    for kind in [ErrorKind::Throttled, ErrorKind::Network, ErrorKind::NeedsReconnect] {
        assert_eq!(of(kind), Verdict::Later);
    }
    for kind in [ErrorKind::OutcomeUnknown, ErrorKind::Upstream] {
        assert_eq!(of(kind), Verdict::Doubt);
    }
    for kind in [ErrorKind::Forbidden, ErrorKind::InvalidInput, ErrorKind::NotFound] {
        assert_eq!(of(kind), Verdict::Refused);
    }
}

#[test]
fn waits_grow_to_a_quarter_of_an_hour_and_heed_microsoft() {
    assert_eq!(backoff_ms(1, Some(30_000), 0.5), 30_000);
    assert!((1_500..=2_000).contains(&backoff_ms(1, None, 0.5)));
    assert!((675_000..=900_000).contains(&backoff_ms(49, None, 1.0)));
}

mod delivery {
    //! The whole loop on a real store, against a service made of a closure.

    use super::*;
    use crate::clock::{Clock, TestClock, to_ms};
    use crate::config::{Cloud, Endpoints};
    use crate::error::Result;
    use crate::events::Bell;
    use crate::graph::Graph;
    use crate::model::{AccountState, Feature, Receipt, Route, SendState};
    use crate::outbox::Outbox;
    use crate::outbox::carrier::payload_place;
    use crate::pipeline::fake::{Seen, Service, breaks, clock, says};
    use crate::pipeline::{AccessToken, Answer, Sent, TokenSource};
    use crate::runtime::Runtime;
    use crate::seal::Place;
    use crate::secret::RootKey;
    use crate::store::{AccountRow, NewItem, SqliteStore, Step, Store, TokenRow};
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

    struct House {
        outbox: Arc<Outbox>,
        service: Arc<Service>,
        store: Arc<dyn Store>,
        vault: Vault,
        clock: TestClock,
        runtime: Runtime,
        _tokens: Arc<dyn TokenSource>,
        _folder: tempfile::TempDir,
    }

    fn house(answer: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> House {
        let (clock, service, folder) = (clock(), Service::new(answer), tempfile::tempdir().unwrap());
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store"), Duration::from_secs(60)).unwrap());
        let vault = Vault::open(store.clone(), Arc::new(RootKey::raw((0..32).collect()).unwrap()), 0).unwrap();
        let keys = vault.new_account_keys("a", true, 1).unwrap();
        let handles = vault.adopt("a", &keys).unwrap();
        let place = |table, column| Place { table, column, account_id: "a", row: "a", version: 1 };
        let account = AccountRow {
                        tenant_id: "tenant".into(),
            user_id: "me".into(),
            state: AccountState::Connected,
            features: vec![Feature::MailSend, Feature::Chat],
            scopes: vec![],
            ..AccountRow::new("a", "owner", handles.content.seal(place("accounts", "profile"), b"{}").unwrap(), 1)
        };
        let token = TokenRow { account_id: "a".into(), version: 1, sealed: handles.secrets.seal(place("tokens", "sealed"), b"{}").unwrap(), expires_at: i64::MAX, refreshed_at: 1 };
        store.connect_account(&account, Some(&token), &keys, None, 1).unwrap();
        let pipeline = service.pipeline(&clock);
        let tokens: Arc<dyn TokenSource> = Arc::new(Always);
        pipeline.plug_tokens(tokens.clone());
        let graph = Graph::new(pipeline, Endpoints::of(&Cloud::Public).unwrap());
        let outbox = Outbox::new(store.clone(), vault.clone(), graph, Arc::new(clock.clone()), Bell::new());
        House { outbox, service, store, vault, clock, runtime: Runtime::start().unwrap(), _tokens: tokens, _folder: folder }
    }

    impl House {
        /// Delivers until the send is settled.
        async fn deliver(&self, draft: impl Into<Draft>) -> Receipt {
            let receipt = self.outbox.enqueue(draft.into()).await.unwrap();
            self.settle(&receipt.id).await
        }

        #[allow(clippy::disallowed_methods)] // real time: it ends a test that hangs
        async fn settle(&self, id: &str) -> Receipt {
            let running = tokio::spawn(self.outbox.clone().run(self.runtime.stop()));
            let settled = async {
                loop {
                    let receipt = self.outbox.receipt(id).await.unwrap();
                    if !matches!(receipt.state, SendState::Queued | SendState::Sending) {
                        return receipt;
                    }
                    tokio::task::yield_now().await;
                }
            };
            let receipt = tokio::time::timeout(Duration::from_secs(120), settled).await.expect("it is never settled");
            running.abort();
            receipt
        }

        fn asked(&self) -> Vec<String> {
            self.service.seen.lock().unwrap().iter().map(|r| format!("{} {}", r.method(), r.uri().path())).collect()
        }

        fn now(&self) -> i64 {
            to_ms(self.clock.now())
        }

        /// Leaves the item as a worker would that died while it was in this state.
        fn left_in(&self, receipt: &Receipt, state: ItemState) {
            let item = self.store.claim(self.now(), 0).unwrap().unwrap();
            assert_eq!(format!("snd_{}", item.id), receipt.id);
            let step = Step { state, progress: None, reason: None, next_at: None, sent_at: None, release: true, announce: false };
            assert!(self.store.step(item.id, item.fence, &step, self.now()).unwrap());
        }
    }

    fn not_there() -> Answer {
        says(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#)
    }

    fn chat() -> ChatDraft {
        ChatDraft { account_id: "a".into(), to: "alex@contoso.com".into(), body: "Hi".into(), ..ChatDraft::default() }
    }

    fn letter() -> MailDraft {
        MailDraft { account_id: "a".into(), ..mail() }
    }

    fn found(messages: Value) -> Answer {
        says(200, json!({ "value": messages }).to_string())
    }

    #[tokio::test]
    async fn a_second_draft_is_no_proof_that_the_first_was_not_sent() {
        // The first creation is lost and its draft shows up late, so that there are two; the second one is sent, the answer is lost, and for a while
        // its copy is nowhere to be seen.
        let house = house(|request, n| match (request.method().as_str(), request.uri().path()) {
            ("POST", "/v1.0/me/messages") if n == 0 => breaks(Sent::Maybe),
            ("POST", "/v1.0/me/messages") => says(201, r#"{"id":"second"}"#),
            ("POST", "/v1.0/me/messages/second/send") => breaks(Sent::Maybe),
            ("POST", _) => says(202, ""),
            ("GET", "/v1.0/me/messages/second") => not_there(),
            ("GET", "/v1.0/me/messages") if n < 3 => found(json!([])),
            _ => found(json!([{ "id": "first", "isDraft": true }])),
        });
        let receipt = house.deliver(letter()).await;
        assert!(!house.asked().contains(&"POST /v1.0/me/messages/first/send".to_owned()), "{:?}", house.asked());
        assert_eq!(receipt.state, SendState::Unknown);
    }

    #[tokio::test]
    async fn what_may_have_been_sent_is_never_called_failed() {
        // The draft is sent, the answer lost; seen from outside it is a draft for a moment, and the second request is refused because it is none.
        let sent = Arc::new(Mutex::new(0));
        let house = house(move |request, _| match (request.method().as_str(), request.uri().path()) {
            ("POST", "/v1.0/me/messages") => says(201, r#"{"id":"d"}"#),
            ("POST", _) => {
                *sent.lock().unwrap() += 1;
                if *sent.lock().unwrap() == 1 { breaks(Sent::Maybe) } else { says(400, r#"{"error":{"code":"ErrorInvalidOperation"}}"#) }
            }
            _ => says(200, json!({ "id": "d", "isDraft": *sent.lock().unwrap() < 2 }).to_string()),
        });
        assert_eq!(house.deliver(letter()).await.state, SendState::Sent);
    }

    #[tokio::test]
    async fn an_item_given_up_in_doubt_is_unknown() {
        let house = house(|_, _| breaks(Sent::No));
        let receipt = house.outbox.enqueue(letter().into()).await.unwrap();
        for _ in 0..50 {
            house.left_in(&receipt, ItemState::Dispatching);
        }
        let receipt = house.settle(&receipt.id).await;
        assert_eq!((receipt.state, house.service.calls()), (SendState::Unknown, 0));
    }

    #[tokio::test]
    async fn a_sign_in_that_microsoft_refuses_is_no_reason_to_hurry() {
        let house = house(|request, _| match request.uri().path() {
            "/v1.0/users/alex@contoso.com" | "/v1.0/users/alex%40contoso.com" => says(200, r#"{"id":"you"}"#),
            "/v1.0/chats" => says(201, r#"{"id":"c"}"#),
            _ => says(401, ""),
        });
        let began = house.now();
        let receipt = house.deliver(chat()).await;
        assert_eq!((receipt.state, receipt.attempts), (SendState::Failed, 51));
        assert!(house.now() - began > 3_600_000, "fifty attempts within {} ms", house.now() - began);
    }

    #[tokio::test]
    async fn what_was_under_way_at_a_disconnect_does_not_wait_for_the_next_connect() {
        let store: Arc<Mutex<Option<Arc<dyn Store>>>> = Arc::default();
        let within = store.clone();
        let house = house(move |request, _| match request.uri().path() {
            "/v1.0/users/alex@contoso.com" | "/v1.0/users/alex%40contoso.com" => says(200, r#"{"id":"you"}"#),
            "/v1.0/chats" => says(201, r#"{"id":"c"}"#),
            _ => {
                within.lock().unwrap().as_ref().unwrap().disconnect_account("a", "gone", 5).unwrap();
                crate::pipeline::fake::says_with(429, ("retry-after", "600"), "")
            }
        });
        *store.lock().unwrap() = Some(house.store.clone());
        assert_eq!(house.deliver(chat()).await.state, SendState::Cancelled);
    }

    #[tokio::test]
    async fn an_item_that_cannot_be_opened_does_not_block_its_lane() {
        let house = house(|request, _| match request.uri().path() {
            "/v1.0/users/alex%40contoso.com" | "/v1.0/users/alex@contoso.com" => says(200, r#"{"id":"you"}"#),
            _ => says(201, r#"{"id":"1"}"#),
        });
        let content = house.vault.content("a").unwrap();
        let item = || NewItem { account_id: "a".into(), route: Route::Chat, lane: "l".into(), key: None, content_hash: vec![1], created_at: 1 };
        // Sealed for another row: the first cannot be opened, the second can.
        house.store.enqueue(&item(), &|_| content.seal(payload_place("a", "7"), b"{}")).unwrap();
        let text = serde_json::to_vec(&Draft::from(chat())).unwrap();
        house.store.enqueue(&item(), &|id| content.seal(payload_place("a", &id.to_string()), &text)).unwrap();
        assert_eq!((house.settle("snd_2").await.state, house.settle("snd_1").await.state), (SendState::Sent, SendState::Failed));
    }
}
