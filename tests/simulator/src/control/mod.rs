//! The control endpoints: everything a test does behind Microsoft's back.

mod directory;
mod mail;
mod senders;

use crate::clock::{self, Clock};
use crate::entra::keys::Tamper;
use crate::http::{Answer, Bytes, Call, Host};
use crate::push::control as push;
use crate::server::Shared;
use crate::teams::control as teams;
use crate::world::{ODDITIES, Origins, World};
use serde_json::{Value, json};
use std::time::Duration;

pub type Done = Result<Value, String>;

/// The line printed at the start.
pub fn place(origins: &Origins) -> Value {
    json!({
        "login": origins.login, "graph": format!("{}/v1.0", origins.graph), "stranger": origins.stranger,
        "control": origins.control, "bot": origins.bot, "client_id": crate::people::PUBLIC_APP,
        "tls": {"login": origins.tls.0, "graph": format!("{}/v1.0", origins.tls.1), "ca": origins.ca},
        "tls12": {"login": origins.tls12.0, "graph": format!("{}/v1.0", origins.tls12.1)},
    })
}

pub async fn handle(shared: &Shared, call: &Call) -> Answer {
    debug_assert!(call.host == Host::Control);
    let ask = if call.body.is_empty() {
        json!({})
    } else {
        match call.json() {
            Some(ask) => ask,
            None => return Answer::json(400, &json!({"error": "the body is not JSON"})),
        }
    };
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    if (call.method.as_str(), parts.as_slice()) == ("POST", &["faults", "reached"]) {
        return reached(shared, &ask).await;
    }
    if (call.method.as_str(), parts.as_slice()) == ("POST", &["notifications", "take"]) {
        return Answer::json(200, &push::take(shared, &ask).await);
    }
    match parts.as_slice() {
        ["clock"] => drop(shared.held.send_replace(ask["hold"] == json!(true))),
        ["reset"] => drop(shared.held.send_replace(false)),
        _ => {}
    }
    let mut guard = shared.lock();
    let world = &mut *guard;
    crate::mail::send::submit_due(world);
    let done = match (call.method.as_str(), parts.as_slice()) {
        ("GET", ["control"]) => {
            let mut line = place(&world.origins);
            line["now"] = json!(clock::iso_ms(world.now()));
            Ok(line)
        }
        ("POST", ["reset"]) => reset(shared, world, &ask),
        ("POST", ["clock"]) => move_clock(world, &ask),
        ("POST", ["people"]) => directory::add_person(world, &ask),
        ("POST", ["people", "many"]) => directory::add_people(world, &ask),
        ("POST", ["groups"]) => senders::add_group(world, &ask),
        ("POST", ["senders"]) => senders::grant(world, &ask),
        ("POST", ["app_access"]) => senders::app_access(world, &ask),
        ("POST", ["tenants"]) => directory::add_tenant(world, &ask),
        ("POST", ["apps"]) => directory::add_app(world, &ask),
        ("POST", ["apps", "delete"]) => directory::delete_app(world, &ask),
        ("POST", ["approve"]) => directory::approve(world, &ask),
        ("POST", ["withdraw"]) => directory::withdraw(world, &ask),
        ("POST", ["signin"]) => directory::sign_in(world, &ask),
        ("POST", ["device"]) => directory::enter_code(world, &ask),
        ("POST", ["auto_approve"]) => auto_approve(world, &ask),
        ("POST", ["tokens", "expire"]) => person(world, &ask, "as").map(|p| {
            world.entra.expire(p);
            json!({})
        }),
        ("POST", ["tokens", "revoke"]) => revoke(world, &ask),
        ("POST", ["tokens", "tamper"]) => tamper(world, &ask),
        ("POST", ["mail"]) => mail::add(world, &ask),
        ("POST", ["mail", "many"]) => mail::many(world, &ask),
        ("POST", ["mail", "eml"]) => mail::eml(world, &ask),
        ("POST", ["mail", "change"]) => mail::change(world, &ask),
        ("POST", ["mail", "move"]) => mail::shift(world, &ask),
        ("POST", ["mail", "delete"]) => mail::delete(world, &ask),
        ("POST", ["mail", "report"]) => mail::report(world, &ask),
        ("POST", ["mail", "list"]) => mail::list(world, &ask),
        ("POST", ["folders"]) => mail::add_folder(world, &ask),
        ("POST", ["folders", "delete"]) => mail::delete_folder(world, &ask),
        ("POST", ["contacts"]) => crate::contacts::control::add(world, &ask),
        ("POST", ["contacts", "change"]) => crate::contacts::control::change(world, &ask),
        ("POST", ["contacts", "delete"]) => crate::contacts::control::delete(world, &ask),
        ("POST", ["contactfolders"]) => crate::contacts::control::add_folder(world, &ask),
        ("POST", ["events"]) => crate::calendar::control::add(world, &ask),
        ("POST", ["events", "change"]) => crate::calendar::control::change(world, &ask),
        ("POST", ["events", "delete"]) => crate::calendar::control::delete(world, &ask),
        ("POST", ["chats", "list"]) => teams::chats(world, &ask),
        ("POST", ["chats", "say"]) => teams::say(world, &ask),
        ("POST", ["chats", "unsay"]) => teams::unsay(world, &ask),
        ("POST", ["chats", "delete"]) => teams::delete_chat(world, &ask),
        ("POST", ["teams"]) => teams::add(world, &ask),
        ("POST", ["teams", "change"]) => teams::change(world, &ask),
        ("POST", ["teams", "list"]) => teams::list(world, &ask),
        ("POST", ["drives", "list"]) => crate::drive::control::list(world, &ask),
        ("POST", ["drives", "add"]) => crate::drive::control::add(world, &ask),
        ("POST", ["drives", "change"]) => crate::drive::control::change(world, &ask),
        ("POST", ["workflows"]) => crate::flows::add(world, &ask),
        ("POST", ["workflows", "change"]) => crate::flows::change(world, &ask),
        ("POST", ["workflows", "list"]) => crate::flows::list(world, &ask),
        ("POST", ["bot", what]) => crate::bot::control::handle(world, what, &ask),
        ("POST", ["subscriptions", "list"]) => Ok(push::list(world)),
        ("POST", ["subscriptions", "tell"]) => push::tell(world, &ask),
        ("POST", ["subscriptions", "remove"]) => push::remove(world, &ask),
        ("POST", ["notifications", "answer"]) => push::answer(world, &ask),
        ("POST", ["faults"]) => world.faults.add(&ask).map(|id| json!({"id": id})),
        ("DELETE", ["faults"]) => {
            world.faults.clear();
            world.slipped.clear();
            Ok(json!({}))
        }
        ("POST", ["faults", "release"]) => match world.faults.release(&named(&ask)) {
            true => Ok(json!({})),
            false => Err(format!("no such fault: {}", named(&ask))),
        },
        ("POST", ["secrets", "find"]) => world.secrets.find(&ask),
        ("POST", ["limits"]) => Ok(world.limits.set(&ask)),
        ("POST", ["oddities"]) => oddities(world, &ask),
        ("GET", ["oddities"]) => Ok(json!(world.oddities)),
        ("POST", ["ledger"]) => world.ledger.show(&ask),
        ("POST", ["record"]) => {
            world.record.memory = ask["on"].as_bool().unwrap_or(true);
            Ok(json!({"on": world.record.memory, "dropped": world.record.dropped}))
        }
        ("GET", ["exchanges"]) => {
            return Answer::bytes(200, "application/x-ndjson", Bytes::from(world.record.text()));
        }
        (method, _) => {
            return Answer::json(404, &json!({"error": format!("no such endpoint: {method} {}", call.path)}));
        }
    };
    crate::push::collect(world);
    crate::bot::collect(world);
    drop(guard);
    shared.posts.notify_one();
    match done {
        Ok(value) => Answer::json(200, &value),
        Err(text) => Answer::json(400, &json!({"error": text})),
    }
}

