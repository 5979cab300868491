#![allow(clippy::unwrap_used, clippy::panic)]

use super::tests::fields;
use super::*;
use crate::model::BodyType::{Html, Markdown, Text};
use proptest::prelude::*;

const VALUE: &str = "value-of-a-field";

/// Never more than refused: no panic, no end of the stack, no memory beyond the limits, and no value in the error.
fn refused(template: &str) -> Error {
    let given = fields(&[("a", VALUE), ("b.c", VALUE)]).unwrap();
    let error = fill("body", template, Text, &given).err().unwrap_or_else(|| panic!("{}", template.chars().take(80).collect::<String>()));
    assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::LimitExceeded));
    assert!(error.reason().contains("body") && !error.reason().contains(VALUE) && error.reason().len() < 500, "{}", error.reason());
    error
}

#[test]
fn what_a_template_may_not_say_is_refused_with_its_line() {
    for template in [
        "{% for x in a %}{{ x }}{% endfor %}",
        "{% for x in range(1000000000) %}x{% endfor %}",
        "{% set x = a %}{{ x }}",
        "{% set x %}{% endset %}",
        "{% with x = a %}{{ x }}{% endwith %}",
        "{% include 'other' %}",
        "{% include a %}",
        "{% extends 'other' %}",
        "{% import 'other' as x %}",
        "{% from 'other' import x %}",
        "{% macro x() %}{% endmacro %}",
        "{% call x() %}{% endcall %}",
        "{% block x %}{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{% autoescape false %}{{ a }}{% endautoescape %}",
        "{% do a() %}",
        "{% break %}",
        "{% endif %}",
        "{% else %}",
        "{% if a %}",
        "{% if a %}{% for x in a %}{% endif %}",
        "{% %}",
        "{%",
        "{{",
        "{{ }}",
        "{{ a",
        "{{ a }",
        "{% if a ",
        "{# never closed",
        "{{ 'never closed }}",
        "{% raw %}",
        "{{ a|safe }}",
        "{{ a|e|safe }}",
        "{{ a|tojson }}",
        "{{ a|indent(100000) }}",
        "{{ a|replace('a', 'b') }}",
        "{{ a| }}",
        "{{ a|upper|batch(2) }}",
        "{{ a() }}",
        "{{ b.c() }}",
        "{{ a.upper() }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 'x' ~ 'y' }}",
        "{{ a + a }}",
        "{{ 2 ** 100000 }}",
        "{{ 9 // 0 }}",
        "{{ 1 % 0 }}",
        "{{ 1.5 }}",
        "{{ -1 }}",
        "{{ 99999999999999999999999999999999 }}",
        "{{ [a, a] }}",
        "{{ {'a': a} }}",
        "{{ a[0] }}",
        "{{ a['x'] }}",
        "{{ a[1:2] }}",
        "{{ b.0 }}",
        "{{ b. }}",
        "{{ 'x'.upper() }}",
        "{{ a.__class__ }}",
        "{{ b.c.__class__.__mro__ }}",
        "{{ a is callable }}",
        "{{ a is not odd }}",
        "{{ loop.index }}",
        "{{ self }}",
        "{{ debug() }}",
        "{{ caller() }}",
        "{{ x = 1 }}",
        "{{ a a }}",
        "{{ a > 1 }}",
        "{{ a: 1 }}",
        "{{ a|default(b.c, b.c, b.c) }}",
    ] {
        let error = refused(template);
        assert!(error.reason().contains("line 1"), "{template}: {}", error.reason());
        let error = refused(&format!("x\ny\n{template}"));
        assert!(error.reason().contains("line "), "{template}: {}", error.reason());
    }
    assert!(refused("a\n{% for x in a %}{% endfor %}").reason().contains("{% for %} in line 2"));
    assert!(refused("{{ a|safe }}").reason().contains("the filter safe"));
}

