//! What a bot says, as the Bot Connector takes it. Source: Bot Framework, Activity schema; Teams, format your bot messages.

use crate::json;
use serde::Serialize;
use serde_json::Value;

/// Of what Teams takes from a bot at once. Source: Teams, format your bot messages.
pub const LARGEST_MESSAGE: usize = 100 << 10;

/// What the Bot Connector said of a message that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// None: it did not say.
    pub activity_id: Option<String>,
    /// Where the conversation is from now on. None: where it was asked.
    pub service_url: Option<String>,
}

/// A mention, as its text shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// `29:…`
    pub user_id: String,
    pub name: String,
    /// As it stands in the text, `<at>` included.
    pub text: String,
}

/// A message, ready to be sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutgoingActivity {
    pub text: String,
    /// The text is HTML of the kind that Teams takes from bots; else it is plain.
    pub is_html: bool,
    /// Shown where a card cannot be, as in a notification.
    pub summary: Option<String>,
    /// Adaptive Cards.
    pub cards: Vec<Value>,
    pub mentions: Vec<Named>,
    pub is_important: bool,
    /// It also appears in the activity feed of whoever gets it.
    pub is_alert: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireActivity<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    text: &'a str,
    text_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<WireAttachment<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entities: Vec<WireMention<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    importance: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_data: Option<WireData>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireAttachment<'a> {
    content_type: &'static str,
    /// An object here, where Graph wants a text.
    content: &'a Value,
}

#[derive(Serialize)]
struct WireMention<'a> {
    r#type: &'static str,
    text: &'a str,
    mentioned: WireMentioned<'a>,
}

#[derive(Serialize)]
struct WireMentioned<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct WireData {
    notification: WireNotification,
}

#[derive(Serialize)]
struct WireNotification {
    alert: bool,
}

impl OutgoingActivity {
    pub(super) fn wire(&self) -> WireActivity<'_> {
        WireActivity {
            r#type: "message",
            text: &self.text,
            text_format: if self.is_html { "xml" } else { "plain" },
            summary: self.summary.as_deref(),
            attachments: self.cards.iter().map(|content| WireAttachment { content_type: "application/vnd.microsoft.card.adaptive", content }).collect(),
            entities: self.mentions.iter().map(|one| WireMention { r#type: "mention", text: &one.text, mentioned: WireMentioned { id: &one.user_id, name: &one.name } }).collect(),
            importance: self.is_important.then_some("high"),
            channel_data: self.is_alert.then_some(WireData { notification: WireNotification { alert: true } }),
        }
    }

    /// How long it is as Teams counts: in UTF-16.
    pub fn size(&self) -> usize {
        serde_json::to_string(&self.wire()).map_or(usize::MAX, |text| text.encode_utf16().count().saturating_mul(2))
    }

    /// A card as text, which was looked at before.
    pub fn card(text: &str) -> Option<Value> {
        json::read(text.as_bytes()).ok()
    }
}
