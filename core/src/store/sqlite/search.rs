//! The full-text index of clear stores. Words of a query are quoted, so that none of them can be an operator.

use super::fault::Outcome;
use super::{json, mail, run};
use crate::store::{MessageRow, SearchText};
use rusqlite::Connection;

/// Replaces what the index holds of a message. Without a text, the one that is there stays.
pub fn put(c: &Connection, row_id: i64, words: &SearchText) -> Outcome<()> {
    if words.text.is_none() && run(c, "UPDATE search SET subject = ?2, people = ?3 WHERE rowid = ?1", (row_id, &words.subject, &words.people))? > 0 {
        return Ok(());
    }
    run(
        c,
        "INSERT OR REPLACE INTO search (rowid, subject, people, text) VALUES (?1, ?2, ?3, ?4)",
        (row_id, &words.subject, &words.people, words.text.as_deref().unwrap_or_default()),
    )?;
    Ok(())
}

pub fn forget(c: &Connection, row_id: i64) -> Outcome<()> {
    run(c, "DELETE FROM search WHERE rowid = ?1", [row_id])?;
    Ok(())
}

/// A word in the subject weighs more than one in a name, and that more than one in the text.
pub fn find(c: &Connection, words: &[String], account_ids: &[String], limit: u32) -> Outcome<Vec<MessageRow>> {
    super::all(
        c,
        "SELECT m.id, m.account_id, m.graph_id, m.folder_id, m.conversation_id, m.received_at, m.is_read, m.is_draft, m.change_key, m.head, m.version,
           COALESCE(m.shown_id, 'msg_' || m.id), m.kind
         FROM search JOIN messages AS m ON m.id = search.rowid
         WHERE search MATCH ?1 AND m.is_removed = 0 AND m.account_id IN (SELECT value FROM json_each(?2))
         ORDER BY bm25(search, 8.0, 4.0, 1.0), m.sort_at DESC, m.id DESC LIMIT ?3",
        (expression(words), json(account_ids)?, limit),
        mail::message_row,
    )
}

/// `"one" "two"`: all of them. Within quotes, a quote is doubled and nothing else has a meaning.
fn expression(words: &[String]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    quoted.join(" ")
}
