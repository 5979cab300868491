//! The client credentials grant: an app on its own, in a tenant whose administrator agreed.

use super::consent::installed;
use super::grants::{Access, short};
use super::{is_alias, resource};
use super::token::{Get, fail, need, unknown_app};
use crate::apps::{App, Audience};
use crate::http::Answer;
use crate::people::{BOT_FRAMEWORK, PERSONAL};
use crate::world::World;
use serde_json::json;

pub fn answer(world: &mut World, tenant: &str, app: &App, get: Get) -> Result<Answer, Answer> {
    let scope = need(world, get, "scope")?;
    let at = world.people.tenant(tenant).filter(|_| !is_alias(tenant));
    let Some(at) = at.filter(|t| world.people.tenants[*t].id != PERSONAL) else {
        let text = "The grant type is not supported over the /common or /consumers endpoints. Please use the /organizations or \
                    tenant-specific endpoint.";
        return Err(fail(world, 400, "invalid_request", 9_001_023, None, text));
    };
    let scopes = [scope.clone()];
    if let Some((error, number, text)) = resource::wrong(world, tenant, &scopes) {
        return Err(fail(world, 400, error, number, None, &text));
    }
    if short(&scope) != ".default" {
        let text = format!("The provided request must include a 'scope' input parameter. The scope {scope} is not valid.");
        return Err(fail(world, 400, "invalid_scope", 70_011, None, &text));
    }
    let id = world.people.tenants[at].id.clone();
    // A bot of many organisations is known where all bots are, one of a single organisation at home.
    let at_home = matches!(&app.audience, Audience::Single(own) if *own == world.people.tenants[at].domain);
    let bot = (id == BOT_FRAMEWORK || at_home) && app.bot && scope.starts_with("https://api.botframework.");
    if !bot && !installed(world, &app.client_id, at) {
        let text = unknown_app(&app.client_id, if id == BOT_FRAMEWORK { "Bot Framework" } else { &id });
        return Err(fail(world, 400, "unauthorized_client", 700_016, None, &text));
    }
    let mut roles = Vec::new();
    if let Some(approval) = world.entra.approval(&app.client_id, at) {
        roles = approval.roles.clone();
        if approval.late > 0 {
            approval.late -= 1;
            if approval.late == 1 {
                let text = unknown_app(&app.client_id, &id);
                return Err(fail(world, 400, "unauthorized_client", 700_016, None, &text));
            }
            roles.clear();
        }
    }
    let audience = resource::audience(resource::first(&scopes));
    if !resource::is_graph(&scope) {
        roles.clear();
    }
    let seconds = world.limits.token_seconds;
    let now = world.now();
    let mut claims = json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{id}/"), "iat": now / 1000,
        "nbf": now / 1000, "exp": now / 1000 + seconds, "appid": app.client_id, "idtyp": "app", "tid": id, "ver": "1.0",
    });
    // Of a token without roles the claim is missing altogether.
    if !roles.is_empty() {
        claims["roles"] = json!(roles);
    }
    if let Some(tamper) = world.entra.own_tokens.get(&at) {
        tamper.twist_access(&mut claims);
    }
    let access = Access { person: None, tenant: at, app: app.client_id.to_string(), scopes: roles, expires_ms: now + seconds * 1000, audience, serial: 0 };
    let token = world.entra.give_access(&mut world.noise, access, Some(claims));
    let body = json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token});
    Ok(Answer::json(200, &body))
}
