//! What an Adaptive Card must be for Teams to show it. A workflow takes anything and tells nobody that it could not show it, so it is looked at before it is stored.
//! Source: Adaptive Cards, schema; Teams, cards reference.

use crate::error::{Error, Result};
use crate::json;
use serde_json::Value;

/// The newest that Teams shows.
const NEWEST_MINOR: u32 = 5;

/// Errors: InvalidInput, naming the member.
pub fn check_card(text: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::invalid(format!("The card {why}.")));
    if json::too_deep(text.as_bytes()) {
        return refuse("is nested more than 64 deep");
    }
    let Ok(Value::Object(card)) = serde_json::from_str(text) else { return refuse("is no JSON object") };
    if card.get("type").and_then(Value::as_str) != Some("AdaptiveCard") {
        return refuse("is no Adaptive Card: its type must be AdaptiveCard. Older kinds of cards are not shown by workflows");
    }
    let version = card.get("version").and_then(Value::as_str).and_then(|version| version.strip_prefix("1.")).and_then(|minor| minor.parse::<u32>().ok());
    if version.is_none_or(|minor| minor > NEWEST_MINOR) {
        return refuse("must name a version that Teams shows, \"1.0\" to \"1.5\"");
    }
    let body = elements(card.get("body"));
    let actions = elements(card.get("actions"));
    match (body, actions) {
        (Some(0), Some(0)) => refuse("shows nothing: its body is empty"),
        (Some(_), Some(_)) => Ok(()),
        (None, _) => refuse("has a body that is no list of elements, each with its type"),
        (_, None) => refuse("has actions that are no list of actions, each with its type"),
    }
}

/// How many there are, if each is an object with a type.
fn elements(list: Option<&Value>) -> Option<usize> {
    let Some(list) = list else { return Some(0) };
    let list = list.as_array()?;
    list.iter().all(|one| one.get("type").and_then(Value::as_str).is_some_and(|kind| !kind.is_empty())).then_some(list.len())
}
