//! Reading mail, marking it read, and the change feed.

use super::fault::Outcome;
use super::{SqliteStore, all, announce, apply, attachments, exists, first, folders, keys, may_write, quarantine, run, sealed, search, pending_removals, trim, word};
use crate::error::Result;
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::stages::{Stage, timed};
use crate::store::{Applied, AttachmentList, ChangeRow, FolderNews, Known, Lease, MailPage, MailStore, Mailbox, MessageRow, MessageWindow, PageBatch, QuarantineRow, Quarantined, Refusal, SyncedFolder, Unlisted};
use std::collections::HashMap;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

const COLUMNS: &str = "m.id, m.account_id, m.graph_id, m.folder_id, m.conversation_id, m.received_at, m.is_read, m.is_draft, m.change_key, m.head, m.version, \
                       COALESCE(m.shown_id, 'msg_' || m.id)";

pub(super) fn message_row(row: &Row<'_>) -> Outcome<MessageRow> {
    Ok(MessageRow {
        row_id: row.get(0)?,
        account_id: row.get(1)?,
        graph_id: row.get(2)?,
        folder_id: row.get(3)?,
        conversation_id: row.get(4)?,
        received_at: row.get(5)?,
        is_read: row.get(6)?,
        is_draft: row.get(7)?,
        change_key: row.get(8)?,
        head: apply::head(row.get(9)?)?,
        version: row.get(10)?,
        id: row.get(11)?,
    })
}

pub(super) fn by_id_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM messages AS m WHERE COALESCE(m.shown_id, 'msg_' || m.id) = ?1 AND m.is_removed = 0
           AND (?2 IS NULL OR EXISTS (SELECT 1 FROM accounts a WHERE a.id = m.account_id AND a.owner = ?2))"
    )
}

/// Times and row ids of one mailbox's part of a window, as SQL. The text is made of our own words alone; there are few variants, so each stays prepared.
pub(super) fn window_sql(window: &MessageWindow, mailbox: &Mailbox) -> (String, Vec<Value>) {
    let mut values = vec![Value::from(mailbox.account_id.clone())];
    let mut sql = "SELECT sort_at, id FROM messages WHERE is_removed = 0 AND account_id = ?1".to_owned();
    let mut bind = |column: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {column} = ?{}", values.len()));
    };
    if let Some(folder) = &mailbox.folder_id {
        bind("folder_id", folder.clone().into());
    }
    if let Some(conversation) = &window.conversation_id {
        bind("conversation_id", conversation.clone().into());
    }
    if let Some(is_read) = window.is_read {
        bind("is_read", i64::from(is_read).into());
    }
    let (compare, order) = if window.oldest_first { (">", "ASC") } else { ("<", "DESC") };
    if let Some((at, row_id)) = window.after {
        values.extend([Value::from(at), Value::from(row_id)]);
        sql.push_str(&format!(" AND (sort_at, id) {compare} (?{}, ?{})", values.len() - 1, values.len()));
    }
    values.push(Value::from(i64::from(window.limit) + 1));
    sql.push_str(&format!(" ORDER BY sort_at {order}, id {order} LIMIT ?{}", values.len()));
    (sql, values)
}

