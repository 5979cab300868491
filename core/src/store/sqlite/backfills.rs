//! Back-fills: a row per account, and the parts of its folders that are still to be listed.

use super::fault::Outcome;
use super::leases::SKEW_MS;
use super::{SqliteStore, all, exists, first, run, word};
use crate::error::Result;
use crate::store::words::Word;
use crate::store::{
    BackfillEnd, BackfillPhase, BackfillRow, BackfillStep, BackfillStore, BackfillWindow, BackfillWish, LEASE_MS, LONGEST_BACKFILL_PAUSE_MS, NewBackfill, OPEN_LOWER,
};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

macro_rules! columns {
    () => {
        "b.account_id, b.reach, b.since, b.phase, b.wish, b.estimated, b.done, b.worked_ms, b.started_at, b.problem_kind, b.problem, b.failures, b.turn"
    };
}

/// ?1: now. ?2: further ahead than any plan. ?3: than any lease.
macro_rules! due {
    () => {
        "FROM backfills b JOIN accounts a ON a.id = b.account_id
         WHERE b.phase <> 'done' AND b.wish <> 'pause' AND a.state = 'connected' AND a.owner <> ''
           AND (b.next_at <= ?1 OR b.next_at > ?2 OR b.generation <> a.generation) AND (b.lease_until <= ?1 OR b.lease_until > ?3)"
    };
}

fn row(row: &Row<'_>) -> Outcome<BackfillRow> {
    let problem = match row.get::<_, Option<String>>(9)? {
        Some(_) => Some((word(row, 9)?, row.get::<_, Option<String>>(10)?.unwrap_or_default())),
        None => None,
    };
    Ok(BackfillRow {
        account_id: row.get(0)?,
        range: word(row, 1)?,
        since: row.get(2)?,
        phase: word(row, 3)?,
        wish: word(row, 4)?,
        estimated: row.get(5)?,
        done: row.get(6)?,
        worked_ms: row.get(7)?,
        started_at: row.get(8)?,
        problem,
        failures: row.get(11)?,
        turn: row.get(12)?,
    })
}

fn find(c: &Connection, account_id: &str) -> Outcome<Option<BackfillRow>> {
    first(c, concat!("SELECT ", columns!(), " FROM backfills b WHERE b.account_id = ?1"), [account_id], row)
}

fn bounds(now: i64) -> (i64, i64, i64) {
    (now, now.saturating_add(LONGEST_BACKFILL_PAUSE_MS), now.saturating_add(LEASE_MS + SKEW_MS))
}

/// Whether a page of this step may be stored: the back-fill is wanted, and who wrote it has it.
pub fn may_step(c: &Connection, account_id: &str, folder_id: &str, step: &BackfillStep) -> Outcome<bool> {
    exists(
        c,
        "SELECT 1 FROM backfills b JOIN backfill_windows w ON w.account_id = b.account_id AND w.folder_id = ?2 AND w.lower = ?3
         WHERE b.account_id = ?1 AND b.turn = ?4 AND b.wish = 'run' AND b.phase = 'listing'",
        (account_id, folder_id, step.lower, step.turn),
    )
}

pub fn step(c: &Connection, account_id: &str, folder_id: &str, step: &BackfillStep) -> Outcome<()> {
    run(c, "UPDATE backfill_windows SET reached = max(lower, min(reached, ?4)) WHERE account_id = ?1 AND folder_id = ?2 AND lower = ?3", (account_id, folder_id, step.lower, step.reached))?;
    run(
        c,
        "UPDATE backfills SET done = done + ?2, estimated = max(estimated, done + ?2), worked_ms = worked_ms + ?3 WHERE account_id = ?1",
        (account_id, step.done, step.worked_ms),
    )?;
    Ok(())
}

