//! What was changed of messages here, until the mailbox has it.

use super::fault::Outcome;
use super::folders::{Tally, current_pass};
use super::{SqliteStore, all, announce, exists, first, json, keys, run, sealed, word};
use crate::error::{Error, ErrorKind, Result};
use crate::model::AccountState;
use crate::seal::Sealed;
use crate::store::words::Word;
use crate::store::{EditBatch, EditEnd, EditRow, EditStore, EditedProperty, EndedEdit, MessageEdit};
use async_trait::async_trait;
use rusqlite::{Connection, Row};
use std::collections::{HashMap, HashSet};

const COLUMNS: &str = "account_id, graph_id, property, number, version, edited_at, is_open, is_begun, tries, modified, sealed";

fn edit_row(row: &Row<'_>) -> Outcome<EditRow> {
    Ok(EditRow {
        account_id: row.get(0)?,
        graph_id: row.get(1)?,
        property: word(row, 2)?,
        number: row.get(3)?,
        version: row.get(4)?,
        edited_at: row.get(5)?,
        is_open: row.get(6)?,
        is_begun: row.get(7)?,
        tries: row.get(8)?,
        modified: row.get(9)?,
        sealed: sealed(row, 10)?,
    })
}

/// Of these messages.
pub fn of_messages(c: &Connection, account_id: &str, graph_ids: &[String]) -> Outcome<Vec<EditRow>> {
    if !exists(c, "SELECT 1 FROM edits WHERE account_id = ?1", [account_id])? {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT {COLUMNS} FROM edits WHERE account_id = ?1 AND graph_id IN (SELECT value FROM json_each(?2)) ORDER BY id");
    all(c, &sql, (account_id, json(graph_ids)?), edit_row)
}

/// Of a message that is no more.
pub fn forget(c: &Connection, row_id: i64) -> Outcome<()> {
    run(c, "DELETE FROM edits WHERE (account_id, graph_id) = (SELECT account_id, graph_id FROM messages WHERE id = ?1)", [row_id])?;
    Ok(())
}

/// Of an account that was disconnected.
pub fn forget_account(c: &Connection, account_id: &str) -> Outcome<()> {
    run(c, "DELETE FROM edits WHERE account_id = ?1", [account_id])?;
    Ok(())
}

/// The message is on its way to another folder, so where the mailbox has it is not where it is shown.
pub fn is_moving(c: &Connection, account_id: &str, graph_id: &str) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM edits WHERE account_id = ?1 AND graph_id = ?2 AND property = ?3 AND is_open = 1", (account_id, graph_id, EditedProperty::Place.word()))
}

pub fn end(c: &Connection, ended: &EndedEdit, now: i64) -> Outcome<()> {
    let EndedEdit { account_id, graph_id, property, number, end } = ended;
    let at = (account_id, graph_id, property.word(), number);
    match end {
        EditEnd::Arrived { modified } => run(
            c,
            "UPDATE edits SET is_open = 0, settled_at = ?5, modified = ?6 WHERE account_id = ?1 AND graph_id = ?2 AND property = ?3 AND number = ?4",
            (at.0, at.1, at.2, at.3, now, modified),
        )?,
        EditEnd::Dropped => run(c, "DELETE FROM edits WHERE account_id = ?1 AND graph_id = ?2 AND property = ?3 AND number = ?4", at)?,
        EditEnd::Later { next_at, is_counted } => run(
            c,
            "UPDATE edits SET next_at = ?5, tries = tries + ?6 WHERE account_id = ?1 AND graph_id = ?2 AND property = ?3 AND number = ?4 AND is_open = 1",
            (at.0, at.1, at.2, at.3, next_at, is_counted),
        )?,
        EditEnd::Rebased { sealed, version } => run(
            c,
            "UPDATE edits SET sealed = ?5, version = ?6 WHERE account_id = ?1 AND graph_id = ?2 AND property = ?3 AND number = ?4 AND version = ?6 - 1",
            (at.0, at.1, at.2, at.3, sealed.as_bytes(), version),
        )?,
        EditEnd::Gone => {
            run(c, "DELETE FROM edits WHERE account_id = ?1 AND graph_id = ?2", (account_id, graph_id))?;
            run(
                c,
                "INSERT INTO suspects (account_id, graph_id, folder_id, noted_at)
                 SELECT account_id, graph_id, folder_id, ?3 FROM messages WHERE account_id = ?1 AND graph_id = ?2 AND is_removed = 0
                 ON CONFLICT (account_id, graph_id) DO UPDATE SET folder_id = excluded.folder_id",
                (account_id, graph_id, now),
            )?
        }
    };
    Ok(())
}

