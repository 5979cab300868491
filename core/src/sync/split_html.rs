//! What the sender of a mail wrote, apart from the mail that is quoted below and from the signature: by the elements with which mail programs mark them in HTML. The markup is
//! cut where such an element begins; what is made of the parts passes the same parser as any other HTML, which closes what is open.

use super::html_limits::within_html_limits;
use super::split_text::Parts;

/// How far what begins with an element reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Everything behind it belongs to it.
    ToTheEnd,
    /// It ends with its element. Text behind that is an answer, and then nothing is split off.
    Element,
}

/// Elements of raw text, in which nothing is a tag.
const RAW: [&str; 4] = ["style", "script", "title", "textarea"];

/// All of it is the sender's own where nothing is marked, or where the markup is too much to be looked at.
pub fn split(html: &str) -> Parts<'_> {
    if !within_html_limits(html) {
        return Parts { own: html, ..Parts::default() };
    }
    let (rest, quoted) = html.split_at_checked(begin_of(html, quotation).unwrap_or(html.len())).unwrap_or((html, ""));
    let (own, signature) = rest.split_at_checked(begin_of(rest, signature).unwrap_or(rest.len())).unwrap_or((rest, ""));
    Parts { own, signature, quoted }
}

struct Tag<'a> {
    at: usize,
    /// Where the text behind it begins.
    end: usize,
    name: String,
    is_end: bool,
    attributes: &'a str,
}

/// The tags of a document.
fn tags(html: &str) -> Vec<Tag<'_>> {
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some(found) = html.get(at..).and_then(|rest| rest.find('<')).map(|found| at + found) {
        let after = html.get(found + 1..).unwrap_or_default();
        if let Some(comment) = after.strip_prefix("!--") {
            at = comment.find("-->").map_or(html.len(), |end| found + 4 + end + 3);
            continue;
        }
        let (is_end, inner) = after.strip_prefix('/').map_or((false, after), |inner| (true, inner));
        let length = inner.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inner.len());
        let name = inner.get(..length).unwrap_or_default().to_ascii_lowercase();
        at = found + 1;
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let attributes = inner.get(length..).unwrap_or_default();
        let attributes = attributes.get(..length_of(attributes)).unwrap_or_default();
        at = found + 1 + usize::from(is_end) + length + attributes.len() + 1;
        if !is_end && RAW.contains(&name.as_str()) {
            at += behind_raw(html.get(at..).unwrap_or_default(), &name);
        }
        all.push(Tag { at: found, end: at.min(html.len()), name, is_end, attributes });
    }
    all
}

/// How long the raw text of an element is.
fn behind_raw(text: &str, name: &str) -> usize {
    let is_end = |(at, _): &(usize, &str)| text.get(at + 2..at + 2 + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
    text.match_indices("</").find(is_end).map_or(text.len(), |(at, _)| at)
}

/// Up to the end of the tag, over quoted values.
fn length_of(attributes: &str) -> usize {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in attributes.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '>' => return at,
            None if matches!(c, '"' | '\'') && before == '=' => quote = Some(c),
            None => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    attributes.len()
}

/// Value of an attribute, in small letters. What stands within another's value is none.
fn value(attributes: &str, name: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return None;
        }
        let (found, after) = cut(rest, rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '/')));
        let Some(given) = after.trim_start().strip_prefix('=') else {
            // A sign where a name should be is passed over.
            rest = if found.is_empty() { cut(rest, rest.char_indices().nth(1).map(|(at, _)| at)).1 } else { after };
            continue;
        };
        let given = given.trim_start();
        let mark = given.chars().next().filter(|mark| matches!(mark, '"' | '\''));
        let (text, behind) = match mark.and_then(|mark| Some((mark, given.strip_prefix(mark)?))) {
            Some((mark, inner)) => inner.split_once(mark).unwrap_or((inner, "")),
            None => cut(given, given.find(char::is_whitespace)),
        };
        if found.eq_ignore_ascii_case(name) {
            return Some(text.to_ascii_lowercase());
        }
        rest = behind;
    }
}

fn cut(text: &str, at: Option<usize>) -> (&str, &str) {
    text.split_at_checked(at.unwrap_or(text.len())).unwrap_or((text, ""))
}

