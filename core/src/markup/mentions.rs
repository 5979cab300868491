//! A message in pieces: the HTML between its mentions, and the mentions by number.
//!
//! A mention stands in the text as a placeholder that the sender chose. Before the text is rendered, each placeholder becomes a mark of characters that no
//! text has (private use, Unicode 23.5), so that Markdown and cleaning leave it whole; afterwards the text is cut at the marks.

use super::{as_html, markdown, teams};
use crate::error::{Error, Result};
use crate::model::BodyType;

/// Around the number of a mention.
const OPEN: char = '\u{F8F4}';
const CLOSE: char = '\u{F8F5}';

#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Html(String),
    /// The mention whose placeholder has this number.
    Mention(usize),
}

/// The body as HTML for Teams, cut at its mentions. Errors: InvalidInput for a placeholder that is not in the text, or stands where a mention cannot be.
pub fn pieces(body: &str, kind: BodyType, placeholders: &[&str]) -> Result<Vec<Piece>> {
    let (marked, counts) = mark(body, placeholders);
    let html = match kind {
        BodyType::Text => as_html(&marked),
        BodyType::Html => teams::clean(&marked),
        BodyType::Markdown => teams::clean(&markdown(&marked)),
    };
    let pieces = cut(&html);
    for (number, placeholder) in placeholders.iter().enumerate() {
        let wanted = counts.get(number).copied().unwrap_or_default();
        if wanted == 0 {
            return Err(Error::invalid(format!("The placeholder {placeholder:?} of mentions[{number}] is not in the body. Write it where the mention is to stand.")));
        }
        if pieces.iter().filter(|piece| **piece == Piece::Mention(number)).count() != wanted {
            return Err(Error::invalid(format!("The placeholder {placeholder:?} of mentions[{number}] stands inside of a link or an HTML tag. Write it into the text.")));
        }
    }
    Ok(pieces)
}

/// The text with its placeholders as marks, the longest first where several begin, and how often each is there.
fn mark(body: &str, placeholders: &[&str]) -> (String, Vec<usize>) {
    let mut order: Vec<(usize, &str)> = placeholders.iter().copied().enumerate().filter(|(_, text)| !text.is_empty()).collect();
    order.sort_by_key(|(_, text)| std::cmp::Reverse(text.len()));
    let mut out = String::with_capacity(body.len());
    let mut counts = vec![0; placeholders.len()];
    let mut rest = body;
    while let Some(first) = rest.chars().next() {
        let found = order.iter().find_map(|(number, text)| rest.strip_prefix(text).map(|behind| (*number, behind)));
        rest = match found {
            Some((number, behind)) => {
                out.push(OPEN);
                out.push_str(&number.to_string());
                out.push(CLOSE);
                if let Some(count) = counts.get_mut(number) {
                    *count += 1;
                }
                behind
            }
            None => {
                if first != OPEN && first != CLOSE {
                    out.push(first);
                }
                rest.get(first.len_utf8()..).unwrap_or_default()
            }
        };
    }
    (out, counts)
}

/// Cut at the marks in its text; those in tags are taken out.
fn cut(html: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut text, mut mark) = (String::new(), None::<String>);
    let (mut is_tag, mut quote) = (false, None);
    for c in html.chars() {
        match (c, &mut mark) {
            (OPEN, _) => mark = Some(String::new()),
            (CLOSE, Some(digits)) => {
                if let (false, Ok(number)) = (is_tag, digits.parse()) {
                    if !text.is_empty() {
                        pieces.push(Piece::Html(std::mem::take(&mut text)));
                    }
                    pieces.push(Piece::Mention(number));
                }
                mark = None;
            }
            (CLOSE, None) => {}
            (digit, Some(digits)) => digits.push(digit),
            (c, None) => {
                match (c, is_tag, quote) {
                    ('<', false, _) => is_tag = true,
                    ('"' | '\'', true, None) => quote = Some(c),
                    (c, true, Some(end)) if c == end => quote = None,
                    ('>', true, None) => is_tag = false,
                    _ => {}
                }
                text.push(c);
            }
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Html(text));
    }
    pieces
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Piece, pieces};
    use crate::error::ErrorKind;
    use crate::model::BodyType;

    fn html(text: &str) -> Piece {
        Piece::Html(text.into())
    }

    #[test]
    fn a_body_is_cut_at_its_mentions() {
        let cut = |body: &str, kind, names: &[&str]| pieces(body, kind, names).unwrap();
        assert_eq!(cut("Hi @alex,\n1 < 2", BodyType::Text, &["@alex"]), [html("Hi "), Piece::Mention(0), html(",<br>1 &lt; 2")]);
        assert_eq!(cut("**@alex** and @alexander", BodyType::Markdown, &["@alex", "@alexander"]), [
            html("<p><strong>"),
            Piece::Mention(0),
            html("</strong> and "),
            Piece::Mention(1),
            html("</p>\n"),
        ]);
        assert_eq!(cut("<i>{x}{x}</i>", BodyType::Html, &["{x}"]), [html("<i>"), Piece::Mention(0), Piece::Mention(0), html("</i>")]);
        assert_eq!(cut("\u{F8F4}0\u{F8F5} x", BodyType::Text, &["x"]), [html("0 "), Piece::Mention(0)], "nobody can forge a mark");
        assert_eq!(cut("*a* <at>", BodyType::Markdown, &["<at>"]), [html("<p><em>a</em> "), Piece::Mention(0), html("</p>\n")]);
    }

    #[test]
    fn a_mention_that_would_be_lost_is_refused() {
        for (body, kind) in [
            ("Hi", BodyType::Text),
            ("[a](https://contoso.com/@alex)", BodyType::Markdown),
            ("<a href=\"https://contoso.com/@alex\">a</a>", BodyType::Html),
            ("<img src=\"https://contoso.com/a.png\" alt='@alex'>", BodyType::Html),
            ("<script>@alex</script>", BodyType::Html),
            ("<!-- @alex -->", BodyType::Html),
        ] {
            assert_eq!(pieces(body, kind, &["@alex"]).unwrap_err().kind(), ErrorKind::InvalidInput, "{body}");
        }
    }
}
