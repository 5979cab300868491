use super::body::{pack_body, unpack_body};
use super::clean;
use super::plan::{Held, plan};
use super::record::MessageMetadata;
use crate::graph::{DeltaItem, MailBody, MailItem, MessageProperty, Untold};
use crate::model::{AttachmentInfo, BodyType, ChangeKind};
use crate::store::Known;
use proptest::prelude::*;
use std::collections::HashMap;

fn item(id: &str, change_key: &str) -> DeltaItem {
    DeltaItem::Message(Box::new(MailItem { id: id.into(), change_key: change_key.into(), ..MailItem::default() }))
}

fn gone(id: &str) -> DeltaItem {
    DeltaItem::Removed { id: id.into() }
}

/// What is here after an item was stored.
fn held(item: MailItem, folder: &str, version: i64) -> Held {
    let mut item = item;
    let row = Known {
        row_id: 1,
        id: "msg_1".into(),
        graph_id: item.id.clone(),
        folder_id: folder.into(),
        change_key: item.change_key.clone(),
        version,
        is_removed: false,
        conversation_id: item.conversation_id.clone(),
        received_at: item.received_at.map(crate::clock::to_ms),
        is_read: item.is_read,
        is_draft: item.is_draft,
        head: None,
        is_unlisted: false,
        kind: Default::default(),
    };
    Held { row, head: Some(MessageMetadata::of(&mut item, Vec::new())), is_whole: true, edits: Vec::new(), body: None }
}

fn known(rows: &[(&str, &str, &str)]) -> HashMap<String, Held> {
    let row = |(id, folder, key): &(&str, &str, &str)| ((*id).to_owned(), held(MailItem { id: (*id).into(), change_key: (*key).into(), ..MailItem::default() }, folder, 3));
    rows.iter().map(row).collect()
}

/// Exchange counts read state, flag and categories apart from the content, so they change under the same key.
#[test]
fn every_property_is_compared_and_the_key_keeps_the_body() {
    let base = || MailItem { id: "a".into(), change_key: "1".into(), subject: "s".into(), ..MailItem::default() };
    let address = || Some(crate::model::Address { name: String::new(), address: "x@contoso.com".into() });
    let changes: [fn(&mut MailItem); 12] = [
        |m| m.is_read = true,
        |m| m.flag.status = crate::model::FlagStatus::Flagged,
        |m| m.categories = vec!["Red".into()],
        |m| m.importance = crate::model::Importance::High,
        |m| m.subject = "other".into(),
        |m| m.preview = "other".into(),
        |m| m.is_draft = true,
        |m| m.conversation_id = "c".into(),
        |m| m.received_at = Some(std::time::UNIX_EPOCH),
        |m| m.sent_at = Some(std::time::UNIX_EPOCH),
        |m| m.has_attachments = true,
        |m| m.web_link = Some("https://outlook.office.com/".into()),
    ];
    let here = || HashMap::from([("a".to_owned(), held(base(), "inbox", 3))]);
    let planned = |item: MailItem| plan("inbox", vec![DeltaItem::Message(Box::new(item))], &here());
    assert_eq!(planned(base()).seen, ["a"]);
    for (n, change) in changes.iter().enumerate() {
        let mut item = base();
        change(&mut item);
        let out = planned(item.clone());
        assert_eq!(out.upserts.len(), 1, "{n}");
        assert!(out.upserts[0].change == Some(ChangeKind::MessageChanged) && out.upserts[0].keeps_body, "{n}");
        item.change_key = "2".into();
        assert!(!planned(item).upserts[0].keeps_body, "another key: the body is taken again");
    }
    let people: [fn(&mut MailItem, Option<crate::model::Address>); 6] = [
        |m, a| m.from = a,
        |m, a| m.sender = a,
        |m, a| m.to.extend(a),
        |m, a| m.cc.extend(a),
        |m, a| m.bcc.extend(a),
        |m, a| m.reply_to.extend(a),
    ];
    for change in people {
        let mut item = base();
        change(&mut item, address());
        assert_eq!(planned(item).upserts.len(), 1);
    }
}

