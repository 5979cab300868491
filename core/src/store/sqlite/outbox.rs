//! The outbox: one row per send. A row is open until it is settled; the lowest open row of a lane is its head and the only one that may be claimed
//! ([`queues`]).

use super::fault::Outcome;
use super::{SqliteStore, accounts, all, announce, awaited, endpoints, exists, first, keys, last_senders, leases, outbox_end, queues, run, sealed, sealed_opt, staging, word, workflows};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AccountState, AuditKind, ChangeKind, OutboxFilter, SendRoute, SendState};
use crate::seal::Sealed;
use crate::store::{ClaimRequest, Claimed, Claims, Content, DueRequest, Enqueued, Entry, Hold, IsUsable, ItemRow, ItemState, KeyPurpose, NewItem, NextDue, OutboxStore, Part, PartOf, Reopened, Step, Stepped, Tidied, is_alone};
use crate::store::words::Word;
use async_trait::async_trait;
use rusqlite::{Connection, Row};
use std::collections::HashSet;
use std::sync::Arc;

macro_rules! columns {
    () => {
        "public_id, account_id, route, key, state, attempts, crashes, waits, progress, progress_version, reason, created_at, sent_at, next_at, deadline, fence, settled_at, parked, is_bulk, tidy_until, EXISTS (SELECT 1 FROM outbox_parts WHERE item_id = outbox.id) OR EXISTS (SELECT 1 FROM outbox_staged WHERE item_id = outbox.id), whole_id, endpoint_id, endpoint_version"
    };
}
pub(super) use columns;

macro_rules! select_item {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM outbox ", $rest)
    };
}

pub fn item_row(row: &Row<'_>) -> Outcome<ItemRow> {
    Ok(ItemRow {
        id: row.get(0)?,
        account_id: row.get(1)?,
        route: word(row, 2)?,
        key: row.get(3)?,
        state: word(row, 4)?,
        attempts: row.get(5)?,
        crashes: row.get(6)?,
        waits: row.get(7)?,
        progress: sealed_opt(row, 8)?,
        progress_version: row.get(9)?,
        reason: row.get(10)?,
        created_at: row.get(11)?,
        sent_at: row.get(12)?,
        next_at: row.get(13)?,
        deadline: row.get(14)?,
        fence: row.get(15)?,
        settled_at: row.get(16)?,
        hold: match row.get(17)? {
            1 => Hold::Parked,
            2 => Hold::Released,
            _ => Hold::None,
        },
        is_bulk: row.get(18)?,
        tidy_until: row.get(19)?,
        has_files: row.get(20)?,
        part: match (row.get(21)?, row.get(22)?, row.get(23)?) {
            (Some(whole_id), Some(endpoint_id), Some(endpoint_version)) => Some(PartOf { whole_id, endpoint_id, endpoint_version }),
            _ => None,
        },
    })
}

/// In the order in which they were handed in.
pub(super) fn of_whole(c: &Connection, whole_id: &str) -> Outcome<Vec<ItemRow>> {
    all(c, select_item!("WHERE whole_id = ?1 ORDER BY id"), [whole_id], item_row)
}

pub(super) fn by_id(c: &Connection, id: &str) -> Outcome<Option<ItemRow>> {
    first(c, select_item!("WHERE public_id = ?1"), [id], item_row)
}

fn by_key(c: &Connection, account_id: &str, key: Option<&str>) -> Outcome<Option<Enqueued>> {
    let Some(key) = key else { return Ok(None) };
    let found = first(c, "SELECT public_id, content_hash, hash_version FROM outbox WHERE account_id = ?1 AND key = ?2", (account_id, key), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
    })?;
    let Some((id, content_hash, hash_version)) = found else { return Ok(None) };
    Ok(by_id(c, &id)?.map(|row| Enqueued::Known { row, content_hash, hash_version }))
}

fn check_connected(c: &Connection, account_id: &str) -> Outcome<()> {
    if exists(c, "SELECT 1 FROM accounts WHERE id = ?1 AND state = 'connected'", [account_id])? { Ok(()) } else { Err(not_connected(account_id).into()) }
}

