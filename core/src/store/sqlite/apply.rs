//! One page of a folder's changes, with its cursor, in one transaction.

use super::fault::Outcome;
use super::folders::Tally;
use super::{addresses, all, answers, backfills, cache, edits, exists, first, links, quarantine, run, sealed_opt, search};
use crate::model::{ChangeKind, MessageKind};
use crate::seal::Sealed;
use crate::store::{Applied, Known, NewMessage, PageBatch, Refusal};
use rusqlite::Connection;
use std::collections::HashMap;

pub fn known(c: &Connection, account_id: &str, graph_ids: &[impl serde::Serialize]) -> Outcome<Vec<Known>> {
    all(
        c,
        "SELECT m.id, m.graph_id, m.folder_id, m.change_key, m.version, m.is_removed, m.conversation_id, m.received_at, m.is_read, m.is_draft, m.head, COALESCE(m.shown_id, 'msg_' || m.id), m.is_unlisted, m.kind
         FROM (SELECT DISTINCT value FROM json_each(?2)) AS wanted CROSS JOIN messages AS m ON m.account_id = ?1 AND m.graph_id = wanted.value",
        (account_id, super::json(graph_ids)?),
        |row| {
            Ok(Known {
                row_id: row.get(0)?,
                graph_id: row.get(1)?,
                folder_id: row.get(2)?,
                change_key: row.get(3)?,
                version: row.get(4)?,
                is_removed: row.get(5)?,
                conversation_id: row.get(6)?,
                received_at: row.get(7)?,
                is_read: row.get(8)?,
                is_draft: row.get(9)?,
                head: sealed_opt(row, 10)?,
                id: row.get(11)?,
                is_unlisted: row.get(12)?,
                kind: answers::kind(row.get(13)?)?,
            })
        },
    )
}

pub fn page(c: &Connection, batch: &PageBatch) -> Outcome<Applied> {
    if batch.cursor.is_none() && is_late(c, batch)? {
        return Ok(Applied::Refused(Refusal::Late));
    }
    if let Some(step) = &batch.step
        && !backfills::may_step(c, &batch.account_id, &batch.folder_id, step)?
    {
        return Ok(Applied::Refused(Refusal::Stopped));
    }
    // Before what is readable now leaves the quarantine: the same mail may be set aside again for another reason.
    let tries = quarantine::tries(c, batch)?;
    let mut page = Page { c, batch, tally: Tally::default() };
    if !page.upserts()? {
        return Ok(Applied::Refused(Refusal::Outdated));
    }
    if !batch.upserts.is_empty() {
        links::spread(c, &batch.account_id)?;
    }
    batch.links.iter().try_for_each(|link| links::give_by_rule(c, link, None))?;
    answers::note_candidates(c, batch)?;
    page.seen()?;
    page.pending_removals()?;
    quarantine::put(c, batch, &tries)?;
    batch.edits.iter().try_for_each(|ended| edits::end(c, ended, batch.now))?;
    page.cursor()?;
    if let Some(step) = &batch.step {
        backfills::step(c, &batch.account_id, &batch.folder_id, step)?;
    }
    let Page { tally, .. } = page;
    tally.write(c, &batch.account_id)?;
    let stored = first(c, "SELECT stored FROM folders WHERE account_id = ?1 AND graph_id = ?2", (&batch.account_id, &batch.folder_id), |row| Ok(row.get(0)?))?;
    Ok(Applied::Written { stored: stored.unwrap_or(0) })
}

/// These rows are still to be shown by an enumeration, or asked about at its end, and it has ended.
fn is_late(c: &Connection, batch: &PageBatch) -> Outcome<bool> {
    let sql = "SELECT 1 FROM folders WHERE account_id = ?1 AND graph_id = ?2 AND pass > ?3 AND link_is_delta = 1";
    exists(c, sql, (&batch.account_id, &batch.folder_id, batch.enumeration))
}

struct Page<'a> {
    c: &'a Connection,
    batch: &'a PageBatch,
    tally: Tally,
}

