//! For tests of this module and of `auth`: an issuer with a key of its own.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::OnceLock;

pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub const PERSON: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
pub const CLIENT: &str = "99999999-0000-0000-0000-000000000000";

pub struct Issuer {
    key: KeyPair,
}

impl Issuer {
    /// One key for all tests, since making one takes a moment.
    pub fn get() -> &'static Self {
        static ONE: OnceLock<Issuer> = OnceLock::new();
        ONE.get_or_init(|| Self { key: KeyPair::generate(KeySize::Rsa2048).unwrap() })
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// Of any bytes in place of header and claims.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        self.sign_encoded(&format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims)))
    }

    /// Of what is encoded already, however badly.
    pub fn sign_encoded(&self, signed: &str) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token that passes, for a sign-in with this nonce, at `now` seconds.
    pub fn id_token(&self, nonce: &str, now: i64) -> String {
        self.sign(&header(), &claims(nonce, now))
    }

    pub fn jwk(&self) -> Value {
        let public = self.key.public_key();
        json!({
            "kty": "RSA", "use": "sig", "kid": "k1", "x5t": "k1",
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
            "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
        })
    }

    pub fn jwks(&self) -> String {
        json!({ "keys": [self.jwk()] }).to_string()
    }
}

pub fn header() -> Value {
    json!({ "typ": "JWT", "alg": "RS256", "kid": "k1" })
}

pub fn claims(nonce: &str, now: i64) -> Value {
    json!({
        "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"), "aud": CLIENT, "exp": now + 3600, "nbf": now - 10, "iat": now - 10,
        "nonce": nonce, "tid": TENANT, "oid": PERSON, "name": "Ann Example", "preferred_username": "ann@contoso.example", "ver": "2.0",
    })
}

pub fn metadata() -> String {
    json!({ "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0", "jwks_uri": "https://login.microsoftonline.com/common/discovery/v2.0/keys" }).to_string()
}
