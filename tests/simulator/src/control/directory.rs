//! Tenants, people and apps, and what people and administrators do on Microsoft's pages.

use super::{Done, person};
use crate::entra::authorize::{self, Choice};
use crate::entra::keys::Tamper;
use crate::entra::{adminconsent, consent, device, policy, v1};
use crate::people::{App, Consent, Mailbox, PERSONAL, Policy};
use crate::world::World;
use serde_json::{Value, json};

pub fn add_person(world: &mut World, ask: &Value) -> Done {
    let address = ask["address"].as_str().filter(|a| a.contains('@')).ok_or("address is missing")?;
    let mailbox = match ask.get("mailbox") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(true)) => Some(Mailbox::Ready),
        Some(Value::Bool(false)) => Some(Mailbox::Missing),
        Some(Value::String(text)) if text == "on_premises" => Some(Mailbox::OnPremises),
        Some(Value::String(text)) if text == "unlicensed" => Some(Mailbox::Unlicensed),
        Some(other) => return Err(format!("no such mailbox: {other}")),
    };
    let policy = match ask.get("policy") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(match text.as_str() {
            "mfa" => Policy::Mfa,
            "blocked" => Policy::Blocked,
            "disabled" => Policy::Disabled,
            _ => return Err(format!("no such policy: {text}")),
        })),
        Some(other) => return Err(format!("no such policy: {other}")),
    };
    let mut at = world.people.add(&mut world.ids, address, ask["name"].as_str());
    if let Some(domain) = ask["guest_in"].as_str() {
        let tenant = world.people.tenant_for(&mut world.ids, domain);
        at = world.people.invite(&mut world.ids, at, tenant);
    }
    world.furnish();
    if let Some(language) = ask["language"].as_str()
        && !world.mail[at].speak(language)
    {
        return Err(format!("no such language: {language}"));
    }
    match ask.get("automatic_reply") {
        None => {}
        Some(Value::Null) => world.mail[at].automatic_reply = None,
        Some(text) => {
            world.mail[at].automatic_reply = Some(text.as_str().ok_or("automatic_reply is a text")?.to_string());
            world.mail[at].replied.clear();
        }
    }
    if let Some(policy) = policy {
        policy::set(world, at, policy);
    }
    let personal = world.people.is_personal(at);
    if let Some(id) = ask["id"].as_str().filter(|_| !personal) {
        world.people.set_id(at, id);
    }
    for alias in ask["aliases"].as_array().into_iter().flatten() {
        let alias = alias.as_str().filter(|a| a.contains('@')).ok_or("an alias is no address")?;
        if !world.people.add_alias(at, alias) {
            return Err(format!("somebody has this address: {alias}"));
        }
    }
    let is_shared = ask["shared"] == json!(true);
    if is_shared {
        // Nobody signs in to it.
        policy::set(world, at, Some(Policy::Disabled));
    }
    let person = &mut world.people.people[at];
    match ask.get("mail") {
        None => {}
        Some(Value::String(mail)) if !mail.is_empty() => person.mail = Some(Some(mail.clone())),
        Some(_) => person.mail = Some(None),
    }
    if let Some(name) = ask["user_name"].as_str() {
        person.user_name = Some(name.to_string());
    }
    person.guest = ask["guest"].as_bool().unwrap_or(person.guest);
    person.mailbox = mailbox.unwrap_or(person.mailbox);
    person.teams = ask["teams"].as_bool().unwrap_or(person.teams) && !personal && !is_shared;
    person.onedrive = ask["onedrive"].as_bool().unwrap_or(person.onedrive) && !personal && !is_shared;
    if let Some(list) = ask["roles"].as_array() {
        let named = |name: &Value| name.as_str().and_then(crate::people::role).ok_or_else(|| format!("no such role: {name}"));
        person.roles = list.iter().map(named).collect::<Result<_, _>>()?;
    }
    person.admin = ask["admin"].as_bool().unwrap_or(person.admin) && !personal;
    Ok(json!({"id": person.id, "address": person.address}))
}

/// Many at once: `PREFIX1@DOMAIN` to `PREFIXn@DOMAIN`, each with a mailbox.
pub fn add_people(world: &mut World, ask: &Value) -> Done {
    let domain = ask["domain"].as_str().filter(|d| !d.is_empty() && !d.contains('@')).ok_or("domain is missing")?;
    let count = ask["count"].as_u64().filter(|n| *n <= 100_000).ok_or("count is missing, or more than 100000")?;
    let prefix = ask["prefix"].as_str().unwrap_or("user");
    for n in 1..=count {
        world.people.add(&mut world.ids, &format!("{prefix}{n}@{domain}"), None);
    }
    world.furnish();
    Ok(json!({"count": count}))
}

