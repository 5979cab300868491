//! Answers that no person wrote, and the sends that they answer.

use super::fault::{Outcome, corrupt};
use super::{SqliteStore, all, announce, endpoints, exists, first, json, keys, may_write, run, sealed};
use crate::error::Result;
use crate::hex::hex;
use crate::model::{ChangeKind, MessageKind};
use crate::seal::Sealed;
use crate::store::words::Word;
use crate::store::{AnswerRow, AnswerStore, Candidate, Lease, Looked, LookedAt, NewAnswer, PageBatch, Retirement, SentMail, pause_ms};
use async_trait::async_trait;
use rusqlite::Connection;

/// Times a candidate is asked about: over three days.
const MOST_TRIES: u32 = 8;

/// Of the send with this id.
pub fn put_sent(c: &Connection, send_id: &str, sent: Option<&SentMail>) -> Outcome<()> {
    let Some(sent) = sent else { return Ok(()) };
    run(
        c,
        "INSERT INTO sent_mails (item_id, account_id, graph_id, conversation_id, hash) SELECT id, account_id, ?2, ?3, ?4 FROM outbox WHERE public_id = ?1
         ON CONFLICT (item_id) DO UPDATE SET graph_id = excluded.graph_id, conversation_id = COALESCE(excluded.conversation_id, conversation_id), hash = excluded.hash",
        (send_id, &sent.graph_id, sent.conversation_id.as_ref().filter(|id| !id.is_empty()), &sent.hash[..]),
    )?;
    Ok(())
}

/// New messages of a page that are to be looked at. What lies in Sent Items or Drafts was not received.
pub fn note_candidates(c: &Connection, batch: &PageBatch) -> Outcome<()> {
    let added: Vec<&str> = batch.upserts.iter().filter(|m| m.change == Some(ChangeKind::MessageAdded) && !m.is_draft).map(|m| m.graph_id.as_str()).collect();
    let has_sent = !added.is_empty() && exists(c, "SELECT 1 FROM sent_mails WHERE account_id = ?1", [&batch.account_id])?;
    if batch.candidates.is_empty() && !has_sent {
        return Ok(());
    }
    let is_own = "SELECT 1 FROM folders WHERE account_id = ?1 AND graph_id = ?2 AND well_known_name IN ('sentitems', 'drafts', 'outbox')";
    if exists(c, is_own, (&batch.account_id, &batch.folder_id))? {
        return Ok(());
    }
    run(
        c,
        "INSERT INTO answer_candidates (account_id, graph_id, next_at)
         SELECT ?1, m.graph_id, ?4 FROM (SELECT DISTINCT value FROM json_each(?2)) AS added CROSS JOIN messages AS m ON m.account_id = ?1 AND m.graph_id = added.value AND m.is_removed = 0
         WHERE m.graph_id IN (SELECT value FROM json_each(?3))
           OR EXISTS (SELECT 1 FROM sent_mails AS s WHERE s.account_id = ?1 AND s.conversation_id = m.conversation_id AND s.graph_id <> m.graph_id)
         ON CONFLICT DO NOTHING",
        (&batch.account_id, json(&added)?, json(&batch.candidates)?, batch.now),
    )?;
    Ok(())
}

/// A message that is gone is not looked at any more.
pub fn forget_message(c: &Connection, row_id: i64) -> Outcome<()> {
    run(c, "DELETE FROM answer_candidates WHERE (account_id, graph_id) IN (SELECT account_id, graph_id FROM messages WHERE id = ?1)", [row_id])?;
    Ok(())
}

/// What is known of a send that is erased.
pub fn forget_send(c: &Connection, number: i64) -> Outcome<()> {
    run(c, "DELETE FROM send_answers WHERE item_id = ?1", [number])?;
    run(c, "DELETE FROM sent_mails WHERE item_id = ?1", [number])?;
    Ok(())
}

/// What a message is of which this is stored.
pub fn kind(word: Option<String>) -> Outcome<MessageKind> {
    Ok(word.map_or(Ok(MessageKind::Ordinary), |word| MessageKind::parse(&word))?)
}

fn settle(c: &Connection, account_id: &str, LookedAt { graph_id, looked }: &LookedAt, now: i64) -> Outcome<()> {
    match looked {
        Looked::Later => put_off(c, account_id, graph_id, now),
        Looked::Known { kind, answer } => {
            run(c, "DELETE FROM answer_candidates WHERE account_id = ?1 AND graph_id = ?2", (account_id, graph_id))?;
            tell_kind(c, account_id, graph_id, *kind, now)?;
            answer.as_ref().map_or(Ok(()), |answer| put_answer(c, account_id, graph_id, answer, now))
        }
    }
}

fn put_off(c: &Connection, account_id: &str, graph_id: &str, now: i64) -> Outcome<()> {
    let tries = first(c, "SELECT tries + 1 FROM answer_candidates WHERE account_id = ?1 AND graph_id = ?2", (account_id, graph_id), |row| Ok(row.get::<_, u32>(0)?))?;
    match tries {
        Some(tries) if tries < MOST_TRIES => {
            let next_at = now.saturating_add(pause_ms(tries));
            run(c, "UPDATE answer_candidates SET tries = ?3, next_at = ?4 WHERE account_id = ?1 AND graph_id = ?2", (account_id, graph_id, tries, next_at))?;
        }
        _ => {
            run(c, "DELETE FROM answer_candidates WHERE account_id = ?1 AND graph_id = ?2", (account_id, graph_id))?;
        }
    }
    Ok(())
}

