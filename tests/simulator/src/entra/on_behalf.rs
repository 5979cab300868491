//! The on-behalf-of grant: an app that was called with a person's token takes one for a service behind it.

use super::consent::{agreed, installed};
use super::grants::is_oidc;
use super::issue::{Grant, give};
use super::redeem::{no_consent, sound};
use super::request::Authority;
use super::token::{Get, fail, need};
use super::{policy, resource};
use crate::apps::App;
use crate::http::{Answer, Call};
use crate::world::World;

pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub fn answer(world: &mut World, call: &Call, tenant: &str, app: &App, get: Get) -> Result<Answer, Answer> {
    let assertion = need(world, get, "assertion")?;
    let scope = need(world, get, "scope")?;
    if need(world, get, "requested_token_use")? != "on_behalf_of" {
        let text = "The provided value for the input parameter 'requested_token_use' is not valid.";
        return Err(fail(world, 400, "invalid_request", 900_023, None, text));
    }
    let Some(access) = world.entra.access(&assertion).cloned() else {
        let text = "Assertion failed signature validation. [Reason - The key was not found.]";
        return Err(fail(world, 400, "invalid_grant", 50_013, None, text));
    };
    if !resource::app_of(world, &access.audience).is_some_and(|a| a.client_id.eq_ignore_ascii_case(&app.client_id)) {
        let text = format!(
            "Assertion audience does not match the Client app presenting the assertion. The audience in the assertion was '{}' and the \
             expected audience is 'api://{}' or one of the Application Uris of this application.",
            access.audience, app.client_id
        );
        return Err(fail(world, 400, "invalid_grant", 500_131, None, &text));
    }
    if world.now() >= access.expires_ms {
        let text = "Assertion is not within its valid time range. Ensure that the access token is not expired before using it for \
                    user assertion, or request a new token.";
        return Err(fail(world, 400, "invalid_grant", 500_133, None, text));
    }
    let Some(person) = access.person else {
        let text = format!("Application '{}' is not allowed to make application on-behalf-of calls.", app.client_id);
        return Err(fail(world, 400, "invalid_grant", 7_000_114, None, &text));
    };
    if !Authority::of(world, tenant).admits(world, person) {
        let text = "The user account does not exist in this tenant and cannot access the application.";
        return Err(fail(world, 400, "invalid_grant", 50_020, None, text));
    }
    policy::refresh(world, person, access.serial)?;
    let asked: Vec<String> = scope.split_whitespace().map(String::from).collect();
    sound(world, tenant, &asked)?;
    let target = resource::first(&asked).cloned();
    let mut scopes: Vec<String> = asked.iter().filter(|s| !is_oidc(s) && !resource::is_default(s)).cloned().collect();
    if let Some(default) = target.as_ref().filter(|t| resource::is_default(t)) {
        scopes = agreed(world, &app.client_id, person, default);
    }
    let home = world.people.people[person].tenant;
    let settled = !scopes.is_empty() && world.entra.consented(&app.client_id, person, home, &scopes);
    if !installed(world, &app.client_id, home) || !settled {
        return Err(no_consent(world, &app.client_id));
    }
    scopes.extend(asked.iter().filter(|s| is_oidc(s)).cloned());
    let (client_id, info) = (app.client_id.clone(), get("client_info").is_some());
    Ok(give(world, call, Grant { client_id, person, scopes, target, nonce: None, info, tamper: None }))
}