pub fn sealed_of(ended: &[EndedEdit]) -> impl Iterator<Item = &Sealed> {
    ended.iter().filter_map(|ended| match &ended.end {
        EditEnd::Rebased { sealed, .. } => Some(sealed),
        _ => None,
    })
}

/// It is as it was seen: its folder, and what hosts call it.
fn seen(c: &Connection, edit: &MessageEdit) -> Outcome<Option<(String, String)>> {
    first(
        c,
        "SELECT folder_id, COALESCE(shown_id, 'msg_' || id) FROM messages WHERE id = ?1 AND account_id = ?2 AND version = ?3 AND is_removed = 0",
        (edit.row_id, &edit.account_id, edit.version),
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

fn change(c: &Connection, edit: &MessageEdit, (old, id): &(String, String), tallies: &mut HashMap<String, Tally>, now: i64) -> Outcome<()> {
    run(
        c,
        "UPDATE messages SET head = ?2, version = ?3, is_read = ?4 WHERE id = ?1",
        (edit.row_id, edit.head.as_bytes(), edit.version.saturating_add(1), edit.is_read),
    )?;
    if *old != edit.folder_id {
        let pass = current_pass(c, &edit.account_id, &edit.folder_id)?;
        run(c, "UPDATE messages SET folder_id = ?2, pass = ?3 WHERE id = ?1", (edit.row_id, &edit.folder_id, pass))?;
        let tally = tallies.entry(edit.account_id.clone()).or_default();
        tally.left(old);
        tally.came(&edit.folder_id);
    }
    edit.change.map_or(Ok(()), |kind| announce(c, kind, &edit.account_id, Some(id), now))
}

fn put(c: &Connection, edit: &EditRow) -> Outcome<()> {
    run(
        c,
        "INSERT INTO edits (account_id, graph_id, property, number, version, edited_at, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (account_id, graph_id, property) DO UPDATE SET number = excluded.number, version = excluded.version, edited_at = excluded.edited_at,
           sealed = excluded.sealed, is_begun = CASE WHEN is_open = 1 THEN is_begun ELSE 0 END, is_open = 1, tries = 0, next_at = 0, modified = NULL, settled_at = NULL",
        rusqlite::params![edit.account_id, edit.graph_id, edit.property.word(), edit.number, edit.version, edit.edited_at, edit.sealed.as_bytes()],
    )?;
    Ok(())
}

/// A new edit comes after the one that was seen.
fn is_newest(c: &Connection, edit: &EditRow, seen: Option<i64>) -> Outcome<bool> {
    let sql = "SELECT number FROM edits WHERE account_id = ?1 AND graph_id = ?2 AND property = ?3";
    Ok(first(c, sql, (&edit.account_id, &edit.graph_id, edit.property.word()), |row| Ok(row.get::<_, i64>(0)?))? == seen)
}

/// False: something is another one by now, and nothing was written.
fn write(c: &Connection, batch: &EditBatch) -> Outcome<bool> {
    keys::check_active(c, batch.messages.iter().map(|m| &m.head).chain(batch.edits.iter().map(|(edit, _)| &edit.sealed)).chain(sealed_of(&batch.ended)))?;
    for account_id in batch.edits.iter().map(|(edit, _)| &edit.account_id).collect::<HashSet<_>>() {
        if !exists(c, "SELECT 1 FROM accounts WHERE id = ?1 AND state = ?2", (account_id, AccountState::Connected.word()))? {
            return Err(Error::new(ErrorKind::NotConnected, "The account is not connected any more. Connect it again.").on_account(account_id.clone()).into());
        }
    }
    let mut places = Vec::with_capacity(batch.messages.len());
    for edit in &batch.messages {
        match seen(c, edit)? {
            Some(place) => places.push(place),
            None => return Ok(false),
        }
    }
    for (edit, seen) in &batch.edits {
        if !is_newest(c, edit, *seen)? {
            return Ok(false);
        }
    }
    let mut tallies = HashMap::new();
    batch.messages.iter().zip(&places).try_for_each(|(edit, place)| change(c, edit, place, &mut tallies, batch.now))?;
    tallies.into_iter().try_for_each(|(account_id, tally): (String, Tally)| tally.write(c, &account_id))?;
    batch.edits.iter().try_for_each(|(edit, _)| put(c, edit))?;
    for (account_id, graph_id, known, key) in &batch.change_keys {
        run(c, "UPDATE messages SET change_key = ?4 WHERE account_id = ?1 AND graph_id = ?2 AND change_key = ?3", (account_id, graph_id, known, key))?;
    }
    batch.ended.iter().try_for_each(|ended| end(c, ended, batch.now))?;
    Ok(true)
}

#[async_trait]
impl EditStore for SqliteStore {
    async fn write_edits(&self, batch: EditBatch) -> Result<bool> {
        self.write(move |tx| write(tx, &batch)).await
    }

    async fn edits_of(&self, account_id: &str, graph_ids: &[&str]) -> Result<Vec<EditRow>> {
        let (id, graph_ids) = (account_id.to_owned(), graph_ids.iter().map(|id| (*id).to_owned()).collect::<Vec<String>>());
        self.read(move |c| of_messages(c, &id, &graph_ids)).await
    }

    async fn accounts_with_edits(&self, now: i64) -> Result<Vec<String>> {
        let sql = "SELECT DISTINCT e.account_id FROM edits e JOIN accounts a ON a.id = e.account_id WHERE e.is_open = 1 AND e.next_at <= ?1 AND a.state = ?2";
        self.read(move |c| all(c, sql, (now, AccountState::Connected.word()), |row| Ok(row.get(0)?))).await
    }

    async fn due_edits(&self, account_id: &str, now: i64, limit: u32) -> Result<Vec<EditRow>> {
        let id = account_id.to_owned();
        let sql = format!("SELECT {COLUMNS} FROM edits WHERE account_id = ?1 AND is_open = 1 AND next_at <= ?2 ORDER BY id LIMIT ?3");
        self.read(move |c| all(c, &sql, (id, now, limit), edit_row)).await
    }

    async fn next_edit_at(&self) -> Result<Option<i64>> {
        let sql = "SELECT MIN(e.next_at) FROM edits e JOIN accounts a ON a.id = e.account_id WHERE e.is_open = 1 AND a.state = ?1";
        self.read(move |c| Ok(first(c, sql, [AccountState::Connected.word()], |row| Ok(row.get(0)?))?.flatten())).await
    }

    async fn begin_moves(&self, account_id: &str, moves: &[(String, i64)]) -> Result<()> {
        let (id, moves) = (account_id.to_owned(), moves.to_vec());
        self.write(move |tx| {
            for (graph_id, number) in &moves {
                let sql = "UPDATE edits SET is_begun = 1 WHERE account_id = ?1 AND graph_id = ?2 AND property = ?3 AND number = ?4";
                run(tx, sql, (&id, graph_id, EditedProperty::Place.word(), number))?;
            }
            Ok(())
        })
        .await
    }

    async fn waiting_edits(&self, row_ids: &[i64]) -> Result<HashSet<i64>> {
        let row_ids = row_ids.to_vec();
        self.read(move |c| {
            if !exists(c, "SELECT 1 FROM edits WHERE is_open = 1", [])? {
                return Ok(HashSet::new());
            }
            let sql = "SELECT m.id FROM json_each(?1) AS place CROSS JOIN messages AS m ON m.id = place.value
                       WHERE EXISTS (SELECT 1 FROM edits e WHERE e.account_id = m.account_id AND e.graph_id = m.graph_id AND e.is_open = 1)";
            Ok(all(c, sql, [json(&row_ids)?], |row| Ok(row.get(0)?))?.into_iter().collect())
        })
        .await
    }

    async fn forget_edits(&self, before: i64) -> Result<()> {
        if !self.read(move |c| exists(c, "SELECT 1 FROM edits WHERE is_open = 0 AND settled_at < ?1", [before])).await? {
            return Ok(());
        }
        self.write(move |tx| run(tx, "DELETE FROM edits WHERE is_open = 0 AND settled_at < ?1", [before]).map(drop)).await
    }
}
