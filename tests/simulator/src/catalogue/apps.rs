//! `/appCatalogs/teamsApps`: find an app, publish one, publish a new version of it.

use super::package;
use super::shown::{self, AppRow};
use super::TeamsApp;
use crate::graph::{Caller, bad, no_segment, not_allowed, page};
use crate::http::{Answer, Call};
use crate::odata;
use crate::query::{self, lacking};
use crate::schema::{Entity, Meaning, TEAMS_APP};
use crate::server::Arrival;
use crate::teams::denied;
use crate::world::World;
use serde_json::{Value, json};

const READ: [&str; 5] = ["AppCatalog.Read.All", "AppCatalog.ReadWrite.All", "AppCatalog.Submit", "Directory.Read.All", "Directory.ReadWrite.All"];
/// Delegated alone.
const SUBMIT: [&str; 3] = ["AppCatalog.Submit", "AppCatalog.ReadWrite.All", "Directory.ReadWrite.All"];
/// Without a review.
const PUBLISH: [&str; 2] = ["AppCatalog.ReadWrite.All", "Directory.ReadWrite.All"];

pub fn handle(world: &mut World, caller: &Caller, call: &Call, arrival: &Arrival, rest: &[&str]) -> Answer {
    if let Some(answer) = super::too_many(world, caller, call, arrival) {
        return answer;
    }
    match (call.method.as_str(), rest) {
        ("GET", ["teamsApps"]) => list(world, caller, call),
        ("POST", ["teamsApps"]) => publish(world, caller, call),
        ("POST", ["teamsApps", id, "appDefinitions"]) => update(world, caller, call, id),
        (_, ["teamsApps", ..]) => not_allowed(),
        (_, [other, ..]) => no_segment(other),
        (_, []) => not_allowed(),
    }
}

/// What of an entity is to be shown with it, in lower case.
pub fn expanded(call: &Call, entity: &'static Entity) -> Result<Vec<String>, Answer> {
    let mut names = Vec::new();
    for (name, options) in odata::expansions(&call.param("$expand").unwrap_or_default()) {
        match entity.means(&name, 'r') {
            Meaning::Here(_) if options.is_empty() => names.push(name.to_lowercase()),
            Meaning::Here(_) => return Err(lacking("options inside of $expand")),
            Meaning::Lacking => return Err(lacking(format!("$expand of {name}"))),
            Meaning::Unknown => return Err(bad(entity.no_property(&name))),
        }
    }
    Ok(names)
}

fn list(world: &World, caller: &Caller, call: &Call) -> Answer {
    if !caller.has(&READ) {
        return denied(caller, "AppCatalog.Submit, AppCatalog.Read.All, AppCatalog.ReadWrite.All, Directory.Read.All, Directory.ReadWrite.All");
    }
    let read = || Ok((query::filter(call, &TEAMS_APP)?, query::select(call, &TEAMS_APP, "BadRequest")?, expanded(call, &TEAMS_APP)?));
    let (filter, select, expand) = match read() {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let fits = |one: &&TeamsApp| one.is_in(caller.tenant) && filter.as_ref().is_none_or(|f| f.holds(&AppRow(one)));
    let show = |one: &TeamsApp| {
        let mut out = shown::app(one);
        if !select.is_empty() && let Some(fields) = out.as_object_mut() {
            fields.retain(|name, _| name == "id" || select.iter().any(|s| s.eq_ignore_ascii_case(name)));
        }
        if !expand.is_empty() {
            out["appDefinitions"] = one.versions.iter().map(|v| shown::version(one, v)).collect();
        }
        out
    };
    let value: Vec<Value> = world.catalogue.apps.iter().filter(fits).map(show).collect();
    let count = value.len();
    page(format!("{}/$metadata#appCatalogs/teamsApps", call.base()), value, None, Some(count))
}

/// The package of a request, and whether it is published at once.
fn package(caller: &Caller, call: &Call) -> Result<(package::Manifest, &'static str), Answer> {
    if caller.person.is_none() || !caller.has(&SUBMIT) {
        return Err(denied(caller, &SUBMIT.join(", ")));
    }
    let kind = call.header("content-type").unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if !["application/zip", "application/octet-stream"].contains(&kind.as_str()) {
        return Err(Answer::fail(415, "UnsupportedMediaType", "The content type of the request must be 'application/zip'."));
    }
    let manifest = package::read(&call.body).map_err(bad)?;
    let is_reviewed = call.param("requiresReview").is_some_and(|text| text.eq_ignore_ascii_case("true")) || !caller.has(&PUBLISH);
    Ok((manifest, if is_reviewed { "submitted" } else { "published" }))
}

fn publish(world: &mut World, caller: &Caller, call: &Call) -> Answer {
    let (manifest, state) = match package(caller, call) {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let external_id = manifest.id.clone();
    if world.catalogue.apps.iter().any(|a| a.is_in(caller.tenant) && a.external_id.eq_ignore_ascii_case(&external_id)) {
        return Answer::fail(409, "Conflict", format!("App with same id already exists in the tenant. ExternalId: {external_id}"));
    }
    let version = package::version(world, manifest, state);
    let one = TeamsApp { id: world.ids.guid(), external_id, method: "organization", tenant: Some(caller.tenant), is_blocked: false, versions: vec![version] };
    let mut out = shown::app(&one);
    out["@odata.context"] = json!(format!("{}/$metadata#appCatalogs/teamsApps/$entity", call.base()));
    world.catalogue.apps.push(one);
    Answer::json(201, &out)
}

fn parts(number: &str) -> Vec<u64> {
    number.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn update(world: &mut World, caller: &Caller, call: &Call, id: &str) -> Answer {
    let (manifest, state) = match package(caller, call) {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let known = world.catalogue.apps.iter().position(|a| a.is_in(caller.tenant) && a.id.eq_ignore_ascii_case(id) && a.method == "organization");
    let Some(at) = known else { return Answer::fail(404, "NotFound", format!("No app with id {id} was found in the catalogue.")) };
    let one = &world.catalogue.apps[at];
    if !one.external_id.eq_ignore_ascii_case(&manifest.id) {
        return bad("The id of the manifest is not that of the app.");
    }
    if one.versions.last().is_some_and(|last| parts(&last.number) >= parts(&manifest.number)) {
        return Answer::fail(409, "Conflict", "App definition with this version, or a later one, already exists.");
    }
    let version = package::version(world, manifest, state);
    let mut out = shown::version(&world.catalogue.apps[at], &version);
    out["@odata.context"] = json!(format!("{}/$metadata#appCatalogs/teamsApps('{id}')/appDefinitions/$entity", call.base()));
    world.catalogue.apps[at].versions.push(version);
    Answer::json(201, &out)
}
