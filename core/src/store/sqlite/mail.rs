//! Reading mail, marking it read, and the change feed.

use super::fault::Outcome;
use super::{SqliteStore, all, answers, apply, attachments, edits, exists, first, folders, keys, links, may_write, quarantine, sealed, search, pending_removals, trim, word};
use crate::error::Result;
use crate::seal::Sealed;
use crate::stages::{Stage, timed};
use crate::store::{Applied, AttachmentList, ChangeRow, CursorEvent, FilesKnown, FolderNews, Known, Lease, MailPage, MailStore, Mailbox, MessageRow, MessageWindow, PageBatch, Question, QuarantineRow, Quarantined, Refusal, Settled, SyncedFolder, Unlisted};
use async_trait::async_trait;
use std::collections::HashMap;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

pub(super) const COLUMNS: &str = "m.id, m.account_id, m.graph_id, m.folder_id, m.conversation_id, m.received_at, m.is_read, m.is_draft, m.change_key, m.head, m.version, \
                       COALESCE(m.shown_id, 'msg_' || m.id), m.kind";

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
        kind: answers::kind(row.get(12)?)?,
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
    let mut sql = format!("SELECT sort_at, id FROM messages{} WHERE is_removed = 0 AND account_id = ?1", along(window));
    if let Some(is_read) = window.is_read {
        sql.push_str(if is_read { " AND is_read = 1" } else { " AND is_read = 0" });
    }
    if let Some(has) = window.has_attachments {
        sql.push_str(if has { " AND has_attachments = 1" } else { " AND has_attachments = 0" });
    }
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
    if let Some(link) = &window.link {
        values.push(Value::from(link.get(&mailbox.account_id).map(|hash| hash.to_vec()).unwrap_or_default()));
        sql.push_str(&links::among(values.len()));
    }
    let (compare, order) = if window.oldest_first { (">", "ASC") } else { ("<", "DESC") };
    if let Some((at, row_id)) = window.after {
        values.extend([Value::from(at), Value::from(row_id)]);
        sql.push_str(&format!(" AND (sort_at, id) {compare} (?{}, ?{})", values.len() - 1, values.len()));
    }
    for (compare, at) in [(">=", window.from), ("<", window.before)] {
        if let Some(at) = at {
            values.push(Value::from(at));
            sql.push_str(&format!(" AND sort_at {compare} ?{}", values.len()));
        }
    }
    values.push(Value::from(i64::from(window.limit) + 1));
    sql.push_str(&format!(" ORDER BY sort_at {order}, id {order} LIMIT ?{}", values.len()));
    (sql, values)
}

/// The index of what is rare, which the planner knows nothing about. It holds the folder as well.
fn along(window: &MessageWindow) -> &'static str {
    match (window.is_read, window.has_attachments) {
        _ if window.conversation_id.is_some() || window.link.is_some() => "",
        (_, Some(true)) => " INDEXED BY messages_with_files",
        (Some(false), _) => " INDEXED BY messages_unread",
        _ => "",
    }
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

#[async_trait]
impl MailStore for SqliteStore {
    async fn save_folders(&self, account_id: &str, generation: i64, lease: &Lease, news: &FolderNews, now: i64) -> Result<bool> {
        let (id, lease, news) = (account_id.to_owned(), lease.clone(), news.clone());
        self.write(move |tx| {
            let ours = may_write(tx, &id, generation, &lease)?;
            if ours {
                keys::check_active(tx, news.changed.iter().map(|f| &f.name).chain(news.link.as_ref().map(|link| &link.link)))?;
                folders::save(tx, &id, &news, now)?;
            }
            Ok(ours)
        })
        .await
    }

    async fn folder_link(&self, account_id: &str) -> Result<(Option<Sealed>, i64)> {
        let id = account_id.to_owned();
        self.read(move |c| folders::link(c, &id)).await
    }

    async fn folders(&self, account_id: &str) -> Result<Vec<SyncedFolder>> {
        let id = account_id.to_owned();
        self.read(move |c| folders::list(c, &id)).await
    }

    async fn count_held(&self, account_id: &str, folder_id: &str, since: Option<i64>) -> Result<u32> {
        let (id, folder_id) = (account_id.to_owned(), folder_id.to_owned());
        self.read(move |c| folders::count_held(c, &id, &folder_id, since)).await
    }

