//! What may be claimed: the heads of lanes, queued by account and route. A claim looks at queues that are due, and in each at what is ready by index, so it
//! costs as much behind 50,000 rows that wait as behind 50.
//!
//! Whatever opens, settles, parks or puts off a row calls [`lift`], [`claim_next`], [`lift_all`] or [`touch`]; a new row is a head if its lane [is free](is_free). `due_at` of a queue may be too early, never too late; whoever
//! finds nothing there puts it right.

use super::fault::Outcome;
use super::outbox::{columns, item_row, small_content};
use super::{all, exists, first, leases, run};
use crate::store::words::Word;
use crate::store::{Due, SEND_ID, Taken, Wanted};
use rusqlite::Connection;
use std::collections::HashSet;

/// Of a connected account, and neither account nor route excepted. ?1: the exceptions.
macro_rules! open_queue {
    () => {
        "EXISTS (SELECT 1 FROM accounts a WHERE a.id = q.account_id AND a.state = 'connected')
         AND q.account_id NOT IN (SELECT value FROM json_each(?1)) AND q.account_id || '/' || q.route NOT IN (SELECT value FROM json_each(?1))"
    };
}

const WAITED: &str = concat!("SELECT id, account_id, route, due_at FROM outbox_queues q WHERE q.due_at > 0 AND q.due_at <= ?2 AND ", open_queue!(), " ORDER BY due_at, id LIMIT ?3");
const FRESH: &str = concat!("SELECT id, account_id, route, due_at FROM outbox_queues q WHERE q.due_at = 0 AND ?2 = ?2 AND ", open_queue!(), " ORDER BY due_at, id LIMIT ?3");
macro_rules! ready {
    ($which:literal) => {
        concat!("SELECT id, public_id FROM outbox INDEXED BY outbox_ready WHERE is_head = 1 AND account_id = ?1 AND route = ?2 AND ", $which)
    };
}
const AFTER_ITS_TIME: &str = ready!("free_at > 0 AND free_at <= ?3 ORDER BY free_at, is_bulk, id");
const AT_ONCE: &str = ready!("free_at = 0 AND ?3 = ?3 ORDER BY is_bulk, id");
const AHEAD: &str = "SELECT 1 FROM outbox INDEXED BY outbox_leases WHERE is_open = 1 AND lease_until > 0 AND lease_until > ?1";
const FIRST_OF_LANE: &str =
    "SELECT id, is_head, route, free_at FROM outbox INDEXED BY outbox_lane WHERE account_id = ?1 AND lane = ?2 AND is_open = 1 AND parked <> 1 ORDER BY id LIMIT 1";

/// The first of a lane, and whether it may be taken in hand at ?3 by whoever settled the head before it.
const NEXT_IN_ORDER: &str = "SELECT id, is_head = 0 AND free_at <= ?3 AND lease_until = 0 AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = account_id AND a.state = 'connected')
    FROM outbox INDEXED BY outbox_lane WHERE account_id = ?1 AND lane = ?2 AND is_open = 1 AND parked <> 1 ORDER BY id LIMIT 1";

/// What is left to others, apart by kind: of the sends in hand there are hundreds, and each look into a queue meets few of them.
pub struct Except<'a> {
    sends: HashSet<&'a str>,
    /// Accounts and routes of accounts.
    queues: Vec<&'a str>,
}

impl<'a> Except<'a> {
    pub fn of(except: &'a [String]) -> Self {
        let (sends, queues) = except.iter().map(String::as_str).partition::<Vec<_>, _>(|name| name.starts_with(SEND_ID));
        Self { sends: sends.into_iter().collect(), queues }
    }
}

/// A claim that ends later than this was made when the clock stood ahead, and keeps nobody out.
fn too_late(now: i64, lease_ms: i64) -> i64 {
    now.saturating_add(lease_ms).saturating_add(leases::SKEW_MS)
}

struct Queue {
    id: i64,
    account_id: String,
    route: String,
    due_at: i64,
}

/// Whether nothing of this lane is open that a new row would wait for.
pub fn is_free(c: &Connection, account_id: &str, ordering_key: &str) -> Outcome<bool> {
    Ok(!exists(c, FIRST_OF_LANE, (account_id, ordering_key))?)
}

/// Makes the first of a lane its head, after a row of it was opened, settled, parked or let go.
pub fn lift(c: &Connection, account_id: &str, ordering_key: &str) -> Outcome<()> {
    let next = first(
        c,
        FIRST_OF_LANE,
        (account_id, ordering_key),
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, row.get::<_, String>(2)?, row.get::<_, i64>(3)?)),
    )?;
    let Some((id, is_head, route, free_at)) = next else { return Ok(()) };
    if is_head {
        return Ok(());
    }
    // One that was opened again goes before those that came later.
    run(c, "UPDATE outbox SET is_head = 0 WHERE account_id = ?1 AND lane = ?2 AND is_open = 1 AND parked <> 1 AND is_head = 1 AND id > ?3", (account_id, ordering_key, id))?;
    run(c, "UPDATE outbox SET is_head = 1 WHERE id = ?1", [id])?;
    touch(c, account_id, &route, free_at)
}