/// An update may hold only what changed; what it leaves out stays, of each property.
#[test]
fn what_an_update_leaves_out_stays() {
    let address = crate::model::Address { name: "X".into(), address: "x@contoso.com".into() };
    let at = Some(std::time::UNIX_EPOCH + std::time::Duration::from_secs(60));
    let whole = MailItem {
        id: "a".into(),
        change_key: "1".into(),
        conversation_id: "c".into(),
        internet_message_id: Some("<m>".into()),
        preview: "p".into(),
        from: Some(address.clone()),
        sender: Some(address.clone()),
        cc: vec![address.clone()],
        bcc: vec![address.clone()],
        reply_to: vec![address],
        received_at: at,
        sent_at: at,
        is_read: true,
        is_draft: true,
        flag: crate::graph::MailFlag { status: crate::model::FlagStatus::Flagged, due_at: at },
        importance: crate::model::Importance::High,
        categories: vec!["Red".into()],
        has_attachments: true,
        web_link: Some("https://outlook.office.com/".into()),
        ..MailItem::default()
    };
    use MessageProperty::*;
    let mut untold = Untold::default();
    for property in [Attachments, Bcc, Categories, Cc, Conversation, Draft, Flag, From, Importance, InternetMessageId, Preview, Read, Received, ReplyTo, Sender, Sent, WebLink] {
        untold.take::<()>(property, None);
    }
    let here = HashMap::from([("a".to_owned(), held(whole.clone(), "inbox", 3))]);
    let update = |change_key: &str, subject: &str| MailItem { id: "a".into(), change_key: change_key.into(), subject: subject.into(), untold, ..MailItem::default() };
    assert_eq!(plan("inbox", vec![DeltaItem::Message(Box::new(update("1", "")))], &here).seen, ["a"], "nothing is new");
    let out = plan("inbox", vec![DeltaItem::Message(Box::new(update("2", "new")))], &here);
    let wanted = MailItem { change_key: "2".into(), subject: "new".into(), untold, has_attachments: false, ..whole };
    assert_eq!(out.upserts[0].item, wanted, "whether it has attachments is asked for");
}

#[test]
fn new_changed_moved_and_repeated_messages_are_told_apart() {
    let here = known(&[("b", "inbox", "1"), ("c", "archive", "1"), ("d", "inbox", "1")]);
    let plan = plan("inbox", vec![item("a", "1"), item("b", "2"), item("c", "1"), item("d", "1")], &here);
    let changes: Vec<_> = plan.upserts.iter().map(|u| (u.item.id.as_str(), u.change, u.version)).collect();
    assert_eq!(changes, [("a", Some(ChangeKind::MessageAdded), 1), ("b", Some(ChangeKind::MessageChanged), 4), ("c", Some(ChangeKind::MessageMoved), 4)]);
    assert_eq!(plan.seen, ["d"]);
}

#[test]
fn attachments_are_listed_when_the_content_is_new_and_stay_until_then() {
    let file = AttachmentInfo { id: "f".into(), name: "a.txt".into(), ..AttachmentInfo::default() };
    let with = |key: &str, has| MailItem { id: "a".into(), change_key: key.into(), has_attachments: has, ..MailItem::default() };
    let plan_of = |here: Option<(bool, bool)>, item: MailItem| {
        let known = here.map(|(has, is_unlisted)| {
            let mut held = held(with("1", has), "inbox", 3);
            held.row.is_unlisted = is_unlisted;
            held.head.as_mut().unwrap().attachments = if has { vec![file.clone()] } else { vec![] };
            ("a".to_owned(), held)
        });
        let upsert = plan("inbox", vec![DeltaItem::Message(Box::new(item))], &known.into_iter().collect()).upserts.remove(0);
        (upsert.is_unlisted, upsert.attachments.len())
    };
    assert_eq!(plan_of(None, with("1", true)), (true, 0));
    assert_eq!(plan_of(None, with("1", false)), (false, 0));
    let shown = MailItem { body: Some(MailBody::Whole(BodyType::Html, "<img src='CID:1'>".into())), ..with("1", false) };
    assert_eq!(plan_of(None, shown), (true, 0), "inline files alone are not told");
    let read = |item| MailItem { is_read: true, ..item };
    assert_eq!(plan_of(Some((true, false)), read(with("1", true))), (false, 1), "the same content: what was listed stays");
    assert_eq!(plan_of(Some((true, true)), read(with("1", true))), (true, 1), "it was not listed yet");
    assert_eq!(plan_of(Some((true, false)), with("2", true)), (true, 1), "listed anew, and the old list stays until then");
    assert_eq!(plan_of(Some((true, false)), with("2", false)), (false, 0));
    assert_eq!(plan_of(Some((false, false)), with("1", true)), (true, 0), "told of the first one under the same key");
}

