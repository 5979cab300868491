//! How accounts and workflows end: disconnected at once, whatever state they are in, and told.

use super::accounts::by_id;
use super::fault::Outcome;
use super::{ERASURE_PENDING, SqliteStore, delegates, edits, endpoints, folders, keys, outbox_end, run, subscriptions, workflows};
use crate::model::{AccountState, AuditKind};
use crate::random;
use crate::store::{Entry, ItemState, KeyPurpose, moved_on};
use crate::store::words::Word;
use rusqlite::Connection;

/// Notes that erased bytes may still be in the write-ahead log. Each mark is another one: whoever emptied the log takes back the mark seen before
/// that, never one that came meanwhile.
pub fn mark_erasure(c: &Connection) -> Outcome<()> {
    keys::set_meta(c, ERASURE_PENDING, &random::array::<16>()?)
}

/// The record that belongs to a key that was destroyed, if there was one.
pub fn destroy_key(c: &Connection, purpose: KeyPurpose, account_id: &str) -> Outcome<Option<Entry>> {
    if keys::destroy(c, purpose, account_id)? == 0 {
        return Ok(None);
    }
    let detail = match purpose {
        KeyPurpose::Content => "The key of an account's mail was destroyed.",
        _ => "The key of an account's tokens was destroyed.",
    };
    Ok(Some(Entry::new(AuditKind::KeyDestroyed, detail).on(account_id)))
}

/// Sign-ins and approvals of an account: begun before it ended, they must not bring it back, and they hold, sealed, whose it is.
pub fn end_sign_ins(c: &Connection, account_id: &str) -> Outcome<()> {
    run(c, "DELETE FROM attempts WHERE account_id = ?1", [account_id])?;
    Ok(())
}

/// An account nobody ever signed in to holds nothing but its keys. One that somebody has signed in to meanwhile is another matter.
/// `owner`: the mark of its owner, whose feed tells that it is gone.
pub fn erase_unused(c: &Connection, account_id: &str, owner: &str, now: i64) -> Outcome<Vec<Entry>> {
    if !by_id(c, account_id)?.is_some_and(|row| row.is_nobodys()) {
        return Err(moved_on().into());
    }
    let mut entries = Vec::new();
    for purpose in [KeyPurpose::Secrets, KeyPurpose::Content] {
        entries.extend(destroy_key(c, purpose, account_id)?);
    }
    run(c, "DELETE FROM tokens WHERE account_id = ?1", [account_id])?;
    end_sign_ins(c, account_id)?;
    if run(c, "DELETE FROM accounts WHERE id = ?1", [account_id])? > 0 {
        run(
            c,
            "INSERT INTO purges (account_id, owner, begun_at, erased, ended_at) VALUES (?1, ?2, ?3, 1, ?3) ON CONFLICT (account_id) DO NOTHING",
            (account_id, owner, now),
        )?;
        keys::announce_account(c, account_id, now)?;
        mark_erasure(c)?;
    }
    Ok(entries)
}

impl SqliteStore {
    /// The same for everything an owner has under way.
    pub(super) fn end_sign_ins_of(&self, c: &Connection, owner: &str) -> Outcome<()> {
        run(c, "DELETE FROM attempts WHERE owner = ?1", [self.owner_mark(owner)?])?;
        Ok(())
    }

    /// Idempotent: whatever a half-finished earlier call left is taken along, and every step changes nothing when it was done. Answers ids of the
    /// sends cancelled. What is opened through it ends with it.
    pub(super) fn disconnect(&self, c: &Connection, id: &str, reason: &str, now: i64) -> Outcome<Vec<String>> {
        let Some(account) = workflows::ending(c, id)? else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        if account.state != AccountState::Disconnected {
            run(
                c,
                "UPDATE accounts SET state = ?2, problem = ?3, generation = generation + 1, state_since = ?4, claims = NULL, access_ends_at = NULL WHERE id = ?1",
                (id, AccountState::Disconnected.word(), reason, now),
            )?;
            keys::announce_account(c, id, now)?;
            let entry = match account.is_workflow {
                false => Entry::new(AuditKind::Disconnected, "The account was disconnected."),
                true => Entry::new(AuditKind::WorkflowRemoved, "The workflow was removed."),
            };
            entries.push(entry.on(id));
            if account.is_workflow {
                endpoints::workflow_removed(c, id, now)?;
            }
        }
        entries.extend(destroy_key(c, KeyPurpose::Secrets, id)?);
        run(c, "DELETE FROM tokens WHERE account_id = ?1", [id])?;
        end_sign_ins(c, id)?;
        subscriptions::drop_all(c, id)?;
        folders::drop_cursors(c, id, now)?;
        edits::forget_account(c, id)?;
        let cancelled = outbox_end::cancel_unsent(c, id, reason, now)?;
        let in_doubt = outbox_end::leave_in_doubt(c, id, now)?;
        self.note(c, &entries, now)?;
        self.tell_ended(c, &cancelled, ItemState::Cancelled, now)?;
        self.tell_ended(c, &in_doubt, ItemState::Unknown, now)?;
        mark_erasure(c)?;
        let mut ids: Vec<String> = cancelled.into_iter().map(|one| one.id).collect();
        for opened in delegates::opened_through(c, id)? {
            ids.extend(self.disconnect(c, &opened, delegates::ENDED, now)?);
        }
        Ok(ids)
    }
}
