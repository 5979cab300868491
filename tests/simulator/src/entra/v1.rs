//! The first generation of the endpoints: a resource instead of scopes, and numbers as text.

use super::resource::{GRAPH_ID, is_default, split};
use crate::http::{Answer, Call, form};
use crate::world::World;
use serde_json::{Value, json};

/// The scopes that a resource stands for. The first generation always gives all that is registered, and a refresh token.
fn scope(resource: &str) -> String {
    format!("{resource}/.default openid profile offline_access")
}

/// The query of authorize, in the words of the second generation.
pub fn query(query: &str) -> String {
    let mut pairs = form(query);
    let resource = pairs.iter().find(|(k, _)| k == "resource").map_or(GRAPH_ID.to_string(), |(_, v)| v.clone());
    if pairs.iter().any(|(k, _)| k == "resource") || !pairs.iter().any(|(k, _)| k == "scope") {
        pairs.retain(|(k, _)| k != "resource" && k != "scope");
        pairs.push(("scope".into(), scope(&resource)));
    }
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish()
}

pub fn as_v2(call: &Call) -> Call {
    Call { query: query(&call.query), ..call.clone() }
}

/// The fields of a token request: its resource becomes its scope.
pub fn scopes_of(fields: &mut Vec<(String, String)>) {
    let get = |name: &str| fields.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
    let (resource, own) = (get("resource"), get("grant_type").as_deref() == Some("client_credentials"));
    fields.retain(|(k, _)| k != "scope");
    match resource {
        Some(resource) if own => fields.push(("scope".into(), format!("{resource}/.default"))),
        Some(resource) => fields.push(("scope".into(), scope(&resource))),
        None => {}
    }
}

/// The answer in the form of the first generation.
pub fn in_v1_form(world: &World, call: &Call, answer: Answer) -> Answer {
    let Some(mut body) = answer.value().filter(|b| b["access_token"].is_string()) else {
        return answer;
    };
    let now = world.now() / 1000;
    let seconds = body["expires_in"].as_i64().unwrap_or(3600);
    let token = body["access_token"].as_str().unwrap_or("").to_string();
    let audience = world.entra.access(&token).map(|a| a.audience.clone()).unwrap_or_default();
    for (name, value) in [("expires_in", seconds), ("ext_expires_in", seconds), ("expires_on", now + seconds), ("not_before", now)] {
        body[name] = json!(value.to_string());
    }
    body["resource"] = json!(audience);
    let names = body["scope"].as_str().map(|s| s.split(' ').filter(|s| !is_default(s)).map(|s| split(s).1).collect::<Vec<_>>().join(" "));
    if let Some(names) = names {
        body["scope"] = json!(names);
    }
    // An id token of the first generation says so, and who issued it.
    if let Some(claims) = body["id_token"].as_str().and_then(claims_of) {
        body["id_token"] = json!(super::keys::sign(&aged(call, claims), false, None));
    }
    Answer { body: body.to_string().into(), ..answer }
}

fn claims_of(token: &str) -> Option<Value> {
    serde_json::from_slice(&crate::http::unbase64(token.split('.').nth(1)?)?).ok()
}

fn aged(call: &Call, mut claims: Value) -> Value {
    let tenant = claims["tid"].as_str().unwrap_or("").to_string();
    claims["iss"] = json!(format!("{}/{tenant}/", call.origin));
    claims["ver"] = json!("1.0");
    let name = claims["preferred_username"].take();
    (claims["upn"], claims["unique_name"]) = (name.clone(), name);
    if let Some(map) = claims.as_object_mut() {
        map.remove("preferred_username");
    }
    claims
}
