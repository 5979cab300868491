//! The token checklist, for every kind of token there is. Nothing of a token is believed before its signature is verified, and only RS256 with a key of ours verifies it.
//!
//! `jsonwebtoken` verifies the signature, and no more: its `decode` reads the machine's clock, where ours may be told by the service, and takes headers and claims that are two
//! tokens to two readers. `corner_tests` shows which; when it takes them no longer, it can do the rest as well.

use super::issuers::Key;
use super::strict;
use crate::error::{Error, ErrorKind, Result};
use crate::json::lenient;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use subtle::ConstantTimeEq;

const LONGEST: usize = 64 << 10;
const LONGEST_HEADER: usize = 4 << 10;
/// Clocks differ; five minutes are what Microsoft's own libraries allow.
pub(super) const SKEW: i64 = 300;
const LONGEST_KID: usize = 256;
const MOST_ROLES: usize = 500;
/// Entra's longest lifetime of an id token is a day (configurable token lifetimes).
pub(super) const LONGEST_LIFE: i64 = 48 * 3600;
/// The end of the year 9999: what lies outside of these is no time.
pub(super) const LAST_SECOND: i64 = 253_402_300_799;

/// Who somebody is, from a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Tenant id and object id: the only keys. The rest is for display.
    pub tenant_id: String,
    pub user_id: String,
    pub name: String,
    pub address: String,
    /// Who vouched for it, word for word.
    pub issuer: String,
    /// At home in another organisation than the one that vouches.
    pub is_guest: bool,
    /// `sub`: the same for one person and application as long as both exist.
    pub subject: Option<String>,
    /// Ids of the directory roles the person has (`wids`), in lower case. None: the registration does not ask for them.
    pub roles: Option<Vec<String>>,
}

pub fn rejected(why: &str) -> Error {
    Error::new(ErrorKind::TokenRejected, format!("Microsoft's answer did not prove who signed in: {why}. Nothing was stored; start the sign-in again."))
}

/// Members that change how a token is read, bring a key along, or belong to tokens that are encrypted or hold another. They are refused whatever
/// stands in them, null included: a reader that knows one of them and a reader that does not would see two tokens. Microsoft's `x5t` and names that
/// nobody has defined are let be (RFC 7515, section 4).
const SPECIAL: [&str; 13] = ["crit", "b64", "zip", "cty", "enc", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c", "svt"];
const KEYS: [&str; 4] = ["jwk", "jku", "x5u", "x5c"];

/// A compact token with a header that may be ours; its claims cannot be reached yet.
pub struct Unverified<'a> {
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
    kid: String,
}

impl<'a> Unverified<'a> {
    pub fn parse(token: &'a str) -> Result<Self> {
        if token.len() > LONGEST {
            return Err(rejected("its token is too long"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(rejected("its token does not have three parts"));
        };
        if header.len() > LONGEST_HEADER {
            return Err(rejected("the header of its token is too long"));
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| rejected("the header of its token is not base64url"))?;
        let header = strict::object(&header).ok_or_else(|| rejected("the header of its token is no JSON object, or says something twice"))?;
        let alg = header.get("alg").and_then(Value::as_str).ok_or_else(|| rejected("its token does not say how it is signed"))?;
        if alg.eq_ignore_ascii_case("none") {
            return Err(rejected("its token says that it is not signed"));
        }
        if alg.starts_with("HS") {
            return Err(rejected("its token is signed with a shared secret instead of RS256 and Microsoft's key"));
        }
        if alg != "RS256" {
            return Err(rejected("its token is not signed with RS256"));
        }
        if header.get("typ").is_some_and(|typ| !typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"))) {
            return Err(rejected("its token is of another type"));
        }
        if KEYS.iter().any(|name| header.contains_key(*name)) {
            return Err(rejected("its token brings its own key"));
        }
        if SPECIAL.iter().any(|name| header.contains_key(*name)) {
            return Err(rejected("its token asks for special treatment"));
        }
        let kid = header.get("kid").and_then(Value::as_str).filter(|kid| !kid.is_empty() && kid.len() <= LONGEST_KID).map(str::to_owned).ok_or_else(|| rejected("its token names no key"))?;
        if signature.is_empty() {
            return Err(rejected("its token is not signed"));
        }
        let signed = token.get(..token.len() - signature.len() - 1).unwrap_or_default();
        Ok(Self { signed, payload, signature, kid })
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The bytes that the key has signed.
    pub fn payload(&self, key: &Key) -> Result<Vec<u8>> {
        // Strict base64 here, because the verifier's own decoding may be more forgiving and two spellings of one token are one too many.
        URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| rejected("the signature of its token is not base64url"))?;
        let genuine = jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), &key.verifier(), jsonwebtoken::Algorithm::RS256).unwrap_or(false);
        if !genuine {
            return Err(rejected("the signature of its token is wrong"));
        }
        URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| rejected("its token is not base64url"))
    }

    /// The claims that the key has signed.
    pub fn claims<T: DeserializeOwned>(&self, key: &Key) -> Result<T> {
        let claims = strict::object(&self.payload(key)?).ok_or_else(|| rejected("its claims are no JSON object, or say something twice"))?;
        serde_json::from_value(Value::Object(claims)).map_err(|_| rejected("its token lacks what it must say, or says it in another form"))
    }
}

