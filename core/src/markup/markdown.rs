//! Markdown as HTML. Source: CommonMark 0.31, with tables and struck-out text as GitHub has them.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};
use std::collections::HashSet;

/// HTML of a text in Markdown. HTML inside of it is shown as it is written, links lead to web pages and mail addresses alone, and headings have three levels:
/// that much mail programs and Teams show alike.
pub fn markdown(text: &str) -> String {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading { level: shown(level), id: None, classes: Vec::new(), attrs: Vec::new() }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(shown(level))),
        other => other,
    });
    let mut out = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut out, events);
    let schemes: HashSet<&str> = ["http", "https", "mailto", "tel", "cid"].into();
    ammonia::Builder::default().url_schemes(schemes).link_rel(None).clean(&out).to_string()
}

fn shown(level: HeadingLevel) -> HeadingLevel {
    level.min(HeadingLevel::H3)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::markdown;

    #[test]
    fn markdown_becomes_html_and_html_stays_text() {
        for (text, html) in [
            ("Hello **Alex**", "<p>Hello <strong>Alex</strong></p>\n"),
            ("#### Deep", "<h3>Deep</h3>\n"),
            ("* one\n* two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n"),
            ("a <b>b</b> <script>alert(1)</script>", "<p>a &lt;b&gt;b&lt;/b&gt; &lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
            ("[x](javascript:alert(1))", "<p><a>x</a></p>\n"),
            ("[x](https://contoso.com/?a=1&b=2)", "<p><a href=\"https://contoso.com/?a=1&amp;b=2\">x</a></p>\n"),
            ("~~old~~", "<p><del>old</del></p>\n"),
            ("`a < b`", "<p><code>a &lt; b</code></p>\n"),
        ] {
            assert_eq!(markdown(text), html, "{text}");
        }
        assert!(markdown("|a|b|\n|-|-|\n|1|2|").contains("<td>1</td>"));
    }
}
