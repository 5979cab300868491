//! Answers of a batch that are told twice, to nobody or about somebody else; and ids and names that repeat what proves who asks.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

const ME: &str = "48d31887-5fad-4d73-a9f5-3c356e68a038";
const OTHER: &str = "00000000-5fad-4d73-a9f5-3c356e68a038";
const SIGNATURE: &str = "Qz7kPp2mVn0wXc9rTd4bLh6sJy1gFa8e";

struct Known;

impl TokenSource for Known {
    fn token(&self, _: String, _: Option<AccessToken>, _: Option<String>) -> BoxFuture<'static, Result<AccessToken>> {
        let claims = json!({ "oid": ME, "scp": "Mail.Read" }).to_string();
        Box::pin(std::future::ready(Ok(AccessToken::new(format!("e30.{}.{SIGNATURE}", URL_SAFE_NO_PAD.encode(claims))))))
    }
}

fn known(service: Arc<Service>) -> Bench {
    let clock = clock();
    let pipeline = service.pipeline(&clock);
    let tokens: Arc<dyn TokenSource> = Arc::new(Known);
    pipeline.plug_tokens(tokens.clone());
    Bench { graph: Graph::new(pipeline, Endpoints::of(&Cloud::Public).unwrap()), service, clock, _tokens: tokens }
}

fn there(id: &str, n: usize) -> Value {
    json!({ "id": id, "status": 200, "body": { "id": format!("m{n}"), "parentFolderId": "f1" } })
}

/// What is proven of `m1` and `m2` when the first batch is answered like this and every later one properly.
async fn proven(first: Vec<Value>) -> (Vec<bool>, usize) {
    let bench = known(Service::new(move |request: &Seen, n| {
        let asked: Value = serde_json::from_slice(request.body()).unwrap();
        let properly = |item: &Value| {
            let path = item["url"].as_str().unwrap();
            there(item["id"].as_str().unwrap(), if path.contains("/m1?") { 1 } else { 2 })
        };
        let responses = if n == 0 { first.clone() } else { asked["requests"].as_array().unwrap().iter().map(properly).collect() };
        says(200, json!({ "responses": responses }).to_string())
    }));
    let told = bench.graph.verify(&caller(), &["m1".to_owned(), "m2".to_owned()]).await.unwrap();
    (told.iter().map(|(id, verified)| matches!(verified, Verified::There(message) if message.id == *id)).collect(), bench.service.calls())
}

#[tokio::test]
async fn what_a_batch_tells_twice_is_asked_again() {
    let gone = json!({ "id": "1", "status": 404, "body": { "error": { "code": "ErrorItemNotFound" } } });
    for (answers, calls) in [
        (vec![there("2", 2), there("1", 1)], 1),
        (vec![there("1", 1), there("2", 2), there("1", 1)], 1),
        (vec![there("7", 3), there("1", 1), json!({ "status": 200, "body": {} }), there("2", 2), json!(7)], 1),
        (vec![there("1", 1), gone.clone(), there("2", 2)], 2),
        (vec![gone.clone(), there("1", 1), there("2", 2)], 2),
        (vec![there("1", 1), gone, there("1", 1), there("2", 2)], 2),
        (vec![there("2", 2)], 2),
    ] {
        assert_eq!(proven(answers.clone()).await, (vec![true, true], calls), "{answers:?}");
    }
    // One answer's body under another's id is about another message.
    assert_eq!(proven(vec![there("1", 2), there("2", 1)]).await.0, [false, false]);
}

#[tokio::test]
async fn an_item_about_somebody_else_is_no_answer() {
    let of = |user: &str| {
        let mut item = there("1", 1);
        item["body"]["@odata.context"] = json!(format!("https://graph.microsoft.com/v1.0/$metadata#users('{user}')/messages/$entity"));
        item
    };
    assert_eq!(proven(vec![of(ME), there("2", 2)]).await, (vec![true, true], 1));
    assert_eq!(proven(vec![of(OTHER), there("2", 2)]).await, (vec![true, true], 2));
}

