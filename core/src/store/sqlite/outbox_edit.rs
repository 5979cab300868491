//! What a send says is replaced while it waits.

use super::fault::Outcome;
use super::outbox::{put_content, sealed_values};
use super::outbox_end::drop_own_content;
use super::{SqliteStore, announce, first, keys, last_senders, queues, run, staging};
use crate::model::{AuditKind, ChangeKind};
use crate::seal::Sealed;
use crate::store::{Content, Entry, ItemRow, ItemState, NewItem};
use crate::store::words::Word;
use rusqlite::Connection;

/// As it was seen, open, and in nobody's hand.
const WAITING: &str = "SELECT id, lane FROM outbox WHERE public_id = ?1 AND state = ?2 AND fence = ?3 AND progress_version = ?4 AND is_open = 1 AND parked <> 1 AND lease_until = 0";
/// Its place in the outbox stays; whether it is the first of its lane is said after this.
const REPLACE: &str = "UPDATE outbox SET lane = ?2, content_hash = ?3, hash_version = ?4, deadline = ?5, next_at = ?6, progress = ?7, progress_version = progress_version + 1,
    state = ?8, is_head = 0, reason = NULL, waits = 0 WHERE id = ?1";

impl SqliteStore {
    pub(super) fn edit_one(&self, tx: &Connection, seen: &ItemRow, item: &NewItem, content: &Content, now: i64) -> Outcome<bool> {
        keys::check_active(tx, sealed_values(item, content))?;
        let found = first(tx, WAITING, (&seen.id, seen.state.word(), seen.fence, seen.progress_version), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        let Some((number, lane)) = found else { return Ok(false) };
        let progress = item.progress.as_ref().map(Sealed::as_bytes);
        run(tx, REPLACE, (number, &item.ordering_key, &item.content_hash, item.hash_version, item.deadline, item.send_at, progress, ItemState::Queued.word()))?;
        drop_own_content(tx, number, true)?;
        let named_before = staging::unlink(tx, number)?;
        put_content(tx, number, &seen.account_id, content)?;
        staging::drop_unnamed(tx, &named_before)?;
        item.last_sender.iter().try_for_each(|last| last_senders::remember(tx, last))?;
        queues::lift(tx, &seen.account_id, &lane)?;
        queues::lift(tx, &seen.account_id, &item.ordering_key)?;
        announce(tx, ChangeKind::SendChanged, &seen.account_id, Some(&seen.id), now)?;
        self.note(tx, &[Entry::new(AuditKind::SendQueued, "What a send says was replaced.").on(&seen.account_id).about(&seen.id)], now)?;
        Ok(true)
    }
}
