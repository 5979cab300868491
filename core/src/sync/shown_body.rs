//! What is made of a body for whoever shows it: text, safe HTML, pictures of the mail in their place, and the parts of it.

use super::clean::{self, Pictures};
use super::{split_html, split_text};
use crate::model::{BodyForm, BodyOptions, BodyType, InlineImages, MessageBody};
use std::collections::HashMap;
use std::sync::Arc;

/// Pictures of a mail as `data:` addresses, by the id that its HTML names them by, in small letters.
pub type Images = HashMap<String, String>;

/// Costs time where the body is long.
pub fn shown(body_type: BodyType, content: String, form: Option<BodyForm>, options: BodyOptions, images: &Arc<Images>) -> MessageBody {
    let wants = |one: BodyForm| form.is_none_or(|form| form == one);
    let pictures = match options.inline_images {
        InlineImages::Keep => Pictures::Named,
        InlineImages::Data => Pictures::Given(images.clone()),
        InlineImages::LeaveOut => Pictures::None,
    };
    let whole = split_text::Parts { own: content.as_str(), ..Default::default() };
    let parts = match body_type {
        _ if !options.split => whole,
        BodyType::Html => split_html::split(&content),
        BodyType::Text | BodyType::Markdown => split_text::split(&content),
    };
    let mut body = MessageBody { body_type, content: String::new(), text: String::new(), html: String::new(), ..MessageBody::default() };
    let made = |part: &str, make: &dyn Fn(&str) -> String| if part.is_empty() { String::new() } else { make(part) };
    if wants(BodyForm::Text) {
        let text = |part: &str| made(part, &|part| clean::text(body_type, part));
        body.text = clean::text(body_type, parts.own);
        (body.signature_text, body.quoted_text) = (text(parts.signature), text(parts.quoted));
        if options.split && body_type == BodyType::Html {
            split_further(&mut body);
        }
    }
    if wants(BodyForm::Html) {
        let html = |part: &str| made(part, &|part| clean::html(body_type, part, &pictures));
        body.html = clean::html(body_type, parts.own, &pictures);
        (body.signature_html, body.quoted_html) = (html(parts.signature), html(parts.quoted));
    }
    body.content = content;
    body
}

/// What HTML does not mark, its text may show: the line that introduces a quotation, a signature behind two dashes.
fn split_further(body: &mut MessageBody) {
    let whole = std::mem::take(&mut body.text);
    let split_text::Parts { own, signature, quoted } = split_text::split(&whole);
    body.text = own.to_owned();
    body.signature_text.insert_str(0, signature);
    body.quoted_text.insert_str(0, quoted);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = "<p>Yes</p><img src=\"cid:Logo%40x\"><img src=cid:other><div class=gmail_signature>Adele</div><div>On 1 Jan 2026 Alex wrote:</div><div class=gmail_quote><p>Old</p></div>";

    #[test]
    fn parts_are_made_of_the_form_that_is_asked_for() {
        let options = BodyOptions { split: true, ..BodyOptions::default() };
        let body = shown(BodyType::Html, HTML.to_owned(), None, options, &Arc::default());
        assert_eq!(body.quoted_html, "<div><p>Old</p></div>");
        assert!(body.quoted_text.starts_with("On 1 Jan 2026 Alex wrote:") && body.quoted_text.trim().ends_with("Old"), "the text takes the line along that introduces it: {}", body.quoted_text);
        assert!(body.html.contains("<p>Yes</p>") && !body.html.contains("Old") && body.text.starts_with("Yes") && body.content == HTML);
        let body = shown(BodyType::Html, HTML.to_owned(), Some(BodyForm::Text), options, &Arc::default());
        assert!(body.html.is_empty() && body.quoted_html.is_empty() && body.quoted_text.trim().ends_with("Old"));
        let body = shown(BodyType::Text, "Yes\n-- \nAdele\n> Old\n".to_owned(), None, options, &Arc::default());
        assert_eq!((body.text.as_str(), body.signature_text.as_str(), body.quoted_text.as_str()), ("Yes\n", "-- \nAdele\n", "> Old\n"));
        assert_eq!((body.html.as_str(), body.quoted_html.as_str()), ("<pre>Yes\n</pre>", "<pre>&gt; Old\n</pre>"));
        let body = shown(BodyType::Html, HTML.to_owned(), None, BodyOptions::default(), &Arc::default());
        assert!(body.html.contains("Old") && body.html.contains("cid:") && body.quoted_html.is_empty() && body.quoted_text.is_empty());
    }

    #[test]
    fn pictures_take_their_place_and_nothing_else_does() {
        let images = Arc::new(Images::from([("logo@x".to_owned(), "data:image/png;base64,AAAA".to_owned())]));
        let options = BodyOptions { inline_images: InlineImages::Data, ..BodyOptions::default() };
        let html = format!("{HTML}<img src=\"data:image/svg+xml,x\"><a href=\"data:text/html,x\">a</a><a href=\"cid:logo@x\">b</a><img src=\"https://spy.example/x.gif\">");
        let body = shown(BodyType::Html, html.clone(), Some(BodyForm::Html), options, &images);
        assert_eq!(body.html.matches("data:").count(), 1, "{}", body.html);
        assert!(body.html.contains("<img src=\"data:image/png;base64,AAAA\">") && !body.html.contains("cid:") && !body.html.contains("spy"));
        let options = BodyOptions { inline_images: InlineImages::LeaveOut, ..BodyOptions::default() };
        let body = shown(BodyType::Html, html, Some(BodyForm::Html), options, &images);
        assert!(!body.html.contains("src=") && !body.html.contains("cid:"));
    }
}
