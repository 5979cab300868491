//! `WWW-Authenticate` (RFC 9110, section 11.6.1): several challenges may stand in one line, and there may be several lines.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

const LONGEST_CLAIMS: usize = 8 << 10;
const LONGEST_LINE: usize = 64 << 10;

/// What a service asks the next token to hold: the claims of a Bearer challenge with `error="insufficient_claims"`, as JSON.
pub fn claims(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).filter(|line| line.len() <= LONGEST_LINE);
    lines.flat_map(challenges).find_map(|challenge| {
        let asks = challenge.scheme.eq_ignore_ascii_case("Bearer") && challenge.parameter("error")? == "insufficient_claims";
        let encoded = challenge.parameter("claims").filter(|claims| asks && claims.len() <= LONGEST_CLAIMS)?;
        let decoded = [STANDARD.decode(encoded), STANDARD_NO_PAD.decode(encoded), URL_SAFE.decode(encoded), URL_SAFE_NO_PAD.decode(encoded)].into_iter().find_map(|d| d.ok())?;
        let claims = String::from_utf8(decoded).ok()?;
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&claims).ok()?;
        Some(claims)
    })
}

struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// A name given twice means nothing.
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let (first, second) = (found.next(), found.next());
        first.filter(|_| second.is_none()).map(|(_, value)| value.as_str())
    }
}

/// The challenges of one line, as far as it is properly written.
fn challenges(line: &str) -> Vec<Challenge> {
    let mut reader = Reader(line);
    let mut found: Vec<Challenge> = Vec::new();
    loop {
        reader.skip(|c| matches!(c, ' ' | '\t' | ','));
        let Some(word) = reader.token() else { return found };
        reader.skip_space();
        if reader.take('=') {
            let Some(value) = reader.value() else { return found };
            let Some(challenge) = found.last_mut() else { return found };
            challenge.parameters.push((word, value));
            continue;
        }
        found.push(Challenge { scheme: word, parameters: Vec::new() });
        reader.skip_token68();
    }
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        self.0 = self.0.trim_start_matches(unwanted);
    }

    fn skip_space(&mut self) {
        self.skip(|c| matches!(c, ' ' | '\t'));
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn token(&mut self) -> Option<String> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at_checked(end).filter(|(token, _)| !token.is_empty())?;
        self.0 = rest;
        Some(token.to_owned())
    }

    fn value(&mut self) -> Option<String> {
        self.skip_space();
        if !self.take('"') {
            // Unquoted base64 holds what a token may not; it is read as it was meant.
            let end = self.0.find([' ', '\t', ',', '"']).unwrap_or(self.0.len());
            let (value, rest) = self.0.split_at_checked(end)?;
            self.0 = rest;
            return Some(value.to_owned());
        }
        let mut value = String::new();
        let mut letters = self.0.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.0 = self.0.get(at + 1..)?;
                    return Some(value);
                }
                '\\' => value.push(letters.next()?.1),
                other => value.push(other),
            }
        }
        None
    }

    /// `Negotiate YII=`: one value in place of parameters.
    fn skip_token68(&mut self) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let rest = self.0.trim_start_matches(is_part).trim_start_matches('=');
        let after = rest.trim_start_matches([' ', '\t']);
        if rest.len() < self.0.len() && (after.is_empty() || after.starts_with(',')) {
            self.0 = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1726258122"}}}"#;

    fn read(lines: &[&str]) -> Option<String> {
        claims(&lines.iter().map(|line| (WWW_AUTHENTICATE, HeaderValue::from_str(line).unwrap())).collect())
    }

    #[test]
    fn claims_are_found_wherever_the_challenge_stands() {
        let encoded = STANDARD.encode(CLAIMS);
        let bearer = format!(r#"Bearer realm="", authorization_uri="https://x/authorize", client_id="0", error="insufficient_claims", claims="{encoded}""#);
        for lines in [
            vec![bearer.clone()],
            vec![format!(r#"bearer claims="{encoded}",error="insufficient_claims", error_description="again, \"sooner\" = better""#)],
            vec![format!(r#"Bearer realm="a", error="invalid_token", PoP realm="", nonce="x,y", {bearer}"#)],
            vec![format!("Negotiate YIIabc==, {bearer}, Basic realm=\"b\"")],
            vec![format!("Negotiate, {bearer}")],
            vec![r#"Basic realm="x""#.to_owned(), "PoP".to_owned(), bearer.clone()],
            vec![format!("Bearer error = insufficient_claims , claims = {encoded}")],
            vec![format!(r#"Bearer error="insufficient_claims", claims="{}""#, URL_SAFE_NO_PAD.encode(CLAIMS))],
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(read(&lines).as_deref(), Some(CLAIMS), "{lines:?}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_let_be() {
        let encoded = STANDARD.encode(CLAIMS);
        for line in [
            "Bearer".to_owned(),
            String::new(),
            r#"Bearer error="invalid_token", claims="e30=""#.to_owned(),
            r#"Bearer error="insufficient_claims", claims="bm90IGpzb24=""#.to_owned(),
            // Error and claims of two different challenges, of another scheme, inside a text, given twice, cut off.
            format!(r#"Bearer error="insufficient_claims", PoP claims="{encoded}""#),
            format!(r#"PoP error="insufficient_claims", claims="{encoded}""#),
            format!(r#"Bearer realm="error=\"insufficient_claims\", claims=\"{encoded}\"""#),
            format!(r#"Bearer error="insufficient_claims", claims="{encoded}", claims="{encoded}""#),
            format!(r#"Bearer error="insufficient_claims", claims="{encoded}"#),
            format!(r#"error="insufficient_claims", claims="{encoded}""#),
            format!(r#"Bearer error="insufficient_claims", claims="{}""#, "A".repeat(LONGEST_CLAIMS + 1)),
        ] {
            assert_eq!(read(&[&line]), None, "{line}");
        }
    }
}