/// Where the first element begins of which `kind` says that it is one, and behind which nothing else follows.
fn begin_of(html: &str, kind: fn(&Tag<'_>) -> Option<Reach>) -> Option<usize> {
    let tags = tags(html);
    for (n, tag) in tags.iter().enumerate() {
        match kind(tag).filter(|_| !tag.is_end) {
            Some(Reach::ToTheEnd) => return Some(tag.at),
            Some(Reach::Element) if !has_text(html, &tags, behind(&tags, n)) => return Some(tag.at),
            // Answers stand between the lines.
            Some(Reach::Element) => return None,
            None => {}
        }
    }
    None
}

/// The tag with which the element ends that begins with this one.
fn behind(tags: &[Tag<'_>], n: usize) -> usize {
    let Some(first) = tags.get(n) else { return tags.len() };
    let mut open = 0_usize;
    for (m, tag) in tags.iter().enumerate().skip(n).filter(|(_, tag)| tag.name == first.name) {
        open = if tag.is_end { open.saturating_sub(1) } else { open + 1 };
        if open == 0 {
            return m;
        }
    }
    tags.len()
}

/// Whether a letter or digit stands behind this tag.
fn has_text(html: &str, tags: &[Tag<'_>], from: usize) -> bool {
    let ends = tags.iter().skip(from + 1).map(|tag| tag.at).chain(std::iter::once(html.len()));
    let texts = tags.iter().skip(from).zip(ends).map(|(tag, end)| html.get(tag.end..end).unwrap_or_default());
    texts.into_iter().any(|text| text.replace("&nbsp;", " ").chars().any(char::is_alphanumeric))
}

fn id_of(tag: &Tag<'_>) -> String {
    // Where Microsoft cleaned it, names begin with x_, as often as it was cleaned.
    value(tag.attributes, "id").unwrap_or_default().trim_start_matches("x_").to_owned()
}

fn has_class(tag: &Tag<'_>, names: &[&str]) -> bool {
    value(tag.attributes, "class").is_some_and(|class| class.split_whitespace().any(|class| names.contains(&class.trim_start_matches("x_"))))
}

fn quotation(tag: &Tag<'_>) -> Option<Reach> {
    if tag.attributes.trim().is_empty() {
        return None;
    }
    let id = id_of(tag);
    let style = || value(tag.attributes, "style").unwrap_or_default().replace(' ', "");
    let is_head = ["divrplyfwdmsg", "appendonsend", "mail-editor-reference-message-container", "olk_src_body_section"].contains(&id.as_str())
        || has_class(tag, &["outlookmessageheader", "moz-forward-container"])
        || (tag.name == "div" && ["border-top:solid#e1e1e11.0pt", "border-top:solid#b5c4df1.0pt"].iter().any(|rule| style().contains(rule)));
    if is_head {
        return Some(Reach::ToTheEnd);
    }
    let is_cite = tag.name == "blockquote" && value(tag.attributes, "type").as_deref() == Some("cite");
    (is_cite || has_class(tag, &["gmail_quote", "gmail_quote_container", "yahoo_quoted", "protonmail_quote", "zmail_extra"])).then_some(Reach::Element)
}

fn signature(tag: &Tag<'_>) -> Option<Reach> {
    let is_one = has_class(tag, &["gmail_signature", "moz-signature", "protonmail_signature_block"]) || ["signature", "ms-outlook-mobile-signature"].contains(&id_of(tag).as_str());
    is_one.then_some(Reach::Element)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(html: &str) -> (&str, &str, &str) {
        let Parts { own, signature, quoted } = split(html);
        assert_eq!(format!("{own}{signature}{quoted}"), html, "the parts are the whole");
        (own, signature, quoted)
    }

    #[test]
    fn quotations_of_every_program_are_split_off() {
        for quoted in [
            "<div class=\"gmail_quote\"><div class=gmail_attr>On 1 Jan Alex wrote:</div><blockquote><div>Old</div></blockquote></div></div></body>",
            "<blockquote type=\"cite\"><blockquote type=cite>Older</blockquote>Old</blockquote><br>&nbsp;</div>",
            "<div id=\"divRplyFwdMsg\"><b>From:</b> Alex</div><div>Old</div><p>Older</p>",
            "<div id='x_x_appendonsend'></div><hr><div id=divRplyFwdMsg>From</div>Old",
            "<div style=\"border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt\"><p><b>Von:</b> Alex</p></div>Old",
            "<DIV CLASS='x yahoo_quoted'>Old</DIV>",
        ] {
            let html = format!("<html><head><style>.gmail_quote {{ }} <div id=divRplyFwdMsg></style></head><body><div><!-- <div class=gmail_quote> --><p title=\"<div id='divRplyFwdMsg'>\">Yes</p>{quoted}");
            let (own, signature, found) = of(&html);
            assert_eq!((own.ends_with("Yes</p>"), signature, found), (true, "", quoted));
        }
    }

    #[test]
    fn answers_between_the_lines_stay_whole() {
        for html in [
            "<blockquote type=cite>At three?</blockquote><p>Yes</p><blockquote type=cite>Where?</blockquote><p>Here</p>",
            "<div class=gmail_quote>Old</div>Below",
            "<p>Nothing is quoted</p><blockquote>A saying</blockquote>",
            "<div class=",
            "",
        ] {
            assert_eq!(of(html), (html, "", ""));
        }
    }

    #[test]
    fn signatures_are_split_off() {
        let html = "<p>Hi</p><div class=\"gmail_signature\" data-smartmail=gmail_signature>Adele</div><br><div class=gmail_quote>Old</div>";
        assert_eq!(of(html), ("<p>Hi</p>", "<div class=\"gmail_signature\" data-smartmail=gmail_signature>Adele</div><br>", "<div class=gmail_quote>Old</div>"));
        assert_eq!(of("<p>Hi</p><div id=Signature><div>A</div></div></body>").1, "<div id=Signature><div>A</div></div></body>");
    }
}
