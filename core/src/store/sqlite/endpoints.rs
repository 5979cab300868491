//! Endpoints of subscribers, and wholes.

use super::fault::{Fault, Outcome};
use super::{SqliteStore, all, announce, exists, first, json, keys, outbox, purge, run, sealed, word};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ChangeKind, EndpointState};
use crate::store::words::Word;
use crate::store::{EndpointRow, EndpointStore, EndpointWindow, ItemRow, MOST_ENDPOINTS, PartOf, Retirement, WholeRow};
use async_trait::async_trait;
use rusqlite::{Connection, Row};

macro_rules! select_endpoint {
    ($rest:literal) => {
        concat!("SELECT id, public_id, account_id, subscriber, context_hash, target_hash, place_hash, kind, state, reason, version, created_at, changed_at, sealed FROM endpoints WHERE ", $rest)
    };
}

macro_rules! select_whole {
    ($rest:literal) => {
        concat!("SELECT public_id, subscriber, key, content_hash, created_at, refused FROM endpoint_sends WHERE ", $rest)
    };
}

fn endpoint(row: &Row<'_>) -> Outcome<EndpointRow> {
    Ok(EndpointRow {
        row_id: row.get(0)?,
        id: row.get(1)?,
        account_id: row.get(2)?,
        subscriber: row.get(3)?,
        context_hash: row.get(4)?,
        target_hash: row.get(5)?,
        place_hash: row.get(6)?,
        kind: word(row, 7)?,
        state: word(row, 8)?,
        reason: row.get(9)?,
        version: row.get(10)?,
        created_at: row.get(11)?,
        changed_at: row.get(12)?,
        sealed: sealed(row, 13)?,
    })
}

fn whole(row: &Row<'_>) -> Outcome<WholeRow> {
    let refused: String = row.get(5)?;
    let refused = serde_json::from_str(&refused).map_err(|e| Error::new(ErrorKind::Corrupt, "What is stored of a send to endpoints cannot be read.").with_source(e))?;
    Ok(WholeRow { id: row.get(0)?, subscriber: row.get(1)?, key: row.get(2)?, content_hash: row.get(3)?, created_at: row.get(4)?, refused })
}

fn by_id(c: &Connection, id: &str) -> Outcome<Option<EndpointRow>> {
    first(c, select_endpoint!("public_id = ?1"), [id], endpoint)
}

fn twin(c: &Connection, row: &EndpointRow) -> Outcome<Option<EndpointRow>> {
    let key = (&row.subscriber, row.context_hash, &row.account_id, row.kind.word(), row.target_hash);
    first(c, select_endpoint!("subscriber = ?1 AND context_hash = ?2 AND account_id = ?3 AND kind = ?4 AND target_hash = ?5"), key, endpoint)
}

fn changed(c: &Connection, account_id: &str, id: &str, at: i64) -> Outcome<()> {
    announce(c, ChangeKind::EndpointChanged, account_id, Some(id), at)
}

/// The account or workflow is there; one that is disconnected may come back.
fn check_account(c: &Connection, account_id: &str) -> Outcome<()> {
    let gone = || Error::new(ErrorKind::NotConnected, "There is no account or workflow with this id any more, so no endpoint goes through it.").on_account(account_id);
    if exists(c, "SELECT 1 FROM accounts WHERE id = ?1 AND owner <> ''", [account_id])? { Ok(()) } else { Err(gone().into()) }
}

/// In the transaction of whoever makes it.
pub fn add(c: &Connection, row: &EndpointRow) -> Outcome<EndpointRow> {
    check_account(c, &row.account_id)?;
    if purge::is_deleted(c, &row.subscriber)? {
        return Err(Error::new(ErrorKind::Conflict, "This subscriber is an owner who was deleted and is about to be purged. Call restore_owner first.").into());
    }
    if let Some(twin) = twin(c, row)? {
        return if twin.state == EndpointState::Active { Ok(twin) } else { activate(c, &twin, row.changed_at) };
    }
    let count: u32 = first(c, "SELECT COUNT(*) FROM endpoints WHERE subscriber = ?1", [&row.subscriber], |row| Ok(row.get(0)?))?.unwrap_or_default();
    if count >= MOST_ENDPOINTS {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("This subscriber has {MOST_ENDPOINTS} endpoints already. Remove those that are not used any more.")).into());
    }
    keys::check_active(c, [&row.sealed])?;
    run(
        c,
        "INSERT INTO endpoints (public_id, account_id, subscriber, context_hash, target_hash, place_hash, kind, state, returns, version, created_at, changed_at, sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'active', 0, ?8, ?9, ?9, ?10)",
        (&row.id, &row.account_id, &row.subscriber, row.context_hash, row.target_hash, row.place_hash, row.kind.word(), row.version, row.created_at, row.sealed.as_bytes()),
    )?;
    changed(c, &row.account_id, &row.id, row.created_at)?;
    by_id(c, &row.id)?.ok_or_else(|| Error::internal("An endpoint was lost while it was stored.").into())
}