/// Of a fault: its id or its name.
fn named(ask: &Value) -> String {
    ask["id"].as_str().or(ask["name"].as_str()).unwrap_or("").to_string()
}

async fn reached(shared: &Shared, ask: &Value) -> Answer {
    let times = ask["times"].as_u64().unwrap_or(1);
    let Some(mut met) = shared.lock().faults.met(&named(ask)) else {
        return Answer::json(404, &json!({"error": format!("no such fault: {}", named(ask))}));
    };
    let waiting = met.wait_for(|n| *n >= times);
    match tokio::time::timeout(Duration::from_secs(120), waiting).await {
        Ok(Ok(n)) => Answer::json(200, &json!({"times": *n})),
        Ok(Err(_)) => Answer::json(410, &json!({"error": "the fault was taken away"})),
        Err(_) => Answer::json(408, &json!({"error": "not reached within 120 seconds"})),
    }
}

fn reset(shared: &Shared, world: &mut World, ask: &Value) -> Done {
    let seed = ask["seed"].as_u64().unwrap_or(shared.seed);
    let text = ask["clock"].as_str().unwrap_or(&shared.clock);
    let clock = Clock::parse(text).ok_or_else(|| format!("no time: {text}"))?;
    let mut fresh = World::new(world.epoch + 1, seed, clock, world.origins.clone(), world.record.fresh());
    fresh.entra.auto_approve = shared.auto_approve.as_deref().and_then(|who| fresh.people.find(who));
    let old = std::mem::replace(world, fresh);
    // A large world takes a while to take apart.
    std::thread::spawn(move || drop(old));
    Ok(json!({}))
}