fn tell_kind(c: &Connection, account_id: &str, graph_id: &str, kind: MessageKind, now: i64) -> Outcome<()> {
    let word = (kind != MessageKind::Ordinary).then(|| kind.word());
    let shown = first(
        c,
        "UPDATE messages SET kind = ?3 WHERE account_id = ?1 AND graph_id = ?2 AND is_removed = 0 AND kind IS NOT ?3 RETURNING COALESCE(shown_id, 'msg_' || id)",
        (account_id, graph_id, word),
        |row| Ok(row.get::<_, String>(0)?),
    )?;
    shown.map_or(Ok(()), |id| announce(c, ChangeKind::MessageChanged, account_id, Some(&id), now))
}

fn put_answer(c: &Connection, account_id: &str, graph_id: &str, answer: &NewAnswer, now: i64) -> Outcome<()> {
    let put = run(
        c,
        "INSERT INTO send_answers (account_id, item_id, graph_id, at, sealed) SELECT account_id, id, ?3, ?4, ?5 FROM outbox WHERE public_id = ?2 AND account_id = ?1
         ON CONFLICT (item_id, graph_id) DO NOTHING",
        (account_id, &answer.send_id, graph_id, answer.at, answer.sealed.as_bytes()),
    )?;
    if put == 0 {
        return Ok(());
    }
    if let Some(reason) = &answer.given_up {
        endpoints::retire_of(c, &answer.send_id, Retirement::Final, Some(reason), now)?;
    }
    announce(c, ChangeKind::SendAnswered, account_id, Some(&answer.send_id), now)
}

fn answer_of(looked: &LookedAt) -> Option<&Sealed> {
    match &looked.looked {
        Looked::Known { answer: Some(answer), .. } => Some(&answer.sealed),
        _ => None,
    }
}

#[async_trait]
impl AnswerStore for SqliteStore {
    async fn candidates(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<Candidate>> {
        let id = account_id.to_owned();
        self.read(move |c| {
            if !exists(c, "SELECT 1 FROM answer_candidates WHERE account_id = ?1", [&id])? {
                return Ok(Vec::new());
            }
            let sql = "SELECT m.graph_id, COALESCE(m.shown_id, 'msg_' || m.id), m.conversation_id, m.received_at
                       FROM answer_candidates AS a CROSS JOIN messages AS m ON m.account_id = a.account_id AND m.graph_id = a.graph_id AND m.is_removed = 0
                       WHERE a.account_id = ?1 AND a.next_at <= ?2 ORDER BY m.sort_at DESC, m.id DESC LIMIT ?3";
            all(c, sql, (&id, now, limit), |row| {
                Ok(Candidate {
                    graph_id: row.get(0)?,
                    id: row.get(1)?,
                    conversation_id: row.get(2)?,
                    received_at: row.get(3)?,
                })
            })
        })
        .await
    }

    async fn sends_with(&self, account_id: &str, hashes: Vec<[u8; 32]>) -> Result<Vec<([u8; 32], String)>> {
        let (id, hashes) = (account_id.to_owned(), hashes.into_iter().map(hex).collect::<Vec<String>>());
        self.read(move |c| {
            let sql = "SELECT s.hash, o.public_id FROM json_each(?2) AS wanted CROSS JOIN sent_mails AS s ON s.account_id = ?1 AND s.hash = unhex(wanted.value)
                       CROSS JOIN outbox AS o ON o.id = s.item_id ORDER BY o.id DESC";
            all(c, sql, (id, json(&hashes)?), |row| Ok((row.get::<_, Vec<u8>>(0)?.try_into().map_err(|_| corrupt("a hash"))?, row.get(1)?)))
        })
        .await
    }

    async fn sends_in(&self, account_id: &str, conversation_id: &str, limit: u32) -> Result<Vec<(String, String)>> {
        let (id, conversation_id) = (account_id.to_owned(), conversation_id.to_owned());
        self.read(move |c| {
            let sql = "SELECT o.public_id, s.graph_id FROM sent_mails AS s CROSS JOIN outbox AS o ON o.id = s.item_id WHERE s.account_id = ?1 AND s.conversation_id = ?2 ORDER BY o.id DESC LIMIT ?3";
            all(c, sql, (id, conversation_id, limit), |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .await
    }

    async fn settle_candidates(&self, account_id: &str, generation: i64, lease: &Lease, looked: Vec<LookedAt>, now: i64) -> Result<bool> {
        let (id, lease) = (account_id.to_owned(), lease.clone());
        self.write(move |tx| {
            if !may_write(tx, &id, generation, &lease)? {
                return Ok(false);
            }
            keys::check_active(tx, looked.iter().filter_map(answer_of))?;
            looked.iter().try_for_each(|one| settle(tx, &id, one, now))?;
            Ok(true)
        })
        .await
    }

    async fn answers(&self, send_ids: &[&str]) -> Result<Vec<AnswerRow>> {
        let ids = json(send_ids)?;
        self.read(move |c| {
            if !exists(c, "SELECT 1 FROM send_answers", [])? {
                return Ok(Vec::new());
            }
            let sql = "SELECT a.account_id, o.public_id, a.graph_id, a.sealed FROM json_each(?1) AS wanted CROSS JOIN outbox AS o ON o.public_id = wanted.value
                       CROSS JOIN send_answers AS a ON a.item_id = o.id ORDER BY a.at, a.id";
            all(c, sql, [ids], |row| Ok(AnswerRow { account_id: row.get(0)?, send_id: row.get(1)?, graph_id: row.get(2)?, sealed: sealed(row, 3)? }))
        })
        .await
    }
}
