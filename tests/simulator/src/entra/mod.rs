//! Entra: discovery, sign-in and tokens.

pub mod adminconsent;
mod app_only;
pub mod authorize;
mod client;
pub mod consent;
pub mod device;
pub mod grants;
mod issue;
pub mod keys;
mod page;
pub mod policy;
mod redeem;
mod request;
mod token;

pub use grants::Entra;

use crate::http::{Answer, Call};
use crate::world::World;
use serde_json::json;

pub fn handle(world: &mut World, call: &Call, seq: u64) -> Answer {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => metadata(world, call, tenant),
        ("GET", [_, "discovery", "v2.0", "keys"]) => {
            let many = world.odd("many_keys");
            Answer::json(200, &keys::jwks(&call.origin, many.then_some(&mut world.noise)))
        }
        ("GET", [tenant, "oauth2", "v2.0", "authorize"]) => authorize::show(world, call, tenant, seq),
        ("POST", [tenant, "oauth2", "v2.0", "authorize"]) => authorize::decided(world, call, tenant),
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => token::handle(world, call, tenant, seq),
        ("POST", [tenant, "oauth2", "v2.0", "devicecode"]) => device::start(world, call, tenant),
        ("GET" | "POST", ["devicelogin"]) => device::show(world, call),
        ("GET", [tenant, "v2.0", "adminconsent"]) => adminconsent::show(world, call, tenant, true),
        ("POST", [tenant, "v2.0", "adminconsent"]) => adminconsent::decided(world, call, tenant, true),
        ("GET", [tenant, "adminconsent"]) => adminconsent::show(world, call, tenant, false),
        ("POST", [tenant, "adminconsent"]) => adminconsent::decided(world, call, tenant, false),
        ("GET", [_, "oauth2", "v2.0", "token"]) => {
            let text = "Endpoint only accepts POST requests. Received a GET request.";
            token::fail(world, 400, "invalid_request", 900561, None, text)
        }
        ("GET" | "POST", [_, "oauth2", "v2.0", "logout"]) => match call.param("post_logout_redirect_uri") {
            Some(back) => Answer::redirect(&back),
            None => Answer::html(200, page::frame("Signed out", "<p>You signed out of your account.</p>")),
        },
        _ => Answer::html(404, page::frame("Not found", "<p>There is nothing here.</p>")),
    }
}

/// `common` and its like, or a tenant that exists.
pub fn tenant_known(world: &World, tenant: &str) -> bool {
    is_alias(tenant) || world.people.tenant(tenant).is_some()
}

pub fn is_alias(tenant: &str) -> bool {
    ["common", "organizations", "consumers"].iter().any(|a| a.eq_ignore_ascii_case(tenant))
}

fn metadata(world: &mut World, call: &Call, tenant: &str) -> Answer {
    if !tenant_known(world, tenant) {
        return token::no_tenant(world, tenant);
    }
    let named = world.people.tenant(tenant).map(|t| world.people.tenants[t].id.clone());
    let issued = named.unwrap_or_else(|| "{tenantid}".into());
    let (login, (_, graph)) = (&call.origin, world.origins.beside(&call.origin));
    let at = |path: &str| format!("{login}/{tenant}/{path}");
    Answer::json(
        200,
        &json!({
            "token_endpoint": at("oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": at("discovery/v2.0/keys"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": format!("{login}/{issued}/v2.0"),
            "request_uri_parameter_supported": false,
            "userinfo_endpoint": format!("{graph}/oidc/userinfo"),
            "authorization_endpoint": at("oauth2/v2.0/authorize"),
            "device_authorization_endpoint": at("oauth2/v2.0/devicecode"),
            "http_logout_supported": true,
            "frontchannel_logout_supported": true,
            "end_session_endpoint": at("oauth2/v2.0/logout"),
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver", "email"],
            "tenant_region_scope": null,
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": graph.rsplit('/').next(),
        }),
    )
}
