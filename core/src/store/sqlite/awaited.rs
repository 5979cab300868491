//! Sends that somebody in this process waits for, claimed by their ids: beside the queues, whose place may be taken by bulk that is in hand.

use super::fault::Outcome;
use super::queues::{kind_of_due, take};
use super::{all, json};
use crate::store::{Awaited, Due, Taken};
use rusqlite::Connection;

/// Those of them that may be claimed at their time, the oldest first.
const HEADS: &str = "SELECT o.id, o.account_id || '/' || o.route, o.free_at, o.lease_until > ?2 AND o.lease_until = o.free_at, o.state = 'queued'
    FROM outbox o JOIN accounts a ON a.id = o.account_id AND a.state = 'connected'
    WHERE o.public_id IN (SELECT value FROM json_each(?1)) AND o.is_head = 1 AND o.is_bulk = 0 AND o.account_id NOT IN (SELECT value FROM json_each(?3))
    ORDER BY o.id";

struct Head {
    number: i64,
    route: String,
    free_at: i64,
    is_lapse: bool,
    is_queued: bool,
}

/// Those for which there is capacity.
fn heads(c: &Connection, now: i64, awaited: &Awaited) -> Outcome<Vec<Head>> {
    if awaited.ids.is_empty() || awaited.most == 0 {
        return Ok(Vec::new());
    }
    let mut heads = all(c, HEADS, (json(&awaited.ids)?, now, json(&awaited.except)?), |row| {
        Ok(Head { number: row.get(0)?, route: row.get(1)?, free_at: row.get(2)?, is_lapse: row.get(3)?, is_queued: row.get(4)? })
    })?;
    heads.retain(|head| awaited.has_capacity(&head.route));
    Ok(heads)
}

pub fn is_due(c: &Connection, now: i64, awaited: &Awaited) -> Outcome<bool> {
    Ok(heads(c, now, awaited)?.iter().any(|head| head.free_at <= now))
}

pub fn claim(c: &Connection, now: i64, lease_ms: i64, mut awaited: Awaited) -> Outcome<Vec<Taken>> {
    let mut claimed = Vec::new();
    for head in heads(c, now, &awaited)?.into_iter().filter(|head| head.free_at <= now) {
        if awaited.has_capacity(&head.route)
            && let Some(taken) = take(c, head.number, now.saturating_add(lease_ms))?
        {
            awaited.take(&head.route);
            claimed.push(taken);
        }
    }
    Ok(claimed)
}

/// When there will be something to claim, if ever.
pub fn next_due(c: &Connection, now: i64, awaited: &Awaited) -> Outcome<Option<Due>> {
    let first = heads(c, now, awaited)?.into_iter().min_by_key(|head| (head.free_at, head.is_lapse));
    Ok(first.map(|head| kind_of_due(head.free_at, head.is_lapse, head.is_queued)))
}
