//! Many small reads in one request. Each item has its own outcome, and one that fails spoils nothing but itself.

use super::{Caller, Graph, IMMUTABLE, fault, wire};
use crate::error::{Error, ErrorKind, Result};
use crate::foreign::Proofs;
use crate::json;
use crate::pipeline::batching::wire::{self as batching, Answer, Asked};
pub(super) use crate::pipeline::batching::wire::MOST_ITEMS;
use crate::pipeline::{Cost, MAX_SEVERAL, Safety};
use crate::random;
use http::{Method, StatusCode};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Rounds in which an item that was throttled goes again.
const ROUNDS: u32 = 6;
/// How often one item may fail.
const MOST_FAILURES: u32 = 3;
/// Batches in a row that may fail as a whole while the one that breaks them is looked for; more than that is an outage.
const MOST_BROKEN: u32 = 6;

/// Which refusals of an item mean that there is nothing.
pub(super) type Absent = fn(StatusCode, &[u8]) -> bool;

/// What came of one of several reads.
#[derive(Debug)]
pub(super) enum Item {
    /// And what it must not repeat.
    Found(String, Arc<Proofs>),
    /// There is none.
    Absent,
    /// This one was refused, or fails however often it is asked for; the others are not concerned.
    Failed(Error),
}

/// The rest of a batch that was not answered for good yet.
struct Open {
    at: usize,
    failures: u32,
    why: Error,
}

impl Graph {
    /// GETs of `paths` below Graph's root (`/me/…`), in their order; `absent` says which refusals mean that there is nothing. Errors are about the mailbox or
    /// the way there: what is wrong with one item is told of that item. A batch that fails as a whole is asked for in halves, so that the one that breaks it
    /// is found.
    pub(super) async fn batch_get(&self, caller: &Caller, paths: &[String], absent: Absent) -> Result<Vec<Item>> {
        let mut items: Vec<Option<Item>> = paths.iter().map(|_| None).collect();
        let mut work: Vec<Range<usize>> = (0..paths.len()).step_by(MOST_ITEMS).map(|from| from..(from + MOST_ITEMS).min(paths.len())).collect();
        work.reverse();
        let mut broken = 0;
        while let Some(part) = work.pop() {
            let error = match self.part(caller, paths, part.clone(), absent, &mut items).await {
                Ok(()) => {
                    broken = 0;
                    continue;
                }
                Err(error) => error,
            };
            let is_large = error.kind() == ErrorKind::LimitExceeded;
            if !is_large && !matches!(error.kind(), ErrorKind::Upstream | ErrorKind::InvalidInput) {
                return Err(error);
            }
            broken += u32::from(!is_large);
            if part.len() > 1 && broken <= MOST_BROKEN {
                let middle = part.start + part.len() / 2;
                work.extend([middle..part.end, part.start..middle]);
            } else if part.len() == 1 && (is_large || broken <= MOST_BROKEN) {
                set(&mut items, part.start, Item::Failed(error));
            } else {
                return Err(error);
            }
        }
        let missing = || Item::Failed(Error::new(ErrorKind::Upstream, "A batch came back without one of its answers. Try again later."));
        Ok(items.into_iter().map(|item| item.unwrap_or_else(missing)).collect())
    }

    /// One batch, until each of its items has its answer.
    async fn part(&self, caller: &Caller, paths: &[String], part: Range<usize>, absent: Absent, items: &mut [Option<Item>]) -> Result<()> {
        let size = part.len();
        let mut open: Vec<(usize, u32)> = part.map(|at| (at, 0)).collect();
        for round in 1.. {
            let (again, wait) = self.round(caller, paths, &open, IMMUTABLE, absent, items).await?;
            let is_throttled = again.iter().any(|item| item.why.kind() == ErrorKind::Throttled);
            // A mailbox that is throttled as a whole is not a matter of single items.
            if round >= ROUNDS && is_throttled && again.len() * 2 > size && size > 1 {
                return Err(again.into_iter().map(|item| item.why).find(|why| why.kind() == ErrorKind::Throttled).unwrap_or_else(wire::unreadable));
            }
            open.clear();
            for item in again {
                if round >= ROUNDS || item.failures >= MOST_FAILURES {
                    set(items, item.at, Item::Failed(item.why));
                } else {
                    open.push((item.at, item.failures));
                }
            }
            if open.is_empty() {
                break;
            }
            if is_throttled {
                // The fence makes the next round wait out of the caller's own patience, and everybody else's request on this mailbox with it.
                self.pipeline.hold(&caller.account_id, wait).await;
            } else {
                self.pipeline.clock().pause(wait).await;
            }
        }
        Ok(())
    }

