//! Which service a scope belongs to: Graph, another one that Microsoft has, or an app of one's own.

use super::grants::is_oidc;
use crate::apps::App;
use crate::world::World;

/// Graph's own id, which stands for its address.
pub const GRAPH_ID: &str = "00000003-0000-0000-c000-000000000000";
const GRAPH: [&str; 5] = [
    GRAPH_ID,
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];

/// Services that Entra knows and the simulator gives tokens for, but does not run.
const OTHERS: [&str; 12] = [
    "https://api.botframework.com",
    "https://api.botframework.us",
    "https://api.botframework.azure.cn",
    "https://graph.windows.net",
    "00000002-0000-0000-c000-000000000000",
    "https://outlook.office.com",
    "https://outlook.office365.com",
    "00000002-0000-0ff1-ce00-000000000000",
    "https://management.azure.com",
    "https://management.core.windows.net",
    "797f4846-ba00-4fd7-ba43-dac1f8f63013",
    "https://vault.azure.net",
];

/// What an app exposes as an API of its own.
pub const EXPOSED: &str = "access_as_user";

/// Service and name of a scope; no service means Graph.
pub fn split(scope: &str) -> (Option<&str>, &str) {
    match scope.rsplit_once('/') {
        Some((service, name)) if service.contains("://") || is_guid(service) => (Some(service), name),
        _ => (None, scope),
    }
}

fn is_guid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

fn trimmed(service: &str) -> String {
    service.trim_end_matches('/').to_lowercase()
}

/// Is this scope, or its service, one of another service than Graph?
fn is_other(service: &str) -> bool {
    let service = trimmed(service);
    service.starts_with("api://") || OTHERS.contains(&service.as_str()) || (is_guid(&service) && service != GRAPH_ID)
}

/// Does a scope stand for something of Graph?
pub fn is_graph(scope: &str) -> bool {
    !is_oidc(scope) && !split(scope).0.is_some_and(is_other)
}

pub fn is_default(scope: &str) -> bool {
    split(scope).1 == ".default"
}

/// The app that a service is, for services that are apps: `api://{client id}`, or the id alone.
pub fn app_of<'a>(world: &'a World, service: &str) -> Option<&'a App> {
    let name = trimmed(service);
    world.people.app(name.strip_prefix("api://").unwrap_or(&name))
}

/// Entra has never heard of this service: its name, if so.
pub fn unknown<'a>(world: &World, scopes: &'a [String]) -> Option<&'a str> {
    scopes.iter().filter(|s| !is_oidc(s)).filter_map(|s| split(s).0).find(|service| !known(world, service))
}

fn known(world: &World, service: &str) -> bool {
    let name = trimmed(service);
    GRAPH.contains(&name.as_str()) || OTHERS.contains(&name.as_str()) || app_of(world, service).is_some() || is_here(world, &name)
}

/// Graph is known by the simulator's addresses as well, as that of a national cloud is by its own.
fn is_here(world: &World, service: &str) -> bool {
    let port = |text: &str| text.rsplit(':').next().unwrap_or("").to_string();
    let origins = &world.origins;
    let local = url::Url::parse(service).is_ok_and(|u| matches!(u.host_str(), Some("localhost" | "127.0.0.1")));
    local && [&origins.graph, &origins.tls.1, &origins.tls12.1].iter().any(|o| port(o) == port(service))
}

/// By what a consent is remembered: Graph's scopes by their short names, others with their service.
pub fn key(scope: &str) -> String {
    match split(scope) {
        (Some(service), name) if is_other(service) => {
            let service = trimmed(service);
            format!("{}/{}", service.strip_prefix("api://").unwrap_or(&service), name.to_lowercase())
        }
        (_, name) => name.to_lowercase(),
    }
}

/// The service that a token is for: that of the first scope which is not one of sign-in.
pub fn first(scopes: &[String]) -> Option<&String> {
    scopes.iter().find(|s| !is_oidc(s))
}

/// Do both stand for something of one service?
pub fn same(one: &str, other: &str) -> bool {
    let service = |scope: &str| match split(scope).0.filter(|s| is_other(s)) {
        Some(service) => trimmed(service).trim_start_matches("api://").to_string(),
        None => GRAPH_ID.to_string(),
    };
    service(one) == service(other)
}

/// `aud` of a token for the service of this scope: as it was asked for.
pub fn audience(scope: Option<&String>) -> String {
    scope.and_then(|s| split(s).0).map_or(GRAPH_ID.to_string(), String::from)
}

/// The scope of one service with another name.
pub fn renamed(scope: &str, name: &str) -> String {
    match split(scope).0 {
        Some(service) => format!("{service}/{name}"),
        None => name.to_string(),
    }
}

/// What is wrong with the scopes of a request, if anything: error, number and text.
pub fn wrong(world: &World, tenant: &str, scopes: &[String]) -> Option<(&'static str, u32, String)> {
    if let Some(service) = unknown(world, scopes) {
        let text = format!(
            "The resource principal named {service} was not found in the tenant named {tenant}. This can happen if the application \
             has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have \
             sent your authentication request to the wrong tenant."
        );
        return Some(("invalid_resource", 500_011, text));
    }
    let default = scopes.iter().find(|s| is_default(s))?;
    let mixed = scopes.iter().any(|s| !is_oidc(s) && !is_default(s));
    let text = format!(
        "The provided value for the input parameter 'scope' is not valid. The scope {default} is not valid: .default cannot be \
         combined with scopes of a resource."
    );
    mixed.then_some(("invalid_scope", 70_011, text))
}
