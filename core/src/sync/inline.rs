//! Whether a body refers to files that came with its message (RFC 2392: `cid:`, `mid:`), in whatever spelling.
//!
//! Programs that write mail spell the scheme in capitals, with character references (`cid&#58;`), percent-encoded or with escapes of CSS, and put it into any
//! attribute or style sheet. So the text is looked at rather than the elements. What is taken for a reference and is none costs one request; what is
//! missed loses a file. One pass; only the surroundings of an escape that stands for a character of the scheme are decoded.

/// So many bytes around an escape are decoded: room for a scheme of which every character is escaped.
const AROUND: usize = 96;
const SCHEMES: [&str; 2] = ["cid:", "mid:"];
/// A body with more such escapes is not looked through: it is taken for one that refers to files.
const MOST_ESCAPES: usize = 2_000;

pub fn refers_to_files(body: &str) -> bool {
    let mut escapes = 0;
    body.match_indices([':', '&', '%', '\\']).any(|(at, mark)| {
        if mark == ":" {
            return is_plain(body, at);
        }
        if !stands_for_scheme(body.get(at..).unwrap_or_default()) {
            return false;
        }
        escapes += 1;
        escapes > MOST_ESCAPES || names_scheme(&decoded(around(body, at)))
    })
}

/// The scheme stands before this colon as it is. Tabs and line breaks are no part of an address (WHATWG URL, 4.4).
fn is_plain(body: &str, colon: usize) -> bool {
    let before = body.as_bytes().get(..colon).unwrap_or_default();
    let mut letters = before.iter().rev().filter(|b| !is_dropped(**b));
    let mut is = |one: &[u8]| letters.next().is_some_and(|b| one.contains(&b.to_ascii_lowercase()));
    is(b"d") && is(b"i") && is(b"cm") && letters.next().is_none_or(|b| !b.is_ascii_alphanumeric())
}

fn is_dropped(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r')
}

/// An escape that stands for a character of the scheme, for a break inside of it, or for what begins another escape.
fn stands_for_scheme(text: &str) -> bool {
    let meant = |c: char| matches!(c.to_ascii_lowercase(), 'c' | 'm' | 'i' | 'd' | ':' | '%' | '\\' | '&' | '\t' | '\n' | '\r');
    [reference(text), percent(text), style(text)].into_iter().flatten().any(|(c, _)| meant(c))
}

fn around(body: &str, at: usize) -> &str {
    let edge = |mut at: usize| {
        while !body.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    body.get(edge(at.saturating_sub(AROUND))..edge((at + AROUND).min(body.len()))).unwrap_or_default()
}

/// HTML comes first, then the style sheet inside of it, then the address inside of that.
fn decoded(text: &str) -> String {
    [reference, style, percent].into_iter().fold(text.to_owned(), |text, escape| replaced(&text, escape))
}

fn replaced(text: &str, escape: fn(&str) -> Option<(char, usize)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (c, length) = escape(rest).unwrap_or((first, first.len_utf8()));
        out.push(c);
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

fn names_scheme(text: &str) -> bool {
    let text: String = text.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect::<String>().to_ascii_lowercase();
    SCHEMES.iter().any(|scheme| {
        text.match_indices(scheme).any(|(at, _)| text.get(..at).and_then(|before| before.chars().next_back()).is_none_or(|c| !c.is_ascii_alphanumeric()))
    })
}

/// `&#58;`, `&#x3A;`, `&colon;`: the character, and how long it is spelled. A reference by number may lack its semicolon.
fn reference(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 7] = [("&colon;", ':'), ("&Tab;", '\t'), ("&NewLine;", '\n'), ("&percnt;", '%'), ("&bsol;", '\\'), ("&amp;", '&'), ("&period;", '.')];
    let Some(number) = text.strip_prefix("&#") else {
        return NAMED.iter().find(|(name, _)| text.starts_with(name)).map(|(name, c)| (*c, name.len()));
    };
    let (digits, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |hex| (hex, 16));
    let length = digits.bytes().take_while(|b| char::from(*b).is_digit(radix)).count();
    let c = char::from_u32(u32::from_str_radix(digits.get(..length)?, radix).ok()?)?;
    let semicolon = usize::from(digits.get(length..)?.starts_with(';'));
    Some((c, text.len() - digits.len() + length + semicolon))
}

/// `%3A`.
fn percent(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    byte.is_ascii().then_some((char::from(byte), 3))
}

/// `\3A `: up to six digits, and one space behind them; `\c` is no such escape, but `\:` stands for its colon.
fn style(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix('\\')?;
    let length = digits.bytes().take(6).take_while(u8::is_ascii_hexdigit).count();
    if length == 0 {
        let c = digits.chars().next()?;
        return Some((c, 1 + c.len_utf8()));
    }
    let c = char::from_u32(u32::from_str_radix(digits.get(..length)?, 16).ok()?)?;
    let space = usize::from(digits.get(length..)?.starts_with([' ', '\t', '\n']));
    Some((c, 1 + length + space))
}

#[cfg(test)]
mod tests {
    use super::refers_to_files;

    #[test]
    fn a_file_is_seen_in_whatever_spelling() {
        for body in [
            r#"<img src="cid:logo@x">"#,
            r#"<IMG SRC=CID:LOGO>"#,
            r#"<img src='Cid:logo'>"#,
            r#"<img src="cid&#58;logo">"#,
            r#"<img src="cid&#58logo">"#,
            r#"<img src="cid&#x3a;logo">"#,
            r#"<img src="cid&#X00003A;logo">"#,
            r#"<img src="cid&colon;logo">"#,
            r#"<img src="&#99;&#105;&#100;&#58;logo">"#,
            r#"<img src="&#x43;ID:logo">"#,
            r#"<img src="cid%3Alogo">"#,
            r#"<img src="%63%69%64%3alogo">"#,
            r#"<img src="cid&#37;3Alogo">"#,
            r#"<td background="CID:logo">"#,
            r#"<img srcset="a.png 1x, cid:logo 2x">"#,
            r#"<div style="background:url(cid:logo)">"#,
            r#"<div style="background:url(&quot;cid:logo&quot;)">"#,
            r#"<div style="background:url('cid\3a logo')">"#,
            r#"<style>.a{background:url(\63 \69 \64\3Alogo)}</style>"#,
            r#"<style>.a{background:url(cid\:logo)}</style>"#,
            r#"<v:fill src="cid:logo">"#,
            r#"<object data="mid:1@x/2@y">"#,
            "<img src=\"ci\nd:logo\">",
            "<img src=\"cid&NewLine;:logo\">",
            "[cid:image001.png@01D00000.00000000]",
        ] {
            assert!(refers_to_files(body), "{body}");
        }
    }

    #[test]
    fn other_text_asks_nothing() {
        for body in [
            "",
            "cid",
            ":",
            r#"<p style="color:red">acid: 5 % &amp; placid&#58; yes</p>"#,
            r#"<a href="https://x.example/?cid=5&amp;mid=6%3A">x</a>"#,
            r"C:\cid\mid",
            "&#; &#x; &#99999999999; % %3 %zz \\ \\110000 cid&#",
            "decid%C3%A9 : é&#58;",
        ] {
            assert!(!refers_to_files(body), "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[cid:&#x%3aA\\\\;é\u{1F600} \n]{0,200}") {
            let _ = refers_to_files(&text);
            proptest::prop_assert!(refers_to_files(&format!("{text} cid:")));
        }
    }
}
