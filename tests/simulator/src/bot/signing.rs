//! How the Connector proves that an activity is its own: keys, their metadata, and the token of each post.

use crate::entra::keys;
use crate::http::{Answer, Call, base64url};
use crate::world::World;
use serde_json::{Value, json};

const ISSUER: &str = "https://api.botframework.com";
/// Tokens live for an hour.
const SECONDS: i64 = 3_600;

/// Made at the start, so that nobody waits for it.
pub fn warm_up() {
    keys::connector_key(0);
}

/// GET /v1/.well-known/openidconfiguration
pub fn metadata(call: &Call) -> Answer {
    Answer::json(200, &json!({
        "issuer": ISSUER, "authorization_endpoint": "https://invalid.botframework.com", "jwks_uri": format!("{}/v1/.well-known/keys", call.origin),
        "id_token_signing_alg_values_supported": ["RS256"], "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    }))
}

/// GET /v1/.well-known/keys: the key in use, and the one before it.
pub fn keys(world: &World) -> Answer {
    let endorsements = world.bots.endorsements.clone().unwrap_or_else(|| ["msteams", "webchat", "directline", "emulator"].map(String::from).into());
    let last = world.bots.keys;
    let one = |generation: usize| {
        let (kid, n, e) = keys::connector_key(generation)?;
        Some(json!({"kty": "RSA", "use": "sig", "kid": kid, "x5t": kid, "n": n, "e": e, "x5c": [], "endorsements": endorsements}))
    };
    let shown: Vec<Value> = (last.saturating_sub(1)..=last).rev().filter_map(one).collect();
    Answer::json(200, &json!({ "keys": shown }))
}

/// What a post is signed with.
#[derive(Clone, Copy, Default)]
pub enum Key {
    #[default]
    Own,
    /// One that is in no list.
    Other,
    /// `alg` is none.
    None,
    /// The public key as a secret.
    Shared,
    /// One of Microsoft's that signs what people sign in with.
    Entra,
    /// No Authorization at all.
    Absent,
}

impl Key {
    pub fn parse(name: &str) -> Option<Key> {
        Some(match name {
            "own" => Key::Own,
            "other" => Key::Other,
            "none" => Key::None,
            "hs256" => Key::Shared,
            "entra" => Key::Entra,
            "absent" => Key::Absent,
            _ => return None,
        })
    }
}

/// Out of which the token of a post is made when it leaves.
#[derive(Clone, Default)]
pub struct Proof {
    pub bot: String,
    pub service_url: String,
    pub generation: usize,
    pub key: Key,
    /// What is other than it should be; null takes away.
    pub claims: Value,
    pub header: Value,
    /// In place of all of it.
    pub literal: Option<String>,
}

/// As RFC 7396 has it.
pub fn patch(value: &mut Value, with: &Value) {
    let Some(with) = with.as_object() else {
        *value = with.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    let Some(object) = value.as_object_mut() else { return };
    for (name, one) in with {
        if one.is_null() {
            object.remove(name);
        } else {
            patch(object.entry(name.clone()).or_insert(Value::Null), one);
        }
    }
}

impl Proof {
    /// The Authorization header of a post that leaves now.
    pub fn authorization(&self, now_ms: i64) -> Option<String> {
        if self.literal.is_some() {
            return self.literal.clone();
        }
        let now = now_ms / 1_000;
        let mut claims = json!({"iss": ISSUER, "aud": self.bot, "serviceurl": self.service_url, "nbf": now - 300, "exp": now + SECONDS, "iat": now});
        if self.claims.is_object() {
            patch(&mut claims, &self.claims);
        }
        let kid = match self.key {
            Key::Entra => Some(keys::entra_kid()),
            _ => keys::connector_key(self.generation).map(|(kid, ..)| kid),
        };
        let algorithm = match self.key {
            Key::None => "none",
            Key::Shared => "HS256",
            _ => "RS256",
        };
        let mut header = json!({"typ": "JWT", "alg": algorithm, "kid": kid, "x5t": kid});
        if self.header.is_object() {
            patch(&mut header, &self.header);
        }
        let text = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
        let signature = match self.key {
            Key::Own => keys::connector_sign(self.generation, &text),
            Key::Other => keys::foreign_sign(&text),
            Key::Entra => keys::entra_sign(&text),
            Key::Shared => keys::connector_hmac(self.generation, &text),
            Key::None => Vec::new(),
            Key::Absent => return None,
        };
        Some(format!("Bearer {text}.{}", base64url(&signature)))
    }
}
