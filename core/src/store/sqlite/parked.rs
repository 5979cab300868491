//! Sends that were open when the store was copied or restored: the original may send them, so they wait until the host says go.

use super::fault::Outcome;
use super::outbox_end::end;
use super::{SqliteStore, all, announce, exists, first, queues, run};
use crate::error::Result;
use crate::model::{AuditKind, ChangeKind};
use crate::store::{CopyStore, Copied, Entry, ItemState, Parked};
use async_trait::async_trait;
use rusqlite::Connection;

/// Parks what is open, takes its claims away, and gives back the leases of whoever had the original open.
pub fn park(c: &Connection) -> Outcome<usize> {
    run(c, "UPDATE leases SET holder = '', expires_at = 0, fence = fence + 1", [])?;
    run(c, "UPDATE generation SET is_copied = 1 WHERE id = 1", [])?;
    run(c, "DELETE FROM outbox_queues", [])?;
    run(c, "UPDATE outbox SET parked = 1, is_head = 0, lease_until = 0, fence = fence + 1 WHERE is_open = 1 AND parked <> 1", [])
}

fn release(store: &SqliteStore, tx: &Connection, id: &str, now: i64) -> Outcome<bool> {
    let found = first(
        tx,
        "UPDATE outbox SET parked = 2 WHERE public_id = ?1 AND parked = 1 AND is_open = 1 AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = account_id AND a.state = 'connected') RETURNING account_id, lane",
        [id],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
    )?;
    let Some((account_id, ordering_key)) = found else { return Ok(false) };
    queues::lift(tx, &account_id, &ordering_key)?;
    announce(tx, ChangeKind::SendChanged, &account_id, Some(id), now)?;
    store.note(tx, &[Entry::new(AuditKind::SendQueued, "A parked send was let go.").on(&account_id).about(id)], now)?;
    Ok(true)
}

fn abandon(store: &SqliteStore, tx: &Connection, id: &str, reason: &str, now: i64) -> Outcome<bool> {
    let ended = end(
        tx,
        "UPDATE outbox SET state = 'unknown', is_open = 0, is_head = 0, reason = ?2, next_at = NULL, lease_until = 0, fence = fence + 1
         WHERE public_id = ?1 AND parked = 1 AND is_open = 1",
        (id, reason),
    )?;
    store.tell_ended(tx, &ended, ItemState::Unknown, now)?;
    Ok(!ended.is_empty())
}

#[async_trait]
impl CopyStore for SqliteStore {
    async fn settle_copy(&self, go: bool, now: i64) -> Result<Copied> {
        let is_settled = |c: &Connection| {
            Ok(!exists(c, "SELECT 1 FROM generation WHERE is_copied = 1", [])? && !exists(c, "SELECT 1 FROM outbox WHERE parked = 1 AND is_open = 1", [])?)
        };
        if self.read(is_settled).await? {
            return Ok(Copied::default());
        }
        let store = self.clone();
        self.write(move |tx| {
            let is_new = run(tx, "UPDATE generation SET is_copied = 0, copied_at = ?1 WHERE is_copied = 1", [now])? > 0;
            let parked = all(tx, "SELECT public_id, account_id FROM outbox WHERE parked = 1 AND is_open = 1 ORDER BY id", [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            let count = u32::try_from(parked.len()).unwrap_or(u32::MAX);
            if go {
                run(tx, "UPDATE outbox SET parked = 2 WHERE parked = 1 AND is_open = 1", [])?;
                queues::lift_all(tx)?;
            }
            if is_new || go {
                for (id, account_id) in &parked {
                    announce(tx, ChangeKind::SendChanged, account_id, Some(id), now)?;
                }
            }
            // With nothing parked it concerns nobody, and a head noted before the restore goes on to show what is missing.
            if is_new && count > 0 {
                store.note(tx, &[Entry::new(AuditKind::StoreCopied, format!("The store was copied or restored, with {count} sends not yet settled."))], now)?;
            }
            if go && count > 0 {
                store.note(tx, &[Entry::new(AuditKind::StoreCopied, format!("The host let {count} parked sends go."))], now)?;
            }
            Ok(Copied { is_new, parked: if go { 0 } else { count }, released: if go { count } else { 0 } })
        })
        .await
    }

    async fn copied_at(&self) -> Result<Option<i64>> {
        self.read(|c| Ok(first(c, "SELECT copied_at FROM generation WHERE id = 1", [], |row| Ok(row.get(0)?))?.flatten())).await
    }

    async fn settle_parked(&self, id: &str, parked: Parked, now: i64) -> Result<bool> {
        let (store, id) = (self.clone(), id.to_owned());
        self.write(move |tx| match &parked {
            Parked::Released => release(&store, tx, &id, now),
            Parked::Abandoned(reason) => abandon(&store, tx, &id, reason, now),
        })
        .await
    }

    async fn parked_sends(&self, account_id: &str) -> Result<u32> {
        let account_id = account_id.to_owned();
        self.read(move |c| Ok(first(c, "SELECT COUNT(*) FROM outbox WHERE account_id = ?1 AND parked = 1 AND is_open = 1", [account_id], |row| Ok(row.get(0)?))?.unwrap_or(0))).await
    }
}