    async fn unread(&self, account_id: &str) -> Result<HashMap<String, u32>> {
        let id = account_id.to_owned();
        self.read(move |c| folders::unread(c, &id)).await
    }

    async fn note_cursor(&self, account_id: &str, folder_id: &str, generation: i64, lease: &Lease, event: CursorEvent, now: i64) -> Result<Option<u32>> {
        let (id, folder_id, lease) = (account_id.to_owned(), folder_id.to_owned(), lease.clone());
        // Looked for without the writer first: there are hardly ever any.
        if event == CursorEvent::Nameless {
            let (id, folder_id) = (id.clone(), folder_id.clone());
            if !self.read(move |c| quarantine::has_nameless(c, &id, &folder_id, now)).await? {
                return Ok(Some(0));
            }
        }
        self.write(move |tx| {
            if !may_write(tx, &id, generation, &lease)? {
                return Ok(None);
            }
            Ok(Some(match event {
                CursorEvent::Lost => folders::begin_resync(tx, &id, &folder_id, now)?.into(),
                CursorEvent::Refused => folders::note_refusal(tx, &id, &folder_id)?,
                CursorEvent::Nameless => quarantine::take_nameless(tx, &id, &folder_id, now)?.into(),
            }))
        })
        .await
    }

    async fn known(&self, account_id: &str, graph_ids: &[&str]) -> Result<Vec<Known>> {
        let (id, graph_ids) = (account_id.to_owned(), graph_ids.iter().map(|id| (*id).to_owned()).collect::<Vec<String>>());
        self.read(move |c| apply::known(c, &id, &graph_ids)).await
    }

    async fn apply(&self, batch: PageBatch) -> Result<Applied> {
        self.write(move |tx| {
            let listed = exists(tx, "SELECT 1 FROM folders WHERE account_id = ?1 AND graph_id = ?2 AND is_listed = 1", (&batch.account_id, &batch.folder_id))?;
            if !listed || !may_write(tx, &batch.account_id, batch.generation, &batch.lease)? {
                return Ok(Applied::Refused(Refusal::TakenOver));
            }
            let heads = batch.upserts.iter().map(|m| &m.head);
            let bodies = batch.upserts.iter().filter_map(|m| m.body.as_ref());
            let raws = batch.quarantined.iter().map(|q| &q.raw);
            keys::check_active(tx, heads.chain(bodies).chain(raws).chain(edits::sealed_of(&batch.edits)).chain(batch.links.iter().filter_map(|link| link.sealed.as_ref())).chain(batch.cursor.as_ref().map(|cursor| &cursor.link)))?;
            timed(Stage::Insert, || apply::page(tx, &batch))
        })
        .await
    }

    async fn suspect_unsynced(&self, account_id: &str, generation: i64, lease: &Lease, every_ms: i64, limit: u32, now: i64) -> Result<Option<u32>> {
        let (id, lease) = (account_id.to_owned(), lease.clone());
        // Looked for without the writer first: mostly there is nothing to do.
        let is_due = {
            let id = id.clone();
            move |c: &Connection| Ok(!pending_removals::unsynced_wait(c, &id, every_ms, now)? && pending_removals::has_unsynced(c, &id)?)
        };
        if !self.read(is_due).await? {
            return Ok(Some(0));
        }
        self.write(move |tx| {
            if !may_write(tx, &id, generation, &lease)? {
                return Ok(None);
            }
            pending_removals::suspect_unsynced(tx, &id, every_ms, limit, now).map(Some)
        })
        .await
    }

