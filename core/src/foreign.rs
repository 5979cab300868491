//! Text that came from outside, and what of it may be shown or stored: a code `[A-Za-z][A-Za-z0-9_.]{0,63}` or a request id (a GUID), and neither if
//! it repeats a secret of its exchange. A server that echoes what it was sent must not carry a token into an error, a receipt or a log.
//!
//! [`RequestId`] and [`ShownCode`] can be made here alone, so nobody else shows foreign text by accident.

mod runs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use runs::{RUN, Runs};
use std::fmt;
use std::sync::{Arc, OnceLock};
use zeroize::Zeroizing;

/// Fields of a form that are no secrets.
const OPEN_FIELDS: &[&str] = &["client_id", "scope", "grant_type", "redirect_uri", "claims", "client_assertion_type", "client_info", "response_mode", "tenant"];

/// What may be repeated nowhere. Never printed; wiped when the last holder drops it.
pub struct Secret {
    text: Zeroizing<String>,
    /// Runs of the part that proves something, once they were asked for: a token is held against many answers.
    proof: OnceLock<Runs>,
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: Zeroizing::new(text.into()), proof: OnceLock::new() }
    }

    pub fn expose(&self) -> &str {
        &self.text
    }

    fn proof(&self) -> &Runs {
        self.proof.get_or_init(|| {
            let parts: Vec<&str> = self.text.split('.').collect();
            let proof = match parts.as_slice() {
                [_, _, signature] => signature,
                _ => self.text.as_str(),
            };
            let mut known = Runs::default();
            for form in short_forms(proof) {
                known.add(&form);
                known.add(&backwards(&form));
            }
            known
        })
    }
}

/// The secrets of one exchange, sent or received.
#[derive(Clone, Default)]
pub struct Secrets(Vec<Arc<Secret>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    pub fn add(&mut self, secret: Arc<Secret>) {
        self.0.push(secret);
    }

    pub fn add_text(&mut self, secret: &str) {
        self.add(Arc::new(Secret::new(secret)));
    }

    /// The fields of a form, but for those that everybody may know.
    pub fn add_form(&mut self, form: &[u8]) {
        for (name, value) in url::form_urlencoded::parse(form) {
            if !OPEN_FIELDS.contains(&name.as_ref()) && !value.is_empty() {
                self.add_text(&value);
            }
        }
    }

    /// `text` repeats a part of a secret, in whatever letter case or encoding.
    pub fn shares(&self, text: &str) -> bool {
        let mut wanted = Runs::default();
        readings(text).iter().for_each(|reading| wanted.add(reading));
        wanted.is_any() && self.0.iter().any(|secret| forms(secret.expose()).iter().any(|form| wanted.meets(form)))
    }

    /// As [`shares`](Self::shares), for many ids and links, which are opaque and may well name the same person as a token does: only what proves
    /// something counts, a token's signature or an opaque secret, in the encodings of which an id or a name can be made.
    pub fn proofs(&self) -> Proofs {
        Proofs(self.0.clone())
    }

    /// As [`shares`](Self::shares), for names and scopes: whether one of them repeats a part of a secret, in the encodings that a name can be made of.
    pub fn are_in_any<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let mut wanted = Runs::default();
        for text in texts {
            let text = plain(text);
            wanted.add(&text);
            wanted.add(&backwards(&text));
        }
        wanted.is_any() && self.0.iter().any(|secret| short_forms(secret.expose()).any(|form| wanted.meets(&form)))
    }
}

/// The proving parts of secrets, in both directions.
pub struct Proofs(Vec<Arc<Secret>>);

impl fmt::Debug for Proofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proofs(…)")
    }
}

impl Proofs {
    pub fn are_in(&self, text: &str) -> bool {
        let text = plain(text);
        self.0.iter().any(|secret| secret.proof().meets(&text))
    }
}

/// Letters and digits alone, in lower case.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

/// A secret as letters and digits alone, in hex, in decimal numbers, and in base64 at each of its three offsets. Both kinds of base64 are one here.
fn short_forms(secret: &str) -> impl Iterator<Item = String> {
    let hex = secret.bytes().flat_map(|b| [b >> 4, b & 15]).filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    let decimal = secret.bytes().map(|b| b.to_string()).collect();
    [plain(secret), hex, decimal].into_iter().chain(shifted(secret.as_bytes()).into_iter().take(3))
}

