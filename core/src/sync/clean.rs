//! Mail is written by strangers: what is shown as HTML passes an allow-list, and everything is bounded.

use super::html_limits::within_html_limits;
use crate::markup::escaped;
use crate::model::BodyType;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Characters in a line of text made from HTML, as mail has it (RFC 3676).
const WIDTH: usize = 78;

/// Plain text of a body.
pub fn text(body_type: BodyType, content: &str) -> String {
    match body_type {
        BodyType::Text | BodyType::Markdown => content.to_owned(),
        BodyType::Html if !within_html_limits(content) => stripped(content),
        BodyType::Html => laid_out(content).unwrap_or_else(|| stripped(content)),
    }
}

/// Text with paragraphs, lists and tables. None: this HTML was too much for the parser. Strangers wrote it, so even a crash of the parser
/// must not take the body away.
fn laid_out(content: &str) -> Option<String> {
    let parse = || html2text::config::with_decorator(html2text::render::TrivialDecorator::new()).raw_mode(true).string_from_read(content.as_bytes(), WIDTH).ok();
    std::panic::catch_unwind(parse).ok().flatten()
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

/// What becomes of pictures that a mail carries itself.
#[derive(Clone)]
pub enum Pictures {
    /// They stay named, as `cid:`.
    Named,
    /// These take their place, by their ids in small letters; the others are left out.
    Given(Arc<HashMap<String, String>>),
    None,
}

impl Pictures {
    /// The address of a picture with this one.
    fn address<'v>(&self, value: &'v str) -> Option<Cow<'v, str>> {
        // A remote picture tells its sender that and where the mail was read.
        let (_, id) = value.trim_start().split_at_checked(4).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("cid:"))?;
        match self {
            Self::Named => Some(value.into()),
            Self::Given(images) => images.get(&id_of(id)).map(|data| data.clone().into()),
            Self::None => None,
        }
    }
}

/// The id of a part as the address of a picture names it. Source: RFC 2392, section 2.
fn id_of(address: &str) -> String {
    percent_encoding::percent_decode_str(address.trim()).decode_utf8_lossy().to_lowercase()
}

/// HTML that is safe to show: known elements only, no scripts, styles, forms, SVG or MathML, nothing loaded from elsewhere; links open apart.
pub fn html(body_type: BodyType, content: &str, pictures: &Pictures) -> String {
    let pictures = pictures.clone();
    match body_type {
        BodyType::Text | BodyType::Markdown => format!("<pre>{}</pre>", escaped(content)),
        BodyType::Html if !within_html_limits(content) => format!("<pre>{}</pre>", escaped(&stripped(content))),
        BodyType::Html => ammonia::Builder::default()
            .url_schemes(["http", "https", "mailto", "cid"].into())
            .attribute_filter(move |element, attribute, value| match (element, attribute) {
                // After the schemes were looked at: a picture of ours is not another's `data:`.
                ("img", "src") => pictures.address(value),
                ("a", "href") if value.trim_start().to_ascii_lowercase().starts_with("cid:") => None,
                _ => Some(value.into()),
            })
            .link_rel(Some("noopener noreferrer nofollow"))
            .clean(content)
            .to_string(),
    }
}
