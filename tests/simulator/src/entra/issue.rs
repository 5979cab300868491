//! The 200 of the token endpoint for a person.

use super::grants::{Access, MARK, Refresh, is_oidc, short};
use super::keys::{self, Tamper};
use super::resource;
use crate::http::{Answer, Call, base64url};
use crate::world::World;
use serde_json::json;
use sha2::{Digest, Sha256};

/// What is to be given.
pub struct Grant {
    pub client_id: String,
    pub person: usize,
    pub scopes: Vec<String>,
    /// The scope whose service the token is for; of the others none is in the token.
    pub target: Option<String>,
    pub nonce: Option<String>,
    /// `client_info=1` was sent.
    pub info: bool,
    pub tamper: Option<Tamper>,
}

/// An access token, and what else was asked for.
pub fn give(world: &mut World, call: &Call, grant: Grant) -> Answer {
    let now = world.now();
    let seconds = world.limits.token_seconds;
    let personal = world.people.is_personal(grant.person);
    let target = grant.target.as_ref().or_else(|| resource::first(&grant.scopes));
    let audience = resource::audience(target);
    let of_target = |s: &&String| !is_oidc(s) && !resource::is_default(s) && target.is_none_or(|t| resource::same(t, s));
    let kept: Vec<&String> = grant.scopes.iter().filter(of_target).collect();
    let named: Vec<String> = kept.iter().map(|s| resource::split(s).1.to_string()).collect();
    let tenant = world.people.tenant_of(grant.person).id.clone();
    let oid = world.people.people[grant.person].oid.clone();
    let opens = match grant.tamper {
        Some(Tamper::OpaqueOther) => usize::from(grant.person == 0),
        _ => grant.person,
    };
    let access = Access {
        person: Some(opens),
        tenant: world.people.people[grant.person].tenant,
        app: grant.client_id.to_string(),
        scopes: named.clone(),
        expires_ms: now + seconds * 1000,
        audience: audience.clone(),
        serial: world.entra.next_serial(),
    };
    let mut claims = json!({
        "aud": audience, "iss": format!("https://sts.windows.net/{tenant}/"), "iat": now / 1000,
        "nbf": now / 1000, "exp": now / 1000 + seconds, "appid": grant.client_id, "idtyp": "user", "oid": oid, "scp": named.join(" "),
        "tid": tenant, "ver": "1.0",
    });
    if let Some(tamper) = grant.tamper {
        tamper.twist_access(&mut claims);
    }
    let opaque = grant.tamper.is_some_and(Tamper::is_opaque);
    let token = world.entra.give_access(&mut world.noise, access, (!personal && !opaque).then_some(claims));
    let full = world.odd("scopes_in_full");
    let in_full = |s: &&String| if full && resource::is_graph(s) { format!("https://graph.microsoft.com/{}", short(s)) } else { s.to_string() };
    let mut told: Vec<String> = kept.iter().map(in_full).collect();
    // Who asked for all that is registered finds that among it, by the same name.
    told.extend(target.filter(|t| resource::is_default(t)).cloned());
    let mut body = json!({
        "token_type": "Bearer", "scope": told.join(" "), "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
    });
    let has = |name: &str| grant.scopes.iter().any(|s| s == name);
    if has("offline_access") {
        let start = if personal { "M.C512_BAY.0.U.-" } else { "1." };
        let refresh = format!("{start}{MARK}{}", world.noise.text(380));
        let serial = world.entra.next_serial();
        let kept = Refresh {
            client_id: grant.client_id.clone(),
            person: grant.person,
            scopes: grant.scopes.clone(),
            serial,
            issued_ms: now,
        };
        world.entra.refresh.insert(refresh.clone(), kept);
        body["refresh_token"] = json!(refresh);
    }
    let who = &world.people.people[grant.person];
    let app = world.people.app(&grant.client_id);
    let (with_roles, with_acct) = app.map_or((false, false), |app| (app.directory_roles, app.acct));
    if has("openid") && grant.tamper != Some(Tamper::Missing) && !opaque {
        let mut claims = json!({
            "aud": grant.client_id, "iss": format!("{}/{tenant}/v2.0", call.origin), "iat": now / 1000, "nbf": now / 1000,
            "exp": now / 1000 + 3600, "oid": who.oid, "tid": tenant, "ver": "2.0", "preferred_username": who.address,
            "name": who.name, "sub": base64url(&Sha256::digest(format!("{} {}", grant.client_id, who.oid).as_bytes())),
        });
        if has("email") {
            claims["email"] = json!(who.address);
        }
        if with_roles && !personal {
            claims["wids"] = json!(who.role_ids());
        }
        if with_acct {
            claims["acct"] = json!(u8::from(who.home.is_some()));
        }
        if let Some(home) = who.home {
            claims["idp"] = json!(format!("https://sts.windows.net/{}/", world.people.tenant_of(home).id));
        }
        if let Some(nonce) = grant.nonce {
            claims["nonce"] = json!(nonce);
        }
        if let Some(tamper) = grant.tamper {
            tamper.twist(&mut claims);
        }
        body["id_token"] = json!(keys::sign(&claims, personal, grant.tamper));
    }
    // Who somebody is at home.
    let home = who.home.unwrap_or(grant.person);
    let mut text = json!({"uid": world.people.people[home].oid, "utid": world.people.tenant_of(home).id});
    let twisted = grant.tamper.is_some_and(|tamper| tamper.twist_info(&mut text));
    if grant.info || twisted {
        body["client_info"] = json!(base64url(text.to_string().as_bytes()));
    }
    Answer::json(200, &body)
}
