//! What a fault does: the answer in place of the effect, or what becomes of the answer after it.

use crate::faults::Action;
use crate::http::{Answer, Bytes, Call, Host};
use crate::world::World;
use serde_json::{Value, json};

/// The header that asks for claims. Shuffled: after challenges of other schemes, behind texts that look like parameters,
/// with the claims last.
fn challenge(login: &str, claims: &str, shuffled: bool) -> String {
    let place = format!("authorization_uri=\"{login}/common/oauth2/authorize\"");
    let client = "client_id=\"00000003-0000-0000-c000-000000000000\"";
    if !shuffled {
        return format!("Bearer realm=\"\", {place}, {client}, error=\"insufficient_claims\", claims=\"{claims}\"");
    }
    format!(
        "PoP alg=\"RS256\", nonce=\"Bearer claims, of no use\", Negotiate, Bearer {client}, \
         errorDescription=\"Continuous access evaluation, claims=none, resulted in \\\"challenge\\\"\", realm=\"\", \
         error=\"insufficient_claims\", {place}, claims=\"{claims}\""
    )
}

impl Action {
    /// The answer in place of any effect, for those faults that have one.
    pub fn instead(&self, world: &mut World, call: &Call, person: &str) -> Option<Answer> {
        match self {
            Action::Echo(echo) => echo.instead(call),
            Action::Status(ask) => Some(status(world, call, ask, person)),
            Action::ThrottleItem(seconds) if call.item_of.is_some() => Some(too_many(world, call, *seconds, person)),
            Action::Revoked => {
                if let Some(token) = call.header("authorization").and_then(|a| a.strip_prefix("Bearer ")) {
                    world.entra.forget_access(token);
                }
                let claims = format!(r#"{{"access_token":{{"nbf":{{"essential":true,"value":"{}"}}}}}}"#, world.now() / 1000);
                let claims = crate::http::base64(claims.as_bytes());
                let challenge = challenge(world.origins.beside(&call.origin).0, &claims, world.odd("shuffled_challenge"));
                let text = "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: \
                            TokenIssuedBeforeRevocationTimestamp";
                Some(Answer::fail(401, "InvalidAuthenticationToken", text).with("WWW-Authenticate", challenge))
            }
            Action::Gone { location } => {
                let text = "The sync state generation is not found; generation=108;[highest=143].";
                let answer = Answer::fail(410, "SyncStateNotFound", text);
                Some(if *location { answer.with("Location", fresh_delta(world, call)) } else { answer })
            }
            Action::EmptyPage => {
                // The same list under another address: a link to the page itself is another fault.
                let link = if call.query.is_empty() { call.url() } else { format!("{}&", call.url()) };
                let context = format!("{}/$metadata#Collection(graph.entity)", call.base());
                Some(Answer::json(200, &json!({"@odata.context": context, "@odata.nextLink": link, "value": []})))
            }
            _ => None,
        }
    }

    /// What becomes of the answer after the effect.
    pub fn spoil(&self, world: &mut World, call: &Call, nth: u64, answer: Answer) -> Answer {
        let edit = |answer: Answer, change: &mut dyn FnMut(&mut Value)| match answer.value() {
            Some(mut page) => {
                change(&mut page);
                Answer { body: page.to_string().into(), ..answer }
            }
            None => answer,
        };
        match self {
            Action::LinkToStranger => {
                let stranger = world.origins.stranger.clone();
                edit(answer, &mut |page| {
                    for key in ["@odata.nextLink", "@odata.deltaLink"] {
                        if let Some(link) = page[key].as_str() {
                            page[key] = json!(link.replacen(&call.origin, &stranger, 1));
                        }
                    }
                })
            }
            Action::LoopLink => edit(answer, &mut |page| {
                if let Some(map) = page.as_object_mut() {
                    map.remove("@odata.deltaLink");
                    map.insert("@odata.nextLink".into(), json!(call.url()));
                }
            }),
            Action::Endless => {
                let secret = world.secret.clone();
                edit(answer, &mut |page| {
                    let link = page["@odata.nextLink"].as_str().or_else(|| page["@odata.deltaLink"].as_str()).unwrap_or_default();
                    let token = link.split_once("token=").and_then(|(_, token)| crate::mail::token::open(&secret, &crate::http::decode(token, false)));
                    let Some(mut token) = token else { return };
                    (token.at, token.walk, token.listed) = (0, None, nth as usize);
                    let token = crate::mail::token::seal(&secret, &token);
                    if let Some(map) = page.as_object_mut() {
                        map.remove("@odata.deltaLink");
                        map.insert("@odata.nextLink".into(), json!(format!("{}{}?$skiptoken={token}", call.origin, call.path)));
                    }
                })
            }
            Action::Circle(length) => edit(answer, &mut |page| {
                let here = call.param("$skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
                let next = (here + 1) % length;
                let mut pairs: Vec<&str> = call.query.split('&').filter(|pair| !pair.is_empty() && !pair.to_ascii_lowercase().contains("skip=")).collect();
                let skip = format!("$skip={next}");
                if next > 0 {
                    pairs.push(&skip);
                }
                page["@odata.nextLink"] = json!(format!("{}{}?{}", call.origin, call.path, pairs.join("&")));
            }),
            Action::Replay => {
                let before = world.faults.last_page(&page_key(call));
                let old = before.and_then(|b| serde_json::from_slice::<Value>(&b).ok());
                let Some(Value::Array(mut items)) = old.map(|mut o| o["value"].take()) else {
                    return answer;
                };
                edit(answer, &mut |page| {
                    if let Some(value) = page["value"].as_array_mut() {
                        items.append(value);
                        *value = std::mem::take(&mut items);
                    }
                })
            }
            Action::BadItem => edit(answer, &mut |page| {
                if let Some(value) = page["value"].as_array_mut() {
                    let bad = if nth % 2 == 1 { json!({"id": 42, "subject": "a number for an id"}) } else { json!({"subject": "no id"}) };
                    value.push(bad);
                }
            }),
            Action::LeaveOut(n) => edit(answer, &mut |page| {
                if let Some(value) = page["value"].as_array_mut() {
                    value.drain(..(*n).min(value.len()));
                }
            }),
            Action::Echo(echo) => echo.spoil(call, answer),
            Action::Items(items) => edit(answer, &mut |whole| items.spoil(whole)),
            Action::Other(crate::slip::Other::Request) => {
                let id = world.noise.guid();
                answer.with("client-request-id", id)
            }
            Action::Rewrite(how) => rewritten(how, answer),
            // What was refused stays refused.
            Action::DoneBut(ask) if answer.status < 400 => status(world, call, ask, ""),
            Action::EmptyBody => Answer { status: 200, body: Bytes::new(), ..answer },
            Action::Unparsable => Answer { status: 200, body: Bytes::from_static(b"{\"value\":[{\"id\":\"AA"), ..answer },
            _ => answer,
        }
    }

    /// Is the answer wrong on purpose, so that no checker should look at it?
    pub fn lies(&self) -> bool {
        if let Action::Status(ask) = self {
            return ask["status"].as_u64() < Some(400) || !ask["body"].is_null();
        }
        !matches!(self, Action::Slow(_) | Action::Hold { .. } | Action::LeaveOut(_) | Action::Replay | Action::Revoked | Action::ThrottleItem(_))
            && !matches!(self, Action::Gone { .. } | Action::EmptyPage)
    }
}

/// The same answer in a form that Microsoft's documents do not show.
fn rewritten(how: &Value, answer: Answer) -> Answer {
    let mut text = String::from_utf8_lossy(&answer.body).into_owned();
    let merged = how["merge"].as_str().and_then(|text| serde_json::from_str::<serde_json::Map<String, Value>>(text).ok());
    if let (Some(merged), Ok(mut whole)) = (merged, serde_json::from_str::<Value>(&text)) {
        let into = |item: &mut Value| {
            if let Some(object) = item.as_object_mut().filter(|o| !o.contains_key("@removed")) {
                object.extend(merged.clone());
            }
        };
        match whole["value"].as_array_mut() {
            Some(items) => items.iter_mut().for_each(into),
            None => into(&mut whole),
        }
        text = whole.to_string();
    }
    for pair in how["replace"].as_array().into_iter().flatten() {
        if let (Some(from), Some(to)) = (pair[0].as_str(), pair[1].as_str()) {
            text = text.replace(from, to);
        }
    }
    if how["byte_order_mark"] == true {
        text.insert(0, '\u{FEFF}');
    }
    Answer { body: text.into(), ..answer }
}

fn page_key(call: &Call) -> (String, String) {
    (call.header("authorization").unwrap_or("").to_string(), call.path.clone())
}

/// Remembers a page of a list.
pub fn remember_page(world: &mut World, call: &Call, answer: &Answer) {
    if call.method == "GET" && answer.status == 200 && answer.body.len() > 20 {
        world.faults.turn_page(page_key(call), &answer.body);
    }
}

/// The delta from its beginning, with what the token had selected.
fn fresh_delta(world: &World, call: &Call) -> String {
    let token = call.param("$deltatoken").or_else(|| call.param("$skiptoken")).unwrap_or_default();
    let options = crate::mail::token::open(&world.secret, &token)
        .map(|t| t.query)
        .unwrap_or_else(|| if token.is_empty() { call.query.clone() } else { String::new() });
    let url = format!("{}{}", call.origin, call.path);
    if options.is_empty() { url } else { format!("{url}?{options}") }
}

fn too_many(world: &mut World, call: &Call, seconds: f64, person: &str) -> Answer {
    let until = world.now() + (seconds * 1000.0) as i64;
    world.limits.promise(person, call, until);
    Answer::fail(429, "TooManyRequests", "Please retry again later.").with("Retry-After", format!("{seconds}"))
}

fn status(world: &mut World, call: &Call, ask: &Value, person: &str) -> Answer {
    let status = ask["status"].as_u64().unwrap_or(500) as u16;
    let of_bots = crate::bot::code_of(status);
    let code = ask["code"].as_str().unwrap_or(match status {
        _ if call.host == Host::Bot => of_bots.0,
        401 => "InvalidAuthenticationToken",
        403 => "ErrorAccessDenied",
        404 => "ErrorItemNotFound",
        409 => "Conflict",
        412 => "ErrorIrresolvableConflict",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        s if s >= 500 => "UnknownError",
        _ => "BadRequest",
    });
    let message = ask["message"].as_str().unwrap_or(if call.host == Host::Bot { of_bots.1 } else { "The simulator was told to answer so." });
    let mut answer = match &ask["body"] {
        Value::Null if call.host == Host::Login && status >= 400 => {
            let error = ask["code"].as_str().unwrap_or(if status >= 500 { "server_error" } else { "temporarily_unavailable" });
            Answer::json(status, &json!({"error": error, "error_description": message, "error_codes": []}))
        }
        Value::Null if status >= 400 => Answer::fail(status, code, message),
        Value::Null => Answer::empty(status),
        Value::String(text) => Answer::bytes(status, "text/plain", text.clone().into()),
        body => Answer::json(status, body),
    };
    let now = world.now();
    let seconds = match &ask["retry_after"] {
        Value::String(text) => match text.strip_prefix("date:").and_then(|s| s.parse::<f64>().ok()) {
            Some(seconds) => {
                answer = answer.with("Retry-After", crate::clock::http_date(now + (seconds * 1000.0) as i64));
                // An HTTP date has whole seconds, so the promise ends with the second.
                Some(seconds - (now.rem_euclid(1000) as f64) / 1000.0)
            }
            None => {
                answer = answer.with("Retry-After", text.clone());
                text.parse().ok()
            }
        },
        Value::Number(n) => {
            answer = answer.with("Retry-After", n.to_string());
            n.as_f64()
        }
        _ => None,
    };
    if let Some(seconds) = seconds {
        world.limits.promise(person, call, now + (seconds * 1000.0) as i64);
    }
    for (name, value) in ask["headers"].as_object().into_iter().flatten() {
        answer.headers.retain(|(k, _)| !k.eq_ignore_ascii_case(name));
        answer = answer.with(name, value.as_str().map(String::from).unwrap_or_else(|| value.to_string()));
    }
    answer
}
