//! When mailboxes are looked at: one row for each that is.

use super::fault::Outcome;
use super::{SqliteStore, all, exists, first, run};
use crate::error::Result;
use crate::store::{LONGEST_POLL_PAUSE_MS, TOLD_PAUSE_MS, Poll, PollRequest, PollState, PollStore, poll_lease};
use async_trait::async_trait;
use rusqlite::Connection;

/// Connected to be synced.
macro_rules! is_synced {
    () => {
        "a.state = 'connected' AND a.kind IN ('person', 'shared_mailbox') AND a.owner <> '' AND (instr(a.features, '\"mail_sync\"') > 0 OR instr(a.features, '\"contacts\"') > 0 OR instr(a.features, '\"calendar\"') > 0
           OR (instr(a.features, '\"chat\"') > 0 AND (instr(lower(a.scopes), '\"chat.read\"') > 0 OR instr(lower(a.scopes), '\"chat.readwrite\"') > 0)))"
    };
}

/// Connected, and not looked at yet.
macro_rules! missing {
    ($before:literal) => {
        concat!($before, " FROM accounts a WHERE ", is_synced!(), " AND NOT EXISTS (SELECT 1 FROM polls p WHERE p.account_id = a.id)")
    };
}

/// Hardly looked at since Microsoft tells of them, and it does so no longer. ?1: now. ?2: the pause of those.
macro_rules! untold {
    ($before:literal) => {
        concat!(
            $before,
            " FROM polls p WHERE p.pause_ms >= ?2 AND p.next_at > ?1 AND NOT EXISTS
               (SELECT 1 FROM subscriptions s WHERE s.account_id = p.account_id AND s.state = 'active' AND s.expires_at > ?1)"
        )
    };
}

/// ?1: due then. ?2: now. ?3 and ?4: further ahead than any plan, or any lease.
macro_rules! due {
    () => {
        "FROM polls d WHERE (d.next_at <= ?1 OR d.next_at > ?3) AND (d.lease_until <= ?2 OR d.lease_until > ?4)"
    };
}

/// Rows looked at for the next one that is free.
const LOOKED_AT: u32 = 256;
/// So long after its time, nobody looked.
const BREAK_MS: i64 = 3_600_000;

fn bounds(request: &PollRequest) -> (i64, i64, i64, i64) {
    (request.due_at, request.now, request.now.saturating_add(LONGEST_POLL_PAUSE_MS), poll_lease(request.now))
}

fn claim(tx: &Connection, request: &PollRequest) -> Outcome<Vec<Poll>> {
    let (due_at, now, furthest, lease_until) = bounds(request);
    let due = all(
        tx,
        concat!("SELECT d.account_id, d.turn, d.pause_ms, EXISTS (SELECT 1 FROM accounts a WHERE a.id = d.account_id AND ", is_synced!(), ") ", due!(), " ORDER BY d.next_at LIMIT ?5"),
        (due_at, now, furthest, lease_until, request.limit),
        |row| Ok((Poll { account_id: row.get(0)?, turn: row.get::<_, i64>(1)?.wrapping_add(1), pause_ms: row.get(2)? }, row.get::<_, bool>(3)?)),
    )?;
    let mut taken = Vec::new();
    for (poll, is_synced) in due {
        if is_synced {
            run(
                tx,
                "UPDATE polls SET turn = ?2, lease_until = ?3, soon_at = NULL, since = CASE WHEN next_at < ?4 THEN ?5 ELSE since END WHERE account_id = ?1",
                (&poll.account_id, poll.turn, lease_until, now.saturating_sub(BREAK_MS), now),
            )?;
            taken.push(poll);
        } else {
            run(tx, "DELETE FROM polls WHERE account_id = ?1", [&poll.account_id])?;
        }
    }
    Ok(taken)
}

#[async_trait]
impl PollStore for SqliteStore {
    async fn adopt_polls(&self, now: i64) -> Result<u32> {
        let is_any = move |c: &Connection| Ok(exists(c, missing!("SELECT 1"), [])? || exists(c, untold!("SELECT 1"), (now, TOLD_PAUSE_MS))?);
        if !self.read(is_any).await? {
            return Ok(0);
        }
        self.write(move |tx| {
            let added = run(tx, missing!("INSERT INTO polls (account_id, next_at, pause_ms, turn, lease_until, since) SELECT a.id, ?1, 0, 0, 0, ?1"), [now])?;
            let untold = run(tx, concat!("UPDATE polls SET next_at = ?1, pause_ms = 0 WHERE account_id IN (", untold!("SELECT p.account_id"), ")"), (now, TOLD_PAUSE_MS))?;
            Ok(u32::try_from(added + untold).unwrap_or(u32::MAX))
        })
        .await
    }

    async fn claim_polls(&self, request: PollRequest) -> Result<Vec<Poll>> {
        // Mostly there is none, and nothing to write.
        let (due_at, now, furthest, lease_until) = bounds(&request);
        if request.limit == 0 || !self.read(move |c| exists(c, concat!("SELECT 1 ", due!()), (due_at, now, furthest, lease_until))).await? {
            return Ok(Vec::new());
        }
        self.write(move |tx| claim(tx, &request)).await
    }

    async fn renew_poll(&self, poll: &Poll, now: i64) -> Result<bool> {
        let poll = poll.clone();
        self.write(move |tx| Ok(run(tx, "UPDATE polls SET lease_until = ?3 WHERE account_id = ?1 AND turn = ?2", (&poll.account_id, poll.turn, poll_lease(now)))? > 0)).await
    }

    async fn settle_poll(&self, poll: &Poll, next_at: i64, pause_ms: i64) -> Result<()> {
        let poll = poll.clone();
        self.write(move |tx| {
            run(
                tx,
                "UPDATE polls SET next_at = min(?3, coalesce(soon_at, ?3)), pause_ms = ?4, lease_until = 0, soon_at = NULL WHERE account_id = ?1 AND turn = ?2",
                (&poll.account_id, poll.turn, next_at, pause_ms),
            )?;
            Ok(())
        })
        .await
    }

    async fn poll_by(&self, account_id: &str, at: i64) -> Result<()> {
        let account_id = account_id.to_owned();
        self.write(move |tx| {
            run(tx, "UPDATE polls SET next_at = min(next_at, ?2), soon_at = CASE WHEN lease_until > 0 THEN min(coalesce(soon_at, ?2), ?2) END WHERE account_id = ?1", (&account_id, at))?;
            Ok(())
        })
        .await
    }

    async fn next_poll(&self) -> Result<Option<i64>> {
        self.read(|c| {
            let rows = all(c, "SELECT max(next_at, lease_until) FROM polls INDEXED BY polls_next ORDER BY next_at LIMIT ?1", [LOOKED_AT], |row| Ok(row.get::<_, i64>(0)?))?;
            Ok(rows.into_iter().min())
        })
        .await
    }

    async fn poll_state(&self, account_id: &str) -> Result<Option<PollState>> {
        let account_id = account_id.to_owned();
        self.read(move |c| first(c, "SELECT next_at, since FROM polls WHERE account_id = ?1", [account_id], |row| Ok(PollState { next_at: row.get(0)?, since: row.get(1)? }))).await
    }
}
