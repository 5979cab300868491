//! Events of the default calendars of mailboxes.

use super::fault::Outcome;
use super::{SqliteStore, all, announce, first, json, keys, may_write, run, sealed, sealed_opt};
use crate::error::Result;
use crate::model::ChangeKind;
use crate::seal::Sealed;
use crate::store::{CalendarStore, CalendarViewRow, EventBatch, EventRow, EventWindow, KnownEvent, Lease, NewEvent, SealedEvent};
use async_trait::async_trait;
use rusqlite::{Connection, Row};
use std::collections::BTreeSet;

/// Shown by the view, or at its edge. ?1: account.
macro_rules! in_view {
    ($before:literal) => {
        concat!($before, " FROM calendar_views AS v JOIN calendar_events AS e ON e.account_id = v.account_id WHERE v.account_id = ?1 AND e.is_master = 0 AND e.end_at >= v.from_at AND e.start_at <= v.to_at")
    };
}

/// Answers what there is to tell of: the event, or of a master all that are of its series.
fn put(tx: &Connection, account_id: &str, event: &NewEvent) -> Outcome<Vec<String>> {
    let row = first(
        tx,
        "INSERT INTO calendar_events (public_id, account_id, graph_id, series_id, is_master, start_at, end_at, digest, version, round, sealed)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, v.round, ?10 FROM calendar_views AS v WHERE v.account_id = ?2
         ON CONFLICT (account_id, graph_id) DO UPDATE SET series_id = excluded.series_id, is_master = excluded.is_master, start_at = excluded.start_at,
           end_at = excluded.end_at, digest = excluded.digest, version = excluded.version, round = excluded.round, sealed = excluded.sealed
         RETURNING public_id",
        (&event.public_id, account_id, &event.graph_id, &event.series_id, event.is_master, event.start_at, event.end_at, &event.digest[..], event.version, event.sealed.as_bytes()),
        |row| Ok(row.get::<_, String>(0)?),
    )?;
    if event.is_master { of_series(tx, account_id, &event.graph_id) } else { Ok(row.into_iter().collect()) }
}

fn of_series(tx: &Connection, account_id: &str, series_id: &str) -> Outcome<Vec<String>> {
    all(tx, "SELECT public_id FROM calendar_events WHERE account_id = ?1 AND series_id = ?2 ORDER BY id", (account_id, series_id), |row| Ok(row.get(0)?))
}

/// An event, or a series with all that are of it. Answers those that there is to tell of.
fn remove(tx: &Connection, account_id: &str, graph_id: &str) -> Outcome<Vec<String>> {
    let gone = all(
        tx,
        "DELETE FROM calendar_events WHERE account_id = ?1 AND (graph_id = ?2 OR series_id = ?2) RETURNING public_id, is_master",
        (account_id, graph_id),
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
    )?;
    Ok(gone.into_iter().filter(|(_, is_master)| !is_master).map(|(public_id, _)| public_id).collect())
}

/// The round is over. What the view no longer reaches is dropped without a word, and so is what a series has in common that has no event here.
fn end_round(tx: &Connection, account_id: &str) -> Outcome<()> {
    run(
        tx,
        "DELETE FROM calendar_events WHERE account_id = ?1 AND is_master = 0
         AND EXISTS (SELECT 1 FROM calendar_views AS v WHERE v.account_id = ?1 AND (calendar_events.end_at < v.from_at OR calendar_events.start_at > v.to_at))",
        [account_id],
    )?;
    run(
        tx,
        "DELETE FROM calendar_events WHERE account_id = ?1 AND is_master = 1
         AND NOT EXISTS (SELECT 1 FROM calendar_events AS o WHERE o.account_id = ?1 AND o.series_id = calendar_events.graph_id)",
        [account_id],
    )?;
    run(tx, "UPDATE calendar_views SET round = round + 1, is_whole = 0 WHERE account_id = ?1", [account_id])?;
    Ok(())
}

fn row(row: &Row<'_>) -> Outcome<EventRow> {
    let own = SealedEvent { graph_id: row.get(4)?, version: row.get(5)?, sealed: sealed(row, 6)? };
    let master = match sealed_opt(row, 9)? {
        Some(sealed) => Some(SealedEvent { graph_id: row.get(7)?, version: row.get(8)?, sealed }),
        None => None,
    };
    Ok(EventRow { row_id: row.get(0)?, public_id: row.get(1)?, account_id: row.get(2)?, start_at: row.get(3)?, own, master })
}

#[async_trait]
impl CalendarStore for SqliteStore {
    async fn calendar_view(&self, account_id: &str) -> Result<Option<CalendarViewRow>> {
        let account_id = account_id.to_owned();
        self.read(move |c| {
            first(c, "SELECT from_at, to_at, link, link_version FROM calendar_views WHERE account_id = ?1", [account_id], |row| {
                Ok(CalendarViewRow { from_at: row.get(0)?, to_at: row.get(1)?, link: sealed_opt(row, 2)?, link_version: row.get(3)? })
            })
        })
        .await
    }

