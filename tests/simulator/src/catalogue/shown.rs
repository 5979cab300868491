//! Apps, their versions and installations as Graph shows them.

use super::{Install, Place, TeamsApp, Version};
use crate::clock::iso_ms;
use crate::odata::{self, Row};
use crate::world::World;
use serde_json::{Value, json};

pub fn app(one: &TeamsApp) -> Value {
    let name = one.versions.last().map_or("", |v| v.name.as_str());
    json!({"id": one.id, "externalId": if one.method == "store" { Value::Null } else { json!(one.external_id) }, "displayName": name, "distributionMethod": one.method})
}

pub fn version(of: &TeamsApp, one: &Version) -> Value {
    json!({
        "id": one.id, "teamsAppId": of.id, "displayName": one.name, "version": one.number, "publishingState": one.state, "shortDescription": one.short, "description": one.full,
        "lastModifiedDateTime": (one.at_ms > 0).then(|| iso_ms(one.at_ms)), "createdBy": null,
    })
}

/// With `expand` in lower case.
pub fn install(world: &World, one: &Install, expand: &[String]) -> Value {
    let of = &world.catalogue.apps[one.app];
    let mut out = json!({ "id": one.id });
    if expand.iter().any(|e| e == "teamsapp") {
        out["teamsApp"] = app(of);
    }
    if expand.iter().any(|e| e == "teamsappdefinition") {
        out["teamsAppDefinition"] = version(of, &one.version);
    }
    out
}

pub fn entity_set(world: &World, place: Place) -> String {
    match place {
        Place::Person(person) => format!("users('{}')/teamwork/installedApps", world.people.people[person].id),
        Place::Team(team) => format!("teams('{}')/installedApps", world.teams.teams[team].id),
    }
}

fn text(text: &str) -> odata::Value {
    odata::Value::Text(text.into())
}

pub struct AppRow<'a>(pub &'a TeamsApp);

impl Row for AppRow<'_> {
    fn get(&self, path: &str) -> odata::Value {
        match path.to_ascii_lowercase().as_str() {
            "id" => text(&self.0.id),
            "externalid" if self.0.method != "store" => text(&self.0.external_id),
            "distributionmethod" => text(self.0.method),
            "displayname" => text(self.0.versions.last().map_or("", |v| &v.name)),
            _ => odata::Value::Null,
        }
    }

    fn items(&self, _: &str) -> Vec<Vec<(String, String)>> {
        Vec::new()
    }
}

pub struct InstallRow<'a>(pub &'a Install, pub &'a TeamsApp);

impl Row for InstallRow<'_> {
    fn get(&self, path: &str) -> odata::Value {
        match path.to_ascii_lowercase().split_once('/') {
            Some(("teamsapp", name)) => AppRow(self.1).get(name),
            Some(("teamsappdefinition", "displayname")) => text(&self.0.version.name),
            Some(("teamsappdefinition", "version")) => text(&self.0.version.number),
            None if path.eq_ignore_ascii_case("id") => text(&self.0.id),
            _ => odata::Value::Null,
        }
    }

    fn items(&self, _: &str) -> Vec<Vec<(String, String)>> {
        Vec::new()
    }
}
