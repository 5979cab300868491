//! Conversations, found along the indexes of messages: a message begins one if no newer one of its conversation fits. There is no table of them, so a page of mail costs
//! nothing more to store; what a list costs is the messages it passes over, which are those of the conversations it shows.

use super::fault::Outcome;
use super::{SqliteStore, addresses, all, first, links, mail};
use crate::error::Result;
use crate::store::{Mailbox, ThreadPage, ThreadPlace, ThreadRow, ThreadStore, ThreadWindow};
use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// A newest message: when it came, its row, its account and conversation.
type Head = (i64, i64, String, String);

/// The newest messages of one mailbox's conversations. ?1: account, ?2: the last message there was when the walk began.
pub(super) fn heads_sql(window: &ThreadWindow, mailbox: &Mailbox, until: i64) -> (String, Vec<Value>) {
    let mut values = vec![Value::from(mailbox.account_id.clone()), Value::from(until)];
    let mut fits = "account_id = ?1 AND is_removed = 0 AND id <= ?2".to_owned();
    if let Some(folder) = &mailbox.folder_id {
        values.push(folder.clone().into());
        fits.push_str(&format!(" AND folder_id = ?{}", values.len()));
    }
    if window.unread_only {
        fits.push_str(" AND is_read = 0");
    }
    if let Some(link) = &window.link {
        values.push(Value::from(link.get(&mailbox.account_id).map(|hash| hash.to_vec()).unwrap_or_default()));
        fits.push_str(&links::among(values.len()));
    }
    if let Some(address) = &window.address {
        values.push(Value::from(address.get(&mailbox.account_id).map(|hash| hash.to_vec()).unwrap_or_default()));
        fits.push_str(&addresses::among(values.len()));
    }
    let mut from = String::new();
    if let Some(place) = window.after {
        values.extend([Value::from(place.received_at), Value::from(place.row_id)]);
        from.push_str(&format!(" AND (sort_at, id) < (?{}, ?{})", values.len() - 1, values.len()));
    }
    values.push(Value::from(i64::from(window.limit) + 1));
    let along = match (window.link.is_some() || window.address.is_some(), window.unread_only) {
        (false, true) => " INDEXED BY messages_unread",
        _ => "",
    };
    let sql = format!(
        "SELECT head.sort_at, head.id, head.account_id, head.conversation_id
         FROM (SELECT sort_at, id, account_id, conversation_id FROM messages{along} WHERE {fits}{from} ORDER BY sort_at DESC, id DESC) AS head
         WHERE head.conversation_id = '' OR NOT EXISTS (SELECT 1 FROM messages INDEXED BY messages_by_conversation
           WHERE {fits} AND conversation_id = head.conversation_id AND (sort_at, id) > (head.sort_at, head.id))
         ORDER BY head.sort_at DESC, head.id DESC LIMIT ?{}",
        values.len()
    );
    (sql, values)
}

fn threads(c: &Connection, window: &ThreadWindow) -> Outcome<ThreadPage> {
    let until = match window.after {
        Some(place) => place.until,
        None => first(c, "SELECT MAX(id) FROM messages", [], |row| Ok(row.get::<_, Option<i64>>(0)?))?.flatten().unwrap_or(0),
    };
    let mut heads: Vec<Head> = Vec::new();
    for mailbox in &window.mailboxes {
        let (sql, values) = heads_sql(window, mailbox, until);
        heads.extend(all(c, &sql, params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?);
    }
    heads.sort_unstable_by_key(|head| std::cmp::Reverse((head.0, head.1)));
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let more = heads.len() > limit;
    heads.truncate(limit);
    let next = heads.last().filter(|_| more).map(|(received_at, row_id, ..)| ThreadPlace { received_at: *received_at, row_id: *row_id, until });
    let mut rows = Vec::with_capacity(heads.len());
    for head in &heads {
        rows.extend(thread(c, head, window.most_members)?);
    }
    Ok(ThreadPage { rows, next })
}

/// None: the message went away in between.
fn thread(c: &Connection, (_, row_id, account_id, conversation_id): &Head, most_members: u32) -> Outcome<Option<ThreadRow>> {
    let one = format!("SELECT {} FROM messages AS m WHERE m.id = ?1 AND m.is_removed = 0", mail::COLUMNS);
    let Some(newest) = first(c, &one, [row_id], mail::message_row)? else { return Ok(None) };
    if conversation_id.is_empty() {
        let has_attachments = first(c, "SELECT has_attachments = 1 FROM messages WHERE id = ?1", [row_id], |row| Ok(row.get::<_, Option<bool>>(0)?))?.flatten();
        let unread = u32::from(!newest.is_read);
        return Ok(Some(ThreadRow { members: vec![newest.clone()], newest, messages: 1, unread, has_attachments: has_attachments.unwrap_or(false) }));
    }
    let place = (account_id, conversation_id);
    let counts = first(c, COUNTS, place, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.unwrap_or_default();
    let (messages, unread, has_attachments) = counts;
    let part = |order: &str| {
        format!(
            "SELECT {} FROM messages AS m WHERE m.is_removed = 0 AND m.account_id = ?1 AND m.conversation_id = ?2 ORDER BY m.sort_at {order}, m.id {order} LIMIT ?3",
            mail::COLUMNS
        )
    };
    let mut members = all(c, &part("DESC"), (account_id, conversation_id, most_members), mail::message_row)?;
    let oldest = all(c, &part("ASC"), (account_id, conversation_id, 1), mail::message_row)?;
    members.extend(oldest.into_iter().filter(|oldest| members.last().is_none_or(|last| last.row_id != oldest.row_id)).collect::<Vec<_>>());
    Ok(Some(ThreadRow { newest, messages, unread, has_attachments, members }))
}

pub(super) const COUNTS: &str = "SELECT COUNT(*), COALESCE(SUM(is_read = 0), 0), COALESCE(MAX(has_attachments), 0) = 1
    FROM messages WHERE is_removed = 0 AND account_id = ?1 AND conversation_id = ?2";

#[async_trait]
impl ThreadStore for SqliteStore {
    async fn threads(&self, window: &ThreadWindow) -> Result<ThreadPage> {
        let window = window.clone();
        self.read(move |c| threads(c, &window)).await
    }
}
