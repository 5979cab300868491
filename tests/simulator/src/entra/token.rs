//! The token endpoint: what is checked of every request, and the form of its refusals.

use super::request::{Authority, audience};
use super::{app_only, client, device, on_behalf, redeem, tenant_known, v1};
use crate::clock;
use crate::http::{Answer, Call, decode, form, unbase64};
use crate::routes::lacks;
use crate::world::World;
use serde_json::json;

/// The grant of the device code flow, by its long name or by the short one that older clients send.
pub fn is_device(grant: &str) -> bool {
    matches!(grant, "urn:ietf:params:oauth:grant-type:device_code" | "device_code")
}

/// Grants that Microsoft takes and the simulator does not.
pub const LACKING: [&str; 5] = [
    "password",
    "urn:ietf:params:oauth:grant-type:saml1_1-bearer",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "srv_challenge",
];

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

/// `old` is the first generation of the endpoint, which is asked for a resource instead of scopes.
pub fn handle(world: &mut World, call: &Call, tenant: &str, seq: u64, old: bool) -> Answer {
    let mut fields = form(&String::from_utf8_lossy(&call.body));
    if old {
        v1::scopes_of(&mut fields);
    }
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
    let answer = match answer(world, call, tenant, seq, &get) {
        Ok(answer) if old => v1::in_v1_form(world, call, answer),
        Ok(answer) => answer,
        Err(refusal) => return refusal,
    };
    if !world.odd("huge_token_answer") {
        return answer;
    }
    let mut body = answer.value().unwrap_or_default();
    body["padding"] = json!("x".repeat(10 << 20));
    Answer::json(200, &body)
}

pub type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

pub fn need(world: &mut World, get: Get, name: &str) -> Result<String, Answer> {
    get(name).ok_or_else(|| {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        fail(world, 400, "invalid_request", 900_144, None, &text)
    })
}

/// The claims that are asked for must be a JSON object, or the request is malformed.
fn readable_claims(world: &mut World, get: Get) -> Result<(), Answer> {
    match get("claims").map(|c| serde_json::from_str::<serde_json::Map<_, _>>(&c)) {
        Some(Err(_)) => {
            let text = "Invalid request. The request is malformed or invalid: 'claims' is not a JSON object.";
            Err(fail(world, 400, "invalid_request", 9_002_313, None, text))
        }
        _ => Ok(()),
    }
}

fn answer(world: &mut World, call: &Call, tenant: &str, seq: u64, get: Get) -> Result<Answer, Answer> {
    if !tenant_known(world, tenant) {
        return Err(no_tenant(world, tenant));
    }
    let grant = need(world, get, "grant_type")?;
    let client_id = need(world, get, "client_id")?;
    let Some(app) = world.people.app(&client_id).cloned() else {
        return Err(fail(world, 400, "unauthorized_client", 700_016, None, &unknown_app(&client_id, tenant)));
    };
    if let Err((number, text)) = audience(world, &app, tenant, Authority::of(world, tenant)) {
        let error = if number == 700_016 { "unauthorized_client" } else { "invalid_request" };
        return Err(fail(world, 400, error, number, None, &text));
    }
    if LACKING.contains(&grant.as_str()) {
        return Err(lacks(call, &format!("grant_type {grant}")));
    }
    client::authenticate(world, call, tenant, &app, &grant, get)?;
    readable_claims(world, get)?;
    match grant.as_str() {
        "authorization_code" => redeem::code(world, call, tenant, &app.client_id, seq, get),
        "refresh_token" => redeem::refresh(world, call, tenant, &app.client_id, get),
        "client_credentials" => app_only::answer(world, tenant, &app, get),
        on_behalf::GRANT => on_behalf::answer(world, call, tenant, &app, get),
        grant if is_device(grant) => device::poll(world, call, &app.client_id, get),
        _ => {
            let text = "The provided value for the input parameter 'grant_type' is not valid.";
            Err(fail(world, 400, "unsupported_grant_type", 70_003, None, text))
        }
    }
}
