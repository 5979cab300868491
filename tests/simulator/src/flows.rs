//! Workflows of Power Automate whose trigger is a Teams webhook request: a URL that proves by itself that one may post, 202, and a run of which the caller hears no
//! more. What the run makes of a post is noted for the tests.

use crate::http::{Answer, Call};
use crate::server::Arrival;
use crate::world::World;
use serde_json::{Value, json};

/// The largest message that Teams takes, and what is taken of one workflow in a second.
const LARGEST: usize = 28 << 10;
const A_SECOND: usize = 4;

pub struct Flow {
    pub id: String,
    /// `logic_apps` or `power_platform`: how its URL looks.
    form: &'static str,
    sig: String,
    is_on: bool,
    is_deleted: bool,
    /// Only people of the organisation may trigger it.
    people_only: bool,
    /// Its trigger has a schema of its own: an object with a text.
    has_schema: bool,
    posts: Vec<Value>,
    taken_at: Vec<i64>,
}

#[derive(Default)]
pub struct Flows(Vec<Flow>);

/// Paths on the Graph listener that are those of the workflow host.
pub fn is_path(path: &str) -> bool {
    ["/workflows/", "/powerautomate/"].iter().any(|start| path.starts_with(start))
}

impl Flow {
    fn url(&self, world: &World) -> String {
        let (prefix, version) = match self.form {
            "logic_apps" => ("", "2016-06-01"),
            _ => ("/powerautomate/automations/direct", "1"),
        };
        format!("{}{prefix}/workflows/{}/triggers/manual/paths/invoke?api-version={version}&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={}", world.origins.graph, self.id, self.sig)
    }
}

fn found(world: &World, ask: &Value) -> Result<usize, String> {
    let id = ask["id"].as_str().ok_or("id is missing")?;
    world.flows.0.iter().position(|flow| flow.id == id).ok_or_else(|| format!("no such workflow: {id}"))
}

/// POST /workflows
pub fn add(world: &mut World, ask: &Value) -> Result<Value, String> {
    let form = match ask["form"].as_str() {
        None | Some("power_platform") => "power_platform",
        Some("logic_apps") => "logic_apps",
        Some(other) => return Err(format!("no such form: {other}")),
    };
    let (id, sig) = (world.ids.guid().replace('-', ""), world.ids.text(43));
    let flag = |name: &str| ask[name].as_bool().unwrap_or(false);
    let flow = Flow { id, form, sig, is_on: true, is_deleted: false, people_only: flag("people_only"), has_schema: flag("schema"), posts: Vec::new(), taken_at: Vec::new() };
    let answer = json!({"id": flow.id, "url": flow.url(world)});
    world.flows.0.push(flow);
    Ok(answer)
}

/// POST /workflows/change
pub fn change(world: &mut World, ask: &Value) -> Result<Value, String> {
    let at = found(world, ask)?;
    let sig = world.ids.text(43);
    let flow = world.flows.0.get_mut(at).ok_or("gone")?;
    if let Some(on) = ask["on"].as_bool() {
        flow.is_on = on;
    }
    if let Some(deleted) = ask["deleted"].as_bool() {
        flow.is_deleted = deleted;
    }
    if ask["new_sig"].as_bool() == Some(true) {
        flow.sig = sig;
    }
    let flow = world.flows.0.get(at).ok_or("gone")?;
    Ok(json!({"id": flow.id, "url": flow.url(world)}))
}

/// POST /workflows/list
pub fn list(world: &World, ask: &Value) -> Result<Value, String> {
    let posts = world.flows.0.get(found(world, ask)?).map(|flow| flow.posts.clone()).unwrap_or_default();
    Ok(json!({"posts": posts}))
}

fn refuse(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"error": {"code": code, "message": message}}))
}

