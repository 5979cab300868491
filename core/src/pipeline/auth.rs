//! Puts the account's token on Graph requests. A 401 gets one fresh token; a claims challenge is handed on once.

use super::transport::{Answer, Transport};
use super::{AccessToken, Purpose, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Meters;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use std::sync::{Arc, PoisonError, RwLock, Weak};

/// Who knows the tokens. `stale`: that one was refused, so the same again is no answer. `claims`: what the service asks the new one to hold, as JSON.
pub trait TokenSource: Send + Sync {
    fn token(&self, account_id: String, stale: Option<AccessToken>, claims: Option<String>) -> BoxFuture<'static, Result<AccessToken>>;
}

pub struct Tokens {
    // Weak: the source holds the pipeline.
    source: RwLock<Option<Weak<dyn TokenSource>>>,
    meters: Meters,
}

impl Tokens {
    pub fn new(meters: Meters) -> Self {
        Self { source: RwLock::default(), meters }
    }

    pub fn plug(&self, source: &Arc<dyn TokenSource>) {
        *self.source.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::downgrade(source));
    }

    /// One attempt: the token, the exchange, and after a 401 both once more.
    pub async fn attach_and_send(&self, request: &Request, headers: HeaderMap, transport: &dyn Transport) -> Result<Answer> {
        let token = self.token(request, None, None).await?;
        let answer = transport.call(build(request, headers.clone(), token.as_ref())?, request.max_body).await;
        let (Ok(refused), Some(stale)) = (&answer, token) else { return Ok(answer) };
        if refused.status() != StatusCode::UNAUTHORIZED || request.bearer.is_some() || is_import_only(refused.body()) {
            return Ok(answer);
        }
        let claims = challenge(refused.headers());
        let fresh = self.token(request, Some(stale), claims).await?;
        self.meters.retries.up();
        Ok(transport.call(build(request, headers, fresh.as_ref())?, request.max_body).await)
    }

    /// None: this purpose gets no Authorization header, whatever the request says.
    async fn token(&self, request: &Request, stale: Option<AccessToken>, claims: Option<String>) -> Result<Option<AccessToken>> {
        if request.purpose != Purpose::Graph {
            return Ok(None);
        }
        if let Some(bearer) = &request.bearer {
            return Ok(Some(bearer.clone()));
        }
        let Some(account_id) = request.account_id.clone() else {
            return Err(Error::internal("A Graph request names no account."));
        };
        let source: Option<Arc<dyn TokenSource>> = self.source.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade);
        match source {
            Some(source) => source.token(account_id, stale, claims).await.map(Some).map_err(nothing_sent),
            None => Err(crate::runtime::closed()),
        }
    }
}

/// Whatever became of the token request, this one was not sent; its error must not leave that open.
fn nothing_sent(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Upstream | ErrorKind::OutcomeUnknown => Error::new(ErrorKind::Network, error.reason())
            .with_request_id(error.request_id().map(str::to_owned))
            .with_retry_after_ms(error.retry_after_ms())
            .with_source(error),
        _ => error,
    }
}

fn build(request: &Request, mut headers: HeaderMap, token: Option<&AccessToken>) -> Result<http::Request<Bytes>> {
    // Whatever a caller put there: a credential comes from the token source or not at all.
    headers.remove(AUTHORIZATION);
    if let Some(token) = token {
        let mut value = token
            .expose(|text| HeaderValue::from_str(&zeroize::Zeroizing::new(format!("Bearer {text}"))))
            .map_err(|_| Error::new(ErrorKind::TokenRejected, "Microsoft's token holds characters no token may hold. Connect the account again."))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let mut built = http::Request::new(request.body.clone());
    *built.method_mut() = request.method.clone();
    *built.uri_mut() = request.url.as_str().parse().map_err(|_| Error::internal("A request address could not be made."))?;
    *built.headers_mut() = headers;
    Ok(built)
}

/// Teams answers 401 to an app that posts a message at all, however fresh its token is. The code is the same as for other refusals, so this is the
/// one place where a text decides, and only against asking for another token.
fn is_import_only(body: &[u8]) -> bool {
    const TEXT: &[u8] = b"allowed in application-only context only for import purposes";
    body.len() < 64 << 10 && body.windows(TEXT.len()).any(|window| window == TEXT)
}

/// The claims of `WWW-Authenticate: Bearer …, error="insufficient_claims", claims="base64"`, decoded; the order of the parameters varies.
fn challenge(headers: &HeaderMap) -> Option<String> {
    headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).find_map(|text| {
        let parameter = |name: &str| {
            let at = text.match_indices(name).find(|(at, _)| text.get(..*at).is_some_and(|before| before.ends_with([' ', ',']) || before.is_empty()))?.0;
            text.get(at + name.len()..)?.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?.split('"').next()
        };
        if parameter("error")? != "insufficient_claims" {
            return None;
        }
        let encoded = parameter("claims").filter(|claims| claims.len() <= 8 << 10)?;
        let decoded = [STANDARD.decode(encoded), STANDARD_NO_PAD.decode(encoded), URL_SAFE.decode(encoded), URL_SAFE_NO_PAD.decode(encoded)].into_iter().find_map(|d| d.ok())?;
        let claims = String::from_utf8(decoded).ok()?;
        serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&claims).ok()?;
        Some(claims)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap())])
    }

    #[test]
    fn a_claims_challenge_is_read_in_any_order() {
        let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1726258122"}}}"#;
        let encoded = STANDARD.encode(claims);
        let one = format!(r#"Bearer realm="", authorization_uri="https://x/authorize", client_id="0", error="insufficient_claims", claims="{encoded}""#);
        let two = format!(r#"Bearer claims="{encoded}",error="insufficient_claims", error_description="again""#);
        assert_eq!(challenge(&headers(&one)).as_deref(), Some(claims));
        assert_eq!(challenge(&headers(&two)).as_deref(), Some(claims));
        assert_eq!(challenge(&headers(r#"Bearer error="invalid_token", claims="e30=""#)), None);
        assert_eq!(challenge(&headers(r#"Bearer error="insufficient_claims", claims="bm90IGpzb24=""#)), None);
        assert_eq!(challenge(&headers("Bearer")), None);
    }
}
