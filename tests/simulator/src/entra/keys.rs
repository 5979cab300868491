//! The signing key, made once for the whole process, and id tokens signed with it.

use crate::http::base64url;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};
use std::sync::OnceLock;

const KID: &str = "simulated-signing-key-1";

fn key() -> Option<&'static KeyPair> {
    static KEY: OnceLock<Option<KeyPair>> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).ok()).as_ref()
}

/// Making a key takes a moment; nobody needs to wait for it.
pub fn warm_up() {
    key();
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

pub fn jwks(login: &str) -> Value {
    let Some((n, e)) = key().and_then(|k| numbers(k.public_key().as_ref())) else {
        return json!({"keys": []});
    };
    json!({"keys": [{
        "kty": "RSA", "use": "sig", "kid": KID, "x5t": KID, "n": base64url(n), "e": base64url(e), "alg": "RS256",
        "issuer": format!("{login}/{{tenantid}}/v2.0"),
    }]})
}

pub fn sign(claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": KID}).to_string();
    let text = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.to_string().as_bytes()));
    let Some(key) = key() else { return text };
    let mut signature = vec![0; key.public_modulus_len()];
    match key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature) {
        Ok(()) => format!("{text}.{}", base64url(&signature)),
        Err(_) => text,
    }
}
