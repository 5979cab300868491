//! The endpoints of subscriptions.

use super::{Subscription, create};
use crate::clock::iso_ms;
use crate::graph::{Caller, bad, not_allowed};
use crate::http::{Answer, Call};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

fn shown(world: &World, one: &Subscription) -> Value {
    json!({
        "id": one.id, "resource": one.resource, "applicationId": one.app, "changeType": one.changes.join(","), "clientState": one.client_state,
        "notificationUrl": one.url, "notificationQueryOptions": null, "lifecycleNotificationUrl": one.lifecycle_url, "expirationDateTime": iso_ms(one.expires_ms),
        "creatorId": one.creator.map(|person| world.people.people[person].id.clone()), "includeResourceData": one.encryption.as_ref().map(|_| true),
        "latestSupportedTlsVersion": one.tls.as_deref().unwrap_or("v1_2"), "encryptionCertificate": null, "encryptionCertificateId": one.encryption.as_ref().map(|with| with.id.clone()), "notificationUrlAppId": null,
    })
}

fn with_context(call: &Call, mut value: Value) -> Value {
    value["@odata.context"] = json!(format!("{}/$metadata#subscriptions/$entity", call.base()));
    value
}

fn gone() -> Answer {
    Answer::fail(404, "ResourceNotFound", "The object was not found.")
}

pub fn handle(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, rest: &[&str]) -> Answer {
    super::look_at_time(world);
    let is_own = |one: &Subscription| one.app == caller.app && one.tenant == caller.tenant && one.creator == caller.person;
    let found = rest.first().and_then(|id| world.push.subscriptions.iter().position(|one| one.id.eq_ignore_ascii_case(id) && is_own(one)));
    match (call.method.as_str(), rest, found) {
        ("POST", [], _) => make(world, caller, call, arrival),
        ("GET", [], _) => {
            let value: Vec<Value> = world.push.subscriptions.iter().filter(|one| is_own(one)).map(|one| shown(world, one)).collect();
            Answer::json(200, &json!({"@odata.context": format!("{}/$metadata#subscriptions", call.base()), "value": value}))
        }
        (_, [_] | [_, "reauthorize"], None) => gone(),
        ("GET", [_], Some(at)) => match world.push.subscriptions.get(at) {
            Some(one) => Answer::json(200, &with_context(call, shown(world, one))),
            None => gone(),
        },
        ("DELETE", [_], Some(at)) => {
            world.push.subscriptions.remove(at);
            Answer::empty(204)
        }
        ("PATCH", [_], Some(at)) => renew(world, call, at),
        ("POST", [_, "reauthorize"], Some(at)) => {
            if let Some(one) = world.push.subscriptions.get_mut(at) {
                one.reauthorized += 1;
                one.was_asked = false;
            }
            Answer::empty(204)
        }
        _ => not_allowed(),
    }
}

fn make(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival) -> Answer {
    let one = match create::wanted(world, caller, call) {
        Ok(one) => one,
        Err(answer) => return answer,
    };
    match world.push.answers.remove(&arrival.seq) {
        Some(problem) if problem.is_empty() => {}
        Some(problem) => return Answer::fail(400, "ValidationError", problem),
        None => return Answer::fail(501, "SimulatorLacks", "a subscription made in a batch"),
    }
    let answer = Answer::json(201, &with_context(call, shown(world, &one)));
    if let Some(mailbox) = world.mail.get_mut(one.mailbox) {
        mailbox.is_watched = true;
    }
    world.push.subscriptions.push(one);
    answer
}

fn renew(world: &mut World, call: &Call, at: usize) -> Answer {
    let Some(body) = call.json().filter(Value::is_object) else { return bad("Empty Payload. JSON content expected.") };
    if body.as_object().is_some_and(|fields| fields.keys().any(|name| name != "expirationDateTime")) {
        return Answer::fail(501, "SimulatorLacks", "changing other properties of a subscription than its expiry");
    }
    let expires_ms = match create::expiry(world, &body["expirationDateTime"], world.push.subscriptions.get(at).is_some_and(|one| one.encryption.is_some())) {
        Ok(at) => at,
        Err(answer) => return answer,
    };
    if let Some(one) = world.push.subscriptions.get_mut(at) {
        (one.expires_ms, one.was_asked, one.renewed) = (expires_ms, false, one.renewed + 1);
    }
    match world.push.subscriptions.get(at) {
        Some(one) => Answer::json(200, &with_context(call, shown(world, one))),
        None => gone(),
    }
}
