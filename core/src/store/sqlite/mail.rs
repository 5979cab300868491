//! Reading mail, marking it read, and the change feed.

use super::fault::Outcome;
use super::{SqliteStore, all, announce, apply, exists, first, folders, keys, may_write, run, sealed, search, suspects, word};
use crate::error::Result;
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::store::{Applied, ChangeRow, FolderRow, Known, Lease, MailPage, MailStore, MessageRow, MessageWindow, PageBatch, SyncedFolder};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

const COLUMNS: &str = "id, account_id, graph_id, folder_id, conversation_id, received_at, is_read, is_draft, change_key, head, version";

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
    })
}

/// A window as SQL. The text is made of our own words alone; there are few variants, so each stays prepared.
pub(super) fn window_sql(window: &MessageWindow) -> Outcome<(String, Vec<Value>)> {
    let mut values = Vec::new();
    let mut sql = format!("SELECT {COLUMNS} FROM messages WHERE is_removed = 0");
    let mut bind = |sql: &mut String, before: &str, value: Value, after: &str| {
        values.push(value);
        sql.push_str(&format!(" AND {before} ?{}{after}", values.len()));
    };
    if let Some(account) = &window.account_id {
        bind(&mut sql, "account_id =", account.clone().into(), "");
    }
    match window.folder_ids.as_deref() {
        Some([one]) => bind(&mut sql, "folder_id =", one.clone().into(), ""),
        Some(several) => bind(&mut sql, "folder_id IN (SELECT value FROM json_each(", super::json(several)?.into(), "))"),
        None => {}
    }
    if let Some(conversation) = &window.conversation_id {
        bind(&mut sql, "conversation_id =", conversation.clone().into(), "");
    }
    if let Some(is_read) = window.is_read {
        bind(&mut sql, "is_read =", i64::from(is_read).into(), "");
    }
    let (compare, order) = if window.oldest_first { (">", "ASC") } else { ("<", "DESC") };
    if let Some((at, row_id)) = window.after {
        values.extend([Value::from(at), Value::from(row_id)]);
        sql.push_str(&format!(" AND (sort_at, id) {compare} (?{}, ?{})", values.len() - 1, values.len()));
    }
    values.push(Value::from(i64::from(window.limit) + 1));
    sql.push_str(&format!(" ORDER BY sort_at {order}, id {order} LIMIT ?{}", values.len()));
    Ok((sql, values))
}

fn set_read(c: &Connection, row_id: i64, is_read: bool, change_key: Option<&str>, now: i64) -> Outcome<()> {
    let before = first(c, "SELECT account_id, is_read FROM messages WHERE id = ?1 AND is_removed = 0", [row_id], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?))
    })?;
    let Some((account, was_read)) = before else { return Ok(()) };
    run(c, "UPDATE messages SET is_read = ?2, change_key = COALESCE(?3, change_key) WHERE id = ?1", (row_id, is_read, change_key))?;
    if was_read != is_read {
        announce(c, ChangeKind::MessageChanged, &account, Some(row_id), now)?;
    }
    Ok(())
}

impl MailStore for SqliteStore {
    fn save_folders(&self, account_id: &str, generation: i64, lease: &Lease, folders: &[FolderRow], now: i64) -> Result<bool> {
        self.write(|tx| {
            let ours = may_write(tx, account_id, generation, lease)?;
            if ours {
                keys::check_active(tx, folders.iter().map(|f| &f.name))?;
                folders::save(tx, account_id, folders, now)?;
            }
            Ok(ours)
        })
    }

    fn folders(&self, account_id: &str) -> Result<Vec<SyncedFolder>> {
        self.read(|c| folders::list(c, account_id))
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
                return Ok(Applied::default());
            }
            let heads = batch.upserts.iter().map(|m| &m.head);
            let bodies = batch.upserts.iter().filter_map(|m| m.body.as_ref());
            let raws = batch.quarantined.iter().map(|q| &q.raw);
            keys::check_active(tx, heads.chain(bodies).chain(raws).chain([&batch.cursor.link]))?;
            apply::page(tx, batch)
        })
    }

    fn suspects(&self, account_id: &str, limit: u32) -> Result<Vec<(String, String)>> {
        if self.read(|c| suspects::has_answered(c, account_id))? {
            self.write(|tx| suspects::drop_answered(tx, account_id))?;
        }
        self.read(|c| suspects::list(c, account_id, limit))
    }

    fn settle_suspects(&self, account_id: &str, generation: i64, lease: &Lease, gone: &[String], there: &[(String, String)], now: i64) -> Result<Option<(u32, u32)>> {
        self.write(|tx| {
            if !may_write(tx, account_id, generation, lease)? {
                return Ok(None);
            }
            suspects::settle(tx, account_id, gone, there, now).map(Some)
        })
    }

    #[cfg(test)]
    fn quarantined(&self, account_id: &str) -> Result<u32> {
        self.read(|c| Ok(first(c, "SELECT COUNT(*) FROM quarantine WHERE account_id = ?1", [account_id], |row| Ok(row.get(0)?))?.unwrap_or(0)))
    }

    fn message(&self, row_id: i64) -> Result<Option<MessageRow>> {
        self.read(|c| first(c, &format!("SELECT {COLUMNS} FROM messages WHERE id = ?1 AND is_removed = 0"), [row_id], message_row))
    }

    fn messages(&self, window: &MessageWindow) -> Result<MailPage> {
        self.read(|c| {
            let (sql, values) = window_sql(window)?;
            let mut rows = all(c, &sql, params_from_iter(values), message_row)?;
            let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
            let more = rows.len() > limit;
            rows.truncate(limit);
            Ok(MailPage { rows, more })
        })
    }

    fn body(&self, row_id: i64) -> Result<Option<(Sealed, i64)>> {
        self.read(|c| first(c, "SELECT sealed, version FROM bodies WHERE message_id = ?1", [row_id], |row| Ok((sealed(row, 0)?, row.get(1)?))))
    }

    fn search(&self, words: &[String], account_id: Option<&str>, limit: u32) -> Result<Vec<MessageRow>> {
        self.read(|c| search::find(c, words, account_id, limit))
    }

    fn set_read(&self, row_id: i64, is_read: bool, change_key: Option<&str>, now: i64) -> Result<()> {
        self.write(|tx| set_read(tx, row_id, is_read, change_key, now))
    }

    fn changes(&self, after: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        self.read(|c| {
            let sql = "SELECT c.id, c.kind, c.account_id, c.at,
                 CASE c.kind WHEN 'send_changed' THEN (SELECT o.public_id FROM outbox o WHERE o.id = c.subject) ELSE 'msg_' || c.subject END
               FROM changes c WHERE c.id > ?1 ORDER BY c.id LIMIT ?2";
            all(c, sql, (after, limit), |row| Ok(ChangeRow { id: row.get(0)?, kind: word(row, 1)?, account_id: row.get(2)?, at: row.get(3)?, subject: row.get(4)? }))
        })
    }
}