/// As [`add`], for somebody who has none in this place. What stands in the way of it stands in the way of nothing else.
pub fn add_linked(c: &Connection, row: &EndpointRow) -> Outcome<()> {
    if exists(c, "SELECT 1 FROM endpoints WHERE subscriber = ?1 AND account_id = ?2 AND place_hash = ?3", (&row.subscriber, &row.account_id, row.place_hash))? {
        return Ok(());
    }
    match add(c, row) {
        Err(Fault::Ours(error)) if matches!(error.kind(), ErrorKind::LimitExceeded | ErrorKind::Conflict | ErrorKind::NotConnected) => Ok(()),
        outcome => outcome.map(drop),
    }
}

fn activate(c: &Connection, row: &EndpointRow, now: i64) -> Outcome<EndpointRow> {
    run(c, "UPDATE endpoints SET state = 'active', reason = NULL, returns = 0, changed_at = ?2 WHERE id = ?1", (row.row_id, now))?;
    changed(c, &row.account_id, &row.id, now)?;
    Ok(EndpointRow { state: EndpointState::Active, reason: None, changed_at: now, ..row.clone() })
}

/// Those in these places that an installation of the app brings back.
pub fn app_installed(c: &Connection, account_id: &str, places: &[[u8; 32]], now: i64) -> Outcome<()> {
    for place in places {
        for row in all(c, select_endpoint!("account_id = ?1 AND place_hash = ?2 AND state = 'retired' AND returns = 1"), (account_id, place), endpoint)? {
            activate(c, &row, now)?;
        }
    }
    Ok(())
}

/// The endpoint of a send that failed for good, if it is as it was when the message was handed in.
pub fn retire_of(c: &Connection, item_id: &str, why: Retirement, reason: Option<&str>, now: i64) -> Outcome<()> {
    let sql = "SELECT e.id, e.public_id, e.account_id FROM outbox o JOIN endpoints e ON e.public_id = o.endpoint_id AND e.version = o.endpoint_version WHERE o.public_id = ?1 AND e.state = 'active'";
    let found = first(c, sql, [item_id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))?;
    let Some((row_id, id, account_id)) = found else { return Ok(()) };
    let (returns, place) = match why {
        Retirement::Final => (false, None),
        Retirement::NotInstalled(place) => (true, place),
    };
    run(
        c,
        "UPDATE endpoints SET state = 'retired', reason = ?2, returns = ?3, place_hash = COALESCE(?4, place_hash), changed_at = ?5 WHERE id = ?1",
        (row_id, reason, returns, place, now),
    )?;
    changed(c, &account_id, &id, now)
}

/// All that go to a workflow that was removed.
pub fn workflow_removed(c: &Connection, workflow_id: &str, now: i64) -> Outcome<()> {
    let gone = all(c, "SELECT public_id FROM endpoints WHERE account_id = ?1 AND state = 'active'", [workflow_id], |row| Ok(row.get::<_, String>(0)?))?;
    for id in gone {
        run(c, "UPDATE endpoints SET state = 'retired', reason = 'The workflow was removed.', returns = 0, changed_at = ?2 WHERE public_id = ?1", (&id, now))?;
        changed(c, workflow_id, &id, now)?;
    }
    Ok(())
}

/// Everything of a subscriber.
pub fn forget_subscriber(c: &Connection, subscriber: &str) -> Outcome<()> {
    run(c, "DELETE FROM endpoints WHERE subscriber = ?1", [subscriber])?;
    run(c, "DELETE FROM endpoint_sends WHERE subscriber = ?1", [subscriber])?;
    Ok(())
}

/// Stores the whole that a send is the first part of. Errors: StoreBusy, if its key was used at this moment.
pub fn put_whole(c: &Connection, row: &WholeRow) -> Outcome<()> {
    let refused = serde_json::to_string(&row.refused).map_err(|_| Error::internal("A send to endpoints cannot be written."))?;
    let stored = run(
        c,
        "INSERT INTO endpoint_sends (public_id, subscriber, key, content_hash, created_at, refused) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        (&row.id, &row.subscriber, &row.key, &row.content_hash, row.created_at, refused),
    )?;
    if stored == 0 {
        return Err(Error::new(ErrorKind::StoreBusy, "This idempotency key was used by another call at this moment. Try again.").into());
    }
    Ok(())
}