/// Nothing older than what was listed without a gap is wanted any more, folder by folder. Answers since when mail is here whole in all of them.
fn end_early(c: &Connection, row: &BackfillRow, now: i64) -> Outcome<Option<i64>> {
    let gaps = all(
        c,
        "SELECT folder_id, max(reached) FROM backfill_windows WHERE account_id = ?1 AND reached > lower GROUP BY folder_id",
        [&row.account_id],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)),
    )?;
    let mut since = row.since;
    for (folder_id, reached) in gaps {
        let reached = reached.min(now);
        run(c, "DELETE FROM backfill_windows WHERE account_id = ?1 AND folder_id = ?2 AND lower < ?3", (&row.account_id, &folder_id, reached))?;
        put(c, &row.account_id, &BackfillWindow { folder_id, lower: reached, reached })?;
        since = Some(since.map_or(reached, |since| since.max(reached)));
    }
    // Folders that were not divided yet bring nothing but what is new.
    let is_whole = exists(
        c,
        "SELECT 1 FROM folders f WHERE f.account_id = ?1 AND f.is_synced = 1 AND NOT EXISTS (SELECT 1 FROM backfill_windows w WHERE w.account_id = ?1 AND w.folder_id = f.graph_id)
         UNION ALL SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM backfill_windows w WHERE w.account_id = ?1)",
        [&row.account_id],
    )?;
    Ok(if is_whole && row.phase == BackfillPhase::Listing { Some(now) } else { since })
}

fn put(c: &Connection, account_id: &str, window: &BackfillWindow) -> Outcome<()> {
    run(
        c,
        "INSERT INTO backfill_windows (account_id, folder_id, lower, reached) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (account_id, folder_id, lower) DO UPDATE SET reached = max(reached, excluded.reached)",
        (account_id, &window.folder_id, window.lower, window.reached),
    )?;
    Ok(())
}

/// What was listed stays so; the rest is cut or continued to where the new range begins.
fn reach_to(c: &Connection, account_id: &str, since: Option<i64>) -> Outcome<()> {
    let since = since.unwrap_or(OPEN_LOWER);
    let cut = all(
        c,
        "SELECT folder_id, min(lower), max(CASE WHEN reached > ?2 AND reached > lower THEN reached ELSE ?2 END) FROM backfill_windows
         WHERE account_id = ?1 AND lower < ?2 GROUP BY folder_id",
        (account_id, since),
        window,
    )?;
    for old in cut {
        // What was listed further back counts for nothing should the range be larger again: mail that is older than the new one is left out when it comes.
        run(c, "DELETE FROM backfill_windows WHERE account_id = ?1 AND folder_id = ?2 AND lower < ?3", (account_id, &old.folder_id, since))?;
        put(c, account_id, &BackfillWindow { lower: since, ..old })?;
    }
    let lowest = all(c, "SELECT folder_id, min(lower), min(lower) FROM backfill_windows WHERE account_id = ?1 GROUP BY folder_id", [account_id], window)?;
    for old in lowest.into_iter().filter(|old| old.lower > since) {
        put(c, account_id, &BackfillWindow { lower: since, reached: old.lower, folder_id: old.folder_id })?;
    }
    Ok(())
}

fn window(row: &Row<'_>) -> Outcome<BackfillWindow> {
    Ok(BackfillWindow { folder_id: row.get(0)?, lower: row.get(1)?, reached: row.get(2)? })
}

/// Messages of the range that are here.
fn count_here(c: &Connection, account_id: &str, since: Option<i64>) -> Outcome<u32> {
    let sql = "SELECT count(*) FROM messages WHERE account_id = ?1 AND is_removed = 0 AND sort_at >= ?2";
    Ok(first(c, sql, (account_id, since.unwrap_or(OPEN_LOWER)), |row| Ok(row.get(0)?))?.unwrap_or(0))
}