#[test]
fn the_last_word_of_a_page_counts() {
    let here = known(&[("a", "inbox", "1")]);
    let out = plan("inbox", vec![item("a", "2"), gone("a")], &here);
    assert!(out.upserts.is_empty());
    assert_eq!(out.pending_removals, ["a"]);
    let back = plan("inbox", vec![gone("a"), item("a", "2")], &here);
    assert_eq!(back.upserts.len(), 1);
    assert!(back.pending_removals.is_empty());
}

#[test]
fn a_removal_of_what_is_unknown_or_elsewhere_asks_nothing() {
    let here = known(&[("a", "archive", "1")]);
    let plan = plan("inbox", vec![gone("a"), gone("never seen")], &here);
    assert!(plan.pending_removals.is_empty());
}

#[test]
fn html_to_show_holds_nothing_that_acts_or_loads() {
    let html = clean::html(
        BodyType::Html,
        r#"<p onclick="x()">Hi</p><script>alert(1)</script><img src="https://spy.example/x.gif"><img src="cid:logo"><svg><a href="javascript:x"></svg><a href="https://ok.example">y</a><iframe src="//e"></iframe>"#,
        &clean::Pictures::Named,
    );
    for bad in ["script", "onclick", "spy.example", "svg", "javascript", "iframe"] {
        assert!(!html.contains(bad), "{bad} in {html}");
    }
    assert!(html.contains("cid:logo") && html.contains("https://ok.example"));
    assert!(clean::html(BodyType::Text, "a<b>", &clean::Pictures::Named).starts_with("<pre>a&lt;b&gt;"));
    assert_eq!(clean::text(BodyType::Html, "<p>Hello <b>you</b></p>").trim(), "Hello you");
}

#[test]
fn html_made_to_stall_the_parsers_still_gives_its_text() {
    for hostile in [
        format!("{}deep", "<div>".repeat(100_000)),
        format!("<p {}>many attributes", (0..50_000).map(|n| format!("a{n}=1 ")).collect::<String>()),
        format!("<b>{}large", " x".repeat(5_000_000)),
        // Disguises: a quote that is none, a comment that is over, raw text that ends.
        format!("<a b=x'>{}quote", "<div>".repeat(20_000)),
        format!("<!-->{}comment", "<div>".repeat(20_000)),
        format!("<style><a b=\"</style>{}style", "<div>".repeat(20_000)),
        format!("{}fonts", "<p><font size=1>".repeat(5_000)),
    ] {
        let (text, html) = (clean::text(BodyType::Html, &hostile), clean::html(BodyType::Html, &hostile, &clean::Pictures::Named));
        let last = hostile.rsplit(['>', ' ']).next().unwrap_or_default();
        assert!(text.ends_with(last) && html.contains(last) && !html.contains("<div>"), "{last}");
    }
    // Newsletters with thousands of line breaks and cells are not taken for that.
    let letter = format!("<table>{}</table>", "<tr><td>a<br>b<img src=cid:x></td></tr>".repeat(3_000));
    assert!(clean::html(BodyType::Html, &letter, &clean::Pictures::Named).contains("<table>"));
}