    async fn pending_removals(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<(String, String)>> {
        let id = account_id.to_owned();
        let (has_answered, due) = self.read(move |c| Ok((pending_removals::has_answered(c, &id)?, pending_removals::list(c, &id, now, limit)?))).await?;
        if !has_answered {
            return Ok(due);
        }
        let id = account_id.to_owned();
        self.write(move |tx| {
            pending_removals::drop_answered(tx, &id)?;
            pending_removals::list(tx, &id, now, limit)
        })
        .await
    }

    async fn settle(&self, account_id: &str, generation: i64, lease: &Lease, question: Question, settled: &Settled<'_>, now: i64) -> Result<Option<(u32, u32)>> {
        let (id, lease) = (account_id.to_owned(), lease.clone());
        let (gone, there, later) = (settled.gone.to_vec(), settled.there.to_vec(), settled.later.to_vec());
        self.write(move |tx| {
            if !may_write(tx, &id, generation, &lease)? {
                return Ok(None);
            }
            match question {
                Question::PendingRemovals => {
                    quarantine::defer_pending_removals(tx, &id, &later, now)?;
                    pending_removals::settle(tx, &id, &gone, &there, now).map(Some)
                }
                Question::Quarantine => {
                    quarantine::settle(tx, &id, &gone, &later, now)?;
                    Ok(Some((0, 0)))
                }
            }
        })
        .await
    }

    async fn due_quarantine(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<QuarantineRow>> {
        let id = account_id.to_owned();
        self.read(move |c| quarantine::due(c, &id, now, limit)).await
    }

    async fn quarantine(&self, account_id: &str, limit: u32) -> Result<Vec<QuarantineRow>> {
        let id = account_id.to_owned();
        self.read(move |c| quarantine::list(c, &id, limit)).await
    }

    async fn count_quarantine(&self, account_id: &str) -> Result<u32> {
        let id = account_id.to_owned();
        self.read(move |c| quarantine::count(c, &id)).await
    }

    async fn unlisted(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<Unlisted>> {
        let id = account_id.to_owned();
        self.read(move |c| attachments::unlisted(c, &id, now, limit)).await
    }

    async fn count_unlisted(&self, account_id: &str, now: i64) -> Result<u32> {
        let id = account_id.to_owned();
        self.read(move |c| attachments::count(c, &id, now)).await
    }

    async fn put_attachments(&self, account_id: &str, generation: i64, lists: &[AttachmentList], failed: &[(i64, Quarantined)], now: i64) -> Result<Option<u32>> {
        let (id, lists, failed) = (account_id.to_owned(), lists.to_vec(), failed.to_vec());
        self.write(move |tx| {
            let ours = exists(tx, "SELECT 1 FROM accounts WHERE id = ?1 AND generation = ?2 AND state <> 'disconnected'", (&id, generation))?;
            if ours { attachments::put(tx, &id, &lists, &failed, now).map(Some) } else { Ok(None) }
        })
        .await
    }

    async fn files_unknown(&self, account_id: &str, limit: u32) -> Result<Vec<MessageRow>> {
        let id = account_id.to_owned();
        self.read(move |c| attachments::unknown(c, &id, limit)).await
    }

    async fn note_files(&self, known: &[FilesKnown]) -> Result<()> {
        let known = known.to_vec();
        self.write(move |tx| attachments::note(tx, &known)).await
    }

    async fn message(&self, id: &str, owner: Option<&str>) -> Result<Option<MessageRow>> {
        let (id, owner) = (id.to_owned(), owner.map(str::to_owned));
        self.read(move |c| first(c, &by_id_sql(), (&id, &owner), message_row)).await
    }

    async fn messages(&self, wanted: &MessageWindow) -> Result<MailPage> {
        let wanted = wanted.clone();
        self.read(move |c| window(c, &wanted)).await
    }

    async fn messages_after(&self, account_id: &str, row_id: i64, limit: u32) -> Result<Vec<MessageRow>> {
        let id = account_id.to_owned();
        // The rows of the store in their order: each step goes on where the last one ended, whoever's the rows in between are.
        let sql = format!("SELECT {COLUMNS} FROM messages AS m NOT INDEXED WHERE m.id > ?2 AND m.account_id = ?1 AND m.is_removed = 0 ORDER BY m.id LIMIT ?3");
        self.read(move |c| all(c, &sql, (id, row_id, limit), message_row)).await
    }

    async fn body(&self, row_id: i64) -> Result<Option<(Sealed, i64)>> {
        self.read(move |c| first(c, "SELECT sealed, version FROM bodies WHERE message_id = ?1", [row_id], |row| Ok((sealed(row, 0)?, row.get(1)?)))).await
    }

    async fn search(&self, words: &[String], account_ids: &[String], limit: u32) -> Result<Vec<MessageRow>> {
        let (words, account_ids) = (words.to_vec(), account_ids.to_vec());
        self.read(move |c| search::find(c, &words, &account_ids, limit)).await
    }

    async fn is_missed(&self, account_ids: &[String], after: i64) -> Result<bool> {
        let account_ids = account_ids.to_vec();
        self.read(move |c| trim::is_missed(c, &account_ids, after)).await
    }

    async fn changes(&self, account_ids: &[String], after: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        let account_ids = account_ids.to_vec();
        self.read(move |c| changes(c, &account_ids, after, limit)).await
    }
}
