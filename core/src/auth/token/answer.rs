//! What the token endpoint answers, read as it is meant: numbers come as text or with a fraction, optional members empty or of another type. A refusal
//! stays a refusal whatever its details look like. Source: RFC 6749, 5.1 and 5.2.

use super::super::state::{Refusal, aadsts};
use super::{Grant, LONGEST_TOKEN};
use crate::foreign::Secrets;
use crate::json::lenient;
use crate::pipeline::AccessToken;
use oauth2::basic::BasicTokenType;
use oauth2::{RefreshToken, Scope};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

const LONGEST_CLAIMS: usize = 8 << 10;
const LONGEST_LIFETIME: i64 = 48 * 3600;

#[derive(Deserialize)]
struct WireToken {
    #[serde(default, deserialize_with = "lenient::scalar")]
    access_token: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    token_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    expires_in: Option<i64>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    refresh_token: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    id_token: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    client_info: Option<String>,
    /// Texts between blanks, as one text or as a list.
    #[serde(default, deserialize_with = "lenient::scalars")]
    scope: Vec<String>,
}

/// A good answer, before it is known whether it can be used.
#[derive(Serialize)]
pub struct EntraToken {
    #[serde(skip)]
    access: oauth2::AccessToken,
    #[serde(skip)]
    kind: Option<BasicTokenType>,
    #[serde(skip)]
    refresh: Option<RefreshToken>,
    #[serde(skip)]
    id_token: Option<Zeroizing<String>>,
    #[serde(skip)]
    client_info: Option<Zeroizing<String>>,
    #[serde(skip)]
    scopes: Option<Vec<Scope>>,
    #[serde(skip)]
    lifetime: Option<Duration>,
}

impl<'de> Deserialize<'de> for EntraToken {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let wire = WireToken::deserialize(input)?;
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let scopes: Vec<Scope> = wire.scope.iter().flat_map(|text| text.split_whitespace()).map(|scope| Scope::new(scope.to_owned())).collect();
        Ok(Self {
            access: oauth2::AccessToken::new(wire.access_token.unwrap_or_default()),
            // A type that is missing is the only one there is.
            kind: some(wire.token_type).is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")).then_some(BasicTokenType::Bearer),
            refresh: some(wire.refresh_token).map(RefreshToken::new),
            id_token: some(wire.id_token).map(Zeroizing::new),
            client_info: some(wire.client_info).map(Zeroizing::new),
            scopes: (!scopes.is_empty()).then_some(scopes),
            lifetime: wire.expires_in.map(|seconds| Duration::from_secs(u64::try_from(seconds.clamp(0, LONGEST_LIFETIME)).unwrap_or(0))),
        })
    }
}

impl EntraToken {
    /// None: it is not a bearer token one can use.
    pub fn grant(self) -> Option<Grant> {
        let fits = |text: &str| !text.is_empty() && text.len() <= LONGEST_TOKEN && text.bytes().all(|b| (0x21..0x7f).contains(&b));
        let access = self.access.secret();
        if self.kind.is_none() || !fits(access) {
            return None;
        }
        let refresh_token = self.refresh.as_ref().map(|t| Zeroizing::new(t.secret().clone()));
        if refresh_token.as_ref().is_some_and(|t| !fits(t)) {
            return None;
        }
        Some(Grant {
            access_token: AccessToken::new(access.clone()),
            refresh_token,
            id_token: self.id_token,
            client_info: self.client_info,
            answered_at: None,
            scopes: self.scopes.map(|scopes| super::super::scopes::granted(&scopes.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(" "))),
            // Without a lifetime it is taken as short: asking early costs one request.
            lifetime: self.lifetime.filter(|lifetime| !lifetime.is_zero()).unwrap_or(Duration::from_secs(600)),
            secrets: Secrets::default(),
        })
    }
}

impl oauth2::TokenResponse for EntraToken {
    type TokenType = BasicTokenType;
    fn access_token(&self) -> &oauth2::AccessToken {
        &self.access
    }
    fn token_type(&self) -> &BasicTokenType {
        self.kind.as_ref().unwrap_or(&BasicTokenType::Mac)
    }
    fn expires_in(&self) -> Option<Duration> {
        self.lifetime
    }
    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh.as_ref()
    }
    fn scopes(&self) -> Option<&Vec<Scope>> {
        self.scopes.as_ref()
    }
}

impl fmt::Debug for EntraToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntraToken(…)")
    }
}

