//! One scenario, step by step.

use crate::logs::Logs;
use crate::matching::{mismatch, short};
use crate::posts;
use tidings_tests::sim::{Sim, text};
use crate::stage::{Kill, Stage};
use crate::values::{Vars, fill};
use crate::verbs::{self, Outcome, defect};
use regex::Regex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What came of a step: one outcome, or one for each of `times` calls.
type Outcomes = Vec<Outcome>;
/// Verbs that change the stage, or that the engine need not be open for.
const ONCE: [&str; 6] = ["open", "open_file", "wrapped_root_key", "deliver", "connect_here", "connect_device"];
type Waiting = HashMap<String, JoinHandle<Outcomes>>;

const ACTIONS: [&str; 10] = ["sim", "do", "sign_in", "let", "cut", "join", "child", "browse", "check_disk", "damage"];

/// Runs it; says what went wrong.
pub async fn run(sim: Arc<Sim>, logs: &Logs, scenario: &Value) -> Result<(), String> {
    logs.begin().await;
    let mut vars = known(&sim.urls);
    let mut stage = Stage::set(sim.clone(), &mut vars, scenario).await?;
    let mut waiting = Waiting::new();
    let mut shown = Vec::new();
    let result = play(&mut stage, logs, &mut vars, &mut waiting, &mut shown, scenario).await;
    for (_, task) in waiting {
        task.abort();
    }
    sim.clear_faults().await?; // nothing held may keep an engine from closing
    stage.clear().await;
    result?;
    accusations(&sim, scenario).await?;
    let mut secrets = tokens(&sim).await?;
    secrets.extend(stage.secrets());
    secrets.extend(vars.get("canary").map(|c| text(c).into_bytes()));
    stage.check_disk(&secrets)?;
    if scenario["never_shown"] == json!(true) {
        shown.extend(stage.texts());
        never_shown(&sim, logs, shown).await?;
    }
    logs.check(&secrets).await
}

/// Variables that are there from the start: `login`, …, `tls_login`, ….
fn known(urls: &Value) -> Vars {
    let mut vars: Vars = ["login", "graph", "stranger", "bot", "client_id"].iter().map(|k| ((*k).to_owned(), urls[*k].clone())).collect();
    for group in ["tls", "tls12"] {
        vars.extend(urls[group].as_object().into_iter().flatten().map(|(name, value)| (format!("{group}_{name}"), value.clone())));
    }
    vars
}

async fn play(stage: &mut Stage, logs: &Logs, vars: &mut Vars, waiting: &mut Waiting, shown: &mut Vec<String>, scenario: &Value) -> Result<(), String> {
    if scenario["open"].as_bool().unwrap_or(true) {
        stage.open("first", &json!({})).map_err(|e| format!("the engine did not open: {e}"))?;
    }
    for (number, step) in scenario["steps"].as_array().into_iter().flatten().enumerate() {
        let fail = |what: String| {
            let action = ACTIONS.iter().find(|k| step.get(**k).is_some()).map_or_else(String::new, |k| format!("{k} {}", short(&step[*k])));
            format!("step {} ({action}): {what} {}", number + 1, text(&step["why"]))
        };
        // `expect` and `error` are filled in after the step, so that they may name what it saved.
        let mut action = step.clone();
        let after = action.as_object_mut().map(|a| (a.remove("expect"), a.remove("error"))).unwrap_or_default();
        let action = fill(&action, vars).map_err(&fail)?;
        let outcomes = settled(stage, logs, waiting, (&action, step), vars).await;
        if ["do", "sign_in", "child", "join"].iter().any(|key| step.get(*key).is_some()) {
            shown.extend(outcomes.iter().map(|outcome| outcome.as_ref().unwrap_or_else(|error| error).to_string()));
        }
        let rotated = [&action["do"], &action["child"]].iter().any(|verb| **verb == "rotate_keys") && ["kill_at", "kill_after_ms", "background"].iter().all(|key| action.get(*key).is_none());
        if let (true, Some(key), Some(Ok(_))) = (rotated, action["with"]["new_root_key"].as_str(), outcomes.first()) {
            stage.use_key(key);
        }
        if let Some(name) = step["save"].as_str() {
            let mut values: Vec<Value> = outcomes.iter().map(|o| o.clone().unwrap_or_default()).collect();
            let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
            vars.insert(name.to_owned(), value);
        }
        let filled = |part: Option<Value>| part.map(|p| fill(&p, vars)).transpose().map_err(&fail);
        let (expect, error) = (filled(after.0)?, filled(after.1)?);
        if let Some(what) = outcomes.into_iter().find_map(|outcome| judge(outcome, expect.as_ref(), error.as_ref())) {
            return Err(fail(what));
        }
    }
    Ok(())
}

