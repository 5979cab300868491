//! Codes and refresh tokens, turned into access.

use super::authorize::kept_out;
use super::consent::{agreed, installed};
use super::grants::is_oidc;
use super::issue::{Grant, give};
use super::policy;
use super::request::Authority;
use super::resource::{self, key};
use super::token::{Get, fail, need};
use crate::clock;
use crate::http::{Answer, Call, base64url};
use crate::world::World;
use sha2::{Digest, Sha256};

const CODE_MS: i64 = 10 * 60_000;
const REFRESH_MS: i64 = 90 * 24 * 3_600_000;

pub fn code(world: &mut World, call: &Call, tenant: &str, client_id: &str, seq: u64, get: Get) -> Result<Answer, Answer> {
    let given = need(world, get, "code")?;
    let redirect = need(world, get, "redirect_uri")?;
    let now = world.now();
    let Some(code) = world.entra.codes.get(&given).filter(|c| c.client_id.eq_ignore_ascii_case(client_id)).cloned() else {
        let text = "The provided value for the 'code' parameter is not valid.";
        return Err(fail(world, 400, "invalid_grant", 70_000, None, text));
    };
    if code.used {
        let text = "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.";
        return Err(fail(world, 400, "invalid_grant", 54_005, None, text));
    }
    if now >= code.issued_ms + CODE_MS {
        let text = "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive \
                    authorization request for this user and resource.";
        return Err(fail(world, 400, "invalid_grant", 70_008, None, text));
    }
    if !Authority::of(world, tenant).admits(world, code.person) {
        let text = "Provided Authorization Code is intended to use against other tenant, thus rejected.";
        return Err(fail(world, 400, "invalid_grant", 700_005, None, text));
    }
    if redirect != code.redirect_uri {
        let text = format!(
            "The reply address '{redirect}' does not match the reply address '{}' provided when requesting Authorization code.",
            code.redirect_uri
        );
        return Err(fail(world, 400, "invalid_grant", 500_112, None, &text));
    }
    if let Some((challenge, s256)) = &code.challenge {
        let verifier = get("code_verifier").unwrap_or_default();
        let shown = if *s256 { base64url(&Sha256::digest(verifier.as_bytes())) } else { verifier };
        if shown != *challenge {
            world.ledger.accuse("bad_pkce", seq, "code_verifier does not match the code_challenge");
            let text = "The Code_Verifier does not match the code_challenge supplied in the authorization request.";
            return Err(fail(world, 400, "invalid_grant", 501_481, None, text));
        }
    }
    let asked: Option<Vec<String>> = get("scope").map(|s| s.split_whitespace().map(String::from).collect());
    sound(world, tenant, asked.as_deref().unwrap_or(&[]))?;
    if let Some(kept) = world.entra.codes.get_mut(&given) {
        kept.used = true;
    }
    // The scopes of sign-in count as asked for when they were at authorize.
    let (scopes, target) = match &asked {
        Some(asked) => {
            let fits = |s: &&String| is_oidc(s) || code.scopes.iter().any(|c| key(c) == key(s));
            let mut scopes: Vec<String> = asked.iter().filter(fits).cloned().collect();
            let target = resource::first(asked).cloned();
            if let Some(default) = target.as_ref().filter(|t| resource::is_default(t)) {
                scopes.extend(agreed(world, client_id, code.person, default).into_iter().filter(|s| {
                    code.scopes.iter().any(|c| key(c) == key(s)) || !code.scopes.iter().any(|c| !is_oidc(c) && resource::same(c, s))
                }));
            }
            scopes.extend(code.scopes.iter().filter(|s| is_oidc(s) && !asked.contains(s)).cloned());
            (scopes, target)
        }
        None => (code.scopes.clone(), code.target.clone()),
    };
    let grant = Grant {
        client_id: client_id.to_string(),
        person: code.person,
        scopes,
        target,
        nonce: code.nonce,
        info: get("client_info").is_some(),
        tamper: code.tamper,
    };
    Ok(give(world, call, grant))
}

pub fn refresh(world: &mut World, call: &Call, tenant: &str, client_id: &str, get: Get) -> Result<Answer, Answer> {
    let given = need(world, get, "refresh_token")?;
    let now = world.now();
    let Some(old) = world.entra.refresh.get(&given).filter(|r| r.client_id.eq_ignore_ascii_case(client_id)).cloned() else {
        let text = "The provided value for the 'refresh_token' parameter is not valid.";
        return Err(fail(world, 400, "invalid_grant", 70_000, Some("bad_token"), text));
    };
    let issued = clock::iso_ms(old.issued_ms);
    if let Some((serial, reason, at)) = world.entra.revoked.get(&old.person).cloned()
        && old.serial <= serial
    {
        return Err(match reason.as_str() {
            "inactive" => inactive(world, &issued),
            "consent_withdrawn" => no_consent(world, client_id),
            _ => {
                let text = format!(
                    "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed \
                     or reset their password. The grant was issued on '{issued}' and the TokensValidFrom date (before which tokens \
                     are not valid) for this user is '{}'.",
                    clock::iso_ms(at)
                );
                fail(world, 400, "invalid_grant", 50_173, Some("bad_token"), &text)
            }
        });
    }
    if now >= old.issued_ms + REFRESH_MS {
        return Err(inactive(world, &issued));
    }
    if !Authority::of(world, tenant).admits(world, old.person) {
        let text = kept_out(world, old.person);
        let text = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest).to_string();
        return Err(fail(world, 400, "invalid_grant", 50_020, None, &text));
    }
    policy::refresh(world, old.person, old.serial)?;
    let asked: Vec<String> = match get("scope") {
        Some(text) => text.split_whitespace().map(String::from).collect(),
        None => old.scopes.clone(),
    };
    sound(world, tenant, &asked)?;
    let target = resource::first(&asked).cloned();
    let mut scopes: Vec<String> = asked.iter().filter(|s| !is_oidc(s) && !resource::is_default(s)).cloned().collect();
    if let Some(default) = target.as_ref().filter(|t| resource::is_default(t)) {
        scopes = agreed(world, client_id, old.person, default);
        if scopes.is_empty() {
            return Err(no_consent(world, client_id));
        }
    }
    let home = world.people.people[old.person].tenant;
    if !installed(world, client_id, home) || !world.entra.consented(client_id, old.person, home, &scopes) {
        return Err(no_consent(world, client_id));
    }
    // Sign-in scopes stay with the grant.
    scopes.extend(old.scopes.iter().filter(|s| is_oidc(s)).cloned());
    let (client_id, info) = (client_id.to_string(), get("client_info").is_some());
    let tamper = world.entra.renewal_tamper(old.person);
    Ok(give(world, call, Grant { client_id, person: old.person, scopes, target, nonce: None, info, tamper }))
}

/// Are the scopes of services that there are?
pub fn sound(world: &mut World, tenant: &str, scopes: &[String]) -> Result<(), Answer> {
    match resource::wrong(world, tenant, scopes) {
        Some((error, number, text)) => Err(fail(world, 400, error, number, None, &text)),
        None => Ok(()),
    }
}

fn inactive(world: &mut World, issued: &str) -> Answer {
    let text = format!(
        "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive for 90.00:00:00."
    );
    fail(world, 400, "invalid_grant", 700_082, Some("token_expired"), &text)
}

pub fn no_consent(world: &mut World, client_id: &str) -> Answer {
    let text = format!(
        "The user or administrator has not consented to use the application with ID '{client_id}' named 'Simulated app'. \
         Send an interactive authorization request for this user and resource."
    );
    fail(world, 400, "invalid_grant", 65_001, Some("consent_required"), &text)
}
