//! Shapes of JSON that more than one operation needs.

use crate::error::{Error, ErrorKind, Result};
use crate::json::{self, lenient};
use crate::model::{Address, BodyType, Importance};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A page whose items are read one by one, so that a bad one spoils nothing but itself.
#[derive(Deserialize)]
pub struct Page<'a> {
    #[serde(borrow, default)]
    pub value: Option<Vec<&'a RawValue>>,
    #[serde(rename = "@odata.nextLink", default, deserialize_with = "lenient::scalar")]
    pub next_link: Option<String>,
    #[serde(rename = "@odata.deltaLink", default, deserialize_with = "lenient::scalar")]
    pub delta_link: Option<String>,
}

pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    json::read(body).map_err(|_| unreadable())
}

/// What may borrow of a text that [`json::text`] put right.
pub fn of_text<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    json::of_text(text).map_err(|_| unreadable())
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
        let content_type = match kind {
            BodyType::Text => "text",
            BodyType::Html => "html",
        };
        Self { content_type: Some(content_type.to_owned()), content: Some(content.to_owned()) }
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
