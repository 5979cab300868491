//! Erasing accounts: one step that makes them undecryptable and unfindable, then rows in small transactions, then the recorded end.

use super::ending::{destroy_key, mark_erasure};
use super::fault::Outcome;
use super::{ERASE_WAIT, SqliteStore, all, delegates, endpoints, exists, first, keys, outbox_end, rules, run, throttles, workflows};
use crate::error::{Error, ErrorKind, Result};
use crate::model::AuditKind;
use crate::store::{Entry, ItemState, KeyPurpose, PurgeRow, PurgeStore, Purged, mailbox_of};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

/// Everything that is held of an account, in the order in which it can go: who refers comes before who is referred to. ?1 is the account, ?2 how many
/// rows at the most. A table with a column `account_id` that is neither here nor in [`KEPT`] fails a test.
pub(super) const HELD: &[(&str, &str)] = &[
    // First, since it is the one thing here that no key protects.
    ("search", "DELETE FROM search WHERE rowid IN (SELECT m.id FROM messages m JOIN search_docsize d ON d.id = m.id WHERE m.account_id = ?1 LIMIT ?2)"),
    ("bodies", "DELETE FROM bodies WHERE message_id IN (SELECT b.message_id FROM messages m JOIN bodies b ON b.message_id = m.id WHERE m.account_id = ?1 LIMIT ?2)"),
    ("cached_pieces", "DELETE FROM cached_pieces WHERE id IN (SELECT id FROM cached_pieces WHERE account_id = ?1 LIMIT ?2)"),
    ("cached_attachments", "DELETE FROM cached_attachments WHERE id IN (SELECT id FROM cached_attachments WHERE account_id = ?1 LIMIT ?2)"),
    ("message_addresses", "DELETE FROM message_addresses WHERE (account_id, hash, message_id) IN (SELECT account_id, hash, message_id FROM message_addresses WHERE account_id = ?1 LIMIT ?2)"),
    ("messages", "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE account_id = ?1 LIMIT ?2)"),
    ("edits", "DELETE FROM edits WHERE id IN (SELECT id FROM edits WHERE account_id = ?1 LIMIT ?2)"),
    ("suspects", "DELETE FROM suspects WHERE id IN (SELECT id FROM suspects WHERE account_id = ?1 LIMIT ?2)"),
    ("quarantine", "DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine WHERE account_id = ?1 LIMIT ?2)"),
    ("outbox_parts", "DELETE FROM outbox_parts WHERE id IN (SELECT id FROM outbox_parts WHERE account_id = ?1 LIMIT ?2)"),
    ("outbox_staged", "DELETE FROM outbox_staged WHERE (item_id, staged_id) IN (SELECT item_id, staged_id FROM outbox_staged WHERE account_id = ?1 LIMIT ?2)"),
    ("staged_parts", "DELETE FROM staged_parts WHERE id IN (SELECT id FROM staged_parts WHERE account_id = ?1 LIMIT ?2)"),
    ("staged", "DELETE FROM staged WHERE id IN (SELECT id FROM staged WHERE account_id = ?1 LIMIT ?2)"),
    ("outbox_payloads", "DELETE FROM outbox_payloads WHERE item_id IN (SELECT p.item_id FROM outbox o JOIN outbox_payloads p ON p.item_id = o.id WHERE o.account_id = ?1 LIMIT ?2)"),
    ("send_answers", "DELETE FROM send_answers WHERE id IN (SELECT id FROM send_answers WHERE account_id = ?1 LIMIT ?2)"),
    ("sent_mails", "DELETE FROM sent_mails WHERE item_id IN (SELECT item_id FROM sent_mails WHERE account_id = ?1 LIMIT ?2)"),
    ("answer_candidates", "DELETE FROM answer_candidates WHERE (account_id, graph_id) IN (SELECT account_id, graph_id FROM answer_candidates WHERE account_id = ?1 LIMIT ?2)"),
    ("outbox", "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE account_id = ?1 LIMIT ?2)"),
    ("outbox_queues", "DELETE FROM outbox_queues WHERE account_id = ?1 AND ?2 > 0"),
    ("paces", "DELETE FROM paces WHERE (mailbox, item) IN (SELECT mailbox, item FROM paces WHERE account_id = ?1 LIMIT ?2)"),
    ("contact_addresses", "DELETE FROM contact_addresses WHERE (account_id, hash, contact_id) IN (SELECT account_id, hash, contact_id FROM contact_addresses WHERE account_id = ?1 LIMIT ?2)"),
    ("contacts", "DELETE FROM contacts WHERE id IN (SELECT id FROM contacts WHERE account_id = ?1 LIMIT ?2)"),
    ("contact_folders", "DELETE FROM contact_folders WHERE id IN (SELECT id FROM contact_folders WHERE account_id = ?1 LIMIT ?2)"),
    ("calendar_events", "DELETE FROM calendar_events WHERE id IN (SELECT id FROM calendar_events WHERE account_id = ?1 LIMIT ?2)"),
    ("calendar_views", "DELETE FROM calendar_views WHERE account_id = ?1 AND ?2 > 0"),
    ("bot_people", "DELETE FROM bot_people WHERE id IN (SELECT id FROM bot_people WHERE account_id = ?1 LIMIT ?2)"),
    ("endpoints", "DELETE FROM endpoints WHERE id IN (SELECT id FROM endpoints WHERE account_id = ?1 LIMIT ?2)"),
    ("bot_activities", "DELETE FROM bot_activities WHERE id IN (SELECT id FROM bot_activities WHERE account_id = ?1 LIMIT ?2)"),
    ("bot_conversations", "DELETE FROM bot_conversations WHERE id IN (SELECT id FROM bot_conversations WHERE account_id = ?1 LIMIT ?2)"),
    ("chat_messages", "DELETE FROM chat_messages WHERE id IN (SELECT id FROM chat_messages WHERE account_id = ?1 LIMIT ?2)"),
    ("chat_places", "DELETE FROM chat_places WHERE (account_id, chat_id) IN (SELECT account_id, chat_id FROM chat_places WHERE account_id = ?1 LIMIT ?2)"),
    ("chat_looks", "DELETE FROM chat_looks WHERE account_id = ?1 AND ?2 > 0"),
    ("polls", "DELETE FROM polls WHERE account_id = ?1 AND ?2 > 0"),
    ("backfills", "DELETE FROM backfills WHERE account_id = ?1 AND ?2 > 0"),
    ("backfill_windows", "DELETE FROM backfill_windows WHERE (account_id, folder_id, lower) IN (SELECT account_id, folder_id, lower FROM backfill_windows WHERE account_id = ?1 LIMIT ?2)"),
    ("unsynced_looks", "DELETE FROM unsynced_looks WHERE account_id = ?1 AND ?2 > 0"),
    ("chats", "DELETE FROM chats WHERE (account_id, people) IN (SELECT account_id, people FROM chats WHERE account_id = ?1 LIMIT ?2)"),
    ("last_senders", "DELETE FROM last_senders WHERE context IN (SELECT context FROM last_senders WHERE account_id = ?1 LIMIT ?2)"),
    ("links", "DELETE FROM links WHERE id IN (SELECT id FROM links WHERE account_id = ?1 LIMIT ?2)"),
    ("link_scans", "DELETE FROM link_scans WHERE account_id = ?1 AND ?2 > 0"),
    ("unlinks", "DELETE FROM unlinks WHERE (account_id, graph_id, hash) IN (SELECT account_id, graph_id, hash FROM unlinks WHERE account_id = ?1 LIMIT ?2)"),
    ("signatures", "DELETE FROM signatures WHERE account_id = ?1 AND ?2 > 0"),
    ("subscriptions", "DELETE FROM subscriptions WHERE account_id = ?1 AND ?2 > 0"),
    ("news", "DELETE FROM news WHERE (account_id, holder) IN (SELECT account_id, holder FROM news WHERE account_id = ?1 LIMIT ?2)"),
    ("folders", "DELETE FROM folders WHERE num IN (SELECT num FROM folders WHERE account_id = ?1 LIMIT ?2)"),
    ("changes", "DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE account_id = ?1 LIMIT ?2)"),
    ("feed_horizons", "DELETE FROM feed_horizons WHERE account_id = ?1 AND ?2 > 0"),
    ("tokens", "DELETE FROM tokens WHERE account_id = ?1 AND ?2 > 0"),
    ("health", "DELETE FROM health WHERE account_id = ?1 AND ?2 > 0"),
    ("attempts", "DELETE FROM attempts WHERE account_id = ?1 AND ?2 > 0"),
    ("leases", "DELETE FROM leases WHERE name IN (SELECT name FROM leases WHERE instr(name, ?1) > 0 LIMIT ?2)"),
];