/// Entra's error body, as much as decides. Without `error` it is none.
#[derive(Serialize, Deserialize)]
pub struct EntraError {
    error: String,
    #[serde(default, deserialize_with = "lenient::scalar")]
    error_description: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalars")]
    error_codes: Vec<i64>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    suberror: Option<String>,
    #[serde(default, deserialize_with = "claims")]
    claims: Option<String>,
}

/// A JSON text, or the object itself.
fn claims<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(input)? {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Object(object) => Some(serde_json::Value::Object(object).to_string()),
        _ => None,
    })
}

impl oauth2::ErrorResponse for EntraError {}

impl fmt::Debug for EntraError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntraError")
    }
}

impl fmt::Display for EntraError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entra refused")
    }
}

impl EntraError {
    /// What decides of it. Claims that repeat what was sent are no claims: they would go into a link and into the store.
    pub fn refusal(self, secrets: &Secrets) -> Refusal {
        let listed = self.error_codes.iter().find_map(|code| u32::try_from(*code).ok());
        let aadsts = listed.or_else(|| aadsts(self.error_description.as_deref()?));
        let is_object = |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok();
        let claims = self.claims.filter(|text| text.len() <= LONGEST_CLAIMS && is_object(text) && !secrets.shares(text));
        Refusal { error: self.error, suberror: self.suberror.unwrap_or_default(), aadsts, claims }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn grant(body: &str) -> Option<Grant> {
        json::read::<EntraToken>(body.as_bytes()).ok()?.grant()
    }

    #[test]
    fn a_good_answer_is_good_whatever_its_members_look_like() {
        for (members, seconds) in [
            (r#""token_type":"Bearer","expires_in":3599"#, 3599),
            (r#""token_type":"bearer","expires_in":"3599""#, 3599),
            (r#""expires_in":3599.0,"token_type":null"#, 3599),
            (r#""expires_in":"3599.7","ext_expires_in":"never""#, 3599),
            (r#""expires_in":null"#, 600),
            (r#""expires_in":"soon","scope":null,"refresh_token":"","id_token":null"#, 600),
            (r#""expires_in":-5"#, 600),
            (r#""expires_in":99999999999999999999"#, 600),
            (r#""expires_in":[],"scope":{},"refresh_token":{},"id_token":[1]"#, 600),
        ] {
            let grant = grant(&format!(r#"{{"access_token":"at",{members}}}"#)).unwrap_or_else(|| panic!("{members}"));
            assert_eq!(grant.lifetime, Duration::from_secs(seconds), "{members}");
            assert!(grant.refresh_token.is_none() && grant.id_token.is_none() && grant.scopes.is_none(), "{members}");
        }
        for scope in [r#""a b""#, r#"["a","b"]"#, r#"["a b"]"#, r#""  a   b ""#] {
            assert_eq!(grant(&format!(r#"{{"access_token":"at","scope":{scope}}}"#)).unwrap().scopes.unwrap().len(), 2, "{scope}");
        }
    }

    #[test]
    fn without_a_token_that_can_be_used_it_is_none() {
        for body in [r#"{"expires_in":3599}"#, r#"{"access_token":""}"#, r#"{"access_token":null}"#, r#"{"access_token":"a b"}"#, r#"{"access_token":"at","token_type":"mac"}"#, "[]", "null"] {
            assert!(grant(body).is_none(), "{body}");
        }
    }

    #[test]
    fn a_refusal_stays_a_refusal() {
        for details in [
            r#""error_codes":[700082]"#,
            r#""error_codes":["700082"]"#,
            r#""error_codes":"700082""#,
            r#""error_codes":700082"#,
            r#""error_codes":[null,"x",700082.0]"#,
            r#""error_codes":{},"error_description":"AADSTS700082: The refresh token has expired""#,
            r#""error_codes":null,"error_description":"AADSTS700082: expired","suberror":null,"claims":7,"timestamp":[1]"#,
        ] {
            let error: EntraError = json::read(format!(r#"{{"error":"invalid_grant",{details}}}"#).as_bytes()).unwrap_or_else(|_| panic!("{details}"));
            let refusal = error.refusal(&Secrets::default());
            assert_eq!((refusal.error.as_str(), refusal.aadsts), ("invalid_grant", Some(700082)), "{details}");
        }
        for claims in [r#""{\"access_token\":{}}""#, r#"{"access_token":{}}"#] {
            let error: EntraError = json::read(format!(r#"{{"error":"interaction_required","claims":{claims}}}"#).as_bytes()).unwrap();
            assert_eq!(error.refusal(&Secrets::default()).claims.as_deref(), Some(r#"{"access_token":{}}"#));
        }
        assert!(json::read::<EntraError>(b"{}").is_err());
    }
}
