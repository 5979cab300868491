//! The change feed as a stream: read from the store, so that nothing is missed, woken by the rooms that write.

use super::Inner;
use crate::clock::from_ms;
use crate::error::{Error, Result};
use crate::model::Change;
use crate::runtime::blocking;
use crate::store::ChangeRow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often other processes' changes are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The change feed: ordered, at least once, survives restarts.
pub struct ChangeStream {
    inner: Arc<Inner>,
    /// Id of the last change given out.
    last: Mutex<Result<i64>>,
}

impl ChangeStream {
    pub(super) fn new(inner: Arc<Inner>, cursor: Option<String>) -> Self {
        let last = match cursor.as_deref() {
            None => Ok(0),
            Some(text) => text
                .parse()
                .ok()
                .filter(|id| *id >= 0)
                .ok_or_else(|| Error::invalid("cursor is not one that the change feed gave. Pass the cursor of a change, or none.")),
        };
        Self { inner, last: Mutex::new(last) }
    }

    /// Waits for at least one change, then gives up to `limit` (1 to 1000) in order; empty after shutdown. A cancelled wait loses nothing.
    pub async fn next(&self, limit: u32) -> Result<Vec<Change>> {
        let after = self.after(limit)?;
        let inner = self.inner.clone();
        let waiting = self.inner.runtime.guard(move |stop| async move {
            let mut news = inner.news.subscribe();
            let mut settled = inner.outbox.settled();
            loop {
                news.mark_unchanged();
                settled.mark_unchanged();
                let rows = inner.change_rows(after, limit).await?;
                if !rows.is_empty() || stop.is_set() {
                    return Ok(rows);
                }
                tokio::select! {
                    () = stop.wait() => {}
                    _ = news.changed() => {}
                    _ = settled.changed() => {}
                    () = inner.clock.deadline(LOOK_AGAIN) => {}
                }
            }
        });
        match waiting.await {
            Ok(rows) => Ok(self.hand_out(rows)),
            Err(error) if error.kind() == crate::error::ErrorKind::Closed => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Gives up to `limit` changes that are there, without waiting.
    pub async fn ready(&self, limit: u32) -> Result<Vec<Change>> {
        let after = self.after(limit)?;
        let inner = self.inner.clone();
        let rows = self.inner.runtime.finish(async move { inner.change_rows(after, limit).await }).await?;
        Ok(self.hand_out(rows))
    }

    fn after(&self, limit: u32) -> Result<i64> {
        if !(1..=1000).contains(&limit) {
            return Err(Error::invalid("limit must be from 1 to 1000."));
        }
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Moves on only here, in the caller's own future: a wait that was cancelled gave nothing out.
    fn hand_out(&self, rows: Vec<ChangeRow>) -> Vec<Change> {
        if let Some(row) = rows.last() {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Ok(row.id);
        }
        rows.into_iter().map(change).collect()
    }
}

impl Inner {
    async fn change_rows(&self, after: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        let store = self.store.clone();
        blocking(move || store.changes(after, limit)).await
    }
}

fn change(row: ChangeRow) -> Change {
    Change { cursor: row.id.to_string(), kind: row.kind, account_id: row.account_id, subject_id: row.subject, at: from_ms(row.at) }
}