/// The outcomes of a step; with `eventually` those that meet what is expected, or the last ones after 30 s.
async fn settled(stage: &mut Stage, logs: &Logs, waiting: &mut Waiting, (action, step): (&Value, &Value), vars: &Vars) -> Outcomes {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let outcomes = act(stage, logs, waiting, action).await;
        if step["eventually"] != true || Instant::now() > until {
            return outcomes;
        }
        let part = |name: &str| step.get(name).and_then(|part| fill(part, vars).ok());
        let (expect, error) = (part("expect"), part("error"));
        if outcomes.iter().all(|outcome| judge(outcome.clone(), expect.as_ref(), error.as_ref()).is_none()) {
            return outcomes;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn act(stage: &mut Stage, logs: &Logs, waiting: &mut Waiting, step: &Value) -> Outcomes {
    if let Some(name) = step["join"].as_str() {
        return match waiting.remove(name) {
            Some(task) => task.await.unwrap_or_else(|e| vec![Err(defect(e.to_string()))]),
            None => vec![Err(defect(format!("nothing runs as {name}")))],
        };
    }
    match (step["child"].as_str(), step["do"].as_str()) {
        (Some(verb), _) => {
            let (opened, has_opened) = oneshot::channel();
            let call = tokio::spawn(stage.child(verb, given(step), Kill::of(step), step["still"] == true, opened));
            if step.get("background").is_some() {
                let _ = has_opened.await;
            }
            now_or_later(waiting, step, vec![call]).await
        }
        (None, Some("logs")) => vec![logs.all().await],
        (None, Some(verb)) if !ONCE.contains(&verb) => {
            let player = match stage.player(step["on"].as_str().unwrap_or("first")) {
                Ok(player) => player,
                Err(error) => return vec![Err(error)],
            };
            let calls = (0..step["times"].as_u64().unwrap_or(1)).map(|_| tokio::spawn(verbs::call(player.clone(), verb.to_owned(), given(step))));
            now_or_later(waiting, step, calls.collect()).await
        }
        _ => vec![simple(stage, waiting, step).await],
    }
}

async fn now_or_later(waiting: &mut Waiting, step: &Value, calls: Vec<JoinHandle<Outcome>>) -> Outcomes {
    let all = async move {
        let mut outcomes = Vec::new();
        for call in calls {
            outcomes.push(call.await.unwrap_or_else(|e| Err(defect(e.to_string()))));
        }
        outcomes
    };
    let Some(name) = step["background"].as_str() else { return all.await };
    waiting.insert(name.to_owned(), tokio::spawn(all));
    vec![Ok(Value::Null)]
}

/// Whatever is done once and at once.
async fn simple(stage: &mut Stage, waiting: &mut Waiting, step: &Value) -> Outcome {
    if let Some(path) = step["sim"].as_str() {
        let answer = match (path, step.get("with")) {
            ("faults", None) => stage.sim.clear_faults().await,
            (path, with) => stage.sim.ask(path, with).await,
        };
        stage.catch_up().await.map_err(defect)?;
        return answer.map_err(defect);
    }
    if let Some(url) = step["browse"].as_str() {
        return stage.sim.browse(url).await.map_err(defect);
    }
    if let Some(values) = step.get("let") {
        return Ok(values.clone());
    }
    if let Some(from) = step["cut"].as_str() {
        let found = Regex::new(&text(&step["by"])).map_err(|e| defect(e.to_string()))?.captures(from).and_then(|c| c.get(1)).map(|part| json!(part.as_str()));
        return found.ok_or_else(|| defect("nothing to cut out"));
    }
    if let Some(request) = step.get("sign_in") {
        return sign_in(stage, request).await;
    }
    if let Some(how) = step.get("damage") {
        return stage.damage(how).map(|()| Value::Null).map_err(defect);
    }
    if let Some(texts) = step["check_disk"].as_array() {
        let texts: Vec<Vec<u8>> = texts.iter().map(|t| text(t).into_bytes()).collect();
        return stage.check_disk(&texts).map(|()| Value::Null).map_err(defect);
    }
    let on = step["on"].as_str().unwrap_or("first");
    match step["do"].as_str() {
        Some("open") => stage.open(on, &given(step)),
        Some("open_file") => stage.open_file(&given(step)),
        Some("wrapped_root_key") => stage.wrapped_root_key(),
        Some("deliver") => posts::deliver(&stage.player(on)?.engine, &stage.sim.clone(), stage.clock(), &given(step)).await,
        Some("connect_device") => {
            let sign_in = stage.player(on)?.engine.connect_device(verbs::record(&given(step))?).await.map_err(verbs::error)?;
            let shown = json!({ "user_code": sign_in.user_code(), "verification_uri": sign_in.verification_uri(), "message": sign_in.message(), "expires_at": rfc3339(sign_in.expires_at()) });
            waiting.insert(text(&step["background"]), tokio::spawn(async move { vec![verbs::out(sign_in.wait().await)] }));
            Ok(shown)
        }
        Some("connect_here") => {
            let sign_in = stage.player(on)?.engine.connect_here(verbs::record(&given(step))?).await.map_err(verbs::error)?;
            let url = sign_in.url();
            waiting.insert(text(&step["background"]), tokio::spawn(async move { vec![verbs::out(sign_in.wait().await)] }));
            Ok(json!({ "url": url }))
        }
        _ => Err(defect("a step without an action")),
    }
}

/// As the interface's own records write it.
fn rfc3339(at: std::time::SystemTime) -> Value {
    let carrier = tidings::SignIn { url: String::new(), binding: String::new(), expires_at: at };
    serde_json::to_value(carrier).map(|record| record["expires_at"].clone()).unwrap_or_default()
}

fn given(step: &Value) -> Value {
    step.get("with").cloned().unwrap_or_else(|| json!({}))
}

/// connect, the simulator's sign-in page, finish_connect.
async fn sign_in(stage: &mut Stage, request: &Value) -> Outcome {
    if request["organisation"] == json!(true) {
        return connect_organisation(stage, request).await;
    }
    let mut asked = json!({ "owner": "owner-1", "features": ["chat", "mail_send", "mail_sync"], "redirect_uri": "http://localhost/callback" });
    for (key, value) in request.as_object().into_iter().flatten().filter(|(key, _)| *key != "as") {
        asked[key] = value.clone();
    }
    let player = stage.player("first")?;
    let started = verbs::call(player.clone(), "connect".into(), asked).await?;
    let page = stage.sim.ask("signin", Some(&json!({ "url": started["url"], "as": request["as"] }))).await.map_err(defect)?;
    verbs::call(player, "finish_connect".into(), json!({ "callback_url": page["location"], "binding": started["binding"] })).await
}

/// connect_tenant, the sign-in page, approval, the page for administrators.
async fn connect_organisation(stage: &mut Stage, request: &Value) -> Outcome {
    let (player, redirect) = (stage.player("first")?, "http://localhost/callback");
    let mut asked = json!({ "owner": request["owner"].as_str().unwrap_or("owner-1"), "redirect_uri": redirect });
    if let Some(app) = request["app"].as_str() {
        asked["app"] = json!(app);
    }
    let mut started = verbs::call(player.clone(), "connect_tenant".into(), asked).await?;
    let mut account = Value::Null;
    for part in ["who", "approval"] {
        let page = stage.sim.ask("signin", Some(&json!({ "url": started["url"], "as": request["as"] }))).await.map_err(defect)?;
        account = verbs::call(player.clone(), "finish_connect".into(), json!({ "callback_url": page["location"], "binding": started["binding"] })).await?;
        if part == "who" && account["state"] != json!("connected") {
            started = verbs::call(player.clone(), "approval".into(), json!({ "account_id": account["id"], "redirect_uri": redirect })).await?;
        } else {
            break;
        }
    }
    Ok(account)
}

/// What is wrong with an outcome.
fn judge(outcome: Outcome, expect: Option<&Value>, error: Option<&Value>) -> Option<String> {
    match (outcome, error) {
        (Ok(value), Some(error)) => Some(format!("expected error {}, saw {}", short(error), short(&value))),
        (Err(saw), Some(error)) => mismatch(error, &saw, "error"),
        (Err(saw), None) => Some(format!("failed: {}", short(&saw))),
        (Ok(value), None) => expect.and_then(|expect| mismatch(expect, &value, "")),
    }
}

/// The simulator accuses nobody, unless the scenario says so.
async fn accusations(sim: &Sim, scenario: &Value) -> Result<(), String> {
    let ledger = sim.ask("ledger", Some(&json!({}))).await?;
    let allowed = scenario["accusations"].as_array().cloned().unwrap_or_default();
    let accusation = ledger["accusations"].as_array().into_iter().flatten().find(|a| !allowed.contains(&a["kind"]));
    accusation.map_or(Ok(()), |a| Err(format!("the simulator accuses: {}", short(a))))
}

/// Nothing that came out, was logged or is stored repeats a secret that the simulator knows, in any encoding.
async fn never_shown(sim: &Sim, logs: &Logs, mut texts: Vec<String>) -> Result<(), String> {
    texts.push(logs.all().await.unwrap_or_default().to_string());
    let found = sim.ask("secrets/find", Some(&json!({ "text": texts }))).await?["found"].clone();
    if found == json!([]) { Ok(()) } else { Err(format!("shown or stored of a secret: {found}")) }
}

/// Every token that went over the wire.
async fn tokens(sim: &Sim) -> Result<Vec<Vec<u8>>, String> {
    let exchanges = sim.ask("exchanges", None).await?;
    let text = exchanges.as_str().map_or_else(|| exchanges.to_string(), str::to_owned);
    let token = Regex::new(r#"(?:access_token|refresh_token|id_token)\\?":\s*\\?"([^"\\]{16,})"#).map_err(|e| e.to_string())?;
    let mut found: Vec<Vec<u8>> = token.captures_iter(&text).map(|c| c[1].as_bytes().to_vec()).collect();
    found.sort();
    found.dedup();
    Ok(found)
}
