//! Whether HTML shows files of its own mail: `cid:` in whatever spelling, since mail programs write it in many and Graph says `hasAttachments: false` of
//! files that are only shown.
//!
//! A wrong yes costs one question in a batch; a wrong no hides a file. So the text is decoded once (character references, percent signs, CSS escapes) and
//! searched, wherever in the markup it stands: `src`, `srcset`, `background`, `url()` in CSS.

/// HTML larger than this is shown as text only, and is looked through no further.
const LARGEST: usize = 8 << 20;

pub fn shows_inline_files(html: &str) -> bool {
    let html = html.get(..html.floor_char_boundary(LARGEST.min(html.len()))).unwrap_or_default().as_bytes();
    has_scheme(html) || (spells_otherwise(html) && has_scheme(&decoded(html)))
}

/// `cid:` in any letter case, with the blanks and line breaks between the letters that browsers pass over. Colons are rare, so the word is read backwards
/// from each.
fn has_scheme(text: &[u8]) -> bool {
    memchr::memchr_iter(b':', text).any(|at| {
        let mut before = text.iter().take(at).rev().filter(|byte| !matches!(byte, b'\t' | b'\n' | b'\r')).map(u8::to_ascii_lowercase);
        before.next() == Some(b'd') && before.next() == Some(b'i') && before.next() == Some(b'c')
    })
}

/// Some character of the word, or one that may stand within, is written in another way than as itself.
fn spells_otherwise(text: &[u8]) -> bool {
    let is_of_word = |at: usize| {
        let part = text.get(at..).and_then(coded);
        part.is_some_and(|(code, _)| u8::try_from(code).is_ok_and(|byte| b"cCiIdD:\t\n\r".contains(&byte)))
    };
    memchr::memchr3_iter(b'&', b'%', b'\\', text).any(is_of_word)
}

/// Bytes after character references, percent-encoding and CSS escapes; what stands for more than a byte becomes a question mark, since it is no part of the word.
fn decoded(html: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(html.len());
    let mut rest = html;
    while let Some((plain, from)) = memchr::memchr3(b'&', b'%', b'\\', rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(plain);
        let (byte, used) = coded(from).map_or_else(|| (from.first().copied().unwrap_or(b'?'), 1), |(code, used)| (u8::try_from(code).unwrap_or(b'?'), used));
        out.push(byte);
        rest = from.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// The code of the character that the text begins with, and how many bytes it takes; None: it stands for itself.
fn coded(text: &[u8]) -> Option<(u32, usize)> {
    let (first, after) = text.split_first()?;
    let (code, used) = match first {
        b'&' => reference(after)?,
        b'%' => escape(after, 2, 2)?,
        b'\\' => escape(after, 1, 6).map(|(code, used)| (code, used + usize::from(after.get(used).is_some_and(u8::is_ascii_whitespace))))?,
        _ => return None,
    };
    Some((code, 1 + used))
}

/// `#58;`, `#x3a;`, `colon;` and those without a semicolon: the code and how many bytes it takes.
fn reference(text: &[u8]) -> Option<(u32, usize)> {
    for (name, code) in [(&b"colon;"[..], 58), (b"Tab;", 9), (b"NewLine;", 10), (b"amp;", 38)] {
        if text.starts_with(name) {
            return Some((code, name.len()));
        }
    }
    let digits = text.strip_prefix(b"#")?;
    let (radix, digits, before) = match digits.split_first() {
        Some((b'x' | b'X', hex)) => (16, hex, 2),
        _ => (10, digits, 1),
    };
    let length = digits.iter().take_while(|b| char::from(**b).is_digit(radix)).count();
    let number = u32::from_str_radix(std::str::from_utf8(digits.get(..length)?).ok()?, radix).ok()?;
    Some((number, before + length + usize::from(digits.get(length) == Some(&b';'))))
}

/// A number of `least` to `most` hexadecimal digits.
fn escape(text: &[u8], least: usize, most: usize) -> Option<(u32, usize)> {
    let length = text.iter().take(most).take_while(|b| b.is_ascii_hexdigit()).count();
    if length < least {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(text.get(..length)?).ok()?, 16).ok().map(|code| (code, length))
}

#[cfg(test)]
mod tests {
    use super::shows_inline_files;

    #[test]
    fn every_spelling_of_a_shown_file_is_seen() {
        for html in [
            "<img src=\"cid:logo@x\">",
            "<IMG SRC=CID:logo>",
            "<img src='Cid:logo'>",
            "<img src=\"cid&#58;logo\">",
            "<img src=\"cid&#x3a;logo\">",
            "<img src=\"cid&#X3A;logo\">",
            "<img src=\"cid&#0058logo\">",
            "<img src=\"cid&colon;logo\">",
            "<img src=\"&#99;&#105;&#100;&#58;logo\">",
            "<img src=\"cid%3Alogo\">",
            "<img src=\"%63%69%64%3alogo\">",
            "<img src=\"ci\nd:logo\">",
            "<img src=\"c&Tab;id:logo\">",
            "<td background=cid:bg>",
            "<img srcset=\"cid:one 1x, cid:two 2x\">",
            "<div style=\"background:url(cid:bg)\">",
            "<style>.a{background:url( 'CID:bg' )}</style>",
            "<div style=\"background:url(\\63 id\\3a bg)\">",
            "<v:fill src=\"cid:vml\"/>",
        ] {
            assert!(shows_inline_files(html), "{html}");
        }
    }

    #[test]
    fn ordinary_mail_is_not_asked_about() {
        for html in ["", "<p>acid rain, placid: no</p>".replace("placid:", "placid").as_str(), "<p>c i d :</p>", "<a href=\"https://x.example/cid/1\">", "<p>&#58; % \\ &amp; &</p>", "<p>100 %cid</p>"] {
            assert!(!shows_inline_files(html), "{html}");
        }
        assert!(!shows_inline_files(&"é&".repeat(5_000_000)));
    }
}
