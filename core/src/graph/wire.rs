//! Shapes of JSON that more than one operation needs.

use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use crate::markup::markdown;
use crate::model::{Address, BodyType, Importance, rfc3339};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A page and its items; as [`RawValue`]s they are read one by one, so that a bad one spoils nothing but itself.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Page<T> {
    #[serde(default)]
    pub value: Option<Vec<T>>,
    #[serde(rename = "@odata.nextLink", default, deserialize_with = "lenient::scalar")]
    pub next_link: Option<String>,
    #[serde(rename = "@odata.deltaLink", default, deserialize_with = "lenient::scalar")]
    pub delta_link: Option<String>,
}

impl<T> Page<T> {
    /// A list that is not there is no empty list: whoever took it for one would take everything for deleted, or miss what came.
    pub fn items(&mut self) -> Result<Vec<T>> {
        self.value.take().ok_or_else(unreadable)
    }
}

/// One item of a list: what is odd about it is told of it alone.
pub fn item<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&readable_part(text)?).ok())
}

/// The object without what no parser reads (a number beyond all bounds), and of a property that stands there twice the last one.
fn readable_part(text: &str) -> Option<String> {
    let properties: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let sound: serde_json::Map<String, serde_json::Value> =
        properties.into_iter().filter_map(|(name, raw)| Some((name, serde_json::from_str(raw.get()).ok()?))).collect();
    serde_json::to_string(&sound).ok()
}

/// Something that can stand in a path and in the store.
pub fn is_id(id: &str) -> bool {
    !matches!(id, "" | "." | "..") && id.len() <= 2048 && !id.chars().any(char::is_control)
}

/// An `id` that can be used; without one there is no item.
pub fn id<'de, D: Deserializer<'de>>(input: D) -> std::result::Result<String, D::Error> {
    let id = String::deserialize(input)?;
    if is_id(&id) { Ok(id) } else { Err(serde::de::Error::custom("no usable id")) }
}

/// None: it is no time, or before 1970, as Microsoft writes times that never were.
pub fn time(text: &str) -> Option<std::time::SystemTime> {
    rfc3339::from_text(text).filter(|at| *at >= std::time::SystemTime::UNIX_EPOCH)
}

pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    json::read(body).map_err(|_| unreadable())
}

/// What may borrow of a text that [`json::text`] put right.
pub fn of_text<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    json::of_text(text).map_err(|_| unreadable())
}

/// A page whose items are read one by one, of a text that [`json::text`] put right. However deep an item is nested, that is a matter of this item: the parser
/// passes over it without recursion.
pub fn page(text: &str) -> Result<Page<&RawValue>> {
    serde_json::from_str(text).map_err(|_| unreadable())
}

/// A text that says something: Microsoft writes an empty one or null for what is not known.
pub fn told(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

pub fn unreadable() -> Error {
    Error::new(ErrorKind::Upstream, "Microsoft's answer could not be read. Try again later.")
}

/// A server that writes secrets into ids and names is not believed, and they are not stored.
pub fn repeating() -> Error {
    Error::new(ErrorKind::Upstream, "Microsoft's answer repeats what proves who asked, so nothing of it was kept. Try again later.")
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    #[serde(default, deserialize_with = "lenient::object")]
    pub email_address: Option<EmailAddress>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct EmailAddress {
    #[serde(default, deserialize_with = "lenient::scalar", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub address: Option<String>,
}

impl From<&Address> for Recipient {
    fn from(from: &Address) -> Self {
        let name = Some(from.name.clone()).filter(|name| !name.is_empty());
        Self { email_address: Some(EmailAddress { name, address: Some(from.address.clone()) }) }
    }
}

impl Recipient {
    /// None: it names nobody.
    pub fn address(self) -> Option<Address> {
        let EmailAddress { name, address } = self.email_address?;
        let (name, address) = (name.unwrap_or_default(), address.unwrap_or_default());
        (!name.is_empty() || !address.is_empty()).then_some(Address { address, name })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemBody {
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub content_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    pub content: Option<String>,
}

impl ItemBody {
    pub fn new(kind: BodyType, content: &str) -> Self {
        let (content_type, content) = match kind {
            BodyType::Text => ("text", content.to_owned()),
            BodyType::Html => ("html", content.to_owned()),
            BodyType::Markdown => ("html", markdown(content)),
        };
        Self { content_type: Some(content_type.to_owned()), content: Some(content) }
    }

    pub fn kind(&self) -> BodyType {
        if self.content_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("html")) { BodyType::Html } else { BodyType::Text }
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
