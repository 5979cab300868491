//! What Entra says about itself: metadata of both generations, instance discovery, and the page behind `error_uri`. Every
//! address is on the side that was asked: plain, TLS, or TLS 1.2.

use super::token::{fail, no_tenant};
use super::{is_alias, page, tenant_known};
use crate::http::{Answer, Call, form};
use crate::people::PERSONAL;
use crate::world::World;
use serde_json::json;

pub fn metadata(world: &mut World, call: &Call, tenant: &str, v2: bool) -> Answer {
    if !tenant_known(world, tenant) {
        return no_tenant(world, tenant);
    }
    let named = world.people.tenant(tenant).map(|t| world.people.tenants[t].id.clone());
    let issued = match named {
        Some(id) => id,
        None if tenant.eq_ignore_ascii_case("consumers") => PERSONAL.into(),
        None => "{tenantid}".into(),
    };
    let (login, (_, graph)) = (&call.origin, world.origins.beside(&call.origin));
    let at = |path: &str| format!("{login}/{tenant}/{path}");
    let (version, end) = if v2 { ("oauth2/v2.0", "/v2.0") } else { ("oauth2", "/") };
    let mut told = json!({
        "token_endpoint": at(&format!("{version}/token")),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": at(if v2 { "discovery/v2.0/keys" } else { "discovery/keys" }),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": if v2 { json!(["openid", "profile", "email", "offline_access"]) } else { json!(["openid"]) },
        "issuer": format!("{login}/{issued}{end}"),
        "authorization_endpoint": at(&format!("{version}/authorize")),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": at(&format!("{version}/logout")),
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver", "email"],
        "tenant_region_scope": null,
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": graph.rsplit('/').next(),
    });
    // The first generation has its own userinfo and device code, which are not simulated.
    if v2 {
        told["request_uri_parameter_supported"] = json!(false);
        told["userinfo_endpoint"] = json!(format!("{graph}/oidc/userinfo"));
        told["device_authorization_endpoint"] = json!(at("oauth2/v2.0/devicecode"));
    }
    Answer::json(200, &told)
}

/// Which hosts speak for this cloud, asked by clients before they trust an authority: this one alone, by both its names.
pub fn instance(world: &mut World, call: &Call) -> Answer {
    let query = form(&call.query);
    let get = |name: &str| query.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone());
    let missing = |world: &mut World, name: &str| {
        fail(world, 400, "invalid_request", 900_144, None, &format!("The request must contain the following parameter: '{name}'."))
    };
    if get("api-version").is_none() {
        return missing(world, "api-version");
    }
    let Some(endpoint) = get("authorization_endpoint") else {
        return missing(world, "authorization_endpoint");
    };
    let own = call.origin.split_once("://").map_or("", |(_, host)| host).to_string();
    let port = own.rsplit(':').next().unwrap_or("").to_string();
    let asked = url::Url::parse(&endpoint).ok();
    let here = asked.as_ref().is_some_and(|u| {
        matches!(u.host_str(), Some("localhost" | "127.0.0.1")) && u.port_or_known_default().is_some_and(|p| p.to_string() == port)
    });
    if !here {
        return fail(world, 400, "invalid_instance", 50_049, None, "Unknown or invalid instance.");
    }
    let tenant = asked.as_ref().and_then(|u| u.path_segments()).and_then(|mut s| s.next()).unwrap_or("common").to_string();
    if !is_alias(&tenant) && world.people.tenant(&tenant).is_none() {
        return no_tenant(world, &tenant);
    }
    let v2 = endpoint.contains("/v2.0/");
    let place = if v2 { format!("{tenant}/v2.0") } else { tenant };
    let mut aliases = vec![own.clone()];
    aliases.extend(["localhost", "127.0.0.1"].map(|name| format!("{name}:{port}")).into_iter().filter(|other| *other != own));
    Answer::json(
        200,
        &json!({
            "tenant_discovery_endpoint": format!("{}/{place}/.well-known/openid-configuration", call.origin), "api-version": "1.1",
            "metadata": [{"preferred_network": own, "preferred_cache": own, "aliases": aliases}],
        }),
    )
}

/// The page that `error_uri` leads to.
pub fn explain(call: &Call) -> Answer {
    let code: String = call.param("code").unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    Answer::html(200, page::frame("Sign-in error", &format!("<p>Error code AADSTS{code}.</p>")))
}

/// Refusals are written with the plain side's address; whoever asked elsewhere is told of there.
pub fn on_this_side(world: &World, call: &Call, answer: Answer) -> Answer {
    let plain = &world.origins.login;
    if answer.status < 400 || call.origin == *plain {
        return answer;
    }
    let Some(mut body) = answer.value().filter(|b| b["error_uri"].is_string()) else {
        return answer;
    };
    body["error_uri"] = json!(body["error_uri"].as_str().unwrap_or("").replacen(plain, &call.origin, 1));
    Answer { body: body.to_string().into(), ..answer }
}