fn not_connected(account_id: &str) -> Error {
    Error::new(ErrorKind::NotConnected, "The account is not connected, so nothing was accepted. Connect it again.").on_account(account_id)
}

/// All envelopes of a send that is handed in.
pub(super) fn sealed_values<'a>(item: &'a NewItem, content: &'a Content) -> impl Iterator<Item = &'a Sealed> {
    std::iter::once(&content.payload).chain(&item.progress).chain(content.parts.iter().map(|part| &part.sealed))
}

pub(super) fn put_content(c: &Connection, number: i64, account_id: &str, content: &Content) -> Outcome<()> {
    run(c, "INSERT INTO outbox_payloads (item_id, version, sealed) VALUES (?1, ?2, ?3)", (number, content.version, content.payload.as_bytes()))?;
    for part in &content.parts {
        run(
            c,
            "INSERT INTO outbox_parts (account_id, item_id, file, part, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
            rusqlite::params![account_id, number, part.file, part.part, part.sealed.as_bytes()],
        )?;
    }
    staging::link(c, number, account_id, &content.staged)
}

/// When a new send may be claimed: the column of that name.
fn free_at(item: &NewItem) -> i64 {
    item.send_at.unwrap_or(0).min(item.deadline.unwrap_or(i64::MAX))
}

impl SqliteStore {
    fn enqueue_one(&self, tx: &Connection, item: &NewItem, content: &Content) -> Outcome<Enqueued> {
        if let Some(known) = by_key(tx, &item.account_id, item.key.as_deref())? {
            if !item.is_bulk {
                // Somebody waits for it now.
                run(tx, "UPDATE outbox SET is_bulk = 0 WHERE account_id = ?1 AND key = ?2 AND is_open = 1 AND is_bulk = 1", (&item.account_id, &item.key))?;
            }
            return Ok(known);
        }
        keys::check_active(tx, sealed_values(item, content))?;
        // Behind others of its lane it waits for them; the highest number is the last.
        let is_head = is_alone(&item.ordering_key, &item.id) || queues::is_free(tx, &item.account_id, &item.ordering_key)?;
        let progress_version = i64::from(item.progress.is_some());
        run(
            tx,
            "INSERT INTO outbox (public_id, account_id, route, lane, key, content_hash, hash_version, state, deadline, created_at, is_bulk, is_head, progress, progress_version, next_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            rusqlite::params![
                item.id,
                item.account_id,
                item.route.word(),
                item.ordering_key,
                item.key,
                item.content_hash,
                item.hash_version,
                ItemState::Queued.word(),
                item.deadline,
                item.created_at,
                item.is_bulk,
                is_head,
                item.progress.as_ref().map(Sealed::as_bytes),
                progress_version,
                item.send_at
            ],
        )?;
        let number = tx.last_insert_rowid();
        if is_head {
            queues::touch(tx, &item.account_id, item.route.word(), free_at(item))?;
        }
        put_content(tx, number, &item.account_id, content)?;
        if let Some(part) = &item.part {
            part.whole.iter().try_for_each(|whole| endpoints::put_whole(tx, whole))?;
            endpoints::put_part(tx, number, &part.of)?;
        }
        item.last_sender.iter().try_for_each(|last| last_senders::remember(tx, last))?;
        self.note(tx, &[Entry::new(AuditKind::SendQueued, "A send was accepted.").on(&item.account_id).about(&item.id)], item.created_at)?;
        Ok(Enqueued::New(ItemRow::new(item, !content.parts.is_empty() || !content.staged.is_empty())))
    }
}