    async fn begin_calendar(&self, account_id: &str, generation: i64, lease: &Lease, view: (i64, i64)) -> Result<bool> {
        let (account_id, lease) = (account_id.to_owned(), lease.clone());
        self.write(move |tx| {
            if !may_write(tx, &account_id, generation, &lease)? {
                return Ok(false);
            }
            run(
                tx,
                "INSERT INTO calendar_views (account_id, from_at, to_at, link_version, round, is_whole) VALUES (?1, ?2, ?3, 0, 1, 1)
                 ON CONFLICT (account_id) DO UPDATE SET from_at = excluded.from_at, to_at = excluded.to_at, link = NULL, round = round + 1, is_whole = 1",
                (&account_id, view.0, view.1),
            )?;
            Ok(true)
        })
        .await
    }

    async fn known_events(&self, account_id: &str, graph_ids: &[String]) -> Result<Vec<KnownEvent>> {
        let (account_id, graph_ids) = (account_id.to_owned(), graph_ids.to_vec());
        self.read(move |c| {
            all(
                c,
                "SELECT e.graph_id, e.is_master, e.digest, e.version FROM json_each(?2) AS wanted CROSS JOIN calendar_events AS e ON e.account_id = ?1 AND e.graph_id = wanted.value",
                (&account_id, json(&graph_ids)?),
                |row| Ok(KnownEvent { graph_id: row.get(0)?, is_master: row.get(1)?, digest: row.get(2)?, version: row.get(3)? }),
            )
        })
        .await
    }

    async fn store_events(&self, batch: EventBatch) -> Result<Option<u32>> {
        self.write(move |tx| {
            let EventBatch { account_id, put: new, same, gone, link, now, .. } = &batch;
            if !may_write(tx, account_id, batch.generation, &batch.lease)? {
                return Ok(None);
            }
            keys::check_active(tx, new.iter().map(|event| &event.sealed).chain(link.iter().map(|(link, _)| link)))?;
            let (mut changed, mut removed) = (BTreeSet::new(), BTreeSet::new());
            for graph_id in gone {
                removed.extend(remove(tx, account_id, graph_id)?);
            }
            for event in new {
                changed.extend(put(tx, account_id, event)?);
            }
            run(
                tx,
                "UPDATE calendar_events SET round = (SELECT v.round FROM calendar_views AS v WHERE v.account_id = ?1) WHERE account_id = ?1 AND graph_id IN (SELECT value FROM json_each(?2))",
                (account_id, json(same)?),
            )?;
            for id in &changed {
                announce(tx, ChangeKind::EventChanged, account_id, Some(id), *now)?;
            }
            for id in &removed {
                announce(tx, ChangeKind::EventRemoved, account_id, Some(id), *now)?;
            }
            if let Some((link, version)) = link {
                run(tx, "UPDATE calendar_views SET link = ?2, link_version = ?3 WHERE account_id = ?1", (account_id, Sealed::as_bytes(link), version))?;
            }
            if batch.is_end {
                end_round(tx, account_id)?;
            }
            Ok(Some(u32::try_from(changed.len() + removed.len()).unwrap_or(u32::MAX)))
        })
        .await
    }

    async fn unshown_events(&self, account_id: &str) -> Result<Vec<String>> {
        let account_id = account_id.to_owned();
        self.read(move |c| {
            all(
                c,
                concat!(
                    in_view!("SELECT e.graph_id"),
                    " AND e.round < v.round AND (v.is_whole = 1 OR (e.series_id <> '' AND EXISTS
                       (SELECT 1 FROM calendar_events AS o WHERE o.account_id = ?1 AND (o.series_id = e.series_id OR o.graph_id = e.series_id) AND o.round = v.round)))"
                ),
                [account_id],
                |row| Ok(row.get(0)?),
            )
        })
        .await
    }

    async fn events(&self, window: &EventWindow) -> Result<Vec<EventRow>> {
        let window = window.clone();
        self.read(move |c| {
            let EventWindow { account_ids, from_at, to_at, after, limit } = &window;
            let (after_start, after_row) = after.unwrap_or((i64::MIN, i64::MIN));
            all(
                c,
                "SELECT e.id, e.public_id, e.account_id, e.start_at, e.graph_id, e.version, e.sealed, m.graph_id, m.version, m.sealed
                 FROM calendar_events AS e LEFT JOIN calendar_events AS m ON m.account_id = e.account_id AND m.graph_id = e.series_id AND m.is_master = 1
                 WHERE e.account_id IN (SELECT value FROM json_each(?1)) AND e.is_master = 0 AND e.start_at < ?3 AND (e.end_at > ?2 OR e.start_at >= ?2)
                   AND (e.start_at, e.id) > (?4, ?5)
                 ORDER BY e.start_at, e.id LIMIT ?6",
                (json(account_ids)?, from_at, to_at, after_start, after_row, limit.saturating_add(1)),
                row,
            )
        })
        .await
    }
}
