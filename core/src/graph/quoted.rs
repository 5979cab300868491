//! What the sender says, above the message that Microsoft quotes.

use super::wire::ItemBody;
use crate::markup::{as_html, markdown};
use crate::model::BodyType;

/// As HTML, unless both are text.
pub fn above(body_type: BodyType, body: &str, quoted: Option<&ItemBody>) -> ItemBody {
    let quote = quoted.and_then(|quoted| quoted.content.as_deref()).unwrap_or_default();
    let is_html = quoted.and_then(|quoted| quoted.content_type.as_deref()).is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
    if !is_html && body_type == BodyType::Text {
        let between = if quote.is_empty() { "" } else { "\n\n" };
        return ItemBody::new(BodyType::Text, &format!("{body}{between}{quote}"));
    }
    let said = match body_type {
        BodyType::Text => as_html(body),
        BodyType::Html => within_body(body).to_owned(),
        BodyType::Markdown => markdown(body),
    };
    let quote = if is_html { quote.to_owned() } else { as_html(quote) };
    let at = body_start(&quote).unwrap_or(0);
    let (head, rest) = quote.split_at_checked(at).unwrap_or(("", &quote));
    ItemBody::new(BodyType::Html, &format!("{head}<div>{said}</div><br>{rest}"))
}

/// What a whole document shows; a piece of one is as it is.
fn within_body(html: &str) -> &str {
    let Some(start) = body_start(html) else { return html };
    let rest = html.get(start..).unwrap_or_default();
    let end = find_last(rest, "</body").unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest)
}

/// Where the content begins, after the tag that opens the body.
fn body_start(html: &str) -> Option<usize> {
    let bytes = html.as_bytes();
    let at = bytes.windows(5).enumerate().find(|(at, five)| {
        let ends = bytes.get(at + 5).is_none_or(|next| next.is_ascii_whitespace() || matches!(next, b'>' | b'/'));
        ends && five.eq_ignore_ascii_case(b"<body")
    });
    let (at, _) = at?;
    let mut quote = None;
    for (offset, byte) in bytes.iter().enumerate().skip(at + 5) {
        match (quote, byte) {
            (None, b'>') => return Some(offset + 1),
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

fn find_last(html: &str, tag: &str) -> Option<usize> {
    html.as_bytes().windows(tag.len()).rposition(|window| window.eq_ignore_ascii_case(tag.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn put(body_type: BodyType, body: &str, quoted: Option<(BodyType, &str)>) -> (String, String) {
        let quoted = quoted.map(|(kind, content)| ItemBody::new(kind, content));
        let made = above(body_type, body, quoted.as_ref());
        (made.content_type.unwrap(), made.content.unwrap())
    }

    #[test]
    fn it_stands_above_the_quote_within_its_document() {
        use BodyType::{Html, Text};
        let quote = "<html><head><style>body { }</style></head><BODY class=\"a>b\"><hr>old</BODY></html>";
        for (body_type, body, quoted, made) in [
            (Html, "<p>new</p>", Some((Html, quote)), "<html><head><style>body { }</style></head><BODY class=\"a>b\"><div><p>new</p></div><br><hr>old</BODY></html>"),
            (Html, "<html><body><p>new</p></body></html>", Some((Html, "<hr>old")), "<div><p>new</p></div><br><hr>old"),
            (Text, "a < b\n  c", Some((Html, "<hr>old")), "<div>a &lt; b<br>&nbsp;&nbsp;c</div><br><hr>old"),
            (Html, "<p>new</p>", Some((Text, "a\n<b>")), "<div><p>new</p></div><br>a<br>&lt;b&gt;"),
            (Html, "<p>new</p>", None, "<div><p>new</p></div><br>"),
            (Html, "<body broken", Some((Html, "<body broken")), "<div><body broken</div><br><body broken"),
            (Html, "é<bodyé>", Some((Html, "ü<tbody>ü")), "<div>é<bodyé></div><br>ü<tbody>ü"),
        ] {
            assert_eq!(put(body_type, body, quoted), ("html".to_owned(), made.to_owned()));
        }
        assert_eq!(put(Text, "new", Some((Text, "> old"))), ("text".to_owned(), "new\n\n> old".to_owned()));
        assert_eq!(put(Text, "new", None), ("text".to_owned(), "new".to_owned()));
    }
}
