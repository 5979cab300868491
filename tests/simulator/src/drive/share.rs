//! Who else may open a file.

use super::not_found;
use crate::actions::Parameters;
use crate::graph::bad;
use crate::http::{Answer, Call};
use crate::world::World;
use serde_json::{Value, json};

const KNOWN: [&str; 7] = ["recipients", "roles", "requireSignIn", "sendInvitation", "message", "expirationDateTime", "password"];

/// POST to invite of an item.
pub fn invite(world: &mut World, call: &Call, at: usize, id: &str) -> Answer {
    let given = match Parameters::of(call, "invite", &KNOWN) {
        Ok(given) => given,
        Err(answer) => return answer,
    };
    let invalid = |text: &str| Answer::fail(400, "invalidRequest", text);
    let roles: Vec<&str> = given.get("roles").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let [role @ ("read" | "write")] = roles.as_slice() else { return invalid("The roles are read or write.") };
    let flags = (given.flag("requireSignIn", false), given.flag("sendInvitation", false));
    let (Ok(sign_in), Ok(invitation)) = flags else { return bad("requireSignIn and sendInvitation are true or false.") };
    if !sign_in && !invitation {
        return invalid("One of requireSignIn and sendInvitation must be true.");
    }
    let recipients = given.get("recipients").as_array().cloned().unwrap_or_default();
    if recipients.is_empty() {
        return invalid("There is no recipient.");
    }
    let tenant = world.drives.all[at].owner_tenant(world);
    let mut people = Vec::new();
    for one in &recipients {
        let found = match (one["objectId"].as_str(), one["email"].as_str()) {
            (Some(id), _) => world.people.people.iter().position(|p| p.id.eq_ignore_ascii_case(id)),
            (None, Some(address)) => world.people.find(address),
            (None, None) => return invalid("A recipient has neither email nor objectId."),
        };
        match found.filter(|p| world.people.people[*p].tenant == tenant) {
            Some(person) => people.push(person),
            None => return Answer::fail(400, "invalidRequest", "No users were found in the directory that can be invited: noResolvedUsers."),
        }
    }
    let Some(item) = world.drives.all[at].item_mut(id) else { return not_found() };
    for person in &people {
        item.shared.retain(|(other, _)| other != person);
        item.shared.push((*person, (*role).to_string()));
    }
    let permission = |person: &usize| {
        let p = &world.people.people[*person];
        let user = json!({"user": {"id": p.id, "displayName": p.name, "email": p.address}});
        json!({"id": crate::http::base64(p.id.as_bytes()), "roles": [role], "grantedTo": user, "grantedToV2": user})
    };
    let value: Vec<Value> = people.iter().map(permission).collect();
    Answer::json(200, &json!({"@odata.context": format!("{}/$metadata#Collection(permission)", call.base()), "value": value}))
}

impl super::store::Drive {
    /// Where people must be to be invited.
    pub fn owner_tenant(&self, world: &World) -> usize {
        match &self.owner {
            super::Owner::Person(person) => world.people.people[*person].tenant,
            super::Owner::Channel(team, _) => world.teams.teams.iter().find(|t| t.id == *team).map_or(0, |t| t.tenant()),
        }
    }
}