/// Claims of a verified token. A time that is not a whole number and an audience that is a list are refused by the parser; what is only shown may have any form.
#[derive(Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    nbf: i64,
    iat: i64,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(default)]
    tid: Option<String>,
    #[serde(default)]
    oid: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    preferred_username: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    email: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    name: Option<String>,
    /// Where the person is at home, if not at the issuer. Only guests have it; in what form is not promised.
    #[serde(default)]
    idp: Value,
    /// 0: a member, 1: a guest. There only if the registration asks for it.
    #[serde(default)]
    acct: Value,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    wids: Value,
}

impl Claims {
    /// `issuer` as the metadata of our own tenant setting gives it, perhaps with `{tenantid}`. `now` in seconds since 1970.
    pub fn check(self, issuer: &str, key: &Key, client_id: &str, nonce: Option<&str>, now: i64) -> Result<Identity> {
        let tenant_id = self.tid.clone().filter(|tid| is_guid(tid)).ok_or_else(|| rejected("its token names no tenant"))?;
        if self.iss != issuer.replace("{tenantid}", &tenant_id) {
            if same_but_tenant(&self.iss, issuer) {
                return Err(rejected("its token names another tenant than the one that issued it"));
            }
            return Err(rejected("its token comes from another issuer"));
        }
        if key.issuer.as_ref().is_some_and(|of_key| self.iss != of_key.replace("{tenantid}", &tenant_id)) {
            return Err(rejected("its token is signed with a key of another issuer"));
        }
        if self.aud != client_id {
            return Err(rejected("its token is for another application"));
        }
        if [self.exp, self.nbf, self.iat].iter().any(|time| !(0..=LAST_SECOND).contains(time)) {
            return Err(rejected("its token has a time that is none"));
        }
        if self.exp <= self.nbf || self.exp.saturating_sub(self.iat) > LONGEST_LIFE {
            return Err(rejected("its token has a lifetime that Microsoft does not give"));
        }
        if now >= self.exp.saturating_add(SKEW) {
            return Err(rejected("its token has expired; compare this machine's clock"));
        }
        if now < self.nbf.saturating_sub(SKEW) {
            return Err(rejected("its token is not valid yet; compare this machine's clock"));
        }
        if now < self.iat.saturating_sub(SKEW) {
            return Err(rejected("its token was issued in the future; compare this machine's clock"));
        }
        let same = |nonce: &str| self.nonce.as_ref().is_some_and(|given| bool::from(given.as_bytes().ct_eq(nonce.as_bytes())));
        if !nonce.is_none_or(same) {
            return Err(rejected("its token belongs to another sign-in"));
        }
        let is_guest = self.is_guest(&tenant_id);
        // In any other form than a list of ids it says nothing.
        let roles = match &self.wids {
            Value::Array(ids) => ids.iter().take(MOST_ROLES).map(|id| id.as_str().map(str::to_ascii_lowercase)).collect(),
            _ => None,
        };
        let user_id = self.oid.filter(|oid| is_guid(oid)).ok_or_else(|| rejected("its token names no person"))?;
        let shown = |text: Option<String>| text.filter(|t| t.len() <= 1000 && !t.chars().any(char::is_control)).unwrap_or_default();
        let address = shown(self.email.filter(|e| !e.is_empty()).or(self.preferred_username));
        Ok(Identity { tenant_id: tenant_id.to_ascii_lowercase(), user_id: user_id.to_ascii_lowercase(), name: shown(self.name), address, issuer: self.iss, is_guest, subject: self.sub, roles })
    }

    /// What cannot be read counts as a guest's.
    fn is_guest(&self, tenant_id: &str) -> bool {
        let is_at_home = match &self.idp {
            Value::Null => true,
            Value::String(idp) => *idp == self.iss || idp.split('/').any(|part| part.eq_ignore_ascii_case(tenant_id)),
            _ => false,
        };
        let is_member = match &self.acct {
            Value::Null => true,
            Value::String(acct) => acct == "0",
            acct => acct.as_i64() == Some(0),
        };
        !(is_at_home && is_member)
    }
}

/// An issuer of the template, whoever its tenant is.
fn same_but_tenant(iss: &str, template: &str) -> bool {
    template.split_once("{tenantid}").and_then(|(before, after)| iss.strip_prefix(before)?.strip_suffix(after)).is_some_and(is_guid)
}

/// `00000000-0000-0000-0000-000000000000`
pub fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().enumerate().all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}
