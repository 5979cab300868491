//! Values as they stand in HTML: in its text, or in the quoted value of an attribute. Elsewhere no way of writing makes a value harmless, and it is refused.
//! Source: WHATWG HTML, 13.2.5 Tokenization; OWASP, Cross Site Scripting Prevention.

use super::escape::{at_marks as at_all_marks, html};
use super::{CLOSE, Filled, OPEN};
use crate::error::{Error, Result};

/// Attributes whose values are addresses.
const ADDRESSES: [&str; 12] = ["href", "src", "action", "formaction", "background", "cite", "poster", "data", "xlink:href", "longdesc", "usemap", "ping"];
/// Attributes whose values are more than text or an address.
const PROGRAMS: [&str; 3] = ["style", "srcdoc", "srcset"];
/// What an address that a value begins may lead to.
const SCHEMES: [&str; 5] = ["http", "https", "mailto", "tel", "cid"];
/// Elements whose content is no text.
const RAW: [&str; 7] = ["script", "style", "xmp", "iframe", "noembed", "noframes", "plaintext"];

/// Where the text stands that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum At {
    Text,
    /// Within `<…`, with what of it was read.
    Tag(String),
    /// Within the quoted value of an attribute: its tag, the quote, its name, its value so far.
    Quoted { tag: String, quote: char, name: String, value: String, has_value: bool },
    Comment(String),
    /// Within an element whose content is no text, with the end of what was read.
    Raw(String, String),
}

/// Errors: InvalidInput, for a value in a place that has no text.
pub fn at_marks(part: &str, marked: &str) -> Result<Filled> {
    let (mut at, mut line) = (At::Text, 1);
    let refused = |why: &str, line: usize| {
        Error::invalid(format!("A field of the {part} stands {why}, in line {line} of what it becomes. Put it into text, or between the quotes of an attribute."))
    };
    let filled = at_all_marks(marked, |literal, value| {
        read(&mut at, literal).map_err(|why| refused(why, line))?;
        line += literal.matches('\n').count();
        let here = line;
        line += value.matches('\n').count();
        match &mut at {
            At::Text => Ok(html(value)),
            At::Quoted { name, value: so_far, has_value, .. } => {
                if name.starts_with("on") || PROGRAMS.contains(&name.as_str()) {
                    return Err(refused("in an attribute that is no text", here));
                }
                *has_value = true;
                so_far.push_str(value);
                Ok(html(value))
            }
            At::Tag(_) => Err(refused("within a tag", here)),
            At::Comment(_) => Err(refused("in a comment", here)),
            At::Raw(..) => Err(refused("in an element whose content is no text", here)),
        }
    })?;
    // What is behind the last value can still close an address.
    let tail = marked.rsplit([OPEN, CLOSE]).next().unwrap_or_default();
    read(&mut at, tail).map_err(|why| refused(why, line))?;
    if matches!(at, At::Quoted { has_value: true, .. }) {
        return Err(refused("in an attribute that is never closed", line));
    }
    Ok(filled)
}

fn read(at: &mut At, literal: &str) -> std::result::Result<(), &'static str> {
    for c in literal.chars() {
        *at = match std::mem::replace(at, At::Text) {
            At::Text if c == '<' => At::Tag(String::new()),
            At::Text => At::Text,
            At::Tag(mut tag) => match c {
                // `<` that begins no tag is text.
                _ if tag.is_empty() && !(c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) => if c == '<' { At::Tag(tag) } else { At::Text },
                '>' => after_tag(&tag),
                _ => match attribute(&tag).filter(|_| matches!(c, '"' | '\'')) {
                    Some(name) => At::Quoted { tag, quote: c, name, value: String::new(), has_value: false },
                    None => {
                        tag.push(c);
                        if tag == "!--" { At::Comment(String::new()) } else { At::Tag(tag) }
                    }
                },
            },
            At::Quoted { tag, quote, name, value, has_value } if c == quote => {
                if has_value && ADDRESSES.contains(&name.as_str()) && !is_harmless(&value) {
                    return Err("at the begin of an address that leads to no web page and no mail address");
                }
                At::Tag(tag + "\"")
            }
            At::Quoted { tag, quote, name, mut value, has_value } => {
                value.push(c);
                At::Quoted { tag, quote, name, value, has_value }
            }
            At::Comment(mut end) => {
                end.push(c);
                if c == '>' && (end.ends_with("-->") || end == ">" || end == "->" || end.ends_with("--!>")) { At::Text } else { At::Comment(last(end, 4)) }
            }
            At::Raw(name, mut end) => {
                end.push(c.to_ascii_lowercase());
                let close = format!("</{name}");
                if c == '>' && end.trim_end_matches('>').trim_end().ends_with(&close) { At::Text } else { At::Raw(name, last(end, 64)) }
            }
        };
    }
    Ok(())
}

/// The attribute whose value follows what was read of a tag.
fn attribute(tag: &str) -> Option<String> {
    let name = tag.trim_end().strip_suffix('=')?.trim_end();
    let name = name.rsplit(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'')).next()?;
    // Within a value without quotes, `=` and quotes are text.
    (!name.is_empty() && !name.contains('=')).then(|| name.to_ascii_lowercase())
}

fn after_tag(tag: &str) -> At {
    let name: String = tag.chars().take_while(|c| !c.is_whitespace() && *c != '/').collect::<String>().to_ascii_lowercase();
    if RAW.contains(&name.as_str()) { At::Raw(name, String::new()) } else { At::Text }
}

/// Its last characters; what is longer is cut now and then, not each time.
fn last(text: String, most: usize) -> String {
    if text.len() <= 8 * most {
        return text;
    }
    text.chars().rev().take(most).collect::<Vec<_>>().into_iter().rev().collect()
}

/// It leads to a web page or mail address, or is one within a page. Source: WHATWG URL, basic URL parser.
fn is_harmless(address: &str) -> bool {
    let address: String = address.replace("&amp;", "&").chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    let address = address.trim_start_matches(|c: char| c <= ' ');
    match address.find([':', '/', '?', '#', '&']) {
        Some(at) if address.get(at..=at) == Some(":") => address.get(..at).is_some_and(|scheme| SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())),
        // What may be a colon once it is read.
        Some(at) => address.get(at..=at) != Some("&"),
        None => true,
    }
}
