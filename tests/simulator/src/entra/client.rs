//! Is the client who it says it is: by secret, by certificate, or not at all for a public one.

use super::token::{Get, fail, is_device};
use crate::apps::{App, Certificate};
use crate::clock;
use crate::http::{Answer, Call, unbase64};
use crate::world::World;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub fn authenticate(world: &mut World, call: &Call, tenant: &str, app: &App, grant: &str, get: Get) -> Result<(), Answer> {
    let mut refuse = |number: u32, text: String| Err(fail(world, 401, "invalid_client", number, None, &text));
    let (secret, assertion) = (get("client_secret"), get("client_assertion"));
    let has_credentials = app.secret.is_some() || !app.certificates.is_empty();
    if (secret.is_some() || assertion.is_some()) && !has_credentials {
        let text = "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
        return refuse(700_025, text.into());
    }
    match (secret, assertion) {
        (Some(given), _) if app.secret.as_ref() != Some(&given) => {
            let text = format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the \
                 client secret ID, for a secret added to app '{}'.",
                app.client_id
            );
            refuse(7_000_215, text)
        }
        (Some(_), _) => {
            let now = world.now();
            if app.secret_expires_ms.is_some_and(|at| now >= at) {
                let text = format!(
                    "The provided client secret keys for app '{}' are expired. Visit the Azure portal to create new keys for your \
                     app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: \
                     https://aka.ms/certCreds.",
                    app.client_id
                );
                return Err(fail(world, 401, "invalid_client", 7_000_222, None, &text));
            }
            Ok(())
        }
        (None, Some(token)) => {
            if get("client_assertion_type").as_deref() != Some(ASSERTION) {
                let text = "The request body must contain the following parameter: 'client_assertion_type'.";
                return Err(fail(world, 400, "invalid_request", 900_144, None, text));
            }
            assertion_holds(world, call, tenant, app, &token)
                .map_err(|(number, text)| fail(world, 401, "invalid_client", number, None, &text))
        }
        (None, None) => {
            let open = match grant {
                "client_credentials" | super::on_behalf::GRANT => false,
                grant if is_device(grant) => app.device_flow,
                _ => app.public,
            };
            if open {
                return Ok(());
            }
            refuse(
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.".into(),
            )
        }
    }
}

type Wrong = (u32, String);

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&unbase64(text)?).ok()
}

/// A JWT that only the holder of a registered certificate's key can have made, for here and for now.
fn assertion_holds(world: &mut World, call: &Call, tenant: &str, app: &App, token: &str) -> Result<(), Wrong> {
    let malformed = || (50_027, "JWT token is invalid or malformed.".to_string());
    let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let (header, claims) = (part(header).ok_or_else(malformed)?, part(claims).ok_or_else(malformed)?);
    let signature = unbase64(signature).ok_or_else(malformed)?;
    let algorithm = header["alg"].as_str().unwrap_or("");
    let certificate = certificate_of(app, &header).ok_or_else(|| {
        let shown = header["x5t#S256"].as_str().or(header["x5t"].as_str()).unwrap_or("");
        let hex: String = unbase64(shown).unwrap_or_default().iter().map(|b| format!("{b:02X}")).collect();
        let text = format!(
            "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key \
             was not found., Thumbprint of key used by client: '{hex}']"
        );
        (700_027, text)
    })?;
    let key: &'static dyn aws_lc_rs::signature::VerificationAlgorithm = match algorithm {
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err((50_027, format!("JWT token is invalid or malformed. The algorithm '{algorithm}' is not supported."))),
    };
    UnparsedPublicKey::new(key, &certificate.key).verify(signed.as_bytes(), &signature).map_err(|_| {
        (
            700_027,
            "Client assertion failed signature validation. [Reason - The key was found, but the signature is wrong.]".into(),
        )
    })?;
    claims_hold(world, call, tenant, app, &claims)
}

/// PS256 goes with the SHA-256 thumbprint, RS256 with either.
fn certificate_of<'a>(app: &'a App, header: &Value) -> Option<&'a Certificate> {
    let named = |field: &str| header[field].as_str().and_then(unbase64);
    let (long, short) = (named("x5t#S256"), named("x5t").filter(|_| header["alg"] == "RS256"));
    app.certificates.iter().find(|c| match (&long, &short) {
        (Some(long), _) => c.sha256 == *long,
        (None, Some(short)) => c.sha1 == *short,
        (None, None) => false,
    })
}

fn claims_hold(world: &mut World, call: &Call, tenant: &str, app: &App, claims: &Value) -> Result<(), Wrong> {
    let text = |name: &str| claims[name].as_str().unwrap_or("");
    if !(text("iss").eq_ignore_ascii_case(&app.client_id) && text("sub").eq_ignore_ascii_case(&app.client_id)) {
        let text = format!("Client assertion application identifier doesn't match 'client_id' parameter. '{}'", app.client_id);
        return Err((700_021, text));
    }
    let mut names = vec![tenant.to_lowercase()];
    if let Some(at) = world.people.tenant(tenant) {
        names.extend([world.people.tenants[at].id.to_lowercase(), world.people.tenants[at].domain.clone()]);
    }
    let ends = ["/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "/"];
    let aimed = names.iter().any(|n| {
        let place = format!("{}/{n}", call.origin);
        ends.iter().any(|end| text("aud").eq_ignore_ascii_case(&format!("{place}{end}")))
    });
    if !aimed {
        return Err((700_023, "Client assertion audience claim does not match Realm issuer.".into()));
    }
    // Five minutes of grace for clocks that differ.
    let now = world.now() / 1000;
    let seconds = |name: &str| claims[name].as_f64().map(|s| s as i64);
    let (from, to) = (seconds("nbf").unwrap_or(now), seconds("exp").unwrap_or(0));
    if now + 300 < from || now >= to + 300 {
        let at = |seconds: i64| clock::iso(seconds * 1000);
        let text = format!(
            "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time of \
             assertion {}.",
            at(now),
            at(from),
            at(to)
        );
        return Err((700_024, text));
    }
    // One assertion may come again as long as it holds: clients keep it.
    if text("jti").is_empty() {
        return Err((50_027, "JWT token is invalid or malformed. The 'jti' is missing.".into()));
    }
    Ok(())
}
