//! A part of a back-fill under the lease of the account's syncs: short, so that nobody waits for it.

use super::super::folder::FolderSync;
use super::super::folders;
use super::super::removal;
use super::super::run::{Extent, Sync, SyncContext, synced};
use super::super::tally::Tally;
use super::list::{Listing, Stopwatch};
use super::windows::divide;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint::failpoint;
use crate::runtime::Stop;
use crate::store::{AccountRow, BackfillPhase, BackfillRow, BackfillWindow, SyncedFolder, hold};
use futures_util::StreamExt;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How long the account is kept from another process's syncs.
const LONGEST: Duration = Duration::from_secs(5);
/// Parts listed, or folders walked, at the same time; the mailbox takes four requests at once, and people who wait want one.
const AT_ONCE: usize = 3;

impl Sync {
    /// One slice of this back-fill. Answers what it is at afterwards.
    pub(super) async fn slice(&self, account: AccountRow, row: &BackfillRow, stop: &Stop) -> Result<BackfillPhase> {
        let turn = self.turn(&account.id);
        let _alone = stop.until(async { Ok(turn.slice().await) }).await?;
        let lease = self.lease(&account.id, stop).await?;
        let until = self.clock.elapsed().saturating_add(LONGEST);
        let context = self.context(account, &lease, stop.clone(), Extent::Slice { until, turn: row.turn });
        let beat = hold(self.store.clone(), self.clock.clone(), lease.clone());
        let outcome = tokio::select! {
            outcome = Box::pin(self.work(&context, row)) => outcome,
            () = beat => Err(context.taken_over().await),
        };
        let _ = self.store.release_lease(&lease).await; // it lapses by itself otherwise
        outcome
    }

    async fn work(&self, context: &Arc<SyncContext>, row: &BackfillRow) -> Result<BackfillPhase> {
        let chosen = self.chosen(&context.account);
        if let Some(error) = folders::refresh(context, &chosen).await? {
            return Err(error);
        }
        let folders = synced(context).await?;
        let phase = match row.phase {
            BackfillPhase::Listing => Box::pin(list(context, row, folders)).await?,
            BackfillPhase::Seeding => Box::pin(self.seed(context, folders)).await?,
            BackfillPhase::Done => BackfillPhase::Done,
        };
        self.lists.after_sync(context).await?;
        Ok(phase)
    }

    /// Walks the folders that have no delta link yet, and settles the questions that this leaves.
    async fn seed(&self, context: &Arc<SyncContext>, folders: Vec<SyncedFolder>) -> Result<BackfillPhase> {
        let is_open = |folder: &SyncedFolder| folder.cursor.as_ref().is_none_or(|cursor| !cursor.is_delta);
        let mut open: Vec<SyncedFolder> = folders.iter().filter(|folder| is_open(folder)).cloned().collect();
        open.sort_by_key(|folder| folder.row.total);
        let mut walks = futures_util::stream::iter(open.into_iter().map(|folder| FolderSync::new(context.clone(), folder, None).seed())).buffer_unordered(AT_ONCE);
        finish(&mut walks).await?;
        drop(walks);
        failpoint!("backfill.seeded");
        removal::settle(context).await?;
        Box::pin(self.walk_short(context, &folders)).await?;
        let is_any_open = synced(context).await?.iter().any(is_open);
        Ok(if is_any_open { BackfillPhase::Seeding } else { BackfillPhase::Done })
    }
}

/// Lists what is open, the newest parts first.
async fn list(context: &Arc<SyncContext>, row: &BackfillRow, folders: Vec<SyncedFolder>) -> Result<BackfillPhase> {
    let account_id = &context.account.id;
    divide_new(context, row, &folders).await?;
    let folders: HashMap<String, SyncedFolder> = folders.into_iter().map(|folder| (folder.row.graph_id.clone(), folder)).collect();
    let open = context.store.backfill_windows(account_id).await?;
    let gone: HashSet<String> = open.iter().map(|window| window.folder_id.clone()).filter(|id| !folders.contains_key(id)).collect();
    for folder_id in gone {
        context.store.drop_windows(account_id, &folder_id).await?;
    }
    let listing = Listing { context: context.clone(), turn: row.turn, failures: row.failures, stopwatch: Stopwatch::start(context), has_listed: AtomicBool::new(false) };
    let part = |window: BackfillWindow| folders.get(&window.folder_id).map(|folder| listing.list(folder, window));
    let mut parts = futures_util::stream::iter(open.into_iter().filter_map(part)).buffer_unordered(AT_ONCE);
    finish(&mut parts).await?;
    let is_listed = context.store.backfill_windows(account_id).await?.is_empty();
    Ok(if is_listed { BackfillPhase::Seeding } else { BackfillPhase::Listing })
}

/// Folders that are not divided yet: all of them when it begins, later those that are new.
async fn divide_new(context: &Arc<SyncContext>, row: &BackfillRow, folders: &[SyncedFolder]) -> Result<()> {
    let divided: HashSet<String> = context.store.divided_folders(&context.account.id).await?.into_iter().collect();
    let new = folders.iter().filter(|folder| !divided.contains(&folder.row.graph_id));
    let windows: Vec<BackfillWindow> = new.flat_map(|folder| divide(&folder.row.graph_id, row.since, row.started_at, folder.row.total, context.page_size)).collect();
    if windows.is_empty() || context.store.divide_folders(&context.account.id, row.turn, &windows).await? {
        failpoint!("backfill.divided");
        return Ok(());
    }
    Err(Error::new(ErrorKind::Cancelled, "The back-fill was stopped.").on_account(context.account.id.clone()))
}

/// What one of them fails with stops no other.
async fn finish(work: &mut (impl futures_util::Stream<Item = Result<Tally>> + Unpin)) -> Result<()> {
    let mut failed = None;
    while let Some(outcome) = work.next().await {
        if let Err(error) = outcome {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}
