//! Mail is written by strangers: what is shown as HTML passes an allow-list, and everything is bounded.

use crate::model::BodyType;

/// HTML larger than this is shown as text only.
const LARGEST_HTML: usize = 8 * 1024 * 1024;

/// Characters in a line of text made from HTML, as mail has it (RFC 3676).
const WIDTH: usize = 78;

/// Plain text of a body.
pub fn text(body_type: BodyType, content: &str) -> String {
    match body_type {
        BodyType::Text => content.to_owned(),
        BodyType::Html if !is_tame(content) => stripped(content),
        BodyType::Html => laid_out(content).unwrap_or_else(|| stripped(content)),
    }
}

/// Text with paragraphs, lists and tables. None: this HTML was too much for the parser. Strangers wrote it, so even a crash of the parser
/// must not take the body away.
fn laid_out(content: &str) -> Option<String> {
    let parse = || html2text::config::with_decorator(html2text::render::TrivialDecorator::new()).raw_mode(true).string_from_read(content.as_bytes(), WIDTH).ok();
    std::panic::catch_unwind(parse).ok().flatten()
}

/// Whether the parsers get through it in reasonable time: they take time by the square of depth and of attributes, and strangers know that.
fn is_tame(content: &str) -> bool {
    const DEEPEST: i64 = 1_000;
    /// Elements without an end, or whose end the parser adds itself: they do not nest.
    const FLAT: [&str; 20] = ["br", "img", "hr", "meta", "link", "input", "col", "area", "base", "wbr", "p", "li", "td", "tr", "th", "dt", "dd", "option", "tbody", "thead"];
    const MOST_ATTRIBUTES: u32 = 400;
    if content.len() > LARGEST_HTML {
        return false;
    }
    let (mut depth, mut attributes, mut quote, mut in_tag) = (0_i64, 0_u32, None, false);
    for (at, byte) in content.bytes().enumerate() {
        match (in_tag, quote, byte) {
            (false, _, b'<') => {
                let tag = content.get(at + 1..).unwrap_or_default();
                let (step, tag) = tag.strip_prefix('/').map_or((1, tag), |tag| (-1, tag));
                let name = tag.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
                if !name.is_empty() {
                    (in_tag, attributes) = (true, 0);
                    if !FLAT.iter().any(|flat| flat.eq_ignore_ascii_case(name)) {
                        depth = (depth + step).max(0);
                    }
                }
            }
            (true, None, b'>') => in_tag = false,
            (true, None, b'"' | b'\'') => quote = Some(byte),
            (true, Some(open), _) if open == byte => quote = None,
            (true, None, b'=' | b' ' | b'\n' | b'\t' | b'/') => attributes += 1,
            _ => {}
        }
        if attributes > 2 * MOST_ATTRIBUTES || depth > DEEPEST {
            return false;
        }
    }
    true
}

/// The text alone, in one pass over the bytes and without a parser.
fn stripped(content: &str) -> String {
    let mut text = String::with_capacity(content.len() / 2);
    let mut rest = content;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        let Some((_, after)) = tag.split_once('>') else { return text };
        text.push(' ');
        rest = after;
    }
    text.push_str(rest);
    text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// HTML that is safe to show: known elements only, no scripts, styles, forms, SVG or MathML, nothing loaded from elsewhere; links open apart.
pub fn html(body_type: BodyType, content: &str) -> String {
    match body_type {
        BodyType::Text => format!("<pre>{}</pre>", escaped(content)),
        BodyType::Html if !is_tame(content) => format!("<pre>{}</pre>", escaped(&stripped(content))),
        BodyType::Html => ammonia::Builder::default()
            .url_schemes(["http", "https", "mailto", "cid"].into())
            .attribute_filter(|element, attribute, value| match (element, attribute) {
                // A remote picture tells its sender that and where the mail was read.
                ("img", "src") if !value.trim_start().to_ascii_lowercase().starts_with("cid:") => None,
                ("a", "href") if value.trim_start().to_ascii_lowercase().starts_with("cid:") => None,
                _ => Some(value.into()),
            })
            .link_rel(Some("noopener noreferrer nofollow"))
            .clean(content)
            .to_string(),
    }
}
