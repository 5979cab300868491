//! `…/installedApps` of a person and of a team.

use super::apps::expanded;
use super::shown::{self, InstallRow};
use super::{Install, Place, Refusal, tenant_of};
use crate::bot;
use crate::clock::iso_ms;
use crate::graph::{Caller, bad, no_segment, not_allowed, page};
use crate::http::{Answer, Call, encode};
use crate::query;
use crate::schema::{CHAT, Entity, INSTALLATION, USER_INSTALLATION};
use crate::server::Arrival;
use crate::teams::denied;
use crate::world::World;
use serde_json::{Value, json};

pub fn below_user(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, person: usize, rest: &[&str]) -> Answer {
    if caller.person.is_some_and(|me| me != person) {
        return Answer::fail(403, "Forbidden", "Forbidden");
    }
    if !world.people.people[person].teams {
        return Answer::fail(403, "Forbidden", "Failed to get license information for the user. Ensure user has a valid Office365 license assigned to them.");
    }
    match rest {
        ["installedApps", rest @ ..] => handle(world, caller, call, arrival, Place::Person(person), rest),
        [other, ..] => no_segment(other),
        [] => not_allowed(),
    }
}

pub fn below_team(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, team: usize, rest: &[&str]) -> Answer {
    handle(world, caller, call, arrival, Place::Team(team), rest)
}

/// What a token allows.
struct Right {
    /// Every app, not that of the caller alone.
    all: bool,
    /// Apps that ask for permissions of their own.
    consent: bool,
}

fn right(caller: &Caller, place: Place, writes: bool) -> Result<Right, Answer> {
    let (scope, tail) = (if matches!(place, Place::Person(_)) { "User" } else { "Team" }, if caller.person.is_some() { "" } else { ".All" });
    let name = |verb: &str| format!("TeamsAppInstallation.{verb}For{scope}{tail}");
    let has = |verbs: &[&str]| verbs.iter().any(|verb| caller.has(&[name(verb).as_str()]));
    let all = has(&["ReadWrite", "ReadWriteAndConsent"]) || (!writes && has(&["Read"]));
    if !all && !has(&["ReadWriteSelf", "ReadWriteAndConsentSelf"]) {
        let verbs: &[&str] = if writes { &[] } else { &["Read"] };
        let all: Vec<String> = verbs.iter().chain(&["ReadWriteSelf", "ReadWrite", "ReadWriteAndConsentSelf", "ReadWriteAndConsent"]).map(|verb| name(verb)).collect();
        return Err(denied(caller, &all.join(", ")));
    }
    Ok(Right { all, consent: has(&["ReadWriteAndConsent", "ReadWriteAndConsentSelf"]) })
}

fn entity(place: Place) -> &'static Entity {
    match place {
        Place::Person(_) => &USER_INSTALLATION,
        Place::Team(_) => &INSTALLATION,
    }
}

/// Is it the app of the caller? Only of that one do the permissions for oneself speak.
fn is_own(caller: &Caller, client: Option<&String>) -> bool {
    client.is_some_and(|client| client.eq_ignore_ascii_case(&caller.app))
}

fn handle(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, place: Place, rest: &[&str]) -> Answer {
    if let Some(answer) = super::too_many(world, caller, call, arrival) {
        return answer;
    }
    let right = match right(caller, place, call.method != "GET") {
        Ok(right) => right,
        Err(answer) => return answer,
    };
    let Some((id, more)) = rest.split_first() else {
        return match call.method.as_str() {
            "GET" => list(world, caller, call, place, &right),
            "POST" => add(world, caller, call, place, &right),
            _ => not_allowed(),
        };
    };
    let seen = |one: &Install| one.place == place && (right.all || is_own(caller, one.version.client.as_ref()));
    let Some(at) = world.catalogue.installs.iter().position(|one| one.id == *id && seen(one)) else {
        return Answer::fail(404, "NotFound", format!("No installed app with id {id} was found."));
    };
    match (call.method.as_str(), more) {
        ("GET", []) => match expanded(call, entity(place)) {
            Ok(expand) => {
                let mut out = shown::install(world, &world.catalogue.installs[at], &expand);
                out["@odata.context"] = json!(format!("{}/$metadata#{}/$entity", call.base(), shown::entity_set(world, place)));
                Answer::json(200, &out)
            }
            Err(answer) => answer,
        },
        ("DELETE", []) => {
            let app = world.catalogue.installs[at].app;
            super::uninstall(world, app, place, caller.person);
            Answer::empty(204)
        }
        ("POST", ["upgrade"]) => match super::upgrade(world, at, caller.person) {
            true => Answer::empty(204),
            false => bad("The app is already at its latest version."),
        },
        ("GET", ["chat"]) => match place {
            Place::Person(person) => chat(world, call, at, person),
            Place::Team(_) => no_segment("chat"),
        },
        (_, [] | ["upgrade"] | ["chat"]) => not_allowed(),
        (_, [other, ..]) => no_segment(other),
    }
}

