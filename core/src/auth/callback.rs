//! What came back with the browser. Hostile until proven otherwise.

use super::state::{Refusal, aadsts};
use crate::error::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

const LONGEST_CALLBACK: usize = 16 << 10;

/// What came back with the browser: bounded, each name once, strictly decoded.
pub(super) struct Callback {
    pub state: Zeroizing<String>,
    code: Option<Zeroizing<String>>,
    error: Option<Zeroizing<String>>,
    description: Option<Zeroizing<String>>,
    subcode: Option<Zeroizing<String>>,
    pub iss: Option<Zeroizing<String>>,
    /// Of the page for administrators. Whoever holds the browser can write it.
    pub tenant: Option<Zeroizing<String>>,
    admin_consent: Option<Zeroizing<String>>,
}

impl Callback {
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > LONGEST_CALLBACK {
            return Err(Error::new(ErrorKind::LimitExceeded, "The callback is longer than 16 KB. The sign-in still stands: bring the URL or query as Microsoft sent it."));
        }
        if text.chars().any(char::is_control) {
            return Err(Error::invalid("The callback holds control characters. The sign-in still stands: bring the URL or query as Microsoft sent it."));
        }
        // Where the browser came to is said by the host's web framework, and behind a proxy it is often wrong: plain http, another host, a path alone. Only
        // the parameters count; that they are for this sign-in is decided by state and binding.
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        let query = match text.find(['/', '?', ':', '=', '&']).and_then(|at| text.get(at..)) {
            // The parameters alone; their values may hold all of these characters.
            Some(rest) if rest.starts_with(['=', '&']) => text,
            _ => text.split_once('?').map_or("", |(_, query)| query),
        };
        const NAMES: [&str; 8] = ["state", "code", "error", "error_description", "error_subcode", "iss", "tenant", "admin_consent"];
        let mut found: [Option<Zeroizing<String>>; 8] = Default::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name)?;
            let Some(slot) = NAMES.iter().position(|known| *known == name.as_str()).and_then(|at| found.get_mut(at)) else { continue };
            if slot.replace(decoded(value)?).is_some() {
                return Err(Error::invalid("The callback names a parameter twice. The sign-in still stands: bring the URL or query as Microsoft sent it."));
            }
        }
        let [state, code, error, description, subcode, iss, tenant, admin_consent] = found;
        let state = state.filter(|s| !s.is_empty() && s.len() <= 512).ok_or_else(|| Error::invalid("The callback has no state, so it is not known which sign-in it is for. Hand over the whole URL or query that Microsoft sent the browser to; the sign-in still stands, and the right callback can be brought."))?;
        Ok(Self { state, code, error, description, subcode, iss, tenant, admin_consent })
    }

    /// Microsoft's refusal, if it is one. It comes before everything else: the page for administrators says `admin_consent=True` even then.
    pub fn refusal(&self) -> Option<Refusal> {
        let error = self.error.as_ref()?;
        Some(Refusal {
            error: if self.subcode.as_ref().is_some_and(|s| s.as_str() == "cancel") { "access_denied".to_owned() } else { error.to_string() },
            suberror: String::new(),
            aadsts: self.description.as_ref().and_then(|text| aadsts(text)),
            claims: None,
        })
    }

    pub fn code(&self) -> Result<&str> {
        self.code.as_ref().map(|c| c.as_str()).filter(|c| !c.is_empty()).ok_or_else(|| Error::invalid("The callback holds neither a code nor an error. The sign-in still stands: bring the whole URL or query that Microsoft sent the browser to."))
    }

    /// The administrator said yes.
    pub fn is_approval(&self) -> bool {
        self.admin_consent.as_ref().is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }
}

/// Percent-decoding that refuses what is not whole or not UTF-8, where the usual one repairs.
fn decoded(text: &str) -> Result<Zeroizing<String>> {
    let bad = || Error::invalid("The callback is not properly encoded. The sign-in still stands: bring the URL or query as Microsoft sent it.");
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).ok_or_else(bad);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).map_err(|_| bad())?
            }
            other => other,
        });
    }
    std::str::from_utf8(&bytes).map(|s| Zeroizing::new(s.to_owned())).map_err(|_| bad())
}

#[cfg(test)]
mod tests;