#[async_trait]
impl OutboxStore for SqliteStore {
    async fn enqueue(&self, sends: Vec<(NewItem, Content)>, is_usable: IsUsable) -> Result<Vec<Enqueued>> {
        let store = self.clone();
        self.write(move |tx| {
            let (mut all, mut usable) = (Vec::with_capacity(sends.len()), HashSet::new());
            for (number, (item, content)) in sends.iter().enumerate() {
                if usable.insert((&item.account_id, item.route)) {
                    let may_send = match accounts::by_id(tx, &item.account_id)? {
                        Some(account) => account.state == AccountState::Connected && is_usable(&account, item.route),
                        None => item.route == SendRoute::Workflow && workflows::is_there(tx, &item.account_id)?,
                    };
                    if !may_send {
                        return Err(not_connected(&item.account_id).into());
                    }
                }
                let enqueued = store.enqueue_one(tx, item, content)?;
                if let Enqueued::Known { content_hash, hash_version, .. } = &enqueued
                    && *hash_version == item.hash_version
                    && *content_hash != item.content_hash
                {
                    return Err(other_content(&item.account_id, (sends.len() > 1).then_some(number)).into());
                }
                all.push(enqueued);
            }
            Ok(all)
        })
        .await
    }

    async fn submitted(&self, items: &[NewItem]) -> Result<Vec<Option<Enqueued>>> {
        let keys: Vec<(String, Option<String>)> = items.iter().map(|item| (item.account_id.clone(), item.key.clone())).collect();
        self.read(move |c| keys.iter().map(|(account_id, key)| by_key(c, account_id, key.as_deref())).collect()).await
    }

    async fn claims(&self, request: ClaimRequest) -> Result<Claims> {
        let request = Arc::new(request);
        // Looked for without the writer's lock first: workers ask often and mostly in vain. Where others write anyway, the look would cost more than it saves.
        if !self.writer.is_driven() {
            let asked = request.clone();
            let found = self.read(move |c| if is_outdated(c, &asked)? { Ok(Some(outdated())) } else { Ok((!is_due(c, &asked)?).then(Claims::default)) }).await?;
            if let Some(nothing) = found {
                return Ok(nothing);
            }
        }
        let store = self.clone();
        self.write(move |tx| {
            if is_outdated(tx, &request)? {
                return Ok(outdated());
            }
            let expired = if request.expire { store.end_overdue(tx, request.now)? } else { Vec::new() };
            Ok(Claims { is_outdated: false, expired, claimed: claim(tx, &request)? })
        })
        .await
    }

    async fn step(&self, id: &str, fence: i64, step: &Step, now: i64) -> Result<Option<Stepped>> {
        let (store, id, step) = (self.clone(), id.to_owned(), step.clone());
        self.write(move |tx| store.step_in(tx, &id, fence, &step, now)).await
    }

    async fn renew_claim(&self, id: &str, fence: i64, now: i64, lease_ms: i64) -> Result<bool> {
        let (id, until) = (id.to_owned(), now.saturating_add(lease_ms));
        self.urgently(move |tx| {
            Ok(run(tx, "UPDATE outbox SET lease_until = ?3 WHERE public_id = ?1 AND fence = ?2 AND (is_open = 1 OR lease_until > 0)", (&id, fence, until))? > 0)
        })
        .await
    }

    async fn cancel(&self, id: &str, reason: &str, now: i64) -> Result<bool> {
        let (store, id, reason) = (self.clone(), id.to_owned(), reason.to_owned());
        self.write(move |tx| store.cancel_one(tx, &id, &reason, now)).await
    }

    async fn edit(&self, seen: &ItemRow, item: NewItem, content: Content, now: i64) -> Result<bool> {
        let (store, seen) = (self.clone(), seen.clone());
        self.write(move |tx| store.edit_one(tx, &seen, &item, &content, now)).await
    }

