//! What a bot knows.

use super::fault::Outcome;
use super::{SqliteStore, all, announce, endpoints, exists, first, json, keys, run, sealed, sealed_opt, word};
use crate::error::Result;
use crate::model::{BotActivityKind, BotPlaceState};
use crate::store::words::Word;
use crate::seal::Sealed;
use crate::store::{AccountRow, ActivityBatch, ActivityRow, BotPersonBy, BotPersonRow, BotStore, BotTokenRow, BotWindow, ConversationRow, NewActivity};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

/// Of one person.
const MOST_LINKS: u32 = 10;

macro_rules! select_person {
    ($rest:literal) => {
        concat!("SELECT account_id, teams_user_id, object_id, address_hash, user_name_hash, version, sealed FROM bot_people WHERE account_id = ?1 AND ", $rest)
    };
}

macro_rules! select_conversation {
    ($rest:literal) => {
        concat!("SELECT account_id, conversation_id, kind, teams_user_id, service_url, state, updated_at, active_at, version, sealed, id FROM bot_conversations WHERE ", $rest)
    };
}

macro_rules! select_activity {
    ($rest:literal) => {
        concat!("SELECT id, public_id, account_id, conversation_id, activity_id, kind, at, sealed FROM bot_activities WHERE ", $rest)
    };
}

fn person(row: &Row<'_>) -> Outcome<BotPersonRow> {
    Ok(BotPersonRow {
        account_id: row.get(0)?,
        teams_user_id: row.get(1)?,
        object_id: row.get(2)?,
        address_hash: row.get(3)?,
        user_name_hash: row.get(4)?,
        version: row.get(5)?,
        sealed: sealed(row, 6)?,
    })
}

fn conversation(row: &Row<'_>) -> Outcome<ConversationRow> {
    Ok(ConversationRow {
        account_id: row.get(0)?,
        conversation_id: row.get(1)?,
        kind: word(row, 2)?,
        teams_user_id: row.get(3)?,
        service_url: row.get(4)?,
        state: word(row, 5)?,
        updated_at: row.get(6)?,
        active_at: row.get(7)?,
        version: row.get(8)?,
        sealed: sealed_opt(row, 9)?,
    })
}

fn activity(row: &Row<'_>) -> Outcome<ActivityRow> {
    Ok(ActivityRow {
        row_id: row.get(0)?,
        public_id: row.get(1)?,
        account_id: row.get(2)?,
        conversation_id: row.get(3)?,
        activity_id: row.get(4)?,
        kind: word(row, 5)?,
        at: row.get(6)?,
        sealed: sealed(row, 7)?,
    })
}

fn put_person(tx: &Connection, row: &BotPersonRow, now: i64) -> Outcome<()> {
    keys::check_active(tx, [&row.sealed])?;
    run(
        tx,
        "INSERT INTO bot_people (account_id, teams_user_id, object_id, address_hash, user_name_hash, seen_at, version, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (account_id, teams_user_id) DO UPDATE SET object_id = COALESCE(excluded.object_id, object_id), address_hash = COALESCE(excluded.address_hash, address_hash),
             user_name_hash = COALESCE(excluded.user_name_hash, user_name_hash), seen_at = excluded.seen_at, version = excluded.version, sealed = excluded.sealed WHERE excluded.version > version",
        (&row.account_id, &row.teams_user_id, &row.object_id, row.address_hash, row.user_name_hash, now, row.version, row.sealed.as_bytes()),
    )?;
    Ok(())
}

/// What is not said stays as it is.
fn put_conversation(tx: &Connection, row: &ConversationRow) -> Outcome<()> {
    keys::check_active(tx, row.sealed.as_ref())?;
    run(
        tx,
        "INSERT INTO bot_conversations (account_id, conversation_id, kind, teams_user_id, service_url, state, updated_at, active_at, version, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (account_id, conversation_id) DO UPDATE SET kind = excluded.kind, teams_user_id = COALESCE(excluded.teams_user_id, teams_user_id),
             service_url = COALESCE(excluded.service_url, service_url), state = excluded.state, updated_at = excluded.updated_at, active_at = MAX(active_at, excluded.active_at),
             version = CASE WHEN excluded.sealed IS NULL OR excluded.version <= version THEN version ELSE excluded.version END,
             sealed = CASE WHEN excluded.sealed IS NULL OR excluded.version <= version THEN sealed ELSE excluded.sealed END",
        (
            &row.account_id,
            &row.conversation_id,
            row.kind.word(),
            &row.teams_user_id,
            &row.service_url,
            row.state.word(),
            row.updated_at,
            row.active_at,
            row.version,
            row.sealed.as_ref().map(Sealed::as_bytes),
        ),
    )?;
    Ok(())
}

/// False: it is here already.
pub(super) fn put_activity(tx: &Connection, new: &NewActivity) -> Outcome<bool> {
    let stored = run(
        tx,
        "INSERT INTO bot_activities (public_id, account_id, conversation_id, activity_id, kind, mark, at, received_at, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (account_id, mark) DO NOTHING",
        (&new.public_id, &new.account_id, &new.conversation_id, &new.activity_id, new.kind.word(), &new.mark, new.at, new.received_at, new.sealed.as_bytes()),
    )?;
    Ok(stored > 0)
}

