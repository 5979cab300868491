//! Every property of every shape read from Graph, in every wrong form: only the id sets an item aside.

use super::*;
use crate::graph::delta::MESSAGE;

/// JSON texts, so that half a surrogate pair can be among them.
const SHAPES: [&str; 22] = [
    "null", "true", "false", "0", "-1", "7.5", "1e300", "18446744073709551615", r#""""#, r#""text""#, r#""7""#, r#""true""#, r#""\ud83d""#, r#""a\udc00b""#,
    r#""\ude00\ud83d""#, "[]", "[null]", r#"[7,"x",{}]"#, "[[[]]]", "{}", r#"{"emailAddress":7,"content":{}}"#, r#"{"x":{"y":[null]}}"#,
];
/// Members of the parts of a message.
const MEMBERS: [(&str, &str); 13] = [
    ("from", r#"{"emailAddress":SHAPE}"#),
    ("from", r#"{"emailAddress":{"name":SHAPE,"address":"a@x"}}"#),
    ("sender", r#"{"emailAddress":{"address":SHAPE}}"#),
    ("toRecipients", "[SHAPE]"),
    ("toRecipients", r#"[SHAPE,{"emailAddress":SHAPE}]"#),
    ("ccRecipients", r#"[{"emailAddress":{"name":SHAPE,"address":SHAPE}}]"#),
    ("bccRecipients", r#"[null,{"emailAddress":{"address":SHAPE}}]"#),
    ("replyTo", r#"{"emailAddress":{"address":SHAPE}}"#),
    ("flag", r#"{"flagStatus":SHAPE}"#),
    ("categories", "[SHAPE]"),
    ("body", r#"{"contentType":SHAPE,"content":"x"}"#),
    ("body", r#"{"contentType":"html","content":SHAPE}"#),
    ("@odata.etag", "SHAPE"),
];

/// The object's JSON with one property in another form.
fn with(object: &Value, property: &str, form: &str) -> String {
    let mut object = object.clone();
    object[property] = json!("@@");
    object.to_string().replace("\"@@\"", form)
}

async fn page(items: &[String]) -> Vec<DeltaItem> {
    let bench = answers(vec![says(200, format!(r#"{{"value":[{}],"@odata.deltaLink":"{DELTA}"}}"#, items.join(",")))]);
    match bench.start().await {
        Ok(DeltaAnswer::Page(page)) => page.items,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_but_its_id_sets_a_message_aside() {
    let forms: Vec<(String, &str)> = MESSAGE
        .split(',')
        .filter(|name| *name != "id")
        .map(|name| (name, "SHAPE"))
        .chain(MEMBERS)
        .flat_map(|(name, form)| SHAPES.map(|shape| (with(&message("m"), name, &form.replace("SHAPE", shape)), name)))
        .collect();
    let items = page(&forms.iter().map(|(json, _)| json.clone()).collect::<Vec<_>>()).await;
    assert_eq!(items.len(), forms.len());
    for (item, (json, name)) in items.iter().zip(&forms) {
        let DeltaItem::Message(read) = item else { panic!("{json}") };
        assert_eq!(read.id, "m");
        // What stands beside it is read as ever.
        assert!(*name == "subject" || read.subject == "Hello\u{0} wörld", "{json}");
        assert!(*name == "bodyPreview" || read.preview == "Hi", "{json}");
        assert!(*name == "isRead" || read.is_read, "{json}");
        assert!(*name == "internetMessageId" || read.internet_message_id.as_deref() == Some("<m@x>"), "{json}");
    }
}

#[tokio::test]
async fn an_id_that_cannot_be_used_sets_it_aside_and_no_other() {
    let unusable = SHAPES.iter().filter(|shape| !shape.starts_with('"') || **shape == r#""""#);
    let mut items: Vec<String> = unusable.map(|shape| with(&message("m"), "id", shape)).collect();
    items.push(message("sound").to_string());
    let read = page(&items).await;
    let (last, others) = read.split_last().unwrap();
    assert!(matches!(last, DeltaItem::Message(m) if m.id == "sound"));
    assert!(others.iter().all(|item| matches!(item, DeltaItem::Unreadable { .. })), "{others:?}");
}

#[tokio::test]
async fn a_mark_and_blanks_around_a_page_are_no_part_of_it() {
    let body = format!("\u{FEFF} \r\n{{\"value\":[{}],\"@odata.deltaLink\":\"{DELTA}\"}}\n\n", message("m"));
    let bench = answers(vec![says(200, body), says(404, "\u{FEFF}{\"error\":{\"code\":\"SyncStateNotFound\"}}"), says(404, "\u{FEFF}{\"error\":{\"code\":\"ErrorItemNotFound\"}}")]);
    assert!(matches!(bench.start().await, Ok(DeltaAnswer::Page(page)) if page.items.len() == 1));
    assert!(matches!(bench.start().await, Ok(DeltaAnswer::Lost { .. })));
    assert!(matches!(bench.start().await, Ok(DeltaAnswer::FolderGone)));
}

/// A mailbox that answers every list of folders with this, and has none of the well-known ones.
fn with_folders(list: String) -> Bench {
    bench(Service::new(move |request: &Seen, _| {
        if !request.uri().path().ends_with("$batch") {
            return says(200, list.clone());
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let items = body["requests"].as_array().unwrap().iter().map(|item| json!({ "id": item["id"], "status": "404", "headers": [], "body": { "error": { "code": "ErrorItemNotFound" } } }));
        says(200, json!({ "responses": items.collect::<Vec<_>>() }).to_string())
    }))
}

#[tokio::test]
async fn a_folder_without_a_usable_id_hides_no_other_and_makes_the_list_a_part() {
    let fine = r#"{"id":"f","displayName":"Inbox","childFolderCount":0}"#;
    for odd in ["null", "7", "[]", "{}", r#"{"id":""}"#, r#"{"id":"."}"#, r#"{"id":"..","childFolderCount":1}"#, r#"{"id":7}"#, r#"{"id":null}"#, r#"{"id":"a\u0000"}"#] {
        let list = with_folders(format!(r#"{{"value":[{odd},{fine}]}}"#)).graph.folders(&caller()).await.unwrap_or_else(|e| panic!("{odd}: {e:?}"));
        assert!(list.is_part && list.folders.len() == 1, "{odd}");
    }
    // Of what stands there twice the last counts.
    let list = with_folders(r#"{"value":[{"id":"f","displayName":"Old","displayName":"Inbox","childFolderCount":0}]}"#.into()).graph.folders(&caller()).await.unwrap();
    assert_eq!((list.is_part, list.folders[0].display_name.as_str()), (false, "Inbox"));
}

#[tokio::test]
async fn folders_are_listed_whatever_their_parts_look_like() {
    let folder = json!({ "id": "f", "displayName": "Inbox", "parentFolderId": "root", "childFolderCount": 0, "totalItemCount": 5, "unreadItemCount": 2 });
    for name in ["displayName", "parentFolderId", "totalItemCount", "unreadItemCount", "@odata.type"] {
        for shape in SHAPES {
            let list = format!(r#"{{"value":[{}]}}"#, with(&folder, name, shape));
            let bench = with_folders(list);
            let list = bench.graph.folders(&caller()).await.unwrap_or_else(|e| panic!("{name} {shape}: {e:?}"));
            assert!(!list.is_part && list.problem.is_none(), "{name} {shape}");
            let found = list.folders;
            assert!(matches!(&found[..], [one] if one.id == "f"), "{name} {shape}");
        }
    }
}

#[tokio::test]
async fn who_the_account_is_is_read_whatever_the_profile_looks_like() {
    let me = json!({ "id": "p", "displayName": "Ann", "mail": "ann@x.example", "userPrincipalName": "ann@x.example" });
    for name in ["displayName", "mail", "userPrincipalName"] {
        for shape in SHAPES {
            let bench = answers(vec![says(200, with(&me, name, shape))]);
            assert_eq!(bench.graph.me(&caller()).await.unwrap().id.as_deref(), Some("p"), "{name} {shape}");
        }
    }
}

/// What the answer names is changed and sent, so another draft of its person is doubt.
#[tokio::test]
async fn a_reply_is_in_the_conversation_of_its_original_and_a_forward_goes_to_whom_it_was_made_for() {
    let to = [Address { address: "a@x".into(), name: String::new() }];
    let shown = |conversation: &str, to: &str| json!({ "id": "d", "isDraft": true, "conversationId": conversation, "toRecipients": [{ "emailAddress": { "address": to } }] }).to_string();
    for (kind, conversation, address, is_this) in [
        (AnswerKind::Reply, "c", "whoever@x", true),
        (AnswerKind::ReplyAll, "other", "whoever@x", false),
        (AnswerKind::Forward, "other", "A@x", true),
        (AnswerKind::Forward, "c", "b@x", false),
    ] {
        let bench = answers(vec![says(201, shown(conversation, address))]);
        let answer = OutgoingAnswer {
            kind,
            original: "o",
            conversation_id: "c",
            from_address: None,
            to: &to,
            cc: &[],
            bcc: &[],
            body: "",
            body_type: BodyType::Text,
            importance: Importance::Normal,
            attachments: &[],
            read_receipt: false,
            delivery_receipt: false,
            headers: &[],
            internet_message_id: "<m@x>",
            mark: "k",
        };
        let begun = bench.graph.begin_answer(&caller(), &answer).await;
        assert_eq!(begun.map_or_else(|error| error.kind() != ErrorKind::OutcomeUnknown, |_| true), is_this, "{kind:?}");
    }
}