/// The token's signature, as an id or a name could hold it.
fn echoes() -> Vec<String> {
    vec![
        SIGNATURE.to_owned(),
        SIGNATURE.to_lowercase(),
        SIGNATURE.to_uppercase(),
        SIGNATURE[9..22].to_owned(),
        SIGNATURE.chars().rev().collect(),
        SIGNATURE.bytes().map(|b| format!("{b:02x}")).collect(),
        SIGNATURE.bytes().map(|b| format!("%{b:02X}")).collect(),
        SIGNATURE.bytes().map(|b| format!("&#{b};")).collect(),
        STANDARD.encode(SIGNATURE),
        URL_SAFE_NO_PAD.encode(format!("Bearer x{SIGNATURE}")),
    ]
}

fn saying(status: u16, body: &Value) -> Bench {
    known(Service::script(vec![says(status, body.to_string())]))
}

#[tokio::test]
async fn an_id_or_name_that_repeats_a_secret_is_none() {
    for echo in echoes() {
        let me = saying(200, &json!({ "id": ME, "displayName": echo, "mail": format!("{echo}@contoso.com"), "userPrincipalName": "adele@contoso.com" }));
        let person = me.graph.me(&caller()).await.unwrap();
        assert_eq!((person.id.as_deref(), &person.display_name, person.address().as_deref()), (Some(ME), &None, Some("adele@contoso.com")), "{echo}");

        let folders = known(Service::new({
            let folder = json!({ "value": [{ "id": "f1", "displayName": echo }] }).to_string();
            move |request: &Seen, _| says(200, if request.uri().path().ends_with("$batch") { r#"{"responses":[]}"#.to_owned() } else { folder.clone() })
        }));
        assert_eq!(folders.graph.folders(&caller()).await.err().map(|e| e.kind()), Some(ErrorKind::Upstream), "{echo}");

        let draft = MailDraft { to: vec![Address { address: "bob@x".into(), name: String::new() }], ..Default::default() };
        let outgoing = OutgoingMail { draft: &draft, internet_message_id: "<x@y>", mark: "k" };
        let made = saying(201, &json!({ "id": echo, "isDraft": true, "internetMessageId": "<x@y>" }));
        assert_eq!(made.graph.create_draft(&caller(), &outgoing).await.unwrap_err().kind(), ErrorKind::OutcomeUnknown, "{echo}");

        let person = crate::graph::teams::Person { id: OTHER.into(), user_type: None, user_principal_name: None, mail: None, display_name: None, job_title: None };
        let chat = saying(201, &json!({ "id": echo }));
        assert_eq!(chat.graph.one_to_one_chat(&caller(), ME, &person).await.unwrap_err().kind(), ErrorKind::Upstream, "{echo}");
        let posted = saying(201, &json!({ "id": echo }));
        assert_eq!(post(&posted.graph, "19:x", "b").await.unwrap_err().kind(), ErrorKind::OutcomeUnknown, "{echo}");
        let found = saying(200, &json!({ "value": [{ "id": echo }] }));
        assert_eq!(found.graph.find_person(&caller(), "alex@contoso.com").await.unwrap_err().kind(), ErrorKind::Upstream, "{echo}");

        let page = saying(200, &json!({ "value": [message("m1"), message(&echo)], "@odata.deltaLink": DELTA }));
        let DeltaAnswer::Page(page) = page.start().await.unwrap() else { panic!("no page") };
        assert!(matches!(&page.items[..], [DeltaItem::Message(_), DeltaItem::Unreadable { id: None, raw, .. }] if raw.is_empty()), "{echo}");
        if !echo.contains('#') {
            let link = format!("{DELTA}{echo}");
            assert!(saying(200, &json!({ "value": [], "@odata.deltaLink": link })).start().await.is_err(), "{echo}");
        }
    }
}
