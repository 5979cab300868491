//! Chats and what is said in them, as Microsoft writes it.

use super::*;
use crate::clock::to_ms;
use serde_json::{Value, json};

fn read(item: Value) -> TeamsMessageItem {
    serde_json::from_value::<WireTeamsMessage>(item).unwrap().read("19:x@thread.v2").unwrap()
}

#[test]
fn who_said_what() {
    let item = read(json!({
        "id": "1700000000000", "messageType": "message", "createdDateTime": "2026-01-15T09:00:00.123Z", "lastModifiedDateTime": "2026-01-15T09:00:05Z",
        "lastEditedDateTime": null, "deletedDateTime": null, "subject": "", "importance": "urgent", "body": {"contentType": "html", "content": "<p>Hi</p>"},
        "from": {"application": null, "device": null, "user": {"id": "oid-1", "displayName": "Adele"}},
        "mentions": [{"id": 0, "mentionText": "Alex", "mentioned": {"user": {"id": "oid-2", "displayName": "Alex W"}}}, {"id": 1, "mentionText": "Everyone", "mentioned": {"conversation": {"id": "19:x"}}}],
        "attachments": [{"id": "1690000000000", "contentType": "messageReference", "content": "{}", "name": null}, {"id": "f", "contentType": "reference", "name": "cv.pdf"}],
    }));
    let GraphTeamsMessage { message, body_type, sender_id } = &item.teams_message;
    assert_eq!((message.kind, *body_type, sender_id.as_deref(), item.is_deleted), (TeamsMessageKind::Message, BodyType::Html, Some("oid-1"), false));
    assert_eq!((message.sender.as_ref().map(|sender| sender.name.as_str()), message.app_name.as_ref(), message.subject.as_ref()), (Some("Adele"), None, None));
    assert_eq!((message.body.as_str(), message.importance, message.edited_at), ("<p>Hi</p>", ChatImportance::Urgent, None));
    assert_eq!(message.mentions.iter().map(|one| (one.user_id.as_deref(), one.name.as_str())).collect::<Vec<_>>(), [(Some("oid-2"), "Alex"), (None, "Everyone")]);
    assert_eq!((message.reply_to.as_deref(), message.attachments.as_slice()), (Some("1690000000000"), ["cv.pdf".to_owned()].as_slice()));
    assert_eq!((to_ms(message.sent_at) % 1000, to_ms(item.modified_at) - to_ms(message.sent_at)), (123, 4_877));
}

#[test]
fn of_an_app_of_teams_itself_and_deleted() {
    let app = read(json!({"id": "1", "createdDateTime": "2026-01-15T09:00:00Z", "from": {"application": {"id": "a", "displayName": "Planner"}, "user": null}, "body": null}));
    assert_eq!((app.teams_message.message.app_name.as_deref(), app.teams_message.message.sender), (Some("Planner"), None));
    // What is not known to this version is not shown as something that a person said.
    let system = read(json!({"id": "1", "messageType": "unknownFutureValue", "createdDateTime": "2026-01-15T09:00:00Z", "from": null}));
    assert_eq!(system.teams_message.message.kind, TeamsMessageKind::System);
    assert!(read(json!({"id": "1", "createdDateTime": "2026-01-15T09:00:00Z", "deletedDateTime": "2026-01-15T09:01:00Z"})).is_deleted);
    let timeless = serde_json::from_value::<WireTeamsMessage>(json!({"id": "1", "createdDateTime": null})).unwrap();
    assert!(timeless.read("19:x@thread.v2").is_none());
}

#[test]
fn the_mark_of_a_chat_is_another_once_something_happened() {
    let mark = |preview: Value, updated: &str| ChatState::from(serde_json::from_value::<WireState>(json!({"id": "c", "lastUpdatedDateTime": updated, "lastMessagePreview": preview})).unwrap()).mark;
    let preview = |id: &str, text: &str, is_deleted: bool| json!({"id": id, "createdDateTime": "2026-01-15T09:00:00Z", "isDeleted": is_deleted, "body": {"contentType": "text", "content": text}});
    let first = mark(preview("1", "a", false), "2026-01-15T09:00:00Z");
    assert_eq!(first, mark(preview("1", "a", false), "2026-01-15T09:00:00Z"));
    for other in [mark(preview("2", "a", false), "2026-01-15T09:00:00Z"), mark(preview("1", "b", false), "2026-01-15T09:00:00Z"), mark(preview("1", "a", true), "2026-01-15T09:00:00Z"), mark(preview("1", "a", false), "2026-01-15T09:00:01Z"), mark(Value::Null, "2026-01-15T09:00:00Z")] {
        assert_ne!(first, other);
    }
}
