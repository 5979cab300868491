//! JSON that others wrote. Every answer of Microsoft's is read here, so that what is odd about its text is odd in one place: a byte order mark before it,
//! bytes that are no UTF-8, half a surrogate pair in a string (which stands for nothing, and becomes U+FFFD).
//! Source: RFC 8259, sections 8.1 and 8.2.

pub mod lenient;
pub mod split;

use memchr::memmem;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

const DEEPEST: usize = 64;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// It is no JSON, another thing than expected, or nested more than 64 deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The text, put right where it is odd; almost always the body itself.
pub fn text(body: &[u8]) -> Cow<'_, str> {
    if let Some(text) = of_wide(body) {
        let text = without_marks(&text).unwrap_or(text);
        return Cow::Owned(if may_hold_half_pairs(text.as_bytes()) { whole_pairs(&text) } else { text });
    }
    let mut body = body;
    while let Some(rest) = body.strip_prefix(BYTE_ORDER_MARK) {
        body = rest;
    }
    let text = simdutf8::basic::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed);
    let text = without_marks(&text).map_or(text, Cow::Owned);
    if may_hold_half_pairs(text.as_bytes()) { Cow::Owned(whole_pairs(&text)) } else { text }
}

/// A body whose byte order mark is the one of UTF-16.
fn of_wide(body: &[u8]) -> Option<String> {
    let of_pair: fn([u8; 2]) -> u16 = match body.get(..2)? {
        [0xFF, 0xFE] => u16::from_le_bytes,
        [0xFE, 0xFF] => u16::from_be_bytes,
        _ => return None,
    };
    let units = body.get(2..)?.chunks_exact(2).filter_map(|pair| Some(of_pair(pair.try_into().ok()?)));
    Some(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// Marks between values, as before the body of an item inside of a batch. In a string it is a character like any other. None: there are none.
fn without_marks(text: &str) -> Option<String> {
    memmem::find(text.as_bytes(), BYTE_ORDER_MARK)?;
    let (mut in_string, mut escaped, mut found) = (false, false, false);
    let kept: String = text
        .chars()
        .filter(|c| {
            let is_mark = !in_string && *c == '\u{FEFF}';
            found |= is_mark;
            in_string ^= *c == '"' && !escaped;
            escaped = in_string && !escaped && *c == '\\';
            !is_mark
        })
        .collect();
    found.then_some(kept)
}

/// What borrows nothing of the body.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    of_text(&text(body))
}

/// What may borrow of a [`text`].
pub fn of_text<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Unreadable> {
    if too_deep(text.as_bytes()) {
        return Err(Unreadable);
    }
    serde_json::from_str(text).map_err(|_| Unreadable)
}

/// Brackets outside of strings, counted without recursion: the parser skips unread parts without a limit of its own. Strings are most of a page, so they
/// are passed over from one quote or backslash to the next.
pub fn too_deep(body: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut rest = body.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => skip_string(&mut rest),
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

/// Behind the quote that ends the string; to the end, where there is none.
fn skip_string(rest: &mut std::slice::Iter<'_, u8>) {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest.as_slice()) {
        let is_end = rest.nth(at) == Some(&b'"');
        if is_end {
            return;
        }
        // What is escaped ends nothing.
        rest.next();
    }
    *rest = [].iter();
}

/// An escape of D800 to DFFF somewhere. Emoji are escaped as whole pairs by some services, so this alone says nothing.
fn may_hold_half_pairs(text: &[u8]) -> bool {
    memmem::find_iter(text, b"\\u").any(|at| matches!(text.get(at + 2..at + 4), Some([b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F'])))
}

fn whole_pairs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let Some(unit) = unit(escape) else {
            // A backslash and what it escapes, or one at the end.
            let length = escape.char_indices().nth(2).map_or(escape.len(), |(at, _)| at);
            let (escape, after) = escape.split_at(length);
            out.push_str(escape);
            rest = after;
            continue;
        };
        let (one, after) = escape.split_at(6);
        let is_pair = (0xD800..0xDC00).contains(&unit) && self::unit(after).is_some_and(|low| (0xDC00..0xE000).contains(&low));
        if is_pair {
            let (two, after) = after.split_at(6);
            out.push_str(one);
            out.push_str(two);
            rest = after;
        } else {
            out.push_str(if (0xD800..0xE000).contains(&unit) { "\u{FFFD}" } else { one });
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// The code unit of an escape `\uXXXX` that the text begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests;
