//! Whether a walk showed everything. Microsoft's enumeration of a folder leaves messages out now and then, and the delta link at its end would never bring
//! them: what is here is compared with what the folder counts, and a folder that is short is walked anew.

use super::run::SyncContext;
use crate::clock::from_ms;
use crate::error::Result;
use crate::store::{CursorEvent, SyncedFolder};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A folder that is short again is left as it is for so long: its count may tell of what no list shows.
const AGAIN: Duration = Duration::from_secs(86_400);

/// Which folders were walked anew because they were short, and when, by account and folder.
#[derive(Default)]
pub struct Rewalked(Mutex<HashMap<(String, String), Duration>>);

impl Rewalked {
    /// False: it was, not long ago.
    fn note(&self, account_id: &str, folder_id: &str, now: Duration) -> bool {
        let mut walked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        walked.retain(|_, at| now.saturating_sub(*at) < AGAIN);
        let key = (account_id.to_owned(), folder_id.to_owned());
        if walked.contains_key(&key) {
            return false;
        }
        walked.insert(key, now);
        true
    }
}

/// Those of the folders that were enumerated to their end since they were `before`.
pub fn enumerated(before: &[SyncedFolder], now: Vec<SyncedFolder>) -> Vec<SyncedFolder> {
    let is_complete = |folder: &SyncedFolder| folder.cursor.as_ref().is_some_and(|cursor| cursor.is_delta);
    let was: HashMap<&str, (bool, i64)> = before.iter().map(|folder| (folder.row.graph_id.as_str(), (is_complete(folder), folder.enumeration))).collect();
    let is_new = |folder: &SyncedFolder| was.get(folder.row.graph_id.as_str()).is_none_or(|(complete, enumeration)| !complete || *enumeration != folder.enumeration);
    now.into_iter().filter(|folder| is_complete(folder) && is_new(folder)).collect()
}

/// Gives up the delta links of folders that hold less than they count. Answers those folders as they are then; the questions of their walk must be settled.
pub async fn give_up_short(context: &Arc<SyncContext>, rewalked: &Rewalked, folders: Vec<SyncedFolder>) -> Result<Vec<SyncedFolder>> {
    if folders.is_empty() {
        return Ok(Vec::new());
    }
    let account_id = context.account.id.as_str();
    let since = context.store.backfill(account_id).await?.and_then(|backfill| backfill.since);
    let ids: Vec<String> = folders.iter().map(|folder| folder.row.graph_id.clone()).collect();
    let counted = context.ask(context.graph.count_messages(&context.caller(), &ids, since.map(from_ms))).await?;
    let mut short = Vec::new();
    for (mut folder, counted) in folders.into_iter().zip(counted) {
        let Some(counted) = counted else { continue };
        let held = context.store.count_held(account_id, &folder.row.graph_id, since).await?;
        if held >= counted || !rewalked.note(account_id, &folder.row.graph_id, context.clock.elapsed()) {
            continue;
        }
        tracing::warn!(target: "tidings::sync", account = account_id, held, counted, "a folder's enumeration left messages out; it is walked anew");
        let noted = context.store.note_cursor(account_id, &folder.row.graph_id, context.account.generation, &context.lease, CursorEvent::Lost, context.now()).await?;
        if noted.is_none() {
            return Err(context.taken_over().await);
        }
        folder.enumeration += 1;
        folder.cursor = None;
        short.push(folder);
    }
    Ok(short)
}
