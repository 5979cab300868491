//! Messages of the Teams chats of accounts.

use super::fault::Outcome;
use super::{SqliteStore, all, announce, first, json, keys, may_write, run, sealed};
use crate::error::Result;
use crate::model::ChangeKind;
use crate::store::{ChatPlaceRow, KnownTeamsMessage, Lease, NewTeamsMessage, TeamsMessageBatch, TeamsMessageRow, TeamsMessageStore, TeamsMessageWindow};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

fn put(tx: &Connection, batch: &TeamsMessageBatch, message: &NewTeamsMessage) -> Outcome<()> {
    let public_id = first(
        tx,
        "INSERT INTO chat_messages (public_id, account_id, chat_id, graph_id, sent_at, digest, version, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (account_id, chat_id, graph_id) DO UPDATE SET sent_at = excluded.sent_at, digest = excluded.digest, version = excluded.version, sealed = excluded.sealed
         RETURNING public_id",
        (&message.public_id, &batch.account_id, &batch.place.chat_id, &message.graph_id, message.sent_at, &message.digest[..], message.version, message.sealed.as_bytes()),
        |row| Ok(row.get::<_, String>(0)?),
    )?;
    announce(tx, ChangeKind::ChatMessageChanged, &batch.account_id, public_id.as_deref(), batch.now)
}

fn remove(tx: &Connection, batch: &TeamsMessageBatch, graph_id: &str) -> Outcome<u32> {
    let gone = first(
        tx,
        "DELETE FROM chat_messages WHERE account_id = ?1 AND chat_id = ?2 AND graph_id = ?3 RETURNING public_id",
        (&batch.account_id, &batch.place.chat_id, graph_id),
        |row| Ok(row.get::<_, String>(0)?),
    )?;
    let Some(public_id) = gone else { return Ok(0) };
    announce(tx, ChangeKind::ChatMessageRemoved, &batch.account_id, Some(&public_id), batch.now)?;
    Ok(1)
}

fn row(row: &Row<'_>) -> Outcome<TeamsMessageRow> {
    Ok(TeamsMessageRow {
        row_id: row.get(0)?,
        public_id: row.get(1)?,
        account_id: row.get(2)?,
        chat_id: row.get(3)?,
        graph_id: row.get(4)?,
        sent_at: row.get(5)?,
        version: row.get(6)?,
        sealed: sealed(row, 7)?,
    })
}

#[async_trait]
impl TeamsMessageStore for SqliteStore {
    async fn chats_looked_at(&self, account_id: &str) -> Result<Option<i64>> {
        let account_id = account_id.to_owned();
        self.read(move |c| first(c, "SELECT looked_at FROM chat_looks WHERE account_id = ?1", [account_id], |row| Ok(row.get(0)?))).await
    }

    async fn chats_were_looked_at(&self, account_id: &str, generation: i64, lease: &Lease, now: i64) -> Result<bool> {
        let (account_id, lease) = (account_id.to_owned(), lease.clone());
        self.write(move |tx| {
            if !may_write(tx, &account_id, generation, &lease)? {
                return Ok(false);
            }
            run(tx, "INSERT INTO chat_looks (account_id, looked_at) VALUES (?1, ?2) ON CONFLICT (account_id) DO UPDATE SET looked_at = excluded.looked_at", (&account_id, now))?;
            Ok(true)
        })
        .await
    }

    async fn chat_places(&self, account_id: &str) -> Result<Vec<ChatPlaceRow>> {
        let account_id = account_id.to_owned();
        self.read(move |c| {
            all(c, "SELECT chat_id, mark, known_to FROM chat_places WHERE account_id = ?1", [account_id], |row| {
                Ok(ChatPlaceRow { chat_id: row.get(0)?, mark: row.get(1)?, known_to: row.get(2)? })
            })
        })
        .await
    }

    async fn known_teams_messages(&self, account_id: &str, chat_id: &str, graph_ids: &[String]) -> Result<Vec<KnownTeamsMessage>> {
        let (account_id, chat_id, graph_ids) = (account_id.to_owned(), chat_id.to_owned(), graph_ids.to_vec());
        self.read(move |c| {
            all(
                c,
                "SELECT m.graph_id, m.digest, m.version FROM json_each(?3) AS wanted CROSS JOIN chat_messages AS m ON m.account_id = ?1 AND m.chat_id = ?2 AND m.graph_id = wanted.value",
                (&account_id, &chat_id, json(&graph_ids)?),
                |row| Ok(KnownTeamsMessage { graph_id: row.get(0)?, digest: row.get(1)?, version: row.get(2)? }),
            )
        })
        .await
    }

    async fn store_teams_messages(&self, batch: TeamsMessageBatch) -> Result<Option<u32>> {
        self.write(move |tx| {
            let TeamsMessageBatch { account_id, place, put: new, gone, .. } = &batch;
            if !may_write(tx, account_id, batch.generation, &batch.lease)? {
                return Ok(None);
            }
            keys::check_active(tx, new.iter().map(|message| &message.sealed))?;
            let mut changed = u32::try_from(new.len()).unwrap_or(u32::MAX);
            for message in new {
                put(tx, &batch, message)?;
            }
            for graph_id in gone {
                changed = changed.saturating_add(remove(tx, &batch, graph_id)?);
            }
            run(
                tx,
                "INSERT INTO chat_places (account_id, chat_id, mark, known_to) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (account_id, chat_id) DO UPDATE SET mark = excluded.mark, known_to = excluded.known_to",
                (account_id, &place.chat_id, &place.mark[..], place.known_to),
            )?;
            Ok(Some(changed))
        })
        .await
    }

    async fn teams_messages(&self, window: &TeamsMessageWindow) -> Result<Vec<TeamsMessageRow>> {
        let window = window.clone();
        self.read(move |c| {
            let TeamsMessageWindow { account_ids, chat_id, before, limit } = &window;
            let (before_time, before_row) = before.unwrap_or((i64::MAX, i64::MAX));
            all(
                c,
                "SELECT id, public_id, account_id, chat_id, graph_id, sent_at, version, sealed FROM chat_messages
                 WHERE account_id IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR chat_id = ?2) AND (sent_at, id) < (?3, ?4)
                 ORDER BY sent_at DESC, id DESC LIMIT ?5",
                (json(account_ids)?, chat_id, before_time, before_row, limit.saturating_add(1)),
                row,
            )
        })
        .await
    }
}