/// An error that a fault has put in place of the answer, as Power Automate writes errors.
pub fn told(mut answer: Answer) -> Answer {
    if let Some((code, message)) = answer.error.take() {
        answer.body = json!({"error": {"code": code, "message": message}}).to_string().into();
        answer.headers.push(("Content-Type".into(), "application/json".into()));
    }
    answer
}

pub fn handle(world: &mut World, call: &Call, arrival: &Arrival) -> Answer {
    let request_id = world.noise.guid();
    serve(world, call, arrival).with("x-ms-request-id", request_id)
}

fn serve(world: &mut World, call: &Call, arrival: &Arrival) -> Answer {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let id = match parts.as_slice() {
        ["workflows", id, "triggers", "manual", "paths", "invoke"] | ["powerautomate", "automations", "direct", "workflows", id, "triggers", "manual", "paths", "invoke"] => *id,
        _ => return crate::routes::lacks(call, "a workflow has one path"),
    };
    if call.method != "POST" {
        return crate::routes::lacks(call, "a workflow takes posts");
    }
    let Some(at) = world.flows.0.iter().position(|flow| flow.id == id && !flow.is_deleted) else {
        return refuse(404, "WorkflowNotFound", &format!("The workflow '{id}' could not be found."));
    };
    let now = world.now();
    let throttles = world.limits.throttle;
    let Some(flow) = world.flows.0.get_mut(at) else { return Answer::empty(500) };
    if call.param("sig").as_deref() != Some(flow.sig.as_str()) {
        return refuse(401, "DirectApiInvalidAuthorizationScheme", "The provided authentication scheme is not valid.");
    }
    if flow.people_only {
        return refuse(401, "DirectApiAuthorizationRequired", "The request must be authenticated only by Shared Access scheme or by OAuth.");
    }
    if !flow.is_on {
        return refuse(400, "WorkflowTriggerIsNotEnabled", &format!("Could not execute workflow '{id}' trigger 'manual' with state 'Disabled': trigger is not enabled."));
    }
    if call.body.len() > LARGEST {
        return refuse(413, "RequestEntityTooLarge", "Request Entity too large");
    }
    flow.taken_at.retain(|taken| *taken > now - 1000);
    if throttles && flow.taken_at.len() >= A_SECOND {
        world.limits.promise(&arrival.person, call, now + 1000);
        return refuse(429, "TooManyRequests", "Rate limit is exceeded. Try again in 1 seconds.").with("Retry-After", "1".to_string());
    }
    let Some(body) = call.json().filter(Value::is_object) else {
        return refuse(400, "InvalidRequestContent", "The request content is not valid and could not be deserialized.");
    };
    if flow.has_schema && !body["text"].is_string() {
        return refuse(400, "TriggerInputSchemaMismatch", "The input body for trigger 'manual' of type 'Request' did not match its schema definition. Error details: 'Invalid type. Expected String but got Null.'.");
    }
    flow.taken_at.push(now);
    let (is_shown, error) = run(&body);
    flow.posts.push(json!({"body": body, "content_type": call.header("content-type"), "is_shown": is_shown, "error": error, "at_ms": now}));
    if world.ledger.sent_before(&["workflow", id, &String::from_utf8_lossy(&call.body)]) {
        world.ledger.accuse("sent_twice", arrival.seq, format!("the workflow {id}"));
    }
    let run_id = world.noise.text(26).to_ascii_uppercase();
    Answer::empty(202).with("x-ms-workflow-run-id", run_id)
}

/// What the default template makes of a post. Of an error the caller hears nothing.
fn run(body: &Value) -> (bool, Option<&'static str>) {
    let Some(attachments) = body["attachments"].as_array() else { return (false, Some("attachments is of type 'Null'")) };
    let is_card = |one: &Value| one["contentType"] == "application/vnd.microsoft.card.adaptive" && one["content"]["type"] == "AdaptiveCard";
    if attachments.iter().all(is_card) { (!attachments.is_empty(), None) } else { (false, Some("Property 'type' must be 'AdaptiveCard'")) }
}
