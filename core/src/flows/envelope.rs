//! The body of a post: a message with one Adaptive Card. The default template of Teams goes through `attachments`, and fails unseen on anything else.

use crate::error::{Error, ErrorKind, Result};
use serde::Serialize;
use serde_json::value::RawValue;

/// A message may have about 28 KB. Source: Teams, limits and specifications.
const LONGEST_BYTES: usize = 28_000;

#[derive(Serialize)]
struct Envelope<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    attachments: [Attachment<T>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment<T> {
    content_type: &'static str,
    // Asked for by the template, as nothing.
    content_url: Option<()>,
    content: T,
}

#[derive(Serialize)]
struct Card<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    body: [TextBlock<'a>; 1],
}

#[derive(Serialize)]
struct TextBlock<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
    wrap: bool,
}

/// A card with this text. Errors: LimitExceeded.
pub fn of_text(text: &str) -> Result<Vec<u8>> {
    written(Card {
        schema: "http://adaptivecards.io/schemas/adaptive-card.json",
        kind: "AdaptiveCard",
        version: "1.4",
        body: [TextBlock { kind: "TextBlock", text, wrap: true }],
    })
}

/// This card, as it is written. Errors: InvalidInput when it is no JSON, LimitExceeded.
pub fn of_card(card: &str) -> Result<Vec<u8>> {
    written(serde_json::from_str::<&RawValue>(card).map_err(|_| Error::invalid("The card is no JSON."))?)
}

fn written<T: Serialize>(card: T) -> Result<Vec<u8>> {
    let attachment = Attachment { content_type: "application/vnd.microsoft.card.adaptive", content_url: None, content: card };
    let body = serde_json::to_vec(&Envelope { kind: "message", attachments: [attachment] }).map_err(|_| Error::internal("A post could not be written."))?;
    if body.len() > LONGEST_BYTES {
        return Err(Error::new(ErrorKind::LimitExceeded, "The post is larger than Teams takes from a workflow (28,000 bytes with everything around it). Shorten or split it."));
    }
    Ok(body)
}