#[test]
fn what_is_too_large_or_too_deep_is_refused() {
    let deep = |open: &str, close: &str, n: usize| format!("{{{{ {}a{} }}}}", open.repeat(n), close.repeat(n));
    for template in [
        "x".repeat(10_000_000),
        "{{ a }}".repeat(1_500_000),
        deep("(", ")", 10_000),
        deep("not ", "", 10_000),
        deep("", "|upper", 20_000),
        deep("", " and a", 10_000),
        deep("", " == a", 10_000),
        deep("", " if a else a", 5_000),
        "{% if a %}".repeat(5_000) + &"{% endif %}".repeat(5_000),
        "{% if a %}".to_owned() + &"{% elif a %}".repeat(10_000) + "{% endif %}",
        "{% if a %}x{% endif %}".repeat(101),
        format!("{{{{ {} }}}}", "a.".repeat(10_000)),
    ] {
        refused(&template);
    }
    let large = fields(&[("a", &"x".repeat(200_000))]).unwrap();
    assert_eq!(fill("body", &"{{ a }}".repeat(30_000), Text, &large).unwrap_err().kind(), ErrorKind::LimitExceeded);
    assert_eq!(fill("body", &"{{ a|upper|lower }}".repeat(10_000), Html, &large).unwrap_err().kind(), ErrorKind::LimitExceeded);
    let quotes = fields(&[("a", &"\"".repeat(200_000))]).unwrap();
    assert_eq!(fill("body", "{{ a }}", Html, &quotes).unwrap_err().kind(), ErrorKind::LimitExceeded, "escaped it is six times as long");
    // As deep as it may be, and as many as there may be.
    let given = fields(&[("a", "x")]).unwrap();
    for template in [deep("(", ")", 29), deep("not ", "", 59), deep("", "|upper", 29), "{% if a %}".repeat(50) + &"{% endif %}".repeat(50), "{% if a %}".to_owned() + &"{% elif a %}".repeat(98) + "{% endif %}"] {
        assert!(fill("body", &template, Text, &given).is_ok(), "{template}");
    }
    assert_eq!(fill("body", &"{{ a }}".repeat(30_000), Text, &given).unwrap().text.len(), 30_000);
    assert!(fill("body", &"\n".repeat(200_000), Text, &given).is_ok());
    assert!(fill("body", &("\n".repeat(100_000) + "{{ z }}"), Text, &given).unwrap_err().reason().contains("line 100001"));
}

#[test]
fn marks_that_somebody_writes_are_taken_out() {
    let given = fields(&[("a", "\u{F8F7}<b>\u{F8F6}")]).unwrap();
    assert_eq!(fill("body", "\u{F8F6}<i>\u{F8F7}{{ a }}\u{F8F6}", Html, &given).unwrap().text, "<i>&lt;b&gt;");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever is written, it is filled or refused, and no value gets out as markup.
    #[test]
    fn any_template_is_filled_or_refused(parts in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..24), value in "[ -~\\n<>\"'&`*]{0,40}") {
        let template = parts.concat();
        let given = fields(&[("a", &value), ("b.c", "<x onclick=1>")]).unwrap();
        for kind in [Text, Html, Markdown] {
            match fill("body", &template, kind, &given) {
                Ok(filled) => {
                    prop_assert!(kind == Text || !filled.text.contains("<x"));
                    prop_assert!(!filled.text.contains([OPEN, CLOSE]));
                }
                Err(error) => prop_assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::LimitExceeded)),
            }
        }
    }
}

const PIECES: [&str; 38] = [
    "{{", "}}", "{%", "%}", "{#", "#}", "{{ a }}", "{{ b.c }}", "{{ b.c|upper }}", " a ", " b.c ", "|", "default", "(", ")", "'", "\"", "if", "elif", "else", "endif", "not ", "is defined", "raw", "endraw",
    "<p>", "<a href=\"", "\">", "<a title='", "<!--", "-->", "<script>", "</script>", "\n", "<", "=", "{% if a %}", "{% endif %}",
];