proptest! {
    #[test]
    fn a_body_comes_out_as_it_went_in(text in "\\PC{0,400}", html: bool) {
        let form = if html { BodyType::Html } else { BodyType::Text };
        let (back_form, back) = unpack_body(&pack_body(form, &text)).unwrap();
        prop_assert_eq!((back_form, back), (form, text));
    }

    #[test]
    fn garbage_is_refused_and_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = unpack_body(&bytes);
    }

    #[test]
    fn planning_what_was_just_planned_brings_nothing_new(keys in proptest::collection::vec((0u8..20, 0u8..3), 0..60)) {
        let page = || keys.iter().map(|(id, key)| item(&id.to_string(), &key.to_string())).collect::<Vec<_>>();
        let first = plan("inbox", page(), &HashMap::new());
        let here = first.upserts.into_iter().map(|u| (u.item.id.clone(), held(u.item, "inbox", u.version))).collect();
        prop_assert!(plan("inbox", page(), &here).upserts.is_empty());
    }
}

mod walk {
    //! A whole sync on a real store, against a service made of a closure.

    use crate::clock::TestClock;
    use crate::config::{Cloud, Content, Endpoints};
    use crate::error::{ErrorKind, Result};
    use crate::events::EventBus;
    use crate::graph::Graph;
    use crate::model::{AccountState, Feature, SyncReport};
    use crate::pipeline::fake::{Seen, Service, says, says_with};
    use crate::pipeline::{AccessToken, Answer, TokenSource};
    use crate::runtime::{Runtime, block_on};
    use crate::seal::AadContext;
    use crate::secret::RootKey;
    use crate::store::{AccountRow, Shorthand, SqliteStore, Store, TokenRow};
    use crate::sync::{Reader, Sync};
    use crate::vault::Vault;
    use futures_util::future::BoxFuture;
    use serde_json::{Value, json};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::watch;

    struct Always;

    impl TokenSource for Always {
        fn token(&self, _: String, _: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
            Box::pin(std::future::ready(Ok(AccessToken::new("t"))))
        }
    }

    struct Fixture {
        sync: Arc<Sync>,
        reader: Reader,
        account: AccountRow,
        service: Arc<Service>,
        store: Arc<dyn Store>,
        runtime: Arc<Runtime>,
        _tokens: Arc<dyn TokenSource>,
        _folder: tempfile::TempDir,
    }

    /// A mailbox with the inbox `in`; `answer` is asked about everything but folders.
    fn fixture(clock: TestClock, answer: impl Fn(&Seen) -> Answer + Send + std::marker::Sync + 'static) -> Fixture {
        fixture_of(clock, Content::Sealed, answer)
    }

    fn fixture_of(clock: TestClock, content: Content, answer: impl Fn(&Seen) -> Answer + Send + std::marker::Sync + 'static) -> Fixture {
        fixture_with(clock, content, 0, answer)
    }

