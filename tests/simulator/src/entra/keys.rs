//! The signing keys, made once for the whole process, and id tokens signed with them, well or badly.

use crate::http::base64url;
use crate::ids::Ids;
use crate::people::PERSONAL;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// One for the tenants of organisations, one for personal accounts, one that nobody knows, and three of the Bot Connector.
const KIDS: [&str; 6] = [
    "simulated-signing-key-1",
    "simulated-personal-key-1",
    "simulated-foreign-key-1",
    "simulated-connector-key-1",
    "simulated-connector-key-2",
    "simulated-connector-key-3",
];
const FOREIGN: usize = 2;
const CONNECTOR: [usize; 3] = [3, 4, 5];

/// A tenant and a person whom nobody here knows.
const SOMEWHERE: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const SOMEBODY: &str = "0f0f0f0f-86f1-41af-91ab-2d7cd011db47";

/// What is wrong with the answer on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tamper {
    AlgNone,
    Hs256,
    ForeignKid,
    WrongTenant,
    WrongNonce,
    WrongAudience,
    WrongIssuer,
    Expired,
    NotYet,
    /// No id token at all.
    Missing,
    OtherPerson,
    OtherSubject,
    /// What `client_info` says.
    InfoPerson,
    InfoTenant,
    /// What the access token says.
    AccessPerson,
    AccessTenant,
    AccessAudience,
    AccessApp,
    AccessIssuer,
    /// Nothing says whose it is: no id token, and an access token that cannot be read.
    Opaque,
    /// The same, and it opens another person's account.
    OpaqueOther,
}

impl Tamper {
    pub fn parse(name: &str) -> Option<Tamper> {
        Some(match name {
            "alg_none" => Tamper::AlgNone,
            "hs256" => Tamper::Hs256,
            "foreign_kid" => Tamper::ForeignKid,
            "wrong_tenant" => Tamper::WrongTenant,
            "wrong_nonce" => Tamper::WrongNonce,
            "wrong_audience" => Tamper::WrongAudience,
            "wrong_issuer" => Tamper::WrongIssuer,
            "expired" => Tamper::Expired,
            "not_yet" => Tamper::NotYet,
            "none" => Tamper::Missing,
            "other_person" => Tamper::OtherPerson,
            "other_subject" => Tamper::OtherSubject,
            "info_other_person" => Tamper::InfoPerson,
            "info_other_tenant" => Tamper::InfoTenant,
            "access_other_person" => Tamper::AccessPerson,
            "access_other_tenant" => Tamper::AccessTenant,
            "access_other_audience" => Tamper::AccessAudience,
            "access_other_app" => Tamper::AccessApp,
            "access_other_issuer" => Tamper::AccessIssuer,
            "opaque" => Tamper::Opaque,
            "opaque_other_person" => Tamper::OpaqueOther,
            _ => return None,
        })
    }

    pub fn is_opaque(self) -> bool {
        matches!(self, Tamper::Opaque | Tamper::OpaqueOther)
    }

    /// Those that lie in what the access token says.
    pub fn twist_access(self, claims: &mut Value) {
        match self {
            Tamper::AccessPerson => claims["oid"] = json!(SOMEBODY),
            Tamper::AccessTenant => claims["tid"] = json!(SOMEWHERE),
            Tamper::AccessAudience => claims["aud"] = json!("https://outlook.office.com"),
            Tamper::AccessApp => claims["appid"] = json!("4f2b6f0a-0000-4000-8000-0000000000ff"),
            Tamper::AccessIssuer => claims["iss"] = json!(format!("https://sts.windows.net/{SOMEWHERE}/")),
            _ => {}
        }
    }

    /// Those that lie in `client_info`, which comes then without being asked for.
    pub fn twist_info(self, info: &mut Value) -> bool {
        match self {
            Tamper::InfoPerson => info["uid"] = json!(SOMEBODY),
            Tamper::InfoTenant => info["utid"] = json!(SOMEWHERE),
            _ => return false,
        }
        true
    }

    /// Those that lie in what the token says; the others are about its signature.
    pub fn twist(self, claims: &mut Value) {
        let now = claims["iat"].as_i64().unwrap_or(0);
        match self {
            Tamper::WrongTenant => claims["tid"] = json!(SOMEWHERE),
            Tamper::OtherPerson => claims["oid"] = json!(SOMEBODY),
            Tamper::OtherSubject => claims["sub"] = json!("a-subject-of-someone-else"),
            Tamper::WrongNonce => claims["nonce"] = json!("a-nonce-of-someone-else"),
            Tamper::WrongAudience => claims["aud"] = json!("4f2b6f0a-0000-4000-8000-0000000000ff"),
            Tamper::WrongIssuer => {
                let tenant = claims["tid"].as_str().unwrap_or("").to_string();
                claims["iss"] = json!(format!("https://login.example/{tenant}/v2.0"));
            }
            Tamper::Expired => {
                (claims["iat"], claims["nbf"], claims["exp"]) = (json!(now - 7200), json!(now - 7200), json!(now - 3600));
            }
            Tamper::NotYet => {
                (claims["iat"], claims["nbf"], claims["exp"]) = (json!(now + 3600), json!(now + 3600), json!(now + 7200));
            }
            _ => {}
        }
    }
}