/// Each mailbox gives as many as the whole window holds, along its own index; the first of all of them are the window. So a list over several accounts
/// costs what their lists cost, however much mail there is.
fn window(c: &Connection, window: &MessageWindow) -> Outcome<MailPage> {
    let mut places = Vec::new();
    for mailbox in &window.mailboxes {
        let (sql, values) = window_sql(window, mailbox);
        places.extend(all(c, &sql, params_from_iter(values), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?);
    }
    places.sort_unstable();
    if !window.oldest_first {
        places.reverse();
    }
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let more = places.len() > limit;
    places.truncate(limit);
    let ids: Vec<i64> = places.into_iter().map(|(_, id)| id).collect();
    let sql = format!("SELECT {COLUMNS} FROM json_each(?1) AS place CROSS JOIN messages AS m ON m.id = place.value ORDER BY place.key");
    Ok(MailPage { rows: all(c, &sql, [super::json(&ids)?], message_row)?, more })
}

/// The first of all accounts' rows, each read along its own index.
pub(super) fn changes(c: &Connection, account_ids: &[String], after: i64, limit: u32) -> Outcome<Vec<ChangeRow>> {
    let mut rows = Vec::new();
    for account_id in account_ids {
        rows.extend(all(c, CHANGES, (account_id, after, limit), |row| {
            Ok(ChangeRow { id: row.get(0)?, kind: word(row, 1)?, account_id: row.get(2)?, subject_id: row.get(3)?, at: row.get(4)? })
        })?);
    }
    rows.sort_unstable_by_key(|row| row.id);
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(rows)
}

pub(super) const CHANGES: &str = "SELECT id, kind, account_id, subject_id, at FROM changes WHERE account_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

fn set_read(c: &Connection, row_id: i64, is_read: bool, change_key: Option<&str>, now: i64) -> Outcome<()> {
    let before = first(c, "SELECT account_id, is_read, COALESCE(shown_id, 'msg_' || id) FROM messages WHERE id = ?1 AND is_removed = 0", [row_id], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, String>(2)?))
    })?;
    let Some((account, was_read, id)) = before else { return Ok(()) };
    run(c, "UPDATE messages SET is_read = ?2, change_key = COALESCE(?3, change_key) WHERE id = ?1", (row_id, is_read, change_key))?;
    if was_read != is_read {
        announce(c, ChangeKind::MessageChanged, &account, Some(&id), now)?;
    }
    Ok(())
}

impl MailStore for SqliteStore {
    fn save_folders(&self, account_id: &str, generation: i64, lease: &Lease, news: &FolderNews, now: i64) -> Result<bool> {
        self.write(|tx| {
            let ours = may_write(tx, account_id, generation, lease)?;
            if ours {
                keys::check_active(tx, news.changed.iter().map(|f| &f.name).chain(news.link.as_ref().map(|link| &link.link)))?;
                folders::save(tx, account_id, news, now)?;
            }
            Ok(ours)
        })
    }

    fn folder_link(&self, account_id: &str) -> Result<(Option<Sealed>, i64)> {
        self.read(|c| folders::link(c, account_id))
    }

    fn folders(&self, account_id: &str) -> Result<Vec<SyncedFolder>> {
        self.read(|c| folders::list(c, account_id))
    }

    fn unread(&self, account_id: &str) -> Result<HashMap<String, u32>> {
        self.read(|c| folders::unread(c, account_id))
    }

    fn begin_resync(&self, account_id: &str, folder_id: &str, generation: i64, lease: &Lease, now: i64) -> Result<bool> {
        self.write(|tx| Ok(may_write(tx, account_id, generation, lease)? && folders::begin_resync(tx, account_id, folder_id, now)?))
    }

    fn known(&self, account_id: &str, graph_ids: &[&str]) -> Result<Vec<Known>> {
        self.read(|c| apply::known(c, account_id, graph_ids))
    }

    fn apply(&self, batch: &PageBatch<'_>) -> Result<Applied> {
        self.write(|tx| {
            let listed = exists(tx, "SELECT 1 FROM folders WHERE account_id = ?1 AND graph_id = ?2 AND is_listed = 1", (batch.account_id, batch.folder_id))?;
            if !listed || !may_write(tx, batch.account_id, batch.generation, batch.lease)? {
                return Ok(Applied::Refused(Refusal::TakenOver));
            }
            let heads = batch.upserts.iter().map(|m| &m.head);
            let bodies = batch.upserts.iter().filter_map(|m| m.body.as_ref());
            let raws = batch.quarantined.iter().map(|q| &q.raw);
            keys::check_active(tx, heads.chain(bodies).chain(raws).chain(batch.cursor.as_ref().map(|cursor| &cursor.link)))?;
            timed(Stage::Insert, || apply::page(tx, batch))
        })
    }

    fn note_refusal(&self, account_id: &str, folder_id: &str, generation: i64, lease: &Lease) -> Result<Option<u32>> {
        self.write(|tx| if may_write(tx, account_id, generation, lease)? { folders::note_refusal(tx, account_id, folder_id).map(Some) } else { Ok(None) })
    }

