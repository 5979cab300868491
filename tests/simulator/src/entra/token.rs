//! The token endpoint.

use super::grants::{Access, Refresh, is_oidc, short};
use super::{is_alias, keys, tenant_known};
use crate::clock;
use crate::http::{Answer, Call, base64url, decode, form, unbase64};
use crate::world::World;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const CODE_MS: i64 = 10 * 60_000;
const REFRESH_MS: i64 = 90 * 24 * 3_600_000;

/// Entra's error body.
pub fn fail(world: &mut World, status: u16, error: &str, number: u32, sub: Option<&str>, text: &str) -> Answer {
    let (trace, correlation) = (world.noise.guid(), world.noise.guid());
    let stamp = clock::iso(world.now()).replace('T', " ");
    let mut body = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
        ),
        "error_codes": [number], "timestamp": stamp, "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("{}/error?code={number}", world.origins.login),
    });
    if let Some(sub) = sub {
        body["suberror"] = json!(sub);
    }
    Answer::json(status, &body)
}

pub fn no_tenant(world: &mut World, tenant: &str) -> Answer {
    let text = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
    );
    fail(world, 400, "invalid_tenant", 90_002, None, &text)
}

pub fn unknown_app(client_id: &str, tenant: &str) -> String {
    format!(
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the application \
         has not been installed by the administrator of the tenant or consented to by any user in the tenant."
    )
}

pub fn handle(world: &mut World, call: &Call, tenant: &str, seq: u64) -> Answer {
    let mut fields = form(&String::from_utf8_lossy(&call.body));
    // HTTP Basic is the other way to say who the client is.
    let basic = call.header("authorization").and_then(|a| a.strip_prefix("Basic ")).and_then(unbase64);
    if let Some((id, secret)) = basic
        .and_then(|b| String::from_utf8(b).ok())
        .and_then(|t| t.split_once(':').map(|(id, secret)| (decode(id, true), decode(secret, true))))
    {
        fields.push(("client_id".into(), id));
        fields.push(("client_secret".into(), secret));
    }
    let get = |name: &str| fields.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
    match answer(world, call, tenant, seq, &get) {
        Ok(answer) | Err(answer) => answer,
    }
}

type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

fn need(world: &mut World, get: Get, name: &str) -> Result<String, Answer> {
    get(name).ok_or_else(|| {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        fail(world, 400, "invalid_request", 900_144, None, &text)
    })
}

fn answer(world: &mut World, call: &Call, tenant: &str, seq: u64, get: Get) -> Result<Answer, Answer> {
    if !tenant_known(world, tenant) {
        return Err(no_tenant(world, tenant));
    }
    let grant = need(world, get, "grant_type")?;
    let client_id = need(world, get, "client_id")?;
    let Some(app) = world.people.app(&client_id) else {
        return Err(fail(world, 400, "unauthorized_client", 700_016, None, &unknown_app(&client_id, tenant)));
    };
    let (right, public) = (app.secret.clone(), app.public);
    match (get("client_secret"), right) {
        (Some(_), None) => {
            let text = "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
            return Err(fail(world, 401, "invalid_client", 700_025, None, text));
        }
        (Some(given), Some(right)) if given != right => {
            let text = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
                        not the client secret ID, for a secret added to app.";
            return Err(fail(world, 401, "invalid_client", 7_000_215, None, text));
        }
        (None, Some(_)) if !public => {
            let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            return Err(fail(world, 401, "invalid_client", 7_000_218, None, text));
        }
        _ => {}
    }
    match grant.as_str() {
        "authorization_code" => redeem(world, call, &client_id, seq, get),
        "refresh_token" => refresh(world, call, &client_id, get),
        "client_credentials" => app_only(world, tenant, get),
        _ => {
            let text = "The provided value for the input parameter 'grant_type' is not valid.";
            Err(fail(world, 400, "unsupported_grant_type", 70_003, None, text))
        }
    }
}

fn redeem(world: &mut World, call: &Call, client_id: &str, seq: u64, get: Get) -> Result<Answer, Answer> {
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
    if let Some(kept) = world.entra.codes.get_mut(&given) {
        kept.used = true;
    }
    let asked: Option<Vec<String>> = get("scope").map(|s| s.split_whitespace().map(String::from).collect());
    // The scopes of sign-in count as asked for when they were at authorize.
    let scopes = match asked {
        Some(asked) => {
            let fits = |s: &&String| is_oidc(s) || code.scopes.iter().any(|c| short(c).eq_ignore_ascii_case(short(s)));
            let mut scopes: Vec<String> = asked.iter().filter(fits).cloned().collect();
            scopes.extend(code.scopes.iter().filter(|s| is_oidc(s) && !asked.contains(s)).cloned());
            scopes
        }
        None => code.scopes.clone(),
    };
    Ok(give(world, call, client_id, code.person, scopes, code.nonce, get("client_info").is_some()))
}