fn key(which: usize) -> Option<&'static KeyPair> {
    static KEYS: [OnceLock<Option<KeyPair>>; KIDS.len()] = [const { OnceLock::new() }; KIDS.len()];
    KEYS.get(which)?.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).ok()).as_ref()
}

/// Making a key takes a moment; nobody needs to wait for it.
pub fn warm_up() {
    key(0);
    key(1);
}

/// Modulus and exponent out of the DER form of an RSA public key.
fn numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    fn element(at: &[u8]) -> Option<(&[u8], &[u8])> {
        let first = *at.get(1)? as usize;
        let (length, start) = if first < 128 {
            (first, 2)
        } else {
            let n = first & 127;
            (at.get(2..2 + n)?.iter().fold(0, |sum, b| sum << 8 | *b as usize), 2 + n)
        };
        Some((at.get(start..start + length)?, at.get(start + length..)?))
    }
    let (inside, _) = element(der)?;
    let (n, rest) = element(inside)?;
    let (e, _) = element(rest)?;
    Some((n.strip_prefix(&[0]).unwrap_or(n), e))
}

/// The keys; `fill` puts ten thousand others before them.
pub fn jwks(login: &str, fill: Option<&mut Ids>) -> Value {
    let entry = |kid: &str, n: String, e: String, tenant: &str| {
        json!({
            "kty": "RSA", "use": "sig", "kid": kid, "x5t": kid, "n": n, "e": e, "alg": "RS256",
            "issuer": format!("{login}/{tenant}/v2.0"),
        })
    };
    let mut keys = Vec::new();
    if let Some(ids) = fill {
        keys.extend((0..10_000).map(|n| entry(&format!("old-key-{n}"), ids.text(342), "AQAB".into(), "{tenantid}")));
    }
    for (which, tenant) in ["{tenantid}", PERSONAL].into_iter().enumerate() {
        if let Some((n, e)) = key(which).and_then(|k| numbers(k.public_key().as_ref())) {
            keys.push(entry(KIDS[which], base64url(n), base64url(e), tenant));
        }
    }
    json!({"keys": keys})
}

/// A key of the Bot Connector, by how often it has been changed: its id, modulus and exponent.
pub fn connector_key(generation: usize) -> Option<(&'static str, String, String)> {
    let which = CONNECTOR[generation % CONNECTOR.len()];
    let (n, e) = numbers(key(which)?.public_key().as_ref())?;
    Some((KIDS[which], base64url(n), base64url(e)))
}

fn signature(which: usize, text: &str) -> Vec<u8> {
    let Some(key) = key(which) else { return Vec::new() };
    let mut signature = vec![0; key.public_modulus_len()];
    match key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature) {
        Ok(()) => signature,
        Err(_) => Vec::new(),
    }
}

pub fn connector_sign(generation: usize, text: &str) -> Vec<u8> {
    signature(CONNECTOR[generation % CONNECTOR.len()], text)
}

/// The key of id tokens.
pub fn entra_kid() -> &'static str {
    KIDS[0]
}

pub fn entra_sign(text: &str) -> Vec<u8> {
    signature(0, text)
}

/// By a key that nobody knows.
pub fn foreign_sign(text: &str) -> Vec<u8> {
    signature(FOREIGN, text)
}

/// The public key taken for a shared secret.
pub fn connector_hmac(generation: usize, text: &str) -> Vec<u8> {
    let Some(key) = key(CONNECTOR[generation % CONNECTOR.len()]) else { return Vec::new() };
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.public_key().as_ref()), text.as_bytes()).as_ref().to_vec()
}

pub fn sign(claims: &Value, personal: bool, tamper: Option<Tamper>) -> String {
    let own = usize::from(personal);
    let which = if tamper == Some(Tamper::ForeignKid) { FOREIGN } else { own };
    let algorithm = match tamper {
        Some(Tamper::AlgNone) => "none",
        Some(Tamper::Hs256) => "HS256",
        _ => "RS256",
    };
    let header = json!({"typ": "JWT", "alg": algorithm, "kid": KIDS[which]}).to_string();
    let text = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.to_string().as_bytes()));
    let Some(key) = key(which) else { return text };
    match tamper {
        Some(Tamper::AlgNone) => return format!("{text}."),
        // The old trick: the public key, which everyone has, taken for a shared secret.
        Some(Tamper::Hs256) => {
            let shared = hmac::Key::new(hmac::HMAC_SHA256, key.public_key().as_ref());
            return format!("{text}.{}", base64url(hmac::sign(&shared, text.as_bytes()).as_ref()));
        }
        _ => {}
    }
    format!("{text}.{}", base64url(&signature(which, &text)))
}