impl Page<'_> {
    /// False: what is here changed since this page was planned, which no page may undo; nothing was written.
    fn upserts(&mut self) -> Outcome<bool> {
        let account = self.batch.account_id.as_str();
        if self.batch.upserts.is_empty() {
            return Ok(true);
        }
        let ids: Vec<&str> = self.batch.upserts.iter().map(|m| m.graph_id.as_str()).collect();
        let mut here: HashMap<String, Known> = known(self.c, account, &ids)?.into_iter().map(|k| (k.graph_id.clone(), k)).collect();
        let is_passed = |m: &NewMessage| here.get(&m.graph_id).is_some_and(|known| known.version >= m.version);
        if self.batch.upserts.iter().any(is_passed) && !self.is_repeated()? {
            return Ok(false);
        }
        // Both are empty nearly always, and then need no statement per message.
        let questions = exists(self.c, "SELECT 1 FROM suspects WHERE account_id = ?1", [account])?;
        let aside = exists(self.c, "SELECT 1 FROM quarantine WHERE account_id = ?1", [account])?;
        for message in &self.batch.upserts {
            match here.get(&message.graph_id) {
                None => {
                    let row_id = self.insert(message)?;
                    let known = Known {
                        row_id,
                        id: message.id.clone(),
                        graph_id: message.graph_id.clone(),
                        folder_id: message.folder_id.clone(),
                        change_key: message.change_key.clone(),
                        version: message.version,
                        is_removed: false,
                        conversation_id: message.conversation_id.clone(),
                        received_at: message.received_at,
                        is_read: message.is_read,
                        is_draft: message.is_draft,
                        head: None,
                        is_unlisted: message.is_unlisted,
                        kind: MessageKind::Ordinary,
                    };
                    here.insert(message.graph_id.clone(), known);
                }
                // The same page again: what it says is here already.
                Some(known) if known.version >= message.version => self.mark(&message.graph_id)?,
                Some(known) => self.update(message, known)?,
            }
            if questions {
                run(self.c, "DELETE FROM suspects WHERE account_id = ?1 AND graph_id = ?2 AND folder_id <> ?3", (account, &message.graph_id, &message.folder_id))?;
            }
            if aside {
                run(self.c, "DELETE FROM quarantine WHERE account_id = ?1 AND graph_id = ?2", (account, &message.graph_id))?;
            }
        }
        Ok(true)
    }

    /// The folder is at the end of this page, or past it.
    fn is_repeated(&self) -> Outcome<bool> {
        let Some(cursor) = &self.batch.cursor else { return Ok(false) };
        let sql = "SELECT 1 FROM folders WHERE account_id = ?1 AND graph_id = ?2 AND link IS NOT NULL AND link_version >= ?3";
        exists(self.c, sql, (&self.batch.account_id, &self.batch.folder_id, cursor.version))
    }

    fn insert(&mut self, m: &NewMessage) -> Outcome<i64> {
        let mut statement = self.c.prepare_cached(
            "INSERT INTO messages (account_id, graph_id, folder_id, conversation_id, change_key, received_at, sort_at, is_read, is_draft, pass, version, head, shown_id, is_unlisted, has_attachments)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?;
        let row_id = statement.insert(rusqlite::params![
            &self.batch.account_id,
            m.graph_id,
            m.folder_id,
            m.conversation_id,
            m.change_key,
            m.received_at,
            m.received_at.unwrap_or(0),
            m.is_read,
            m.is_draft,
            self.batch.enumeration,
            m.version,
            m.head.as_bytes(),
            m.id,
            m.is_unlisted,
            m.has_attachments,
        ])?;
        self.tally.came(&m.folder_id);
        self.body(row_id, m)?;
        self.tell(&m.id, m.change)?;
        Ok(row_id)
    }

    fn update(&mut self, m: &NewMessage, known: &Known) -> Outcome<()> {
        let mut statement = self.c.prepare_cached(
            "UPDATE messages SET folder_id = ?2, conversation_id = ?3, change_key = ?4, received_at = ?5, sort_at = ?6, is_read = ?7, is_draft = ?8,
               is_removed = 0, pass = CASE WHEN folder_id = ?2 THEN MAX(pass, ?9) ELSE ?9 END, version = ?10, head = ?11, is_unlisted = ?12, has_attachments = ?13
             WHERE id = ?1",
        )?;
        statement.execute(rusqlite::params![
            known.row_id,
            m.folder_id,
            m.conversation_id,
            m.change_key,
            m.received_at,
            m.received_at.unwrap_or(0),
            m.is_read,
            m.is_draft,
            self.batch.enumeration,
            m.version,
            m.head.as_bytes(),
            m.is_unlisted,
            m.has_attachments,
        ])?;
        if known.is_removed {
            self.tally.came(&m.folder_id);
        } else if known.folder_id != m.folder_id {
            self.tally.left(&known.folder_id);
            self.tally.came(&m.folder_id);
        }
        self.body(known.row_id, m)?;
        if m.is_draft {
            cache::forget_message(self.c, known.row_id)?;
        }
        // Only a fresh listing brings a removed message back, and to a reader of the feed it is new.
        self.tell(&known.id, if known.is_removed { Some(ChangeKind::MessageAdded) } else { m.change })
    }

    fn body(&self, row_id: i64, m: &NewMessage) -> Outcome<()> {
        if let Some(words) = &m.search {
            search::put(self.c, row_id, words)?;
        }
        let Some(body) = &m.body else { return Ok(()) };
        run(
            self.c,
            "INSERT INTO bodies (message_id, version, sealed) VALUES (?1, ?2, ?3)
             ON CONFLICT (message_id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
            (row_id, m.version, body.as_bytes()),
        )?;
        Ok(())
    }

    fn tell(&self, id: &str, change: Option<ChangeKind>) -> Outcome<()> {
        change.map_or(Ok(()), |kind| super::announce(self.c, kind, &self.batch.account_id, Some(id), self.batch.now))
    }

    fn mark(&self, graph_id: &str) -> Outcome<()> {
        // A row that sits elsewhere belongs to that folder's enumeration.
        run(
            self.c,
            "UPDATE messages SET pass = ?4 WHERE account_id = ?1 AND graph_id = ?2 AND folder_id = ?3 AND pass < ?4",
            (&self.batch.account_id, graph_id, &self.batch.folder_id, self.batch.enumeration),
        )?;
        Ok(())
    }

    fn seen(&self) -> Outcome<()> {
        for id in &self.batch.seen {
            self.mark(id)?;
        }
        Ok(())
    }

    /// Ids that left this folder, if they were in it: a message already found elsewhere has answered the question.
    fn pending_removals(&self) -> Outcome<()> {
        for id in &self.batch.pending_removals {
            run(
                self.c,
                "INSERT INTO suspects (account_id, graph_id, folder_id, noted_at)
                 SELECT account_id, graph_id, folder_id, ?4 FROM messages WHERE account_id = ?1 AND graph_id = ?2 AND folder_id = ?3 AND is_removed = 0
                 ON CONFLICT (account_id, graph_id) DO UPDATE SET folder_id = excluded.folder_id",
                (&self.batch.account_id, id, &self.batch.folder_id, self.batch.now),
            )?;
        }
        Ok(())
    }

    fn cursor(&self) -> Outcome<()> {
        let b = self.batch;
        let Some(cursor) = &b.cursor else { return Ok(()) };
        if b.completes_pass {
            // Only an enumeration from the start proves absence; a delta round shows just what changed.
            let enumerated = exists(
                self.c,
                "SELECT 1 FROM folders WHERE account_id = ?1 AND graph_id = ?2 AND (was_complete = 0 OR resync_since IS NOT NULL)",
                (&b.account_id, &b.folder_id),
            )?;
            if enumerated {
                run(
                    self.c,
                    "INSERT INTO suspects (account_id, graph_id, folder_id, noted_at)
                     SELECT account_id, graph_id, folder_id, ?4 FROM messages WHERE account_id = ?1 AND folder_id = ?2 AND is_removed = 0 AND pass < ?3
                     ON CONFLICT (account_id, graph_id) DO UPDATE SET folder_id = excluded.folder_id",
                    (&b.account_id, &b.folder_id, b.enumeration, b.now),
                )?;
            }
        }
        // A page that brings nothing does not make a refused link better. A larger page that was tried in vain is tried again an hour later.
        run(
            self.c,
            "UPDATE folders SET link = ?3, link_version = ?4, link_is_delta = ?5, was_complete = was_complete OR ?6,
               resync_since = CASE WHEN ?6 THEN NULL ELSE resync_since END, refusals = CASE WHEN ?6 OR ?9 THEN 0 ELSE refusals END,
               page_size_at = CASE WHEN page_size IS ?7 AND ?8 - page_size_at < 3600000 THEN page_size_at ELSE ?8 END, page_size = ?7
             WHERE account_id = ?1 AND graph_id = ?2",
            (&b.account_id, &b.folder_id, cursor.link.as_bytes(), cursor.version, cursor.is_delta, b.completes_pass, b.page_size, b.now, !b.upserts.is_empty()),
        )?;
        Ok(())
    }
}

/// Head and body of a removed message, gone; the row stays so that a late page cannot bring it back unnoticed.
pub fn tombstone(c: &Connection, row_id: i64, now: i64) -> Outcome<()> {
    run(c, "UPDATE messages SET is_removed = 1, removed_at = ?2, head = NULL, is_unlisted = 0 WHERE id = ?1", (row_id, now))?;
    run(c, "DELETE FROM bodies WHERE message_id = ?1", [row_id])?;
    cache::forget_message(c, row_id)?;
    edits::forget(c, row_id)?;
    answers::forget_message(c, row_id)?;
    addresses::forget(c, row_id)?;
    search::forget(c, row_id)
}

/// A sealed head; a live row without one is damage.
pub fn head(bytes: Option<Vec<u8>>) -> Outcome<Sealed> {
    Ok(Sealed::parse(bytes.unwrap_or_default())?)
}