    fn take_nameless(&self, account_id: &str, folder_id: &str, generation: i64, lease: &Lease, now: i64) -> Result<bool> {
        self.write(|tx| Ok(may_write(tx, account_id, generation, lease)? && quarantine::take_nameless(tx, account_id, folder_id, now)?))
    }

    fn pending_removals(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<(String, String)>> {
        if self.read(|c| pending_removals::has_answered(c, account_id))? {
            self.write(|tx| pending_removals::drop_answered(tx, account_id))?;
        }
        self.read(|c| pending_removals::list(c, account_id, now, limit))
    }

    fn settle_pending_removals(&self, account_id: &str, generation: i64, lease: &Lease, gone: &[String], there: &[(String, String)], now: i64) -> Result<Option<(u32, u32)>> {
        self.write(|tx| {
            if !may_write(tx, account_id, generation, lease)? {
                return Ok(None);
            }
            pending_removals::settle(tx, account_id, gone, there, now).map(Some)
        })
    }

    fn defer_pending_removals(&self, account_id: &str, generation: i64, lease: &Lease, later: &[(String, String)], now: i64) -> Result<bool> {
        self.write(|tx| {
            let ours = may_write(tx, account_id, generation, lease)?;
            if ours {
                quarantine::defer_pending_removals(tx, account_id, later, now)?;
            }
            Ok(ours)
        })
    }

    fn due_quarantine(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<QuarantineRow>> {
        self.read(|c| quarantine::due(c, account_id, now, limit))
    }

    fn settle_quarantine(&self, account_id: &str, generation: i64, lease: &Lease, gone: &[String], later: &[(String, String)], now: i64) -> Result<bool> {
        self.write(|tx| {
            let ours = may_write(tx, account_id, generation, lease)?;
            if ours {
                quarantine::settle(tx, account_id, gone, later, now)?;
            }
            Ok(ours)
        })
    }

    fn quarantine(&self, account_id: &str, limit: u32) -> Result<Vec<QuarantineRow>> {
        self.read(|c| quarantine::list(c, account_id, limit))
    }

    fn count_quarantine(&self, account_id: &str) -> Result<u32> {
        self.read(|c| quarantine::count(c, account_id))
    }

    fn unlisted(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<Unlisted>> {
        self.read(|c| attachments::unlisted(c, account_id, now, limit))
    }

    fn count_unlisted(&self, account_id: &str, now: i64) -> Result<u32> {
        self.read(|c| attachments::count(c, account_id, now))
    }

    fn put_attachments(&self, account_id: &str, generation: i64, lists: &[AttachmentList], failed: &[(i64, Quarantined)], now: i64) -> Result<Option<u32>> {
        self.write(|tx| {
            let ours = exists(tx, "SELECT 1 FROM accounts WHERE id = ?1 AND generation = ?2 AND state <> 'disconnected'", (account_id, generation))?;
            if ours { attachments::put(tx, account_id, lists, failed, now).map(Some) } else { Ok(None) }
        })
    }

    fn message(&self, id: &str, owner: Option<&str>) -> Result<Option<MessageRow>> {
        self.read(|c| first(c, &by_id_sql(), (id, owner), message_row))
    }

    fn messages(&self, wanted: &MessageWindow) -> Result<MailPage> {
        self.read(|c| window(c, wanted))
    }

    fn body(&self, row_id: i64) -> Result<Option<(Sealed, i64)>> {
        self.read(|c| first(c, "SELECT sealed, version FROM bodies WHERE message_id = ?1", [row_id], |row| Ok((sealed(row, 0)?, row.get(1)?))))
    }

    fn search(&self, words: &[String], account_ids: &[String], limit: u32) -> Result<Vec<MessageRow>> {
        self.read(|c| search::find(c, words, account_ids, limit))
    }

    fn set_read(&self, row_id: i64, is_read: bool, change_key: Option<&str>, now: i64) -> Result<()> {
        self.write(|tx| set_read(tx, row_id, is_read, change_key, now))
    }

    fn is_missed(&self, account_ids: &[String], after: i64) -> Result<bool> {
        self.read(|c| trim::is_missed(c, account_ids, after))
    }

    fn changes(&self, account_ids: &[String], after: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        self.read(|c| changes(c, account_ids, after, limit))
    }
}
