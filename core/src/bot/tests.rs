use super::*;
use crate::config::{Cloud, Endpoints};
use crate::error::Remedy;
use crate::pipeline::fake::{Service, breaks, clock, says, says_with};
use crate::pipeline::{AccessToken, Answer, Sent as OnTheWire, TokenSource};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

const BOT: &str = "4f2b6f0a-0000-4000-8000-000000000002";

struct Bearer;

impl TokenSource for Bearer {
    fn token(&self, _: String, _: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        Box::pin(std::future::ready(Ok(AccessToken::new("a token of Graph"))))
    }

    fn bot_token(&self, _: String, stale: Option<AccessToken>) -> BoxFuture<'static, Result<AccessToken>> {
        Box::pin(std::future::ready(Ok(AccessToken::new(if stale.is_some() { "second" } else { "first" }))))
    }
}

struct Set {
    connector: Connector,
    service: Arc<Service>,
    _source: Arc<dyn TokenSource>,
}

fn set(service: Arc<Service>) -> Set {
    let pipeline = service.pipeline(&clock());
    let source: Arc<dyn TokenSource> = Arc::new(Bearer);
    pipeline.plug_tokens(source.clone());
    Set { connector: Connector::new(pipeline, Endpoints::of(&Cloud::Public).unwrap().bots, BOT), service, _source: source }
}

fn caller(service_url: Option<&str>) -> BotCaller {
    BotCaller { account_id: "acc".into(), service_url: service_url.map(Into::into), heard: None, person: None, priority: Priority::Interactive, max_wait: Duration::from_secs(5) }
}

fn text(text: &str) -> OutgoingActivity {
    OutgoingActivity { text: text.into(), ..OutgoingActivity::default() }
}

#[tokio::test]
async fn a_conversation_and_what_is_said_in_it_look_as_microsoft_documents_them() {
    let made = json!({ "id": "a:1", "serviceUrl": "https://smba.trafficmanager.net/emea" }).to_string();
    let s = set(Service::script(vec![says(201, made), says(201, json!({ "id": "17" }).to_string())]));
    let made = s.connector.personal(&caller(None), "tenant", "29:alex").await.unwrap();
    assert_eq!(made, Made { conversation_id: "a:1".into(), activity_id: None, service_url: Some("https://smba.trafficmanager.net/emea/".into()) });
    let card = json!({ "type": "AdaptiveCard" });
    let said = OutgoingActivity {
        text: "<at>Alex</at>".into(),
        is_html: true,
        summary: Some("short".into()),
        cards: vec![card.clone()],
        mentions: vec![Named { user_id: "29:alex".into(), name: "Alex".into(), text: "<at>Alex</at>".into() }],
        is_important: true,
        is_alert: true,
    };
    let sent = s.connector.say(&caller(made.service_url.as_deref()), "19:x@thread.tacv2;messageid=1", &said).await.unwrap();
    assert_eq!(sent.activity_id.as_deref(), Some("17"));
    let seen = s.service.seen.lock().unwrap();
    assert_eq!(seen[0].uri().to_string(), "https://smba.trafficmanager.net/teams/v3/conversations");
    assert_eq!(seen[0].headers()["authorization"], "Bearer first");
    let body = |n: usize| serde_json::from_slice::<Value>(seen[n].body()).unwrap();
    assert_eq!(body(0), json!({ "isGroup": false, "bot": { "id": format!("28:{BOT}") }, "members": [{ "id": "29:alex" }], "tenantId": "tenant", "channelData": { "tenant": { "id": "tenant" } } }));
    assert_eq!(seen[1].uri().to_string(), "https://smba.trafficmanager.net/emea/v3/conversations/19%3Ax%40thread.tacv2%3Bmessageid%3D1/activities");
    assert_eq!(
        body(1),
        json!({
            "type": "message", "text": "<at>Alex</at>", "textFormat": "xml", "summary": "short", "importance": "high",
            "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": card }],
            "entities": [{ "type": "mention", "text": "<at>Alex</at>", "mentioned": { "id": "29:alex", "name": "Alex" } }],
            "channelData": { "notification": { "alert": true } },
        })
    );
}