/// Bytes of a store that is rewritten after a purge. The copy is made in memory, and others cannot write meanwhile.
const REWRITTEN_UP_TO: i64 = 64 << 20;

/// For how long a callback that comes too late is told so.
const DAY_MS: i64 = 86_400_000;

/// How long after its time a sign-in that was used up is certainly stored or has failed.
const ON_ITS_WAY_MS: i64 = 600_000;

/// Tables that keep an account's id, and nothing else of it: that a key existed, what happened, that it was purged.
#[cfg(test)]
pub(super) const KEPT: &[&str] = &["keys", "audit", "purges"];

fn purge_row(row: &Row<'_>) -> Outcome<PurgeRow> {
    let erased: i64 = row.get(1)?;
    Ok(PurgeRow { account_id: row.get(0)?, erased: erased.unsigned_abs(), ended_at: row.get(2)? })
}

fn by_account(c: &Connection, account_id: &str) -> Outcome<Option<PurgeRow>> {
    first(c, "SELECT account_id, erased, ended_at FROM purges WHERE account_id = ?1", [account_id], purge_row)
}

fn is_open(c: &Connection, account_id: &str) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM purges WHERE account_id = ?1 AND ended_at IS NULL", [account_id])
}

fn add_erased(c: &Connection, account_id: &str, rows: usize) -> Outcome<()> {
    run(c, "UPDATE purges SET erased = erased + ?2 WHERE account_id = ?1", (account_id, i64::try_from(rows).unwrap_or(i64::MAX)))?;
    Ok(())
}

