//! When mails left a mailbox, and which wait for their time.

use super::{SqliteStore, all, first, run};
use crate::error::Result;
use crate::store::{PACE_DAY_MS, PaceRequest, PaceStore};
use async_trait::async_trait;

/// What waits for a time that is of no more use: it was taken back, or has ended.
const ENDED: &str = "DELETE FROM paces WHERE mailbox = ?1 AND has_passed = 0
    AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.public_id = item AND o.state NOT IN ('sent', 'unknown', 'failed', 'cancelled'))";

#[async_trait]
impl PaceStore for SqliteStore {
    async fn pace(&self, request: &PaceRequest, now: i64) -> Result<Option<i64>> {
        let PaceRequest { mailbox, account_id, item, recipients, is_bulk, pace } = request.clone();
        self.write(move |tx| {
            let own: Option<(i64, bool)> =
                first(tx, "SELECT at, has_passed FROM paces WHERE mailbox = ?1 AND item = ?2", (&mailbox, &item), |row| Ok((row.get(0)?, row.get(1)?)))?;
            match own {
                Some((_, true)) => return Ok(None),
                // A clock that was set back makes nobody wait longer than a day.
                Some((at, false)) if is_bulk && (now.saturating_add(1)..=now.saturating_add(PACE_DAY_MS)).contains(&at) => return Ok(Some(at)),
                _ => {}
            }
            run(tx, "DELETE FROM paces WHERE at <= ?1 OR at > ?2", (now.saturating_sub(PACE_DAY_MS), now.saturating_add(2 * PACE_DAY_MS)))?;
            run(tx, ENDED, [&mailbox])?;
            // Whose time has come has been given it; it counts what has left. One that comes new counts those that wait as well, a person's only persons'.
            let is_due = own.is_some_and(|(at, _)| at <= now);
            let others: Vec<(i64, u32)> = all(
                tx,
                "SELECT at, recipients FROM paces WHERE mailbox = ?1 AND item <> ?2 AND (has_passed = 1 OR (NOT ?3 AND (?4 OR is_bulk = 0))) ORDER BY at",
                (&mailbox, &item, is_due, is_bulk),
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            let time = pace.first_time(now, &others, recipients);
            run(
                tx,
                "INSERT INTO paces (mailbox, item, account_id, at, recipients, is_bulk, has_passed) SELECT ?1, ?2, id, ?4, ?5, ?6, ?7 FROM accounts WHERE id = ?3
                 ON CONFLICT (mailbox, item) DO UPDATE SET at = excluded.at, recipients = excluded.recipients, has_passed = excluded.has_passed",
                (&mailbox, &item, &account_id, time, recipients, is_bulk, time <= now),
            )?;
            Ok((time > now).then_some(time))
        })
        .await
    }
}