/// Instead of [`lift`], after the head of a lane was settled: the next of it is claimed, if it is due and nobody's.
pub fn claim_next(c: &Connection, account_id: &str, ordering_key: &str, now: i64, until: i64) -> Outcome<Option<Taken>> {
    let next = first(c, NEXT_IN_ORDER, (account_id, ordering_key, now), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)))?;
    match next {
        Some((id, true)) => {
            run(c, "UPDATE outbox SET is_head = 1 WHERE id = ?1", [id])?;
            let taken = take(c, id, until)?;
            // Should its worker die. A lane may go over several routes, so its queue may be another one than that of the settled row.
            taken.iter().try_for_each(|(item, _)| touch(c, account_id, item.route.word(), until))?;
            Ok(taken)
        }
        _ => Ok(None),
    }
}

/// The same for all lanes of all accounts.
pub fn lift_all(c: &Connection) -> Outcome<()> {
    let heads = "SELECT MIN(id) FROM outbox WHERE is_open = 1 AND parked <> 1 GROUP BY account_id, lane";
    run(c, &format!("UPDATE outbox SET is_head = 0 WHERE is_head = 1 AND id NOT IN ({heads})"), [])?;
    run(c, &format!("UPDATE outbox SET is_head = 1 WHERE is_head = 0 AND id IN ({heads})"), [])?;
    run(
        c,
        "INSERT INTO outbox_queues (account_id, route, due_at) SELECT account_id, route, MIN(free_at) FROM outbox WHERE is_head = 1 GROUP BY account_id, route
         ON CONFLICT (account_id, route) DO UPDATE SET due_at = excluded.due_at",
        [],
    )?;
    Ok(())
}

/// Something in this queue may be claimed from then on.
pub fn touch(c: &Connection, account_id: &str, route: &str, free_at: i64) -> Outcome<()> {
    run(
        c,
        "INSERT INTO outbox_queues (account_id, route, due_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (account_id, route) DO UPDATE SET due_at = excluded.due_at WHERE due_at > excluded.due_at",
        (account_id, route, free_at),
    )?;
    Ok(())
}

/// A queue without heads is no queue: nobody has to look into it.
pub fn drop_empty(c: &Connection, account_id: &str, route: &str) -> Outcome<()> {
    if !exists(c, "SELECT 1 FROM outbox INDEXED BY outbox_ready WHERE is_head = 1 AND account_id = ?1 AND route = ?2", (account_id, route))? {
        run(c, "DELETE FROM outbox_queues WHERE account_id = ?1 AND route = ?2", (account_id, route))?;
    }
    Ok(())
}

/// Whether a claim may find something.
pub fn is_due(c: &Connection, now: i64, lease_ms: i64, wanted: &Wanted) -> Outcome<bool> {
    let except = super::json(&Except::of(&wanted.except).queues)?;
    Ok(exists(c, AHEAD, [too_late(now, lease_ms)])?
        || exists(c, concat!("SELECT 1 FROM outbox_queues q WHERE q.due_at <= ?2 AND ", open_queue!()), (except, now))?)
}

/// Takes what is wanted and ready in hand: what waited for its time first, then the rest, from each queue in turn.
pub fn claim(c: &Connection, now: i64, lease_ms: i64, mut wanted: Wanted) -> Outcome<Vec<Taken>> {
    free_what_stood_ahead(c, now, lease_ms)?;
    let left = std::mem::take(&mut wanted.except);
    let Except { sends, queues } = Except::of(&left);
    // Those that are full by now come to it.
    let mut closed: Vec<String> = queues.into_iter().map(str::to_owned).collect();
    let mut claimed = Vec::new();
    for which in [WAITED, FRESH] {
        while wanted.most > 0 {
            let queues = all(c, which, (super::json(&closed)?, now, i64::try_from(wanted.most).unwrap_or(i64::MAX)), |row| {
                Ok(Queue { id: row.get(0)?, account_id: row.get(1)?, route: row.get(2)?, due_at: row.get(3)? })
            })?;
            if queues.is_empty() {
                break;
            }
            for queue in queues {
                let before = claimed.len();
                claim_of(c, &queue, now, lease_ms, &mut wanted, &sends, &mut claimed)?;
                let has_given = claimed.len() > before;
                let is_due = renew(c, &queue, has_given)?.is_some_and(|due_at| due_at <= now);
                // It is full, or what is due there is in hand; each round looks at fewer queues.
                if is_due && (!has_given || wanted.capacity_left(&queue.account_id, &queue.route) == 0) {
                    closed.push(format!("{}/{}", queue.account_id, queue.route));
                }
            }
        }
    }
    Ok(claimed)
}

fn claim_of(c: &Connection, queue: &Queue, now: i64, lease_ms: i64, wanted: &mut Wanted, sends: &HashSet<&str>, claimed: &mut Vec<Taken>) -> Outcome<()> {
    for which in [AFTER_ITS_TIME, AT_ONCE] {
        let most = wanted.capacity_left(&queue.account_id, &queue.route);
        for number in ready(c, which, queue, now, sends, most)? {
            let taken = take(c, number, now.saturating_add(lease_ms))?;
            taken.iter().for_each(|(item, _)| wanted.take(item));
            claimed.extend(taken);
        }
    }
    Ok(())
}