    async fn reopen(&self, item: &Reopened<'_>, now: i64) -> Result<bool> {
        let (store, seen, state, progress) = (self.clone(), item.seen.clone(), item.state, item.progress.clone());
        self.write(move |tx| {
            check_connected(tx, &seen.account_id)?;
            keys::check_active(tx, [&progress])?;
            let ordering_key = first(
                tx,
                "UPDATE outbox SET state = ?4, is_open = 1, progress = ?5, progress_version = progress_version + 1, reason = NULL, next_at = NULL,
                   deadline = NULL, tidy_at = NULL, tidy_until = NULL, settled_at = NULL, crashes = 0, waits = 0, fence = fence + 1, lease_until = 0, parked = CASE parked WHEN 1 THEN 2 ELSE parked END
                 WHERE public_id = ?1 AND state = ?2 AND progress_version = ?3 AND state IN ('failed', 'unknown')
                   AND (lease_until <= ?6 OR lease_until > ?7) RETURNING lane",
                (
                    &seen.id,
                    seen.state.word(),
                    seen.progress_version,
                    state.word(),
                    progress.as_bytes(),
                    now,
                    now.saturating_add(crate::store::LEASE_MS).saturating_add(leases::SKEW_MS),
                ),
                |row| Ok(row.get::<_, String>(0)?),
            )?;
            let Some(ordering_key) = ordering_key else { return Ok(false) };
            queues::lift(tx, &seen.account_id, &ordering_key)?;
            announce(tx, ChangeKind::SendChanged, &seen.account_id, Some(&seen.id), now)?;
            store.note(tx, &[Entry::new(AuditKind::SendQueued, "A send was asked for again.").on(&seen.account_id).about(&seen.id)], now)?;
            Ok(true)
        })
        .await
    }

    async fn tidied(&self, id: &str, tidied: &Tidied) -> Result<bool> {
        let (id, tidied) = (id.to_owned(), tidied.clone());
        self.write(move |tx| outbox_end::tidied(tx, &id, &tidied)).await
    }

    async fn item(&self, id: &str, owner: Option<&str>) -> Result<Option<ItemRow>> {
        let (id, owner) = (id.to_owned(), owner.map(str::to_owned));
        self.read(move |c| {
            first(
                c,
                select_item!("WHERE public_id = ?1 AND (?2 IS NULL OR EXISTS (SELECT 1 FROM accounts a WHERE a.id = outbox.account_id AND a.owner = ?2))"),
                (id, owner),
                item_row,
            )
        })
        .await
    }

    async fn items(&self, filter: &OutboxFilter) -> Result<Vec<ItemRow>> {
        let filter = filter.clone();
        self.read(move |c| {
            let states: Option<Vec<&str>> = filter.state.map(|shown| ItemState::ALL.iter().filter(|s| s.shown() == shown).map(|s| s.word()).collect());
            let states = states.as_deref().map(super::json).transpose()?;
            // A parked send is shown as queued, wherever it stood.
            let parked = filter.state.map(|shown| shown == SendState::Queued);
            all(
                c,
                select_item!(
                    "WHERE (?1 IS NULL OR account_id = ?1) AND (?2 IS NULL OR account_id IN (SELECT id FROM accounts WHERE owner = ?2))
                       AND (?3 IS NULL OR CASE WHEN parked = 1 AND is_open = 1 THEN ?5 ELSE state IN (SELECT value FROM json_each(?3)) END)
                     ORDER BY outbox.id DESC LIMIT ?4"
                ),
                (&filter.account_id, &filter.owner, states, filter.limit, parked),
                item_row,
            )
        })
        .await
    }

    async fn content(&self, id: &str) -> Result<Option<(ItemRow, Content)>> {
        let id = id.to_owned();
        self.read(move |c| {
            let Some(row) = by_id(c, &id)? else { return Ok(None) };
            let found = first(c, "SELECT o.id, p.sealed, p.version FROM outbox o JOIN outbox_payloads p ON p.item_id = o.id WHERE o.public_id = ?1", [&id], |row| {
                Ok((row.get::<_, i64>(0)?, sealed(row, 1)?, row.get::<_, i64>(2)?))
            })?;
            let Some((number, payload, version)) = found else { return Ok(None) };
            if !row.has_files {
                return Ok(Some((row, Content { payload, version, parts: Vec::new(), staged: Vec::new() })));
            }
            let parts = all(c, "SELECT file, part, sealed FROM outbox_parts WHERE item_id = ?1 ORDER BY file, part", [number], |row| {
                Ok(Part { file: row.get(0)?, part: row.get(1)?, sealed: sealed(row, 2)? })
            })?;
            Ok(Some((row, Content { payload, version, parts, staged: Vec::new() })))
        })
        .await
    }