pub fn put_part(c: &Connection, number: i64, part: &PartOf) -> Outcome<()> {
    run(c, "UPDATE outbox SET whole_id = ?2, endpoint_id = ?3, endpoint_version = ?4 WHERE id = ?1", (number, &part.whole_id, &part.endpoint_id, part.endpoint_version))?;
    Ok(())
}

const OLD_WHOLES: &str = "SELECT id FROM endpoint_sends AS w INDEXED BY endpoint_sends_created WHERE created_at < ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE whole_id = w.public_id) LIMIT ?2";

pub fn has_old_wholes(c: &Connection, since: i64) -> Outcome<bool> {
    exists(c, OLD_WHOLES, (since, 1))
}

/// Those whose parts are gone.
pub fn forget_old_wholes(c: &Connection, since: i64, limit: u32) -> Outcome<usize> {
    let ids = all(c, OLD_WHOLES, (since, limit), |row| Ok(row.get::<_, i64>(0)?))?;
    for id in &ids {
        run(c, "DELETE FROM endpoint_sends WHERE id = ?1", [id])?;
    }
    Ok(ids.len())
}

#[async_trait]
impl EndpointStore for SqliteStore {
    async fn add_endpoint(&self, row: &EndpointRow) -> Result<EndpointRow> {
        let row = row.clone();
        self.write(move |tx| add(tx, &row)).await
    }

    async fn change_endpoint(&self, seen: &EndpointRow, row: &EndpointRow) -> Result<Option<EndpointRow>> {
        let (seen, row) = (seen.clone(), row.clone());
        self.write(move |tx| {
            check_account(tx, &row.account_id)?;
            if twin(tx, &row)?.is_some_and(|twin| twin.id != row.id) {
                return Err(Error::new(ErrorKind::Conflict, "This subscriber has an endpoint with this target in this context already.").into());
            }
            keys::check_active(tx, [&row.sealed])?;
            let changes = run(
                tx,
                "UPDATE endpoints SET account_id = ?3, context_hash = ?4, target_hash = ?5, place_hash = ?6, kind = ?7, state = ?8, reason = ?9, returns = 0, version = ?10, changed_at = ?11, sealed = ?12
                 WHERE public_id = ?1 AND version = ?2 AND state = ?13",
                rusqlite::params![
                    row.id,
                    seen.version,
                    row.account_id,
                    row.context_hash,
                    row.target_hash,
                    row.place_hash,
                    row.kind.word(),
                    row.state.word(),
                    row.reason,
                    row.version,
                    row.changed_at,
                    row.sealed.as_bytes(),
                    seen.state.word()
                ],
            )?;
            if changes == 0 {
                return Ok(None);
            }
            changed(tx, &row.account_id, &row.id, row.changed_at)?;
            by_id(tx, &row.id)
        })
        .await
    }

    async fn remove_endpoint(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.write(move |tx| Ok(run(tx, "DELETE FROM endpoints WHERE public_id = ?1", [&id])? > 0)).await
    }

    async fn endpoint(&self, id: &str) -> Result<Option<EndpointRow>> {
        let id = id.to_owned();
        self.read(move |c| by_id(c, &id)).await
    }

    async fn endpoints(&self, window: &EndpointWindow) -> Result<Vec<EndpointRow>> {
        let window = window.clone();
        self.read(move |c| {
            let EndpointWindow { account_ids, subscriber, context_hash, state, after, limit } = &window;
            let account_ids = account_ids.as_deref().map(json).transpose()?;
            all(
                c,
                select_endpoint!(
                    "(?1 IS NULL OR account_id IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR subscriber = ?2) AND (?3 IS NULL OR context_hash = ?3)
                     AND (?4 IS NULL OR state = ?4) AND id > ?5 ORDER BY id LIMIT ?6"
                ),
                (account_ids, subscriber, context_hash, state.map(Word::word), after, limit.saturating_add(1)),
                endpoint,
            )
        })
        .await
    }

    async fn whole(&self, id: &str) -> Result<Option<WholeRow>> {
        let id = id.to_owned();
        self.read(move |c| first(c, select_whole!("public_id = ?1"), [id], whole)).await
    }

    async fn whole_by_key(&self, subscriber: &str, key: &str) -> Result<Option<WholeRow>> {
        let which = (subscriber.to_owned(), key.to_owned());
        self.read(move |c| first(c, select_whole!("subscriber = ?1 AND key = ?2"), which, whole)).await
    }

    async fn parts(&self, whole_id: &str) -> Result<Vec<ItemRow>> {
        let whole_id = whole_id.to_owned();
        self.read(move |c| outbox::of_whole(c, &whole_id)).await
    }
}