fn begin(c: &Connection, new: &NewBackfill) -> Outcome<Option<BackfillRow>> {
    if !exists(c, "SELECT 1 FROM accounts WHERE id = ?1 AND generation = ?2 AND state <> 'disconnected'", (&new.account_id, new.generation))? {
        return Ok(None);
    }
    let before = find(c, &new.account_id)?;
    match &before {
        Some(_) => reach_to(c, &new.account_id, new.since)?,
        // All of it was fetched by syncs: every folder is covered from its beginning.
        None => {
            run(
                c,
                "INSERT INTO backfill_windows (account_id, folder_id, lower, reached)
                 SELECT f.account_id, f.graph_id, ?2, ?2 FROM folders f WHERE f.account_id = ?1 AND f.is_synced = 1 AND f.was_complete = 1",
                (&new.account_id, OPEN_LOWER),
            )?;
            reach_to(c, &new.account_id, new.since)?;
        }
    }
    let is_complete = exists(c, "SELECT 1 FROM folders WHERE account_id = ?1 AND is_synced = 1", [&new.account_id])?
        && !exists(c, "SELECT 1 FROM backfill_windows WHERE account_id = ?1 AND reached > lower", [&new.account_id])?
        && !exists(
            c,
            "SELECT 1 FROM folders f WHERE f.account_id = ?1 AND f.is_synced = 1 AND (f.was_complete = 0 OR f.resync_since IS NOT NULL
               OR NOT EXISTS (SELECT 1 FROM backfill_windows w WHERE w.account_id = ?1 AND w.folder_id = f.graph_id))",
            [&new.account_id],
        )?;
    let phase = if is_complete { BackfillPhase::Done } else { BackfillPhase::Listing };
    let done = match (is_complete, &before) {
        (true, _) => new.estimated,
        (false, None) => 0,
        (false, Some(_)) => count_here(c, &new.account_id, new.since)?.min(new.estimated),
    };
    run(
        c,
        "INSERT INTO backfills (account_id, reach, since, phase, wish, estimated, done, worked_ms, started_at, next_at, failures, problem_kind, problem, turn, lease_until, generation)
         VALUES (?1, ?2, ?3, ?4, 'run', ?5, ?6, 0, ?7, ?7, 0, NULL, NULL, 1, 0, ?8)
         ON CONFLICT (account_id) DO UPDATE SET reach = excluded.reach, since = excluded.since, phase = excluded.phase, wish = 'run', estimated = excluded.estimated, done = excluded.done,
           worked_ms = 0, started_at = excluded.started_at, next_at = excluded.next_at, failures = 0, problem_kind = NULL, problem = NULL, turn = turn + 1, lease_until = 0,
           generation = excluded.generation",
        (&new.account_id, new.range.word(), new.since, phase.word(), new.estimated, done, new.now, new.generation),
    )?;
    find(c, &new.account_id)
}

fn wish(c: &Connection, account_id: &str, wish: BackfillWish, now: i64) -> Outcome<Option<BackfillRow>> {
    let Some(row) = find(c, account_id)? else { return Ok(None) };
    let is_over = row.phase == BackfillPhase::Done || row.wish == BackfillWish::Cancel;
    if is_over || row.wish == wish {
        return Ok(Some(row));
    }
    let (since, phase) = if wish == BackfillWish::Cancel { (end_early(c, &row, now)?, BackfillPhase::Seeding) } else { (row.since, row.phase) };
    run(
        c,
        "UPDATE backfills SET wish = ?2, since = ?3, phase = ?4, next_at = ?5, failures = 0, problem_kind = NULL, problem = NULL WHERE account_id = ?1",
        (account_id, wish.word(), since, phase.word(), now),
    )?;
    find(c, account_id)
}

fn claim(c: &Connection, now: i64) -> Outcome<Option<BackfillRow>> {
    let found = first(c, concat!("SELECT b.account_id ", due!(), " ORDER BY b.next_at LIMIT 1"), bounds(now), |row| Ok(row.get::<_, String>(0)?))?;
    let Some(account_id) = found else { return Ok(None) };
    run(
        c,
        "UPDATE backfills SET turn = turn + 1, lease_until = ?2, generation = (SELECT generation FROM accounts WHERE id = ?1) WHERE account_id = ?1",
        (&account_id, now.saturating_add(LEASE_MS)),
    )?;
    find(c, &account_id)
}

#[async_trait]
impl BackfillStore for SqliteStore {
    async fn begin_backfill(&self, new: &NewBackfill) -> Result<Option<BackfillRow>> {
        let new = new.clone();
        self.write(move |tx| begin(tx, &new)).await
    }