    /// GETs of up to 20 paths in one request, once. What was not answered is left out.
    pub(super) async fn batch_once(&self, caller: &Caller, paths: &[String], prefer: &str) -> Result<Vec<Option<Item>>> {
        let mut items: Vec<Option<Item>> = paths.iter().map(|_| None).collect();
        let open: Vec<(usize, u32)> = (0..paths.len().min(MOST_ITEMS)).map(|at| (at, 0)).collect();
        let (again, wait) = self.round(caller, paths, &open, prefer, |_, _| false, &mut items).await?;
        if again.iter().any(|item| item.why.kind() == ErrorKind::Throttled) {
            self.pipeline.hold(&caller.account_id, wait).await;
        }
        Ok(items)
    }

    async fn round(&self, caller: &Caller, paths: &[String], open: &[(usize, u32)], prefer: &str, absent: Absent, items: &mut [Option<Item>]) -> Result<(Vec<Open>, Duration)> {
        let headers = BTreeMap::from([("Prefer", prefer)]);
        let asked = |(n, (at, _)): (usize, &(usize, u32))| Some(Asked { id: (n + 1).to_string(), method: "GET", url: paths.get(*at)?, headers: headers.clone(), body: None });
        let requests: Vec<Asked<'_>> = open.iter().enumerate().filter_map(asked).collect();
        let body = batching::write(&requests)?;
        let mut request = self.write(caller, Method::POST, self.url("$batch", &[])?, body, Safety::Repeatable);
        request.cost = Cost::of(open.len());
        if open.len() > 1 {
            request.attempts = 2;
            request.max_body = MAX_SEVERAL;
        }
        let response = self.ask(request).await?;
        let text = json::text(&response.body);
        let mut answers = batching::read(&text).map_err(|_| wire::unreadable())?;
        let proofs = Arc::new(response.secrets.proofs());
        let (mut again, mut longest) = (Vec::new(), Duration::ZERO);
        for (n, &(at, failures)) in open.iter().enumerate() {
            // One about something else is as good as missing, too.
            let path = paths.get(at).map_or("", String::as_str);
            let answer = answers.remove(&(n + 1).to_string()).filter(|answer| response.fits(path, answer.text().as_bytes()));
            let body = answer.as_ref().map_or("", Answer::text);
            let status = answer.as_ref().and_then(Answer::status).unwrap_or(StatusCode::BAD_GATEWAY);
            // A read that was answered with nothing was not answered.
            if status.is_success() && !matches!(body, "" | "null") {
                set(items, at, Item::Found(body.to_owned(), proofs.clone()));
                continue;
            }
            if !status.is_success() && answer.is_some() && absent(status, body.as_bytes()) {
                set(items, at, Item::Absent);
                continue;
            }
            let status = if status.is_success() { StatusCode::BAD_GATEWAY } else { status };
            let error = fault::error(status, body.as_bytes(), &response.secrets).with_request_id(response.request_id()).on_account(&caller.account_id);
            match error.kind() {
                ErrorKind::Throttled | ErrorKind::Upstream => {
                    let wait = answer.and_then(|answer| answer.wait(self.pipeline.clock().now())).unwrap_or_else(short_wait);
                    longest = longest.max(wait);
                    let failures = failures + u32::from(error.kind() == ErrorKind::Upstream);
                    again.push(Open { at, failures, why: error.with_retry_after_ms(u64::try_from(wait.as_millis()).ok()) });
                }
                ErrorKind::NeedsReconnect => return Err(error),
                _ => set(items, at, Item::Failed(error)),
            }
        }
        Ok((again, longest))
    }
}

fn set(items: &mut [Option<Item>], at: usize, item: Item) {
    if let Some(place) = items.get_mut(at) {
        *place = Some(item);
    }
}

fn short_wait() -> Duration {
    Duration::from_millis(300 + (1700.0 * random::jitter()) as u64)
}