    /// `total`: messages that the inbox says it has.
    fn fixture_with(clock: TestClock, content: Content, total: impl Into<Value>, answer: impl Fn(&Seen) -> Answer + Send + std::marker::Sync + 'static) -> Fixture {
        let total: Value = total.into();
        let service = Service::new(move |request, _| match request.uri().path() {
            "/v1.0/$batch" if String::from_utf8_lossy(request.body()).contains("mailFolders") => {
                let body: Value = serde_json::from_slice(request.body()).unwrap();
                let items = body["requests"].as_array().unwrap().iter().map(|item| match item["url"].as_str().unwrap().contains("inbox") {
                    true => json!({ "id": item["id"], "status": 200, "body": { "id": "in" } }),
                    false => json!({ "id": item["id"], "status": 404, "body": { "error": { "code": "ErrorItemNotFound" } } }),
                });
                says(200, json!({ "responses": items.collect::<Vec<_>>() }).to_string())
            }
            "/v1.0/me/mailFolders" => says(200, json!({ "value": [{ "id": "in", "displayName": "Inbox", "childFolderCount": 0, "totalItemCount": total }, { "id": "kept", "displayName": "Kept", "childFolderCount": 0, "totalItemCount": 0 }] }).to_string()),
            _ => answer(request),
        });
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store"), Duration::from_secs(60)).unwrap());
        let vault = block_on(Vault::open(store.clone(), Arc::new(RootKey::raw((0..32).collect()).unwrap()), 0)).unwrap();
        let keys = vault.new_account_keys("a", true, 1).unwrap();
        let handles = block_on(vault.adopt("a", &keys)).unwrap();
        let place = |table, column| AadContext { table, column, account_id: "a", row: "a", version: 1 };
        let account = AccountRow {
                        tenant_id: "tenant".into(),
            user_id: "me".into(),
            state: AccountState::Connected,
            features: vec![Feature::MailSync],
            scopes: vec![],
            ..AccountRow::new("a", "owner", handles.content.seal(place("accounts", "profile"), b"{}").unwrap(), 1)
        };
        let token = TokenRow { account_id: "a".into(), version: 1, sealed: handles.secrets.seal(place("tokens", "sealed"), b"{}").unwrap(), expires_at: i64::MAX, refreshed_at: 1 };
        let account = block_on(store.store_account(&account, Some(&token), &keys, None, 1)).unwrap();
        let pipeline = service.pipeline(&clock);
        let tokens: Arc<dyn TokenSource> = Arc::new(Always);
        pipeline.plug_tokens(tokens.clone());
        let graph = Graph::new(pipeline, Endpoints::of(&Cloud::Public).unwrap());
        let reader = Reader { store: store.clone(), vault, graph, clock: Arc::new(clock), news: watch::Sender::new(0), content };
        let sync = Sync::new(reader.clone(), EventBus::new(), 50, vec![]);
        Fixture { sync, reader, account, service, store, runtime: Arc::new(Runtime::start().unwrap()), _tokens: tokens, _folder: folder }
    }

    impl Fixture {
        async fn sync(&self) -> Result<SyncReport> {
            self.sync.run(self.account.clone(), self.runtime.stop()).await
        }
    }

    mod backfill;
    mod edits;
    mod facts;
    mod files;
    mod hostile;
    mod kills;
    mod newest;
    mod outdated;
    mod rules;

    const LINK: &str = "https://graph.microsoft.com/v1.0/me/mailFolders/in/messages/delta?$deltatoken=";

    fn last_page(items: Value, token: &str) -> Answer {
        says(200, json!({ "value": items, "@odata.deltaLink": format!("{LINK}{token}") }).to_string())
    }

    #[tokio::test]
    async fn a_link_that_leads_nowhere_does_not_stop_a_folder_for_ever() {
        let fixture = fixture(crate::pipeline::fake::clock(), |request| match request.uri().query() {
            Some(query) if query.contains("deltatoken=one") => says(404, r#"{"error":{"code":"ResourceNotFound"}}"#),
            Some(query) if query.contains("deltatoken") => last_page(json!([]), "three"),
            _ => last_page(json!([]), if request.uri().path().contains("delta") { "one" } else { "?" }),
        });
        assert_eq!(fixture.sync().await.unwrap().resynced, 0);
        assert_eq!(fixture.sync().await.unwrap().resynced, 1);
        assert!(fixture.store.folders("a").await.unwrap()[0].cursor.is_some());
    }

    #[allow(clippy::disallowed_methods)] // real time: it ends a test that hangs
    #[tokio::test]
    async fn a_sync_that_waits_for_microsoft_can_be_stopped() {
        // This clock stands still: the wait would never end.
        let asked = Arc::new(AtomicBool::new(false));
        let seen = asked.clone();
        let fixture = fixture(TestClock::new(1_790_000_000_000), move |_| {
            seen.store(true, Ordering::SeqCst);
            says_with(429, ("retry-after", "200"), "")
        });
        let runtime = fixture.runtime.clone();
        let stopping = async {
            while !asked.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
            }
            runtime.shutdown(Duration::from_secs(1), async {}).await;
        };
        let both = async { tokio::join!(fixture.sync(), stopping).0 };
        let outcome = tokio::time::timeout(Duration::from_secs(120), both).await.expect("it waits all the same");
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Closed);
        assert!(fixture.store.take_lease("sync/a", "next", 1_790_000_000_001, 1).await.unwrap().is_some(), "and leaves the lease to the next one");
        assert!(fixture.service.calls() > 0);
    }
}
