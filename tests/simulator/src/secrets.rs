//! The secrets that passed by, known again in every usual encoding: what a client shows is searched for them.

use crate::http::{Bytes, Call, Host, form};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

/// In the order in which they take turns.
pub const ENCODINGS: [&str; 10] = ["plain", "lower", "upper", "part", "hex", "base64", "base64url", "reversed", "percent", "entities"];
/// Fields of a form that prove something.
const FIELDS: [&str; 6] = ["refresh_token", "code", "client_secret", "client_assertion", "device_code", "code_verifier"];
const TOKENS: [&str; 4] = ["access_token", "refresh_token", "id_token", "device_code"];
/// So many characters in a row make a text a part of a secret.
const RUN: usize = 12;
/// Nobody has more than this in a test.
const CAP: usize = 2_000;

pub fn encode(encoding: &str, text: &str) -> String {
    let each = |write: &dyn Fn(u8) -> String| text.bytes().map(write).collect::<String>();
    match encoding {
        "lower" => text.to_ascii_lowercase(),
        "upper" => text.to_ascii_uppercase(),
        "part" => text.chars().skip(text.len().saturating_sub(13) / 2).take(13).collect(),
        "hex" => each(&|b| format!("{b:02x}")),
        "base64" => crate::http::base64(text.as_bytes()),
        "base64url" => crate::http::base64url(text.as_bytes()),
        "reversed" => text.chars().rev().collect(),
        "percent" => each(&|b| format!("%{b:02X}")),
        "entities" => each(&|b| format!("&#{b};")),
        _ => text.to_string(),
    }
}

/// What a request proves itself with: its bearer token, or the fields of its form.
pub fn of(call: &Call) -> Vec<String> {
    let bearer = call.header("authorization").and_then(|a| a.split_once(' ')).map(|(_, token)| token.trim().to_string());
    let fields = if call.host == Host::Login { form(&String::from_utf8_lossy(&call.body)) } else { Vec::new() };
    let sig = call.param("sig").filter(|_| call.host == Host::Workflow);
    let fields = fields.into_iter().filter(|(name, _)| FIELDS.contains(&name.as_str())).map(|(_, value)| value);
    bearer.into_iter().chain(fields).chain(sig).filter(|s| s.len() >= RUN).collect()
}

#[derive(Default)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    pub fn heard(&mut self, call: &Call) {
        self.keep(of(call));
    }

    /// The tokens of an answer of Entra.
    pub fn keep_of_answer(&mut self, body: &Bytes) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
        self.keep(TOKENS.iter().filter_map(|name| body[*name].as_str().map(String::from)));
    }

    /// A token that Microsoft shows somebody.
    pub fn keep_of_post(&mut self, authorization: &str) {
        self.keep(authorization.split_once(' ').map(|(_, token)| token.to_string()));
    }

    fn keep(&mut self, secrets: impl IntoIterator<Item = String>) {
        for secret in secrets.into_iter().filter(|s| s.len() >= RUN) {
            if self.0.len() < CAP {
                self.0.insert(secret);
            }
        }
    }

    /// POST /secrets/find: what of a text, or of a list of texts, repeats a secret, and how it is encoded there.
    pub fn find(&self, ask: &Value) -> Result<Value, String> {
        let texts: Vec<&str> = match &ask["text"] {
            Value::String(text) => vec![text],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => return Err("text is missing".into()),
        };
        let mut known: HashMap<[u8; RUN], &str> = HashMap::new();
        for secret in &self.0 {
            for encoding in ENCODINGS.into_iter().filter(|e| *e != "part") {
                // Base64 reads otherwise for each place that it begins at.
                let starts = if encoding.starts_with("base64") { 3 } else { 1 };
                for written in (0..starts).filter_map(|skip| secret.get(skip..)).map(|rest| plain(&encode(encoding, rest))) {
                    for run in runs(&written) {
                        known.entry(run).or_insert(encoding);
                    }
                }
            }
        }
        let mut found: Vec<Value> = Vec::new();
        for text in texts {
            let text = plain(text);
            if let Some((run, encoding)) = runs(&text).find_map(|run| Some((run, known.get(&run)?))) {
                found.push(json!({"text": String::from_utf8_lossy(&run), "encoding": encoding}));
            }
        }
        Ok(json!({"secrets": self.0.len(), "found": found}))
    }
}

/// Letters and digits alone, in lower case.
fn plain(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|b| b.to_ascii_lowercase()).collect()
}

fn runs(text: &[u8]) -> impl Iterator<Item = [u8; RUN]> + '_ {
    text.windows(RUN).filter_map(|run| run.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_again_in_every_encoding() {
        const SECRET: &str = "EwB4A8l6BAAUkj1NuJYtTVha0MoadMdNVsTmyfoAAYZ3";
        let mut secrets = Secrets::default();
        secrets.keep([SECRET.to_string()]);
        for encoding in ENCODINGS {
            let text = format!("Microsoft said <b>{}</b>.", encode(encoding, SECRET));
            assert_eq!(secrets.find(&json!({"text": ["harmless", text]})).unwrap()["found"].as_array().map(Vec::len), Some(1), "{encoding}");
        }
        for other in ["harmless", "Microsoft said nothing of use (HTTP 400).", "EwB4A8l6BAA", "2026-01-15T09:00:00Z 4f2b6f0a-0000-4000-8000-000000000001"] {
            assert_eq!(secrets.find(&json!({"text": other})).unwrap()["found"], json!([]), "{other}");
        }
        assert!(secrets.find(&json!({})).is_err());
    }
}