fn refresh(world: &mut World, call: &Call, client_id: &str, get: Get) -> Result<Answer, Answer> {
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
    let asked: Vec<String> = match get("scope") {
        Some(text) => text.split_whitespace().map(String::from).collect(),
        None => old.scopes.clone(),
    };
    let defaulted = asked.iter().any(|s| short(s) == ".default");
    let graph: Vec<String> = asked.iter().filter(|s| !is_oidc(s) && short(s) != ".default").cloned().collect();
    if !world.entra.consented(client_id, old.person, &graph) {
        return Err(no_consent(world, client_id));
    }
    let mut scopes = if defaulted { old.scopes.clone() } else { graph };
    // Sign-in scopes stay with the grant.
    scopes.retain(|s| !is_oidc(s));
    scopes.extend(old.scopes.iter().filter(|s| is_oidc(s)).cloned());
    Ok(give(world, call, client_id, old.person, scopes, None, get("client_info").is_some()))
}

fn inactive(world: &mut World, issued: &str) -> Answer {
    let text = format!(
        "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive for 90.00:00:00."
    );
    fail(world, 400, "invalid_grant", 700_082, Some("token_expired"), &text)
}

fn no_consent(world: &mut World, client_id: &str) -> Answer {
    let text = format!(
        "The user or administrator has not consented to use the application with ID '{client_id}' named 'Simulated app'. \
         Send an interactive authorization request for this user and resource."
    );
    fail(world, 400, "invalid_grant", 65_001, Some("consent_required"), &text)
}

fn app_only(world: &mut World, tenant: &str, get: Get) -> Result<Answer, Answer> {
    let scope = need(world, get, "scope")?;
    if is_alias(tenant) {
        let text = "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or \
                    tenant-specific endpoint.";
        return Err(fail(world, 400, "invalid_request", 9_001_023, None, text));
    }
    if short(&scope) != ".default" {
        let text = format!("The provided request must include a 'scope' input parameter. The scope {scope} is not valid.");
        return Err(fail(world, 400, "invalid_scope", 70_011, None, &text));
    }
    let seconds = world.limits.token_seconds;
    let access = Access {
        person: None,
        tenant: world.people.tenant(tenant).unwrap_or(0),
        scopes: Vec::new(),
        expires_ms: world.now() + seconds * 1000,
    };
    let token = world.entra.give_access(&mut world.noise, access);
    let body = json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token});
    Ok(Answer::json(200, &body))
}

/// The 200 for a person: an access token, and what else was asked for.
fn give(
    world: &mut World,
    call: &Call,
    client_id: &str,
    person: usize,
    scopes: Vec<String>,
    nonce: Option<String>,
    info: bool,
) -> Answer {
    let now = world.now();
    let seconds = world.limits.token_seconds;
    let graph: Vec<String> = scopes.iter().filter(|s| !is_oidc(s)).map(|s| short(s).to_string()).collect();
    let access = Access {
        person: Some(person),
        tenant: world.people.people[person].tenant,
        scopes: graph.clone(),
        expires_ms: now + seconds * 1000,
    };
    let token = world.entra.give_access(&mut world.noise, access);
    let full = world.odd("scopes_in_full");
    let told: Vec<String> =
        graph.iter().map(|s| if full { format!("https://graph.microsoft.com/{s}") } else { s.clone() }).collect();
    let mut body = json!({
        "token_type": "Bearer", "scope": told.join(" "), "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
    });
    let has = |name: &str| scopes.iter().any(|s| s == name);
    if has("offline_access") {
        let refresh = format!("1.{}", world.noise.text(400));
        let serial = world.entra.next_serial();
        let kept = Refresh { client_id: client_id.to_string(), person, scopes: scopes.clone(), serial, issued_ms: now };
        world.entra.refresh.insert(refresh.clone(), kept);
        body["refresh_token"] = json!(refresh);
    }
    let tenant = world.people.tenant_of(person).id.clone();
    let who = &world.people.people[person];
    if has("openid") {
        let mut claims = json!({
            "aud": client_id, "iss": format!("{}/{tenant}/v2.0", call.origin), "iat": now / 1000, "nbf": now / 1000,
            "exp": now / 1000 + 3600, "oid": who.id, "tid": tenant, "ver": "2.0", "preferred_username": who.address,
            "name": who.name, "sub": base64url(&Sha256::digest(format!("{client_id} {}", who.id).as_bytes())),
        });
        if has("email") {
            claims["email"] = json!(who.address);
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        body["id_token"] = json!(keys::sign(&claims));
    }
    if info {
        let text: Value = json!({"uid": who.id, "utid": tenant});
        body["client_info"] = json!(base64url(text.to_string().as_bytes()));
    }
    Answer::json(200, &body)
}
