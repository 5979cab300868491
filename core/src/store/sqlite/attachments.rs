//! What is attached to messages, listed after they were stored.

use super::fault::Outcome;
use super::{all, announce, first, keys, mail, quarantine, run};
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::store::{AttachmentList, FilesKnown, MessageRow, Quarantined, Unlisted};
use rusqlite::Connection;

/// To be listed, and not put off until after ?2.
macro_rules! open {
    () => {
        "account_id = ?1 AND is_unlisted = 1 AND NOT EXISTS
           (SELECT 1 FROM quarantine q WHERE q.account_id = messages.account_id AND q.graph_id = messages.graph_id AND q.next_at > ?2)"
    };
}

pub fn unlisted(c: &Connection, account_id: &str, now: i64, limit: u32) -> Outcome<Vec<Unlisted>> {
    all(
        c,
        concat!("SELECT graph_id, version FROM messages INDEXED BY messages_unlisted WHERE ", open!(), " ORDER BY sort_at DESC LIMIT ?3"),
        (account_id, now, limit),
        |row| Ok(Unlisted { graph_id: row.get(0)?, version: row.get(1)? }),
    )
}

pub fn count(c: &Connection, account_id: &str, now: i64) -> Outcome<u32> {
    let count = first(c, concat!("SELECT COUNT(*) FROM messages INDEXED BY messages_unlisted WHERE ", open!()), (account_id, now), |row| Ok(row.get(0)?))?;
    Ok(count.unwrap_or(0))
}

pub fn put(c: &Connection, account_id: &str, lists: &[AttachmentList], failed: &[(i64, Quarantined)], now: i64) -> Outcome<u32> {
    keys::check_active(c, lists.iter().filter_map(|list| list.head.as_ref()).chain(failed.iter().map(|(_, item)| &item.raw)))?;
    let mut settled = 0;
    for AttachmentList { graph_id, version, head, has_attachments } in lists {
        let Some(id) = listed(c, account_id, (graph_id, *version), head.as_ref(), *has_attachments)? else { continue };
        if head.is_some() {
            announce(c, ChangeKind::MessageChanged, account_id, Some(&id), now)?;
        }
        quarantine::drop_list(c, account_id, graph_id)?;
        settled += 1;
    }
    for (version, item) in failed {
        let Some(graph_id) = &item.graph_id else { continue };
        let sql = "SELECT folder_id FROM messages WHERE account_id = ?1 AND graph_id = ?2 AND version = ?3 AND is_unlisted = 1";
        let Some(folder_id) = first(c, sql, (account_id, graph_id, version), |row| Ok(row.get::<_, String>(0)?))? else { continue };
        quarantine::put_list(c, account_id, &folder_id, graph_id, item, now)?;
        settled += 1;
    }
    Ok(settled)
}

/// What hosts call it; None: it is not as it was seen.
fn listed(c: &Connection, account_id: &str, (graph_id, version): (&str, i64), head: Option<&Sealed>, has_attachments: bool) -> Outcome<Option<String>> {
    first(
        c,
        "UPDATE messages SET is_unlisted = 0, head = COALESCE(?4, head), version = version + (?4 IS NOT NULL),
           has_attachments = CASE WHEN ?4 IS NULL THEN has_attachments ELSE ?5 END
         WHERE account_id = ?1 AND graph_id = ?2 AND version = ?3 AND is_unlisted = 1 RETURNING COALESCE(shown_id, 'msg_' || id)",
        (account_id, graph_id, version, head.map(Sealed::as_bytes), has_attachments),
        |row| Ok(row.get(0)?),
    )
}

/// Rows of an older version.
pub fn unknown(c: &Connection, account_id: &str, limit: u32) -> Outcome<Vec<MessageRow>> {
    let sql = format!(
        "SELECT {} FROM messages AS m INDEXED BY messages_files_unknown WHERE m.is_removed = 0 AND m.has_attachments IS NULL AND m.account_id = ?1 LIMIT ?2",
        mail::COLUMNS
    );
    all(c, &sql, (account_id, limit), mail::message_row)
}

/// What changed meanwhile says it by itself.
pub fn note(c: &Connection, known: &[FilesKnown]) -> Outcome<()> {
    for row in known {
        run(c, "UPDATE messages SET has_attachments = ?3 WHERE id = ?1 AND version = ?2 AND has_attachments IS NULL", (row.row_id, row.version, row.has_attachments))?;
    }
    Ok(())
}
