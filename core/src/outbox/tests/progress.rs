//! What is stored of a send under way is read and written as one flat record, by all versions.

use crate::outbox::channel::{Channel, Ids, Progress};
use crate::outbox::channels::{Chat, Mail, Workflow};
use serde_json::{Value, json};

type Of<C> = Progress<<C as Channel>::Progress>;

/// Every field, as versions before the channels had their own records wrote them for either route.
fn stored() -> Value {
    json!({
        "internet_message_id": "<m@tidings.invalid>", "mark": "k", "graph_id": "g", "chat_id": "c", "recheck": true, "stray": true, "conflicts": 3,
        "doubted": true, "doubt_since": 1_790_000_000_000_i64, "refusal": "No.", "insisted": true,
    })
}

fn blank() -> Value {
    json!({
        "internet_message_id": null, "mark": null, "graph_id": null, "chat_id": null, "recheck": false, "stray": false, "conflicts": 0, "doubted": false,
        "doubt_since": null, "refusal": null, "insisted": false,
    })
}

fn shown(ids: Ids) -> [Option<String>; 3] {
    [ids.internet_message_id, ids.graph_id, ids.chat_id]
}

#[test]
fn the_records_of_earlier_versions_are_read() {
    let mail: Of<Mail> = serde_json::from_value(stored()).unwrap();
    assert_eq!((mail.conflicts, mail.doubted, mail.doubt_since, mail.refusal.as_deref(), mail.insisted), (3, true, Some(1_790_000_000_000), Some("No."), true));
    assert!(mail.own.recheck && mail.own.stray && mail.own.mark.as_deref() == Some("k"));
    assert_eq!(shown(Mail::ids(mail.own)), [Some("<m@tidings.invalid>".into()), Some("g".into()), None]);
    let chat: Of<Chat> = serde_json::from_value(stored()).unwrap();
    assert_eq!((chat.conflicts, chat.doubted, chat.doubt_since, chat.refusal.as_deref(), chat.insisted), (3, true, Some(1_790_000_000_000), Some("No."), true));
    assert_eq!(shown(Chat::ids(chat.own)), [None, Some("g".into()), Some("c".into())]);
    assert_eq!(serde_json::from_value::<Of<Mail>>(blank()).unwrap(), Progress::default());
    assert_eq!(serde_json::from_value::<Of<Chat>>(blank()).unwrap(), Progress::default());
    // What a route knows of its own may be nothing.
    let post: Of<Workflow> = serde_json::from_value(stored()).unwrap();
    assert_eq!((post.doubted, post.insisted, serde_json::to_value(&post).unwrap()["doubt_since"].as_i64()), (true, true, Some(1_790_000_000_000)));
    // The first ones had fewer fields.
    assert_eq!(serde_json::from_str::<Of<Mail>>("{}").unwrap(), Progress::default());
    assert_eq!(serde_json::from_str::<Of<Chat>>(r#"{"chat_id":"c"}"#).unwrap().own.chat_id.as_deref(), Some("c"));
}

#[test]
fn fields_keep_their_names_and_places() {
    let text = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mail = serde_json::to_value(serde_json::from_value::<Of<Mail>>(stored()).unwrap()).unwrap();
    let chat = serde_json::to_value(serde_json::from_value::<Of<Chat>>(stored()).unwrap()).unwrap();
    for (written, own) in [(&mail, vec!["internet_message_id", "mark", "graph_id", "recheck", "stray"]), (&chat, vec!["graph_id", "chat_id"])] {
        let mut names: Vec<String> = own.iter().chain(&["conflicts", "doubted", "doubt_since", "refusal", "insisted"]).map(|name| (*name).to_owned()).collect();
        let mut found = text(written);
        names.sort();
        found.sort();
        assert_eq!(found, names);
        for name in names {
            assert_eq!(written[&name], stored()[&name], "{name}");
        }
    }
}
