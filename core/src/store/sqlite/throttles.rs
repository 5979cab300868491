//! What a process leaves to the next of the limits of mailboxes.

use super::fault::Outcome;
use super::{SqliteStore, all, exists, leases, run};
use crate::error::Result;
use crate::store::ThrottleStore;
use crate::throttle::{RequestsMade, Throttle};
use async_trait::async_trait;
use rusqlite::Connection;

/// ?1: now, ?2: later than any Retry-After that is noted now, ?3: what was counted by then matters no more, ?4: later than anything that is counted now.
macro_rules! gone {
    () => {
        "(until <= ?1 OR until > ?2) AND (counted_at <= ?3 OR counted_at > ?4)"
    };
}

/// Clocks of two processes are never quite the same.
fn bounds(now: i64, longest_ms: i64) -> (i64, i64, i64, i64) {
    let ahead = now.saturating_add(leases::SKEW_MS);
    (now, ahead.saturating_add(longest_ms), now.saturating_sub(longest_ms).max(0), ahead)
}

fn drop_gone(c: &Connection, now: i64, longest_ms: i64) -> Outcome<()> {
    let bounds @ (_, latest, _, ahead) = bounds(now, longest_ms);
    run(c, concat!("DELETE FROM throttles WHERE ", gone!()), bounds)?;
    // Noted when the clock stood ahead, beside something that matters.
    run(c, "UPDATE throttles SET until = 0 WHERE until > ?1", [latest])?;
    run(c, "UPDATE throttles SET counted_at = 0, counts = x'' WHERE counted_at > ?1", [ahead])?;
    Ok(())
}

fn packed(counts: &[u32]) -> Vec<u8> {
    counts.iter().flat_map(|count| count.to_le_bytes()).collect()
}

fn unpacked(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|chunk| u32::from_le_bytes(chunk.try_into().unwrap_or_default())).collect()
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

#[async_trait]
impl ThrottleStore for SqliteStore {
    async fn keep_throttles(&self, throttles: &[Throttle], now: i64, longest_ms: i64) -> Result<()> {
        let throttles = throttles.to_vec();
        self.write(move |tx| {
            drop_gone(tx, now, longest_ms)?;
            for Throttle { client_id, tenant_id, user_id, service, until, made } in &throttles {
                let (counted_at, counts) = made.as_ref().map_or((0, Vec::new()), |made| (made.at, packed(&made.counts)));
                run(
                    tx,
                    "INSERT INTO throttles (client_id, tenant_id, user_id, service, until, counted_at, counts) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
                     WHERE EXISTS (SELECT 1 FROM accounts a WHERE ?2 <> '' AND a.tenant_id = ?2 AND a.user_id IN (?3, 'link/' || ?3))
                        OR EXISTS (SELECT 1 FROM accounts a WHERE ?2 = '' AND a.id = ?3 AND a.owner <> '')
                     ON CONFLICT (tenant_id, user_id, client_id, service) DO UPDATE SET until = MAX(until, excluded.until),
                       counts = CASE WHEN excluded.counted_at > counted_at THEN excluded.counts ELSE counts END, counted_at = MAX(counted_at, excluded.counted_at)",
                    (client_id, tenant_id, user_id, service, until, counted_at, counts),
                )?;
            }
            Ok(())
        })
        .await
    }

    async fn throttles(&self, now: i64, longest_ms: i64) -> Result<Vec<Throttle>> {
        let gone = concat!("SELECT 1 FROM throttles WHERE ", gone!());
        if self.read(move |c| exists(c, gone, bounds(now, longest_ms))).await? {
            self.write(move |tx| drop_gone(tx, now, longest_ms)).await?;
        }
        self.read(move |c| {
            all(c, "SELECT client_id, tenant_id, user_id, service, until, counted_at, counts FROM throttles ORDER BY until, user_id, service", [], |row| {
                let (at, counts): (i64, Vec<u8>) = (row.get(5)?, row.get(6)?);
                let made = (at > 0).then(|| RequestsMade { at, counts: unpacked(&counts) });
                Ok(Throttle { client_id: row.get(0)?, tenant_id: row.get(1)?, user_id: row.get(2)?, service: row.get(3)?, until: row.get(4)?, made })
            })
        })
        .await
    }
}
