//! Shapes of JSON that more than one operation needs, and a reader that bounds depth.

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Address, BodyType, Importance};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

const DEEPEST: usize = 64;

/// A page whose items are read one by one, so that a bad one spoils nothing but itself.
#[derive(Deserialize)]
pub struct Page<'a> {
    #[serde(borrow, default)]
    pub value: Vec<&'a RawValue>,
    #[serde(rename = "@odata.nextLink", default)]
    pub next_link: Option<String>,
    #[serde(rename = "@odata.deltaLink", default)]
    pub delta_link: Option<String>,
}

pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    if too_deep(body) {
        return Err(unreadable());
    }
    serde_json::from_slice(body).map_err(|_| unreadable())
}

pub fn unreadable() -> Error {
    Error::new(ErrorKind::Upstream, "Microsoft's answer could not be read. Try again later.")
}

/// Text in which bytes that are not UTF-8 became replacement marks; almost always the body itself.
pub fn text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(body)
}

/// Brackets outside of strings, counted without recursion: the parser skips unread parts without a limit of its own.
pub fn too_deep(body: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in body {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// A property that is there, be it null; without this, `null` and a missing one look the same.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(input).map(Some)
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    pub email_address: EmailAddress,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct EmailAddress {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default)]
    pub address: Option<String>,
}

impl From<&Address> for Recipient {
    fn from(from: &Address) -> Self {
        let name = Some(from.name.clone()).filter(|name| !name.is_empty());
        Self { email_address: EmailAddress { name, address: Some(from.address.clone()) } }
    }
}

impl From<Recipient> for Address {
    fn from(from: Recipient) -> Self {
        Self { address: from.email_address.address.unwrap_or_default(), name: from.email_address.name.unwrap_or_default() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemBody {
    pub content_type: String,
    #[serde(default)]
    pub content: Option<String>,
}

impl ItemBody {
    pub fn new(kind: BodyType, content: &str) -> Self {
        let content_type = match kind {
            BodyType::Text => "text",
            BodyType::Html => "html",
        };
        Self { content_type: content_type.to_owned(), content: Some(content.to_owned()) }
    }

    pub fn kind(&self) -> BodyType {
        if self.content_type.eq_ignore_ascii_case("html") { BodyType::Html } else { BodyType::Text }
    }
}

pub fn importance_name(importance: Importance) -> &'static str {
    match importance {
        Importance::Low => "low",
        Importance::Normal => "normal",
        Importance::High => "high",
    }
}

pub fn importance(name: &str) -> Importance {
    match name.to_ascii_lowercase().as_str() {
        "low" => Importance::Low,
        "high" => Importance::High,
        _ => Importance::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
        assert!(!too_deep(format!("{}{}", "[".repeat(64), "]".repeat(64)).as_bytes()));
        assert!(too_deep(format!("{}{}", "[".repeat(65), "]".repeat(65)).as_bytes()));
        assert!(!too_deep(format!("\"{}\\\"[\"", "[".repeat(100)).as_bytes()));
        assert!(read::<serde_json::Value>("[".repeat(100_000).as_bytes()).is_err());
    }
}
