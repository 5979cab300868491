//! Entra: discovery, sign-in and tokens.

pub mod adminconsent;
mod app_only;
pub mod authorize;
mod client;
pub mod consent;
pub mod device;
mod discovery;
pub mod grants;
mod issue;
pub mod keys;
mod page;
pub mod policy;
mod on_behalf;
mod redeem;
mod request;
pub mod resource;
pub mod token;
pub mod v1;

pub use grants::Entra;

use crate::http::{Answer, Call};
use crate::routes::{lacks, missing};
use crate::world::World;

pub fn handle(world: &mut World, call: &Call, seq: u64) -> Answer {
    let answer = missing(call).unwrap_or_else(|| serve(world, call, seq));
    discovery::on_this_side(world, call, answer)
}

fn serve(world: &mut World, call: &Call, seq: u64) -> Answer {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => discovery::metadata(world, call, tenant, true),
        ("GET", [tenant, ".well-known", "openid-configuration"]) => discovery::metadata(world, call, tenant, false),
        ("GET", [_, "discovery", "instance"]) => discovery::instance(world, call),
        ("GET", ["error"]) => discovery::explain(call),
        ("GET", [_, "discovery", "v2.0", "keys"] | [_, "discovery", "keys"]) => {
            let many = world.odd("many_keys");
            Answer::json(200, &keys::jwks(&call.origin, many.then_some(&mut world.noise)))
        }
        ("GET", [tenant, "oauth2", "v2.0", "authorize"]) => authorize::show(world, call, tenant, seq),
        ("POST", [tenant, "oauth2", "v2.0", "authorize"]) => authorize::decided(world, call, tenant),
        ("GET", [tenant, "oauth2", "authorize"]) => authorize::show(world, &v1::as_v2(call), tenant, seq),
        ("POST", [tenant, "oauth2", "authorize"]) => authorize::decided(world, call, tenant),
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => token::handle(world, call, tenant, seq, false),
        ("POST", [tenant, "oauth2", "token"]) => token::handle(world, call, tenant, seq, true),
        ("POST", [tenant, "oauth2", "v2.0", "devicecode"]) => device::start(world, call, tenant),
        ("GET" | "POST", ["devicelogin"]) => device::show(world, call),
        ("GET", [tenant, "v2.0", "adminconsent"]) => adminconsent::show(world, call, tenant, true),
        ("POST", [tenant, "v2.0", "adminconsent"]) => adminconsent::decided(world, call, tenant, true),
        ("GET", [tenant, "adminconsent"]) => adminconsent::show(world, call, tenant, false),
        ("POST", [tenant, "adminconsent"]) => adminconsent::decided(world, call, tenant, false),
        ("GET", [_, "oauth2", "v2.0", "token"] | [_, "oauth2", "token"]) => {
            let text = "Endpoint only accepts POST requests. Received a GET request.";
            token::fail(world, 400, "invalid_request", 900561, None, text)
        }
        ("GET" | "POST", [_, "oauth2", "v2.0", "logout"] | [_, "oauth2", "logout"]) => match call.param("post_logout_redirect_uri") {
            Some(back) => Answer::redirect(&back),
            None => Answer::html(200, page::frame("Signed out", "<p>You signed out of your account.</p>")),
        },
        _ => lacks(call, ""),
    }
}

/// `common` and its like, or a tenant that exists.
pub fn tenant_known(world: &World, tenant: &str) -> bool {
    is_alias(tenant) || world.people.tenant(tenant).is_some()
}

pub fn is_alias(tenant: &str) -> bool {
    ["common", "organizations", "consumers"].iter().any(|a| a.eq_ignore_ascii_case(tenant))
}
