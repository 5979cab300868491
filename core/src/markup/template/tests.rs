#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::markup::{markdown, pieces};
use crate::model::BodyType::{Html, Markdown, Text};

pub fn fields(given: &[(&str, &str)]) -> Result<Fields> {
    Fields::new(&given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

const GIVEN: [(&str, &str); 4] = [("candidate.first_name", "Ada"), ("candidate.last_name", "O'Neil & <Sons>"), ("job", "Engineer"), ("empty", "")];

fn filled(template: &str, kind: BodyType) -> String {
    fill("body", template, kind, &fields(&GIVEN).unwrap()).unwrap_or_else(|e| panic!("{template}: {}", e.reason())).text
}

fn refused(template: &str, kind: BodyType) -> String {
    let error = fill("body", template, kind, &fields(&GIVEN).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{template}");
    error.reason().to_owned()
}

#[test]
fn fields_filters_and_conditions_are_filled() {
    for (template, text) in [
        ("", ""),
        ("No field.\n", "No field.\n"),
        ("Dear {{ candidate.first_name }},\n{{job}} and {{ job }}", "Dear Ada,\nEngineer and Engineer"),
        ("{{ job|upper }} {{ job | lower }} {{ 'a b'|title }} {{ '  x '|trim }} {{ job|escape }} {{ job|e }}", "ENGINEER engineer A B x Engineer Engineer"),
        ("{{ salary|default('open') }} {{ a.b.c|default('-')|upper }} {{ candidate.title|default(job) }}", "open - Engineer"),
        ("{% if job == 'Engineer' %}yes{% else %}no{% endif %}", "yes"),
        ("{% if salary is defined %}{{ salary }}{% elif job is defined %}{{ job }}{% endif %}", "Engineer"),
        ("{% if empty or not job %}a{% else %}b{% endif %}{% if salary is not defined and (job != 'x') %}c{% endif %}", "bc"),
        ("{{ 'x' if job == 'Engineer' else 'y' }}", "x"),
        ("a {# a comment {{ nobody }} #}b", "a b"),
        ("{% raw %}{{ job }}{% endraw %}", "{{ job }}"),
        ("a\n  {%- if job %} b {% endif -%}  c", "a b c"),
        ("{{ candidate.last_name }}", "O'Neil & <Sons>"),
        ("{ {job} } }} %} {", "{ {job} } }} %} {"),
    ] {
        assert_eq!(filled(template, Text), text, "{template}");
    }
}

#[test]
fn a_value_is_text_where_it_stands_in_html() {
    for (template, html) in [
        ("<p>{{ candidate.last_name }}</p>", "<p>O&#39;Neil &amp; &lt;Sons&gt;</p>"),
        ("<a title=\"{{ candidate.last_name }}\">x</a>", "<a title=\"O&#39;Neil &amp; &lt;Sons&gt;\">x</a>"),
        ("<img alt = '{{ candidate.last_name }}'>", "<img alt = 'O&#39;Neil &amp; &lt;Sons&gt;'>"),
        ("{{ '<b>' }}{{ candidate.last_name|escape|upper }}", "&lt;b&gt;O&#39;NEIL &amp; &lt;SONS&gt;"),
        ("<a href=\"https://contoso.com/?q={{ job }}&amp;x=1\">{{ job }}</a>", "<a href=\"https://contoso.com/?q=Engineer&amp;x=1\">Engineer</a>"),
        ("1 < 2 {{ job }} <3 {{ job }}", "1 < 2 Engineer <3 Engineer"),
        ("<!-- a > b --> {{ job }}<style>p{}</style>{{ job }}<title>{{ job }}</title>", "<!-- a > b --> Engineer<style>p{}</style>Engineer<title>Engineer</title>"),
    ] {
        assert_eq!(filled(template, Html), html, "{template}");
    }
}

#[test]
fn an_address_that_a_value_begins_leads_to_a_web_page_or_mail_address() {
    let link = |value: &str, template: &str| fill("body", template, Html, &fields(&[("url", value), ("b", "script:x")]).unwrap());
    for good in ["https://contoso.com/?a=1&b=2", "HTTP://contoso.com", "mailto:a@b.c", "tel:+1", "page?x=a:b", "/a:b", "#x", ""] {
        assert!(link(good, "<a href=\"{{ url }}\">x</a>").is_ok(), "{good}");
    }
    for bad in ["javascript:alert(1)", " JavaScript:x", "java\nscript:x", "\u{1}javascript:x", "data:text/html,x", "vbscript:x", "file:///etc", "x:y"] {
        let error = link(bad, "<p>\n<a href='{{ url }}'>x</a>").unwrap_err();
        assert!(error.reason().contains("address") && error.reason().contains("line") && !error.reason().contains(bad), "{bad:?}: {}", error.reason());
    }
    assert!(link("java", "<a href=\"{{ url }}{{ b }}\">x</a>").is_err(), "put together of two");
    assert!(link("java", "<a href=\"{{ url }}script:x\">x</a>").is_err());
}

#[test]
fn a_value_where_html_has_no_text_is_refused() {
    for template in [
        "<{{ job }}>",
        "<a {{ job }}>",
        "<a title={{ job }}>",
        "<a title=x{{ job }}>",
        "<a title=a=\"{{ job }}\">",
        "<a onclick=\"{{ job }}\">",
        "<p STYLE='{{ job }}'>",
        "<img srcset=\"{{ job }}\">",
        "<script>{{ job }}</script>",
        "<SCRIPT src=x>a</b>{{ job }}",
        "<style>{{ job }}</style>",
        "<!-- {{ job }} -->",
        "<a title=\"{{ job }}",
        "</p {{ job }}>",
        "<!doctype {{ job }}>",
    ] {
        assert!(refused(template, Html).contains("in line 1"), "{template}");
    }
    assert!(refused("<p>\n\n<a {{ job }}>", Html).contains("line 3"));
}

#[test]
fn a_value_is_text_in_markdown() {
    let shown = |template: &str, value: &str| markdown(&fill("body", template, Markdown, &fields(&[("x", value)]).unwrap()).unwrap().text);
    for (value, html) in [
        ("Ada Müller-Lüdenscheidt, 3.5", "Ada Müller-Lüdenscheidt, 3.5"),
        ("**b** _i_ ~~s~~ `c`", "**b** _i_ ~~s~~ `c`"),
        ("# no heading", "# no heading"),
        ("- no list", "- no list"),
        ("1. no list", "1. no list"),
        ("> no quote", "&gt; no quote"),
        ("[x](https://evil.example)", "[x](https://evil.example)"),
        ("![x](https://evil.example)", "![x](https://evil.example)"),
        ("<https://evil.example>", "&lt;https://evil.example&gt;"),
        ("<b>&amp;</b>", "&lt;b&gt;&amp;amp;&lt;/b&gt;"),
        ("    no code", "    no code"),
        ("back\\slash\\", "back\\slash\\"),
    ] {
        assert_eq!(shown("{{ x }}", value), format!("<p>{html}</p>\n"), "{value}");
    }
    assert_eq!(shown("{{ x }}", "one\r\n\r\n# two\n=="), "<p>one<br>\n# two<br>\n==</p>\n", "lines stay lines");
    assert_eq!(shown("**{{ x }}**", "a**b"), "<p><strong>a**b</strong></p>\n");
    assert_eq!(shown("[t]({{ x }})", "https://contoso.com/a_b"), "<p><a href=\"https://contoso.com/a_b\">t</a></p>\n");
    assert_eq!(shown("[t]({{ x }})", "javascript:x"), "<p><a>t</a></p>\n");
    assert!(!shown("`{{ x }}`", "` [x](https://evil.example) `").contains("<a"));
    assert!(!shown("<https://contoso.com/{{ x }}>", "> [x](https://evil.example)").contains("evil.example\">x"));
    assert_eq!(shown("|a|\n|-|\n|{{ x }}|", "1|2").matches("<td>").count(), 1);
}

#[test]
fn what_a_value_completes_is_seen() {
    let made = |template: &str, kind, name: &str, value: &str| fill("body", template, kind, &fields(&[("x", value)]).unwrap()).unwrap().is_made_by_value(name);
    assert!(made("Hi {{ x }}", Text, "@alex", "@alex"));
    assert!(made("Hi @a{{ x }}x", Text, "@alex", "le"));
    assert!(made("{{ x }}", Html, "amp", "&"));
    assert!(!made("Hi @alex {{ x }}@alex", Text, "@alex", "Ada"));
    assert!(!made("@alex{{ x }}", Text, "@alex", ""));
    // Where the value cannot be written otherwise, as in Markdown.
    assert!(!made("@alex {{ x }}", Markdown, "@alex", "@alex"));
    let filled = fill("body", "@alex {{ x }}", Markdown, &fields(&[("x", "@alex")]).unwrap()).unwrap();
    assert_eq!(pieces(&filled.text, Markdown, &["@alex"]).unwrap().len(), 3);
}

#[test]
fn a_missing_value_names_its_field_and_line() {
    for (template, name, line) in [
        ("Dear {{ candidate.middle_name }}", "candidate.middle_name", 1),
        ("a\nb\n{{ job }} {{ salary|upper }}", "salary", 3),
        ("{% if salary %}x{% endif %}", "salary", 1),
        ("{% if false %}\n{{ salary }}{% endif %}", "salary", 2),
        ("{{ job.title }}", "job.title", 1),
        ("{{ nobody.at.all }}", "nobody.at.all", 1),
        ("{{ job|default(salary) }}", "salary", 1),
    ] {
        let reason = refused(template, Text);
        assert!(reason.contains(&format!("the field {name} in line {line}")) && reason.contains("body"), "{template}: {reason}");
    }
    assert!(refused("{{ candidate }}", Text).contains("candidate in line 1, of which merge_fields has parts only"));
}

#[test]
fn names_that_no_template_can_use_or_that_contradict_are_refused() {
    let of = |given: &[(&str, &str)]| fields(given).err().map(|e| (e.kind(), e.reason().to_owned()));
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[(" a.b ", "1"), ("_x9", "")]), None);
    for given in [
        &[("", "secret")][..],
        &[("a..b", "secret")],
        &[(".a", "secret")],
        &[("a b", "secret")],
        &[("9a", "secret")],
        &[("ä", "secret")],
        &[("a-b", "secret")],
        &[("a\n", "1"), ("a", "secret")],
        &[("if", "secret")],
        &[("a.true", "secret")],
        &[("a.b", "1"), (" a.b ", "secret")],
        &[("a", "1"), ("a.b", "secret")],
        &[("a.b.c", "1"), ("a.b", "2"), ("a.d", "secret")],
    ] {
        let (kind, reason) = of(given).unwrap_or_else(|| panic!("{given:?}"));
        assert!(kind == ErrorKind::InvalidInput && reason.contains("merge_fields") && !reason.contains("secret"), "{reason}");
    }
    let reason = of(&[("a", "1"), ("a.b", "2")]).unwrap().1;
    assert!(reason.contains("for a and one for a.b"), "{reason}");
    assert_eq!(of(&[("ab", "1"), ("ab_c", "2"), ("a", "3")]), None, "no part of each other");
    let many: Vec<(String, String)> = (0..101).map(|n| (format!("f{n}"), String::new())).collect();
    assert_eq!(Fields::new(&many.iter().cloned().collect()).err().map(|e| e.kind()), Some(ErrorKind::LimitExceeded));
    assert!(Fields::new(&many[1..].iter().cloned().collect()).is_ok());
    assert_eq!(of(&[("a", &"x".repeat(256 * 1024 + 1))]).unwrap().0, ErrorKind::LimitExceeded);
    assert_eq!(of(&[(&"a".repeat(101), "x")]).unwrap().0, ErrorKind::LimitExceeded);
}