pub fn add_tenant(world: &mut World, ask: &Value) -> Done {
    let domain = ask["domain"].as_str().filter(|d| !d.is_empty() && !d.contains('@')).ok_or("domain is missing")?;
    let policy = match ask["consent"].as_str() {
        None => None,
        Some("users") => Some(Consent::Users),
        Some("admin") => Some(Consent::Admin),
        Some("admin_with_requests") => Some(Consent::AdminWithRequests),
        Some(other) => return Err(format!("no such consent policy: {other}")),
    };
    let at = world.people.tenant_for(&mut world.ids, domain);
    let tenant = &mut world.people.tenants[at];
    tenant.message_max = ask["message_max"].as_u64().unwrap_or(tenant.message_max);
    tenant.consent = policy.unwrap_or(tenant.consent);
    if let Some(id) = ask["id"].as_str() {
        tenant.id = id.to_string();
    }
    Ok(json!({"id": tenant.id}))
}

pub fn add_app(world: &mut World, ask: &Value) -> Done {
    let client_id = match ask["client_id"].as_str() {
        Some(id) => id.to_string(),
        None => world.ids.guid(),
    };
    let known = world.people.apps.iter().position(|a| a.client_id.eq_ignore_ascii_case(&client_id));
    let mut app = match known {
        Some(at) => world.people.apps[at].clone(),
        None => App::new(&client_id, None),
    };
    let answer = app.change(ask)?;
    match known {
        Some(at) => world.people.apps[at] = app,
        None => world.people.apps.push(app),
    }
    Ok(answer)
}

pub fn delete_app(world: &mut World, ask: &Value) -> Done {
    let client_id = app(world, ask)?.client_id;
    world.people.apps.retain(|a| a.client_id != client_id);
    Ok(json!({}))
}

fn app(world: &World, ask: &Value) -> Result<App, String> {
    let client_id = ask["client_id"].as_str().ok_or("client_id is missing")?;
    world.people.app(client_id).cloned().ok_or_else(|| format!("no such app: {client_id}"))
}

fn tenant(world: &World, ask: &Value) -> Result<usize, String> {
    let domain = ask["domain"].as_str().ok_or("domain is missing")?;
    let found = world.people.tenant(domain).filter(|t| world.people.tenants[*t].id != PERSONAL);
    found.ok_or_else(|| format!("no such tenant: {domain}"))
}

/// An administrator agrees in Entra's own pages; nobody is called back.
pub fn approve(world: &mut World, ask: &Value) -> Done {
    let (app, tenant) = (app(world, ask)?, tenant(world, ask)?);
    consent::approve_all(world, &app, tenant);
    Ok(json!({}))
}

pub fn withdraw(world: &mut World, ask: &Value) -> Done {
    let (app, tenant) = (app(world, ask)?, tenant(world, ask)?);
    consent::withdraw(world, &app.client_id, tenant);
    Ok(json!({}))
}

fn choice(ask: &Value, known: &[&str]) -> Result<Choice, String> {
    let decision = ask["decision"].as_str().unwrap_or("approve").to_string();
    if !known.contains(&decision.as_str()) {
        return Err(format!("no such decision: {decision}"));
    }
    let scopes = match &ask["scopes"] {
        Value::Null => None,
        Value::Array(list) => Some(list.iter().filter_map(|s| s.as_str().map(String::from)).collect()),
        other => return Err(format!("scopes is a list, not {other}")),
    };
    let tamper = match ask["tamper"].as_str() {
        None => None,
        Some(name) => Some(Tamper::parse(name).ok_or_else(|| format!("no such tampering: {name}"))?),
    };
    Ok(Choice { decision, scopes, tamper })
}

pub fn sign_in(world: &mut World, ask: &Value) -> Done {
    let who = person(world, ask, "as")?;
    let text = ask["url"].as_str().ok_or("url is missing")?;
    let url = url::Url::parse(text).map_err(|e| e.to_string())?;
    let mut path = url.path().split('/').filter(|p| !p.is_empty());
    let tenant = crate::http::decode(path.next().unwrap_or(""), false);
    let query = url.query().unwrap_or("");
    // A guest comes in by the tenant that invited them.
    let who = world.people.tenant(&tenant).and_then(|at| world.people.guest(who, at)).unwrap_or(who);
    let choice = choice(ask, &["approve", "decline", "admin_required"])?;
    let end = match path.collect::<Vec<_>>().as_slice() {
        ["oauth2", "v2.0", "authorize"] => authorize::sign_in(world, &tenant, query, who, &choice),
        ["oauth2", "authorize"] => authorize::sign_in(world, &tenant, &v1::query(query), who, &choice),
        ["v2.0", "adminconsent"] => adminconsent::sign_in(world, &tenant, true, query, who, &choice.decision),
        ["adminconsent"] => adminconsent::sign_in(world, &tenant, false, query, who, &choice.decision),
        _ => return Err(format!("no authorize or adminconsent URL: {text}")),
    };
    Ok(end.into_json())
}

/// A person types in the code that a device shows.
pub fn enter_code(world: &mut World, ask: &Value) -> Done {
    let who = person(world, ask, "as")?;
    let code = ask["user_code"].as_str().ok_or("user_code is missing")?;
    let choice = choice(ask, &["approve", "decline"])?;
    let said = device::enter(world, code, who, &choice);
    Ok(json!({"done": said.is_ok(), "page": said.map_or_else(|text| text, String::from)}))
}