fn move_clock(world: &mut World, ask: &Value) -> Done {
    if let Some(text) = ask["set"].as_str() {
        let to = clock::parse(text).ok_or_else(|| format!("no time: {text}"))?;
        world.clock.set(to);
    }
    if let Some(by) = ask["advance_ms"].as_i64() {
        world.clock.advance(by);
    }
    let now = world.now();
    Ok(json!({"now": clock::iso_ms(now), "now_ms": now}))
}

pub fn person(world: &World, ask: &Value, field: &str) -> Result<usize, String> {
    let who = ask[field].as_str().ok_or_else(|| format!("{field} is missing"))?;
    world.people.find(who).ok_or_else(|| format!("no such person: {who}"))
}

fn auto_approve(world: &mut World, ask: &Value) -> Done {
    world.entra.auto_approve = if ask["as"].is_null() { None } else { Some(person(world, ask, "as")?) };
    Ok(json!({}))
}

fn revoke(world: &mut World, ask: &Value) -> Done {
    let who = person(world, ask, "as")?;
    let reason = ask["reason"].as_str().unwrap_or("admin_revoked");
    if !["password_changed", "admin_revoked", "inactive", "consent_withdrawn"].contains(&reason) {
        return Err(format!("no such reason: {reason}"));
    }
    let now = world.now();
    world.entra.revoke(who, reason, now);
    Ok(json!({}))
}

/// What renewals bring, of a person or of apps on their own in a tenant.
fn tamper(world: &mut World, ask: &Value) -> Done {
    let tamper = match &ask["tamper"] {
        Value::Null => None,
        name => Some(name.as_str().and_then(Tamper::parse).ok_or_else(|| format!("no such tampering: {name}"))?),
    };
    if let Some(domain) = ask["domain"].as_str() {
        let at = world.people.tenant(domain).ok_or_else(|| format!("no such tenant: {domain}"))?;
        world.entra.own_tokens.remove(&at);
        world.entra.own_tokens.extend(tamper.map(|tamper| (at, tamper)));
        return Ok(json!({}));
    }
    let who = person(world, ask, "as")?;
    let times = ask["times"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    world.entra.renewals.remove(&who);
    world.entra.renewals.extend(tamper.map(|tamper| (who, (tamper, times))));
    Ok(json!({}))
}

fn oddities(world: &mut World, ask: &Value) -> Done {
    for (name, on) in ask.as_object().into_iter().flatten() {
        let known = ODDITIES.iter().find(|(n, _)| n == name).ok_or_else(|| format!("no such oddity: {name}"))?;
        world.oddities.insert(known.0, on.as_bool().ok_or_else(|| format!("{name} is true or false"))?);
    }
    Ok(json!(world.oddities))
}
