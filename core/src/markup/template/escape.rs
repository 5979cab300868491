//! Values as they stand in text and Markdown.

use super::{CLOSE, Filled, OPEN};
use crate::error::Result;

/// The marked text with each value as `escaped` makes it, which is given what stands before it.
pub fn at_marks(marked: &str, mut escaped: impl FnMut(&str, &str) -> Result<String>) -> Result<Filled> {
    let (mut text, mut values) = (String::with_capacity(marked.len()), Vec::new());
    let mut rest = marked;
    while let Some((literal, after)) = rest.split_once(OPEN) {
        text.push_str(literal);
        let (value, after) = after.split_once(CLOSE).unwrap_or((after, ""));
        let value = escaped(literal, value)?;
        if !value.is_empty() {
            values.push(text.len()..text.len() + value.len());
            text.push_str(&value);
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(Filled { text, values })
}

/// What HTML and Markdown read anywhere as more than text.
const ALWAYS: &str = "&<>\"'\\`*_~[]()|#@!{}^$";
/// What Markdown reads so where a line begins.
const AT_START: &str = "-+=.:";

/// A value that is text in Markdown, wherever it stands: as references to characters, which never are the marks of anything, not even within code or an address,
/// where a backslash would be one. Its lines stay lines. Source: CommonMark 0.31, 2.5 Entity and numeric character references, 6.7 Hard line breaks.
pub fn markdown(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + value.len() / 4);
    let lines = value.split(['\n', '\r']).map(|line| line.trim_end()).filter(|line| !line.is_empty());
    for (number, line) in lines.enumerate() {
        if number > 0 {
            out.push_str("  \n");
        }
        let mut is_start = true;
        for c in line.chars() {
            let is_marked = ALWAYS.contains(c) || is_start && (AT_START.contains(c) || c.is_whitespace());
            // `1.` begins a list.
            is_start = is_start && (c.is_ascii_digit() || c.is_whitespace());
            if is_marked {
                out.push_str(&format!("&#{};", u32::from(c)));
            } else {
                out.push(c);
            }
        }
    }
    out
}

/// A value that is text in HTML, within quotes as well.
pub fn html(value: &str) -> String {
    crate::markup::escaped(value).replace('\'', "&#39;")
}