fn list(world: &World, caller: &Caller, call: &Call, place: Place, right: &Right) -> Answer {
    let read = || Ok((query::filter(call, entity(place))?, expanded(call, entity(place))?));
    let (filter, expand) = match read() {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let fits = |one: &&Install| {
        one.place == place
            && (right.all || is_own(caller, one.version.client.as_ref()))
            && filter.as_ref().is_none_or(|f| f.holds(&InstallRow(one, &world.catalogue.apps[one.app])))
    };
    let value: Vec<Value> = world.catalogue.installs.iter().filter(fits).map(|one| shown::install(world, one, &expand)).collect();
    let count = value.len();
    page(format!("{}/$metadata#{}", call.base(), shown::entity_set(world, place)), value, None, Some(count))
}

/// The id of the app that a body binds.
fn bound(world: &World, body: &Value) -> Option<String> {
    let url = body["teamsApp@odata.bind"].as_str()?;
    let origins = &world.origins;
    let roots = ["https://graph.microsoft.com", origins.graph.as_str(), origins.tls.1.as_str(), origins.tls12.1.as_str()];
    let rest = roots.iter().find_map(|root| url.strip_prefix(root))?;
    let (_, id) = rest.split_once("/appCatalogs/teamsApps")?;
    let id = id.strip_prefix("('").and_then(|rest| rest.strip_suffix("')")).or_else(|| id.strip_prefix('/'))?;
    Some(crate::http::decode(id, false))
}

fn add(world: &mut World, caller: &Caller, call: &Call, place: Place, right: &Right) -> Answer {
    let Some(body) = call.json().filter(Value::is_object) else { return bad("Invalid request body was sent.") };
    if let Err(answer) = crate::actions::only(&body, "teamsAppInstallation", &["consentedPermissionSet"], &[]) {
        return answer;
    }
    let Some(id) = bound(world, &body) else { return bad("Invalid teamsApp@odata.bind.") };
    let tenant = tenant_of(world, place);
    let Some(app) = world.catalogue.apps.iter().position(|a| a.is_in(tenant) && a.id.eq_ignore_ascii_case(&id)) else {
        return Answer::fail(404, "NotFound", format!("The app with id {id} was not found in the catalogue."));
    };
    let version = world.catalogue.apps[app].version().cloned();
    if !right.all && !is_own(caller, version.as_ref().and_then(|v| v.client.as_ref())) {
        return Answer::fail(403, "Forbidden", "The app is not the one that the caller is allowed to manage.");
    }
    if let Some(asks) = version.map(|v| v.asks).filter(|asks| !asks.is_empty()) {
        let given: Vec<&str> = body["consentedPermissionSet"]["resourceSpecificPermissions"].as_array().into_iter().flatten().filter_map(|p| p["permissionValue"].as_str()).collect();
        if !right.consent {
            return Answer::fail(403, "Forbidden", "The app asks for resource-specific permissions, to which the caller cannot consent.");
        }
        if asks.iter().any(|ask| !given.contains(&ask.as_str())) {
            return bad("The consented permissions are not those that the app asks for.");
        }
    }
    let by = match place {
        Place::Person(person) => Some(person),
        Place::Team(_) => caller.person,
    };
    match super::install(world, app, place, by, None) {
        Ok(_) if matches!(place, Place::Team(_)) && !world.odd("team_install_created") => Answer::empty(200),
        Ok(_) => Answer::empty(201),
        Err(Refusal::Already) => Answer::fail(409, "Conflict", format!("The app is already installed in the {} scope.", place.scope())),
        Err(Refusal::Blocked) => Answer::fail(403, "Forbidden", "The app is blocked by the app permission policy."),
        Err(Refusal::Unfit(text)) => bad(text),
    }
}

/// The chat of a person with the bot of an app.
fn chat(world: &World, call: &Call, at: usize, person: usize) -> Answer {
    let Some(bot) = world.catalogue.installs[at].version.bot.as_ref() else { return Answer::fail(404, "NotFound", "The app has no bot.") };
    let (id, tenant) = (bot::chat_id(world, &bot.id, person), &world.people.tenant_of(person).id);
    let select = match query::select(call, &CHAT, "BadRequest") {
        Ok(select) => select,
        Err(answer) => return answer,
    };
    let now = iso_ms(world.now());
    let mut out = json!({
        "@odata.context": format!("{}/$metadata#chats/$entity", call.base()), "id": id, "topic": null, "createdDateTime": now, "lastUpdatedDateTime": now, "chatType": "oneOnOne",
        "webUrl": format!("https://teams.microsoft.com/l/chat/{}/0?tenantId={tenant}", encode(&id)), "tenantId": tenant, "onlineMeetingInfo": null, "viewpoint": null,
    });
    if !select.is_empty() && let Some(fields) = out.as_object_mut() {
        fields.retain(|name, _| name.contains('@') || select.iter().any(|s| s.eq_ignore_ascii_case(name)));
    }
    Answer::json(200, &out)
}
