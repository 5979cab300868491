//! Retry-Afters that a process leaves to the next.

use super::fault::Outcome;
use super::{SqliteStore, all, exists, leases, run};
use crate::error::Result;
use crate::store::{ThrottleRow, ThrottleStore};
use rusqlite::Connection;

/// ?1: now, ?2: later than any that is noted now.
macro_rules! gone {
    () => {
        "until <= ?1 OR until > ?2"
    };
}

/// Clocks of two processes are never quite the same.
fn latest(now: i64, longest_ms: i64) -> i64 {
    now.saturating_add(longest_ms).saturating_add(leases::SKEW_MS)
}

fn drop_gone(c: &Connection, now: i64, longest_ms: i64) -> Outcome<()> {
    run(c, concat!("DELETE FROM throttles WHERE ", gone!()), (now, latest(now, longest_ms)))?;
    Ok(())
}

/// With its last account here goes what is known of a mailbox. The account's row names it no longer by then.
pub fn forget(c: &Connection, account_id: &str, tenant_id: &str, person: Option<&str>) -> Outcome<()> {
    run(c, "DELETE FROM throttles WHERE tenant_id = '' AND user_id = ?1", [account_id])?;
    run(
        c,
        "DELETE FROM throttles WHERE tenant_id = ?1 AND user_id = ?2
           AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.tenant_id = ?1 AND a.user_id IN (?2, 'link/' || ?2))",
        (tenant_id, person),
    )?;
    Ok(())
}

impl ThrottleStore for SqliteStore {
    fn keep_throttles(&self, rows: &[ThrottleRow], now: i64, longest_ms: i64) -> Result<()> {
        self.write(|tx| {
            drop_gone(tx, now, longest_ms)?;
            for row in rows {
                run(
                    tx,
                    "INSERT INTO throttles (client_id, tenant_id, user_id, service, until) SELECT ?1, ?2, ?3, ?4, ?5
                     WHERE EXISTS (SELECT 1 FROM accounts a WHERE ?2 <> '' AND a.tenant_id = ?2 AND a.user_id IN (?3, 'link/' || ?3))
                        OR EXISTS (SELECT 1 FROM accounts a WHERE ?2 = '' AND a.id = ?3 AND a.owner <> '')
                     ON CONFLICT (tenant_id, user_id, client_id, service) DO UPDATE SET until = MAX(until, excluded.until)",
                    (&row.client_id, &row.tenant_id, &row.user_id, &row.service, row.until),
                )?;
            }
            Ok(())
        })
    }

    fn throttles(&self, now: i64, longest_ms: i64) -> Result<Vec<ThrottleRow>> {
        let gone = concat!("SELECT 1 FROM throttles WHERE ", gone!());
        if self.read(|c| exists(c, gone, (now, latest(now, longest_ms))))? {
            self.write(|tx| drop_gone(tx, now, longest_ms))?;
        }
        self.read(|c| {
            all(c, "SELECT client_id, tenant_id, user_id, service, until FROM throttles ORDER BY until", [], |row| {
                Ok(ThrottleRow { client_id: row.get(0)?, tenant_id: row.get(1)?, user_id: row.get(2)?, service: row.get(3)?, until: row.get(4)? })
            })
        })
    }
}