/// Sign-ins that are over: they hold, sealed or hashed, whom they were for. One that was used up may still be on its way to an account for a while.
fn drop_sign_ins(c: &Connection, now: i64) -> Outcome<()> {
    run(c, "DELETE FROM attempts WHERE expires_at <= ?1 AND (used_at = 0 OR expires_at <= ?2)", (now, now.saturating_sub(ON_ITS_WAY_MS)))?;
    run(c, "DELETE FROM leases WHERE name LIKE 'connect/%' AND expires_at <= ?1", [now])?;
    Ok(())
}

/// Sign-ins nobody came back to, a day after they expired.
pub fn drop_old_attempts(c: &Connection, now: i64) -> Outcome<()> {
    run(c, "DELETE FROM attempts WHERE expires_at < ?1", [now.saturating_sub(DAY_MS)]).map(drop)
}

pub fn has_old_attempts(c: &Connection, now: i64) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM attempts WHERE expires_at < ?1", [now.saturating_sub(DAY_MS)])
}

pub fn is_deleted(c: &Connection, owner: &str) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM owners WHERE owner = ?1", [owner])
}

/// An owner who is to be purged gets no new accounts: they would be erased with the old ones. Nor does an account that was purged come back.
pub fn refuse_deleted(c: &Connection, owner: &str, account_id: &str) -> Outcome<()> {
    if is_deleted(c, owner)? {
        return Err(Error::new(ErrorKind::Conflict, "This owner was deleted and is about to be purged. Call restore_owner first, then connect again.").into());
    }
    if exists(c, "SELECT 1 FROM purges WHERE account_id = ?1", [account_id])? {
        return Err(Error::new(ErrorKind::NotFound, "The account was purged meanwhile. Connect it anew.").into());
    }
    Ok(())
}

pub fn of_owner(c: &Connection, owner: &str) -> Outcome<Vec<String>> {
    all(c, "SELECT id FROM accounts WHERE owner = ?1 ORDER BY num", [owner], |row| Ok(row.get(0)?))
}

impl SqliteStore {
    fn begin_all(&self, c: &Connection, ids: Vec<String>, reason: &str, now: i64) -> Outcome<Vec<String>> {
        let mut begun = Vec::new();
        for id in ids {
            // Before the account is nobody's: what is opened through it goes with it.
            for opened in delegates::opened_through(c, &id)?.into_iter().chain([id]) {
                if self.begin(c, &opened, reason, now)? {
                    begun.push(opened);
                }
            }
        }
        mark_erasure(c)?;
        Ok(begun)
    }

