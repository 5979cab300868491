//! Whether HTML may be handed to the parsers: they take time by the square of depth and of attributes, repeat elements, and strangers know that.
//!
//! One pass over the bytes that follows the tokenizer of the HTML standard where the two could be played off against each other: quotes begin a value
//! only behind `=`, comments and raw text hold no tags.

use super::html_open::OpenElements;

/// HTML larger than this is shown as text only.
const LARGEST: usize = 8 * 1024 * 1024;
const MOST_ATTRIBUTES: u32 = 400;
const MOST_TAGS: u32 = 250_000;

/// Elements whose content is text up to their own end.
const RAW: [&str; 8] = ["style", "script", "textarea", "title", "xmp", "iframe", "noembed", "noframes"];

pub fn within_html_limits(html: &str) -> bool {
    if html.len() > LARGEST {
        return false;
    }
    let (mut open, mut tags) = (OpenElements::of(html.len()), 0_u32);
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        rest = after;
        if let Some(comment) = after.strip_prefix("!--") {
            rest = behind_comment(comment);
            continue;
        }
        let (is_end, tag) = after.strip_prefix('/').map_or((false, after), |tag| (true, tag));
        let name = tag.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        tags += 1;
        let Some(behind) = behind_tag(tag) else { return false };
        rest = behind;
        if is_end {
            open.end(name);
        } else if is_one_of(&RAW, name) {
            rest = behind_raw(rest, name);
        } else {
            open.start(name, tag.get(..tag.len() - behind.len()).unwrap_or_default());
        }
        if open.is_too_much() || tags > MOST_TAGS {
            return false;
        }
    }
    true
}

pub(super) fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

fn behind_comment(comment: &str) -> &str {
    // `<!-->` and `<!--->` are whole comments.
    if let Some(rest) = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->")) {
        return rest;
    }
    let ends = ["-->", "--!>"].map(|end| comment.find(end).map(|at| (at, at + end.len())));
    ends.into_iter().flatten().min().and_then(|(_, end)| comment.get(end..)).unwrap_or_default()
}

/// The rest behind a tag's `>`; None: it has more attributes than any honest one.
fn behind_tag(tag: &str) -> Option<&str> {
    let (mut attributes, mut quote, mut before) = (0_u32, None, b' ');
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => continue,
            (None, b'>') => return tag.get(at + 1..),
            (None, b'"' | b'\'') if before == b'=' => quote = Some(byte),
            (None, b' ' | b'\n' | b'\t' | b'\r' | b'\x0c' | b'/' | b'=') => attributes += 1,
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
        if attributes > 4 * MOST_ATTRIBUTES {
            return None;
        }
    }
    Some("")
}

fn behind_raw<'a>(content: &'a str, name: &str) -> &'a str {
    let mut from = 0;
    while let Some(at) = content.get(from..).and_then(|rest| rest.find("</")) {
        let end = from + at + 2;
        if content.get(end..end + name.len()).is_some_and(|here| here.eq_ignore_ascii_case(name)) {
            return content.get(from + at..).unwrap_or_default();
        }
        from = end;
    }
    ""
}
