//! Conditional Access and disabled accounts: who is kept out, at the page and at a refresh.

use super::token;
use crate::http::Answer;
use crate::people::Policy;
use crate::world::World;
use serde_json::json;

const DISABLED: &str = "The user account is disabled.";
const BLOCKED: &str = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.";
const MFA: &str = "Due to a configuration change made by your administrator, or because you moved to a new location, you \
                   must use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.";

/// What is asked for, as the body of a refusal says it: a JSON text.
fn claims(name: &str) -> String {
    json!({"access_token": {"capolids": {"essential": true, "values": [name]}}}).to_string()
}

/// A policy set from now on: what was issued before came about without it.
pub fn set(world: &mut World, person: usize, policy: Option<Policy>) {
    world.people.people[person].policy = policy;
    world.entra.without_mfa.remove(&person);
    if policy == Some(Policy::Mfa) {
        let serial = world.entra.next_serial();
        world.entra.without_mfa.insert(person, serial);
    }
}

/// The page that a person sees instead of going on. Who signs in anew passes the second factor there.
pub fn page(world: &World, person: usize) -> Result<(), String> {
    match world.people.people[person].policy {
        Some(Policy::Disabled) => Err(format!("AADSTS50057: {DISABLED}")),
        Some(Policy::Blocked) => Err(format!("AADSTS53003: {BLOCKED}")),
        Some(Policy::Mfa) | None => Ok(()),
    }
}

pub fn refresh(world: &mut World, person: usize, serial: u64) -> Result<(), Answer> {
    let with = |answer: Answer, claims: String| {
        let mut body = answer.value().unwrap_or_default();
        body["claims"] = json!(claims);
        Answer { body: body.to_string().into(), ..answer }
    };
    match world.people.people[person].policy {
        Some(Policy::Disabled) => Err(token::fail(world, 400, "invalid_grant", 50_057, None, DISABLED)),
        Some(Policy::Blocked) => {
            let answer = token::fail(world, 400, "invalid_grant", 53_003, Some("message_only"), BLOCKED);
            Err(with(answer, claims("5e0f5f0e-0000-4000-8000-00000053003b")))
        }
        Some(Policy::Mfa) if world.entra.without_mfa.get(&person).is_some_and(|since| serial <= *since) => {
            let answer = token::fail(world, 400, "interaction_required", 50_076, Some("basic_action"), MFA);
            Err(with(answer, claims("5e0f5f0e-0000-4000-8000-00000050076a")))
        }
        _ => Ok(()),
    }
}
