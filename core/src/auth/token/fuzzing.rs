//! What the token endpoint answers, as anybody might write it.

use super::LONGEST_TOKEN;
use super::answer::{EntraError, EntraToken};
use super::Grant;
use crate::foreign::Secrets;
use crate::json;
use std::time::Duration;

/// What was sent for the answer. Seeds repeat it.
const SENT: &str = "1.ATheRefreshTokenThatWasSent8Zq4Wn2";

/// A grant, or a refusal.
pub fn token_answer(bytes: &[u8]) {
    let text = json::text(bytes);
    let mut sent = Secrets::default();
    sent.add_text(SENT);
    // As the oauth2 crate reads it.
    if let Ok(token) = serde_json::from_slice::<EntraToken>(text.as_bytes()) {
        assert_eq!(format!("{token:?}"), "EntraToken(…)");
        if let Some(grant) = token.grant() {
            check(&grant.without(sent.clone()));
        }
    }
    if let Ok(error) = serde_json::from_slice::<EntraError>(text.as_bytes()) {
        assert_eq!((format!("{error:?}").as_str(), error.to_string().as_str()), ("EntraError", "Entra refused"));
        let refusal = error.refusal(&sent);
        if let Some(claims) = &refusal.claims {
            assert!(claims.len() <= 8 << 10 && serde_json::from_str::<serde_json::Map<_, _>>(claims).is_ok(), "claims that are none, or endless");
            assert!(!sent.shares(claims), "claims repeat what was sent");
        }
        let reason = refusal.error(true).reason().to_owned();
        assert!(reason.len() < 2_000 && !sent.shares(&reason), "a reason is foreign text");
    }
}

fn check(grant: &Grant) {
    let is_token = |text: &str| !text.is_empty() && text.len() <= LONGEST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(grant.access_token.expose(is_token), "an access token that is none");
    assert!(grant.refresh_token.as_ref().is_none_or(|token| is_token(token)), "a refresh token that is none");
    assert!((Duration::from_secs(1)..=Duration::from_secs(48 * 3600)).contains(&grant.lifetime), "a lifetime of {:?}", grant.lifetime);
    for scope in grant.scopes.iter().flatten() {
        assert!(!scope.contains(char::is_whitespace), "two scopes in one: {scope:?}");
        assert!(!grant.secrets.are_in_any([scope.as_str()]), "a scope repeats a token");
    }
    for role in grant.roles().iter().flatten() {
        assert!(role.len() <= 300, "an endless role");
    }
}
