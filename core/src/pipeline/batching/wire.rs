//! `$batch` on the wire. Source: Graph, json-batching.

use crate::error::{Error, Result};
use crate::json::{self, lenient};
use crate::pipeline::parse_retry_after;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

/// Requests of one batch at most.
pub const MOST_ITEMS: usize = 20;

#[derive(Serialize)]
struct Envelope<'a> {
    requests: &'a [Asked<'a>],
}

/// One request of a batch. Its id is its place, counted from one.
#[derive(Serialize)]
pub struct Asked<'a> {
    pub id: String,
    pub method: &'a str,
    /// Below Graph's version, with a slash before it.
    pub url: &'a str,
    // Headers of the envelope do not reach the items.
    pub headers: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<&'a RawValue>,
}

/// The body of a batch.
pub fn write(requests: &[Asked<'_>]) -> Result<Vec<u8>> {
    serde_json::to_vec(&Envelope { requests }).map_err(|_| Error::internal("A batch could not be written."))
}

#[derive(Deserialize)]
struct Answers<'a> {
    #[serde(borrow)]
    responses: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
pub struct Answer<'a> {
    #[serde(default, deserialize_with = "lenient::scalar")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::scalar")]
    status: Option<i64>,
    #[serde(default, deserialize_with = "lenient::object")]
    headers: Option<HashMap<String, serde_json::Value>>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// The answers by the ids of their requests. One that cannot be read is as good as missing; what is told twice and not the same is told by neither; an id
/// that nobody gave is not looked for.
///
/// Errors: what came is no answer to a batch.
pub fn read(text: &str) -> std::result::Result<HashMap<String, Answer<'_>>, json::Unreadable> {
    let answers: Answers<'_> = json::of_text(text)?;
    let mut by_id: HashMap<String, Option<Answer<'_>>> = HashMap::new();
    for answer in answers.responses.into_iter().filter_map(|raw| serde_json::from_str::<Answer<'_>>(raw.get()).ok()) {
        let Some(id) = answer.id.clone() else { continue };
        let told = match by_id.remove(&id) {
            None => Some(answer),
            Some(known) => known.filter(|known| known.status == answer.status && known.text() == answer.text()),
        };
        by_id.insert(id, told);
    }
    Ok(by_id.into_iter().filter_map(|(id, answer)| Some((id, answer?))).collect())
}

impl<'a> Answer<'a> {
    /// Empty: there is none.
    pub fn text(&self) -> &'a str {
        self.body.map_or("", RawValue::get)
    }

    pub fn status(&self) -> Option<StatusCode> {
        StatusCode::from_u16(u16::try_from(self.status?).ok()?).ok()
    }

    /// Its own Retry-After.
    pub fn wait(&self, now: SystemTime) -> Option<Duration> {
        self.headers().find(|(name, _)| name.eq_ignore_ascii_case("retry-after")).and_then(|(_, value)| parse_retry_after(&value, now))
    }

    fn headers(&self) -> impl Iterator<Item = (&str, String)> {
        self.headers.iter().flatten().filter_map(|(name, value)| match value {
            serde_json::Value::String(text) => Some((name.as_str(), text.clone())),
            serde_json::Value::Number(number) => Some((name.as_str(), number.to_string())),
            _ => None,
        })
    }

    /// As if it had come alone. None: it says no status.
    pub fn response(&self) -> Option<http::Response<Bytes>> {
        let status = self.status()?;
        let text = self.text();
        let mut response = http::Response::new(if text == "null" { Bytes::new() } else { Bytes::copy_from_slice(text.as_bytes()) });
        *response.status_mut() = status;
        let headers: HeaderMap = self
            .headers()
            .filter_map(|(name, value)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)))
            .collect();
        *response.headers_mut() = headers;
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_and_odd_ones_are_left_out() {
        let text = r#"{"responses":[
            {"id":2,"status":"202","headers":{"Retry-After":3,"X":["no"]},"body":null},
            {"id":"1","status":200,"body":{"a":1}}, {"id":"1","status":200,"body":{"a":1}},
            {"id":"3","status":200,"body":{"a":1}}, {"id":"3","status":404,"body":{"a":1}},
            {"status":200}, 7, {"id":"4","status":"soon"}, {"id":"5"}]}"#;
        let answers = read(text).unwrap_or_default();
        assert_eq!(answers.get("1").map(Answer::text), Some("{\"a\":1}"));
        assert!(!answers.contains_key("3"), "told twice and not the same");
        assert!(answers.get("4").is_none_or(|answer| answer.status().is_none()) && answers.get("5").and_then(Answer::response).is_none());
        let second = answers.get("2").unwrap();
        assert_eq!(second.wait(SystemTime::UNIX_EPOCH), Some(Duration::from_secs(3)));
        let response = second.response().unwrap();
        assert!(response.status() == StatusCode::ACCEPTED && response.body().is_empty() && response.headers().len() == 1);
        assert!(read("[]").is_err() && read("{}").is_err());
    }
}