    fn begin(&self, c: &Connection, id: &str, reason: &str, now: i64) -> Outcome<bool> {
        let Some(account) = workflows::ending(c, id)? else { return Ok(false) };
        self.disconnect(c, id, reason, now)?;
        let mut entries = Vec::from_iter(destroy_key(c, KeyPurpose::Content, id)?);
        // A request on its way may still arrive, but the row that would tell is erased; whoever does it loses its claim.
        let on_their_way = outbox_end::leave_in_doubt(c, id, i64::MAX)?;
        entries.extend(on_their_way.into_iter().map(|one| outbox_end::settled_entry(ItemState::Unknown).on(id).about(one.id)));
        // The row stays for those who refer to it until they are gone. Whose it was is gone at once, and a row without an owner is not shown.
        run(
            c,
            "UPDATE accounts SET owner = '', tenant_id = '', user_id = id, authority = '', delegate = NULL, problem = ?2, generation = generation + 1 WHERE id = ?1",
            (id, reason),
        )?;
        throttles::forget(c, id, &account.tenant_id, mailbox_of(&account.user_id))?;
        rules::forget_owner(c, &account.owner)?;
        let owner = self.owner_mark(&account.owner)?;
        // One that failed names no account, and may have been this person's.
        run(c, "DELETE FROM attempts WHERE owner = ?1 AND used_at <> 0", [&owner])?;
        run(c, "INSERT INTO purges (account_id, owner, begun_at) VALUES (?1, ?2, ?3) ON CONFLICT (account_id) DO NOTHING", (id, owner, now))?;
        keys::announce_account(c, id, now)?;
        self.note(c, &entries, now)?;
        Ok(true)
    }

    fn erase(&self, c: &Connection, id: &str, limit: u32, now: i64) -> Outcome<bool> {
        if !is_open(c, id)? {
            return Ok(false);
        }
        let mut left = usize::try_from(limit).unwrap_or(usize::MAX);
        for (_, statement) in HELD {
            let erased = run(c, statement, (id, i64::try_from(left).unwrap_or(i64::MAX)))?;
            add_erased(c, id, erased)?;
            left = left.saturating_sub(erased);
            if left == 0 {
                return Ok(true);
            }
        }
        // Everything above is empty in this very transaction, so nothing refers to the account any more.
        let erased = run(c, "DELETE FROM accounts WHERE id = ?1 AND owner = ''", [id])?;
        add_erased(c, id, erased)?;
        drop_sign_ins(c, now)?;
        mark_erasure(c)?;
        Ok(false)
    }
}

#[async_trait]
impl PurgeStore for SqliteStore {
    async fn begin_purge(&self, purged: Purged<'_>, reason: &str, now: i64) -> Result<Vec<String>> {
        let (store, reason) = (self.clone(), reason.to_owned());
        let (account_id, owner, is_due) = match purged {
            Purged::Account(id) => (Some(id.to_owned()), None, false),
            Purged::Owner(owner) => (None, Some(owner.to_owned()), false),
            Purged::DueOwner(owner) => (None, Some(owner.to_owned()), true),
        };
        self.destroying(ERASE_WAIT, move |tx| {
            let mut ids = Vec::from_iter(account_id);
            if let Some(owner) = owner {
                let settled = run(tx, "DELETE FROM owners WHERE owner = ?1 AND (?2 IS NULL OR purge_at <= ?2)", (&owner, is_due.then_some(now)))?;
                if is_due && settled == 0 {
                    return Ok((Vec::new(), true));
                }
                store.end_sign_ins_of(tx, &owner)?;
                endpoints::forget_subscriber(tx, &owner)?;
                ids = of_owner(tx, &owner)?;
            }
            Ok((store.begin_all(tx, ids, &reason, now)?, true))
        })
        .await
    }

    async fn purge(&self, account_id: &str) -> Result<Option<PurgeRow>> {
        let account_id = account_id.to_owned();
        self.read(move |c| by_account(c, &account_id)).await
    }

    async fn open_purges(&self) -> Result<Vec<String>> {
        self.read(|c| all(c, "SELECT account_id FROM purges WHERE ended_at IS NULL ORDER BY begun_at, account_id", [], |row| Ok(row.get(0)?))).await
    }

