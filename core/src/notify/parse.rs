//! A post of notifications, read within bounds. Nothing of it is believed yet.
//! Source: Graph, changeNotificationCollection; lifecycle notifications.

use super::decrypt::EncryptedContent;
use crate::json::{self, lenient};
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Notifications of one post.
pub const MOST_ITEMS: usize = 1_000;
/// Microsoft's limit of a client state, and longer than any id.
const LONGEST: usize = 128;

/// What concerns the check of one notification; everything else in it is skipped.
#[derive(Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Notification {
    #[serde(deserialize_with = "short")]
    pub client_state: Option<String>,
    #[serde(deserialize_with = "short")]
    pub subscription_id: Option<String>,
    #[serde(deserialize_with = "short")]
    pub tenant_id: Option<String>,
    #[serde(deserialize_with = "short")]
    pub lifecycle_event: Option<String>,
    #[serde(deserialize_with = "lenient::object")]
    pub encrypted_content: Option<EncryptedContent>,
    #[serde(deserialize_with = "lenient::object")]
    pub resource_data: Option<ResourceData>,
}

/// What it is about, as it says outside of its content.
#[derive(Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct ResourceData {
    #[serde(deserialize_with = "lenient::scalar")]
    pub id: Option<String>,
}

/// Tokens that came with a post and say who posts.
pub type Tokens = Vec<String>;

/// What a post holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Posted {
    /// None: one that cannot be read.
    Items(Vec<Option<Notification>>, Tokens),
    TooMany,
    /// It is no list of notifications.
    Unreadable,
}

fn short<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Ok(lenient::scalar(input)?.filter(|text: &String| text.len() <= LONGEST))
}

#[derive(serde::Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    value: Items<'a>,
    #[serde(borrow, default, rename = "validationTokens")]
    tokens: Option<&'a RawValue>,
}

struct Items<'a> {
    items: Vec<&'a RawValue>,
    is_more: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Items<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while items.len() < MOST_ITEMS {
                    let Some(item) = seq.next_element()? else { return Ok(Items { items, is_more: false }) };
                    items.push(item);
                }
                let mut is_more = false;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    is_more = true;
                }
                Ok(Items { items, is_more })
            }
        }
        input.deserialize_seq(List)
    }
}

pub fn posted(body: &[u8]) -> Posted {
    let text = json::text(body);
    match json::of_text::<Body<'_>>(&text) {
        Ok(Body { value: Items { is_more: true, .. }, .. }) => Posted::TooMany,
        Ok(Body { value, tokens }) => {
            let tokens = tokens.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
            Posted::Items(value.items.into_iter().map(|raw| serde_json::from_str(raw.get()).ok()).collect(), tokens)
        }
        Err(_) => Posted::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_notification_is_read_by_itself() {
        let long = "x".repeat(LONGEST + 1);
        let body = format!(
            r#"{{"validationTokens":["a"],"value":[{{"clientState":"one","subscriptionId":"s","tenantId":"t","resourceData":{{"id":"AAMk"}}}},7,null,[],
               {{"clientState":{{}},"lifecycleEvent":"missed"}},{{"clientState":"{long}"}}]}}"#
        );
        let Posted::Items(items, tokens) = posted(body.as_bytes()) else { panic!("unreadable") };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!((items.len(), tokens), (6, vec!["a".to_owned()]));
        assert_eq!(items[0], Some(Notification { client_state: text("one"), subscription_id: text("s"), tenant_id: text("t"), resource_data: Some(ResourceData { id: text("AAMk") }), ..Notification::default() }));
        assert!(items[1].is_none() && items[2].is_none());
        assert_eq!(items[4].as_ref().map(|item| (&item.client_state, item.lifecycle_event.as_deref())), Some((&None, Some("missed"))));
        assert_eq!(items[5], Some(Notification::default()));
    }

    #[test]
    fn what_is_no_list_or_too_long_a_one_is_told() {
        for body in ["", "{}", "[]", "null", r#"{"value":{}}"#, r#"{"value":[}"#, r#"{"value":[],"value":[]}"#, "\u{0}", &"[".repeat(100_000), &format!(r#"{{"value":[{}1{}]}}"#, "[".repeat(70), "]".repeat(70))] {
            assert_eq!(posted(body.as_bytes()), Posted::Unreadable, "{}", body.get(..20.min(body.len())).unwrap_or_default());
        }
        assert_eq!(posted(b"\xff\xfe\xff"), Posted::Unreadable);
        let many = |n: usize| format!(r#"{{"value":[{}]}}"#, vec!["0"; n].join(","));
        assert!(matches!(posted(many(MOST_ITEMS).as_bytes()), Posted::Items(items, _) if items.len() == MOST_ITEMS));
        assert_eq!(posted(many(MOST_ITEMS + 1).as_bytes()), Posted::TooMany);
        assert_eq!(posted(br#"{"value":[]}"#), Posted::Items(Vec::new(), Vec::new()));
    }
}
