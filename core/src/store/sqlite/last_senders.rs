//! Who wrote last in a context: one row for each owner and context, written with the send.

use super::fault::Outcome;
use super::{SqliteStore, all, exists, first, keys, run, sealed_opt};
use crate::error::Result;
use crate::seal::Sealed;
use crate::store::{LastSenderRow, LastSenderStore};
use async_trait::async_trait;
use rusqlite::Connection;

const OLD: &str = "SELECT context FROM last_senders INDEXED BY last_senders_used WHERE used_at < ?1 LIMIT ?2";

/// In the place of what was remembered there before.
pub fn remember(tx: &Connection, last: &LastSenderRow) -> Outcome<()> {
    keys::check_active(tx, &last.from_address)?;
    run(
        tx,
        "INSERT INTO last_senders (context, account_id, from_address, used_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (context) DO UPDATE SET account_id = excluded.account_id, from_address = excluded.from_address, used_at = excluded.used_at",
        (&last.context[..], &last.account_id, last.from_address.as_ref().map(Sealed::as_bytes), last.used_at),
    )?;
    Ok(())
}

pub fn has_old(c: &Connection, since: i64) -> Outcome<bool> {
    exists(c, OLD, (since, 1))
}

/// Those that were last used before.
pub fn forget_old(tx: &Connection, since: i64, limit: u32) -> Outcome<usize> {
    let contexts = all(tx, OLD, (since, limit), |row| Ok(row.get::<_, Vec<u8>>(0)?))?;
    for context in &contexts {
        run(tx, "DELETE FROM last_senders WHERE context = ?1", [context])?;
    }
    Ok(contexts.len())
}

#[async_trait]
impl LastSenderStore for SqliteStore {
    async fn last_sender(&self, context: &[u8; 32]) -> Result<Option<LastSenderRow>> {
        let context = *context;
        self.read(move |c| {
            first(
                c,
                "SELECT l.account_id, l.from_address, l.used_at FROM last_senders l JOIN accounts a ON a.id = l.account_id
                 WHERE l.context = ?1 AND a.owner <> '' AND a.state <> 'disconnected'",
                [&context[..]],
                |row| Ok(LastSenderRow { context, account_id: row.get(0)?, from_address: sealed_opt(row, 1)?, used_at: row.get(2)? }),
            )
        })
        .await
    }
}
