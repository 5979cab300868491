//! People, as the directory tells of them.

use crate::graph::{Caller, bad};
use crate::http::{Answer, Call};
use crate::odata::{self, Row, Value};
use crate::people::Mailbox;
use crate::schema::USER;
use crate::world::World;
use crate::{directory, query};
use serde_json::json;

const READ: [&str; 6] = [
    "User.ReadBasic.All",
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "Directory.AccessAsUser.All",
];

fn denied() -> Answer {
    Answer::fail(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

pub fn unknown(who: &str) -> Answer {
    let text = format!("Resource '{who}' does not exist or one of its queried reference-property objects are not present.");
    Answer::fail(404, "Request_ResourceNotFound", text)
}

pub fn userinfo(world: &World, caller: &Caller) -> Answer {
    let Some(person) = caller.person else {
        return denied();
    };
    let p = &world.people.people[person];
    Answer::json(200, &json!({"sub": p.id, "name": p.name, "email": p.address, "preferred_username": p.address}))
}

fn object(world: &World, person: usize, select: &[String]) -> serde_json::Value {
    let all = world.people.json(person, world.odd("null_mail"));
    if select.is_empty() {
        return all;
    }
    let p = &world.people.people[person];
    let mut out = serde_json::Map::new();
    for name in select {
        let known = all.as_object().and_then(|o| o.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)));
        match known {
            Some((key, value)) => out.insert(key.clone(), value.clone()),
            None if name == "accountEnabled" => out.insert(name.clone(), json!(true)),
            None if name == "assignedPlans" => out.insert(name.clone(), plans(p)),
            None if name == "userType" => out.insert(name.clone(), json!(p.user_type())),
            None if name == "otherMails" => out.insert(name.clone(), json!([])),
            None if name == "proxyAddresses" => out.insert(name.clone(), json!(std::iter::once(format!("SMTP:{}", p.address)).chain(p.aliases.iter().map(|a| format!("smtp:{a}"))).collect::<Vec<_>>())),
            None => None,
        };
    }
    serde_json::Value::Object(out)
}

pub fn get(world: &World, caller: &Caller, call: &Call, person: usize) -> Answer {
    let own = caller.person == Some(person) && caller.has(&["User.Read", "User.ReadWrite"]);
    if !own && !caller.has(&READ) {
        return denied();
    }
    let select = match query::select(call, &USER, "BadRequest") {
        Ok(select) => select,
        Err(answer) => return answer,
    };
    let mut user = object(world, person, &select);
    let suffix = if select.is_empty() { String::new() } else { format!("({})", select.join(",")) };
    user["@odata.context"] = json!(format!("{}/$metadata#users{suffix}/$entity", call.base()));
    Answer::json(200, &user)
}

/// What a person may use. A mailbox that the organisation keeps in its own house comes with a licence all the same.
fn plans(p: &crate::people::Person) -> serde_json::Value {
    let plan = |service: &str, id: &str| json!({"assignedDateTime": "2025-01-01T00:00:00Z", "capabilityStatus": "Enabled", "service": service, "servicePlanId": id});
    let mut plans = vec![plan("MicrosoftOffice", "43de0ff5-c92c-492b-9116-175376d08c38")];
    if matches!(p.mailbox, Mailbox::Ready | Mailbox::OnPremises) {
        plans.push(plan("exchange", "efb87545-963c-4e0d-99df-69c6916d9eb0"));
    }
    if p.teams {
        plans.push(plan("TeamspaceAPI", "57ff2da0-773e-42df-b2af-ffb7a2317929"));
    }
    json!(plans)
}

struct UserRow<'a>(&'a crate::people::Person);

impl Row for UserRow<'_> {
    fn get(&self, path: &str) -> Value {
        match path.to_ascii_lowercase().as_str() {
            "mail" => self.0.mail().map_or(Value::Null, |mail| Value::Text(mail.into())),
            "userprincipalname" => Value::Text(self.0.user_name().into()),
            "displayname" => Value::Text(self.0.name.clone()),
            "givenname" => Value::Text(self.0.name.split_once(' ').map_or(self.0.name.as_str(), |(given, _)| given).into()),
            "surname" => Value::Text(self.0.name.split_once(' ').map_or("", |(_, surname)| surname).into()),
            "id" => Value::Text(self.0.id.clone()),
            "accountenabled" => Value::Bool(true),
            "usertype" => Value::Text(self.0.user_type().into()),
            _ => Value::Null,
        }
    }

    fn items(&self, path: &str) -> Vec<Vec<(String, String)>> {
        match path.to_ascii_lowercase().as_str() {
            "proxyaddresses" => self.0.mail().map(|mail| vec![(String::new(), format!("SMTP:{mail}"))]).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

fn found(world: &World, caller: &Caller, ask: &directory::Ask) -> Vec<usize> {
    let fits = |row: &UserRow| {
        ask.filter.as_ref().is_none_or(|f| f.holds(row)) && ask.search.as_ref().is_none_or(|s| directory::finds(s, row))
    };
    let people = world.people.people.iter().enumerate();
    people.filter(|(_, p)| p.tenant == caller.tenant && fits(&UserRow(p))).map(|(n, _)| n).collect()
}

pub fn count(world: &World, caller: &Caller, call: &Call) -> Answer {
    if !caller.has(&READ) {
        return denied();
    }
    match directory::read(call, true) {
        Ok(ask) => Answer::bytes(200, "text/plain", found(world, caller, &ask).len().to_string().into()),
        Err(answer) => answer,
    }
}

pub fn list(world: &World, caller: &Caller, call: &Call) -> Answer {
    if call.method != "GET" {
        return crate::graph::not_allowed();
    }
    if !caller.has(&READ) {
        return denied();
    }
    let (ask, select) = match directory::read(call, false).and_then(|ask| query::select(call, &USER, "BadRequest").map(|s| (ask, s))) {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let top = match call.param("$top").map(|t| t.parse::<usize>()) {
        None => 100,
        Some(Ok(n)) if (1..=999).contains(&n) => n,
        Some(_) => return bad("Invalid page size specified."),
    };
    let skip = call.param("$skiptoken").and_then(|t| t.strip_prefix('s').and_then(|n| n.parse().ok())).unwrap_or(0);
    let mut fits = found(world, caller, &ask);
    odata::sort(&mut fits, &ask.order, |at, path| UserRow(&world.people.people[*at]).get(path));
    let value: Vec<_> = fits.iter().skip(skip).take(top).map(|p| object(world, *p, &select)).collect();
    let next = (skip + top < fits.len()).then(|| odata::relink(call, "$skiptoken", &format!("s{}", skip + top)));
    let count = ask.count.then_some(fits.len());
    crate::graph::page(format!("{}/$metadata#users", call.base()), value, next, count)
}
