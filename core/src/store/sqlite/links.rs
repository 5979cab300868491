//! The host's own keys.

use super::fault::Outcome;
use super::{SqliteStore, all, exists, json, keys, run, sealed};
use crate::error::Result;
use crate::hex::hex;
use crate::seal::Sealed;
use crate::store::{LinkStore, LinkedRow, NewLink};
use async_trait::async_trait;
use rusqlite::Connection;

/// What is noted already stays: the same again changes nothing.
pub fn put(c: &Connection, links: &[NewLink]) -> Outcome<()> {
    keys::check_active(c, links.iter().map(|link| &link.sealed))?;
    for link in links {
        run(
            c,
            "INSERT INTO links (account_id, kind, target, hash, since, awaits, sealed) VALUES (?1, 'message', ?2, ?3, ?4, 1, ?5) ON CONFLICT (account_id, kind, target, hash) DO NOTHING",
            (&link.account_id, &link.graph_id, &link.hash[..], link.since, Sealed::as_bytes(&link.sealed)),
        )?;
        match link.conversation_id.as_ref().filter(|id| link.is_sent && !id.is_empty()) {
            Some(conversation) => {
                run(
                    c,
                    "INSERT INTO links (account_id, kind, target, hash, since, sealed)
                     SELECT account_id, 'conversation', ?3, hash, since, sealed FROM links WHERE account_id = ?1 AND kind = 'message' AND target = ?2 AND hash = ?4
                     ON CONFLICT (account_id, kind, target, hash) DO UPDATE SET since = MIN(since, excluded.since)",
                    (&link.account_id, &link.graph_id, conversation, &link.hash[..]),
                )?;
                run(c, "UPDATE links SET awaits = 0 WHERE account_id = ?1 AND kind = 'message' AND target = ?2 AND hash = ?3", (&link.account_id, &link.graph_id, &link.hash[..]))?;
            }
            // Its copy may be here already.
            None if link.is_sent => spread(c, &link.account_id)?,
            None => {}
        }
    }
    Ok(())
}

/// Notes the conversations of messages that are here by now. A draft is not sent yet.
pub fn spread(c: &Connection, account_id: &str) -> Outcome<()> {
    // Hardly ever any: sends mostly know their conversation.
    if !exists(c, "SELECT 1 FROM links WHERE account_id = ?1 AND awaits = 1", [account_id])? {
        return Ok(());
    }
    let found = run(
        c,
        "INSERT INTO links (account_id, kind, target, hash, since, sealed)
         SELECT l.account_id, 'conversation', m.conversation_id, l.hash, l.since, l.sealed
         FROM links AS l CROSS JOIN messages AS m ON m.account_id = l.account_id AND m.graph_id = l.target
         WHERE l.account_id = ?1 AND l.awaits = 1 AND l.kind = 'message' AND m.is_removed = 0 AND m.is_draft = 0 AND m.conversation_id <> ''
         ON CONFLICT (account_id, kind, target, hash) DO UPDATE SET since = MIN(since, excluded.since)",
        [account_id],
    )?;
    if found > 0 {
        run(
            c,
            "UPDATE links SET awaits = 0 WHERE account_id = ?1 AND awaits = 1 AND EXISTS (SELECT 1 FROM messages AS m
               WHERE m.account_id = links.account_id AND m.graph_id = links.target AND m.is_removed = 0 AND m.is_draft = 0 AND m.conversation_id <> '')",
            [account_id],
        )?;
    }
    Ok(())
}

/// A condition on messages of the account ?1: they carry the key with the hash that is bound at this place.
pub fn among(place: usize) -> String {
    format!(
        " AND id IN (SELECT m.id FROM links AS l CROSS JOIN messages AS m ON m.account_id = l.account_id AND m.graph_id = l.target
             WHERE l.account_id = ?1 AND l.hash = ?{place} AND l.kind = 'message'
           UNION ALL SELECT m.id FROM links AS l CROSS JOIN messages AS m ON m.account_id = l.account_id AND m.conversation_id = l.target AND m.is_removed = 0 AND m.sort_at >= l.since
             WHERE l.account_id = ?1 AND l.hash = ?{place} AND l.kind = 'conversation')"
    )
}

const OF_MESSAGES: &str = "
    SELECT m.id, l.hash, l.sealed, l.id AS number FROM json_each(?1) AS place CROSS JOIN messages AS m ON m.id = place.value
      CROSS JOIN links AS l ON l.account_id = m.account_id AND l.kind = 'message' AND l.target = m.graph_id
    UNION ALL
    SELECT m.id, l.hash, l.sealed, l.id FROM json_each(?1) AS place CROSS JOIN messages AS m ON m.id = place.value
      CROSS JOIN links AS l ON l.account_id = m.account_id AND l.kind = 'conversation' AND l.target = m.conversation_id AND m.sort_at >= l.since
    ORDER BY number";

#[async_trait]
impl LinkStore for SqliteStore {
    async fn links(&self, row_ids: &[i64]) -> Result<Vec<LinkedRow>> {
        let row_ids = row_ids.to_vec();
        self.read(move |c| {
            if row_ids.is_empty() || !exists(c, "SELECT 1 FROM links", [])? {
                return Ok(Vec::new());
            }
            all(c, OF_MESSAGES, [json(&row_ids)?], |row| Ok(LinkedRow { row_id: row.get(0)?, row: hex(row.get::<_, Vec<u8>>(1)?), sealed: sealed(row, 2)? }))
        })
        .await
    }
}