/// The text as it is, backwards, in the byte order of a GUID, and what it says if it is an encoding of another one.
fn readings(text: &str) -> Vec<String> {
    let mut all = vec![plain(text)];
    all.extend(in_memory(text));
    let bare: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut decoded = vec![unhex(&bare)];
    for skip in 0..4 {
        let (Some(cut), Some(cut_bare)) = (text.get(skip..), bare.get(skip..)) else { break };
        for part in [cut, cut_bare] {
            let whole = part.get(..part.len() / 4 * 4).unwrap_or_default();
            decoded.push(STANDARD_NO_PAD.decode(whole).unwrap_or_default());
            decoded.push(URL_SAFE_NO_PAD.decode(whole).unwrap_or_default());
        }
    }
    all.extend(decoded.iter().map(|bytes| plain(&String::from_utf8_lossy(bytes))));
    let turned: Vec<String> = all.iter().map(|reading| backwards(reading)).collect();
    all.extend(turned);
    all.sort();
    all.dedup();
    all
}

/// The hex digits of a GUID as its bytes lie in memory: the first three groups are turned.
fn in_memory(text: &str) -> Option<String> {
    let turned = |group: &str| group.as_bytes().chunks(2).rev().map(String::from_utf8_lossy).collect::<String>();
    let groups = text.split('-').enumerate().map(|(n, group)| if n < 3 { turned(group) } else { group.to_owned() });
    is_guid(text).then(|| plain(&groups.collect::<String>()))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
    digits.unwrap_or_default().chunks_exact(2).filter_map(|pair| if let [high, low] = pair { Some(high * 16 + low) } else { None }).collect()
}

/// The secret in the encodings a text of letters and digits can hold it in.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let all = |write: fn(&u8) -> String| bytes.iter().map(write).collect::<String>();
    let mut forms = vec![
        plain(secret),
        all(|b| format!("{b:02x}")),
        all(|b| format!("u{b:04x}")),
        all(|b| format!("x{b:02x}")),
        all(|b| b.to_string()),
        all(|b| format!("{b:03}")),
        all(|b| format!("{b:03o}")),
        all(|b| format!("{b:08b}")),
        plain(&secret.chars().map(rot13).collect::<String>()),
    ];
    forms.extend(shifted(bytes));
    // Base64 of base64, as it comes about when a header is packed once more.
    forms.extend(shifted(STANDARD.encode(bytes).as_bytes()));
    forms.extend((0..5).map(|skip| base32(bytes.get(skip..).unwrap_or_default())));
    // Letters other than those of a code are mostly written as %xx by whoever encodes a whole text.
    forms.push(plain(&url::form_urlencoded::byte_serialize(bytes).collect::<String>()));
    forms.retain(|form| form.len() >= RUN);
    forms
}

/// In base64, whatever stands before it.
fn shifted(bytes: &[u8]) -> Vec<String> {
    (0..3).map(|skip| plain(&URL_SAFE_NO_PAD.encode(bytes.get(skip..).unwrap_or_default()))).chain((0..3).map(|skip| plain(&STANDARD.encode(bytes.get(skip..).unwrap_or_default())))).collect()
}

fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let (mut out, mut kept, mut bits) = (String::new(), 0_u32, 0_u32);
    for byte in bytes {
        kept = ((kept << 8) | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.extend(LETTERS.get(((kept >> bits) & 31) as usize).map(|letter| char::from(*letter)));
        }
    }
    out
}

fn rot13(c: char) -> char {
    match c {
        'a'..='m' | 'A'..='M' => char::from_u32(c as u32 + 13).unwrap_or(c),
        'n'..='z' | 'N'..='Z' => char::from_u32(c as u32 - 13).unwrap_or(c),
        other => other,
    }
}

/// Microsoft's id of an exchange, for a support case: a GUID that repeats no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    pub fn of(text: &str, secrets: &Secrets) -> Option<Self> {
        (is_guid(text) && !secrets.shares(text)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A service's code for what went wrong, fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCode(String);

impl ShownCode {
    pub fn of(text: &str, secrets: &Secrets) -> Option<Self> {
        let mut letters = text.bytes();
        let fits = letters.next().is_some_and(|first| first.is_ascii_alphabetic()) && text.len() <= 64 && letters.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
        (fits && !secrets.shares(text)).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for ShownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `00000000-0000-0000-0000-000000000000`, in either letter case.
pub fn is_guid(text: &str) -> bool {
    let mut groups = text.split('-');
    [8, 4, 4, 4, 12].into_iter().all(|len| groups.next().is_some_and(|group| group.len() == len && group.bytes().all(|b| b.is_ascii_hexdigit()))) && groups.next().is_none()
}

#[cfg(test)]
mod tests;
