//! The host's own keys.

use super::fault::Outcome;
use super::{SqliteStore, all, announce, exists, json, keys, run, sealed};
use crate::error::Result;
use crate::hex::hex;
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::store::{LinkStore, LinkedMessage, LinkedRow, NewLink};
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

/// Messages that carry a key because of one of them: its own row and those that came into its conversation since, or all of that.
const CARRIERS: &str = "
    SELECT COALESCE(m.shown_id, 'msg_' || m.id) FROM messages AS one CROSS JOIN messages AS m ON m.account_id = one.account_id AND m.is_removed = 0
      AND (m.id = one.id OR (one.conversation_id <> '' AND m.conversation_id = one.conversation_id AND m.sort_at >= one.sort_at))
    WHERE one.account_id = ?1 AND one.graph_id = ?2 ORDER BY m.id";

fn give(c: &Connection, message: &LinkedMessage, sealed: &Sealed) -> Outcome<()> {
    let LinkedMessage { account_id, graph_id, hash, .. } = message;
    run(c, "DELETE FROM unlinks WHERE account_id = ?1 AND graph_id = ?2 AND hash = ?3", (account_id, graph_id, &hash[..]))?;
    run(
        c,
        "INSERT INTO links (account_id, kind, target, hash, since, sealed)
         SELECT account_id, 'message', graph_id, ?3, sort_at, ?4 FROM messages WHERE account_id = ?1 AND graph_id = ?2
         ON CONFLICT (account_id, kind, target, hash) DO NOTHING",
        (account_id, graph_id, &hash[..], sealed.as_bytes()),
    )?;
    run(
        c,
        "INSERT INTO links (account_id, kind, target, hash, since, sealed)
         SELECT account_id, 'conversation', conversation_id, ?3, sort_at, ?4 FROM messages WHERE account_id = ?1 AND graph_id = ?2 AND conversation_id <> ''
         ON CONFLICT (account_id, kind, target, hash) DO UPDATE SET since = MIN(since, excluded.since)",
        (account_id, graph_id, &hash[..], sealed.as_bytes()),
    )?;
    Ok(())
}

/// As a rule says: not to a message it was taken from. `told_at`: where it is news of messages that were here before.
pub fn give_by_rule(c: &Connection, message: &LinkedMessage, told_at: Option<i64>) -> Outcome<()> {
    let LinkedMessage { account_id, graph_id, hash, sealed } = message;
    let Some(sealed) = sealed else { return Ok(()) };
    let is_settled = "SELECT 1 FROM unlinks WHERE account_id = ?1 AND graph_id = ?2 AND hash = ?3
                      UNION ALL SELECT 1 FROM links WHERE account_id = ?1 AND kind = 'message' AND target = ?2 AND hash = ?3";
    if exists(c, is_settled, (account_id, graph_id, &hash[..]))? {
        return Ok(());
    }
    give(c, message, sealed)?;
    let Some(at) = told_at else { return Ok(()) };
    for id in all(c, CARRIERS, (account_id, graph_id), |row| Ok(row.get::<_, String>(0)?))? {
        announce(c, ChangeKind::MessageChanged, account_id, Some(&id), at)?;
    }
    Ok(())
}

fn take(c: &Connection, message: &LinkedMessage) -> Outcome<()> {
    let LinkedMessage { account_id, graph_id, hash, .. } = message;
    run(c, "INSERT INTO unlinks (account_id, graph_id, hash) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", (account_id, graph_id, &hash[..]))?;
    run(c, "DELETE FROM links WHERE account_id = ?1 AND kind = 'message' AND target = ?2 AND hash = ?3", (account_id, graph_id, &hash[..]))?;
    run(
        c,
        "DELETE FROM links WHERE account_id = ?1 AND kind = 'conversation' AND hash = ?3
           AND target = (SELECT conversation_id FROM messages WHERE account_id = ?1 AND graph_id = ?2 AND conversation_id <> '')
           AND NOT EXISTS (SELECT 1 FROM messages AS m CROSS JOIN links AS l ON l.account_id = m.account_id AND l.kind = 'message' AND l.target = m.graph_id AND l.hash = ?3
             WHERE m.account_id = ?1 AND m.conversation_id = links.target)",
        (account_id, graph_id, &hash[..]),
    )?;
    Ok(())
}

/// A condition on messages of the account ?1: they carry the key with the hash that is bound at this place.
pub fn among(place: usize) -> String {
    format!(
        " AND id IN (SELECT m.id FROM links AS l CROSS JOIN messages AS m ON m.account_id = l.account_id AND m.graph_id = l.target
             WHERE l.account_id = ?1 AND l.hash = ?{place} AND l.kind = 'message'
           UNION ALL SELECT m.id FROM links AS l CROSS JOIN messages AS m ON m.account_id = l.account_id AND m.conversation_id = l.target AND m.is_removed = 0 AND m.sort_at >= l.since
             WHERE l.account_id = ?1 AND l.hash = ?{place} AND l.kind = 'conversation' AND NOT EXISTS (SELECT 1 FROM unlinks AS u WHERE u.account_id = m.account_id AND u.graph_id = m.graph_id AND u.hash = l.hash))"
    )
}

const OF_MESSAGES: &str = "
    SELECT m.id, l.hash, l.sealed, l.id AS number FROM json_each(?1) AS place CROSS JOIN messages AS m ON m.id = place.value
      CROSS JOIN links AS l ON l.account_id = m.account_id AND l.kind = 'message' AND l.target = m.graph_id
    UNION ALL
    SELECT m.id, l.hash, l.sealed, l.id FROM json_each(?1) AS place CROSS JOIN messages AS m ON m.id = place.value
      CROSS JOIN links AS l ON l.account_id = m.account_id AND l.kind = 'conversation' AND l.target = m.conversation_id AND m.sort_at >= l.since
      WHERE NOT EXISTS (SELECT 1 FROM unlinks AS u WHERE u.account_id = m.account_id AND u.graph_id = m.graph_id AND u.hash = l.hash)
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

    async fn link_messages(&self, messages: Vec<LinkedMessage>, now: i64) -> Result<()> {
        self.write(move |tx| {
            keys::check_active(tx, messages.iter().filter_map(|message| message.sealed.as_ref()))?;
            for message in &messages {
                // Told of before a link goes, or after it came: those who carry it then.
                let carriers: Vec<String> = all(tx, CARRIERS, (&message.account_id, &message.graph_id), |row| Ok(row.get(0)?))?;
                match &message.sealed {
                    Some(sealed) => give(tx, message, sealed)?,
                    None => take(tx, message)?,
                }
                for id in carriers {
                    announce(tx, ChangeKind::MessageChanged, &message.account_id, Some(&id), now)?;
                }
            }
            Ok(())
        })
        .await
    }
}
