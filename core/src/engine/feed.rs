//! The change feed as a stream: read from the store, so that nothing is missed, woken by the modules that write.

use super::Inner;
use crate::clock::from_ms;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Change, ChangeQuery};
use crate::store::ChangeRow;
use crate::vault::Vault;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often other processes' changes are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The change feed: ordered, at least once, survives restarts.
pub struct ChangeStream {
    inner: Arc<Inner>,
    query: ChangeQuery,
    /// Id of the last change given out; none before the cursor was read.
    last: Mutex<Option<i64>>,
}

impl ChangeStream {
    pub(super) fn new(inner: Arc<Inner>, query: ChangeQuery) -> Self {
        Self { inner, query, last: Mutex::new(None) }
    }

    /// Waits for at least one change, then gives up to `limit` (1 to 1000) in order; empty after shutdown. A cancelled wait loses nothing.
    pub async fn next(&self, limit: u32) -> Result<Vec<Change>> {
        check_limit(limit)?;
        let (inner, query, after) = (self.inner.clone(), self.query.clone(), self.last());
        let waiting = self.inner.runtime.guard(move |stop| async move {
            let mut news = inner.news.subscribe();
            let mut settled = inner.outbox.settled();
            loop {
                news.mark_unchanged();
                settled.mark_unchanged();
                let rows = inner.change_rows(&query, after, limit).await?;
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
            Err(error) if error.kind() == ErrorKind::Closed => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Gives up to `limit` changes that are there, without waiting.
    pub async fn ready(&self, limit: u32) -> Result<Vec<Change>> {
        check_limit(limit)?;
        let (inner, query, after) = (self.inner.clone(), self.query.clone(), self.last());
        let rows = self.inner.runtime.finish(async move { inner.change_rows(&query, after, limit).await }).await?;
        Ok(self.hand_out(rows))
    }

    fn last(&self) -> Option<i64> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves on only here, in the caller's own future: a wait that was cancelled gave nothing out.
    fn hand_out(&self, rows: Vec<(i64, Change)>) -> Vec<Change> {
        if let Some((id, _)) = rows.last() {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(*id);
        }
        rows.into_iter().map(|(_, change)| change).collect()
    }
}

fn check_limit(limit: u32) -> Result<()> {
    if (1..=1000).contains(&limit) { Ok(()) } else { Err(Error::invalid("limit must be from 1 to 1000.")) }
}

impl Inner {
    /// Changes and their places in the feed. Accounts are looked up each time: an owner may have got another one.
    async fn change_rows(&self, query: &ChangeQuery, after: Option<i64>, limit: u32) -> Result<Vec<(i64, Change)>> {
        let scope = self.scope_of_feed(query.owner.as_deref(), query.account_id.as_deref()).await?;
        let [kind, whose] = scope.parts();
        let list = [b"changes".as_slice(), kind, whose];
        let after = match (after, &query.cursor) {
            (Some(after), _) => after,
            (None, None) => 0,
            (None, Some(cursor)) => match earlier(cursor) {
                Some(after) => after,
                None => self.vault.position::<1>(&list, cursor)?[0],
            },
        };
        let rows = self.store.changes(scope.account_ids(), after, limit).await?;
        if after > 0 && self.store.is_missed(scope.account_ids(), after).await? {
            return Err(Error::new(ErrorKind::CursorExpired, "Changes after this cursor are no longer kept. Read everything anew (messages, outbox), then the feed without a cursor."));
        }
        rows.into_iter().map(|row| Ok((row.id, change(row, &self.vault, &list)?))).collect()
    }
}

/// Cursors that earlier versions handed out: a place in the feed of everybody, which says nothing of whose it was.
fn earlier(cursor: &str) -> Option<i64> {
    cursor.parse().ok().filter(|id| *id >= 0)
}

fn change(row: ChangeRow, vault: &Vault, list: &[&[u8]]) -> Result<Change> {
    Ok(Change { cursor: vault.cursor(list, &[row.id])?, kind: row.kind, account_id: row.account_id, subject_id: row.subject_id, at: from_ms(row.at) })
}
