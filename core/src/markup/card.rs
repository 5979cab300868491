//! Whether a text is an Adaptive Card that Teams shows. Source: the published schema of Adaptive Cards 1.5, and what Teams supports of it.
//!
//! What the schema requires of elements it knows is looked at; others are left to Teams, which has more of them than the schema and shows in place of an
//! unknown one its fallback.

use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// Cards in cards, columns in columns: deeper than anybody lays out, and shallow enough for any parser.
const DEEPEST: usize = 32;
/// The newest version that Teams shows.
const NEWEST: (u32, u32) = (1, 5);

/// Required members of an element, as its type and name with the kind of its value: `t` text, `l` list, `o` object, `b` true or false.
const REQUIRED: [(&str, &str, char); 24] = [
    ("TextBlock", "text", 't'),
    ("Image", "url", 't'),
    ("Media", "sources", 'l'),
    ("RichTextBlock", "inlines", 'l'),
    ("TextRun", "text", 't'),
    ("Container", "items", 'l'),
    ("FactSet", "facts", 'l'),
    ("ImageSet", "images", 'l'),
    ("ActionSet", "actions", 'l'),
    ("Input.Text", "id", 't'),
    ("Input.Number", "id", 't'),
    ("Input.Date", "id", 't'),
    ("Input.Time", "id", 't'),
    ("Input.Toggle", "id", 't'),
    ("Input.Toggle", "title", 't'),
    ("Input.ChoiceSet", "id", 't'),
    ("Action.OpenUrl", "url", 't'),
    ("Action.ShowCard", "card", 'o'),
    ("Action.ToggleVisibility", "targetElements", 'l'),
    ("TableRow", "cells", 'l'),
    ("TableCell", "items", 'l'),
    ("Column", "items", 'l'),
    ("ColumnSet", "columns", 'l'),
    ("Table", "rows", 'l'),
];

/// Members that the schema does not require of a column, a set of columns and a table, but whose kind it tells.
const OPTIONAL: [&str; 4] = ["Column", "ColumnSet", "Table", "TableRow"];

/// Errors: InvalidInput, naming where in the card it is wrong and what belongs there.
pub fn check_card(text: &str) -> Result<()> {
    let card: Value = serde_json::from_str(text).map_err(|e| refuse("the card", &format!("is no JSON (line {}, column {})", e.line(), e.column())))?;
    adaptive_card(&card, "the card", 0)
}

fn refuse(place: &str, why: &str) -> Error {
    Error::invalid(format!("It is no Adaptive Card: {place} {why}. See adaptivecards.io for the form."))
}

fn adaptive_card(value: &Value, place: &str, depth: usize) -> Result<()> {
    let Value::Object(card) = value else { return Err(refuse(place, "is no JSON object")) };
    if card.get("type").and_then(Value::as_str) != Some("AdaptiveCard") {
        return Err(refuse(place, "has not the type \"AdaptiveCard\""));
    }
    // A card within a card has the version of the outer one.
    if depth == 0 || card.contains_key("version") {
        version(card.get("version"), place)?;
    }
    let mut is_empty = true;
    for list in ["body", "actions"] {
        match card.get(list) {
            None | Some(Value::Null) => {}
            Some(Value::Array(items)) => {
                is_empty &= items.is_empty();
                elements(items, &format!("{place}, {list}"), depth)?;
            }
            Some(_) => return Err(refuse(place, &format!("has a {list} that is no list"))),
        }
    }
    if is_empty {
        return Err(refuse(place, "is empty: it has neither a body nor actions to show"));
    }
    Ok(())
}

fn version(value: Option<&Value>, place: &str) -> Result<()> {
    let Some(text) = value.and_then(Value::as_str) else { return Err(refuse(place, "has no version, as in \"1.4\"")) };
    let version = text.split_once('.').and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    match version {
        Some(version) if version <= NEWEST && version.0 > 0 => Ok(()),
        Some(_) => Err(refuse(place, "has a version that Teams does not show; 1.5 is the newest")),
        None => Err(refuse(place, "has a version that is no number, as in \"1.4\"")),
    }
}

