//! Many small reads in one request. Each item has its own outcome; one that was refused goes again alone.

use super::{Caller, Graph, IMMUTABLE, fault, wire};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::{Safety, parse_retry_after};
use crate::random;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

const MOST_ITEMS: usize = 20;
/// Rounds in which an item that was refused or failed goes again.
const ROUNDS: u32 = 6;

/// Which refusals of an item mean that there is nothing.
pub(super) type Absent = fn(StatusCode, &[u8]) -> bool;

#[derive(Serialize)]
struct Envelope<'a> {
    requests: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: String,
    method: &'static str,
    url: &'a str,
    // Headers of the envelope do not reach the items.
    headers: BTreeMap<&'static str, &'static str>,
}

#[derive(Deserialize)]
struct Answers<'a> {
    #[serde(borrow)]
    responses: Vec<Answer<'a>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    id: String,
    status: u16,
    #[serde(default)]
    headers: Option<HashMap<String, serde_json::Value>>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

impl Graph {
    /// GETs of `paths` below Graph's root (`/me/…`), in their order; None: `absent` says so of its answer. Any other refusal of an item is an error of the whole.
    pub(super) async fn batch_get(&self, caller: &Caller, paths: &[String], absent: Absent) -> Result<Vec<Option<String>>> {
        let mut found: Vec<Option<String>> = Vec::with_capacity(paths.len());
        for chunk in paths.chunks(MOST_ITEMS) {
            let mut open: Vec<usize> = (0..chunk.len()).collect();
            let mut done: HashMap<usize, Option<String>> = HashMap::new();
            let mut round = 0;
            while !open.is_empty() {
                let again = self.round(caller, chunk, &open, absent, &mut done).await?;
                open = again.open;
                if open.is_empty() {
                    break;
                }
                // The fence makes the next round wait out of the caller's own purse, and everybody else's request on this mailbox with it.
                self.pipeline.hold(&caller.account_id, again.wait);
                round += 1;
                if round >= ROUNDS {
                    return Err(again.why.on_account(&caller.account_id));
                }
            }
            found.extend((0..chunk.len()).map(|n| done.remove(&n).flatten()));
        }
        Ok(found)
    }

    async fn round(&self, caller: &Caller, paths: &[String], open: &[usize], absent: Absent, done: &mut HashMap<usize, Option<String>>) -> Result<Again> {
        let headers = BTreeMap::from([("Prefer", IMMUTABLE)]);
        let requests = open.iter().filter_map(|n| Some(Item { id: (n + 1).to_string(), method: "GET", url: paths.get(*n)?, headers: headers.clone() })).collect();
        let body = serde_json::to_vec(&Envelope { requests }).map_err(|_| Error::internal("A batch could not be written."))?;
        let response = self.ask(self.write(caller, Method::POST, self.url("$batch", &[])?, body, Safety::Repeatable)).await?;
        if wire::too_deep(&response.body) {
            return Err(wire::unreadable());
        }
        let text = wire::text(&response.body);
        let answers: Answers<'_> = serde_json::from_str(&text).map_err(|_| wire::unreadable())?;
        let mut answers: HashMap<String, Answer<'_>> = answers.responses.into_iter().map(|a| (a.id.clone(), a)).collect();
        let mut again = Again { open: Vec::new(), wait: Duration::ZERO, why: wire::unreadable() };
        for n in open {
            let Some(answer) = answers.remove(&(n + 1).to_string()) else {
                return Err(Error::new(ErrorKind::Upstream, "A batch came back without one of its answers. Try again later.").with_request_id(response.request_id));
            };
            let body = answer.body.map_or("", RawValue::get);
            let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            if status.is_success() {
                done.insert(*n, Some(body.to_owned()));
                continue;
            }
            if absent(status, body.as_bytes()) {
                done.insert(*n, None);
                continue;
            }
            let error = fault::error(status, body.as_bytes(), &response.secrets).with_request_id(response.request_id.clone());
            match error.kind() {
                ErrorKind::Throttled | ErrorKind::Upstream => {
                    let wait = answer.wait(self.pipeline.clock().now());
                    again.wait = again.wait.max(wait);
                    again.why = error.with_retry_after_ms(u64::try_from(wait.as_millis()).ok());
                    again.open.push(*n);
                }
                _ => return Err(error.on_account(&caller.account_id)),
            }
        }
        Ok(again)
    }
}

struct Again {
    open: Vec<usize>,
    wait: Duration,
    why: Error,
}

impl Answer<'_> {
    /// Its own Retry-After; without one, a short jittered wait.
    fn wait(&self, now: std::time::SystemTime) -> Duration {
        let asked = self.headers.iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case("retry-after")).and_then(|(_, value)| match value {
            serde_json::Value::String(text) => parse_retry_after(text, now),
            serde_json::Value::Number(number) => parse_retry_after(&number.to_string(), now),
            _ => None,
        });
        asked.unwrap_or_else(|| Duration::from_millis(300 + (1700.0 * random::jitter()) as u64))
    }
}
