//! Bodies of mail as strangers write them, and what has to hold of the HTML and text made of them.

pub use super::answers::bounce;
use super::{clean, inline};
use crate::model::BodyType;

/// Elements that act, load, or hold text that is read as markup elsewhere.
const NEVER: [&str; 20] = [
    "script", "style", "iframe", "frame", "frameset", "object", "embed", "applet", "form", "input", "button", "textarea", "select", "svg", "math", "base", "link", "meta", "template", "noscript",
];

/// A body of HTML.
pub fn html(bytes: &[u8]) {
    let content = String::from_utf8_lossy(bytes);
    let shown = clean::html(BodyType::Html, &content, &clean::Pictures::Named);
    check(&shown);
    check(&clean::html(BodyType::Text, &content, &clean::Pictures::Named));
    // Cleaned once more there is nothing left to take out.
    check(&clean::html(BodyType::Html, &shown, &clean::Pictures::Named));
    let text = clean::text(BodyType::Html, &content);
    // `<a>` alone becomes an element with attributes, a table becomes lines, and what was not closed is opened anew, within limits.
    let most = 300 * content.len() + (2 << 20);
    assert!(shown.len() <= most && text.len() <= most, "{} bytes became {} of HTML and {} of text", content.len(), shown.len(), text.len());
    assert!(!content.to_ascii_lowercase().contains("\"cid:") || inline::shows_inline_files(&content), "a shown file is not seen");
}

/// A serialised document holds `<` only where a tag begins.
fn check(html: &str) {
    for tag in html.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or((tag, ""));
        let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "markup that is no element: <{tag}>");
        assert!(!NEVER.contains(&name), "<{tag}> is shown");
        for (attribute, value) in attributes(tag) {
            assert!(!attribute.starts_with("on") && attribute != "style", "<{tag}> acts");
            let scheme = scheme(value);
            match attribute {
                "src" => assert!(name == "img" && scheme == "cid", "<{tag}> loads something"),
                // No browser follows `cite`.
                "href" => assert!(["", "http", "https", "mailto"].contains(&scheme.as_str()), "<{tag}> leads to {scheme}"),
                _ => {}
            }
        }
    }
}

/// The scheme of an address as a browser reads it; empty: it has none. Source: WHATWG URL, basic URL parser.
fn scheme(value: &str) -> String {
    let address: String = value.replace("&amp;", "&").chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    let (scheme, _) = address.trim_start_matches(|c| c <= ' ').split_once(':').unwrap_or_default();
    let is_one = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if is_one { scheme.to_ascii_lowercase() } else { String::new() }
}

/// Names and values as the serialiser writes them: ` name="value"`, where a quote stands as `&quot;`.
fn attributes(tag: &str) -> Vec<(&str, &str)> {
    let mut all = Vec::new();
    let mut rest = tag;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').unwrap_or((after, ""));
        all.push((name.rsplit(' ').next().unwrap_or_default(), value));
        rest = after;
    }
    all
}