    async fn next_due(&self, request: DueRequest) -> Result<NextDue> {
        self.read(move |c| {
            let DueRequest { now, except, awaited } = &request;
            let queued = except.as_ref().map(|except| queues::next_due(c, *now, &queues::Except::of(except))).transpose()?.flatten();
            let awaited = awaited.as_ref().map(|awaited| awaited::next_due(c, *now, awaited)).transpose()?.flatten();
            let claim = queued.into_iter().chain(awaited).min_by_key(|due| due.at());
            Ok(NextDue { claim, upkeep: outbox_end::next_upkeep(c)? })
        })
        .await
    }
}

/// Bytes that come along with a claim at most.
const SMALL_CONTENT: i64 = 16 << 10;

fn is_outdated(c: &Connection, request: &ClaimRequest) -> Outcome<bool> {
    let Some(held) = request.store_key else { return Ok(false) };
    Ok(keys::active(c, KeyPurpose::Store, "")?.is_none_or(|key| key.id != held))
}

fn outdated() -> Claims {
    Claims { is_outdated: true, ..Claims::default() }
}

/// Whether a step that writes would find something.
fn is_due(c: &Connection, request: &ClaimRequest) -> Outcome<bool> {
    let ClaimRequest { now, lease_ms, wanted, awaited, .. } = request;
    Ok(request.expire && outbox_end::is_overdue(c, *now)?
        || wanted.as_ref().map_or(Ok(false), |wanted| queues::is_due(c, *now, *lease_ms, wanted))?
        || awaited.as_ref().map_or(Ok(false), |awaited| awaited::is_due(c, *now, awaited))?
        || request.tidy && outbox_end::is_untidy(c, *now, *lease_ms)?)
}

/// The first kind of work there is.
fn claim(c: &Connection, request: &ClaimRequest) -> Outcome<Claimed> {
    let ClaimRequest { now, lease_ms, wanted, awaited, tidy, .. } = request;
    if let Some(wanted) = wanted
        && queues::is_due(c, *now, *lease_ms, wanted)?
    {
        let items = queues::claim(c, *now, *lease_ms, wanted.clone())?;
        if !items.is_empty() {
            return Ok(Claimed::Wanted(items));
        }
    }
    if let Some(awaited) = awaited {
        let items = awaited::claim(c, *now, *lease_ms, awaited.clone())?;
        if !items.is_empty() {
            return Ok(Claimed::Awaited(items));
        }
    }
    let untidy = if *tidy { outbox_end::claim_tidy(c, *now, *lease_ms)? } else { None };
    Ok(untidy.map_or(Claimed::Nothing, |item| Claimed::Tidy(Box::new(item))))
}

/// Of a send without attachments. None as well for what is sealed with a key that was replaced or destroyed: whoever reads it anew looks at the keys first.
pub(super) fn small_content(c: &Connection, number: i64, item: &ItemRow) -> Outcome<Option<Content>> {
    if item.has_files {
        return Ok(None);
    }
    let sql = "SELECT sealed, version FROM outbox_payloads WHERE item_id = ?1 AND length(sealed) <= ?2";
    let found = first(c, sql, (number, SMALL_CONTENT), |row| Ok(Content { payload: sealed(row, 0)?, version: row.get(1)?, parts: Vec::new(), staged: Vec::new() }))?;
    match found {
        Some(content) if keys::is_active(c, content.payload.key_id())? => Ok(Some(content)),
        _ => Ok(None),
    }
}

fn other_content(account_id: &str, number: Option<usize>) -> Error {
    let which = number.map(|number| format!("drafts[{number}]: ")).unwrap_or_default();
    Error::new(ErrorKind::Conflict, format!("{which}This idempotency key was used for a message with other content. Use a new key for a new message.")).on_account(account_id)
}