fn is_there(c: &Connection, account_id: &str) -> Outcome<bool> {
    exists(c, "SELECT 1 FROM accounts WHERE id = ?1 AND state <> 'disconnected'", [account_id])
}

#[async_trait]
impl BotStore for SqliteStore {
    async fn bot_token(&self, name: &str) -> Result<Option<BotTokenRow>> {
        let name = name.to_owned();
        self.read(move |c| {
            first(c, "SELECT name, version, expires_at, sealed FROM bot_tokens WHERE name = ?1", [name], |row| {
                Ok(BotTokenRow { name: row.get(0)?, version: row.get(1)?, expires_at: row.get(2)?, sealed: sealed(row, 3)? })
            })
        })
        .await
    }

    async fn save_bot_token(&self, row: &BotTokenRow) -> Result<()> {
        let row = row.clone();
        self.write(move |tx| {
            keys::check_active(tx, [&row.sealed])?;
            run(
                tx,
                "INSERT INTO bot_tokens (name, version, expires_at, sealed) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name) DO UPDATE SET version = excluded.version, expires_at = excluded.expires_at, sealed = excluded.sealed WHERE excluded.version > version",
                (&row.name, row.version, row.expires_at, row.sealed.as_bytes()),
            )?;
            Ok(())
        })
        .await
    }