/// The first of a queue that may be claimed and are not in hand, up to `most`.
fn ready(c: &Connection, which: &str, queue: &Queue, now: i64, sends: &HashSet<&str>, most: usize) -> Outcome<Vec<i64>> {
    let mut statement = c.prepare_cached(which)?;
    let mut rows = statement.query((&queue.account_id, &queue.route, now))?;
    let mut numbers = Vec::new();
    while numbers.len() < most
        && let Some(row) = rows.next()?
    {
        if !sends.contains(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?) {
            numbers.push(row.get(0)?);
        }
    }
    Ok(numbers)
}

/// Takes a row in hand.
pub fn take(c: &Connection, number: i64, until: i64) -> Outcome<Option<Taken>> {
    // Without RETURNING, with which SQLite would copy every page it touches.
    run(
        c,
        "UPDATE outbox SET attempts = attempts + 1, crashes = crashes + 1, fence = fence + 1, lease_until = ?2,
           state = CASE WHEN state IN ('queued', 'retry_wait') THEN 'claimed' ELSE state END
         WHERE id = ?1",
        (number, until),
    )?;
    let Some(item) = first(c, concat!("SELECT ", columns!(), " FROM outbox WHERE id = ?1"), [number], item_row)? else { return Ok(None) };
    let content = small_content(c, number, &item)?;
    Ok(Some((item, content)))
}

/// Says when the queue is due next, and answers it; one that gave something goes to the end.
fn renew(c: &Connection, queue: &Queue, has_given: bool) -> Outcome<Option<i64>> {
    let due_at = first(
        c,
        "SELECT free_at FROM outbox INDEXED BY outbox_ready WHERE is_head = 1 AND account_id = ?1 AND route = ?2 ORDER BY free_at LIMIT 1",
        (&queue.account_id, &queue.route),
        |row| Ok(row.get::<_, i64>(0)?),
    )?;
    match due_at {
        Some(due_at) if !has_given && due_at == queue.due_at => 0,
        Some(due_at) if !has_given => run(c, "UPDATE outbox_queues SET due_at = ?2 WHERE id = ?1", (queue.id, due_at))?,
        Some(due_at) => run(c, "UPDATE outbox_queues SET due_at = ?2, id = (SELECT MAX(id) + 1 FROM outbox_queues) WHERE id = ?1", (queue.id, due_at))?,
        None => run(c, "DELETE FROM outbox_queues WHERE id = ?1", [queue.id])?,
    };
    Ok(due_at)
}

fn free_what_stood_ahead(c: &Connection, now: i64, lease_ms: i64) -> Outcome<()> {
    let freed = all(
        c,
        "UPDATE outbox SET lease_until = 0 WHERE is_open = 1 AND lease_until > 0 AND lease_until > ?1 RETURNING account_id, route, free_at, is_head",
        [too_late(now, lease_ms)],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get::<_, bool>(3)?)),
    )?;
    for (account_id, route, free_at, _) in freed.iter().filter(|(.., is_head)| *is_head) {
        touch(c, account_id, route, *free_at)?;
    }
    Ok(())
}

pub fn kind_of_due(at: i64, is_lapse: bool, is_queued: bool) -> Due {
    match (is_lapse, is_queued) {
        (true, _) => Due::Lapse(at),
        (false, true) if at > 0 => Due::Scheduled(at),
        _ => Due::Retry(at),
    }
}

/// When there will be something to claim, if ever.
pub fn next_due(c: &Connection, now: i64, except: &Except<'_>) -> Outcome<Option<Due>> {
    let mut best: Option<(i64, Due)> = None;
    let mut statement = c.prepare_cached(concat!("SELECT account_id, route, due_at FROM outbox_queues q WHERE ", open_queue!(), " ORDER BY due_at"))?;
    let mut queues = statement.query([super::json(&except.queues)?])?;
    let mut heads = c.prepare_cached(
        "SELECT free_at, lease_until > ?3 AND lease_until = free_at, public_id, state = 'queued' FROM outbox INDEXED BY outbox_ready
         WHERE is_head = 1 AND account_id = ?1 AND route = ?2 ORDER BY free_at",
    )?;
    while let Some(queue) = queues.next()? {
        if best.is_some_and(|(at, _)| queue.get::<_, i64>(2).is_ok_and(|due_at| due_at > at)) {
            break;
        }
        let mut rows = heads.query((queue.get::<_, String>(0)?, queue.get::<_, String>(1)?, now))?;
        while let Some(row) = rows.next()? {
            if !except.sends.contains(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?) {
                let at = row.get(0)?;
                let due = kind_of_due(at, row.get(1)?, row.get(3)?);
                best = best.filter(|(best, _)| *best <= at).or(Some((at, due)));
                break;
            }
        }
    }
    Ok(best.map(|(_, due)| due))
}

#[cfg(all(test, unix))]
#[path = "queues_tests.rs"]
mod tests;