    async fn wish_backfill(&self, account_id: &str, wished: BackfillWish, now: i64) -> Result<Option<BackfillRow>> {
        let account_id = account_id.to_owned();
        self.write(move |tx| wish(tx, &account_id, wished, now)).await
    }

    async fn backfill(&self, account_id: &str) -> Result<Option<BackfillRow>> {
        let account_id = account_id.to_owned();
        self.read(move |c| find(c, &account_id)).await
    }

    async fn claim_backfill(&self, now: i64) -> Result<Option<BackfillRow>> {
        // Mostly there is none, and nothing to write.
        if !self.read(move |c| exists(c, concat!("SELECT 1 ", due!()), bounds(now))).await? {
            return Ok(None);
        }
        self.write(move |tx| claim(tx, now)).await
    }

    async fn renew_backfill(&self, account_id: &str, turn: i64, now: i64) -> Result<bool> {
        let account_id = account_id.to_owned();
        self.write(move |tx| Ok(run(tx, "UPDATE backfills SET lease_until = ?3 WHERE account_id = ?1 AND turn = ?2", (&account_id, turn, now.saturating_add(LEASE_MS)))? > 0)).await
    }

    async fn settle_backfill(&self, row: &BackfillRow, end: &BackfillEnd) -> Result<()> {
        let (row, end) = (row.clone(), end.clone());
        self.write(move |tx| {
            run(
                tx,
                "UPDATE backfills SET phase = CASE WHEN phase = ?3 THEN ?4 ELSE phase END, next_at = ?5, failures = ?6, problem_kind = ?7, problem = ?8, lease_until = 0
                 WHERE account_id = ?1 AND turn = ?2",
                (&row.account_id, row.turn, row.phase.word(), end.phase.word(), end.next_at, end.failures, end.problem.as_ref().map(|(kind, _)| kind.word()), end.problem.as_ref().map(|(_, why)| why)),
            )?;
            Ok(())
        })
        .await
    }

    async fn next_backfill(&self) -> Result<Option<i64>> {
        self.read(|c| {
            let sql = "SELECT min(max(CASE WHEN b.generation <> a.generation THEN 0 ELSE b.next_at END, b.lease_until)) FROM backfills b JOIN accounts a ON a.id = b.account_id
                       WHERE b.phase <> 'done' AND b.wish <> 'pause' AND a.state = 'connected' AND a.owner <> ''";
            Ok(first(c, sql, [], |row| Ok(row.get::<_, Option<i64>>(0)?))?.flatten())
        })
        .await
    }

    async fn backfill_windows(&self, account_id: &str) -> Result<Vec<BackfillWindow>> {
        let account_id = account_id.to_owned();
        let sql = "SELECT folder_id, lower, reached FROM backfill_windows WHERE account_id = ?1 AND reached > lower ORDER BY reached DESC, folder_id";
        self.read(move |c| all(c, sql, [account_id], window)).await
    }

    async fn divided_folders(&self, account_id: &str) -> Result<Vec<String>> {
        let account_id = account_id.to_owned();
        self.read(move |c| all(c, "SELECT DISTINCT folder_id FROM backfill_windows WHERE account_id = ?1", [account_id], |row| Ok(row.get(0)?))).await
    }

    async fn divide_folders(&self, account_id: &str, turn: i64, windows: &[BackfillWindow]) -> Result<bool> {
        let (account_id, windows) = (account_id.to_owned(), windows.to_vec());
        self.write(move |tx| {
            if !exists(tx, "SELECT 1 FROM backfills WHERE account_id = ?1 AND turn = ?2 AND wish = 'run' AND phase = 'listing'", (&account_id, turn))? {
                return Ok(false);
            }
            windows.iter().try_for_each(|window| put(tx, &account_id, window))?;
            Ok(true)
        })
        .await
    }

    async fn drop_windows(&self, account_id: &str, folder_id: &str) -> Result<()> {
        let (account_id, folder_id) = (account_id.to_owned(), folder_id.to_owned());
        self.write(move |tx| run(tx, "DELETE FROM backfill_windows WHERE account_id = ?1 AND folder_id = ?2", (&account_id, &folder_id)).map(drop)).await
    }
}
