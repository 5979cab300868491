//! By what a message is told that no person wrote: its header lines and its class. Delta could bring them, but they are several times what else is read of a mail, so they
//! are asked of those few that may be such a message. Sources: Graph, message (internetMessageHeaders) and singleValueLegacyExtendedProperty; [MS-OXCMSG], PidTagMessageClass.

use super::batch::Item;
use super::{Caller, Graph, fault, literal, segment, wire};
use crate::error::{Error, Result};
use crate::json::lenient;
use serde::Deserialize;

/// PidTagMessageClass.
const CLASS: &str = "String 0x001A";
/// Lines that are looked at of one message.
const MOST_LINES: usize = 500;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailHeaders {
    /// Name and value, the one that was written last first.
    pub lines: Vec<(String, String)>,
    /// As in `REPORT.IPM.Note.NDR`; empty where it is not told.
    pub class: String,
}

#[derive(Debug)]
pub enum HeadersAnswer {
    There(MailHeaders),
    Gone,
    /// It cannot be told now.
    Failed(Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireHeaders {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    internet_message_headers: Option<Vec<WireLine>>,
    #[serde(default, deserialize_with = "lenient::present_objects")]
    single_value_extended_properties: Option<Vec<WireClass>>,
}

#[derive(Deserialize)]
struct WireLine {
    #[serde(default, deserialize_with = "lenient::scalar")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    value: Option<String>,
}

#[derive(Deserialize)]
struct WireClass {
    #[serde(default, deserialize_with = "lenient::scalar")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireName {
    #[serde(deserialize_with = "wire::id")]
    id: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    internet_message_id: Option<String>,
}

impl From<WireHeaders> for MailHeaders {
    fn from(wire: WireHeaders) -> Self {
        let lines = wire.internet_message_headers.unwrap_or_default().into_iter().take(MOST_LINES);
        let is_class = |p: &WireClass| p.id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(CLASS));
        Self {
            lines: lines.filter_map(|line| Some((line.name?, line.value.unwrap_or_default()))).collect(),
            class: wire.single_value_extended_properties.unwrap_or_default().into_iter().find(is_class).and_then(|p| p.value).unwrap_or_default(),
        }
    }
}

impl Graph {
    /// Of these messages, in their order. What is wrong with one of them is told of that one.
    pub async fn mail_headers(&self, caller: &Caller, ids: &[String]) -> Result<Vec<(String, HeadersAnswer)>> {
        let class = format!("singleValueExtendedProperties($filter=id eq {})", literal(CLASS));
        let query = [("$select", "id,internetMessageHeaders"), ("$expand", class.as_str())];
        let found = self.of_messages(caller, ids, &query).await?;
        let answer = |id: &str, item| match item {
            Item::Found(body, proofs) if proofs.are_in(&body) => HeadersAnswer::Failed(wire::repeating()),
            Item::Found(body, _) => match wire::item::<WireHeaders>(&body).filter(|wire| wire.id == id) {
                Some(wire) => HeadersAnswer::There(wire.into()),
                None => HeadersAnswer::Failed(wire::unreadable()),
            },
            Item::Absent => HeadersAnswer::Gone,
            Item::Failed(error) => HeadersAnswer::Failed(error),
        };
        Ok(ids.iter().zip(found).map(|(id, item)| (id.clone(), answer(id, item))).collect())
    }

    /// Message-IDs of these messages, in their order; none where it cannot be told.
    pub async fn message_ids(&self, caller: &Caller, ids: &[String]) -> Result<Vec<Option<String>>> {
        let named = |id: &String, item| match item {
            Item::Found(body, proofs) if !proofs.are_in(&body) => wire::item::<WireName>(&body).filter(|wire| wire.id == *id).and_then(|wire| wire.internet_message_id),
            _ => None,
        };
        let found = self.of_messages(caller, ids, &[("$select", "id,internetMessageId")]).await?;
        Ok(ids.iter().zip(found).map(|(id, item)| named(id, item)).collect())
    }

    async fn of_messages(&self, caller: &Caller, ids: &[String], query: &[(&str, &str)]) -> Result<Vec<Item>> {
        let place = self.place(caller).await?;
        let path = |id: &String| {
            let url = self.url(&format!("{place}/messages/{}", segment(id)?), query)?;
            url.as_str().strip_prefix(self.root.as_str()).map(|path| format!("/{path}")).ok_or_else(|| Error::internal("A Graph address could not be made."))
        };
        self.batch_get(caller, &ids.iter().map(path).collect::<Result<Vec<_>>>()?, fault::is_item_gone).await
    }
}