#[tokio::test]
async fn what_is_said_is_repeated_only_if_it_was_certainly_not_taken() {
    let say = async |answers: Vec<Answer>| {
        let s = set(Service::script(answers));
        let outcome = s.connector.say(&caller(None), "a:1", &text("hi")).await;
        (outcome.map(drop).map_err(|e| e.kind()), s.service.calls())
    };
    let good = || says(201, r#"{"id":"1"}"#);
    assert_eq!(say(vec![breaks(OnTheWire::No), good()]).await, (Ok(()), 2));
    assert_eq!(say(vec![says_with(429, ("retry-after", "2"), ""), good()]).await, (Ok(()), 2));
    // A token that is refused is replaced once.
    assert_eq!(say(vec![says(401, ""), good()]).await, (Ok(()), 2));
    assert_eq!(say(vec![says(401, ""), says(401, ""), good()]).await, (Err(ErrorKind::Forbidden), 2));
    for answer in [breaks(OnTheWire::Maybe), says(500, ""), says(502, ""), says(504, ""), says(408, "")] {
        assert_eq!(say(vec![answer, good()]).await, (Err(ErrorKind::OutcomeUnknown), 1));
    }
    // Making a conversation says nothing to anybody.
    let s = set(Service::script(vec![breaks(OnTheWire::Maybe), says(201, r#"{"id":"a:1"}"#)]));
    assert!(s.connector.personal(&caller(None), "t", "29:a").await.is_ok() && s.service.calls() == 2);
    // A thread is begun by its message.
    let s = set(Service::script(vec![breaks(OnTheWire::Maybe), says(201, r#"{"id":"a:1"}"#)]));
    assert!(s.connector.thread(&caller(None), "t", "19:x@thread.tacv2", &text("hi")).await.is_err() && s.service.calls() == 1);
}

#[tokio::test]
async fn each_refusal_has_its_name() {
    let code = |code: &str| json!({ "error": { "code": code, "message": "x" } }).to_string();
    let numbered = |sub: &str| json!({ "errorCode": 209, "message": json!({ "subCode": sub, "details": "Thread is not accepting message writes." }).to_string() }).to_string();
    for (status, body, kind, remedy) in [
        (403, code("BotNotInConversationRoster"), ErrorKind::AppNotInstalled, Remedy::Admin),
        (404, code("BotNotInConversationRoster"), ErrorKind::AppNotInstalled, Remedy::Admin),
        (403, code("ConversationBlockedByUser"), ErrorKind::BotBlocked, Remedy::User),
        (403, numbered("MessageWritesBlocked"), ErrorKind::BotBlocked, Remedy::User),
        (403, code("BotDisabledByAdmin"), ErrorKind::BotBlocked, Remedy::Admin),
        (403, code("NotEnoughPermissions"), ErrorKind::Forbidden, Remedy::Admin),
        (403, code("InvalidBotApiHost"), ErrorKind::Forbidden, Remedy::Developer),
        (401, code("BotNotRegistered"), ErrorKind::Forbidden, Remedy::Developer),
        (401, r#"{"message":"Authorization has been denied for this request."}"#.into(), ErrorKind::Forbidden, Remedy::Developer),
        (404, code("ConversationNotFound"), ErrorKind::ConversationGone, Remedy::Developer),
        (404, code("ActivityNotFoundInConversation"), ErrorKind::NotFound, Remedy::Developer),
        (412, code("PreconditionFailed"), ErrorKind::Conflict, Remedy::Wait),
        (413, code("MessageSizeTooBig"), ErrorKind::LimitExceeded, Remedy::Developer),
        (400, code("BadSyntax"), ErrorKind::InvalidInput, Remedy::Developer),
        (400, "<html>".into(), ErrorKind::InvalidInput, Remedy::Developer),
    ] {
        let s = set(Service::script(vec![says(status, body.clone())]));
        let error = s.connector.say(&caller(None), "a:1", &text("hi")).await.unwrap_err();
        assert_eq!((error.kind(), error.remedy(), error.account_id()), (kind, remedy, Some("acc")), "{status} {body}");
    }
}

#[tokio::test]
async fn nothing_goes_to_an_address_that_is_not_on_the_list() {
    let s = set(Service::script(vec![says(201, r#"{"id":"1"}"#)]));
    for bad in ["https://evil.example/teams/", "http://smba.trafficmanager.net/emea/", "https://smba.trafficmanager.net/emea/?a=b", "https://smba.trafficmanager.net:444/", "https://a@smba.trafficmanager.net/"] {
        let error = s.connector.say(&caller(Some(bad)), "a:1", &text("hi")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LinkRejected, "{bad}");
    }
    assert_eq!(s.service.calls(), 0);
    // What an answer names is taken only from the list.
    let s = set(Service::script(vec![says(201, json!({ "id": "a:1", "serviceUrl": "https://evil.example/" }).to_string())]));
    assert_eq!(s.connector.personal(&caller(None), "t", "29:a").await.unwrap().service_url, None);
    for id in [json!(null), json!(""), json!("../x"), json!("a/b"), json!({})] {
        let s = set(Service::script(vec![says(201, json!({ "id": id }).to_string())]));
        assert_eq!(s.connector.personal(&caller(None), "t", "29:a").await.unwrap_err().kind(), ErrorKind::Upstream, "{id}");
    }
}

#[tokio::test]
async fn another_place_that_is_known_is_asked_once_and_told_if_it_was_right() {
    let code = |status: u16, code: &str| says(status, json!({ "error": { "code": code, "message": "go to https://evil.example" } }).to_string());
    let hosts = |s: &Set| s.service.seen.lock().unwrap().iter().map(|request| request.uri().to_string().split("v3").next().unwrap().to_owned()).collect::<Vec<_>>();
    let (emea, amer, gcc) = ("https://smba.trafficmanager.net/emea/", "https://smba.trafficmanager.net/amer/", "https://smba.infra.gcc.teams.microsoft.com/gcc/");
    let good = || says(201, r#"{"id":"1"}"#);
    let say = async |caller: BotCaller, answers: Vec<Answer>| {
        let s = set(Service::script(answers));
        let outcome = s.connector.say(&caller, "a:1", &text("hi")).await;
        (outcome.map(|sent| sent.service_url).map_err(|e| e.kind()), hosts(&s))
    };
    // An organisation of the US government: only the address of this cloud is tried.
    let told = say(caller(Some(emea)), vec![code(403, "InvalidBotApiHost"), good()]).await;
    assert_eq!(told, (Ok(Some(gcc.into())), vec![emea.into(), gcc.into()]));
    let told = say(caller(Some(emea)), vec![code(403, "InvalidBotApiHost"), code(403, "InvalidBotApiHost"), good()]).await;
    assert_eq!(told, (Err(ErrorKind::Forbidden), vec![emea.into(), gcc.into()]), "once");
    let told = say(caller(Some(gcc)), vec![code(403, "InvalidBotApiHost"), good()]).await;
    assert_eq!(told, (Err(ErrorKind::Forbidden), vec![gcc.into()]));
    // It has moved since.
    let moved = |heard: &str| BotCaller { heard: Some(heard.into()), ..caller(Some(emea)) };
    assert_eq!(say(moved(amer), vec![code(404, "ConversationNotFound"), good()]).await, (Ok(Some(amer.into())), vec![emea.into(), amer.into()]));
    assert_eq!(say(moved(emea), vec![code(404, "ConversationNotFound"), good()]).await, (Err(ErrorKind::ConversationGone), vec![emea.into()]));
    assert_eq!(say(moved("https://evil.example/"), vec![code(404, "ConversationNotFound"), good()]).await, (Err(ErrorKind::ConversationGone), vec![emea.into()]));
    for (status, word) in [(403, "BotNotInConversationRoster"), (404, "ActivityNotFoundInConversation"), (400, "BadSyntax")] {
        assert_eq!(say(moved(amer), vec![code(status, word), good()]).await.1, [emea], "{word}");
    }
    // What may have been said is not said elsewhere.
    assert_eq!(say(moved(amer), vec![says(502, ""), good()]).await, (Err(ErrorKind::OutcomeUnknown), vec![emea.into()]));
    // In another cloud there is no such place.
    let s = set(Service::script(vec![code(403, "InvalidBotApiHost"), good()]));
    let gov = Connector::new(s.connector.pipeline.clone(), Endpoints::of(&Cloud::UsGov).unwrap().bots, BOT);
    let refused = gov.say(&caller(Some(emea)), "a:1", &text("hi")).await.unwrap_err();
    assert_eq!((refused.kind(), s.service.calls()), (ErrorKind::Forbidden, 1));
}

#[tokio::test]
async fn what_is_said_in_one_conversation_keeps_to_its_limits_whatever_it_is_called() {
    let s = set(Service::script(vec![says(201, r#"{"id":"a:1"}"#)]));
    let clock = s.connector.pipeline.clock().clone();
    let began = clock.elapsed();
    let with_alex = BotCaller { person: Some("29:alex".into()), max_wait: Duration::from_secs(60), ..caller(None) };
    s.connector.personal(&caller(None), "tenant", "29:alex").await.unwrap();
    for _ in 0..6 {
        s.connector.say(&with_alex, "a:1", &text("hi")).await.unwrap();
    }
    assert_eq!(clock.elapsed(), began);
    s.connector.say(&with_alex, "19:x@unq.gbl.spaces", &text("hi")).await.unwrap();
    let waited = clock.elapsed() - began;
    assert!((1_000..1_200).contains(&waited.as_millis()), "{waited:?}");
    // A channel and its threads count as one.
    for n in 0..7 {
        s.connector.say(&caller(None), &format!("19:c@thread.tacv2;messageid={n}"), &text("hi")).await.unwrap();
    }
    assert_eq!(clock.elapsed() - began, waited, "another conversation is not kept waiting");
    s.connector.thread(&caller(None), "tenant", "19:c@thread.tacv2", &text("hi")).await.unwrap();
    assert!(clock.elapsed() - began > waited);
}

#[tokio::test]
async fn a_roster_is_paged_and_ends() {
    let page = |members: Value, token: Value| says(200, json!({ "members": members, "continuationToken": token }).to_string());
    let who = json!([{ "id": "29:a", "name": "A", "email": "a@contoso.com", "aadObjectId": "6D0A7C8E-0000-4000-8000-000000000001" }, { "id": "28:bot" }, 7, { "id": "29:b", "objectId": "6d0a7c8e-0000-4000-8000-000000000002" }]);
    let s = set(Service::script(vec![page(who, json!("next")), page(json!([]), json!("next")), page(json!([]), json!(""))]));
    let first = s.connector.roster(&caller(None), "19:t@thread.tacv2", 10, None).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("next"));
    let ids: Vec<(Option<&str>, Option<String>)> = first.members.iter().map(|one| (one.user_id(), one.object_id())).collect();
    assert_eq!(ids, [(Some("29:a"), Some("6d0a7c8e-0000-4000-8000-000000000001".into())), (None, None), (Some("29:b"), Some("6d0a7c8e-0000-4000-8000-000000000002".into()))]);
    assert_eq!(s.service.seen.lock().unwrap()[0].uri().query(), Some("pageSize=50"));
    // The same token again would be a circle.
    assert_eq!(s.connector.roster(&caller(None), "19:t@thread.tacv2", 50, Some("next")).await.err().map(|e| e.kind()), Some(ErrorKind::Upstream));
    assert_eq!(s.connector.roster(&caller(None), "19:t@thread.tacv2", 50, Some("other")).await.unwrap().next, None);
}

#[tokio::test]
async fn a_message_that_is_gone_already_is_deleted() {
    let gone = || says(404, json!({ "error": { "code": "ActivityNotFoundInConversation" } }).to_string());
    let s = set(Service::script(vec![gone()]));
    assert!(s.connector.delete(&caller(None), "a:1", "17").await.is_ok());
    assert_eq!(s.connector.change(&caller(None), "a:1", "17", &text("new")).await.unwrap_err().kind(), ErrorKind::NotFound);
    let seen = s.service.seen.lock().unwrap();
    assert_eq!((seen[0].method(), seen[1].method(), seen[1].uri().path()), (&Method::DELETE, &Method::PUT, "/teams/v3/conversations/a%3A1/activities/17"));
}