    async fn erase_some(&self, account_id: &str, limit: u32, now: i64) -> Result<bool> {
        let (store, account_id) = (self.clone(), account_id.to_owned());
        self.upkeep(move |opened| {
            let is_more = opened.write_here(|tx| store.erase(tx, &account_id, limit, now))?;
            if !is_more {
                // Erased rows are zeroed, but where the database once moved rows between pages a copy may lie in a page's unused part; in a store too large to
                // be copied in memory it lies there until that part is written again.
                opened.vacuum(REWRITTEN_UP_TO)?;
            }
            Ok(is_more)
        })
        .await
    }

    async fn finish_erasure(&self) -> Result<bool> {
        self.upkeep(|opened| {
            opened.look_for_marks()?;
            Ok(opened.erase_now(ERASE_WAIT))
        })
        .await
    }

    async fn end_purge(&self, account_id: &str, now: i64) -> Result<Option<PurgeRow>> {
        let (store, account_id) = (self.clone(), account_id.to_owned());
        self.write(move |tx| {
            let account_id = account_id.as_str();
            let ended = run(tx, "UPDATE purges SET ended_at = ?2 WHERE account_id = ?1 AND ended_at IS NULL", (account_id, now))?;
            let row = by_account(tx, account_id)?;
            if let Some(row) = row.as_ref().filter(|_| ended > 0) {
                let entry = Entry::new(AuditKind::Purged, format!("Everything of the account was erased, {} rows.", row.erased)).on(account_id);
                let owner: Option<String> = first(tx, "SELECT owner FROM purges WHERE account_id = ?1", [account_id], |row| Ok(row.get(0)?))?;
                store.note(tx, &[owner.into_iter().fold(entry, Entry::of)], now)?;
                // The feed had its rows erased; this one tells its readers to drop what they have.
                keys::announce_account(tx, account_id, now)?;
            }
            Ok(row)
        })
        .await
    }

    async fn delete_owner(&self, owner: &str, reason: &str, now: i64, purge_at: i64) -> Result<(Vec<String>, i64)> {
        let (store, owner, reason) = (self.clone(), owner.to_owned(), reason.to_owned());
        self.destroying(ERASE_WAIT, move |tx| {
            let owner = owner.as_str();
            let ids = of_owner(tx, owner)?;
            if ids.is_empty() && !is_deleted(tx, owner)? {
                return Err(Error::new(ErrorKind::NotFound, "There is no account of this owner.").into());
            }
            for id in &ids {
                store.disconnect(tx, id, &reason, now)?;
            }
            store.end_sign_ins_of(tx, owner)?;
            mark_erasure(tx)?;
            let new = run(tx, "INSERT INTO owners (owner, deleted_at, purge_at) VALUES (?1, ?2, ?3) ON CONFLICT (owner) DO NOTHING", (owner, now, purge_at))?;
            if new > 0 {
                let detail = format!("The owner was deleted, with {} accounts.", ids.len());
                store.note(tx, &[Entry::new(AuditKind::OwnerDeleted, detail).of(store.owner_mark(owner)?)], now)?;
            }
            let due = first(tx, "SELECT purge_at FROM owners WHERE owner = ?1", [owner], |row| Ok(row.get(0)?))?;
            Ok(((ids, due.unwrap_or(purge_at)), true))
        })
        .await
    }

    async fn restore_owner(&self, owner: &str, now: i64) -> Result<bool> {
        let (store, owner) = (self.clone(), owner.to_owned());
        self.write(move |tx| {
            let found = run(tx, "DELETE FROM owners WHERE owner = ?1", [&owner])? > 0;
            if found {
                store.note(tx, &[Entry::new(AuditKind::OwnerRestored, "The deletion of the owner was taken back.").of(store.owner_mark(&owner)?)], now)?;
            }
            Ok(found)
        })
        .await
    }

    async fn is_deleted(&self, owner: &str) -> Result<bool> {
        let owner = owner.to_owned();
        self.read(move |c| is_deleted(c, &owner)).await
    }

    async fn due_owners(&self, now: i64) -> Result<Vec<String>> {
        self.read(move |c| all(c, "SELECT owner FROM owners WHERE purge_at <= ?1 ORDER BY purge_at", [now], |row| Ok(row.get(0)?))).await
    }
}