fn elements(items: &[Value], place: &str, depth: usize) -> Result<()> {
    if depth >= DEEPEST {
        return Err(refuse(place, "is nested too deeply"));
    }
    for (number, item) in items.iter().enumerate() {
        let place = format!("{place}[{number}]");
        let Value::Object(element) = item else { return Err(refuse(&place, "is no JSON object")) };
        let Some(kind) = element.get("type").and_then(Value::as_str).filter(|kind| !kind.is_empty()) else { return Err(refuse(&place, "has no type, as in \"TextBlock\"")) };
        one(element, kind, &place, depth)?;
    }
    Ok(())
}

fn one(element: &Map<String, Value>, kind: &str, place: &str, depth: usize) -> Result<()> {
    for (_, name, form) in REQUIRED.iter().filter(|(of, ..)| *of == kind) {
        let value = element.get(*name).filter(|value| !value.is_null());
        let fits = match (value, form) {
            (None, _) => OPTIONAL.contains(&kind),
            (Some(value), 't') => value.is_string(),
            (Some(value), 'l') => value.is_array(),
            (Some(value), _) => value.is_object(),
        };
        if !fits {
            let what = match form {
                't' => "text",
                'l' => "list",
                _ => "object",
            };
            return Err(refuse(place, &format!("is a {kind} and needs the {what} \"{name}\"")));
        }
    }
    inner(element, kind, place, depth)
}

/// What lies within an element.
fn inner(element: &Map<String, Value>, kind: &str, place: &str, depth: usize) -> Result<()> {
    let list = |name: &str| element.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match kind {
        "Container" | "Column" | "TableCell" => elements(list("items"), &format!("{place}, items"), depth + 1),
        "ActionSet" => elements(list("actions"), &format!("{place}, actions"), depth + 1),
        // The type of what can only be a column, a row or a cell may be left out.
        "ColumnSet" => parts(list("columns"), "Column", &format!("{place}, columns"), depth + 1),
        "Table" => parts(list("rows"), "TableRow", &format!("{place}, rows"), depth + 1),
        "TableRow" => parts(list("cells"), "TableCell", &format!("{place}, cells"), depth + 1),
        "ImageSet" => parts(list("images"), "Image", &format!("{place}, images"), depth + 1),
        "FactSet" => list("facts").iter().enumerate().try_for_each(|(number, fact)| match fact {
            Value::Object(fact) if ["title", "value"].iter().all(|name| fact.get(*name).is_some_and(Value::is_string)) => Ok(()),
            _ => Err(refuse(&format!("{place}, facts[{number}]"), "needs the texts \"title\" and \"value\"")),
        }),
        "Action.ShowCard" => element.get("card").map_or(Ok(()), |card| adaptive_card(card, &format!("{place}, card"), depth + 1)),
        "Action.OpenUrl" => match element.get("url").and_then(Value::as_str).map(|url| url.trim().to_ascii_lowercase()) {
            Some(url) if url.starts_with("https://") || url.starts_with("http://") || url.starts_with("mailto:") || url.starts_with("msteams:") => Ok(()),
            _ => Err(refuse(place, "opens a link that is neither https nor mailto")),
        },
        _ => Ok(()),
    }
}

fn parts(items: &[Value], kind: &str, place: &str, depth: usize) -> Result<()> {
    if depth >= DEEPEST {
        return Err(refuse(place, "is nested too deeply"));
    }
    items.iter().enumerate().try_for_each(|(number, item)| {
        let place = format!("{place}[{number}]");
        match item {
            Value::Object(part) if part.get("type").is_none_or(|of| of.as_str() == Some(kind)) => one(part, kind, &place, depth),
            _ => Err(refuse(&place, &format!("is no {kind}"))),
        }
    })
}

#[cfg(test)]
#[path = "card_tests.rs"]
mod tests;