    async fn keep_bot_people(&self, rows: &[BotPersonRow], now: i64) -> Result<()> {
        let rows = rows.to_vec();
        self.write(move |tx| {
            for row in &rows {
                if is_there(tx, &row.account_id)? {
                    put_person(tx, row, now)?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn bot_person(&self, account_id: &str, by: &BotPersonBy) -> Result<Option<BotPersonRow>> {
        let (account_id, by) = (account_id.to_owned(), by.clone());
        self.read(move |c| match by {
            BotPersonBy::TeamsUser(id) => first(c, select_person!("teams_user_id = ?2"), (account_id, id), person),
            BotPersonBy::Object(id) => first(c, select_person!("object_id = ?2 ORDER BY seen_at DESC, id DESC LIMIT 1"), (account_id, id), person),
            BotPersonBy::Address(hash) => match first(c, select_person!("user_name_hash = ?2 ORDER BY seen_at DESC, id DESC LIMIT 1"), (&account_id, hash), person)? {
                Some(row) => Ok(Some(row)),
                None => first(c, select_person!("address_hash = ?2 ORDER BY seen_at DESC, id DESC LIMIT 1"), (&account_id, hash), person),
            },
        })
        .await
    }

    async fn bot_people_versions(&self, account_id: &str, teams_user_ids: &[String]) -> Result<Vec<(String, i64)>> {
        let (account_id, ids) = (account_id.to_owned(), teams_user_ids.to_vec());
        self.read(move |c| {
            let sql = "SELECT teams_user_id, version FROM bot_people WHERE account_id = ?1 AND teams_user_id IN (SELECT value FROM json_each(?2))";
            all(c, sql, (account_id, json(&ids)?), |row| Ok((row.get(0)?, row.get(1)?)))
        })
        .await
    }

    async fn keep_conversation(&self, row: &ConversationRow) -> Result<()> {
        let row = row.clone();
        self.write(move |tx| {
            if is_there(tx, &row.account_id)? {
                put_conversation(tx, &row)?;
            }
            Ok(())
        })
        .await
    }

    async fn conversation(&self, account_id: &str, conversation_id: &str) -> Result<Option<ConversationRow>> {
        let key = (account_id.to_owned(), conversation_id.to_owned());
        self.read(move |c| first(c, select_conversation!("account_id = ?1 AND conversation_id = ?2"), key, conversation)).await
    }

    async fn conversation_with(&self, account_id: &str, teams_user_id: &str) -> Result<Option<ConversationRow>> {
        let key = (account_id.to_owned(), teams_user_id.to_owned());
        self.read(move |c| first(c, select_conversation!("account_id = ?1 AND teams_user_id = ?2 AND kind = 'personal' AND state = 'open' ORDER BY updated_at DESC, id DESC LIMIT 1"), key, conversation)).await
    }

    async fn service_url(&self, account_id: &str) -> Result<Option<String>> {
        let account_id = account_id.to_owned();
        self.read(move |c| {
            let sql = "SELECT service_url FROM bot_conversations WHERE account_id = ?1 AND service_url IS NOT NULL ORDER BY updated_at DESC, id DESC LIMIT 1";
            first(c, sql, [account_id], |row| Ok(row.get(0)?))
        })
        .await
    }

    async fn linked_as(&self, tenant_id: &str, object_id: &str) -> Result<Vec<String>> {
        let key = (tenant_id.to_owned(), AccountRow::known(object_id), MOST_LINKS);
        self.read(move |c| all(c, "SELECT owner FROM accounts WHERE tenant_id = ?1 AND user_id = ?2 AND kind = 'link' AND state = 'connected' AND owner <> '' ORDER BY num LIMIT ?3", key, |row| Ok(row.get(0)?))).await
    }

    async fn organisations(&self, tenant_id: &str) -> Result<Vec<String>> {
        let tenant_id = tenant_id.to_owned();
        self.read(move |c| all(c, "SELECT id FROM accounts WHERE tenant_id = ?1 AND kind = 'tenant' AND state = 'connected' ORDER BY num", [tenant_id], |row| Ok(row.get(0)?))).await
    }

    async fn is_conversation_of_another(&self, conversation_id: &str, tenant_id: &str) -> Result<bool> {
        let key = (conversation_id.to_owned(), tenant_id.to_owned());
        self.read(move |c| {
            let sql = "SELECT MAX(a.tenant_id = ?2) FROM accounts a JOIN bot_conversations b ON b.account_id = a.id AND b.conversation_id = ?1 WHERE a.kind = 'tenant'";
            // Null: nobody knows it.
            Ok(first(c, sql, key, |row| Ok(row.get::<_, Option<bool>>(0)?))?.flatten() == Some(false))
        })
        .await
    }

    async fn take_activity(&self, batch: &ActivityBatch) -> Result<Option<bool>> {
        let batch = batch.clone();
        self.write(move |tx| {
            let ActivityBatch { person, conversation, activity, reachable, endpoints: linked } = &batch;
            if !is_there(tx, &conversation.account_id)? {
                return Ok(None);
            }
            if let Some((new, change)) = activity {
                keys::check_active(tx, [&new.sealed])?;
                if !put_activity(tx, new)? {
                    return Ok(Some(false));
                }
                if let Some(change) = change {
                    announce(tx, *change, &new.account_id, Some(&new.public_id), new.received_at)?;
                }
            }
            if let Some(person) = person {
                put_person(tx, person, conversation.updated_at)?;
            }
            put_conversation(tx, conversation)?;
            endpoints::app_installed(tx, &conversation.account_id, reachable, conversation.updated_at)?;
            linked.iter().try_for_each(|row| endpoints::add_linked(tx, row))?;
            Ok(Some(true))
        })
        .await
    }

    async fn own_activity(&self, account_id: &str, mark: &str) -> Result<Option<ActivityRow>> {
        let key = (account_id.to_owned(), mark.to_owned());
        self.read(move |c| first(c, select_activity!("account_id = ?1 AND mark = ?2"), key, activity)).await
    }

    async fn change_activity(&self, public_id: &str, kind: BotActivityKind, sealed: &Sealed) -> Result<()> {
        let (public_id, sealed) = (public_id.to_owned(), sealed.clone());
        self.write(move |tx| {
            keys::check_active(tx, [&sealed])?;
            run(tx, "UPDATE bot_activities SET kind = ?2, sealed = ?3 WHERE public_id = ?1", (&public_id, kind.word(), sealed.as_bytes()))?;
            Ok(())
        })
        .await
    }

    async fn activity(&self, public_id: &str) -> Result<Option<ActivityRow>> {
        let public_id = public_id.to_owned();
        self.read(move |c| first(c, select_activity!("public_id = ?1"), [public_id], activity)).await
    }

    async fn activities(&self, window: &BotWindow) -> Result<Vec<ActivityRow>> {
        let window = window.clone();
        self.read(move |c| {
            let BotWindow { account_ids, conversation_id, before, limit } = &window;
            let (time, row) = before.unwrap_or((i64::MAX, i64::MAX));
            all(
                c,
                select_activity!("account_id IN (SELECT value FROM json_each(?1)) AND (?2 IS NULL OR conversation_id = ?2) AND (at, id) < (?3, ?4) ORDER BY at DESC, id DESC LIMIT ?5"),
                (json(account_ids)?, conversation_id, time, row, limit.saturating_add(1)),
                activity,
            )
        })
        .await
    }

    async fn conversations(&self, window: &BotWindow) -> Result<Vec<(i64, ConversationRow)>> {
        let window = window.clone();
        self.read(move |c| {
            let BotWindow { account_ids, before, limit, .. } = &window;
            let (time, row) = before.unwrap_or((i64::MAX, i64::MAX));
            all(
                c,
                select_conversation!("account_id IN (SELECT value FROM json_each(?1)) AND (active_at, id) < (?2, ?3) ORDER BY active_at DESC, id DESC LIMIT ?4"),
                (json(account_ids)?, time, row, limit.saturating_add(1)),
                |row| Ok((row.get(10)?, conversation(row)?)),
            )
        })
        .await
    }

    async fn set_conversation_state(&self, account_id: &str, conversation_id: &str, state: BotPlaceState) -> Result<()> {
        let (account_id, conversation_id) = (account_id.to_owned(), conversation_id.to_owned());
        self.write(move |tx| {
            run(tx, "UPDATE bot_conversations SET state = ?3 WHERE account_id = ?1 AND conversation_id = ?2 AND state <> ?3", (&account_id, &conversation_id, state.word()))?;
            Ok(())
        })
        .await
    }
}
