//! A server that repeats what it was sent: the same secret in many places of an answer, and in many encodings.

use crate::http::{Answer, Call, Host};
use crate::secrets::{self, ENCODINGS};
use serde_json::{Value, json};

/// Where a secret can stand in an answer that refuses.
const PLACES: [&str; 11] = [
    "code", "message", "request_id", "html", "www_authenticate", "retry_after", "location", "suberror", "error_description", "claims", "trace_id",
];
/// Short enough for a code of 64 characters, whatever becomes of it.
const SHORT: usize = 24;
/// Short enough for headers.
const LONG: usize = 300;

#[derive(Clone, Debug)]
pub struct Echo {
    places: Vec<String>,
    encodings: Vec<String>,
    /// The field of the form that is repeated; none: whatever proves the request.
    of: Option<String>,
    /// Of the right answer, properties that the secret takes the place of. None: it is a refusal.
    fields: Vec<String>,
    status: u16,
    code: Option<String>,
}

impl Echo {
    pub fn parse(ask: &Value) -> Result<Echo, String> {
        let list = |name: &str, known: &[&str], default: &[&str]| -> Result<Vec<String>, String> {
            let named: Vec<&str> = match &ask[name] {
                Value::Null => default.to_vec(),
                Value::String(one) => vec![one.as_str()],
                Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
                other => return Err(format!("{name} is a name or a list of names, not {other}")),
            };
            match named.iter().find(|n| !known.is_empty() && !known.contains(n)) {
                Some(unknown) => Err(format!("no such {name}: {unknown}")),
                None => Ok(named.into_iter().map(String::from).collect()),
            }
        };
        let everywhere: Vec<&str> = PLACES.into_iter().filter(|p| *p != "html").collect();
        Ok(Echo {
            places: list("places", &PLACES, &everywhere)?,
            encodings: list("encodings", &ENCODINGS, &ENCODINGS)?,
            of: ask["of"].as_str().map(String::from),
            fields: list("fields", &[], &[])?,
            status: ask["status"].as_u64().filter(|s| (200..600).contains(s)).unwrap_or(400) as u16,
            code: ask["code"].as_str().map(String::from),
        })
    }

    /// With the encoding whose turn it is: each request that meets the fault gets the next one.
    pub fn turn(&self, met: u64) -> Echo {
        let at = met as usize % self.encodings.len().max(1);
        Echo { encodings: self.encodings.get(at..=at).unwrap_or_default().to_vec(), ..self.clone() }
    }

    fn secret(&self, call: &Call) -> String {
        let named = self.of.as_ref().and_then(|of| crate::http::form(&String::from_utf8_lossy(&call.body)).into_iter().find(|(name, _)| name == of));
        named.map(|(_, value)| value).or_else(|| secrets::of(call).into_iter().next()).unwrap_or_default()
    }

    fn written(&self, call: &Call, most: usize) -> String {
        let secret = self.secret(call);
        // The end: the beginnings of tokens are alike.
        secrets::encode(self.encodings.first().map_or("plain", String::as_str), secret.get(secret.len().saturating_sub(most)..).unwrap_or(&secret))
    }

    /// 16 bytes of the secret in the form of a request id.
    fn guid(&self, call: &Call) -> String {
        let secret = self.secret(call);
        let hex = secrets::encode("hex", secret.get(secret.len().saturating_sub(16)..).unwrap_or(&secret));
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("0000").to_string();
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    }

    /// The refusal; None: the right answer is given, and [`spoil`](Self::spoil)ed.
    pub fn instead(&self, call: &Call) -> Option<Answer> {
        if !self.fields.is_empty() {
            return None;
        }
        let is = |place: &str| self.places.iter().any(|p| p == place);
        let (short, long) = (self.written(call, SHORT), self.written(call, LONG));
        let mut answer = if is("html") {
            Answer::html(self.status, format!("<html><head><title>{long}</title></head><body>Authorization: Bearer {long}</body></html>"))
        } else {
            Answer::json(self.status, &self.body(call, &short, &long))
        };
        if is("request_id") {
            // As it is, or in the form of an id; every other time.
            let id = if self.encodings.iter().any(|e| e == "plain" || e == "hex" || e == "base64") { self.guid(call) } else { long.clone() };
            answer = answer.with("request-id", id.clone()).with("x-ms-request-id", id);
        }
        if is("www_authenticate") {
            let claims = crate::http::base64(json!({"access_token": {"nbf": {"value": long}}}).to_string().as_bytes());
            answer = answer.with("WWW-Authenticate", format!("Bearer realm=\"{long}\", error=\"insufficient_claims\", claims=\"{claims}\""));
        }
        if is("retry_after") {
            answer = answer.with("Retry-After", short);
        }
        if is("location") {
            answer = answer.with("Location", format!("{}/{long}", call.origin));
        }
        Some(answer)
    }

    fn body(&self, call: &Call, short: &str, long: &str) -> Value {
        let is = |place: &str| self.places.iter().any(|p| p == place);
        let pick = |place: &str, echo: &str, default: &str| if is(place) { format!("{echo}{}", if echo.is_empty() { default } else { "" }) } else { default.to_string() };
        // A code begins with a letter, whatever the secret begins with.
        let code = self.code.clone().unwrap_or_else(|| if is("code") { format!("E{short}") } else { "BadRequest".into() });
        if call.host != Host::Login {
            let id = pick("trace_id", &self.guid(call), "");
            return json!({"error": {"code": code, "message": pick("message", long, "Refused."), "innerError": {"request-id": id, "date": "2026-01-15T09:00:00"}}});
        }
        let mut body = json!({
            "error": self.code.clone().unwrap_or_else(|| if is("code") { code } else { "invalid_request".into() }),
            "error_description": pick("error_description", &format!("AADSTS70000: {long}"), "AADSTS70000: Refused."),
            "error_codes": [70000],
            "suberror": pick("suberror", short, ""),
        });
        if is("claims") {
            body["claims"] = json!(json!({"access_token": {"acrs": {"essential": true, "value": long}}}).to_string());
        }
        if is("trace_id") {
            body["trace_id"] = json!(self.guid(call));
            body["correlation_id"] = json!(long);
        }
        body
    }

    /// The right answer, its named properties replaced; in a list, those of each item.
    pub fn spoil(&self, call: &Call, answer: Answer) -> Answer {
        let Some(mut whole) = answer.value().filter(|_| answer.status < 400) else { return answer };
        let echo = self.written(call, LONG);
        let mut into = |object: &mut Value| {
            for field in &self.fields {
                // A property may hold more than the secret, as a list of scopes does.
                let (name, before) = field.split_once('=').unwrap_or((field, ""));
                object[name] = json!(format!("{before}{echo}"));
            }
        };
        match whole["value"].as_array_mut() {
            Some(items) => items.iter_mut().for_each(&mut into),
            None => into(&mut whole),
        }
        Answer { body: whole.to_string().into(), ..answer }
    }
}
