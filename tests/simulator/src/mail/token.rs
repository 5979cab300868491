//! The opaque tokens in next and delta links, signed so that a changed one is known.

use crate::http::{base64url, unbase64};
use sha2::{Digest, Sha256};

#[derive(Clone, Debug, Default)]
pub struct Token {
    pub epoch: u64,
    pub person: usize,
    /// The path of the first request, to which the link belongs.
    pub path: String,
    /// The options of the first request.
    pub query: String,
    /// Changes up to here have been told.
    pub at: u64,
    /// Leaving before this is not worth telling: the client never saw it here.
    pub start: u64,
    /// The place in a walk by date, as long as it lasts.
    pub walk: Option<(i64, u32)>,
    /// Messages listed of a filtered walk.
    pub listed: usize,
}

const SEPARATOR: char = '\u{1f}';

fn signature(secret: &str, payload: &str) -> String {
    let digest = Sha256::digest(format!("{secret}{SEPARATOR}{payload}").as_bytes());
    base64url(digest.get(..12).unwrap_or(&[]))
}

pub fn seal(secret: &str, token: &Token) -> String {
    let walk = token.walk.map(|(r, k)| format!("{r} {k}")).unwrap_or_default();
    let Token { epoch, person, path, query, at, start, listed, .. } = token;
    let fields = [
        epoch.to_string(),
        person.to_string(),
        path.clone(),
        query.clone(),
        at.to_string(),
        start.to_string(),
        walk,
        listed.to_string(),
    ];
    let payload = base64url(fields.join(&SEPARATOR.to_string()).as_bytes());
    format!("{payload}{}", signature(secret, &payload))
}

/// None when the token is not one of ours, letter by letter.
pub fn open(secret: &str, text: &str) -> Option<Token> {
    let cut = text.len().checked_sub(16)?;
    let (payload, signed) = (text.get(..cut)?, text.get(cut..)?);
    if signature(secret, payload) != signed {
        return None;
    }
    let plain = String::from_utf8(unbase64(payload)?).ok()?;
    let mut fields = plain.split(SEPARATOR);
    let mut next = || fields.next();
    Some(Token {
        epoch: next()?.parse().ok()?,
        person: next()?.parse().ok()?,
        path: next()?.to_string(),
        query: next()?.to_string(),
        at: next()?.parse().ok()?,
        start: next()?.parse().ok()?,
        walk: next()?.split_once(' ').and_then(|(r, k)| Some((r.parse().ok()?, k.parse().ok()?))),
        listed: next()?.parse().ok()?,
    })
}
