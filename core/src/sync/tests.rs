use super::clean;
use super::plan::plan;
use super::record::{pack_body, unpack_body};
use crate::graph::{DeltaItem, MailItem};
use crate::model::{BodyType, ChangeKind};
use crate::store::Known;
use proptest::prelude::*;
use std::collections::HashMap;

fn item(id: &str, change_key: &str) -> DeltaItem {
    DeltaItem::Message(Box::new(MailItem { id: id.into(), change_key: change_key.into(), ..MailItem::default() }))
}

fn gone(id: &str) -> DeltaItem {
    DeltaItem::Removed { id: id.into() }
}

fn known(rows: &[(&str, &str, &str)]) -> HashMap<String, Known> {
    let row = |(at, (id, folder, key)): (usize, &(&str, &str, &str))| Known {
        row_id: at as i64 + 1,
        graph_id: (*id).into(),
        folder_id: (*folder).into(),
        change_key: (*key).into(),
        version: 3,
        is_removed: false,
    };
    rows.iter().enumerate().map(|r| (r.1.0.to_owned(), row(r))).collect()
}

#[test]
fn new_changed_moved_and_repeated_messages_are_told_apart() {
    let here = known(&[("b", "inbox", "1"), ("c", "archive", "1"), ("d", "inbox", "1")]);
    let plan = plan("inbox", vec![item("a", "1"), item("b", "2"), item("c", "1"), item("d", "1")], &here);
    let changes: Vec<_> = plan.upserts.iter().map(|u| (u.item.id.as_str(), u.change, u.version)).collect();
    assert_eq!(changes, [("a", ChangeKind::MessageAdded, 1), ("b", ChangeKind::MessageChanged, 4), ("c", ChangeKind::MessageMoved, 4)]);
    assert_eq!(plan.seen, ["d"]);
}

#[test]
fn the_last_word_of_a_page_counts() {
    let here = known(&[("a", "inbox", "1")]);
    let out = plan("inbox", vec![item("a", "2"), gone("a")], &here);
    assert!(out.upserts.is_empty());
    assert_eq!(out.suspects, ["a"]);
    let back = plan("inbox", vec![gone("a"), item("a", "2")], &here);
    assert_eq!(back.upserts.len(), 1);
    assert!(back.suspects.is_empty());
}

#[test]
fn a_removal_of_what_is_unknown_or_elsewhere_asks_nothing() {
    let here = known(&[("a", "archive", "1")]);
    let plan = plan("inbox", vec![gone("a"), gone("never seen")], &here);
    assert!(plan.suspects.is_empty());
}

#[test]
fn html_to_show_holds_nothing_that_acts_or_loads() {
    let html = clean::html(
        BodyType::Html,
        r#"<p onclick="x()">Hi</p><script>alert(1)</script><img src="https://spy.example/x.gif"><img src="cid:logo"><svg><a href="javascript:x"></svg><a href="https://ok.example">y</a><iframe src="//e"></iframe>"#,
    );
    for bad in ["script", "onclick", "spy.example", "svg", "javascript", "iframe"] {
        assert!(!html.contains(bad), "{bad} in {html}");
    }
    assert!(html.contains("cid:logo") && html.contains("https://ok.example"));
    assert!(clean::html(BodyType::Text, "a<b>").starts_with("<pre>a&lt;b&gt;"));
    assert_eq!(clean::text(BodyType::Html, "<p>Hello <b>you</b></p>").trim(), "Hello you");
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
        let here = first.upserts.iter().map(|u| (u.item.id.clone(), Known {
            row_id: 1, graph_id: u.item.id.clone(), folder_id: "inbox".into(), change_key: u.item.change_key.clone(), version: u.version, is_removed: false,
        })).collect();
        prop_assert!(plan("inbox", page(), &here).upserts.is_empty());
    }
}

/// The list goes on after a page that ends with a message without a time; such messages count as received at 0.
#[test]
fn a_page_may_end_with_a_message_without_a_time() {
    use super::read::{cursor_of, parse_cursor};
    use crate::seal::{Cipher, KeyBytes, Place};
    use crate::store::MessageRow;
    let place = Place { table: "t", column: "c", account_id: "a", row: "g", version: 1 };
    let head = Cipher::new(b"store", 1, &KeyBytes::from_slice(&[7; 32]).unwrap()).seal(place, b"").unwrap();
    let row = MessageRow {
        row_id: 7,
        account_id: "a".into(),
        graph_id: "g".into(),
        folder_id: "f".into(),
        conversation_id: "c".into(),
        received_at: None,
        is_read: false,
        is_draft: true,
        change_key: String::new(),
        head,
        version: 1,
    };
    assert_eq!(parse_cursor(&cursor_of(&row)).unwrap(), (0, 7));
}
