//! The HTML that Teams shows in a message. Source: Graph, chatMessage, and "Format your messages" of Teams.

use std::collections::{HashMap, HashSet};

/// Elements that stay; of any other the text stays, and of scripts and styles nothing.
const ELEMENTS: [&str; 39] = [
    "a", "b", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "hr", "i", "img", "ins", "li", "ol", "p", "pre", "s", "span", "strike", "strong", "sub", "sup", "table",
    "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul", "dl", "dt", "dd", "caption", "col",
];

/// HTML without what Teams does not show. Mentions, attachments and cards in it are not taken: they are said beside the text, so that they lead somewhere.
pub fn clean(html: &str) -> String {
    let attributes: HashMap<&str, HashSet<&str>> = [
        ("a", ["href", "title"].into()),
        ("img", ["src", "alt", "width", "height"].into()),
        ("td", ["colspan", "rowspan"].into()),
        ("th", ["colspan", "rowspan"].into()),
        ("ol", ["start"].into()),
    ]
    .into();
    ammonia::Builder::default()
        .tags(ELEMENTS.into())
        .tag_attributes(attributes)
        .generic_attributes(HashSet::new())
        .url_schemes(["http", "https", "mailto", "tel", "cid"].into())
        // A picture that comes with the message; nothing else leads there.
        .attribute_filter(|element, _, value| {
            let is_picture = value.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("cid:"));
            (element == "img" || !is_picture).then(|| value.into())
        })
        .link_rel(None)
        .clean(html)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_teams_does_not_show_is_left_out() {
        for (html, cleaned) in [
            ("<p onclick=\"x()\">Hi <b>you</b></p>", "<p>Hi <b>you</b></p>"),
            ("<script>alert(1)</script><style>p{}</style>Hi", "Hi"),
            ("<at id=\"0\">Alex</at> <attachment id=\"1\"></attachment>", "Alex "),
            ("<a href=\"javascript:x()\">a</a><a href=\"https://contoso.com\">b</a>", "<a>a</a><a href=\"https://contoso.com\">b</a>"),
            ("<h5>Deep</h5><marquee>fast</marquee>", "Deepfast"),
            ("<iframe src=\"https://evil.example\"></iframe>x", "x"),
            ("<img src=\"cid:logo\"><a href=\"cid:logo\">x</a>", "<img src=\"cid:logo\"><a>x</a>"),
            ("<img src=\"data:image/png;base64,AAAA\"><p style=\"color:red\">red</p>", "<img><p>red</p>"),
        ] {
            assert_eq!(clean(html), cleaned, "{html}");
        }
    }
}
