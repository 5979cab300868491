//! The host's own keys.

use super::fault::Outcome;
use super::{SqliteStore, all, announce, exists, first, json, keys, run, sealed};
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

/// Messages that carry a key because of one of them: it (if ?4), and those that came into its conversation since, apart from those that came after ?3.
const CARRIERS: &str = "
    SELECT m.id, COALESCE(m.shown_id, 'msg_' || m.id) FROM messages AS one CROSS JOIN messages AS m ON m.account_id = one.account_id AND m.graph_id = one.graph_id AND m.is_removed = 0
    WHERE one.account_id = ?1 AND one.graph_id = ?2 AND (?4 OR ?3 IS NULL OR m.sort_at < ?3)
    UNION
    SELECT m.id, COALESCE(m.shown_id, 'msg_' || m.id) FROM messages AS one CROSS JOIN messages AS m ON m.account_id = one.account_id AND m.conversation_id = one.conversation_id
      AND m.sort_at >= one.sort_at AND m.is_removed = 0 AND (?3 IS NULL OR m.sort_at < ?3)
    WHERE one.account_id = ?1 AND one.graph_id = ?2 AND one.conversation_id <> ''
    ORDER BY 1";

/// What hosts call those of whom it is news that they carry a key because of this one. Where its conversation has the key already, since some moment on, those
/// from then on have it. `is_told`: it is news of the message itself in any case.
fn news_of(c: &Connection, message: &LinkedMessage, is_told: bool) -> Outcome<Vec<String>> {
    let LinkedMessage { account_id, graph_id, hash, .. } = message;
    let since = first(
        c,
        "SELECT l.since FROM messages AS m CROSS JOIN links AS l ON l.account_id = m.account_id AND l.kind = 'conversation' AND l.target = m.conversation_id AND l.hash = ?3
         WHERE m.account_id = ?1 AND m.graph_id = ?2",
        (account_id, graph_id, &hash[..]),
        |row| Ok(row.get::<_, i64>(0)?),
    )?;
    all(c, CARRIERS, (account_id, graph_id, since, is_told), |row| Ok(row.get(1)?))
}

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
    let news = news_of(c, message, false)?;
    give(c, message, sealed)?;
    told_at.map_or(Ok(()), |at| news.iter().try_for_each(|id| announce(c, ChangeKind::MessageChanged, account_id, Some(id), at)))
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
                let news = match &message.sealed {
                    Some(sealed) => {
                        let news = news_of(tx, message, true)?;
                        give(tx, message, sealed)?;
                        news
                    }
                    None => {
                        take(tx, message)?;
                        // Where its conversation keeps the key, it is news of this one alone.
                        news_of(tx, message, true)?
                    }
                };
                news.iter().try_for_each(|id| announce(tx, ChangeKind::MessageChanged, &message.account_id, Some(id), now))?;
            }
            Ok(())
        })
        .await
    }
}
